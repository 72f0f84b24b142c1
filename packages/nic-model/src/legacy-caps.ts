/**
 * What the legacy check of a fixed-function device needs: its capabilities as a set, a packet's header offsets; and
 * what its driver looks at besides, since descriptors have fields of so many bits.
 */
import { type LegacyCsumCaps, NO_CSUM_CAPS, type UdpTunnel, type UdpTunnels } from "@netoffload/csum";
import { ethTypeVlan, type SkBuff, skbBe16, skbByte } from "@netoffload/skbuff";
import type { Profile, TxCsumProfile } from "./profiles/profile.ts";

const ETH_P_TEB = 0x6558;

/** The capability set of a profile, for skb_csum_hwoffload_legacy_check. */
export function legacyCsumCaps(profile: Profile): LegacyCsumCaps {
  const { csum } = profile.tx;
  const { ipv6ExtHdrs } = csum;
  return {
    ...NO_CSUM_CAPS,
    ipv4: csum.l3.includes("ipv4"),
    ipv6: csum.l3.includes("ipv6"),
    tcp: csum.l4.includes("tcp"),
    // a device that sends 0 where it computed 0 says "no checksum"
    udp: csum.l4.includes("udp") && csum.udpZero === "ffff",
    ipOptions: csum.ipv4Options,
    ipv6ExtHdrs: ipv6ExtHdrs !== "none",
    maxExtHdrs: ipv6ExtHdrs.startsWith("count:") ? Number(ipv6ExtHdrs.slice(6)) : NO_CSUM_CAPS.maxExtHdrs,
    maxExtHdrLen: csum.ipv6ExtHdrMax,
    encap: csum.encap.length > 0,
    encapIpv6: csum.encapIpv6,
    sctpCrc: csum.l4.includes("sctp"),
    maxVlan: csum.vlanStack,
    maxL4Offset: csum.startMax,
    minLen: csum.minLen,
  };
}

/** The tunnels that a device looks into on receive, for skb_csum_rx_legacy_convert_unnecessary. */
export function deviceTunnels(profile: Profile): UdpTunnels {
  const { encap, encapPorts } = profile.rx.csum;
  const ports = (kind: "vxlan" | "geneve"): [number, UdpTunnel][] =>
    encap.includes(kind) ? encapPorts[kind].map((port) => [port, kind]) : [];
  return new Map([...ports("vxlan"), ...ports("geneve")]);
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

/** Why a packet that the check let pass is not for the device all the same. */
export type UnfitReason =
  | "queue"
  | "len"
  | "l2-len"
  | "l3-len"
  | "offset-odd"
  | "ip-length"
  | "window"
  | "tunnel"
  | "tunnel-len"
  | "tunnel-port";

/**
 * Why header or packet lengths do not fit the device's descriptor, or the queue has no engine; empty: they do.
 * @param encapsulated - the checksum is inside of a tunnel: outer and inner network headers are both looked at
 */
export function lengthsUnfit(
  skb: SkBuff,
  profile: Profile,
  encapsulated = false,
  queue = 0,
): UnfitReason | "" {
  const { csum } = profile.tx;
  const l2 = skb.networkOffset;
  const start = skb.checksumStartOffset;
  if (csum.queues > 0 && queue >= csum.queues) return "queue";
  if (csum.lenMax > 0 && skb.len > csum.lenMax) return "len";
  if (l2 > csum.l2LenMax || (csum.l2LenEven && (l2 & 1) !== 0)) return "l2-len";
  const outer = (encapsulated ? skb.transportOffset : start) - l2;
  if (outer > csum.l3LenMax || outer % csum.l3LenMultiple !== 0) return "l3-len";
  if (encapsulated) {
    const inner = start - skb.innerNetworkOffset;
    if (inner > csum.l3LenMax || inner % csum.l3LenMultiple !== 0) return "l3-len";
    const tunnel = skb.innerNetworkOffset - skb.transportOffset;
    if (tunnel > csum.tunnelLenMax || (csum.tunnelLenEven && (tunnel & 1) !== 0)) return "tunnel-len";
  }
  const l3 = encapsulated ? skb.innerNetworkOffset : l2;
  if (csum.mode === "typed-unseeded" && ipEnd(skb, l3) !== skb.len) return "ip-length";
  if (csum.offsetEven && ((start | skb.csumOffset) & 1) !== 0) return "offset-odd";
  return csum.headerWindow > 0 && start + skb.csumOffset + 2 > csum.headerWindow ? "window" : "";
}

/**
 * Would the device send a computed 0 where it must be 0xffff? Both verify, but for UDP 0 says "no checksum"; and only of
 * TCP is it known that nobody minds, so a device asked by start and offset that sends 0 is asked for nothing else.
 */
export function zeroUnfit(skb: SkBuff, csum: TxCsumProfile): boolean {
  if (skb.csumOffset === 6) return csum.udpZero === "zero";
  return csum.mode === "generic" && csum.tcpZero === "zero" && skb.csumOffset !== 16;
}

/**
 * Where the IP packet at `at` ends by its own header: an engine that makes the pseudo header itself takes the length
 * from there, and a super-packet too long for the field says 0.
 */
function ipEnd(skb: SkBuff, at: number): number {
  return skbByte(skb, at) >> 4 === 6 ? at + 40 + skbBe16(skb, at + 4) : at + skbBe16(skb, at + 2);
}

/** Is it a tunnel that the device looks into? @param skb - encapsulated, all header offsets set */
export function tunnelUnfit(skb: SkBuff, profile: Profile): UnfitReason | "" {
  const { encap, encapL3, encapPorts } = profile.tx.csum;
  const at = skb.networkOffset;
  const six = skbByte(skb, at) >> 4 === 6;
  if (!encapL3.includes(six ? "ipv6" : "ipv4")) return "tunnel";
  // devices that parse see the outer header's protocol; behind extension headers they see none
  const proto = skbByte(skb, at + (six ? 6 : 9));
  if (proto === 17 && !encap.includes("udp")) {
    const port = skbBe16(skb, skb.transportOffset + 2);
    const known =
      (encap.includes("geneve") && encapPorts.geneve.includes(port)) ||
      (encap.includes("vxlan") && encapPorts.vxlan.includes(port));
    if (!known) return "tunnel-port";
  } else if (proto === 47 || proto === 4 || proto === 41) {
    if (!encap.includes(proto === 47 ? "gre" : "ipip")) return "tunnel";
  } else if (proto !== 17) return "tunnel";
  // one that goes by lengths takes any; one that parses finds what is right behind the tunnel's header
  const parses = !encap.includes("udp");
  return parses && !innerIsNext(skb, proto, encapPorts.vxlan) ? "tunnel" : "";
}

/** Is the inner network header the next behind the outer tunnel header, or is there another tunnel in between? */
function innerIsNext(skb: SkBuff, proto: number, vxlanPorts: readonly number[]): boolean {
  const at = skb.transportOffset;
  const length = skb.innerNetworkOffset - at;
  if (proto === 4 || proto === 41) return length === 0;
  const ethernet = skb.innerProtocol === ETH_P_TEB ? 14 : 0;
  if (proto === 47) {
    const flags = skbBe16(skb, at);
    const words = (flags & 0x8000 ? 1 : 0) + (flags & 0x2000 ? 1 : 0) + (flags & 0x1000 ? 1 : 0);
    return length === 4 + 4 * words + ethernet;
  }
  // VXLAN: Ethernet right behind 8 bytes (include/net/vxlan.h vxlan_features_check()); Geneve: behind its options
  if (vxlanPorts.includes(skbBe16(skb, at + 2))) return ethernet === 14 && length === 16 + 14;
  return length === 16 + (skbByte(skb, at + 8) & 63) * 4 + ethernet;
}
