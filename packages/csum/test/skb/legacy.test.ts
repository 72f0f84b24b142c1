// Drivers of fixed-function devices: who may be asked on transmit, and COMPLETE out of UNNECESSARY on receive.
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  CHECKSUM_UNNECESSARY,
  type SkBuff,
} from "@netoffload/skbuff";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CSUM_OFFL_SPEC_CMN,
  type LegacyCsumCaps,
  NO_CSUM_CAPS,
  type SkbCsumOfflSpec,
  skbCsumHwoffloadLegacyCheck,
  skbCsumOffloadChk,
  skbCsumOffloadChkHelpCmn,
  skbCsumOffloadChkHelpCmnV4Only,
  skbCsumRxLegacyConvertUnnecessary,
  type UdpTunnel,
  type UdpTunnels,
} from "../../src/index.ts";
import {
  be16,
  bytes,
  eth,
  ipv4,
  ipv6,
  noise,
  pseudo4,
  pseudo6,
  sctp,
  tcp,
  udp,
  V6_DST,
} from "../check/build.ts";
import { sameClass, slowChecksum, slowPartial } from "../ref/slow.ts";
import { make, type Offsets, partial } from "./make.ts";

const CAPS: LegacyCsumCaps = {
  ...NO_CSUM_CAPS,
  ipv4: true,
  ipv6: true,
  tcp: true,
  udp: true,
  ipOptions: true,
  maxVlan: 1,
  maxL4Offset: 200,
};
const SEED = "seed";
const seg = (pseudo: typeof pseudo4): Uint8Array => tcp(noise(31), pseudo, SEED);
const hop = (next: number): number[] => [next, 0, 1, 4, 0, 0, 0, 0];
const srh = (next: number, left: number): number[] => [next, 2, 4, left, 0, 0, 0, 0, ...V6_DST];
const hao = (next: number): number[] => [next, 2, 1, 2, 0, 0, 0xc9, 16, ...V6_DST];

/** A frame asking for its TCP checksum. */
function tx(frame: Uint8Array, start: number, o: Offsets & { offset?: number } = {}): SkBuff {
  return partial(make(frame, { network: 14, transport: start, ...o }), start, o.offset ?? 16);
}
const v4 = (o = {}): SkBuff => tx(eth(0x0800, ipv4(6, seg(pseudo4), o)), 34);
const v6 = (next: number, headers: readonly number[] = []): SkBuff =>
  tx(eth(0x86dd, ipv6(next, bytes(headers, seg(pseudo6)))), 54 + headers.length, { protocol: 0x86dd });
/** An inner packet in VXLAN in `outer`. */
function vxlan(inner: Uint8Array, innerL4: number, six = false, headers: readonly number[] = []): SkBuff {
  const payload = udp(bytes(8, 0, 0, 0, 0, 0, 1, 0, inner), six ? pseudo6 : pseudo4, 0, 4789);
  const l3 = six ? ipv6(headers.length ? 43 : 17, bytes(headers, payload)) : ipv4(17, payload);
  const l4 = 14 + (six ? 40 + headers.length : 20);
  const at = l4 + 16 + innerL4;
  return tx(eth(six ? 0x86dd : 0x0800, l3), at, {
    protocol: six ? 0x86dd : 0x0800,
    transport: l4,
    innerNetwork: l4 + 16 + 14,
    innerTransport: at,
    innerProtocol: (inner[12]! << 8) | inner[13]!,
  });
}
const inner4 = eth(0x0800, ipv4(6, seg(pseudo4)));
const inner6 = eth(0x86dd, ipv6(6, seg(pseudo6)));

type CheckRow = [string, () => SkBuff, Partial<LegacyCsumCaps>, string];
const CHECKS: CheckRow[] = [
  ["TCP over IPv4", v4, {}, "offload"],
  ["TCP over IPv6", () => v6(6), {}, "offload"],
  ["UDP", () => tx(eth(0x0800, ipv4(17, udp(noise(9), pseudo4, SEED))), 34, { offset: 6 }), {}, "offload"],
  [
    "nothing asked",
    () => make(eth(0x0800, ipv4(6, seg(pseudo4))), { network: 14, transport: 34 }),
    {},
    "none",
  ],
  ["no IPv4", v4, { ipv4: false }, "family"],
  ["no IPv6", () => v6(6), { ipv6: false }, "family"],
  ["neither family", () => tx(eth(0x0806, noise(60)), 34, { protocol: 0x0806 }), {}, "family"],
  ["no TCP", v4, { tcp: false }, "l4"],
  [
    "no UDP",
    () => tx(eth(0x0800, ipv4(17, udp(noise(9), pseudo4, SEED))), 34, { offset: 6 }),
    { udp: false },
    "l4",
  ],
  ["TCP with another offset", () => tx(eth(0x0800, ipv4(6, seg(pseudo4))), 34, { offset: 6 }), {}, "l4"],
  ["ICMPv6", () => tx(eth(0x86dd, ipv6(58, noise(20))), 54, { offset: 2, protocol: 0x86dd }), {}, "l4"],
  [
    "IPv4 options",
    () => tx(eth(0x0800, ipv4(6, seg(pseudo4), { options: [1, 1, 1, 0] })), 38),
    {},
    "offload",
  ],
  [
    "IPv4 options the device does not know",
    () => tx(eth(0x0800, ipv4(6, seg(pseudo4), { options: [1, 1, 1, 0] })), 38),
    { ipOptions: false },
    "ip-options",
  ],
  ["first fragment", () => v4({ frag: 0x2000 }), {}, "fragment"],
  ["later fragment", () => v4({ frag: 7 }), {}, "fragment"],
  ["DF is no fragment", () => v4({ frag: 0x4000 }), {}, "offload"],
  ["an extension header", () => v6(0, hop(6)), {}, "exthdr"],
  ["one that the device skips", () => v6(0, hop(6)), { ipv6ExtHdrs: true }, "offload"],
  [
    "as many as it skips",
    () => v6(0, [...hop(60), ...hop(6)]),
    { ipv6ExtHdrs: true, maxExtHdrs: 2 },
    "offload",
  ],
  ["more", () => v6(0, [...hop(60), ...hop(6)]), { ipv6ExtHdrs: true, maxExtHdrs: 1 }, "exthdr"],
  ["as long as it skips", () => v6(0, hop(6)), { ipv6ExtHdrs: true, maxExtHdrLen: 8 }, "offload"],
  ["longer", () => v6(0, hop(6)), { ipv6ExtHdrs: true, maxExtHdrLen: 7 }, "exthdr"],
  ["a routing header, never", () => v6(43, srh(6, 1)), { ipv6ExtHdrs: true }, "rthdr"],
  ["a routing header that is used up, never", () => v6(43, srh(6, 0)), { ipv6ExtHdrs: true }, "rthdr"],
  [
    "a routing header behind another",
    () => v6(0, [...hop(43), ...srh(6, 1)]),
    { ipv6ExtHdrs: true },
    "rthdr",
  ],
  ["a home address", () => v6(60, hao(6)), { ipv6ExtHdrs: true }, "hao"],
  ["a fragment header", () => v6(44, [6, 0, 0, 1, 0, 0, 0, 1]), { ipv6ExtHdrs: true }, "fragment"],
  ["an atomic fragment", () => v6(44, [6, 0, 0, 0, 0, 0, 0, 1]), { ipv6ExtHdrs: true }, "offload"],
  ["no next header", () => v6(59), {}, "no-next-header"],
  [
    "headers that run out",
    () => tx(eth(0x86dd, ipv6(0, Uint8Array.of(6))), 54, { protocol: 0x86dd, offset: 0 }),
    {},
    "truncated",
  ],
  ["csum_start elsewhere", () => tx(eth(0x0800, ipv4(6, seg(pseudo4))), 36, { transport: 36 }), {}, "not-l4"],
  [
    "csum_start at neither transport header",
    () => tx(eth(0x0800, ipv4(6, seg(pseudo4))), 34, { transport: 36 }),
    {},
    "not-l4",
  ],
  [
    "one tag",
    () =>
      tx(eth(0x8100, bytes(0, 5, be16(0x0800), ipv4(6, seg(pseudo4)))), 38, {
        network: 18,
        protocol: 0x8100,
      }),
    {},
    "offload",
  ],
  [
    "one tag too many",
    () =>
      tx(eth(0x8100, bytes(0, 5, be16(0x0800), ipv4(6, seg(pseudo4)))), 38, {
        network: 18,
        protocol: 0x8100,
      }),
    { maxVlan: 0 },
    "vlan",
  ],
  [
    "two tags",
    () =>
      tx(eth(0x88a8, bytes(0, 5, be16(0x8100), 0, 6, be16(0x0800), ipv4(6, seg(pseudo4)))), 42, {
        network: 22,
        protocol: 0x88a8,
      }),
    {},
    "vlan",
  ],
  ["too deep", v4, { maxL4Offset: 33 }, "l4-offset"],
  ["just deep enough", v4, { maxL4Offset: 34 }, "offload"],
  ["too short", v4, { minLen: 86 }, "min-len"],
  ["no tunnels", () => vxlan(inner4, 34), {}, "encapsulated"],
  ["a tunnel", () => vxlan(inner4, 34), { encap: true }, "offload*"],
  ["IPv6 in a tunnel", () => vxlan(inner6, 54), { encap: true }, "encap-ipv6*"],
  [
    "IPv6 in a tunnel the device knows",
    () => vxlan(inner6, 54),
    { encap: true, encapIpv6: true },
    "offload*",
  ],
  [
    "Ethernet in a tunnel: its header tells",
    () => {
      const skb = vxlan(inner6, 54);
      skb.innerProtocol = 0x6558;
      return skb;
    },
    { encap: true, encapIpv6: true },
    "offload*",
  ],
  [
    "Ethernet in a tunnel, of a type that the device does not know",
    () => {
      const skb = vxlan(inner4, 34);
      skb.innerProtocol = 0x6558;
      skb.memory.view.setUint16(skb.data + skb.innerNetworkOffset - 2, 0x0806, false);
      return skb;
    },
    { encap: true },
    "family*",
  ],
  ["a tunnel over IPv6", () => vxlan(inner4, 34, true), { encap: true }, "offload*"],
  [
    "a routing header outside of the tunnel",
    () => vxlan(inner4, 34, true, srh(17, 1)),
    { encap: true },
    "rthdr*",
  ],
  ["tunnels only", v4, { notEncap: false }, "not-encapsulated"],
];

describe("skb_csum_hwoffload_legacy_check", () => {
  test.each(CHECKS)("%s", (_, build, caps, expected) => {
    const ask = (help: boolean) => {
      const skb = build();
      const before = skb.toBytes();
      const found = skbCsumHwoffloadLegacyCheck(skb, { ...CAPS, ...caps }, { help });
      return { skb, before, ...found };
    };
    const [want, star] = [expected.replace("*", ""), expected.endsWith("*")];
    const dry = ask(false);
    if (want === "none" || want === "offload") expect([dry.verdict, dry.reason]).toEqual([want, ""]);
    else expect([dry.verdict, dry.reason]).toEqual(["fail", want]);
    if (want !== "encapsulated") expect(dry.encapsulated).toBe(star);
    expect(dry.skb.toBytes()).toEqual(dry.before);
    dry.skb.kfreeSkb();
    const helped = ask(true);
    if (dry.verdict === "fail" && expected !== "truncated") {
      expect([helped.verdict, helped.reason]).toEqual(["resolved", want]);
      const { skb, before } = helped;
      const at = skb.csumStart - skb.headroom;
      const out = before.slice();
      out.set(be16(slowChecksum(before.subarray(at)) || 0xffff), at + skb.csumOffset);
      expect([skb.ipSummed, skb.toBytes()]).toEqual([CHECKSUM_NONE, out]);
    }
    helped.skb.kfreeSkb();
  });

  test("a GSO packet that fails is dropped with -EINVAL, unchanged; software's errno is told", () => {
    const skb = v6(43, srh(6, 1));
    skb.gsoSize = 10;
    const before = skb.toBytes();
    expect(skbCsumHwoffloadLegacyCheck(skb, CAPS)).toMatchObject({
      verdict: "drop",
      errno: -22,
      reason: "rthdr",
    });
    expect([skb.ipSummed, skb.toBytes()]).toEqual([CHECKSUM_PARTIAL, before]);
    expect(skbCsumHwoffloadLegacyCheck(skb, CAPS, { help: false })).toMatchObject({
      verdict: "drop",
      errno: -22,
    });
    skb.kfreeSkb();
    const wide = tx(eth(0x0800, ipv4(6, seg(pseudo4))), 34, { offset: 400 });
    expect(skbCsumHwoffloadLegacyCheck(wide, CAPS)).toMatchObject({
      verdict: "drop",
      errno: -22,
      reason: "l4",
    });
    wide.kfreeSkb();
  });

  test("SCTP: the device's CRC, or software's", () => {
    const crc = (): SkBuff => {
      const skb = tx(eth(0x0800, ipv4(132, sctp(noise(20), 0))), 34, { offset: 8 });
      skb.csumNotInet = 1;
      return skb;
    };
    const a = crc();
    expect(skbCsumHwoffloadLegacyCheck(a, { ...CAPS, sctpCrc: true })).toMatchObject({
      verdict: "offload",
      l4: 132,
    });
    a.kfreeSkb();
    const b = crc();
    expect(skbCsumHwoffloadLegacyCheck(b, CAPS)).toMatchObject({ verdict: "resolved", reason: "sctp-crc" });
    expect(b.toBytes()).toEqual(eth(0x0800, ipv4(132, sctp(noise(20)))));
    b.kfreeSkb();
  });
});

describe("skb_csum_offload_chk of 2015", () => {
  const SPEC: SkbCsumOfflSpec = { ...CSUM_OFFL_SPEC_CMN, extHdrsOkay: true, encapOkay: true };
  // [packet, spec] -> allowed, state afterwards with csumHelp
  const rows: [string, () => SkBuff, Partial<SkbCsumOfflSpec>, boolean, number][] = [
    ["TCP", v4, {}, true, CHECKSUM_PARTIAL],
    ["no IPv4", v4, { ipv4Okay: false }, false, CHECKSUM_NONE],
    [
      "no options, but there are",
      () => tx(eth(0x0800, ipv4(6, seg(pseudo4), { options: [1, 1, 1, 0] })), 38),
      { ipOptionsOkay: false },
      false,
      CHECKSUM_NONE,
    ],
    ["its flaw: a routing header is skipped", () => v6(43, srh(6, 1)), {}, true, CHECKSUM_PARTIAL],
    ["no extension headers", () => v6(0, hop(6)), { extHdrsOkay: false }, false, CHECKSUM_NONE],
    [
      "authentication header",
      () => v6(51, [6, 4, ...new Array<number>(22).fill(0)]),
      {},
      false,
      CHECKSUM_NONE,
    ],
    [
      "no VLAN",
      () =>
        tx(eth(0x8100, bytes(0, 5, be16(0x0800), ipv4(6, seg(pseudo4)))), 38, {
          network: 18,
          protocol: 0x8100,
        }),
      { vlanOkay: false },
      false,
      CHECKSUM_NONE,
    ],
    [
      "VLAN",
      () =>
        tx(eth(0x8100, bytes(0, 5, be16(0x0800), ipv4(6, seg(pseudo4)))), 38, {
          network: 18,
          protocol: 0x8100,
        }),
      {},
      true,
      CHECKSUM_PARTIAL,
    ],
    [
      "SCTP: no, and no help either",
      () => tx(eth(0x0800, ipv4(132, sctp(noise(20), 0))), 34, { offset: 8 }),
      {},
      false,
      CHECKSUM_PARTIAL,
    ],
    ["encapsulated", () => vxlan(inner6, 54), {}, true, CHECKSUM_PARTIAL],
    [
      "encapsulated IPv6 not allowed",
      () => vxlan(inner6, 54),
      { noEncappedIpv6: true },
      false,
      CHECKSUM_NONE,
    ],
    ["encapsulated not allowed", () => vxlan(inner4, 34), { encapOkay: false }, false, CHECKSUM_NONE],
    ["only encapsulated", v4, { noNotEncapped: true }, false, CHECKSUM_NONE],
  ];
  test.each(rows)("%s", (_, build, spec, allowed, state) => {
    const skb = build();
    expect(skbCsumOffloadChk(skb, { ...SPEC, ...spec }, { csumEncapped: false }, true)).toBe(allowed);
    expect(skb.ipSummed).toBe(state);
    skb.kfreeSkb();
  });

  test("not PARTIAL: false, csumEncapped untouched; found inside: true; GSO is not helped; the presets", () => {
    const none = make(noise(60));
    const out = { csumEncapped: true };
    expect([skbCsumOffloadChk(none, SPEC, out, true), out.csumEncapped]).toEqual([false, true]);
    none.kfreeSkb();
    const inside = vxlan(inner4, 34);
    const found = { csumEncapped: false };
    expect([skbCsumOffloadChk(inside, SPEC, found, true), found.csumEncapped]).toEqual([true, true]);
    inside.kfreeSkb();
    const large = v6(0, hop(6));
    large.gsoSize = 5;
    expect([skbCsumOffloadChkHelpCmn(large), large.ipSummed]).toEqual([false, CHECKSUM_PARTIAL]);
    large.kfreeSkb();
    const six = v6(6);
    expect([skbCsumOffloadChkHelpCmn(six), skbCsumOffloadChkHelpCmnV4Only(six), six.ipSummed]).toEqual([
      true,
      false,
      CHECKSUM_NONE,
    ]);
    six.kfreeSkb();
  });
});

describe("skb_csum_rx_legacy_convert_unnecessary", () => {
  const right = tcp(noise(31), pseudo4);
  const right6 = tcp(noise(31), pseudo6);
  const PORTS: UdpTunnels = new Map<number, UdpTunnel>([
    [4789, "vxlan"],
    [6081, "geneve"],
    [6080, "gue"],
    [5555, { fou: 41 }],
  ]);
  const inUdp = (payload: Uint8Array, port: number, field: 0 | "right" = 0): Uint8Array =>
    ipv4(17, udp(payload, pseudo4, field, port));
  const frame4 = eth(0x0800, ipv4(6, right));
  const PAD = [1, 2, 3];
  const gre = (flags: number, type: number, payload: Uint8Array): Uint8Array =>
    ipv4(47, bytes(be16(flags), be16(type), payload));

  // data at L3, level -> reason
  const rows: [string, Uint8Array, number, string][] = [
    ["TCP over IPv4", ipv4(6, right), 0, "converted"],
    ["with padding behind it", bytes(ipv4(6, right), PAD), 0, "converted"],
    ["with IPv4 options", ipv4(6, right, { options: [1, 1, 1, 0] }), 0, "converted"],
    ["TCP over IPv6", ipv6(6, right6), 0, "converted"],
    [
      "behind hop-by-hop and authentication headers",
      ipv6(0, bytes(hop(51), [6, 4, ...new Array<number>(22).fill(0)], right6)),
      0,
      "converted",
    ],
    ["behind a routing header that is used up", ipv6(43, bytes(srh(6, 0), right6)), 0, "converted"],
    ["behind a routing header under way", ipv6(43, bytes(srh(6, 1), right6)), 0, "rthdr"],
    ["with a home address", ipv6(60, bytes(hao(6), right6)), 0, "hao"],
    ["UDP", ipv4(17, udp(noise(21), pseudo4)), 0, "converted"],
    ["UDP with another length", ipv4(17, bytes(udp(noise(21), pseudo4), 0)), 0, "udp-length"],
    [
      "UDP without a checksum, level 0: it covers nothing",
      ipv4(17, udp(noise(21), pseudo4, 0)),
      0,
      "udp-zero",
    ],
    ["VXLAN, both verified", inUdp(bytes(8, 0, 0, 0, 0, 0, 1, 0, frame4), 4789), 1, "converted"],
    [
      "VXLAN with an outer checksum: that one serves",
      inUdp(bytes(8, 0, 0, 0, 0, 0, 1, 0, frame4), 4789, "right"),
      0,
      "converted",
    ],
    ["VXLAN on a port nobody told", inUdp(bytes(8, 0, 0, 0, 0, 0, 1, 0, frame4), 4788), 1, "unknown-tunnel"],
    [
      "Geneve with options",
      inUdp(bytes(1, 0, 0x65, 0x58, 0, 0, 1, 0, 1, 2, 3, 4, frame4), 6081),
      1,
      "converted",
    ],
    ["GUE", inUdp(bytes(0, 4, 0, 0, ipv4(6, right)), 6080), 1, "converted"],
    ["GUE version 1", inUdp(ipv4(6, right), 6080), 1, "converted"],
    ["FOU", inUdp(ipv6(6, right6), 5555), 1, "converted"],
    ["GRE without C: no level of its own", gre(0, 0x0800, ipv4(6, right)), 0, "converted"],
    ["GRE with a key", gre(0x2000, 0x86dd, bytes(noise(4), ipv6(6, right6))), 0, "converted"],
    ["IPv6 in IPv4", ipv4(41, ipv6(6, right6)), 0, "converted"],
    ["IPv4 in IPv6", ipv6(4, ipv4(6, right)), 0, "converted"],
    ["first fragment", ipv4(6, right, { frag: 0x2000 }), 0, "fragment"],
    ["IPv6 fragment header, atomic or not", ipv6(44, bytes([6, 0, 0, 0, 0, 0, 0, 1], right6)), 0, "fragment"],
    ["ESP", ipv6(50, noise(40)), 0, "encrypted"],
    ["length beyond the packet", ipv4(6, right, { len: 300 }), 0, "length"],
    ["SCTP: a CRC", ipv4(132, sctp(noise(12))), 0, "crc32"],
    ["ICMP", ipv4(1, noise(12)), 0, "protocol"],
    ["not IP", bytes([0x15], noise(40)), 0, "length"],
  ];
  const arrive = (packet: Uint8Array, level: number): SkBuff => {
    const skb = make(packet, { network: 0, protocol: packet[0]! >> 4 === 6 ? 0x86dd : 0x0800 });
    skb.ipSummed = CHECKSUM_UNNECESSARY;
    skb.csumLevel = level;
    return skb;
  };
  test.each(rows)("%s", (_, packet, level, reason) => {
    const skb = arrive(packet, level);
    expect(skbCsumRxLegacyConvertUnnecessary(skb, PORTS)).toBe(reason);
    expect(skb.csumLevel).toBe(0);
    if (reason === "converted") {
      expect([skb.ipSummed, skb.csumCompleteSw]).toEqual([CHECKSUM_COMPLETE, 0]);
      expect(sameClass(skb.csum, slowPartial(packet))).toBe(true);
    } else expect([skb.ipSummed, skb.csumValidCrc32]).toEqual([CHECKSUM_NONE, reason === "crc32" ? 1 : 0]);
    expect(skb.toBytes()).toEqual(packet);
    skb.kfreeSkb();
  });

  test("GRE with the C bit: its checksum serves, the pseudo header is none", () => {
    const payload = bytes(0x80, 0, 8, 0, 0, 0, 0, 0, ipv4(6, right));
    payload.set(be16(slowChecksum(payload)), 4);
    const packet = ipv4(47, payload);
    const skb = arrive(packet, 0);
    expect(skbCsumRxLegacyConvertUnnecessary(skb)).toBe("converted");
    expect(sameClass(skb.csum, slowPartial(packet))).toBe(true);
    skb.kfreeSkb();
  });

  test("other states stay", () => {
    for (const state of [CHECKSUM_NONE, CHECKSUM_COMPLETE, CHECKSUM_PARTIAL]) {
      const skb = arrive(ipv4(6, right), 0);
      skb.ipSummed = state;
      skb.csum = 77;
      expect(skbCsumRxLegacyConvertUnnecessary(skb)).toBe("not-unnecessary");
      expect([skb.ipSummed, skb.csum]).toEqual([state, 77]);
      skb.kfreeSkb();
    }
  });

  test("a device that lied: the sum does not fit the bytes, at every single bit of the packet's L4", () => {
    const packet = ipv4(6, right);
    for (let bit = 20 * 8; bit < packet.length * 8; bit++) {
      const bad = packet.slice();
      bad[bit >> 3]! ^= 1 << (bit & 7);
      const skb = arrive(bad, 0);
      if (skbCsumRxLegacyConvertUnnecessary(skb) === "converted")
        expect(sameClass(skb.csum, slowPartial(bad))).toBe(false);
      skb.kfreeSkb();
    }
  });

  test("any bytes and cuts: never a throw, never UNNECESSARY afterwards", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...rows),
        fc.nat({ max: 200 }),
        fc.uint8Array({ maxLength: 4 }),
        fc.nat({ max: 60 }),
        (row, cut, noisy, at) => {
          const packet = row[1].slice(0, cut);
          packet.set(
            noisy.subarray(0, Math.max(0, Math.min(noisy.length, packet.length - at))),
            Math.min(at, packet.length),
          );
          const skb = arrive(packet.length ? packet : Uint8Array.of(0), row[2]);
          skbCsumRxLegacyConvertUnnecessary(skb, PORTS);
          expect(skb.ipSummed).not.toBe(CHECKSUM_UNNECESSARY);
          skb.kfreeSkb();
        },
      ),
      { numRuns: 1000 },
    );
  });
});
