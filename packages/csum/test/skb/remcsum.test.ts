// Remote checksum offload, both ways, and csum_start rebuilt from headers.
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  SKB_GSO_TUNNEL_REMCSUM,
  type SkBuff,
} from "@netoffload/skbuff";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  GUE_PFLAG_REMCSUM,
  gueBuildRemcsum,
  gueRemcsum,
  remcsumAdjust,
  remcsumUnadjust,
  skbChecksumSetup,
  skbRemcsumProcess,
  VXLAN_HF_RCO,
  vxlanBuildRemcsum,
  vxlanRemcsum,
} from "../../src/index.ts";
import { be16, bytes, ipv4, ipv6, noise, pseudo4, pseudo6, tcp, udp } from "../check/build.ts";
import { slowChecksum, slowPartial } from "../ref/slow.ts";
import { make, memory, partial } from "./make.ts";

describe("receive", () => {
  const inner = (n: number, field: "seed" | "right"): Uint8Array => ipv4(6, tcp(noise(n), pseudo4, field));
  const HEADER = 8;
  const packet = (n: number): Uint8Array => bytes(noise(HEADER), inner(n, "seed"));

  test("partial: csum_start and csum_offset from ptr, the bytes stay", () => {
    const skb = make(packet(20));
    skbRemcsumProcess(skb, skb.data + HEADER, 20, 36, false);
    expect([skb.ipSummed, skb.csumStart - skb.headroom, skb.csumOffset]).toEqual([CHECKSUM_PARTIAL, 28, 16]);
    expect(skb.toBytes()).toEqual(packet(20));
    skb.kfreeSkb();
  });

  for (const complete of [false, true])
    test(`nopartial, ${complete ? "COMPLETE" : "nothing known"}: the field is filled in and csum covers it`, () => {
      fc.assert(
        fc.property(fc.nat({ max: 90 }), (n) => {
          const skb = make(packet(n));
          if (complete) {
            skb.ipSummed = CHECKSUM_COMPLETE;
            skb.csum = slowPartial(inner(n, "seed"));
          }
          skbRemcsumProcess(skb, skb.data + HEADER, 20, 36, true);
          const now = skb.toBytes().subarray(HEADER);
          // 0 stays 0 here; both zeros are right
          const want = slowChecksum(bytes(inner(n, "seed").subarray(20)));
          expect((now[36]! << 8) | now[37]!).toBe(want);
          expect(skb.ipSummed).toBe(CHECKSUM_COMPLETE);
          expect(skb.csum % 0xffff).toBe(slowPartial(now) % 0xffff);
          skb.kfreeSkb();
        }),
      );
    });

  test("an adjustment can be taken back", () => {
    const before = inner(33, "seed");
    const skb = make(before);
    const delta = remcsumAdjust(skb, skb.data, slowPartial(before), 20, 36);
    remcsumUnadjust(skb, skb.data + 36, delta);
    const [a, b] = [slowPartial(skb.toBytes()), slowPartial(before)];
    expect(a % 0xffff).toBe(b % 0xffff);
    skb.kfreeSkb();
  });

  test("GUE: start and offset; too short for them: null", () => {
    const at = 12;
    const build = (start: number, offset: number, n: number): SkBuff => {
      const b = new Uint8Array(n);
      b.set([...be16(start), ...be16(offset)].slice(0, Math.max(0, n - at)), Math.min(at, n));
      return make(b, { frags: n > 14 ? [n - 14] : [] });
    };
    // 8 of UDP, 8 of GUE, max(offset + 2, start)
    for (const [start, offset, n, ok] of [
      [20, 36, 54, true],
      [20, 36, 53, false],
      [60, 10, 76, true],
      [60, 10, 75, false],
      [0, 0, 15, false],
    ] as const) {
      const skb = build(start, offset, n);
      expect(gueRemcsum(skb, 8, at)).toEqual(ok ? { start, offset } : null);
      skb.kfreeSkb();
    }
  });

  test("VXLAN: start in words of two, the top bit says UDP", () => {
    expect(vxlanRemcsum(0x08000000, 0x12345685)).toBe(null);
    expect(vxlanRemcsum(0x08000000 | VXLAN_HF_RCO, 0x12345611)).toEqual({ start: 34, offset: 50 });
    expect(vxlanRemcsum(VXLAN_HF_RCO, 0x00000091)).toEqual({ start: 34, offset: 40 });
    expect(VXLAN_HF_RCO).toBe(1 << 21);
    expect(GUE_PFLAG_REMCSUM).toBe(2 ** 31);
  });
});

describe("transmit", () => {
  test("GUE: relative to the end of its header; starts inside it, or nothing owed: -EINVAL", () => {
    const skb = partial(make(noise(80)), 28, 16);
    skb.encapsulation = 1;
    expect(gueBuildRemcsum(skb, 29)).toBe(-22);
    expect(skb.ipSummed).toBe(CHECKSUM_PARTIAL);
    expect(gueBuildRemcsum(skb, 8)).toEqual({ start: 20, offset: 36 });
    expect([skb.ipSummed, skb.encapsulation]).toEqual([CHECKSUM_NONE, 0]);
    expect(gueBuildRemcsum(skb, 8)).toBe(-22);
    skb.kfreeSkb();
    const large = partial(make(noise(80)), 28, 16);
    large.gsoSize = 10;
    gueBuildRemcsum(large, 8);
    expect([large.ipSummed, large.gsoType]).toEqual([CHECKSUM_PARTIAL, SKB_GSO_TUNNEL_REMCSUM]);
    large.kfreeSkb();
  });

  test("VXLAN: only even starts up to 254, TCP or UDP", () => {
    for (const [start, offset, byte] of [
      [34, 16, 17],
      [34, 6, 17 | 0x80],
      [254, 16, 127],
      [256, 16, -1],
      [33, 16, -1],
      [34, 2, -1],
    ] as const) {
      const skb = partial(make(noise(400)), start, offset);
      expect(vxlanBuildRemcsum(skb)).toBe(byte);
      expect(skb.ipSummed).toBe(byte < 0 ? CHECKSUM_PARTIAL : CHECKSUM_NONE);
      if (byte >= 0) expect(vxlanRemcsum(VXLAN_HF_RCO, byte)).toEqual({ start, offset: start + offset });
      skb.kfreeSkb();
    }
  });
});

describe("skb_checksum_setup", () => {
  const hop = (next: number): number[] => [next, 0, 1, 4, 0, 0, 0, 0];
  const rows: [string, Uint8Array, number, number[]?][] = [
    ["TCP over IPv4", ipv4(6, tcp(noise(9), pseudo4)), 0, [20, 16]],
    ["UDP over IPv4 with options", ipv4(17, udp(noise(9), pseudo4), { options: [1, 1, 1, 0] }), 0, [24, 6]],
    ["TCP over IPv6", ipv6(6, tcp(noise(9), pseudo6)), 0, [40, 16]],
    ["behind a hop-by-hop header", ipv6(0, bytes(hop(6), tcp(noise(9), pseudo6))), 0, [48, 16]],
    [
      "behind an authentication header",
      ipv6(51, bytes([17, 1, ...new Array<number>(10).fill(0)], udp(noise(9), pseudo6))),
      0,
      [52, 6],
    ],
    ["an atomic fragment", ipv6(44, bytes([6, 0, 0, 0, 0, 0, 0, 1], tcp(noise(9), pseudo6))), 0, [48, 16]],
    ["a fragment over IPv6", ipv6(44, bytes([6, 0, 0, 1, 0, 0, 0, 1], tcp(noise(9), pseudo6))), -71],
    ["a fragment over IPv4", ipv4(6, tcp(noise(9), pseudo4), { frag: 0x2000 }), -71],
    ["ICMP", ipv4(1, noise(20)), -71],
    ["TCP cut short", ipv4(6, noise(19)), -71],
    ["IPv4 cut short", noise(19), -71],
    ["headers that run beyond the payload length", ipv6(0, bytes(hop(60), hop(6)), { len: 7 }), -71],
  ];
  test.each(rows)("%s", (_, packet, errno, found) => {
    for (const linear of [packet.length, 1]) {
      const six = packet[0]! >> 4 === 6;
      const skb = make(packet, {
        network: 0,
        protocol: six ? 0x86dd : 0x0800,
        frags: linear === 1 ? [packet.length - 1] : [],
      });
      expect(skbChecksumSetup(skb, true)).toBe(errno);
      if (found) {
        expect([skb.csumStart - skb.headroom, skb.csumOffset, skb.transportHeader]).toEqual([
          ...found,
          skb.csumStart,
        ]);
        const seed = memory.view.getUint16(skb.data + found[0]! + found[1]!, false);
        const proto = found[1] === 16 ? 6 : 17;
        const len = packet.length - found[0]!;
        expect(seed).toBe(0xffff - slowChecksum(six ? pseudo6(proto, len) : pseudo4(proto, len)));
      }
      skb.kfreeSkb();
    }
  });

  test("another protocol: -EPROTO", () => {
    const skb = make(noise(60), { protocol: 0x0806 });
    expect(skbChecksumSetup(skb, false)).toBe(-71);
    skb.kfreeSkb();
  });
});
