/** Mutants of a parser: documents with one thing changed. */
import type { CprDocument } from "@netoffload/cpr-ir";

/** Single changes of a document: offsets, masks, shifts, keys, lengths, targets, limits, next nodes. */
export function* mutants(document: CprDocument): Generator<[string, CprDocument]> {
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
