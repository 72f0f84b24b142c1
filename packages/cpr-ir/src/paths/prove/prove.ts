/**
 * A proof that two parsers do the same on every packet: a bisimulation.
 *
 * Both walk together. For a pair of nodes every way through both is tried, with bits of the header that are
 * unknown until a condition, a key or a comparison tells them; on each way both must do the same and lead to a
 * pair that is looked at in turn. What this cannot show it leaves open: a difference is never claimed here.
 */
import { CODE } from "../../ir/codes.ts";
import { type HdrLength, metadataSize, type ParseNode, type Parser, type Tlvs } from "../../ir/types.ts";
import { Choices, Contradiction, Facts, type Vector } from "./facts.ts";
import { constantVector, Names } from "./names.ts";
import { inlined, type LogEntry, type Stepped, Stepper, USES_KEYS } from "./step.ts";

/** Pairs of nodes, and ways through one pair, beyond which nothing is said. */
const MAX_PAIRS = 4096;
const MAX_WAYS = 8192;

/** Two nodes that are reached by the same packets, and constants in which the key registers differ. */
interface PairState {
  readonly a: number;
  readonly b: number;
  /** By register: the same in both (null), known in each, or unknown and not the same (`free`). */
  readonly keys: readonly (null | "free" | readonly [number, number])[];
}

/** True: no packet tells the parsers apart. False: not shown. */
export function provedEqual(a: Parser, b: Parser): boolean {
  const [first, second] = [bounded(a), bounded(b)];
  if (!sameFrame(first, second)) return false;
  const exitsUseKeys = USES_KEYS.test(exitsOf(first));
  const registers = Math.max(a.numKeys, b.numKeys);
  const start: PairState = { a: a.root, b: b.root, keys: Array.from({ length: registers }, () => null) };
  const queue = [start];
  const seen = new Set([JSON.stringify(start)]);
  for (const pair of queue) {
    const next = successors(first, second, pair, exitsUseKeys);
    if (next === null) return false;
    for (const p of next) {
      const id = JSON.stringify(p);
      if (seen.has(id)) continue;
      seen.add(id);
      queue.push(p);
      if (queue.length > MAX_PAIRS) return false;
    }
  }
  return true;
}

/** The pairs that a pair leads to; null where the two may differ. */
function successors(a: Parser, b: Parser, pair: PairState, exitsUseKeys: boolean): PairState[] | null {
  const [one, other] = [a.nodes[pair.a]!, b.nodes[pair.b]!];
  if (one.minLen !== other.minLen || one.short !== other.short || lengthOf(one) !== lengthOf(other))
    return null;
  // lengths and exit nodes that look at registers which are not the same
  const same = pair.keys.every((k) => k === null);
  if (!same && USES_KEYS.test(lengthOf(one))) return null;
  if (same && workOf(a, one) === workOf(b, other)) return alike(one, other, pair);
  const names = new Names();
  const [keysA, keysB] = registers(pair, names);
  const found: PairState[] = [];
  const choices = new Choices();
  for (let ways = 0; ; ways++) {
    if (ways === MAX_WAYS) return null;
    choices.restart();
    const facts = new Facts(choices);
    try {
      const x = new Stepper(a, one, keysA, facts, names).run();
      const y = new Stepper(b, other, keysB, facts, names).run();
      if (told(x.log, facts) !== told(y.log, facts) || x.next < 0 !== y.next < 0) return null;
      const keys = compared(x, y, facts);
      if (exitsUseKeys && keys.some((k) => k !== null)) return null;
      if (x.next >= 0) found.push({ a: x.next, b: y.next, keys });
    } catch (error) {
      if (!(error instanceof Contradiction)) throw error;
    }
    if (!choices.advance()) return found;
  }
}

/** Nodes that are written alike lead to the same places in each. */
function alike(one: ParseNode, other: ParseNode, pair: PairState): PairState[] {
  if (one.next === null || other.next === null) return [];
  const targets = [
    ...one.next.table.map((e, i): [number, number] => [e.node, other.next!.table[i]!.node]),
    [one.next.wildcard, other.next.wildcard] as const,
  ];
  return targets.filter(([a]) => a >= 0).map(([a, b]) => ({ a, b, keys: pair.keys }));
}

/** All of a node but its name and where it leads to, as text. */
function workOf(p: Parser, node: ParseNode): string {
  const { name: _name, body, next, ...rest } = node;
  const table = next?.table.map((e) => e.key);
  return JSON.stringify([
    rest,
    body === null ? null : inlined(p, body),
    next === null ? null : [next.select, table, next.wildcard < 0, next.default],
  ]);
}

function registers(pair: PairState, names: Names): [Vector[], Vector[]] {
  const side = (which: 0 | 1): Vector[] =>
    pair.keys.map((k, i) =>
      k === null
        ? names.number(`key ${i}`)
        : k === "free"
          ? names.number(`key ${i} of ${which}`)
          : constantVector(k[which]),
    );
  return [side(0), side(1)];
}

/** How the key registers compare behind a step. */
function compared(x: Stepped, y: Stepped, facts: Facts): PairState["keys"] {
  return x.keys.map((k, i) => {
    const [one, other] = [bits(k, facts), bits(y.keys[i]!, facts)];
    if (one === other) return null;
    const [c, d] = [facts.constant(k), facts.constant(y.keys[i]!)];
    return c === null || d === null ? "free" : [c, d];
  });
}

function bits(v: Vector, facts: Facts): string {
  return Array.from({ length: 32 }, (_, i) => facts.resolve(v[i] ?? -1)).join(",");
}

/** A log under all that became known on the way. */
function told(log: readonly LogEntry[], facts: Facts): string {
  return log
    .map((e) =>
      typeof e === "string"
        ? e
        : [...e]
            .map(([place, bit]) => `${place}=${facts.resolve(bit)}`)
            .sort()
            .join(" "),
    )
    .join("\n");
}

/** Where the header ends, as text. */
function lengthOf(node: ParseNode): string {
  const flags = node.body?.kind === "flags" ? node.body : null;
  const fields = flags?.fields.map((f) => [f.flag, f.mask, f.len]);
  return JSON.stringify([
    node.hdrLen,
    node.hdrLen.kind === "flags" ? [flags?.load, flags?.start, fields] : null,
  ]);
}

/** Limits, memory, counters and exit nodes are the same. */
function sameFrame(a: Parser, b: Parser): boolean {
  const frame = (p: Parser): string =>
    JSON.stringify([
      p.maxNodes,
      p.maxEncaps,
      p.metametaSize,
      p.frameSize,
      p.frameSize === 0 ? 0 : p.frames,
      metadataSize(p),
      p.counters.map(({ name: _name, ...c }) => c),
      exitsOf(p),
    ]);
  return frame(a) === frame(b);
}

/** What the exit nodes write, as text. */
function exitsOf(p: Parser): string {
  const targets = [p.okayTarget, p.failTarget, p.encapTarget];
  return JSON.stringify(targets.map((t) => (t < 0 ? [] : p.nodes[t]!.actions.metadata)));
}

/** The same parser with every limit that cannot be met brought down to what can. */
function bounded(p: Parser): Parser {
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

/** Nodes on the longest way; infinite where there is a cycle. */
function deepest(p: Parser): number {
  const depth = p.nodes.map(() => 0);
  const open = new Set<number>();
  const visit = (index: number): number => {
    if (open.has(index)) return Number.POSITIVE_INFINITY;
    if (depth[index]! > 0) return depth[index]!;
    open.add(index);
    const next = p.nodes[index]!.next;
    const targets =
      next === null ? [] : [...next.table.map((e) => e.node), next.wildcard].filter((t) => t >= 0);
    let most = 0;
    for (const t of targets) most = Math.max(most, visit(t));
    open.delete(index);
    depth[index] = most + 1;
    return most + 1;
  };
  // a chain of thousands of nodes is deeper than the stack
  return p.nodes.length > 2048 ? Number.POSITIVE_INFINITY : visit(p.root);
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
