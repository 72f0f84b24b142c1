/** Where the numbers of a running parse are kept. */
import { ALU_OP } from "../opcode.ts";
import type { Code, Operand } from "./code.ts";

/** Bits of a number that is counted up. */
const COUNTS = 0x7fffffff;

/** A number of 32 bits. */
export interface Cell {
  /** A register that holds it: not to be changed, and good until the next `put`. */
  get(): number;
  put(value: Operand): void;
  /** Add 1. */
  step(): void;
  /** A loop goes on: what the verifier knows of a number below 2^31, by which it would tell rounds apart, is lost. */
  forget(): void;
}

/** In memory that the verifier does not follow. */
export class MemoryCell implements Cell {
  readonly #code: Code;
  readonly #base: number;
  readonly #off: number;

  constructor(code: Code, base: number, off: number) {
    this.#code = code;
    this.#base = base;
    this.#off = off;
  }

  get(): number {
    return this.#code.load(this.#base, this.#off, 4);
  }

  put(value: Operand): void {
    this.#code.store(this.#base, this.#off, 4, value);
  }

  step(): void {
    const r = this.get();
    this.#code.alu(ALU_OP.ADD, r, 1);
    this.put({ r });
  }

  forget(): void {
    // the verifier knows nothing of what lies there
  }
}

/** In a register; numbers known when compiling are put there so that the verifier does not know them. */
export class RegisterCell implements Cell {
  readonly #code: Code;
  readonly #r: number;
  readonly #hidden: () => number;

  /** @param hidden - makes a register with a zero that the verifier does not know */
  constructor(code: Code, hidden: () => number) {
    this.#code = code;
    this.#r = code.register();
    this.#hidden = hidden;
  }

  get(): number {
    return this.#r;
  }

  put(value: Operand): void {
    this.#code.copy(typeof value === "number" ? this.#hidden() : value.r, this.#r);
    if (typeof value === "number" && value !== 0) this.#code.alu(ALU_OP.OR, this.#r, value);
  }

  step(): void {
    this.#code.alu(ALU_OP.ADD, this.#r, 1);
  }

  forget(): void {
    // added to a zero of which no bit is known: any number of 31 bits, in each round of a loop
    const zero = this.#hidden();
    this.#code.wide(ALU_OP.MUL, zero, { r: zero });
    this.#code.wide(ALU_OP.ADD, this.#r, { r: zero });
    this.#code.alu(ALU_OP.AND, this.#r, COUNTS);
  }
}
