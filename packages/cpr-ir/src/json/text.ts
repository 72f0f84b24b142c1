/**
 * JSON text to a tree that knows where each value stands.
 *
 * `JSON.parse` tells neither positions nor duplicate keys and follows any nesting; descriptions come from
 * strangers, so size, depth and count are bounded here. With `lenient`, the slips of documentation examples
 * (typographic quotes, trailing and missing commas, comments, no outer braces) are told and passed over.
 */
import type { Diagnostic } from "../diagnostics.ts";

/** A value and where it starts and ends in the text. */
export type Json =
  | {
      readonly kind: "object";
      readonly at: number;
      readonly end: number;
      readonly props: Map<string, JsonProp>;
    }
  | { readonly kind: "array"; readonly at: number; readonly end: number; readonly items: Json[] }
  | { readonly kind: "string"; readonly at: number; readonly end: number; readonly value: string }
  | { readonly kind: "number"; readonly at: number; readonly end: number; readonly value: number }
  | { readonly kind: "literal"; readonly at: number; readonly end: number; readonly value: boolean | null };

/** A property: its key's place and its value. */
export interface JsonProp {
  readonly at: number;
  readonly value: Json;
}

/** An object of the tree. */
export type JsonObject = Extract<Json, { kind: "object" }>;

/** Bounds of a description. */
export const JSON_LIMITS: Readonly<Record<"chars" | "depth" | "values" | "diagnostics", number>> = {
  chars: 4 << 20,
  depth: 64,
  values: 200_000,
  diagnostics: 100,
};

/** What reading came to; `root` null: nothing usable. */
export interface JsonText {
  readonly root: Json | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** Ends reading; caught in {@link parseJson}. */
class Stop extends Error {}

const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
const QUOTES = new Set(["\u201c", "\u201d", "\u201e", "\u2018", "\u2019"]);
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** Parse JSON text. Never throws, whatever the text. */
export function parseJson(text: string, lenient = false): JsonText {
  if (text.length > JSON_LIMITS.chars)
    return {
      root: null,
      diagnostics: [
        {
          code: "json.size",
          message: `${text.length} characters; at most ${JSON_LIMITS.chars} are read`,
          offset: 0,
        },
      ],
    };
  const reader = new Reader(text, lenient);
  return { root: reader.document(), diagnostics: reader.diagnostics };
}

class Reader {
  readonly diagnostics: Diagnostic[] = [];
  readonly #text: string;
  readonly #lenient: boolean;
  #at = 0;
  #values = 0;
  readonly #told = new Set<string>();

  constructor(text: string, lenient: boolean) {
    this.#text = text.startsWith("\ufeff") ? ` ${text.slice(1)}` : text;
    this.#lenient = lenient;
  }

  document(): Json | null {
    try {
      this.#skip();
      if (this.#at === this.#text.length) this.#stop("json.empty", "an empty text; a JSON object is needed");
      const root = this.#bareProperties() ? this.#members(0, null) : this.#value(0);
      this.#skip();
      if (this.#at < this.#text.length)
        this.#stop("json.trailing", `${this.#seen()} behind the end of the document`);
      return root;
    } catch (error) {
      if (error instanceof Stop) return null;
      throw error;
    }
  }

  /** Documentation examples leave the outer braces away: `"parsers": [...], ...`. */
  #bareProperties(): boolean {
    const c = this.#text[this.#at]!;
    if (c !== '"' && !QUOTES.has(c)) return false;
    const bare = /[^"\u201c-\u201e\n]*["\u201c-\u201e]\s*:/y;
    bare.lastIndex = this.#at + 1;
    if (!bare.test(this.#text)) return false;
    this.#slip("json.braces", "the document has no outer braces", "put { } around it");
    return true;
  }

  #value(depth: number): Json {
    if (depth > JSON_LIMITS.depth) this.#stop("json.depth", `nested deeper than ${JSON_LIMITS.depth}`);
    if (++this.#values > JSON_LIMITS.values)
      this.#stop("json.values", `more than ${JSON_LIMITS.values} values in one document`);
    const at = this.#at;
    const c = this.#text[at];
    if (c === "{") {
      this.#at++;
      return this.#members(depth, "}");
    }
    if (c === "[") return this.#array(depth);
    if (c === '"' || (c !== undefined && QUOTES.has(c))) {
      const value = this.#string();
      return { kind: "string", at, end: this.#at, value };
    }
    for (const [word, value] of [
      ["true", true],
      ["false", false],
      ["null", null],
    ] as const)
      if (this.#text.startsWith(word, at)) {
        this.#at += word.length;
        return { kind: "literal", at, end: this.#at, value };
      }
    return this.#number();
  }

  #number(): Json {
    const at = this.#at;
    NUMBER.lastIndex = at;
    const match = NUMBER.exec(this.#text);
    if (match === null) this.#stop("json.value", `${this.#seen()} where a value is needed`);
    this.#at += match![0].length;
    if (/[\w.]/.test(this.#text[this.#at] ?? ""))
      this.#stop("json.number", "no JSON number", 'hexadecimal is written as a string, "0x86dd"');
    return { kind: "number", at, end: this.#at, value: Number(match![0]) };
  }

  #array(depth: number): Json {
    const at = this.#at++;
    const items: Json[] = [];
    for (let first = true; ; first = false) {
      this.#skip();
      if (this.#take("]")) break;
      if (!first) {
        const comma = this.#at;
        this.#comma();
        if (this.#take("]")) {
          this.#slip("json.comma", "a comma behind the last element", "remove it", comma);
          break;
        }
      }
      items.push(this.#value(depth + 1));
    }
    return { kind: "array", at, end: this.#at, items };
  }

  #members(depth: number, close: string | null): Json {
    const at = close === null ? this.#at : this.#at - 1;
    const props = new Map<string, JsonProp>();
    const ended = (): boolean => (close === null ? this.#at === this.#text.length : this.#take(close));
    for (let first = true; ; first = false) {
      this.#skip();
      if (ended()) break;
      if (!first) {
        const comma = this.#at;
        this.#comma();
        if (ended()) {
          this.#slip("json.comma", "a comma behind the last property", "remove it", comma);
          break;
        }
      }
      this.#member(depth, props);
    }
    return { kind: "object", at, end: this.#at, props };
  }

  #member(depth: number, props: Map<string, JsonProp>): void {
    const at = this.#at;
    const c = this.#text[at];
    if (c !== '"' && (c === undefined || !QUOTES.has(c)))
      this.#stop("json.key", `${this.#seen()} where a property name in quotes is needed`);
    const name = this.#string();
    this.#skip();
    if (!this.#take(":")) this.#stop("json.colon", `${this.#seen()} where ':' is needed`);
    this.#skip();
    const value = this.#value(depth + 1);
    if (props.has(name))
      this.#tell("json.duplicate", `property '${clip(name)}' occurs twice in one object`, at);
    else props.set(name, { at, value });
  }

  #comma(): void {
    if (this.#take(",")) {
      this.#skip();
      return;
    }
    if (!this.#lenient || this.#at >= this.#text.length || "]}:".includes(this.#text[this.#at]!))
      this.#stop("json.comma", `${this.#seen()} where ',' or the end of the list is needed`);
    this.#slip("json.comma", "a comma is missing", "put one here");
  }

  #string(): string {
    const open = this.#text[this.#at]!;
    if (open !== '"')
      this.#slip("json.quotes", `typographic quote ${open}`, 'write strings in plain quotes "..."');
    const start = ++this.#at;
    let out = "";
    let from = start;
    for (;;) {
      const c = this.#text[this.#at];
      if (c === undefined || c === "\n") this.#stop("json.string", "a string without its closing quote");
      if (c === '"' || (open !== '"' && QUOTES.has(c!))) break;
      if (c === "\\") {
        out += this.#text.slice(from, this.#at) + this.#escape();
        from = this.#at;
      } else if (c!.charCodeAt(0) < 0x20) this.#stop("json.string", "a control character inside a string");
      else this.#at++;
    }
    out += this.#text.slice(from, this.#at++);
    return out;
  }

  #escape(): string {
    const c = this.#text[this.#at + 1] ?? "";
    if (c === "u") {
      const hex = this.#text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.#stop("json.string", "\\u needs four hexadecimal digits");
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const plain = Object.hasOwn(ESCAPES, c) ? ESCAPES[c] : undefined;
    if (plain === undefined) this.#stop("json.string", `\\${c} is no escape of JSON`);
    this.#at += 2;
    return plain!;
  }

  /** White space, and comments where they are tolerated. */
  #skip(): void {
    for (;;) {
      while (SPACE.has(this.#text.charCodeAt(this.#at))) this.#at++;
      if (this.#text[this.#at] !== "#" && !this.#text.startsWith("//", this.#at)) return;
      this.#slip("json.comment", "a comment", 'JSON has none; use a "comment" property');
      const end = this.#text.indexOf("\n", this.#at);
      this.#at = end < 0 ? this.#text.length : end;
    }
  }

  #take(c: string): boolean {
    if (this.#text[this.#at] !== c) return false;
    this.#at++;
    return true;
  }

  #seen(): string {
    const c = this.#text[this.#at];
    return c === undefined ? "the end of the text" : `'${c}'`;
  }

  /** Something JSON forbids: the end, or, when lenient, a warning once for each kind. */
  #slip(code: string, message: string, suggestion: string, at: number = this.#at): void {
    if (!this.#lenient) this.#stop(code, message, suggestion, at);
    if (this.#told.has(code)) return;
    this.#told.add(code);
    this.diagnostics.push({ code, message, offset: at, suggestion, severity: "warning" });
  }

  #tell(code: string, message: string, offset: number): void {
    if (this.diagnostics.length < JSON_LIMITS.diagnostics) this.diagnostics.push({ code, message, offset });
  }

  #stop(code: string, message: string, suggestion?: string, at: number = this.#at): void {
    this.diagnostics.push({
      code,
      message,
      offset: at,
      ...(suggestion === undefined ? {} : { suggestion }),
    });
    throw new Stop();
  }
}

/** A copy whose objects may be changed without changing the original; plain values are shared. */
export function cloneTree(json: Json): Json {
  if (json.kind === "array") return { ...json, items: json.items.map(cloneTree) };
  if (json.kind !== "object") return json;
  const props = new Map<string, JsonProp>();
  for (const [name, p] of json.props) props.set(name, { at: p.at, value: cloneTree(p.value) });
  return { ...json, props };
}

/** At most 40 characters of a name from outside. */
export function clip(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
}

/** Add line, column and JSON path to diagnostics that carry an offset. */
export function locate(text: string, root: Json | null, found: readonly Diagnostic[]): Diagnostic[] {
  // one pass over the text, whatever its number of lines
  const places = new Map<number, { line: number; column: number }>();
  const offsets = new Set(found.flatMap((d) => (d.offset === undefined ? [] : [d.offset])));
  let line = 1;
  let start = 0;
  for (const offset of [...offsets].sort((a, b) => a - b)) {
    for (let end = text.indexOf("\n", start); end >= 0 && end < offset; end = text.indexOf("\n", start)) {
      line++;
      start = end + 1;
    }
    places.set(offset, { line, column: offset - start + 1 });
  }
  return found.map((d) => {
    if (d.offset === undefined) return d;
    const path = d.path ?? (root === null ? undefined : pathOf(root, d.offset));
    return { ...d, ...places.get(d.offset)!, ...(path === undefined ? {} : { path }) };
  });
}

/** JSON path of the innermost value or property that holds the offset; the root is `$`. */
function pathOf(root: Json, offset: number): string {
  let path = "";
  let value: Json = root;
  for (;;) {
    const [step, inner]: [string, Json | null] = inside(value, offset);
    if (inner === null) return path === "" ? "$" : path;
    path += step.startsWith("[") || path === "" ? step : `.${step}`;
    if (inner.at > offset) return path;
    value = inner;
  }
}

function inside(value: Json, offset: number): [string, Json | null] {
  if (value.kind === "object") {
    for (const [name, p] of value.props)
      if (offset >= p.at && offset < p.value.end)
        return [/^[\w-]+$/.test(name) ? name : JSON.stringify(clip(name)), p.value];
  } else if (value.kind === "array") {
    for (const [i, item] of value.items.entries())
      if (offset >= item.at && offset < item.end) return [`[${i}]`, item];
  }
  return ["", null];
}
