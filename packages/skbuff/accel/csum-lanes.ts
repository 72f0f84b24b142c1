// Sums of 16-bit words in eight 16-bit lanes, 128 bytes a step: about 3.1 operations for 16 bytes, its load among them.
//
// A lane's wrapped sum A is its true sum S modulo 2^16. What wrapping loses is found again from the words' mean,
// which costs less than adding in wider lanes: for eight words of a lane, avgr_u in three levels gives R with
// mean <= R <= mean + 1.5, and H = sum of (R >> 6) over at most 64 steps stays below 2^16. A step then has
// 8 * mean - 8 * 64 * (R >> 6) in [-12, 504], 64 steps have S - 512 * H in [-768, 32256]: less than 2^16 apart, so
// A - 512 * H + 768 modulo 2^16 is that difference itself, and S is exact.

/** Bytes of a step: eight vectors. */
export const STEP_BYTES: u32 = 128;
/** Bytes after which H could leave its lane. */
export const ROUND_BYTES: u32 = 64 * STEP_BYTES;

/** Wrapped sum of four vectors of words. */
// @ts-expect-error: decorator
@inline
function add4(a: v128, b: v128, c: v128, d: v128): v128 {
  return i16x8.add(i16x8.add(a, b), i16x8.add(c, d));
}

/** Rounded mean of four vectors of words, at most 1 above the true one. */
// @ts-expect-error: decorator
@inline
function mean4(a: v128, b: v128, c: v128, d: v128): v128 {
  return i16x8.avgr_u(i16x8.avgr_u(a, b), i16x8.avgr_u(c, d));
}

/** What a step adds to H: the mean of its two halves' means, without its last 6 bits. */
// @ts-expect-error: decorator
@inline
function high(p: v128, q: v128): v128 {
  return i16x8.shr_u(i16x8.avgr_u(p, q), 6);
}

/** The true sum of the words of all lanes from a round's wrapped sums A and its H. */
// @ts-expect-error: decorator
@inline
function lanesSum(a: v128, h: v128): u64 {
  const apart = i16x8.add(i16x8.sub(a, i16x8.shl(h, 9)), i16x8.splat(768));
  // 32-bit lanes: at most 2 * 65,472 * 512 and 2 * 33,024
  const sums = i32x4.add(
    i32x4.shl(i32x4.extadd_pairwise_i16x8_u(h), 9),
    i32x4.extadd_pairwise_i16x8_u(apart),
  );
  const pairs = i64x2.add(i64x2.extend_low_i32x4_u(sums), i64x2.extend_high_i32x4_u(sums));
  return i64x2.extract_lane(pairs, 0) + i64x2.extract_lane(pairs, 1) - 8 * 768;
}

/**
 * Sum of the words of [src, src + len), len a multiple of STEP_BYTES and at most ROUND_BYTES.
 * @param copies - a constant: whether the bytes are copied to dst as well
 */
// @ts-expect-error: decorator
@inline
export function sumRound(dst: usize, src: usize, len: u32, copies: bool): u64 {
  let a = i16x8.splat(0);
  let b = i16x8.splat(0);
  let h = i16x8.splat(0);
  const end = src + len;
  while (src < end) {
    const v0 = v128.load(src);
    const v1 = v128.load(src, 16);
    const v2 = v128.load(src, 32);
    const v3 = v128.load(src, 48);
    if (copies) {
      v128.store(dst, v0);
      v128.store(dst, v1, 16);
      v128.store(dst, v2, 32);
      v128.store(dst, v3, 48);
    }
    a = i16x8.add(a, add4(v0, v1, v2, v3));
    const p = mean4(v0, v1, v2, v3);
    const v4 = v128.load(src, 64);
    const v5 = v128.load(src, 80);
    const v6 = v128.load(src, 96);
    const v7 = v128.load(src, 112);
    if (copies) {
      v128.store(dst, v4, 64);
      v128.store(dst, v5, 80);
      v128.store(dst, v6, 96);
      v128.store(dst, v7, 112);
      dst += STEP_BYTES;
    }
    b = i16x8.add(b, add4(v4, v5, v6, v7));
    h = i16x8.add(h, high(p, mean4(v4, v5, v6, v7)));
    src += STEP_BYTES;
  }
  return lanesSum(i16x8.add(a, b), h);
}
