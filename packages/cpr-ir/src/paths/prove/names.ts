/** Bits of unknown things, by name; and loads as vectors of them. */
import type { Load } from "../../ir/types.ts";
import { type Bit, ONE, type Vector, ZERO } from "./facts.ts";

/** Numbers for the bits of everything that is unknown. */
export class Names {
  readonly #first: Map<string, Bit> = new Map();
  /** By the bit's number divided by 64. */
  readonly #names: string[] = [];

  /** Bit `bit` of the thing `name`; things have up to 53 bits. */
  bit(name: string, bit: number): Bit {
    let first = this.#first.get(name);
    if (first === undefined) {
      first = 64 * this.#names.length;
      this.#names.push(name);
      this.#first.set(name, first);
    }
    return first + bit;
  }

  /** What a bit belongs to, and which of its bits it is. */
  of(bit: Bit): readonly [name: string, bit: number] {
    return [this.#names[bit >> 6]!, bit & 63];
  }

  /** All names so far. */
  all(): readonly string[] {
    return this.#names;
  }

  /** A whole unknown number. */
  number(name: string, bits = 32): Vector {
    return Array.from({ length: bits }, (_, i) => this.bit(name, i));
  }
}

/** A number that is known. */
export function constantVector(value: number): Vector {
  const out: Bit[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) out.push(rest % 2 === 1 ? ONE : ZERO);
  return out;
}

/** Bits of `(raw & mask) >>> shift`. */
export function masked(raw: Vector, load: Pick<Load, "mask" | "shift">): Vector {
  const out: Bit[] = [];
  for (let i = load.shift; i < 32; i++) out.push((load.mask >>> i) & 1 ? (raw[i] ?? ZERO) : ZERO);
  while (out.length > 0 && out[out.length - 1] === ZERO) out.pop();
  return out;
}

/** Bits of the header's byte at `off`. */
export function byteVector(names: Names, off: number): Vector {
  return names.number(`byte ${off}`, 8);
}

/** Bits of `len` bytes of the header. */
export function fieldVector(names: Names, off: number, len: number, little: boolean): Vector {
  const out: Bit[] = [];
  for (let i = 0; i < len; i++) out.push(...byteVector(names, little ? off + i : off + len - 1 - i));
  return out;
}
