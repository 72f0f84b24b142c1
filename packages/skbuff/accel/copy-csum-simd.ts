// accel1.copy and accel1.copy_csum by SIMD: a vector loop runs at the same speed whatever the alignments.
import { overlapsForward } from "./copy-csum";
import { add4, high, lanesSum, mean4, ROUND_BYTES, STEP_BYTES } from "./csum-lanes";
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

/** Copy len bytes, a multiple of STEP_BYTES and at most ROUND_BYTES. @returns the sum of their words */
// @ts-expect-error: decorator
@inline
function copyRound(dst: usize, src: usize, len: u32): u64 {
  let a = i16x8.splat(0);
  let b = i16x8.splat(0);
  let h = i16x8.splat(0);
  const end = src + len;
  while (src < end) {
    const v0 = v128.load(src);
    const v1 = v128.load(src, 16);
    const v2 = v128.load(src, 32);
    const v3 = v128.load(src, 48);
    v128.store(dst, v0);
    v128.store(dst, v1, 16);
    v128.store(dst, v2, 32);
    v128.store(dst, v3, 48);
    a = i16x8.add(a, add4(v0, v1, v2, v3));
    const p = mean4(v0, v1, v2, v3);
    const v4 = v128.load(src, 64);
    const v5 = v128.load(src, 80);
    const v6 = v128.load(src, 96);
    const v7 = v128.load(src, 112);
    v128.store(dst, v4, 64);
    v128.store(dst, v5, 80);
    v128.store(dst, v6, 96);
    v128.store(dst, v7, 112);
    b = i16x8.add(b, add4(v4, v5, v6, v7));
    h = i16x8.add(h, high(p, mean4(v4, v5, v6, v7)));
    src += STEP_BYTES;
    dst += STEP_BYTES;
  }
  return lanesSum(i16x8.add(a, b), h);
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
    total += copyRound(dst, src, piece);
    src += piece;
    dst += piece;
    len -= piece;
  }
  total = sumWords(src, len, total);
  memory.copy(dst, src, len);
  return fold64(total);
}
