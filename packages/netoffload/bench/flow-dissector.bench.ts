/**
 * Flow dissectors in the live kernel: the shipped graph compiled by cpr-ir beside one in C by clang -O2, both net of a
 * program that does nothing. BPF_PROG_TEST_RUN times its own repetitions. Both must leave the same keys.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileFlowDissector, orThrow, shippedParser } from "@netoffload/cpr-ir";
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE, BpfProgram, PacketRuns } from "@netoffload/linux";

const ROUNDS = Number(process.env.NETOFFLOAD_BENCH_ROUNDS ?? 11);
const REPEAT = Number(process.env.NETOFFLOAD_BENCH_REPEAT ?? 1_000_000);
const KEYS_BYTES = 56;

const ETHER = "020000000001020000000002";
const ip4 = (proto: string, rest: string): string =>
  `4500005400010000 40${proto}0000 c0a80001 c0a80002${rest}`;
const ip6 = (next: string, rest: string): string =>
  `60000000 0040${next}40 20010db8000000000000000000000001 20010db8000000000000000000000002${rest}`;
const TCP = "d9030050 00000001 00000002 8018ffff 00000000";
const UDP = "d9030035 00100000 1122334455667788";

const PACKETS: Readonly<Record<string, string>> = {
  "IPv4, TCP": `${ETHER}0800${ip4("06", TCP)}`,
  "IPv6, TCP": `${ETHER}86dd${ip6("06", TCP)}`,
  "VLAN, IPv4, UDP": `${ETHER}8100a0640800${ip4("11", UDP)}`,
  "IPv4, ICMP": `${ETHER}0800${ip4("01", "08000000 00070001 aabbccdd")}`,
  "IPv4 in IPv4": `${ETHER}0800${ip4("04", ip4("06", TCP))}`,
  "GRE with key": `${ETHER}0800${ip4("2f", `20000800 00000007${ip4("06", TCP)}`)}`,
  "IPv6, routing header": `${ETHER}86dd${ip6("2b", `1102040000000000 20010db8000000000000000000000003${UDP}`)}`,
  "PPPoE, IPv4": `${ETHER}8864110000010040 0021${ip4("06", TCP)}`,
};

/** The program that clang wrote. */
function inC(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "flow-bench-"));
  const object = join(folder, "c.o");
  const source = fileURLToPath(new URL("./ref/flow-dissector.c", import.meta.url));
  execFileSync("clang", ["-O2", "-target", "bpf", "-mcpu=v3", "-c", source, "-o", object]);
  const elf = new Uint8Array(readFileSync(object));
  rmSync(folder, { recursive: true });
  return largestCode(elf);
}

/** The largest executable section of an ELF64 file: this one has no other with code. */
function largestCode(elf: Uint8Array): Uint8Array {
  const view = new DataView(elf.buffer, elf.byteOffset);
  const [table, count] = [Number(view.getBigUint64(40, true)), view.getUint16(60, true)];
  let found = new Uint8Array(0);
  for (let i = 0; i < count; i++) {
    const header = table + 64 * i;
    const [at, size] = [24, 32].map((n) => Number(view.getBigUint64(header + n, true))) as [number, number];
    const executable = (view.getUint32(header + 8, true) & 4) !== 0;
    if (executable && size > found.length) found = elf.slice(at, at + size);
  }
  return found;
}

/** r0 = 0 (BPF_OK); exit. */
const NOTHING = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);

const texts: Readonly<Record<string, Uint8Array>> = {
  nothing: NOTHING,
  "C, clang -O2": inC(),
  graph: orThrow(compileFlowDissector(shippedParser("flow-dissector"))).text,
};
const programs = Object.entries(texts).map(([name, text]) => {
  const type = BPF_PROG_TYPE.FLOW_DISSECTOR;
  const program = new BpfProgram({ type, name, text, attachType: BPF_ATTACH_TYPE.FLOW_DISSECTOR });
  const { verifiedInstructions, jitedBytes } = program.info();
  console.log(
    `${name.padEnd(14)} ${String(text.length / 8).padStart(6)} instructions, ${verifiedInstructions} verified, ${jitedBytes} bytes of machine code`,
  );
  return { name, program, runs: new PacketRuns(program, 2048, KEYS_BYTES) };
});

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
console.log(`\nns a packet net of ${programs[0]!.name}, median of ${ROUNDS} rounds of ${REPEAT} runs`);
const ratios: number[] = [];
for (const [what, text] of Object.entries(PACKETS)) {
  const packet = Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
  const keys = programs.map(({ runs }) => {
    runs.data.set(packet);
    return `${runs.run(packet.length)} ${Buffer.from(runs.out).toString("hex")}`;
  });
  if (keys[1] !== keys[2]) throw new Error(`${what}: C ${keys[1]}\ngraph ${keys[2]}`);
  const times: number[][] = programs.map(() => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, { runs }] of programs.entries()) {
      runs.run(packet.length, REPEAT);
      times[i]!.push(runs.nanoseconds);
    }
  const [nothing, c, graph] = times.map(median) as [number, number, number];
  // the least of each is what the machine does undisturbed
  const [least0, leastC, leastG] = times.map((t) => Math.min(...t)) as [number, number, number];
  const ratio = (leastG - least0) / Math.max(1, leastC - least0);
  ratios.push(ratio);
  console.log(
    `${what.padEnd(22)} nothing ${nothing}  C ${c - nothing}  graph ${graph - nothing};` +
      `  least: ${least0}, C ${leastC - least0}, graph ${leastG - least0}, graph / C ${ratio.toFixed(2)}`,
  );
}
console.log(`graph / C, mean of kinds ${(ratios.reduce((a, b) => a + b, 0) / ratios.length).toFixed(2)}`);
for (const { program } of programs) program.close();
