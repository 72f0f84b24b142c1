import { CHECKSUM_COMPLETE, CHECKSUM_NONE, CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY } from "@netoffload/skbuff";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  __skbGrowRcsum,
  __skbTrimRcsum,
  CsumError,
  pskbTrimRcsum,
  skbChecksumTrimmed,
  skbCsumAddTrailing,
  skbForwardCsum,
  skbPullRcsum,
  skbPushRcsum,
  skbVlanUntag,
} from "../../src/index.ts";
import { noise } from "../check/build.ts";
import { sameClass, slowPartial } from "../ref/slow.ts";
import { laidOut, make, memory, partial, RUNS } from "./make.ts";

describe("COMPLETE stays the sum of the packet", () => {
  test("any sequence of even pulls and pushes, and trims anywhere", () => {
    const step = fc.record({ op: fc.constantFrom("pull", "push", "trim"), n: fc.nat({ max: 60 }) });
    fc.assert(
      fc.property(laidOut, fc.array(step, { maxLength: 8 }), (p, steps) => {
        const skb = make(p.bytes, p);
        skb.ipSummed = CHECKSUM_COMPLETE;
        skb.csum = slowPartial(p.bytes);
        for (const { op, n } of steps) {
          const even = n & ~1;
          if (op === "pull" && even <= skb.headlen) skbPullRcsum(skb, even);
          else if (op === "push" && even <= skb.headroom) skbPushRcsum(skb, even);
          else if (op === "trim") expect(pskbTrimRcsum(skb, n)).toBe(0);
          expect(skb.ipSummed).toBe(CHECKSUM_COMPLETE);
          // taking everything out leaves the other zero: end-around addition never gives 0
          expect(skb.csum % 0xffff).toBe(slowPartial(skb.toBytes()) % 0xffff);
        }
        skb.kfreeSkb();
      }),
      RUNS,
    );
  });

  test("an odd pull leaves it in the old byte phase", () => {
    const skb = make(Uint8Array.of(0x11, 0x22, 0x33));
    skb.ipSummed = CHECKSUM_COMPLETE;
    skb.csum = slowPartial(skb.toBytes());
    skbPullRcsum(skb, 1);
    // 22 and 33 as they lay before: high byte, low byte
    expect(sameClass(skb.csum, 0x2233)).toBe(true);
    skb.kfreeSkb();
  });

  test("padding and a frame check sequence behind what the device covered are added", () => {
    fc.assert(
      fc.property(laidOut, fc.nat({ max: 400 }), (p, cut) => {
        const covered = Math.min(cut, p.bytes.length);
        const skb = make(p.bytes, p);
        skb.ipSummed = CHECKSUM_COMPLETE;
        skb.csum = slowPartial(p.bytes.subarray(0, covered));
        skbCsumAddTrailing(skb, covered);
        expect(sameClass(skb.csum, slowPartial(p.bytes))).toBe(true);
        skb.kfreeSkb();
      }),
    );
  });

  test("a VLAN tag comes out", () => {
    for (const inner of [0x0800, 0x0040]) {
      const frame = Uint8Array.from([
        ...noise(12),
        0x81,
        0,
        0xa0,
        5,
        inner >> 8,
        inner & 255,
        ...noise(50, 3),
      ]);
      const skb = make(frame, { protocol: 0x8100 });
      skb.skbPull(14);
      skb.ipSummed = CHECKSUM_COMPLETE;
      skb.csum = slowPartial(frame.subarray(14));
      expect(skbVlanUntag(skb)).toBe(true);
      expect([skb.vlanProto, skb.vlanTci]).toEqual([0x8100, 0xa005]);
      expect(skb.protocol).toBe(inner === 0x0800 ? 0x0800 : 4);
      expect(sameClass(skb.csum, slowPartial(frame.subarray(18)))).toBe(true);
      expect(skb.toBytes()).toEqual(frame.slice(18));
      expect(memory.bytes.slice(skb.head + skb.macHeader, skb.head + skb.macHeader + 12)).toEqual(
        frame.slice(0, 12),
      );
      skb.kfreeSkb();
    }
  });

  test("a VLAN tag that is cut short stays", () => {
    const skb = make(Uint8Array.from([...noise(12), 0x81, 0, 0, 5, 8]), { protocol: 0x8100 });
    skb.skbPull(14);
    expect(skbVlanUntag(skb)).toBe(false);
    expect(skb.vlanProto).toBe(0);
    skb.kfreeSkb();
  });
});

describe("PARTIAL", () => {
  test("a pull beyond csum_start makes it NONE; up to it, not", () => {
    const skb = partial(make(noise(40)), 10, 6);
    skbPullRcsum(skb, 10);
    expect(skb.ipSummed).toBe(CHECKSUM_PARTIAL);
    skbPullRcsum(skb, 2);
    expect(skb.ipSummed).toBe(CHECKSUM_NONE);
    skb.kfreeSkb();
  });

  // checksumStartOffset + csum_offset + 2 > min(n, headlen), unsigned: -EINVAL and nothing is trimmed
  const rows: [string, number, number, number, number, number, number][] = [
    ["the field just fits", 10, 6, 40, 18, 0, 18],
    ["the field would be cut", 10, 6, 40, 17, -22, 40],
    ["the field is beyond the linear part", 10, 6, 17, 30, -22, 40],
    ["nothing to trim is not looked at", 30, 16, 40, 40, 0, 40],
  ];
  test.each(rows)("%s", (_, start, offset, linear, n, ret, len) => {
    const skb = partial(make(noise(40), { frags: linear < 40 ? [40 - linear] : [] }), start, offset);
    expect(pskbTrimRcsum(skb, n)).toBe(ret);
    expect([skb.len, skb.ipSummed]).toEqual([len, CHECKSUM_PARTIAL]);
    skb.kfreeSkb();
  });

  test("a start before data is huge: -EINVAL", () => {
    const skb = partial(make(noise(40)), 2, 6);
    skb.skbPull(20);
    expect(pskbTrimRcsum(skb, 10)).toBe(-22);
    expect(skb.len).toBe(20);
    skb.kfreeSkb();
  });
});

test("frags that cannot be read: beyond the linear part -EFAULT, otherwise COMPLETE is given up", () => {
  const skb = make(noise(40), { frags: [20] });
  skb.unreadable = 1;
  skb.ipSummed = CHECKSUM_COMPLETE;
  expect(pskbTrimRcsum(skb, 25)).toBe(-14);
  expect([skb.len, skb.ipSummed]).toEqual([40, CHECKSUM_COMPLETE]);
  expect(pskbTrimRcsum(skb, 15)).toBe(0);
  expect([skb.len, skb.ipSummed]).toEqual([15, CHECKSUM_NONE]);
  skb.kfreeSkb();
});

test("the linear-only variants and forwarding give COMPLETE up, nothing else", () => {
  for (const [change, len] of [
    [(s) => __skbTrimRcsum(s, 5), 5],
    [(s) => __skbGrowRcsum(s, 30), 30],
    [(s) => skbForwardCsum(s), 20],
  ] as [(s: ReturnType<typeof make>) => void, number][])
    for (const state of [CHECKSUM_NONE, CHECKSUM_UNNECESSARY, CHECKSUM_COMPLETE, CHECKSUM_PARTIAL]) {
      const skb = make(noise(20));
      skb.ipSummed = state;
      change(skb);
      expect([skb.len, skb.ipSummed]).toEqual([len, state === CHECKSUM_COMPLETE ? CHECKSUM_NONE : state]);
      skb.kfreeSkb();
    }
});

test("pulling more than the packet stops, as the kernel does", () => {
  const skb = make(noise(4));
  expect(() => skbPullRcsum(skb, 5)).toThrow(CsumError);
  skb.kfreeSkb();
});

describe("skbChecksumTrimmed", () => {
  const check = (want: Uint8Array) => (skb: ReturnType<typeof make>) =>
    Buffer.compare(skb.toBytes(), want) === 0 ? 0 : 1;
  test("too short; exact: the skb itself; longer: a clone without the rest; wrong: null", () => {
    const bytes = noise(30);
    const skb = make(bytes, { transport: 8 });
    expect(skbChecksumTrimmed(skb, 23, check(bytes))).toBe(null);
    expect(skbChecksumTrimmed(skb, 22, check(bytes.slice(8)))).toBe(skb);
    expect(skbChecksumTrimmed(skb, 22, () => 1)).toBe(null);
    const trimmed = skbChecksumTrimmed(skb, 12, check(bytes.slice(8, 20)))!;
    expect(trimmed.address).not.toBe(skb.address);
    expect([trimmed.toBytes(), skb.toBytes()]).toEqual([bytes.slice(0, 20), bytes]);
    trimmed.kfreeSkb();
    expect(skbChecksumTrimmed(skb, 12, () => 1)).toBe(null);
    expect(skb.users).toBe(1);
    skb.kfreeSkb();
  });
});
