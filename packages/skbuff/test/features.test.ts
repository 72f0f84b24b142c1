// Device features: every name and rule of the spec, and what a live veth answered (Linux 6.18.44).
import { describe, expect, test } from "vitest";
import {
  canChecksumProtocol,
  FEATURES,
  type FeatureName,
  featureNames,
  featureSet,
  NETIF_F,
  NETIF_F_ALL_TSO,
  NETIF_F_GSO_MASK,
  NETIF_F_GSO_SOFTWARE,
  netdevFixFeatures,
  netdevIntersectFeatures,
  netGsoOk,
  simplifiedFixFeatures,
} from "../src/index.ts";

const set = (...names: FeatureName[]): bigint => featureSet(names) as bigint;
const lost = (names: FeatureName[], partial: FeatureName[] = []): string[] => {
  const f = set(...names);
  return featureNames(f & ~netdevFixFeatures(f, set(...partial)));
};

test("bits 2, 12 and 13 are unused, all others have a name of their own; UFO has none in ethtool", () => {
  const bits = FEATURES.map((f) => f.bit);
  expect(bits).toEqual(Array.from({ length: 64 }, (_, i) => i).filter((i) => ![2, 12, 13].includes(i)));
  expect(new Set(FEATURES.map((f) => f.name)).size).toBe(61);
  expect(FEATURES.filter((f) => f.ethtool === "").map((f) => f.name)).toEqual(["GSO_UDP"]);
});

test("masks: GSO is bits 16 to 35; names in both spellings; an unknown name is told", () => {
  expect(NETIF_F_GSO_MASK).toBe(((1n << 36n) - 1n) & ~((1n << 16n) - 1n));
  expect(NETIF_F_ALL_TSO).toBe((1n << 16n) | (1n << 18n) | (1n << 19n) | (1n << 20n));
  expect(featureNames(NETIF_F_GSO_SOFTWARE)).toEqual([
    "TSO",
    "TSO_ECN",
    "TSO_MANGLEID",
    "TSO6",
    "GSO_SCTP",
    "GSO_UDP_L4",
    "GSO_FRAGLIST",
    "GSO_ACCECN",
  ]);
  expect(featureSet(["NETIF_F_SG", "tx-checksum-sctp"])).toBe(1n | (1n << 37n));
  expect(featureSet(["SG", "nonsense"])).toBe("nonsense");
  expect(featureSet([""])).toBe("");
});

describe("netdev_fix_features, rule by rule", () => {
  const rows: [number, FeatureName[], string[], FeatureName[]?][] = [
    [1, ["HW_CSUM", "IP_CSUM", "IPV6_CSUM"], ["IP_CSUM", "IPV6_CSUM"]],
    [1, ["IP_CSUM", "IPV6_CSUM"], []],
    [2, ["HW_CSUM", "TSO", "TSO6", "TSO_MANGLEID"], ["TSO", "TSO_MANGLEID", "TSO6"]],
    [3, ["SG", "IPV6_CSUM", "TSO", "TSO_ECN", "TSO6"], ["TSO", "TSO_ECN"]],
    [3, ["SG", "IP_CSUM", "TSO"], []],
    [4, ["SG", "IP_CSUM", "TSO", "TSO6"], ["TSO6"]],
    [5, ["SG", "HW_CSUM", "TSO6", "TSO_MANGLEID"], ["TSO_MANGLEID"]],
    [6, ["SG", "HW_CSUM", "TSO_ECN"], ["TSO_ECN"]],
    [6, ["SG", "HW_CSUM", "TSO_ECN", "TSO6"], []],
    [7, ["GSO", "HW_CSUM"], ["GSO"]],
    [8, ["SG", "GSO_GRE"], ["GSO_GRE"], ["GSO_GRE", "GSO_IPXIP4"]],
    [8, ["SG", "GSO_GRE", "GSO_PARTIAL"], [], ["GSO_GRE"]],
    [9, ["GRO_HW"], ["GRO_HW"]],
    [9, ["GRO_HW", "RXCSUM"], []],
    [10, ["RXFCS", "RXCSUM", "LRO"], ["LRO"]],
    [10, ["RXFCS", "RXCSUM", "GRO_HW"], ["GRO_HW"]],
    [11, ["RXCSUM", "GRO_HW", "LRO"], ["LRO"]],
    [12, ["HW_TLS_TX", "IP_CSUM"], ["HW_TLS_TX"]],
    [12, ["HW_TLS_TX", "IP_CSUM", "IPV6_CSUM"], []],
    [13, ["HW_TLS_RX"], ["HW_TLS_RX"]],
    [14, ["GSO_UDP_L4", "SG", "IPV6_CSUM"], ["GSO_UDP_L4"]],
    [14, ["GSO_UDP_L4", "HW_CSUM"], []],
  ];
  test.each(rows)("rule %i: %j loses %j", (rule, from, gone, partial) => {
    expect(lost(from, partial)).toEqual(gone);
    const told: number[] = [];
    netdevFixFeatures(set(...from), set(...(partial ?? [])), (d) => told.push(d.rule));
    expect(told).toEqual(gone.length > 0 ? [rule] : []);
  });

  // read from a running 6.18.44
  const VETH: FeatureName[] = [
    "SG",
    "HW_CSUM",
    "HIGHDMA",
    "FRAGLIST",
    "GSO",
    "TSO",
    "TSO_ECN",
    "TSO_MANGLEID",
    "TSO6",
    "GSO_GRE",
    "GSO_GRE_CSUM",
    "GSO_IPXIP4",
    "GSO_IPXIP6",
    "GSO_UDP_TUNNEL",
    "GSO_UDP_TUNNEL_CSUM",
    "GSO_SCTP",
    "GSO_UDP_L4",
    "GSO_FRAGLIST",
    "SCTP_CRC",
    "RXCSUM",
  ];
  const off = (name: FeatureName): FeatureName[] => VETH.filter((n) => n !== name);
  test("a live veth: what goes with SG, HW_CSUM, TSO", () => {
    expect(lost(off("SG"))).toEqual(["GSO", "TSO", "TSO_ECN", "TSO_MANGLEID", "TSO6"]);
    expect(lost(off("HW_CSUM"))).toEqual(["TSO", "TSO_ECN", "TSO_MANGLEID", "TSO6", "GSO_UDP_L4"]);
    expect(lost(off("TSO"))).toEqual(["TSO_MANGLEID"]);
  });
});

test("what remains of the rules with two flags: GSO needs SG and HW_CSUM, the receive rules stay", () => {
  const rows: [FeatureName[], string[], number][] = [
    [["SG", "GSO"], ["GSO"], 15],
    [["HW_CSUM", "GSO"], ["GSO"], 7],
    [["SG", "HW_CSUM", "GSO"], [], 0],
    [["GRO_HW"], ["GRO_HW"], 9],
    [["RXFCS", "RXCSUM", "GRO_HW"], ["GRO_HW"], 10],
    [["RXCSUM", "GRO_HW", "LRO"], ["LRO"], 11],
    [["HW_TLS_TX"], ["HW_TLS_TX"], 12],
    [["HW_TLS_RX"], ["HW_TLS_RX"], 13],
    // there are no such flags any more, so nothing is said of them
    [["TSO", "TSO_ECN", "TSO_MANGLEID", "GSO_UDP_L4"], [], 0],
  ];
  for (const [from, gone, rule] of rows) {
    const told: number[] = [];
    const f = set(...from);
    expect(featureNames(f & ~simplifiedFixFeatures(f, (d) => told.push(d.rule)))).toEqual(gone);
    expect(told).toEqual(rule === 0 ? [] : [rule]);
  }
});

test("intersection: exactly one HW_CSUM is widened first", () => {
  expect(netdevIntersectFeatures(set("HW_CSUM"), set("IP_CSUM"))).toBe(set("IP_CSUM"));
  expect(netdevIntersectFeatures(set("IPV6_CSUM", "SG"), set("HW_CSUM"))).toBe(set("IPV6_CSUM"));
  expect(netdevIntersectFeatures(set("HW_CSUM"), set("HW_CSUM", "IP_CSUM"))).toBe(set("HW_CSUM"));
  expect(netdevIntersectFeatures(set("IP_CSUM"), set("IPV6_CSUM"))).toBe(0n);
});

test("net_gso_ok: bit n needs feature n + 16; FIXEDID bits need TSO_MANGLEID, compared unsigned", () => {
  for (let bit = 0; bit < 20; bit++) {
    expect(netGsoOk(1n << BigInt(bit + 16), 2 ** bit)).toBe(true);
    expect(netGsoOk(NETIF_F_GSO_MASK & ~(1n << BigInt(bit + 16)), 2 ** bit)).toBe(false);
  }
  for (const fixed of [0x40000000, 0x80000000, -0x80000000, 0xc0000000]) {
    expect(netGsoOk(NETIF_F.TSO | NETIF_F.TSO_MANGLEID, fixed | 1)).toBe(true);
    expect(netGsoOk(NETIF_F.TSO, fixed | 1)).toBe(false);
  }
  expect(netGsoOk(0n, 0)).toBe(true);
});

test("can_checksum_protocol", () => {
  const rows: [FeatureName, number, boolean][] = [
    ["HW_CSUM", 0x0800, true],
    ["HW_CSUM", 0x1234, true],
    ["HW_CSUM", 0x8906, false],
    ["FCOE_CRC", 0x8906, true],
    ["IP_CSUM", 0x0800, true],
    ["IP_CSUM", 0x86dd, false],
    ["IPV6_CSUM", 0x86dd, true],
    ["IPV6_CSUM", 0x0800, false],
    ["SCTP_CRC", 0x0800, false],
  ];
  for (const [name, type, can] of rows)
    expect(canChecksumProtocol(NETIF_F[name], type), `${name} ${type}`).toBe(can);
});
