/**
 * Random programs of the profile, from a seed: expressions over parameters, structured control flow, memory,
 * calls. Used wherever two executors are compared; the cases are plain modules.
 */
import {
  ACCEL1,
  type Accel1Name,
  encodeModule,
  I32,
  I64,
  type Instruction,
  OP,
  OPCODES,
  type ValType,
  type WasmFunction,
  type WasmModule,
} from "@netoffload/cpr-ir";
import { staticRegion } from "@netoffload/skbuff";

/** A small generator of numbers (xorshift), so that a seed names a program. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = (seed * 2654435761 + 1) >>> 0 || 1;
  }
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }
  below(n: number): number {
    return this.next() % n;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** Values at which operations change their behaviour. */
export const EDGES: readonly bigint[] = [
  0n,
  1n,
  2n,
  7n,
  8n,
  15n,
  16n,
  31n,
  32n,
  33n,
  63n,
  64n,
  127n,
  128n,
  255n,
  256n,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x10000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  0x7fffffffffffffffn,
  -1n,
  -2n,
  -128n,
  -129n,
  -0x8000n,
  -0x80000000n,
  -(2n ** 63n),
];

const op = (name: string, a = 0, b = 0): Instruction => ({ op: OP[name]!, offset: 0, a, b });

/** i32.const or i64.const. */
export function constant(type: ValType, v: bigint): Instruction {
  return type === I32
    ? op("i32.const", Number(BigInt.asIntN(32, v)))
    : { ...op("i64.const"), imm64: BigInt.asIntN(64, v) };
}

/** A module with one exported function (and helpers before it), ready to encode. */
export function moduleOf(
  functions: readonly { params: ValType[]; results: ValType[]; locals: ValType[]; body: Instruction[] }[],
  name = "tx_csum",
): WasmModule {
  const entry = functions.length - 1;
  return {
    types: functions.map((f) => ({ params: f.params, results: f.results })),
    imports: [],
    memory: { initial: 16, maximum: null },
    functions: functions.map(
      (f, i): WasmFunction => ({ type: i, locals: f.locals, body: [...f.body, op("end")], offset: 0 }),
    ),
    globals: [{ type: I32, mutable: true, init: 12345n }],
    exports: [{ name, index: entry }],
    data: [
      { address: staticRegion(1) + 64, bytes: Uint8Array.of(1, 2, 3, 250, 251, 252, 253, 254), offset: 0 },
    ],
    names: new Map(),
  };
}

/** Bytes of a module. */
export function bytesOf(module: WasmModule): Uint8Array {
  return encodeModule(module);
}

/** One operation between loads and stores: operands from memory, result to memory, so that every width is seen. */
export function singleOperation(name: string): WasmModule {
  const row = [...OPCODES.values()].find((o) => o.name === name)!;
  const body: Instruction[] = [];
  const wide = row.pushes![0] === I64;
  body.push(op("local.get", 1));
  for (const [i, type] of row.pops!.entries()) {
    body.push(op("local.get", 0));
    body.push(type === I32 ? op("i32.load", 2, 8 * i) : op("i64.load", 3, 8 * i));
  }
  body.push(op(name), op(wide ? "i64.store" : "i32.store", wide ? 3 : 2, 0), constant(I32, 0n));
  return moduleOf([{ params: [I32, I32], results: [I32], locals: [], body }]);
}

/** Names of operations with a fixed stack effect and no memory: what {@link singleOperation} takes. */
export function pureOperations(): string[] {
  return [...OPCODES.values()]
    .filter((o) => o.pops !== null && o.pops.length > 0 && o.pushes?.length === 1 && o.immediate === "none")
    .map((o) => o.name);
}

interface Scope {
  readonly r: Random;
  readonly locals: readonly ValType[];
  budget: number;
  /** Result of enclosing labels, innermost last; loops carry nothing. */
  readonly labels: { result: ValType | null; loop: boolean }[];
  /** Functions that may be called: parameters and result. */
  readonly callees: readonly { params: ValType[]; result: ValType }[];
  loopDepth: number;
}

const WINDOW = 0x20_0000;

/** A random program: parameters are (address-like) i32, result i32; every loop ends by a counter. */
export function randomProgram(seed: number, size = 60): WasmModule {
  const r = new Random(seed);
  const functions: { params: ValType[]; results: ValType[]; locals: ValType[]; body: Instruction[] }[] = [];
  const callees: { params: ValType[]; result: ValType }[] = [];
  for (let n = r.below(3); n >= 0; n--) {
    const last = n === 0;
    const params: ValType[] = last
      ? [I32, I32, I32]
      : Array.from({ length: r.below(5) + 1 }, () => r.pick<ValType>([I32, I64]));
    const result: ValType = last ? I32 : r.pick<ValType>([I32, I64]);
    const locals: ValType[] = Array.from({ length: r.below(14) + 2 }, () => r.pick<ValType>([I32, I32, I64]));
    // the last two locals count loops
    locals.push(I32, I32, I32);
    const scope: Scope = {
      r,
      locals: [...params, ...locals],
      budget: size,
      labels: [{ result, loop: false }],
      callees: [...callees],
      loopDepth: 0,
    };
    const body: Instruction[] = [];
    statements(scope, body, 4 + r.below(8));
    body.push(...expression(scope, result, 4));
    functions.push({ params, results: [result], locals, body });
    callees.push({ params, result });
  }
  return moduleOf(functions);
}

function freeLocal(s: Scope, type: ValType): number {
  const list: number[] = [];
  for (let i = 0; i < s.locals.length - 3; i++) if (s.locals[i] === type) list.push(i);
  return list.length === 0 ? -1 : s.r.pick(list);
}

const BINARY = [
  "add",
  "sub",
  "mul",
  "and",
  "or",
  "xor",
  "shl",
  "shr_s",
  "shr_u",
  "rotl",
  "rotr",
  "add",
  "sub",
  "and",
  "div_u",
  "div_s",
  "rem_u",
  "rem_s",
];
const COMPARE = ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"];

/** Code that leaves one value of the type. */
function expression(s: Scope, type: ValType, depth: number): Instruction[] {
  const { r } = s;
  s.budget--;
  const t = type === I32 ? "i32" : "i64";
  const other: ValType = type === I32 ? I64 : I32;
  if (depth <= 0 || s.budget <= 0) {
    const local = freeLocal(s, type);
    return local >= 0 && r.below(3) > 0 ? [op("local.get", local)] : [constant(type, r.pick(EDGES))];
  }
  switch (r.below(14)) {
    case 0:
      return [constant(type, BigInt(r.next()) * (r.below(2) === 0 ? 1n : -1n))];
    case 1:
    case 2: {
      const local = freeLocal(s, type);
      return local >= 0 ? [op("local.get", local)] : [constant(type, r.pick(EDGES))];
    }
    case 3:
      return [
        ...expression(s, type, depth - 1),
        op(`${t}.${r.pick(["clz", "ctz", "popcnt", "extend8_s", "extend16_s"])}`),
      ];
    case 4:
      return type === I32
        ? [...expression(s, I64, depth - 1), op("i32.wrap_i64")]
        : [...expression(s, I32, depth - 1), op(r.pick(["i64.extend_i32_s", "i64.extend_i32_u"]))];
    case 5: {
      const of = r.pick<ValType>([I32, I64]);
      const code = [
        ...expression(s, of, depth - 1),
        ...expression(s, of, depth - 1),
        op(`${of === I32 ? "i32" : "i64"}.${r.pick(COMPARE)}`),
      ];
      return type === I32 ? code : [...code, op("i64.extend_i32_u")];
    }
    case 6: {
      const code = [...expression(s, r.below(2) === 0 ? type : type, depth - 1), op(`${t}.eqz`)];
      return type === I32 ? code : [...code, op("i64.extend_i32_s")];
    }
    case 7: {
      const loads =
        type === I32
          ? ["i32.load", "i32.load8_s", "i32.load8_u", "i32.load16_s", "i32.load16_u"]
          : [
              "i64.load",
              "i64.load8_s",
              "i64.load8_u",
              "i64.load16_s",
              "i64.load16_u",
              "i64.load32_s",
              "i64.load32_u",
            ];
      return [...address(s, depth - 1), op(r.pick(loads), 0, r.pick([0, 1, 8, 1000, 40000]))];
    }
    case 8:
      return [
        ...expression(s, type, depth - 1),
        ...expression(s, type, depth - 1),
        ...expression(s, I32, depth - 1),
        op("select"),
      ];
    case 9: {
      const local = freeLocal(s, type);
      return local < 0 ? [constant(type, 5n)] : [...expression(s, type, depth - 1), op("local.tee", local)];
    }
    case 10: {
      if (s.callees.length === 0) return expression(s, type, depth - 1);
      const index = r.below(s.callees.length);
      const callee = s.callees[index]!;
      const code = callee.params.flatMap((p) => expression(s, p, 1));
      code.push(op("call", index));
      if (callee.result === type) return code;
      return [...code, op(type === I32 ? "i32.wrap_i64" : "i64.extend_i32_u")];
    }
    case 11: {
      s.labels.push({ result: type, loop: false });
      const code = [...expression(s, I32, depth - 1)];
      const then: Instruction[] = [];
      statements(s, then, 1);
      then.push(...expression(s, type, depth - 1));
      const otherwise = expression(s, type, depth - 1);
      s.labels.pop();
      return [...code, op("if", type), ...then, op("else"), ...otherwise, op("end")];
    }
    case 12:
      return other === I64 && r.below(3) === 0 ? [op("global.get", 0)] : expression(s, type, depth - 1);
    default:
      return [
        ...expression(s, type, depth - 1),
        ...expression(s, type, depth - 1),
        op(`${t}.${r.pick(BINARY)}`),
      ];
  }
}

/** An address that usually lies in the window, sometimes anywhere. */
function address(s: Scope, depth: number): Instruction[] {
  if (s.r.below(60) === 0) return expression(s, I32, depth);
  return [
    ...expression(s, I32, depth),
    constant(I32, 0xfffn),
    op("i32.and"),
    constant(I32, BigInt(WINDOW)),
    op("i32.add"),
  ];
}

function statements(s: Scope, out: Instruction[], n: number): void {
  for (let i = 0; i < n && s.budget > 0; i++) statement(s, out);
}

function statement(s: Scope, out: Instruction[]): void {
  const { r } = s;
  switch (r.below(11)) {
    case 0:
    case 1:
    case 2: {
      const type = r.pick<ValType>([I32, I64]);
      const local = freeLocal(s, type);
      if (local >= 0) out.push(...expression(s, type, 3), op("local.set", local));
      return;
    }
    case 3:
    case 4: {
      const type = r.pick<ValType>([I32, I64]);
      const stores =
        type === I32
          ? ["i32.store", "i32.store8", "i32.store16"]
          : ["i64.store", "i64.store8", "i64.store16", "i64.store32"];
      out.push(
        ...address(s, 2),
        ...expression(s, type, 2),
        op(r.pick(stores), 0, r.pick([0, 3, 100, 33000])),
      );
      return;
    }
    case 5: {
      out.push(...expression(s, I32, 2), op("if", 0x40));
      s.labels.push({ result: null, loop: false });
      statements(s, out, 1 + r.below(3));
      if (r.below(2) === 0) {
        out.push(op("else"));
        statements(s, out, 1 + r.below(3));
      }
      s.labels.pop();
      out.push(op("end"));
      return;
    }
    case 6: {
      if (s.loopDepth >= 3) return;
      // a counter of its own bounds every loop
      const counter = s.locals.length - 1 - s.loopDepth;
      out.push(
        constant(I32, BigInt(1 + r.below(5))),
        op("local.set", counter),
        op("block", 0x40),
        op("loop", 0x40),
      );
      s.loopDepth++;
      s.labels.push({ result: null, loop: false }, { result: null, loop: true });
      statements(s, out, 1 + r.below(3));
      s.labels.pop();
      s.labels.pop();
      s.loopDepth--;
      out.push(
        op("local.get", counter),
        constant(I32, -1n),
        op("i32.add"),
        op("local.tee", counter),
        op("br_if", 0),
        op("end"),
        op("end"),
      );
      return;
    }
    case 7: {
      out.push(op("block", 0x40));
      s.labels.push({ result: null, loop: false });
      statements(s, out, 1 + r.below(2));
      if (r.below(2) === 0) out.push(...expression(s, I32, 2), op("br_if", 0));
      statements(s, out, 1 + r.below(2));
      s.labels.pop();
      out.push(op("end"));
      return;
    }
    case 8: {
      const arms = 2 + r.below(6);
      for (let i = 0; i < arms; i++) out.push(op("block", 0x40));
      const table = Array.from({ length: arms + r.below(9) }, () => r.below(arms));
      out.push(...expression(s, I32, 2), constant(I32, BigInt(r.pick([3, 7, 15, -1]))), op("i32.and"), {
        ...op("br_table"),
        table,
      });
      for (let i = 0; i < arms; i++) {
        out.push(op("end"));
        for (let k = 0; k < arms - 1 - i; k++) s.labels.push({ result: null, loop: false });
        statements(s, out, 1);
        for (let k = 0; k < arms - 1 - i; k++) s.labels.pop();
        if (i < arms - 1 && r.below(3) === 0) out.push(op("br", arms - 2 - i));
      }
      return;
    }
    case 9: {
      const near = (): Instruction[] => [
        ...expression(s, I32, 1),
        constant(I32, 63n),
        op("i32.and"),
        constant(I32, BigInt(WINDOW + 512)),
        op("i32.add"),
      ];
      const n = [...expression(s, I32, 1), constant(I32, 63n), op("i32.and")];
      if (r.below(2) === 0) out.push(...near(), ...near(), ...n, op("memory.copy"));
      else out.push(...near(), ...expression(s, I32, 1), ...n, op("memory.fill"));
      return;
    }
    default:
      out.push(...expression(s, I32, 2), op("global.set", 0));
  }
}

/** A module that imports one unit of accel1 and hands its parameters on; 0 where the unit gives nothing. */
export function unitModule(name: Accel1Name): Uint8Array {
  const { params, results } = ACCEL1[name];
  const type = { params: Array(params).fill(I32), results: Array(results).fill(I32) };
  const op = (o: string, a = 0) => ({ op: OP[o]!, offset: 0, a, b: 0 });
  const body = [...Array.from({ length: params }, (_, i) => op("local.get", i)), op("call", 0)];
  if (results === 0) body.push(op("i32.const", 0));
  const one = moduleOf([{ params: type.params, results: [I32], locals: [], body }]);
  return encodeModule({
    ...one,
    types: [type, ...one.types],
    functions: one.functions.map((f) => ({ ...f, type: f.type + 1 })),
    imports: [{ module: "accel1", name, type: 0 }],
    exports: one.exports.map((e) => ({ ...e, index: e.index + 1 })),
  });
}
