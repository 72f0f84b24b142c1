/** Making JSON trees out of JSON trees: each new value keeps the place of the one it came from. */
import { integerOf } from "../json/read.ts";
import type { Json, JsonObject } from "../json/text.ts";

/** A property's value, in any spelling. */
export function get(o: JsonObject, ...names: string[]): Json | undefined {
  for (const name of names)
    for (const spelling of [name, name.replaceAll("-", "_"), name.replaceAll("_", "-")]) {
      const p = o.props.get(spelling);
      if (p !== undefined) return p.value;
    }
  return undefined;
}

/** Take properties out. */
export function drop(o: JsonObject, ...names: string[]): void {
  for (const name of names)
    for (const spelling of [name, name.replaceAll("-", "_"), name.replaceAll("_", "-")])
      o.props.delete(spelling);
}

/** Set a property, at the place of `from`. */
export function set(o: JsonObject, name: string, value: Json): void {
  drop(o, name);
  o.props.set(name, { at: value.at, value });
}

export function numberAt(from: Json, value: number): Json {
  return { kind: "number", at: from.at, end: from.end, value };
}

export function stringAt(from: Json, value: string): Json {
  return { kind: "string", at: from.at, end: from.end, value };
}

export function boolAt(from: Json, value: boolean): Json {
  return { kind: "literal", at: from.at, end: from.end, value };
}

export function objectAt(from: Json, props: Readonly<Record<string, Json | undefined>>): JsonObject {
  const map = new Map<string, { at: number; value: Json }>();
  for (const [name, value] of Object.entries(props))
    if (value !== undefined) map.set(name, { at: value.at, value });
  return { kind: "object", at: from.at, end: from.end, props: map };
}

export function arrayAt(from: Json, items: Json[]): Json {
  return { kind: "array", at: from.at, end: from.end, items };
}

/** Objects of an array property; anything else is left to the reader to complain about. */
export function objects(value: Json | undefined): JsonObject[] {
  return value?.kind === "array" ? value.items.filter((i): i is JsonObject => i.kind === "object") : [];
}

export function isTrue(value: Json | undefined): boolean {
  return value?.kind === "literal" && value.value === true;
}

export function intOf(value: Json | undefined): number | undefined {
  return value === undefined ? undefined : (integerOf(value) ?? undefined);
}

export function textOf(value: Json | undefined): string | undefined {
  return value?.kind === "string" ? value.value : undefined;
}
