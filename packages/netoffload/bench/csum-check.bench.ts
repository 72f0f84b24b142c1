// `netoffload csum check` over the 500 MB mix beside `tcpdump -nn -v`, and where every packet is its own flow.
// Run on the built packages: npx tsx packages/netoffload/bench/csum-check.bench.ts
import { mixFile } from "../../pcap/bench/mix.ts";
import { finish, median, netoffload, PLAIN_LOOP_NS, plainLoop, report, timed } from "./command.ts";

const packets = Number(process.env.NETOFFLOAD_BENCH_PACKETS ?? 1_310_000);
const rounds = Number(process.env.NETOFFLOAD_BENCH_ROUNDS ?? 7);
const file = mixFile({ packets });
// tcpdump is slow: a part suffices
const part = Math.min(packets, 100_000);
const partFile = mixFile({ packets: part });
const distinct = mixFile({ packets: 400_000, flows: 400_000 });
const few = mixFile({ packets: 400_000 });

/** Processor nanoseconds a packet, start-up taken off, every checksum of it right. */
function check(name: string, expected: number): number {
  const startUp = netoffload("csum", "check", mixFile({ packets: 256 })).cpu;
  const { out, status, cpu } = netoffload("csum", "check", name);
  const summary = /^([\d,]+) packets, [\d,]+ bytes, [\d.]+ s, ([\d,]+) packets\/s$/m.exec(out);
  // random payload behind random ports is taken for SCTP over UDP now and then
  const guessed = /^sctp/m.test(out);
  if (status !== (guessed ? 1 : 0) || summary === null)
    throw new Error(`csum check ended with ${status}: ${out}`);
  const done = Number(summary[1]!.replaceAll(",", ""));
  if (done !== expected) throw new Error(`${done} packets, the mix has ${expected}`);
  for (const line of out.split("\n").filter((l) => /^(ipv4|tcp|udp) /.test(l))) {
    const [layer, ok, ...others] = line.trim().split(/\s+/);
    if (ok === "0" || others.some((n) => n !== "0")) throw new Error(`${layer}: not all are right: ${line}`);
  }
  return ((cpu - startUp) * 1e9) / expected;
}

const ours: number[] = [];
const scaled: number[] = [];
const clock: number[] = [];
const ratios: number[] = [];
const flows: number[] = [];
let tcpdump = 0;
for (let round = 0; round < rounds; round++) {
  const before = plainLoop();
  const ns = check(file, packets);
  const slower = Math.max(before, plainLoop(), PLAIN_LOOP_NS) / PLAIN_LOOP_NS;
  const idle = netoffload("--version").seconds;
  clock.push(packets / (netoffload("csum", "check", file).seconds - idle) / 1e6);
  ours.push(1000 / ns);
  scaled.push((1000 / ns) * slower);
  if (round < 3) {
    const theirs = timed("tcpdump", ["-nn", "-v", "-r", partFile], false);
    if (theirs.status === 0) {
      tcpdump = (theirs.cpu * 1e9) / part;
      ratios.push(tcpdump / ns);
    }
  }
  flows.push(check(few, 400_000) / check(distinct, 400_000));
}
console.log(
  `csum check: ${median(clock).toFixed(2)} million packets/s by the clock, ${median(ours).toFixed(2)} by processor time, start-up taken off`,
);
report(
  "csum check on the mix, million packets/s",
  median(scaled),
  6,
  "processor time, as if plain JavaScript's loop took 605 ns for 1,460 bytes",
);
if (ratios.length === 0) console.log("SKIPPED: tcpdump is not here");
else report("csum check / tcpdump -nn -v", median(ratios), 20, `tcpdump ${tcpdump.toFixed(0)} ns a packet`);
report("csum check, 1,024 flows / every packet its own", median(flows), 1 / 1.3, "");
finish();
