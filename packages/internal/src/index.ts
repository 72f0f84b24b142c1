/** Private helpers, inlined into each package by the bundler. */
export { bytesToHex, hexToBytes } from "./hex.ts";
export { OffloadError } from "./errors.ts";
export { base64ToBytes } from "./base64.ts";
