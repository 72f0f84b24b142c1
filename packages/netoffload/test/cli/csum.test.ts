/** `csum check` and `csum fix`, as commands. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { PacketChecker } from "@netoffload/csum";
import { readCaptureSync } from "@netoffload/pcap";
import { describe, expect, it } from "vitest";
import { facility, has } from "../../../internal/test/facility.ts";
import { BUNDLED, scratch } from "./process.ts";
import { run } from "./run.ts";

const dir = scratch("csum");
const at = (name: string): string => path.join(dir, name);

function write(name: string, bytes: Uint8Array): string {
  fs.writeFileSync(at(name), bytes);
  return at(name);
}

/** A pcap of one Ethernet frame: IPv4, UDP, its checksum right; `spoil` turns a bit of the payload. */
function pcap(spoil: boolean): Buffer {
  const frame = Buffer.from(
    "020000000002020000000001080045000020000100004011f6c8c0000201c0000202" +
      "0035003500" +
      "0cb6a1" +
      "61626364",
    "hex",
  );
  if (spoil) frame[frame.length - 1]! ^= 1;
  const header = Buffer.alloc(24 + 16);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(4 << 20, 16);
  header.writeUInt32LE(1, 20);
  header.writeUInt32LE(frame.length, 32);
  header.writeUInt32LE(frame.length, 36);
  return Buffer.concat([header, frame]);
}

describe("csum check", () => {
  it("ends with 0 where nothing is bad, with 1 where something is, and says what and where", async () => {
    const right = await run("csum", "check", write("right.pcap", pcap(false)));
    expect([right.code, right.err]).toEqual([0, ""]);
    expect(right.out).toMatch(/^1 packets, 46 bytes/);
    const wrong = await run("csum", "check", write("wrong.pcap", pcap(true)));
    expect(wrong.code).toBe(1);
    expect(wrong.out).toContain("wrong.pcap: packet 1: udp bad at byte 40 (0xb6a1, should be 0xb6a0)");
  });

  it("--json says of each packet what PacketChecker says, then sums up", async () => {
    const { code, json } = await run("csum", "check", "--json", BUNDLED);
    expect(code).toBe(0);
    const checker = new PacketChecker({ fragmentBytes: 16 << 20 });
    let packets = 0;
    const counts: Record<string, Record<string, number>> = {};
    for (const p of readCaptureSync([fs.readFileSync(BUNDLED)])) {
      checker.check(p.data, p.linkType, p.len, p.seconds);
      const line = json[packets++] as { packet: number; layers: Record<string, unknown>[]; stop: string };
      expect(line.packet).toBe(packets);
      expect(line.stop).toBe(checker.stop);
      const layers = checker.layers();
      expect(line.layers.map((l) => ({ reassembled: false, quoted: false, ...l }))).toEqual(layers);
      for (const l of layers) {
        const by = (counts[l.layer] ??= {});
        by[l.verdict] = (by[l.verdict] ?? 0) + 1;
      }
    }
    const summary = json.at(-1)!;
    expect(json).toHaveLength(packets + 1);
    expect(summary).toMatchObject({ summary: true, packets, checksums: counts });
  });

  it("reads gzip, tells the fault of a cut file with its byte, and judges every whole packet of it", async () => {
    const whole = pcap(true);
    expect((await run("csum", "check", write("g.bin", gzipSync(whole)))).out).toContain("packet 1: udp bad");
    const cut = Buffer.concat([whole, whole.subarray(24, 24 + 20)]);
    const ran = await run("csum", "check", "--json", write("cut.pcap", cut));
    // 2 wins over 1
    expect(ran.code).toBe(2);
    expect(ran.err).toMatch(/cut\.pcap: TRUNCATED_RECORD at byte 86: /);
    expect(ran.json.at(-1)).toMatchObject({ packets: 1, faults: [{ file: at("cut.pcap"), offset: 86 }] });
    expect(ran.json).toHaveLength(2);
  });

  it("a record larger than the first buffer is read whole", async () => {
    const head = pcap(false).subarray(0, 40);
    const size = 3 << 20;
    head.writeUInt32LE(size, 32);
    head.writeUInt32LE(size, 36);
    const tail = pcap(false).subarray(24);
    const ran = await run(
      "csum",
      "check",
      "--json",
      write("big.pcap", Buffer.concat([head, Buffer.alloc(size), tail])),
    );
    expect([ran.code, ran.err]).toEqual([0, ""]);
    expect(ran.json.at(-1)).toMatchObject({ packets: 2, checksums: { udp: { ok: 1 } } });
  });

  it("JSON lines: an answer for each, an error in its place, exit 2", async () => {
    const frame = pcap(false).subarray(40).toString("hex");
    const lines = [
      `{"id":"a","frame":"${frame}"}`,
      "{oops",
      '{"id":3,"frame":"xx"}',
      `{"id":4,"frame":"${frame}"}`,
    ];
    const ran = await run("csum", "check", "--json", write("f.jsonl", Buffer.from(`${lines.join("\n")}\n`)));
    expect(ran.code).toBe(2);
    const [a, b, c, d] = ran.json;
    expect([a!.id, c!.id, d!.id]).toEqual(["a", 3, 4]);
    expect([b!.error, c!.error]).toMatchObject([{ code: "json" }, { code: "frame" }]);
    expect((a!.layers as { verdict: string }[]).map((l) => l.verdict)).toEqual(["ok", "ok"]);
  });

  it.each([
    [["csum", "check"], "which FILE"],
    [["csum", "check", "/nowhere/x.pcap"], "no such file"],
    [["csum", "check", "/"], "is a directory"],
    [["csum", "check", "--wrong", "x"], "Unknown option '--wrong'"],
    [["csum"], "one of: check, fix"],
    [["csum", "fix", BUNDLED], "FILE -o OUT"],
    [["csum", "fix", BUNDLED, "-o", "/nowhere/out.pcap"], "directory does not exist"],
  ])("%j is bad usage: %s", async (words, says) => {
    const ran = await run(...words);
    expect([ran.code, ran.out]).toEqual([2, ""]);
    expect(ran.err).toContain(says);
  });

  it("-o writes the result to a file, whole or not at all", async () => {
    const ran = await run("csum", "check", "--json", BUNDLED, "-o", at("out.jsonl"));
    expect([ran.code, ran.out]).toEqual([0, ""]);
    const lines = fs.readFileSync(at("out.jsonl"), "utf8").trimEnd().split("\n");
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ summary: true });
    await run("csum", "check", "/nowhere", "-o", at("never"));
    expect(fs.readdirSync(dir).filter((f) => /never|tmp-/.test(f))).toEqual([]);
    expect((await run("csum", "check", BUNDLED, "-o", "/dev/null")).code).toBe(0);
    expect(fs.statSync("/dev/null").isCharacterDevice()).toBe(true);
  });
});

describe("csum fix", () => {
  it("fills in what is partial; --all what is bad; formats by the name", async () => {
    const wrong = write("w.pcap", pcap(true));
    const kept = await run("csum", "fix", wrong, "-o", at("kept.pcap"), "--json");
    expect([kept.code, kept.json[0]!.fields, kept.json[0]!.bad_left]).toEqual([0, 0, 1]);
    expect(fs.readFileSync(at("kept.pcap")).subarray(24)).toEqual(pcap(true).subarray(24));
    const all = await run("csum", "fix", wrong, "-o", at("all.pcapng"), "--all", "--json");
    expect(all.json[0]).toMatchObject({ packets: 1, fields: 1, bad_left: 0 });
    expect(fs.readFileSync(at("all.pcapng")).readUInt32BE(0)).toBe(0x0a0d0d0a);
    expect((await run("csum", "check", at("all.pcapng"))).code).toBe(0);
    // in place: the input is read before the output takes its name
    expect((await run("csum", "fix", wrong, "-o", wrong, "--all")).code).toBe(0);
    expect((await run("csum", "check", wrong)).code).toBe(0);
  });

  const tshark = facility("tshark", has("tshark"), "apt install tshark");
  it.skipIf(!tshark)("of the bundled capture: tshark calls every checksum good", async () => {
    const out = at("fixed.pcapng");
    expect((await run("csum", "fix", BUNDLED, "-o", out)).code).toBe(0);
    const protocols = ["ip", "tcp", "udp", "icmp", "icmpv6", "igmp", "gre", "sctp"];
    const on = [
      "ip.check_checksum",
      "ip.defragment",
      "ipv6.defragment",
      "ip.tso_support",
      "ipv6.tso_support",
    ].concat(["tcp.check_checksum", "udp.check_checksum", "udplite.check_checksum"]);
    const statuses = (file: string): string[] =>
      execFileSync(
        "tshark",
        ["-n", ...on.flatMap((p) => ["-o", `${p}:TRUE`]), "-o", "sctp.checksum:crc-32c", "-r", file].concat(
          ["-T", "fields", "-E", "occurrence=a"],
          protocols.flatMap((p) => ["-e", `${p}.checksum.status`]),
        ),
        { encoding: "utf8", maxBuffer: 1 << 26, stdio: ["ignore", "pipe", "ignore"] },
      )
        .split(/[\n\t,]/)
        .filter((word) => word !== "");
    expect(statuses(BUNDLED).filter((s) => s === "0").length).toBeGreaterThan(500);
    const fixed = statuses(out);
    expect(fixed.filter((s) => s === "0")).toEqual([]);
    expect(fixed.filter((s) => s === "1").length).toBeGreaterThan(5000);
  });
});
