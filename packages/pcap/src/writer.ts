import { PcapError } from "./errors.ts";
import { type CaptureOption, OPT_COMMENT, OPT_EPB_FLAGS } from "./options.ts";
import type { CaptureReader } from "./reader.ts";
import { Count64 } from "./timestamp.ts";

/** How a {@link CaptureWriter} writes. */
export interface CaptureWriterOptions {
  /** Default `pcapng`. */
  readonly format?: "pcap" | "pcapng";
  /** Resolution of time stamps, default `nano`; what is finer is cut off. */
  readonly resolution?: "micro" | "nano";
  /** Byte order of the file, default little endian. */
  readonly littleEndian?: boolean;
  /** Link type of a pcap file, default 1 (Ethernet). In pcapng each interface has its own. */
  readonly linkType?: number;
  /** Most bytes captured of a packet, as the header says it (nothing is cut); default 262144, 0: no limit. */
  readonly snaplen?: number;
  /** Bytes buffered before the sink is called, default 64 KiB, at least 1 KiB. */
  readonly bufferBytes?: number;
  /** pcapng: name of the program that writes (shb_userappl). */
  readonly application?: string;
  /** pcapng: comment on the section. */
  readonly comment?: string;
}

/** A pcapng interface to be described. */
export interface InterfaceInput {
  readonly linkType: number;
  /** Default: the writer's. */
  readonly snaplen?: number;
  readonly name?: string;
  readonly description?: string;
  readonly comment?: string;
}

/** A packet to write. */
export interface PacketInput {
  readonly data: Uint8Array;
  /** Whole seconds since 1970; 0 to 2^32 - 1 in pcap, to 2^34 - 1 in pcapng. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanoseconds: number;
  /** Bytes on the wire, default `data.length`. */
  readonly len?: number;
  /** pcapng: number that {@link CaptureWriter.addInterface} returned; default: one of this `linkType`, added if new. */
  readonly interfaceId?: number;
  /** Used when `interfaceId` is absent, default the writer's. In pcap it must be the file's. */
  readonly linkType?: number;
  /** pcapng: comments, each at most 65,535 bytes of UTF-8. */
  readonly comments?: readonly string[];
  /** pcapng: epb_flags; 0 is not written. */
  readonly flags?: number;
  /** pcapng: further options, written after the others. */
  readonly options?: readonly CaptureOption[];
}

const NO_OPTIONS: Uint8Array = /* @__PURE__ */ new Uint8Array(0);
const MAX_BLOCK = 0xffff_fffc;

/**
 * Writes pcap or pcapng into a sink of chunks, with one buffer of fixed size.
 *
 * The sink is given a view of that buffer (or of a large packet), lent until the sink returns: write it out or copy it.
 *
 * ```ts
 * import { CaptureWriter } from "@netoffload/pcap";
 * const file: number[] = [];
 * const writer = new CaptureWriter((chunk) => file.push(...chunk), { format: "pcap" });
 * writer.write({ data: new Uint8Array(60), seconds: 1_700_000_000, nanoseconds: 0 });
 * writer.flush();
 * console.log(file.length); // 100
 * ```
 */
export class CaptureWriter {
  /** Packets written. */
  packets: number = 0;
  /** Bytes handed to the sink or still in the buffer. */
  bytesWritten: number = 0;

  private readonly sink: (chunk: Uint8Array) => void;
  private readonly buffer: Uint8Array;
  private readonly view: DataView;
  private used = 0;
  private readonly pcapng: boolean;
  private readonly littleEndian: boolean;
  private readonly linkType: number;
  private readonly snaplen: number;
  private readonly scale: 1 | 1000;
  private readonly linkTypes: number[] = [];
  private readonly count: Count64 = new Count64();
  private readonly copied: Map<string, number> = new Map();

  /**
   * The file header or section header is written at once, into the buffer.
   * @throws {@link PcapError} EINVAL for an option out of range
   */
  constructor(sink: (chunk: Uint8Array) => void, options: CaptureWriterOptions = {}) {
    const size = options.bufferBytes ?? 64 * 1024;
    if (!(size >= 1024))
      throw new PcapError("EINVAL", "CaptureWriter: bufferBytes below 1024", { bufferBytes: size });
    this.sink = sink;
    this.buffer = new Uint8Array(size);
    this.view = new DataView(this.buffer.buffer);
    this.pcapng = options.format !== "pcap";
    this.littleEndian = options.littleEndian ?? true;
    this.linkType = checkLinkType(options.linkType ?? 1);
    this.snaplen = options.snaplen ?? 262144;
    this.scale = options.resolution === "micro" ? 1000 : 1;
    if (this.pcapng) this.sectionHeader(options);
    else this.fileHeader();
  }

  /**
   * Describe an interface.
   * @returns its number, for {@link PacketInput.interfaceId}
   * @throws {@link PcapError} ENOTSUP for pcap, whose only interface is its header
   */
  addInterface(input: InterfaceInput): number {
    if (!this.pcapng) throw new PcapError("ENOTSUP", "addInterface: a pcap file has one link type only");
    const options = new OptionBytes(this.littleEndian);
    if (input.comment !== undefined) options.text(OPT_COMMENT, input.comment);
    if (input.name !== undefined) options.text(2, input.name);
    if (input.description !== undefined) options.text(3, input.description);
    options.bytes(9, new Uint8Array([this.scale === 1 ? 9 : 6]));
    const tail = options.end();
    const at = this.beginBlock(1, 8 + tail.length, 8);
    this.view.setUint16(at, checkLinkType(input.linkType), this.littleEndian);
    this.view.setUint16(at + 2, 0, this.littleEndian);
    this.view.setUint32(at + 4, input.snaplen ?? this.snaplen, this.littleEndian);
    this.endBlock(tail, 20 + tail.length);
    this.linkTypes.push(input.linkType);
    return this.linkTypes.length - 1;
  }

  /**
   * Write one packet.
   * @throws {@link PcapError} ERANGE for a time or length that the format cannot hold; ENOTSUP for comments, flags,
   *   options or another link type in pcap; EINVAL for an interface nobody described
   */
  write(packet: PacketInput): void {
    const interfaceId = this.pcapng ? (packet.interfaceId ?? this.interfaceOf(packet.linkType)) : 0;
    let options = NO_OPTIONS;
    const extra = (packet.comments?.length ?? 0) + (packet.options?.length ?? 0) + (packet.flags ? 1 : 0);
    if (this.pcapng) {
      if (extra > 0) {
        const list = new OptionBytes(this.littleEndian);
        for (const comment of packet.comments ?? []) list.text(OPT_COMMENT, comment);
        if (packet.flags) list.u32(OPT_EPB_FLAGS, packet.flags);
        for (const option of packet.options ?? []) list.bytes(option.code, option.value);
        options = list.end();
      }
    } else if (extra > 0 || (packet.linkType ?? this.linkType) !== this.linkType) {
      throw new PcapError("ENOTSUP", "write: pcap has no comments, flags, options, nor a second link type", {
        linkType: packet.linkType ?? this.linkType,
      });
    }
    const data = packet.data;
    this.put(
      data,
      0,
      data.length,
      packet.len ?? data.length,
      packet.seconds,
      packet.nanoseconds,
      interfaceId,
      options,
    );
  }

  /**
   * Write one packet out of a larger buffer, without allocating.
   * @param bytes - holds the packet
   * @param offset - of its first byte in `bytes`
   * @param caplen - bytes to write
   * @param len - bytes it had on the wire
   * @param interfaceId - in pcapng, as {@link addInterface} returned it; ignored in pcap
   * @throws {@link PcapError} as {@link write}
   */
  writeBytes(
    bytes: Uint8Array,
    offset: number,
    caplen: number,
    len: number,
    seconds: number,
    nanoseconds: number,
    interfaceId: number,
  ): void {
    this.put(bytes, offset, caplen, len, seconds, nanoseconds, interfaceId, NO_OPTIONS);
  }

  /**
   * Copy the current packet of a reader, with its interface (described here when first met), comments, flags and other
   * options (those only from pcapng to pcapng of either byte order; values that hold numbers are then not turned).
   * @throws {@link PcapError} as {@link write}
   */
  writeFrom(reader: CaptureReader): void {
    if (!this.pcapng) {
      if (reader.linkType !== this.linkType)
        throw new PcapError("ENOTSUP", "writeFrom: a pcap file has one link type only", {
          linkType: reader.linkType,
        });
      this.put(
        reader.bytes,
        reader.offset,
        reader.caplen,
        reader.len,
        reader.seconds,
        reader.nanoseconds,
        0,
        NO_OPTIONS,
      );
      return;
    }
    const key = `${reader.section}/${reader.interfaceId}`;
    let interfaceId = this.copied.get(key);
    if (interfaceId === undefined) {
      const from = reader.interface!;
      interfaceId = this.addInterface({
        linkType: from.linkType,
        snaplen: from.snaplen,
        ...(from.name === "" ? {} : { name: from.name }),
        ...(from.description === "" ? {} : { description: from.description }),
      });
      this.copied.set(key, interfaceId);
    }
    let options = NO_OPTIONS;
    if (reader.commentCount > 0 || reader.flags !== 0) {
      const list = new OptionBytes(this.littleEndian);
      for (const comment of reader.comments()) list.text(OPT_COMMENT, comment);
      if (reader.flags !== 0) list.u32(OPT_EPB_FLAGS, reader.flags);
      options = list.end();
    }
    this.put(
      reader.bytes,
      reader.offset,
      reader.caplen,
      reader.len,
      reader.seconds,
      reader.nanoseconds,
      interfaceId,
      options,
    );
  }

  /**
   * Write a pcapng block as it is, in the writer's byte order.
   * @param body - without type and lengths; padded here to a multiple of 4
   * @throws {@link PcapError} ENOTSUP for pcap; EINVAL for a type that changes how others are read (section, interface)
   */
  writeBlock(type: number, body: Uint8Array): void {
    if (!this.pcapng) throw new PcapError("ENOTSUP", "writeBlock: pcap has no blocks");
    if (type === 0x0a0d0d0a || type === 1)
      throw new PcapError("EINVAL", "writeBlock: sections and interfaces have their own methods", { type });
    const padded = (body.length + 3) & ~3;
    this.beginBlock(type, padded, 0);
    this.bytes(body, 0, body.length);
    this.pad(padded - body.length);
    this.endBlock(NO_OPTIONS, 12 + padded);
  }

  /** Hand what is buffered to the sink. Call it at the end. */
  flush(): void {
    if (this.used === 0) return;
    const n = this.used;
    this.used = 0;
    this.sink(this.buffer.subarray(0, n));
  }

  // ---- blocks and records

  private put(
    bytes: Uint8Array,
    offset: number,
    caplen: number,
    len: number,
    seconds: number,
    nanoseconds: number,
    interfaceId: number,
    options: Uint8Array,
  ): void {
    if (!(offset >= 0 && caplen >= 0 && offset + caplen <= bytes.length))
      throw new PcapError("EINVAL", "write: packet outside its buffer", {
        offset,
        caplen,
        length: bytes.length,
      });
    if (!(len >= 0 && len <= 0xffff_ffff))
      throw new PcapError("ERANGE", "write: len beyond 32 bits", { len });
    if (!(seconds >= 0 && seconds < (this.pcapng ? 2 ** 34 : 2 ** 32)))
      throw new PcapError("ERANGE", "write: seconds outside the format's range", { seconds });
    if (!(nanoseconds >= 0 && nanoseconds < 1e9))
      throw new PcapError("ERANGE", "write: nanoseconds outside 0..999999999", { nanoseconds });
    const littleEndian = this.littleEndian;
    const view = this.view;
    if (this.pcapng) {
      if (!(interfaceId >= 0 && interfaceId < this.linkTypes.length))
        throw new PcapError("EINVAL", "write: interface not described", { interfaceId });
      const padded = (caplen + 3) & ~3;
      if (32 + padded + options.length > MAX_BLOCK)
        throw new PcapError("ERANGE", "write: packet too large for a block", { caplen });
      this.count.set(seconds, nanoseconds, this.scale);
      const at = this.beginBlock(6, 20 + padded + options.length, 20);
      view.setUint32(at, interfaceId, littleEndian);
      view.setUint32(at + 4, this.count.high, littleEndian);
      view.setUint32(at + 8, this.count.low, littleEndian);
      view.setUint32(at + 12, caplen, littleEndian);
      view.setUint32(at + 16, len, littleEndian);
      this.bytes(bytes, offset, caplen);
      this.pad(padded - caplen);
      this.endBlock(options, 32 + padded + options.length);
    } else {
      const at = this.room(16);
      view.setUint32(at, seconds, littleEndian);
      view.setUint32(at + 4, this.scale === 1 ? nanoseconds : Math.floor(nanoseconds / 1000), littleEndian);
      view.setUint32(at + 8, caplen, littleEndian);
      view.setUint32(at + 12, len, littleEndian);
      this.bytes(bytes, offset, caplen);
    }
    this.packets++;
  }

  private fileHeader(): void {
    const view = this.view;
    const littleEndian = this.littleEndian;
    const at = this.room(24);
    view.setUint32(at, this.scale === 1 ? 0xa1b23c4d : 0xa1b2c3d4, littleEndian);
    view.setUint16(at + 4, 2, littleEndian);
    view.setUint16(at + 6, 4, littleEndian);
    view.setUint32(at + 8, 0, littleEndian);
    view.setUint32(at + 12, 0, littleEndian);
    view.setUint32(at + 16, this.snaplen, littleEndian);
    view.setUint32(at + 20, this.linkType, littleEndian);
  }

  private sectionHeader(options: CaptureWriterOptions): void {
    const list = new OptionBytes(this.littleEndian);
    if (options.comment !== undefined) list.text(OPT_COMMENT, options.comment);
    if (options.application !== undefined) list.text(4, options.application);
    const tail = list.end();
    const at = this.beginBlock(0x0a0d0d0a, 16 + tail.length, 16);
    this.view.setUint32(at, 0x1a2b3c4d, this.littleEndian);
    this.view.setUint16(at + 4, 1, this.littleEndian);
    this.view.setUint16(at + 6, 0, this.littleEndian);
    // section length: not stated
    this.view.setUint32(at + 8, 0xffff_ffff, this.littleEndian);
    this.view.setUint32(at + 12, 0xffff_ffff, this.littleEndian);
    this.endBlock(tail, 28 + tail.length);
  }

  private interfaceOf(linkType: number = this.linkType): number {
    const known = this.linkTypes.indexOf(linkType);
    return known >= 0 ? known : this.addInterface({ linkType });
  }

  /** Type and length, and room for `fixed` more bytes. @returns offset of those in the buffer */
  private beginBlock(type: number, body: number, fixed: number): number {
    const at = this.room(8 + fixed);
    this.view.setUint32(at, type, this.littleEndian);
    this.view.setUint32(at + 4, body + 12, this.littleEndian);
    return at + 8;
  }

  private endBlock(options: Uint8Array, total: number): void {
    this.bytes(options, 0, options.length);
    this.view.setUint32(this.room(4), total, this.littleEndian);
  }

  private room(n: number): number {
    if (this.used + n > this.buffer.length) this.flush();
    const at = this.used;
    this.used += n;
    this.bytesWritten += n;
    return at;
  }

  private pad(n: number): void {
    if (n > 0) this.buffer.fill(0, this.room(n), this.used);
  }

  private bytes(bytes: Uint8Array, offset: number, length: number): void {
    if (length === 0) return;
    if (this.used + length > this.buffer.length) this.flush();
    this.bytesWritten += length;
    if (length > this.buffer.length) {
      this.sink(bytes.subarray(offset, offset + length));
      return;
    }
    if (length <= SHORT) {
      const buffer = this.buffer;
      let to = this.used;
      for (let i = offset; i < offset + length; i++) buffer[to++] = bytes[i]!;
    } else {
      this.buffer.set(bytes.subarray(offset, offset + length), this.used);
    }
    this.used += length;
  }
}

/** Below this many bytes a loop is faster than a view and a call. */
const SHORT = 64;

function checkLinkType(linkType: number): number {
  if (!(Number.isInteger(linkType) && linkType >= 0 && linkType <= 0xffff))
    throw new PcapError("EINVAL", "link type outside 0..65535", { linkType });
  return linkType;
}

/** An option list in the making. */
class OptionBytes {
  private readonly parts: Uint8Array[] = [];
  private length = 0;
  private readonly littleEndian: boolean;

  constructor(littleEndian: boolean) {
    this.littleEndian = littleEndian;
  }

  text(code: number, text: string): void {
    this.bytes(code, new TextEncoder().encode(text));
  }

  u32(code: number, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, this.littleEndian);
    this.bytes(code, bytes);
  }

  bytes(code: number, value: Uint8Array): void {
    if (value.length > 0xffff)
      throw new PcapError("ERANGE", "an option of more than 65535 bytes", { code, length: value.length });
    const part = new Uint8Array(4 + ((value.length + 3) & ~3));
    const view = new DataView(part.buffer);
    view.setUint16(0, code, this.littleEndian);
    view.setUint16(2, value.length, this.littleEndian);
    part.set(value, 4);
    this.parts.push(part);
    this.length += part.length;
  }

  /** The list, closed by opt_endofopt; empty when there are no options. */
  end(): Uint8Array {
    if (this.length === 0) return NO_OPTIONS;
    const list = new Uint8Array(this.length + 4);
    let at = 0;
    for (const part of this.parts) {
      list.set(part, at);
      at += part.length;
    }
    return list;
  }
}
