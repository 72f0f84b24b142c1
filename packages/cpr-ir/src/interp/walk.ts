/** What each step does. A reader checks it against `cpr.md` section 2, and the order of steps in `lower.ts`. */
import { CODE } from "../ir/codes.ts";
import { bytes, copy, nibbles, reverse, storeBits, u8, u16, wrote } from "./bytes.ts";
import type { Interpreter } from "./run.ts";
import type { Elements, Flags, STEP, Step, Table, TlvNode, Tlvs } from "./steps.ts";
import { find } from "./table.ts";

/**
 * Run a chain on the `length` bytes at `at`. A node's goes on from node to node until the parse ends.
 * @returns OKAY at the chain's end, the code of a step that ended it, or the number that `give` gives
 */
export function walk(s: Interpreter, first: Step | null, unit: number, unitLength: number): number {
  const { packet, metadata, counters } = s;
  let at = unit | 0;
  let length = unitLength | 0;
  let { frame } = s;
  let number = 0;
  let element = 0;
  for (let step: Step | null = first; step !== null; ) {
    let next: Step | null = step.next;
    switch (step.kind) {
      case 0 satisfies typeof STEP.enter:
        if (s.nodes === s.parser.maxNodes) return CODE.STOP_MAX_NODES;
        s.nodes++;
        s.lastNode = step.to;
        length = step.len | 0;
        if (s.end - at < length) return step.value;
        if (step.flag === 1 && s.trace !== null) entered(s, at, length);
        break;
      case 48 satisfies typeof STEP.header8:
      case 1 satisfies typeof STEP.header: {
        if (step.kind === (48 satisfies typeof STEP.header8)) number = u8(packet, step, at);
        const left = (s.end - at) | 0;
        length = (Math.imul(number, step.scale) + step.value) | 0;
        if (step.flag === 1 && length > left) length = left;
        if (length < step.len || length > left) return CODE.STOP_LENGTH;
        if (s.trace !== null) entered(s, at, length);
        break;
      }
      case 2 satisfies typeof STEP.rest:
        length = (s.end - at) | 0;
        if (s.trace !== null) entered(s, at, length);
        break;
      case 3 satisfies typeof STEP.flagsLength:
        number = flagsLength(step.flags!, number) | 0;
        break;

      case 4 satisfies typeof STEP.u8:
        number = u8(packet, step, at);
        break;
      case 5 satisfies typeof STEP.u16:
        number = u16(packet, step, at);
        break;
      case 6 satisfies typeof STEP.u32: {
        const i = (at + step.off) | 0;
        const high = (packet[i]! << 24) | (packet[i + 1]! << 16);
        number = (((high | (packet[i + 2]! << 8) | packet[i + 3]!) & step.mask) >>> step.shift) | 0;
        break;
      }
      case 7 satisfies typeof STEP.field:
        number = ((bytes(packet, at + step.off, step.len, step.little) & step.mask) >>> step.shift) | 0;
        break;
      case 8 satisfies typeof STEP.constant:
        number = step.value | 0;
        break;
      case 9 satisfies typeof STEP.key:
        number = ((s.keys[step.off]! & step.mask) >>> step.shift) | 0;
        break;
      case 10 satisfies typeof STEP.counter:
        number = ((counters[step.off]! & step.mask) >>> step.shift) | 0;
        break;
      case 11 satisfies typeof STEP.remaining:
        number = (((s.end - at) & step.mask) >>> step.shift) | 0;
        break;
      case 12 satisfies typeof STEP.start:
        number = (at + step.value) | 0;
        if ((number & ~step.mask) !== 0) return CODE.STOP_BAD_EXTRACT;
        break;
      case 13 satisfies typeof STEP.end:
        number = (at + length + step.value) | 0;
        if ((number & ~step.mask) !== 0) return CODE.STOP_BAD_EXTRACT;
        break;
      case 14 satisfies typeof STEP.startBits:
        number = (8 * at + step.value) | 0;
        if ((number & ~step.mask) !== 0) return CODE.STOP_BAD_EXTRACT;
        break;
      case 15 satisfies typeof STEP.endBits:
        number = (8 * (at + length) + step.value) | 0;
        if ((number & ~step.mask) !== 0) return CODE.STOP_BAD_EXTRACT;
        break;
      case 16 satisfies typeof STEP.length:
        number = length | 0;
        if ((number & ~step.mask) !== 0) return CODE.STOP_BAD_EXTRACT;
        break;
      case 17 satisfies typeof STEP.encaps:
        number = s.encaps | 0;
        break;
      case 18 satisfies typeof STEP.nodes:
        number = s.nodes | 0;
        break;
      case 19 satisfies typeof STEP.code:
        number = s.code | 0;
        break;
      case 20 satisfies typeof STEP.amount:
        number = (Math.imul(number, step.scale) + step.value) | 0;
        break;
      case 21 satisfies typeof STEP.give:
        return number;

      case 49 satisfies typeof STEP.equal8:
      case 50 satisfies typeof STEP.equal16:
      case 22 satisfies typeof STEP.equal:
        if (step.kind === (49 satisfies typeof STEP.equal8)) number = u8(packet, step, at);
        if (step.kind === (50 satisfies typeof STEP.equal16)) number = u16(packet, step, at);
        if (number !== step.value) next = step.other;
        break;
      case 51 satisfies typeof STEP.not_equal16:
      case 23 satisfies typeof STEP.not_equal:
        if (step.kind === (51 satisfies typeof STEP.not_equal16)) number = u16(packet, step, at);
        if (number === step.value) next = step.other;
        break;
      case 24 satisfies typeof STEP.greater_than:
        if (number >>> 0 <= step.value >>> 0) next = step.other;
        break;
      case 25 satisfies typeof STEP.greater_or_equal:
        if (number >>> 0 < step.value >>> 0) next = step.other;
        break;
      case 26 satisfies typeof STEP.less_than:
        if (number >>> 0 >= step.value >>> 0) next = step.other;
        break;
      case 27 satisfies typeof STEP.less_or_equal:
        if (number >>> 0 > step.value >>> 0) next = step.other;
        break;
      case 28 satisfies typeof STEP.stop:
        return step.value;

      case 54 satisfies typeof STEP.store8constant:
      case 29 satisfies typeof STEP.store8: {
        if (step.kind === (54 satisfies typeof STEP.store8constant)) number = step.value | 0;
        const to = (step.to + (step.frame & frame) + (step.element & element)) | 0;
        metadata[to] = number;
        if (s.trace !== null) wrote(s, to, 1);
        break;
      }
      case 55 satisfies typeof STEP.store16start:
      case 30 satisfies typeof STEP.store16: {
        if (step.kind === (55 satisfies typeof STEP.store16start)) {
          number = (at + step.value) | 0;
          if ((number & ~step.mask) !== 0) return CODE.STOP_BAD_EXTRACT;
        }
        const to = (step.to + (step.frame & frame) + (step.element & element)) | 0;
        metadata[to + step.little] = number >>> 8;
        metadata[to + 1 - step.little] = number;
        if (s.trace !== null) wrote(s, to, 2);
        break;
      }
      case 31 satisfies typeof STEP.store32: {
        const to = (step.to + (step.frame & frame) + (step.element & element)) | 0;
        s.view.setUint32(to, number, step.little === 1);
        if (s.trace !== null) wrote(s, to, 4);
        break;
      }
      case 32 satisfies typeof STEP.storeBits:
        storeBits(s, step, step.to + (step.frame & frame) + (step.element & element), number);
        break;
      case 33 satisfies typeof STEP.storeKey:
        s.keys[step.to] = number;
        if (s.trace !== null) s.trace.key?.(step.to, number >>> 0);
        break;
      case 34 satisfies typeof STEP.copy8: {
        const to = (step.to + (step.frame & frame) + (step.element & element)) | 0;
        metadata[to] = packet[(at + step.off) | 0]!;
        if (s.trace !== null) wrote(s, to, 1);
        break;
      }
      case 35 satisfies typeof STEP.copy16: {
        const to = (step.to + (step.frame & frame) + (step.element & element)) | 0;
        const from = (at + step.off) | 0;
        metadata[to] = packet[from + step.little]!;
        metadata[to + 1] = packet[from + 1 - step.little]!;
        if (s.trace !== null) wrote(s, to, 2);
        break;
      }
      case 36 satisfies typeof STEP.copy32: {
        const to = (step.to + (step.frame & frame) + (step.element & element)) | 0;
        const from = (at + step.off) | 0;
        const high = (packet[from]! << 24) | (packet[from + 1]! << 16);
        s.view.setUint32(to, high | (packet[from + 2]! << 8) | packet[from + 3]!, step.little === 1);
        if (s.trace !== null) wrote(s, to, 4);
        break;
      }
      case 37 satisfies typeof STEP.copy: {
        const to = (step.to + (step.frame & frame) + (step.element & element)) | 0;
        if (step.little === 1) reverse(s, step, to, at + step.off);
        else copy(s, step, to, at + step.off);
        if (s.trace !== null) wrote(s, to, step.len);
        break;
      }
      case 38 satisfies typeof STEP.nibbles:
        nibbles(s, step, step.to + (step.frame & frame) + (step.element & element), 2 * at + step.off);
        break;
      case 39 satisfies typeof STEP.element: {
        const c = counters[step.off]! | 0;
        if (c < step.count) element = (step.scale * c) | 0;
        else if (step.flag === 1) element = (step.scale * (step.count - 1)) | 0;
        else next = step.other;
        break;
      }
      case 40 satisfies typeof STEP.count:
        if (counters[step.to]! < step.count) counters[step.to]!++;
        else if (step.value !== 0) return step.value;
        break;
      case 41 satisfies typeof STEP.reset:
        counters[step.to] = 0;
        break;

      case 42 satisfies typeof STEP.tlvs: {
        const r = tlvs(s, step.tlvs!, at, length);
        if (r !== 0 && r !== CODE.STOP_NODE_OKAY && r !== CODE.STOP_SUB_NODE_OKAY) return r;
        break;
      }
      case 43 satisfies typeof STEP.flags: {
        const r = flags(s, step.flags!, at, length);
        if (r !== 0) return r;
        break;
      }
      case 44 satisfies typeof STEP.array: {
        const r = elements(s, step.elements!, at, length);
        if (r !== 0 && r !== CODE.STOP_NODE_OKAY && r !== CODE.STOP_SUB_NODE_OKAY) return r;
        break;
      }
      case 45 satisfies typeof STEP.encap:
        if (!encapsulate(s)) return CODE.STOP_ENCAP_DEPTH;
        frame = s.frame;
        break;
      case 52 satisfies typeof STEP.lookup8:
      case 53 satisfies typeof STEP.lookup16:
      case 46 satisfies typeof STEP.lookup: {
        if (step.kind === (52 satisfies typeof STEP.lookup8)) number = u8(packet, step, at);
        if (step.kind === (53 satisfies typeof STEP.lookup16)) number = u16(packet, step, at);
        const { table } = step;
        const found = find(table.keys, number);
        const node = found < 0 ? table.wildcard : found;
        if (node < 0) return table.default;
        if (step.flag === 0) at = (at + length) | 0;
        if (step.zeroLengthOk === 1 && at === s.end) return CODE.STOP_OKAY;
        next = s.program.nodes[node]!;
        break;
      }
      case 47 satisfies typeof STEP.go:
        if (step.flag === 0) at = (at + length) | 0;
        if (step.zeroLengthOk === 1 && at === s.end) return CODE.STOP_OKAY;
        next = s.program.nodes[step.to]!;
        break;
    }
    step = next;
  }
  return 0;
}

/** The number that a chain gives; the commonest, one byte, without a call. */
function value(s: Interpreter, first: Step, at: number, length: number): number {
  if (first.kind === (4 satisfies typeof STEP.u8) && first.next!.kind === (21 satisfies typeof STEP.give))
    return (s.packet[at + first.off]! & first.mask) >>> first.shift;
  return walk(s, first, at, length);
}

function encapsulate(s: Interpreter): boolean {
  const { parser: p, program } = s;
  if (program.encap !== null) walk(s, program.encap, 0, 0);
  s.encaps++;
  if (s.encaps > p.maxEncaps) return false;
  if (s.frameNumber + 1 < p.frames) {
    s.frameNumber++;
    s.frame += p.frameSize;
  }
  for (let i = 0; i < program.resetAtEncap.length; i++) s.counters[program.resetAtEncap[i]!] = 0;
  return true;
}

/** Where the fields start, and the sizes of those present. */
function flagsLength({ start, fields }: Flags, flags: number): number {
  let length = start;
  for (let i = 0; i < fields.length; i++)
    if ((flags & fields[i]!.mask) === fields[i]!.flag) length += fields[i]!.len;
  return length;
}

function tlvs(s: Interpreter, t: Tlvs, off: number, h: number): number {
  const end = (off + h) | 0;
  let at = (off + value(s, t.start, off, h)) | 0;
  let loops = 0;
  let nonPadding = 0;
  let padded = 0;
  let consecutive = 0;
  while (at < end) {
    if (++loops > t.maxTlvs) return limit(t, CODE.STOP_LOOP_CNT);
    const first = s.packet[at]!;
    if (first === t.eol) return 0;
    let length = 1;
    let padding = first === t.pad1;
    let type = 0;
    if (!padding) {
      if (end - at < t.minLen) return CODE.STOP_TLV_LENGTH;
      length = value(s, t.length, at, 0) | 0;
      if (length < t.minLen || length > end - at) return CODE.STOP_TLV_LENGTH;
      type = value(s, t.type, at, length);
      padding = type === t.padn && t.padn >= 0;
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
      const r = tlv(s, t.table, type, at, length);
      if (r !== 0) return r;
    }
    at = (at + length) | 0;
  }
  return 0;
}

/** One TLV: its node where it fits, else the wildcard where that fits, else the code of the unknown. */
function tlv(s: Interpreter, table: Table, key: number, at: number, length: number): number {
  const nodes = s.program.tlvNodes;
  let index = find(table.keys, key);
  if (index < 0 || !fits(nodes[index]!, length)) index = table.wildcard;
  if (index < 0 || !fits(nodes[index]!, length)) return table.default;
  const node = nodes[index]!;
  let r = walk(s, node.steps, at, length);
  if (r === 0 && node.nested !== null) {
    r = tlvs(s, node.nested, at, length);
    if (r === CODE.STOP_SUB_NODE_OKAY) r = 0;
  }
  if (r !== 0 || node.overlay === null) return r;
  return tlv(s, node.overlay, node.key === null ? 0 : value(s, node.key, at, length), at, length);
}

function flags(s: Interpreter, body: Flags, off: number, h: number): number {
  const flags = value(s, body.load, off, h);
  let at = off + body.start;
  for (let i = 0; i < body.fields.length; i++) {
    const field = body.fields[i]!;
    if ((flags & field.mask) !== field.flag) continue;
    if (field.handled) {
      if (at + field.len > off + h) return CODE.STOP_LENGTH;
      const r = walk(s, field.steps, at, field.len);
      if (r !== 0) return r;
    }
    at += field.len;
  }
  return 0;
}

function elements(s: Interpreter, body: Elements, off: number, h: number): number {
  const { table, elLen } = body;
  const count = value(s, body.count, off, h);
  if (count > body.maxEls) return CODE.STOP_LOOP_CNT;
  let at = off + body.start;
  for (let i = 0; i < count; i++, at += elLen) {
    if (off + h - at < elLen) return CODE.STOP_LENGTH;
    const found = find(table.keys, value(s, body.type, at, elLen));
    const index = found < 0 ? table.wildcard : found;
    const r = index < 0 ? table.default : walk(s, s.program.elements[index]!, at, elLen);
    if (r !== 0) return r;
  }
  return 0;
}

function fits(node: TlvNode, length: number): boolean {
  return length >= node.minLen && (node.maxLen < 0 || length <= node.maxLen);
}

function limit(t: Tlvs, code: number): number {
  return t.dispLimit === CODE.STOP_FAIL ? code : t.dispLimit;
}

function entered(s: Interpreter, at: number, length: number): void {
  s.trace?.node?.(s.lastNode, at, length);
}
