/**
 * Test packets of a parser: one for each path, and their neighbours at every boundary.
 *
 * A path leads from the root to a node by the shortest way, takes one of its edges, and goes on to a leaf.
 * Cycles are walked until the limits trip. From each path's packet come the mutations: truncations around
 * every header's start, least length and end, and every field that is looked at (keys, lengths, conditions,
 * flags, copied values) with its neighbours, single bits, zeros and ones.
 */
import { Interpreter } from "../interp/run.ts";
import type { Expr, Load, Metadata, ParseNode, Parser, Tlvs } from "../ir/types.ts";
import { type Hop, PacketBuilder, type Shape } from "./build.ts";
import { Xorshift } from "./random.ts";

/** A packet and what the caller sets before the parse. */
export interface ParserCase {
  readonly packet: Uint8Array;
  readonly keys: Uint32Array;
  /** Path packet or mutation; for people. */
  readonly note: string;
}

/** Cases, and the edges that no packet walked. */
export interface GeneratedCases {
  readonly cases: readonly ParserCase[];
  /** Path packets among them, which come first. */
  readonly paths: number;
  /** `node key 0x..` of edges that no case takes. */
  readonly uncovered: readonly string[];
}

/** All steps at once. */
export function drained<T>(steps: Generator<unknown, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

const ATTEMPTS = 6;
/** Packets in which one node's header is changed; four times as many where it holds TLVs, flags or elements. */
const OFTEN = 10;

/** Make the cases of a parser; the same seed gives the same cases. */
export function generateCases(parser: Parser, seed = 1): GeneratedCases {
  return drained(generateCasesBySteps(parser, seed));
}

/** The same, step by step for whoever has to look up now and then; a step's value is the number of cases so far. */
export function* generateCasesBySteps(parser: Parser, seed = 1): Generator<number, GeneratedCases> {
  const random = new Xorshift(seed);
  const seen = new Set<string>();
  const cases: ParserCase[] = [];
  const add = (packet: Uint8Array, keys: Uint32Array, note: string): void => {
    const id = `${keys.join(",")}:${packet.join(",")}`;
    if (seen.has(id)) return;
    seen.add(id);
    cases.push({ packet, keys, note });
  };
  for (const [note, hops] of paths(parser))
    for (const shape of shapes(parser, hops, random)) {
      const built = build(parser, hops, shape, random);
      add(built.packet, built.keys, note);
      yield cases.length;
    }
  const bases = cases.length;
  const walker = new Walker(parser);
  for (let i = 0; i < bases; i++) {
    const base = cases[i]!;
    for (const packet of walker.neighbours(base)) add(packet, base.keys, `${base.note}, changed`);
    for (const keys of neighbourKeys(base.keys)) add(base.packet, keys, `${base.note}, other input`);
    yield cases.length;
  }
  return { cases, paths: bases, uncovered: uncovered(parser, cases) };
}

/** The best of a few builds: the one that walks the whole path. */
function build(
  parser: Parser,
  hops: readonly Hop[],
  shape: Shape,
  random: Xorshift,
): { packet: Uint8Array; keys: Uint32Array } {
  const run = new Interpreter(parser);
  let best: { packet: Uint8Array; keys: Uint32Array } | null = null;
  let most = -1;
  for (let i = 0; i < ATTEMPTS; i++) {
    const builder = new PacketBuilder(parser, random);
    const packet = builder.path(hops, shape);
    run.clear();
    run.keys.set(builder.keys);
    let matched = 0;
    let straight = true;
    run.trace = {
      node(index) {
        straight &&= hops[matched]?.node === index;
        if (straight) matched++;
      },
    };
    run.run(packet);
    if (matched > most) {
      most = matched;
      best = { packet, keys: builder.keys.slice() };
    }
    if (matched >= hops.length) break;
  }
  return best!;
}

/** All paths with a name. */
function* paths(parser: Parser): Generator<[string, Hop[]]> {
  const to = shortest(parser);
  const out = completions(parser);
  for (const [index, node] of parser.nodes.entries()) {
    const way = to[index];
    if (way === undefined || way === null) continue;
    for (const [note, hop, target] of edges(index, node)) {
      const rest = target < 0 ? [] : out[target]!;
      yield [`${node.name}${note}`, [...way, hop, ...rest]];
    }
    yield* cycles(parser, index, way, out);
  }
  yield* inside(parser, to, out);
}

/** Each node behind each encapsulation: what outer headers wrote must be overwritten, or stay. */
function* inside(
  parser: Parser,
  to: readonly (readonly Hop[] | null)[],
  out: readonly Hop[][],
): Generator<[string, Hop[]]> {
  for (const [index, node] of parser.nodes.entries()) {
    const way = to[index];
    if (!node.encap || way === undefined || way === null) continue;
    for (const [target, hops] of shortest(parser, index).entries())
      if (hops !== null && hops.length > 0)
        yield [`${parser.nodes[target]!.name} inside ${node.name}`, [...way, ...hops, ...out[target]!]];
  }
}

/** Paths that go round a cycle through a node, up to the limits of encapsulations, nodes and counters. */
function* cycles(
  parser: Parser,
  index: number,
  way: readonly Hop[],
  out: readonly Hop[][],
): Generator<[string, Hop[]]> {
  const around = cycle(parser, index);
  if (around === null) return;
  const name = parser.nodes[index]!.name;
  const rounds = new Set([1, 2, 3, 4]);
  if (around.some((h) => parser.nodes[h.node]!.encap)) {
    for (const more of [0, 1, 2]) if (parser.maxEncaps < 64) rounds.add(parser.maxEncaps + more);
  }
  for (const c of parser.counters) if (c.max < 64) for (const more of [0, 1]) rounds.add(c.max + more);
  // a leaf exactly at the limit of nodes, one before, one behind
  const most = Math.ceil((parser.maxNodes - way.length) / around.length);
  if (parser.maxNodes <= 1024) for (const more of [-2, -1, 0, 1]) rounds.add(Math.max(1, most + more));
  for (const n of rounds) {
    const hops = [...way];
    for (let i = 0; i < n && hops.length < parser.maxNodes + 4; i++) hops.push(...around);
    yield [`${name} round ${n}`, [...hops, ...out[index]!]];
  }
}

/** Each thing that a node may do next: a note, the hop, the target. */
function* edges(index: number, node: ParseNode): Generator<[string, Hop, number]> {
  const { next } = node;
  if (next === null || next.select === null) {
    yield [
      next === null ? " ends" : " goes on",
      { node: index, step: { kind: "any" } },
      next?.wildcard ?? -1,
    ];
    return;
  }
  for (const e of next.table)
    yield [` key 0x${e.key.toString(16)}`, { node: index, step: { kind: "key", key: e.key } }, e.node];
  yield [" misses", { node: index, step: { kind: "miss" } }, next.wildcard];
}

/** Hops before each node by the shortest way from a node. */
function shortest(parser: Parser, from: number = parser.root): (Hop[] | null)[] {
  const ways: (Hop[] | null)[] = parser.nodes.map(() => null);
  ways[from] = [];
  const queue = [from];
  for (let i = 0; i < queue.length; i++)
    for (const [, hop, target] of edges(queue[i]!, parser.nodes[queue[i]!]!)) {
      if (target < 0 || ways[target] !== null) continue;
      ways[target] = [...ways[queue[i]!]!, hop];
      queue.push(target);
    }
  return ways;
}

/** Hops from each node to the nearest end. */
function completions(parser: Parser): Hop[][] {
  const found: (Hop[] | null)[] = parser.nodes.map((n, node) =>
    n.next === null ? [{ node, step: { kind: "any" } }] : null,
  );
  for (let changed = true; changed; ) {
    changed = false;
    for (const [index, node] of parser.nodes.entries()) {
      if (found[index] !== null) continue;
      for (const [, hop, target] of edges(index, node))
        if (target >= 0 && found[target] !== null) {
          found[index] = [hop, ...found[target]!];
          changed = true;
          break;
        }
    }
  }
  return found.map((f, node) => f ?? [{ node, step: { kind: "any" } }]);
}

/** The shortest way from a node back to it. */
function cycle(parser: Parser, start: number): Hop[] | null {
  const ways = new Map<number, Hop[]>([[start, []]]);
  const queue = [start];
  for (let i = 0; i < queue.length; i++)
    for (const [, hop, target] of edges(queue[i]!, parser.nodes[queue[i]!]!)) {
      const way = [...ways.get(queue[i]!)!, hop];
      if (target === start) return way;
      if (target < 0 || ways.has(target)) continue;
      ways.set(target, way);
      queue.push(target);
    }
  return null;
}

/** Shapes worth a packet each: header lengths, flags one by one and together, TLVs one by one and together. */
function shapes(parser: Parser, hops: readonly Hop[], random: Xorshift): Shape[] {
  const last = parser.nodes[hops[hops.length - 1]!.node]!;
  const plain: Shape = { longer: 0, flags: 0, tlvs: null, when: null };
  const out: Shape[] = [plain];
  if (hops.length > 8) return out;
  const bodies = hops.map((h) => parser.nodes[h.node]!.body);
  const fields = Math.max(0, ...bodies.map((b) => (b?.kind === "flags" ? b.fields.length : 0)));
  if (fields > 0)
    for (let flags = 1; flags < 1 << Math.min(fields, 5); flags++) out.push({ ...plain, flags });
  if (hops.some((h) => parser.nodes[h.node]!.hdrLen.kind === "amount"))
    for (const longer of [1, 2, 5, 60]) out.push({ ...plain, longer, flags: random.below(256) });
  for (const [i, m] of last.actions.metadata.entries())
    for (let n = m.when === null ? 0 : 2 * parts(m.when); n > 0; n--) out.push({ ...plain, when: i });
  if (last.body?.kind === "tlvs") out.push(...tlvShapes(parser, last.body));
  return out;
}

/** Comparisons of a condition, at most 8. */
function parts(expr: Expr): number {
  return expr.kind === "compare"
    ? 1
    : Math.min(
        8,
        expr.ents.reduce((n, e) => n + parts(e), 0),
      );
}

function tlvShapes(parser: Parser, body: Tlvs): Shape[] {
  const out: Shape[] = [];
  const variants = body.table.flatMap((e, i) => {
    const n = parser.tlvNodes[e.node]!.overlay?.table.length ?? 1;
    return Array.from({ length: Math.max(n, 1) }, (_, v) => i + 16 * v);
  });
  for (const v of variants)
    for (const longer of [0, 1, 2]) out.push({ longer, flags: 0, tlvs: [v], when: null });
  out.push(
    { longer: 0, flags: 0, tlvs: variants.slice(0, 3), when: null },
    { longer: 1, flags: 0, tlvs: [...variants].reverse(), when: null },
  );
  return out;
}

/** Walks a packet once and changes everything that was looked at. */
class Walker {
  readonly #parser: Parser;
  readonly #run: Interpreter;
  /** How often each node's header was changed already. */
  readonly #done: number[];
  /** The same for long walks, which limits end. */
  readonly #doneLong: number[];

  constructor(parser: Parser) {
    this.#parser = parser;
    this.#done = parser.nodes.map(() => 0);
    this.#doneLong = parser.nodes.map(() => 0);
    this.#run = new Interpreter(parser);
  }

  *neighbours(base: ParserCase): Generator<Uint8Array> {
    const visits: [number, number, number][] = [];
    this.#run.clear();
    this.#run.keys.set(base.keys);
    this.#run.trace = { node: (index, off, length) => void visits.push([index, off, length]) };
    this.#run.run(base.packet);
    // long repetitions teach nothing new: the first and last few headers
    const chosen = visits.length <= 12 ? visits : [...visits.slice(0, 4), ...visits.slice(-6)];
    for (const [index, off, length] of chosen) {
      const node = this.#parser.nodes[index]!;
      const done = visits.length <= 12 ? this.#done : this.#doneLong;
      if (done[index]!++ >= (node.body === null ? OFTEN : 4 * OFTEN)) continue;
      yield* this.#cuts(base.packet, off, node.minLen, length);
      const fields = new Map<string, [Load, number, Set<number>]>();
      for (const [load, at, values] of looked(this.#parser, node, base.packet, off, length)) {
        const id = `${at} ${JSON.stringify(load)}`;
        const known = fields.get(id) ?? [load, at, new Set()];
        for (const v of values) known[2].add(v);
        fields.set(id, known);
      }
      for (const [load, at, values] of fields.values()) yield* changes(base.packet, load, at, [...values]);
    }
    yield Uint8Array.from([...base.packet, 0x5a]);
  }

  *#cuts(packet: Uint8Array, off: number, least: number, length: number): Generator<Uint8Array> {
    for (const end of [
      off,
      off + 1,
      off + least - 1,
      off + least,
      off + length - 1,
      off + length,
      off + length + 1,
    ])
      if (end >= 0 && end < packet.length) yield packet.slice(0, end);
  }
}

/** Loads of a node's header, where they lie, and the values that matter. */
function* looked(
  parser: Parser,
  node: ParseNode,
  packet: Uint8Array,
  off: number,
  length: number,
): Generator<[Load, number, readonly number[]]> {
  if (node.next?.select != null) yield [node.next.select, off, node.next.table.map((e) => e.key)];
  if (node.hdrLen.kind === "amount" && node.hdrLen.amount.load !== null)
    yield [node.hdrLen.amount.load, off, []];
  for (const c of [...node.preChecks, ...node.condExprs]) yield* compared(c.expr, off);
  yield* written([...node.actions.metadata, ...node.postMetadata], off);
  const { body } = node;
  if (body?.kind === "flags") {
    yield [body.load, off, body.fields.flatMap((f) => [f.flag, f.mask])];
    for (const f of body.fields)
      if (f.node >= 0) yield* written(parser.subNodes[f.node]!.actions.metadata, off + body.start);
  }
  if (body?.kind === "array") {
    if (body.count.load !== null) yield [body.count.load, off, []];
    if (body.type !== null) yield [body.type, off + body.start, body.table.map((e) => e.key)];
  }
  if (body?.kind === "tlvs") yield* lookedTlvs(parser, body, packet, off, length);
}

function* lookedTlvs(
  parser: Parser,
  body: Tlvs,
  packet: Uint8Array,
  off: number,
  length: number,
): Generator<[Load, number, readonly number[]]> {
  let at = off + (body.start.load === null ? body.start.add : 0);
  const first: Load = { source: { kind: "field", off: 0, len: 1, little: false }, mask: 0xff, shift: 0 };
  for (let n = 0; at < Math.min(off + length, packet.length) && n < 6; n++) {
    const byte = packet[at]!;
    yield [first, at, [body.pad1, body.eol].filter((v) => v >= 0)];
    if (byte === body.pad1 || byte === body.eol) {
      at++;
      continue;
    }
    yield [body.type, at, body.table.map((e) => e.key)];
    if (body.length.load === null) return;
    const { source, mask, shift } = body.length.load;
    const edge = body.table.find((e) => e.key === byte);
    const node = edge === undefined ? null : parser.tlvNodes[edge.node]!;
    const sizes = [body.minLen, node?.minLen ?? 0, ...(node?.overlay?.table.map((e) => e.key) ?? [])];
    yield [body.length.load, at, sizes];
    if (node !== null) yield* written(node.actions.metadata, at);
    const size =
      source.kind === "field"
        ? ((packet[at + source.off]! & mask) >>> shift) * body.length.multiplier + body.length.add
        : 0;
    if (size < 1) return;
    at += size;
  }
}

function* compared(expr: Expr, at: number): Generator<[Load, number, readonly number[]]> {
  if (expr.kind === "compare") yield [expr.load, at, [expr.value]];
  else for (const e of expr.ents) yield* compared(e, at);
}

function* written(list: readonly Metadata[], at: number): Generator<[Load, number, readonly number[]]> {
  for (const m of list) {
    if (m.when !== null) yield* compared(m.when, at);
    if (m.value.kind === "load") yield [m.value.load, at, []];
  }
}

/** A packet with one field changed in every way that may matter. */
function* changes(
  packet: Uint8Array,
  load: Load,
  at: number,
  values: readonly number[],
): Generator<Uint8Array> {
  if (load.source.kind !== "field") return;
  const { off, len, little } = load.source;
  if (at + off + len > packet.length) return;
  const all = len === 4 ? 0xffffffff : 2 ** (8 * len) - 1;
  let raw = 0;
  for (let i = 0; i < len; i++) raw = (raw * 256 + packet[at + off + (little ? len - 1 - i : i)]!) >>> 0;
  const within = (v: number): number => ((raw & ~load.mask) | ((v << load.shift) & load.mask)) >>> 0;
  const now = (raw & load.mask) >>> load.shift;
  const targets = new Set<number>();
  for (const v of [now + 1, now - 1, 0, all, ...values.flatMap((x) => [x, x - 1, x + 1])])
    targets.add(within(v >>> 0));
  for (let bit = 0; bit < 8 * len; bit++) targets.add((raw ^ (1 << bit)) >>> 0);
  targets.delete(raw);
  for (const target of targets) {
    const out = packet.slice();
    for (let i = 0; i < len; i++) out[at + off + (little ? i : len - 1 - i)] = (target >>> (8 * i)) & 0xff;
    yield out;
  }
}

/** Single bits of the inputs, the low ones. */
function* neighbourKeys(keys: Uint32Array): Generator<Uint32Array> {
  for (let k = 0; k < keys.length; k++)
    for (let bit = 0; bit < 4; bit++) {
      const out = keys.slice();
      out[k] = (out[k]! ^ (1 << bit)) >>> 0;
      yield out;
    }
}

function uncovered(parser: Parser, cases: readonly ParserCase[]): string[] {
  const taken = new Set<string>();
  const run = new Interpreter(parser);
  let last = -1;
  run.trace = {
    node(index) {
      if (last >= 0) taken.add(`${last} ${index}`);
      last = index;
    },
  };
  for (const c of cases) {
    last = -1;
    run.clear();
    run.keys.set(c.keys);
    run.run(c.packet);
  }
  const out: string[] = [];
  for (const [index, node] of parser.nodes.entries())
    for (const [note, , target] of edges(index, node))
      if (target >= 0 && !taken.has(`${index} ${target}`)) out.push(`${node.name}${note}`);
  return out;
}
