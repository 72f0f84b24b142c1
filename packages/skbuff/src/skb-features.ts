/** The features a device has for one packet, and whether the packet must be segmented or made linear for it. */

import { SKB_GSO_PARTIAL, SKB_GSO_TCPV4, SKB_GSO_TCPV6, SKB_GSO_UDP_L4 } from "./constants.ts";
import {
  canChecksumProtocol,
  type Features,
  NETIF_F,
  NETIF_F_CSUM_MASK,
  NETIF_F_GSO_MASK,
  netdevIntersectFeatures,
  netGsoOk,
} from "./features.ts";
import {
  ETH_P_8021AD,
  ETH_P_8021Q,
  ETH_P_IPV6,
  type ExtHdrTest,
  ethTypeVlan,
  hasIpv6ExtHdr,
  ipv6HasHopoptJumbo,
  skbNetworkProtocol,
  vlanGetProtocol,
} from "./ipv6-ext-hdr.ts";
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, type SkBuff } from "./sk-buff.ts";
import { skbBe16, skbByte } from "./skb-bytes.ts";

const ETH_P_MPLS_UC = 0x8847;
const ETH_P_MPLS_MC = 0x8848;
const IP_DF = 0x4000;

/** Feature sets and limits of a device, as far as the transmit path looks at them. */
export interface NetDevice {
  readonly features: Features;
  /** Valid when a packet has a VLAN tag. */
  readonly vlanFeatures: Features;
  /** Valid when skb.encapsulation is set. */
  readonly hwEncFeatures: Features;
  /** Valid for MPLS. */
  readonly mplsFeatures: Features;
  /** GSO features that need GSO_PARTIAL. */
  readonly gsoPartialFeatures: Features;
  /** GSO features withheld when the IPv4 ID must count up. */
  readonly mangleidFeatures: Features;
  readonly gsoMaxSize: number;
  readonly gsoIpv4MaxSize: number;
  readonly gsoMaxSegs: number;
  /** The driver's own look at a packet (ndo_features_check); null: the VLAN rule. */
  readonly featuresCheck: ((skb: SkBuff, features: Features) => Features) | null;
}

/**
 * A device as it is after registration, from what its driver set.
 * @param given - features and what differs from the defaults
 * @see net/core/dev.c register_netdevice()
 */
export function netDevice(given: Partial<NetDevice> & { readonly features: Features }): NetDevice {
  return {
    gsoPartialFeatures: 0n,
    gsoMaxSize: 65536,
    gsoIpv4MaxSize: 65536,
    gsoMaxSegs: 65535,
    featuresCheck: null,
    ...given,
    vlanFeatures: (given.vlanFeatures ?? 0n) | NETIF_F.HIGHDMA,
    hwEncFeatures: (given.hwEncFeatures ?? 0n) | NETIF_F.SG | NETIF_F.GSO_PARTIAL,
    mplsFeatures: (given.mplsFeatures ?? 0n) | NETIF_F.SG,
    mangleidFeatures: (given.mangleidFeatures ?? 0n) | NETIF_F.TSO_MANGLEID,
  };
}

/** Has the packet a tag, in the metadata or in its bytes? @see include/linux/if_vlan.h skb_vlan_tagged() */
export function skbVlanTagged(skb: SkBuff): boolean {
  return skb.vlanTagPresent || ethTypeVlan(skb.protocol);
}

/**
 * Has it two or more? @see include/linux/if_vlan.h skb_vlan_tagged_multi()
 */
export function skbVlanTaggedMulti(skb: SkBuff): boolean {
  if (skb.vlanTagPresent) return ethTypeVlan(skb.protocol);
  if (!ethTypeVlan(skb.protocol) || !skb.pskbMayPull(18)) return false;
  return ethTypeVlan(skbBe16(skb, skb.macOffset + 16));
}

/** Two tags: most devices do little. @see include/linux/if_vlan.h vlan_features_check() */
export function vlanFeaturesCheck(skb: SkBuff, features: Features): Features {
  if (!skbVlanTaggedMulti(skb)) return features;
  const { SG, HIGHDMA, HW_CSUM, FRAGLIST, HW_VLAN_CTAG_TX, HW_VLAN_STAG_TX } = NETIF_F;
  // a direct mask, no intersection: IP_CSUM must not survive through HW_CSUM
  return features & (SG | HIGHDMA | HW_CSUM | FRAGLIST | HW_VLAN_CTAG_TX | HW_VLAN_STAG_TX);
}

/** Which kernel is meant, where kernels differ. */
export interface FeatureOptions {
  /** Default `late`. */
  readonly extHdr?: ExtHdrTest;
  /** BIG TCP's hop-by-hop header is none for the device (6.18; 7.x has no such header); default true. */
  readonly hopoptJumbo?: boolean;
}

/** Does this GSO packet lose the IPv6 features for its extension headers? */
function gsoExtHdr(skb: SkBuff, test: ExtHdrTest): boolean {
  if (test === "late") return hasIpv6ExtHdr(skb);
  const type = skb.gsoType;
  const usesV6 = (type & SKB_GSO_TCPV6) !== 0;
  if (test === "stable" && skb.encapsulation !== 0) {
    if (skb.innerNetworkHeader === 0) return true;
    const inner = skbByte(skb, skb.innerNetworkOffset) >> 4 === 6;
    return (usesV6 || ((type & SKB_GSO_UDP_L4) !== 0 && inner)) && skb.innerNetworkHeaderLen !== 40;
  }
  const v6 = usesV6 || ((type & SKB_GSO_UDP_L4) !== 0 && vlanGetProtocol(skb) === ETH_P_IPV6);
  return v6 && skb.transportHeaderWasSet && skb.networkHeaderLen !== 40;
}

/** @see net/core/dev.c gso_features_check() */
function gsoFeaturesCheck(skb: SkBuff, dev: NetDevice, f: Features, options: FeatureOptions): Features {
  const { gsoType } = skb;
  if (skb.gsoSegs > dev.gsoMaxSegs) return f & ~NETIF_F_GSO_MASK;
  // exactly IPv6: a tagged IPv6 packet has IPv4's limit
  const limit = skb.protocol === ETH_P_IPV6 ? dev.gsoMaxSize : dev.gsoIpv4MaxSize;
  if (skb.len >= limit) return f & ~NETIF_F_GSO_MASK;
  if (gsoType === 0) return f & ~NETIF_F_GSO_MASK;
  if ((gsoType & SKB_GSO_PARTIAL) === 0) f &= ~dev.gsoPartialFeatures;
  if ((gsoType & SKB_GSO_TCPV4) !== 0) {
    const iph = skb.encapsulation !== 0 ? skb.innerNetworkOffset : skb.networkOffset;
    const fragOff = skbByte(skb, iph + 19) < 0 ? -1 : skbBe16(skb, iph + 6);
    if (fragOff < 0 || (fragOff & IP_DF) === 0) f &= ~dev.mangleidFeatures;
  }
  if ((f & NETIF_F.IPV6_CSUM) !== 0n && gsoExtHdr(skb, options.extHdr ?? "late")) {
    if (options.hopoptJumbo === false || ipv6HasHopoptJumbo(skb) === 0)
      f &= ~(NETIF_F.IPV6_CSUM | NETIF_F.TSO6 | NETIF_F.GSO_UDP_L4);
  }
  return f;
}

/** @see net/core/dev.c harmonize_features() */
function harmonizeFeatures(skb: SkBuff, dev: NetDevice, f: Features): Features {
  const type = skbNetworkProtocol(skb);
  if (type === ETH_P_MPLS_UC || type === ETH_P_MPLS_MC) f &= dev.mplsFeatures;
  // UNNECESSARY and COMPLETE are judged as well
  if (skb.ipSummed !== CHECKSUM_NONE && !canChecksumProtocol(f, type))
    f &= ~(NETIF_F_CSUM_MASK | NETIF_F_GSO_MASK);
  return f;
}

/**
 * The features of a device that hold for one packet.
 * @param skb - a tag further down may be pulled into the linear part; nothing else changes
 * @see net/core/dev.c netif_skb_features()
 */
export function netifSkbFeatures(skb: SkBuff, dev: NetDevice, options: FeatureOptions = {}): Features {
  let f = dev.features;
  if (skb.isGso) f = gsoFeaturesCheck(skb, dev, f, options);
  if (skb.encapsulation !== 0) f &= dev.hwEncFeatures;
  if (skbVlanTagged(skb))
    f = netdevIntersectFeatures(f, dev.vlanFeatures | NETIF_F.HW_VLAN_CTAG_TX | NETIF_F.HW_VLAN_STAG_TX);
  f &= dev.featuresCheck === null ? vlanFeaturesCheck(skb, f) : dev.featuresCheck(skb, f);
  return harmonizeFeatures(skb, dev, f);
}

/** @see include/linux/netdevice.h skb_gso_ok() */
export function skbGsoOk(skb: SkBuff, features: Features): boolean {
  return netGsoOk(features, skb.gsoType) && (skb.fragList === 0 || (features & NETIF_F.FRAGLIST) !== 0n);
}

/** Must software segment it? @see include/linux/netdevice.h netif_needs_gso() */
export function netifNeedsGso(skb: SkBuff, features: Features): boolean {
  if (!skb.isGso) return false;
  const summed = skb.ipSummed === CHECKSUM_PARTIAL || skb.ipSummed === CHECKSUM_UNNECESSARY;
  return !skbGsoOk(skb, features) || !summed;
}

/** Must it be made linear? @see include/linux/skbuff.h skb_needs_linearize() */
export function skbNeedsLinearize(skb: SkBuff, features: Features): boolean {
  if (!skb.isNonlinear) return false;
  if (skb.fragList !== 0 && (features & NETIF_F.FRAGLIST) === 0n) return true;
  return skb.nrFrags > 0 && (features & NETIF_F.SG) === 0n;
}

/** Which tag insertion would a packet's accelerated tag need? 0n: it has none. */
export function vlanInsertFeature(skb: SkBuff): Features {
  if (skb.vlanProto === ETH_P_8021Q) return NETIF_F.HW_VLAN_CTAG_TX;
  return skb.vlanProto === ETH_P_8021AD ? NETIF_F.HW_VLAN_STAG_TX : 0n;
}
