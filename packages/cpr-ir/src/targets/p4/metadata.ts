/** Counters and metadata of a unit. */
import { CODE } from "../../ir/codes.ts";
import type { Actions, CounterAction, MdTarget, MdValue, Metadata } from "../../ir/types.ts";
import type { Value } from "./layout.ts";
import type { Flow } from "./program.ts";
import { bytesOf, condition, literal, loadValue, type Unit, widen } from "./values.ts";

type MemoryTarget = Extract<MdTarget, { kind: "memory" }>;

/** Counters, metadata, counters. */
export function emitActions(flow: Flow, actions: Actions, unit: Unit): void {
  emitCounters(flow, actions.pre);
  emitMetadata(flow, actions.metadata, unit);
  emitCounters(flow, actions.post);
}

function emitCounters(flow: Flow, steps: readonly CounterAction[]): void {
  const { program } = flow;
  for (const step of steps) {
    const name = program.counters[step.counter]!;
    const counter = program.parser.counters[step.counter]!;
    if (step.kind === "reset") flow.add(`${name} = 0;`);
    else if (counter.errorExceeded) {
      const stop = program.stop(CODE.STOP_CNTR1 - step.counter);
      flow.branch([[`${name} >= ${counter.max}`, stop]], "counted");
      flow.add(`${name} = ${name} + 1;`);
    } else flow.add(`if (${name} < ${counter.max}) {`, `    ${name} = ${name} + 1;`, "}");
  }
}

/** Entries in order. */
export function emitMetadata(flow: Flow, list: readonly Metadata[], unit: Unit): void {
  for (const entry of list) {
    const when = entry.when === null ? null : condition(flow.program, entry.when, unit);
    checkRange(flow, entry, unit, when);
    const lines = writeLines(flow, entry, unit);
    if (when === null) flow.add(...lines);
    else flow.add(`if (${when}) {`, ...lines.map((l) => `    ${l}`), "}");
  }
}

/** Offsets and lengths that do not fit end the parse. */
function checkRange(flow: Flow, { value, target }: Metadata, unit: Unit, when: string | null): void {
  const bits = target.kind === "key" ? 32 : target.bits;
  if ((value.kind !== "offset" && value.kind !== "length") || bits >= 32) return;
  const beyond = `${numberOf(flow, value, unit).text} > ${literal(2 ** bits - 1)}`;
  const stop = flow.program.stop(CODE.STOP_BAD_EXTRACT);
  flow.branch([[when === null ? beyond : `(${when} && (${beyond}))`, stop]], "inside");
}

function writeLines(flow: Flow, { value, target }: Metadata, unit: Unit): string[] {
  if (target.kind === "key") {
    const key = `meta.key${target.key}`;
    return [
      `${key} = ${widen(numberOf(flow, value, unit))};`,
      ...flow.program.tell("key", [target.key, key]),
    ];
  }
  if (target.index === null) return told(flow, value, target, unit, target.off);
  const { elementSize, numElements, overwritable } = flow.program.parser.counters[target.index]!;
  const name = flow.program.counters[target.index]!;
  const lines: string[] = [];
  for (let i = 0; i < numElements; i++) {
    const last = overwritable && i === numElements - 1;
    lines.push(
      `if (${name} ${last ? ">=" : "=="} ${i}) {`,
      ...told(flow, value, target, unit, target.off + i * elementSize).map((l) => `    ${l}`),
      "}",
    );
  }
  return lines;
}

/** Assignments, and what is told of them. */
function told(flow: Flow, value: MdValue, t: MemoryTarget, unit: Unit, off: number): string[] {
  const { program } = flow;
  const { metametaSize, frameSize, frames } = program.parser;
  const first = off + (t.frame ? metametaSize : 0);
  const at = t.frame && frames > 1 ? `(frame * ${frameSize} + ${first})` : first;
  return [...storeLines(flow, value, t, unit, off), ...program.tell("write", [at, t.len])];
}

/** Assignments to the bytes from `off` on. */
function storeLines(flow: Flow, value: MdValue, t: MemoryTarget, unit: Unit, off: number): string[] {
  const memory = t.frame ? flow.program.layouts.frame : flow.program.layouts.metameta;
  if (value.kind === "copy")
    return [`${memory.place(off, t.len)} = ${bytesOf(unit, value.off, t.len, t.little).text};`];
  if (value.kind === "nibbles")
    return [`${memory.place(off, t.len)} = ${nibbles(unit, value.start, value.count, t)};`];
  const number = numberOf(flow, value, unit);
  if (!t.little) {
    const place = memory.place(off, t.len, t.shift, t.bits);
    return [`${place} = ${widen(number, t.bits)};`];
  }
  if (t.bits === 8 * t.len) {
    const wide = `(${widen(number, t.bits)})`;
    const bytes = Array.from({ length: t.len }, (_, i) => `${wide}[${8 * i + 7}:${8 * i}]`);
    return [`${memory.place(off, t.len)} = ${bytes.join(" ++ ")};`];
  }
  memory.place(off, t.len);
  const wide = `(${widen(number)})`;
  const lines: string[] = [];
  for (let byte = 0; byte < t.len; byte++) {
    const low = Math.max(t.shift, 8 * byte);
    const high = Math.min(t.shift + t.bits, 8 * byte + 8);
    if (low >= high) continue;
    const place = memory.place(off + byte, 1, low - 8 * byte, high - low);
    lines.push(`${place} = ${wide}[${high - 1 - t.shift}:${low - t.shift}];`);
  }
  return lines;
}

/** An odd first nibble stands right in the first byte, a lone last one left in the last. */
function nibbles(unit: Unit, start: number, count: number, t: MemoryTarget): string {
  const bytes: string[] = [];
  let next = start;
  let left = count;
  while (bytes.length < t.len) {
    const byte = unit.header!.read(next >> 1, 1).text;
    if ((next & 1) === 1) {
      bytes.push(`(4w0 ++ ${byte}[3:0])`);
      next++;
      left--;
    } else {
      bytes.push(left === 1 ? `(${byte}[7:4] ++ 4w0)` : byte);
      next += 2;
      left -= 2;
    }
  }
  return (t.little ? bytes.reverse() : bytes).join(" ++ ");
}

function numberOf(flow: Flow, value: MdValue, unit: Unit): Value {
  switch (value.kind) {
    case "load":
      return loadValue(flow.program, value.load, unit);
    case "constant":
      return { text: `32w${literal(value.value)}`, width: 32 };
    case "offset": {
      const from = value.end ? `(${unit.at} + ${unit.length})` : unit.at;
      const scaled = value.bits ? `(${from} << 3)` : from;
      return { text: value.add === 0 ? scaled : `(${scaled} + ${value.add})`, width: 32 };
    }
    case "length":
      return { text: unit.length, width: 32 };
    case "num_encaps":
      return { text: "meta.encaps", width: 32 };
    case "num_nodes":
      return { text: "meta.nodes", width: 32 };
    case "return_code":
      return { text: "((bit<32>)(int<32>)meta.code)", width: 32 };
    default:
      throw new Error(`${value.kind} is no number`);
  }
}
