/** The Internet checksum of plain bytes, for those who know nothing of skbs. */
import { foldSwap, sumBytes } from "./summer.ts";

/**
 * Internet checksum (RFC 1071) of bytes, as the number one reads and writes big endian.
 *
 * Over bytes whose checksum field is 0 it gives what to write there; over bytes with a right checksum it gives 0.
 * @param bytes - any length; an odd last byte counts as the high byte of a word
 * @param seed - sum of what comes before (a pseudo header, say): 16-bit big-endian words added up, below 2^53,
 *   folded or not. To go on after another range of even length: `~internetChecksum(range) & 0xffff`
 * @returns 0..0xffff; 0xffff only when all bytes and the seed are 0
 * @see RFC 1071
 */
export function internetChecksum(bytes: Uint8Array, seed: number = 0): number {
  return ~foldSwap(sumBytes(bytes, foldSwap(seed))) & 0xffff;
}
