import zlib from "node:zlib";
import { expect, it } from "vitest";
import { type CapturePacket, readCapture, readCaptureSync } from "../src/index.ts";
import { concat, counting, pcapHeader, pcapRecord } from "./build.ts";

const file = concat(
  pcapHeader({ le: true, network: 101 }),
  ...Array.from({ length: 30 }, (_, i) => pcapRecord(true, i, i, counting(i))),
);

async function* slowly(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    await Promise.resolve();
    yield bytes.subarray(at, at + size);
  }
}

it("packets are plain data that stay", async () => {
  const capture = readCapture(slowly(file, 11));
  const packets: CapturePacket[] = [];
  for await (const packet of capture) packets.push(packet);
  expect(capture.fault).toBeNull();
  expect(packets).toEqual([...readCaptureSync(file)]);
  expect(packets[3]).toEqual({
    data: counting(3),
    len: 3,
    seconds: 3,
    nanoseconds: 3000,
    linkType: 101,
    interfaceId: 0,
    section: 0,
    flags: 0,
    comments: [],
    offset: 24 + 3 * 16 + 3,
  });
  expect(capture.interfaces).toHaveLength(1);
});

it("a fault ends the iteration and is told", async () => {
  for (const bytes of [file.subarray(0, file.length - 1), zlib.gzipSync(file).subarray(0, -9)]) {
    const capture = readCapture(bytes);
    let n = 0;
    for await (const _ of capture) n++;
    expect(n).toBeGreaterThan(15);
    expect(capture.fault).toMatchObject({ fatal: true, code: expect.stringMatching(/^TRUNCATED_/) });
  }
  const bad = concat(file, new Uint8Array(1000).fill(0xff), file);
  const capture = readCaptureSync([bad, file]);
  expect([...capture]).toHaveLength(30);
  expect(capture.fault).toMatchObject({ code: "BAD_CAPLEN", offset: file.length });
});

it("faults inside a compressed file name both places", () => {
  const packed = zlib.gzipSync(concat(file, new Uint8Array(100).fill(0xff)));
  const capture = readCaptureSync([packed]);
  expect([...capture]).toHaveLength(30);
  expect(capture.fault).toMatchObject({ code: "BAD_CAPLEN", offset: file.length, compression: "gzip" });
  expect(capture.fault!.compressedOffset).toBeGreaterThan(18);
  expect(capture.fault!.message).toMatch(/of the uncompressed stream, byte \d+ of the gzip file\)$/);
  const cut = readCaptureSync(packed.subarray(0, 60));
  expect([...cut].length).toBeGreaterThan(0);
  expect(cut.fault).toMatchObject({ code: "TRUNCATED_GZIP", compressedOffset: 60, compression: "gzip" });
});

it("stopping early leaves the source alone", async () => {
  let given = 0;
  async function* source(): AsyncGenerator<Uint8Array> {
    for await (const chunk of slowly(file, 40)) {
      given++;
      yield chunk;
    }
  }
  for await (const packet of readCapture(source())) if (packet.seconds === 2) break;
  expect(given).toBeLessThan(5);
});
