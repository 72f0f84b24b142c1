/**
 * Damaged captures for NETOFFLOAD_FUZZ_SECONDS (default 60): nothing throws, nothing hangs, memory stays bounded, the
 * slow reader agrees, and it makes no difference how the bytes arrive.
 * Run: npx tsx --conditions=@netoffload/source packages/pcap/test/fuzz/reader.fuzz.ts
 * NETOFFLOAD_SEED repeats a run; what fails is written to a file for temporary files, whose name is printed.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import zlib from "node:zlib";
import fc from "fast-check";
import { CaptureReader, LinkHeader, readOptions } from "../../src/index.ts";
import { anyCapture } from "../arbitrary.ts";
import { concat } from "../build.ts";
import { type PlainCapture, readAdvanced, readPushed, readWhole } from "../read-all.ts";
import { slowRead } from "../ref/slow-reader.ts";

const seconds = Number(process.env.NETOFFLOAD_FUZZ_SECONDS ?? 60);
const seed = Number(process.env.NETOFFLOAD_SEED ?? Date.now() & 0x7fffffff);
/** A case of some kilobytes that takes longer hangs. */
const HANG_MS = 5000;

let state = seed | 1;
function random(bound: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % bound;
}
const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;

const WORDS = [
  0, 1, 2, 3, 4, 8, 11, 12, 15, 16, 28, 32, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x10000,
].concat(
  [
    0x0fffffff, 0x10000000, 0x10000001, 0x10100000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffffc,
    0xffffffff,
  ],
  [0x0a0d0d0a, 0x1a2b3c4d, 0x4d3c2b1a, 0xa1b2c3d4, 0xd4c3b2a1, 0xa1b2cd34, 0xfd2fb528, 0x184d2a50],
);

/** One change; the input is not touched. */
function mutate(bytes: Uint8Array, other: Uint8Array): Uint8Array {
  const n = bytes.length;
  const at = random(n + 1);
  switch (random(8)) {
    case 0: {
      const out = bytes.slice();
      if (n > 0) out[random(n)]! ^= 1 << random(8);
      return out;
    }
    case 1: {
      const out = bytes.slice();
      if (n > 0) out[random(n)] = random(256);
      return out;
    }
    case 2:
    case 3: {
      // a length, mostly: they lie at multiples of 4
      const out = bytes.slice();
      if (n < 4) return out;
      const view = new DataView(out.buffer);
      view.setUint32(random(4) === 0 ? random(n - 3) : 4 * random(n >> 2), pick(WORDS), random(2) === 0);
      return out;
    }
    case 4:
      return bytes.slice(0, at);
    case 5:
      return concat(bytes.subarray(0, at), bytes.subarray(Math.min(n, at + random(40))));
    case 6:
      return concat(bytes.subarray(0, at), bytes.subarray(random(at + 1)));
    default:
      return concat(bytes.subarray(0, at), other.subarray(random(other.length + 1)));
  }
}

function damage(bytes: Uint8Array, other: Uint8Array): Uint8Array {
  let out = bytes;
  for (let n = random(5); n > 0; n--) out = mutate(out, other);
  return out;
}

const zstdFrames: readonly Uint8Array[] = (() => {
  const text = fs.readFileSync(new URL("../vectors/zstd.json", import.meta.url), "utf8");
  const found = text.match(/28b52ffd[0-9a-f]{8,4000}/g) ?? [];
  return found.map((hex) => Uint8Array.from(Buffer.from(hex, "hex")));
})();

function compressed(bytes: Uint8Array): Uint8Array {
  if (zstdFrames.length > 0 && random(3) === 0) return pick(zstdFrames);
  const cut = random(bytes.length + 1);
  const level = random(10);
  return concat(
    zlib.gzipSync(bytes.subarray(0, cut), { level }),
    zlib.gzipSync(bytes.subarray(cut), { level }),
  );
}

function fail(what: string): never {
  throw new Error(what);
}

function same(what: string, got: PlainCapture, want: PlainCapture): void {
  if (!isDeepStrictEqual(got, want))
    fail(`${what} differs:\n${JSON.stringify(got)}\n${JSON.stringify(want)}`);
}

/** Everything a caller may look at of each record lies inside; the reader never keeps more than the file has. */
function inspect(file: Uint8Array): void {
  const reader = new CaptureReader({ bufferBytes: 64, blocks: random(2) === 0 });
  const link = new LinkHeader();
  let at = 0;
  const read = (space: Uint8Array): number => {
    const n = Math.min(space.length, file.length - at, 1 + random(200));
    space.set(file.subarray(at, at + n));
    at += n;
    return n;
  };
  while (reader.advance(read)) {
    while (reader.next()) {
      const { offset, caplen, bytes } = reader;
      if (offset < 0 || offset + caplen > bytes.length) fail("a record outside the buffer");
      const { offset: from, end } = reader.options;
      if (from > end || end > bytes.length) fail("options outside the buffer");
      if (reader.isPacket) {
        if (reader.comments().length !== reader.commentCount) fail("comments");
        for (const { value } of readOptions(bytes, from, end, reader.littleEndian))
          if (value.byteOffset + value.length > bytes.byteOffset + end) fail("an option outside its list");
        if (reader.interface === undefined) fail("a packet without an interface");
        link.parse(reader.linkType, reader.view, offset, caplen);
        if (link.headerLen > caplen) fail("a link header longer than the packet");
      }
    }
  }
  if (!reader.done) fail("not done at the end");
  if (reader.compression === "none" && reader.bytes.length > 2 * Math.max(64, file.length))
    fail(`a buffer of ${reader.bytes.length} bytes for a file of ${file.length}`);
}

function check(file: Uint8Array): void {
  const whole = readWhole(file);
  const reader = CaptureReader.from(file);
  reader.next();
  if (reader.compression === "none") same("the slow reader", whole, slowRead(file));
  const sizes = Array.from({ length: 1 + random(8) }, () => 1 + random(pick([3, 40, 4000])));
  const bufferBytes = pick([64, 77, 512, 65536]);
  same(`pushed ${sizes} into ${bufferBytes}`, readPushed(file, sizes, { bufferBytes }), whole);
  same(`advanced ${sizes} into ${bufferBytes}`, readAdvanced(file, sizes, { bufferBytes }), whole);
  inspect(file);
}

const end = Date.now() + seconds * 1000;
let cases = 0;
let packets = 0;
let batch = 0;
console.log(`captures: seed ${seed}, ${seconds} s`);
while (Date.now() < end) {
  const seeds = fc.sample(anyCapture, { seed: seed + batch++, numRuns: 40 });
  for (let i = 0; i < 400 && Date.now() < end; i++) {
    const other = pick(seeds);
    let file = damage(pick(seeds), other);
    if (random(5) === 0) file = damage(compressed(file), other);
    if (random(200) === 0) file = Uint8Array.from({ length: random(300) }, () => random(256));
    const start = Date.now();
    try {
      check(file);
      packets += readWhole(file).packets.length;
      if (Date.now() - start > HANG_MS) fail(`took ${Date.now() - start} ms`);
    } catch (error) {
      const name = path.join(os.tmpdir(), `netoffload-fuzz-pcap-${seed}-${cases}.bin`);
      fs.writeFileSync(name, file);
      console.error(`case ${cases}, ${file.length} bytes, kept as ${name}`);
      console.error(error);
      process.exit(1);
    }
    cases++;
  }
}
console.log(`captures: ${cases} cases, ${packets} packets read, no fault`);
