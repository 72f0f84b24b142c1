/** Loads, conditions and metadata as WebAssembly. */
import type { Amount, CompareOp, Counter, Expr, Load, MdTarget, Metadata } from "../../ir/types.ts";
import type { Asm } from "./asm.ts";

/** Locals that the whole parser shares. */
export interface Registers {
  readonly packet: number;
  readonly end: number;
  readonly meta: number;
  readonly frame: number;
  readonly code: number;
  readonly encaps: number;
  readonly nodes: number;
  readonly counters: readonly number[];
  readonly keys: readonly number[];
  /** Debug mode: where the trace is written; null: none is. */
  readonly trace: number | null;
}

/** Kinds of records of a trace. */
export const TOLD = { node: 0, write: 1, key: 2 } as const;
/** The function that adds a record: (trace, kind, a, b, c). */
export const TELL = 1;

/** A unit: locals that hold its address and (metadata only) its length. */
export interface UnitAt {
  readonly at: number;
  readonly length: number;
}

type MemoryTarget = Extract<MdTarget, { kind: "memory" }>;
const COMPARE: Readonly<Record<CompareOp, string>> = {
  equal: "i32.eq",
  not_equal: "i32.ne",
  greater_than: "i32.gt_u",
  greater_or_equal: "i32.ge_u",
  less_than: "i32.lt_u",
  less_or_equal: "i32.le_u",
};

/** Reverse the bytes of a number of `len` bytes. */
export function swapped(value: number, len: number): number {
  let out = 0;
  for (let i = 0; i < len; i++) out = out * 256 + ((value >>> (8 * i)) & 0xff);
  return out;
}

/** Emits what belongs to a unit. */
export class Values {
  readonly asm: Asm;
  readonly regs: Registers;
  readonly #counters: readonly Counter[];
  /** Ends the parse with a code. */
  readonly #finish: (code: number) => void;

  constructor(asm: Asm, regs: Registers, counters: readonly Counter[], finish: (code: number) => void) {
    this.asm = asm;
    this.regs = regs;
    this.#counters = counters;
    this.#finish = finish;
  }

  /** Debug mode: a record of the trace; `push` pushes its three numbers. */
  tell(kind: number, push: () => void): void {
    const { trace } = this.regs;
    if (trace === null) return;
    this.asm.get(trace).const(kind);
    push();
    this.asm.op("call", TELL);
  }

  /** Push `(load & mask) >>> shift`. */
  load(load: Load, at: number): void {
    const { asm } = this;
    const { source, shift } = load;
    let { mask } = load;
    let right = shift;
    if (source.kind === "field") {
      const one = oneByte(load);
      if (one !== null) {
        asm.get(at).memory("i32.load8_u", source.off + one.byte);
        mask = (mask >>> one.low) & 0xff;
        right -= one.low;
        if (mask !== 0xff) asm.const(mask).op("i32.and");
        if (right > 0) asm.const(right).op("i32.shr_u");
        if (right < 0) asm.const(-right).op("i32.shl");
        return;
      }
      this.#field(at, source.off, source.len, source.little);
      if (mask === (source.len === 4 ? 0xffffffff : 2 ** (8 * source.len) - 1)) mask = 0xffffffff;
    } else if (source.kind === "key") asm.get(this.regs.keys[source.key]!);
    else if (source.kind === "counter") asm.get(this.regs.counters[source.counter]!);
    else asm.get(this.regs.end).get(at).op("i32.sub");
    if (mask !== 0xffffffff) asm.const(mask).op("i32.and");
    if (right > 0) asm.const(right).op("i32.shr_u");
  }

  /** Push bytes as a number. */
  #field(at: number, off: number, len: number, little: boolean): void {
    const { asm } = this;
    if (len === 2 || len === 4) {
      asm.get(at).memory(len === 2 ? "i32.load16_u" : "i32.load", off);
      if (!little) this.#swap(len);
      return;
    }
    for (let i = 0; i < len; i++) {
      const shift = 8 * (little ? i : len - 1 - i);
      asm.get(at).memory("i32.load8_u", off + i);
      if (shift > 0) asm.const(shift).op("i32.shl");
      if (i > 0) asm.op("i32.or");
    }
  }

  /** Reverse the bytes of the number on the stack. */
  #swap(len: number): void {
    const { asm } = this;
    if (len === 1) return;
    const t = asm.local();
    asm.set(t);
    if (len === 2) {
      asm.get(t).const(0xff).op("i32.and").const(8).op("i32.shl");
      asm.get(t).const(8).op("i32.shr_u").const(0xff).op("i32.and").op("i32.or");
      return;
    }
    asm.get(t).const(8).op("i32.rotl").const(0x00ff00ff).op("i32.and");
    asm.get(t).const(8).op("i32.rotr").const(0xff00ff00).op("i32.and").op("i32.or");
  }

  /** Push an amount. */
  amount(amount: Amount, at: number): void {
    const { asm } = this;
    if (amount.load === null) {
      asm.const(amount.add);
      return;
    }
    this.load(amount.load, at);
    if (amount.multiplier !== 1) asm.const(amount.multiplier).op("i32.mul");
    if (amount.add !== 0) asm.const(amount.add).op("i32.add");
  }

  /**
   * Push a load in whatever form is cheapest to compare, and say how a value looks in that form; null: a value
   * that never occurs.
   */
  comparable(load: Load, at: number): (value: number) => number | null {
    const { source, shift } = load;
    const possible = (value: number): boolean =>
      value <= load.mask >>> shift && ((value << shift) & ~load.mask) === 0;
    if (
      source.kind === "field" &&
      !source.little &&
      (source.len === 2 || source.len === 4) &&
      oneByte(load) === null
    ) {
      this.asm.get(at).memory(source.len === 2 ? "i32.load16_u" : "i32.load", source.off);
      const mask = swapped(load.mask, source.len);
      if (mask !== (source.len === 2 ? 0xffff : 0xffffffff)) this.asm.const(mask).op("i32.and");
      return (value) => (possible(value) ? swapped((value << shift) >>> 0, source.len) : null);
    }
    this.load(load, at);
    return (value) => (possible(value) ? value : null);
  }

  /** Push 1 where a condition holds, else 0. */
  condition(expr: Expr, at: number): void {
    const { asm } = this;
    if (expr.kind !== "compare") {
      for (const [i, e] of expr.ents.entries()) {
        this.condition(e, at);
        if (i > 0) asm.op(expr.kind === "and" ? "i32.and" : "i32.or");
      }
      return;
    }
    if (expr.op !== "equal" && expr.op !== "not_equal") {
      this.load(expr.load, at);
      asm.const(expr.value).op(COMPARE[expr.op]);
      return;
    }
    const value = this.comparable(expr.load, at)(expr.value);
    if (value === null) asm.op("drop").const(expr.op === "equal" ? 0 : 1);
    else asm.const(value).op(COMPARE[expr.op]);
  }

  /** Metadata entries in order. */
  write(list: readonly Metadata[], unit: UnitAt): void {
    for (const entry of list) {
      const emit = (): void => this.#entry(entry, unit);
      if (entry.when === null) emit();
      else {
        this.condition(entry.when, unit.at);
        this.asm.if(emit);
      }
    }
  }

  #entry(m: Metadata, unit: UnitAt): void {
    const { asm, regs } = this;
    const { value, target } = m;
    if (value.kind === "copy" || value.kind === "nibbles") {
      const to = target as MemoryTarget;
      this.#placed(to, (address, off) =>
        value.kind === "copy"
          ? this.#copy(unit.at, value.off, to, address, off)
          : this.#nibbles(unit.at, value.start, value.count, to, address, off),
      );
      return;
    }
    if (value.kind === "constant") {
      this.#number(target, value.value, null);
      return;
    }
    const n = asm.local();
    switch (value.kind) {
      case "load":
        this.load(value.load, unit.at);
        break;
      case "offset":
        asm.get(unit.at).get(regs.packet).op("i32.sub");
        if (value.end) asm.get(unit.length).op("i32.add");
        if (value.bits) asm.const(3).op("i32.shl");
        asm.const(value.add).op("i32.add");
        break;
      case "length":
        asm.get(unit.length);
        break;
      case "num_encaps":
        asm.get(regs.encaps);
        break;
      case "num_nodes":
        asm.get(regs.nodes);
        break;
      case "return_code":
        asm.get(regs.code);
        break;
    }
    asm.set(n);
    const bits = target.kind === "key" ? 32 : target.bits;
    if ((value.kind === "offset" || value.kind === "length") && bits < 32)
      asm
        .get(n)
        .const(bits)
        .op("i32.shr_u")
        .if(() => this.#finish(-25));
    this.#number(target, 0, n);
  }

  /** Store a number: the constant, or a local. */
  #number(target: MdTarget, constant: number, local: number | null): void {
    const { asm } = this;
    const push = (): void => void (local === null ? asm.const(constant) : asm.get(local));
    if (target.kind === "key") {
      push();
      asm.set(this.regs.keys[target.key]!);
      this.tell(TOLD.key, () => {
        asm.const(target.key);
        push();
        asm.const(0);
      });
      return;
    }
    this.#placed(target, (address, off) => {
      if (target.bits === 8 * target.len) {
        this.#store(target, address, off, () => push(), local === null ? constant : null);
        return;
      }
      const mask = (((target.bits >= 32 ? 0 : 1 << target.bits) - 1) << target.shift) >>> 0;
      const merged = asm.local();
      this.#field(address, off, target.len, target.little);
      asm.const(~mask).op("i32.and");
      push();
      if (target.shift > 0) asm.const(target.shift).op("i32.shl");
      asm.const(mask).op("i32.and").op("i32.or").set(merged);
      this.#store(target, address, off, () => void asm.get(merged), null);
    });
  }

  /** Store what `push` pushes as `len` bytes; a constant is swapped here. */
  #store(t: MemoryTarget, address: number, off: number, push: () => void, constant: number | null): void {
    const { asm } = this;
    if (t.len === 3) {
      for (let i = 0; i < 3; i++) {
        asm.get(address);
        push();
        asm
          .const(8 * (t.little ? i : 2 - i))
          .op("i32.shr_u")
          .memory("i32.store8", off + i);
      }
      return;
    }
    asm.get(address);
    if (constant !== null) asm.const(t.little ? constant : swapped(constant, t.len));
    else {
      push();
      if (!t.little) this.#swap(t.len);
    }
    asm.memory(t.len === 1 ? "i32.store8" : t.len === 2 ? "i32.store16" : "i32.store", off);
  }

  /** Call back with the local and the offset of a target's bytes; not at all beyond its array. */
  #placed(t: MemoryTarget, write: (address: number, off: number) => void): void {
    const { asm, regs } = this;
    const emit = (address: number, off: number): void => {
      write(address, off);
      this.tell(TOLD.write, () => {
        asm.get(address).const(off).op("i32.add").get(regs.meta).op("i32.sub");
        asm.const(t.len).const(0);
      });
    };
    const base = t.frame ? regs.frame : regs.meta;
    if (t.index === null) {
      emit(base, t.off);
      return;
    }
    const { elementSize, numElements, overwritable } = this.#counters[t.index]!;
    const counter = regs.counters[t.index]!;
    if (numElements === 0) return;
    const address = asm.local();
    const at = (): void => {
      asm.get(counter).const(numElements - 1);
      asm.get(counter).const(numElements).op("i32.lt_u").op("select");
      asm.const(elementSize).op("i32.mul").get(base).op("i32.add").set(address);
      emit(address, t.off);
    };
    if (overwritable) at();
    else asm.get(counter).const(numElements).op("i32.lt_u").if(at);
  }

  #copy(at: number, from: number, t: MemoryTarget, address: number, off: number): void {
    const { asm } = this;
    if (t.little && t.len !== 1) {
      if (t.len === 2 || t.len === 4) {
        asm.get(address);
        this.#field(at, from, t.len, false);
        asm.memory(t.len === 2 ? "i32.store16" : "i32.store", off);
        return;
      }
      for (let i = 0; i < t.len; i++)
        asm
          .get(address)
          .get(at)
          .memory("i32.load8_u", from + i)
          .memory("i32.store8", off + t.len - 1 - i);
      return;
    }
    for (let i = 0; i < t.len; ) {
      const left = t.len - i;
      const n = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
      const [load, store] = {
        8: ["i64.load", "i64.store"],
        4: ["i32.load", "i32.store"],
        2: ["i32.load16_u", "i32.store16"],
        1: ["i32.load8_u", "i32.store8"],
      }[n]!;
      asm
        .get(address)
        .get(at)
        .memory(load!, from + i)
        .memory(store!, off + i);
      i += n;
    }
  }

  #nibbles(at: number, start: number, count: number, t: MemoryTarget, address: number, off: number): void {
    const { asm } = this;
    let next = start;
    let left = count;
    for (let i = 0; i < t.len; i++) {
      const odd = (next & 1) === 1;
      const mask = odd ? 0x0f : left === 1 ? 0xf0 : 0xff;
      asm
        .get(address)
        .get(at)
        .memory("i32.load8_u", next >> 1);
      if (mask !== 0xff) asm.const(mask).op("i32.and");
      asm.memory("i32.store8", off + (t.little ? t.len - 1 - i : i));
      next += odd ? 1 : 2;
      left -= odd ? 1 : 2;
    }
  }
}

/** The byte of a field that holds all bits of a mask, and its lowest bit's place in the number. */
function oneByte(load: Load): { byte: number; low: number } | null {
  if (load.source.kind !== "field") return null;
  const { len, little } = load.source;
  for (let i = 0; i < len; i++)
    if ((load.mask & ~(0xff << (8 * i))) === 0) return { byte: little ? i : len - 1 - i, low: 8 * i };
  return null;
}
