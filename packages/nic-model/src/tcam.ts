/**
 * The device's parser engine: states, masked matches, steps.
 *
 * A program comes from outside and is checked when it is loaded; what a packet can do is bounded by the
 * engine's states per packet. The cursor never leaves the packet, window bytes behind its end read as 0.
 */
import {
  CODE,
  codeOfGoto,
  decodeTcam,
  isOkay,
  type Result,
  type TcamEntry,
  type TcamOp,
  type TcamProgram,
  type TcamSource,
  type TcamTarget,
  type Trace,
} from "@netoffload/cpr-ir";

/** Why a packet was not parsed. `cursor`: a move out of the packet, which no compiled program does. */
export type TcamTrap = "none" | "steps" | "cursor";

/** States that a packet goes through unless the device says otherwise. */
const STEPS = 65536;

/** Runs one program. The caller zeroes the metadata ({@link TcamEngine.clear}). */
export class TcamEngine {
  readonly program: TcamProgram;
  /** The metameta area, then the frames. */
  readonly metadata: Uint8Array;
  /** Registers; the first `numKeys` are the caller's. */
  readonly keys: Uint32Array;
  /** Results of the last run; `trap` other than `none`: not parsed, the code means nothing. */
  code = 0;
  lastNode = 0;
  encaps = 0;
  nodes = 0;
  /** States that the packet went through. */
  steps = 0;
  trap: TcamTrap = "none";
  /** Told of what a packet does; nodes only where the program was compiled in debug mode. */
  trace: Trace | null = null;

  readonly #maxSteps: number;
  readonly #regs: Uint32Array;
  /** Keys of the state that is looked at. */
  readonly #found: Uint32Array;
  #packet: Uint8Array = new Uint8Array(0);
  #end = 0;
  #cursor = 0;
  #frame = 0;
  #frameNumber = 0;

  private constructor(program: TcamProgram, maxSteps: number) {
    this.program = program;
    this.metadata = new Uint8Array(program.metametaSize + program.frames * program.frameSize);
    this.#regs = new Uint32Array(program.numRegs);
    this.keys = this.#regs.subarray(0, program.numKeys);
    this.#found = new Uint32Array(program.states.reduce((n, s) => Math.max(n, s.keys.length), 0));
    this.#maxSteps = maxSteps;
  }

  /**
   * Load a program.
   * @param text - an image's text; untrusted
   * @param steps - states that one packet may go through
   */
  static load(text: Uint8Array, steps: number = STEPS): Result<TcamEngine> {
    const program = decodeTcam(text);
    return program.ok ? { ok: true, value: new TcamEngine(program.value, steps) } : program;
  }

  /** Zero metadata and registers. */
  clear(): void {
    this.metadata.fill(0);
    this.#regs.fill(0);
  }

  /**
   * Parse a packet.
   * @param end - bytes of `packet` that belong to it
   * @param start - where the first header starts
   * @returns the code
   */
  run(packet: Uint8Array, end: number = packet.length, start = 0): number {
    const p = this.program;
    this.#packet = packet;
    this.#end = Math.min(end, packet.length);
    this.#cursor = Math.min(start, this.#end);
    this.#regs.fill(0, p.numKeys);
    this.#frame = p.metametaSize;
    this.#frameNumber = 0;
    this.code = CODE.OKAY;
    this.encaps = 0;
    this.nodes = 0;
    this.steps = 0;
    this.trap = "none";
    const ended = this.#walk(p.start);
    if (this.trap !== "none") return this.#trapped();
    this.code = codeOfGoto(ended);
    const exit = isOkay(this.code) ? p.okayExit : p.failExit;
    if (exit >= 0) {
      this.#cursor = 0;
      this.#walk(exit);
      if (this.trap !== "none") return this.#trapped();
    }
    return this.code;
  }

  #trapped(): number {
    this.code = CODE.STOP_FAIL;
    return this.code;
  }

  /** From a state to an end. */
  #walk(from: number): number {
    const { states } = this.program;
    let at = from;
    while (at >= 0) {
      if (this.steps === this.#maxSteps) {
        this.trap = "steps";
        return -1;
      }
      this.steps++;
      const state = states[at]!;
      if (state.enter) {
        if (this.nodes === this.program.maxNodes) return CODE.STOP_MAX_NODES - 1;
        this.nodes++;
        this.lastNode = state.node;
        if (this.#end - this.#cursor < state.need) {
          at = state.short;
          continue;
        }
      }
      at = this.#act(this.#match(state.keys, state.entries));
    }
    return at;
  }

  /** The first row that matches; the last one matches everything. Keys are read once, as the hardware's are. */
  #match(keys: readonly TcamSource[], entries: readonly TcamEntry[]): TcamEntry {
    const last = entries.length - 1;
    const found = this.#found;
    if (last > 0) for (let k = 0; k < keys.length; k++) found[k] = this.#value(keys[k]!);
    for (let i = 0; i < last; i++) {
      const { masks, values } = entries[i]!;
      let k = 0;
      while (k < keys.length && ((found[k]! & masks[k]!) ^ values[k]!) === 0) k++;
      if (k === keys.length) return entries[i]!;
    }
    return entries[last]!;
  }

  /** Run an entry's steps; where to go. */
  #act(entry: TcamEntry): number {
    for (let i = 0; i < entry.ops.length; i++) {
      const to = this.#step(entry.ops[i]!);
      if (to !== GO_ON) return to;
      if (this.trap !== "none") return -1;
    }
    return entry.next;
  }

  #step(op: TcamOp): number {
    const regs = this.#regs;
    switch (op.op) {
      case "alu": {
        const plus = op.plus < 0 ? 0 : regs[op.plus]!;
        regs[op.dst] = ((this.#value(op.src) & op.mask) >>> op.shift) * op.mult + op.add + plus;
        if (this.trace !== null && op.dst < this.keys.length) this.trace.key?.(op.dst, regs[op.dst]!);
        return GO_ON;
      }
      case "fit": {
        const limit = this.#value(op.limit);
        if (op.clamp && regs[op.reg]! > limit) regs[op.reg] = limit;
        const v = regs[op.reg]!;
        return v < op.min || v > limit ? op.otherwise : GO_ON;
      }
      case "count":
        if (regs[op.reg]! < op.max) regs[op.reg]!++;
        else if (op.otherwise !== null) return op.otherwise;
        return GO_ON;
      case "write": {
        const value = (this.#value(op.src) & op.mask) >>> op.shift;
        if (op.otherwise !== null && value >= 2 ** op.target.bits) return op.otherwise;
        this.#store(op.target, value);
        return GO_ON;
      }
      case "copy": {
        const at = this.#place(op.target);
        if (at < 0) return GO_ON;
        for (let i = 0; i < op.target.len; i++) this.#put(op.target, at, i, this.#byte(op.off + i));
        this.trace?.write?.(at, op.target.len);
        return GO_ON;
      }
      case "nibbles":
        this.#nibbles(op.target, op.start, op.count);
        return GO_ON;
      case "move":
        this.#move(op.src, op.relative);
        return GO_ON;
      case "tell":
        this.trace?.node?.(this.lastNode, this.#cursor, this.#value(op.src));
        return GO_ON;
      case "encap":
        this.encaps++;
        if (this.encaps > this.program.maxEncaps) return op.otherwise;
        if (this.#frameNumber + 1 < this.program.frames) {
          this.#frameNumber++;
          this.#frame += this.program.frameSize;
        }
        return GO_ON;
    }
  }

  #move(src: TcamSource, relative: boolean): void {
    const by = src.kind === "constant" ? src.value : this.#value(src);
    const to = relative ? this.#cursor + by : by;
    if (to < 0 || to > this.#end) this.trap = "cursor";
    else this.#cursor = to;
  }

  /** A window byte. */
  #byte(off: number): number {
    const at = this.#cursor + off;
    return at < this.#end ? this.#packet[at]! : 0;
  }

  #value(src: TcamSource): number {
    switch (src.kind) {
      case "packet": {
        let value = 0;
        for (let i = 0; i < src.len; i++)
          value = (value << 8) | this.#byte(src.little ? src.off + src.len - 1 - i : src.off + i);
        return value >>> 0;
      }
      case "register":
        return this.#regs[src.reg]!;
      case "left":
        return this.#end - this.#cursor;
      case "until":
        return Math.max(0, this.#regs[src.reg]! - this.#cursor);
      case "cursor":
        return this.#cursor;
      case "constant":
        return src.value >>> 0;
      case "encaps":
        return this.encaps;
      case "nodes":
        return this.nodes;
      case "code":
        return this.code >>> 0;
    }
  }

  /** Where a target lies in the metadata; -1: beyond its array, not written. */
  #place(t: TcamTarget): number {
    const base = (t.frame ? this.#frame : 0) + t.off;
    if (t.index === null) return base;
    const { reg, elementSize, numElements, overwritable } = t.index;
    const i = this.#regs[reg]!;
    if (i < numElements) return base + elementSize * i;
    return overwritable && numElements > 0 ? base + elementSize * (numElements - 1) : -1;
  }

  /** Byte `i` of a target in the order of the packet. */
  #put(t: TcamTarget, at: number, i: number, value: number): void {
    this.metadata[t.little ? at + t.len - 1 - i : at + i] = value;
  }

  #store(t: TcamTarget, value: number): void {
    const at = this.#place(t);
    if (at < 0) return;
    // as bits of a number up to 2^32: doubles hold it exactly
    const whole = t.bits === 8 * t.len;
    for (let i = 0; i < t.len; i++) {
      const low = 8 * i - t.shift;
      const byte = (low < 0 ? value << -low : value >>> low) & 0xff;
      const index = t.little ? at + i : at + t.len - 1 - i;
      const mask = whole ? 0xff : bitsOfByte(t, i);
      this.metadata[index] = (this.metadata[index]! & ~mask) | (byte & mask);
    }
    this.trace?.write?.(at, t.len);
  }

  #nibbles(t: TcamTarget, start: number, count: number): void {
    const at = this.#place(t);
    if (at < 0) return;
    let next = start;
    let left = count;
    for (let i = 0; i < t.len; i++) {
      const byte = this.#byte(next >> 1);
      if ((next & 1) === 1) {
        this.#put(t, at, i, byte & 0x0f);
        next++;
        left--;
      } else {
        this.#put(t, at, i, left === 1 ? byte & 0xf0 : byte);
        next += 2;
        left -= 2;
      }
    }
    this.trace?.write?.(at, t.len);
  }
}

/** No other place to go. */
const GO_ON = -1000;

/** Bits of byte `i` (0 the lowest) that a target covers. */
function bitsOfByte(t: TcamTarget, i: number): number {
  let mask = 0;
  for (let bit = 0; bit < 8; bit++) {
    const n = 8 * i + bit;
    if (n >= t.shift && n < t.shift + t.bits) mask |= 1 << bit;
  }
  return mask;
}
