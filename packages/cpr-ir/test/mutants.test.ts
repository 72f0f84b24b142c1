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
import { provedEqual } from "../src/paths/prove/prove.ts";
import { mutants } from "./helpers/mutants.ts";

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
}, 240_000);
