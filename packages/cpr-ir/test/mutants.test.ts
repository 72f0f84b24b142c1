/** Mutants of the shipped parsers: each is told apart by a packet or proved equal; most die by `cpr test` alone. */
import {
  diffParsers,
  generateCases,
  Interpreter,
  Pair,
  type Parser,
  type ParserCase,
  parserOf,
  SHIPPED_PARSERS,
  shippedParser,
} from "@netoffload/cpr-ir";
import { expect, test } from "vitest";
import { prove, provedEqual } from "../src/paths/prove/prove.ts";
import { guesses } from "../src/paths/prove/route.ts";
import { inlined } from "../src/paths/prove/unit.ts";
import { mutants } from "./helpers/mutants.ts";
import { Random } from "./helpers/random.ts";
import { smallDocument } from "./helpers/random-small.ts";

const NAMES = Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[];
const EVERY = Number(process.env.EVERY ?? 1);

/**
 * Mutants that need more than path packets and nodes one by one, and what the parsers' texts say of them:
 * what an overlay saw holds for the next node, a later write hides an earlier one, what does not fit ends alike,
 * a counter at its end counts no further, and 15 headers may come before one.
 */
const HARD: Readonly<Record<string, Readonly<Record<string, "equal" | "different">>>> = {
  big: {
    "parse-nodes.4.metadata.ents.6.when.ents.0.field-off: 6 -> 5": "different",
    "parse-nodes.13.pre-checks.ents.0.ents.0.mask: 0x4ff8 -> 20473": "equal",
    "parse-nodes.14.flag-fields-parse-node.ents.0.flag: 0x8000 -> 32769": "equal",
    "parse-nodes.14.flag-fields-parse-node.ents.1.flag: 0x2000 -> 8193": "equal",
    "parse-nodes.14.flag-fields-parse-node.ents.1.node.metadata.ents.1.length: 2 -> 3": "equal",
    "parse-nodes.14.flag-fields-parse-node.ents.2.flag: 0x1000 -> 4097": "equal",
    "parse-nodes.14.flag-fields-parse-node.ents.3.flag: 0x80 -> 129": "equal",
    "parse-nodes.27.tlv-parse-node.ents.2.node.min-hdr-length: 2 -> 3": "equal",
  },
  "flow-dissector": {
    "parsers.0.max-encaps: 255 -> 254": "equal",
    "parse-nodes.7.cond-exprs.ents.1.ents.0.value: 0xf -> 16": "different",
    "parse-nodes.17.pre-checks.ents.0.ents.0.mask: 0x4007 -> 16390": "equal",
    "parse-nodes.18.pre-checks.ents.0.ents.0.mask: 0x2000 -> 8193": "equal",
    "parse-nodes.18.pre-checks.ents.0.ents.1.ents.0.mask: 0x8000 -> 32769": "equal",
    "parse-nodes.18.pre-checks.ents.0.ents.1.ents.1.value: 8 -> 7": "equal",
    "parse-nodes.18.pre-checks.ents.0.ents.2.value: 0xc -> 11": "equal",
    "parse-nodes.19.pre-checks.ents.1.ents.0.field-off: 0 -> 1": "equal",
    "parse-nodes.19.pre-checks.ents.1.ents.0.field-len: 2 -> 3": "equal",
    "parse-nodes.19.pre-checks.ents.1.ents.0.mask: 0x2000 -> 8191": "equal",
    "parse-nodes.19.pre-checks.ents.1.ents.1.ents.0.field-off: 0 -> 1": "different",
    "parse-nodes.19.pre-checks.ents.1.ents.1.ents.0.field-len: 2 -> 3": "different",
    "parse-nodes.19.pre-checks.ents.1.ents.1.ents.1.value: 8 -> 7": "equal",
    "parse-nodes.19.pre-checks.ents.1.ents.2.value: 0xc -> 13": "different",
    "parse-nodes.19.pre-checks.ents.1.ents.2.value: 0xc -> 11": "equal",
    "parse-nodes.19.flag-fields-parse-node.ents.0.flag: 0x8000 -> 32769": "equal",
    "parse-nodes.19.flag-fields-parse-node.ents.1.flag: 0x2000 -> 8193": "equal",
    "parse-nodes.19.flag-fields-parse-node.ents.2.flag: 0x1000 -> 4097": "equal",
    "parse-nodes.19.flag-fields-parse-node.ents.3.flag: 0x80 -> 129": "equal",
    "counters.0.max: 16 -> 17": "equal",
    "counters.1.max: 3 -> 4": "equal",
    "counters.1.max: 3 -> 2": "equal",
  },
};

/** A shipped parser's mutants that are parsers: all, or with EVERY=n each nth. */
function* sample(name: (typeof NAMES)[number]): Generator<[string, Parser]> {
  let n = 0;
  for (const [what, document] of mutants(SHIPPED_PARSERS[name])) {
    if (n++ % EVERY !== 0) continue;
    const mutant = parserOf(document);
    if (mutant.ok) yield [what, mutant.value];
  }
}

/** The cases of a parser by the nodes that they enter: the others are done as before, whatever a mutant makes of them. */
function casesByNodes(
  parser: Parser,
): { readonly nodes: ReadonlySet<number>; readonly cases: ParserCase[] }[] {
  const groups = new Map<string, { readonly nodes: ReadonlySet<number>; readonly cases: ParserCase[] }>();
  const run = new Interpreter(parser);
  const nodes = new Set<number>();
  run.trace = { node: (index) => void nodes.add(index) };
  for (const c of generateCases(parser).cases) {
    nodes.clear();
    run.keys.fill(0);
    run.keys.set(c.keys);
    run.run(c.packet);
    // a node whose length is not known is not told of, but is the last
    nodes.add(run.lastNode);
    const id = [...nodes].sort((a, b) => a - b).join();
    const group = groups.get(id) ?? { nodes: new Set(nodes), cases: [] };
    groups.set(id, group);
    group.cases.push(c);
  }
  return [...groups.values()];
}

/** Nodes that a mutant does otherwise; null: perhaps all. */
function changedNodes(before: readonly string[], p: Parser): number[] | null {
  const after = textsOf(p);
  if (before[0] !== after[0]) return null;
  const changed = p.nodes.flatMap((_, i) => (before[i + 1] === after[i + 1] ? [] : [i]));
  // exit nodes are never entered
  return changed.some((i) => [p.okayTarget, p.failTarget, p.encapTarget].includes(i)) ? null : changed;
}

/** All but the nodes, then each node, as text. */
function textsOf(p: Parser): string[] {
  const nodes = p.nodes.map(({ body, ...node }) => {
    return JSON.stringify(node) + (body === null ? "" : inlined(p, body));
  });
  return [JSON.stringify({ ...p, nodes: p.nodes.length, tlvNodes: 0, subNodes: 0 }), ...nodes];
}

test.each(NAMES)(
  "each mutant of %s has a packet or a proof",
  (name) => {
    const counts = { killed: 0, equal: 0, later: 0 };
    const unknown: string[] = [];
    const original = shippedParser(name);
    const texts = textsOf(original);
    const byNodes = casesByNodes(original);
    for (const [what, mutant] of sample(name)) {
      const pair = new Pair(original, mutant);
      const changed = changedNodes(texts, mutant);
      const killed = byNodes.some(
        ({ nodes, cases }) =>
          (changed === null || changed.some((n) => nodes.has(n))) &&
          cases.some((c) => pair.differ(c) !== null),
      );
      // a proof must never be had of what a packet refutes
      if (killed && provedEqual(original, mutant)) expect.fail(`${what} is proved equal, and is not`);
      const kind = killed ? "different" : diffParsers(original, mutant).kind;
      if (kind === "unknown") unknown.push(what);
      else counts[killed ? "killed" : kind === "equal" ? "equal" : "later"]++;
      if (HARD[name]?.[what] !== undefined) expect(kind, what).toBe(HARD[name][what]);
    }
    console.log(`mutants of ${name}: ${JSON.stringify(counts)}, undecided: ${unknown.join("; ") || "none"}`);
    expect(unknown).toEqual([]);
    // path packets alone kill most that differ
    expect(counts.killed / (counts.killed + counts.later)).toBeGreaterThanOrEqual(0.95);
    for (const what of EVERY === 1 ? Object.keys(HARD[name] ?? {}) : [])
      expect(
        [...mutants(SHIPPED_PARSERS[name])].some(([known]) => known === what),
        what,
      ).toBe(true);
  },
  1_800_000,
);

test("there are more than 300 mutants that are parsers", () => {
  const counts = NAMES.map((name) => [...sample(name)].length);
  expect(counts.reduce((a, b) => a + b, 0) * EVERY).toBeGreaterThanOrEqual(300);
});

test("no packet refutes a proof about a random parser, and guesses tell many apart", () => {
  const counts = { equal: 0, different: 0, guessed: 0, open: 0 };
  for (let seed = 1; seed <= 8; seed++) {
    const r = new Random(seed);
    const document = smallDocument(r);
    const original = parserOf(document);
    if (!original.ok) expect.fail(`seed ${seed}: ${JSON.stringify(original.diagnostics)}`);
    let n = 0;
    for (const [what, changed] of mutants(document)) {
      const mutant = n++ % 4 === seed % 4 ? parserOf(changed) : null;
      if (!mutant?.ok) continue;
      const pair = new Pair(original.value, mutant.value);
      let differs = false;
      for (let i = 0; i < 1000 && !differs; i++) {
        const packet = Uint8Array.from({ length: r.below(14) }, () => r.below(i % 3 === 0 ? 256 : 16));
        const keys = Uint32Array.from([r.below(4), r.below(4)]);
        differs = pair.differ({ packet, keys, note: "random" }) !== null;
      }
      const proof = prove(original.value, mutant.value, 4);
      if (proof.equal && differs) expect.fail(`seed ${seed}, ${what}: proved equal, and is not`);
      if (proof.equal) counts.equal++;
      else if (!differs) counts.open++;
      else counts.different++;
      if (differs && proof.open.some((route) => told(pair, original.value, mutant.value, route)))
        counts.guessed++;
    }
  }
  console.log(`random parsers: ${JSON.stringify(counts)}`);
  expect(counts.equal).toBeGreaterThan(50);
  expect(counts.guessed).toBeGreaterThanOrEqual(15);
});

/** Does a guess for a route tell two parsers apart? Zeros that are written show over ones, ones over zeros. */
function told(pair: Pair, a: Parser, b: Parser, route: Parameters<typeof guesses>[2]): boolean {
  for (const guess of guesses(a, b, route)) {
    if (guess === null) continue;
    for (let i = 0; i < 2; i++) if (pair.differ({ ...guess, note: "guess" }) !== null) return true;
  }
  return false;
}
