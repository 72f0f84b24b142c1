// The features a device has for one packet, in the kernel's order.
import { describe, expect, test } from "vitest";
import {
  type FeatureName,
  type FeatureOptions,
  featureNames,
  featureSet,
  Memory,
  netDevice,
  netifNeedsGso,
  netifSkbFeatures,
  type SkBuff,
  skbBe16,
  skbBe32,
  skbByte,
  skbFromBytes,
  skbNeedsLinearize,
  skbNetworkProtocol,
  vlanGetProtocol,
} from "../src/index.ts";

const memory = Memory.create({ bytes: 4 << 20 });
const set = (...names: FeatureName[]): bigint => featureSet(names) as bigint;

/** An Ethernet frame of `n` bytes with headers as given. */
function frame(type: number, l3: number[], n = 200, tags: number[] = []): SkBuff {
  const bytes = new Uint8Array(Math.max(n, 80));
  bytes.set([...tags.flatMap((t) => [t >> 8, t & 255, 0, 5]), type >> 8, type & 255, ...l3], 12);
  const skb = skbFromBytes(memory, bytes, { headroom: 64 })!;
  skb.macHeader = 64;
  skb.networkHeader = 64 + 14 + 4 * tags.length;
  skb.protocol = tags[0] ?? type;
  return skb;
}
const V4 = (df: boolean): number[] => [0x45, 0, 0, 0, 0, 0, df ? 0x40 : 0, 0, 64, 6];
const V6 = (next: number): number[] => [0x60, 0, 0, 0, 0, 0, next, 64];

function gso(skb: SkBuff, type: number, segs = 2): SkBuff {
  skb.gsoSize = 100;
  skb.gsoSegs = segs;
  skb.gsoType = type;
  skb.ipSummed = 3;
  return skb;
}
const l4 = (skb: SkBuff, off: number): SkBuff => {
  skb.transportHeader = 64 + off;
  return skb;
};

const ALL: FeatureName[] = [
  "SG",
  "IP_CSUM",
  "IPV6_CSUM",
  "FRAGLIST",
  "TSO",
  "TSO_MANGLEID",
  "TSO6",
  "GSO_GRE",
  "GSO_UDP_L4",
];
type Device = Parameters<typeof netDevice>[0];
const names = (skb: SkBuff, o: Partial<Device> = {}, options: FeatureOptions = {}): string[] => {
  const out = featureNames(netifSkbFeatures(skb, netDevice({ features: set(...ALL), ...o }), options));
  skb.kfreeSkb();
  return out;
};
const without = (...gone: FeatureName[]): string[] => featureNames(set(...ALL) & ~set(...gone));
const GSO: FeatureName[] = ["TSO", "TSO_MANGLEID", "TSO6", "GSO_GRE", "GSO_UDP_L4"];

describe("gso_features_check", () => {
  const tcp4 = (df = true): SkBuff => gso(l4(frame(0x0800, V4(df)), 34), 1);
  const tcp6 = (next = 6, th = 54): SkBuff => gso(l4(frame(0x86dd, V6(next)), th), 0x10);
  test("a packet that fits keeps everything", () => expect(names(tcp4())).toEqual(without()));
  test("too many segments: no GSO", () => {
    const skb = tcp4();
    skb.gsoSegs = 11;
    expect(names(skb, { gsoMaxSegs: 10 })).toEqual(without(...GSO));
  });
  test("len equal to the limit is too large; IPv6 has its own, unless tagged", () => {
    expect(names(tcp4(), { gsoIpv4MaxSize: 200 })).toEqual(without(...GSO));
    expect(names(tcp4(), { gsoIpv4MaxSize: 201 })).toEqual(without());
    expect(names(tcp6(), { gsoMaxSize: 200 })).toEqual(without(...GSO));
    expect(names(tcp6(), { gsoIpv4MaxSize: 200 })).toEqual(without());
    const tagged = gso(frame(0x86dd, V6(6), 200, [0x8100]), 0x10);
    expect(names(tagged, { gsoIpv4MaxSize: 200, vlanFeatures: set(...ALL) })).toEqual(without(...GSO));
  });
  test("gso_type 0: no GSO", () => expect(names(gso(frame(0x0800, V4(true)), 0))).toEqual(without(...GSO)));
  test("partial features only with the PARTIAL bit", () => {
    expect(names(tcp4(), { gsoPartialFeatures: set("GSO_GRE") })).toEqual(without("GSO_GRE"));
    expect(names(gso(frame(0x0800, V4(true)), 0x1001), { gsoPartialFeatures: set("GSO_GRE") })).toEqual(
      without(),
    );
  });
  test("IPv4 without DF: no MANGLEID and what else the driver withholds", () => {
    expect(names(tcp4(false))).toEqual(without("TSO_MANGLEID"));
    expect(names(tcp4(false), { mangleidFeatures: set("TSO") })).toEqual(without("TSO", "TSO_MANGLEID"));
  });

  const V6_OFF: FeatureName[] = ["IPV6_CSUM", "TSO6", "GSO_UDP_L4"];
  test("extension headers, late kernels: by the next-header field or the length, whatever gso_type says", () => {
    expect(names(tcp6())).toEqual(without());
    for (const next of [0, 43, 44, 51, 59, 60])
      expect(names(tcp6(next))).toEqual(without(...V6_OFF, ...GSO, "IP_CSUM"));
    expect(names(tcp6(6, 62))).toEqual(without(...V6_OFF, ...GSO, "IP_CSUM"));
    expect(names(tcp6(50))).toEqual(without());
  });
  test("early kernels: by the outer length only", () => {
    expect(names(tcp6(0), {}, { extHdr: "early" })).toEqual(without());
    expect(names(tcp6(0, 62), {}, { extHdr: "early" })).toEqual(without(...V6_OFF, ...GSO, "IP_CSUM"));
  });
  test("the correction for stable kernels: by the inner length, refused without an inner header", () => {
    const inner = (network: number, transport: number): SkBuff => {
      const skb = gso(l4(frame(0x0800, V4(true)), 34), 0x10);
      skb.encapsulation = 1;
      skb.innerNetworkHeader = network;
      skb.innerTransportHeader = transport;
      return skb;
    };
    const o = { hwEncFeatures: set(...ALL) };
    expect(names(inner(100, 140), o, { extHdr: "stable" })).toEqual(without());
    expect(names(inner(100, 148), o, { extHdr: "stable" })).toEqual(without(...V6_OFF));
    expect(names(inner(0, 148), o, { extHdr: "stable" })).toEqual(without(...V6_OFF));
    expect(names(inner(0, 148), o, { extHdr: "late" })).toEqual(without());
  });
});

describe("one packet", () => {
  test("encapsulated: AND hw_enc_features, which always have SG", () => {
    const skb = frame(0x0800, V4(true));
    skb.encapsulation = 1;
    expect(names(skb, { hwEncFeatures: set("TSO") })).toEqual(["SG", "TSO"]);
  });
  test("tagged, in-band or not: vlan_features and both insertions, HW_CSUM widened", () => {
    const skb = frame(0x0800, V4(true));
    skb.vlanProto = 0x8100;
    expect(
      names(skb, {
        features: set("SG", "HW_CSUM", "TSO", "HW_VLAN_CTAG_TX"),
        vlanFeatures: set("SG", "IP_CSUM"),
      }),
    ).toEqual(["SG", "IP_CSUM", "HW_VLAN_CTAG_TX"]);
    expect(names(frame(0x0800, V4(true), 200, [0x8100]), { vlanFeatures: set("SG") })).toEqual(["SG"]);
  });
  test("two tags: a direct mask that IP_CSUM does not survive; a driver's own look takes its place", () => {
    const two = (): SkBuff => frame(0x0800, V4(true), 200, [0x88a8, 0x8100]);
    const all = { features: set("SG", "IP_CSUM", "TSO"), vlanFeatures: set("SG", "IP_CSUM", "TSO") };
    expect(names(two(), all)).toEqual(["SG"]);
    expect(names(two(), { ...all, featuresCheck: (_, f) => f & set("TSO") })).toEqual(["TSO"]);
  });
  test("MPLS: AND mpls_features", () => {
    expect(names(frame(0x8847, [0, 1, 1, 64]), { mplsFeatures: set("TSO") })).toEqual(["SG", "TSO"]);
  });
  test("any ip_summed but NONE: a protocol that cannot be summed loses checksums and GSO", () => {
    for (const [state, gone] of [
      [0, []],
      [1, GSO],
      [2, GSO],
      [3, GSO],
    ] as [number, FeatureName[]][]) {
      const skb = frame(0x0806, []);
      skb.ipSummed = state;
      expect(names(skb), `${state}`).toEqual(
        without(...gone, ...(state ? (["IP_CSUM", "IPV6_CSUM"] as const) : [])),
      );
    }
  });
  test("SCTP over IPv4 on a device with SCTP_CRC alone: GSO goes, SCTP_CRC stays", () => {
    const skb = frame(0x0800, V4(true));
    skb.ipSummed = 3;
    expect(names(skb, { features: set("SG", "SCTP_CRC", "GSO_SCTP") })).toEqual(["SG", "SCTP_CRC"]);
  });
});

test("needs GSO: not covered, a list without FRAGLIST, or neither PARTIAL nor UNNECESSARY", () => {
  const rows: [number, number, FeatureName[], boolean][] = [
    [1, 3, ["TSO"], false],
    [1, 1, ["TSO"], false],
    [1, 0, ["TSO"], true],
    [1, 2, ["TSO"], true],
    [3, 3, ["TSO"], true],
  ];
  for (const [type, summed, features, needs] of rows) {
    const skb = gso(frame(0x0800, V4(true)), type);
    skb.ipSummed = summed;
    expect(netifNeedsGso(skb, set(...features))).toBe(needs);
    skb.kfreeSkb();
  }
  const list = skbFromBytes(memory, new Uint8Array(60), { fragList: [20] })!;
  gso(list, 1);
  expect([netifNeedsGso(list, set("TSO")), netifNeedsGso(list, set("TSO", "FRAGLIST"))]).toEqual([
    true,
    false,
  ]);
  expect([skbNeedsLinearize(list, set("SG")), skbNeedsLinearize(list, set("FRAGLIST"))]).toEqual([
    true,
    false,
  ]);
  list.kfreeSkb();
  const frags = skbFromBytes(memory, new Uint8Array(60), { frags: [20] })!;
  expect([skbNeedsLinearize(frags, set("SG")), skbNeedsLinearize(frags, 0n)]).toEqual([false, true]);
  frags.kfreeSkb();
});

test("bytes of a packet wherever they lie; beyond it and in unreadable frags -1", () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, i) => i + 1);
  const skb = skbFromBytes(memory, bytes, { headroom: 8, frags: [7, 9], fragList: [5, 6] })!;
  for (let i = 0; i < 40; i++) expect(skbByte(skb, i)).toBe(i + 1);
  expect([skbByte(skb, 40), skbBe16(skb, 39), skbBe16(skb, 13), skbBe32(skb, 12)]).toEqual([
    -1, -1, 0x0e0f, 0x0d0e0f10,
  ]);
  skb.skbPull(3);
  expect([skbByte(skb, -1), skbByte(skb, -12)]).toEqual([3, -1]);
  skb.unreadable = 1;
  expect([skbByte(skb, 9), skbByte(skb, 10)]).toEqual([13, -1]);
  skb.kfreeSkb();
});

test("protocols behind tags: seven are walked; Ethernet inside a tunnel is looked into", () => {
  const tags = (n: number): number[] => Array.from({ length: n }, () => 0x8100);
  for (const [n, type] of [
    [0, 0x86dd],
    [1, 0x86dd],
    [7, 0x86dd],
    [8, 0],
  ] as const) {
    const skb = frame(0x86dd, V6(6), 200, tags(n));
    expect(vlanGetProtocol(skb), `${n}`).toBe(type);
    skb.kfreeSkb();
  }
  const teb = frame(0x0800, V4(true));
  teb.protocol = 0x6558;
  expect(skbNetworkProtocol(teb)).toBe(0x0800);
  teb.kfreeSkb();
});
