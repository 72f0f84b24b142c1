/** The paper's simplification: which old feature became which new one, and what the driver does with it now. */
import { FEATURES, type FeatureName, NETIF_F, NETIF_F_CSUM_MASK, NETIF_F_GSO_MASK } from "@netoffload/skbuff";

/** One row of the table. */
export interface MappingRow {
  readonly old: FeatureName;
  readonly ethtool: string;
  /** The flag that stays; null: the old one goes without one. */
  readonly new: FeatureName;
  /** What the driver decides now. */
  readonly driver: string;
}

const CSUM_RULES: Readonly<Partial<Record<FeatureName, string>>> = {
  HW_CSUM: "offload when PARTIAL and not a CRC",
  IP_CSUM:
    "offload only IPv4 with TCP (offset 16) or UDP (6), no fragment, no tunnel unless the device says so; else software",
  IPV6_CSUM: "the same for IPv6 without extension headers; a routing header never",
};

const GSO_RULES: Readonly<Partial<Record<FeatureName, string>>> = {
  GSO_ROBUST: "absent: DODGY packets go to the helper, which recounts gso_segs",
  GSO_PARTIAL: "the helper is called with the partial features pulled in",
  TSO_MANGLEID: "FIXEDID, or the driver's own mangling, only with DF set",
};

const KEPT: readonly FeatureName[] = ["SG", "FRAGLIST", "GRO", "RXCSUM", "RXHASH", "FCOE_CRC", "SCTP_CRC"];

/** All rows in the order of the bits: three checksum flags to one, the GSO block to one, and what is kept. */
export function featureMapping(): readonly MappingRow[] {
  const rows: MappingRow[] = [];
  for (const { name, ethtool, bit } of FEATURES) {
    const row = (to: FeatureName, driver: string): void =>
      void rows.push({ old: name, ethtool, new: to, driver });
    if (NETIF_F[name] & NETIF_F_CSUM_MASK) row("HW_CSUM", CSUM_RULES[name]!);
    else if (NETIF_F[name] & NETIF_F_GSO_MASK)
      row(
        "GSO",
        GSO_RULES[name] ??
          `gso_type bit ${bit - 16}: device if it is among the driver's capabilities, else the helper`,
      );
    else if (name === "GSO") row("GSO", "off: the stack builds no GSO packets for this device");
    else if (KEPT.includes(name)) row(name, "unchanged");
  }
  return rows;
}
