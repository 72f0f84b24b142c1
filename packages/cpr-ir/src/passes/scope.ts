/** What names mean while a document is resolved, and where faults are told. */
import { CODE, codeName } from "../ir/codes.ts";
import type {
  CheckText,
  CodeText,
  CounterText,
  CprDocument,
  ExprText,
  MetadataText,
  ParseNodeText,
  ParserText,
  SubNodeText,
  TlvNodeText,
} from "../ir/document.ts";
import type { Counter } from "../ir/types.ts";
import { type Faults, nearest, type Origins } from "../json/read.ts";
import { clip } from "../json/text.ts";

/** Bytes that a unit's loads may touch, and what the unit is called in messages. */
export interface Unit {
  readonly bytes: number;
  readonly what: "header" | "TLV" | "flag field" | "array element" | "exit node";
}

/** Places of the metadata memory. */
export interface Geometry {
  readonly metameta: number;
  readonly frame: number;
  readonly keys: number;
  readonly maxNodes: number;
  readonly maxEncaps: number;
}

/** Counters a parser may have: each has a code of its own. */
export const MAX_COUNTERS = 7;

/** Table entries, metadata entries and conditions of a parser. */
const MAX_ENTRIES = 100_000;

/** Ends resolving a document that grows too large; its fault is told. */
export class TooLarge extends Error {}

/** Named things of one kind. */
export class Pool<T extends { name?: string }> {
  readonly what: string;
  readonly #by: Map<string, T> = new Map();
  readonly #asked: Set<string> = new Set();

  constructor(
    what: string,
    items: readonly T[] | undefined,
    scope: { told(item: object): number | undefined; faults: Faults },
  ) {
    this.what = what;
    for (const item of items ?? []) {
      if (item.name === undefined)
        scope.faults.error("cpr.name", `a ${what} here needs a name`, scope.told(item));
      else if (this.#by.has(item.name))
        scope.faults.error("cpr.name", `a second ${what} is named '${clip(item.name)}'`, scope.told(item));
      else this.#by.set(item.name, item);
    }
  }

  get(name: string): T | undefined {
    this.#asked.add(name);
    return this.#by.get(name);
  }

  /** Those that were never asked for. */
  unused(): T[] {
    return [...this.#by].filter(([name]) => !this.#asked.has(name)).map(([, item]) => item);
  }

  /** Names to suggest from: of a large pool the first ones. */
  names(): string[] {
    return [...this.#by.keys()].slice(0, 1000);
  }
}

/** Shared by the resolvers of one parser. */
export class Scope {
  readonly doc: CprDocument;
  readonly faults: Faults;
  readonly geometry: Geometry;
  readonly nodes: Pool<ParseNodeText>;
  readonly tables: Pool<NonNullable<CprDocument["proto-tables"]>[number]>;
  readonly flagTables: Pool<NonNullable<CprDocument["flag-fields-tables"]>[number]>;
  readonly tlvNodes: Pool<TlvNodeText>;
  readonly flagNodes: Pool<SubNodeText>;
  readonly arrayNodes: Pool<SubNodeText>;
  readonly metadataObjects: Pool<MetadataText>;
  readonly metadataLists: Pool<NonNullable<CprDocument["metadata-list"]>[number]>;
  readonly checkLists: Pool<{ name: string; ents: CheckText[] }>;
  readonly counterTexts: Pool<CounterText>;
  /** Counters by first use. */
  readonly counters: Counter[] = [];
  readonly handlers: Set<string> = new Set();
  readonly #origins: Origins;
  #spent = 0;
  readonly #counterIndex: Map<string, number> = new Map();

  constructor(doc: CprDocument, parser: ParserText, origins: Origins, faults: Faults) {
    this.doc = doc;
    this.faults = faults;
    this.#origins = origins;
    this.geometry = {
      metameta: num(parser["metameta-size"], 64),
      frame: num(parser["frame-size"], 256),
      keys: num(parser["num-keys"], 0),
      maxNodes: num(parser["max-nodes"], 255),
      maxEncaps: num(parser["max-encaps"], 4),
    };
    this.nodes = new Pool("parse node", doc["parse-nodes"], this);
    this.tables = new Pool("table", doc["proto-tables"], this);
    this.flagTables = new Pool("flag table", doc["flag-fields-tables"], this);
    this.tlvNodes = new Pool("TLV node", doc["tlv-nodes"], this);
    this.flagNodes = new Pool("flag-field node", doc["flag-fields-nodes"], this);
    this.arrayNodes = new Pool("array node", doc["array-nodes"], this);
    this.metadataObjects = new Pool("metadata object", doc["metadata-objects"], this);
    this.metadataLists = new Pool("metadata list", doc["metadata-list"], this);
    this.checkLists = new Pool("condition list", doc["cond-exprs-list"], this);
    this.counterTexts = new Pool("counter", doc.counters, this);
  }

  /** Everything with a name but parse nodes. */
  pools(): readonly Pool<{ name?: string }>[] {
    return [
      ...[this.tables, this.flagTables, this.tlvNodes, this.flagNodes, this.arrayNodes],
      ...[this.metadataObjects, this.metadataLists, this.checkLists, this.counterTexts],
    ];
  }

  /** Named lists are copied to their users: the copies are counted, so that no document grows without bound. */
  spend(entries: number): void {
    this.#spent += entries;
    if (this.#spent <= MAX_ENTRIES) return;
    this.faults.error(
      "cpr.size",
      `more than ${MAX_ENTRIES} entries once named lists are copied to their users`,
    );
    throw new TooLarge();
  }

  told(item: object, property?: string): number | undefined {
    return this.#origins.at(item, property);
  }

  error(code: string, message: string, item: object, property?: string, suggestion?: string): void {
    this.faults.error(code, message, this.told(item, property), suggestion);
  }

  /** A named thing; null with a fault where there is none. */
  find<T extends { name?: string }>(pool: Pool<T>, name: string, item: object, property: string): T | null {
    const found = pool.get(name);
    if (found !== undefined) return found;
    const near = this.faults.full ? null : nearest(name, pool.names());
    this.error(
      "cpr.missing-name",
      `no ${pool.what} is named '${clip(name)}'`,
      item,
      property,
      near === null ? undefined : `'${clip(near)}'`,
    );
    return null;
  }

  /** Index of a counter, numbered by first use; 0 with a fault where there is none. */
  counter(name: string, item: object, property: string): number {
    const known = this.#counterIndex.get(name);
    if (known !== undefined) return known;
    const text = this.find(this.counterTexts, name, item, property);
    if (text === null) {
      if (this.counters.length === 0) this.counters.push(NO_COUNTER);
      return 0;
    }
    const index = this.counters.length;
    if (index === MAX_COUNTERS)
      this.error("cpr.counters", `more than ${MAX_COUNTERS} counters are used`, item, property);
    const numElements = num(text["num-elements"], 0);
    this.counters.push({
      name,
      elementSize: num(text["element-size"], 0),
      numElements,
      max: num(text.max, numElements),
      resetAtEncap: text["reset-at-encap"] ?? true,
      errorExceeded: text["error-exceeded"] ?? true,
      overwritable: text.overwritable ?? true,
    });
    this.#counterIndex.set(name, index);
    return index;
  }

  /** A code that ends something; `inner` where the codes of TLV lists have a meaning. */
  code(text: CodeText | undefined, fallback: number, inner: boolean, item: object, property: string): number {
    if (text === undefined) return fallback;
    const code = Number(text);
    const allowed =
      code === CODE.OKAY ||
      code === CODE.STOP_OKAY ||
      code <= CODE.STOP_FAIL ||
      (inner && (code === CODE.STOP_NODE_OKAY || code === CODE.STOP_SUB_NODE_OKAY));
    if (!allowed) this.error("cpr.code", `${codeName(code)} has no meaning here`, item, property);
    return code;
  }

  /** As {@link code}, but it must end something. */
  stop(text: CodeText | undefined, fallback: number, inner: boolean, item: object, property: string): number {
    const code = this.code(text, fallback, inner, item, property);
    if (code === CODE.OKAY)
      this.error("cpr.code", "OKAY would not end anything", item, property, "stop_okay, or a failure");
    return code;
  }

  handler(item: { handler?: string | object; name?: string }): void {
    if (item.handler === undefined) return;
    this.handlers.add(typeof item.handler === "string" ? item.handler : (item.name ?? "?"));
    this.faults.warn(
      "cpr.handler",
      "a handler is a C function: it is not run, and the parser cannot be hashed",
      this.told(item, "handler"),
    );
  }
}

const NO_COUNTER: Counter = {
  name: "",
  elementSize: 0,
  numElements: 0,
  max: 0,
  resetAtEncap: true,
  errorExceeded: true,
  overwritable: true,
};

/** A number of the document (already a number after reading), or its default. */
export function num(value: number | string | undefined, fallback: number): number {
  return value === undefined ? fallback : Number(value);
}

/** Words that compare. */
export const COMPARISONS: ReadonlySet<string> = new Set([
  "equal",
  "not_equal",
  "greater_than",
  "greater_or_equal",
  "less_than",
  "less_or_equal",
]);

/** True for `and` and `or`. */
export function joins(text: ExprText): boolean {
  return text.type === "and" || text.type === "or";
}
