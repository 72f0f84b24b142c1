// `netoffload eval`: exact forms of fields; expected values from RFCs, published vectors and the slow oracle.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { OPS } from "../../src/eval/index.ts";
import { run } from "./run.ts";

const dir = mkdtempSync(join(tmpdir(), "eval-"));
afterAll(() => rmSync(dir, { recursive: true }));

let files = 0;
async function evaluate(
  lines: readonly (object | string)[],
): Promise<{ code: number; json: Record<string, unknown>[] }> {
  const file = join(dir, `${files++}.jsonl`);
  writeFileSync(file, lines.map((l) => (typeof l === "string" ? l : JSON.stringify(l))).join("\n"));
  const { code, json } = await run("eval", file, "--json");
  return { code, json };
}
async function one(op: string, input: object): Promise<Record<string, unknown>> {
  const { code, json } = await evaluate([{ id: 7, op, input }]);
  expect([code, json.length, json[0]!.id, json[0]!.error]).toEqual([0, 1, 7, undefined]);
  return json[0]!.result as Record<string, unknown>;
}

/** RFC 1071 with big-endian words. */
function sum(bytes: readonly number[]): number {
  let s = 0;
  for (const [i, b] of bytes.entries()) s += i % 2 ? b : b * 256;
  while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
  return s;
}
const hex = (bytes: readonly number[]): string => bytes.map((b) => b.toString(16).padStart(2, "0")).join("");

describe("arithmetic", () => {
  const rows: [string, object, object][] = [
    ["csum_fold", { buf: "0001f203f4f5f6f7" }, { field_be: 0x220d }],
    ["csum_fold", { seed: 0 }, { field_be: 0xffff }],
    ["csum_fold", { seed: 0xffffffff }, { field_be: 0 }],
    ["csum_fold", { seed: "0x1fffe" }, { field_be: 0 }],
    ["csum_partial", { buf: "0001f203f4f5f6f7" }, { sum16_be: 0xddf2 }],
    // little-endian words: seed 1 is the first byte of a word
    ["csum_partial", { buf: "0001", seed: 1 }, { sum16_be: 0x0101 }],
    ["csum_partial", { buf: "010203" }, { sum16_be: 0x0402 }],
    ["csum_replace2", { check_be: 0xdd2f, old_be: 0x5555, new_be: 0x3285 }, { check_be: 0 }],
    ["csum_replace2", { check_be: 0xffff, old_be: 0xffff, new_be: 0 }, { check_be: 0xffff }],
    ["csum_replace2", { check_be: 0xffff, old_be: 5, new_be: 5 }, { check_be: 0 }],
    ["csum_replace4", { check_be: 0xdd2f, from: "55550000", to: "32850000" }, { check_be: 0 }],
    ["csum_replace4", { check_be: 0xdd2f, from: "85.85.0.0", to: 0x32850000 }, { check_be: 0 }],
    ["csum_replace16", { check_be: 0xdd2f, from: "5555::", to: "3285::" }, { check_be: 0 }],
    ["csum_block_add", { a: "010203", b: "0405" }, { sum16_be: sum([1, 2, 3, 4, 5]) }],
    ["csum_block_sub", { whole: "0102030405", b: "0405" }, { sum16_be: sum([1, 2, 3]) }],
    ["csum_add", { a: 0xffffffff, b: 1 }, { value: 1 }],
    ["csum_sub", { a: 5, b: 3 }, { value: 2 }],
    ["csum16_add", { a: 0xffff, b: 2 }, { value: 2 }],
    ["csum_shift", { sum: 0x11223344, offset: 3 }, { value: 0x44112233 }],
    ["csum_from32to16", { sum: 0xffffffff }, { value: 0xffff }],
    ["csum_unfold", { check: 0xffff }, { value: 0xffff }],
    // the header in RFC 791's style that every textbook sums: b861
    ["ip_fast_csum", { header: "450000730000400040110000c0a80001c0a800c7" }, { field_be: 0xb861 }],
    ["ip_fast_csum", { header: "45000073000040004011b861c0a80001c0a800c7" }, { field_be: 0 }],
    ["ip_compute_csum", { buf: "0800000000010001" }, { field_be: 0xf7fd }],
    ["crc32c", { buf: "313233343536373839" }, { crc_le_bytes: "839206e3" }],
    ["fcoe_crc", { fc_frame: "313233343536373839" }, { crc_le_bytes: "2639f4cb" }],
  ];
  test.each(rows)("%s %j", async (op, input, result) => {
    expect(await one(op, input)).toEqual(result);
  });

  test("pseudo headers; a length above 65535 adds its carry", async () => {
    const src = [192, 0, 2, 1];
    const dst = [198, 51, 100, 7];
    const pseudo = (len: number): number =>
      sum([...src, ...dst, len >>> 24, (len >>> 16) & 255, (len >>> 8) & 255, len & 255, 0, 6]);
    for (const len of [20, 65535, 65536, 0x12345678])
      expect(await one("csum_tcpudp_magic", { saddr: "192.0.2.1", daddr: hex(dst), len, proto: 6 })).toEqual({
        field_be: 0xffff - pseudo(len),
      });
    const six = { saddr: "2001:db8::1", daddr: "2001:db8:1::198.51.100.7", len: 70000, proto: 17, seed: 0 };
    const words = [
      0x20,
      1,
      0x0d,
      0xb8,
      ...new Array<number>(11).fill(0),
      1,
      0x20,
      1,
      0x0d,
      0xb8,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      0,
      ...dst,
    ];
    expect(await one("csum_ipv6_magic", six)).toEqual({
      field_be: 0xffff - sum([...words, 0, 1, 0x11, 0x70, 0, 0, 0, 17]),
    });
  });
});

describe("transmit", () => {
  const SEEDED = [...new Array<number>(14).fill(0), 1, 2, 3, 4, 0, 0, 9, 9];
  const RIGHT = 0xffff - sum([1, 2, 3, 4, 0, 0, 9, 9]);
  const DONE = [...SEEDED.slice(0, 18), RIGHT >> 8, RIGHT & 255, 9, 9];

  test("skb_checksum_help: linear, in frags, errors", async () => {
    const input = { frame: hex(SEEDED), csum_start: 14, csum_offset: 4 };
    const expected = { ret: 0, ip_summed: "NONE", frame: hex(DONE), field_be: RIGHT };
    expect(await one("skb_checksum_help", input)).toEqual(expected);
    expect(await one("skb_checksum_help", { ...input, frags: [1], frag_list: [1] })).toEqual(expected);
    const stays = { ret: -22, ip_summed: "PARTIAL", frame: hex(SEEDED), field_be: 0 };
    expect(await one("skb_checksum_help", { ...input, gso_size: 5 })).toEqual(stays);
    expect(await one("skb_checksum_help", { ...input, frags: [1], unreadable: true })).toEqual({
      ...stays,
      ret: -14,
    });
    expect(await one("skb_checksum_help", { ...input, ip_summed: "COMPLETE" })).toMatchObject({
      ret: 0,
      ip_summed: "NONE",
      frame: hex(SEEDED),
    });
    expect(await one("skb_checksum_help", { ...input, csum_start: -1 })).toMatchObject({
      ret: -22,
      ip_summed: "PARTIAL",
    });
  });

  test("skb_crc32c_csum_help", async () => {
    // CRC-32C of 12 zero bytes by the catalogue's definition, bit by bit
    let crc = 0xffffffff;
    for (let i = 0; i < 96; i++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    crc = ~crc >>> 0;
    const le = hex([crc & 255, (crc >>> 8) & 255, (crc >>> 16) & 255, crc >>> 24]);
    expect(
      await one("skb_crc32c_csum_help", { frame: "00".repeat(14), csum_start: 2, csum_offset: 8 }),
    ).toEqual({
      ret: 0,
      ip_summed: "NONE",
      frame: `${"00".repeat(10)}${le}`,
      crc_le_bytes: le,
    });
  });

  test("lco_csum: outer header bytes and the complement of the seed", async () => {
    const bytes = [0, 0, 1, 2, 3, 4, 0x11, 0x22, 5, 6];
    expect(
      await one("lco_csum", { frame: hex(bytes), csum_start: 4, csum_offset: 2, transport_header: 2 }),
    ).toEqual({
      sum16_be: sum([1, 2, ...[0xee, 0xdd]]),
    });
  });

  test("legacy check: a routing header is computed in software", async () => {
    const v6 = "60000000002c2b40" + "20010db8000000000000000000000001" + "20010db8000000000000000000000002";
    const srh = `0602040100000000${"20010db8000000000000000000000009"}`;
    const tcp = `${"0001".repeat(6)}5000${"0000".repeat(3)}`;
    const frame = `${"02".repeat(12)}86dd${v6}${srh}${tcp}`;
    const caps = { ipv4: true, ipv6: true, tcp: true, ipv6_ext_hdrs: true };
    const skb = { csum_start: 78, csum_offset: 16, network_header: 14 };
    const found = await one("skb_csum_hwoffload_legacy_check", { frame, skb, caps });
    expect(found).toMatchObject({ verdict: "resolved", encapsulated: false, reason: "rthdr" });
    expect(await one("skb_csum_hwoffload_legacy_check", { frame, skb, caps, help: false })).toEqual({
      verdict: "fail",
      encapsulated: false,
      reason: "rthdr",
      frame,
    });
    const plain = `${"02".repeat(12)}86dd${v6.replace("002c2b", "001406")}${tcp}`;
    expect(
      await one("skb_csum_hwoffload_legacy_check", {
        frame: plain,
        skb: { csum_start: 54, csum_offset: 16 },
        caps,
      }),
    ).toEqual({ verdict: "offload", encapsulated: false, reason: null, frame: plain });
  });

  test("virtio_net_hdr_to_skb", async () => {
    const frame = `${"02".repeat(12)}0800${"45".padEnd(40, "0")}${"00".repeat(60)}`;
    expect(await one("virtio_net_hdr_to_skb", { header: "01000000000022001000", frame })).toEqual({
      errno: null,
      from_skb: "01000000000022001000",
    });
    // gso_type 1 without a size
    expect(await one("virtio_net_hdr_to_skb", { header: "01010000000022001000", frame })).toEqual({
      errno: "EINVAL",
      from_skb: null,
    });
  });
});

describe("receive", () => {
  const udp = [0, 1, 0, 9, 0, 10, 0, 0, 0xab, 0xcd];
  const pseudo = [192, 0, 2, 1, 198, 51, 100, 7, 0, 17, 0, 10];
  const check = 0xffff - sum([...pseudo, ...udp]);
  const l4 = hex([...udp.slice(0, 6), check >> 8, check & 255, ...udp.slice(8)]);
  const addresses = { saddr: "192.0.2.1", daddr: "198.51.100.7" };

  test("skb_checksum_validate", async () => {
    expect(await one("skb_checksum_validate", { l4, ...addresses })).toEqual({
      ret: 0,
      ip_summed: "COMPLETE",
      csum_level: 0,
      csum_valid: 1,
      csum_complete_sw: 1,
      csum_sum16_be: sum([...udp.slice(0, 6), check >> 8, check & 255, ...udp.slice(8)]),
    });
    const bad = { l4: l4.replace("abcd", "abce"), ...addresses };
    expect((await one("skb_checksum_validate", bad)).ret).not.toBe(0);
    expect(
      await one("skb_checksum_validate", { ...bad, ip_summed: "UNNECESSARY", csum_level: 2 }),
    ).toMatchObject({
      ret: 0,
      ip_summed: "UNNECESSARY",
      csum_level: 1,
    });
    expect(
      await one("skb_checksum_validate", { l4: hex(udp), ...addresses, kind: "validate_zero_check" }),
    ).toMatchObject({
      ret: 0,
      ip_summed: "NONE",
      csum_valid: 1,
    });
  });

  test("skb_checksum_try_convert: the complement of the pseudo header", async () => {
    expect(await one("skb_checksum_try_convert", { l4, ...addresses, csum_valid: true })).toMatchObject({
      ip_summed: "COMPLETE",
      csum_sum16_be: 0xffff - sum(pseudo),
    });
    expect(await one("skb_checksum_try_convert", { l4, ...addresses })).toMatchObject({ ip_summed: "NONE" });
  });

  test("skb_csum_rx_legacy_convert_unnecessary", async () => {
    const ip = `4500001e00000000401100${"00"}c0000201c6336407`;
    const packet = `${ip}${l4}`;
    const bytes = packet.match(/../g)!.map((b) => Number.parseInt(b, 16));
    expect(
      await one("skb_csum_rx_legacy_convert_unnecessary", {
        skb_from_l3: packet,
        ip_summed: "UNNECESSARY",
        csum_level: 0,
      }),
    ).toEqual({
      ip_summed: "COMPLETE",
      csum_sum16_be: sum(bytes),
      reason: "converted",
    });
    expect(
      await one("skb_csum_rx_legacy_convert_unnecessary", { skb_from_l3: packet, ip_summed: "NONE" }),
    ).toEqual({
      ip_summed: "NONE",
      csum_sum16_be: null,
      reason: "not-unnecessary",
    });
  });

  test("ipv6_skip_exthdr", async () => {
    const bytes = `2b00010400000000${"0600040100000000"}`;
    expect(await one("ipv6_skip_exthdr", { start: 0, nexthdr: 0, bytes })).toEqual({
      ret: 16,
      nexthdr: 6,
      frag_off: 0,
    });
    expect(await one("ipv6_skip_exthdr", { start: 0, nexthdr: 0, bytes, no_rthdr: true })).toEqual({
      ret: -1,
      nexthdr: 0,
      frag_off: 0,
    });
  });

  test("skb_remcsum_process, both ways", async () => {
    // 4 bytes of header; sum from 2 on, field at 4
    const packet = [1, 1, 1, 1, 7, 7, 0x10, 0x20, 0x11, 0x22, 0x30, 0x40];
    const input = { packet: hex(packet), ptr: 4, start: 2, offset: 4 };
    expect(await one("skb_remcsum_process", input)).toMatchObject({
      ip_summed: "PARTIAL",
      csum_start: 6,
      csum_offset: 2,
      field_be: 0x1122,
    });
    expect(await one("skb_remcsum_process", { ...input, nopartial: true })).toMatchObject({
      ip_summed: "COMPLETE",
      field_be: 0xffff - sum(packet.slice(6)),
    });
  });
});

describe("features and hashes", () => {
  test("net_gso_ok, netdev_fix_features", async () => {
    expect(await one("net_gso_ok", { gso_type: 1, features: ["TSO"] })).toEqual({ ok: true, missing: [] });
    expect(await one("net_gso_ok", { gso_type: "0x40000001", features: "10000" })).toEqual({
      ok: false,
      missing: ["TSO_MANGLEID"],
    });
    const features = ["SG", "HW_CSUM", "GSO", "TSO", "TSO_ECN", "TSO_MANGLEID", "TSO6", "GSO_UDP_L4"];
    // read from a live veth, Linux 6.18.44
    expect((await one("netdev_fix_features", { features, turn_off: ["SG"] })).dropped).toEqual([
      "SG",
      "GSO",
      "TSO",
      "TSO_ECN",
      "TSO_MANGLEID",
      "TSO6",
    ]);
    expect(
      (await one("netdev_fix_features", { features, turn_off: ["tx-checksum-ip-generic"] })).dropped,
    ).toEqual(["HW_CSUM", "TSO", "TSO_ECN", "TSO_MANGLEID", "TSO6", "GSO_UDP_L4"]);
  });

  test("netif_skb_features", async () => {
    const frame = `${"02".repeat(12)}86dd6000000000140040${"00".repeat(60)}`;
    const result = await one("netif_skb_features", {
      frame,
      features: ["SG", "IP_CSUM", "TSO"],
      skb: { ip_summed: "PARTIAL" },
    });
    expect(result).toEqual({ features: ["SG"], needs_gso: false, needs_linearize: false });
  });

  test("feature_mapping: three checksum flags to one, every GSO bit to one", async () => {
    const rows = (await one("feature_mapping", {})).rows as { old: string; new: string }[];
    const to = (name: string): string[] => rows.filter((r) => r.new === name).map((r) => r.old);
    expect(to("HW_CSUM")).toEqual(["IP_CSUM", "HW_CSUM", "IPV6_CSUM"]);
    // the software switch and bits 16 to 35
    expect(to("GSO").length).toBe(21);
  });

  test("toeplitz: Microsoft's verification suite; siphash: the reference's vector", async () => {
    const key = "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa";
    const tuple = { key, src: "66.9.149.187", dst: "161.142.100.80" };
    expect(await one("toeplitz", tuple)).toEqual({ hash: "323e8fc2" });
    expect(await one("toeplitz", { ...tuple, sport: 2794, dport: 1766 })).toEqual({ hash: "51ccc178" });
    expect(
      await one("siphash", {
        key: "000102030405060708090a0b0c0d0e0f",
        bytes: "000102030405060708090a0b0c0d0e",
      }),
    ).toEqual({
      hash: "a129ca6149be45e5",
    });
  });
});

describe("the stream", () => {
  test("bad lines keep their place, the rest goes on, exit code 2", async () => {
    const { code, json } = await evaluate([
      { id: "a", op: "csum_add", input: { a: 1, b: 2 } },
      "{nonsense",
      { id: "b", op: "nothing" },
      { id: "c", op: "csum_partial", input: { buf: "abc" } },
      { id: "d", op: "csum_add", input: { a: 1 } },
      { id: "e", op: "csum_add", input: [] },
      { id: "f", op: "csum_add", input: { a: 1, b: 2, c: 3 } },
    ]);
    expect(code).toBe(2);
    expect(json.map((l) => [l.id, (l.error as { code?: string } | undefined)?.code])).toEqual([
      ["a", undefined],
      [null, "json"],
      ["b", "op"],
      ["c", "input"],
      ["d", "input"],
      ["e", "input"],
      ["f", undefined],
    ]);
    expect(json[3]!.error).toEqual({
      code: "input",
      message: 'input.buf "abc": hex, up to 1048576 bytes, is needed',
    });
    expect((json[4]!.error as { message: string }).message).toBe(
      "input.b is missing: a whole number from 0 to 4294967295 is needed",
    );
    expect(json[6]).toEqual({ id: "f", result: { value: 3 }, ignored: ["c"] });
  });

  test("--list prints every op of the interface with its fields", async () => {
    const { json, code } = await run("eval", "--list", "--json");
    expect(code).toBe(0);
    const names = json.map((l) => l.op);
    for (const op of [
      "csum_fold",
      "csum_partial",
      "csum_replace2",
      "csum_replace4",
      "csum_block_add",
      "csum_block_sub",
      "csum_tcpudp_magic",
      "csum_ipv6_magic",
      "skb_checksum_help",
      "skb_crc32c_csum_help",
      "fcoe_crc",
      "lco_csum",
      "skb_checksum_validate",
      "skb_checksum_try_convert",
      "skb_csum_hwoffload_legacy_check",
      "skb_csum_rx_legacy_convert_unnecessary",
      "skb_remcsum_process",
      "ipv6_skip_exthdr",
      "net_gso_ok",
      "netdev_fix_features",
      "virtio_net_hdr_to_skb",
      "toeplitz",
      "siphash",
    ])
      expect(names).toContain(op);
    const text = await run("eval", "--list");
    for (const op of OPS) expect(text.out).toContain(`${op.name}\n`.slice(0, -1));
  });

  test("nonsense in every field of every op: an error or a result, never a throw", async () => {
    const junk = [
      "",
      "zz",
      "ff".repeat(70),
      -1,
      1e12,
      3,
      true,
      null,
      [],
      {},
      ["SG"],
      "1.2.3.4",
      "::1",
      "\u0000",
    ];
    const lines = OPS.flatMap((op) =>
      junk.flatMap((a, i) =>
        [0, 1, 2].map((shift) => ({
          op: op.name,
          input: Object.fromEntries(
            Object.keys(op.fields).map((f, k) => [
              f.replace("?", ""),
              k === 0 ? a : junk[(i + k * (shift + 1)) % junk.length],
            ]),
          ),
        })),
      ),
    );
    const { code, json } = await evaluate(lines);
    expect(code).toBe(2);
    expect(json.length).toBe(lines.length);
  });
});
