// accel1.copy_csum: copy and sum in one pass.
import { copy } from "./copy";
import { csum_partial, sumWords } from "./csum-partial";
import { fold64 } from "./fold";

/** Overlap in which writing forward would destroy source bytes before they are read. */
// @ts-expect-error: decorator
@inline
export function overlapsForward(dst: usize, src: usize, len: u32): bool {
  return dst > src && dst - src < len;
}

/**
 * Copy as `copy` does and sum the source bytes as they were.
 * @returns as csum_partial
 */
export function copy_csum(dst: usize, src: usize, len: u32, sum: u32): u32 {
  if (overlapsForward(dst, src, len)) {
    const result = csum_partial(src, len, sum);
    copy(dst, src, len);
    return result;
  }
  let total: u64 = sum;
  while (len >= 16) {
    const a = load<u64>(src);
    const b = load<u64>(src, 8);
    store<u64>(dst, a);
    store<u64>(dst, b, 8);
    total += (a & 0xffff_ffff) + (a >> 32) + (b & 0xffff_ffff) + (b >> 32);
    src += 16;
    dst += 16;
    len -= 16;
  }
  total = sumWords(src, len, total);
  memory.copy(dst, src, len);
  return fold64(total);
}
