// Many sums in one call, with 128-bit SIMD for what is long enough.
import { sumWords } from "../../skbuff/accel/csum-partial";
import { csum_partial } from "../../skbuff/accel/csum-partial-simd";
import { fold64 } from "../../skbuff/accel/fold";

/** From here on the SIMD loop is worth its call. */
const LONG: u32 = 128;

/**
 * Sum `count` ranges.
 * @param ranges - address of {u32 address, u32 len} pairs
 * @param sums - address of `count` u32: on entry the seeds, on return the canonical sums
 */
export function csum_batch(ranges: usize, sums: usize, count: u32): void {
  const end = sums + ((<usize>count) << 2);
  while (sums < end) {
    const at = load<u32>(ranges);
    const len = load<u32>(ranges, 4);
    const seed = load<u32>(sums);
    store<u32>(sums, len < LONG ? fold64(sumWords(at, len, seed)) : csum_partial(at, len, seed));
    ranges += 8;
    sums += 4;
  }
}
