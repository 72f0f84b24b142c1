/**
 * The three dialects of other tools, turned into native documents.
 *
 * - `kparser`: the JSON of kParser's schema and reader (`parse-nodes`, `tlv-parse-node`, ...).
 * - `xdp2`: what the XDP2 compiler writes (`tlvs-parse-node`, `file_name`, ...).
 * - `doc`: the documentation's example, which is not JSON; read leniently only.
 *
 * Every change is told as a note, what cannot be kept as a warning or an error; the tree is changed in place,
 * so that later faults still point into the original text.
 */
import type { Faults } from "../json/read.ts";
import type { Json, JsonObject } from "../json/text.ts";
import { lint } from "./lint.ts";
import { importNode } from "./nodes.ts";
import { drop, get, intOf, numberAt, objectAt, objects, set } from "./tree.ts";

/** Whose form a document has. */
export type Dialect = "native" | "kparser" | "xdp2" | "doc";

/** How keys of two-byte fields are meant. */
export type KeyOrder = "wire" | "host";

/** What the parts of an import share. */
export interface Import {
  readonly dialect: Exclude<Dialect, "native">;
  readonly faults: Faults;
  readonly keyOrder: KeyOrder;
  /** Nodes that had to be put in between. */
  readonly added: Json[];
  /** Tables whose entries are imported: several nodes may share one. */
  readonly done: Set<JsonObject>;
}

/** Recognise a dialect by what only it writes. */
export function dialectOf(root: Json, slips: boolean): Dialect {
  if (root.kind !== "object") return "native";
  if (root.props.has("cpr")) return "native";
  if (slips) return "doc";
  const parsers = objects(get(root, "parsers"));
  const nodes = objects(get(root, "parse-nodes"));
  const isXdp2 =
    parsers.some((p) => p.props.has("file_name")) ||
    root.props.has("metadata") ||
    nodes.some((n) => n.props.has("tlvs-parse-node"));
  if (isXdp2) return "xdp2";
  return get(root, "parse-nodes") === undefined ? "native" : "kparser";
}

/** Defaults of a parser's limits: kParser's command line, the XDP2 library. */
const LIMITS: Readonly<Record<Import["dialect"], Readonly<Record<string, number>>>> = {
  kparser: { "max-nodes": 10, "max-encaps": 1, "max-frames": 255, "metameta-size": 0, "frame-size": 0 },
  xdp2: { "max-nodes": 255, "max-encaps": 4, "max-frames": 4, "metameta-size": 64, "frame-size": 256 },
  doc: { "max-nodes": 255, "max-encaps": 4, "max-frames": 4, "metameta-size": 64, "frame-size": 256 },
};

/** Change a dialect's tree into a native one. */
export function importDialect(root: JsonObject, of: Import): void {
  lint(root, of.faults);
  set(root, "cpr", numberAt(root, 1));
  if (get(root, "metadata") !== undefined) {
    of.faults.warn(
      "import.layout",
      "the metadata layout is informational: left out",
      get(root, "metadata")!.at,
    );
    drop(root, "metadata");
  }
  for (const p of objects(get(root, "parsers"))) importParser(p, of);
  const nodes = get(root, "parse-nodes");
  const tables = new Map(objects(get(root, "proto-tables")).map((t) => [t.props.get("name")?.value, t]));
  const byName = new Map<string, JsonObject>();
  for (const [name, t] of tables) if (name?.kind === "string") byName.set(name.value, t);
  for (const n of objects(nodes)) importNode(n, of, byName);
  for (const list of ["tlv-nodes", "flag-fields-nodes"])
    for (const n of objects(get(root, list))) importNode(n, of, byName);
  for (const list of objects(get(root, "metadata-list")))
    importNode(objectAt(list, { metadata: list }), of, byName);
  for (const entry of objects(get(root, "metadata-objects")))
    importNode(
      objectAt(entry, {
        metadata: objectAt(entry, { ents: { kind: "array", at: entry.at, end: entry.end, items: [entry] } }),
      }),
      of,
      byName,
    );
  for (const list of objects(get(root, "cond-exprs-list", "cond_exprs_tables")))
    importNode(objectAt(list, { "cond-exprs": list }), of, byName);
  if (nodes?.kind === "array") nodes.items.push(...of.added);
}

function importParser(p: JsonObject, of: Import): void {
  if (get(p, "file_name") !== undefined) {
    of.faults.warn(
      "import.file",
      "file_name says nothing about the parse: left out",
      get(p, "file_name")!.at,
    );
    drop(p, "file_name");
  }
  for (const [name, fallback] of Object.entries(LIMITS[of.dialect])) {
    const given = get(p, name);
    const value = (given === undefined ? fallback : intOf(given)) ?? null;
    if (value === null) continue;
    // max-frames counts how often the frame advances: one more frame than that exists
    const frames = name === "max-frames" ? Math.min(value + 1, 1024) : value;
    if (given === undefined || frames !== value) set(p, name, numberAt(given ?? p, frames));
    if (given !== undefined && frames !== value)
      of.faults.warn("import.frames", `max-frames ${value} means ${frames} frames`, given.at);
  }
}
