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
  readonly #metadata: Place;

  /** @param metadata - where the metadata memory starts */
  constructor(code: Code, slot: number, layout: SlotLayout, metadata: Place) {
    this.#code = code;
    this.#slot = slot;
    this.#layout = layout;
    this.#metadata = metadata;
    code.store(slot, SLOT.TRACED, 4, 0);
  }

  node(index: number, { off, length }: UnitAt): void {
    this.#record(TRACE_KIND.NODE, [index, off, length]);
  }

  write(place: Place, length: number): void {
    const { base, off } = this.#metadata;
    this.#record(TRACE_KIND.WRITE, [this.#behind(base, off, place), length]);
  }

  /** Bytes that a place is behind the metadata's first. */
  #behind(base: number, off: number, place: Place): Operand {
    if (place.base === base) return place.off - off;
    const at = this.#code.copy(place.base);
    this.#code.wide(ALU_OP.SUB, at, { r: base });
    this.#code.alu(ALU_OP.ADD, at, place.off - off);
    return { r: at };
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
