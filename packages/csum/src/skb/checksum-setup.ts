/** Rebuild csum_start and csum_offset from a packet's headers, as Xen's and other paravirtual drivers must. */
import { ETH_P_IP, ETH_P_IPV6, type SkBuff, skbBe16, skbByte } from "@netoffload/skbuff";
import { csumIpv6MagicAt, csumTcpudpMagic } from "../pseudo.ts";

const ENOMEM = 12;
const EPROTO = 71;
const MAX_IP_HDR_LEN = 128;
const MAX_IPV6_HDR_LEN = 256;

/** Have n bytes linear, up to `max` of them if there are so many. */
function maybePullTail(skb: SkBuff, n: number, max: number): number {
  if (skb.headlen >= n) return 0;
  const want = Math.min(Math.max(n, max), skb.len);
  if (want > skb.headlen && !skb.pskbMayPull(want)) return -ENOMEM;
  return skb.headlen < n ? -EPROTO : 0;
}

/** The transport step: which field, and is it in the linear part? */
function setupIp(skb: SkBuff, proto: number, off: number): number {
  const tcp = proto === 6;
  if (!tcp && proto !== 17) return -EPROTO;
  const failed = maybePullTail(skb, off + (tcp ? 20 : 8), off + (tcp ? 60 : 8));
  if (failed !== 0) return failed;
  return skb.skbPartialCsumSet(off, tcp ? 16 : 6) ? 0 : -EPROTO;
}

function setupIpv4(skb: SkBuff, recalculate: boolean): number {
  let failed = maybePullTail(skb, 20, MAX_IP_HDR_LEN);
  if (failed !== 0) return failed;
  if ((skbBe16(skb, 6) & 0x3fff) !== 0) return -EPROTO;
  const off = (skbByte(skb, 0) & 15) * 4;
  const proto = skbByte(skb, 9);
  failed = setupIp(skb, proto, off);
  if (failed !== 0 || !recalculate) return failed;
  const { view } = skb.memory;
  const magic = csumTcpudpMagic(
    view.getUint32(skb.data + 12, true),
    view.getUint32(skb.data + 16, true),
    skb.len - off,
    proto,
    0,
  );
  view.setUint16(skb.data + off + skb.csumOffset, ~magic & 0xffff, true);
  return 0;
}

function setupIpv6(skb: SkBuff, recalculate: boolean): number {
  let failed = maybePullTail(skb, 40, MAX_IPV6_HDR_LEN);
  if (failed !== 0) return failed;
  let off = 40;
  let next = skbByte(skb, 6);
  const limit = 40 + skbBe16(skb, 4);
  let fragment = false;
  let done = false;
  while (off <= limit && !done) {
    if (next === 0 || next === 60 || next === 43) {
      failed = maybePullTail(skb, off + 2, MAX_IPV6_HDR_LEN);
      if (failed !== 0) return failed;
      next = skbByte(skb, off);
      off += 8 * (skbByte(skb, off + 1) + 1);
    } else if (next === 51) {
      failed = maybePullTail(skb, off + 12, MAX_IPV6_HDR_LEN);
      if (failed !== 0) return failed;
      next = skbByte(skb, off);
      off += 4 * (skbByte(skb, off + 1) + 2);
    } else if (next === 44) {
      failed = maybePullTail(skb, off + 8, MAX_IPV6_HDR_LEN);
      if (failed !== 0) return failed;
      if ((skbBe16(skb, off + 2) & 0xfff9) !== 0) fragment = true;
      next = skbByte(skb, off);
      off += 8;
    } else done = true;
  }
  if (!done || fragment) return -EPROTO;
  failed = setupIp(skb, next, off);
  if (failed !== 0 || !recalculate) return failed;
  // Kernel quirk: the header's own destination, a routing header is not consulted
  const magic = csumIpv6MagicAt(skb.memory, skb.data + 8, skb.data + 24, skb.len - off, next, 0);
  skb.memory.view.setUint16(skb.data + off + skb.csumOffset, ~magic & 0xffff, true);
  return 0;
}

/**
 * Make a packet PARTIAL out of its headers.
 * @param skb - data at the network header
 * @param recalculate - write the pseudo-header sum into the field as well
 * @returns 0; -EPROTO: not IPv4 or IPv6 with TCP or UDP, a fragment, cut short; -ENOMEM
 * @see net/core/skbuff.c skb_checksum_setup()
 */
export function skbChecksumSetup(skb: SkBuff, recalculate: boolean): number {
  if (skb.protocol === ETH_P_IP) return setupIpv4(skb, recalculate);
  return skb.protocol === ETH_P_IPV6 ? setupIpv6(skb, recalculate) : -EPROTO;
}
