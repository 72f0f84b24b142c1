/** Linear code of a parser, written instruction by instruction on virtual registers. */
import { type Lir, lir, MACHINE_REGISTERS, type Relocation } from "../../codegen/lir.ts";
import { ALU_OP, JMP_OP } from "../opcode.ts";

/** Packets have at most so many bytes: what the verifier follows, and what lies in one piece. */
export const MAX_OFFSET = 0xffff;

const MAX_INSTRUCTION_OFFSET = 0x7fff;

/** A register, or a number known when compiling. */
export type Operand = { readonly r: number } | number;

/** Collects code. Registers hold numbers of 32 bits with the upper half clear, or pointers. */
export class Code {
  readonly code: Lir[] = [];
  #registers: number = MACHINE_REGISTERS;
  #labels = 0;
  /** Node that instructions come from, for messages; -1: none. */
  origin = -1;
  /** Depth of loops, for the costs of spills. */
  depth = 0;

  get registers(): number {
    return this.#registers;
  }

  register(): number {
    return this.#registers++;
  }

  label(): number {
    return this.#labels++;
  }

  emit(kind: Lir["kind"], fields: Partial<Omit<Lir, "kind">>): void {
    this.code.push(lir(kind, { origin: this.origin, depth: this.depth, ...fields }));
  }

  place(label: number): void {
    this.emit("label", { label });
  }

  jump(label: number): void {
    this.emit("jump", { label });
  }

  /** Jump once a loop's time is up: what makes the verifier take a loop for bounded. */
  mayGoto(label: number): void {
    this.emit("jump", { op: JMP_OP.JCOND, label });
  }

  /** Jump if a number compares so with a constant, 32 bits unsigned. */
  jumpIf(op: number, d: number, imm: number, label: number): void {
    this.emit("jump", { op, w: 32, d, imm: imm | 0, label });
  }

  /** Jump if 64 bits compare so; `imm` below 2^31. */
  jumpWide(op: number, d: number, imm: number, label: number, reloc: Relocation | null = null): void {
    this.emit("jump", { op, w: 64, d, imm, label, reloc });
  }

  /** Jump if two registers compare so, all 64 bits. */
  jumpRegisters(op: number, d: number, s: number, label: number): void {
    this.emit("jump", { op, w: 64, d, s, label });
  }

  copy(s: number, d: number = this.register()): number {
    this.emit("copy", { d, s });
    return d;
  }

  constant(imm: number, d: number = this.register()): number {
    this.emit("alu", { op: ALU_OP.MOV, w: 32, d, imm: imm | 0 });
    return d;
  }

  /** d = d op operand, 32 bits. */
  alu(op: number, d: number, operand: Operand): void {
    this.#alu(op, 32, d, operand);
  }

  /** d = d op operand, 64 bits. */
  wide(op: number, d: number, operand: Operand): void {
    this.#alu(op, 64, d, operand);
  }

  #alu(op: number, w: 32 | 64, d: number, operand: Operand): void {
    if (typeof operand === "number") this.emit("alu", { op, w, d, imm: operand | 0 });
    else this.emit("alu", { op, w, d, s: operand.r });
  }

  /** A register with what an operand is; a fresh one that may be changed when `fresh`. */
  value(operand: Operand, fresh = false): number {
    if (typeof operand === "number") return this.constant(operand);
    return fresh ? this.copy(operand.r) : operand.r;
  }

  swap(d: number, bits: 16 | 32 | 64): void {
    this.emit("bswap", { d, imm: bits });
  }

  load(s: number, off: number, size: number, d: number = this.register()): number {
    const near = this.#near(s, off);
    this.emit("load", { d, s: near.base, off: near.off, size });
    return d;
  }

  store(d: number, off: number, size: number, value: Operand): void {
    const near = this.#near(d, off);
    const at = { d: near.base, off: near.off, size };
    if (typeof value === "number") this.emit("store", { ...at, imm: value | 0 });
    else this.emit("store", { ...at, s: value.r });
  }

  /** An instruction's offset has 16 bits, its sign among them: beyond, a register that is nearer. */
  #near(base: number, off: number): { readonly base: number; readonly off: number } {
    if (off <= MAX_INSTRUCTION_OFFSET) return { base, off };
    const near = this.copy(base);
    this.wide(ALU_OP.ADD, near, off);
    return { base: near, off: 0 };
  }

  /**
   * Pointer to an offset in the packet where `bytes` more stay within what the verifier follows; elsewhere `beyond`.
   * A register of its own is tested and then moved on: what the verifier has learnt of a register that lives on the
   * stack and went through a loop is not known of its next reading.
   */
  pointer(packet: number, off: number, bytes: number, beyond: number): number {
    const p = this.copy(off);
    this.jumpWide(JMP_OP.JGT, p, MAX_OFFSET - bytes, beyond);
    this.wide(ALU_OP.ADD, p, { r: packet });
    return p;
  }

  /**
   * Make a register's value unknown to the verifier: what it knows of values that live around a loop, it follows
   * round by round. A number less itself is 0, which the verifier does not see. @param unknown - any number it does not know
   */
  zeroFrom(unknown: number): number {
    const z = this.copy(unknown);
    this.wide(ALU_OP.XOR, z, { r: z });
    return z;
  }
}
