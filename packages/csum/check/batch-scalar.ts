// Many sums in one call, where SIMD is missing.
import { csum_partial } from "../../skbuff/accel/csum-partial";

/**
 * Sum `count` ranges.
 * @param ranges - address of {u32 address, u32 len} pairs
 * @param sums - address of `count` u32: on entry the seeds, on return the canonical sums
 */
export function csum_batch(ranges: usize, sums: usize, count: u32): void {
  const end = sums + ((<usize>count) << 2);
  while (sums < end) {
    store<u32>(sums, csum_partial(load<u32>(ranges), load<u32>(ranges, 4), load<u32>(sums)));
    ranges += 8;
    sums += 4;
  }
}
