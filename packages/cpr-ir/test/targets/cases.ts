/** Modules and arguments that take every operation of the profile to its edges; plain data for every target. */
import { I32, I64, type Instruction, OP, OPCODES, type ValType, type WasmModule } from "@netoffload/cpr-ir";
import { constant, EDGES, moduleOf } from "./generate.ts";

/** Bytes of the memory programs run in: just beyond what their windows hold. */
export const MEMORY_BYTES: number = 33 * 65536;
/** Where operands and results lie; the programs write within 64 KiB from here. */
export const WINDOW = 0x20_0000;

/** A module and the argument lists it is run with. */
export interface Case {
  readonly name: string;
  readonly module: WasmModule;
  readonly args: readonly (readonly number[])[];
}

const op = (name: string, a = 0, b = 0): Instruction => ({ op: OP[name]!, offset: 0, a, b });
const i32 = (n: number): Instruction => constant(I32, BigInt(n));
const get = (n: number): Instruction => op("local.get", n);
const entry = (params: number, body: Instruction[], locals: ValType[] = []): WasmModule =>
  moduleOf([{ params: Array<ValType>(params).fill(I32), results: [I32], locals, body }]);

/** Static offsets: on both sides of what an instruction's 16 bits hold, and of 31 bits. */
const OFFSETS = [0, 1, 7, 0x7fff, 0x8000, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];

/** Loads and stores: (address, window slot of value or result), at the edges of the memory and of 32 bits. */
export function memoryOperations(): Case[] {
  const out: Case[] = [];
  for (const row of OPCODES.values()) {
    if (row.immediate !== "memory") continue;
    const stores = row.name.includes("store");
    const type = (stores ? row.pops![1] : row.pushes![0])!;
    const [load, store] = type === I32 ? ["i32.load", "i32.store"] : ["i64.load", "i64.store"];
    for (const off of OFFSETS) {
      const body = stores
        ? [get(0), get(1), op(load!, 0), op(row.name, 0, off), i32(0)]
        : [get(1), get(0), op(row.name, 0, off), op(store!, 0), i32(0)];
      const last = MEMORY_BYTES - row.width! - off;
      const near = [last - 9, last - 1, last, last + 1, last + row.width!, WINDOW - off, WINDOW + 3 - off];
      const bases = [
        ...near.filter((a) => a >= 0 && a <= 0xffffffff),
        0,
        1,
        0x7fffffff,
        0x80000000,
        0xffffffff,
      ];
      // address 0 of a store would write into the part that programs never use: V8 does it too
      const args = [...new Set(bases)].flatMap((a) => [
        [a | 0, WINDOW + 8],
        [a | 0, WINDOW + 8 * 27],
      ]);
      out.push({ name: `${row.name} offset ${off}`, module: entry(2, body), args });
    }
  }
  return out;
}

/** memory.copy and memory.fill: every short length and distance, both ends of the memory, 33-bit ends. */
export function bulkOperations(): Case[] {
  const lengths = [...Array.from({ length: 34 }, (_, i) => i), 63, 64, 65, 255, 1000];
  const args: number[][] = [];
  for (const n of lengths)
    for (const by of [-33, -17, -9, -8, -7, -1, 0, 1, 7, 8, 9, 16, 33, 500])
      args.push([WINDOW + 2000 + by, WINDOW + 2000, n]);
  const edges = [0, 1, MEMORY_BYTES - 8, MEMORY_BYTES - 1, MEMORY_BYTES, MEMORY_BYTES + 1, 0x7fffffff, -1];
  for (const a of edges)
    for (const n of [0, 1, 7, 8, 9, MEMORY_BYTES, -1]) {
      args.push([a, WINDOW, n], [WINDOW, a, n], [a, a, n]);
    }
  const fill: number[][] = [];
  for (const n of lengths)
    for (const value of [0, 1, 0xa5, 0x1ff, -1]) fill.push([WINDOW + 2000 + (n % 8), value, n]);
  for (const a of edges) for (const n of [0, 1, 7, 8, 9, -1]) fill.push([a, 0x5a, n]);
  const body = (name: string): Instruction[] => [get(0), get(1), get(2), op(name), i32(7)];
  return [
    { name: "memory.copy", module: entry(3, body("memory.copy")), args },
    { name: "memory.fill", module: entry(3, body("memory.fill")), args: fill },
  ];
}

/** br_table over `table` (depths; the last is the default), each arm returning its number. */
function table(depths: readonly number[], arms: number): WasmModule {
  const body: Instruction[] = [];
  for (let i = 0; i < arms; i++) body.push(op("block", 0x40));
  body.push(get(0), { ...op("br_table"), table: depths });
  for (let i = 0; i < arms; i++) body.push(op("end"), i32(100 + i), op("return"));
  return entry(1, [...body, op("unreachable")]);
}

/** br_table that carries a value, out of a block that also falls through. */
function carrying(): WasmModule {
  return entry(2, [
    ...[op("block", I32), op("block", I32), op("block", I32)],
    ...[get(1), get(0), { ...op("br_table"), table: [2, 0, 1, 0] }],
    ...[op("end"), i32(1), op("i32.add"), op("end"), i32(10), op("i32.mul"), op("end")],
  ]);
}

/** A loop that sums 1..n and leaves by br_if out of two blocks with a value. */
function loop(): WasmModule {
  const body = [
    ...[op("block", I32), op("loop", 0x40)],
    ...[get(1), get(0), op("i32.eqz"), op("br_if", 1), op("drop")],
    ...[get(0), get(1), op("i32.add"), op("local.set", 1), get(0), i32(-1), op("i32.add")],
    ...[op("local.tee", 0), i32(0), op("i32.ge_s"), op("br_if", 0)],
    ...[op("end"), i32(-1), op("end")],
  ];
  return entry(1, body, [I32]);
}

/** Functions of 5 parameters of both widths calling one another. */
function calls(): WasmModule {
  const params: ValType[] = [I32, I64, I32, I64, I32];
  const sum = [get(0), op("i64.extend_i32_s"), get(1), op("i64.xor"), get(2), op("i64.extend_i32_u")];
  const rest = [op("i64.add"), get(3), op("i64.sub"), get(4), op("i64.extend_i32_s"), op("i64.mul")];
  const twice = [get(4), get(3), get(2), get(1), get(0), op("call", 0)];
  const args = [get(0), get(1), op("i64.extend_i32_u"), get(1), get(0), op("i64.extend_i32_s"), get(2)];
  return moduleOf([
    { params, results: [I64], locals: [], body: [...sum, ...rest] },
    { params, results: [I64], locals: [], body: [...twice, get(1), op("i64.rotl")] },
    {
      params: [I32, I32, I32],
      results: [I32],
      locals: [I64],
      body: [
        ...[...args, op("call", 1), op("local.tee", 3), op("i32.wrap_i64")],
        ...[get(3), constant(I64, 32n), op("i64.shr_u"), op("i32.wrap_i64"), op("i32.xor")],
      ],
    },
  ]);
}

/** More values alive at once, and across a call, than there are registers. */
function pressure(width: ValType): WasmModule {
  const t = width === I32 ? "i32" : "i64";
  const n = 14;
  const body: Instruction[] = [];
  for (let i = 0; i < n; i++)
    body.push(
      get(0),
      i32(i + 1),
      op("i32.mul"),
      ...(width === I64 ? [op("i64.extend_i32_s")] : []),
      op("local.set", 1 + i),
    );
  body.push(get(1), get(2), op("call", 0), op("local.set", 1));
  for (let round = 0; round < 2; round++)
    for (let i = 0; i < n; i++)
      body.push(
        get(1 + i),
        get(1 + ((i + 5) % n)),
        op(`${t}.xor`),
        get(1 + ((i + 9) % n)),
        op(`${t}.add`),
        op("local.set", 1 + i),
      );
  body.push(get(1));
  for (let i = 1; i < n; i++) body.push(get(1 + i), op(`${t}.add`));
  if (width === I64) body.push(constant(I64, 7n), op("i64.shr_u"), op("i32.wrap_i64"));
  return moduleOf([
    { params: [width, width], results: [width], locals: [], body: [get(0), get(1), op(`${t}.sub`)] },
    { params: [I32], results: [I32], locals: Array<ValType>(n).fill(width), body },
  ]);
}

/** Control, calls, variables, select: what pure operations and accesses leave over. */
export function controlOperations(): Case[] {
  const numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8, 62, 63, 64, 65, 299, 300, 301, 0x7fffffff, -0x80000000, -1];
  const one = numbers.map((n) => [n]);
  const pairs = numbers.flatMap((a) => [0, 1, -1, 77].map((b) => [a, b]));
  const words = EDGES.map((e) => Number(BigInt.asIntN(32, e)));
  const triples = words.flatMap((a, i) => [
    [a, words[(i + 7) % words.length]!, words[(i + 13) % words.length]!],
  ]);
  const select = (t: "i32" | "i64"): WasmModule =>
    entry(
      3,
      t === "i32"
        ? [get(0), get(1), get(2), op("select")]
        : [
            get(0),
            op("i64.extend_i32_s"),
            get(1),
            op("i64.extend_i32_u"),
            get(2),
            op("select"),
            constant(I64, 16n),
            op("i64.shr_s"),
            op("i32.wrap_i64"),
          ],
    );
  const ifElse = entry(2, [
    get(0),
    op("if", I32),
    get(1),
    i32(1),
    op("i32.add"),
    op("else"),
    get(1),
    i32(-1),
    op("i32.xor"),
    op("end"),
  ]);
  const nested = entry(2, [
    get(0),
    op("if", 0x40),
    get(1),
    op("if", 0x40),
    i32(3),
    op("return"),
    op("else"),
    op("unreachable"),
    op("end"),
    op("end"),
    i32(4),
  ]);
  const global = entry(2, [
    op("global.get", 0),
    get(0),
    op("global.set", 0),
    get(1),
    op("if", 0x40),
    op("global.get", 0),
    i32(1),
    op("i32.add"),
    op("global.set", 0),
    op("end"),
    op("global.get", 0),
    op("i32.xor"),
  ]);
  const tee = entry(
    1,
    [
      get(0),
      i32(3),
      op("i32.mul"),
      op("local.tee", 1),
      get(1),
      op("i32.mul"),
      op("nop"),
      get(0),
      op("drop"),
      get(1),
      op("i32.sub"),
    ],
    [I32],
  );
  const swap = entry(2, [
    get(0),
    get(1),
    op("local.set", 0),
    op("local.set", 1),
    get(0),
    i32(16),
    op("i32.rotl"),
    get(1),
    op("i32.sub"),
  ]);
  const spread = Array.from({ length: 300 }, (_, i) => (i * 7) % 11);
  return [
    { name: "br_table, default only", module: table([0], 1), args: one },
    { name: "br_table, one entry", module: table([1, 0], 2), args: one },
    { name: "br_table, runs of equal targets", module: table([0, 0, 0, 1, 1, 2, 2, 2, 2, 0], 3), args: one },
    { name: "br_table, 64 entries", module: table([...Array(64).keys()], 64), args: one },
    { name: "br_table, 300 entries", module: table(spread, 11), args: one },
    { name: "br_table with a value", module: carrying(), args: pairs },
    { name: "loop, br_if with a value", module: loop(), args: [[0], [1], [2], [10], [255], [-1]] },
    { name: "if, else", module: ifElse, args: pairs },
    { name: "return, unreachable within if", module: nested, args: pairs },
    { name: "global.get, global.set", module: global, args: pairs },
    { name: "local.tee, drop, nop", module: tee, args: words.map((w) => [w]) },
    { name: "locals exchanged", module: swap, args: triples.map((t) => t.slice(0, 2)) },
    { name: "select i32", module: select("i32"), args: triples },
    { name: "select i64", module: select("i64"), args: triples },
    { name: "calls with five parameters", module: calls(), args: triples },
    { name: "more i32 values than registers", module: pressure(I32), args: words.map((w) => [w]) },
    { name: "more i64 values than registers", module: pressure(I64), args: words.map((w) => [w]) },
  ];
}
