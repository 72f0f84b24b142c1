/** Limits of a parser that cannot be met, brought down to what can: so parsers that differ in no more are alike. */
import { CODE } from "../../ir/codes.ts";
import type { HdrLength, ParseNode, Parser, Tlvs } from "../../ir/types.ts";
import { type Counters, countersBehind } from "./counters.ts";

/** The same parser with every limit that cannot be met brought down to what can. */
export function bounded(p: Parser): Parser {
  const depth = deepest(p);
  const maxNodes = Math.min(p.maxNodes, depth);
  const tunnels = p.nodes.filter((n) => n.encap && n.next !== null).length;
  const maxEncaps = Math.min(p.maxEncaps, maxNodes, depth === Number.POSITIVE_INFINITY ? maxNodes : tunnels);
  return {
    ...p,
    maxNodes,
    maxEncaps: tunnels === 0 ? 0 : maxEncaps,
    nodes: p.nodes.map(boundedNode),
  };
}

/** The same with no more encapsulations than counters let through. */
export function boundedByCounters(p: Parser): Parser {
  return { ...p, maxEncaps: Math.min(p.maxEncaps, mostEncaps(p)) };
}

/** Nodes on the longest way; infinite where there is a cycle. */
function deepest(p: Parser): number {
  const depth = p.nodes.map(() => 0);
  const open = new Set<number>();
  const visit = (index: number): number => {
    if (open.has(index)) return Number.POSITIVE_INFINITY;
    if (depth[index]! > 0) return depth[index]!;
    open.add(index);
    let most = 0;
    for (const t of targets(p.nodes[index]!)) most = Math.max(most, visit(t));
    open.delete(index);
    depth[index] = most + 1;
    return most + 1;
  };
  // a chain of thousands of nodes is deeper than the stack
  return p.nodes.length > 2048 ? Number.POSITIVE_INFINITY : visit(p.root);
}

/** Nodes that a node may lead to. */
function targets({ next }: ParseNode): number[] {
  if (next === null) return [];
  return [...new Set([...next.table.map((e) => e.node), next.wildcard])].filter((t) => t >= 0);
}

/** Looks at nodes, beyond which nothing is said of encapsulations. */
const MAX_VISITS = 100_000;

/**
 * Encapsulations that any packet can enter, or more: the longest way over nodes and counters' values, where every
 * condition that does not hang on counters alone may hold.
 */
function mostEncaps(p: Parser): number {
  interface Arrival {
    readonly node: number;
    readonly counters: Counters;
    readonly encaps: number;
  }
  const best = new Map<string, number>();
  const open: Arrival[] = [{ node: p.root, counters: p.counters.map(() => 0), encaps: 0 }];
  let most = 0;
  for (let visits = 0; open.length > 0; visits++) {
    const { node: index, counters, encaps } = open.pop()!;
    if (visits === MAX_VISITS || encaps > p.maxEncaps) return Number.POSITIVE_INFINITY;
    const node = p.nodes[index]!;
    const entered = node.encap && node.next !== null ? encaps + 1 : encaps;
    most = Math.max(most, entered);
    const after = countersBehind(p, node, counters);
    if (after === null) return Number.POSITIVE_INFINITY;
    if (after === "end") continue;
    for (const t of targets(node)) {
      const id = `${t} ${after.join(" ")}`;
      if ((best.get(id) ?? -1) >= entered) continue;
      best.set(id, entered);
      open.push({ node: t, counters: after, encaps: entered });
    }
  }
  return most;
}

/** Least length raised to the least that the header's field can say; limits of TLVs to what its bytes can hold. */
function boundedNode(node: ParseNode): ParseNode {
  const minLen = leastLength(node);
  const most = mostLength(node.hdrLen, node.minLen);
  const body = node.body?.kind === "tlvs" ? boundedTlvs(node.body, most) : node.body;
  return { ...node, minLen, body };
}

function leastLength(node: ParseNode): number {
  const { hdrLen, minLen, short } = node;
  if (hdrLen.kind !== "amount" || hdrLen.clamp || short !== CODE.STOP_LENGTH) return minLen;
  const { load, multiplier, add } = hdrLen.amount;
  if (load === null) return Math.max(minLen, add);
  const mask = load.mask >>> load.shift;
  // only where all values up to the mask occur
  if (((mask + 1) & mask) !== 0 || multiplier === 0) return minLen;
  const value = Math.max(0, Math.ceil((minLen - add) / multiplier));
  return value > mask ? minLen : Math.max(minLen, value * multiplier + add);
}

function mostLength(hdrLen: HdrLength, minLen: number): number {
  if (hdrLen.kind === "min") return minLen;
  if (hdrLen.kind !== "amount") return Number.POSITIVE_INFINITY;
  const { load, multiplier, add } = hdrLen.amount;
  return (load === null ? 0 : load.mask >>> load.shift) * multiplier + add;
}

function boundedTlvs(t: Tlvs, most: number): Tlvs {
  const room = Math.max(0, most - (t.start.load === null ? t.start.add : 0));
  // the shortest TLV is a one-byte padding, or the least length
  // a rest that is too short for a TLV is looked at too
  const count = t.pad1 >= 0 ? room : Math.ceil(room / Math.max(1, t.minLen));
  const single = Math.floor(room / Math.max(1, t.minLen));
  return {
    ...t,
    maxTlvs: Math.min(t.maxTlvs, count),
    maxNonPadding: Math.min(t.maxNonPadding, single),
    maxPaddingLength: Math.min(t.maxPaddingLength, room),
    maxConsecutivePadding: Math.min(t.maxConsecutivePadding, count),
  };
}
