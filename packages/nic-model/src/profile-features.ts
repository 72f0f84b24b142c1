/** A profile as the stack sees it: feature sets of its net device. */
import {
  CHECKSUM_PARTIAL,
  type Features,
  NETIF_F,
  NETIF_F_CSUM_MASK,
  NETIF_F_GSO_MASK,
  type NetDevice,
  netDevice,
  netdevFixFeatures,
  type SkBuff,
  vlanFeaturesCheck,
} from "@netoffload/skbuff";
import { lengthsUnfit, tunnelUnfit } from "./legacy-caps.ts";
import type { Profile } from "./profiles/profile.ts";

/** What a device of this profile has on, and what a user may toggle. */
export interface ProfileFeatures {
  readonly features: Features;
  readonly hwFeatures: Features;
}

/** Features of a profile: the paper's few for a programmable device, the old ones for a fixed-function one. */
export function profileFeatures(profile: Profile): ProfileFeatures {
  const { csum } = profile.tx;
  let hw = NETIF_F.SG | NETIF_F.RXCSUM;
  if (csum.claimsHwCsum && csum.mode !== "none") hw |= NETIF_F.HW_CSUM;
  else if (csum.mode !== "none") {
    if (csum.l3.includes("ipv4")) hw |= NETIF_F.IP_CSUM;
    if (csum.l3.includes("ipv6")) hw |= NETIF_F.IPV6_CSUM;
  }
  if (csum.l4.includes("sctp") || profile.program !== null) hw |= NETIF_F.SCTP_CRC;
  // software's own, on every device
  hw |= NETIF_F.GSO | NETIF_F.GRO;
  const fixed = NETIF_F.HIGHDMA;
  return { features: netdevFixFeatures(hw | fixed), hwFeatures: hw };
}

/**
 * The net device of a profile, for {@link validateXmitSkb}: checksums inside of the tunnels it looks into, and under
 * as many VLAN tags as it steps over; what its descriptor has no field for its driver takes away per packet.
 */
export function profileNetDevice(profile: Profile, queue = 0): NetDevice {
  const { features } = profileFeatures(profile);
  const { csum } = profile.tx;
  return netDevice({
    features,
    vlanFeatures: csum.vlanStack > 0 ? features : NETIF_F.SG,
    hwEncFeatures: csum.encap.length > 0 ? features : 0n,
    featuresCheck: (skb, f) => featuresCheck(skb, f, profile, queue),
  });
}

/** ndo_features_check of a fixed-function device's driver. */
function featuresCheck(skb: SkBuff, features: Features, profile: Profile, queue: number): Features {
  const { csum } = profile.tx;
  const left = csum.vlanStack > 1 ? features : vlanFeaturesCheck(skb, features);
  if (profile.program !== null || skb.ipSummed !== CHECKSUM_PARTIAL) return left;
  const start = skb.checksumStartOffset;
  const inner = skb.encapsulation !== 0;
  const unfit =
    skb.len < csum.minLen ||
    start > csum.startMax ||
    (inner && csum.encap.length > 0 && tunnelUnfit(skb, profile) !== "") ||
    lengthsUnfit(skb, profile, inner, queue) !== "";
  return unfit ? left & ~(NETIF_F_CSUM_MASK | NETIF_F_GSO_MASK) : left;
}
