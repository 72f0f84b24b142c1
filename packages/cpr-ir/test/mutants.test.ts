/** Mutants of the shipped parsers: each is told apart by a packet or proved equal; most die by `cpr test` alone. */
import {
  type CprDocument,
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

const NAMES = Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[];
/** Every so many of a parser's mutants; with EVERY=1 all. */
const SHARE: Readonly<Record<string, number>> = { big: 9, "flow-dissector": 10, "five-tuple": 2, ports: 1 };
const EVERY = Number(process.env.EVERY ?? 0);

/** Single changes of a document: offsets, masks, shifts, keys, lengths, targets, limits, next nodes. */
function* mutants(document: CprDocument): Generator<[string, CprDocument]> {
  const skip = new Set(["cpr", "metadata-layout", "comment", "name"]);
  const nodes = document["parse-nodes"].map((n) => n.name);
  const at: (string | number)[] = [];
  function* walk(value: unknown): Generator<[string, CprDocument]> {
    const change = (other: unknown): [string, CprDocument] => {
      const copy = structuredClone(document) as unknown as Record<string, never>;
      let holder: Record<string, never> = copy;
      for (const k of at.slice(0, -1)) holder = holder[k] as never;
      holder[at[at.length - 1]!] = other as never;
      return [`${at.join(".")}: ${value} -> ${other}`, copy as unknown as CprDocument];
    };
    if (typeof value === "number" || /^0x/.test(String(value))) {
      const n = Number(value);
      yield change(n + 1);
      if (n > 0) yield change(n - 1);
    } else if (typeof value === "string") {
      if ((at.at(-1) === "node" || at.at(-1) === "next-node") && nodes.includes(value))
        yield change(nodes[(nodes.indexOf(value) + 1) % nodes.length]!);
    } else if (typeof value === "object" && value !== null)
      for (const [k, v] of Object.entries(value)) {
        if (skip.has(k) || (at[0] === "parsers" && at.length === 1 && k !== "0")) continue;
        at.push(Array.isArray(value) ? Number(k) : k);
        yield* walk(v);
        at.pop();
      }
  }
  yield* walk(document);
}

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
