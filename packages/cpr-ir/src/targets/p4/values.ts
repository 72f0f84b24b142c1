/** Loads, amounts and conditions as expressions of P4. */
import { type Amount, type Check, type Expr, fieldMax, type Load } from "../../ir/types.ts";
import type { HeaderLayout, Value } from "./layout.ts";
import type { Branch, Program } from "./program.ts";

/** A header, TLV, flag field or element while it is looked at. */
export interface Unit {
  /** Its first byte, from the packet's start. */
  readonly at: string;
  readonly length: string;
  /** Null: it has no bytes of its own. */
  readonly header: HeaderLayout | null;
}

/** Bytes of the packet. */
export const END = "std.packet_length";

/** `0x` for what is larger than a digit. */
export function literal(n: number): string {
  return n < 10 ? String(n) : `0x${n.toString(16)}`;
}

/** A value with 32 bits, or another width. */
export function widen(value: Value, width = 32): string {
  return value.width === width ? value.text : `(bit<${width}>)${value.text}`;
}

/** Bytes of the unit, the last one first where `little`. */
export function bytesOf(unit: Unit, off: number, len: number, little: boolean): Value {
  const header = unit.header!;
  if (!little || len === 1) return header.read(off, len);
  const bytes = Array.from({ length: len }, (_, i) => header.read(off + len - 1 - i, 1).text);
  return { text: `(${bytes.join(" ++ ")})`, width: 8 * len };
}

/** A load. */
export function loadValue(program: Program, load: Load, unit: Unit): Value {
  let { text, width } = source(program, load, unit);
  const all = fieldMax(width / 8);
  const mask = (load.mask & all) >>> 0;
  if (mask !== all) text = `(${text} & ${literal(mask)})`;
  if (load.shift > 0) text = load.shift >= width ? "0" : `(${text} >> ${load.shift})`;
  if (text === "0") width = 32;
  return { text: text === "0" ? "32w0" : text, width };
}

function source(program: Program, load: Load, unit: Unit): Value {
  const { source: from } = load;
  switch (from.kind) {
    case "field":
      return bytesOf(unit, from.off, from.len, from.little);
    case "key":
      return { text: `meta.key${from.key}`, width: 32 };
    case "counter":
      return { text: program.counters[from.counter]!, width: 32 };
    case "remaining":
      return { text: `(${END} - ${unit.at})`, width: 32 };
  }
}

/** An amount, 32 bits. */
export function amountText(program: Program, amount: Amount, unit: Unit): string {
  if (amount.load === null || amount.multiplier === 0) return String(amount.add);
  let text = widen(loadValue(program, amount.load, unit));
  const shift = Math.log2(amount.multiplier);
  // shifts, which every toolchain has, where they do
  if (Number.isInteger(shift)) text = shift === 0 ? text : `(${text} << ${shift})`;
  else text = `(${text} * ${amount.multiplier})`;
  return amount.add === 0 ? text : `(${text} + ${amount.add})`;
}

const OPERATOR = {
  equal: "==",
  not_equal: "!=",
  greater_than: ">",
  greater_or_equal: ">=",
  less_than: "<",
  less_or_equal: "<=",
} as const;

/** A condition. */
export function condition(program: Program, expr: Expr, unit: Unit): string {
  if (expr.kind !== "compare") {
    if (expr.ents.length === 0) return expr.kind === "and" ? "true" : "false";
    const parts = expr.ents.map((e) => condition(program, e, unit));
    return parts.length === 1 ? parts[0]! : `(${parts.join(expr.kind === "and" ? " && " : " || ")})`;
  }
  const load = loadValue(program, expr.load, unit);
  // a constant beyond the field's width would be cut to it
  const text = expr.value > fieldMax(load.width / 8) ? widen(load) : load.text;
  return `(${text} ${OPERATOR[expr.op]} ${literal(expr.value)})`;
}

/** Branches of conditions that do not hold; `target` says where a code leads. */
export function failing(
  program: Program,
  checks: readonly Check[],
  unit: Unit,
  target: (code: number) => string | null,
): Branch[] {
  return checks.map((c) => [`!${condition(program, c.expr, unit)}`, target(c.fail)]);
}
