import type { DecompressFaultCode } from "../fault.ts";
import { crc32 } from "./crc32.ts";
import { type Decoder, type DecodeStatus, ENDED, FAULT, NEED_INPUT, OUTPUT_FULL } from "./decoder.ts";
import { buildTable, MAX_BITS } from "./huffman.ts";

// States: what comes next in the input.
const FIXED_HEADER = 0;
const EXTRA_LENGTH = 1;
const EXTRA = 2;
const NAME = 3;
const COMMENT = 4;
const HEADER_CRC = 5;
const BLOCK = 6;
const STORED = 7;
const CODES = 8;
const TRAILER = 9;
const BETWEEN = 10;
const PADDING = 11;
const OVER = 12;
const BROKEN = 13;

// What a step came to.
const GO_ON = 0;
const WANT = 1;
const FLUSH = 2;

const INPUT_SIZE = 64 * 1024;
/** Bytes behind the input that may be read (their bits are never taken for the stream's). */
const INPUT_PAD = 8;
const HISTORY = 32 * 1024;
const WINDOW_SIZE = 160 * 1024;
const LONGEST_MATCH = 258;
/** A dynamic block's header is at most 14 + 19 * 3 + 316 * (7 + 7) bits. */
const LONGEST_BLOCK_HEADER = 576;
/** Bits that one length and distance pair takes at most, rounded up to bytes. */
const PAIR_BYTES = 8;

const CODE_LENGTH_ORDER = /* @__PURE__ */ new Uint8Array([
  16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
]);
const LENGTH_BASE = /* @__PURE__ */ new Uint16Array([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
  227, 258,
]);
const LENGTH_EXTRA = /* @__PURE__ */ new Uint8Array([
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
]);
const DISTANCE_BASE = /* @__PURE__ */ new Uint16Array([
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
  6145, 8193, 12289, 16385, 24577,
]);
const DISTANCE_EXTRA = /* @__PURE__ */ new Uint8Array([
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]);

/**
 * Streaming gzip: any number of members, each with its CRC and length checked; zero padding at the end is allowed.
 *
 * Every byte that the stream decides before it ends or breaks is delivered, which is why this is not left to a library
 * that hands out whole blocks.
 * @see RFC 1952 (gzip), RFC 1951 (DEFLATE)
 */
export class GzipDecoder implements Decoder {
  readonly compression = "gzip";
  produced: number = 0;
  taken: number = 0;
  faultCode: DecompressFaultCode = "BAD_GZIP";
  faultMessage: string = "";
  faultAt: number = 0;

  private readonly input: Uint8Array = new Uint8Array(INPUT_SIZE + INPUT_PAD);
  private inputEnd = 0;
  /** Position in `input`, bits; a byte boundary outside blocks. */
  private bit = 0;
  /** Offset of input[0] in the compressed stream. */
  private inputBase = 0;
  private last = false;

  /** History, then what is decoded: [0, flushed) is written out, [flushed, windowEnd) is not. */
  private readonly window: Uint8Array = new Uint8Array(WINDOW_SIZE);
  private flushed = 0;
  private windowEnd = 0;
  /** First byte of the member in the window: no distance reaches beyond it. */
  private floor = 0;

  private state = FIXED_HEADER;
  private memberAt = 0;
  private flags = 0;
  private skip = 0;
  private finalBlock = false;
  private stored = 0;
  private crc = 0;
  private length = 0;

  private readonly literals: Uint16Array = new Uint16Array(1 << MAX_BITS);
  private readonly distances: Uint16Array = new Uint16Array(1 << MAX_BITS);
  private literalBits = 0;
  private distanceBits = 0;
  private readonly lengths: Uint8Array = new Uint8Array(320);

  get consumed(): number {
    return this.inputBase + ((this.bit + 7) >>> 3);
  }

  decode(
    input: Uint8Array,
    start: number,
    end: number,
    final: boolean,
    output: Uint8Array,
    outStart: number,
    outEnd: number,
  ): DecodeStatus {
    let at = start;
    let out = outStart;
    this.taken = 0;
    for (;;) {
      const n = Math.min(this.windowEnd - this.flushed, outEnd - out);
      if (n > 0) {
        const from = this.flushed;
        output.set(this.window.subarray(from, from + n), out);
        this.crc = crc32(this.crc, this.window, from, from + n);
        this.length = (this.length + n) >>> 0;
        this.flushed += n;
        out += n;
      }
      this.produced = out - outStart;
      if (this.flushed < this.windowEnd) return OUTPUT_FULL;
      if (this.state === OVER) return ENDED;
      if (this.state === BROKEN) return FAULT;
      this.slide();
      const taken = this.fill(input, at, end);
      at += taken;
      this.taken += taken;
      this.last = final && at === end;
      let step = GO_ON;
      while (step === GO_ON) step = this.step();
      if (step === WANT && at === end && !final && this.flushed === this.windowEnd) return NEED_INPUT;
    }
  }

  private slide(): void {
    if (this.windowEnd <= WINDOW_SIZE - HISTORY) return;
    const by = this.windowEnd - HISTORY;
    this.window.copyWithin(0, by, this.windowEnd);
    this.windowEnd = this.flushed = HISTORY;
    this.floor = Math.max(0, this.floor - by);
  }

  private fill(input: Uint8Array, start: number, end: number): number {
    const used = this.bit >>> 3;
    if (used > 0) {
      this.input.copyWithin(0, used, this.inputEnd);
      this.inputEnd -= used;
      this.inputBase += used;
      this.bit &= 7;
    }
    const n = Math.min(end - start, INPUT_SIZE - this.inputEnd);
    if (n > 0) this.input.set(input.subarray(start, start + n), this.inputEnd);
    this.inputEnd += n;
    return n;
  }

  private fail(code: DecompressFaultCode, message: string, at: number = this.consumed): number {
    this.state = BROKEN;
    this.faultCode = code;
    this.faultMessage = message;
    this.faultAt = at;
    return FLUSH;
  }

  private truncated(): number {
    return this.fail(
      "TRUNCATED_GZIP",
      "the gzip stream ends before its end marker",
      this.inputBase + this.inputEnd,
    );
  }

  /** Bytes of whole input that are left; the position is on a byte boundary. */
  private wants(bytes: number): boolean {
    return this.inputEnd - (this.bit >>> 3) < bytes;
  }

  private step(): number {
    switch (this.state) {
      case FIXED_HEADER:
        return this.fixedHeader();
      case EXTRA_LENGTH:
        if ((this.flags & 4) === 0) return this.goTo(NAME);
        if (this.wants(2)) return this.last ? this.truncated() : WANT;
        this.skip = this.byte() | (this.byte() << 8);
        return this.goTo(EXTRA);
      case EXTRA: {
        const n = Math.min(this.skip, this.inputEnd - (this.bit >>> 3));
        this.bit += 8 * n;
        this.skip -= n;
        if (this.skip > 0) return this.last ? this.truncated() : WANT;
        return this.goTo(NAME);
      }
      case NAME:
        if ((this.flags & 8) === 0) return this.goTo(COMMENT);
        return this.skipText(COMMENT);
      case COMMENT:
        if ((this.flags & 16) === 0) return this.goTo(HEADER_CRC);
        return this.skipText(HEADER_CRC);
      case HEADER_CRC:
        if ((this.flags & 2) !== 0) {
          if (this.wants(2)) return this.last ? this.truncated() : WANT;
          this.bit += 16;
        }
        this.floor = this.windowEnd;
        this.crc = 0;
        this.length = 0;
        return this.goTo(BLOCK);
      case BLOCK:
        return this.blockHeader();
      case STORED:
        return this.storedBytes();
      case CODES:
        return this.codes();
      case TRAILER:
        return this.trailer();
      case BETWEEN:
        if (this.wants(2) && !this.last) return WANT;
        if (this.wants(1)) return this.over();
        this.memberAt = this.consumed;
        if (!this.wants(2) && this.peek(0) === 0x1f && this.peek(1) === 0x8b) return this.goTo(FIXED_HEADER);
        return this.goTo(PADDING);
      case PADDING:
        while (!this.wants(1)) {
          if (this.peek(0) !== 0)
            return this.fail(
              "TRAILING_GARBAGE",
              "the gzip members are followed by other bytes",
              this.memberAt,
            );
          this.bit += 8;
        }
        return this.last ? this.over() : WANT;
      default:
        return FLUSH;
    }
  }

  private goTo(state: number): number {
    this.state = state;
    return GO_ON;
  }

  private over(): number {
    this.state = OVER;
    return FLUSH;
  }

  private peek(ahead: number): number {
    return this.input[(this.bit >>> 3) + ahead]!;
  }

  private byte(): number {
    const byte = this.input[this.bit >>> 3]!;
    this.bit += 8;
    return byte;
  }

  private fixedHeader(): number {
    if (this.wants(10)) return this.last ? this.truncated() : WANT;
    this.memberAt = this.consumed;
    const method = this.peek(2);
    this.flags = this.peek(3);
    if (method !== 8 || (this.flags & 0xe0) !== 0)
      return this.fail("BAD_GZIP", `gzip method ${method} with flags ${this.flags}, expected 8 and below 32`);
    this.bit += 80;
    return this.goTo(EXTRA_LENGTH);
  }

  private skipText(next: number): number {
    while (!this.wants(1)) if (this.byte() === 0) return this.goTo(next);
    return this.last ? this.truncated() : WANT;
  }

  private trailer(): number {
    if (this.flushed < this.windowEnd) return FLUSH; // the checksum is made while writing out
    if (this.wants(8)) return this.last ? this.truncated() : WANT;
    const crc = (this.byte() | (this.byte() << 8) | (this.byte() << 16) | (this.byte() << 24)) >>> 0;
    const length = (this.byte() | (this.byte() << 8) | (this.byte() << 16) | (this.byte() << 24)) >>> 0;
    if (crc !== this.crc)
      return this.fail("GZIP_CHECKSUM", "a gzip member's bytes do not match its CRC-32", this.memberAt);
    if (length !== this.length)
      return this.fail("GZIP_CHECKSUM", "a gzip member's bytes do not match its length", this.memberAt);
    return this.goTo(BETWEEN);
  }

  // ---- DEFLATE

  private bits(n: number): number {
    const at = this.bit >>> 3;
    const input = this.input;
    const value = (input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16)) >>> (this.bit & 7);
    this.bit += n;
    return value & ((1 << n) - 1);
  }

  private blockHeader(): number {
    if (this.inputEnd * 8 - this.bit < LONGEST_BLOCK_HEADER * 8 && !this.last) return WANT;
    const begin = this.bit;
    const endBits = this.inputEnd * 8;
    this.finalBlock = this.bits(1) === 1;
    const type = this.bits(2);
    if (this.bit > endBits) return this.truncated();
    if (type === 0) {
      this.bit = (this.bit + 7) & ~7;
      if (this.wants(4)) return this.truncated();
      this.stored = this.bits(16);
      if ((this.stored ^ this.bits(16)) !== 0xffff)
        return this.fail("BAD_GZIP", "a stored block's length and its complement differ");
      return this.goTo(STORED);
    }
    if (type === 3) return this.fail("BAD_GZIP", "a DEFLATE block of type 3");
    const ok = type === 1 ? this.fixedCodes() : this.dynamicCodes(endBits);
    if (this.bit > endBits) {
      this.bit = begin;
      return this.truncated();
    }
    return ok ? this.goTo(CODES) : this.fail("BAD_GZIP", "a DEFLATE block's code lengths are no prefix code");
  }

  private fixedCodes(): boolean {
    const lengths = this.lengths;
    lengths.fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280, 288);
    this.literalBits = buildTable(lengths, 0, 288, false, this.literals);
    lengths.fill(5, 0, 32);
    this.distanceBits = buildTable(lengths, 0, 32, false, this.distances);
    return true;
  }

  private dynamicCodes(endBits: number): boolean {
    const literals = this.bits(5) + 257;
    const distances = this.bits(5) + 1;
    const used = this.bits(4) + 4;
    if (literals > 286 || distances > 30) return false;
    const lengths = this.lengths;
    lengths.fill(0, 0, 19);
    for (let i = 0; i < used; i++) lengths[CODE_LENGTH_ORDER[i]!] = this.bits(3);
    const table = this.distances; // free until the distance codes are known
    const tableBits = buildTable(lengths, 0, 19, false, table);
    if (tableBits < 0) return false;
    const total = literals + distances;
    lengths.fill(0);
    for (let i = 0; i < total; ) {
      const entry = table[this.bits(tableBits)]!;
      if (this.bit > endBits || entry === 0) return false;
      this.bit += (entry & 15) - tableBits;
      const symbol = entry >>> 4;
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) return false;
      const value = symbol === 16 ? lengths[i - 1]! : 0;
      let repeat = symbol === 16 ? 3 + this.bits(2) : symbol === 17 ? 3 + this.bits(3) : 11 + this.bits(7);
      if (i + repeat > total) return false;
      while (repeat-- > 0) lengths[i++] = value;
    }
    if (lengths[256] === 0) return false;
    this.literalBits = buildTable(lengths, 0, literals, false, this.literals);
    this.distanceBits = buildTable(lengths, literals, distances, true, this.distances);
    return this.literalBits > 0 && this.distanceBits > 0;
  }

  private blockEnd(): number {
    if (!this.finalBlock) return this.goTo(BLOCK);
    this.bit = (this.bit + 7) & ~7;
    return this.goTo(TRAILER);
  }

  private storedBytes(): number {
    if (this.stored === 0) return this.blockEnd();
    const at = this.bit >>> 3;
    const n = Math.min(this.stored, this.inputEnd - at, WINDOW_SIZE - this.windowEnd);
    if (n === 0) {
      if (this.windowEnd === WINDOW_SIZE) return FLUSH;
      return this.last ? this.truncated() : WANT;
    }
    this.window.set(this.input.subarray(at, at + n), this.windowEnd);
    this.windowEnd += n;
    this.bit += 8 * n;
    this.stored -= n;
    return GO_ON;
  }

  /** Symbols of a block, until the window is full, the input runs short, or the block ends. */
  private codes(): number {
    const input = this.input;
    const window = this.window;
    const literals = this.literals;
    const distances = this.distances;
    const literalMask = (1 << this.literalBits) - 1;
    const distanceMask = (1 << this.distanceBits) - 1;
    const endBits = this.inputEnd * 8;
    const safe = this.last ? endBits : endBits - PAIR_BYTES * 8;
    const floor = this.floor;
    const room = WINDOW_SIZE - LONGEST_MATCH;
    let bit = this.bit;
    let out = this.windowEnd;
    let result = FLUSH;
    for (;;) {
      if (out > room) break;
      if (bit > safe) {
        result = WANT;
        break;
      }
      let at = bit >>> 3;
      // never 0: a literal code is complete
      const entry =
        literals[
          ((input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16)) >>> (bit & 7)) & literalMask
        ]!;
      let next = bit + (entry & 15);
      const symbol = entry >>> 4;
      // what lies behind the input may not decide anything
      if (next > endBits) break;
      if (symbol < 256) {
        window[out++] = symbol;
        bit = next;
        continue;
      }
      if (symbol === 256) {
        bit = next;
        result = GO_ON;
        break;
      }
      if (symbol > 285) {
        result = -1;
        break;
      }
      let extra = LENGTH_EXTRA[symbol - 257]!;
      at = next >>> 3;
      let length = LENGTH_BASE[symbol - 257]!;
      if (extra > 0) {
        length += ((input[at]! | (input[at + 1]! << 8)) >>> (next & 7)) & ((1 << extra) - 1);
        next += extra;
        at = next >>> 3;
      }
      const far =
        distances[
          ((input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16)) >>> (next & 7)) & distanceMask
        ]!;
      next += far & 15;
      if (next > endBits || (far === 0 && next + this.distanceBits > endBits)) break;
      if (far === 0 || far >>> 4 > 29) {
        result = -1;
        break;
      }
      extra = DISTANCE_EXTRA[far >>> 4]!;
      at = next >>> 3;
      let from =
        out -
        DISTANCE_BASE[far >>> 4]! -
        (((input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16)) >>> (next & 7)) & ((1 << extra) - 1));
      next += extra;
      if (next > endBits) break;
      if (from < floor) {
        result = -2;
        break;
      }
      const end = out + length;
      while (out < end) window[out++] = window[from++]!;
      bit = next;
    }
    this.bit = bit;
    this.windowEnd = out;
    if (result === GO_ON) return this.blockEnd();
    if (result === -1) return this.fail("BAD_GZIP", "a DEFLATE code that no symbol has");
    if (result === -2) return this.fail("BAD_GZIP", "a DEFLATE distance beyond the first byte");
    // The loop left in the middle of a symbol only when the stream's last bits did not suffice.
    if (result === FLUSH && out <= room) return this.truncated();
    return result;
  }
}
