/** A profile as the stack sees it: feature sets of its net device. */
import {
  CHECKSUM_PARTIAL,
  type Features,
  NETIF_F,
  NETIF_F_CSUM_MASK,
  NETIF_F_GSO_MASK,
  type NetDevice,
  NetdevFeatures,
  netDevice,
  type SkBuff,
  simplifiedFixFeatures,
  vlanFeaturesCheck,
} from "@netoffload/skbuff";
import { lengthsUnfit, tunnelUnfit, zeroUnfit } from "./legacy-caps.ts";
import type { Profile } from "./profiles/profile.ts";

/** What a device of this profile has on, and what a user may toggle. */
export interface ProfileFeatures {
  readonly features: Features;
  readonly hwFeatures: Features;
}

/** What a driver of this profile sets before it registers its device. */
function driverFeatures(profile: Profile): Features {
  const { csum } = profile.tx;
  let hw = NETIF_F.SG | NETIF_F.RXCSUM;
  if (csum.claimsHwCsum && csum.mode !== "none") hw |= NETIF_F.HW_CSUM;
  else if (csum.mode !== "none") {
    if (csum.l3.includes("ipv4")) hw |= NETIF_F.IP_CSUM;
    if (csum.l3.includes("ipv6")) hw |= NETIF_F.IPV6_CSUM;
  }
  if (csum.l4.includes("sctp") || profile.program !== null) hw |= NETIF_F.SCTP_CRC;
  return hw;
}

/**
 * The feature sets of a profile's device, registered: the paper's few for a programmable device, the old ones for a
 * fixed-function one; checksums inside of the tunnels it looks into, and under as many VLAN tags as it steps over.
 */
export function profileNetdev(profile: Profile): NetdevFeatures {
  const hw = driverFeatures(profile);
  const { csum } = profile.tx;
  const sets = {
    features: hw | NETIF_F.HIGHDMA,
    hwFeatures: hw,
    vlanFeatures: csum.vlanStack > 0 ? hw | NETIF_F.HIGHDMA : NETIF_F.SG,
    hwEncFeatures: csum.encap.length > 0 ? hw | NETIF_F.HIGHDMA : 0n,
  };
  // of the two flags that a programmable device shows one needs the other
  return NetdevFeatures.register(
    sets,
    profile.program === null ? {} : { fixFeatures: simplifiedFixFeatures },
  );
}

/** Features of a profile as they are after registration. */
export function profileFeatures(profile: Profile): ProfileFeatures {
  const { features, hwFeatures } = profileNetdev(profile);
  return { features, hwFeatures };
}

/**
 * The net device of a profile, for {@link validateXmitSkb}; what its descriptor has no field for its driver takes away
 * per packet.
 * @param sets - as the user has left them; default: as registered
 */
export function profileNetDevice(
  profile: Profile,
  queue = 0,
  sets: NetdevFeatures = profileNetdev(profile),
): NetDevice {
  return netDevice({
    features: sets.features,
    vlanFeatures: sets.vlanFeatures,
    hwEncFeatures: sets.hwEncFeatures,
    mplsFeatures: sets.mplsFeatures,
    gsoPartialFeatures: sets.gsoPartialFeatures,
    mangleidFeatures: sets.mangleidFeatures,
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
    zeroUnfit(skb, csum) ||
    skb.len < csum.minLen ||
    start > csum.startMax ||
    (inner && csum.encap.length > 0 && tunnelUnfit(skb, profile) !== "") ||
    lengthsUnfit(skb, profile, inner, queue) !== "";
  return unfit ? left & ~(NETIF_F_CSUM_MASK | NETIF_F_GSO_MASK) : left;
}
