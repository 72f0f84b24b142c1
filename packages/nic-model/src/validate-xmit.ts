/**
 * What the stack does with a packet before a driver sees it, in the kernel's order: features, VLAN tag, hooks,
 * segmentation or else linear layout and checksum.
 */
import { type CsumFeatures, skbCsumHwoffloadHelp } from "@netoffload/csum";
import {
  CHECKSUM_PARTIAL,
  type FeatureOptions,
  type Features,
  NETIF_F,
  type NetDevice,
  netifNeedsGso,
  netifSkbFeatures,
  type SkBuff,
  skbNeedsLinearize,
  vlanInsertFeature,
} from "@netoffload/skbuff";

/** Why a packet is dropped; each counts as tx_dropped. */
export type XmitDrop = "unreadable" | "vlan" | "hook" | "gso" | "linearize" | "csum";

/** What becomes of a packet. */
export type XmitVerdict =
  | {
      readonly verdict: "send";
      /** Addresses: the packet itself, or the segments that took its place. */
      readonly packets: readonly number[];
      /** The features that held for it. */
      readonly features: Features;
    }
  | { readonly verdict: "drop"; readonly reason: XmitDrop; readonly errno: number };

/** What is above or below this package, or absent. */
export interface XmitHooks extends FeatureOptions {
  /** The device takes frags of device memory; default false. */
  readonly netmem?: boolean;
  /** Socket hook (TLS); false: drop. */
  readonly validate?: (skb: SkBuff) => boolean;
  /**
   * skb_gso_segment: addresses of the segments (the packet is then freed by the hook), null: send it unsegmented, or a
   * negative errno. Default: -EPROTONOSUPPORT, for nobody here segments.
   */
  readonly segment?: (skb: SkBuff, features: Features) => readonly number[] | null | number;
}

const ENOMEM = 12;
const EFAULT = 14;
const EPROTONOSUPPORT = 93;
const VLAN_HLEN = 4;
const ETH_ALEN = 6;

const drop = (reason: XmitDrop, errno: number): XmitVerdict => ({ verdict: "drop", reason, errno });

/** Feature bits as the checksum help wants them. */
function csumFeatures(f: Features): CsumFeatures {
  return {
    hwCsum: (f & NETIF_F.HW_CSUM) !== 0n,
    ipCsum: (f & NETIF_F.IP_CSUM) !== 0n,
    ipv6Csum: (f & NETIF_F.IPV6_CSUM) !== 0n,
    sctpCrc: (f & NETIF_F.SCTP_CRC) !== 0n,
  };
}

/**
 * Write the accelerated tag into the packet. @returns 0 or -ENOMEM
 * @see include/linux/if_vlan.h __vlan_hwaccel_push_inside()
 */
export function vlanHwaccelPushInside(skb: SkBuff): number {
  if (skb.headroom < VLAN_HLEN) {
    const failed = skb.pskbExpandHead(VLAN_HLEN, 0);
    if (failed !== 0) return failed;
  } else {
    const failed = skb.skbEnsureWritable(2 * ETH_ALEN);
    if (failed !== 0) return failed;
  }
  const { vlanProto, vlanTci } = skb;
  const at = skb.skbPush(VLAN_HLEN);
  const { bytes, view } = skb.memory;
  bytes.copyWithin(at, at + VLAN_HLEN, at + VLAN_HLEN + 2 * ETH_ALEN);
  view.setUint16(at + 2 * ETH_ALEN, vlanProto, false);
  view.setUint16(at + 2 * ETH_ALEN + 2, vlanTci, false);
  skb.resetMacHeader();
  skb.protocol = vlanProto;
  skb.vlanProto = 0;
  skb.vlanTci = 0;
  return 0;
}

/**
 * @param skb - data at the Ethernet header; it may be changed, and is the hook's once segments took its place
 * @see net/core/dev.c validate_xmit_skb()
 * @remarks Kernel quirk: features are not computed again after the tag was written in-band.
 * Kernel quirk: segments are not validated again; software segmentation did what the features ask for.
 */
export function validateXmitSkb(skb: SkBuff, dev: NetDevice, hooks: XmitHooks = {}): XmitVerdict {
  if (!skb.fragsReadable && hooks.netmem !== true) return drop("unreadable", -EFAULT);
  const features = netifSkbFeatures(skb, dev, hooks);
  const insert = vlanInsertFeature(skb);
  if (skb.vlanTagPresent && (features & insert) === 0n && vlanHwaccelPushInside(skb) !== 0)
    return drop("vlan", -ENOMEM);
  if (hooks.validate?.(skb) === false) return drop("hook", -ENOMEM);
  if (netifNeedsGso(skb, features)) {
    const segments =
      hooks.segment?.(skb, features) ?? (hooks.segment === undefined ? -EPROTONOSUPPORT : null);
    if (typeof segments === "number") return drop("gso", segments);
    return { verdict: "send", packets: segments ?? [skb.address], features };
  }
  if (skbNeedsLinearize(skb, features) && skb.skbLinearize() !== 0) return drop("linearize", -ENOMEM);
  if (skb.ipSummed === CHECKSUM_PARTIAL) {
    if (skb.encapsulation !== 0) skb.innerTransportHeader = skb.csumStart;
    else skb.transportHeader = skb.csumStart;
    const errno = skbCsumHwoffloadHelp(skb, csumFeatures(features), hooks.extHdr, hooks.hopoptJumbo);
    if (errno !== 0) return drop("csum", errno);
  }
  return { verdict: "send", packets: [skb.address], features };
}
