import zlib from "node:zlib";
import { expect, it } from "vitest";
import { crc32 } from "../../src/decompress/crc32.ts";
import { Xxh64 } from "../../src/decompress/xxh64.ts";
import { ascii, counting } from "../build.ts";

it("CRC-32: the check value of the catalogue, and zlib over all short lengths and starts", () => {
  expect(crc32(0, ascii("123456789"), 0, 9)).toBe(0xcbf43926);
  const bytes = Uint8Array.from({ length: 400 }, (_, i) => (i * 131 + 7) & 255);
  for (let start = 0; start < 9; start++)
    for (let end = start; end < bytes.length; end++) {
      const whole = crc32(0, bytes, start, end);
      // the trailer of a gzip member is zlib's own value
      if (end % 37 === 0)
        expect(whole).toBe(
          zlib.gzipSync(bytes.subarray(start, end)).readUInt32LE(-8 + gzipLength(bytes, start, end)),
        );
      const middle = start + ((end - start) >> 1);
      expect(crc32(crc32(0, bytes, start, middle), bytes, middle, end)).toBe(whole);
    }
});

const gzipLength = (bytes: Uint8Array, start: number, end: number): number =>
  zlib.gzipSync(bytes.subarray(start, end)).length;

/** XXH64 as its description has it, in bigint. */
function slowXxh64(bytes: Uint8Array): bigint {
  const M = (1n << 64n) - 1n;
  const [p1, p2, p3, p4, p5] = [
    0x9e3779b185ebca87n,
    0xc2b2ae3d27d4eb4fn,
    0x165667b19e3779f9n,
    0x85ebca77c2b2ae63n,
    0x27d4eb2f165667c5n,
  ];
  const rotl = (x: bigint, r: bigint): bigint => ((x << r) | (x >> (64n - r))) & M;
  const read = (at: number, n: number): bigint => {
    let v = 0n;
    for (let i = n - 1; i >= 0; i--) v = (v << 8n) | BigInt(bytes[at + i]!);
    return v;
  };
  const round = (acc: bigint, lane: bigint): bigint => (rotl((acc + lane * p2) & M, 31n) * p1) & M;
  let at = 0;
  let h: bigint;
  if (bytes.length >= 32) {
    const acc = [(p1 + p2) & M, p2, 0n, -p1 & M];
    for (; at + 32 <= bytes.length; at += 32)
      for (let i = 0; i < 4; i++) acc[i] = round(acc[i]!, read(at + 8 * i, 8));
    h = (rotl(acc[0]!, 1n) + rotl(acc[1]!, 7n) + rotl(acc[2]!, 12n) + rotl(acc[3]!, 18n)) & M;
    for (const a of acc) h = ((h ^ round(0n, a)) * p1 + p4) & M;
  } else h = p5;
  h = (h + BigInt(bytes.length)) & M;
  for (; at + 8 <= bytes.length; at += 8) h = (rotl(h ^ round(0n, read(at, 8)), 27n) * p1 + p4) & M;
  if (at + 4 <= bytes.length) {
    h = (rotl(h ^ ((read(at, 4) * p1) & M), 23n) * p2 + p3) & M;
    at += 4;
  }
  for (; at < bytes.length; at++) h = (rotl(h ^ ((read(at, 1) * p5) & M), 11n) * p1) & M;
  h = ((h ^ (h >> 33n)) * p2) & M;
  h = ((h ^ (h >> 29n)) * p3) & M;
  return h ^ (h >> 32n);
}

it("XXH64: known values, and the slow one over lengths 0..300, in pieces", () => {
  expect(slowXxh64(new Uint8Array(0))).toBe(0xef46db3751d8e999n); // the published value of the empty string
  const bytes = Uint8Array.from(counting(300), (b) => (b * 197 + 3) & 255);
  const hash = new Xxh64();
  for (let n = 0; n <= 300; n++) {
    hash.reset();
    for (let at = 0; at < n; ) {
      const next = Math.min(n, at + 1 + ((at * 7 + n) % 45));
      hash.update(bytes, at, next);
      at = next;
    }
    expect(hash.digestLow()).toBe(Number(slowXxh64(bytes.subarray(0, n)) & 0xffffffffn));
  }
});
