// What it takes to bring a program from bytes to a device: each step of the way, beside V8's validation of the
// same bytes. Rows are timed in turn, medians of the rounds; every result is looked at.
import { readFileSync } from "node:fs";
import {
  canonicalModule,
  compileNpu,
  decodeInsns,
  hashProgram,
  IR_KIND,
  orThrow,
  printInsn,
  readImage,
  TARGET,
  writeImage,
} from "@netoffload/cpr-ir";

const ROUNDS = Number(process.env.NETOFFLOAD_BENCH_ROUNDS ?? 21);
const SAMPLE_MS = 8;
/** Decodes and validates every instruction, without the cache that making a module goes through. */
const BASELINE = "WebAssembly.validate";

/** Nanoseconds a call, median over the rounds, rows interleaved. */
function time(rows: Readonly<Record<string, () => number>>): Map<string, number> {
  const samples = new Map<string, number[]>();
  const calls = new Map<string, number>();
  for (const [name, row] of Object.entries(rows)) {
    const result = row();
    if (!(result > 0)) throw new Error(`${name} did nothing`);
    let n = 0;
    for (const end = performance.now() + 10 * SAMPLE_MS; performance.now() < end; n++)
      if (row() !== result) throw new Error(`${name}: another result`);
    calls.set(name, Math.max(1, Math.round(n / 10)));
    samples.set(name, []);
  }
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, row] of Object.entries(rows)) {
      const start = process.hrtime.bigint();
      for (let i = calls.get(name)!; i > 0; i--) row();
      samples.get(name)!.push(Number(process.hrtime.bigint() - start) / calls.get(name)!);
    }
  return new Map([...samples].map(([name, s]) => [name, s.sort((a, b) => a - b)[s.length >> 1]!]));
}

for (const [name, functionNumber] of [
  ["tx_csum", 1],
  ["rx_csum", 2],
] as const) {
  const bytes = new Uint8Array(readFileSync(new URL(`../../csum/ir/${name}.wasm`, import.meta.url)));
  const ir = orThrow(canonicalModule(bytes));
  const { text, resources } = orThrow(compileNpu(ir, { functionNumber }));
  const program = { name, functionNumber, target: TARGET.npu, irKind: IR_KIND.wasm, ir, text, resources };
  const image = writeImage({ programs: [program] });
  const compile = (accel: "units" | "loops"): number =>
    orThrow(compileNpu(ir, { functionNumber, accel })).text.length;
  const rows = {
    [BASELINE]: () => Number(WebAssembly.validate(bytes)),
    "decode, check, canonical form": () => orThrow(canonicalModule(bytes)).length,
    hash: () => hashProgram(ir).sha256.length,
    "compile for the NPU": () => compile("units"),
    "compile for the NPU, plain loops": () => compile("loops"),
    disassemble: () => orThrow(decodeInsns(text)).map(printInsn).length,
    "write an image": () => writeImage({ programs: [program] }).length,
    "read and check an image": () => orThrow(readImage(image)).programs.length,
  };
  const measured = time(rows);
  console.log(`${name}: ${bytes.length} bytes of WebAssembly, ${text.length / 8} instructions`);
  for (const [row, ns] of measured) {
    const ratio = ns / measured.get(BASELINE)!;
    console.log(
      `  ${row.padEnd(34)} ${Math.round(ns).toString().padStart(12)} ns  ${ratio.toFixed(2)} x ${BASELINE}`,
    );
  }
}
