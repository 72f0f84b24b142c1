/** Do two parsers differ, and on which packet? */
import { canonicalText } from "../hash/canonical.ts";
import { Interpreter } from "../interp/run.ts";
import type { Parser } from "../ir/types.ts";
import { minimize } from "../passes/minimize.ts";
import { generateCases, type ParserCase } from "./generate.ts";
import { Xorshift } from "./random.ts";

/** What comparing two parsers came to. */
export type ParserDiff =
  /** Their canonical forms agree once equal nodes are merged: no packet can tell them apart. */
  | { readonly kind: "equal" }
  /** A packet that tells them apart, and what each made of it. */
  | { readonly kind: "different"; readonly at: ParserCase; readonly a: Outcome; readonly b: Outcome }
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
  if (canonicalText(minimize(a)) === canonicalText(minimize(b))) return { kind: "equal" };
  const cases = [...generateCases(a, seed).cases, ...generateCases(b, seed + 1).cases];
  const pair = new Pair(a, b);
  for (const c of cases) {
    const found = pair.differ(c);
    if (found !== null) return found;
  }
  const random = new Xorshift(seed + 2);
  for (let i = 0; i < rounds; i++) {
    const base = cases[random.below(cases.length)]!;
    const packet = base.packet.slice();
    for (let n = 1 + random.below(4); n > 0 && packet.length > 0; n--)
      packet[random.below(packet.length)] = random.below(256);
    const found = pair.differ({ ...base, packet, note: `${base.note}, random change` });
    if (found !== null) return found;
  }
  return { kind: "unknown", tried: cases.length + rounds };
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
  differ(c: ParserCase): Extract<ParserDiff, { kind: "different" }> | null {
    this.#fill ^= 0xff;
    for (const run of [this.#a, this.#b]) {
      // zeros that are written show over ones, ones over zeros: in turn
      run.metadata.fill(this.#fill);
      run.keys.fill(0);
      run.keys.set(c.keys.subarray(0, run.keys.length));
      run.run(c.packet);
    }
    const [a, b] = [this.#a, this.#b];
    if (a.code === b.code && a.encaps === b.encaps && a.nodes === b.nodes && same(a.metadata, b.metadata))
      return null;
    return { kind: "different", at: c, a: outcome(a), b: outcome(b) };
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
