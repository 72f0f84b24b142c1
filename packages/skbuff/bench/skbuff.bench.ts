// What an skb costs in calls of WebAssembly, and how copies compare with C: ratios of rows of one run, interleaved,
// median of the rounds. npx tsx --conditions=@netoffload/source packages/skbuff/bench/skbuff.bench.ts
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Memory, SkBuff } from "@netoffload/skbuff";

const ROUNDS = 15;
const SAMPLE_NS = 1_000_000;
type Row = (n: number) => number | Promise<number>;

/** Nanoseconds of n calls; the results are added up and looked at. */
let sink = 0;
function row(call: () => number): Row {
  return (n) => {
    const start = process.hrtime.bigint();
    let sum = 0;
    for (let i = 0; i < n; i++) sum = (sum + call()) | 0;
    sink ^= sum;
    return Number(process.hrtime.bigint() - start);
  };
}

/** Nanoseconds a call, median over interleaved rounds. */
async function time(rows: Record<string, Row>): Promise<Record<string, number>> {
  const names = Object.keys(rows);
  const calls: Record<string, number> = {};
  const samples: Record<string, number[]> = {};
  for (const name of names) {
    let n = 1000;
    for (let i = 0; i < 12; i++) {
      const ns = await rows[name]!(n);
      n = Math.max(10, Math.min(4 * n, Math.round((n * SAMPLE_NS) / ns)));
      await new Promise(setImmediate);
    }
    calls[name] = n;
    samples[name] = [];
  }
  for (let round = 0; round < ROUNDS; round++)
    for (const name of names) samples[name]!.push((await rows[name]!(calls[name]!)) / calls[name]!);
  return Object.fromEntries(names.map((name) => [name, samples[name]!.sort((a, b) => a - b)[ROUNDS >> 1]!]));
}

function print(what: string, ns: number, base: number, than: string): void {
  console.log(
    `${what.padEnd(46)} ${ns.toFixed(1).padStart(9)} ns  ${(ns / base).toFixed(2).padStart(7)} x ${than}`,
  );
}

const memory = Memory.create({ bytes: 16 << 20 });
const { kernel, accel1 } = memory;
const skb = kernel.allocSkb(2048) >>> 0;
kernel.skbReserve(skb, 64);
kernel.skbPut(skb, 1514);

const calls = await time({
  "an empty call": row(() => kernel.heapBlocks()),
  "kmalloc and kfree, 256 bytes": row(() => kernel.kfree(kernel.kmalloc(256))),
  "kmalloc and kfree, 2 kB": row(() => kernel.kfree(kernel.kmalloc(2048))),
  "allocSkb and kfreeSkb, 2 kB": row(() => {
    const made = kernel.allocSkb(2048);
    kernel.kfreeSkb(made);
    return made;
  }),
  "the same by SkBuff": row(() => {
    const made = SkBuff.alloc(memory, 2048)!;
    const { address } = made;
    made.kfreeSkb();
    return address;
  }),
  "skbClone and kfreeSkb": row(() => {
    const made = kernel.skbClone(skb);
    kernel.kfreeSkb(made);
    return made;
  }),
  "skbCopy and kfreeSkb, 1514 bytes": row(() => {
    const made = kernel.skbCopy(skb);
    kernel.kfreeSkb(made);
    return made;
  }),
});
for (const [name, ns] of Object.entries(calls)) print(name, ns, calls["an empty call"]!, "an empty call");

const folder = mkdtempSync(join(tmpdir(), "netoffload-bench-"));
const program = join(folder, "copy");
const source = fileURLToPath(new URL("./ref/copy.c", import.meta.url));
const built = spawnSync("gcc", ["-O3", "-march=native", "-o", program, source]).status === 0;
const c: ChildProcess | null = built ? spawn(program) : null;
const waiting: ((line: string) => void)[] = [];
if (c !== null) createInterface({ input: c.stdout! }).on("line", (line) => waiting.shift()?.(line));
else console.log("SKIPPED: memcpy in C (install gcc)");

const from = memory.alloc(70_000);
const to = memory.alloc(70_000);
for (const len of [64, 1460, 9000, 64_000])
  for (const [a, b] of [
    [0, 0],
    [0, 1],
    [3, 8],
  ] as const) {
    const rows: Record<string, Row> = {
      ours: row(() => {
        accel1.copy(to + b, from + a, len);
        return 1;
      }),
      sum: row(() => accel1.copy_csum(to + b, from + a, len, 0)),
    };
    if (c !== null)
      rows.memcpy = (n) =>
        new Promise((resolve) => {
          waiting.push((line) => resolve(Number(line)));
          c.stdin!.write(`${len} ${a} ${b} ${n}\n`);
        });
    const ns = await time(rows);
    const base = ns.memcpy ?? ns.ours!;
    const than = c === null ? "copy" : "memcpy in C";
    print(`copy ${len} bytes, offsets ${a} to ${b}`, ns.ours!, base, than);
    print(`copy_csum ${len} bytes, offsets ${a} to ${b}`, ns.sum!, base, than);
  }
if (c !== null) c.stdin!.end();
rmSync(folder, { recursive: true, force: true });
if (sink === 0x7fff_fff1) console.log("");
