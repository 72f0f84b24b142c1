/** Ops on bytes and numbers: sums, folds, updates, CRCs. */
import {
  crc32c,
  csum16Add,
  csum16Sub,
  csumAdd,
  csumBlockAdd,
  csumBlockSub,
  csumFold,
  csumFrom32to16,
  csumIpv6Magic,
  csumPartial,
  csumReplace,
  csumReplace2,
  csumReplace4,
  csumReplace16,
  csumReplaceByDiff,
  csumShift,
  csumSub,
  csumTcpudpMagic,
  csumTcpudpNofold,
  csumUnfold,
  fcoeFcCrc,
  ipComputeCsum,
  ipFastCsum,
} from "@netoffload/csum";
import { FieldError } from "./fields.ts";
import { hex, le32, type Op, sum16be, swap16, withBytes } from "./op.ts";

const SEED = "u32 partial sum of little-endian words, as an x86 kernel's; default 0";
const BE16 = "16 bits, read big endian";
const WORD = "32 bits of the packet: dotted address, 8 hex digits or a big-endian number";
const MAGIC_FIELDS = { saddr: "address", daddr: "address", len: "u32 bytes", proto: "u8", "seed?": SEED };

const le32Bytes = (n: number): Uint8Array =>
  Uint8Array.of(n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24);
const numbers = (
  name: string,
  fields: readonly string[],
  bits: 16 | 32,
  call: (a: number, b: number) => number,
): Op => ({
  name,
  fields: Object.fromEntries(fields.map((f) => [f, `u${bits}`])),
  result: "{value}",
  run: (f) => {
    const [a, b] = fields.map((n) => (bits === 16 ? f.u16(n) : f.u32(n)));
    return { value: call(a!, b ?? 0) };
  },
});

/** All of them. */
export const ARITH_OPS: readonly Op[] = [
  {
    name: "csum_fold",
    fields: { buf: "hex", "seed?": SEED },
    result: "{field_be}: fold of the sum of buf on top of seed",
    run: (f, bench) => {
      const buf = f.hex("buf", "");
      const seed = f.u32("seed", 0);
      return withBytes(bench, buf, (at) => ({
        field_be: swap16(csumFold(csumPartial(bench.memory, at, buf.length, seed))),
      }));
    },
  },
  {
    name: "csum_partial",
    fields: { buf: "hex", "seed?": SEED },
    result: "{sum16_be}",
    run: (f, bench) => {
      const buf = f.hex("buf");
      const seed = f.u32("seed", 0);
      return withBytes(bench, buf, (at) => ({
        sum16_be: sum16be(csumPartial(bench.memory, at, buf.length, seed)),
      }));
    },
  },
  numbers("csum_add", ["a", "b"], 32, csumAdd),
  numbers("csum_sub", ["a", "b"], 32, csumSub),
  numbers("csum16_add", ["a", "b"], 16, csum16Add),
  numbers("csum16_sub", ["a", "b"], 16, csum16Sub),
  numbers("csum_shift", ["sum", "offset"], 32, csumShift),
  numbers("csum_from32to16", ["sum"], 32, (sum) => csumFrom32to16(sum)),
  numbers("csum_unfold", ["check"], 16, (check) => csumUnfold(check)),
  {
    name: "csum_replace",
    fields: { sum: "u32", old: "u32", new: "u32" },
    result: "{value}",
    run: (f) => ({ value: csumReplace(f.u32("sum"), f.u32("old"), f.u32("new")) }),
  },
  {
    name: "csum_replace2",
    fields: { check_be: BE16, old_be: BE16, new_be: BE16 },
    result: "{check_be}",
    run: (f) => ({
      check_be: swap16(
        csumReplace2(swap16(f.u16("check_be")), swap16(f.u16("old_be")), swap16(f.u16("new_be"))),
      ),
    }),
  },
  {
    name: "csum_replace4",
    fields: { check_be: BE16, from: WORD, to: WORD },
    result: "{check_be}",
    run: (f) => ({
      check_be: swap16(csumReplace4(swap16(f.u16("check_be")), le32(f.word("from")), le32(f.word("to")))),
    }),
  },
  {
    name: "csum_replace16",
    fields: { check_be: BE16, from: "IPv6 address", to: "IPv6 address" },
    result: "{check_be}",
    run: (f) => ({
      check_be: swap16(csumReplace16(swap16(f.u16("check_be")), f.address6("from"), f.address6("to"))),
    }),
  },
  {
    name: "csum_replace_by_diff",
    fields: { check_be: BE16, diff: "u32 partial sum of little-endian words" },
    result: "{check_be}",
    run: (f) => ({ check_be: swap16(csumReplaceByDiff(swap16(f.u16("check_be")), f.u32("diff"))) }),
  },
  {
    name: "csum_block_add",
    fields: { a: "hex", b: "hex: the block that follows a" },
    result: "{sum16_be}",
    run: (f, bench) => {
      const [a, b] = [f.hex("a"), f.hex("b")];
      const sum = (x: Uint8Array): number =>
        withBytes(bench, x, (at) => csumPartial(bench.memory, at, x.length));
      return { sum16_be: sum16be(csumBlockAdd(sum(a), sum(b), a.length)) };
    },
  },
  {
    name: "csum_block_sub",
    fields: { whole: "hex", b: "hex: the block that whole ends with" },
    result: "{sum16_be}: of what comes before b",
    run: (f, bench) => {
      const [whole, b] = [f.hex("whole"), f.hex("b")];
      if (b.length > whole.length)
        throw new FieldError(`input.b: ${b.length} bytes, whole has ${whole.length}`);
      const sum = (x: Uint8Array): number =>
        withBytes(bench, x, (at) => csumPartial(bench.memory, at, x.length));
      return { sum16_be: sum16be(csumBlockSub(sum(whole), sum(b), whole.length - b.length)) };
    },
  },
  {
    name: "csum_tcpudp_nofold",
    fields: MAGIC_FIELDS,
    result: "{sum16_be}",
    run: (f) => {
      const sum = csumTcpudpNofold(
        le32(f.address4("saddr")),
        le32(f.address4("daddr")),
        f.u32("len"),
        f.u8("proto"),
        f.u32("seed", 0),
      );
      return { sum16_be: sum16be(sum) };
    },
  },
  {
    name: "csum_tcpudp_magic",
    fields: MAGIC_FIELDS,
    result: "{field_be}",
    run: (f) => {
      const check = csumTcpudpMagic(
        le32(f.address4("saddr")),
        le32(f.address4("daddr")),
        f.u32("len"),
        f.u8("proto"),
        f.u32("seed", 0),
      );
      return { field_be: swap16(check) };
    },
  },
  {
    name: "csum_ipv6_magic",
    fields: MAGIC_FIELDS,
    result: "{field_be}",
    run: (f) => {
      const check = csumIpv6Magic(
        f.address6("saddr"),
        f.address6("daddr"),
        f.u32("len"),
        f.u8("proto"),
        f.u32("seed", 0),
      );
      return { field_be: swap16(check) };
    },
  },
  {
    name: "ip_fast_csum",
    fields: { header: "hex", "ihl?": "words; default from the header" },
    result: "{field_be}: 0 for a header that is right",
    run: (f, bench) => {
      const header = f.hex("header");
      const ihl = f.int("ihl", 0, 15, (header[0] ?? 0) & 15);
      if (ihl * 4 > header.length)
        throw new FieldError(`input.header: ${header.length} bytes, ihl says ${ihl * 4}`);
      return withBytes(bench, header, (at) => ({ field_be: swap16(ipFastCsum(bench.memory, at, ihl)) }));
    },
  },
  {
    name: "ip_compute_csum",
    fields: { buf: "hex" },
    result: "{field_be}",
    run: (f, bench) => {
      const buf = f.hex("buf");
      return withBytes(bench, buf, (at) => ({
        field_be: swap16(ipComputeCsum(bench.memory, at, buf.length)),
      }));
    },
  },
  {
    name: "crc32c",
    fields: { buf: "hex", "crc?": "u32, default 0xffffffff" },
    result: "{crc_le_bytes}: complemented, as SCTP stores it",
    run: (f, bench) => {
      const buf = f.hex("buf");
      const crc = f.u32("crc", 0xffffffff);
      return withBytes(bench, buf, (at) => ({
        crc_le_bytes: hex(le32Bytes(~crc32c(bench.memory, at, buf.length, crc) >>> 0)),
      }));
    },
  },
  {
    name: "fcoe_crc",
    fields: { fc_frame: "hex: FC header, payload, padding" },
    result: "{crc_le_bytes}",
    run: (f) => ({ crc_le_bytes: hex(le32Bytes(fcoeFcCrc(f.hex("fc_frame")))) }),
  },
];
