/**
 * Packets for a resolved parser, most of them made to go far: header after header, fields filled with keys that are in
 * the tables, lengths that fit, conditions that hold; then cut, lengthened or changed at a boundary. Only a guess at
 * what a parse does, so nothing here needs to be right.
 */
import { type Amount, type Expr, fieldMax, type Load, type Parser, type Tlvs } from "../../src/ir/types.ts";
import { mutate } from "./random.ts";
import type { Draw } from "./random-parts.ts";

/** A packet, and what the parse is given besides. */
export interface RandomCase {
  readonly packet: Uint8Array;
  readonly keys: Uint32Array;
}

const LONGEST = 600;

/** One case of a parser. */
export function randomCase(parser: Parser, r: Draw): RandomCase {
  const keys = Uint32Array.from({ length: parser.numKeys }, () => r.number(r.chance(70) ? 15 : 0xffffffff));
  if (r.chance(6)) return { packet: r.bytes(r.below(48)), keys };
  let packet = new Aim(parser, r, keys).packet();
  const cut = r.below(100);
  if (cut < 10) packet = packet.slice(0, r.below(packet.length + 1));
  else if (cut < 25) packet = packet.slice(0, Math.max(0, packet.length - r.between(1, 4)));
  else if (cut < 45) packet = Uint8Array.from([...packet, ...r.bytes(r.between(1, 8))]);
  if (r.chance(20)) packet = mutate(packet, r);
  return { packet, keys };
}

class Aim {
  readonly #parser: Parser;
  readonly #r: Draw;
  readonly #keys: Uint32Array;
  readonly #out: number[] = [];

  constructor(parser: Parser, r: Draw, keys: Uint32Array) {
    this.#parser = parser;
    this.#r = r;
    this.#keys = keys;
  }

  packet(): Uint8Array {
    const { nodes, root, maxNodes } = this.#parser;
    const r = this.#r;
    let index = root;
    let at = 0;
    for (let n = 0; n <= Math.min(maxNodes, 24) && this.#out.length < LONGEST; n++) {
      const node = nodes[index]!;
      const { body, hdrLen, next } = node;
      this.#fill(at + node.minLen);
      for (const c of [...node.preChecks, ...node.condExprs]) this.#hold(c.expr, at);
      if (body?.kind === "array") this.#aim(body.count, at, r.chance(85) ? r.below(4) : body.maxEls + 1);
      let h = node.minLen;
      if (hdrLen.kind === "rest") h += r.below(24);
      else if (hdrLen.kind === "amount") {
        this.#aim(hdrLen.amount, at, node.minLen + r.below(28));
        h = Math.min(this.#amount(hdrLen.amount, at), LONGEST);
      }
      if (next?.select != null && next.table.length > 0 && r.chance(90))
        this.#put(next.select, at, r.chance(92) ? r.pick(next.table).key : r.number(0xffffffff));
      if (hdrLen.kind === "flags" && body?.kind === "flags") {
        const flags = this.#load(body.load, at);
        h = body.start;
        for (const f of body.fields) if ((flags & f.mask) >>> 0 === f.flag) h += f.len;
        h = Math.min(h, LONGEST);
      }
      this.#fill(at + h);
      if (body?.kind === "tlvs" && r.chance(95))
        this.#tlvs(body, at + this.#amount(body.start, at), at + h, 0);
      if (body?.kind === "array" && body.type !== null)
        for (let e = at + body.start; e + body.elLen <= at + h; e += body.elLen)
          if (body.table.length > 0 && r.chance(85)) this.#put(body.type, e, r.pick(body.table).key);
      if (next === null) break;
      const key = next.select === null ? -1 : this.#load(next.select, at);
      const to = next.table.find((e) => e.key === key)?.node ?? next.wildcard;
      if (to < 0) break;
      if (!node.overlay) at += h;
      index = to;
    }
    return Uint8Array.from(this.#out);
  }

  #fill(to: number): void {
    const r = this.#r;
    while (this.#out.length < to) this.#out.push(r.chance(60) ? r.below(8) : r.below(256));
  }

  /** A list of TLVs from one byte to another. */
  #tlvs(list: Tlvs, from: number, to: number, depth: number): void {
    const r = this.#r;
    let at = from;
    while (at < to) {
      const what = r.below(100);
      if (what < 15 && list.pad1 >= 0) {
        this.#out[at++] = list.pad1;
        continue;
      }
      if (what < 18 && list.eol >= 0) {
        this.#out[at++] = list.eol;
        continue;
      }
      const room = to - at;
      if (room < list.minLen) return;
      const edge = list.table.length > 0 && r.chance(80) ? r.pick(list.table) : null;
      const node = this.#parser.tlvNodes[edge?.node ?? list.wildcard];
      const least = Math.max(list.minLen, node?.minLen ?? 0);
      const wanted = r.chance(15) ? room - r.below(2) : Math.min(room, least + r.below(6));
      this.#aim(list.length, at, Math.max(1, wanted));
      if (list.padn >= 0 && r.chance(15)) this.#put(list.type, at, list.padn);
      else if (edge !== null) this.#put(list.type, at, edge.key);
      const len = this.#amount(list.length, at);
      if (len < 1 || len > room) return;
      if (node !== undefined && depth < 4) {
        for (const c of node.checks) this.#hold(c.expr, at);
        const { nested, overlay } = node;
        if (nested !== null) this.#tlvs(nested, at + this.#amount(nested.start, at), at + len, depth + 1);
        if (overlay?.select != null && overlay.table.length > 0 && r.chance(70))
          this.#put(overlay.select, at, r.pick(overlay.table).key);
      }
      at += len;
    }
  }

  /** Make a condition hold, perhaps by a hair. */
  #hold(e: Expr, at: number): void {
    const r = this.#r;
    if (r.chance(10)) return;
    if (e.kind !== "compare") {
      for (const part of e.kind === "and" ? e.ents : [r.pick(e.ents)]) this.#hold(part, at);
    } else if (e.op === "greater_than" || e.op === "not_equal") this.#put(e.load, at, e.value + 1);
    else if (e.op === "less_than") this.#put(e.load, at, Math.max(0, e.value - 1));
    else if (e.op === "equal" || r.chance(50)) this.#put(e.load, at, e.value);
    else if (e.op === "greater_or_equal") this.#put(e.load, at, e.value + r.below(3));
    else this.#put(e.load, at, Math.max(0, e.value - r.below(3)));
  }

  /** Make an amount what is wanted, or what comes next to it. */
  #aim({ load, multiplier, add }: Amount, at: number, wanted: number): void {
    if (load === null || multiplier === 0) return;
    const value = Math.max(0, Math.ceil((wanted - add) / multiplier));
    this.#put(load, at, this.#r.chance(92) ? value : value + this.#r.below(3) - 1);
  }

  /** Set a load's bits, where it is a field. */
  #put({ source, mask, shift }: Load, at: number, value: number): void {
    if (source.kind !== "field" || at + source.off + source.len > this.#out.length) return;
    const old = this.#field(source, at);
    const bits = BigInt(Math.max(0, value) >>> 0) << BigInt(shift);
    const whole = (BigInt(old) & ~BigInt(mask)) | (bits & BigInt(mask));
    for (let i = 0; i < source.len; i++) {
      const place = source.little ? i : source.len - 1 - i;
      this.#out[at + source.off + i] = Number((whole >> BigInt(8 * place)) & 0xffn);
    }
  }

  #field(source: Extract<Load["source"], { kind: "field" }>, at: number): number {
    const bytes = this.#out.slice(at + source.off, at + source.off + source.len);
    if (source.little) bytes.reverse();
    return bytes.reduce((sum, b) => sum * 256 + b, 0) % (fieldMax(source.len) + 1);
  }

  #load({ source, mask, shift }: Load, at: number): number {
    if (source.kind === "field") return (this.#field(source, at) & mask) >>> shift;
    if (source.kind === "key") return (this.#keys[source.key]! & mask) >>> shift;
    return source.kind === "remaining" ? ((this.#out.length - at) & mask) >>> shift : 0;
  }

  #amount({ load, multiplier, add }: Amount, at: number): number {
    return (load === null ? 0 : this.#load(load, at)) * multiplier + add;
  }
}
