/** Update a checksum for bytes that changed, without looking at the rest. */
import { foldSwap, sumBytes } from "./summer.ts";

/**
 * New value of a checksum after some of the bytes under it were replaced (RFC 1624, equation 3).
 * @param check - old checksum, as read big endian
 * @param oldBytes - bytes that were there; they began at an even offset of the checksummed range
 * @param newBytes - bytes that are there now; usually as many
 * @returns new checksum, to be written big endian; never 0xffff, as in the kernel. UDP, where 0 means "none":
 *   write 0xffff for 0, and leave a field that held 0 alone
 * @see RFC 1624; include/net/checksum.h csum_replace4()
 */
export function updateChecksum(check: number, oldBytes: Uint8Array, newBytes: Uint8Array): number {
  const removed = foldSwap(sumBytes(oldBytes, 0));
  const added = foldSwap(sumBytes(newBytes, 0));
  // 0x1fffe - x is ~x with an upper half, so the sum is never 0
  const sum = 0x1fffe - (check & 0xffff) + (0xffff - removed) + added;
  const once = (sum & 0xffff) + (sum >>> 16);
  return ~((once & 0xffff) + (once >>> 16)) & 0xffff;
}
