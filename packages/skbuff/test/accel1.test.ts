import { HEAP_BASE, Memory, STATIC_BASE, simdSupported } from "@netoffload/skbuff";
import { describe, expect, it } from "vitest";
import { Random, seed } from "./ref/random.ts";
import { slowCrc32c, slowCsum, slowSiphash, slowToeplitz } from "./ref/units.ts";

const LENGTHS = [...Array.from({ length: 301 }, (_, i) => i), 1460, 9000, 65_535];
const ALIGNMENTS = Array.from({ length: 16 }, (_, i) => i);
const SUMS = [0, 1, 0xfffe, 0xffff, 0x1_0000, 0x8000_0000, 0xffff_0000, 0xffff_ffff];

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const ascending = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => i & 255);

/** Random bytes, all zero, all one. */
function contents(random: Random, n: number): Uint8Array[] {
  return [random.bytes(n), new Uint8Array(n), new Uint8Array(n).fill(255)];
}

it("SIMD is there: Node has had it since 16", () => expect(simdSupported()).toBe(true));

describe.each([
  ["SIMD", false],
  ["scalar", true],
])(`accel1, %s (SEED=${seed})`, (_, scalar) => {
  const memory = Memory.create({ bytes: 8 << 20, poison: true, scalar });
  const { accel1, bytes } = memory;
  const random = new Random(seed);
  // 16-aligned, room for 65,535 bytes at any alignment and a guard on both sides
  const at = memory.alloc(70_000);
  const to = memory.alloc(70_000);
  const key = memory.alloc(70_000);
  const out = memory.alloc(64);
  const put = (data: Uint8Array, where = at): number => {
    bytes.set(data, where);
    return where;
  };

  describe("known values", () => {
    it("csum_partial: RFC 1071 section 3, its words byte-swapped", () => {
      const p = put(hex("0001f203f4f5f6f7"));
      expect(accel1.csum_partial(p, 8, 0)).toBe(0xf2dd);
      expect(accel1.csum_partial(p, 0, 0)).toBe(0);
      expect(accel1.csum_partial(p, 0, 0xffff_ffff)).toBe(0xffff);
      expect(accel1.csum_partial(put(hex("12")), 1, 0)).toBe(0x12);
    });

    it.each([
      ["RFC 3720 B.4: 32 zeros", "00".repeat(32), 0x8a9136aa],
      ["RFC 3720 B.4: 32 ones", "ff".repeat(32), 0x62a8ab43],
      ["RFC 3720 B.4: 0 to 31", Buffer.from(ascending(32)).toString("hex"), 0x46dd794e],
      ["RFC 3720 B.4: 31 to 0", Buffer.from(ascending(32).reverse()).toString("hex"), 0x113fdb5c],
      [
        "RFC 3720 B.4: an iSCSI Read (10)",
        "01c00000000000000000000000000000140000000000040000000014000000182800000000000000020000000000000000",
        0xd9963a56,
      ],
      ["the check value of CRC-32/ISCSI: 123456789", "313233343536373839", 0xe3069283],
    ])("crc32c: %s", (_name, text, value) => {
      const data = hex(text).slice(0, text.startsWith("01c0") ? 48 : undefined);
      expect(~accel1.crc32c(put(data), data.length, 0xffff_ffff) >>> 0).toBe(value);
    });

    // Microsoft, "Verifying the RSS Hash Calculation": source and destination, ports, both hashes
    const rss = "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa";
    it.each([
      ["420995bba18e6450", 2794, 1766, 0x323e8fc2, 0x51ccc178],
      ["c75c6f024145 8c53", 14230, 4739, 0xd718262a, 0xc626b0ea],
      ["1813c65f0c16cfb8", 12898, 38024, 0xd2d0a5de, 0x5c2b394a],
      ["261bcd1ed18ea306", 48228, 2217, 0x82989176, 0xafc7327f],
      ["9927a3bfcabc7f02", 44251, 1303, 0x5d1809c5, 0x10e828a2],
      [
        "3ffe2501020 01fff0000000000000007 3ffe2501020000030000000000000001",
        2794,
        1766,
        0x2cc18cd5,
        0x40207d3d,
      ],
    ])("toeplitz: %s", (addresses, source, dest, l3, l4) => {
      const ips = hex(addresses.replaceAll(" ", ""));
      put(hex(rss), key);
      const p = put(Uint8Array.from([...ips, source >> 8, source & 255, dest >> 8, dest & 255]));
      expect(accel1.toeplitz(key, p, ips.length) >>> 0).toBe(l3);
      expect(accel1.toeplitz(key, p, ips.length + 4) >>> 0).toBe(l4);
    });

    // Aumasson and Bernstein, reference vectors_sip64: key 00..0f, input 00..n-1; n = 15 is the paper's appendix A
    it.each([
      [0, "310e0edd47db6f72"],
      [1, "fd67dc93c539f874"],
      [2, "5a4fa9d909806c0d"],
      [3, "2d7efbd796666785"],
      [15, "e545be4961ca29a1"],
    ])("siphash: %i bytes", (n, value) => {
      put(ascending(16), key);
      accel1.siphash(key, put(ascending(n)), n, out);
      expect(Buffer.from(bytes.slice(out, out + 8)).toString("hex")).toBe(value);
    });
  });

  it("csum_partial and copy_csum agree with the oracle at every length and alignment", () => {
    for (const n of LENGTHS)
      for (const data of contents(random, n))
        for (const sum of n <= 300 ? [random.pick(SUMS), random.u32()] : SUMS) {
          const expected = slowCsum(data, sum);
          for (const a of ALIGNMENTS) {
            put(data, at + a);
            if (accel1.csum_partial(at + a, n, sum) !== expected)
              expect.fail(`csum_partial ${n} bytes at ${a}, sum ${sum}: not ${expected}`);
            const b = random.below(16);
            bytes.fill(0x5a, to, to + n + 64);
            if (accel1.copy_csum(to + 16 + b, at + a, n, sum) !== expected)
              expect.fail(`copy_csum ${n} bytes from ${a} to ${b}, sum ${sum}: not ${expected}`);
            same(to + 16 + b, data, `copy_csum ${n} from ${a} to ${b}`);
          }
        }
  });

  it("csum_partial and copy_csum: words at the edges of what the lanes' means tell", () => {
    // the eight vectors of a step: as far above and below a multiple of 64 as rounding three times can carry them
    const steps = [63, 64, 0x7fff, 0xffbf, 0xffff].flatMap((word) =>
      Array.from({ length: 9 }, (_, k) => Array.from({ length: 8 }, (_, v) => (v < k ? word : word & ~1))),
    );
    const scattered = Array.from({ length: 100 }, () => {
      const edge = random.pick([0, 63, 64, 127, 0x8000, 0xffc0, 0xffff]);
      return Array.from({ length: 8 }, () => Math.min(0xffff, Math.max(0, edge + random.below(3) - 1)));
    });
    for (const words of [...steps, ...scattered]) {
      const data = new Uint8Array(65_535);
      const view = new DataView(data.buffer);
      for (let i = 0; i + 2 <= data.length; i += 2) view.setUint16(i, words[(i >> 4) & 7]!, true);
      put(data);
      for (const n of [128, 8064, 8192, 8320, 9000, 16_384, 65_535]) {
        const expected = slowCsum(data.subarray(0, n), 1);
        const what = `${n} bytes of words ${words}`;
        expect(accel1.csum_partial(at, n, 1), what).toBe(expected);
        expect(accel1.copy_csum(to, at, n, 1), what).toBe(expected);
      }
    }
  });

  /** The bytes are there, and the 16 before and behind are as they were filled. */
  function same(where: number, data: Uint8Array, what: string): void {
    if (Buffer.compare(bytes.subarray(where, where + data.length), data) !== 0)
      expect.fail(`${what}: bytes differ`);
    for (let i = 1; i <= 16; i++)
      if (bytes[where - i] !== 0x5a || bytes[where + data.length + i - 1] !== 0x5a)
        expect.fail(`${what}: wrote beside the bytes`);
  }

  it("copy and copy_csum: every source alignment to every destination alignment", () => {
    const lengths = [
      0, 1, 7, 8, 15, 16, 17, 31, 63, 64, 65, 127, 129, 300, 1460, 2047, 2048, 2049, 2111, 9000, 65_535,
    ];
    for (const n of lengths) {
      const data = random.bytes(n);
      const expected = slowCsum(data, 5);
      for (const a of ALIGNMENTS) {
        put(data, at + a);
        for (const b of ALIGNMENTS) {
          bytes.fill(0x5a, to, to + n + 64);
          accel1.copy(to + 16 + b, at + a, n);
          same(to + 16 + b, data, `copy ${n} from ${a} to ${b}`);
          bytes.fill(0x5a, to, to + n + 64);
          expect(accel1.copy_csum(to + 16 + b, at + a, n, 5)).toBe(expected);
          same(to + 16 + b, data, `copy_csum ${n} from ${a} to ${b}`);
        }
      }
    }
  });

  it("copy at every length up to 300", () => {
    for (let n = 0; n <= 300; n++) {
      const data = random.bytes(n);
      put(data, at + (n % 16));
      bytes.fill(0x5a, to, to + n + 64);
      accel1.copy(to + 16 + ((n * 7) % 16), at + (n % 16), n);
      same(to + 16 + ((n * 7) % 16), data, `copy ${n}`);
    }
  });

  it("copy and copy_csum within overlapping ranges: as through a buffer, the sum of what was there", () => {
    for (const n of [1, 16, 40, 64, 100, 130, 1023, 2047, 2048, 2200, 5000])
      for (const by of [
        -3000, -129, -64, -63, -17, -16, -15, -1, 0, 1, 8, 15, 16, 17, 63, 64, 65, 130, 1000,
      ]) {
        const data = random.bytes(n);
        const from = at + 8192 + (n % 16);
        for (const unit of ["copy", "copy_csum"] as const) {
          bytes.fill(0x5a, at, at + 16_384);
          put(data, from);
          if (unit === "copy") accel1.copy(from + by, from, n);
          else expect(accel1.copy_csum(from + by, from, n, 7), `${n} by ${by}`).toBe(slowCsum(data, 7));
          if (Buffer.compare(bytes.subarray(from + by, from + by + n), data) !== 0)
            expect.fail(`${unit} ${n} bytes by ${by}`);
        }
      }
  });

  it("crc32c agrees with the oracle", () => {
    for (const n of LENGTHS) {
      const kinds = n > 9000 ? [random.bytes(n)] : contents(random, n);
      for (const data of kinds) {
        const start = random.pick([0, 0xffff_ffff, random.u32()]);
        const expected = slowCrc32c(data, start);
        for (const a of ALIGNMENTS)
          if (accel1.crc32c(put(data, at + a), n, start) >>> 0 !== expected)
            expect.fail(`crc32c ${n} bytes at ${a}`);
      }
    }
  });

  it("toeplitz agrees with the oracle", () => {
    for (const n of [...Array.from({ length: 301 }, (_, i) => i), 1460]) {
      const secret = random.bytes(n + 4);
      const kinds = n > 300 ? [random.bytes(n)] : contents(random, n);
      for (const data of kinds) {
        const expected = slowToeplitz(secret, data);
        for (const a of ALIGNMENTS) {
          const k = put(secret, key + ((a * 5) % 16));
          if (accel1.toeplitz(k, put(data, at + a), n) >>> 0 !== expected)
            expect.fail(`toeplitz ${n} bytes at ${a}`);
        }
      }
    }
  });

  it("siphash agrees with the oracle and writes 8 bytes", () => {
    for (const n of LENGTHS) {
      const secret = random.bytes(16);
      const kinds = n > 300 ? [random.bytes(n)] : contents(random, n);
      for (const data of kinds) {
        const expected = slowSiphash(secret, data);
        for (const a of ALIGNMENTS) {
          const o = out + 16 + a;
          bytes.fill(0x5a, out, out + 64);
          accel1.siphash(put(secret, key + ((a * 3) % 16)), put(data, at + a), n, o);
          same(o, expected, `siphash ${n} bytes at ${a}`);
        }
      }
    }
  });

  it("siphash may write over its input", () => {
    const data = random.bytes(24);
    const expected = slowSiphash(ascending(16), data);
    accel1.siphash(put(ascending(16), key), put(data), 24, at + 8);
    expect(bytes.slice(at + 8, at + 16)).toEqual(expected);
  });

  it("sums that fill a vector lane to its edge stay right", () => {
    const big = memory.alloc((3 << 20) + 200);
    for (const n of [(1 << 20) - 1, 1 << 20, (1 << 20) + 63, 2 << 20, (3 << 20) + 129])
      for (const fill of [0, 255, 0x80, 0x7f]) {
        bytes.fill(fill, big, big + n);
        const word = fill * 257;
        const total = (n >> 1) * word + (n % 2 === 1 ? fill : 0);
        const expected = total === 0 ? 0 : ((total - 1) % 0xffff) + 1;
        expect(accel1.csum_partial(big, n, 0), `${n} of ${fill}`).toBe(expected);
        // downwards by one: not the path of overlapping copies
        expect(accel1.copy_csum(big - 16, big, n, 0), `copy_csum ${n} of ${fill}`).toBe(expected);
      }
  });

  it("reads nothing beyond the end of memory", () => {
    const m = Memory.create({ bytes: 2 << 20, scalar });
    const o = m.alloc(64);
    const k = m.alloc(400);
    for (let n = 0; n <= 300; n++) {
      const p = m.size - n;
      const data = m.bytes.slice(p);
      expect(m.accel1.csum_partial(p, n, 1)).toBe(slowCsum(data, 1));
      expect(m.accel1.crc32c(p, n, 1) >>> 0).toBe(slowCrc32c(data, 1));
      m.accel1.copy(p - 300, p, n);
      m.accel1.copy(p, p - 300, n);
      m.accel1.copy_csum(p - 301, p, n, 0);
      m.accel1.toeplitz(k, p, n);
      m.accel1.siphash(o, p, n, o);
    }
  });

  it("keeps to static region 0", () => {
    const m = Memory.create({ bytes: 2 << 20, poison: true, scalar });
    expect(m.bytes.subarray(0, STATIC_BASE).every((byte) => byte === 0xa5)).toBe(true);
    expect(m.bytes.subarray(STATIC_BASE, STATIC_BASE + 16).every((byte) => byte === 0)).toBe(true);
    expect(m.bytes.subarray(STATIC_BASE + 0x1_0000, HEAP_BASE).every((byte) => byte === 0)).toBe(true);
  });
});
