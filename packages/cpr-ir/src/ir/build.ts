/** Documents written as code: the builder makes the same documents that files hold. */
import type { Result } from "../diagnostics.ts";
import { parserOf } from "../json/load.ts";
import type {
  CheckText,
  CounterText,
  CprDocument,
  EntryText,
  ExprText,
  FlagText,
  LayoutText,
  LoadText,
  MetadataText,
  Num,
  ParseNodeText,
  ParserText,
  SubNodeText,
  TlvNodeText,
} from "./document.ts";
import type { Parser } from "./types.ts";

/** Start a parser; its first node is the root unless {@link ParserBuilder.root} says otherwise. */
export function parser(name: string, limits: Omit<ParserText, "name" | "root-node"> = {}): ParserBuilder {
  return new ParserBuilder(name, limits);
}

/** A field of a header: `field(12, 2)` is u16 at byte 12; more properties as in the document. */
export function field(off: number, len: number, more: Partial<LoadText> = {}): LoadText {
  return { "field-off": off, "field-len": len, ...more };
}

/** A comparison of a load with a value, e.g. `when("equal", field(0, 1, { mask: 0xf0 }), 0x40)`. */
export function when(type: string, load: LoadText, value: Num): ExprText {
  return { ...load, type, value };
}

/** A condition that ends the parse with `code` unless all parts hold. */
export function check(code: number | string, ...ents: ExprText[]): CheckText {
  return { "default-fail": code, ents };
}

/** Entries of a table from `[key, node]` pairs: names, or nodes written in place. */
export function entries(...pairs: readonly (readonly [Num, string])[]): EntryText<never>[];
export function entries<N extends object>(...pairs: readonly (readonly [Num, string | N])[]): EntryText<N>[];
export function entries<N>(...pairs: readonly (readonly [Num, string | N])[]): EntryText<N>[] {
  return pairs.map(([key, node]) => ({ key, node }));
}

/** Collects a document. Nothing is checked before {@link ParserBuilder.build}. */
export class ParserBuilder {
  readonly #document: CprDocument;

  constructor(name: string, limits: Omit<ParserText, "name" | "root-node">) {
    this.#document = { cpr: 1, parsers: [{ name, "root-node": "", ...limits }], "parse-nodes": [] };
  }

  /** Add a protocol layer. */
  node(name: string, of: Omit<ParseNodeText, "name">): this {
    const [first] = this.#document.parsers;
    if (first!["root-node"] === "") first!["root-node"] = name;
    this.#document["parse-nodes"].push({ name, ...of });
    return this;
  }

  /** Choose the root. */
  root(name: string): this {
    this.#document.parsers[0]!["root-node"] = name;
    return this;
  }

  /** Add a table of parse nodes, TLV nodes or array nodes. */
  table(name: string, ...pairs: readonly (readonly [Num, string])[]): this {
    (this.#document["proto-tables"] ??= []).push({ name, ents: entries(...pairs) });
    return this;
  }

  /** Add a table of flags. */
  flagTable(name: string, ...ents: FlagText[]): this {
    (this.#document["flag-fields-tables"] ??= []).push({ name, ents });
    return this;
  }

  tlvNode(name: string, of: Omit<TlvNodeText, "name">): this {
    (this.#document["tlv-nodes"] ??= []).push({ name, ...of });
    return this;
  }

  flagNode(name: string, of: Omit<SubNodeText, "name">): this {
    (this.#document["flag-fields-nodes"] ??= []).push({ name, ...of });
    return this;
  }

  arrayNode(name: string, of: Omit<SubNodeText, "name">): this {
    (this.#document["array-nodes"] ??= []).push({ name, ...of });
    return this;
  }

  /** Name one metadata entry. */
  metadataObject(name: string, entry: Omit<MetadataText, "name">): this {
    (this.#document["metadata-objects"] ??= []).push({ name, ...entry });
    return this;
  }

  /** Name a list of metadata entries; a string is the name of a single one ({@link metadataObject}), and comes last. */
  metadata(name: string, ...ents: readonly (MetadataText | string)[]): this {
    const list = ents.filter((e) => typeof e === "string");
    (this.#document["metadata-list"] ??= []).push({
      name,
      ents: ents.filter((e) => typeof e !== "string"),
      ...(list.length === 0 ? {} : { list }),
    });
    return this;
  }

  /** Name a list of conditions. */
  checks(name: string, ...ents: CheckText[]): this {
    (this.#document["cond-exprs-list"] ??= []).push({ name, ents });
    return this;
  }

  counter(name: string, of: Omit<CounterText, "name"> = {}): this {
    (this.#document.counters ??= []).push({ name, ...of });
    return this;
  }

  /** Name places of the metadata. */
  layout(...fields: LayoutText[]): this {
    (this.#document["metadata-layout"] ??= []).push(...fields);
    return this;
  }

  /** The document; owned by the builder until the next call. */
  document(): CprDocument {
    return this.#document;
  }

  /** Check and resolve. */
  build(): Result<Parser> {
    return parserOf(this.#document);
  }
}
