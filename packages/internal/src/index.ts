/** Private helpers, inlined into each package by the bundler. */

export { base64ToBytes } from "./base64.ts";
export { plainBytes } from "./bytes.ts";
export { OffloadError } from "./errors.ts";
export { bytesToHex, hexToBytes } from "./hex.ts";
