// accel1.copy and accel1.copy_csum by SIMD: a vector loop runs at the same speed whatever the alignments.
import { overlapsForward } from "./copy-csum";
import { ROUND_BYTES, STEP_BYTES, sumRound } from "./csum-lanes";
import { sumWords } from "./csum-partial";
import { csum_partial } from "./csum-partial-simd";
import { fold64 } from "./fold";

/** Below this memory.copy is faster; above it unlike alignments can make it 28 times slower (string moves). */
const VECTOR_FROM: u32 = 2048;

/** Copy len bytes as if through a buffer of its own (overlap allowed). */
export function copy(dst: usize, src: usize, len: u32): void {
  if (len < VECTOR_FROM || overlapsForward(dst, src, len)) {
    memory.copy(dst, src, len);
    return;
  }
  const end = src + (len & ~63);
  while (src < end) {
    const a = v128.load(src);
    const b = v128.load(src, 16);
    const c = v128.load(src, 32);
    const d = v128.load(src, 48);
    v128.store(dst, a);
    v128.store(dst, b, 16);
    v128.store(dst, c, 32);
    v128.store(dst, d, 48);
    src += 64;
    dst += 64;
  }
  memory.copy(dst, src, len & 63);
}

/** Copy as {@link copy} does and sum the source bytes as they were. @returns as csum_partial */
export function copy_csum(dst: usize, src: usize, len: u32, sum: u32): u32 {
  if (overlapsForward(dst, src, len)) {
    const result = csum_partial(src, len, sum);
    memory.copy(dst, src, len);
    return result;
  }
  let total: u64 = sum;
  while (len >= STEP_BYTES) {
    const piece = min<u32>(len, ROUND_BYTES) & ~(STEP_BYTES - 1);
    total += sumRound(dst, src, piece, true);
    src += piece;
    dst += piece;
    len -= piece;
  }
  total = sumWords(src, len, total);
  memory.copy(dst, src, len);
  return fold64(total);
}
