/** Packets that make a parser walk a given path: headers whose fields are chosen, everything else random. */
import type { Actions, Amount, Expr, Flags, Load, ParseNode, Parser, Tlvs } from "../ir/types.ts";
import type { Xorshift } from "./random.ts";

/** What a node of a path shall do next. */
export type Step =
  /** Look up this key. */
  | { readonly kind: "key"; readonly key: number }
  /** Look up a key that the table has not. */
  | { readonly kind: "miss" }
  /** Nothing: a leaf, or a look-up without table. */
  | { readonly kind: "any" };

/** A node and what it shall do. */
export interface Hop {
  readonly node: number;
  readonly step: Step;
}

/** Choices of a packet beyond its path. */
export interface Shape {
  /** Extra steps of header lengths over the least. */
  readonly longer: number;
  /** Which flags of flag fields are set: bit i for field i. */
  readonly flags: number;
  /** Types of the TLVs of the last hop, as indices into its table; null: padding only. */
  readonly tlvs: readonly number[] | null;
  /** Entry of the last hop's metadata whose condition shall hold; null: none. */
  readonly when: number | null;
}

/** A packet under construction: bits once chosen stay. */
export class PacketBuilder {
  bytes: Uint8Array = new Uint8Array(0);
  /** Key registers that the caller must set. */
  readonly keys: Uint32Array;
  readonly #parser: Parser;
  readonly #random: Xorshift;
  /** Bits that are chosen. */
  #fixed: Uint8Array = new Uint8Array(0);
  #length = 0;
  /** Where key registers come from: a load of the packet, a constant, or (absent) the caller. */
  readonly #keyFrom: Map<number, { readonly load: Load; readonly at: number } | number> = new Map();

  constructor(parser: Parser, random: Xorshift) {
    this.#parser = parser;
    this.#random = random;
    this.keys = new Uint32Array(parser.numKeys);
  }

  /** Append the headers of a path. */
  path(hops: readonly Hop[], shape: Shape): Uint8Array {
    let at = 0;
    for (const [i, hop] of hops.entries()) {
      const node = this.#parser.nodes[hop.node]!;
      const length = this.#header(
        node,
        at,
        hop.step,
        i === hops.length - 1 ? shape : { ...shape, tlvs: null, when: null },
      );
      if (!node.overlay) at += length;
    }
    this.#room(at + this.#random.below(8));
    return this.bytes.slice(0, this.#length);
  }

  /** One header at `at`; @returns its length */
  #header(node: ParseNode, at: number, step: Step, shape: Shape): number {
    this.#room(at + node.minLen);
    this.#choose(node, at, step);
    for (const c of node.preChecks) this.solve(c.expr, at, true);
    for (const c of node.condExprs) this.solve(c.expr, at, true);
    const when = shape.when === null ? null : (node.actions.metadata[shape.when]?.when ?? null);
    if (when !== null) this.solve(when, at, true);
    if (node.body?.kind === "flags") this.#flags(node.body, at, shape.flags);
    const length = this.#size(node, at, shape);
    this.#room(at + length);
    if (node.body?.kind === "tlvs") this.#tlvs(node.body, at, length, shape.tlvs);
    this.#keysOf(node.actions, at);
    return length;
  }

  /** Header length: the least that fits, and what the shape adds. */
  #size(node: ParseNode, at: number, shape: Shape): number {
    const want =
      node.minLen + (node.body?.kind === "tlvs" ? tlvBytes(this.#parser, node.body, shape.tlvs) : 0);
    switch (node.hdrLen.kind) {
      case "min":
        return node.minLen;
      case "rest":
        return node.minLen + this.#random.below(24);
      case "flags": {
        const body = node.body as Flags;
        const flags = this.get(body.load, at);
        let h = body.start;
        for (const f of body.fields) if ((flags & f.mask) >>> 0 === f.flag) h += f.len;
        return h;
      }
      case "amount":
        return this.#amount(node.hdrLen.amount, at, Math.max(want, node.minLen), shape.longer);
    }
  }

  /** Make an amount at least `want`, `longer` steps above the least; @returns what it became */
  #amount(amount: Amount, at: number, want: number, longer: number): number {
    if (amount.load === null) return amount.add;
    const most = amount.load.mask >>> amount.load.shift;
    const step = Math.max(amount.multiplier, 1);
    const least = Math.max(0, Math.ceil((want - amount.add) / step));
    this.put(amount.load, at, Math.min(least + longer, most));
    return this.get(amount.load, at) * amount.multiplier + amount.add;
  }

  /** Choose the next key; false where it cannot be had. */
  #choose(node: ParseNode, at: number, step: Step): boolean {
    const { next } = node;
    if (next === null || next.select === null || step.kind === "any") return true;
    if (step.kind === "key") return this.put(next.select, at, step.key);
    const known = new Set(next.table.map((e) => e.key));
    const most = next.select.mask >>> next.select.shift;
    for (let tries = 0; tries < 64; tries++) {
      const key =
        most > 1 && tries > 8 ? this.#random.below(most + 1) : (known.values().next().value ?? 0) + tries + 1;
      if (key > most || known.has(key) || !this.put(next.select, at, key)) continue;
      // any other unknown key would do too: a later header may choose it
      this.#release(next.select, at);
      return true;
    }
    return false;
  }

  #flags(body: Flags, at: number, chosen: number): void {
    for (const [i, f] of body.fields.entries()) {
      const bits = (chosen >> i) & 1 ? f.flag : 0;
      this.put({ ...body.load, mask: f.mask, shift: 0 }, at, bits);
    }
  }

  /** TLVs one behind the other, then padding to the header's end. */
  #tlvs(body: Tlvs, at: number, length: number, chosen: readonly number[] | null): void {
    const end = at + length;
    let from = at + (body.start.load === null ? body.start.add : this.#amount(body.start, at, 0, 0));
    for (const index of chosen ?? []) {
      const edge = body.table[index % Math.max(body.table.length, 1)];
      const size = edge === undefined ? body.minLen : tlvSize(this.#parser, edge.node, body.minLen, index);
      if (from + size > end) break;
      this.put(body.type, from, edge === undefined ? 0 : edge.key);
      this.#amount(body.length, from, size, 0);
      this.#tlvNode(edge?.node ?? -1, from, index);
      from += size;
    }
    for (; from < end; from++) {
      const filler = body.pad1 >= 0 ? body.pad1 : body.eol;
      if (filler >= 0) this.put({ source: byte(0), mask: 0xff, shift: 0 }, from, filler);
    }
  }

  #tlvNode(index: number, at: number, variant: number): void {
    if (index < 0) return;
    const node = this.#parser.tlvNodes[index]!;
    for (const c of node.checks) this.solve(c.expr, at, true);
    if (node.overlay?.select == null || node.overlay.table.length === 0) return;
    const edge = node.overlay.table[Math.floor(variant / 16) % node.overlay.table.length]!;
    this.put(node.overlay.select, at, edge.key);
  }

  /** Remember what key registers hold from here on. */
  #keysOf(actions: Actions, at: number): void {
    for (const m of actions.metadata) {
      if (m.target.kind !== "key") continue;
      if (m.when !== null && !this.holds(m.when, at)) continue;
      if (m.value.kind === "load") this.#keyFrom.set(m.target.key, { load: m.value.load, at });
      else if (m.value.kind === "constant") this.#keyFrom.set(m.target.key, m.value.value);
    }
  }

  /** Make a load give a value; false where chosen bits say otherwise or it cannot be chosen. */
  put(load: Load, at: number, value: number): boolean {
    if (load.source.kind === "key") {
      const from = this.#keyFrom.get(load.source.key);
      if (typeof from === "number") return from === value;
      if (from !== undefined) return this.put(from.load, from.at, value);
      this.keys[load.source.key] = ((this.keys[load.source.key]! & ~load.mask) | (value << load.shift)) >>> 0;
      return true;
    }
    if (load.source.kind !== "field") return false;
    const { off, len, little } = load.source;
    this.#room(at + off + len);
    const wanted = (value << load.shift) >>> 0;
    for (let pass = 0; pass < 2; pass++)
      for (let i = 0; i < len; i++) {
        const where = at + off + (little ? i : len - 1 - i);
        const mask = (load.mask >>> (8 * i)) & 0xff;
        const bits = (wanted >>> (8 * i)) & mask;
        if (pass === 0) {
          if ((this.#fixed[where]! & mask & (this.bytes[where]! ^ bits)) !== 0) return false;
        } else {
          this.bytes[where] = (this.bytes[where]! & ~mask) | bits;
          this.#fixed[where] = this.#fixed[where]! | mask;
        }
      }
    return true;
  }

  /** Let the bits of a load be chosen again. */
  #release(load: Load, at: number): void {
    if (load.source.kind !== "field") return;
    this.#fixed.fill(0, at + load.source.off, at + load.source.off + load.source.len);
  }

  /** What a load gives now. */
  get(load: Load, at: number): number {
    if (load.source.kind === "key") {
      const from = this.#keyFrom.get(load.source.key);
      const value =
        typeof from === "number"
          ? from
          : from === undefined
            ? this.keys[load.source.key]!
            : this.get(from.load, from.at);
      return (value & load.mask) >>> load.shift;
    }
    if (load.source.kind !== "field") return 0;
    const { off, len, little } = load.source;
    let value = 0;
    for (let i = 0; i < len; i++)
      value = (value << 8) | (this.bytes[at + off + (little ? len - 1 - i : i)] ?? 0);
    return (value & load.mask) >>> load.shift;
  }

  /** Whether a condition holds now; counters and lengths count as 0. */
  holds(expr: Expr, at: number): boolean {
    if (expr.kind === "and") return expr.ents.every((e) => this.holds(e, at));
    if (expr.kind !== "compare") return expr.ents.some((e) => this.holds(e, at));
    return compareNumbers(this.get(expr.load, at), expr.op, expr.value);
  }

  /** Make a condition hold, or not; false where that failed. */
  solve(expr: Expr, at: number, want: boolean): boolean {
    if (expr.kind === "compare") {
      if ((expr.op === "equal") !== want && this.holds(expr, at) === want) return true;
      if (expr.load.source.kind === "field" || expr.load.source.kind === "key")
        for (const v of valuesFor(expr.op, expr.value, want)) if (this.put(expr.load, at, v)) return true;
      return false;
    }
    const all = (expr.kind === "and") === want;
    if (all) return expr.ents.map((e) => this.solve(e, at, want)).every((s) => s);
    if (
      expr.ents.some(
        (e) => this.holds(e, at) === want && e.kind === "compare" && e.load.source.kind === "field",
      )
    )
      return true;
    const first = this.#random.below(expr.ents.length);
    for (let i = 0; i < expr.ents.length; i++)
      if (this.solve(expr.ents[(first + i) % expr.ents.length]!, at, want)) return true;
    return false;
  }

  /** Let the packet have at least `length` bytes; new ones are random. */
  #room(length: number): void {
    if (length <= this.#length) return;
    if (length > this.bytes.length) {
      const bytes = new Uint8Array(2 * length + 64);
      const fixed = new Uint8Array(2 * length + 64);
      bytes.set(this.bytes);
      fixed.set(this.#fixed);
      this.bytes = bytes;
      this.#fixed = fixed;
    }
    for (let i = this.#length; i < length; i++) this.bytes[i] = this.#random.below(256);
    this.#length = length;
  }
}

/** A one-byte field. */
function byte(off: number): Load["source"] {
  return { kind: "field", off, len: 1, little: false };
}

/** Bytes that the chosen TLVs take. */
function tlvBytes(parser: Parser, body: Tlvs, chosen: readonly number[] | null): number {
  let bytes = 0;
  for (const index of chosen ?? []) {
    const edge = body.table[index % Math.max(body.table.length, 1)];
    bytes += edge === undefined ? body.minLen : tlvSize(parser, edge.node, body.minLen, index);
  }
  return bytes;
}

/** Bytes of one TLV: its node's least, or the key where an overlay is chosen by the length. */
function tlvSize(parser: Parser, index: number, least: number, variant: number): number {
  const node = parser.tlvNodes[index]!;
  const overlay = node.overlay?.table ?? [];
  const edge = overlay[Math.floor(variant / 16) % Math.max(overlay.length, 1)];
  const inner = edge === undefined ? 0 : parser.tlvNodes[edge.node]!.minLen;
  return Math.max(node.minLen, least, inner);
}

function valuesFor(op: string, value: number, want: boolean): number[] {
  const equal = (op === "equal") === want;
  switch (op) {
    case "equal":
    case "not_equal":
      return equal
        ? [value]
        : [value ^ 1, value + 1, 0, value ^ 0x10, value << 1].map((v) => v >>> 0).filter((v) => v !== value);
    case "greater_than":
      return want ? [value + 1, value + 2] : [value, 0];
    case "greater_or_equal":
      return want ? [value, value + 1] : [Math.max(value - 1, 0), 0];
    case "less_than":
      return want ? [Math.max(value - 1, 0), 0] : [value, value + 1];
    default:
      return want ? [value, 0] : [value + 1, value + 2];
  }
}

function compareNumbers(a: number, op: string, b: number): boolean {
  switch (op) {
    case "equal":
      return a === b;
    case "not_equal":
      return a !== b;
    case "greater_than":
      return a > b;
    case "greater_or_equal":
      return a >= b;
    case "less_than":
      return a < b;
    default:
      return a <= b;
  }
}
