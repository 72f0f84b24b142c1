/** Every real capture beside the project, against the programs people read captures with. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import zlib from "node:zlib";
import { describe, expect, it } from "vitest";
import { facility, has } from "../../internal/test/facility.ts";
import { CaptureReader } from "../src/index.ts";
import { plainFaults, readAdvanced, readPushed, readWhole } from "./read-all.ts";
import { slowRead } from "./ref/slow-reader.ts";

const folder = fileURLToPath(new URL("../../../../shared/captures", import.meta.url));

function list(dir: string): string[] {
  return fs
    .readdirSync(dir, { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory()
        ? list(path.join(dir, entry.name))
        : /\.pcap(ng)?$/.test(entry.name)
          ? [path.join(dir, entry.name)]
          : [],
    );
}

function run(program: string, args: readonly string[], input?: Uint8Array): string {
  return execFileSync(program, args, {
    input,
    maxBuffer: 1 << 28,
    stdio: ["pipe", "pipe", "ignore"],
  }).toString("latin1");
}

const present = fs.existsSync(folder);
if (!present)
  console.warn("SKIPPED: ../shared/captures is not here (the folder of real captures beside the project)");
const files = present ? list(folder).map((file) => [path.relative(folder, file), file] as const) : [];
const tcpdump = facility("tcpdump", has("tcpdump"), "apt install tcpdump");
const tshark = facility("tshark", has("tshark"), "apt install tshark");
const capinfos = facility("capinfos", has("capinfos"), "apt install wireshark-common");
const zstd = facility("zstd", has("zstd"), "apt install zstd");

/** "seconds.nanoseconds", as tshark prints it. */
const stamp = (p: { seconds: number; nanoseconds: number }): string =>
  `${p.seconds}.${String(p.nanoseconds).padStart(9, "0")}`;

describe.skipIf(!present)("captures", () => {
  it("there are some", () => {
    expect(files.length).toBeGreaterThan(80);
  });

  it.each(files)("%s: to its end, as the slow reader has it, however it arrives", (_name, file) => {
    const bytes = new Uint8Array(fs.readFileSync(file));
    const slow = slowRead(bytes);
    expect(slow.faults).toEqual([]); // none of them is damaged as a file: their packets are
    expect(readWhole(bytes)).toEqual(slow);
    expect(readPushed(bytes, [1, 7, 1000, 65536])).toEqual(slow);
    expect(readAdvanced(bytes, [4096], { bufferBytes: 4096 })).toEqual(slow);
    expect(readAdvanced(zlib.gzipSync(bytes), [500], { bufferBytes: 4096 })).toEqual(slow);
    if (zstd) {
      const packed = execFileSync("zstd", ["-q", "-c"], { input: bytes, maxBuffer: 1 << 28 });
      expect(readAdvanced(packed, [500], { bufferBytes: 4096 })).toEqual(slow);
    }
  });

  it.skipIf(!tcpdump).each(files)(
    "%s: every byte, length and time as libpcap hands them on",
    (_name, file) => {
      const copy = execFileSync("tcpdump", ["--nano", "-r", file, "-w", "-"], {
        maxBuffer: 1 << 28,
        stdio: ["pipe", "pipe", "ignore"],
      });
      const ours = readWhole(new Uint8Array(fs.readFileSync(file)));
      const fields = ({ data, len, seconds, nanoseconds }: (typeof ours)["packets"][0]) =>
        `${data} ${len} ${seconds}.${nanoseconds}`;
      expect(ours.packets.map(fields)).toEqual(slowRead(new Uint8Array(copy)).packets.map(fields));
    },
  );

  it.skipIf(!tshark).each(files)("%s: lengths, times and interfaces as tshark has them", (_name, file) => {
    const fields = [
      "frame.time_epoch",
      "frame.cap_len",
      "frame.len",
      "frame.interface_id",
      "frame.offset_shift",
    ];
    const text = run("tshark", ["-n", "-r", file, "-T", "fields", ...fields.flatMap((f) => ["-e", f])]);
    const theirs = text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split("\t").slice(0, 3).join(" "));
    const { packets } = readWhole(new Uint8Array(fs.readFileSync(file)));
    expect(packets.map((p) => `${stamp(p)} ${p.data.length / 2} ${p.len}`)).toEqual(theirs);
  });

  it.skipIf(!capinfos).each(files)("%s: counts as capinfos has them", (_name, file) => {
    const text = run("capinfos", ["-M", "-T", "-r", "-c", "-d", file]).trim().split("\t");
    const { packets } = readWhole(new Uint8Array(fs.readFileSync(file)));
    expect(Number(text[1])).toBe(packets.length);
    if (packets.length > 0) expect(Number(text[2])).toBe(packets.reduce((n, p) => n + p.len, 0));
  });

  it("cut at every byte: all whole packets, then the fault", () => {
    for (const [, file] of files) {
      const bytes = new Uint8Array(fs.readFileSync(file));
      if (bytes.length > 3000) continue;
      const whole = readWhole(bytes).packets;
      for (let cut = 0; cut < bytes.length; cut++) {
        const reader = CaptureReader.from(bytes.subarray(0, cut));
        let n = 0;
        let end = 0;
        while (reader.next()) {
          expect(reader.recordOffset).toBe(whole[n]!.at);
          expect(reader.caplen).toBe(whole[n++]!.data.length / 2);
          end = reader.packetOffset + reader.caplen;
        }
        expect(reader.done).toBe(true);
        expect(plainFaults(reader)).toEqual(slowRead(bytes.subarray(0, cut)).faults);
        // the next packet is really not whole
        if (n < whole.length) expect(cut).toBeLessThan(whole[n]!.at + 16 + whole[n]!.data.length / 2);
        expect(end).toBeLessThanOrEqual(cut);
      }
    }
  });
});
