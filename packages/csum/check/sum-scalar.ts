// One sum, nothing else: the module behind internetChecksum and updateChecksum. Where SIMD is missing.
export { csum_partial } from "../../skbuff/accel/csum-partial";
