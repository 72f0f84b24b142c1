import zlib from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CaptureReader, CaptureWriter, type PacketInput, readCaptureSync } from "../src/index.ts";
import { anyCapture, pcapCapture, pcapngCapture } from "./arbitrary.ts";
import { concat } from "./build.ts";
import { readAdvanced, readPushed, readWhole } from "./read-all.ts";
import { slowRead } from "./ref/slow-reader.ts";

const seed = Number(process.env.NETOFFLOAD_SEED ?? Date.now() & 0x7fffffff);
console.log(`fast-check seed ${seed} (NETOFFLOAD_SEED repeats it)`);
const runs = (numRuns: number): fc.Parameters<unknown> => ({ seed, numRuns });

const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 });

describe("reading", () => {
  it("agrees with the slow reader on valid captures", () => {
    fc.assert(
      fc.property(anyCapture, (file) => {
        expect(readWhole(file)).toEqual(slowRead(file));
      }),
      runs(1500),
    );
  });

  it("gives the same records however the bytes are split", () => {
    fc.assert(
      fc.property(anyCapture, sizes, fc.constantFrom(64, 100, 4096), (file, split, bufferBytes) => {
        const whole = readWhole(file);
        expect(readPushed(file, split, { bufferBytes })).toEqual(whole);
        expect(readAdvanced(file, split, { bufferBytes })).toEqual(whole);
      }),
      runs(500),
    );
  });

  it("gives the same records out of gzip, however the bytes are split", () => {
    fc.assert(
      fc.property(anyCapture, sizes, fc.nat(9), fc.nat(300), (file, split, level, cut) => {
        const whole = readWhole(file);
        const at = Math.min(cut, file.length);
        const packed = concat(
          zlib.gzipSync(file.subarray(0, at), { level }),
          zlib.gzipSync(file.subarray(at), { level }),
        );
        expect(readWhole(packed)).toEqual(whole);
        expect(readPushed(packed, split, { bufferBytes: 64 })).toEqual(whole);
        expect(readAdvanced(packed, split, { bufferBytes: 64 })).toEqual(whole);
      }),
      runs(200),
    );
  });

  it("passing blocks on changes no packet", () => {
    fc.assert(
      fc.property(pcapngCapture, (file) => {
        expect(readWhole(file, { blocks: true })).toEqual(readWhole(file));
      }),
      runs(300),
    );
  });
});

describe("damage", () => {
  it("cut at any byte: every whole packet, then the fault where the whole data ends", () => {
    fc.assert(
      fc.property(anyCapture, (file) => {
        const whole = slowRead(file).packets;
        for (let cut = 0; cut <= file.length; cut++) {
          const got = readWhole(file.subarray(0, cut));
          expect(got).toEqual(slowRead(file.subarray(0, cut)));
          expect(got.packets).toEqual(whole.slice(0, got.packets.length));
        }
      }),
      runs(60),
    );
  });

  it("one byte changed: the slow reader's packets and faults", () => {
    fc.assert(
      fc.property(anyCapture, fc.nat(), fc.integer({ min: 1, max: 255 }), (file, where, by) => {
        const damaged = file.slice();
        damaged[where % damaged.length]! ^= by;
        // what looks compressed now is another matter
        if (damaged[0] === 0x1f || damaged[0] === 0x28) return;
        const expected = slowRead(damaged);
        expect(readWhole(damaged)).toEqual(expected);
        expect(readAdvanced(damaged, [50], { bufferBytes: 64 })).toEqual(expected);
      }),
      runs(1500),
    );
  });
});

describe("write, then read", () => {
  const packet = fc.record({
    data: fc.uint8Array({ maxLength: 2000 }),
    seconds: fc.integer({ min: 0, max: 0xffffffff }),
    nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
    more: fc.nat(70000),
    linkType: fc.constantFrom(1, 101, 113, 276, 65535),
    comments: fc.array(fc.string({ maxLength: 30 }), { maxLength: 3 }),
    flags: fc.constantFrom(0, 1, 2, 0xffffffff),
  });

  it("pcapng gives back what was written, in either byte order and resolution", () => {
    fc.assert(
      fc.property(
        fc.array(packet, { maxLength: 10 }),
        fc.boolean(),
        fc.constantFrom("micro" as const, "nano" as const),
        (packets, littleEndian, resolution) => {
          const chunks: Uint8Array[] = [];
          const writer = new CaptureWriter((chunk) => chunks.push(chunk.slice()), {
            littleEndian,
            resolution,
            bufferBytes: 1024,
            comment: "section",
            application: "test",
          });
          const scale = resolution === "nano" ? 1 : 1000;
          for (const p of packets) writer.write({ ...p, len: p.data.length + p.more });
          writer.flush();
          const file = concat(...chunks);
          expect(file.length).toBe(writer.bytesWritten);
          const capture = readCaptureSync(file);
          const got = [...capture];
          expect(capture.fault).toBeNull();
          expect(got).toHaveLength(packets.length);
          expect(writer.packets).toBe(packets.length);
          for (const [i, p] of packets.entries()) {
            const back = got[i]!;
            expect(back.data).toEqual(p.data);
            expect(back).toMatchObject({
              seconds: p.seconds,
              nanoseconds: Math.floor(p.nanoseconds / scale) * scale,
              len: p.data.length + p.more,
              linkType: p.linkType,
              flags: p.flags,
              comments: p.comments.map((comment) => comment.replace(/\0+$/, "").replace(/^\ufeff/, "")),
            });
          }
        },
      ),
      runs(200),
    );
  });

  it("pcap gives back what was written", () => {
    fc.assert(
      fc.property(
        fc.array(packet, { maxLength: 10 }),
        fc.boolean(),
        fc.constantFrom("micro" as const, "nano" as const),
        (packets, littleEndian, resolution) => {
          const chunks: Uint8Array[] = [];
          const writer = new CaptureWriter((chunk) => chunks.push(chunk.slice()), {
            format: "pcap",
            littleEndian,
            resolution,
            linkType: 113,
            bufferBytes: 1024,
          });
          const scale = resolution === "nano" ? 1 : 1000;
          for (const p of packets) {
            const input: PacketInput = { data: p.data, seconds: p.seconds, nanoseconds: p.nanoseconds };
            writer.write({ ...input, len: p.data.length + p.more });
          }
          writer.flush();
          const got = readWhole(concat(...chunks));
          expect(got.faults).toEqual([]);
          expect(
            got.packets.map((p) => [p.data.length / 2, p.len, p.seconds, p.nanoseconds, p.linkType]),
          ).toEqual(
            packets.map((p) => [
              p.data.length,
              p.data.length + p.more,
              p.seconds,
              Math.floor(p.nanoseconds / scale) * scale,
              113,
            ]),
          );
        },
      ),
      runs(200),
    );
  });

  it("copying a reader's records keeps packets, times, interfaces and comments", () => {
    fc.assert(
      fc.property(fc.oneof(pcapCapture, pcapngCapture), (file) => {
        const chunks: Uint8Array[] = [];
        const writer = new CaptureWriter((chunk) => chunks.push(chunk.slice()));
        const reader = CaptureReader.from(file);
        let unrepresentable = false;
        while (reader.next()) {
          if (!(reader.seconds >= 0 && reader.seconds < 2 ** 34 && reader.nanoseconds < 1e9)) {
            expect(() => writer.writeFrom(reader)).toThrow(/outside/);
            unrepresentable = true;
            break;
          }
          writer.writeFrom(reader);
        }
        writer.flush();
        if (unrepresentable) return;
        const strip = (packets: ReturnType<typeof readWhole>["packets"]): object[] =>
          packets.map(({ data, len, seconds, nanoseconds, linkType, flags, comments }) => ({
            data,
            len,
            seconds,
            nanoseconds,
            linkType,
            flags,
            comments,
          }));
        expect(strip(readWhole(concat(...chunks)).packets)).toEqual(strip(readWhole(file).packets));
      }),
      runs(400),
    );
  });
});
