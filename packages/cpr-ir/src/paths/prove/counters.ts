/** Counters whose values are known, through nodes that are not looked at otherwise. */
import { CODE } from "../../ir/codes.ts";
import type { CounterAction, Expr, ParseNode, Parser } from "../../ir/types.ts";
import { inlined } from "./unit.ts";

/** Values; null: not known. */
export type Counters = readonly (number | null)[];

const COUNTS = /"kind":"(inc|reset)"/;

/**
 * Counters behind a node.
 * @returns "end": the parse goes not on; null: not known
 */
export function countersBehind(p: Parser, node: ParseNode, before: Counters): Counters | "end" | null {
  if (node.body !== null && COUNTS.test(inlined(p, node.body))) return null;
  // a check may end a node well without its counters' steps
  const skips = (fail: number): boolean => fail === CODE.STOP_NODE_OKAY || fail === CODE.STOP_SUB_NODE_OKAY;
  if (node.preChecks.some((c) => skips(c.fail))) return null;
  const after = [...before];
  if (node.preChecks.some((c) => holds(c.expr, after) === false)) return "end";
  if (!count(p, node.actions.pre, after) || !count(p, node.actions.post, after)) return "end";
  if (node.next === null) return "end";
  if (node.encap)
    for (const [i, c] of p.counters.entries()) if (c.resetAtEncap && after[i] !== null) after[i] = 0;
  return node.condExprs.some((c) => holds(c.expr, after) === false) ? "end" : after;
}

/** Count; false: the parse ends. */
function count(p: Parser, actions: readonly CounterAction[], counters: (number | null)[]): boolean {
  for (const { counter, kind } of actions) {
    const { max, errorExceeded } = p.counters[counter]!;
    const n = counters[counter]!;
    if (n === null) continue;
    if (kind === "reset") counters[counter] = 0;
    else if (n < max) counters[counter] = n + 1;
    else if (errorExceeded) return false;
  }
  return true;
}

/** Whether a condition holds, as far as counters tell; null: they do not. */
function holds(expr: Expr, counters: Counters): boolean | null {
  if (expr.kind !== "compare") {
    const parts = expr.ents.map((e) => holds(e, counters));
    const decisive = expr.kind === "or";
    if (parts.includes(decisive)) return decisive;
    return parts.includes(null) ? null : !decisive;
  }
  const { source, mask, shift } = expr.load;
  const value = source.kind === "counter" ? counters[source.counter]! : null;
  if (value === null) return null;
  const n = (value & mask) >>> shift;
  switch (expr.op) {
    case "equal":
      return n === expr.value;
    case "not_equal":
      return n !== expr.value;
    case "greater_than":
      return n > expr.value;
    case "greater_or_equal":
      return n >= expr.value;
    case "less_than":
      return n < expr.value;
    case "less_or_equal":
      return n <= expr.value;
  }
}
