/** Mutants of the shipped parsers: each is told apart by a packet or proved equal; most die by `cpr test` alone. */
import {
  diffParsers,
  generateCases,
  Pair,
  type Parser,
  parserOf,
  SHIPPED_PARSERS,
  shippedParser,
} from "@netoffload/cpr-ir";
import { expect, test } from "vitest";
import { prove, provedEqual } from "../src/paths/prove/prove.ts";
import { guesses } from "../src/paths/prove/route.ts";
import { mutants } from "./helpers/mutants.ts";
import { Random } from "./helpers/random.ts";
import { randomDocument } from "./helpers/random-parsers.ts";

const NAMES = Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[];
/** Every so many of a parser's mutants; with EVERY=1 all. */
const SHARE: Readonly<Record<string, number>> = { big: 9, "flow-dissector": 10, "five-tuple": 2, ports: 1 };
const EVERY = Number(process.env.EVERY ?? 0);

/** A shipped parser's mutants that are parsers. */
function* sample(name: (typeof NAMES)[number]): Generator<[string, Parser]> {
  let n = 0;
  for (const [what, document] of mutants(SHIPPED_PARSERS[name])) {
    if (n++ % (EVERY || SHARE[name]!) !== 0) continue;
    const mutant = parserOf(document);
    if (mutant.ok) yield [`${name} ${what}`, mutant.value];
  }
}

test("each of more than 300 mutants has a packet or a proof; path packets alone kill 95 % of those that differ", () => {
  const counts = { killed: 0, equal: 0, later: 0 };
  const unknown: string[] = [];
  for (const name of NAMES) {
    const original = shippedParser(name);
    const { cases } = generateCases(original);
    for (const [what, mutant] of sample(name)) {
      const pair = new Pair(original, mutant);
      const killed = cases.some((c) => pair.differ(c) !== null);
      // a proof must never be had of what a packet refutes
      if (killed && provedEqual(original, mutant)) expect.fail(`${what} is proved equal, and is not`);
      if (killed) counts.killed++;
      else {
        const { kind } = diffParsers(original, mutant);
        if (kind === "unknown") unknown.push(what);
        else if (kind === "equal") counts.equal++;
        else counts.later++;
      }
    }
  }
  console.log(`mutants: ${JSON.stringify(counts)}, undecided: ${unknown.join("; ") || "none"}`);
  expect(unknown).toEqual([]);
  expect(counts.killed + counts.later).toBeGreaterThanOrEqual(300);
  expect(counts.killed / (counts.killed + counts.later)).toBeGreaterThanOrEqual(0.95);
}, 1_800_000);

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

test.each(Object.entries(HARD))("hard mutants of %s are decided", (name, hard) => {
  const original = shippedParser(name as keyof typeof SHIPPED_PARSERS);
  const got: Record<string, string> = {};
  for (const [what, document] of mutants(SHIPPED_PARSERS[name as keyof typeof SHIPPED_PARSERS])) {
    const mutant = Object.hasOwn(hard, what) ? parserOf(document) : null;
    if (mutant?.ok) got[what] = diffParsers(original, mutant.value).kind;
  }
  expect(got).toEqual(hard);
});

test("no packet refutes a proof about a random parser, and guesses tell many apart", () => {
  const counts = { equal: 0, different: 0, guessed: 0, open: 0 };
  for (let seed = 1; seed <= 8; seed++) {
    const r = new Random(seed);
    const document = randomDocument(r);
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
