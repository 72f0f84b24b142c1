// Sums of 16-bit words in eight 16-bit lanes, 128 bytes a step.
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
export function add4(a: v128, b: v128, c: v128, d: v128): v128 {
  return i16x8.add(i16x8.add(a, b), i16x8.add(c, d));
}

/** Rounded mean of four vectors of words, at most 1 above the true one. */
// @ts-expect-error: decorator
@inline
export function mean4(a: v128, b: v128, c: v128, d: v128): v128 {
  return i16x8.avgr_u(i16x8.avgr_u(a, b), i16x8.avgr_u(c, d));
}

/** What a step adds to H: the mean of its two halves' means, without its last 6 bits. */
// @ts-expect-error: decorator
@inline
export function high(p: v128, q: v128): v128 {
  return i16x8.shr_u(i16x8.avgr_u(p, q), 6);
}

/** The true sum of the words of all lanes from a round's wrapped sums A and its H. */
// @ts-expect-error: decorator
@inline
export function lanesSum(a: v128, h: v128): u64 {
  const apart = i16x8.add(i16x8.sub(a, i16x8.shl(h, 9)), i16x8.splat(768));
  // 32-bit lanes: at most 2 * 65,472 * 512 and 2 * 33,024
  const sums = i32x4.add(
    i32x4.shl(i32x4.extadd_pairwise_i16x8_u(h), 9),
    i32x4.extadd_pairwise_i16x8_u(apart),
  );
  const pairs = i64x2.add(i64x2.extend_low_i32x4_u(sums), i64x2.extend_high_i32x4_u(sums));
  return i64x2.extract_lane(pairs, 0) + i64x2.extract_lane(pairs, 1) - 8 * 768;
}
