/**
 * Remote checksum offload: the sender leaves the inner checksum as its seed and says in the tunnel header where it
 * is; the outer checksum protects everything meanwhile. The receiver fills it in, or lets it look as if it came from
 * a local peer.
 */
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  SKB_GSO_TUNNEL_REMCSUM,
  type SkBuff,
} from "@netoffload/skbuff";
import { csumAdd, csumFold, csumPartial, csumSub, type Wsum } from "../arith.ts";
import { skbPostpullRcsum } from "./geometry.ts";
import { __skbChecksumComplete } from "./rx.ts";

const EINVAL = 22;
/** GUE's private flag for remote checksum offload, in the 32-bit private flags word. */
export const GUE_PFLAG_REMCSUM = 0x8000_0000;
/** VXLAN's flag, in the 32-bit flags word read big endian. */
export const VXLAN_HF_RCO = 0x0020_0000;

/** Where the inner checksum is, bytes from the first byte behind the tunnel header. */
export interface Remcsum {
  /** First byte summed. */
  readonly start: number;
  /** The field. */
  readonly offset: number;
}

/**
 * Fill the inner field out of csum, the sum of [ptr, end).
 * @param ptr - address of the first byte behind the tunnel header
 * @returns what the field changed by, to be added to csum
 * @see include/net/checksum.h remcsum_adjust()
 */
export function remcsumAdjust(skb: SkBuff, ptr: number, csum: number, start: number, offset: number): Wsum {
  const { view } = skb.memory;
  // the field holds the seed, so the sum from start on is the complement of the true checksum
  const check = csumFold(csumSub(csum, csumPartial(skb.memory, ptr, start, 0)));
  const delta = csumSub(check, view.getUint16(ptr + offset, true));
  view.setUint16(ptr + offset, check, true);
  return delta;
}

/** Take an adjustment back. @param field - address @see include/net/checksum.h remcsum_unadjust() */
export function remcsumUnadjust(skb: SkBuff, field: number, delta: number): void {
  const { view } = skb.memory;
  view.setUint16(field, csumFold(csumSub(delta, view.getUint16(field, true))), true);
}

/**
 * A packet with remote checksum offload arrived.
 * @param ptr - address of the first byte behind the tunnel header, linear up to the field
 * @param start - first byte summed, bytes from ptr; @param offset - the field, bytes from ptr
 * @param nopartial - fill the field in; otherwise the packet becomes CHECKSUM_PARTIAL and its bytes stay
 * @see include/linux/skbuff.h skb_remcsum_process()
 */
export function skbRemcsumProcess(
  skb: SkBuff,
  ptr: number,
  start: number,
  offset: number,
  nopartial: boolean,
): void {
  if (!nopartial) {
    skb.ipSummed = CHECKSUM_PARTIAL;
    skb.csumStart = ptr + start - skb.head;
    skb.csumOffset = offset - start;
    return;
  }
  if (skb.ipSummed !== CHECKSUM_COMPLETE) {
    __skbChecksumComplete(skb);
    skbPostpullRcsum(skb, skb.data, ptr - skb.data);
  }
  skb.csum = csumAdd(skb.csum, remcsumAdjust(skb, ptr, skb.csum, start, offset));
}

/**
 * GUE: the 4 bytes {be16 start, be16 offset} that the private flag announces.
 * @param skb - data at the UDP header; the bytes needed are pulled in
 * @param hdrlen - bytes of the GUE header with its options; @param at - the 4 bytes, bytes from data
 * @returns null: the packet is too short for what they say, drop it
 * @see net/ipv4/fou_core.c gue_remcsum()
 */
export function gueRemcsum(skb: SkBuff, hdrlen: number, at: number): Remcsum | null {
  if (!skb.pskbMayPull(at + 4)) return null;
  const { view } = skb.memory;
  const start = view.getUint16(skb.data + at, false);
  const offset = view.getUint16(skb.data + at + 2, false);
  return skb.pskbMayPull(8 + hdrlen + Math.max(offset + 2, start)) ? { start, offset } : null;
}

/**
 * VXLAN: start and field told by the last byte of the VNI word.
 * @param flags - first word of the header, big endian; @param vni - second word, big endian
 * @returns null: no remote checksum offload
 * @see drivers/net/vxlan/vxlan_core.c vxlan_remcsum()
 */
export function vxlanRemcsum(flags: number, vni: number): Remcsum | null {
  if ((flags & VXLAN_HF_RCO) === 0) return null;
  const start = (vni & 0x7f) * 2;
  return { start, offset: start + (vni & 0x80 ? 6 : 16) };
}

/** The packet's checksum is the receiver's now. */
function handOver(skb: SkBuff): void {
  if (skb.isGso) {
    skb.gsoType = (skb.gsoType | SKB_GSO_TUNNEL_REMCSUM) >>> 0;
    return;
  }
  skb.ipSummed = CHECKSUM_NONE;
  skb.encapsulation = 0;
}

/**
 * GUE, transmit: what to write behind the private flags; the packet owes no inner checksum afterwards.
 * @param skb - CHECKSUM_PARTIAL, data at the GUE header; @param hdrlen - bytes of that header
 * @returns -EINVAL: the checksum starts inside the header, or nothing is owed
 * @see net/ipv4/fou_core.c __gue_build_header()
 */
export function gueBuildRemcsum(skb: SkBuff, hdrlen: number): Remcsum | number {
  const start = skb.checksumStartOffset - hdrlen;
  if (skb.ipSummed !== CHECKSUM_PARTIAL || start < 0) return -EINVAL;
  const offset = start + skb.csumOffset;
  handOver(skb);
  return { start, offset };
}

/**
 * VXLAN, transmit: the last byte of the VNI word; the packet owes no inner checksum afterwards.
 * @param skb - data at the inner Ethernet header, before the push
 * @returns -1: not possible (start odd or beyond 254, neither TCP nor UDP), ordinary offload then
 * @see drivers/net/vxlan/vxlan_core.c vxlan_build_skb()
 */
export function vxlanBuildRemcsum(skb: SkBuff): number {
  const start = skb.checksumStartOffset;
  const { csumOffset } = skb;
  if (skb.ipSummed !== CHECKSUM_PARTIAL || start < 0 || start > 254 || (start & 1) !== 0) return -1;
  if (csumOffset !== 6 && csumOffset !== 16) return -1;
  handOver(skb);
  return (start >> 1) | (csumOffset === 6 ? 0x80 : 0);
}
