/** One node of one parser, done with bits that may be unknown, in the order in which the interpreter does it. */
import { CODE } from "../../ir/codes.ts";
import type { Check, Expr, Load, MdTarget, Metadata, Next, ParseNode, Parser } from "../../ir/types.ts";
import { type Bit, type Facts, type Vector, ZERO } from "./facts.ts";
import { byteVector, constantVector, fieldVector, masked, type Names } from "./names.ts";

/** What a step came to. */
export interface Stepped {
  /** Next node, -1: the parse ended. */
  readonly next: number;
  /** Everything that was done, in order; equal logs are equal effects. Bits are resolved at the end of the way. */
  readonly log: readonly LogEntry[];
  readonly keys: readonly Vector[];
}

/** A named effect, or the writes between two of them. */
export type LogEntry = string | ReadonlyMap<string, Bit>;

type Memory = Extract<MdTarget, { kind: "memory" }>;

/** Does one node. */
export class Stepper {
  readonly #parser: Parser;
  readonly #node: ParseNode;
  readonly #facts: Facts;
  readonly #names: Names;
  readonly #keys: Vector[];
  readonly #log: LogEntry[] = [];
  #writes: Map<string, Bit> = new Map();
  /** Where in the node: counters differ from one phase to the next. */
  #phase = 0;

  constructor(parser: Parser, node: ParseNode, keys: readonly Vector[], facts: Facts, names: Names) {
    this.#parser = parser;
    this.#node = node;
    this.#keys = [...keys];
    this.#facts = facts;
    this.#names = names;
  }

  /**
   * From the node's entrance to the next node's.
   * Pre: both parsers' nodes have the same least and real length, which is looked at before.
   */
  run(): Stepped {
    const code = this.#work();
    if (code !== CODE.OKAY) return this.#end(code);
    const { next } = this.#node;
    if (next === null) return this.#end(CODE.STOP_OKAY);
    if (this.#node.encap) {
      this.#event("encap");
      this.#phase++;
    }
    const r = this.#check(this.#node.condExprs);
    if (r !== CODE.OKAY) return this.#end(r);
    const found = this.#lookup(next);
    if (found < 0) return this.#end(next.default);
    const moves = !this.#node.overlay && !(this.#node.hdrLen.kind === "min" && this.#node.minLen === 0);
    if (moves) this.#event("advance");
    if (this.#node.zeroLengthOk) this.#event("ends well at the packet's end");
    this.#flush();
    return { next: found, log: this.#log, keys: this.#keys };
  }

  /** Checks, metadata, body, metadata: the code. */
  #work(): number {
    const { preChecks, actions, body, postMetadata } = this.#node;
    let r = this.#check(preChecks);
    if (r === CODE.OKAY) {
      if (actions.pre.length > 0) this.#event(`count ${JSON.stringify(actions.pre)}`);
      this.#phase++;
      r = this.#write(actions.metadata);
      if (r === CODE.OKAY && actions.post.length > 0) this.#event(`count ${JSON.stringify(actions.post)}`);
      this.#phase++;
    }
    if (r === CODE.OKAY && body !== null) {
      const text = inlined(this.#parser, body);
      this.#event(`body ${text}`);
      if (USES_KEYS.test(text)) for (let k = 0; k < this.#keys.length; k++) this.#body(k);
      this.#phase++;
    }
    if (r === CODE.STOP_NODE_OKAY || r === CODE.STOP_SUB_NODE_OKAY) r = CODE.OKAY;
    return r === CODE.OKAY ? this.#write(postMetadata) : r;
  }

  /** A body may read and write key registers: what it does with them depends on what they hold. */
  #body(key: number): void {
    const before = this.#keys[key]!.map((b) => this.#facts.resolve(b)).join(",");
    this.#event(`key ${key} ${before}`);
    this.#keys[key] = this.#names.number(`key ${key} behind a body from ${before}`);
  }

  #end(code: number): Stepped {
    this.#event(`end ${code}`);
    return { next: -1, log: this.#log, keys: this.#keys };
  }

  #event(what: string): void {
    this.#flush();
    this.#log.push(what);
  }

  #flush(): void {
    if (this.#writes.size > 0) this.#log.push(this.#writes);
    this.#writes = new Map();
  }

  #load(load: Load): Vector {
    const { source } = load;
    switch (source.kind) {
      case "field":
        return masked(fieldVector(this.#names, source.off, source.len, source.little), load);
      case "key":
        return masked(this.#keys[source.key]!, load);
      case "counter":
        return masked(this.#names.number(`counter ${source.counter} in ${this.#phase}`, 16), load);
      case "remaining":
        return masked(this.#names.number("remaining"), load);
    }
  }

  #check(checks: readonly Check[]): number {
    for (const c of checks) if (!this.#holds(c.expr)) return c.fail;
    return CODE.OKAY;
  }

  #holds(expr: Expr): boolean {
    if (expr.kind === "and") return expr.ents.every((e) => this.#holds(e));
    if (expr.kind !== "compare") return expr.ents.some((e) => this.#holds(e));
    const vector = this.#load(expr.load);
    switch (expr.op) {
      case "equal":
        return this.#facts.equal(vector, expr.value);
      case "not_equal":
        return !this.#facts.equal(vector, expr.value);
      case "less_or_equal":
        return this.#facts.atMost(vector, expr.value);
      case "greater_than":
        return !this.#facts.atMost(vector, expr.value);
      case "less_than":
        return this.#facts.atMost(vector, expr.value - 1);
      case "greater_or_equal":
        return !this.#facts.atMost(vector, expr.value - 1);
    }
  }

  #lookup(next: Next): number {
    if (next.select === null) return next.wildcard;
    const key = this.#load(next.select);
    for (const e of next.table) if (this.#facts.equal(key, e.key)) return e.node;
    return next.wildcard;
  }

  #write(list: readonly Metadata[]): number {
    for (const entry of list) {
      if (entry.when !== null && !this.#holds(entry.when)) continue;
      const { value, target } = entry;
      if (value.kind === "copy" || value.kind === "nibbles") {
        this.#bytes(target as Memory, value);
        continue;
      }
      const number = this.#number(entry);
      const width = target.kind === "key" ? 32 : target.bits;
      const limited = value.kind === "offset" || value.kind === "length";
      if (limited && !this.#facts.atMost(number, 2 ** width - 1)) return CODE.STOP_BAD_EXTRACT;
      if (target.kind === "key")
        this.#keys[target.key] = Array.from({ length: 32 }, (_, i) => number[i] ?? ZERO);
      else this.#store(target, number);
    }
    return CODE.OKAY;
  }

  #number({ value }: Metadata): Vector {
    switch (value.kind) {
      case "load":
        return this.#load(value.load);
      case "constant":
        return constantVector(value.value);
      default:
        // depends on nothing but the place in the packet, which both parsers share
        return this.#names.number(JSON.stringify(value), 48);
    }
  }

  #store(t: Memory, number: Vector): void {
    for (let i = 0; i < t.bits; i++) {
      const at = t.shift + i;
      const byte = Math.floor(at / 8);
      this.#put(t, t.little ? byte : t.len - 1 - byte, at % 8, number[i] ?? ZERO);
    }
    if (t.index !== null) this.#flush();
  }

  #bytes(t: Memory, value: Extract<Metadata["value"], { kind: "copy" | "nibbles" }>): void {
    let next = value.kind === "nibbles" ? value.start : 2 * value.off;
    let left = value.kind === "nibbles" ? value.count : 2 * t.len;
    for (let i = 0; i < t.len; i++) {
      const bits = byteVector(this.#names, next >> 1);
      const odd = (next & 1) === 1;
      const from = odd || left > 1 ? 0 : 4;
      const to = odd ? 4 : 8;
      for (let b = 0; b < 8; b++)
        this.#put(t, t.little ? t.len - 1 - i : i, b, b >= from && b < to ? bits[b]! : ZERO);
      next += odd ? 1 : 2;
      left -= odd ? 1 : 2;
    }
    if (t.index !== null) this.#flush();
  }

  /** One bit of a target's byte `i`. An element of an array may be anywhere: such writes stand alone. */
  #put(t: Memory, i: number, bit: number, value: Bit): void {
    const place = t.index === null ? "" : ` of counter ${t.index} in ${this.#phase}`;
    if (t.index !== null && [...this.#writes.keys()].some((k) => !k.endsWith(place))) this.#flush();
    this.#writes.set(`${t.frame ? "frame" : "meta"} ${t.off + i}.${bit}${place}`, value);
  }
}

/** In a text of metadata, conditions or bodies: a key register is read or written. */
export const USES_KEYS: RegExp = /"kind":"key"/;

/** A body with everything it refers to, as text. */
export function inlined(parser: Parser, body: NonNullable<ParseNode["body"]>): string {
  const subs = body.kind === "tlvs" ? parser.tlvNodes : parser.subNodes;
  const seen: number[] = [];
  const number = (index: number): number => {
    if (index < 0) return -1;
    const at = seen.indexOf(index);
    return at >= 0 ? at : seen.push(index) - 1;
  };
  // names differ and numbers may: both count from the body's first
  const told = (of: unknown): string =>
    JSON.stringify(of, (key, v: unknown) =>
      key === "name"
        ? undefined
        : (key === "node" || key === "wildcard") && typeof v === "number"
          ? number(v)
          : v,
    );
  const out = [told(body)];
  for (let i = 0; i < seen.length; i++) out.push(told(subs[seen[i]!]));
  return out.join(" ");
}
