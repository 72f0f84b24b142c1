/** How many nodes a packet may visit, as far as the graph itself bounds it. */
import { ALL_ONES, type ParseNode, type Parser } from "../../../ir/types.ts";

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
  return (ticks + 1) * (between + 1);
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
  for (const { counter } of [...node.actions.pre, ...node.actions.post])
    for (const { expr } of node.condExprs) {
      if (resets.has(counter) || expr.kind !== "compare") continue;
      const { source, mask, shift } = expr.load;
      if (source.kind !== "counter" || source.counter !== counter || mask !== ALL_ONES || shift !== 0)
        continue;
      const most = expr.op === "less_or_equal" ? expr.value : expr.op === "less_than" ? expr.value - 1 : null;
      // the visit that steps beyond is the last
      if (most !== null && most < parser.counters[counter]!.max) return { counter, visits: most + 1 };
    }
  return null;
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
