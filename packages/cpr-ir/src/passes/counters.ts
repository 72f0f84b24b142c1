/**
 * Counters that nobody looks at are dropped with their steps.
 *
 * pre: the parser is resolved. post: each counter is read, or chooses an array's element, or is incremented and
 * may fail; the others are gone and the rest is numbered anew in the same order, so that what the parser does on
 * any packet is as before.
 */
import type { Parser } from "../ir/types.ts";

/** Drop them. */
export function dropIdleCounters(parser: Parser): Parser {
  const { nodes, tlvNodes, subNodes, counters } = parser;
  const used = new Set<number>();
  visit([nodes, tlvNodes, subNodes], (counter, how) => {
    if (how === "read" || (how === "inc" && counters[counter]?.errorExceeded === true)) used.add(counter);
  });
  if (used.size === counters.length) return parser;
  const order = [...used].sort((a, b) => a - b);
  const kept = rewrite({ nodes, tlvNodes, subNodes }, new Map(order.map((c, i) => [c, i])));
  return { ...parser, ...kept, counters: order.map((c) => counters[c]!) };
}

type Use = "read" | "inc" | "reset";

/** The counter that an object of the parser names, and how; null for all others. */
function useOf(of: object): { readonly property: "counter" | "index"; readonly how: Use } | null {
  if (!("kind" in of)) return null;
  const { kind } = of;
  if (kind === "counter") return { property: "counter", how: "read" };
  if ((kind === "inc" || kind === "reset") && "counter" in of) return { property: "counter", how: kind };
  const indexed = kind === "memory" && "index" in of && of.index !== null;
  return indexed ? { property: "index", how: "read" } : null;
}

function visit(of: unknown, told: (counter: number, how: Use) => void): void {
  if (typeof of !== "object" || of === null) return;
  const use = useOf(of);
  if (use !== null) told((of as Record<string, number>)[use.property]!, use.how);
  for (const v of Object.values(of)) visit(v, told);
}

/** A copy with counters by their new numbers, without the steps of those that have none. */
function rewrite<T>(of: T, to: ReadonlyMap<number, number>): T {
  if (typeof of !== "object" || of === null) return of;
  if (Array.isArray(of)) return of.filter((v) => !isIdle(v, to)).map((v) => rewrite(v, to)) as T;
  const out = Object.fromEntries(Object.entries(of).map(([k, v]) => [k, rewrite(v, to)]));
  const use = useOf(of);
  if (use !== null) out[use.property] = to.get((of as Record<string, number>)[use.property]!);
  return out as T;
}

function isIdle(of: unknown, to: ReadonlyMap<number, number>): boolean {
  if (typeof of !== "object" || of === null) return false;
  const use = useOf(of);
  return use !== null && use.how !== "read" && !to.has((of as { counter: number }).counter);
}
