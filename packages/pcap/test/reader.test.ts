import { bytesToHex, hexToBytes } from "@netoffload/internal";
import { describe, expect, it } from "vitest";
import {
  BLOCK_EPB,
  BLOCK_ISB,
  BLOCK_NRB,
  BLOCK_SHB,
  CaptureReader,
  PcapError,
  readOptions,
} from "../src/index.ts";
import {
  ascii,
  block,
  concat,
  counting,
  endOfOptions,
  epb,
  idb,
  option,
  pb,
  pcapHeader,
  pcapRecord,
  shb,
  spb,
  u16,
  u32,
  u64,
} from "./build.ts";
import { readAdvanced, readPushed, readWhole } from "./read-all.ts";

const bytes = (hex: string): Uint8Array => hexToBytes(hex.replace(/[\s|]/g, ""))!;

/** Typed in by hand from the format's description (pcap-savefile(5), draft-ietf-opsawg-pcapng). */
const byHand: [string, string, Partial<ReturnType<typeof readWhole>["packets"][0]>[]][] = [
  [
    "pcap, little endian, microseconds",
    `d4c3b2a1 0200 0400 00000000 00000000 ffff0000 01000000
     | 01000000 02000000 03000000 05000000 aabbcc`,
    [{ at: 24, seconds: 1, nanoseconds: 2000, len: 5, data: "aabbcc", linkType: 1 }],
  ],
  [
    "pcap, big endian, microseconds",
    `a1b2c3d4 0002 0004 00000000 00000000 0000ffff 00000065
     | ffffffff 000f423f 00000002 00000002 4500`,
    [{ seconds: 4294967295, nanoseconds: 999_999_000, len: 2, data: "4500", linkType: 101 }],
  ],
  [
    "pcap, little endian, nanoseconds",
    `4d3cb2a1 0200 0400 00000000 00000000 00000400 71000000
     | 01000000 ffc99a3b 01000000 01000000 ee`,
    [{ seconds: 1, nanoseconds: 999_999_999, linkType: 113, data: "ee" }],
  ],
  [
    "pcap, big endian, nanoseconds, two records, the second empty",
    `a1b23c4d 0002 0004 00000000 00000000 00040000 00000114
     | 00000001 00000001 00000001 00000001 ee | 00000002 00000003 00000000 00000009`,
    [
      { at: 24, seconds: 1, nanoseconds: 1, linkType: 276 },
      { at: 41, seconds: 2, nanoseconds: 3, len: 9, data: "" },
    ],
  ],
  [
    "pcap with the 24-byte record headers of old Linux systems",
    `34cdb2a1 0200 0400 00000000 00000000 ffff0000 01000000
     | 01000000 02000000 02000000 02000000 07000000 0800 04 00 aabb`,
    [{ seconds: 1, nanoseconds: 2000, len: 2, data: "aabb" }],
  ],
  [
    "pcap 2.3, whose writers exchanged the lengths, some of them",
    `d4c3b2a1 0200 0300 00000000 00000000 ffff0000 01000000
     | 01000000 00000000 05000000 02000000 aabb | 02000000 00000000 01000000 04000000 cc`,
    [
      { len: 5, data: "aabb" },
      { len: 4, data: "cc" },
    ],
  ],
  [
    "pcap 2.2, whose writers all did",
    `d4c3b2a1 0200 0200 00000000 00000000 ffff0000 01000000
     | 01000000 00000000 05000000 02000000 aabb`,
    [{ len: 5, data: "aabb" }],
  ],
  [
    "pcapng, little endian: section, interface, enhanced packet",
    `0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000
     | 01000000 14000000 0100 0000 00000400 14000000
     | 06000000 24000000 00000000 00000000 40420f00 03000000 05000000 aabbcc00 24000000`,
    [{ at: 48, seconds: 1, nanoseconds: 0, len: 5, data: "aabbcc", linkType: 1, section: 0, interfaceId: 0 }],
  ],
  [
    "pcapng, big endian, if_tsresol 9, if_tsoffset -1, packet with comment and flags",
    `0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c
     | 00000001 0000002c 0065 0000 00000000 0009 0001 09000000 000e 0008 ffffffffffffffff 0000 0000 0000002c
     | 00000006 00000038 00000000 00000000 77359401 00000001 00000001 ee000000
       0001 0002 68690000 0002 0004 00000001 0000 0000 00000038`,
    [{ seconds: 1, nanoseconds: 1, linkType: 101, data: "ee", comments: ["hi"], flags: 1 }],
  ],
  [
    "pcapng, simple packet: the interface's limit cuts it",
    `0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000
     | 01000000 14000000 0100 0000 02000000 14000000
     | 03000000 14000000 09000000 aabb0000 14000000`,
    [{ seconds: 0, nanoseconds: 0, len: 9, data: "aabb" }],
  ],
  [
    "pcapng, obsolete packet block",
    `0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000
     | 01000000 14000000 7100 0000 00000400 14000000
     | 02000000 24000000 0000 ffff 00000000 40420f00 03000000 05000000 aabbcc00 24000000`,
    [{ seconds: 1, len: 5, data: "aabbcc", linkType: 113 }],
  ],
];

describe("records typed in by hand", () => {
  it.each(byHand)("%s", (_name, hex, expected) => {
    const got = readWhole(bytes(hex));
    expect(got.faults).toEqual([]);
    expect(got.packets).toHaveLength(expected.length);
    for (const [i, fields] of expected.entries()) expect(got.packets[i]).toMatchObject(fields);
  });
});

describe("pcapng resolutions", () => {
  // stamp, tsresol, seconds, nanoseconds; computed with a desk calculator
  const rows: [string, bigint, number, number, number][] = [
    ["10^-6", 1_700_000_000_123_456n, 6, 1_700_000_000, 123_456_000],
    ["10^-9", 1_700_000_000_123_456_789n, 9, 1_700_000_000, 123_456_789],
    ["10^-9, last value of a second", 1_700_000_000_999_999_999n, 9, 1_700_000_000, 999_999_999],
    ["10^-9, the largest", 18_446_744_073_709_551_615n, 9, 18_446_744_073, 709_551_615],
    ["10^-6, beyond 2^53", 18_446_744_073_709_551_615n, 6, 18_446_744_073_709, 551_615_000],
    ["10^0", 1_700_000_000n, 0, 1_700_000_000, 0],
    ["10^-3", 1_700_000_000_250n, 3, 1_700_000_000, 250_000_000],
    ["10^-12, finer than a nanosecond", 1_700_000_000_999n, 12, 1, 700_000_000],
    ["2^-10", 1024n * 5n + 512n, 0x80 | 10, 5, 500_000_000],
    ["2^-32", (7n << 32n) + (1n << 31n), 0x80 | 32, 7, 500_000_000],
    ["2^-127: next to nothing", (1n << 64n) - 1n, 0xff, 0, 0],
    ["10^-127: nothing at all", (1n << 64n) - 1n, 0x7f, 0, 0],
  ];
  for (const le of [true, false])
    it.each(rows)(`%s, ${le ? "little" : "big"} endian`, (_name, stamp, tsresol, seconds, nanoseconds) => {
      const file = concat(
        shb(le),
        idb(le, 1, 0, option(le, 9, Uint8Array.of(tsresol)), endOfOptions()),
        epb(le, 0, stamp, counting(3)),
      );
      const got = readWhole(file);
      expect(got.faults).toEqual([]);
      expect(got.packets[0]).toMatchObject({ seconds, nanoseconds });
    });
});

describe("sections and interfaces", () => {
  const file = concat(
    shb(true, option(true, 1, ascii("made by a test")), endOfOptions()),
    idb(
      true,
      1,
      0,
      option(true, 2, ascii("eth0\0")),
      option(true, 3, ascii("first")),
      option(true, 1, ascii("c")),
    ),
    idb(true, 101, 96, option(true, 13, Uint8Array.of(4)), endOfOptions()),
    epb(true, 1, 5n, counting(5)),
    block(true, 4, counting(9)),
    block(true, 10, ascii("TLSK"), counting(40)),
    block(true, 0x0bad, u32(0x7ed9, true), counting(5)),
    epb(true, 0, 6n, counting(2)),
    block(true, 5, u32(1, true), u32(0, true), u32(6, true)),
    shb(false),
    idb(false, 113, 0),
    epb(false, 0, 7n, counting(1)),
    pb(false, 0, 3, 8n, counting(6)),
    spb(false, 6, counting(6)),
  );

  it("are told apart, each section in its own byte order", () => {
    const got = readWhole(file);
    expect(got.faults).toEqual([]);
    expect(got.packets.map((p) => [p.section, p.interfaceId, p.linkType, p.data.length / 2])).toEqual([
      [0, 1, 101, 5],
      [0, 0, 1, 2],
      [1, 0, 113, 1],
      [1, 0, 113, 6],
      [1, 0, 113, 6],
    ]);
  });

  it("are described", () => {
    const reader = CaptureReader.from(file);
    expect(reader.next()).toBe(true);
    expect(reader.format).toBe("pcapng");
    expect(reader.interface).toEqual({
      section: 0,
      id: 1,
      linkType: 101,
      snaplen: 96,
      unitsPerSecond: 1e6,
      tsOffsetSeconds: 0,
      fcsLen: 4,
      name: "",
      description: "",
      comments: [],
    });
    expect(reader.interfaces[0]).toMatchObject({
      name: "eth0",
      description: "first",
      comments: ["c"],
      fcsLen: -1,
    });
    while (reader.next()) expect(reader.interface!.linkType).toBe(reader.linkType);
    expect(reader.interfaces).toHaveLength(1);
    expect(reader.littleEndian).toBe(false);
    expect(reader.packets).toBe(5);
  });

  it("blocks without a packet are passed on when asked for", () => {
    const reader = CaptureReader.from(file, { blocks: true });
    const seen: [number, boolean, number][] = [];
    const custom: string[] = [];
    while (reader.next()) {
      seen.push([reader.blockType, reader.isPacket, reader.caplen]);
      if (reader.blockType === 0x0bad) custom.push(bytesToHex(reader.packet()));
      if (reader.blockType === BLOCK_ISB) expect(reader.interfaceId).toBe(1);
      if (reader.blockType === BLOCK_SHB && seen.length === 1) {
        const end = reader.offset + reader.caplen;
        const [comment] = readOptions(reader.bytes, reader.offset + 16, end, reader.littleEndian);
        expect(comment!.code).toBe(1);
        expect(new TextDecoder().decode(comment!.value)).toBe("made by a test");
      }
    }
    expect(reader.fault).toBeNull();
    expect(reader.packets).toBe(5);
    expect(seen.map(([type]) => type)).toEqual([
      BLOCK_SHB,
      1,
      1,
      BLOCK_EPB,
      BLOCK_NRB,
      10,
      0x0bad,
      6,
      5,
      BLOCK_SHB,
      1,
      6,
      2,
      3,
    ]);
    expect(seen.filter(([, packet]) => packet)).toHaveLength(5);
    expect(custom).toEqual(["d97e00000001020304000000"]);
  });

  it("a pcap header tells the length of the frame check sequence", () => {
    const reader = CaptureReader.from(pcapHeader({ le: true, network: 0x24000001 }));
    reader.next();
    expect(reader.interfaces).toMatchObject([
      { linkType: 1, fcsLen: 4, snaplen: 65535, unitsPerSecond: 1e6 },
    ]);
  });
});

describe("faults", () => {
  const le = true;
  const header = pcapHeader({ le });
  const good = pcapRecord(le, 1, 2, counting(10));
  const start = concat(shb(le), idb(le, 1, 64)); // 28 + 20
  const packet = epb(le, 0, 1n, counting(10)); // 44
  const badTrailer = packet.slice();
  badTrailer[badTrailer.length - 1] = 9;
  const rows: [string, Uint8Array, string[], number][] = [
    ["no bytes", new Uint8Array(0), ["EMPTY@0!"], 0],
    ["three bytes", header.slice(0, 3), ["TRUNCATED_HEADER@0!"], 0],
    ["half a header", header.slice(0, 12), ["TRUNCATED_HEADER@0!"], 0],
    ["text", ascii("hello, world"), ["UNKNOWN_FORMAT@0!"], 0],
    ["only a header", header, [], 0],
    ["pcap version 3", pcapHeader({ le, major: 3 }), ["UNSUPPORTED_VERSION@4!"], 0],
    ["pcap, cut in a record header", concat(header, good, good.slice(0, 7)), ["TRUNCATED_RECORD@50!"], 1],
    ["pcap, cut in a record's bytes", concat(header, good, good.slice(0, 20)), ["TRUNCATED_RECORD@50!"], 1],
    [
      "pcap, a length of 4 GiB",
      concat(header, good, u32(1, le), u32(2, le), u32(0xffffffff, le), u32(3, le)),
      ["BAD_CAPLEN@50!"],
      1,
    ],
    [
      "pcap, a length just above 256 MiB",
      concat(header, u32(1, le), u32(2, le), u32(0x10000001, le), u32(3, le)),
      ["BAD_CAPLEN@24!"],
      0,
    ],
    [
      "pcap, 256 MiB promised, a few bytes there",
      concat(header, u32(1, le), u32(2, le), u32(0x10000000, le), u32(3, le), counting(5)),
      ["TRUNCATED_RECORD@24!"],
      0,
    ],
    [
      "pcap, above the snap length: read on",
      concat(pcapHeader({ le, snaplen: 9 }), good, good),
      ["SNAPLEN_EXCEEDED@24"],
      2,
    ],
    ["pcap, snap length 0 is no limit", concat(pcapHeader({ le, snaplen: 0 }), good), [], 1],
    ["pcapng, cut in a block", concat(start, packet, packet.slice(0, 43)), ["TRUNCATED_BLOCK@92!"], 1],
    ["pcapng, cut in a block header", concat(start, packet, packet.slice(0, 5)), ["TRUNCATED_BLOCK@92!"], 1],
    [
      "pcapng, cut in a skipped block",
      concat(start, packet, block(le, 4, counting(40)).slice(0, 50)),
      ["TRUNCATED_BLOCK@92!"],
      1,
    ],
    [
      "pcapng, the trailing lengths differ",
      concat(start, packet, badTrailer, packet),
      ["BLOCK_LENGTH_MISMATCH@92!"],
      1,
    ],
    [
      "pcapng, the trailing lengths of a skipped block differ",
      concat(start, u32(4, le), u32(12, le), u32(16, le)),
      ["BLOCK_LENGTH_MISMATCH@48!"],
      0,
    ],
    [
      "pcapng, a length not a multiple of 4",
      concat(start, u32(6, le), u32(45, le), counting(37)),
      ["BAD_BLOCK_LENGTH@48!"],
      0,
    ],
    [
      "pcapng, a packet block too short",
      concat(start, block(le, 6, counting(4))),
      ["BAD_BLOCK_LENGTH@48!"],
      0,
    ],
    ["pcapng, a length of 8", concat(start, u32(5, le), u32(8, le), u32(8, le)), ["BAD_BLOCK_LENGTH@48!"], 0],
    [
      "pcapng, a block of almost 4 GiB",
      concat(start, u32(5, le), u32(0xfffffffc, le), counting(4)),
      ["BLOCK_TOO_LARGE@48!"],
      0,
    ],
    [
      "pcapng, byte-order magic",
      concat(start, u32(0x0a0d0d0a, le), u32(28, le), u32(0x12345678, le)),
      ["BAD_BYTE_ORDER_MAGIC@56!"],
      0,
    ],
    [
      "pcapng version 2",
      block(le, 0x0a0d0d0a, u32(0x1a2b3c4d, le), u16(2, le), u16(0, le), u64(-1n, le)),
      ["UNSUPPORTED_VERSION@12!"],
      0,
    ],
    [
      "pcapng, an interface nobody described: read on",
      concat(start, epb(le, 1, 0n, counting(4)), epb(le, 2, 0n, counting(4)), packet),
      ["BAD_INTERFACE@48"],
      1,
    ],
    [
      "pcapng, a simple packet without interface",
      concat(shb(le), spb(le, 4, counting(4))),
      ["BAD_INTERFACE@28"],
      0,
    ],
    [
      "pcapng, a captured length beyond the block: read on",
      concat(
        start,
        block(le, 6, u32(0, le), u32(0, le), u32(0, le), u32(41, le), u32(41, le), counting(40)),
        packet,
      ),
      ["BAD_CAPLEN@48"],
      1,
    ],
    [
      "pcapng, an option beyond the block: the packet is whole",
      concat(
        start,
        epb(le, 0, 0n, counting(4), 4, option(le, 1, ascii("abcd")), u16(1, le), u16(9, le)),
        packet,
      ),
      ["BAD_OPTION@88"],
      2,
    ],
    [
      "pcapng, above the snap length: read on",
      concat(start, epb(le, 0, 0n, counting(65)), packet),
      ["SNAPLEN_EXCEEDED@48"],
      2,
    ],
    [
      "two faults: that which ends reading comes last",
      concat(start, epb(le, 7, 0n, counting(4)), packet, packet.slice(0, 9)),
      ["BAD_INTERFACE@48", "TRUNCATED_BLOCK@128!"],
      1,
    ],
  ];
  it.each(rows)("%s", (_name, file, faults, packets) => {
    for (const got of [
      readWhole(file),
      readPushed(file, [1]),
      readAdvanced(file, [7]),
      readAdvanced(file, [1 << 20]),
    ]) {
      expect(got.faults).toEqual(faults);
      expect(got.packets).toHaveLength(packets);
    }
  });

  it("say what, where and what would be accepted", () => {
    const reader = CaptureReader.from(concat(header, good, good.slice(0, 20)));
    while (reader.next());
    expect(reader.fault).toEqual({
      code: "TRUNCATED_RECORD",
      message: "the file ends within a record: 20 of 26 bytes (byte 50)",
      offset: 50,
      compression: "none",
      compressedOffset: null,
      fatal: true,
    });
    expect(reader.faultCount).toBe(1);
    expect(reader.next()).toBe(false);
    expect(reader.refill()).toBe(false);
  });

  it("a promise of 256 MiB costs no memory", () => {
    const reader = new CaptureReader({ bufferBytes: 4096 });
    reader.push(concat(header, u32(1, le), u32(2, le), u32(0x10000000, le), u32(3, le)));
    expect(reader.next()).toBe(false);
    for (let i = 0; i < 10; i++) {
      reader.push(counting(1000));
      expect(reader.next()).toBe(false);
    }
    expect(reader.bytes.length).toBeLessThanOrEqual(16384);
  });

  it("more than 65,536 interfaces", () => {
    const one = idb(le, 1, 64);
    const many = new Uint8Array(28 + 65537 * 20);
    many.set(shb(le));
    for (let i = 0; i < 65537; i++) many.set(one, 28 + 20 * i);
    expect(readWhole(many).faults).toEqual([`TOO_MANY_INTERFACES@${28 + 65536 * 20}!`]);
  });
});

describe("feeding", () => {
  const file = concat(
    pcapHeader({ le: true }),
    ...Array.from({ length: 50 }, (_, i) => pcapRecord(true, i, i, counting(i * 3))),
  );
  const whole = readWhole(file);

  it("reads straight into a WebAssembly memory: offsets are addresses there", () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    const linear = new Uint8Array(memory.buffer);
    const reader = new CaptureReader({ buffer: linear.subarray(1000, 1000 + 512) });
    let at = 0;
    let n = 0;
    while (
      reader.advance((space) => {
        expect(space.buffer).toBe(memory.buffer);
        const count = Math.min(space.length, file.length - at);
        space.set(file.subarray(at, at + count));
        at += count;
        return count;
      })
    ) {
      while (reader.next()) {
        const address = reader.bytes.byteOffset + reader.offset;
        expect(bytesToHex(linear.subarray(address, address + reader.caplen))).toBe(whole.packets[n++]!.data);
      }
    }
    expect(n).toBe(50);
    expect(reader.fault).toBeNull();
  });

  it("a record larger than the caller's buffer is a named fault", () => {
    const got = readAdvanced(file, [4096], { buffer: new Uint8Array(64) });
    expect(got.packets).toHaveLength(17); // 16 + 3 * 16 = 64
    expect(got.faults).toEqual([`BUFFER_TOO_SMALL@${whole.packets[17]!.at}!`]);
  });

  it("records delivered between two refills stay in place", () => {
    const reader = new CaptureReader({ bufferBytes: 1024 });
    let at = 0;
    const read = (space: Uint8Array): number => {
      const count = Math.min(space.length, file.length - at);
      space.set(file.subarray(at, at + count));
      at += count;
      return count;
    };
    const seen: string[] = [];
    while (reader.advance(read)) {
      const batch: [number, number][] = [];
      while (reader.next()) batch.push([reader.offset, reader.caplen]);
      for (const [offset, caplen] of batch)
        seen.push(bytesToHex(reader.bytes.subarray(offset, offset + caplen)));
    }
    expect(seen).toEqual(whole.packets.map((p) => p.data));
  });

  it("reserve and commit by hand", () => {
    const reader = new CaptureReader();
    reader.reserve(file.length).set(file);
    reader.commit(file.length);
    let n = 0;
    while (reader.next()) n++;
    expect(n).toBe(50);
    expect(reader.done).toBe(false);
    reader.commit(0);
    expect(reader.next()).toBe(false);
    expect(reader.done).toBe(true);
    expect(reader.fault).toBeNull();
    expect(reader.streamBytes).toBe(file.length);
  });

  it("a reader over bytes in memory reads them where they lie", () => {
    const reader = CaptureReader.from(file);
    expect(reader.next()).toBe(true);
    expect(reader.bytes).toBe(file);
    expect(reader.packetOffset).toBe(40);
  });

  it("the buffer grows to the largest record that is really there", () => {
    const large = concat(
      pcapHeader({ le: true, snaplen: 0 }),
      pcapRecord(true, 1, 1, new Uint8Array(300_000).fill(7)),
    );
    for (const sizes of [[1 << 20], [1000], [65536]]) {
      const got = readAdvanced(large, sizes, { bufferBytes: 64 });
      expect(got.faults).toEqual([]);
      expect(got.packets[0]!.data).toBe("07".repeat(300_000));
    }
  });

  it("caller mistakes throw, and nothing else does", () => {
    const code = (f: () => unknown): unknown => {
      try {
        f();
      } catch (error) {
        expect(error).toBeInstanceOf(PcapError);
        return (error as PcapError).code;
      }
      return "nothing thrown";
    };
    expect(code(() => new CaptureReader({ maxCaplen: 0 }))).toBe("EINVAL");
    expect(code(() => new CaptureReader({ maxCaplen: 2 ** 29 }))).toBe("EINVAL");
    expect(code(() => new CaptureReader({ bufferBytes: 63 }))).toBe("EINVAL");
    expect(code(() => new CaptureReader({ buffer: new Uint8Array(10) }))).toBe("EINVAL");
    const reader = new CaptureReader({ buffer: new Uint8Array(64) });
    expect(code(() => reader.commit(65))).toBe("EINVAL");
    expect(code(() => reader.commit(-1))).toBe("EINVAL");
    reader.reserve().set(file.subarray(0, 64));
    reader.commit(64);
    expect(code(() => reader.reserve())).toBe("EBUSY");
    const staged = new CaptureReader({ buffer: new Uint8Array(64) });
    staged.push(file);
    expect(code(() => staged.reserve())).toBe("EBUSY");
    staged.end();
    expect(code(() => staged.push(file))).toBe("EINVAL");
    expect(code(() => staged.reserve())).toBe("EINVAL");
  });
});
