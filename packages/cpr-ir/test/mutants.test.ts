/** Mutants of the shipped parsers die by the generated packets alone. */
import {
  type CprDocument,
  canonicalText,
  generateCases,
  minimize,
  Pair,
  parserOf,
  SHIPPED_PARSERS,
  shippedParser,
} from "@netoffload/cpr-ir";
import { expect, test } from "vitest";

const NAMES = Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[];

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

test("at least 95 % of 300 mutants die by the packets of the original alone", () => {
  let total = 0;
  let killed = 0;
  const left: string[] = [];
  const share: Readonly<Record<string, number>> = {
    big: 10,
    "flow-dissector": 10,
    "five-tuple": 2,
    ports: 1,
  };
  for (const name of NAMES) {
    const original = shippedParser(name);
    const { cases } = generateCases(original);
    const text = canonicalText(minimize(original));
    let n = 0;
    for (const [what, document] of mutants(SHIPPED_PARSERS[name])) {
      if (n++ % share[name]! !== 0) continue;
      const mutant = parserOf(document);
      if (!mutant.ok || canonicalText(minimize(mutant.value)) === text) continue;
      total++;
      const pair = new Pair(original, mutant.value);
      if (cases.some((c) => pair.differ(c) !== null)) killed++;
      else left.push(`${name} ${what}`);
    }
  }
  console.log(
    `${killed} of ${total} mutants die by path packets; not by these: ${left.join("; ") || "none"}`,
  );
  expect(total).toBeGreaterThanOrEqual(300);
  expect(killed / total).toBeGreaterThanOrEqual(0.95);
}, 240_000);
