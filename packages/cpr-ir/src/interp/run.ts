/**
 * The interpreter: the meaning of a parser. Every target is judged by it.
 *
 * It walks the graph as `cpr.md` words it, one statement a step, and reads nothing outside the packet: the
 * resolver has seen to it that every load lies in bytes that were checked. All loops are bounded, by
 * `maxNodes`, by the header's length or by `maxEls`.
 */
import { CODE, isOkay } from "../ir/codes.ts";
import {
  type Actions,
  type Amount,
  type Check,
  type CounterAction,
  type Edge,
  type Elements,
  type Expr,
  type Flags,
  type HdrLength,
  type Load,
  type MdTarget,
  type Metadata,
  metadataSize,
  type Next,
  type ParseNode,
  type Parser,
  type Tlvs,
} from "../ir/types.ts";

/** What is told while a packet is parsed. Offsets count from the packet's start, metadata from its memory's. */
export interface Trace {
  /** A node was entered and its header's length is known. */
  node?(index: number, off: number, length: number): void;
  /** `length` bytes of metadata were written. */
  write?(at: number, length: number): void;
  /** A key register was written. */
  key?(key: number, value: number): void;
}

/** Runs one parser on packets. Holds the metadata memory, which the caller zeroes ({@link Interpreter.clear}). */
export class Interpreter {
  readonly parser: Parser;
  /** The metameta area, then the frames. */
  readonly metadata: Uint8Array;
  /** Key registers: set them before a run; entries may write them. */
  readonly keys: Uint32Array;
  /** Results of the last run. */
  code = 0;
  lastNode = 0;
  encaps = 0;
  /** Nodes entered. */
  nodes = 0;

  trace: Trace | null = null;
  // state of the running parse, open to the functions of this file: private methods cost a brand check each
  /** @internal */
  readonly counters: Uint32Array;
  /** @internal */
  packet: Uint8Array = new Uint8Array(0);
  /** @internal */
  end = 0;
  /** Start of the current frame in the metadata memory. @internal */
  frame = 0;

  constructor(parser: Parser) {
    this.parser = parser;
    this.metadata = new Uint8Array(metadataSize(parser));
    this.keys = new Uint32Array(parser.numKeys);
    this.counters = new Uint32Array(parser.counters.length);
  }

  /** Zero metadata and key registers. */
  clear(): void {
    this.metadata.fill(0);
    this.keys.fill(0);
  }

  /**
   * Parse a packet.
   * @param packet - its bytes
   * @param end - bytes of `packet` that belong to it
   * @param start - where the first header starts
   * @returns the code
   */
  run(packet: Uint8Array, end: number = packet.length, start = 0): number {
    const p = this.parser;
    this.packet = packet;
    this.end = end;
    this.counters.fill(0);
    this.frame = p.metametaSize;
    let frameNumber = 0;
    this.code = CODE.OKAY;
    this.encaps = 0;
    this.nodes = 0;
    this.lastNode = p.root;
    let off = start;
    for (let index = p.root; ; ) {
      if (this.nodes === p.maxNodes) return finish(this, CODE.STOP_MAX_NODES);
      this.nodes++;
      this.lastNode = index;
      const node = p.nodes[index]!;
      const left = end - off;
      if (left < node.minLen) return finish(this, node.short);
      const h = headerLength(this, node, off, left);
      if (h < node.minLen || h > left) return finish(this, CODE.STOP_LENGTH);
      this.trace?.node?.(index, off, h);
      let r = check(this, node.preChecks, off);
      if (r === CODE.OKAY) r = act(this, node.actions, off, h);
      if (r === CODE.OKAY && node.body !== null) r = body(this, node.body, off, h);
      if (r === CODE.STOP_NODE_OKAY || r === CODE.STOP_SUB_NODE_OKAY) r = CODE.OKAY;
      if (r === CODE.OKAY) r = write(this, node.postMetadata, off, h);
      if (r !== CODE.OKAY) return finish(this, r);
      const { next } = node;
      if (next === null) return finish(this, CODE.STOP_OKAY);
      if (node.encap) {
        if (p.encapTarget >= 0) write(this, p.nodes[p.encapTarget]!.actions.metadata, 0, 0);
        this.encaps++;
        if (this.encaps > p.maxEncaps) return finish(this, CODE.STOP_ENCAP_DEPTH);
        if (frameNumber + 1 < p.frames) {
          frameNumber++;
          this.frame += p.frameSize;
        }
        for (const [i, c] of p.counters.entries()) if (c.resetAtEncap) this.counters[i] = 0;
      }
      r = check(this, node.condExprs, off);
      if (r !== CODE.OKAY) return finish(this, r);
      const found = lookup(this, next, off);
      if (found < 0) return finish(this, next.default);
      if (!node.overlay) off += h;
      if (off === end && node.zeroLengthOk) return finish(this, CODE.STOP_OKAY);
      index = found;
    }
  }
}

function finish(s: Interpreter, code: number): number {
  s.code = code;
  const exit = isOkay(code) ? s.parser.okayTarget : s.parser.failTarget;
  if (exit >= 0) write(s, s.parser.nodes[exit]!.actions.metadata, 0, 0);
  return code;
}

function headerLength(s: Interpreter, node: ParseNode, off: number, left: number): number {
  const length: HdrLength = node.hdrLen;
  switch (length.kind) {
    case "min":
      return node.minLen;
    case "rest":
      return left;
    case "amount": {
      const h = amount(s, length.amount, off);
      return length.clamp && h > left ? left : h;
    }
    case "flags": {
      const body = node.body as Flags;
      const flags = load(s, body.load, off);
      let h = body.start;
      for (const f of body.fields) if ((flags & f.mask) >>> 0 === f.flag) h += f.len;
      return length.clamp && h > left ? left : h;
    }
  }
}

/** The next node, or -1. */
function lookup(s: Interpreter, next: Next, off: number): number {
  if (next.select === null) return next.wildcard;
  const found = findEdge(next.table, load(s, next.select, off));
  return found < 0 ? next.wildcard : found;
}

function body(s: Interpreter, body: Tlvs | Flags | Elements, off: number, h: number): number {
  switch (body.kind) {
    case "tlvs":
      return tlvs(s, body, off, h);
    case "flags":
      return flags(s, body, off, h);
    case "array":
      return elements(s, body, off, h);
  }
}

function tlvs(s: Interpreter, t: Tlvs, off: number, h: number): number {
  const end = off + h;
  let at = off + amount(s, t.start, off);
  let loops = 0;
  let nonPadding = 0;
  let padded = 0;
  let consecutive = 0;
  while (at < end) {
    if (++loops > t.maxTlvs) return limit(t, CODE.STOP_LOOP_CNT);
    const first = s.packet[at]!;
    if (first === t.eol) return CODE.OKAY;
    let length = 1;
    let padding = first === t.pad1;
    let type = 0;
    if (!padding) {
      if (end - at < t.minLen) return CODE.STOP_TLV_LENGTH;
      length = amount(s, t.length, at);
      if (length < t.minLen || length > end - at) return CODE.STOP_TLV_LENGTH;
      type = load(s, t.type, at);
      padding = type === t.padn;
    }
    if (padding) {
      padded += length;
      consecutive++;
      if (padded > t.maxPaddingLength || consecutive > t.maxConsecutivePadding)
        return limit(t, CODE.STOP_TLV_PADDING);
    } else {
      padded = 0;
      consecutive = 0;
      if (++nonPadding > t.maxNonPadding) return limit(t, CODE.STOP_OPTION_LIMIT);
      const r = tlv(s, findEdge(t.table, type), t.wildcard, t.default, at, length);
      if (r !== CODE.OKAY) return r;
    }
    at += length;
  }
  return CODE.OKAY;
}

/** One TLV: its node where it fits, else the wildcard where that fits, else the code of the unknown. */
function tlv(
  s: Interpreter,
  found: number,
  wildcard: number,
  unknown: number,
  at: number,
  length: number,
): number {
  const nodes = s.parser.tlvNodes;
  let index = found;
  if (index < 0 || !fits(nodes[index]!, length)) index = wildcard;
  if (index < 0 || !fits(nodes[index]!, length)) return unknown;
  const node = nodes[index]!;
  let r = check(s, node.checks, at);
  if (r === CODE.OKAY) r = act(s, node.actions, at, length);
  if (r === CODE.OKAY && node.nested !== null) {
    r = tlvs(s, node.nested, at, length);
    if (r === CODE.STOP_SUB_NODE_OKAY) r = CODE.OKAY;
  }
  if (r !== CODE.OKAY || node.overlay === null) return r;
  const { select, table, wildcard: wild, default: miss } = node.overlay;
  return tlv(s, select === null ? -1 : findEdge(table, load(s, select, at)), wild, miss, at, length);
}

function flags(s: Interpreter, body: Flags, off: number, h: number): number {
  const flags = load(s, body.load, off);
  let at = off + body.start;
  for (const field of body.fields) {
    if ((flags & field.mask) >>> 0 !== field.flag) continue;
    if (field.node >= 0) {
      if (at + field.len > off + h) return CODE.STOP_LENGTH;
      const node = s.parser.subNodes[field.node]!;
      if (check(s, node.checks, at) !== CODE.OKAY) return CODE.STOP_COMPARE;
      const r = act(s, node.actions, at, field.len);
      if (r !== CODE.OKAY) return r;
    }
    at += field.len;
  }
  return CODE.OKAY;
}

function elements(s: Interpreter, body: Elements, off: number, h: number): number {
  const count = amount(s, body.count, off);
  if (count > body.maxEls) return CODE.STOP_LOOP_CNT;
  let at = off + body.start;
  for (let i = 0; i < count; i++, at += body.elLen) {
    if (off + h - at < body.elLen) return CODE.STOP_LENGTH;
    const found = findEdge(body.table, body.type === null ? 0 : load(s, body.type, at));
    const index = found < 0 ? body.wildcard : found;
    if (index < 0) {
      if (body.default !== CODE.OKAY) return body.default;
      continue;
    }
    const node = s.parser.subNodes[index]!;
    let r = check(s, node.checks, at);
    if (r === CODE.OKAY) r = act(s, node.actions, at, body.elLen);
    if (r !== CODE.OKAY) return r;
  }
  return CODE.OKAY;
}

/** Counters, metadata, counters of the unit at `at`. */
function act(s: Interpreter, actions: Actions, at: number, length: number): number {
  let r = actions.pre.length === 0 ? CODE.OKAY : count(s, actions.pre);
  if (r === CODE.OKAY) r = write(s, actions.metadata, at, length);
  return r === CODE.OKAY && actions.post.length > 0 ? count(s, actions.post) : r;
}

function count(s: Interpreter, steps: readonly CounterAction[]): number {
  for (const step of steps) {
    const counter = s.parser.counters[step.counter]!;
    if (step.kind === "reset") s.counters[step.counter] = 0;
    else if (s.counters[step.counter]! < counter.max) s.counters[step.counter]!++;
    else if (counter.errorExceeded) return CODE.STOP_CNTR1 - step.counter;
  }
  return CODE.OKAY;
}

function write(s: Interpreter, list: readonly Metadata[], at: number, length: number): number {
  for (const entry of list) {
    if (entry.when !== null && !holds(s, entry.when, at)) continue;
    const { value, target } = entry;
    let number: number;
    switch (value.kind) {
      case "copy":
        copy(s, target as MemoryTarget, at + value.off);
        continue;
      case "nibbles":
        nibbles(s, target as MemoryTarget, 2 * at + value.start, value.count);
        continue;
      case "load":
        number = load(s, value.load, at);
        break;
      case "constant":
        number = value.value;
        break;
      case "offset":
        number = (at + (value.end ? length : 0)) * (value.bits ? 8 : 1) + value.add;
        if (number >= 2 ** widthOf(target)) return CODE.STOP_BAD_EXTRACT;
        break;
      case "length":
        number = length;
        if (number >= 2 ** widthOf(target)) return CODE.STOP_BAD_EXTRACT;
        break;
      case "num_encaps":
        number = s.encaps;
        break;
      case "num_nodes":
        number = s.nodes;
        break;
      case "return_code":
        number = s.code >>> 0;
        break;
    }
    if (target.kind === "memory") store(s, target, number);
    else {
      s.keys[target.key] = number;
      s.trace?.key?.(target.key, number);
    }
  }
  return CODE.OKAY;
}

/** Where a target lies in the metadata memory; -1: beyond its array, not written. */
function place(s: Interpreter, t: MemoryTarget): number {
  const base = (t.frame ? s.frame : 0) + t.off;
  if (t.index === null) return base;
  const { elementSize, numElements, overwritable } = s.parser.counters[t.index]!;
  const c = s.counters[t.index]!;
  if (c < numElements) return base + elementSize * c;
  return overwritable && numElements > 0 ? base + elementSize * (numElements - 1) : -1;
}

function store(s: Interpreter, t: MemoryTarget, value: number): void {
  const at = place(s, t);
  if (at < 0) return;
  const { metadata } = s;
  let number = value;
  if (t.bits < 8 * t.len) {
    const mask = (((t.bits === 32 ? 0 : 1 << t.bits) - 1) << t.shift) >>> 0;
    let old = 0;
    for (let i = 0; i < t.len; i++) old = old * 256 + metadata[t.little ? at + t.len - 1 - i : at + i]!;
    number = ((old & ~mask) | ((value << t.shift) & mask)) >>> 0;
  }
  for (let i = 0; i < t.len; i++) {
    metadata[t.little ? at + i : at + t.len - 1 - i] = number & 0xff;
    number >>>= 8;
  }
  s.trace?.write?.(at, t.len);
}

function copy(s: Interpreter, t: MemoryTarget, from: number): void {
  const at = place(s, t);
  if (at < 0) return;
  for (let i = 0; i < t.len; i++) s.metadata[t.little ? at + t.len - 1 - i : at + i] = s.packet[from + i]!;
  s.trace?.write?.(at, t.len);
}

/** Nibbles: an odd first one is right-aligned in the first byte, a lone last one left-aligned in the last. */
function nibbles(s: Interpreter, t: MemoryTarget, start: number, count: number): void {
  const at = place(s, t);
  if (at < 0) return;
  let next = start;
  let left = count;
  for (let i = 0; i < t.len; i++) {
    let byte = 0;
    if ((next & 1) === 1) {
      byte = s.packet[next >> 1]! & 0x0f;
      next++;
      left--;
    } else {
      byte = s.packet[next >> 1]! & (left === 1 ? 0xf0 : 0xff);
      next += 2;
      left -= 2;
    }
    s.metadata[t.little ? at + t.len - 1 - i : at + i] = byte;
  }
  s.trace?.write?.(at, t.len);
}

/** OKAY, or the code of the first condition that does not hold. */
function check(s: Interpreter, checks: readonly Check[], at: number): number {
  for (const check of checks) if (!holds(s, check.expr, at)) return check.fail;
  return CODE.OKAY;
}

function holds(s: Interpreter, expr: Expr, at: number): boolean {
  switch (expr.kind) {
    case "and":
      for (const e of expr.ents) if (!holds(s, e, at)) return false;
      return true;
    case "or":
      for (const e of expr.ents) if (holds(s, e, at)) return true;
      return false;
    case "compare":
      return compare(load(s, expr.load, at), expr.op, expr.value);
  }
}

/** An amount of the unit at `at`. */
function amount(s: Interpreter, amount: Amount, at: number): number {
  return (amount.load === null ? 0 : load(s, amount.load, at)) * amount.multiplier + amount.add;
}

/** A load of the unit at `at`. */
function load(s: Interpreter, load: Load, at: number): number {
  const { source } = load;
  let value = 0;
  switch (source.kind) {
    case "field": {
      const from = at + source.off;
      if (source.little) for (let i = source.len - 1; i >= 0; i--) value = (value << 8) | s.packet[from + i]!;
      else for (let i = 0; i < source.len; i++) value = (value << 8) | s.packet[from + i]!;
      break;
    }
    case "key":
      value = s.keys[source.key]!;
      break;
    case "counter":
      value = s.counters[source.counter]!;
      break;
    case "remaining":
      value = s.end - at;
      break;
  }
  return (value & load.mask) >>> load.shift;
}

type MemoryTarget = Extract<MdTarget, { kind: "memory" }>;

/** Node of a key, or -1. Keys ascend. */
export function findEdge(table: readonly Edge[], key: number): number {
  let low = 0;
  let high = table.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const edge = table[middle]!;
    if (edge.key === key) return edge.node;
    if (edge.key < key) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

function fits(node: { readonly minLen: number; readonly maxLen: number }, length: number): boolean {
  return length >= node.minLen && (node.maxLen < 0 || length <= node.maxLen);
}

function limit(t: Tlvs, code: number): number {
  return t.dispLimit === CODE.STOP_FAIL ? code : t.dispLimit;
}

function widthOf(target: MdTarget): number {
  return target.kind === "key" ? 32 : target.bits;
}

function compare(a: number, op: string, b: number): boolean {
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
