/** Every WebAssembly operation of the profile: one row each; decoder, encoder, validator and printer read it. */
import { I32, I64, type ValType } from "./types.ts";

/** What follows an opcode in the binary format. */
export type Immediate =
  | "none"
  | "block"
  | "depth"
  | "table"
  | "function"
  | "local"
  | "global"
  | "memory"
  | "i32"
  | "i64"
  | "copy"
  | "fill";

/** One operation. Two-byte opcodes 0xfc n are numbered 0xfc00 + n. */
export interface Opcode {
  readonly op: number;
  readonly name: string;
  readonly immediate: Immediate;
  /** Operands, first pushed first; null where the stack effect is not fixed. */
  readonly pops: readonly ValType[] | null;
  readonly pushes: readonly ValType[] | null;
  /** Bytes of a memory access. */
  readonly width?: 1 | 2 | 4 | 8;
}

type Row = readonly [
  op: number,
  name: string,
  immediate: Immediate,
  pops?: readonly ValType[] | null,
  pushes?: readonly ValType[] | null,
  width?: 1 | 2 | 4 | 8,
];

const CONTROL: readonly Row[] = [
  [0x00, "unreachable", "none"],
  [0x01, "nop", "none", [], []],
  [0x02, "block", "block"],
  [0x03, "loop", "block"],
  [0x04, "if", "block"],
  [0x05, "else", "none"],
  [0x0b, "end", "none"],
  [0x0c, "br", "depth"],
  [0x0d, "br_if", "depth"],
  [0x0e, "br_table", "table"],
  [0x0f, "return", "none"],
  [0x10, "call", "function"],
  [0x1a, "drop", "none"],
  [0x1b, "select", "none"],
  [0x20, "local.get", "local"],
  [0x21, "local.set", "local"],
  [0x22, "local.tee", "local"],
  [0x23, "global.get", "global"],
  [0x24, "global.set", "global"],
  [0x41, "i32.const", "i32", [], [I32]],
  [0x42, "i64.const", "i64", [], [I64]],
  [0xfc0a, "memory.copy", "copy", [I32, I32, I32], []],
  [0xfc0b, "memory.fill", "fill", [I32, I32, I32], []],
];

const MEMORY: readonly Row[] = [
  [0x28, "i32.load", "memory", [I32], [I32], 4],
  [0x29, "i64.load", "memory", [I32], [I64], 8],
  [0x2c, "i32.load8_s", "memory", [I32], [I32], 1],
  [0x2d, "i32.load8_u", "memory", [I32], [I32], 1],
  [0x2e, "i32.load16_s", "memory", [I32], [I32], 2],
  [0x2f, "i32.load16_u", "memory", [I32], [I32], 2],
  [0x30, "i64.load8_s", "memory", [I32], [I64], 1],
  [0x31, "i64.load8_u", "memory", [I32], [I64], 1],
  [0x32, "i64.load16_s", "memory", [I32], [I64], 2],
  [0x33, "i64.load16_u", "memory", [I32], [I64], 2],
  [0x34, "i64.load32_s", "memory", [I32], [I64], 4],
  [0x35, "i64.load32_u", "memory", [I32], [I64], 4],
  [0x36, "i32.store", "memory", [I32, I32], [], 4],
  [0x37, "i64.store", "memory", [I32, I64], [], 8],
  [0x3a, "i32.store8", "memory", [I32, I32], [], 1],
  [0x3b, "i32.store16", "memory", [I32, I32], [], 2],
  [0x3c, "i64.store8", "memory", [I32, I64], [], 1],
  [0x3d, "i64.store16", "memory", [I32, I64], [], 2],
  [0x3e, "i64.store32", "memory", [I32, I64], [], 4],
];

const COMPARE = ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"];
const COUNT = ["clz", "ctz", "popcnt"];
const BINARY = [
  "add",
  "sub",
  "mul",
  "div_s",
  "div_u",
  "rem_s",
  "rem_u",
  "and",
  "or",
  "xor",
  "shl",
  "shr_s",
  "shr_u",
  "rotl",
  "rotr",
];

function integer(): Row[] {
  const rows: Row[] = [
    [0x45, "i32.eqz", "none", [I32], [I32]],
    [0x50, "i64.eqz", "none", [I64], [I32]],
  ];
  for (const [i, name] of COMPARE.entries()) {
    rows.push([0x46 + i, `i32.${name}`, "none", [I32, I32], [I32]]);
    rows.push([0x51 + i, `i64.${name}`, "none", [I64, I64], [I32]]);
  }
  for (const [i, name] of COUNT.entries()) {
    rows.push([0x67 + i, `i32.${name}`, "none", [I32], [I32]]);
    rows.push([0x79 + i, `i64.${name}`, "none", [I64], [I64]]);
  }
  for (const [i, name] of BINARY.entries()) {
    rows.push([0x6a + i, `i32.${name}`, "none", [I32, I32], [I32]]);
    rows.push([0x7c + i, `i64.${name}`, "none", [I64, I64], [I64]]);
  }
  rows.push(
    [0xa7, "i32.wrap_i64", "none", [I64], [I32]],
    [0xac, "i64.extend_i32_s", "none", [I32], [I64]],
    [0xad, "i64.extend_i32_u", "none", [I32], [I64]],
  );
  rows.push([0xc0, "i32.extend8_s", "none", [I32], [I32]], [0xc1, "i32.extend16_s", "none", [I32], [I32]]);
  rows.push(
    [0xc2, "i64.extend8_s", "none", [I64], [I64]],
    [0xc3, "i64.extend16_s", "none", [I64], [I64]],
    [0xc4, "i64.extend32_s", "none", [I64], [I64]],
  );
  return rows;
}

/** All operations of the profile by opcode. */
export const OPCODES: ReadonlyMap<number, Opcode> = /* @__PURE__ */ (() => {
  const map = new Map<number, Opcode>();
  for (const [op, name, immediate, pops = null, pushes = null, width] of [
    ...CONTROL,
    ...MEMORY,
    ...integer(),
  ])
    map.set(op, { op, name, immediate, pops, pushes, ...(width === undefined ? {} : { width }) });
  return map;
})();

/** Opcode by name. */
export const OP: Readonly<Record<string, number>> = /* @__PURE__ */ (() =>
  Object.fromEntries([...OPCODES.values()].map((o) => [o.name, o.op])))();

/** Names for what the profile leaves out, so that a refusal says what was met. */
export function nameOfRefused(op: number): string {
  const known: Readonly<Record<number, string>> = {
    17: "call_indirect",
    18: "return_call",
    19: "return_call_indirect",
    28: "typed select",
    37: "table.get",
    38: "table.set",
    63: "memory.size",
    64: "memory.grow",
    253: "v128 (SIMD)",
    254: "atomics",
    64520: "memory.init",
    64521: "data.drop",
  };
  const name = known[op];
  if (name !== undefined) return name;
  if (op >= 0xfc00) return `0xfc ${op - 0xfc00}`;
  const float =
    (op >= 0x2a && op <= 0x2b) ||
    (op >= 0x38 && op <= 0x39) ||
    (op >= 0x43 && op <= 0x44) ||
    (op >= 0x5b && op <= 0x66) ||
    (op >= 0x8b && op <= 0xbf);
  return float ? `0x${op.toString(16)} (floating point)` : `0x${op.toString(16)}`;
}
