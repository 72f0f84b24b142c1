/** How many nodes a packet may visit, as far as the graph itself bounds it. */
import type { Actions, Expr, ParseNode, Parser } from "../../../ir/types.ts";

/**
 * An upper bound of the nodes of a parse, whatever `maxNodes` says; infinite where none is found. Loops are bounded
 * by nodes that step a counter and go on only while it is small enough.
 */
export function mostVisits(parser: Parser): number {
  const resets = countersReset(parser);
  const limitOf = parser.nodes.map((n) => limit(parser, n, resets));
  const counters = new Map<number, number>();
  for (const l of limitOf)
    if (l !== null) counters.set(l.counter, Math.max(l.visits, counters.get(l.counter) ?? 0));
  const between = longestPath(parser, (n) => limitOf[n] !== null);
  const ticks = [...counters.values()].reduce((a, b) => a + b, 0);
  // and a leaf behind the last
  return (ticks + 1) * (between + 1) + 1;
}

function countersReset(parser: Parser): ReadonlySet<number> {
  const found = new Set<number>();
  for (const [i, c] of parser.counters.entries()) if (c.resetAtEncap) found.add(i);
  for (const { actions } of [...parser.nodes, ...parser.tlvNodes, ...parser.subNodes])
    for (const s of [...actions.pre, ...actions.post]) if (s.kind === "reset") found.add(s.counter);
  return found;
}

/** The counter that bounds visits of a node, and how many it allows. */
function limit(
  parser: Parser,
  node: ParseNode,
  resets: ReadonlySet<number>,
): { readonly counter: number; readonly visits: number } | null {
  for (const { counter } of [...node.actions.pre, ...node.actions.post]) {
    if (resets.has(counter)) continue;
    for (const { expr } of node.condExprs) {
      const most = bound(parser, node, expr, counter);
      // the visit that steps beyond is the last
      if (most !== null && most < parser.counters[counter]!.max) return { counter, visits: most + 1 };
    }
  }
  return null;
}

/** The largest value of a counter with which a condition lets a packet go on, other than to a leaf; null: none is known. */
function bound(parser: Parser, node: ParseNode, expr: Expr, counter: number): number | null {
  if (expr.kind === "or") {
    const others = expr.ents.filter((e) => bound(parser, node, e, counter) === null);
    const bounds = expr.ents.map((e) => bound(parser, node, e, counter)).filter((n) => n !== null);
    return bounds.length === 1 && others.every((e) => leadsToLeaf(parser, node, e)) ? bounds[0]! : null;
  }
  if (expr.kind !== "compare") return null;
  const { source, mask, shift } = expr.load;
  if (source.kind !== "counter" || source.counter !== counter || shift !== 0) return null;
  if ((parser.counters[counter]!.max & ~mask) !== 0) return null;
  return expr.op === "less_or_equal" ? expr.value : expr.op === "less_than" ? expr.value - 1 : null;
}

/** True for a condition that compares the key of the next node with that of a leaf. */
function leadsToLeaf(parser: Parser, { next }: ParseNode, expr: Expr): boolean {
  if (expr.kind !== "compare" || expr.op !== "equal" || next === null || next.select === null) return false;
  if (JSON.stringify(expr.load) !== JSON.stringify(next.select)) return false;
  const edge = next.table.find((e) => e.key === expr.value);
  return edge !== undefined && parser.nodes[edge.node]!.next === null;
}

/** Counters that something steps. */
export function countersStepped(parser: Parser): ReadonlySet<number> {
  const units = [...parser.nodes, ...parser.tlvNodes, ...parser.subNodes];
  return new Set(units.flatMap(({ actions }) => [...actions.pre, ...actions.post].map((s) => s.counter)));
}

/** Counters that never come to their highest value and would have to stay there. */
export function countersBelowMax(parser: Parser): ReadonlySet<number> {
  const resets = countersReset(parser);
  const out = new Set<number>();
  for (const i of parser.counters.keys()) {
    const steps = (u: { readonly actions: Actions }): boolean =>
      [...u.actions.pre, ...u.actions.post].some((s) => s.counter === i);
    if (resets.has(i) || [...parser.tlvNodes, ...parser.subNodes].some(steps)) continue;
    const once = (n: ParseNode): boolean =>
      [...n.actions.pre, ...n.actions.post].filter((s) => s.counter === i).length === 1;
    if (parser.nodes.every((n) => !steps(n) || (once(n) && limit(parser, n, resets)?.counter === i)))
      out.add(i);
  }
  return out;
}

/** Nodes of the longest path on which no node is excluded; infinite with a loop. */
function longestPath(parser: Parser, excluded: (node: number) => boolean): number {
  const known = new Map<number, number>();
  const visit = (n: number): number => {
    if (excluded(n)) return 0;
    const found = known.get(n);
    if (found !== undefined) return found;
    // seen again before it is known: a loop
    known.set(n, Number.POSITIVE_INFINITY);
    const { next } = parser.nodes[n]!;
    const targets = next === null ? [] : next.table.map((e) => e.node);
    if (next !== null && next.wildcard >= 0) targets.push(next.wildcard);
    const longest = 1 + targets.reduce((most, t) => Math.max(most, visit(t)), 0);
    known.set(n, longest);
    return longest;
  };
  return parser.nodes.reduce((most, _, n) => Math.max(most, visit(n)), 0);
}
