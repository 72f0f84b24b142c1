/** A small assembler: instructions by name, labels instead of depths. */
import { OP } from "../../wasm/opcode.ts";
import { I32, type Instruction } from "../../wasm/types.ts";

const VOID = 0x40;

/** Where a branch leads: a block's end, or a loop's start. */
export interface Label {
  readonly depth: number;
}

/** Instructions of one function; all values are i32. */
export class Asm {
  readonly body: Instruction[] = [];
  #depth = 0;
  #locals: number;
  readonly #params: number;

  constructor(params: number) {
    this.#params = params;
    this.#locals = params;
  }

  /** Types of the locals behind the parameters. */
  get locals(): (typeof I32)[] {
    return Array.from({ length: this.#locals - this.#params }, () => I32);
  }

  /** A new local. */
  local(): number {
    return this.#locals++;
  }

  op(name: string, a = 0, b = 0): this {
    this.body.push({ op: OP[name]!, offset: 0, a, b });
    return this;
  }

  get(local: number): this {
    return this.op("local.get", local);
  }

  set(local: number): this {
    return this.op("local.set", local);
  }

  tee(local: number): this {
    return this.op("local.tee", local);
  }

  const(value: number): this {
    return this.op("i32.const", value | 0);
  }

  /** A memory access at a static offset; alignment is never promised. */
  memory(name: string, offset: number): this {
    return this.op(name, 0, offset);
  }

  block(inside: (label: Label) => void): this {
    return this.#nest("block", inside);
  }

  loop(inside: (label: Label) => void): this {
    return this.#nest("loop", inside);
  }

  /** Runs when the value on the stack is not zero. */
  if(then: () => void, otherwise?: () => void): this {
    this.op("if", VOID);
    this.#depth++;
    then();
    if (otherwise !== undefined) {
      this.op("else");
      otherwise();
    }
    this.#depth--;
    return this.op("end");
  }

  br(to: Label): this {
    return this.op("br", this.#depth - to.depth);
  }

  brIf(to: Label): this {
    return this.op("br_if", this.#depth - to.depth);
  }

  /** Jump by the number on the stack; the last label takes all others. */
  brTable(to: readonly Label[]): this {
    const table = to.map((l) => this.#depth - l.depth);
    this.body.push({ op: OP.br_table!, offset: 0, a: 0, b: 0, table });
    return this;
  }

  #nest(name: string, inside: (label: Label) => void): this {
    this.op(name, VOID);
    this.#depth++;
    inside({ depth: this.#depth });
    this.#depth--;
    return this.op("end");
  }
}
