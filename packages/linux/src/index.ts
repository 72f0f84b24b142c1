/**
 * The live Linux kernel from Node.
 *
 * libc (koffi, lazily) → struct-bytes (buffers kept alive)
 *
 * @packageDocumentation
 */
export { errnoName } from "./errno.ts";
export { LinuxError, ok } from "./errors.ts";
export { keepAlive } from "./keep-alive.ts";
export { type Libc, libc, type Mapping } from "./libc.ts";
export { StructBytes } from "./struct-bytes.ts";
