/**
 * Bytes to a TCAM program. They may come from anywhere: whatever is accepted is safe to execute. Every state and
 * register that is named exists, every write lies in the metadata memory, every state has a last row that
 * matches everything, and encoding the program again gives the same bytes.
 */
import { fail, ok, type Result } from "../../diagnostics.ts";
import { encodeTcam } from "./encode.ts";
import { FLAG, MAX_METADATA, NO_REG, SIZES, SOURCES, STEPS, TCAM_MAGIC, TCAM_VERSION } from "./format.ts";
import type { Goto, TcamEntry, TcamOp, TcamProgram, TcamSource, TcamState, TcamTarget } from "./table.ts";

/** Inside this file only. */
class Bad extends Error {
  readonly code: string;
  readonly offset: number;
  constructor(code: string, offset: number, message: string) {
    super(message);
    this.code = code;
    this.offset = offset;
  }
}

/** Decode and check a program; never throws. */
export function decodeTcam(bytes: Uint8Array): Result<TcamProgram> {
  try {
    const program = new Reader(bytes).program();
    const again = encodeTcam(program);
    const at = again.findIndex((b, i) => b !== bytes[i]);
    if (at >= 0) throw new Bad("tcam.unused", at, "a field that has no meaning here is not 0");
    return ok(program);
  } catch (error) {
    if (!(error instanceof Bad)) throw error;
    return fail(error.code, error.message, { offset: error.offset });
  }
}

class Reader {
  readonly #view: DataView;
  #at = 0;
  #states = 0;
  #nodes = 0;
  #regs = 0;
  #frameSize = 0;
  #metametaSize = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Take `n` bytes; their offset. */
  #take(n: number): number {
    const at = this.#at;
    if (at + n > this.#view.byteLength)
      throw new Bad("tcam.truncated", at, `${n} bytes are needed, ${this.#view.byteLength - at} are left`);
    this.#at += n;
    return at;
  }

  program(): TcamProgram {
    const v = this.#view;
    this.#take(SIZES.header);
    if (v.getUint32(0, true) !== TCAM_MAGIC) throw new Bad("tcam.magic", 0, "not a TCAM program");
    const version = v.getUint16(4, true);
    if (version !== TCAM_VERSION)
      throw new Bad("tcam.version", 4, `version ${version}; ${TCAM_VERSION} is known`);
    const length = v.getUint32(8, true);
    if (length !== v.byteLength)
      throw new Bad("tcam.length", 8, `the header says ${length} bytes, there are ${v.byteLength}`);
    this.#states = v.getUint16(6, true);
    if (this.#states === 0) throw new Bad("tcam.states", 6, "no states");
    const frames = v.getUint16(32, true);
    this.#metametaSize = v.getUint16(34, true);
    this.#frameSize = v.getUint16(36, true);
    const memory = this.#metametaSize + frames * this.#frameSize;
    if (memory > MAX_METADATA)
      throw new Bad("tcam.metadata", 32, `${memory} bytes of metadata; at most ${MAX_METADATA}`);
    if (frames === 0) this.#frameSize = 0;
    this.#nodes = v.getUint16(38, true);
    const numKeys = v.getUint8(40);
    this.#regs = v.getUint8(41);
    if (numKeys > this.#regs || this.#regs >= NO_REG)
      throw new Bad("tcam.register", 40, `${numKeys} keys, ${this.#regs} registers; at most ${NO_REG - 1}`);
    const head = {
      start: this.#goto(12, 0),
      okayExit: this.#goto(16, -1),
      failExit: this.#goto(20, -1),
      maxNodes: v.getUint32(24, true),
      maxEncaps: v.getUint32(28, true),
      frames,
      metametaSize: this.#metametaSize,
      frameSize: v.getUint16(36, true),
      numKeys,
      numRegs: this.#regs,
    };
    const states = Array.from({ length: this.#states }, () => this.#state());
    if (this.#at !== v.byteLength) throw new Bad("tcam.length", this.#at, "bytes behind the last state");
    return { ...head, states };
  }

  /** A place to go: a state or, from `least` up, an end. */
  #goto(at: number, least = -128): Goto {
    const to = this.#view.getInt32(at, true);
    if (to < least || to >= this.#states)
      throw new Bad("tcam.goto", at, `${to} is no state and no code; there are ${this.#states} states`);
    return to;
  }

  #state(): TcamState {
    const v = this.#view;
    const at = this.#take(SIZES.state);
    const node = v.getInt16(at, true);
    if (node < -1 || node >= this.#nodes) throw new Bad("tcam.node", at, `node ${node} of ${this.#nodes}`);
    const enter = v.getUint8(at + 2) === 1;
    if (enter && node < 0) throw new Bad("tcam.node", at, "an entrance without node");
    const keyCount = v.getUint8(at + 3);
    const entryCount = v.getUint16(at + 4, true);
    const keys = Array.from({ length: keyCount }, () => this.#key());
    const entries = Array.from({ length: entryCount }, () => this.#entry(keyCount));
    if (entries.length === 0 || entries[entries.length - 1]!.masks.some((m) => m !== 0))
      throw new Bad("tcam.default", at, "the last row of a state must match everything");
    return { node, enter, need: v.getUint32(at + 8, true), short: this.#goto(at + 12), keys, entries };
  }

  #key(): TcamSource {
    const at = this.#take(SIZES.key);
    return this.#source(at, at + 1, at + 4, this.#view.getUint8(at + 2) === 1);
  }

  #source(kindAt: number, byteAt: number, wordAt: number, little: boolean): TcamSource {
    const kind = SOURCES[this.#view.getUint8(kindAt)];
    const byte = this.#view.getUint8(byteAt);
    const word = this.#view.getInt32(wordAt, true);
    switch (kind) {
      case undefined:
        throw new Bad("tcam.source", kindAt, `source ${this.#view.getUint8(kindAt)} is unknown`);
      case "packet":
        if (byte < 1 || byte > 4) throw new Bad("tcam.source", byteAt, `a load of ${byte} bytes; 1 to 4`);
        if (word < 0 || word > 0xffff) throw new Bad("tcam.source", wordAt, `a window offset of ${word}`);
        return { kind, off: word, len: byte, little };
      case "register":
      case "until":
        return { kind, reg: this.#reg(byteAt) };
      case "constant":
        return { kind, value: word };
      default:
        return { kind };
    }
  }

  #reg(at: number): number {
    const reg = this.#view.getUint8(at);
    if (reg >= this.#regs) throw new Bad("tcam.register", at, `register ${reg} of ${this.#regs}`);
    return reg;
  }

  #entry(keyCount: number): TcamEntry {
    const v = this.#view;
    const at = this.#take(8 * keyCount + SIZES.entry);
    const values: number[] = [];
    const masks: number[] = [];
    for (let i = 0; i < keyCount; i++) {
      values.push(v.getUint32(at + 8 * i, true));
      masks.push(v.getUint32(at + 8 * i + 4, true));
    }
    const rest = at + 8 * keyCount;
    const next = this.#goto(rest);
    const ops = Array.from({ length: v.getUint16(rest + 4, true) }, () => this.#step());
    return { values, masks, ops, next };
  }

  #step(): TcamOp {
    const v = this.#view;
    const at = this.#take(SIZES.step);
    const op = STEPS[v.getUint8(at)];
    if (op === undefined) throw new Bad("tcam.step", at, `step ${v.getUint8(at)} is unknown`);
    const flags = v.getUint8(at + 1);
    const src = (): TcamSource => this.#source(at + 2, at + 3, at + 4, (flags & FLAG.srcLittle) !== 0);
    const mask = v.getUint32(at + 8, true);
    const shift = v.getUint8(at + 12);
    if (shift > 31) throw new Bad("tcam.step", at + 12, `a shift by ${shift} bits`);
    const amount = v.getUint32(at + 16, true);
    const maybe = (flags & FLAG.otherwise) === 0 ? null : this.#goto(at + 24);
    const otherwise = (): Goto => {
      if (maybe === null) throw new Bad("tcam.goto", at + 1, `a ${op} without a place to go`);
      return maybe;
    };
    switch (op) {
      case "alu": {
        const add = v.getInt32(at + 20, true);
        const plus = v.getUint8(at + 14) === NO_REG ? -1 : this.#reg(at + 14);
        return { op, dst: this.#reg(at + 13), src: src(), mask, shift, mult: amount, add, plus };
      }
      case "fit":
        return {
          op,
          reg: this.#reg(at + 13),
          min: amount,
          limit: src(),
          clamp: (flags & FLAG.clamp) !== 0,
          otherwise: otherwise(),
        };
      case "count":
        return { op, reg: this.#reg(at + 13), max: amount, otherwise: maybe };
      case "write": {
        const target = this.#target(at + 28, flags);
        if (target.len > 4 || target.bits < 1 || target.shift + target.bits > 8 * target.len)
          throw new Bad("tcam.target", at + 30, "a number of 1 to 4 bytes, its bits inside, is needed");
        return { op, src: src(), mask, shift, target, otherwise: maybe };
      }
      case "copy":
        return { op, off: this.#window(at + 4), target: this.#target(at + 28, flags) };
      case "nibbles":
        return {
          op,
          start: this.#window(at + 4),
          count: v.getUint8(at + 15),
          target: this.#target(at + 28, flags),
        };
      case "move":
        return { op, src: src(), relative: (flags & FLAG.relative) !== 0 };
      case "encap":
        return { op, otherwise: otherwise() };
      case "tell":
        return { op, src: src() };
    }
  }

  #window(at: number): number {
    const off = this.#view.getInt32(at, true);
    if (off < 0 || off > 0x1ffff) throw new Bad("tcam.source", at, `a window offset of ${off}`);
    return off;
  }

  #target(at: number, flags: number): TcamTarget {
    const v = this.#view;
    const frame = (flags & FLAG.frame) !== 0;
    const off = v.getUint16(at, true);
    const len = v.getUint8(at + 2);
    let last = 0;
    let index: TcamTarget["index"] = null;
    if ((flags & FLAG.index) !== 0) {
      const elementSize = v.getUint16(at + 6, true);
      const numElements = v.getUint16(at + 8, true);
      index = {
        reg: this.#reg(at + 5),
        elementSize,
        numElements,
        overwritable: (flags & FLAG.overwritable) !== 0,
      };
      last = elementSize * Math.max(0, numElements - 1);
    }
    const size = frame ? this.#frameSize : this.#metametaSize;
    if (len < 1 || off + last + len > size)
      throw new Bad(
        "tcam.target",
        at,
        `bytes ${off + last} to ${off + last + len - 1} of ${size} bytes of metadata`,
      );
    return {
      frame,
      off,
      len,
      little: (flags & FLAG.little) !== 0,
      shift: v.getUint8(at + 3),
      bits: v.getUint8(at + 4),
      index,
    };
  }
}
