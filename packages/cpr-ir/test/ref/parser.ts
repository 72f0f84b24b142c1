/**
 * A resolved parser run step by step, slowly: the loop of the CPR text's section 2, written from that text and
 * from `src/ir/types.ts` alone. It shares no code with the interpreter or a target, copies what it looks at, and
 * throws where a load leaves the packet or a write its area: the resolver has promised that neither happens.
 */
import type {
  Actions,
  Amount,
  Check,
  CounterAction,
  Expr,
  Load,
  Metadata,
  Next,
  ParseNode,
  Parser,
  TlvNode,
  Tlvs,
} from "../../src/ir/types.ts";

/** What a parse leaves. */
export interface RefResult {
  readonly code: number;
  /** Index of the node that was entered last. */
  readonly last: number;
  readonly encaps: number;
  readonly nodes: number;
  readonly metadata: Uint8Array;
  /** Key registers at the end. */
  readonly keys: readonly number[];
}

/** Bytes that a load or an entry is about: a header, a TLV, a field, an element. */
interface Unit {
  readonly at: number;
  readonly len: number;
}

const OKAY = 0;
const STOP_OKAY = -4;
const STOP_NODE_OKAY = -5;
const STOP_SUB_NODE_OKAY = -6;
const STOP_FAIL = -12;
const LENGTH = -13;
const ENCAP_DEPTH = -15;
const TLV_LENGTH = -17;
const LOOP_CNT = -20;
const TLV_PADDING = -21;
const OPTION_LIMIT = -22;
const MAX_NODES = -23;
const COMPARE = -24;
const BAD_EXTRACT = -25;
const CNTR1 = -27;

/** What a parse is given besides the packet. */
export interface RefInput {
  /** Key registers. */
  readonly keys?: ArrayLike<number>;
  /** Where the first header starts. */
  readonly start?: number;
  /** What the metadata memory is filled with. */
  readonly fill?: number;
}

/** Run a parser on a packet. */
export function refParse(parser: Parser, packet: Uint8Array, input: RefInput = {}): RefResult {
  return new Run(parser, packet, input).parse();
}

class Run {
  readonly p: Parser;
  readonly packet: Uint8Array;
  readonly n: number;
  readonly metadata: Uint8Array;
  readonly keys: number[];
  readonly counters: number[];
  code = OKAY;
  last = -1;
  encaps = 0;
  visited = 0;
  frameNum = 0;

  readonly start: number;

  constructor(p: Parser, packet: Uint8Array, { keys = [], start = 0, fill = 0 }: RefInput) {
    this.p = p;
    this.packet = packet;
    this.n = packet.length;
    this.start = start;
    this.metadata = new Uint8Array(p.metametaSize + p.frames * p.frameSize).fill(fill);
    this.keys = Array.from({ length: p.numKeys }, (_, i) => keys[i] ?? 0);
    this.counters = p.counters.map(() => 0);
  }

  parse(): RefResult {
    this.code = this.walk();
    const target = this.code > STOP_FAIL ? this.p.okayTarget : this.p.failTarget;
    this.exit(target);
    return {
      code: this.code,
      last: this.last,
      encaps: this.encaps,
      nodes: this.visited,
      metadata: this.metadata,
      keys: this.keys,
    };
  }

  walk(): number {
    const { p } = this;
    let index = p.root;
    let off = this.start;
    for (;;) {
      // the node that is one too many is not entered
      if (this.visited === p.maxNodes) return MAX_NODES;
      this.visited++;
      this.last = index;
      const node = p.nodes[index]!;
      const rem = this.n - off;
      if (rem < node.minLen) return node.short;
      const h = this.headerLength(node, off, rem);
      if (h < node.minLen || h > rem) return LENGTH;
      const unit: Unit = { at: off, len: h };
      let r = this.checks(node.preChecks, unit);
      if (r === OKAY) r = this.actions(node.actions, unit);
      if (r !== OKAY) return r;
      r = this.body(node, unit);
      if (r === STOP_NODE_OKAY || r === STOP_SUB_NODE_OKAY) r = OKAY;
      if (r === OKAY) r = this.write(node.postMetadata, unit);
      if (r !== OKAY) return r;
      if (node.next === null) return STOP_OKAY;
      if (node.encap) {
        this.exit(p.encapTarget);
        this.encaps++;
        if (this.encaps > p.maxEncaps) return ENCAP_DEPTH;
        if (this.frameNum + 1 < p.frames) this.frameNum++;
        for (const [i, c] of p.counters.entries()) if (c.resetAtEncap) this.counters[i] = 0;
      }
      r = this.checks(node.condExprs, unit);
      if (r !== OKAY) return r;
      const next = this.lookup(node.next, unit);
      if (next < 0) return node.next.default;
      if (!node.overlay) off += h;
      if (off === this.n && node.zeroLengthOk) return STOP_OKAY;
      index = next;
    }
  }

  headerLength(node: ParseNode, off: number, rem: number): number {
    const { hdrLen } = node;
    switch (hdrLen.kind) {
      case "min":
        return node.minLen;
      case "rest":
        return rem;
      case "amount": {
        const h = this.amount(hdrLen.amount, off);
        return hdrLen.clamp ? Math.min(h, rem) : h;
      }
      case "flags": {
        if (node.body?.kind !== "flags") throw new Error("flag length without flags");
        const flags = this.load(node.body.load, off);
        let h = node.body.start;
        for (const f of node.body.fields) if (and(flags, f.mask) === f.flag) h += f.len;
        return hdrLen.clamp ? Math.min(h, rem) : h;
      }
    }
  }

  exit(target: number): void {
    if (target < 0) return;
    const node = this.p.nodes[target]!;
    // no header: a load from it is a defect, which the empty unit at no place shows
    const none: Unit = { at: Number.NaN, len: 0 };
    this.write(node.actions.metadata, none);
  }

  actions(a: Actions, unit: Unit): number {
    return this.count(a.pre) || this.write(a.metadata, unit) || this.count(a.post);
  }

  count(steps: readonly CounterAction[]): number {
    for (const { counter, kind } of steps) {
      const c = this.p.counters[counter]!;
      if (kind === "reset") this.counters[counter] = 0;
      else if (this.counters[counter]! < c.max) this.counters[counter]!++;
      else if (c.errorExceeded) return CNTR1 - counter;
    }
    return OKAY;
  }

  checks(checks: readonly Check[], unit: Unit): number {
    for (const c of checks) if (!this.holds(c.expr, unit)) return c.fail;
    return OKAY;
  }

  holds(e: Expr, unit: Unit): boolean {
    if (e.kind !== "compare") {
      const parts = e.ents.map((x) => this.holds(x, unit));
      return e.kind === "and" ? !parts.includes(false) : parts.includes(true);
    }
    const v = this.load(e.load, unit.at);
    switch (e.op) {
      case "equal":
        return v === e.value;
      case "not_equal":
        return v !== e.value;
      case "greater_than":
        return v > e.value;
      case "greater_or_equal":
        return v >= e.value;
      case "less_than":
        return v < e.value;
      case "less_or_equal":
        return v <= e.value;
    }
  }

  byte(at: number): number {
    if (!(at >= 0 && at < this.n)) throw new Error(`byte ${at} of a packet of ${this.n}`);
    return this.packet[at]!;
  }

  bytes(at: number, len: number): number[] {
    return Array.from({ length: len }, (_, i) => this.byte(at + i));
  }

  load({ source, mask, shift }: Load, at: number): number {
    let v: number;
    switch (source.kind) {
      case "field": {
        const bytes = this.bytes(at + source.off, source.len);
        if (source.little) bytes.reverse();
        v = bytes.reduce((sum, b) => sum * 256 + b, 0);
        break;
      }
      case "key":
        v = this.keys[source.key]!;
        break;
      case "counter":
        v = this.counters[source.counter]!;
        break;
      case "remaining":
        v = this.n - at;
    }
    if (!(v >= 0)) throw new Error(`${source.kind} is ${v}`);
    return Math.floor(and(v, mask) / 2 ** shift);
  }

  amount({ load, multiplier, add }: Amount, at: number): number {
    const v = (load === null ? 0 : this.load(load, at)) * multiplier + add;
    if (v > 0x7fffffff) throw new Error(`an amount of ${v}`);
    return v;
  }

  /** The next node of a table; -1: none. */
  lookup(next: Next, unit: Unit): number {
    if (next.select === null) return next.wildcard;
    return this.find(next, this.load(next.select, unit.at));
  }

  find(of: Pick<Next, "table" | "wildcard">, key: number): number {
    return of.table.find((e) => e.key === key)?.node ?? of.wildcard;
  }

  write(list: readonly Metadata[], unit: Unit): number {
    for (const entry of list) {
      const r = this.entry(entry, unit);
      if (r !== OKAY) return r;
    }
    return OKAY;
  }

  entry({ value, target, when }: Metadata, unit: Unit): number {
    if (when !== null && !this.holds(when, unit)) return OKAY;
    if (value.kind === "copy" || value.kind === "nibbles") {
      if (target.kind === "key") throw new Error("bytes to a key register");
      const bytes =
        value.kind === "copy"
          ? this.bytes(unit.at + value.off, target.len)
          : this.nibbles(unit, value.start, value.count);
      if (bytes.length !== target.len) throw new Error("bytes of another length than the target");
      this.store(target, target.little ? bytes.reverse() : bytes);
      return OKAY;
    }
    const v = this.number(value, unit);
    const bits = target.kind === "key" ? 32 : target.bits;
    // a code is negative: its low bits
    if (value.kind !== "return_code" && v >= 2 ** bits) {
      if (value.kind !== "offset" && value.kind !== "length") throw new Error(`${v} in ${bits} bits`);
      return BAD_EXTRACT;
    }
    if (target.kind === "key") {
      this.keys[target.key] = v >>> 0;
      return OKAY;
    }
    const at = this.place(target);
    if (at < 0) return OKAY;
    const old = [...this.metadata.subarray(at, at + target.len)];
    if (target.little) old.reverse();
    let whole = old.reduce((sum, b) => sum * 256n + BigInt(b), 0n);
    const field = ((1n << BigInt(bits)) - 1n) << BigInt(target.shift);
    whole = (whole & ~field) | ((BigInt(v) << BigInt(target.shift)) & field);
    const bytes = old.map((_, i) => Number((whole >> BigInt(8 * (old.length - 1 - i))) & 0xffn));
    this.store(target, target.little ? bytes.reverse() : bytes);
    return OKAY;
  }

  number(value: Exclude<Metadata["value"], { kind: "copy" } | { kind: "nibbles" }>, unit: Unit): number {
    switch (value.kind) {
      case "load":
        return this.load(value.load, unit.at);
      case "constant":
        return value.value;
      case "offset": {
        const at = unit.at + (value.end ? unit.len : 0);
        if (!(at >= 0 && at <= this.n)) throw new Error(`offset ${at} of a packet of ${this.n}`);
        return (value.bits ? 8 * at : at) + value.add;
      }
      case "length":
        return unit.len;
      case "num_encaps":
        return this.encaps;
      case "num_nodes":
        return this.visited;
      case "return_code":
        return this.code;
    }
  }

  /** Nibbles as bytes: the first of an odd start is right in its byte, a lone last one left. */
  nibbles(unit: Unit, start: number, count: number): number[] {
    const nibble = (i: number): number => {
      const b = this.byte(unit.at + (i >> 1));
      return i % 2 === 0 ? b >> 4 : b & 15;
    };
    const out: number[] = [];
    let i = start;
    const end = start + count;
    if (i % 2 === 1) out.push(nibble(i++));
    for (; i < end; i += 2) out.push(16 * nibble(i) + (i + 1 < end ? nibble(i + 1) : 0));
    return out;
  }

  /** Where a target lies now; -1: the array element does not exist. */
  place(target: Extract<Metadata["target"], { kind: "memory" }>): number {
    const { p } = this;
    const base = target.frame ? p.metametaSize + this.frameNum * p.frameSize : 0;
    let off = target.off;
    if (target.index !== null) {
      const c = p.counters[target.index]!;
      let element = this.counters[target.index]!;
      if (element >= c.numElements) {
        if (!c.overwritable || c.numElements === 0) return -1;
        element = c.numElements - 1;
      }
      off += element * c.elementSize;
    }
    if (off + target.len > (target.frame ? p.frameSize : p.metametaSize))
      throw new Error(`metadata bytes ${off} to ${off + target.len - 1} lie beyond their area`);
    return base + off;
  }

  store(target: Extract<Metadata["target"], { kind: "memory" }>, bytes: readonly number[]): void {
    const at = this.place(target);
    if (at >= 0) this.metadata.set(bytes, at);
  }

  body({ body }: ParseNode, unit: Unit): number {
    if (body === null) return OKAY;
    if (body.kind === "tlvs") return this.tlvs(body, unit);
    if (body.kind === "flags") {
      const flags = this.load(body.load, unit.at);
      let off = body.start;
      for (const f of body.fields) {
        if (and(flags, f.mask) !== f.flag) continue;
        if (f.node >= 0) {
          if (off + f.len > unit.len) return LENGTH;
          const field: Unit = { at: unit.at + off, len: f.len };
          const { checks, actions } = this.p.subNodes[f.node]!;
          // a condition of a field that does not hold has one code, whatever its own
          if (this.checks(checks, field) !== OKAY) return COMPARE;
          const r = this.actions(actions, field);
          if (r !== OKAY) return r;
        }
        off += f.len;
      }
      return OKAY;
    }
    const count = this.amount(body.count, unit.at);
    if (count > body.maxEls) return LOOP_CNT;
    let off = body.start;
    for (let i = 0; i < count; i++, off += body.elLen) {
      if (unit.len - off < body.elLen) return LENGTH;
      const at = unit.at + off;
      const node = this.find(body, body.type === null ? 0 : this.load(body.type, at));
      if (node < 0) {
        if (body.default !== OKAY) return body.default;
        continue;
      }
      const { checks, actions } = this.p.subNodes[node]!;
      const element: Unit = { at, len: body.elLen };
      const r = this.checks(checks, element) || this.actions(actions, element);
      if (r !== OKAY) return r;
    }
    return OKAY;
  }

  tlvs(list: Tlvs, outer: Unit): number {
    const limit = (code: number): number => (list.dispLimit === STOP_FAIL ? code : list.dispLimit);
    const end = outer.at + outer.len;
    let at = outer.at + this.amount(list.start, outer.at);
    let loops = 0;
    let others = 0;
    let padding = 0;
    let paddings = 0;
    const pad = (len: number): boolean => {
      padding += len;
      paddings++;
      return padding > list.maxPaddingLength || paddings > list.maxConsecutivePadding;
    };
    while (at < end) {
      if (++loops > list.maxTlvs) return limit(LOOP_CNT);
      const first = this.byte(at);
      if (first === list.pad1) {
        if (pad(1)) return limit(TLV_PADDING);
        at++;
        continue;
      }
      if (first === list.eol) return OKAY;
      // no limit that was tripped: a list that cannot be read
      if (end - at < list.minLen) return TLV_LENGTH;
      const len = this.amount(list.length, at);
      if (len < list.minLen || len > end - at) return TLV_LENGTH;
      const type = this.load(list.type, at);
      if (type === list.padn) {
        if (pad(len)) return limit(TLV_PADDING);
      } else {
        padding = 0;
        paddings = 0;
        if (++others > list.maxNonPadding) return limit(OPTION_LIMIT);
        const r = this.tlv(list, type, { at, len });
        if (r !== OKAY) return r;
      }
      at += len;
    }
    return OKAY;
  }

  /** Look a TLV up, in a list's table or in an overlay's, and do what its node says. */
  tlv(of: Pick<Next, "table" | "wildcard" | "default">, key: number | null, unit: Unit): number {
    const fits = (index: number): boolean => {
      if (index < 0) return false;
      const { minLen, maxLen } = this.p.tlvNodes[index]!;
      return unit.len >= minLen && (maxLen < 0 || unit.len <= maxLen);
    };
    // one that does not fit is unknown
    const own = of.table.find((e) => e.key === key)?.node ?? -1;
    if (fits(own)) return this.tlvNode(this.p.tlvNodes[own]!, unit);
    if (fits(of.wildcard)) return this.tlvNode(this.p.tlvNodes[of.wildcard]!, unit);
    return of.default;
  }

  tlvNode(node: TlvNode, unit: Unit): number {
    let r = this.checks(node.checks, unit) || this.actions(node.actions, unit);
    if (r === OKAY && node.nested !== null) {
      r = this.tlvs(node.nested, unit);
      // the list inside is over, the one around it goes on
      if (r === STOP_SUB_NODE_OKAY) r = OKAY;
    }
    if (r !== OKAY || node.overlay === null) return r;
    const { select } = node.overlay;
    return this.tlv(node.overlay, select === null ? null : this.load(select, unit.at), unit);
  }
}

/** Bits of two numbers below 2^32. */
function and(a: number, b: number): number {
  return (a & b) >>> 0;
}
