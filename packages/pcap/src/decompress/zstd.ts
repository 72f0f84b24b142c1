import { Decompress } from "fzstd";
import type { DecompressFaultCode } from "../fault.ts";
import { type Decoder, type DecodeStatus, ENDED, FAULT, NEED_INPUT, OUTPUT_FULL } from "./decoder.ts";
import { Xxh64 } from "./xxh64.ts";

// States: what comes next in the input.
const MAGIC = 0;
const HEADER = 1;
const SKIPPABLE = 2;
const BLOCK_HEADER = 3;
const BLOCK_BODY = 4;
const CHECKSUM = 5;
const OVER = 6;
const BROKEN = 7;

const MAX_BLOCK = 128 * 1024;
/** The window the zstd program itself accepts without being asked. */
const MAX_WINDOW = 128 * 1024 * 1024;
const UNKNOWN_SIZE = -1;

/**
 * Streaming zstd: any number of frames, skippable ones included, each with its content checksum and size checked.
 *
 * Frames and blocks are taken apart here, so that every whole block is delivered, nothing large is allocated on the
 * word of a header, and faults have a place; the blocks themselves are decoded by fzstd.
 * @see RFC 8878
 */
export class ZstdDecoder implements Decoder {
  readonly compression = "zstd";
  produced: number = 0;
  taken: number = 0;
  faultCode: DecompressFaultCode = "BAD_ZSTD";
  faultMessage: string = "";
  faultAt: number = 0;
  consumed: number = 0;

  private state = MAGIC;
  /** Bytes of the item in hand: a header, or a block with its header (behind the frame header in the first block). */
  private readonly hand: Uint8Array = new Uint8Array(MAX_BLOCK + 32);
  private handLength = 0;
  /** Length at which the item is whole. */
  private whole = 4;
  /** Where the current block's three header bytes are in `hand`. */
  private blockAt = 0;
  private itemAt = 0;
  private frameAt = 0;
  private frames = 0;
  private skip = 0;
  private lastBlock = false;
  private hasChecksum = false;
  private contentSize = UNKNOWN_SIZE;
  private contentDone = 0;
  private readonly hash: Xxh64 = new Xxh64();
  private inner: Decompress | null = null;
  private readonly pending: Uint8Array[] = [];
  private pendingAt = 0;

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
      while (this.pending.length > 0 && out < outEnd) {
        const chunk = this.pending[0]!;
        const n = Math.min(chunk.length - this.pendingAt, outEnd - out);
        output.set(chunk.subarray(this.pendingAt, this.pendingAt + n), out);
        out += n;
        this.pendingAt += n;
        if (this.pendingAt === chunk.length) {
          this.pending.shift();
          this.pendingAt = 0;
        }
      }
      this.produced = out - outStart;
      if (this.pending.length > 0) return OUTPUT_FULL;
      if (this.state === OVER) return ENDED;
      if (this.state === BROKEN) return FAULT;
      const n = this.take(input, at, end);
      at += n;
      this.taken += n;
      this.consumed += n;
      if (this.state === SKIPPABLE ? this.skip === 0 : this.handLength === this.whole) this.item();
      else if (at === end) {
        if (!final) return NEED_INPUT;
        this.finish();
      }
    }
  }

  private take(input: Uint8Array, at: number, end: number): number {
    if (this.state === SKIPPABLE) {
      const n = Math.min(this.skip, end - at);
      this.skip -= n;
      return n;
    }
    const n = Math.min(this.whole - this.handLength, end - at);
    if (n > 0) {
      this.hand.set(input.subarray(at, at + n), this.handLength);
      this.handLength += n;
    }
    return n;
  }

  private fail(code: DecompressFaultCode, message: string, at: number = this.itemAt): boolean {
    this.state = BROKEN;
    this.faultCode = code;
    this.faultMessage = message;
    this.faultAt = at;
    return false;
  }

  private finish(): void {
    if (this.state === MAGIC && this.handLength === 0) this.state = OVER;
    else if (this.state === MAGIC && this.frames > 0) this.garbage();
    else this.fail("TRUNCATED_ZSTD", "the zstd stream ends within a frame", this.consumed);
  }

  private garbage(): boolean {
    return this.fail("TRAILING_GARBAGE", "the zstd frames are followed by other bytes");
  }

  private expect(state: number, whole: number): boolean {
    this.state = state;
    this.whole = whole;
    this.itemAt = this.consumed;
    return true;
  }

  /** The item in hand is whole. @returns false when it is at fault */
  private item(): boolean {
    switch (this.state) {
      case MAGIC:
        return this.magic();
      case HEADER:
        return this.header();
      case SKIPPABLE:
        this.handLength = 0;
        return this.expect(MAGIC, 4);
      case BLOCK_HEADER:
        return this.blockHeader();
      case BLOCK_BODY:
        return this.block();
      default:
        return this.checksum();
    }
  }

  private magic(): boolean {
    const hand = this.hand;
    this.frameAt = this.consumed - 4;
    if ((hand[0]! & 0xf0) === 0x50 && hand[1] === 0x2a && hand[2] === 0x4d && hand[3] === 0x18) {
      // A skippable frame: its length follows; taken as a header of 8 bytes.
      this.state = HEADER;
      this.whole = 8;
    } else if (hand[0] === 0x28 && hand[1] === 0xb5 && hand[2] === 0x2f && hand[3] === 0xfd) {
      this.state = HEADER;
      this.whole = 5;
    } else {
      this.itemAt = this.frameAt;
      return this.frames > 0 ? this.garbage() : this.fail("BAD_ZSTD", "no zstd frame");
    }
    this.itemAt = this.frameAt;
    this.frames++;
    return true;
  }

  private header(): boolean {
    const hand = this.hand;
    if (hand[0] !== 0x28) {
      this.skip = (hand[4]! | (hand[5]! << 8) | (hand[6]! << 16) | (hand[7]! << 24)) >>> 0;
      this.state = SKIPPABLE;
      return true;
    }
    const descriptor = hand[4]!;
    const single = (descriptor & 0x20) !== 0;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
    const sizeCode = descriptor >> 6;
    const sizeBytes = sizeCode === 0 ? (single ? 1 : 0) : 1 << sizeCode;
    const whole = 5 + (single ? 0 : 1) + dictionaryBytes + sizeBytes;
    if (this.whole < whole) {
      this.whole = whole; // now that its length is known
      return true;
    }
    if ((descriptor & 8) !== 0) return this.fail("BAD_ZSTD", "a zstd frame header with its reserved bit set");
    let at = single ? 5 : 6;
    for (let i = 0; i < dictionaryBytes; i++)
      if (hand[at + i] !== 0) return this.fail("ZSTD_DICTIONARY", "a zstd frame that needs a dictionary");
    at += dictionaryBytes;
    let size = 0;
    for (let i = sizeBytes - 1; i >= 0; i--) size = size * 256 + hand[at + i]!;
    if (sizeCode === 1) size += 256;
    this.contentSize = sizeBytes > 0 ? size : UNKNOWN_SIZE;
    const base = 2 ** (10 + (hand[5]! >> 3));
    const window = single ? size : base + (base / 8) * (hand[5]! & 7);
    if (window > MAX_WINDOW)
      return this.fail("ZSTD_WINDOW", `a zstd window of ${window} bytes, at most ${MAX_WINDOW} are kept`);
    this.hasChecksum = (descriptor & 4) !== 0;
    hand[4] = descriptor & ~4; // the checksum is checked here
    this.contentDone = 0;
    this.hash.reset();
    this.inner = new Decompress((chunk) => {
      if (chunk.length === 0) return;
      this.pending.push(chunk);
      this.contentDone += chunk.length;
      if (this.hasChecksum) this.hash.update(chunk, 0, chunk.length);
    });
    this.blockAt = this.handLength;
    return this.expect(BLOCK_HEADER, this.handLength + 3);
  }

  private blockHeader(): boolean {
    const hand = this.hand;
    const at = this.blockAt;
    const header = hand[at]! | (hand[at + 1]! << 8) | (hand[at + 2]! << 16);
    const type = (header >> 1) & 3;
    const size = header >> 3;
    this.lastBlock = (header & 1) !== 0;
    if (type === 3 || size > MAX_BLOCK)
      return this.fail("BAD_ZSTD", `a zstd block of type ${type} and size ${size}, at most ${MAX_BLOCK}`);
    this.state = BLOCK_BODY;
    this.whole = this.handLength + (type === 1 ? 1 : size);
    return true;
  }

  private block(): boolean {
    try {
      this.inner!.push(this.hand.slice(0, this.handLength), this.lastBlock);
    } catch (error) {
      return this.fail(
        "BAD_ZSTD",
        `a damaged zstd block: ${error instanceof Error ? error.message : "unknown"}`,
      );
    }
    this.handLength = 0;
    this.blockAt = 0;
    if (!this.lastBlock) return this.expect(BLOCK_HEADER, 3);
    this.inner = null;
    if (this.contentSize !== UNKNOWN_SIZE && this.contentDone !== this.contentSize)
      return this.fail(
        "BAD_ZSTD",
        `a zstd frame of ${this.contentDone} bytes that promised ${this.contentSize}`,
        this.frameAt,
      );
    if (this.hasChecksum) return this.expect(CHECKSUM, 4);
    return this.expect(MAGIC, 4);
  }

  private checksum(): boolean {
    const hand = this.hand;
    const expected = (hand[0]! | (hand[1]! << 8) | (hand[2]! << 16) | (hand[3]! << 24)) >>> 0;
    this.handLength = 0;
    if (expected !== this.hash.digestLow())
      return this.fail("ZSTD_CHECKSUM", "a zstd frame's bytes do not match its checksum", this.frameAt);
    return this.expect(MAGIC, 4);
  }
}
