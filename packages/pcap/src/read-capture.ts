import type { CaptureFault } from "./fault.ts";
import type { CaptureInterface } from "./interface.ts";
import { CaptureReader, type CaptureReaderOptions } from "./reader.ts";

/** One packet, as plain data of its own. */
export interface CapturePacket {
  /** The captured bytes: a copy, yours to keep. */
  readonly data: Uint8Array;
  /** Bytes the packet had on the wire. */
  readonly len: number;
  /** Whole seconds since 1970. */
  readonly seconds: number;
  /** Nanoseconds within the second. */
  readonly nanoseconds: number;
  readonly linkType: number;
  /** Number of the interface within its section. */
  readonly interfaceId: number;
  /** Number of the section, 0-based. */
  readonly section: number;
  /** epb_flags, 0 when absent. */
  readonly flags: number;
  readonly comments: readonly string[];
  /** Offset of the record in the uncompressed stream, bytes. */
  readonly offset: number;
}

/** What is known of a capture besides its packets; complete once the iteration has ended. */
abstract class CaptureBase {
  /** The reader behind it, for format, compression, counts. */
  readonly reader: CaptureReader;

  constructor(reader: CaptureReader) {
    this.reader = reader;
  }

  /** What is wrong with the capture, or null; look after the iteration has ended. */
  get fault(): CaptureFault | null {
    return this.reader.fault;
  }

  /** Interfaces of the current section. */
  get interfaces(): readonly CaptureInterface[] {
    return this.reader.interfaces;
  }
}

/** The packets of a capture that arrives in chunks over time. */
export class AsyncCapture extends CaptureBase implements AsyncIterable<CapturePacket> {
  private readonly chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

  constructor(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, reader: CaptureReader) {
    super(reader);
    this.chunks = chunks;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<CapturePacket, void, undefined> {
    for await (const chunk of this.chunks) {
      this.reader.push(chunk);
      yield* drain(this.reader);
      if (this.reader.done) return;
    }
    this.reader.end();
    yield* drain(this.reader);
  }
}

/** The packets of a capture in memory, or of chunks that are there at once. */
export class SyncCapture extends CaptureBase implements Iterable<CapturePacket> {
  private readonly chunks: Iterable<Uint8Array>;

  constructor(chunks: Iterable<Uint8Array>, reader: CaptureReader) {
    super(reader);
    this.chunks = chunks;
  }

  *[Symbol.iterator](): Generator<CapturePacket, void, undefined> {
    for (const chunk of this.chunks) {
      this.reader.push(chunk);
      yield* drain(this.reader);
      if (this.reader.done) return;
    }
    this.reader.end();
    yield* drain(this.reader);
  }
}

function* drain(reader: CaptureReader): Generator<CapturePacket, void, undefined> {
  do {
    while (reader.next()) if (reader.isPacket) yield currentPacket(reader);
  } while (reader.refill());
}

function currentPacket(reader: CaptureReader): CapturePacket {
  return {
    data: reader.packet().slice(),
    len: reader.len,
    seconds: reader.seconds,
    nanoseconds: reader.nanoseconds,
    linkType: reader.linkType,
    interfaceId: reader.interfaceId,
    section: reader.section,
    flags: reader.flags,
    comments: reader.comments(),
    offset: reader.recordOffset,
  };
}

/**
 * Read a capture packet by packet, convenience before speed (an object and a copy per packet; {@link CaptureReader}
 * has neither). The iteration never throws over content: it ends at the capture's end or fault, and `fault` tells.
 * @param source - chunks of the file in order, or the whole file
 *
 * ```ts
 * import { createReadStream } from "node:fs";
 * import { readCapture } from "@netoffload/pcap";
 * const capture = readCapture(createReadStream("trace.pcapng.gz"));
 * try {
 *   for await (const packet of capture) console.log(packet.seconds, packet.data.length);
 *   if (capture.fault) console.error(capture.fault.message);
 * } catch (e) {
 *   console.log((e as NodeJS.ErrnoException).code); // ENOENT
 * }
 * ```
 */
export function readCapture(
  source: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: CaptureReaderOptions = {},
): AsyncCapture {
  return new AsyncCapture(source instanceof Uint8Array ? [source] : source, new CaptureReader(options));
}

/** {@link readCapture} for bytes that are there at once. */
export function readCaptureSync(
  source: Uint8Array | Iterable<Uint8Array>,
  options: CaptureReaderOptions = {},
): SyncCapture {
  return new SyncCapture(source instanceof Uint8Array ? [source] : source, new CaptureReader(options));
}
