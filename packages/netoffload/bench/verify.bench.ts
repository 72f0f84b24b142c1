// `netoffload verify` over the 500 MB mix: device, kernel and slow oracle on every packet, one core.
// Run on the built packages: npx tsx packages/netoffload/bench/verify.bench.ts
import { mixFile } from "../../pcap/bench/mix.ts";
import { finish, median, netoffload, PLAIN_LOOP_NS, plainLoop, report } from "./command.ts";

const packets = Number(process.env.NETOFFLOAD_BENCH_PACKETS ?? 1_310_000);
const rounds = Number(process.env.NETOFFLOAD_BENCH_ROUNDS ?? 3);
const file = mixFile({ packets });

/** All of them driven, compared and right, by the report. */
function consume(text: string): number {
  const last = JSON.parse(text.trimEnd().split("\n").at(-1)!) as {
    packets: number;
    packets_per_second: number;
    offloads: Record<string, Record<string, unknown>>;
  };
  if (last.packets !== packets) throw new Error(`${last.packets} packets, the mix has ${packets}`);
  for (const [name, o] of Object.entries(last.offloads)) {
    const all = {
      state: "HARDWARE",
      offloaded: packets,
      compared: packets,
      checked_against_capture: packets,
    };
    for (const [key, value] of Object.entries({ ...all, mismatches: 0, large: 0 }))
      if (o[key] !== value) throw new Error(`${name}: ${key} is ${String(o[key])}, should be ${value}`);
  }
  return last.packets_per_second;
}

const clock: number[] = [];
const cpu: number[] = [];
const scaled: number[] = [];
for (let round = 0; round < rounds; round++) {
  const before = plainLoop();
  const startUp = netoffload("verify", "--json", mixFile({ packets: 256 }));
  const ran = netoffload("verify", "--json", file);
  if (ran.status !== 0) throw new Error(`verify ended with ${ran.status}`);
  clock.push(consume(ran.out) / 1000);
  const rate = packets / (ran.cpu - startUp.cpu) / 1000;
  cpu.push(rate);
  scaled.push((rate * Math.max(before, plainLoop(), PLAIN_LOOP_NS)) / PLAIN_LOOP_NS);
}
console.log(
  `verify: ${median(clock).toFixed(1)} thousand packets/s by the clock, ${median(cpu).toFixed(1)} by processor time of all threads, start-up taken off; median of ${rounds}`,
);
report(
  "verify on the mix, thousand packets/s of one core",
  median(scaled),
  150,
  "processor time, as if plain JavaScript's loop took 605 ns for 1,460 bytes",
);
finish();
