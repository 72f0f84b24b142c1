// The stack's order before a driver sees a packet.
import {
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  type FeatureName,
  featureNames,
  featureSet,
  Memory,
  NETIF_F,
  netDevice,
  type SkBuff,
  skbFromBytes,
} from "@netoffload/skbuff";
import { describe, expect, test } from "vitest";
import { be16, bytes, eth, ipv4, ipv6, noise, pseudo4, pseudo6, tcp } from "../../csum/test/check/build.ts";
import {
  PROFILES,
  profileFeatures,
  profileNetDevice,
  validateXmitSkb,
  type XmitHooks,
} from "../src/index.ts";

const memory = Memory.create({ bytes: 4 << 20 });
const device = (...names: FeatureName[]) => netDevice({ features: featureSet(names) as bigint });
const frame = (field: "right" | "seed"): Uint8Array => eth(0x0800, ipv4(6, tcp(noise(41), pseudo4, field)));

function packet(
  bytesOf: Uint8Array = frame("seed"),
  o: { frags?: number[]; headroom?: number; type?: number } = {},
): SkBuff {
  const headroom = o.headroom ?? 64;
  const skb = skbFromBytes(memory, bytesOf, { headroom, frags: o.frags ?? [] })!;
  skb.macHeader = headroom;
  skb.networkHeader = headroom + 14;
  skb.protocol = o.type ?? 0x0800;
  skb.ipSummed = CHECKSUM_PARTIAL;
  skb.csumStart = headroom + (o.type === 0x86dd ? 54 : 34);
  skb.csumOffset = 16;
  return skb;
}

describe("a packet that is not to be segmented", () => {
  test("a device that can: left to it, the transport header at csum_start", () => {
    const skb = packet();
    expect(validateXmitSkb(skb, device("IP_CSUM"))).toMatchObject({
      verdict: "send",
      packets: [skb.address],
    });
    expect([skb.ipSummed, skb.transportHeader]).toEqual([CHECKSUM_PARTIAL, 98]);
    skb.kfreeSkb();
  });

  test("one that cannot: software, and linear where SG is missing", () => {
    for (const [names, nonlinear] of [
      [[], false],
      [["SG"], true],
    ] as [FeatureName[], boolean][]) {
      const skb = packet(frame("seed"), { frags: [20, 10] });
      expect(validateXmitSkb(skb, device(...names)).verdict).toBe("send");
      expect([skb.ipSummed, skb.isNonlinear, skb.toBytes()]).toEqual([
        CHECKSUM_NONE,
        nonlinear,
        frame("right"),
      ]);
      skb.kfreeSkb();
    }
  });

  test("IPv6 with an extension header on IPV6_CSUM: software", () => {
    const build = (field: "right" | "seed"): Uint8Array =>
      eth(0x86dd, ipv6(0, bytes([6, 0, 1, 4, 0, 0, 0, 0], tcp(noise(41), pseudo6, field))));
    const skb = packet(build("seed"), { type: 0x86dd });
    skb.csumStart += 8;
    validateXmitSkb(skb, device("IPV6_CSUM"));
    expect([skb.ipSummed, skb.toBytes()]).toEqual([CHECKSUM_NONE, build("right")]);
    skb.kfreeSkb();
  });

  test("inner transport header when encapsulated", () => {
    const skb = packet();
    skb.encapsulation = 1;
    validateXmitSkb(skb, netDevice({ features: NETIF_F.HW_CSUM, hwEncFeatures: NETIF_F.HW_CSUM }));
    expect([skb.innerTransportHeader, skb.transportHeader]).toEqual([98, 0xffff]);
    skb.kfreeSkb();
  });

  test("an errno of the checksum help drops", () => {
    const skb = packet();
    skb.csumOffset = 200;
    expect(validateXmitSkb(skb, device())).toEqual({ verdict: "drop", reason: "csum", errno: -22 });
    skb.kfreeSkb();
  });
});

describe("VLAN", () => {
  test("the tag is written in-band where the device cannot insert it; features are not computed again", () => {
    for (const headroom of [64, 2]) {
      const skb = packet(frame("seed"), { headroom });
      skb.vlanProto = 0x8100;
      skb.vlanTci = 5;
      const dev = netDevice({ features: NETIF_F.HW_CSUM | NETIF_F.SG, vlanFeatures: NETIF_F.HW_CSUM });
      const sent = validateXmitSkb(skb, dev);
      expect(sent.verdict === "send" && featureNames(sent.features)).toEqual(["HW_CSUM"]);
      const f = frame("seed");
      expect(skb.toBytes()).toEqual(bytes(f.subarray(0, 12), be16(0x8100), be16(5), f.subarray(12)));
      expect([skb.vlanProto, skb.protocol, skb.macOffset, skb.networkOffset]).toEqual([0, 0x8100, 0, 18]);
      expect(skb.checksumStartOffset).toBe(38);
      skb.kfreeSkb();
    }
  });

  test("left to a device that can", () => {
    const skb = packet();
    skb.vlanProto = 0x8100;
    validateXmitSkb(skb, netDevice({ features: NETIF_F.HW_VLAN_CTAG_TX, vlanFeatures: 0n }));
    expect(skb.vlanProto).toBe(0x8100);
    skb.kfreeSkb();
  });
});

describe("GSO", () => {
  const gso = (): SkBuff => {
    const skb = packet();
    skb.gsoSize = 10;
    skb.gsoSegs = 5;
    skb.gsoType = 1;
    return skb;
  };
  test("segments take its place, null sends it as it is, an errno drops; nobody to segment: dropped", () => {
    const rows: [XmitHooks, object][] = [
      [{ segment: () => [1, 2] }, { verdict: "send", packets: [1, 2] }],
      [{ segment: () => -22 }, { verdict: "drop", reason: "gso", errno: -22 }],
      [{}, { verdict: "drop", reason: "gso", errno: -93 }],
    ];
    for (const [hooks, expected] of rows) {
      const skb = gso();
      expect(validateXmitSkb(skb, device("SG"), hooks)).toMatchObject(expected);
      skb.kfreeSkb();
    }
    const skb = gso();
    expect(validateXmitSkb(skb, device("SG"), { segment: () => null })).toMatchObject({
      packets: [skb.address],
    });
    expect(skb.ipSummed).toBe(CHECKSUM_PARTIAL);
    skb.kfreeSkb();
  });

  test("a packet the device can take goes on to the checksum help, which refuses a GSO packet on another offset", () => {
    const can = gso();
    expect(validateXmitSkb(can, device("SG", "IP_CSUM", "TSO", "TSO_MANGLEID")).verdict).toBe("send");
    can.kfreeSkb();
    const other = gso();
    other.csumOffset = 2;
    expect(validateXmitSkb(other, device("SG", "IP_CSUM", "TSO", "TSO_MANGLEID"))).toEqual({
      verdict: "drop",
      reason: "csum",
      errno: -22,
    });
    other.kfreeSkb();
  });
});

test("unreadable frags and a hook that says no come first", () => {
  const skb = packet(frame("seed"), { frags: [10] });
  skb.unreadable = 1;
  expect(validateXmitSkb(skb, device("SG"), { validate: () => false })).toMatchObject({
    reason: "unreadable",
  });
  expect(validateXmitSkb(skb, device("SG"), { netmem: true, validate: () => false })).toMatchObject({
    reason: "hook",
  });
  skb.unreadable = 0;
  skb.kfreeSkb();
});

test("profiles as feature sets: few for a programmable device, the old ones for the others", () => {
  expect(featureNames(profileFeatures(PROFILES.ideal!).features)).toEqual([
    "SG",
    "HW_CSUM",
    "HIGHDMA",
    "GSO",
    "GRO",
    "SCTP_CRC",
    "RXCSUM",
  ]);
  expect(featureNames(profileFeatures(PROFILES["v4v6-basic"]!).features)).toEqual([
    "SG",
    "IP_CSUM",
    "IPV6_CSUM",
    "HIGHDMA",
    "GSO",
    "GRO",
    "RXCSUM",
  ]);
  const skb = packet();
  expect(validateXmitSkb(skb, profileNetDevice(PROFILES["v4-only"]!)).verdict).toBe("send");
  expect(skb.ipSummed).toBe(CHECKSUM_PARTIAL);
  skb.kfreeSkb();
});
