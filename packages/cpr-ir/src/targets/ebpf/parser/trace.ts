/** The trace of a debug program: what the interpreter tells, as records in the slot. */
import { ALU_OP, JMP_OP } from "../opcode.ts";
import type { Code, Operand } from "./code.ts";
import type { MetadataTrace, Place } from "./metadata.ts";
import { SLOT, type SlotLayout, TRACE_KIND, TRACE_RECORD } from "./slot.ts";
import type { UnitAt } from "./values.ts";

/** Emits records; those for which there is no room are counted, and dropped. */
export class SlotTrace implements MetadataTrace {
  readonly #code: Code;
  readonly #slot: number;
  readonly #layout: SlotLayout;

  constructor(code: Code, slot: number, layout: SlotLayout) {
    this.#code = code;
    this.#slot = slot;
    this.#layout = layout;
  }

  node(index: number, { off, length }: UnitAt): void {
    this.#record(TRACE_KIND.NODE, [index, off, length]);
  }

  write(place: Place, length: number): void {
    const at = this.#code.copy(place.base);
    this.#code.wide(ALU_OP.SUB, at, { r: this.#slot });
    this.#code.alu(ALU_OP.ADD, at, place.off - this.#layout.metadata);
    this.#record(TRACE_KIND.WRITE, [{ r: at }, length]);
  }

  key(key: number, value: Operand): void {
    this.#record(TRACE_KIND.KEY, [key, value]);
  }

  #record(kind: number, numbers: readonly Operand[]): void {
    const code = this.#code;
    const { trace, records } = this.#layout;
    const past = code.label();
    const count = code.load(this.#slot, SLOT.TRACED, 4);
    const next = code.copy(count);
    code.alu(ALU_OP.ADD, next, 1);
    code.store(this.#slot, SLOT.TRACED, 4, { r: next });
    code.jumpWide(JMP_OP.JGE, count, records, past);
    code.wide(ALU_OP.MUL, count, TRACE_RECORD);
    code.wide(ALU_OP.ADD, count, { r: this.#slot });
    for (const [i, n] of [kind, ...numbers].entries()) code.store(count, trace + 4 * i, 4, n);
    code.place(past);
  }
}
