/**
 * A proof that two parsers do the same on every packet: a bisimulation.
 *
 * Both walk together. For a pair of nodes every way through both is tried, with bits of the header that are
 * unknown until a condition, a key or a comparison tells them; on each way both must do the same and lead to a
 * pair that is looked at in turn. What this cannot show it leaves open: a difference is never claimed here, only
 * where one may be looked for.
 */
import { type Counter, metadataSize, type ParseNode, type Parser } from "../../ir/types.ts";
import { bounded, boundedByCounters } from "./bounds.ts";
import { countersBehind } from "./counters.ts";
import { type Bit, Choices, Contradiction, Facts, type Vector } from "./facts.ts";
import { constantVector, Names } from "./names.ts";
import { type Stepped, Stepper } from "./step.ts";
import { sameTlvs } from "./tlvs.ts";
import { told } from "./told.ts";
import { inlined, Unclear, Units, USES_COUNTERS, USES_KEYS } from "./unit.ts";

/** Pairs of nodes, and ways through one pair, beyond which nothing is said. */
const MAX_PAIRS = 4096;
const MAX_WAYS = 8192;

/** Two nodes that are reached by the same packets, and what is known when they are. */
interface PairState {
  readonly a: number;
  readonly b: number;
  /** By register: the same in both (null), known in each, or unknown and not the same (`free`). */
  readonly keys: readonly (null | "free" | readonly [number, number])[];
  /** Counters' values in each; null: unknown, but the same. */
  readonly counters: readonly (readonly [number, number] | null)[];
  /** Known bits of the header, where the node before looked at the same one: byte, bit, value. */
  readonly header: readonly (readonly [string, number, Bit])[];
}

/** A way from the root, as nodes of both parsers; at its end the two may differ. */
export type Route = readonly (readonly [number, number])[];

/** What came of a proof. */
export interface Proof {
  readonly equal: boolean;
  /** Where a packet that tells the parsers apart may be found; not all of them. */
  readonly open: readonly Route[];
}

/** True: no packet tells the parsers apart. False: not shown. */
export function provedEqual(a: Parser, b: Parser): boolean {
  return prove(a, b, 0).equal;
}

/**
 * Try to prove two parsers equal.
 * @param places - places wanted where they may differ, should that fail
 */
export function prove(a: Parser, b: Parser, places: number): Proof {
  if (a.counters.length !== b.counters.length) return { equal: false, open: [] };
  // counters are unknown as long as that is enough: what follows them has many more pairs
  const exact = new Set(a.counters.flatMap((c, i) => (sameCounter(c, b.counters[i]!) ? [] : [i])));
  const open: Route[] = [];
  for (;;) {
    const pairs = new Pairs(a, b, exact);
    const proof = pairs.prove(places);
    open.unshift(...proof.open);
    // an unknown counter may have been taken to be what it never is
    const more = [...pairs.asked].filter((c) => !exact.has(c));
    if (proof.equal || more.length === 0) return { equal: proof.equal, open: proof.equal ? [] : open };
    for (const c of more) exact.add(c);
  }
}

function sameCounter(a: Counter, b: Counter): boolean {
  return JSON.stringify({ ...a, name: "" }) === JSON.stringify({ ...b, name: "" });
}

/** The walk over pairs. */
class Pairs {
  readonly #a: Parser;
  readonly #b: Parser;
  /** Counters that have values, from one pair to the next. */
  readonly #exact: ReadonlySet<number>;
  /** Counters are the same in both. */
  readonly #alike: boolean;
  readonly #exitsUseKeys: boolean;
  readonly #texts: Map<string, [string | null, string | null]> = new Map();
  /** Counters that a way without proof looked at. */
  readonly asked: Set<number> = new Set();

  constructor(a: Parser, b: Parser, exact: ReadonlySet<number>) {
    this.#a = bounded(a);
    this.#b = bounded(b);
    if (a.maxEncaps !== b.maxEncaps) {
      this.#a = boundedByCounters(this.#a);
      this.#b = boundedByCounters(this.#b);
    }
    this.#exact = exact;
    this.#alike = a.counters.every((c, i) => sameCounter(c, b.counters[i]!));
    this.#exitsUseKeys = USES_KEYS.test(exitsOf(a));
  }

  prove(places: number): Proof {
    const [a, b] = [this.#a, this.#b];
    const same = sameFrame(a, b) && !(this.#exact.size > 0 && USES_COUNTERS.test(exitsOf(a)));
    if (!same && places === 0) return { equal: false, open: [] };
    const start: PairState = {
      a: a.root,
      b: b.root,
      keys: Array.from({ length: Math.max(a.numKeys, b.numKeys) }, () => null),
      counters: a.counters.map((_, i) => (this.#exact.has(i) ? [0, 0] : null)),
      header: [],
    };
    const queue: { readonly pair: PairState; readonly from: number }[] = [{ pair: start, from: -1 }];
    const seen = new Set([JSON.stringify(start)]);
    const open: Route[] = [];
    let equal = same;
    for (let i = 0; i < queue.length; i++) {
      const found: PairState[] = [];
      if (!this.#pair(queue[i]!.pair, found, places > 0)) {
        equal = false;
        if (open.length >= places) break;
        open.push(routeTo(queue, i));
      }
      for (const pair of found) {
        const id = JSON.stringify(pair);
        if (seen.has(id)) continue;
        seen.add(id);
        queue.push({ pair, from: i });
      }
      if (queue.length > MAX_PAIRS) return { equal: false, open };
    }
    return { equal, open };
  }

  /**
   * Walk through a pair.
   * @param found - receives the pairs it leads to
   * @param all - go on behind a way on which the two may differ
   * @returns both do the same for certain
   */
  #pair(pair: PairState, found: PairState[], all: boolean): boolean {
    const [one, other] = [this.#a.nodes[pair.a]!, this.#b.nodes[pair.b]!];
    if (one.minLen !== other.minLen || one.short !== other.short || lengthOf(one) !== lengthOf(other))
      return false;
    // lengths that look at registers which are not the same
    const same = pair.keys.every((k) => k === null);
    if (!same && USES_KEYS.test(lengthOf(one))) return false;
    // nodes that are written alike need no look, but where the next ones want to know what they saw
    if (same && !one.overlay) {
      const work = workOf(this.#a, one);
      const counters = work === workOf(this.#b, other) ? this.#behind(one, other, work, pair) : null;
      if (counters === "end") return true;
      if (counters !== null) {
        found.push(...alike(one, other, { ...pair, counters }));
        return true;
      }
    }
    const bodies = this.#bodies(pair.a, pair.b);
    const successors = new Map<string, PairState>();
    let certain = true;
    const choices = new Choices();
    for (let ways = 0; certain || all; ways++) {
      if (ways === MAX_WAYS) return false;
      choices.restart();
      if (!this.#way(pair, bodies, choices, successors)) certain = false;
      if (!choices.advance()) break;
    }
    found.push(...successors.values());
    return certain;
  }

  /** Counters behind two nodes that are written alike and are given the same; null: they must be looked at. */
  #behind(
    one: ParseNode,
    other: ParseNode,
    work: string,
    { counters }: PairState,
  ): PairState["counters"] | "end" | null {
    if (this.#exact.size === 0) return counters;
    if (counters.some((c) => c !== null && c[0] !== c[1])) return null;
    // the same may be done with counters that are not the same
    if (!this.#alike && USES_COUNTERS.test(work)) return null;
    const before = counters.map((c) => c?.[0] ?? null);
    const [x, y] = [countersBehind(this.#a, one, before), countersBehind(this.#b, other, before)];
    if (x === null || JSON.stringify(x) !== JSON.stringify(y)) return null;
    return x === "end" ? x : x.map((c) => (c === null ? null : [c, c]));
  }

  /** One way through a pair: false where the two may differ. */
  #way(
    pair: PairState,
    [bodyA, bodyB]: readonly [string | null, string | null],
    choices: Choices,
    successors: Map<string, PairState>,
  ): boolean {
    const names = new Names();
    const facts = new Facts(choices);
    try {
      for (const [byte, bit, value] of pair.header) facts.learn(names.bit(byte, bit), value);
      const step = (which: 0 | 1, p: Parser, node: ParseNode, body: string | null): Stepped => {
        const keys = pair.keys.map((k, i) => register(k, i, which, names));
        const counters = pair.counters.map((c) => c?.[which] ?? null);
        return new Stepper(new Units(p, facts, names, keys, counters, 0), node, body).run();
      };
      const x = step(0, this.#a, this.#a.nodes[pair.a]!, bodyA);
      const y = step(1, this.#b, this.#b.nodes[pair.b]!, bodyB);
      const keys = compared(x, y, facts);
      const differ = told(x.log, facts) !== told(y.log, facts) || x.next < 0 !== y.next < 0;
      if (differ || (this.#exitsUseKeys && keys.some((k) => k !== null))) {
        if (facts.model() === null) return true;
        for (const name of names.all()) {
          const counter = /^counter (\d+)/.exec(name);
          if (counter !== null) this.asked.add(Number(counter[1]));
        }
        return false;
      }
      if (x.next < 0) return true;
      const counters = x.counters.map((c, i) => (c === null ? null : ([c, y.counters[i]!] as const)));
      const header = x.moved ? [] : knownBytes(facts, names);
      join(successors, { a: x.next, b: y.next, keys, counters, header });
      return true;
    } catch (error) {
      if (error instanceof Contradiction) return true;
      if (error instanceof Unclear) return false;
      throw error;
    }
  }

  /** The bodies as text: the same where they do the same. */
  #bodies(a: number, b: number): readonly [string | null, string | null] {
    const id = `${a} ${b}`;
    const known = this.#texts.get(id);
    if (known !== undefined) return known;
    const [x, y] = [this.#a.nodes[a]!.body, this.#b.nodes[b]!.body];
    const texts: [string | null, string | null] = [
      x === null ? null : inlined(this.#a, x),
      y === null ? null : inlined(this.#b, y),
    ];
    if (x?.kind === "tlvs" && y?.kind === "tlvs" && texts[0] !== texts[1] && sameTlvs(this.#a, x, this.#b, y))
      texts[1] = texts[0];
    this.#texts.set(id, texts);
    return texts;
  }
}

/** One more way to a pair: of the header is known only what is known on each. */
function join(successors: Map<string, PairState>, pair: PairState): void {
  const id = JSON.stringify({ ...pair, header: [] });
  const before = successors.get(id);
  if (before === undefined) successors.set(id, pair);
  else if (before.header.length > 0) {
    const known = new Set(pair.header.map((bit) => bit.join()));
    successors.set(id, { ...pair, header: before.header.filter((bit) => known.has(bit.join())) });
  }
}

/** Bits of the header that are known, in a fixed order. */
function knownBytes(facts: Facts, names: Names): PairState["header"] {
  const out: (readonly [string, number, Bit])[] = [];
  for (const [bit, value] of facts.known) {
    const [name, index] = names.of(bit);
    if (name.startsWith("byte ")) out.push([name, index, value]);
  }
  return out.sort(([a, i], [b, j]) => (a < b ? -1 : a > b ? 1 : i - j));
}

function routeTo(queue: readonly { readonly pair: PairState; readonly from: number }[], last: number): Route {
  const route: [number, number][] = [];
  for (let i = last; i >= 0; i = queue[i]!.from) route.unshift([queue[i]!.pair.a, queue[i]!.pair.b]);
  return route;
}

/** Nodes that are written alike lead to the same places in each. */
function alike(one: ParseNode, other: ParseNode, pair: PairState): PairState[] {
  if (one.next === null || other.next === null) return [];
  const targets = [
    ...one.next.table.map((e, i): [number, number] => [e.node, other.next!.table[i]!.node]),
    [one.next.wildcard, other.next.wildcard] as const,
  ];
  return targets.filter(([a]) => a >= 0).map(([a, b]) => ({ ...pair, a, b, header: [] }));
}

/** All of a node but its name and where it leads to, as text. */
function workOf(p: Parser, node: ParseNode): string {
  const { name: _name, body, next, ...rest } = node;
  const table = next?.table.map((e) => e.key);
  const look = next === null ? null : [next.select, table, next.wildcard < 0, next.default];
  return `${JSON.stringify([rest, look])} ${body === null ? "" : inlined(p, body)}`;
}

function register(known: PairState["keys"][number], i: number, which: 0 | 1, names: Names): Vector {
  if (known === null) return names.number(`key ${i}`);
  return known === "free" ? names.number(`key ${i} of ${which}`) : constantVector(known[which]);
}

/** How the key registers compare behind a step. */
function compared(x: Stepped, y: Stepped, facts: Facts): PairState["keys"] {
  return x.keys.map((k, i) => {
    const [one, other] = [bits(k, facts), bits(y.keys[i]!, facts)];
    if (one === other) return null;
    const [c, d] = [facts.constant(k), facts.constant(y.keys[i]!)];
    return c === null || d === null ? "free" : [c, d];
  });
}

function bits(v: Vector, facts: Facts): string {
  return Array.from({ length: 32 }, (_, i) => facts.resolve(v[i] ?? -1)).join(",");
}

/** Where the header ends, as text; flag fields are looked at. */
function lengthOf({ hdrLen, body }: ParseNode): string {
  return JSON.stringify(hdrLen.kind === "flags" ? ["flags", body?.kind === "flags" && body.load] : hdrLen);
}

/** Limits, memory and exit nodes are the same. */
function sameFrame(a: Parser, b: Parser): boolean {
  const frame = (p: Parser): string =>
    JSON.stringify([
      p.maxNodes,
      p.maxEncaps,
      p.metametaSize,
      p.frameSize,
      p.frameSize === 0 ? 0 : p.frames,
      metadataSize(p),
      exitsOf(p),
    ]);
  return frame(a) === frame(b);
}

/** What the exit nodes write, as text. */
function exitsOf(p: Parser): string {
  const targets = [p.okayTarget, p.failTarget, p.encapTarget];
  return JSON.stringify(targets.map((t) => (t < 0 ? [] : p.nodes[t]!.actions.metadata)));
}
