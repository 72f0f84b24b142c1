/** `verify`, `report merge`, and devices behind a pipe. */
import fs from "node:fs";
import path from "node:path";
import { txCsum } from "@netoffload/csum";
import { CaptureWriter, readCaptureSync } from "@netoffload/pcap";
import { describe, expect, it } from "vitest";
import { NOT_APPLICABLE, type VerifyReport } from "../../src/index.ts";
import { BUNDLED, scratch, start } from "./process.ts";
import { run } from "./run.ts";

const dir = scratch("verify");
const at = (name: string): string => path.join(dir, name);
const report = (json: readonly Record<string, unknown>[]): VerifyReport =>
  json.at(-1) as unknown as VerifyReport;
const count = (reasons: Readonly<Record<string, number>>): number =>
  Object.values(reasons).reduce((a, b) => a + b, 0);

/** The first packets of the bundled capture. */
function part(name: string, packets: number): string {
  const chunks: Uint8Array[] = [];
  const writer = new CaptureWriter((chunk) => chunks.push(chunk.slice()));
  for (const p of readCaptureSync([fs.readFileSync(BUNDLED)])) {
    if (writer.packets === packets) break;
    const { data, len, seconds, nanoseconds, linkType } = p;
    writer.write({ data, len, seconds, nanoseconds, linkType });
  }
  writer.flush();
  fs.writeFileSync(at(name), Buffer.concat(chunks));
  return at(name);
}

/** Without the times, which differ from run to run. */
const timeless = ({ seconds: _, packets_per_second: __, ...rest }: VerifyReport): object => rest;

describe("the main job", () => {
  it("on the bundled capture: both HARDWARE, everything offloaded, nothing differs", async () => {
    const { code, json, err } = await run("verify", "--json", "--require", "HARDWARE");
    expect([code, err]).toEqual([0, ""]);
    const { packets, offloads } = report(json);
    expect(Object.keys(offloads)).toEqual(["tx_csum", "rx_csum"]);
    for (const o of Object.values(offloads)) {
      expect([o.state, o.fallback, o.mismatches, o.hash]).toEqual(["HARDWARE", {}, 0, o.kernel_hash]);
      expect(o.device_hash).toBe(o.kernel_hash);
      expect(o.offloaded + count(o.not_applicable)).toBe(packets);
      expect(
        Object.keys(o.not_applicable).filter((r) => !(NOT_APPLICABLE as readonly string[]).includes(r)),
      ).toEqual([]);
      expect(o.compared).toBe(o.offloaded);
      expect(o.offloaded).toBeGreaterThan(0.9 * packets);
      expect(o.device_instructions).toBeGreaterThan(o.offloaded);
    }
    expect(offloads.rx_csum!.checked_against_capture).toBe(offloads.rx_csum!.offloaded);
  });

  it("on fixed-function devices: tunnels of the capture go to those that look into them", async () => {
    const rows: [string, string[]][] = [
      ["word-dword", ["l4", "rthdr"]],
      ["payload-sum", ["exthdr", "l4", "rthdr", "tunnel", "tunnel-port"]],
    ];
    for (const [device, reasons] of rows) {
      const { code, json } = await run("verify", "--json", "--device", device);
      const { tx_csum, rx_csum } = report(json).offloads;
      expect([code, tx_csum!.mismatches, rx_csum!.mismatches]).toEqual([0, 0, 0]);
      expect(Object.keys(tx_csum!.fallback).sort()).toEqual(reasons);
      expect(tx_csum!.offloaded).toBeGreaterThan(4000);
    }
  });

  it("reads well", async () => {
    const { code, out } = await run("verify");
    expect(code).toBe(0);
    expect(out).toMatch(/^captures {2}bundled\.pcapng: 5,\d\d\d packets/);
    expect(out).toMatch(/tx_csum {3}HARDWARE \(generation 1, sha256:[0-9a-f]{64}\)\nrx_csum {3}HARDWARE/);
    expect(out).toMatch(/\n0 mismatches: /);
    expect(out).not.toContain("\x1b");
  });

  it("shards add up to the whole; --jobs is the same", async () => {
    const whole = report((await run("verify", "--json")).json);
    for (const n of [1, 2, 3]) {
      const ran = await run("verify", "--shard", `${n}/3`, "--report", at(`s${n}.json`), "--quiet");
      expect([ran.code, ran.out]).toEqual([0, ""]);
    }
    const merged = await run(
      "report",
      "merge",
      at("s1.json"),
      at("s2.json"),
      at("s3.json"),
      "-o",
      at("all.json"),
    );
    expect([merged.code, merged.err]).toEqual([0, ""]);
    const all = JSON.parse(fs.readFileSync(at("all.json"), "utf8"));
    expect(timeless(all)).toEqual(timeless(whole));
    const jobs = await start(["verify", "--json", "--jobs", "2"]).ended;
    expect([jobs.code, jobs.err]).toEqual([0, ""]);
    expect(timeless(JSON.parse(jobs.out))).toEqual(timeless(whole));
  });

  it("reports that do not belong together are refused", async () => {
    await run(
      "verify",
      "--report",
      at("legacy.json"),
      "--device",
      "v4v6-basic",
      "--quiet",
      part("p.pcapng", 50),
    );
    await run("verify", "--report", at("ideal.json"), "--quiet", at("p.pcapng"));
    await run("verify", "--report", at("one.json"), "--offloads", "tx_csum", "--quiet", at("p.pcapng"));
    const mixed = await run("report", "merge", at("ideal.json"), at("legacy.json"));
    expect([mixed.code, mixed.out]).toEqual([2, ""]);
    expect(mixed.err).toContain(
      `${at("legacy.json")}: tx_csum has state LEGACY, the reports before it HARDWARE`,
    );
    expect((await run("report", "merge", at("ideal.json"), at("one.json"))).err).toContain(
      "offloads tx_csum,",
    );
    fs.writeFileSync(
      at("no.json"),
      '{"summary":true,"packets":1,"bytes":1,"seconds":1,"offloads":{"x":null}}',
    );
    expect((await run("report", "merge", at("no.json"))).err).toContain("no report");
  });

  it("--offloads, --program, --no-accel, --kernel, --shard, --jobs: what is accepted, what is not", async () => {
    const file = part("few.pcapng", 40);
    const one = await run("verify", "--json", "--offloads", "rx_csum", file);
    expect(Object.keys(report(one.json).offloads)).toEqual(["rx_csum"]);
    const same = await run("verify", "--json", "--program", `tx_csum@${txCsum.sha256}`, file);
    expect(report(same.json).offloads.tx_csum!.kernel_hash).toBe(txCsum.sha256);
    const loops = await run("verify", "--json", "--no-accel", "--require", "HARDWARE", file);
    expect([loops.code, report(loops.json).offloads.tx_csum!.mismatches]).toEqual([0, 0]);
    const bad: [string[], string][] = [
      [["--offloads", "tx_sum"], "--offloads tx_sum: one of tx_csum, rx_csum"],
      [["--program", `tx_csum@sha256:${"0".repeat(64)}`], `there is ${txCsum.sha256}`],
      [["--program", "nope"], "one of: tx_csum, rx_csum"],
      [["--require", "SOFTWARE"], "HARDWARE is accepted"],
      [["--shard", "4/3"], "1 <= I <= N"],
      [["--jobs", "0"], "a whole number from 1"],
      [["--jobs", "2", "--shard", "1/2"], "one of them"],
      [["--device", "nothing"], "neither a profile"],
      [["--device", "exec:"], "a command is needed"],
      [["--timeout", "x"], "a whole number"],
    ];
    for (const [words, says] of bad) {
      const ran = await run("verify", ...words, file);
      expect([words, ran.code, ran.out]).toEqual([words, 2, ""]);
      expect(ran.err).toContain(says);
    }
  });

  it("a damaged capture: every whole packet, the fault with its byte, 2; with --require unmet still 2", async () => {
    const whole = fs.readFileSync(part("w.pcapng", 60));
    fs.writeFileSync(at("cut.pcapng"), whole.subarray(0, whole.length - 7));
    const ran = await run(
      "verify",
      "--json",
      "--device",
      "v4v6-basic",
      "--require",
      "HARDWARE",
      at("cut.pcapng"),
    );
    expect(ran.code).toBe(2);
    expect(ran.err).toMatch(/cut\.pcapng: TRUNCATED_BLOCK at byte \d+: /);
    expect(ran.err).toMatch(/tx_csum is LEGACY/);
    expect(report(ran.json).packets).toBe(59);
    expect((await run("verify", at("nowhere.pcap"))).err).toContain("no such file");
  });
});

/** A device written as its user would: no code of ours; `FAULT` says what it does wrong. */
const DEVICE = `
import { createInterface } from "node:readline";
const sum = (b, from) => {
  let s = 0;
  for (let i = from; i < b.length; i += 2) s += b[i] * 256 + (b[i + 1] ?? 0);
  while (s > 65535) s = (s & 65535) + (s >>> 16);
  return s;
};
let n = 0;
createInterface({ input: process.stdin }).on("line", (line) => {
  const step = JSON.parse(line);
  const frame = Buffer.from(step.frame, "hex");
  const fault = process.argv[2];
  n++;
  if (fault === "silent" && n === 3) return;
  if (fault === "slow") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30);
  if (fault === "exit" && n === 3) process.exit(7);
  if (fault === "garbage" && n === 3) return console.log(JSON.stringify({ id: step.id, frames: "x", completions: [{}] }));
  if (step.dir === "tx") {
    const { csum_start, csum_offset } = step.descriptor;
    const check = 65535 - sum(frame, csum_start) || 65535;
    frame.writeUInt16BE(fault === "wrong" && n === 3 ? check ^ 1 : check, csum_start + csum_offset);
    console.log(JSON.stringify({ id: step.id, frames: [frame.toString("hex")] }));
  } else {
    const s = sum(frame, 14);
    const csum = ((s & 255) << 8) | (s >>> 8);
    console.log(JSON.stringify({ id: step.id, completions: [{ frame: step.frame, ip_summed: 2, csum }] }));
  }
});
`;

describe("--device exec:CMD", () => {
  fs.writeFileSync(at("device.mjs"), DEVICE);
  const file = part("exec.pcapng", 200);
  const verify = (fault: string, ...more: string[]) =>
    run(
      "verify",
      "--json",
      "--device",
      `exec:"${process.execPath}" "${at("device.mjs")}" ${fault}`,
      file,
      ...more,
    );

  it("a right one: LEGACY, nothing differs", async () => {
    const ran = await verify("");
    expect([ran.code, ran.err]).toEqual([0, ""]);
    const { offloads, packets } = report(ran.json);
    for (const o of Object.values(offloads)) {
      expect([o.state, o.device_hash, o.mismatches, o.fallback]).toEqual(["LEGACY", null, 0, {}]);
      expect(o.offloaded + count(o.not_applicable)).toBe(packets);
      expect(o.offloaded).toBeGreaterThan(100);
    }
    expect((await verify("", "--require", "HARDWARE")).code).toBe(1);
  });

  it("a slow one may take longer over all of its steps than --timeout, as long as it answers", async () => {
    // some 70 steps of 30 ms, asked at once
    const few = part("slow.pcapng", 40);
    const command = `exec:"${process.execPath}" "${at("device.mjs")}" slow`;
    const ran = await run(
      "verify",
      "--json",
      "--device",
      command,
      "--timeout",
      "2",
      "--offloads",
      "tx_csum",
      few,
    );
    const { seconds, offloads } = report(ran.json);
    expect([ran.code, offloads.tx_csum!.mismatches]).toEqual([0, 0]);
    expect(seconds).toBeGreaterThan(1);
  });

  it.each([
    ["wrong", "device_kernel"],
    ["silent", "no_answer_in_time"],
    ["garbage", "bad_answer"],
    ["exit", "device_ended"],
  ])("one that is %s: a mismatch named %s, exit 1", async (fault, kind) => {
    const ran = await verify(fault, "--timeout", fault === "silent" ? "8" : "60");
    expect(ran.code).toBe(1);
    const told = ran.json.filter((l) => l.mismatch !== undefined);
    expect(told[0]).toMatchObject({ mismatch: "tx_csum", kind, file });
    const { mismatches } = report(ran.json).offloads.tx_csum!;
    if (fault === "exit") {
      // the device is not asked again; a hundred are told, all are counted
      expect(mismatches).toBeGreaterThan(100);
      expect(told).toHaveLength(100);
      expect(ran.err).toMatch(/ further mismatches are counted, not shown/);
    } else expect([mismatches, told.length]).toEqual([1, 1]);
  });
});
