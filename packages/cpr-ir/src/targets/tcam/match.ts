/** Comparisons as masked values: a range of numbers is a few prefixes. */
import type { CompareOp, Load } from "../../ir/types.ts";

/** `(source & mask) === value`. */
export interface Masked {
  readonly value: number;
  readonly mask: number;
}

/** Masked values of a comparison, and whether they are those for which it holds or those for which not. */
export function maskedOf(load: Load, op: CompareOp, value: number): { rows: Masked[]; holds: boolean } {
  const yes = rangeOf(op, value).flatMap(([from, to]) => prefixes(load, from, to));
  const no = rangeOf(OPPOSITE[op], value).flatMap(([from, to]) => prefixes(load, from, to));
  return no.length < yes.length ? { rows: no, holds: false } : { rows: yes, holds: true };
}

const MAX = 0xffffffff;

const OPPOSITE: Readonly<Record<CompareOp, CompareOp>> = {
  equal: "not_equal",
  not_equal: "equal",
  greater_than: "less_or_equal",
  less_or_equal: "greater_than",
  less_than: "greater_or_equal",
  greater_or_equal: "less_than",
};

/** Inclusive ranges; an empty one is left out. */
function rangeOf(op: CompareOp, value: number): [number, number][] {
  const ranges: Readonly<Record<CompareOp, [number, number][]>> = {
    equal: [[value, value]],
    not_equal: [
      [0, value - 1],
      [value + 1, MAX],
    ],
    greater_than: [[value + 1, MAX]],
    greater_or_equal: [[value, MAX]],
    less_than: [[0, value - 1]],
    less_or_equal: [[0, value]],
  };
  return ranges[op].filter(([from, to]) => from <= to);
}

/** The prefixes of a range, seen through a load's mask and shift; those that no source matches are left out. */
function prefixes(load: Load, from: number, to: number): Masked[] {
  const out: Masked[] = [];
  for (let at = from; at <= to; ) {
    let size = 1;
    while (size <= MAX && at % (2 * size) === 0 && at + 2 * size - 1 <= to) size *= 2;
    const row = throughLoad(load, at, MAX + 1 - size);
    if (row !== null && !out.some((o) => o.value === row.value && o.mask === row.mask)) out.push(row);
    at += size;
  }
  return out;
}

/** The masked value of the source for one of the loaded number; null: the load never gives it. */
export function throughLoad(load: Load, value: number, mask: number): Masked | null {
  const seen = load.mask >>> load.shift;
  const fixed = (value & mask) >>> 0;
  if ((fixed & ~seen) !== 0) return null;
  const through = (mask & seen) >>> 0;
  return { value: (fixed << load.shift) >>> 0, mask: (through << load.shift) >>> 0 };
}
