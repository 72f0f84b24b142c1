/** Do two parsers differ, and on which packet? */
import { canonicalText } from "../hash/canonical.ts";
import { Interpreter } from "../interp/run.ts";
import type { Parser } from "../ir/types.ts";
import { minimize } from "../passes/minimize.ts";
import { drained, generateCasesBySteps, type ParserCase } from "./generate.ts";
import { prove } from "./prove/prove.ts";
import { guesses } from "./prove/route.ts";
import { Xorshift } from "./random.ts";

/** What comparing two parsers came to. */
export type ParserDiff =
  /** Proved: their canonical forms agree once equal nodes are merged, or each way through both does the same. */
  | { readonly kind: "equal" }
  /** A packet that tells them apart, where in it its first header starts, and what each parser made of it. */
  | {
      readonly kind: "different";
      readonly at: ParserCase;
      readonly start: number;
      readonly a: Outcome;
      readonly b: Outcome;
    }
  /** No packet of `tried` tells them apart, which proves nothing. */
  | { readonly kind: "unknown"; readonly tried: number };

/** What a parse can be seen to do. */
export interface Outcome {
  readonly code: number;
  readonly encaps: number;
  /** Nodes entered. */
  readonly nodes: number;
  readonly metadata: Uint8Array;
}

/**
 * Compare two parsers by what can be seen of them: code, encapsulations, nodes entered, metadata.
 * @param rounds - random mutations tried after the cases of both parsers
 */
export function diffParsers(a: Parser, b: Parser, rounds = 20_000, seed = 1): ParserDiff {
  return drained(diffParsersBySteps(a, b, rounds, seed));
}

/** Packets between two steps. */
const STEP = 64;

/** The same, step by step; a step's value is the number of packets made or compared so far. */
export function* diffParsersBySteps(
  a: Parser,
  b: Parser,
  rounds = 20_000,
  seed = 1,
): Generator<number, ParserDiff> {
  if (canonicalText(minimize(a)) === canonicalText(minimize(b))) return { kind: "equal" };
  const proof = prove(a, b, PLACES);
  if (proof.equal) return { kind: "equal" };
  const pair = new Pair(a, b);
  const guessed: ParserCase[] = [];
  for (const route of proof.open)
    for (const guess of guesses(a, b, route)) {
      yield 0;
      if (guess === null) continue;
      const at = { ...guess, note: "where a proof failed" };
      // once over zeros, once over ones
      const found = pair.differ(at) ?? pair.differ(at);
      if (found !== null) return found;
      guessed.push(at);
    }
  const behind = farDifference(pair, a, b, guessed.slice(0, FAR_GUESSES));
  if (behind !== null) return behind;
  const ofA = yield* generateCasesBySteps(a, seed);
  const ofB = yield* generateCasesBySteps(b, seed + 1);
  const cases = [...ofA.cases, ...ofB.cases];
  for (const [i, c] of cases.entries()) {
    if (i % STEP === 0) yield i;
    const found = pair.differ(c);
    if (found !== null) return found;
  }
  const far = farDifference(pair, a, b, cases.slice(0, FAR_CASES));
  if (far !== null) return far;
  const random = new Xorshift(seed + 2);
  for (let i = 0; i < rounds; i++) {
    if (i % STEP === 0) yield cases.length + i;
    const base = cases[random.below(cases.length)]!;
    const packet = base.packet.slice();
    for (let n = 1 + random.below(4); n > 0 && packet.length > 0; n--)
      packet[random.below(packet.length)] = random.below(256);
    const found = pair.differ({ ...base, packet, note: `${base.note}, random change` });
    if (found !== null) return found;
  }
  return { kind: "unknown", tried: cases.length + rounds };
}

/** Places where a proof failed at which a packet is looked for. */
const PLACES = 16;

/** Cases that are tried far from the packet's start, and where it is too far to try. */
const FAR_CASES = 1000;
const FAR_GUESSES = 100;
const FAR = 1 << 20;

/**
 * Offsets that do not fit their place end a parse: the headers are put just there, where the one parser's still
 * fit and the other's do not.
 */
function farDifference(
  pair: Pair,
  a: Parser,
  b: Parser,
  cases: readonly ParserCase[],
): ReturnType<Pair["differ"]> {
  const edges = new Set([...farEdges(a), ...farEdges(b)].filter((e) => e > 0 && e < FAR));
  const run = new Interpreter(a);
  for (const c of cases) {
    const places = new Set<number>();
    run.clear();
    run.keys.set(c.keys.subarray(0, run.keys.length));
    run.trace = { node: (_index, off, length) => void places.add(off).add(off + length) };
    run.run(c.packet);
    for (const edge of edges)
      for (const place of places) {
        const start = edge - place;
        if (start <= 0) continue;
        const packet = new Uint8Array(start + c.packet.length);
        packet.set(c.packet, start);
        const found = pair.differ({ ...c, packet, note: `${c.note}, far behind the packet's start` }, start);
        if (found !== null) return found;
      }
  }
  return null;
}

/** First offsets that an entry cannot hold. */
function* farEdges(parser: Parser): Generator<number> {
  for (const n of [...parser.nodes, ...parser.tlvNodes, ...parser.subNodes])
    for (const { value, target } of [...n.actions.metadata, ...("postMetadata" in n ? n.postMetadata : [])])
      if (value.kind === "offset" && target.kind === "memory")
        yield Math.ceil((2 ** target.bits - value.add) / (value.bits ? 8 : 1));
}

/** Runs the same packet through two parsers. */
export class Pair {
  readonly #a: Interpreter;
  readonly #b: Interpreter;
  #fill = 0;

  constructor(a: Parser, b: Parser) {
    this.#a = new Interpreter(a);
    this.#b = new Interpreter(b);
  }

  /** Both outcomes where they differ, else null. */
  differ(c: ParserCase, start = 0): Extract<ParserDiff, { kind: "different" }> | null {
    this.#fill ^= 0xff;
    for (const run of [this.#a, this.#b]) {
      // zeros that are written show over ones, ones over zeros: in turn
      run.metadata.fill(this.#fill);
      run.keys.fill(0);
      run.keys.set(c.keys.subarray(0, run.keys.length));
      run.run(c.packet, c.packet.length, start);
    }
    const [a, b] = [this.#a, this.#b];
    if (a.code === b.code && a.encaps === b.encaps && a.nodes === b.nodes && same(a.metadata, b.metadata))
      return null;
    return { kind: "different", at: c, start, a: outcome(a), b: outcome(b) };
  }
}

function outcome(run: Interpreter): Outcome {
  return { code: run.code, encaps: run.encaps, nodes: run.nodes, metadata: run.metadata.slice() };
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
