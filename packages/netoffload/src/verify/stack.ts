/**
 * What a receiving stack concludes from CHECKSUM_COMPLETE: the sum over the packet, less the headers before a
 * checksum and what follows its end, plus the pseudo header, must be all ones.
 */
import { type OracleChecksum, sum } from "../../test/ref/oracle.ts";

const swap = (n: number): number => ((n & 0xff) << 8) | (n >>> 8);
const sub = (a: number, b: number): number => fold(a + (0xffff - b));
const fold = (n: number): number => {
  while (n > 0xffff) n = (n & 0xffff) + (n >>> 16);
  return n;
};

/**
 * Validate one checksum of a frame by the device's sum.
 * @param frame - the bytes that arrived
 * @param from - first byte that COMPLETE covers, from the frame's first byte
 * @param complete - csum of the skb, little-endian words, folded
 */
export function validates(
  frame: Uint8Array,
  from: number,
  complete: number,
  checksum: Pick<OracleChecksum, "start" | "end" | "seed">,
): boolean {
  const { start, end, seed } = checksum;
  let rest = sub(swap(complete), sum(frame, from, start));
  if (((start - from) & 1) === 1) rest = swap(rest);
  if (end < frame.length) {
    const trailer = sum(frame, end, frame.length);
    rest = sub(rest, ((end - start) & 1) === 1 ? swap(trailer) : trailer);
  }
  const whole = fold(rest + seed);
  return whole === 0xffff;
}
