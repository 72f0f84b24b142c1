/**
 * Device features: 64-bit sets as `bigint` (cold; hot paths reduce them to booleans first), their names, and the
 * rules by which they depend on each other.
 * @see include/linux/netdev_features.h; net/ethtool/common.c netdev_features_strings; net/core/dev.c (Linux 6.18)
 */

/** A set of features, one bit each. */
export type Features = bigint;

/** A feature's name, without NETIF_F_. */
export type FeatureName =
  | "SG"
  | "IP_CSUM"
  | "HW_CSUM"
  | "IPV6_CSUM"
  | "HIGHDMA"
  | "FRAGLIST"
  | "HW_VLAN_CTAG_TX"
  | "HW_VLAN_CTAG_RX"
  | "HW_VLAN_CTAG_FILTER"
  | "VLAN_CHALLENGED"
  | "GSO"
  | "GRO"
  | "LRO"
  | "TSO"
  | "GSO_ROBUST"
  | "TSO_ECN"
  | "TSO_MANGLEID"
  | "TSO6"
  | "FSO"
  | "GSO_GRE"
  | "GSO_GRE_CSUM"
  | "GSO_IPXIP4"
  | "GSO_IPXIP6"
  | "GSO_UDP_TUNNEL"
  | "GSO_UDP_TUNNEL_CSUM"
  | "GSO_PARTIAL"
  | "GSO_TUNNEL_REMCSUM"
  | "GSO_SCTP"
  | "GSO_ESP"
  | "GSO_UDP"
  | "GSO_UDP_L4"
  | "GSO_FRAGLIST"
  | "GSO_ACCECN"
  | "FCOE_CRC"
  | "SCTP_CRC"
  | "NTUPLE"
  | "RXHASH"
  | "RXCSUM"
  | "NOCACHE_COPY"
  | "LOOPBACK"
  | "RXFCS"
  | "RXALL"
  | "HW_VLAN_STAG_TX"
  | "HW_VLAN_STAG_RX"
  | "HW_VLAN_STAG_FILTER"
  | "HW_L2FW_DOFFLOAD"
  | "HW_TC"
  | "HW_ESP"
  | "HW_ESP_TX_CSUM"
  | "RX_UDP_TUNNEL_PORT"
  | "HW_TLS_TX"
  | "HW_TLS_RX"
  | "GRO_HW"
  | "HW_TLS_RECORD"
  | "GRO_FRAGLIST"
  | "HW_MACSEC"
  | "GRO_UDP_FWD"
  | "HW_HSR_TAG_INS"
  | "HW_HSR_TAG_RM"
  | "HW_HSR_FWD"
  | "HW_HSR_DUP";

const ROWS: readonly (readonly [bit: number, name: FeatureName, ethtool: string])[] = [
  [0, "SG", "tx-scatter-gather"],
  [1, "IP_CSUM", "tx-checksum-ipv4"],
  [3, "HW_CSUM", "tx-checksum-ip-generic"],
  [4, "IPV6_CSUM", "tx-checksum-ipv6"],
  [5, "HIGHDMA", "highdma"],
  [6, "FRAGLIST", "tx-scatter-gather-fraglist"],
  [7, "HW_VLAN_CTAG_TX", "tx-vlan-hw-insert"],
  [8, "HW_VLAN_CTAG_RX", "rx-vlan-hw-parse"],
  [9, "HW_VLAN_CTAG_FILTER", "rx-vlan-filter"],
  [10, "VLAN_CHALLENGED", "vlan-challenged"],
  [11, "GSO", "tx-generic-segmentation"],
  [14, "GRO", "rx-gro"],
  [15, "LRO", "rx-lro"],
  [16, "TSO", "tx-tcp-segmentation"],
  [17, "GSO_ROBUST", "tx-gso-robust"],
  [18, "TSO_ECN", "tx-tcp-ecn-segmentation"],
  [19, "TSO_MANGLEID", "tx-tcp-mangleid-segmentation"],
  [20, "TSO6", "tx-tcp6-segmentation"],
  [21, "FSO", "tx-fcoe-segmentation"],
  [22, "GSO_GRE", "tx-gre-segmentation"],
  [23, "GSO_GRE_CSUM", "tx-gre-csum-segmentation"],
  [24, "GSO_IPXIP4", "tx-ipxip4-segmentation"],
  [25, "GSO_IPXIP6", "tx-ipxip6-segmentation"],
  [26, "GSO_UDP_TUNNEL", "tx-udp_tnl-segmentation"],
  [27, "GSO_UDP_TUNNEL_CSUM", "tx-udp_tnl-csum-segmentation"],
  [28, "GSO_PARTIAL", "tx-gso-partial"],
  [29, "GSO_TUNNEL_REMCSUM", "tx-tunnel-remcsum-segmentation"],
  [30, "GSO_SCTP", "tx-sctp-segmentation"],
  [31, "GSO_ESP", "tx-esp-segmentation"],
  // UFO: only TUN has it; ethtool knows no name
  [32, "GSO_UDP", ""],
  [33, "GSO_UDP_L4", "tx-udp-segmentation"],
  [34, "GSO_FRAGLIST", "tx-gso-list"],
  [35, "GSO_ACCECN", "tx-tcp-accecn-segmentation"],
  [36, "FCOE_CRC", "tx-checksum-fcoe-crc"],
  [37, "SCTP_CRC", "tx-checksum-sctp"],
  [38, "NTUPLE", "rx-ntuple-filter"],
  [39, "RXHASH", "rx-hashing"],
  [40, "RXCSUM", "rx-checksum"],
  [41, "NOCACHE_COPY", "tx-nocache-copy"],
  [42, "LOOPBACK", "loopback"],
  [43, "RXFCS", "rx-fcs"],
  [44, "RXALL", "rx-all"],
  [45, "HW_VLAN_STAG_TX", "tx-vlan-stag-hw-insert"],
  [46, "HW_VLAN_STAG_RX", "rx-vlan-stag-hw-parse"],
  [47, "HW_VLAN_STAG_FILTER", "rx-vlan-stag-filter"],
  [48, "HW_L2FW_DOFFLOAD", "l2-fwd-offload"],
  [49, "HW_TC", "hw-tc-offload"],
  [50, "HW_ESP", "esp-hw-offload"],
  [51, "HW_ESP_TX_CSUM", "esp-tx-csum-hw-offload"],
  [52, "RX_UDP_TUNNEL_PORT", "rx-udp_tunnel-port-offload"],
  [53, "HW_TLS_TX", "tls-hw-tx-offload"],
  [54, "HW_TLS_RX", "tls-hw-rx-offload"],
  [55, "GRO_HW", "rx-gro-hw"],
  [56, "HW_TLS_RECORD", "tls-hw-record"],
  [57, "GRO_FRAGLIST", "rx-gro-list"],
  [58, "HW_MACSEC", "macsec-hw-offload"],
  [59, "GRO_UDP_FWD", "rx-udp-gro-forwarding"],
  [60, "HW_HSR_TAG_INS", "hsr-tag-ins-offload"],
  [61, "HW_HSR_TAG_RM", "hsr-tag-rm-offload"],
  [62, "HW_HSR_FWD", "hsr-fwd-offload"],
  [63, "HW_HSR_DUP", "hsr-dup-offload"],
];

/** One feature. */
export interface FeatureRow {
  readonly bit: number;
  readonly name: FeatureName;
  /** ethtool's name; empty: it has none. */
  readonly ethtool: string;
}

/** All features in the order of their bits, which is ethtool's order. */
export const FEATURES: readonly FeatureRow[] = /* @__PURE__ */ ROWS.map(([bit, name, ethtool]) => ({
  bit,
  name,
  ethtool,
}));

/** Masks of one bit by name: `NETIF_F.TSO` is the kernel's NETIF_F_TSO. */
export const NETIF_F: Readonly<Record<FeatureName, Features>> = /* @__PURE__ */ (() =>
  Object.fromEntries(ROWS.map(([bit, name]) => [name, 1n << BigInt(bit)])) as Record<
    FeatureName,
    Features
  >)();

/** First bit of the GSO block: gso_type bit n belongs to feature n + 16. */
export const NETIF_F_GSO_SHIFT = 16;

const any = (...names: FeatureName[]): Features => names.reduce((set, name) => set | NETIF_F[name], 0n);

/** Features that say who computes checksums. */
export const NETIF_F_CSUM_MASK: Features = /* @__PURE__ */ any("IP_CSUM", "IPV6_CSUM", "HW_CSUM");
/** TCP segmentation. */
export const NETIF_F_ALL_TSO: Features = /* @__PURE__ */ any("TSO", "TSO6", "TSO_ECN", "TSO_MANGLEID");
/** Bits 16 to 35. */
export const NETIF_F_GSO_MASK: Features = 0xf_ffff_0000n;
/** What software can segment for any device. */
export const NETIF_F_GSO_SOFTWARE: Features = /* @__PURE__ */ any(
  "TSO",
  "TSO6",
  "TSO_ECN",
  "TSO_MANGLEID",
  "GSO_ACCECN",
  "GSO_SCTP",
  "GSO_UDP_L4",
  "GSO_FRAGLIST",
);
/** What software offers on every device. */
export const NETIF_F_SOFT_FEATURES: Features = /* @__PURE__ */ any("GSO", "GRO");
/** The same, off by default. */
export const NETIF_F_SOFT_FEATURES_OFF: Features = /* @__PURE__ */ any("GRO_FRAGLIST", "GRO_UDP_FWD");
/** Segmentation of tunnels. */
export const NETIF_F_GSO_ENCAP_ALL: Features = /* @__PURE__ */ any(
  "GSO_GRE",
  "GSO_GRE_CSUM",
  "GSO_IPXIP4",
  "GSO_IPXIP6",
  "GSO_UDP_TUNNEL",
  "GSO_UDP_TUNNEL_CSUM",
);
/** Never changed by a user. */
export const NETIF_F_NEVER_CHANGE: Features = /* @__PURE__ */ any("VLAN_CHALLENGED");
/** An upper device that has these off turns them off below. */
export const NETIF_F_UPPER_DISABLES: Features = /* @__PURE__ */ any("LRO");
/** A master has these when one of its ports does. */
export const NETIF_F_ONE_FOR_ALL: Features = /* @__PURE__ */ (() =>
  NETIF_F_GSO_SOFTWARE | any("GSO_ROBUST", "SG", "HIGHDMA", "FRAGLIST", "VLAN_CHALLENGED"))();
/** A master has these when all of its ports do. */
export const NETIF_F_ALL_FOR_ALL: Features = /* @__PURE__ */ any("NOCACHE_COPY", "FSO");

/** The names in a set, in the order of the bits; unknown bits as `bit N`. */
export function featureNames(set: Features): string[] {
  const names: string[] = [];
  for (let bit = 0; bit < 64; bit++)
    if ((set >> BigInt(bit)) & 1n) names.push(FEATURES.find((f) => f.bit === bit)?.name ?? `bit ${bit}`);
  return names;
}

/**
 * A set out of names: the kernel's (with or without NETIF_F_) or ethtool's.
 * @returns the set, or the first name that is not known
 */
export function featureSet(names: readonly string[]): Features | string {
  let set = 0n;
  for (const given of names) {
    const name = given.replace(/^NETIF_F_/, "");
    const row = FEATURES.find((f) => f.name === name || (f.ethtool !== "" && f.ethtool === given));
    if (row === undefined) return given;
    set |= 1n << BigInt(row.bit);
  }
  return set;
}

/** One rule of {@link netdevFixFeatures}: what a set loses. */
interface FixRule {
  readonly number: number;
  readonly why: string;
  drop(f: Features, partial: Features): Features;
}

const has = (f: Features, ...names: FeatureName[]): boolean => (f & any(...names)) === any(...names);
const bothCsum = (f: Features): boolean => has(f, "HW_CSUM") || has(f, "IP_CSUM", "IPV6_CSUM");
const when = (condition: boolean, lost: Features): Features => (condition ? lost : 0n);

const RULES: readonly FixRule[] = [
  {
    number: 1,
    why: "HW_CSUM makes IP_CSUM and IPV6_CSUM meaningless",
    drop: (f) => when(has(f, "HW_CSUM"), any("IP_CSUM", "IPV6_CSUM")),
  },
  { number: 2, why: "TSO needs SG", drop: (f) => when(!has(f, "SG"), NETIF_F_ALL_TSO) },
  {
    number: 3,
    why: "TSO needs IPv4 checksums",
    drop: (f) => when(has(f, "TSO") && !has(f, "HW_CSUM") && !has(f, "IP_CSUM"), any("TSO", "TSO_ECN")),
  },
  {
    number: 4,
    why: "TSO6 needs IPv6 checksums",
    drop: (f) => when(!has(f, "HW_CSUM") && !has(f, "IPV6_CSUM"), any("TSO6")),
  },
  { number: 5, why: "TSO_MANGLEID needs TSO", drop: (f) => when(!has(f, "TSO"), any("TSO_MANGLEID")) },
  {
    number: 6,
    why: "TSO_ECN needs another TSO",
    drop: (f) => when((f & NETIF_F_ALL_TSO) === NETIF_F.TSO_ECN, any("TSO_ECN")),
  },
  { number: 7, why: "GSO needs SG", drop: (f) => when(!has(f, "SG"), any("GSO")) },
  {
    number: 8,
    why: "partial features need GSO_PARTIAL",
    drop: (f, partial) => when(!has(f, "GSO_PARTIAL"), partial),
  },
  { number: 9, why: "GRO_HW needs RXCSUM", drop: (f) => when(!has(f, "RXCSUM"), any("GRO_HW")) },
  {
    number: 10,
    why: "RXFCS forbids LRO and GRO_HW",
    drop: (f) => when(has(f, "RXFCS"), any("LRO", "GRO_HW")),
  },
  { number: 11, why: "GRO_HW takes the place of LRO", drop: (f) => when(has(f, "GRO_HW"), any("LRO")) },
  { number: 12, why: "HW_TLS_TX needs checksums", drop: (f) => when(!bothCsum(f), any("HW_TLS_TX")) },
  { number: 13, why: "HW_TLS_RX needs RXCSUM", drop: (f) => when(!has(f, "RXCSUM"), any("HW_TLS_RX")) },
  { number: 14, why: "GSO_UDP_L4 needs checksums", drop: (f) => when(!bothCsum(f), any("GSO_UDP_L4")) },
];

/** What a rule took away. */
export interface DroppedFeatures {
  /** Number of the rule, in the kernel's order. */
  readonly rule: number;
  readonly why: string;
  readonly dropped: Features;
}

/**
 * Apply the dependency rules in the kernel's order.
 * @param partial - the device's gso_partial_features
 * @param told - called for each rule that took something away
 * @returns what is left
 * @see net/core/dev.c netdev_fix_features()
 */
export function netdevFixFeatures(
  features: Features,
  partial: Features = 0n,
  told?: (dropped: DroppedFeatures) => void,
): Features {
  return applied(RULES, features, partial, told);
}

function applied(
  rules: readonly FixRule[],
  features: Features,
  partial: Features,
  told?: (dropped: DroppedFeatures) => void,
): Features {
  let f = features;
  for (const rule of rules) {
    const dropped = rule.drop(f, partial) & f;
    if (dropped === 0n) continue;
    f &= ~dropped;
    told?.({ rule: rule.number, why: rule.why, dropped });
  }
  return f;
}

/** What remains of the rules once the stack knows two flags; 15 takes the place of 3, 4 and 14. */
const SIMPLIFIED: readonly FixRule[] = /* @__PURE__ */ (() => [
  ...RULES.filter(({ number }) => number === 7),
  { number: 15, why: "GSO needs HW_CSUM", drop: (f) => when(!has(f, "HW_CSUM"), any("GSO")) },
  ...RULES.filter(({ number }) => number >= 9 && number <= 13),
])();

/**
 * The dependency rules of the paper's simplified stack.
 * @param told - called for each rule that took something away
 * @remarks not in the kernel
 */
export function simplifiedFixFeatures(
  features: Features,
  told?: (dropped: DroppedFeatures) => void,
): Features {
  return applied(SIMPLIFIED, features, 0n, told);
}

/**
 * Intersect two sets as the kernel does: a set with HW_CSUM has IP_CSUM and IPV6_CSUM as well, if the other does not
 * have HW_CSUM.
 * @see include/linux/netdev_features.h netdev_intersect_features()
 */
export function netdevIntersectFeatures(a: Features, b: Features): Features {
  if ((a ^ b) & NETIF_F.HW_CSUM) {
    if (a & NETIF_F.HW_CSUM) a |= NETIF_F.IP_CSUM | NETIF_F.IPV6_CSUM;
    else b |= NETIF_F.IP_CSUM | NETIF_F.IPV6_CSUM;
  }
  return a & b;
}

/**
 * What gso_type asks of a device: bits 16 to 35. Either FIXEDID bit stands for TSO_MANGLEID.
 * @param gsoType - u32
 */
export function gsoTypeFeatures(gsoType: number): Features {
  const fixed = (gsoType & 0xc000_0000) !== 0 ? 8 : 0;
  return (BigInt((gsoType | fixed) >>> 0) << BigInt(NETIF_F_GSO_SHIFT)) & NETIF_F_GSO_MASK;
}

/**
 * Can a device with these features segment such a packet?
 * @see include/linux/netdevice.h net_gso_ok()
 */
export function netGsoOk(features: Features, gsoType: number): boolean {
  const need = gsoTypeFeatures(gsoType);
  return (features & need) === need;
}

/**
 * Can a device with these features checksum packets of this EtherType?
 * @see include/linux/netdevice.h can_checksum_protocol()
 */
export function canChecksumProtocol(features: Features, type: number): boolean {
  if (type === 0x8906) return (features & NETIF_F.FCOE_CRC) !== 0n;
  if (features & NETIF_F.HW_CSUM) return true;
  if (type === 0x0800) return (features & NETIF_F.IP_CSUM) !== 0n;
  return type === 0x86dd && (features & NETIF_F.IPV6_CSUM) !== 0n;
}
