/**
 * Incremental updates of a transport checksum inside an skb, for those who rewrite addresses and ports (NAT).
 * The field is meant by its address; it is read and written as the raw 16 bits, low byte first.
 *
 * A packet that is CHECKSUM_PARTIAL has the uncomplemented pseudo-header sum in the field: what belongs to the
 * pseudo header is changed there without complement, everything else is left to whoever fills the checksum in.
 */
import { CHECKSUM_COMPLETE, CHECKSUM_PARTIAL, type SkBuff } from "@netoffload/skbuff";
import { csumAdd, csumFrom32to16, csumSub, csumUnfold, type Wsum } from "../arith.ts";
import { csumReplaceByDiff } from "../update.ts";

/**
 * What the three kinds of change have in common, told as a sum of the complements of old words and of new ones.
 * @param whole - the sum over the packet changes as well: an IPv4 address, its header's checksum and this one did
 */
function replace(skb: SkBuff, field: number, diff: number, pseudohdr: boolean, whole: boolean): void {
  const { view } = skb.memory;
  const check = view.getUint16(field, true);
  if (skb.ipSummed !== CHECKSUM_PARTIAL) {
    view.setUint16(field, csumReplaceByDiff(check, diff), true);
    // what is left of all three is this checksum's change
    if (skb.ipSummed === CHECKSUM_COMPLETE && pseudohdr && whole) skb.csum = ~csumSub(diff, skb.csum) >>> 0;
  } else if (pseudohdr) {
    view.setUint16(field, csumFrom32to16(csumAdd(diff, csumUnfold(check))), true);
  }
}

/**
 * A 32-bit word changed.
 * @param field - address of the checksum
 * @param from - old word as loaded little endian from the packet; @param to - new word, likewise
 * @param pseudohdr - the word belongs to the pseudo header (an address)
 * @see net/core/utils.c inet_proto_csum_replace4()
 */
export function inetProtoCsumReplace4(
  skb: SkBuff,
  field: number,
  from: number,
  to: number,
  pseudohdr: boolean,
): void {
  replace(skb, field, csumSub(to, from), pseudohdr, true);
}

/**
 * A 16-bit word changed (a port).
 * @param from - old word as loaded little endian; @param to - new word
 * @see include/net/checksum.h inet_proto_csum_replace2()
 */
export function inetProtoCsumReplace2(
  skb: SkBuff,
  field: number,
  from: number,
  to: number,
  pseudohdr: boolean,
): void {
  replace(skb, field, csumSub(to & 0xffff, from & 0xffff), pseudohdr, true);
}

/** Sum of 4 complemented old words and 4 new ones. */
function diff16(view: DataView, from: number, to: number): Wsum {
  let sum = 0;
  for (let off = 0; off < 16; off += 4)
    sum = csumAdd(csumSub(sum, view.getUint32(from + off, true)), view.getUint32(to + off, true));
  return sum as Wsum;
}

/**
 * An IPv6 address changed. skb.csum is never touched: the header has no checksum of its own, so the sum over the
 * whole packet stays.
 * @param from - address of 16 bytes: the old one; @param to - address of 16 bytes: the new one
 * @see net/core/utils.c inet_proto_csum_replace16()
 */
export function inetProtoCsumReplace16(
  skb: SkBuff,
  field: number,
  from: number,
  to: number,
  pseudohdr: boolean,
): void {
  replace(skb, field, diff16(skb.memory.view, from, to), pseudohdr, false);
}

/**
 * What changed is known as a sum.
 * @param diff - sum of the complements of the old words and of the new words
 * @param ipv6 - the address is IPv6's: skb.csum stays (since 6.16)
 * @see net/core/utils.c inet_proto_csum_replace_by_diff()
 */
export function inetProtoCsumReplaceByDiff(
  skb: SkBuff,
  field: number,
  diff: number,
  pseudohdr: boolean,
  ipv6: boolean,
): void {
  replace(skb, field, diff, pseudohdr, !ipv6);
}
