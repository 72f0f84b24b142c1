import { hexToBytes } from "@netoffload/internal";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  csumReplace,
  csumReplace2,
  csumReplace4,
  csumReplace16,
  csumReplaceByDiff,
  internetChecksum,
  updateChecksum,
} from "../src/index.ts";
import { slowChecksum } from "./ref/slow.ts";

const swap = (n: number): number => ((n & 0xff) << 8) | (n >>> 8);
const hex = (text: string): Uint8Array => hexToBytes(text.replaceAll(" ", ""))!;

describe("internetChecksum", () => {
  test("the example of RFC 1071 section 3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2", () => {
    expect(internetChecksum(hex("0001 f203 f4f5 f6f7"))).toBe(~0xddf2 & 0xffff);
  });

  test("nothing gives 0xffff, zeros too, ones give 0", () => {
    expect(internetChecksum(new Uint8Array(0))).toBe(0xffff);
    expect(internetChecksum(new Uint8Array(7))).toBe(0xffff);
    expect(internetChecksum(new Uint8Array(8).fill(255))).toBe(0);
  });

  test("any bytes, offset and seed: as the slow sum", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3000 }),
        fc.nat({ max: 80 }),
        fc.integer({ min: 0, max: 0xffffffff }),
        (bytes, skip, seed) => {
          const part = bytes.subarray(skip);
          expect(internetChecksum(part, seed)).toBe(slowChecksum(part, seed));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test.each([65535, 65536, 65537, 131072, 200_001])("%i bytes, in pieces", (length) => {
    const bytes = new Uint8Array(length + 5).subarray(5);
    for (let i = 0; i < length; i++) bytes[i] = (i * 7 + (i >> 8)) & 255;
    expect(internetChecksum(bytes)).toBe(slowChecksum(bytes));
  });

  test("goes on after another range", () => {
    const a = hex("0102 0304");
    const b = hex("05 06 07");
    expect(internetChecksum(b, ~internetChecksum(a) & 0xffff)).toBe(internetChecksum(hex("01020304050607")));
  });
});

describe("updateChecksum", () => {
  test("the example of RFC 1624 section 4: dd2f, 5555 becomes 3285: 0000, not ffff", () => {
    expect(updateChecksum(0xdd2f, hex("5555"), hex("3285"))).toBe(0);
    expect(swap(csumReplace2(swap(0xdd2f), swap(0x5555), swap(0x3285)))).toBe(0);
  });

  test("replaced bytes: as computed anew", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 40, maxLength: 400 }),
        fc.uint8Array({ minLength: 1, maxLength: 16 }),
        fc.nat({ max: 10 }),
        (bytes, now, word) => {
          const check = slowChecksum(bytes);
          const at = word * 2;
          const old = bytes.slice(at, at + now.length);
          bytes.set(now, at);
          const updated = updateChecksum(check, old, now);
          expect(updated).not.toBe(0xffff);
          expect(updated % 0xffff).toBe(slowChecksum(bytes) % 0xffff);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("the kernel's two zeros", () => {
  test("csumReplace2 gives 0xffff for (0xffff, 0xffff, 0) only", () => {
    let others = 0;
    for (let check = 0; check <= 0xffff; check += 0x33)
      for (let from = 0; from <= 0xffff; from += 0xff)
        for (const to of [0, 1, from, 0xffff])
          if (csumReplace2(check, from, to) === 0xffff && !(check === 0xffff && from === 0xffff && to === 0))
            others++;
    expect(others).toBe(0);
    expect(csumReplace2(0xffff, 0xffff, 0)).toBe(0xffff);
  });

  test("an unchanged word turns a stored 0xffff into 0; 0 stays 0", () => {
    expect(csumReplace2(0xffff, 0x1234, 0x1234)).toBe(0);
    expect(csumReplace2(0, 0x1234, 0x1234)).toBe(0);
  });

  test("the others never give 0xffff", () => {
    const words = fc.integer({ min: 0, max: 0xffffffff });
    const edge = fc.constantFrom(0, 1, 0xffff, 0x10000, 0xffff0000, 0xffffffff);
    const word = fc.oneof(words, edge);
    const check = fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0, 0xffff));
    fc.assert(
      fc.property(check, word, word, (c, from, to) => {
        expect(csumReplace4(c, from, to)).not.toBe(0xffff);
        expect(csumReplaceByDiff(c, from)).not.toBe(0xffff);
        expect(csumReplaceByDiff(c, csumReplace(0, from, to)) % 0xffff).toBe(
          csumReplace4(c, from, to) % 0xffff,
        );
      }),
      { numRuns: 5000 },
    );
  });

  test("csumReplace16 on an address: as computed anew", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 64, maxLength: 64 }),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        (bytes, to) => {
          const check = slowChecksum(bytes);
          const from = bytes.slice(16, 32);
          bytes.set(to, 16);
          const updated = swap(csumReplace16(swap(check), from, to));
          expect(updated % 0xffff).toBe(slowChecksum(bytes) % 0xffff);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
