/**
 * A program as large as they come: 15 functions that follow pointers through memory, so that no access can be
 * proved, with conditions between and loops nested to depth 3.
 */
import { I32, type Instruction, OP, type ValType, type WasmModule } from "@netoffload/cpr-ir";
import { constant, moduleOf, Random } from "../../../cpr-ir/test/targets/generate.ts";

/** Where the words that are followed lie; each holds the address of another. */
export const CHASE = 0x20_0000;
const CHASE_WORDS = 4096;
/** Behind every followed word: bytes that are read and written. */
const SIDE = 0x8000;
/** Helper functions; the entry makes 15. */
const HELPERS = 14;
/** Loops of the helpers, by nesting: 4 three deep, 8 alone. */
const DEPTHS = [3, 1, 3, 1, 1, 3, 1, 1, 3, 1, 1, 1, 0, 0];
const STEPS = 66;

const op = (name: string, a = 0, b = 0): Instruction => ({ op: OP[name]!, offset: 0, a, b });
const get = (n: number): Instruction => op("local.get", n);
const set = (n: number): Instruction => op("local.set", n);
const i32 = (n: number): Instruction => constant(I32, BigInt(n));
const [POINTER, SUM, T, COUNTER] = [0, 1, 2, 3];

/** Follow the pointer, read beside it, and let what was read decide what is written. */
function step(r: Random): Instruction[] {
  const binary = r.pick(["i32.add", "i32.xor", "i32.sub", "i32.or"]);
  return [
    ...[get(POINTER), op("i32.load", 2, 0), set(POINTER)],
    ...[get(POINTER), op("i32.load", 0, SIDE + r.below(64)), set(T)],
    ...[get(SUM), i32(31), op("i32.mul"), get(T), op(binary), set(SUM)],
    ...[get(T), i32(1 << r.below(16)), op("i32.and"), op("if", 0x40)],
    ...[get(POINTER), get(SUM), op("i32.store8", 0, SIDE + 128 + r.below(64))],
    op("else"),
    ...[get(SUM), get(T), i32(r.below(31) + 1), op("i32.rotl"), op("i32.xor"), set(SUM), op("end")],
    ...[op("block", 0x40), get(SUM), i32(r.next() | 0), op("i32.lt_u"), op("br_if", 0)],
    ...[
      get(SUM),
      get(POINTER),
      op("i32.load16_u", 0, SIDE + r.below(200)),
      op("i32.add"),
      set(SUM),
      op("end"),
    ],
  ];
}

function loop(body: Instruction[], depth: number): Instruction[] {
  const counter = COUNTER + depth;
  return [
    ...[i32(3), set(counter), op("loop", 0x40)],
    ...body,
    ...[get(counter), i32(-1), op("i32.add"), op("local.tee", counter), op("br_if", 0), op("end")],
  ];
}

function helper(r: Random, depth: number): Instruction[] {
  const steps = Array.from({ length: STEPS }, () => step(r));
  const share = Math.floor(STEPS / (depth + 1));
  let body = steps.slice(0, share).flat();
  for (let d = 0; d < depth; d++)
    body = loop([...body, ...steps.slice(share * (d + 1), share * (d + 2)).flat()], d);
  return [...body, ...steps.slice(share * (depth + 1)).flat(), get(SUM)];
}

/** The module; the same every time. */
export function bigProgram(): WasmModule {
  const r = new Random(20_000);
  const made = (body: Instruction[]) => {
    const [params, results, locals]: ValType[][] = [[I32, I32], [I32], [I32, I32, I32, I32]];
    return { params: params!, results: results!, locals: locals!, body };
  };
  const functions = DEPTHS.map((depth) => made(helper(r, depth)));
  const calls = Array.from({ length: HELPERS }, (_, n) => [
    ...[get(POINTER), i32(4 * n), op("i32.add"), get(SUM), op("call", n), set(SUM)],
    ...step(r),
  ]).flat();
  functions.push(made([...calls, get(SUM)]));
  return moduleOf(functions);
}

/** Lay the words that the program follows. */
export function layChase(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const r = new Random(7);
  for (let i = 0; i < CHASE_WORDS; i++) view.setUint32(CHASE + 4 * i, CHASE + 4 * r.below(CHASE_WORDS), true);
  for (let i = 0; i < 2 * SIDE; i += 4) view.setUint32(CHASE + SIDE + i, r.next(), true);
}

/** What there is of everything. */
export function measures(
  module: WasmModule,
): Record<"operations" | "accesses" | "branches" | "loops" | "functions", number> {
  const all = module.functions.flatMap((f) => f.body);
  const names = new Map(Object.entries(OP).map(([name, code]) => [code, name]));
  const count = (pattern: RegExp): number => all.filter((i) => pattern.test(names.get(i.op) ?? "")).length;
  return {
    operations: all.length,
    accesses: count(/\.(load|store)/),
    branches: count(/^(if|br_if)$/),
    loops: count(/^loop$/),
    functions: module.functions.length,
  };
}
