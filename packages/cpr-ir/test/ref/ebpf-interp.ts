/**
 * An eBPF interpreter in plain TypeScript, 64-bit registers as two 32-bit halves: the oracle of compilers and of
 * the NIC model's engine, and the bench baseline of the latter. Written from RFC 9669, to be obvious; it shares no
 * code with anything. Frames are 512 bytes outside the memory, r6 to r9 are kept across calls, traps are those of
 * the NPU: 1 DIV_ZERO, 2 OVERFLOW, 3 OUT_OF_BOUNDS, 4 UNREACHABLE, 5 BUDGET.
 */

/** How a run ended. */
export interface EbpfResult {
  /** Low half of r0, signed; 0 after a trap. */
  readonly ret: number;
  /** High half of r0. */
  readonly high: number;
  readonly trap: number;
  readonly instructions: number;
}

/** Surroundings of a run. */
export interface EbpfOptions {
  /** Instructions after which BUDGET is raised; default 10 million. */
  readonly limit?: number;
  /** Helpers by number; they get five u32 arguments and give a u32. */
  readonly helpers?: Readonly<
    Record<number, (a: number, b: number, c: number, d: number, e: number) => number>
  >;
  /** Called for every access to the memory. */
  readonly onAccess?: (address: number, bytes: number, write: boolean) => void;
  /** Called with the slot of every instruction. */
  readonly onStep?: (slot: number) => void;
}

class Trap extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`trap ${code}`);
    this.code = code;
  }
}

const STACK_TOP_HIGH = 1; // r10 of a frame is 1 * 2^32 + its offset in the stack area, far from any memory

/** Run code from its first instruction with up to five u32 arguments. */
export function runEbpf(
  text: Uint8Array,
  memory: Uint8Array,
  args: readonly number[],
  options: EbpfOptions = {},
): EbpfResult {
  const code = new DataView(text.buffer, text.byteOffset, text.byteLength);
  const data = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  const stack = new DataView(new ArrayBuffer(512 * 8));
  const lo = new Int32Array(11);
  const hi = new Int32Array(11);
  const saved: { pc: number; lo: Int32Array; hi: Int32Array }[] = [];
  const limit = options.limit ?? 10_000_000;
  for (let i = 0; i < args.length; i++) lo[i + 1] = args[i]!;
  hi[10] = STACK_TOP_HIGH;
  lo[10] = 512;
  let pc = 0;
  let count = 0;

  const load = (view: DataView, at: number, size: number, d: number, signed: boolean): void => {
    hi[d] = 0;
    if (size === 1) lo[d] = signed ? view.getInt8(at) : view.getUint8(at);
    else if (size === 2) lo[d] = signed ? view.getInt16(at, true) : view.getUint16(at, true);
    else if (size === 4) lo[d] = view.getInt32(at, true);
    else {
      lo[d] = view.getInt32(at, true);
      hi[d] = view.getInt32(at + 4, true);
    }
    if (signed && size < 8) hi[d] = lo[d]! >> 31;
  };
  const store = (view: DataView, at: number, size: number, low: number, high: number): void => {
    if (size === 1) view.setInt8(at, low);
    else if (size === 2) view.setInt16(at, low, true);
    else view.setInt32(at, low, true);
    if (size === 8) view.setInt32(at + 4, high, true);
  };
  /** Address in the memory, or -1 - offset in the stack. */
  const locate = (r: number, off: number, size: number, write: boolean): number => {
    const sum = (lo[r]! >>> 0) + off;
    const carry = Math.floor(sum / 2 ** 32);
    const high = (hi[r]! + carry) | 0;
    const low = sum - carry * 2 ** 32;
    if (high === STACK_TOP_HIGH && r === 10) return -1 - low;
    if (high !== 0 || low + size > memory.length) throw new Trap(3);
    options.onAccess?.(low, size, write);
    return low;
  };

  try {
    for (;;) {
      if (pc < 0 || pc * 8 >= text.length) throw new Error(`oracle: pc ${pc} leaves the code`);
      if (count >= limit) throw new Trap(5);
      count++;
      options.onStep?.(pc);
      const op = text[pc * 8]!;
      const registers = text[pc * 8 + 1]!;
      const d = registers & 15;
      const s = registers >> 4;
      const off = code.getInt16(pc * 8 + 2, true);
      const imm = code.getInt32(pc * 8 + 4, true);
      const kind = op & 7;
      const size = [4, 2, 1, 8][(op >> 3) & 3]!;
      pc++;
      if (op === 0x18) {
        lo[d] = imm;
        hi[d] = code.getInt32(pc * 8 + 4, true);
        pc++;
      } else if (kind === 1) {
        const at = locate(s, off, size, false);
        load(at < 0 ? stack : data, at < 0 ? -1 - at : at, size, d, (op & 0xe0) === 0x80);
      } else if (kind === 2 || kind === 3) {
        const at = locate(d, off, size, true);
        const low = kind === 2 ? imm : lo[s]!;
        store(at < 0 ? stack : data, at < 0 ? -1 - at : at, size, low, kind === 2 ? imm >> 31 : hi[s]!);
      } else if (kind === 4 || kind === 7) {
        alu(op, d, (op & 8) !== 0 ? lo[s]! : imm, (op & 8) !== 0 ? hi[s]! : imm >> 31, off, imm, lo, hi);
      } else if (op === 0x95) {
        const frame = saved.pop();
        if (frame === undefined) return { ret: lo[0]!, high: hi[0]!, trap: 0, instructions: count };
        pc = frame.pc;
        for (let r = 6; r <= 10; r++) {
          lo[r] = frame.lo[r]!;
          hi[r] = frame.hi[r]!;
        }
      } else if (op === 0x85) {
        if (s === 1) {
          saved.push({ pc, lo: lo.slice(), hi: hi.slice() });
          lo[10]! += 512;
          pc += imm;
        } else if (imm === 64) {
          throw new Trap(lo[1]!);
        } else {
          const helper = options.helpers?.[imm];
          if (helper === undefined) throw new Error(`oracle: helper ${imm} is unknown`);
          lo[0] = helper(lo[1]! >>> 0, lo[2]! >>> 0, lo[3]! >>> 0, lo[4]! >>> 0, lo[5]! >>> 0);
          hi[0] = 0;
        }
      } else if (op === 0x05) {
        pc += off;
      } else if (op === 0x06) {
        pc += imm;
      } else if (
        taken(
          op,
          kind === 6,
          lo[d]!,
          hi[d]!,
          (op & 8) !== 0 ? lo[s]! : imm,
          (op & 8) !== 0 ? hi[s]! : imm >> 31,
        )
      ) {
        pc += off;
      }
    }
  } catch (error) {
    if (!(error instanceof Trap)) throw error;
    return { ret: 0, high: 0, trap: error.code, instructions: count };
  }
}

function taken(op: number, narrow: boolean, alo: number, ahi: number, blo: number, bhi: number): boolean {
  if (narrow) {
    ahi = alo >> 31;
    bhi = blo >> 31;
    if ((op & 0xf0) !== 0x40)
      return compare(
        op,
        alo >>> 0 === blo >>> 0 ? 0 : alo >>> 0 < blo >>> 0 ? -1 : 1,
        alo === blo ? 0 : alo < blo ? -1 : 1,
      );
    return (alo & blo) !== 0;
  }
  if ((op & 0xf0) === 0x40) return (alo & blo) !== 0 || (ahi & bhi) !== 0;
  const lowOrder = alo === blo ? 0 : alo >>> 0 < blo >>> 0 ? -1 : 1;
  const unsigned = ahi === bhi ? lowOrder : ahi >>> 0 < bhi >>> 0 ? -1 : 1;
  const signed = ahi === bhi ? lowOrder : ahi < bhi ? -1 : 1;
  return compare(op, unsigned, signed);
}

function compare(op: number, unsigned: number, signed: number): boolean {
  switch (op & 0xf0) {
    case 0x10:
      return unsigned === 0;
    case 0x20:
      return unsigned > 0;
    case 0x30:
      return unsigned >= 0;
    case 0x50:
      return unsigned !== 0;
    case 0x60:
      return signed > 0;
    case 0x70:
      return signed >= 0;
    case 0xa0:
      return unsigned < 0;
    case 0xb0:
      return unsigned <= 0;
    case 0xc0:
      return signed < 0;
    case 0xd0:
      return signed <= 0;
    default:
      throw new Error(`oracle: jump 0x${op.toString(16)}`);
  }
}

const big = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

function alu(
  op: number,
  d: number,
  blo: number,
  bhi: number,
  off: number,
  imm: number,
  lo: Int32Array,
  hi: Int32Array,
): void {
  const wide = (op & 7) === 7;
  const alo = lo[d]!;
  const ahi = hi[d]!;
  let low = 0;
  let high = 0;
  switch (op & 0xf0) {
    case 0x00:
      low = (alo + blo) | 0;
      high = (ahi + bhi + (low >>> 0 < alo >>> 0 ? 1 : 0)) | 0;
      break;
    case 0x10:
      low = (alo - blo) | 0;
      high = (ahi - bhi - (alo >>> 0 < blo >>> 0 ? 1 : 0)) | 0;
      break;
    case 0x40:
      low = alo | blo;
      high = ahi | bhi;
      break;
    case 0x50:
      low = alo & blo;
      high = ahi & bhi;
      break;
    case 0xa0:
      low = alo ^ blo;
      high = ahi ^ bhi;
      break;
    case 0xb0:
      low = off === 8 ? (blo << 24) >> 24 : off === 16 ? (blo << 16) >> 16 : blo;
      high = off === 0 ? bhi : low >> 31;
      break;
    case 0x80:
      low = -alo | 0;
      high = (~ahi + (alo === 0 ? 1 : 0)) | 0;
      break;
    case 0x60:
    case 0x70:
    case 0xc0:
      [low, high] = shift(op & 0xf0, wide, alo, ahi, blo);
      break;
    case 0xd0:
      [low, high] = swap(imm, alo, ahi);
      break;
    default: {
      const result = divmul(
        op & 0xf0,
        wide,
        off === 1,
        wide ? big(alo, ahi) : BigInt(alo >>> 0),
        wide ? big(blo, bhi) : BigInt(blo >>> 0),
      );
      low = Number(BigInt.asIntN(32, result));
      high = Number(BigInt.asIntN(32, result >> 32n));
    }
  }
  lo[d] = low;
  hi[d] = wide ? high : 0;
}

function shift(op: number, wide: boolean, low: number, high: number, by: number): [number, number] {
  const n = by & (wide ? 63 : 31);
  if (!wide) return [op === 0x60 ? low << n : op === 0x70 ? low >>> n : low >> n, 0];
  if (n === 0) return [low, high];
  if (op === 0x60) return n >= 32 ? [0, low << (n - 32)] : [low << n, (high << n) | (low >>> (32 - n))];
  const fill = op === 0xc0 ? high >> 31 : 0;
  if (n >= 32) return [n === 32 ? high : op === 0xc0 ? high >> (n - 32) : high >>> (n - 32), fill];
  return [(low >>> n) | (high << (32 - n)), op === 0xc0 ? high >> n : high >>> n];
}

function swap(width: number, low: number, high: number): [number, number] {
  const word = (x: number): number =>
    ((x >>> 24) & 255) | ((x >>> 8) & 0xff00) | ((x << 8) & 0xff0000) | (x << 24);
  if (width === 16) return [((low & 255) << 8) | ((low >> 8) & 255), 0];
  if (width === 32) return [word(low), 0];
  return [word(high), word(low)];
}

/** mul, div, mod. x / 0 is 0, x % 0 is x; INT_MIN / -1 is INT_MIN and INT_MIN % -1 is 0. */
function divmul(op: number, wide: boolean, signed: boolean, a: bigint, b: bigint): bigint {
  const bits = wide ? 64 : 32;
  if (op === 0x20) return BigInt.asUintN(bits, a * b);
  if (b === 0n) return op === 0x30 ? 0n : a;
  if (!signed) return op === 0x30 ? a / b : a % b;
  const x = BigInt.asIntN(bits, a);
  const y = BigInt.asIntN(bits, b);
  return BigInt.asUintN(bits, op === 0x30 ? x / y : x % y);
}
