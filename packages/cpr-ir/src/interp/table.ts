/** Look-ups: tables as they are run, and their search. */
import { CODE } from "../ir/codes.ts";
import type * as ir from "../ir/types.ts";
import type { Keys, Table } from "./steps.ts";

const NO_EDGES: readonly ir.Edge[] = [];

/** Tables that many nodes share are made once. */
const KNOWN: WeakMap<readonly ir.Edge[], Keys> = /* @__PURE__ */ new WeakMap();

/** A look-up. */
export function table({ select, table: edges, wildcard, default: miss }: ir.Next): Table {
  // without a load every look-up is a miss
  return { keys: keysOf(select === null ? NO_EDGES : edges), wildcard, default: miss };
}

function keysOf(edges: readonly ir.Edge[]): Keys {
  const known = KNOWN.get(edges);
  if (known !== undefined) return known;
  const keys = scattered(edges) ?? {
    multiplier: 0,
    shift: 0,
    keys: Uint32Array.from(edges, (e) => e.key),
    nodes: Int32Array.from(edges, (e) => e.node),
  };
  KNOWN.set(edges, keys);
  return keys;
}

/** Keys in places that a multiplication tells, if one is soon found that gives each its own. */
function scattered(edges: readonly ir.Edge[]): Keys | null {
  if (edges.length > 64) return null;
  for (let bits = 32 - Math.clz32(edges.length) + 1; bits < 10; bits++)
    for (let odd = 1; odd < 32; odd += 2) {
      const multiplier = Math.imul(0x9e3779b1, odd);
      const keys = new Uint32Array(1 << bits);
      const nodes = new Int32Array(1 << bits).fill(-1);
      const free = edges.every(({ key, node }) => {
        const at = Math.imul(key, multiplier) >>> (32 - bits);
        const taken = nodes[at]! >= 0;
        keys[at] = key;
        nodes[at] = node;
        return !taken;
      });
      if (free) return { multiplier, shift: 32 - bits, keys, nodes };
    }
  return null;
}

/** Always a miss. */
export const NO_TABLE: Table = /* @__PURE__ */ table({
  select: null,
  table: NO_EDGES,
  wildcard: -1,
  default: CODE.OKAY,
});

/** Node of a key, or -1. */
export function find({ multiplier, shift, keys, nodes }: Keys, key: number): number {
  if (multiplier === 0) return search(keys, nodes, key >>> 0);
  const at = Math.imul(key, multiplier) >>> shift;
  return keys[at] === key >>> 0 ? nodes[at]! : -1;
}

function search(keys: Uint32Array, nodes: Int32Array, key: number): number {
  let low = 0;
  let high = keys.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = keys[middle]!;
    if (found === key) return nodes[middle]!;
    if (found < key) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
