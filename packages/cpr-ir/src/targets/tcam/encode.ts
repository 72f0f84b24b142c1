/** A TCAM program to bytes: see format.ts. */
import { FLAG, NO_REG, SIZES, SOURCES, STEPS, TCAM_MAGIC, TCAM_VERSION } from "./format.ts";
import type { TcamOp, TcamProgram, TcamSource, TcamState, TcamTarget } from "./table.ts";

/** Encode a program. @returns bytes that {@link decodeTcam} takes */
export function encodeTcam(program: TcamProgram): Uint8Array {
  const size = program.states.reduce<number>((n, s) => n + stateSize(s), SIZES.header);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  header(view, program, size);
  let at: number = SIZES.header;
  for (const s of program.states) at = state(view, at, s);
  return out;
}

/** Bytes of a state with its keys and entries. */
function stateSize(s: TcamState): number {
  const rows = s.entries.reduce((n, e) => n + SIZES.entry + 8 * s.keys.length + SIZES.step * e.ops.length, 0);
  return SIZES.state + SIZES.key * s.keys.length + rows;
}

function header(view: DataView, p: TcamProgram, size: number): void {
  view.setUint32(0, TCAM_MAGIC, true);
  view.setUint16(4, TCAM_VERSION, true);
  view.setUint16(6, p.states.length, true);
  view.setUint32(8, size, true);
  view.setInt32(12, p.start, true);
  view.setInt32(16, p.okayExit, true);
  view.setInt32(20, p.failExit, true);
  view.setUint32(24, p.maxNodes, true);
  view.setUint32(28, p.maxEncaps, true);
  view.setUint16(32, p.frames, true);
  view.setUint16(34, p.metametaSize, true);
  view.setUint16(36, p.frameSize, true);
  view.setUint16(38, 1 + Math.max(...p.states.map((s) => s.node)), true);
  view.setUint8(40, p.numKeys);
  view.setUint8(41, p.numRegs);
}

function state(view: DataView, from: number, s: TcamState): number {
  view.setInt16(from, s.node, true);
  view.setUint8(from + 2, s.enter ? 1 : 0);
  view.setUint8(from + 3, s.keys.length);
  view.setUint16(from + 4, s.entries.length, true);
  view.setUint32(from + 8, s.need, true);
  view.setInt32(from + 12, s.short, true);
  let at = from + SIZES.state;
  for (const k of s.keys) {
    view.setUint8(at, SOURCES.indexOf(k.kind));
    view.setUint8(at + 1, sourceByte(k));
    view.setUint8(at + 2, k.kind === "packet" && k.little ? 1 : 0);
    view.setInt32(at + 4, sourceWord(k), true);
    at += SIZES.key;
  }
  for (const e of s.entries) {
    for (let i = 0; i < s.keys.length; i++, at += 8) {
      view.setUint32(at, e.values[i]!, true);
      view.setUint32(at + 4, e.masks[i]!, true);
    }
    view.setInt32(at, e.next, true);
    view.setUint16(at + 4, e.ops.length, true);
    at += SIZES.entry;
    for (const op of e.ops) {
      step(view, at, op);
      at += SIZES.step;
    }
  }
  return at;
}

/** Length of the bytes, or the register. */
function sourceByte(s: TcamSource): number {
  if (s.kind === "packet") return s.len;
  return s.kind === "register" || s.kind === "until" ? s.reg : 0;
}

function sourceWord(s: TcamSource): number {
  if (s.kind === "packet") return s.off;
  return s.kind === "constant" ? s.value : 0;
}

function step(view: DataView, at: number, op: TcamOp): void {
  view.setUint8(at, STEPS.indexOf(op.op));
  let flags = 0;
  if ("src" in op || op.op === "fit") {
    const src = "src" in op ? op.src : op.limit;
    view.setUint8(at + 2, SOURCES.indexOf(src.kind));
    view.setUint8(at + 3, sourceByte(src));
    view.setInt32(at + 4, sourceWord(src), true);
    if (src.kind === "packet" && src.little) flags |= FLAG.srcLittle;
  }
  if ("mask" in op) {
    view.setUint32(at + 8, op.mask, true);
    view.setUint8(at + 12, op.shift);
  }
  if (op.op === "alu") {
    view.setUint8(at + 13, op.dst);
    view.setUint8(at + 14, op.plus < 0 ? NO_REG : op.plus);
    view.setUint32(at + 16, op.mult, true);
    view.setInt32(at + 20, op.add, true);
  } else if (op.op === "fit" || op.op === "count") {
    view.setUint8(at + 13, op.reg);
    view.setUint32(at + 16, op.op === "fit" ? op.min : op.max, true);
    if (op.op === "fit" && op.clamp) flags |= FLAG.clamp;
  } else if (op.op === "copy") view.setInt32(at + 4, op.off, true);
  else if (op.op === "nibbles") {
    view.setInt32(at + 4, op.start, true);
    view.setUint8(at + 15, op.count);
  } else if (op.op === "move" && op.relative) flags |= FLAG.relative;
  if ("otherwise" in op && op.otherwise !== null) {
    flags |= FLAG.otherwise;
    view.setInt32(at + 24, op.otherwise, true);
  }
  if ("target" in op) flags |= target(view, at + 28, op.target);
  view.setUint8(at + 1, flags);
}

/** @returns its flags */
function target(view: DataView, at: number, t: TcamTarget): number {
  view.setUint16(at, t.off, true);
  view.setUint8(at + 2, t.len);
  view.setUint8(at + 3, t.shift);
  view.setUint8(at + 4, t.bits);
  let flags = (t.frame ? FLAG.frame : 0) | (t.little ? FLAG.little : 0);
  if (t.index !== null) {
    view.setUint8(at + 5, t.index.reg);
    view.setUint16(at + 6, t.index.elementSize, true);
    view.setUint16(at + 8, t.index.numElements, true);
    flags |= FLAG.index | (t.index.overwritable ? FLAG.overwritable : 0);
  }
  return flags;
}
