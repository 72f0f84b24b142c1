/** Documents as text: one form, for people. */
import { codeName } from "../ir/codes.ts";
import type { CprDocument } from "../ir/document.ts";
import { type Kind, type ShapeName, shapeOf } from "./shapes.ts";

/** Columns that a value may fill before it is broken into lines. */
const WIDTH = 110;

/** Properties whose numbers are bits or protocol numbers: written in hexadecimal from 10 on. */
const HEX: ReadonlySet<string> = new Set(["mask", "flag", "flags-mask", "key", "value"]);

/** Print a document: properties in the format's order, defaults left out, codes by name. */
export function formatCpr(document: CprDocument): string {
  return `${layout(shaped(document as unknown as Plain, "document"), 0)}\n`;
}

type Plain = Readonly<Record<string, unknown>>;
type Text =
  | string
  | { readonly open: string; readonly close: string; readonly items: readonly [string, Text][] };

function shaped(value: Plain, name: ShapeName): Text {
  const items: [string, Text][] = [];
  for (const [property, spec] of Object.entries(shapeOf(name))) {
    const v = value[property];
    const same = v === spec.default || (spec.kind.t === "int" && numberOf(v) === spec.default);
    if (v === undefined || (same && spec.required !== true)) continue;
    items.push([`${JSON.stringify(property)}: `, ofKind(v, spec.kind, property)]);
  }
  return { open: "{", close: "}", items };
}

function ofKind(value: unknown, kind: Kind, property: string): Text {
  switch (kind.t) {
    case "code":
      return typeof value === "number"
        ? JSON.stringify(codeName(value).toLowerCase())
        : JSON.stringify(value);
    case "int":
      return HEX.has(property) && numberOf(value) > 9
        ? JSON.stringify(`0x${numberOf(value).toString(16)}`)
        : JSON.stringify(numberOf(value));
    case "object":
      return shaped(value as Plain, kind.shape);
    case "list":
      return {
        open: "[",
        close: "]",
        items: (value as Plain[]).map((v) => ["", shaped(v, kind.shape)]),
      };
    case "texts":
      return { open: "[", close: "]", items: (value as string[]).map((v) => ["", JSON.stringify(v)]) };
    case "either":
      return ofKind(value, chosen(value, kind.of), property);
    default:
      return JSON.stringify(value);
  }
}

/** Documents made in memory may hold numbers as hexadecimal strings. */
function numberOf(value: unknown): number {
  return Number(value);
}

function chosen(value: unknown, of: readonly Kind[]): Kind {
  const wanted =
    typeof value === "object"
      ? ["object"]
      : typeof value === "number" || /^0x/.test(String(value))
        ? ["int", "code"]
        : ["word", "text"];
  return of.find((k) => wanted.includes(k.t)) ?? of[0]!;
}

function layout(text: Text, indent: number): string {
  if (typeof text === "string") return text;
  const flat = oneLine(text);
  if (flat !== null && indent + flat.length <= WIDTH) return flat;
  const pad = " ".repeat(indent + 2);
  const lines = text.items.map(([name, v]) => `${pad}${name}${layout(v, indent + 2)}`);
  return `${text.open}\n${lines.join(",\n")}\n${" ".repeat(indent)}${text.close}`;
}

/** The value on one line, or null when it is certainly too long. */
function oneLine(text: Text): string | null {
  if (typeof text === "string") return text;
  const parts: string[] = [];
  let length = 4;
  for (const [name, v] of text.items) {
    const inner = oneLine(v);
    if (inner === null) return null;
    length += name.length + inner.length + 2;
    if (length > WIDTH) return null;
    parts.push(name + inner);
  }
  const space = text.open === "{" && parts.length > 0 ? " " : "";
  return `${text.open}${space}${parts.join(", ")}${space}${text.close}`;
}
