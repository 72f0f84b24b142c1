/**
 * The linear form between WebAssembly and eBPF: eBPF's own operations on virtual registers. Registers 0 to 9
 * are the machine's; higher numbers are virtual until the allocator has run.
 */

import { JMP_OP } from "../ebpf/opcode.ts";

/** Number of machine registers the allocator hands out (r10 is the frame). */
export const MACHINE_REGISTERS = 10;
/** No register: the operand is the immediate. */
export const NONE = -1;

/** Kinds of instruction. */
export type Kind =
  | "copy" // d = s, all 64 bits
  | "alu" // d = d op (s or imm), of w bits; MOV of w 32 clears the upper half
  | "neg" // d = -d
  | "bswap" // d = bswap<imm>(d)
  | "movsx" // d = sign extension of the low `size` bits of s, in w bits
  | "const64" // d = big
  | "load" // d = memory[s + off], size bytes; signed when op is 1 (to 64 bits)
  | "store" // memory[d + off] = s or imm, size bytes
  | "jump" // if d op (s or imm), of w bits, goto label; op 0 always, JCOND when the time is up
  | "label"
  | "cast" // d = s as an address of the arena (eBPF only); the value stays what it was
  | "call" // helper (op 0) or function (op 1) number imm; n arguments in r1..; result of w bits in r0 when `result`
  | "exit" // returns r0; s, when given, is kept until here
  | "spillLoad" // d = slot imm
  | "spillStore"; // slot imm = s

/** Conditions and their opposites; JSET has none. */
export const INVERSE: Readonly<Record<number, number>> = {
  [JMP_OP.JEQ]: JMP_OP.JNE,
  [JMP_OP.JNE]: JMP_OP.JEQ,
  [JMP_OP.JGT]: JMP_OP.JLE,
  [JMP_OP.JLE]: JMP_OP.JGT,
  [JMP_OP.JGE]: JMP_OP.JLT,
  [JMP_OP.JLT]: JMP_OP.JGE,
  [JMP_OP.JSGT]: JMP_OP.JSLE,
  [JMP_OP.JSLE]: JMP_OP.JSGT,
  [JMP_OP.JSGE]: JMP_OP.JSLT,
  [JMP_OP.JSLT]: JMP_OP.JSGE,
};

/**
 * What a loader adds to an immediate, in 32 bits: `limit` the number of bytes of memory, `slots` the number of CPUs that
 * have a slot. What it makes of a 64-bit constant: `arena` the map itself, `state` the address of a map's value.
 */
export type Relocation = "limit" | "arena" | "state" | "slots";

/** One instruction; one shape for all kinds. */
export interface Lir {
  readonly kind: Kind;
  op: number;
  w: 32 | 64;
  d: number;
  s: number;
  imm: number;
  off: number;
  size: number;
  label: number;
  n: number;
  result: boolean;
  big: bigint;
  reloc: Relocation | null;
  /** Loop depth, for spill costs. */
  depth: number;
  /** Byte offset in the module, for messages. */
  origin: number;
}

/** Make an instruction; what is not given is neutral. */
export function lir(kind: Kind, fields: Partial<Omit<Lir, "kind">>): Lir {
  return {
    kind,
    op: 0,
    w: 64,
    d: NONE,
    s: NONE,
    imm: 0,
    off: 0,
    size: 0,
    label: NONE,
    n: 0,
    result: false,
    big: 0n,
    reloc: null,
    depth: 0,
    origin: 0,
    ...fields,
  };
}

/** Registers an instruction reads. */
export function usesOf(i: Lir, out: number[]): void {
  out.length = 0;
  switch (i.kind) {
    case "copy":
    case "movsx":
    case "cast":
    case "load":
    case "spillStore":
      out.push(i.s);
      return;
    case "alu":
      if (i.op !== 0xb0) out.push(i.d);
      if (i.s !== NONE) out.push(i.s);
      return;
    case "neg":
    case "bswap":
      out.push(i.d);
      return;
    case "store":
      out.push(i.d);
      if (i.s !== NONE) out.push(i.s);
      return;
    case "jump":
      if (i.op !== 0 && i.op !== JMP_OP.JCOND) {
        out.push(i.d);
        if (i.s !== NONE) out.push(i.s);
      }
      return;
    case "call":
      for (let r = 1; r <= i.n; r++) out.push(r);
      return;
    case "exit":
      out.push(0);
      if (i.s !== NONE) out.push(i.s);
      return;
    default:
      return;
  }
}

/** The register an instruction writes, or NONE; calls clobber r0 to r5 besides. */
export function defOf(i: Lir): number {
  switch (i.kind) {
    case "copy":
    case "alu":
    case "neg":
    case "bswap":
    case "movsx":
    case "cast":
    case "const64":
    case "load":
    case "spillLoad":
      return i.d;
    case "call":
      return i.result ? 0 : NONE;
    default:
      return NONE;
  }
}
