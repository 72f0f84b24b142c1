/** Loads, conditions and amounts as eBPF. */
import type { Amount, Check, CompareOp, Counter, Expr, Load } from "../../../ir/types.ts";
import { ALU_OP, JMP_OP } from "../opcode.ts";
import type { Cell } from "./cells.ts";
import type { Code, Operand } from "./code.ts";

/** A unit: pointer to its first byte, in which as many bytes as it is sure to have may be read; offset and length. */
export interface UnitAt {
  readonly p: number;
  readonly off: Operand;
  readonly length: Operand;
}

/** The numbers of a running parse. */
export interface Cells {
  readonly keys: readonly Cell[];
  readonly counters: readonly Cell[];
}

const COMPARE: Readonly<Record<CompareOp, number>> = /* @__PURE__ */ (() => ({
  equal: JMP_OP.JEQ,
  not_equal: JMP_OP.JNE,
  greater_than: JMP_OP.JGT,
  greater_or_equal: JMP_OP.JGE,
  less_than: JMP_OP.JLT,
  less_or_equal: JMP_OP.JLE,
}))();

const OPPOSITE: Readonly<Record<CompareOp, CompareOp>> = {
  equal: "not_equal",
  not_equal: "equal",
  greater_than: "less_or_equal",
  greater_or_equal: "less_than",
  less_than: "greater_or_equal",
  less_or_equal: "greater_than",
};

const ALL = 0xffffffff;

/** Reverse the bytes of a number of `len` bytes. */
export function swapped(value: number, len: number): number {
  let out = 0;
  for (let i = 0; i < len; i++) out = out * 256 + ((value >>> (8 * i)) & 0xff);
  return out;
}

/** The byte of a field that holds all bits of a mask, and its lowest bit's place in the number. */
export function oneByte(load: Load): { readonly byte: number; readonly low: number } | null {
  if (load.source.kind !== "field") return null;
  const { len, little } = load.source;
  for (let i = 0; i < len; i++)
    if ((load.mask & ~(0xff << (8 * i))) === 0) return { byte: little ? i : len - 1 - i, low: 8 * i };
  return null;
}

/** Largest number a load gives. */
export function most(load: Load): number {
  const { source } = load;
  const width = source.kind === "field" ? 2 ** (8 * source.len) - 1 : ALL;
  return (load.mask & width) >>> load.shift;
}

/** Emits what is read of a unit. */
export class Values {
  readonly code: Code;
  readonly cells: Cells;
  /** Behind the packet's last byte. */
  readonly #end: number;

  readonly #counters: readonly Counter[];

  constructor(code: Code, cells: Cells, end: number, counters: readonly Counter[]) {
    this.#counters = counters;
    this.code = code;
    this.cells = cells;
    this.#end = end;
  }

  /** `(load & mask) >>> shift`, in a register of its own. */
  load(load: Load, unit: UnitAt): number {
    const { code } = this;
    const one = oneByte(load);
    let d: number;
    let { mask, shift } = load;
    if (one !== null && load.source.kind === "field") {
      d = code.load(unit.p, load.source.off + one.byte, 1);
      mask = (mask >>> one.low) & 0xff;
      shift -= one.low;
      if (mask === 0xff) mask = ALL;
    } else {
      d = this.#source(load, unit);
      // bits that are never set need not be cut off
      if (load.source.kind === "counter" && (this.#counters[load.source.counter]!.max & ~mask) === 0)
        mask = ALL;
      if (load.source.kind === "field" && mask === 2 ** (8 * load.source.len) - 1) mask = ALL;
    }
    if (mask !== ALL) code.alu(ALU_OP.AND, d, mask);
    if (shift > 0) code.alu(ALU_OP.RSH, d, shift);
    if (shift < 0) code.alu(ALU_OP.LSH, d, -shift);
    return d;
  }

  #source({ source }: Load, unit: UnitAt): number {
    const { code } = this;
    switch (source.kind) {
      case "field":
        return this.field(unit.p, source.off, source.len, source.little);
      case "key":
        return code.copy(this.cells.keys[source.key]!.get());
      case "counter":
        return code.copy(this.cells.counters[source.counter]!.get());
      case "remaining":
        return this.left(unit.p);
    }
  }

  /** Bytes from a pointer to the packet's end, in a register of its own. */
  left(p: number): number {
    const d = this.code.copy(this.#end);
    this.code.wide(ALU_OP.SUB, d, { r: p });
    return d;
  }

  /** Bytes as a number. */
  field(p: number, off: number, len: number, little: boolean): number {
    const { code } = this;
    if (len !== 3) {
      const d = code.load(p, off, len);
      if (!little && len > 1) code.swap(d, len === 2 ? 16 : 32);
      return d;
    }
    const d = code.load(p, little ? off + 2 : off, 1);
    for (const at of little ? [off + 1, off] : [off + 1, off + 2]) {
      code.alu(ALU_OP.LSH, d, 8);
      code.alu(ALU_OP.OR, d, { r: code.load(p, at, 1) });
    }
    return d;
  }

  /** An amount, as a register of its own or a number. */
  amount(amount: Amount, unit: UnitAt): Operand {
    if (amount.load === null) return amount.add;
    const { code } = this;
    const r = this.load(amount.load, unit);
    const { multiplier } = amount;
    if (multiplier !== 1) {
      const power = Math.log2(multiplier);
      if (Number.isInteger(power) && power > 0) code.alu(ALU_OP.LSH, r, power);
      else code.alu(ALU_OP.MUL, r, multiplier);
    }
    if (amount.add !== 0) code.alu(ALU_OP.ADD, r, amount.add);
    return { r };
  }

  /**
   * A load in whatever form is cheapest to compare, and how a value looks in that form; null: one that never occurs.
   */
  comparable(
    load: Load,
    unit: UnitAt,
  ): { readonly r: number; readonly form: (value: number) => number | null } {
    const { code } = this;
    const { source, shift, mask } = load;
    const possible = (value: number): boolean => value <= mask >>> shift && ((value << shift) & ~mask) === 0;
    if (source.kind === "field" && (source.len === 2 || source.len === 4) && oneByte(load) === null) {
      const { len, little } = source;
      const raw = (n: number): number => (little ? n >>> 0 : swapped(n >>> 0, len));
      const r = code.load(unit.p, source.off, len);
      const all = len === 2 ? 0xffff : ALL;
      const rawMask = raw((mask & all) >>> 0);
      if (rawMask !== all) code.alu(ALU_OP.AND, r, rawMask);
      return {
        r,
        form: (value) => (possible(value) && (value << shift) >>> 0 <= all ? raw(value << shift) : null),
      };
    }
    return { r: this.load(load, unit), form: (value) => (possible(value) ? value : null) };
  }

  /** Go to a label where a condition holds (or does not), else on. */
  branch(expr: Expr, unit: UnitAt, holds: boolean, label: number): void {
    const { code } = this;
    if (expr.kind === "compare") {
      const op = holds ? expr.op : OPPOSITE[expr.op];
      if (op === "equal" || op === "not_equal") {
        const { r, form } = this.comparable(expr.load, unit);
        const value = form(expr.value);
        if (value !== null) code.jumpIf(COMPARE[op], r, value, label);
        else if (op === "not_equal") code.jump(label);
        return;
      }
      code.jumpIf(COMPARE[op], this.load(expr.load, unit), expr.value, label);
      return;
    }
    if ((expr.kind === "or") === holds) {
      // one is enough
      for (const e of expr.ents) this.branch(e, unit, holds, label);
      return;
    }
    const other = code.label();
    for (const e of expr.ents) this.branch(e, unit, !holds, other);
    code.jump(label);
    code.place(other);
  }

  /** Go where the code of the first condition that does not hold leads; OKAY leads on, past the others. */
  checks(checks: readonly Check[], unit: UnitAt, target: (code: number) => number): void {
    const past = this.code.label();
    for (const c of checks) this.branch(c.expr, unit, false, c.fail === 0 ? past : target(c.fail));
    this.code.place(past);
  }
}
