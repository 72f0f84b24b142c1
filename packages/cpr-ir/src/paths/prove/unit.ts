/**
 * What is done with a unit of a packet (header, flag field, TLV): checks, counters, metadata; with bits that may be
 * unknown. All that can be seen of it goes to a log.
 */
import { CODE } from "../../ir/codes.ts";
import type {
  Actions,
  Check,
  CounterAction,
  Expr,
  Load,
  MdTarget,
  Metadata,
  ParseNode,
  Parser,
} from "../../ir/types.ts";
import type { Counters } from "./counters.ts";
import { type Bit, type Facts, type Vector, ZERO } from "./facts.ts";
import { byteVector, constantVector, fieldVector, masked, type Names } from "./names.ts";

/** A named effect, or the writes between two of them. Equal logs are equal effects. */
export type LogEntry = string | ReadonlyMap<string, Bit>;

/** Thrown where this way of looking at a parser says nothing. */
export class Unclear extends Error {}

type Memory = Extract<MdTarget, { kind: "memory" }>;

/** One parser on its way through units. */
export class Units {
  readonly parser: Parser;
  readonly facts: Facts;
  readonly names: Names;
  readonly keys: Vector[];
  /** Values of counters; null: unknown, but the same wherever the logs so far are. */
  readonly counters: (number | null)[];
  readonly log: LogEntry[] = [];
  /** Where the unit starts, in bytes that have names; its length, or words that tell it. */
  at: number;
  length: number | string = "";
  #writes: Map<string, Bit> = new Map();
  /** Steps of unknown counters so far. */
  #phase = 0;

  constructor(
    parser: Parser,
    facts: Facts,
    names: Names,
    keys: readonly Vector[],
    counters: Counters,
    at: number,
  ) {
    this.parser = parser;
    this.facts = facts;
    this.names = names;
    this.keys = [...keys];
    this.counters = [...counters];
    this.at = at;
  }

  /** Checks, counters, metadata, counters: the code. */
  unit(checks: readonly Check[], { pre, metadata, post }: Actions): number {
    let r = this.check(checks);
    if (r === CODE.OKAY) r = this.#count(pre);
    if (r === CODE.OKAY) r = this.write(metadata);
    return r === CODE.OKAY ? this.#count(post) : r;
  }

  /** Something that is done. */
  event(what: string): void {
    this.flush();
    this.log.push(what);
  }

  /** Something that may change counters in a way that is not looked at. */
  counts(what: string): void {
    this.event(what);
    this.#phase++;
  }

  /** Writes so far happen before all that follows. */
  flush(): void {
    if (this.#writes.size > 0) this.log.push(this.#writes);
    this.#writes = new Map();
  }

  /** An encapsulation is entered. */
  encapsulate(): void {
    this.counts("encap");
    for (const [i, c] of this.parser.counters.entries())
      if (c.resetAtEncap && this.counters[i] !== null) this.counters[i] = 0;
  }

  #count(actions: readonly CounterAction[]): number {
    for (const { counter, kind } of actions) {
      const { max, errorExceeded } = this.parser.counters[counter]!;
      const n = this.counters[counter]!;
      if (n === null) this.counts(`${kind} ${counter}`);
      else if (kind === "reset") this.counters[counter] = 0;
      else if (n < max) this.counters[counter] = n + 1;
      else if (errorExceeded) return CODE.STOP_CNTR1 - counter;
    }
    return CODE.OKAY;
  }

  load(load: Load): Vector {
    const { source } = load;
    switch (source.kind) {
      case "field":
        return masked(fieldVector(this.names, this.at + source.off, source.len, source.little), load);
      case "key":
        return masked(this.keys[source.key]!, load);
      case "counter": {
        const n = this.counters[source.counter]!;
        const known = n === null ? null : constantVector(n);
        return masked(known ?? this.names.number(`counter ${source.counter} in ${this.#phase}`, 16), load);
      }
      case "remaining":
        return masked(this.remaining(), load);
    }
  }

  /** Bytes from the unit's start to the packet's end. */
  remaining(): Vector {
    return this.names.number(`remaining ${this.at}`);
  }

  check(checks: readonly Check[]): number {
    for (const c of checks) if (!this.holds(c.expr)) return c.fail;
    return CODE.OKAY;
  }

  holds(expr: Expr): boolean {
    if (expr.kind === "and") return expr.ents.every((e) => this.holds(e));
    if (expr.kind !== "compare") return expr.ents.some((e) => this.holds(e));
    const vector = this.load(expr.load);
    switch (expr.op) {
      case "equal":
        return this.facts.equal(vector, expr.value);
      case "not_equal":
        return !this.facts.equal(vector, expr.value);
      case "less_or_equal":
        return this.facts.atMost(vector, expr.value);
      case "greater_than":
        return !this.facts.atMost(vector, expr.value);
      case "less_than":
        return this.facts.atMost(vector, expr.value - 1);
      case "greater_or_equal":
        return !this.facts.atMost(vector, expr.value - 1);
    }
  }

  write(list: readonly Metadata[]): number {
    for (const entry of list) {
      if (entry.when !== null && !this.holds(entry.when)) continue;
      const { value, target } = entry;
      const shift = this.#element(entry);
      if (value.kind === "copy" || value.kind === "nibbles") {
        if (shift !== null) this.#bytes(target as Memory, value, shift);
        continue;
      }
      const number = this.#number(entry);
      const width = target.kind === "key" ? 32 : target.bits;
      // what does not fit ends the parse, though the element be not there
      const limited = value.kind === "offset" || value.kind === "length";
      if (limited && !this.facts.atMost(number, 2 ** width - 1)) return CODE.STOP_BAD_EXTRACT;
      if (target.kind === "key")
        this.keys[target.key] = Array.from({ length: 32 }, (_, i) => number[i] ?? ZERO);
      else if (shift !== null) this.#store(target, number, shift);
    }
    return CODE.OKAY;
  }

  /** Bytes from an array's start to its element; null: the element is not there, and nothing is written. */
  #element({ target }: Metadata): number | null {
    if (target.kind === "key" || target.index === null) return 0;
    const n = this.counters[target.index]!;
    if (n === null) return 0;
    const { elementSize, numElements, overwritable } = this.parser.counters[target.index]!;
    if (n < numElements) return elementSize * n;
    return overwritable && numElements > 0 ? elementSize * (numElements - 1) : null;
  }

  #number({ value }: Metadata): Vector {
    switch (value.kind) {
      case "load":
        return this.load(value.load);
      case "constant":
        return constantVector(value.value);
      default:
        // depends on nothing but the place in the packet, which both parsers share, and the unit's length
        return this.names.number(`${JSON.stringify(value)} of ${this.length} at ${this.at}`, 48);
    }
  }

  #store(t: Memory, number: Vector, shift: number): void {
    for (let i = 0; i < t.bits; i++) {
      const at = t.shift + i;
      const byte = Math.floor(at / 8);
      this.#put(t, shift + (t.little ? byte : t.len - 1 - byte), at % 8, number[i] ?? ZERO);
    }
    if (this.#anywhere(t)) this.flush();
  }

  #bytes(t: Memory, value: Extract<Metadata["value"], { kind: "copy" | "nibbles" }>, shift: number): void {
    let next = value.kind === "nibbles" ? value.start : 2 * value.off;
    let left = value.kind === "nibbles" ? value.count : 2 * t.len;
    for (let i = 0; i < t.len; i++) {
      const bits = byteVector(this.names, this.at + (next >> 1));
      const odd = (next & 1) === 1;
      const from = odd || left > 1 ? 0 : 4;
      const to = odd ? 4 : 8;
      for (let b = 0; b < 8; b++)
        this.#put(t, shift + (t.little ? t.len - 1 - i : i), b, b >= from && b < to ? bits[b]! : ZERO);
      next += odd ? 1 : 2;
      left -= odd ? 1 : 2;
    }
    if (this.#anywhere(t)) this.flush();
  }

  /** An element of an array may be anywhere where its counter is unknown: such writes stand alone. */
  #anywhere(t: Memory): boolean {
    return t.index !== null && this.counters[t.index] === null;
  }

  /** One bit of a target's byte `i`. */
  #put(t: Memory, i: number, bit: number, value: Bit): void {
    const place = this.#anywhere(t) ? ` of counter ${t.index} in ${this.#phase}` : "";
    if (place !== "" && [...this.#writes.keys()].some((k) => !k.endsWith(place))) this.flush();
    this.#writes.set(`${t.frame ? "frame" : "meta"} ${t.off + i}.${bit}${place}`, value);
  }
}

/** In a text of metadata, conditions or bodies: a key register is read or written; a counter. */
export const USES_KEYS: RegExp = /"kind":"key"/;
export const USES_COUNTERS: RegExp = /"counter":|"index":\d/;

/** A body with everything it refers to, as text. */
export function inlined(parser: Parser, body: NonNullable<ParseNode["body"]>): string {
  const subs = body.kind === "tlvs" ? parser.tlvNodes : parser.subNodes;
  const seen: number[] = [];
  const number = (index: number): number => {
    if (index < 0) return -1;
    const at = seen.indexOf(index);
    return at >= 0 ? at : seen.push(index) - 1;
  };
  // names differ and numbers may: both count from the body's first
  const told = (of: unknown): string =>
    JSON.stringify(of, (key, v: unknown) =>
      key === "name"
        ? undefined
        : (key === "node" || key === "wildcard") && typeof v === "number"
          ? number(v)
          : v,
    );
  const out = [told(body)];
  for (let i = 0; i < seen.length; i++) out.push(told(subs[seen[i]!]));
  return out.join(" ");
}
