/** Untrusted JSON to a document: shape, ranges and spellings; names are resolved later. */
import type { Diagnostic } from "../diagnostics.ts";
import { codeOf, isCode } from "../ir/codes.ts";
import type { CprDocument } from "../ir/document.ts";
import { type Kind, type Prop, type Shape, type ShapeName, shapeOf } from "./shapes.ts";
import { clip, JSON_LIMITS, type Json, type JsonObject } from "./text.ts";

/** Where the objects of a document stand in their text. */
export class Origins {
  readonly #of: WeakMap<object, JsonObject> = new WeakMap();

  set(value: object, json: JsonObject): void {
    this.#of.set(value, json);
  }

  /** Offset of an object, or of one of its properties' values. */
  at(value: object, property?: string): number | undefined {
    const json = this.#of.get(value);
    if (json === undefined || property === undefined) return json?.at;
    for (const name of [property, ...this.#others(property)]) {
      const found = json.props.get(name);
      if (found !== undefined) return found.value.at;
    }
    return json.at;
  }

  *#others(property: string): Generator<string> {
    yield property.replaceAll("-", "_");
    if (property === "tlv-parse-node") yield "tlvs-parse-node";
    if (property === "right-shift") yield "shift";
    if (property === "ents") yield "entries";
  }
}

/** A list of faults with a limit. */
export class Faults {
  readonly list: Diagnostic[] = [];
  #errors = 0;
  #dropped = 0;

  /** @param at - offset in the text */
  error(code: string, message: string, at?: number, suggestion?: string): void {
    this.#errors++;
    this.#push({
      code,
      message,
      ...(at === undefined ? {} : { offset: at }),
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  }

  warn(code: string, message: string, at?: number, suggestion?: string): void {
    this.#push({
      code,
      message,
      severity: "warning",
      ...(at === undefined ? {} : { offset: at }),
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  }

  add(found: readonly Diagnostic[]): void {
    for (const d of found) {
      if (d.severity !== "warning") this.#errors++;
      this.#push(d);
    }
  }

  /** Nothing more is listed: suggestions need not be looked for. */
  get full(): boolean {
    return this.list.length >= JSON_LIMITS.diagnostics;
  }

  get failed(): boolean {
    return this.#errors > 0;
  }

  /** Everything told, with a last word on what was left out. */
  all(): Diagnostic[] {
    if (this.#dropped === 0) return this.list;
    return [...this.list, { code: "cpr.more", message: `${this.#dropped} more faults are not listed` }];
  }

  #push(d: Diagnostic): void {
    if (!this.full) this.list.push(d);
    else this.#dropped++;
  }
}

/** Read a document's tree. Unknown properties are errors, or warnings when `lenient`. */
export function readDocument(
  root: Json,
  origins: Origins,
  faults: Faults,
  lenient: boolean,
): CprDocument | null {
  const reader = new ShapeReader(origins, faults, lenient);
  const value = reader.object(root, "document");
  return value === null ? null : (value as unknown as CprDocument);
}

type Plain = Record<string, unknown>;

class ShapeReader {
  readonly #origins: Origins;
  readonly #faults: Faults;
  readonly #lenient: boolean;

  constructor(origins: Origins, faults: Faults, lenient: boolean) {
    this.#origins = origins;
    this.#faults = faults;
    this.#lenient = lenient;
  }

  object(json: Json, name: ShapeName): Plain | null {
    if (json.kind !== "object") {
      this.#wrong(json, "an object");
      return null;
    }
    const shape = shapeOf(name);
    const spellings = spellingsOf(name);
    const out: Plain = {};
    this.#origins.set(out, json);
    if (name === "any") return out;
    for (const [key, p] of json.props) {
      const property = spellings.get(key);
      if (property === undefined) this.#unknown(key, p.at, shape);
      else if (Object.hasOwn(out, property))
        this.#faults.error("cpr.twice", `'${key}' and another spelling of '${property}' in one object`, p.at);
      else {
        const value = this.#value(p.value, shape[property]!.kind);
        if (value !== undefined) out[property] = value;
      }
    }
    for (const [property, spec] of Object.entries(shape))
      if (spec.required === true && !Object.hasOwn(out, property) && !given(json, property, spec))
        this.#faults.error("cpr.missing", `property '${property}' is missing: ${spec.doc}`, json.at);
    return out;
  }

  #value(json: Json, kind: Kind): unknown {
    switch (kind.t) {
      case "int":
        return this.#int(json, kind.min, kind.max);
      case "bool":
        return json.kind === "literal" && json.value !== null
          ? json.value
          : this.#wrong(json, "true or false");
      case "text":
        return this.#text(json);
      case "texts":
        return this.#items(json, (item) => this.#text(item));
      case "word":
        return this.#word(json, kind.of);
      case "code":
        return this.#code(json);
      case "object":
        return this.object(json, kind.shape) ?? undefined;
      case "list":
        return this.#items(json, (item) => this.object(item, kind.shape) ?? undefined);
      case "either":
        return this.#either(json, kind.of);
    }
  }

  #either(json: Json, of: readonly Kind[]): unknown {
    const word = of.find(
      (k): k is Extract<Kind, { t: "word" }> =>
        k.t === "word" && json.kind === "string" && k.of.includes(json.value.replaceAll("_", "-")),
    );
    if (word !== undefined) return this.#word(json, word.of);
    const chosen =
      of.find((k) => k.t !== "word" && accepts(k, json)) ??
      (of.some((k) => k.t === "object") ? undefined : of.find((k) => k.t === "word"));
    return chosen === undefined
      ? this.#wrong(json, of.map(describe).join(" or "))
      : this.#value(json, chosen);
  }

  #items(json: Json, read: (item: Json) => unknown): unknown[] | undefined {
    if (json.kind !== "array") return this.#wrong(json, "an array");
    const out: unknown[] = [];
    for (const item of json.items) {
      const value = read(item);
      if (value !== undefined) out.push(value);
    }
    return out;
  }

  #int(json: Json, min: number, max: number): number | undefined {
    const value = integerOf(json);
    if (value !== null && value >= min && value <= max) return value;
    return this.#wrong(json, min === max ? `the number ${min}` : `a whole number from ${min} to ${max}`);
  }

  #text(json: Json): string | undefined {
    if (json.kind !== "string") return this.#wrong(json, "a string");
    if (json.value.length > 0 && json.value.length <= 256) return json.value;
    this.#faults.error(
      "cpr.value",
      `a string of ${json.value.length} characters; 1 to 256 are accepted`,
      json.at,
    );
    return undefined;
  }

  #word(json: Json, of: readonly string[]): string | undefined {
    if (json.kind === "string") {
      const found = of.find((w) => w === json.value || w === json.value.replaceAll("-", "_"));
      if (found !== undefined) return found;
      const near = nearest(json.value, of);
      this.#faults.error(
        "cpr.value",
        `'${clip(json.value)}'; one of: ${of.join(", ")}`,
        json.at,
        near === null ? undefined : `'${near}'`,
      );
      return undefined;
    }
    return this.#wrong(json, `one of: ${of.join(", ")}`);
  }

  #code(json: Json): number | undefined {
    if (json.kind === "string" && !/^-?\d+$/.test(json.value)) {
      const code = codeOf(json.value);
      if (code !== null) return code;
      return this.#wrong(json, "a code: its number or its name (stop_okay, stop_length, ...)");
    }
    const value = json.kind === "string" ? Number(json.value) : integerOf(json);
    if (value !== null && isCode(value)) return value;
    return this.#wrong(json, "a code: its number (0, -4, -12 to -34) or its name (stop_okay, ...)");
  }

  #unknown(key: string, at: number, shape: Shape): void {
    const near = this.#faults.full ? null : nearest(key, Object.keys(shape));
    const suggestion = near === null ? undefined : `'${near}'`;
    const message = `property '${clip(key)}' is not known here`;
    if (this.#lenient) this.#faults.warn("cpr.unknown", message, at, suggestion);
    else this.#faults.error("cpr.unknown", message, at, suggestion);
  }

  #wrong(json: Json, needed: string): undefined {
    const seen =
      json.kind === "string"
        ? `'${clip(json.value)}'`
        : json.kind === "object" || json.kind === "array"
          ? `an ${json.kind}`
          : String(json.value);
    this.#faults.error("cpr.value", `${seen} where ${needed} is needed`, json.at);
    return undefined;
  }
}

/** A whole number, or hexadecimal in a string; null for anything else. */
export function integerOf(json: Json): number | null {
  if (json.kind === "number") return Number.isSafeInteger(json.value) ? json.value + 0 : null;
  if (json.kind === "string" && /^0x[0-9a-f]{1,13}$/i.test(json.value)) return Number(json.value);
  return null;
}

function accepts(kind: Kind, json: Json): boolean {
  switch (kind.t) {
    case "object":
      return json.kind === "object";
    case "int":
      return json.kind === "number" || (json.kind === "string" && /^0x/i.test(json.value));
    case "code":
      return json.kind === "number" || json.kind === "string";
    default:
      return json.kind === "string";
  }
}

function describe(kind: Kind): string {
  switch (kind.t) {
    case "int":
      return "a number";
    case "object":
      return "an object";
    case "code":
      return "a code";
    case "word":
      return kind.of.map((w) => `"${w}"`).join(" or ");
    default:
      return "a string";
  }
}

/** Was the property there, though unusable? Its fault is told already. */
function given(json: JsonObject, property: string, spec: Prop): boolean {
  return [property, ...(spec.also ?? [])].some((s) => json.props.has(s));
}

const SPELLINGS: Map<ShapeName, Map<string, string>> = new Map();

/** Every spelling of an object's properties: the written one, with underscores, and the dialects'. */
function spellingsOf(name: ShapeName): Map<string, string> {
  let found = SPELLINGS.get(name);
  if (found !== undefined) return found;
  found = new Map();
  for (const [property, spec] of Object.entries(shapeOf(name)))
    for (const s of [property, property.replaceAll("-", "_"), ...(spec.also ?? [])])
      if (!found.has(s)) found.set(s, property);
  SPELLINGS.set(name, found);
  return found;
}

/** The word most like `text`, if one is near. */
export function nearest(text: string, words: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(2, Math.floor(Math.min(text.length, 40) / 3)) + 1;
  for (const word of words) {
    const d = distance(text.slice(0, 40).toLowerCase(), word.toLowerCase());
    if (d < least) {
      least = d;
      best = word;
    }
  }
  return best;
}

/** Edits between two short strings. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
