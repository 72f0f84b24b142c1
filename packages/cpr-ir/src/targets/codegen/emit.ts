/** Linear code on machine registers to eBPF instructions: jumps resolved, long ones by gotol. */
import { CLASS, encodeInsns, type Insn } from "../ebpf/insn.ts";
import {
  ALU_OP,
  CAST_OFF,
  MODE_MEM,
  MODE_MEMSX,
  OP_BSWAP,
  OP_CALL,
  OP_EXIT,
  OP_GOTOL,
  OP_JA,
  OP_LDDW,
  PSEUDO_CALL,
  SIZE,
  SRC_X,
} from "../ebpf/opcode.ts";
import { type Lir, NONE, type Relocation } from "./lir.ts";

/** A function on machine registers. */
export interface MachineFunction {
  readonly name: string;
  readonly code: readonly Lir[];
  /** Base of the frame that spills go to: r10 and down, or another register and up. */
  readonly frame: number;
}

/** An immediate that a loader completes. */
export interface RelocatedSlot {
  /** 8-byte slot. */
  readonly slot: number;
  readonly symbol: Relocation;
}

/** Where a function begins and ends, in 8-byte slots. */
export interface Placed {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

const SIZES: Readonly<Record<number, number>> = /* @__PURE__ */ (() => ({
  1: SIZE.B,
  2: SIZE.H,
  4: SIZE.W,
  8: SIZE.DW,
}))();

/** Emit functions one behind the other; function numbers of calls are positions in the list. */
export function emitFunctions(functions: readonly MachineFunction[]): {
  text: Uint8Array;
  placed: Placed[];
  origins: Int32Array;
  relocations: RelocatedSlot[];
} {
  const far = functions.map((f) => new Set<number>(longJumps(f.code)));
  const slots = functions.map((f, n) => slotsOf(f.code, far[n]!));
  const starts: number[] = [];
  let total = 0;
  for (const s of slots) {
    starts.push(total);
    total += s.length;
  }
  const insns: Insn[] = [];
  const origins = new Int32Array(total);
  const relocations: RelocatedSlot[] = [];
  for (const [n, f] of functions.entries()) {
    for (const [index, i] of f.code.entries()) {
      const here = starts[n]! + slots[n]!.at.get(i)!;
      const made = toInsns(i, here, starts[n]!, slots[n]!.labels, starts, far[n]!.has(index), f.frame);
      if (i.reloc !== null) relocations.push({ slot: here, symbol: i.reloc });
      let at = here;
      for (const insn of made) {
        origins[at] = i.origin;
        at += insn.op === OP_LDDW ? 2 : 1;
        insns.push(insn);
      }
    }
  }
  return {
    text: encodeInsns(insns),
    placed: functions.map((f, n) => ({
      name: f.name,
      start: starts[n]!,
      end: starts[n]! + slots[n]!.length,
    })),
    origins,
    relocations,
  };
}

interface Slots {
  readonly length: number;
  readonly at: ReadonlyMap<Lir, number>;
  readonly labels: ReadonlyMap<number, number>;
}

function slotsOf(code: readonly Lir[], far: ReadonlySet<number>): Slots {
  const at = new Map<Lir, number>();
  const labels = new Map<number, number>();
  let n = 0;
  for (const [index, i] of code.entries()) {
    at.set(i, n);
    if (i.kind === "label") labels.set(i.label, n);
    else if (i.kind === "const64") n += 2;
    else if (i.kind === "jump") n += far.has(index) && i.op !== 0 ? 3 : 1;
    else n += 1;
  }
  return { length: n, at, labels };
}

/** Jumps that may not fit in 16 bits: judged with every jump at its longest, so that the answer is stable. */
function longJumps(code: readonly Lir[]): number[] {
  const all = new Set(code.keys());
  const slots = slotsOf(code, all);
  const out: number[] = [];
  for (const [index, i] of code.entries()) {
    if (i.kind !== "jump") continue;
    const distance = slots.labels.get(i.label)! - slots.at.get(i)! - 1;
    if (distance > 0x7ff0 || distance < -0x7ff0) out.push(index);
  }
  return out;
}

const plain = (op: number, dst: number, src: number, off: number, imm: number): Insn => ({
  op,
  dst,
  src,
  off,
  imm,
});

/** Offset of a frame's slot: downwards from r10, upwards from any other base. */
function slotOff(frame: number, slot: number): number {
  return frame === 10 ? -8 * (slot + 1) : 8 * slot;
}

function toInsns(
  i: Lir,
  here: number,
  start: number,
  labels: ReadonlyMap<number, number>,
  starts: readonly number[],
  far: boolean,
  frame: number,
): Insn[] {
  const register = i.s !== NONE;
  const source = register ? SRC_X : 0;
  const src = register ? i.s : 0;
  const kind = i.w === 32 ? CLASS.ALU : CLASS.ALU64;
  switch (i.kind) {
    case "label":
      return [];
    case "copy":
      return [plain(CLASS.ALU64 | SRC_X | ALU_OP.MOV, i.d, i.s, 0, 0)];
    case "alu":
      return [plain(kind | source | i.op, i.d, src, i.off, register ? 0 : i.imm)];
    case "neg":
      return [plain(kind | ALU_OP.NEG, i.d, 0, 0, 0)];
    case "bswap":
      return [plain(OP_BSWAP, i.d, 0, 0, i.imm)];
    case "movsx":
      return [plain(kind | SRC_X | ALU_OP.MOV, i.d, i.s, i.size, 0)];
    case "cast":
      return [plain(CLASS.ALU64 | SRC_X | ALU_OP.MOV, i.d, i.s, CAST_OFF, 1)];
    case "const64":
      return [{ ...plain(OP_LDDW, i.d, 0, 0, 0), imm64: i.big }];
    case "load":
      return [plain(CLASS.LDX | (i.op === 1 ? MODE_MEMSX : MODE_MEM) | SIZES[i.size]!, i.d, i.s, i.off, 0)];
    case "store":
      return [
        plain(
          (register ? CLASS.STX : CLASS.ST) | MODE_MEM | SIZES[i.size]!,
          i.d,
          src,
          i.off,
          register ? 0 : i.imm,
        ),
      ];
    case "spillLoad":
      return [plain(CLASS.LDX | MODE_MEM | SIZE.DW, i.d, frame, slotOff(frame, i.imm), 0)];
    case "spillStore":
      return [plain(CLASS.STX | MODE_MEM | SIZE.DW, frame, i.s, slotOff(frame, i.imm), 0)];
    case "exit":
      return [plain(OP_EXIT, 0, 0, 0, 0)];
    case "call":
      return [
        i.op === 0
          ? plain(OP_CALL, 0, 0, 0, i.imm)
          : plain(OP_CALL, 0, PSEUDO_CALL, 0, starts[i.imm]! - here - 1),
      ];
    case "jump":
      return jump(i, start + labels.get(i.label)! - here - 1, source, src, far);
  }
}

/** A far jump is a gotol; a far condition jumps over one. */
function jump(i: Lir, distance: number, source: number, src: number, far: boolean): Insn[] {
  if (i.op === 0) return [far ? plain(OP_GOTOL, 0, 0, 0, distance) : plain(OP_JA, 0, 0, distance, 0)];
  const op = (i.w === 32 ? CLASS.JMP32 : CLASS.JMP) | source | i.op;
  const imm = source !== 0 ? 0 : i.imm;
  const dst = i.d === NONE ? 0 : i.d;
  if (!far) return [plain(op, dst, src, distance, imm)];
  return [plain(op, dst, src, 1, imm), plain(OP_JA, 0, 0, 1, 0), plain(OP_GOTOL, 0, 0, 0, distance - 2)];
}
