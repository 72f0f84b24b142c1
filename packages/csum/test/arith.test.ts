import { Memory } from "@netoffload/skbuff";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  csum16Add,
  csum16Sub,
  csumAdd,
  csumBlockAdd,
  csumBlockSub,
  csumFold,
  csumFrom32to16,
  csumPartial,
  csumShift,
  csumSub,
  csumUnfold,
} from "../src/index.ts";
import { sameClass, slowPartial } from "./ref/slow.ts";

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const bytes = fc.uint8Array({ maxLength: 400 });

describe.each([
  ["simd", false],
  ["scalar", true],
] as const)("csumPartial, %s", (_name, scalar) => {
  const memory = Memory.create({ bytes: 2 << 20, scalar });
  const at = memory.alloc(70_000);

  test("every length to 300 at every alignment equals the slow sum", () => {
    for (let align = 0; align < 16; align++)
      for (let len = 0; len <= 300; len++) {
        const range = memory.bytes.subarray(at + align, at + align + len);
        for (let i = 0; i < len; i++) range[i] = (i * 167 + len * 31 + align) & 255;
        const seed = (len * 0x01234567) >>> 0;
        expect(csumPartial(memory, at + align, len, seed)).toBe(slowPartial(range, seed));
      }
  });

  test.each([1460, 9000, 65535])("%i bytes: zeros, ones, noise", (len) => {
    for (const fill of [0, 0xff, -1]) {
      const range = memory.bytes.subarray(at + 3, at + 3 + len);
      if (fill < 0) for (let i = 0; i < len; i++) range[i] = (i * i * 31 + i) & 255;
      else range.fill(fill);
      expect(csumPartial(memory, at + 3, len)).toBe(slowPartial(range));
    }
  });

  test("a length of 0 or less gives the seed", () => {
    expect(csumPartial(memory, at, 0, 0xfffffffe)).toBe(0xfffffffe);
    expect(csumPartial(memory, at, -1, 5)).toBe(5);
  });
});

test.each([
  [0, 0xffff],
  [0xffffffff, 0],
  [0xffff, 0],
  [0x1fffe, 0],
  [0xfffe0001, 0],
  [1, 0xfffe],
  [0x10000, 0xfffe],
])("csumFold(%i) is %i", (sum, check) => {
  expect(csumFold(sum)).toBe(check);
  expect(csumFrom32to16(sum)).toBe(0xffff - check);
});

test("end-around addition never turns a non-zero operand into 0", () => {
  fc.assert(
    fc.property(u32, u32, (a, b) => {
      const sum = csumAdd(a, b);
      expect(sum === 0).toBe(a === 0 && b === 0);
      expect(sameClass(sum, a + b)).toBe(true);
      const folded = csum16Add(a & 0xffff, b & 0xffff);
      expect(folded).toBe(csumFrom32to16((a & 0xffff) + (b & 0xffff)));
    }),
    { numRuns: 2000 },
  );
});

test("subtraction takes back what was added", () => {
  fc.assert(
    fc.property(u32, u32, (a, b) => {
      expect(csumFold(csumSub(csumAdd(a, b), b)) % 0xffff).toBe(csumFold(a) % 0xffff);
      const a16 = a & 0xffff;
      const b16 = b & 0xffff;
      expect(csum16Sub(csum16Add(a16, b16), b16) % 0xffff).toBe(a16 % 0xffff);
    }),
    { numRuns: 2000 },
  );
});

test("csumShift rotates by 8 at odd offsets only", () => {
  expect(csumShift(0x11223344, 1)).toBe(0x44112233);
  expect(csumShift(0x11223344, 2)).toBe(0x11223344);
  expect(csumUnfold(0x1abcd)).toBe(0xabcd);
});

test("split anywhere and block-add the parts", () => {
  const memory = Memory.create({ bytes: 2 << 20 });
  const at = memory.alloc(1024);
  fc.assert(
    fc.property(bytes, fc.nat(), u32, (data, cut, seed) => {
      const split = cut % (data.length + 1);
      memory.bytes.set(data, at);
      const whole = csumPartial(memory, at, data.length, seed);
      const head = csumPartial(memory, at, split, seed);
      const tail = csumPartial(memory, at + split, data.length - split);
      expect(csumFold(csumBlockAdd(head, tail, split))).toBe(csumFold(whole));
      expect(csumFold(csumBlockSub(whole, tail, split)) % 0xffff).toBe(csumFold(head) % 0xffff);
    }),
    { numRuns: 1000 },
  );
});
