/**
 * What is known on one way through a pair of nodes: bits, bounds, and the choices that were made to get there.
 *
 * A number is a vector of bits, the lowest first; a bit is 0, 1 or the name of something unknown. A question
 * that the knowledge does not answer is a choice: both answers are tried, one after the other.
 */

import { solve } from "./solve.ts";

/** A bit: {@link ZERO}, {@link ONE}, or the number of an unknown one. */
export type Bit = number;
export const ZERO: Bit = -1;
export const ONE: Bit = -2;
/** Lowest bit first; bits behind the end are 0. */
export type Vector = readonly Bit[];

/** Thrown where the choices made contradict each other. */
export class Contradiction extends Error {}

/** Choices so far; the walk through all of them is depth first. */
export class Choices {
  readonly #taken: boolean[] = [];
  #next = 0;

  /** Begin a way again. */
  restart(): void {
    this.#next = 0;
  }

  /** The next choice. */
  take(): boolean {
    if (this.#next === this.#taken.length) this.#taken.push(true);
    return this.#taken[this.#next++]!;
  }

  /** To the next way; false: all were walked. */
  advance(): boolean {
    this.#taken.length = Math.min(this.#taken.length, this.#next);
    while (this.#taken.length > 0 && !this.#taken[this.#taken.length - 1]) this.#taken.pop();
    if (this.#taken.length === 0) return false;
    this.#taken[this.#taken.length - 1] = false;
    return true;
  }
}

/** What a number is within, both ends included. */
export interface Bounds {
  readonly vector: Vector;
  lo: number;
  hi: number;
}

/** A value that a number does not have. */
export interface Unequal {
  readonly vector: Vector;
  readonly value: number;
}

/** Knowledge of one way. */
export class Facts {
  readonly #choices: Choices;
  readonly #known: Map<Bit, Bit> = new Map();
  /** Values that vectors do not have. */
  readonly #unequal: Unequal[] = [];
  readonly #bounds: Map<string, Bounds> = new Map();

  constructor(choices: Choices) {
    this.#choices = choices;
  }

  /** Bits that are known, with their values. */
  get known(): ReadonlyMap<Bit, Bit> {
    return this.#known;
  }

  /** A bit as far as it is known. */
  resolve(bit: Bit): Bit {
    return bit < 0 ? bit : (this.#known.get(bit) ?? bit);
  }

  /** A number's value where all its bits are known, else null. */
  constant(vector: Vector): number | null {
    let value = 0;
    for (let i = 0; i < vector.length; i++) {
      const bit = this.resolve(vector[i]!);
      if (bit >= 0) return null;
      if (bit === ONE) value += 2 ** i;
    }
    return value;
  }

  /** Is the number equal to a value? */
  equal(vector: Vector, value: number): boolean {
    const known = this.#isEqual(vector, value);
    if (known !== null) return known;
    const answer = this.#choices.take();
    if (answer) this.#learnValue(vector, value);
    else this.#unequal.push({ vector, value });
    this.#settle();
    return answer;
  }

  /** Is the number at most a value? */
  atMost(vector: Vector, value: number): boolean {
    const id = vector.join(",");
    const { lo, hi } = this.#range(vector, id);
    if (hi <= value) return true;
    if (lo > value) return false;
    const answer = this.#choices.take();
    const bounds = this.#bounds.get(id) ?? { vector, lo, hi };
    if (answer) bounds.hi = Math.min(hi, value);
    else bounds.lo = Math.max(lo, value + 1);
    this.#bounds.set(id, bounds);
    this.#settle();
    return answer;
  }

  /** Take for known that a bit has this value. */
  learn(bit: Bit, value: Bit): void {
    this.#learn(bit, value);
    this.#settle();
  }

  /** Take for known that the number has this value. */
  be(vector: Vector, value: number): void {
    if (this.#isEqual(vector, value) === false) throw new Contradiction();
    this.#learnValue(vector, value);
    this.#settle();
  }

  /** Take for known that the number is not below a value. */
  atLeast(vector: Vector, value: number): void {
    const id = vector.join(",");
    const { lo, hi } = this.#range(vector, id);
    if (lo >= value) return;
    this.#bounds.set(id, { vector, lo: value, hi });
    this.#settle();
  }

  /** Bounds of a number as far as they are known. */
  range(vector: Vector): { readonly lo: number; readonly hi: number } {
    return this.#range(vector, vector.join(","));
  }

  /** Bits that make all that is known true, low numbers first; null: there are none. */
  model(): ReadonlyMap<Bit, Bit> | null {
    return solve(this.#known, [...this.#bounds.values()], this.#unequal);
  }

  #isEqual(vector: Vector, value: number): boolean | null {
    let open = false;
    for (let i = 0; i < Math.max(vector.length, 33); i++) {
      const want = Math.floor(value / 2 ** i) % 2 === 1 ? ONE : ZERO;
      const bit = i < vector.length ? this.resolve(vector[i]!) : ZERO;
      if (bit >= 0) open = true;
      else if (bit !== want) return false;
    }
    if (!open) return true;
    const id = vector.join(",");
    const { lo, hi } = this.#range(vector, id);
    if (value < lo || value > hi) return false;
    if (this.#unequal.some((u) => u.value === value && u.vector.join(",") === id)) return false;
    return null;
  }

  /** Bounds from the known bits and from comparisons. */
  #range(vector: Vector, id: string): { readonly lo: number; readonly hi: number } {
    let lo = 0;
    let hi = 0;
    for (let i = 0; i < vector.length; i++) {
      const bit = this.resolve(vector[i]!);
      if (bit === ONE) lo += 2 ** i;
      if (bit !== ZERO) hi += 2 ** i;
    }
    const more = this.#bounds.get(id);
    return more === undefined ? { lo, hi } : { lo: Math.max(lo, more.lo), hi: Math.min(hi, more.hi) };
  }

  #learn(bit: Bit, value: Bit): void {
    const now = this.resolve(bit);
    if (now >= 0) this.#known.set(now, value);
    else if (now !== value) throw new Contradiction();
  }

  #learnValue(vector: Vector, value: number): void {
    for (let i = 0; i < vector.length; i++)
      this.#learn(vector[i]!, Math.floor(value / 2 ** i) % 2 === 1 ? ONE : ZERO);
  }

  /** What follows from the rest: the last open bit of an inequality, bits above a bound. */
  #settle(): void {
    for (let again = true; again; ) {
      again = false;
      for (const [id, { vector, hi }] of this.#bounds) {
        const range = this.#range(vector, id);
        if (range.lo > range.hi) throw new Contradiction();
        for (let i = 0; i < vector.length; i++)
          if (2 ** i > hi && this.resolve(vector[i]!) !== ZERO) {
            this.#learn(vector[i]!, ZERO);
            again = true;
          }
      }
      for (const { vector, value } of this.#unequal) {
        const left = this.#differing(vector, value);
        if (left === null || left.length > 1) continue;
        if (left.length === 0) throw new Contradiction();
        const bit = left[0]!;
        this.#learn(bit, Math.floor(value / 2 ** vector.indexOf(bit)) % 2 === 1 ? ZERO : ONE);
        again = true;
      }
    }
  }

  /** Open bits of a vector whose known ones are those of a value; null where a known one differs. */
  #differing(vector: Vector, value: number): Bit[] | null {
    const open: Bit[] = [];
    for (let i = 0; i < vector.length; i++) {
      const bit = this.resolve(vector[i]!);
      if (bit >= 0) open.push(vector[i]!);
      else if (bit !== (Math.floor(value / 2 ** i) % 2 === 1 ? ONE : ZERO)) return null;
    }
    return open;
  }
}
