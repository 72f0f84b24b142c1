import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { bytesToHex } from "@netoffload/internal";
import { describe, expect, it } from "vitest";
import { facility, has } from "../../internal/test/facility.ts";
import {
  CaptureReader,
  CaptureWriter,
  type CaptureWriterOptions,
  PcapError,
  readCaptureSync,
} from "../src/index.ts";
import { ascii, concat, counting } from "./build.ts";

function written(options: CaptureWriterOptions, use: (writer: CaptureWriter) => void): Uint8Array {
  const chunks: Uint8Array[] = [];
  const writer = new CaptureWriter((chunk) => chunks.push(chunk.slice()), options);
  use(writer);
  writer.flush();
  return concat(...chunks);
}

const one = { data: ascii("abc"), seconds: 1, nanoseconds: 2000, len: 5 };

describe("bytes", () => {
  const rows: [string, CaptureWriterOptions, string][] = [
    [
      "pcap, microseconds",
      { format: "pcap", resolution: "micro", snaplen: 65535, linkType: 101 },
      "d4c3b2a1020004000000000000000000ffff000065000000 01000000020000000300000005000000616263",
    ],
    [
      "pcap, big endian, nanoseconds",
      { format: "pcap", littleEndian: false },
      "a1b23c4d000200040000000000000000 0004000000000001 00000001000007d0 00000003 00000005 616263",
    ],
    [
      "pcapng, microseconds",
      { resolution: "micro", snaplen: 0 },
      `0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000
       0100000020000000 0100000000000000 0900010006000000 00000000 20000000
       0600000024000000 00000000 00000000 42420f00 03000000 05000000 61626300 24000000`,
    ],
  ];
  it.each(rows)("%s", (_name, options, hex) => {
    expect(bytesToHex(written(options, (w) => w.write(one)))).toBe(hex.replace(/\s/g, ""));
  });

  it("comments and flags, big endian", () => {
    const file = written({ littleEndian: false }, (w) => w.write({ ...one, comments: ["hello"], flags: 2 }));
    const options = "00010005 68656c6c6f000000 00020004 00000002 00000000";
    expect(bytesToHex(file).endsWith(`61626300 ${options} 0000003c`.replace(/ /g, ""))).toBe(true);
    const [packet] = readCaptureSync(file);
    expect(packet).toMatchObject({ comments: ["hello"], flags: 2 });
  });
});

describe("pcapng", () => {
  it("one interface for each link type, or those described", () => {
    const file = written({}, (w) => {
      w.write({ ...one, linkType: 101 });
      w.write({ ...one, linkType: 1 });
      const id = w.addInterface({
        linkType: 1,
        name: "eth0",
        description: "the second",
        comment: "c",
        snaplen: 99,
      });
      expect(id).toBe(2);
      w.write({ ...one, interfaceId: id });
      w.write({ ...one, linkType: 101 });
    });
    const reader = CaptureReader.from(file);
    const seen: number[] = [];
    while (reader.next()) seen.push(reader.interfaceId);
    expect(seen).toEqual([0, 1, 2, 0]);
    expect(reader.interfaces.map((i) => i.linkType)).toEqual([101, 1, 1]);
    expect(reader.interfaces[2]).toMatchObject({
      name: "eth0",
      description: "the second",
      comments: ["c"],
      snaplen: 99,
      unitsPerSecond: 1e9,
    });
  });

  it("blocks as they are", () => {
    const file = written({}, (w) => {
      w.writeBlock(0x0bad, ascii("abcde"));
      w.write(one);
    });
    const reader = CaptureReader.from(file, { blocks: true });
    const types: number[] = [];
    while (reader.next()) {
      types.push(reader.blockType);
      if (reader.blockType === 0x0bad) expect(bytesToHex(reader.packet())).toBe("6162636465000000");
    }
    expect(types).toEqual([0x0a0d0d0a, 0x0bad, 1, 6]);
  });

  it("options beyond comments and flags", () => {
    const file = written({}, (w) => w.write({ ...one, options: [{ code: 5, value: counting(8) }] }));
    const reader = CaptureReader.from(file);
    expect(reader.next()).toBe(true);
    const { offset, end } = reader.options;
    expect(bytesToHex(reader.bytes.subarray(offset, end))).toBe("05000800000102030405060700000000");
  });
});

describe("the sink", () => {
  it("is called with bounded pieces; a packet beyond the buffer goes through uncopied", () => {
    const large = new Uint8Array(5000).fill(9);
    const sizes: number[] = [];
    let uncopied = false;
    const writer = new CaptureWriter(
      (chunk) => {
        sizes.push(chunk.length);
        uncopied ||= chunk.buffer === large.buffer;
      },
      { format: "pcap", bufferBytes: 1024 },
    );
    for (let i = 0; i < 100; i++) writer.write({ ...one, data: counting(i) });
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1024);
    writer.write({ ...one, data: large });
    writer.flush();
    writer.flush();
    expect(uncopied).toBe(true);
    expect(sizes.reduce((a, b) => a + b)).toBe(writer.bytesWritten);
  });

  it("writeBytes takes packets out of a larger buffer", () => {
    const pool = counting(256);
    const file = written({}, (w) => {
      const id = w.addInterface({ linkType: 1 });
      for (let n = 0; n < 200; n++) w.writeBytes(pool, n >> 2, n, n + 1, n, n, id);
    });
    let n = 0;
    for (const packet of readCaptureSync(file)) {
      expect(bytesToHex(packet.data)).toBe(bytesToHex(pool.subarray(n >> 2, (n >> 2) + n)));
      expect(packet).toMatchObject({ len: n + 1, seconds: n, nanoseconds: n });
      n++;
    }
    expect(n).toBe(200);
  });
});

describe("caller mistakes", () => {
  const rows: [string, string, CaptureWriterOptions, (w: CaptureWriter) => void][] = [
    ["a small buffer", "EINVAL", { bufferBytes: 100 }, () => {}],
    ["a link type of 17 bits", "EINVAL", { linkType: 65536 }, () => {}],
    ["seconds beyond pcap", "ERANGE", { format: "pcap" }, (w) => w.write({ ...one, seconds: 2 ** 32 })],
    ["seconds before 1970", "ERANGE", {}, (w) => w.write({ ...one, seconds: -1 })],
    ["a whole second of nanoseconds", "ERANGE", {}, (w) => w.write({ ...one, nanoseconds: 1e9 })],
    ["no time at all", "ERANGE", {}, (w) => w.write({ ...one, seconds: Number.NaN })],
    ["a length of 33 bits", "ERANGE", {}, (w) => w.write({ ...one, len: 2 ** 32 })],
    ["comments in pcap", "ENOTSUP", { format: "pcap" }, (w) => w.write({ ...one, comments: ["x"] })],
    ["flags in pcap", "ENOTSUP", { format: "pcap" }, (w) => w.write({ ...one, flags: 1 })],
    ["another link type in pcap", "ENOTSUP", { format: "pcap" }, (w) => w.write({ ...one, linkType: 101 })],
    ["an interface in pcap", "ENOTSUP", { format: "pcap" }, (w) => w.addInterface({ linkType: 1 })],
    ["a block in pcap", "ENOTSUP", { format: "pcap" }, (w) => w.writeBlock(5, ascii(""))],
    ["a section as a block", "EINVAL", {}, (w) => w.writeBlock(0x0a0d0d0a, ascii(""))],
    ["an interface nobody described", "EINVAL", {}, (w) => w.write({ ...one, interfaceId: 0 })],
    ["a comment of 64 KiB", "ERANGE", {}, (w) => w.write({ ...one, comments: ["x".repeat(65536)] })],
    [
      "bytes outside the buffer",
      "EINVAL",
      {},
      (w) => w.writeBytes(one.data, 1, 3, 3, 0, 0, w.addInterface({ linkType: 1 })),
    ],
  ];
  it.each(rows)("%s: %s", (_name, code, options, use) => {
    expect(() => written(options, use)).toThrow(PcapError);
    try {
      written(options, use);
    } catch (error) {
      expect((error as PcapError).code).toBe(code);
    }
  });
});

describe.skipIf(!facility("tshark", has("tshark"), "apt install tshark"))(
  "tshark reads what was written",
  () => {
    for (const format of ["pcap", "pcapng"] as const)
      for (const resolution of ["micro", "nano"] as const)
        for (const littleEndian of [true, false])
          it(`${format}, ${resolution}, ${littleEndian ? "little" : "big"} endian`, () => {
            const packets = Array.from({ length: 20 }, (_, i) => ({
              data: counting(i * 9),
              seconds: 1_700_000_000 + i,
              nanoseconds: i * 50_000_123 - (resolution === "micro" ? (i * 50_000_123) % 1000 : 0),
              len: i * 10,
            }));
            const comments = format === "pcapng" ? { comments: ["one", "two, with ü"] } : {};
            const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "netoffload-")), "written");
            try {
              fs.writeFileSync(
                file,
                written({ format, resolution, littleEndian }, (w) => {
                  for (const p of packets) w.write({ ...p, ...comments });
                }),
              );
              const fields = ["frame.time_epoch", "frame.cap_len", "frame.len", "frame.comment"];
              const args = ["-n", "-r", file, "-T", "fields", ...fields.flatMap((f) => ["-e", f])];
              const text = execFileSync("tshark", args, { stdio: ["pipe", "pipe", "ignore"] }).toString();
              expect(
                text
                  .trim()
                  .split("\n")
                  .map((line) => line.trim()),
              ).toEqual(
                packets.map((p) =>
                  [
                    `${p.seconds}.${String(p.nanoseconds).padStart(9, "0")}`,
                    p.data.length,
                    p.len,
                    ...(format === "pcapng" ? ["one,two, with ü"] : []),
                  ].join("\t"),
                ),
              );
            } finally {
              fs.rmSync(path.dirname(file), { recursive: true });
            }
          });
  },
);
