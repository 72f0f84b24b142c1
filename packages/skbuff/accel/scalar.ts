// The accel1 module where SIMD is missing, and the one that --no-accel links as plain loops.
export { copy } from "./copy";
export { copy_csum } from "./copy-csum";
export { crc32c, init } from "./crc32c";
export { csum_partial } from "./csum-partial";
export { siphash } from "./siphash";
export { toeplitz } from "./toeplitz";
