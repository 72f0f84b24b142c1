import fc from "fast-check";
import { expect, test } from "vitest";
import { CsumError, csumFold, skbChecksum, skbCopyAndCsumBits, skbCrc32c } from "../../src/index.ts";
import { sameClass, slowCrc32c, slowPartial } from "../ref/slow.ts";
import { laidOut, make, memory, RUNS } from "./make.ts";

const at = fc.nat({ max: 500 });

test("any range of any layout sums as its bytes do, in phase 0", () => {
  fc.assert(
    fc.property(laidOut, at, at, fc.integer({ min: 0, max: 0xffffffff }), (p, a, b, seed) => {
      const off = a % (p.bytes.length + 1);
      const len = b % (p.bytes.length - off + 1);
      const skb = make(p.bytes, p);
      const range = p.bytes.subarray(off, off + len);
      const seeded = slowPartial(range, (seed & 0xffff) + (seed >>> 16));
      expect(sameClass(skbChecksum(skb, off, len, seed), seeded)).toBe(true);
      expect(~skbCrc32c(skb, off, len, 0xffffffff) >>> 0).toBe(slowCrc32c(range));
      const to = memory.alloc(512);
      expect(sameClass(skbCopyAndCsumBits(skb, off, to, len), slowPartial(range))).toBe(true);
      expect(memory.bytes.slice(to, to + len)).toEqual(range);
      memory.free(to);
      skb.kfreeSkb();
    }),
    RUNS,
  );
});

test("list members with frags of their own: recursively", () => {
  const bytes = Uint8Array.from({ length: 61 }, (_, i) => i * 7 + 3);
  const skb = make(bytes.subarray(0, 11), { frags: [4] });
  const member = make(bytes.subarray(11, 40), { frags: [5, 6], fragList: [3] });
  const last = make(bytes.subarray(40), { frags: [20] });
  memory.kernel.skbAddFragList(skb.address, member.address);
  memory.kernel.skbAddFragList(skb.address, last.address);
  for (let off = 0; off <= 61; off++)
    for (let len = 0; off + len <= 61; len++)
      expect(sameClass(skbChecksum(skb, off, len, 0), slowPartial(bytes.subarray(off, off + len)))).toBe(
        true,
      );
  skb.kfreeSkb();
});

test("a range that begins before data reads the headroom", () => {
  const skb = make(Uint8Array.of(9, 9, 1, 2, 3));
  skb.skbPull(2);
  expect(csumFold(skbChecksum(skb, -2, 4, 0))).toBe(~(0x0909 + 0x0201) & 0xffff);
  skb.kfreeSkb();
});

test("frags that cannot be read give 0, zeros in a copy; the linear part alone still sums", () => {
  const skb = make(Uint8Array.of(1, 0, 1, 0, 1, 0), { frags: [2] });
  skb.unreadable = 1;
  expect(skbChecksum(skb, 0, 6, 5)).toBe(0);
  expect(skbCrc32c(skb, 0, 6, 5)).toBe(0);
  expect(skbChecksum(skb, 0, 4, 5)).toBe(7);
  const to = memory.alloc(8);
  memory.bytes.fill(0xa5, to, to + 8);
  expect(skbCopyAndCsumBits(skb, 0, to, 6)).toBe(0);
  expect([...memory.bytes.subarray(to, to + 8)]).toEqual([1, 0, 1, 0, 0, 0, 0xa5, 0xa5]);
  memory.free(to);
  skb.kfreeSkb();
});

test("beyond the packet: the kernel stops, we throw; no bytes give the seed", () => {
  const skb = make(Uint8Array.of(1, 2, 3));
  expect(() => skbChecksum(skb, 1, 3, 0)).toThrow(CsumError);
  expect(() => skbCrc32c(skb, 4, 1, 0)).toThrow(CsumError);
  expect(skbChecksum(skb, 1, 0, 77)).toBe(77);
  expect(skbChecksum(skb, 9, -1, 77)).toBe(77);
  skb.kfreeSkb();
});
