// csumPartial, csumPartialBatch and internetChecksum beside a C loop and plain JavaScript.
// Run on the built packages: npx tsx packages/csum/bench/csum.bench.ts
import { fileURLToPath } from "node:url";
import { csumFold, csumPartial, csumPartialBatch, internetChecksum } from "@netoffload/csum";
import { Memory } from "@netoffload/skbuff";
import { slowChecksum, slowPartial } from "../test/ref/slow.ts";
import { CProgram, finish, jsRow, type Row, report, time } from "./harness.ts";

/** The loop that is called plain JavaScript. */
function plain(a: Uint8Array): number {
  let s = 0;
  const n = a.length & ~1;
  for (let i = 0; i < n; i += 2) s += (a[i]! << 8) | a[i + 1]!;
  if (a.length & 1) s += a[n]! << 8;
  while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
  return s;
}

const swap = (n: number): number => ((n & 255) << 8) | (n >> 8);
/** The same bytes as csum.c's. */
const fillBytes = (bytes: Uint8Array): void => {
  for (let i = 0; i < bytes.length; i++) bytes[i] = i * 73 + (i >> 8) * 31 + (i >> 3);
};

const memory = Memory.create({ bytes: 8 << 20 });
const at = (memory.alloc((1 << 20) + 4096) + 4095) & ~4095;
const room = memory.bytes.subarray(at, at + (1 << 20));
fillBytes(room);

const source = fileURLToPath(new URL("ref/csum.c", import.meta.url));
const c = {
  "gcc -O3": CProgram.build(source, ["-O3"]),
  "gcc -O3 -march=native": CProgram.build(source, ["-O3", "-march=native"]),
};
if (!c["gcc -O3"]) console.log("SKIPPED: gcc is not here; rows against C are left out");

const cRow =
  (program: CProgram, loop: "sum16" | "sum32", length: number, count = 1): Row =>
  async (iterations) => {
    const [ns, result] = (await program.ask(`${loop} ${length} 0 ${iterations} ${count}`)).split(" ");
    return { ns: Number(ns), result: Number(result) };
  };

/** The better of two natural loops is the baseline. */
function cRows(length: number, count = 1): Record<string, Row> {
  const rows: Record<string, Row> = {};
  for (const [name, program] of Object.entries(c)) {
    if (!program) continue;
    rows[`${name} 16`] = cRow(program, "sum16", length, count);
    rows[`${name} 32`] = cRow(program, "sum32", length, count);
  }
  return rows;
}

console.log("in the library's memory; ratio: how many times as fast");
for (const length of [1460, 9000, 64000]) {
  const expected = slowPartial(room.subarray(0, length));
  const rows = { ours: jsRow(() => csumPartial(memory, at, length)), ...cRows(length) };
  const timing = await time(rows, expected);
  // one call of 1,460 bytes: at most 1.7 times as long as C
  const goals = length === 1460 ? ([1, 1 / 1.7] as const) : ([1.6, 0.6] as const);
  for (const [name, goal] of [
    ["gcc -O3", goals[0]],
    ["gcc -O3 -march=native", goals[1]],
  ] as const) {
    if (!c[name]) continue;
    const better = timing.ns(`${name} 16`) < timing.ns(`${name} 32`) ? `${name} 16` : `${name} 32`;
    const detail = `${timing.ns("ours").toFixed(0)} ns, C ${timing.ns(better).toFixed(0)} ns`;
    report(`csumPartial ${length} bytes / ${name}`, timing.ratio("ours", better), goal, detail);
  }
}

{
  const count = 1024;
  const ranges = memory.alloc(count * 8);
  const sums = memory.alloc(count * 4);
  let all = 0;
  for (let k = 0; k < count; k++) {
    memory.view.setUint32(ranges + k * 8, at + k * 64, true);
    memory.view.setUint32(ranges + k * 8 + 4, 20, true);
    all += slowPartial(room.subarray(k * 64, k * 64 + 20));
  }
  while (all > 0xffff) all = (all & 0xffff) + (all >>> 16);
  const words = new Uint32Array(memory.bytes.buffer, sums, count);
  const ours: Row = (iterations) => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < iterations; i++) {
      words.fill(0);
      csumPartialBatch(memory, ranges, sums, count);
    }
    const ns = Number(process.hrtime.bigint() - start);
    let result = 0;
    for (const sum of words) result += sum;
    while (result > 0xffff) result = (result & 0xffff) + (result >>> 16);
    return { ns, result };
  };
  const timing = await time({ ours, ...cRows(20, count) }, all);
  for (const name of ["gcc -O3", "gcc -O3 -march=native"] as const) {
    if (!c[name]) continue;
    const better = timing.ns(`${name} 16`) < timing.ns(`${name} 32`) ? `${name} 16` : `${name} 32`;
    const detail = `${(timing.ns("ours") / count).toFixed(2)} ns a sum, C ${(timing.ns(better) / count).toFixed(2)}`;
    report(`csumPartialBatch 1024 of 20 bytes / ${name}`, timing.ratio("ours", better), 1 / 1.3, detail);
  }
}

const lengths = [
  20, 21, 22, 24, 28, 31, 32, 40, 48, 60, 64, 96, 127, 128, 129, 160, 192, 256, 300, 576, 1000, 1460,
];
let worst = { ratio: Number.POSITIVE_INFINITY, length: 0, detail: "" };
for (const length of lengths) {
  const bytes = room.subarray(0, length);
  const expected = slowPartial(bytes);
  const timing = await time(
    { ours: jsRow(() => csumPartial(memory, at, length)), plain: jsRow(() => swap(plain(bytes))) },
    expected,
  );
  const ratio = timing.ratio("ours", "plain");
  const detail = `${length} bytes: ${timing.ns("ours").toFixed(1)} ns, plain JavaScript ${timing.ns("plain").toFixed(1)}`;
  if (ratio < worst.ratio) worst = { ratio, length, detail };
}
report("csumPartial, one call, 20 to 1460 bytes, worst / JavaScript", worst.ratio, 1, worst.detail);

console.log("from a plain Uint8Array, copy included");
for (const [length, goal] of [
  [1460, 6],
  [9000, 14],
] as const) {
  let least = { ratio: Number.POSITIVE_INFINITY, detail: "" };
  const buffer = new Uint8Array(length + 64);
  fillBytes(buffer);
  for (let offset = 0; offset < 16; offset++) {
    const bytes = new Uint8Array(buffer.buffer, offset, length);
    const timing = await time(
      {
        ours: jsRow(() => internetChecksum(bytes)),
        plain: jsRow(() => ~plain(bytes) & 0xffff),
      },
      slowChecksum(bytes),
    );
    const ratio = timing.ratio("ours", "plain");
    const detail = `offset ${offset}: ${timing.ns("ours").toFixed(0)} ns, plain JavaScript ${timing.ns("plain").toFixed(0)}`;
    if (ratio < least.ratio) least = { ratio, detail };
  }
  report(
    `internetChecksum ${length} bytes, worst of offsets 0..15 / JavaScript`,
    least.ratio,
    goal,
    least.detail,
  );
}
if (csumFold(csumPartial(memory, at, 1460)) !== swap(slowChecksum(room.subarray(0, 1460))))
  throw new Error("csumFold differs from the oracle");
for (const program of Object.values(c)) program?.close();
finish();
