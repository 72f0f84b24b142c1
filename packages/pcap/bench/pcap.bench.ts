/**
 * Reading a capture with a view per record, beside libpcap's own loop over the same file.
 * Run on the built packages: npx tsx packages/pcap/bench/pcap.bench.ts
 * NETOFFLOAD_BENCH_PACKETS (default 1,310,000: 500 MB) and NETOFFLOAD_BENCH_ROUNDS (default 15) shorten it.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { CaptureReader, CaptureWriter } from "@netoffload/pcap";
import { MIX_PACKETS, mixFile } from "./mix.ts";

const packets = Number(process.env.NETOFFLOAD_BENCH_PACKETS ?? MIX_PACKETS);
const rounds = Number(process.env.NETOFFLOAD_BENCH_ROUNDS ?? 15);
/** Million packets a second that libpcap's loop read where the goal was set. */
const LIBPCAP_MILLIONS = 11.6;
/** What a goal forgives, since other work disturbs a measurement. */
const TOLERANCE = 0.85;

interface Sample {
  readonly packets: number;
  /** Captured bytes, and the first byte of each packet. */
  readonly sum: number;
  readonly ns: number;
}

type Row = () => Sample;

/** The file as files are read: through a descriptor, into the reader's buffer. */
function ours(file: string, touch: (reader: CaptureReader) => number): Sample {
  const start = process.hrtime.bigint();
  const fd = fs.openSync(file, "r");
  const reader = new CaptureReader();
  const sum = touchAll(reader, (space) => fs.readSync(fd, space, 0, space.length, null), touch);
  fs.closeSync(fd);
  const ns = Number(process.hrtime.bigint() - start);
  if (reader.fault) throw new Error(reader.fault.message);
  return { packets: reader.packets, sum, ns };
}

function touchAll(
  reader: CaptureReader,
  read: (space: Uint8Array) => number,
  touch: (reader: CaptureReader) => number,
): number {
  let sum = 0;
  while (reader.advance(read)) sum += touch(reader);
  return sum;
}

/** Offset and length of each record in the reader's bytes: the view that costs nothing. */
function inPlace(reader: CaptureReader): number {
  let sum = 0;
  const bytes = reader.bytes;
  while (reader.next()) sum += reader.caplen + (reader.caplen > 0 ? bytes[reader.offset]! : 0);
  return sum;
}

/** The same with a Uint8Array made for each record. */
function arrays(reader: CaptureReader): number {
  let sum = 0;
  while (reader.next()) {
    const packet = reader.packet();
    sum += packet.length + (packet.length > 0 ? packet[0]! : 0);
  }
  return sum;
}

/** No parsing: what reading the bytes costs. */
function readOnly(file: string, want: Sample): Sample {
  const space = new Uint8Array(512 * 1024);
  const start = process.hrtime.bigint();
  const fd = fs.openSync(file, "r");
  while (fs.readSync(fd, space, 0, space.length, null) > 0);
  fs.closeSync(fd);
  return { packets: want.packets, sum: want.sum, ns: Number(process.hrtime.bigint() - start) };
}

/** @returns null where gcc or libpcap is not here */
function libpcap(folder: string): ((file: string) => Sample) | null {
  const source = fileURLToPath(new URL("ref/pcap-loop.c", import.meta.url));
  const program = path.join(folder, "pcap-loop");
  try {
    execFileSync("gcc", ["-O3", "-o", program, source, "-lpcap"], { stdio: "pipe" });
  } catch {
    console.log("SKIPPED: the rows against libpcap (apt install gcc libpcap-dev)");
    return null;
  }
  return (file) => {
    const [n, sum, ns] = execFileSync(program, [file], { encoding: "utf8" }).trim().split(" ").map(Number);
    return { packets: n!, sum: sum!, ns: ns! };
  };
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Rows in turn, round after round; every result must be the first row's. */
function time(rows: Readonly<Record<string, Row>>): Map<string, number[]> {
  const want = Object.values(rows)[0]!();
  if (want.packets !== packets) throw new Error(`${want.packets} packets were read, the mix has ${packets}`);
  const samples = new Map<string, number[]>(Object.keys(rows).map((name) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, row] of Object.entries(rows)) {
      const { packets, sum, ns } = row();
      if (packets !== want.packets || sum !== want.sum)
        throw new Error(`${name}: ${packets} packets, sum ${sum}; expected ${want.packets} and ${want.sum}`);
      if (round >= 0) samples.get(name)!.push(ns);
    }
  }
  return samples;
}

/** The mix again, as pcapng. */
function pcapngFile(file: string, folder: string): string {
  const target = path.join(folder, "mix.pcapng");
  const [from, to] = [fs.openSync(file, "r"), fs.openSync(target, "w")];
  const reader = new CaptureReader();
  const writer = new CaptureWriter((chunk) => fs.writeSync(to, chunk), { bufferBytes: 1 << 20 });
  writer.addInterface({ linkType: 1 });
  while (reader.advance((space) => fs.readSync(from, space, 0, space.length, null))) {
    while (reader.next())
      writer.writeBytes(
        reader.bytes,
        reader.offset,
        reader.caplen,
        reader.len,
        reader.seconds,
        reader.nanoseconds,
        0,
      );
  }
  writer.flush();
  fs.closeSync(from);
  fs.closeSync(to);
  return target;
}

let missed = 0;

function report(what: string, value: number, goal: number, unit: string): void {
  const verdict = value >= goal ? "reached" : value >= goal * TOLERANCE ? "within 15 %" : "MISSED";
  if (verdict === "MISSED") missed++;
  console.log(
    `${what.padEnd(52)} ${value.toFixed(2).padStart(7)}${unit}   goal ${goal.toFixed(2)}  ${verdict}`,
  );
}

function bench(file: string, name: string, c: ((file: string) => Sample) | null, goals: boolean): void {
  const want = ours(file, inPlace);
  const rows: Record<string, Row> = {
    "in place": () => ours(file, inPlace),
    "a Uint8Array each": () => ours(file, arrays),
    "bytes only": () => readOnly(file, want),
    ...(c && { libpcap: () => c(file) }),
  };
  const samples = time(rows);
  const own = samples.get("in place")!;
  for (const [row, ns] of samples) {
    const million = ((packets / median(ns)) * 1e3).toFixed(1);
    console.log(`${name}, ${row}`.padEnd(52), million.padStart(7), "M packets/s");
  }
  const loop = samples.get("libpcap");
  const ratio = loop && median(loop.map((ns, i) => ns / own[i]!));
  const rate = (packets / median(own)) * 1e3;
  // a slower or busier machine is told by libpcap's loop
  const scaled = ratio === undefined ? rate : Math.max(rate, ratio * LIBPCAP_MILLIONS);
  if (goals)
    report(`${name}, in place, as if libpcap read ${LIBPCAP_MILLIONS} M/s`, scaled, 15, " M packets/s");
  if (ratio !== undefined) report(`${name}, in place / libpcap's loop`, ratio, goals ? 1.3 : 1, "");
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netoffload-bench-"));
try {
  const file = mixFile({ packets });
  const c = libpcap(folder);
  console.log(`${packets} packets, ${(fs.statSync(file).size / 1e6).toFixed(0)} MB, ${rounds} rounds`);
  bench(file, "pcap", c, true);
  bench(pcapngFile(file, folder), "pcapng", c, false);
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
if (missed > 0) process.exitCode = 1;
