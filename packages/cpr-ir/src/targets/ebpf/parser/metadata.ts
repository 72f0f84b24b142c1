/** Metadata entries as eBPF. */
import { CODE } from "../../../ir/codes.ts";
import { type Counter, type Expr, fieldMax, type MdTarget, type Metadata } from "../../../ir/types.ts";
import { ALU_OP, JMP_OP } from "../opcode.ts";
import type { Cell } from "./cells.ts";
import { type Code, MAX_OFFSET, type Operand } from "./code.ts";
import { swapped, type UnitAt, type Values } from "./values.ts";

type MemoryTarget = Extract<MdTarget, { kind: "memory" }>;

/** Memory that metadata is written to. */
export interface Place {
  readonly base: number;
  readonly off: number;
}

/** What metadata needs besides the unit. */
export interface MetadataState {
  /** The metameta area. */
  readonly metameta: Place;
  /** The current frame. */
  frame(): Place;
  readonly counters: readonly Counter[];
  readonly encaps: Cell | null;
  readonly nodes: Cell | null;
  /** The parse's code while exit nodes run. */
  readonly result: Operand;
  /** Told of every write, in debug programs. */
  readonly trace: MetadataTrace | null;
}

/** Hears what is written. */
export interface MetadataTrace {
  write(place: Place, length: number): void;
  key(key: number, value: Operand): void;
}

const COPY_SIZES = [8, 4, 2, 1];

/** Emits entries. */
export class MetadataWriter {
  readonly #code: Code;
  readonly #values: Values;
  readonly #state: MetadataState;
  /** Label of a code's end. */
  readonly #end: (code: number) => number;

  constructor(values: Values, state: MetadataState, end: (code: number) => number) {
    this.#code = values.code;
    this.#values = values;
    this.#state = state;
    this.#end = end;
  }

  /** Entries in order. */
  write(list: readonly Metadata[], unit: UnitAt): void {
    for (let i = 0; i < list.length; ) {
      const { when } = list[i]!;
      let end = i + 1;
      if (when === null) this.#entry(list[i]!, unit);
      else {
        // those behind it that need the same condition, and perhaps more, are skipped with it
        while (end < list.length && follows(when, list[end - 1]!, list[end]!)) end++;
        const past = this.#code.label();
        this.#values.branch(when, unit, false, past);
        for (const m of list.slice(i, end)) this.#when(m, without(m.when!, when), unit);
        this.#code.place(past);
      }
      i = end;
    }
  }

  #when(m: Metadata, when: Expr | null, unit: UnitAt): void {
    const past = this.#code.label();
    if (when !== null) this.#values.branch(when, unit, false, past);
    this.#entry(m, unit);
    this.#code.place(past);
  }

  #entry(m: Metadata, unit: UnitAt): void {
    const { value, target } = m;
    if (value.kind === "copy" || value.kind === "nibbles") {
      const to = target as MemoryTarget;
      this.#placed(to, (place) =>
        value.kind === "copy"
          ? this.#copy(unit.p, value.off, to, place)
          : this.#nibbles(unit.p, value.start, value.count, to, place),
      );
      return;
    }
    if (this.#swappedCopy(m, unit)) return;
    const number = this.#number(m, unit);
    if (target.kind === "memory") {
      this.#placed(target, (place) => this.#store(target, place, number));
      return;
    }
    this.#values.cells.keys[target.key]!.put(number);
    this.#state.trace?.key(target.key, number);
  }

  /** A whole field as a number of the same width: the bytes as they are, or in reverse. */
  #swappedCopy({ value, target }: Metadata, unit: UnitAt): boolean {
    if (value.kind !== "load" || target.kind !== "memory" || target.bits !== 8 * target.len) return false;
    const { source, mask, shift } = value.load;
    if (source.kind !== "field" || source.len !== target.len || shift !== 0) return false;
    if ((mask & fieldMax(source.len)) >>> 0 !== fieldMax(source.len)) return false;
    const to = { ...target, little: source.little !== target.little };
    this.#placed(to, (place) => this.#copy(unit.p, source.off, to, place));
    return true;
  }

  #number({ value, target }: Metadata, unit: UnitAt): Operand {
    const code = this.#code;
    const bits = target.kind === "key" ? 32 : target.bits;
    switch (value.kind) {
      case "load":
        return { r: this.#values.load(value.load, unit) };
      case "constant":
        return value.value;
      case "offset": {
        const scale = value.bits ? 8 : 1;
        let number: Operand = unit.off;
        if (value.end && unit.length !== 0) number = this.#sum(number, unit.length);
        if (scale > 1) number = this.#scaled(number);
        if (value.add !== 0) number = this.#sum(number, value.add);
        return this.#fits(number, MAX_OFFSET * scale + value.add, bits);
      }
      case "length":
        return this.#fits(unit.length, MAX_OFFSET, bits);
      case "num_encaps":
        return { r: code.copy(this.#state.encaps!.get()) };
      case "num_nodes":
        return { r: code.copy(this.#state.nodes!.get()) };
      case "return_code":
        return this.#state.result;
      default:
        throw new Error(`a ${value.kind} is no number`);
    }
  }

  #sum(a: Operand, b: Operand): Operand {
    if (typeof a === "number" && typeof b === "number") return a + b;
    if (typeof a === "number") return this.#sum(b, a);
    const r = this.#code.copy(a.r);
    this.#code.alu(ALU_OP.ADD, r, b);
    return { r };
  }

  #scaled(n: Operand): Operand {
    if (typeof n === "number") return n * 8;
    const r = this.#code.copy(n.r);
    this.#code.alu(ALU_OP.LSH, r, 3);
    return { r };
  }

  /** What does not fit its target ends the parse. @param largest - that a number in a register can be */
  #fits(n: Operand, largest: number, bits: number): Operand {
    const room = 2 ** bits;
    if (typeof n === "number") {
      if (n >= room) this.#code.jump(this.#end(CODE.STOP_BAD_EXTRACT));
    } else if (largest >= room) {
      // by the bits beyond: a bound on the offset itself would make every round of a loop a new one to the verifier
      const beyond = this.#code.copy(n.r);
      this.#code.alu(ALU_OP.RSH, beyond, bits);
      this.#code.jumpIf(JMP_OP.JNE, beyond, 0, this.#end(CODE.STOP_BAD_EXTRACT));
    }
    return n;
  }

  /** Call back with the place of a target's bytes; not at all beyond its array. */
  #placed(t: MemoryTarget, emit: (place: Place) => void): void {
    const code = this.#code;
    const whole = t.frame ? this.#state.frame() : this.#state.metameta;
    const place = { base: whole.base, off: whole.off + t.off };
    const told = (at: Place): void => {
      emit(at);
      this.#state.trace?.write(at, t.len);
    };
    if (t.index === null) {
      told(place);
      return;
    }
    const { elementSize, numElements, overwritable } = this.#state.counters[t.index]!;
    if (numElements === 0) return;
    const past = code.label();
    const within = code.label();
    const c = code.copy(this.#values.cells.counters[t.index]!.get());
    // the bound is told in 64 bits: what the verifier learns of 32, it forgets of the address
    code.jumpWide(JMP_OP.JLE, c, numElements - 1, within);
    if (overwritable) code.constant(numElements - 1, c);
    else code.jump(past);
    code.place(within);
    code.wide(ALU_OP.MUL, c, elementSize);
    code.wide(ALU_OP.ADD, c, { r: place.base });
    told({ base: c, off: place.off });
    code.place(past);
  }

  #store(t: MemoryTarget, { base, off }: Place, value: Operand): void {
    const code = this.#code;
    let number = value;
    if (t.bits < 8 * t.len) {
      const mask = (((t.bits === 32 ? 0 : 1 << t.bits) - 1) << t.shift) >>> 0;
      const old = this.#values.field(base, off, t.len, t.little);
      code.alu(ALU_OP.AND, old, ~mask);
      if (typeof value === "number") number = ((value << t.shift) & mask) >>> 0;
      else {
        number = { r: code.copy(value.r) };
        if (t.shift > 0) code.alu(ALU_OP.LSH, number.r, t.shift);
        code.alu(ALU_OP.AND, number.r, mask);
      }
      if (number !== 0) code.alu(ALU_OP.OR, old, number);
      number = { r: old };
    }
    if (t.len === 3) {
      this.#store3(t.little, base, off, number);
      return;
    }
    if (typeof number === "number") {
      const wanted = t.len === 4 ? number : number % 2 ** (8 * t.len);
      code.store(base, off, t.len, t.little ? wanted : swapped(wanted, t.len));
      return;
    }
    if (t.little || t.len === 1) {
      code.store(base, off, t.len, number);
      return;
    }
    const r = code.copy(number.r);
    code.swap(r, t.len === 2 ? 16 : 32);
    code.store(base, off, t.len, { r });
  }

  #store3(little: boolean, base: number, off: number, value: Operand): void {
    const code = this.#code;
    for (let i = 0; i < 3; i++) {
      const at = off + (little ? i : 2 - i);
      if (typeof value === "number") {
        code.store(base, at, 1, (value >>> (8 * i)) & 0xff);
        continue;
      }
      const r = code.copy(value.r);
      if (i > 0) code.alu(ALU_OP.RSH, r, 8 * i);
      code.store(base, at, 1, { r });
    }
  }

  #copy(p: number, from: number, t: MemoryTarget, { base, off }: Place): void {
    const code = this.#code;
    const reversed = t.little && t.len > 1;
    for (let i = 0; i < t.len; ) {
      const n = COPY_SIZES.find((size) => size <= t.len - i)!;
      const r = code.load(p, from + i, n);
      if (reversed && n > 1) code.swap(r, (8 * n) as 16 | 32 | 64);
      code.store(base, off + (reversed ? t.len - i - n : i), n, { r });
      i += n;
    }
  }

  #nibbles(p: number, start: number, count: number, t: MemoryTarget, { base, off }: Place): void {
    const code = this.#code;
    let next = start;
    let left = count;
    for (let i = 0; i < t.len; i++) {
      const odd = (next & 1) === 1;
      const mask = odd ? 0x0f : left === 1 ? 0xf0 : 0xff;
      const r = code.load(p, next >> 1, 1);
      if (mask !== 0xff) code.alu(ALU_OP.AND, r, mask);
      code.store(base, off + (t.little ? t.len - 1 - i : i), 1, { r });
      next += odd ? 1 : 2;
      left -= odd ? 1 : 2;
    }
  }
}

const same = (a: Expr, b: Expr): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Does an entry need a condition that was found to hold, and that the entry before has not changed? */
function follows(when: Expr, before: Metadata, m: Metadata): boolean {
  if (m.when === null || (before.target.kind === "key" && !ofPacket(when))) return false;
  return same(m.when, when) || (m.when.kind === "and" && m.when.ents.some((e) => same(e, when)));
}

/** A condition on the packet's bytes alone. */
function ofPacket(expr: Expr): boolean {
  return expr.kind === "compare" ? expr.load.source.kind === "field" : expr.ents.every(ofPacket);
}

/** What is left of a condition where another holds; null: nothing. */
function without(expr: Expr, when: Expr): Expr | null {
  if (same(expr, when)) return null;
  if (expr.kind !== "and") return expr;
  return { ...expr, ents: expr.ents.filter((e) => !same(e, when)) };
}
