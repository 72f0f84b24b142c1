/** The same parser said otherwise: other names, another order, lists named instead of written in place, hexadecimal. */
import type { CprDocument } from "../../src/ir/document.ts";
import type { Draw } from "./random-parts.ts";

type Tree = { [property: string]: unknown };

/** Numbers that a file may hold as hexadecimal. */
const HEX = new Set([
  "key",
  "mask",
  "value",
  "field-off",
  "md-off",
  "flag",
  "pad1",
  "padn",
  "min-hdr-length",
]);

/** A document that means the same as one of `random-document.ts`. */
export function respell(document: CprDocument, r: Draw): CprDocument {
  const names = new Map<string, string>();
  const tables: Tree[] = [];
  const metadata: Tree[] = [];
  const conditions: Tree[] = [];
  const rename = (name: string): string => {
    if (!/^([nc]\d+|x-.*)$/.test(name)) return name;
    let made = names.get(name);
    if (made === undefined) names.set(name, (made = `${"zyx"[r.below(3)]}${r.below(1000)}_${names.size}`));
    return made;
  };
  const outline = (list: Tree[], ents: unknown): string => {
    list.push({ name: `l${list.length}`, ents });
    return `l${list.length - 1}`;
  };
  const visit = (of: unknown, property: string): unknown => {
    if (typeof of === "string") return rename(of);
    if (typeof of === "number") return HEX.has(property) && r.chance(50) ? `0x${of.toString(16)}` : of;
    if (Array.isArray(of)) {
      const items = of.map((item) => visit(item, property));
      const free =
        property === "parse-nodes" ||
        property === "counters" ||
        of.some((e) => e?.key !== undefined && e.node !== undefined);
      return free ? r.shuffled(items) : items;
    }
    if (typeof of !== "object" || of === null) return of;
    const out: Tree = {};
    for (const [k, v] of r.shuffled(Object.entries(of))) out[k] = visit(v, k);
    const lookup =
      property === "next-proto" || property === "overlay-node" || property.endsWith("-parse-node");
    if (lookup && property !== "flag-fields-parse-node" && out.ents !== undefined && r.chance(50)) {
      out.table = outline(tables, out.ents);
      delete out.ents;
    }
    const list = property.endsWith("metadata")
      ? metadata
      : /^(pre-checks|cond-exprs)$/.test(property)
        ? conditions
        : null;
    if (list !== null && out.ents !== undefined && r.chance(50)) {
      out.list = outline(list, out.ents);
      delete out.ents;
    }
    return out;
  };
  const out = visit(document, "") as Tree;
  (out["parse-nodes"] as Tree[]).splice(r.below(2), 0, { name: "stray", "min-hdr-length": 3 });
  (out.parsers as Tree[])[0]!.name = "another";
  if (tables.length > 0) out["proto-tables"] = r.shuffled(tables);
  if (metadata.length > 0) out["metadata-list"] = r.shuffled(metadata);
  if (conditions.length > 0) out["cond-exprs-list"] = r.shuffled(conditions);
  return out as unknown as CprDocument;
}
