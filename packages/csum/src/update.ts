/**
 * Incremental updates (RFC 1624). Words are little endian as in arith.ts; the functions return the new value
 * where the kernel writes through a pointer.
 *
 * Two zeros: {@link csumReplace2} returns 0xffff only for (0xffff, 0xffff, 0), so an unchanged word turns a stored
 * 0xffff into 0; the others never return 0xffff. A caller for whom 0 means "no checksum" (UDP) maps 0 to 0xffff
 * itself, and leaves a field alone that held 0 (unless the packet is CHECKSUM_PARTIAL).
 */
import {
  csum16Add,
  csum16Sub,
  csumAdd,
  csumFold,
  csumSub,
  csumUnfold,
  type Sum16,
  type Wsum,
} from "./arith.ts";

/**
 * One 16-bit word changed.
 * @param check - field, as read little endian
 * @param from - old word, as read little endian
 * @param to - new word
 * @see include/net/checksum.h csum_replace2()
 */
export function csumReplace2(check: number, from: number, to: number): Sum16 {
  return (~csum16Add(csum16Sub(~check & 0xffff, from), to) & 0xffff) as Sum16;
}

/**
 * One 32-bit word changed (an IPv4 address).
 * @see include/net/checksum.h csum_replace4()
 */
export function csumReplace4(check: number, from: number, to: number): Sum16 {
  return csumFold(csumAdd(csumSub(~csumUnfold(check) >>> 0, from), to));
}

/**
 * An IPv6 address changed.
 * @param from - 16 bytes
 * @param to - 16 bytes
 * @see net/core/utils.c inet_proto_csum_replace16()
 */
export function csumReplace16(check: number, from: Uint8Array, to: Uint8Array): Sum16 {
  return csumReplaceByDiff(check, csumDiff16(from, to));
}

/**
 * Sum of what changed between two IPv6 addresses: {~from words, to words}.
 * @param from - 16 bytes
 * @param to - 16 bytes
 */
export function csumDiff16(from: Uint8Array, to: Uint8Array): Wsum {
  // by bytes: a view of the caller's buffer would be an allocation; at most 8 * 2 * 0xffff
  let diff = 0;
  for (let i = 0; i < 16; i += 2)
    diff += 0xffff - (from[i]! | (from[i + 1]! << 8)) + (to[i]! | (to[i + 1]! << 8));
  return diff as Wsum;
}

/**
 * The difference is known as a sum.
 * @param diff - sum of the complements of the old words and of the new words
 * @see include/net/checksum.h csum_replace_by_diff()
 */
export function csumReplaceByDiff(check: number, diff: number): Sum16 {
  return csumFold(csumAdd(diff, ~csumUnfold(check) >>> 0));
}

/**
 * Replace a part of a partial sum.
 * @see include/net/checksum.h csum_replace()
 */
export function csumReplace(sum: number, from: number, to: number): Wsum {
  return csumAdd(csumSub(sum, from), to);
}
