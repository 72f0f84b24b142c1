/**
 * The NPU's instruction set interpreted in plain TypeScript, each 64-bit register two 32-bit halves: the engine's
 * oracle in tests, and the baseline that its speed is measured against. Written from RFC 9669; code is taken apart
 * once, and nothing is allocated while it runs, so that the baseline is a fair one. It trusts its code and shares
 * nothing with the engine.
 */

/** An acceleration unit: four u32 arguments, a u32 result. */
export type Unit = (a: number, b: number, c: number, d: number) => number;

/** Words of one instruction: opcode, destination, source, offset, immediate, upper half of a 64-bit immediate. */
const WORDS = 6;
const FRAME = 512;
const FRAMES = 8;
/** Words of a kept frame: way back, then r6 to r9 with both halves. */
const KEPT = 9;
const OUT_OF_BOUNDS = 3;
const BUDGET = 5;
/** Bytes of an access by bits 3 and up of its opcode. */
const SIZES = Int32Array.from({ length: 32 }, (_, i) => [4, 2, 1, 8][i & 3]!);

/** Interpreter of one program over a memory. */
export class Halves {
  /** Instructions of the last run. */
  instructions = 0;
  /** Trap code of the last run, 0: none. */
  trap = 0;
  readonly #code: Int32Array;
  readonly #view: DataView;
  readonly #limit: number;
  readonly #units: readonly Unit[];
  readonly #lo = new Int32Array(11);
  readonly #hi = new Int32Array(11);
  readonly #stack: DataView = new DataView(new ArrayBuffer(FRAME * FRAMES));
  readonly #kept = new Int32Array(KEPT * FRAMES);

  /** @param units - by number, from 1 on */
  constructor(text: Uint8Array, memory: Uint8Array, units: readonly Unit[]) {
    const from = new DataView(text.buffer, text.byteOffset, text.byteLength);
    const slots = text.length / 8;
    this.#code = new Int32Array(slots * WORDS);
    for (let i = 0; i < slots; i++) {
      const next = i + 1 < slots ? from.getInt32(8 * i + 12, true) : 0;
      const registers = text[8 * i + 1]!;
      const words = [text[8 * i]!, registers & 15, registers >> 4, from.getInt16(8 * i + 2, true)];
      this.#code.set([...words, from.getInt32(8 * i + 4, true), next], i * WORDS);
    }
    this.#view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    this.#limit = memory.length;
    this.#units = units;
  }

  /** Run once. @returns the low half of r0, signed; 0 after a trap */
  run(a: number, b: number, c: number, budget = 1_000_000): number {
    const lo = this.#lo;
    const hi = this.#hi;
    lo.fill(0);
    hi.fill(0);
    lo[1] = a;
    lo[2] = b;
    lo[3] = c;
    this.trap = 0;
    this.instructions = 0;
    this.#loop(budget);
    return this.trap === 0 ? lo[0]! : 0;
  }

  #loop(budget: number): void {
    const code = this.#code;
    const lo = this.#lo;
    const hi = this.#hi;
    let depth = 0;
    let count = 0;
    let at = 0;
    let where = 0;
    for (;;) {
      if (count >= budget) {
        this.trap = BUDGET;
        break;
      }
      count++;
      const op = code[at]!;
      const d = code[at + 1]!;
      const s = code[at + 2]!;
      const here = at;
      at += WORDS;
      switch (op & 7) {
        case 0:
          lo[d] = code[here + 4]!;
          hi[d] = code[here + 5]!;
          at += WORDS;
          continue;
        case 1:
          where = this.#locate(s, code[here + 3]!, op, depth);
          if (where < 0) break;
          this.#load(s === 10 ? this.#stack : this.#view, where, op, d);
          continue;
        case 2:
          where = this.#locate(d, code[here + 3]!, op, depth);
          if (where < 0) break;
          this.#store(d === 10 ? this.#stack : this.#view, where, op, code[here + 4]!, code[here + 4]! >> 31);
          continue;
        case 3:
          where = this.#locate(d, code[here + 3]!, op, depth);
          if (where < 0) break;
          this.#store(d === 10 ? this.#stack : this.#view, where, op, lo[s]!, hi[s]!);
          continue;
        case 4:
          if ((op & 8) !== 0) this.#alu32(op, d, lo[s]!, code[here + 3]!);
          else this.#alu32(op, d, code[here + 4]!, code[here + 3]!);
          continue;
        case 7:
          if ((op & 8) !== 0) this.#alu64(op, d, lo[s]!, hi[s]!, code[here + 3]!, code[here + 4]!);
          else this.#alu64(op, d, code[here + 4]!, code[here + 4]! >> 31, code[here + 3]!, code[here + 4]!);
          continue;
        case 6:
          if (op === 0x06) at += code[here + 4]! * WORDS;
          else {
            const b = (op & 8) !== 0 ? lo[s]! : code[here + 4]!;
            if (holds32(op, lo[d]!, b)) at += code[here + 3]! * WORDS;
          }
          continue;
        default:
          if (op === 0x05) at += code[here + 3]! * WORDS;
          else if (op === 0x95) {
            if (depth === 0) {
              this.instructions = count;
              return;
            }
            at = this.#leave(--depth);
          } else if (op !== 0x85) {
            const b = (op & 8) !== 0 ? lo[s]! : code[here + 4]!;
            const bHigh = (op & 8) !== 0 ? hi[s]! : b >> 31;
            if (holds64(op, lo[d]!, hi[d]!, b, bHigh)) at += code[here + 3]! * WORDS;
          } else if (s === 1) {
            if (depth + 1 >= FRAMES) this.trap = BUDGET;
            else this.#enter(depth++, at);
            at += code[here + 4]! * WORDS;
          } else if (code[here + 4] === 64) {
            this.trap = lo[1]! >= 1 && lo[1]! <= BUDGET ? lo[1]! : BUDGET;
          } else {
            lo[0] = this.#units[code[here + 4]!]!(lo[1]! >>> 0, lo[2]! >>> 0, lo[3]! >>> 0, lo[4]! >>> 0);
            hi[0] = 0;
          }
          if (this.trap === 0) continue;
      }
      break;
    }
    this.instructions = count;
  }

  #enter(depth: number, back: number): void {
    const frame = depth * KEPT;
    this.#kept[frame] = back;
    for (let r = 0; r < 4; r++) {
      this.#kept[frame + 1 + r] = this.#lo[6 + r]!;
      this.#kept[frame + 5 + r] = this.#hi[6 + r]!;
    }
  }

  #leave(depth: number): number {
    const frame = depth * KEPT;
    for (let r = 0; r < 4; r++) {
      this.#lo[6 + r] = this.#kept[frame + 1 + r]!;
      this.#hi[6 + r] = this.#kept[frame + 5 + r]!;
    }
    return this.#kept[frame]!;
  }

  /** Where register + offset points: an offset in the frames for r10, else an address. @returns -1: trap */
  #locate(r: number, off: number, op: number, depth: number): number {
    if (r === 10) return FRAME * (depth + 1) + off;
    const at = (this.#lo[r]! >>> 0) + off;
    const high = this.#hi[r]!;
    if (high === 0 && at >= 0 && at + SIZES[op >> 3]! <= this.#limit) return at;
    // an offset can carry out of the upper half
    const wrapped = at - 2 ** 32;
    if (high === -1 && wrapped >= 0 && wrapped + SIZES[op >> 3]! <= this.#limit) return wrapped;
    this.trap = OUT_OF_BOUNDS;
    return -1;
  }

  #load(view: DataView, at: number, op: number, d: number): void {
    const signed = (op & 0x80) !== 0;
    let low: number;
    let high = 0;
    switch ((op >> 3) & 3) {
      case 0:
        low = view.getInt32(at, true);
        break;
      case 1:
        low = signed ? view.getInt16(at, true) : view.getUint16(at, true);
        break;
      case 2:
        low = signed ? view.getInt8(at) : view.getUint8(at);
        break;
      default:
        low = view.getInt32(at, true);
        high = view.getInt32(at + 4, true);
    }
    this.#lo[d] = low;
    this.#hi[d] = signed ? low >> 31 : high;
  }

  #store(view: DataView, at: number, op: number, low: number, high: number): void {
    switch ((op >> 3) & 3) {
      case 0:
        view.setInt32(at, low, true);
        return;
      case 1:
        view.setInt16(at, low, true);
        return;
      case 2:
        view.setInt8(at, low);
        return;
      default:
        view.setInt32(at, low, true);
        view.setInt32(at + 4, high, true);
    }
  }

  #alu32(op: number, d: number, b: number, off: number): void {
    const lo = this.#lo;
    const a = lo[d]!;
    this.#hi[d] = 0;
    switch (op >> 4) {
      case 0:
        lo[d] = a + b;
        return;
      case 1:
        lo[d] = a - b;
        return;
      case 2:
        lo[d] = Math.imul(a, b);
        return;
      case 4:
        lo[d] = a | b;
        return;
      case 5:
        lo[d] = a & b;
        return;
      case 6:
        lo[d] = a << b;
        return;
      case 7:
        lo[d] = a >>> b;
        return;
      case 8:
        lo[d] = -a;
        return;
      case 10:
        lo[d] = a ^ b;
        return;
      case 11:
        lo[d] = off === 8 ? (b << 24) >> 24 : off === 16 ? (b << 16) >> 16 : b;
        return;
      case 12:
        lo[d] = a >> b;
        return;
      default:
        if (off === 1) lo[d] = divideSigned(op, a, b);
        else lo[d] = divide(op, a >>> 0, b >>> 0);
    }
  }

  #alu64(op: number, d: number, b: number, bHigh: number, off: number, imm: number): void {
    const lo = this.#lo;
    const hi = this.#hi;
    const a = lo[d]!;
    const aHigh = hi[d]!;
    switch (op >> 4) {
      case 0:
        lo[d] = a + b;
        hi[d] = aHigh + bHigh + (lo[d]! >>> 0 < a >>> 0 ? 1 : 0);
        return;
      case 1:
        lo[d] = a - b;
        hi[d] = aHigh - bHigh - (a >>> 0 < b >>> 0 ? 1 : 0);
        return;
      case 4:
        lo[d] = a | b;
        hi[d] = aHigh | bHigh;
        return;
      case 5:
        lo[d] = a & b;
        hi[d] = aHigh & bHigh;
        return;
      case 10:
        lo[d] = a ^ b;
        hi[d] = aHigh ^ bHigh;
        return;
      case 8:
        lo[d] = -a;
        hi[d] = ~aHigh + (a === 0 ? 1 : 0);
        return;
      case 11:
        lo[d] = off === 8 ? (b << 24) >> 24 : off === 16 ? (b << 16) >> 16 : b;
        hi[d] = off === 0 ? bHigh : lo[d]! >> 31;
        return;
      case 6:
      case 7:
      case 12:
        this.#shift64(op, d, b & 63);
        return;
      case 13:
        this.#swap(d, imm);
        return;
      default: {
        const value = wide(op, off, join(a, aHigh), join(b, bHigh));
        lo[d] = Number(BigInt.asIntN(32, value));
        hi[d] = Number(BigInt.asIntN(32, value >> 32n));
      }
    }
  }

  #shift64(op: number, d: number, n: number): void {
    const lo = this.#lo;
    const hi = this.#hi;
    const low = lo[d]!;
    const high = hi[d]!;
    if (n === 0) return;
    if (op >> 4 === 6) {
      hi[d] = n >= 32 ? low << (n - 32) : (high << n) | (low >>> (32 - n));
      lo[d] = n >= 32 ? 0 : low << n;
      return;
    }
    const signed = op >> 4 === 12;
    if (n >= 32) {
      lo[d] = signed ? high >> (n - 32) : high >>> (n - 32);
      hi[d] = signed ? high >> 31 : 0;
      return;
    }
    lo[d] = (low >>> n) | (high << (32 - n));
    hi[d] = signed ? high >> n : high >>> n;
  }

  #swap(d: number, bits: number): void {
    const low = this.#lo[d]!;
    const high = this.#hi[d]!;
    this.#hi[d] = bits === 64 ? reversed(low) : 0;
    this.#lo[d] = bits === 16 ? reversed(low) >>> 16 : bits === 32 ? reversed(low) : reversed(high);
  }
}

const reversed = (x: number): number => (x >>> 24) | ((x >>> 8) & 0xff00) | ((x & 0xff00) << 8) | (x << 24);

const join = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

/** x / 0 is 0 and x % 0 is x. */
function divide(op: number, a: number, b: number): number {
  if (op >> 4 === 3) return b === 0 ? 0 : Math.floor(a / b);
  return b === 0 ? a : a % b;
}

function divideSigned(op: number, a: number, b: number): number {
  if (op >> 4 === 3) return b === 0 ? 0 : (a / b) | 0;
  return b === 0 ? a : a % b;
}

/** mul, div and mod of 64 bits: rare, so BigInt does. */
function wide(op: number, off: number, a: bigint, b: bigint): bigint {
  if (op >> 4 === 2) return a * b;
  if (b === 0n) return op >> 4 === 3 ? 0n : a;
  if (off !== 1) return op >> 4 === 3 ? a / b : a % b;
  const x = BigInt.asIntN(64, a);
  const y = BigInt.asIntN(64, b);
  return op >> 4 === 3 ? x / y : x % y;
}

function holds32(op: number, a: number, b: number): boolean {
  switch (op >> 4) {
    case 1:
      return a === b;
    case 2:
      return a >>> 0 > b >>> 0;
    case 3:
      return a >>> 0 >= b >>> 0;
    case 4:
      return (a & b) !== 0;
    case 5:
      return a !== b;
    case 6:
      return a > b;
    case 7:
      return a >= b;
    case 10:
      return a >>> 0 < b >>> 0;
    case 11:
      return a >>> 0 <= b >>> 0;
    case 12:
      return a < b;
    default:
      return a <= b;
  }
}

function holds64(op: number, a: number, aHigh: number, b: number, bHigh: number): boolean {
  const unsigned = aHigh === bHigh ? a >>> 0 < b >>> 0 : aHigh >>> 0 < bHigh >>> 0;
  const signed = aHigh === bHigh ? a >>> 0 < b >>> 0 : aHigh < bHigh;
  const equal = a === b && aHigh === bHigh;
  switch (op >> 4) {
    case 1:
      return equal;
    case 2:
      return !unsigned && !equal;
    case 3:
      return !unsigned;
    case 4:
      return (a & b) !== 0 || (aHigh & bHigh) !== 0;
    case 5:
      return !equal;
    case 6:
      return !signed && !equal;
    case 7:
      return !signed;
    case 10:
      return unsigned;
    case 11:
      return unsigned || equal;
    case 12:
      return signed;
    default:
      return signed || equal;
  }
}
