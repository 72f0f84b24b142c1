// One sum, nothing else: the module behind internetChecksum and updateChecksum. With 128-bit SIMD.
export { csum_partial } from "../../skbuff/accel/csum-partial-simd";
