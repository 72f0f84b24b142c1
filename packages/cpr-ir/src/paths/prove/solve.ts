/** Bits that fulfil what is known of numbers: a search that tries both values of a bit, one after the other. */
import { type Bit, type Bounds, ONE, type Unequal, type Vector, ZERO } from "./facts.ts";

/** Bits tried, beyond which the search ends with what it has: a caller that wants certainty tests it. */
const MAX_TRIES = 50_000;

/**
 * Values of the bits that matter; the rest may be anything.
 * @returns null: there are none, for certain
 */
export function solve(
  known: ReadonlyMap<Bit, Bit>,
  bounds: readonly Bounds[],
  unequal: readonly Unequal[],
): ReadonlyMap<Bit, Bit> | null {
  const bits = new Map(known);
  let tries = 0;
  const value = (bit: Bit): Bit => (bit < 0 ? bit : (bits.get(bit) ?? bit));
  const step = (): boolean => {
    const open = undecided(bounds, unequal, value);
    if (open === "false") return false;
    if (open === "true") return true;
    for (const v of [open.first, open.first === ZERO ? ONE : ZERO]) {
      if (++tries > MAX_TRIES) return true;
      bits.set(open.bit, v);
      if (step()) return true;
    }
    bits.delete(open.bit);
    return false;
  };
  return step() ? bits : null;
}

/** The bit to try next and the value to begin with, or whether all holds whatever the open bits are. */
function undecided(
  bounds: readonly Bounds[],
  unequal: readonly Unequal[],
  value: (bit: Bit) => Bit,
): "true" | "false" | { readonly bit: Bit; readonly first: Bit } {
  let next: { bit: Bit; first: Bit } | null = null;
  for (const { vector, lo, hi } of bounds) {
    const { least, most, open } = extent(vector, value);
    if (most < lo || least > hi) return "false";
    if (least >= lo && most <= hi) continue;
    next ??= { bit: open, first: ZERO };
  }
  for (const u of unequal) {
    let open: Bit = ZERO;
    let first = ZERO;
    let differs = false;
    for (let i = 0; i < u.vector.length; i++) {
      const wanted = Math.floor(u.value / 2 ** i) % 2 === 1 ? ONE : ZERO;
      const bit = value(u.vector[i]!);
      if (bit >= 0) {
        open = bit;
        first = wanted === ONE ? ZERO : ONE;
      } else if (bit !== wanted) differs = true;
    }
    if (differs || u.value >= 2 ** u.vector.length) continue;
    if (open < 0) return "false";
    next ??= { bit: open, first };
  }
  return next ?? "true";
}

/** Least and greatest value of a number, and its highest open bit. */
function extent(vector: Vector, value: (bit: Bit) => Bit): { least: number; most: number; open: Bit } {
  let [least, most, open] = [0, 0, ZERO];
  for (let i = 0; i < vector.length; i++) {
    const bit = value(vector[i]!);
    if (bit === ONE) least += 2 ** i;
    if (bit !== ZERO) most += 2 ** i;
    if (bit >= 0) open = bit;
  }
  return { least, most, open };
}
