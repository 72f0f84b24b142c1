// accel1.copy and accel1.copy_csum by SIMD: a vector loop runs at the same speed whatever the alignments.
import { overlapsForward } from "./copy-csum";
import { sumWords } from "./csum-partial";
import { csum_partial, lanes } from "./csum-partial-simd";
import { fold64 } from "./fold";

/** Below this memory.copy is faster; above it unlike alignments can make it 28 times slower (string moves). */
const VECTOR_FROM: u32 = 2048;
const ROUND_BYTES: u32 = 1 << 20;

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
  const flip = i16x8.splat(-32768);
  const ones = i16x8.splat(1);
  let total: u64 = sum;
  while (len >= 64) {
    const piece = min<u32>(len, ROUND_BYTES) & ~63;
    const end = src + piece;
    let a = i32x4.splat(0);
    let b = i32x4.splat(0);
    while (src < end) {
      const w = v128.load(src);
      const x = v128.load(src, 16);
      const y = v128.load(src, 32);
      const z = v128.load(src, 48);
      v128.store(dst, w);
      v128.store(dst, x, 16);
      v128.store(dst, y, 32);
      v128.store(dst, z, 48);
      a = i32x4.add(a, i32x4.dot_i16x8_s(v128.xor(w, flip), ones));
      b = i32x4.add(b, i32x4.dot_i16x8_s(v128.xor(x, flip), ones));
      a = i32x4.add(a, i32x4.dot_i16x8_s(v128.xor(y, flip), ones));
      b = i32x4.add(b, i32x4.dot_i16x8_s(v128.xor(z, flip), ones));
      src += 64;
      dst += 64;
    }
    total += lanes(a) + lanes(b) + (<u64>piece >> 1) * 32768;
    len -= piece;
  }
  total = sumWords(src, len, total);
  memory.copy(dst, src, len);
  return fold64(total);
}
