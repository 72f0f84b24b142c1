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

const ROUNDS = Number(process.env.NETOFFLOAD_BENCH_ROUNDS ?? 31);
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

/** Mean of the middle half: the kernel tells whole nanoseconds, and a neighbour disturbs some rounds. */
function middle(values: readonly number[]): number {
  const ascending = [...values].sort((a, b) => a - b);
  const quarter = ascending.length >> 2;
  const half = ascending.slice(quarter, ascending.length - quarter);
  return half.reduce((a, b) => a + b, 0) / half.length;
}

console.log(
  `\nns a packet net of ${programs[0]!.name} in the same round, ${ROUNDS} rounds of ${REPEAT} runs, mean of the middle half`,
);
const sums = { c: 0, graph: 0 };
for (const [what, text] of Object.entries(PACKETS)) {
  const packet = Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
  const keys = programs.map(({ runs }) => {
    runs.data.set(packet);
    return `${runs.run(packet.length)} ${Buffer.from(runs.out).toString("hex")}`;
  });
  if (keys[1] !== keys[2]) throw new Error(`${what}: C ${keys[1]}\ngraph ${keys[2]}`);
  const net: { readonly c: number[]; readonly graph: number[] } = { c: [], graph: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const [nothing, c, graph] = programs.map(({ runs }) => {
      runs.run(packet.length, REPEAT);
      return runs.nanoseconds;
    }) as [number, number, number];
    net.c.push(c - nothing);
    net.graph.push(graph - nothing);
  }
  const [c, graph] = [middle(net.c), middle(net.graph)];
  sums.c += c;
  sums.graph += graph;
  console.log(
    `${what.padEnd(22)} C ${c.toFixed(1).padStart(5)}  graph ${graph.toFixed(1).padStart(5)}  graph / C ${(graph / c).toFixed(2)}`,
  );
}
console.log(
  `${"all kinds".padEnd(22)} C ${sums.c.toFixed(1).padStart(5)}  graph ${sums.graph.toFixed(1).padStart(5)}  graph / C ${(sums.graph / sums.c).toFixed(2)}`,
);
for (const { program } of programs) program.close();
