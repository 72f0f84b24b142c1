/**
 * Packets that take a route through two parsers and make them differ at its end: all headers of the route are done
 * at once, so that one's fields may be what a later one wants. What is found is a guess: it is run to be believed.
 */
import type { ParseNode, Parser } from "../../ir/types.ts";
import { Xorshift } from "../random.ts";
import { type Bit, Choices, Contradiction, Facts, ONE, type Vector } from "./facts.ts";
import { Names } from "./names.ts";
import type { Route } from "./prove.ts";
import { type Stepped, Stepper } from "./step.ts";
import { told } from "./told.ts";
import { Unclear, Units } from "./unit.ts";

/** Ways tried along one route. */
const MAX_WAYS = 4000;
/** Bytes behind what is needed: none; a few; enough for most headers that follow. */
const TAILS = [0, 1, 64];
const MAX_LENGTH = 1 << 16;

/** A packet and the key registers before it. */
export interface Guess {
  readonly packet: Uint8Array;
  readonly keys: Uint32Array;
}

/** Guesses for one route; null now and then where there is none yet, so that the caller can stop. */
export function* guesses(a: Parser, b: Parser, route: Route): Generator<Guess | null> {
  const choices = new Choices();
  for (let ways = 0; ways < MAX_WAYS; ways++) {
    if (ways % 64 === 63) yield null;
    choices.restart();
    try {
      const way = new Way(a, b, choices);
      if (way.walk(route)) yield* way.packets();
    } catch (error) {
      if (error instanceof Unclear) return;
      if (!(error instanceof Contradiction)) throw error;
    }
    if (!choices.advance()) return;
  }
}

/** One way along a route. */
class Way {
  readonly #a: Parser;
  readonly #b: Parser;
  readonly #names: Names = new Names();
  readonly #facts: Facts;
  /** Starts of headers. */
  readonly #starts: Set<number> = new Set();
  /** Bytes that the headers need. */
  #needs = 0;

  constructor(a: Parser, b: Parser, choices: Choices) {
    this.#a = a;
    this.#b = b;
    this.#facts = new Facts(choices);
  }

  /** To the route's end: do both differ there? */
  walk(route: Route): boolean {
    const keys = (p: Parser): Vector[] =>
      Array.from({ length: p.numKeys }, (_, i) => this.#names.number(`key ${i}`));
    const zeros = (p: Parser): number[] => p.counters.map(() => 0);
    let x: Pick<Stepped, "keys" | "counters"> = { keys: keys(this.#a), counters: zeros(this.#a) };
    let y: typeof x = { keys: keys(this.#b), counters: zeros(this.#b) };
    let at = 0;
    for (const [i, [a, b]] of route.entries()) {
      const node = this.#a.nodes[a]!;
      this.#starts.add(at);
      const own = this.#own(node, at);
      const one = this.#step(this.#a, node, x, at);
      const other = this.#step(this.#b, this.#b.nodes[b]!, y, at);
      const length = own ?? one.length;
      this.#needs = Math.max(this.#needs, at + (typeof length === "number" ? length : node.minLen));
      const to = route[i + 1];
      if (to === undefined) return told(one.log, this.#facts) !== told(other.log, this.#facts);
      if (one.next !== to[0] || other.next !== to[1]) return false;
      if (one.moved) {
        if (typeof length !== "number") return false;
        at += length;
      }
      [x, y] = [one, other];
    }
    return false;
  }

  #step(
    p: Parser,
    node: ParseNode,
    { keys, counters }: Pick<Stepped, "keys" | "counters">,
    at: number,
  ): Stepped {
    return new Stepper(new Units(p, this.#facts, this.#names, keys, counters, at), node).run();
  }

  /** The length that a header's own field says: the least that there is. Null: it says none. */
  #own({ hdrLen, minLen }: ParseNode, at: number): number | null {
    if (hdrLen.kind !== "amount") return null;
    const { load, multiplier, add } = hdrLen.amount;
    if (load === null || multiplier === 0) return add;
    const units = new Units(this.#a, this.#facts, this.#names, [], [], at);
    if (load.source.kind !== "field") throw new Unclear();
    const field = units.load(load);
    const least = Math.max(0, Math.ceil((minLen - add) / multiplier));
    const value = Math.max(least, this.#facts.range(field).lo);
    this.#facts.be(field, value);
    return value * multiplier + add;
  }

  /** What fits all that is known: shortest first, other bytes zero, then anything. */
  *packets(): Generator<Guess> {
    const bits = this.#facts.model();
    if (bits === null) return;
    let [least, most] = [this.#needs, MAX_LENGTH];
    // the shortest for the headers, but no longer than their ends allow
    for (const start of this.#starts) {
      const { lo, hi } = this.#facts.range(this.#names.number(`remaining ${start}`));
      least = Math.max(least, start + lo);
      most = Math.min(most, start + hi);
    }
    const random = new Xorshift(1);
    for (const fill of [() => 0, () => random.below(256)])
      for (const length of new Set(TAILS.map((t) => Math.min(least + t, most)))) {
        const packet = Uint8Array.from({ length }, fill);
        const keys = new Uint32Array(this.#a.numKeys);
        this.#choose(bits, packet, keys);
        yield { packet, keys };
      }
  }

  #choose(bits: ReadonlyMap<Bit, Bit>, packet: Uint8Array, keys: Uint32Array): void {
    for (const [bit, value] of bits) {
      const [name, index] = this.#names.of(bit);
      const [kind, number, more] = name.split(" ");
      const at = Number(number);
      const list = kind === "byte" ? packet : kind === "key" && more === undefined ? keys : null;
      if (list === null || at >= list.length) continue;
      const one = (1 << index) >>> 0;
      list[at] = value === ONE ? list[at]! | one : list[at]! & ~one;
    }
  }
}
