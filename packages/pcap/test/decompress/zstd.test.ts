import { hexToBytes } from "@netoffload/internal";
import { describe, expect, it } from "vitest";
import { ZstdDecoder } from "../../src/decompress/zstd.ts";
import { ascii, concat } from "../build.ts";
import vectors from "../vectors/zstd.json" with { type: "json" };
import { decodeAll } from "./decode-all.ts";

const unzstd = (
  packed: Uint8Array,
  inputs: readonly number[] = [1 << 20],
  outputs: readonly number[] = [1 << 20],
) => decodeAll(new ZstdDecoder(), packed, inputs, outputs);

const bytes = (hex: string): Uint8Array => hexToBytes(hex)!;
const text = vectors.cases.find((c) => c.name === "text, strongest")!;

describe("recorded frames", () => {
  for (const { name, plain, packed } of vectors.cases)
    it(name, () => {
      for (const split of [[1], [7], [1 << 20]])
        for (const room of [[1], [100], [1 << 20]]) {
          const got = unzstd(bytes(packed), split, room);
          expect(got.fault).toBeNull();
          expect(Buffer.from(got.plain).toString("hex")).toBe(plain);
        }
    });
});

describe("damage", () => {
  it("cut anywhere: whole blocks, then TRUNCATED_ZSTD", () => {
    const packed = bytes(text.packed);
    for (let cut = 1; cut < packed.length; cut++) {
      const got = unzstd(packed.subarray(0, cut));
      expect(got.fault).toMatchObject({ code: "TRUNCATED_ZSTD", at: cut });
    }
  });

  it("one byte changed: a fault, with the frame's checksum at the latest", () => {
    for (const name of [
      "text, default, size known",
      "random bytes: a raw block",
      "a long run: an RLE block",
    ]) {
      const { plain, packed } = vectors.cases.find((c) => c.name === name)!;
      const good = bytes(packed);
      for (let at = 0; at < good.length; at++)
        for (const by of [1, 0x10, 0xff]) {
          const damaged = good.slice();
          damaged[at]! ^= by;
          const got = unzstd(damaged);
          // a wider window or a bit nobody reads may mean the same bytes
          if (got.fault === null) expect(Buffer.from(got.plain).toString("hex")).toBe(plain);
          else expect(got.fault.code).toMatch(/ZSTD|TRAILING_GARBAGE/);
        }
    }
  });

  const frame = (rest: string): Uint8Array => bytes(`28b52ffd${rest}`);
  const rows: [string, Uint8Array, string, number][] = [
    ["a dictionary", frame("010c01010000"), "ZSTD_DICTIONARY", 0],
    ["a reserved bit", frame("080c010000"), "BAD_ZSTD", 0],
    ["a window of 256 MiB", frame("0090010000"), "ZSTD_WINDOW", 0],
    ["a single segment of 2^40 bytes", frame("e00000000000010000010000"), "ZSTD_WINDOW", 0],
    ["a block of type 3", frame("0000070000"), "BAD_ZSTD", 6],
    ["a block of 2 MiB", frame("0000f9ffff"), "BAD_ZSTD", 6],
    ["less than the frame header says", frame("2005010000"), "BAD_ZSTD", 0],
    ["a second frame that is none", concat(frame("0000010000"), ascii("nope")), "TRAILING_GARBAGE", 9],
    ["two bytes after the frame", concat(frame("0000010000"), ascii("no")), "TRAILING_GARBAGE", 9],
    ["half a skippable frame", bytes("502a4d18ff000000aabb"), "TRUNCATED_ZSTD", 10],
  ];
  it.each(rows)("%s", (_name, packed, code, at) => {
    for (const split of [[1], [1000]]) expect(unzstd(packed, split).fault).toMatchObject({ code, at });
  });

  it("a wrong checksum, after the bytes", () => {
    const damaged = bytes(text.packed);
    damaged[damaged.length - 1]! ^= 1;
    const got = unzstd(concat(bytes(text.packed), damaged));
    expect(got.fault).toMatchObject({ code: "ZSTD_CHECKSUM", at: damaged.length });
    expect(Buffer.from(got.plain).toString("hex")).toBe(text.plain + text.plain);
  });
});
