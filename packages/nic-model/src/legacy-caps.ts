/** What the legacy check of a fixed-function device needs: its capabilities as a set, a packet's header offsets. */
import { type LegacyCsumCaps, NO_CSUM_CAPS } from "@netoffload/csum";
import { ethTypeVlan, type SkBuff, skbBe16, skbByte } from "@netoffload/skbuff";
import type { Profile } from "./profiles/profile.ts";

/** The capability set of a profile, for skb_csum_hwoffload_legacy_check. */
export function legacyCsumCaps(profile: Profile): LegacyCsumCaps {
  const { csum } = profile.tx;
  return {
    ...NO_CSUM_CAPS,
    ipv4: csum.l3.includes("ipv4"),
    ipv6: csum.l3.includes("ipv6"),
    tcp: csum.l4.includes("tcp"),
    udp: csum.l4.includes("udp"),
    ipOptions: csum.ipv4Options,
    ipv6ExtHdrs: csum.ipv6ExtHdrs === "skip",
    sctpCrc: csum.l4.includes("sctp"),
    maxVlan: csum.vlanStack,
    maxL4Offset: csum.startMax,
    minLen: csum.minLen,
  };
}

/**
 * Set what a stack sets on its way down, for a packet of which only bytes and csum_start are known: link-layer and
 * network header, EtherType, and (validate_xmit_skb) the transport header at csum_start. What is set stays.
 * @param l2Length - 14: an Ethernet header is at data; 0: L3 is
 */
export function locateHeaders(skb: SkBuff, l2Length: number): void {
  if (skb.transportHeaderWasSet) return;
  const { headroom } = skb;
  skb.macHeader = headroom + l2Length - 14;
  if (l2Length >= 2) skb.protocol = Math.max(skbBe16(skb, l2Length - 2), 0);
  else if (skb.protocol === 0) skb.protocol = skbByte(skb, 0) >> 4 === 6 ? 0x86dd : 0x0800;
  let at = l2Length;
  for (let type = skb.protocol; ethTypeVlan(type); at += 4) type = skbBe16(skb, at + 2);
  skb.networkHeader = headroom + at;
  skb.transportHeader = skb.csumStart;
}

/** Why header or packet lengths do not fit the device's descriptor; empty: they do. */
export function lengthsUnfit(skb: SkBuff, profile: Profile): "" | "l2-len" | "l3-len" | "len" {
  const { csum } = profile.tx;
  const l2 = skb.networkOffset;
  const l3 = skb.checksumStartOffset - l2;
  if (csum.lenMax > 0 && skb.len > csum.lenMax) return "len";
  if (l2 > csum.l2LenMax || (csum.l2LenEven && (l2 & 1) !== 0)) return "l2-len";
  return l3 > csum.l3LenMax || l3 % csum.l3LenMultiple !== 0 ? "l3-len" : "";
}
