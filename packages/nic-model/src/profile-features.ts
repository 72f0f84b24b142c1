/** A profile as the stack sees it: feature sets of its net device. */
import { type Features, NETIF_F, type NetDevice, netDevice, netdevFixFeatures } from "@netoffload/skbuff";
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
  if (csum.mode === "generic") hw |= NETIF_F.HW_CSUM;
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

/** The net device of a profile, for {@link validateXmitSkb}: no tunnel offloads, checksums under VLAN tags as it steps over them. */
export function profileNetDevice(profile: Profile): NetDevice {
  const { features } = profileFeatures(profile);
  return netDevice({
    features,
    vlanFeatures: profile.tx.csum.vlanStack > 0 ? features : NETIF_F.SG,
  });
}
