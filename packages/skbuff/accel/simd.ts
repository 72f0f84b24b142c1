// The accel1 module of hosts with 128-bit SIMD.
export { copy, copy_csum } from "./copy-csum-simd";
export { crc32c, init } from "./crc32c";
export { csum_partial } from "./csum-partial-simd";
export { siphash } from "./siphash";
export { toeplitz } from "./toeplitz";
