// accel1.csum_partial by SIMD.
import { ROUND_BYTES, STEP_BYTES, sumRound } from "./csum-lanes";
import { sumWords } from "./csum-partial";
import { fold64 } from "./fold";

/** As the scalar unit, 128 bytes a step from as many on. */
export function csum_partial(ptr: usize, len: u32, sum: u32): u32 {
  let total: u64 = sum;
  while (len >= STEP_BYTES) {
    const piece = min<u32>(len, ROUND_BYTES) & ~(STEP_BYTES - 1);
    total += sumRound(0, ptr, piece, false);
    ptr += piece;
    len -= piece;
  }
  return fold64(sumWords(ptr, len, total));
}
