import { CHECKSUM_COMPLETE, CHECKSUM_NONE, CHECKSUM_PARTIAL, type SkBuff } from "@netoffload/skbuff";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  csumReplace4,
  inetProtoCsumReplace2,
  inetProtoCsumReplace4,
  inetProtoCsumReplace16,
  inetProtoCsumReplaceByDiff,
} from "../../src/index.ts";
import { ipv4, ipv6, noise, pseudo4, pseudo6, tcp } from "../check/build.ts";
import { sameClass, slowChecksum, slowPartial } from "../ref/slow.ts";
import { make, memory } from "./make.ts";

const address4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
const address6 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const le32 = (b: Uint8Array): number => new DataView(b.buffer, b.byteOffset).getUint32(0, true);
const field16 = (skb: SkBuff, off: number): number => memory.view.getUint16(skb.data + off, true);

/** The TCP checksum of an IPv4 packet as it should be now, read little endian. */
function right4(packet: Uint8Array): number {
  const segment = packet.slice(20);
  segment[16] = segment[17] = 0;
  const pseudo = pseudo4(6, segment.length, [...packet.subarray(12, 16)], [...packet.subarray(16, 20)]);
  const check = slowChecksum(segment, 0xffff - slowChecksum(pseudo));
  return (check >> 8) | ((check & 255) << 8);
}

describe("an IPv4 address is rewritten", () => {
  test("NONE: as computed anew; COMPLETE: csum stays the sum of the packet once the header is right too", () => {
    fc.assert(
      fc.property(address4, fc.nat({ max: 90 }), (to, n) => {
        const packet = ipv4(6, tcp(noise(n), pseudo4));
        const skb = make(packet, { network: 0 });
        skb.ipSummed = CHECKSUM_COMPLETE;
        skb.csum = slowPartial(packet);
        const from = packet.slice(12, 16);
        inetProtoCsumReplace4(skb, skb.data + 36, le32(from), le32(to), true);
        const { view } = memory;
        view.setUint16(
          skb.data + 10,
          csumReplace4(view.getUint16(skb.data + 10, true), le32(from), le32(to)),
          true,
        );
        memory.bytes.set(to, skb.data + 12);
        const now = skb.toBytes();
        expect(field16(skb, 36) % 0xffff).toBe(right4(now) % 0xffff);
        expect(sameClass(skb.csum, slowPartial(now))).toBe(true);
        skb.kfreeSkb();
      }),
    );
  });

  test("PARTIAL: the seed follows, uncomplemented; what is no pseudo header leaves it alone", () => {
    fc.assert(
      fc.property(address4, (to) => {
        const packet = ipv4(6, tcp(noise(10), pseudo4, "seed"));
        const skb = make(packet, { network: 0 });
        skb.ipSummed = CHECKSUM_PARTIAL;
        const before = field16(skb, 36);
        inetProtoCsumReplace4(skb, skb.data + 36, 1, 2, false);
        inetProtoCsumReplace2(skb, skb.data + 36, 3, 4, false);
        expect(field16(skb, 36)).toBe(before);
        inetProtoCsumReplace4(skb, skb.data + 36, le32(packet.slice(12, 16)), le32(to), true);
        expect(field16(skb, 36) % 0xffff).toBe(slowPartial(pseudo4(6, 30, [...to])) % 0xffff);
        skb.kfreeSkb();
      }),
    );
  });
});

describe("a port is rewritten", () => {
  test("NONE and COMPLETE: as computed anew, csum stays (the two changes cancel)", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), (to) => {
        const packet = ipv4(6, tcp(noise(17), pseudo4));
        const skb = make(packet, { network: 0 });
        skb.ipSummed = CHECKSUM_COMPLETE;
        skb.csum = slowPartial(packet);
        inetProtoCsumReplace2(skb, skb.data + 36, field16(skb, 20), to, false);
        memory.view.setUint16(skb.data + 20, to, true);
        expect(field16(skb, 36) % 0xffff).toBe(right4(skb.toBytes()) % 0xffff);
        expect(sameClass(skb.csum, slowPartial(skb.toBytes()))).toBe(true);
        skb.kfreeSkb();
      }),
    );
  });
});

describe("an IPv6 address is rewritten", () => {
  for (const byDiff of [false, true])
    test(`${byDiff ? "by its difference" : "by its words"}: as computed anew, csum is not touched`, () => {
      fc.assert(
        fc.property(address6, fc.boolean(), (to, seeded) => {
          const packet = ipv6(6, tcp(noise(24), pseudo6, seeded ? "seed" : "right"));
          const skb = make(packet, { network: 0, protocol: 0x86dd });
          skb.ipSummed = seeded ? CHECKSUM_PARTIAL : CHECKSUM_COMPLETE;
          const csum = slowPartial(packet);
          skb.csum = csum;
          const scratch = memory.alloc(32);
          memory.bytes.set(to, scratch);
          const from = skb.data + 8;
          const diff = slowPartial(
            Uint8Array.from([...packet.subarray(8, 24)].map((b) => 255 - b).concat([...to])),
          );
          if (byDiff) inetProtoCsumReplaceByDiff(skb, skb.data + 56, diff, true, true);
          else inetProtoCsumReplace16(skb, skb.data + 56, from, scratch, true);
          memory.bytes.set(to, from);
          const pseudo = pseudo6(6, 44, [...to]);
          const segment = packet.slice(40);
          segment[16] = segment[17] = 0;
          const right = seeded
            ? 0xffff - slowChecksum(pseudo)
            : slowChecksum(segment, 0xffff - slowChecksum(pseudo));
          expect(field16(skb, 56) % 0xffff).toBe(((right >> 8) | ((right & 255) << 8)) % 0xffff);
          expect(skb.csum).toBe(csum);
          memory.free(scratch);
          skb.kfreeSkb();
        }),
      );
    });

  test("by difference with ipv6 false (an IPv4 address): csum = ~csum_sub(diff, csum)", () => {
    const skb = make(new Uint8Array(8));
    skb.ipSummed = CHECKSUM_COMPLETE;
    skb.csum = 0x1000;
    // csum_sub(0x30, 0x1000) = 0x30 + 0xffffefff
    inetProtoCsumReplaceByDiff(skb, skb.data, 0x30, true, false);
    expect(skb.csum).toBe(~(0x30 + 0xffffefff) >>> 0);
    skb.ipSummed = CHECKSUM_NONE;
    skb.csum = 5;
    inetProtoCsumReplaceByDiff(skb, skb.data, 0x30, true, false);
    expect(skb.csum).toBe(5);
    skb.kfreeSkb();
  });
});
