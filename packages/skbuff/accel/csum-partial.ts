// accel1.csum_partial with plain 64-bit loads: the scalar module, and the tail of the SIMD one.
import { fold64 } from "./fold";

/**
 * Add the bytes as little-endian 16-bit words (phase 0 at ptr; an odd last byte is a low byte) onto `sum`,
 * unfolded: at most 2^33 a step of 8 bytes, so 2^62 over 4 GiB.
 */
// @ts-expect-error: decorator
@inline
export function sumWords(ptr: usize, len: u32, sum: u64): u64 {
  while (len >= 32) {
    const a = load<u64>(ptr);
    const b = load<u64>(ptr, 8);
    const c = load<u64>(ptr, 16);
    const d = load<u64>(ptr, 24);
    sum += (a & 0xffff_ffff) + (a >> 32) + (b & 0xffff_ffff) + (b >> 32);
    sum += (c & 0xffff_ffff) + (c >> 32) + (d & 0xffff_ffff) + (d >> 32);
    ptr += 32;
    len -= 32;
  }
  // no loop for the last 31 bytes: headers are that short
  if (len & 16) {
    const a = load<u64>(ptr);
    const b = load<u64>(ptr, 8);
    sum += (a & 0xffff_ffff) + (a >> 32) + (b & 0xffff_ffff) + (b >> 32);
    ptr += 16;
  }
  if (len & 8) {
    const a = load<u64>(ptr);
    sum += (a & 0xffff_ffff) + (a >> 32);
    ptr += 8;
  }
  if (len & 4) {
    sum += <u64>load<u32>(ptr);
    ptr += 4;
  }
  if (len & 2) {
    sum += <u64>load<u16>(ptr);
    ptr += 2;
  }
  if (len & 1) sum += <u64>load<u8>(ptr);
  return sum;
}

/**
 * @param len - bytes, u32
 * @returns 0 when sum and all bytes are 0, otherwise the end-around folded value in 1..0xffff
 */
export function csum_partial(ptr: usize, len: u32, sum: u32): u32 {
  return fold64(sumWords(ptr, len, <u64>sum));
}
