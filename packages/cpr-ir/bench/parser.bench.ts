/**
 * The big parser: wasm in batches, one packet a call, the interpreter, beside the same graph in C by gcc.
 * Rows are timed in turn, each for about as long (a long slice on a busy machine is interrupted more often); every
 * row's results, before and after, are folded into one number that must be the C program's.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Interpreter, orThrow, shippedParser, WasmParser } from "@netoffload/cpr-ir";

const ROUNDS = Number(process.env.NETOFFLOAD_BENCH_ROUNDS ?? 1001);
/** Length of a slice, ns. */
const SLICE = 300_000;
const COUNT = 256;
const ETHER = "020000000001020000000002";
const ip4 = (proto: string, rest: string): string =>
  `4500005400010000 40${proto}0000 c0a80001 c0a80002${rest}`;
const ip6 = (next: string, rest: string): string =>
  `60012345 0040${next}40 20010db8000000000000000000000001 20010db8000000000000000000000002${rest}`;
const TCP = "d9030050 00000001 00000002 8018ffff 00000000 0101080a 00000001 00000002 0303";
const UDP = "d9030035 00100000 1122334455667788";

/** What a network carries, more or less. */
const MIX: readonly string[] = [
  `${ETHER}0800${ip4("06", TCP)}`,
  `${ETHER}0800${ip4("11", UDP)}`,
  `${ETHER}86dd${ip6("06", TCP)}`,
  `${ETHER}8100a064 0800${ip4("06", TCP)}`,
  `${ETHER}0800${ip4("2f", `20000800 00000007${ip4("06", TCP)}`)}`,
  `${ETHER}86dd${ip6("2b", `1102040000000000 20010db8000000000000000000000003${UDP}`)}`,
  `${ETHER}0800${ip4("01", "08000000 00070001 aabbccdd")}`,
  `${ETHER}0800${ip4("04", ip4("11", UDP))}`,
];

const packets = Array.from({ length: COUNT }, (_, i) =>
  Uint8Array.from(Buffer.from(MIX[(i * 5 + (i >> 3)) % MIX.length]!.replaceAll(" ", ""), "hex")),
);
const parser = shippedParser("big");
const wasm = orThrow(WasmParser.create(parser, COUNT));
for (const p of packets) wasm.add(p);
wasm.fill(0);
const interpreter = new Interpreter(parser);

/** One number from all codes, encapsulations and metadata. */
class Fold {
  sum = 0;
  #tail: Uint8Array[] = [];
  add(code: number, encaps: number, metadata: Uint8Array): void {
    this.sum = (Math.imul(this.sum, 31) + Math.imul(code, 7) + encaps) | 0;
    this.#tail.push(metadata.slice());
  }
  end(): number {
    for (const m of this.#tail) for (const b of m) this.sum = (Math.imul(this.sum, 31) + b) | 0;
    return this.sum >>> 0;
  }
}

const folder = mkdtempSync(join(tmpdir(), "cpr-bench-"));
const binary = join(folder, "big");
const source = fileURLToPath(new URL("./ref/big.c", import.meta.url));
execFileSync("gcc", ["-O3", "-march=native", "-o", binary, source]);
const child = spawn(binary, { stdio: ["pipe", "pipe", "inherit"] });
const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
const head = Buffer.alloc(4);
head.writeUInt32LE(COUNT);
child.stdin.write(head);
for (const p of packets) {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(p.length);
  child.stdin.write(Buffer.concat([length, p]));
}

async function inC(rounds: number): Promise<[number, number]> {
  child.stdin.write(`${rounds}\n`);
  const [ns, sum] = (await lines.next()).value!.split(" ").map(Number) as [number, number];
  return [ns, sum];
}

function timed(rounds: number, call: () => void): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < rounds; i++) call();
  return Number(process.hrtime.bigint() - start);
}

/** What a call costs that does nothing: `(func (export "f") (param i32 i32))`. */
const EMPTY = "AGFzbQEAAAABBgFgAn9/AAMCAQAHBQEBZgAACgQBAgAL";
const empty = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(EMPTY, "base64"))).exports.f as (
  a: number,
  b: number,
) => void;

const rows: Record<string, (rounds: number) => Promise<number>> = {
  "C, gcc -O3 -march=native": async (n) => (await inC(n))[0],
  "wasm, batch": async (n) => timed(n, () => wasm.run()),
  "wasm, a call each": async (n) =>
    timed(n, () => {
      for (let i = 0; i < COUNT; i++) wasm.run(i, 1);
    }),
  "a call that does nothing": async (n) =>
    timed(n, () => {
      for (let i = 0; i < COUNT; i++) empty(i, 1);
    }),
  interpreter: async (n) =>
    timed(n, () => {
      for (let i = 0; i < COUNT; i++) interpreter.run(packets[i]!);
    }),
};

/** Every row gives the C program's results. */
async function compare(): Promise<void> {
  const [, expected] = await inC(1);
  const fromWasm = new Fold();
  for (let i = 0; i < COUNT; i++)
    fromWasm.add(wasm.outcome(i).code, wasm.outcome(i).encaps, wasm.metadata(i));
  const fromInterpreter = new Fold();
  for (const p of packets) {
    interpreter.clear();
    interpreter.run(p);
    fromInterpreter.add(interpreter.code, interpreter.encaps, interpreter.metadata);
  }
  const sums = { wasm: fromWasm.end(), interpreter: fromInterpreter.end() };
  for (const [name, sum] of Object.entries(sums))
    if (sum !== expected) throw new Error(`${name}: results ${sum}, C has ${expected}`);
}

wasm.run();
await compare();
const names = Object.keys(rows);
const rounds = new Map<string, number>();
for (const name of names) {
  await rows[name]!(2000);
  rounds.set(name, Math.max(1, Math.round((SLICE * 100) / (await rows[name]!(100)))));
}
const times = new Map<string, number[]>(names.map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round++)
  for (const name of names) {
    const n = rounds.get(name)!;
    times.get(name)!.push((await rows[name]!(n)) / n / COUNT);
  }
await compare();
child.stdin.end();
rmSync(folder, { recursive: true, force: true });

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const least = (values: readonly number[]): number => Math.min(...values);
const base = times.get(names[0]!)!;
const cell = (value: number, digits: number): string => value.toFixed(digits).padStart(9);
console.log(`big parser, ${MIX.length} kinds of packets, ns a packet and times C, of ${ROUNDS} rounds`);
console.log(`${" ".repeat(26)}   median    least   median    least`);
for (const [name, t] of times) {
  // each slice against the C slice of its own round: a machine that others use is slow for both
  const ratios = t.map((ns, round) => ns / base[round]!);
  const ns = cell(median(t), 1) + cell(least(t), 1);
  console.log(name.padEnd(26) + ns + cell(median(ratios), 2) + cell(least(t) / least(base), 2));
}
