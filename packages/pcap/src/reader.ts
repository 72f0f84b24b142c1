import { plainBytes } from "@netoffload/internal";
import { type Decoder, ENDED, FAULT, NEED_INPUT } from "./decompress/decoder.ts";
import { GzipDecoder } from "./decompress/gzip.ts";
import { ZstdDecoder } from "./decompress/zstd.ts";
import { PcapError } from "./errors.ts";
import { type CaptureFault, type CaptureFaultCode, type Compression, describeFault } from "./fault.ts";
import { type CaptureInterface, readInterface } from "./interface.ts";
import { OPT_COMMENT, OPT_EPB_FLAGS, OptionWalk, utf8 } from "./options.ts";
import { Timestamp } from "./timestamp.ts";

/** How a {@link CaptureReader} is made. */
export interface CaptureReaderOptions {
  /**
   * The memory to read into, e.g. a part of a WebAssembly memory, so that packets need not be copied again; at least
   * 64 bytes, never left. A record that does not fit is the fault `BUFFER_TOO_SMALL`.
   * Default: memory of the reader's own, which grows up to the largest record the file really holds.
   */
  readonly buffer?: Uint8Array;
  /**
   * Bytes of the buffer used at first: of the reader's own (default 512 KiB), or of `buffer` (default all of it, which
   * suits buffers that fit a cache). More is used only once a record needs it.
   */
  readonly bufferBytes?: number;
  /** A captured length above this is the fault `BAD_CAPLEN`; bytes, default and most 256 MiB. */
  readonly maxCaplen?: number;
  /** True: {@link CaptureReader.next} also stops at the pcapng blocks that hold no packet. Default false. */
  readonly blocks?: boolean;
}

/** File format, recognised by content. */
export type CaptureFormat = "unknown" | "pcap" | "pcapng";

/** pcapng section header block. */
export const BLOCK_SHB = 0x0a0d0d0a;
/** pcapng interface description block. */
export const BLOCK_IDB = 1;
/** pcapng packet block, obsolete. */
export const BLOCK_PB = 2;
/** pcapng simple packet block. */
export const BLOCK_SPB = 3;
/** pcapng name resolution block. */
export const BLOCK_NRB = 4;
/** pcapng interface statistics block. */
export const BLOCK_ISB = 5;
/** pcapng enhanced packet block. */
export const BLOCK_EPB = 6;
/** pcapng decryption secrets block. */
export const BLOCK_DSB = 10;
/** pcapng custom block that may be copied. */
export const BLOCK_CUSTOM = 0x0bad;
/** pcapng custom block that must not be copied into another file. */
export const BLOCK_CUSTOM_NO_COPY = 0x40000bad;

const MAX_CAPLEN = 256 * 1024 * 1024;
/** Room in a block for what surrounds a packet of the largest size. */
const BLOCK_OVERHEAD = 1024 * 1024;
const MAX_INTERFACE_BLOCK = 1024 * 1024;
const MAX_INTERFACE_BYTES = 64 * 1024 * 1024;
const MAX_INTERFACES = 65536;
/** Fits the second-level cache: larger ones were measured slower. */
const BUFFER_BYTES = 512 * 1024;

const UNKNOWN = 0;
const PCAP = 1;
/** pcap with something uncommon: 24-byte record headers or swapped lengths. */
const PCAP_OLD = 2;
const PCAPNG = 3;
const DONE = 4;

const LENGTHS_AS_WRITTEN = 0;
const LENGTHS_SWAPPED = 1;
const LENGTHS_MAYBE_SWAPPED = 2;

/**
 * Reads pcap and pcapng, plain or compressed by gzip or zstd, from bytes that the caller brings; nothing is allocated
 * per packet and memory is bounded by the largest record.
 *
 * {@link next} steps to the next record and fills the number fields of this object; the packet's bytes are
 * `bytes[offset, offset + caplen)`. They belong to the reader and stay in place until the next call of
 * {@link reserve}, {@link commit}, {@link push}, {@link refill} or {@link advance}: so every record that `next`
 * delivers between two such calls can be kept as an offset and handled as one batch.
 *
 * Content never throws. What is wrong with a capture is in {@link fault} once {@link done} is true.
 *
 * ```ts
 * import { CaptureReader } from "@netoffload/pcap";
 * // a classic pcap of one packet; a file is read likewise: (space) => fs.readSync(fd, space, 0, space.length, null)
 * const file = new Uint8Array([
 *   0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
 *   0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 60, 0, 0, 0, 0xaa, 0xbb, 0xcc,
 * ]);
 * let given = 0;
 * const reader = new CaptureReader();
 * // straight into the reader's buffer, without a copy of its own
 * const read = (space: Uint8Array): number => {
 *   const piece = file.subarray(given, given + space.length);
 *   space.set(piece);
 *   given += piece.length;
 *   return piece.length;
 * };
 * while (reader.advance(read)) {
 *   while (reader.next()) console.log(reader.caplen, reader.len, reader.bytes[reader.offset]); // 3 60 170
 * }
 * if (reader.fault) console.error(reader.fault.message);
 * ```
 */
export class CaptureReader {
  /** The buffer. Replaced only when the reader's own must grow, never between two `next` calls of a batch. */
  bytes: Uint8Array;
  /** A view of the same memory, made together with `bytes`. */
  view: DataView;

  /** First byte of the packet (or of a passed block's body), in `bytes`. */
  offset: number = 0;
  /** Captured bytes. */
  caplen: number = 0;
  /** Bytes the packet had on the wire. */
  len: number = 0;
  /** Time stamp, whole seconds since 1970 (if_tsoffset added); 0 when the block carries none. */
  seconds: number = 0;
  /** Nanoseconds within the second; as recorded, so a damaged pcap may hold more than 999,999,999. */
  nanoseconds: number = 0;
  /** Number of the interface within its section; 0 for pcap. */
  interfaceId: number = 0;
  /** Link type of the packet's interface. */
  linkType: number = 0;
  /** Number of the section, 0-based; 0 for pcap. */
  section: number = 0;
  /** 0 for a pcap record, else the pcapng block type ({@link BLOCK_EPB}, ...). */
  blockType: number = 0;
  /** False only for a block without a packet, with the option `blocks`. */
  isPacket: boolean = true;
  /** epb_flags (direction, reception type, FCS length, link errors), 0 when absent. */
  flags: number = 0;
  /** How many comments the packet has; {@link comments} decodes them. */
  commentCount: number = 0;

  /** File format; `unknown` until its first bytes are there. */
  format: CaptureFormat = "unknown";
  /** How the file is compressed. */
  compression: Compression = "none";
  /** Byte order of the file or of the current section. */
  littleEndian: boolean = true;
  /** Packets delivered so far. */
  packets: number = 0;
  /** The interfaces of the current section, in the order of their numbers. */
  interfaces: CaptureInterface[] = [];
  /** What is wrong with the capture: the first fault of each code that reading could pass over, and the fatal one. */
  readonly faults: CaptureFault[] = [];
  /** How many faults were met, those not kept included. */
  faultCount: number = 0;
  /** True when no further record will come: end of input reached, or a fatal fault. */
  done: boolean = false;

  private mode = UNKNOWN;
  /** Next byte to parse, and end of the valid bytes, in `bytes`. */
  private position = 0;
  private limit = 0;
  /** Offset of bytes[0] in the uncompressed stream. */
  private base = 0;
  /** First byte of the current record's header or block, in `bytes`. */
  private recordAt = 0;
  /** Bytes that the record at `position` needs; 0 when not known. */
  private want = 0;
  /** Bytes of a block still to skip before its trailing length. */
  private skipping = false;
  private skip = 0;
  private skipTotal = 0;
  private skipBlockAt = 0;
  private ended = false;
  private inputEnded = false;
  /** The caller's buffer, `bytes` being its first part; null: the reader has one of its own. */
  private readonly arena: Uint8Array | null;
  private readonly passBlocks: boolean;
  private readonly maxCaplen: number;
  private readonly maxBlock: number;
  /** Largest captured length that needs no second look: the least of the limits. */
  private plainCaplen = 0;
  private fractionScale = 1000;
  private recordHeader = 16;
  private lengths = LENGTHS_AS_WRITTEN;
  private interfaceBytes = 0;
  private optionsAt = 0;
  private optionsEnd = 0;
  private readonly walk: OptionWalk = new OptionWalk();
  private readonly stamp: Timestamp = new Timestamp();
  private decoder: Decoder | null = null;
  private decoded = false;
  /** Input waiting to be copied or decoded, oldest first. */
  private queue: Uint8Array[] = [];
  private queueAt = 0;
  private staging: Uint8Array | null = null;

  /** @throws {@link PcapError} EINVAL for an option out of range */
  constructor(options: CaptureReaderOptions = {}) {
    const maxCaplen = options.maxCaplen ?? MAX_CAPLEN;
    if (!(maxCaplen >= 1 && maxCaplen <= MAX_CAPLEN))
      throw new PcapError("EINVAL", "CaptureReader: maxCaplen must be 1 to 268435456", { maxCaplen });
    this.maxCaplen = maxCaplen;
    this.maxBlock = maxCaplen + BLOCK_OVERHEAD;
    this.passBlocks = options.blocks ?? false;
    const buffer = options.buffer === undefined ? undefined : plainBytes(options.buffer);
    const size = options.bufferBytes ?? buffer?.length ?? BUFFER_BYTES;
    if (!(size >= 64))
      throw new PcapError("EINVAL", "CaptureReader: bufferBytes below 64", { bufferBytes: size });
    if (buffer !== undefined && buffer.length < 64)
      throw new PcapError("EINVAL", "CaptureReader: buffer below 64 bytes", { length: buffer.length });
    this.arena = buffer ?? null;
    this.bytes = buffer?.subarray(0, size) ?? new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }

  /**
   * A reader over a whole capture in memory. Uncompressed, its packets are read where they lie: `reader.bytes` is
   * `capture` itself, which must not change meanwhile.
   */
  static from(capture: Uint8Array, options: CaptureReaderOptions = {}): CaptureReader {
    const reader = new CaptureReader(
      options.buffer === undefined ? { bufferBytes: 64, ...options } : options,
    );
    if (options.buffer === undefined && recognise(capture, capture.length) === "none") {
      reader.bytes = plainBytes(capture);
      reader.view = new DataView(capture.buffer, capture.byteOffset, capture.byteLength);
      reader.limit = capture.length;
    } else {
      if (options.buffer === undefined && options.bufferBytes === undefined) reader.replace(BUFFER_BYTES);
      reader.push(capture);
    }
    reader.end();
    return reader;
  }

  /** The fault that ended reading, else the first that did not, else null. */
  get fault(): CaptureFault | null {
    for (const fault of this.faults) if (fault.fatal) return fault;
    return this.faults[0] ?? null;
  }

  /** Offset of the current record's header or block in the uncompressed stream, bytes. */
  get recordOffset(): number {
    return this.base + this.recordAt;
  }

  /** Offset of the current packet's first byte in the uncompressed stream. */
  get packetOffset(): number {
    return this.base + this.offset;
  }

  /** Uncompressed bytes read into the buffer so far. */
  get streamBytes(): number {
    return this.base + this.limit;
  }

  /** The current packet's interface; undefined only for a block without a packet. */
  get interface(): CaptureInterface | undefined {
    return this.interfaces[this.interfaceId];
  }

  /** The current packet's comments, decoded now (this allocates); see {@link commentCount}. */
  comments(): string[] {
    const comments: string[] = [];
    if (this.commentCount === 0) return comments;
    const walk = this.walk.start(this.view, this.optionsAt, this.optionsEnd, this.littleEndian);
    while (walk.next())
      if (walk.code === OPT_COMMENT)
        comments.push(utf8(this.bytes.slice(walk.offset, walk.offset + walk.length)));
    return comments;
  }

  /** The options of the current packet's block, raw: begin and end in `bytes`, for {@link readOptions}. */
  get options(): { readonly offset: number; readonly end: number } {
    return { offset: this.optionsAt, end: this.optionsEnd };
  }

  /** A view of the current packet's bytes (this allocates); it stays valid as long as the record does. */
  packet(): Uint8Array {
    return this.bytes.subarray(this.offset, this.offset + this.caplen);
  }

  /**
   * Step to the next record.
   * @returns true: the fields describe it. False: no whole record is in the buffer; `refill`, bring more input, or
   *   stop if `done`.
   */
  next(): boolean {
    if (this.mode === PCAP) {
      const at = this.position;
      const data = at + 16;
      if (data <= this.limit) {
        const view = this.view;
        const littleEndian = this.littleEndian;
        const caplen = view.getUint32(at + 8, littleEndian);
        const end = data + caplen;
        if (caplen <= this.plainCaplen && end <= this.limit) {
          this.recordAt = at;
          this.offset = data;
          this.caplen = caplen;
          this.len = view.getUint32(at + 12, littleEndian);
          this.seconds = view.getUint32(at, littleEndian);
          this.nanoseconds = view.getUint32(at + 4, littleEndian) * this.fractionScale;
          this.position = end;
          this.packets++;
          return true;
        }
      }
      return this.nextRecord();
    }
    if (this.mode === PCAPNG) return this.nextBlock();
    if (this.mode === PCAP_OLD) return this.nextRecord();
    if (this.mode === UNKNOWN && this.readHeader()) return this.next();
    return false;
  }

  /**
   * Room for at least `least` bytes of the file, to be filled by the caller and then {@link commit}ted. Ends the
   * validity of earlier records.
   * @param least - bytes, default 1; more is given as the buffer allows
   * @throws {@link PcapError} EBUSY while records or staged input are not yet read: call `next` until false, then
   *   `refill` until false
   */
  reserve(least: number = 1): Uint8Array {
    if (this.inputEnded) throw new PcapError("EINVAL", "reserve: the input has ended");
    if (this.queue.length > 0) throw new PcapError("EBUSY", "reserve: staged input, refill() first");
    if (this.decoder !== null) {
      if (this.staging === null || this.staging.length < least)
        this.staging = new Uint8Array(Math.max(least, 256 * 1024));
      return this.staging;
    }
    this.makeRoom(least);
    if (this.bytes.length - this.limit < 1) throw new PcapError("EBUSY", "reserve: records not read yet");
    return this.bytes.subarray(this.limit);
  }

  /**
   * Take over the first `length` bytes of the space that {@link reserve} gave.
   * @param length - bytes; 0 means the input is over, as a read of a file says it
   */
  commit(length: number): void {
    if (length === 0) {
      this.end();
      return;
    }
    if (this.decoder !== null) {
      if (this.staging === null || length > this.staging.length)
        throw new PcapError("EINVAL", "commit: more than was reserved", { length });
      this.enqueue(this.staging.subarray(0, length));
      this.refill();
      return;
    }
    if (this.inputEnded || !(length > 0 && this.limit + length <= this.bytes.length))
      throw new PcapError("EINVAL", "commit: more than was reserved", { length });
    this.limit += length;
  }

  /**
   * Bring a chunk of the file. It is lent until {@link refill} has returned false.
   * Ends the validity of earlier records.
   */
  push(chunk: Uint8Array): void {
    if (this.inputEnded) throw new PcapError("EINVAL", "push: the input has ended");
    if (chunk.length === 0) return;
    this.enqueue(chunk);
    this.refill();
  }

  /** Say that no more input comes. */
  end(): void {
    this.inputEnded = true;
    if (this.queue.length === 0 && this.decoder === null) this.ended = true;
  }

  /**
   * Copy or decode staged input into the buffer. Ends the validity of earlier records.
   * @returns true when `next` may now deliver more; false when bytes must be brought, or all is done
   */
  refill(): boolean {
    if (this.done || this.ended) return false;
    if (this.decoder !== null) return this.decode();
    if (this.queue.length === 0) return false;
    this.makeRoom(1);
    const copied = this.copyStaged();
    if (this.inputEnded && this.queue.length === 0) this.ended = true;
    return copied;
  }

  /**
   * One step of reading: refill, or else read more input.
   * @param read - fills the space from its start and returns the number of bytes, 0 at the end of the file
   * @returns false once everything is read: the loop's end
   */
  advance(read: (space: Uint8Array) => number): boolean {
    if (this.done) return false;
    if (!this.refill() && !this.inputEnded) this.commit(read(this.reserve()));
    return true;
  }

  // ---- input

  private enqueue(chunk: Uint8Array): void {
    this.queue.push(chunk);
  }

  private copyStaged(): boolean {
    let copied = false;
    while (this.queue.length > 0) {
      const chunk = this.queue[0]!;
      const n = Math.min(chunk.length - this.queueAt, this.bytes.length - this.limit);
      if (n === 0) break;
      this.bytes.set(chunk.subarray(this.queueAt, this.queueAt + n), this.limit);
      this.limit += n;
      copied = true;
      this.takeStaged(n);
    }
    return copied;
  }

  private takeStaged(n: number): void {
    this.queueAt += n;
    if (this.queueAt === this.queue[0]!.length) {
      this.queue.shift();
      this.queueAt = 0;
    }
  }

  /**
   * Make room behind the unread bytes: move them to the front and, when one incomplete record fills the whole buffer,
   * grow. May leave no room: then whole records wait to be read.
   */
  private makeRoom(least: number): void {
    const rest = this.limit - this.position;
    if (this.position > 0) {
      if (rest > 0) this.bytes.copyWithin(0, this.position, this.limit);
      this.base += this.position;
      this.position = 0;
      this.limit = rest;
    }
    const size = this.bytes.length;
    if (size === this.arena?.length) return;
    if (least > 1 && rest + least > size) this.replace(rest + least);
    // Grow with what has really arrived, not with what a length field promises; and never for records not yet read.
    else if (rest === size && this.want > size) this.replace(Math.min(2 * size, this.want));
  }

  private replace(size: number): void {
    const bytes = this.arena?.subarray(0, size) ?? new Uint8Array(size);
    if (this.arena === null) bytes.set(this.bytes.subarray(0, this.limit));
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  private startDecoder(compression: Compression): void {
    this.compression = compression;
    this.decoder = compression === "gzip" ? new GzipDecoder() : new ZstdDecoder();
    // The bytes read so far were compressed ones: stage them, before what is still queued.
    if (this.queueAt > 0) {
      this.queue[0] = this.queue[0]!.subarray(this.queueAt);
      this.queueAt = 0;
    }
    this.queue.unshift(this.bytes.slice(0, this.limit));
    this.limit = 0;
    this.want = 0;
    this.ended = false;
  }

  private decode(): boolean {
    const decoder = this.decoder!;
    if (this.decoded) return false;
    this.makeRoom(1);
    const before = this.limit;
    for (;;) {
      const chunk = this.queue[0] ?? NOTHING;
      const final = this.inputEnded && this.queue.length <= 1;
      const status = decoder.decode(
        chunk,
        this.queueAt,
        chunk.length,
        final,
        this.bytes,
        this.limit,
        this.bytes.length,
      );
      this.limit += decoder.produced;
      if (decoder.taken > 0) this.takeStaged(decoder.taken);
      if (status === ENDED || status === FAULT) {
        this.decoded = true;
        this.ended = true;
        this.inputEnded = true;
        this.queue.length = 0;
        return true;
      }
      if (status === NEED_INPUT) {
        if (this.queue.length > 0) continue;
        return this.limit > before;
      }
      return true; // the buffer is full
    }
  }

  // ---- the end

  /**
   * @param offset - in the uncompressed stream
   * @param a - first number of the message, `b` the second; see {@link describeFault}
   */
  private note(code: CaptureFaultCode, offset: number, fatal: boolean, a: number = 0, b: number = 0): void {
    this.faultCount++;
    if (!fatal) for (const fault of this.faults) if (fault.code === code) return;
    const decoder = this.decoder;
    const place =
      decoder === null
        ? `byte ${offset}`
        : `byte ${offset} of the uncompressed stream, byte ${decoder.consumed} of the ${this.compression} file`;
    this.faults.push({
      code,
      message: `${describeFault(code, a, b)} (${place})`,
      offset,
      compression: this.compression,
      compressedOffset: decoder === null ? null : decoder.consumed,
      fatal,
    });
  }

  private stop(code: CaptureFaultCode, at: number, a: number = 0, b: number = 0): false {
    this.note(code, this.base + at, true, a, b);
    return this.finish();
  }

  private finish(): false {
    this.mode = DONE;
    this.done = true;
    this.ended = true;
    this.inputEnded = true;
    this.queue.length = 0;
    return false;
  }

  /** The stream is over; a decompressor's fault explains why. @returns false: it had none */
  private noteDecoder(): boolean {
    const decoder = this.decoder;
    if (decoder === null || decoder.faultMessage === "") return false;
    this.faultCount++;
    const offset = this.base + this.limit;
    this.faults.push({
      code: decoder.faultCode,
      message: `${decoder.faultMessage} (byte ${decoder.faultAt} of the ${this.compression} file, after ${offset} uncompressed bytes)`,
      offset,
      compression: this.compression,
      compressedOffset: decoder.faultAt,
      fatal: true,
    });
    return true;
  }

  /** Not enough bytes for the record at `position`: wait, or say how the file ends. */
  private short(need: number, code: CaptureFaultCode): false {
    if (this.ended) {
      const have = this.limit - this.position;
      if (!this.noteDecoder() && have > 0) this.note(code, this.base + this.position, true, have, need);
      return this.finish();
    }
    this.want = need;
    if (this.arena !== null && need > this.arena.length)
      return this.stop("BUFFER_TOO_SMALL", this.position, need, this.arena.length);
    return false;
  }

  // ---- pcap

  private readHeader(): boolean {
    const have = this.limit - this.position;
    if (this.decoder === null) {
      const compression = recognise(this.bytes, this.limit);
      if (compression === "gzip" || compression === "zstd") {
        this.startDecoder(compression);
        return false;
      }
    }
    if (have < 4) {
      if (!this.ended || have > 0) return this.short(4, "TRUNCATED_HEADER");
      if (!this.noteDecoder()) this.note("EMPTY", 0, true);
      return this.finish();
    }
    switch (this.view.getUint32(this.position, false)) {
      case 0x0a0d0d0a:
        this.format = "pcapng";
        this.mode = PCAPNG;
        this.section = -1;
        return true;
      case 0xa1b2c3d4:
        return this.readPcapHeader(false, 1000, 16);
      case 0xd4c3b2a1:
        return this.readPcapHeader(true, 1000, 16);
      case 0xa1b23c4d:
        return this.readPcapHeader(false, 1, 16);
      case 0x4d3cb2a1:
        return this.readPcapHeader(true, 1, 16);
      case 0xa1b2cd34:
        return this.readPcapHeader(false, 1000, 24);
      case 0x34cdb2a1:
        return this.readPcapHeader(true, 1000, 24);
    }
    return this.stop("UNKNOWN_FORMAT", this.position, this.view.getUint32(this.position, false));
  }

  private readPcapHeader(littleEndian: boolean, fractionScale: number, recordHeader: number): boolean {
    const at = this.position;
    this.format = "pcap";
    this.littleEndian = littleEndian;
    if (this.limit - at < 24) return this.short(24, "TRUNCATED_HEADER");
    const view = this.view;
    const major = view.getUint16(at + 4, littleEndian);
    const minor = view.getUint16(at + 6, littleEndian);
    if (major !== 2 && major !== 543) return this.stop("UNSUPPORTED_VERSION", at + 4, major, minor);
    const network = view.getUint32(at + 20, littleEndian);
    const snaplen = view.getUint32(at + 16, littleEndian);
    this.linkType = network & 0x03ffffff;
    this.fractionScale = fractionScale;
    this.recordHeader = recordHeader;
    // Old writers exchanged the two lengths of a record.
    this.lengths =
      major === 543 || minor < 3 ? LENGTHS_SWAPPED : minor === 3 ? LENGTHS_MAYBE_SWAPPED : LENGTHS_AS_WRITTEN;
    this.plainCaplen = snaplen === 0 ? this.maxCaplen : Math.min(snaplen, this.maxCaplen);
    this.interfaces = [
      {
        section: 0,
        id: 0,
        linkType: this.linkType,
        snaplen,
        unitsPerSecond: fractionScale === 1 ? 1e9 : 1e6,
        tsOffsetSeconds: 0,
        fcsLen: (network & 0x04000000) !== 0 ? (network >>> 28) * 2 : -1,
        name: "",
        description: "",
        comments: [],
      },
    ];
    this.position = at + 24;
    this.want = 0;
    this.mode = recordHeader === 16 && this.lengths === LENGTHS_AS_WRITTEN ? PCAP : PCAP_OLD;
    return true;
  }

  /** The record at `position`, where the short way of `next` did not do. */
  private nextRecord(): boolean {
    const at = this.position;
    const have = this.limit - at;
    const header = this.recordHeader;
    if (have < header) return this.short(header, "TRUNCATED_RECORD");
    const view = this.view;
    const littleEndian = this.littleEndian;
    let caplen = view.getUint32(at + 8, littleEndian);
    let len = view.getUint32(at + 12, littleEndian);
    if (this.lengths === LENGTHS_SWAPPED || (this.lengths === LENGTHS_MAYBE_SWAPPED && caplen > len)) {
      const swap = caplen;
      caplen = len;
      len = swap;
    }
    if (caplen > this.maxCaplen) return this.stop("BAD_CAPLEN", at, caplen, this.maxCaplen);
    if (have < header + caplen) return this.short(header + caplen, "TRUNCATED_RECORD");
    if (caplen > this.plainCaplen)
      this.note("SNAPLEN_EXCEEDED", this.base + at, false, caplen, this.plainCaplen);
    this.recordAt = at;
    this.offset = at + header;
    this.caplen = caplen;
    this.len = len;
    this.seconds = view.getUint32(at, littleEndian);
    this.nanoseconds = view.getUint32(at + 4, littleEndian) * this.fractionScale;
    this.position = at + header + caplen;
    this.want = 0;
    this.packets++;
    return true;
  }

  // ---- pcapng

  private nextBlock(): boolean {
    for (;;) {
      if (this.skipping && !this.skipBlock()) return false;
      const at = this.position;
      const have = this.limit - at;
      if (have < 12) return this.short(12, "TRUNCATED_BLOCK");
      const view = this.view;
      const type = view.getUint32(at, this.littleEndian);
      if (type === BLOCK_SHB && !this.readByteOrder(at)) return false;
      const littleEndian = this.littleEndian;
      const total = view.getUint32(at + 4, littleEndian);
      if ((total & 3) !== 0 || total < leastBlock(type))
        return this.stop("BAD_BLOCK_LENGTH", at, total, leastBlock(type));
      const limit = type === BLOCK_IDB ? MAX_INTERFACE_BLOCK : this.maxBlock;
      if (total > limit) return this.stop("BLOCK_TOO_LARGE", at, total, limit);
      const packet = type === BLOCK_EPB || type === BLOCK_SPB || type === BLOCK_PB;
      if (!packet && !this.passBlocks && type !== BLOCK_IDB) {
        if (type === BLOCK_SHB) {
          if (have < 16) return this.short(28, "TRUNCATED_BLOCK");
          if (!this.readSection(at)) return false;
        }
        this.skipping = true;
        this.skip = total - 4;
        this.skipTotal = total;
        this.skipBlockAt = this.base + at;
        continue;
      }
      if (have < total) return this.short(total, "TRUNCATED_BLOCK");
      const trailer = view.getUint32(at + total - 4, littleEndian);
      if (trailer !== total) return this.stop("BLOCK_LENGTH_MISMATCH", at, total, trailer);
      this.want = 0;
      if (type === BLOCK_SHB && !this.readSection(at)) return false;
      if (type === BLOCK_IDB && !this.readInterfaceBlock(at, total)) return false;
      this.recordAt = at;
      this.position = at + total;
      this.blockType = type;
      if (packet) {
        if (this.readPacket(type, at, total)) return true;
      } else if (this.passBlocks) {
        this.isPacket = false;
        this.offset = at + 8;
        this.caplen = this.len = total - 12;
        this.seconds = this.nanoseconds = this.flags = this.commentCount = 0;
        this.interfaceId = type === BLOCK_ISB && total >= 16 ? view.getUint32(at + 8, littleEndian) : -1;
        this.linkType = -1;
        this.optionsAt = this.optionsEnd = this.position;
        return true;
      }
    }
  }

  /** Pass over a block without keeping it. @returns false when bytes are wanting, or the length at its end is wrong */
  private skipBlock(): boolean {
    const n = Math.min(this.skip, this.limit - this.position);
    this.position += n;
    this.skip -= n;
    const have = this.limit - this.position;
    if (have < 4) {
      if (!this.ended) {
        this.want = 4;
        return false;
      }
      const got = this.skipTotal - 4 - this.skip + have;
      if (!this.noteDecoder()) this.note("TRUNCATED_BLOCK", this.skipBlockAt, true, got, this.skipTotal);
      return this.finish();
    }
    const trailer = this.view.getUint32(this.position, this.littleEndian);
    if (trailer !== this.skipTotal) {
      this.note("BLOCK_LENGTH_MISMATCH", this.skipBlockAt, true, this.skipTotal, trailer);
      return this.finish();
    }
    this.position += 4;
    this.want = 0;
    this.skipping = false;
    return true;
  }

  private readByteOrder(at: number): boolean {
    const magic = this.view.getUint32(at + 8, false);
    if (magic === 0x1a2b3c4d) this.littleEndian = false;
    else if (magic === 0x4d3c2b1a) this.littleEndian = true;
    else return this.stop("BAD_BYTE_ORDER_MAGIC", at + 8, magic);
    return true;
  }

  private readSection(at: number): boolean {
    const major = this.view.getUint16(at + 12, this.littleEndian);
    const minor = this.view.getUint16(at + 14, this.littleEndian);
    if (major !== 1) return this.stop("UNSUPPORTED_VERSION", at + 12, major, minor);
    this.section++;
    this.interfaces = [];
    this.interfaceBytes = 0;
    return true;
  }

  private readInterfaceBlock(at: number, total: number): boolean {
    this.interfaceBytes += total;
    if (this.interfaces.length >= MAX_INTERFACES || this.interfaceBytes > MAX_INTERFACE_BYTES)
      return this.stop("TOO_MANY_INTERFACES", at, this.interfaces.length);
    this.interfaces.push(
      readInterface(
        this.bytes,
        this.view,
        at + 8,
        at + total - 4,
        this.littleEndian,
        this.section,
        this.interfaces.length,
        this.walk,
      ),
    );
    this.noteBadOption(this.walk);
    return true;
  }

  private noteBadOption(walk: OptionWalk): void {
    if (walk.badAt >= 0) this.note("BAD_OPTION", this.base + walk.badAt, false);
  }

  /** @returns false when the block must be left out: its fault is noted, its framing was right */
  private readPacket(type: number, at: number, total: number): boolean {
    const view = this.view;
    const littleEndian = this.littleEndian;
    const end = at + total - 4;
    let interfaceId = 0;
    let data = at + 28;
    let caplen: number;
    let len: number;
    if (type === BLOCK_SPB) {
      data = at + 12;
      len = view.getUint32(at + 8, littleEndian);
      caplen = Math.min(len, end - data);
    } else {
      interfaceId =
        type === BLOCK_EPB ? view.getUint32(at + 8, littleEndian) : view.getUint16(at + 8, littleEndian);
      caplen = view.getUint32(at + 20, littleEndian);
      len = view.getUint32(at + 24, littleEndian);
    }
    const from = this.interfaces[interfaceId];
    if (from === undefined) {
      this.note("BAD_INTERFACE", this.base + at, false, interfaceId, this.interfaces.length);
      return false;
    }
    if (type === BLOCK_SPB && from.snaplen > 0 && caplen > from.snaplen) caplen = from.snaplen;
    if (caplen > end - data || caplen > this.maxCaplen) {
      this.note("BAD_CAPLEN", this.base + at, false, caplen, end - data);
      return false;
    }
    if (from.snaplen > 0 && caplen > from.snaplen) {
      this.note("SNAPLEN_EXCEEDED", this.base + at, false, caplen, from.snaplen);
    }
    this.isPacket = true;
    this.offset = data;
    this.caplen = caplen;
    this.len = len;
    this.interfaceId = interfaceId;
    this.linkType = from.linkType;
    if (type === BLOCK_SPB) {
      this.seconds = this.nanoseconds = 0;
      this.optionsAt = this.optionsEnd = end;
    } else {
      const stamp = this.stamp;
      stamp.set(
        view.getUint32(at + 12, littleEndian),
        view.getUint32(at + 16, littleEndian),
        from.unitsPerSecond,
      );
      this.seconds = stamp.seconds + from.tsOffsetSeconds;
      this.nanoseconds = stamp.nanoseconds;
      this.optionsAt = Math.min(data + ((caplen + 3) & ~3), end);
      this.optionsEnd = end;
    }
    this.flags = 0;
    this.commentCount = 0;
    if (this.optionsAt < end) this.readPacketOptions();
    this.packets++;
    return true;
  }

  private readPacketOptions(): void {
    const walk = this.walk.start(this.view, this.optionsAt, this.optionsEnd, this.littleEndian);
    while (walk.next()) {
      if (walk.code === OPT_COMMENT) this.commentCount++;
      else if (walk.code === OPT_EPB_FLAGS && walk.length >= 4)
        this.flags = this.view.getUint32(walk.offset, this.littleEndian);
    }
    this.noteBadOption(walk);
  }
}

const NOTHING = /* @__PURE__ */ new Uint8Array(0);

/** The least total length of a block of a type, bytes. */
function leastBlock(type: number): number {
  switch (type) {
    case BLOCK_SHB:
      return 28;
    case BLOCK_IDB:
      return 20;
    case BLOCK_EPB:
    case BLOCK_PB:
      return 32;
    case BLOCK_SPB:
      return 16;
    default:
      return 12;
  }
}

/** How the file is compressed, by its first bytes; "none" also when there are too few to tell. */
function recognise(bytes: Uint8Array, length: number): Compression {
  if (length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b) return "gzip";
  if (length < 4) return "none";
  if (bytes[0] === 0x28 && bytes[1] === 0xb5 && bytes[2] === 0x2f && bytes[3] === 0xfd) return "zstd";
  const skippable =
    (bytes[0]! & 0xf0) === 0x50 && bytes[1] === 0x2a && bytes[2] === 0x4d && bytes[3] === 0x18;
  return skippable ? "zstd" : "none";
}
