// Transmit: help, decisions, local checksum offload, UDP and GRE rules; expected bytes by the slow oracle.
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
  type CsumFeatures,
  greSetCsum,
  gsoMakeChecksum,
  lcoCsum,
  skbChecksumHelp,
  skbCrc32cCsumHelp,
  skbCsumHwoffloadHelp,
  udp6SetCsum,
  udpSetCsum,
} from "../../src/index.ts";
import {
  be16,
  bytes,
  eth,
  fill,
  ipv4,
  ipv6,
  noise,
  pseudo4,
  pseudo6,
  sctp,
  tcp,
  udp,
  V4_DST,
  V4_SRC,
} from "../check/build.ts";
import { sameClass, slowChecksum, slowCrc32c, slowPartial } from "../ref/slow.ts";
import { laidOut, make, memory, partial, RUNS } from "./make.ts";

const le32 = (a: readonly number[]): number => (a[0]! | (a[1]! << 8) | (a[2]! << 16) | (a[3]! << 24)) >>> 0;
const be = (skb: SkBuff, off: number): number => memory.view.getUint16(skb.data + off, false);

describe("skb_checksum_help", () => {
  test("any layout: the field becomes the checksum of [csum_start, end); 0 becomes 0xffff", () => {
    fc.assert(
      fc.property(laidOut, fc.nat({ max: 60 }), fc.nat({ max: 60 }), fc.boolean(), (p, a, b, zero) => {
        const linear = p.bytes.length - [...p.frags, ...p.fragList].reduce((x, y) => x + y, 0);
        fc.pre(linear >= 2);
        const start = a % (linear - 1);
        const offset = b % (linear - 1 - start);
        if (zero && (offset & 1) === 0) {
          // make the sum all ones: complement of the rest in the field
          p.bytes.fill(0, start + offset, start + offset + 2);
          p.bytes.set(be16(slowChecksum(p.bytes.subarray(start))), start + offset);
        }
        const skb = partial(make(p.bytes, p), start, offset);
        const expected = slowChecksum(p.bytes.subarray(start)) || 0xffff;
        expect(skbChecksumHelp(skb)).toBe(0);
        expect(skb.ipSummed).toBe(CHECKSUM_NONE);
        const out = p.bytes.slice();
        out.set(be16(expected), start + offset);
        expect(skb.toBytes()).toEqual(out);
        skb.kfreeSkb();
      }),
      RUNS,
    );
  });

  type Row = [string, number, (skb: SkBuff) => void];
  const errors: Row[] = [
    ["GSO packet", -22, (s) => (s.gsoSize = 100)],
    ["frags that cannot be read", -14, (s) => (s.unreadable = 1)],
    ["start at the linear end", -22, (s) => (s.csumStart = s.headroom + 20)],
    ["start before data: huge", -22, (s) => (s.csumStart = s.headroom - 1)],
    ["field crosses the linear end", -22, (s) => (s.csumOffset = 9)],
  ];
  test.each(errors)("%s: errno %i, bytes and PARTIAL stay", (_, errno, change) => {
    const packet = noise(40);
    const skb = partial(make(packet, { frags: [20] }), 10, 6);
    change(skb);
    expect(skbChecksumHelp(skb)).toBe(errno);
    expect(skb.ipSummed).toBe(CHECKSUM_PARTIAL);
    skb.unreadable = 0;
    expect(skb.toBytes()).toEqual(packet);
    skb.kfreeSkb();
  });

  test("the last field that fits; COMPLETE becomes NONE, nothing computed", () => {
    const skb = partial(make(noise(40), { frags: [20] }), 10, 8);
    expect(skbChecksumHelp(skb)).toBe(0);
    skb.ipSummed = CHECKSUM_COMPLETE;
    const before = skb.toBytes();
    expect(skbChecksumHelp(skb)).toBe(0);
    expect([skb.ipSummed, skb.toBytes()]).toEqual([CHECKSUM_NONE, before]);
    skb.kfreeSkb();
  });

  test("a clone's bytes stay: the header is unshared first; csum_not_inet is not looked at", () => {
    const packet = noise(40);
    const skb = partial(make(packet), 10, 6);
    skb.csumNotInet = 1;
    const clone = skb.skbClone()!;
    expect(skbChecksumHelp(skb)).toBe(0);
    expect(clone.toBytes()).toEqual(packet);
    expect(be(skb, 16)).toBe(slowChecksum(packet.subarray(10)) || 0xffff);
    expect(skb.csumNotInet).toBe(1);
    clone.kfreeSkb();
    skb.kfreeSkb();
  });

  test("shared frags are made linear first", () => {
    const packet = noise(40);
    const skb = partial(make(packet, { frags: [15] }), 10, 6);
    skb.shinfoFlags = 2;
    expect(skbChecksumHelp(skb)).toBe(0);
    expect(skb.isNonlinear).toBe(false);
    skb.kfreeSkb();
  });
});

describe("skb_crc32c_csum_help", () => {
  test("any layout: CRC-32C little endian at 8, whatever csum_offset says", () => {
    fc.assert(
      fc.property(laidOut, fc.nat({ max: 40 }), (p, a) => {
        const linear = p.bytes.length - [...p.frags, ...p.fragList].reduce((x, y) => x + y, 0);
        fc.pre(linear >= 12);
        const start = a % (linear - 11);
        p.bytes.fill(0, start + 8, start + 12);
        const skb = partial(make(p.bytes, p), start, 30);
        skb.csumNotInet = 1;
        expect(skbCrc32cCsumHelp(skb)).toBe(0);
        const out = p.bytes.slice();
        new DataView(out.buffer).setUint32(start + 8, slowCrc32c(p.bytes.subarray(start)), true);
        expect(skb.toBytes()).toEqual(out);
        expect([skb.ipSummed, skb.csumNotInet]).toEqual([CHECKSUM_NONE, 0]);
        skb.kfreeSkb();
      }),
    );
  });

  test("not PARTIAL, or GSO: 0 and nothing done; field beyond the linear part: -EINVAL", () => {
    const packet = noise(40);
    const rows: [number, (s: SkBuff) => void][] = [
      [0, (s) => (s.ipSummed = CHECKSUM_UNNECESSARY)],
      [0, (s) => (s.gsoSize = 1)],
      [-22, (s) => (s.csumStart = s.headroom + 12)],
      [-22, (s) => (s.csumStart = s.headroom - 9)],
    ];
    for (const [errno, change] of rows) {
      const skb = partial(make(packet, { frags: [20] }), 4, 8);
      change(skb);
      expect(skbCrc32cCsumHelp(skb)).toBe(errno);
      expect(skb.toBytes()).toEqual(packet);
      skb.kfreeSkb();
    }
  });
});

describe("skb_csum_hwoffload_help", () => {
  const f = (o: Partial<CsumFeatures>): CsumFeatures => ({
    hwCsum: false,
    ipCsum: false,
    ipv6Csum: false,
    sctpCrc: false,
    ...o,
  });
  const tcp4 = (): SkBuff =>
    partial(
      make(eth(0x0800, ipv4(6, tcp(noise(9), pseudo4, "seed"))), { network: 14, transport: 34 }),
      34,
      16,
    );
  const v6 = (next: number, payload: Uint8Array, at: number, offset: number): SkBuff =>
    partial(
      make(eth(0x86dd, ipv6(next, payload)), { network: 14, transport: at, protocol: 0x86dd }),
      at,
      offset,
    );
  const hop = bytes(6, 0, 1, 4, 0, 0, 0, 0);
  const tcp6 = (): SkBuff => v6(6, tcp(noise(9), pseudo6, "seed"), 54, 16);
  const tcp6Hop = (): SkBuff => v6(0, bytes(hop, tcp(noise(9), pseudo6, "seed")), 62, 16);
  const icmpv6 = (): SkBuff => v6(58, bytes(128, 0, be16(0), noise(9)), 54, 2);
  const crc = (): SkBuff => {
    const skb = partial(
      make(eth(0x0800, ipv4(132, sctp(noise(9), 0))), { network: 14, transport: 34 }),
      34,
      8,
    );
    skb.csumNotInet = 1;
    return skb;
  };
  const encapsulated = (skb: SkBuff): SkBuff => {
    skb.encapsulation = 1;
    return skb;
  };
  // a packet stays PARTIAL (the device's turn) or becomes NONE (software)
  const rows: [string, () => SkBuff, Partial<CsumFeatures>, number][] = [
    ["HW_CSUM takes everything", icmpv6, { hwCsum: true }, CHECKSUM_PARTIAL],
    ["HW_CSUM takes extension headers", tcp6Hop, { hwCsum: true }, CHECKSUM_PARTIAL],
    ["IP_CSUM takes TCP", tcp4, { ipCsum: true }, CHECKSUM_PARTIAL],
    ["IPV6_CSUM alone takes IPv4: the family was matched before", tcp4, { ipv6Csum: true }, CHECKSUM_PARTIAL],
    ["IPV6_CSUM takes TCP", tcp6, { ipv6Csum: true }, CHECKSUM_PARTIAL],
    ["IPV6_CSUM does not take ICMPv6 (offset 2)", icmpv6, { ipv6Csum: true }, CHECKSUM_NONE],
    ["IPV6_CSUM does not take extension headers", tcp6Hop, { ipv6Csum: true }, CHECKSUM_NONE],
    ["nothing: software", tcp4, {}, CHECKSUM_NONE],
    ["SCTP on HW_CSUM alone: software CRC", crc, { hwCsum: true }, CHECKSUM_NONE],
    ["SCTP on SCTP_CRC", crc, { sctpCrc: true }, CHECKSUM_PARTIAL],
    [
      "encapsulated, outer header names an extension",
      () => encapsulated(tcp6Hop()),
      { ipv6Csum: true },
      CHECKSUM_NONE,
    ],
    ["start not at +40 in no tunnel", () => v6(17, noise(60), 78, 16), { ipv6Csum: true }, CHECKSUM_NONE],
  ];
  test.each(rows)("%s", (_, build, features, expected) => {
    const skb = build();
    expect(skbCsumHwoffloadHelp(skb, f(features))).toBe(0);
    expect(skb.ipSummed).toBe(expected);
    skb.kfreeSkb();
  });

  test("early kernels: the outer length alone counts, also when encapsulated", () => {
    const inner = (): SkBuff => {
      // IPv6 in IPv6 with a hop-by-hop header inside
      const packet = eth(0x86dd, ipv6(41, ipv6(0, bytes(hop, tcp(noise(9), pseudo6, "seed")))));
      return partial(
        make(packet, {
          network: 14,
          transport: 54,
          innerNetwork: 54,
          innerTransport: 102,
          protocol: 0x86dd,
          innerProtocol: 0x86dd,
        }),
        102,
        16,
      );
    };
    for (const [when, expected] of [
      ["late", CHECKSUM_NONE],
      ["early", CHECKSUM_PARTIAL],
    ] as const) {
      const skb = inner();
      expect(skbCsumHwoffloadHelp(skb, f({ ipv6Csum: true }), when)).toBe(0);
      expect(skb.ipSummed, when).toBe(expected);
      skb.kfreeSkb();
    }
  });

  test("BIG TCP's hop-by-hop header is none for the device, until 7.x", () => {
    const jumbo = bytes(6, 0, 0xc2, 4, 0, 1, 0, 100);
    for (const [exception, expected] of [
      [true, CHECKSUM_PARTIAL],
      [false, CHECKSUM_NONE],
    ] as const) {
      const payload = bytes(jumbo, tcp(noise(65600), pseudo6, "seed"));
      const skb = v6(0, payload, 62, 16);
      expect(skbCsumHwoffloadHelp(skb, f({ ipv6Csum: true }), "late", exception)).toBe(0);
      expect(skb.ipSummed).toBe(expected);
      skb.kfreeSkb();
    }
  });

  test("a software error is passed on", () => {
    const skb = tcp4();
    skb.gsoSize = 100;
    expect(skbCsumHwoffloadHelp(skb, f({}))).toBe(-22);
    skb.kfreeSkb();
  });
});

describe("local checksum offload", () => {
  /** UDP in IPv4 around a whole inner IPv4 TCP packet whose checksum is owed. */
  const tunnel = (n: number): { skb: SkBuff; packet: Uint8Array } => {
    const inner = ipv4(6, tcp(noise(n), pseudo4, "seed"));
    const packet = ipv4(17, udp(inner, pseudo4, 0x1234));
    return { skb: partial(make(packet, { network: 0, transport: 20 }), 48, 16), packet };
  };
  const V4 = [le32(V4_SRC), le32(V4_DST)] as const;

  test("the outer sum is right once the device has filled the inner one in", () => {
    fc.assert(
      fc.property(fc.nat({ max: 120 }), (n) => {
        const { skb } = tunnel(n);
        const lco = lcoCsum(skb);
        skbChecksumHelp(skb);
        expect(sameClass(lco, slowPartial(skb.toBytes().subarray(20)))).toBe(true);
        skb.kfreeSkb();
      }),
    );
  });

  test("udp_set_csum: inner pending: filled now, right on the wire, never 0; still PARTIAL on the inner", () => {
    fc.assert(
      fc.property(fc.nat({ max: 120 }), (n) => {
        const { skb } = tunnel(n);
        const len = skb.len - 20;
        udpSetCsum(false, skb, ...V4, len);
        expect([skb.ipSummed, skb.csumStart - skb.headroom]).toEqual([CHECKSUM_PARTIAL, 48]);
        skbChecksumHelp(skb);
        const wire = skb.toBytes();
        expect(be(skb, 26)).not.toBe(0);
        expect(slowPartial(wire.subarray(20), slowPartial(pseudo4(17, len)))).toBe(0xffff);
        skb.kfreeSkb();
      }),
    );
  });

  test("udp_set_csum: a computed 0 is sent as 0xffff", () => {
    const { skb } = tunnel(20);
    const len = skb.len - 20;
    udpSetCsum(false, skb, ...V4, len);
    // add to the source port what is missing to all ones
    const check = be(skb, 26);
    const port = be(skb, 20) + check;
    memory.view.setUint16(skb.data + 20, (port & 0xffff) + (port >>> 16));
    udpSetCsum(false, skb, ...V4, len);
    expect(be(skb, 26)).toBe(0xffff);
    skb.kfreeSkb();
  });

  test("udp_set_csum: nocheck writes 0; GSO the seed; nothing pending: PARTIAL at the UDP header with the seed", () => {
    const seed = 0xffff - slowChecksum(pseudo4(17, 50));
    const row = (change: (s: SkBuff) => void, nocheck: boolean): [number, number] => {
      const skb = make(ipv4(17, udp(noise(42), pseudo4)), { network: 0, transport: 20 });
      change(skb);
      udpSetCsum(nocheck, skb, ...V4, 50);
      const out: [number, number] = [be(skb, 26), skb.ipSummed];
      if (skb.ipSummed === CHECKSUM_PARTIAL)
        expect([skb.csumStart, skb.csumOffset]).toEqual([skb.headroom + 20, 6]);
      skb.kfreeSkb();
      return out;
    };
    expect(row(() => undefined, true)).toEqual([0, CHECKSUM_NONE]);
    expect(row((s) => (s.gsoSize = 100), false)).toEqual([seed, CHECKSUM_NONE]);
    expect(row(() => undefined, false)).toEqual([seed, CHECKSUM_PARTIAL]);
  });

  test("udp6_set_csum: inner pending, right on the wire", () => {
    const inner = ipv4(6, tcp(noise(31), pseudo4, "seed"));
    const packet = ipv6(17, udp(inner, pseudo6, 0));
    const skb = partial(make(packet, { network: 0, transport: 40, protocol: 0x86dd }), 68, 16);
    udp6SetCsum(false, skb, skb.data + 8, skb.data + 24, packet.length - 40);
    skbChecksumHelp(skb);
    expect(slowPartial(skb.toBytes().subarray(40), slowPartial(pseudo6(17, packet.length - 40)))).toBe(
      0xffff,
    );
    skb.kfreeSkb();
  });

  test("GRE: inner pending: filled, a computed 0 stays 0; else PARTIAL at the GRE header, offset 4", () => {
    const build = (last: number): SkBuff => {
      const inner = ipv4(6, tcp(bytes(noise(12), be16(last)), pseudo4, "seed"));
      const gre = bytes(0x80, 0, 8, 0, 0xde, 0xad, 0, 0, inner);
      return partial(make(ipv4(47, gre), { network: 0, transport: 20 }), 48, 16);
    };
    const skb = build(0);
    greSetCsum(skb);
    skbChecksumHelp(skb);
    expect(slowPartial(skb.toBytes().subarray(20))).toBe(0xffff);
    skb.kfreeSkb();
    // the key field is outside of the inner sum: choose it so that everything sums to ones
    const zero = build(0);
    memory.view.setUint16(zero.data + 24, 0);
    const rest = slowChecksum(
      Uint8Array.from([...zero.toBytes().subarray(20, 48)]),
      ~memory.view.getUint16(zero.data + 48 + 16) & 0xffff,
    );
    memory.view.setUint16(zero.data + 26, rest);
    greSetCsum(zero);
    expect(be(zero, 24)).toBe(0);
    zero.kfreeSkb();
    const none = make(ipv4(47, bytes(0x80, 0, 8, 0, 1, 1, 0, 0)), { network: 0, transport: 20 });
    greSetCsum(none);
    expect([none.ipSummed, none.csumStart, none.csumOffset, be(none, 24)]).toEqual([
      CHECKSUM_PARTIAL,
      none.headroom + 20,
      4,
      0,
    ]);
    none.kfreeSkb();
  });
});

test("gso_make_checksum: transport header up to the known sum, then that sum is the new start", () => {
  const packet = fill(noise(80), 26, new Uint8Array(0), 0);
  const skb = make(packet, { network: 0, transport: 20 });
  const cb = { csum: slowPartial(packet.subarray(40)), csumStart: skb.headroom + 40 };
  expect(gsoMakeChecksum(skb, cb, 0x1234)).toBe(~slowPartial(packet.subarray(20)) & 0xffff);
  expect(cb).toEqual({ csum: 0x1234, csumStart: skb.headroom + 20 });
  skb.kfreeSkb();
});
