/**
 * memory.copy and memory.fill as functions of the program. Both first touch the byte before each range's end, so
 * that a range which leaves the memory traps before anything is written, whatever the length.
 */
import { ALU_OP, JMP_OP } from "../ebpf/opcode.ts";
import { type Lir, lir, MACHINE_REGISTERS } from "./lir.ts";

const D = MACHINE_REGISTERS;
const S = D + 1;
const N = D + 2;
const T = D + 3;
const V = D + 4;

/** Registers the functions below use, virtual ones included. */
export const RUNTIME_REGISTERS: number = MACHINE_REGISTERS + 5;

/** Labels the functions below use are smaller than this. */
export const RUNTIME_LABELS = 16;

/** Names of the runtime functions. */
export type RuntimeName = "memory.copy" | "memory.fill";

/** Linear code of a runtime function: (dst, src or value, bytes). */
export function runtimeFunction(name: RuntimeName): Lir[] {
  return name === "memory.copy" ? memoryCopy() : memoryFill();
}

const copy = (d: number, s: number): Lir => lir("copy", { d, s });
const add = (d: number, imm: number): Lir => lir("alu", { op: ALU_OP.ADD, d, imm });
const addR = (d: number, s: number): Lir => lir("alu", { op: ALU_OP.ADD, d, s });
const label = (n: number): Lir => lir("label", { label: n });
const goto = (n: number): Lir => lir("jump", { label: n });
const when = (d: number, op: number, s: { s: number } | { imm: number }, n: number): Lir =>
  lir("jump", { op, w: 64, d, ...s, label: n });
const load = (d: number, s: number, size: number, off = 0): Lir => lir("load", { d, s, size, off });
const store = (d: number, s: number, size: number, off = 0): Lir => lir("store", { d, s, size, off });

/** Touch the last byte before base + N; a range that ends at 0 has none. */
function probe(base: number, skip: number): Lir[] {
  return [copy(T, base), addR(T, N), when(T, JMP_OP.JEQ, { imm: 0 }, skip), load(V, T, 1, -1), label(skip)];
}

function loops(code: Lir[]): Lir[] {
  for (const i of code) i.depth = 1;
  return code;
}

function finish(): Lir[] {
  return [lir("alu", { op: ALU_OP.MOV, w: 32, d: 0, imm: 0 }), lir("exit", {})];
}

function memoryCopy(): Lir[] {
  return [
    ...[copy(D, 1), copy(S, 2), copy(N, 3)],
    ...probe(D, 0),
    ...probe(S, 1),
    // writing upwards is wrong only when dst lies inside the source range
    when(D, JMP_OP.JLE, { s: S }, 2),
    ...[copy(T, S), addR(T, N), when(D, JMP_OP.JLT, { s: T }, 6)],
    label(2),
    when(N, JMP_OP.JLT, { imm: 8 }, 4),
    ...loops([
      label(3),
      load(V, S, 8),
      store(D, V, 8),
      add(S, 8),
      add(D, 8),
      add(N, -8),
      when(N, JMP_OP.JGE, { imm: 8 }, 3),
    ]),
    label(4),
    when(N, JMP_OP.JEQ, { imm: 0 }, 9),
    ...loops([
      label(5),
      load(V, S, 1),
      store(D, V, 1),
      add(S, 1),
      add(D, 1),
      add(N, -1),
      when(N, JMP_OP.JNE, { imm: 0 }, 5),
    ]),
    goto(9),
    label(6),
    ...[addR(S, N), addR(D, N)],
    ...loops([
      label(7),
      when(N, JMP_OP.JLT, { imm: 8 }, 8),
      add(S, -8),
      add(D, -8),
      load(V, S, 8),
      store(D, V, 8),
      add(N, -8),
      goto(7),
    ]),
    ...loops([
      label(8),
      when(N, JMP_OP.JEQ, { imm: 0 }, 9),
      add(S, -1),
      add(D, -1),
      load(V, S, 1),
      store(D, V, 1),
      add(N, -1),
      goto(8),
    ]),
    label(9),
    ...finish(),
  ];
}

function memoryFill(): Lir[] {
  return [
    ...[copy(D, 1), copy(S, 2), copy(N, 3)],
    ...probe(D, 0),
    // the byte in all eight places
    lir("alu", { op: ALU_OP.AND, w: 32, d: S, imm: 0xff }),
    lir("const64", { d: V, big: 0x0101010101010101n }),
    lir("alu", { op: ALU_OP.MUL, d: S, s: V }),
    when(N, JMP_OP.JLT, { imm: 8 }, 2),
    ...loops([label(1), store(D, S, 8), add(D, 8), add(N, -8), when(N, JMP_OP.JGE, { imm: 8 }, 1)]),
    label(2),
    when(N, JMP_OP.JEQ, { imm: 0 }, 4),
    ...loops([label(3), store(D, S, 1), add(D, 1), add(N, -1), when(N, JMP_OP.JNE, { imm: 0 }, 3)]),
    label(4),
    ...finish(),
  ];
}
