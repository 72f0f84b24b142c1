// Reading the mix and checking every checksum of it, beside `tcpdump -nn -v`.
// Run on the built packages: npx tsx packages/csum/bench/check.bench.ts
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { LAYERS, PacketChecker, VERDICTS } from "@netoffload/csum";
import { CaptureReader } from "@netoffload/pcap";
import { Memory } from "@netoffload/skbuff";
import { MixGenerator, type MixKind, mixFile } from "../../pcap/bench/mix.ts";
import { finish, report } from "./harness.ts";

const packets = Number(process.env.NETOFFLOAD_BENCH_PACKETS ?? 400_000);
const file = mixFile({ packets });

/** What the mix holds, by its generator; every checksum of it is right. */
function expected(): Map<string, number> {
  const layers: Record<MixKind, readonly string[]> = {
    ipv4_tcp: ["ipv4", "tcp"],
    ipv6_tcp: ["tcp"],
    ipv4_udp: ["ipv4", "udp"],
    ipv6_udp: ["udp"],
    vlan_ipv4_udp: ["ipv4", "udp"],
    ipip_ipv4_tcp: ["ipv4", "ipv4", "tcp"],
    gre_ipv4_udp: ["ipv4", "ipv4", "udp"],
  };
  const counts = new Map<string, number>();
  const generator = new MixGenerator({ packets });
  for (let i = 0; i < packets; i++) {
    generator.next();
    for (const layer of layers[generator.kind]) counts.set(layer, (counts.get(layer) ?? 0) + 1);
  }
  return counts;
}

const BUFFER = 512 * 1024;
const BATCH = 4096;
const memory = Memory.create({ bytes: 16 << 20 });
const buffer = memory.alloc(BUFFER);
const frames = memory.alloc(BATCH * 20);
const results = memory.alloc(BATCH * 4);
const checker = new PacketChecker({ memory });
const words = new Uint32Array(memory.bytes.buffer, frames, BATCH * 5);

/** Read the file into the library's memory and check it, a buffer at a time. @returns packets */
function run(): number {
  const fd = fs.openSync(file, "r");
  const reader = new CaptureReader({ buffer: memory.bytes.subarray(buffer, buffer + BUFFER) });
  let n = 0;
  while (reader.advance((space) => fs.readSync(fd, space, 0, space.length, null))) {
    while (reader.next()) {
      const at = n * 5;
      words[at] = buffer + reader.offset;
      words[at + 1] = reader.caplen;
      words[at + 2] = reader.len;
      words[at + 3] = reader.linkType;
      words[at + 4] = reader.seconds;
      if (++n === BATCH) {
        checker.checkBatch(frames, n, results);
        n = 0;
      }
    }
    // the next read moves what lies in the buffer
    checker.checkBatch(frames, n, results);
    n = 0;
  }
  fs.closeSync(fd);
  if (reader.fault) throw new Error(reader.fault.message);
  return reader.packets;
}

function consume(want: ReadonlyMap<string, number>): void {
  const counts = checker.takeCounts();
  for (const [number, layer] of LAYERS.entries()) {
    if (layer === undefined) continue;
    for (const [verdict, name] of VERDICTS.entries()) {
      const should = name === "ok" ? (want.get(layer) ?? 0) : 0;
      const is = counts[number * 8 + verdict]!;
      if (is !== should) throw new Error(`${layer} ${name}: ${is}, the mix has ${should}`);
    }
  }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;
const want = expected();
const ours: number[] = [];
const theirs: number[] = [];
run();
checker.takeCounts();
// a part suffices for tcpdump, which is slow
const part = Math.min(packets, 100_000);
const partFile = mixFile({ packets: part });
const rounds = Number(process.env.NETOFFLOAD_BENCH_ROUNDS ?? 7);
for (let round = 0; round < rounds; round++) {
  const start = process.hrtime.bigint();
  const done = run();
  ours.push(Number(process.hrtime.bigint() - start) / done);
  consume(want);
  if (round >= 3) continue;
  const from = process.hrtime.bigint();
  const out = fs.openSync("/dev/null", "w");
  const { error, status } = spawnSync("tcpdump", ["-nn", "-v", "-r", partFile], {
    stdio: ["ignore", out, "ignore"],
  });
  fs.closeSync(out);
  if (!error && status === 0) theirs.push(Number(process.hrtime.bigint() - from) / part);
}
const ns = median(ours);
console.log(`csum check: ${(1000 / ns).toFixed(2)} million packets/s`);
report("csum check on the mix, million packets/s", 1000 / ns, 3, `${ns.toFixed(0)} ns a packet`);
if (theirs.length === 0) console.log("SKIPPED: tcpdump is not here");
else
  report(
    "csum check / tcpdump -nn -v",
    median(theirs) / ns,
    20,
    `tcpdump ${median(theirs).toFixed(0)} ns a packet`,
  );
finish();
