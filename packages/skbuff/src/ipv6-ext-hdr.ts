/** Does a packet have IPv6 extension headers? The tests the transmit path makes of a skb's header offsets. */
import type { SkBuff } from "./sk-buff.ts";
import { skbBe16, skbByte } from "./skb-bytes.ts";

/** EtherType of IPv4. */
export const ETH_P_IP = 0x0800;
/** EtherType of IPv6. */
export const ETH_P_IPV6 = 0x86dd;
/** EtherType of a customer VLAN tag. */
export const ETH_P_8021Q = 0x8100;
/** EtherType of a service VLAN tag. */
export const ETH_P_8021AD = 0x88a8;
const ETH_P_TEB = 0x6558;

/**
 * Which kernel's test for extension headers is meant.
 * `early`: 6.17 and 6.18.0 look at the outer header's length only. `stable`: the correction of March 2026, which
 * looks at the inner header's length when the packet is encapsulated (features only; elsewhere as `early`).
 * `late`: 6.12.117 and 7.2.13 look at the next-header fields, outer and inner.
 */
export type ExtHdrTest = "early" | "stable" | "late";

/** Is it an EtherType of a VLAN tag? */
export function ethTypeVlan(type: number): boolean {
  return type === ETH_P_8021Q || type === ETH_P_8021AD;
}

/**
 * EtherType behind in-band VLAN tags; 0: the tags do not end within the linear part.
 * @see include/linux/if_vlan.h vlan_get_protocol(); net/core/gso.c skb_network_protocol() for 0x6558
 */
export function vlanGetProtocol(skb: SkBuff): number {
  const type = skb.protocol;
  return ethTypeVlan(type) ? behindTags(skb, skb.macOffset + 14, type) : type;
}

/**
 * The network protocol of a packet: behind VLAN tags, and for Ethernet in a tunnel the type inside.
 * @see net/core/gso.c skb_network_protocol()
 */
export function skbNetworkProtocol(skb: SkBuff): number {
  let type = skb.protocol;
  if (type === ETH_P_TEB) {
    type = skbBe16(skb, 12);
    if (type < 0) return 0;
  }
  return ethTypeVlan(type) ? behindTags(skb, skb.macOffset + 14, type) : type;
}

/** Kernel quirk: a packet with eight tags or more has no protocol (VLAN_MAX_DEPTH). */
function behindTags(skb: SkBuff, at: number, type: number): number {
  for (let depth = 0; ethTypeVlan(type); depth++, at += 4) {
    type = depth < 7 ? skbBe16(skb, at + 2) : -1;
    if (type < 0) return 0;
  }
  return type;
}

/** Is it the number of an extension header (include/net/ipv6.h ipv6_ext_hdr())? ESP and mobility are none. */
export function ipv6ExtHdr(nexthdr: number): boolean {
  return (
    nexthdr === 0 || nexthdr === 43 || nexthdr === 44 || nexthdr === 51 || nexthdr === 59 || nexthdr === 60
  );
}

/** Does an IPv6 header at `off` from data name an extension header next? */
function namesExtension(skb: SkBuff, off: number): boolean {
  return skbByte(skb, off) >> 4 === 6 && ipv6ExtHdr(skbByte(skb, off + 6));
}

/**
 * Late kernels' test: extension headers outside or, when encapsulated, inside.
 * @see include/linux/netdevice.h skb_gso_has_extension_hdr() of 6.12.117 and 7.2.13
 */
export function hasIpv6ExtHdr(skb: SkBuff): boolean {
  const inner = skb.encapsulation !== 0;
  if (vlanGetProtocol(skb) === ETH_P_IPV6) {
    if (namesExtension(skb, skb.networkOffset)) return true;
    if (!inner && skb.transportHeaderWasSet && skb.networkHeaderLen !== 40) return true;
  }
  return inner && skb.innerNetworkHeader !== 0 && namesExtension(skb, skb.innerNetworkOffset);
}

/**
 * A BIG TCP packet with the hop-by-hop header that carries its length: not an extension header for a device.
 * Kernel quirk: the option's length byte is not tested.
 * @returns next header behind it (6), or 0
 * @see include/net/ipv6.h ipv6_has_hopopt_jumbo() (6.18; gone in 7.x)
 */
export function ipv6HasHopoptJumbo(skb: SkBuff): number {
  if (skb.len <= 65536 || skb.protocol !== ETH_P_IPV6) return 0;
  const at = skb.networkOffset;
  if (at + 48 > skb.headlen || skbByte(skb, at + 6) !== 0) return 0;
  const jumbo = skbByte(skb, at + 40) === 6 && skbByte(skb, at + 41) === 0 && skbByte(skb, at + 42) === 0xc2;
  return jumbo ? 6 : 0;
}
