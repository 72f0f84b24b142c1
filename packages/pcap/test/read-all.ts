/** Read a capture to its end in the different ways there are, into plain data that tests can compare. */
import { bytesToHex } from "@netoffload/internal";
import { CaptureReader, type CaptureReaderOptions } from "../src/index.ts";

export interface PlainPacket {
  at: number;
  data: string;
  len: number;
  seconds: number;
  nanoseconds: number;
  section: number;
  interfaceId: number;
  linkType: number;
  flags: number;
  comments: string[];
}

export interface PlainCapture {
  packets: PlainPacket[];
  /** `CODE@offset` of each fault kept, the fatal one marked by `!`. */
  faults: string[];
}

export function plainPacket(reader: CaptureReader): PlainPacket {
  return {
    at: reader.recordOffset,
    data: bytesToHex(reader.packet()),
    len: reader.len,
    seconds: reader.seconds,
    nanoseconds: reader.nanoseconds,
    section: reader.section,
    interfaceId: reader.interfaceId,
    linkType: reader.linkType,
    flags: reader.flags,
    comments: reader.comments(),
  };
}

export function plainFaults(reader: CaptureReader): string[] {
  return reader.faults.map((fault) => `${fault.code}@${fault.offset}${fault.fatal ? "!" : ""}`);
}

const drain = (reader: CaptureReader, packets: PlainPacket[]): void => {
  do {
    while (reader.next()) if (reader.isPacket) packets.push(plainPacket(reader));
  } while (reader.refill());
};

/** In place. */
export function readWhole(bytes: Uint8Array, options: CaptureReaderOptions = {}): PlainCapture {
  const reader = CaptureReader.from(bytes, options);
  const packets: PlainPacket[] = [];
  drain(reader, packets);
  if (!reader.done) throw new Error("not done at the end of the input");
  return { packets, faults: plainFaults(reader) };
}

/** Pushed in chunks of the given sizes, the last repeated. */
export function readPushed(
  bytes: Uint8Array,
  sizes: readonly number[],
  options: CaptureReaderOptions = {},
): PlainCapture {
  const reader = new CaptureReader(options);
  const packets: PlainPacket[] = [];
  for (let at = 0, i = 0; at < bytes.length && !reader.done; i++) {
    const size = sizes[Math.min(i, sizes.length - 1)]!;
    // a copy that is spoilt afterwards: the reader must have taken it
    const chunk = bytes.slice(at, at + size);
    reader.push(chunk);
    drain(reader, packets);
    chunk.fill(0xa5);
    at += size;
  }
  if (!reader.done) {
    reader.end();
    drain(reader, packets);
  }
  if (!reader.done) throw new Error("not done at the end of the input");
  return { packets, faults: plainFaults(reader) };
}

/** By `advance`, reads of at most the given sizes, the last repeated. */
export function readAdvanced(
  bytes: Uint8Array,
  sizes: readonly number[],
  options: CaptureReaderOptions = {},
): PlainCapture {
  const reader = new CaptureReader(options);
  const packets: PlainPacket[] = [];
  let at = 0;
  let i = 0;
  const read = (space: Uint8Array): number => {
    const n = Math.min(sizes[Math.min(i++, sizes.length - 1)]!, space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + n));
    at += n;
    return n;
  };
  let steps = 0;
  while (reader.advance(read)) {
    while (reader.next()) if (reader.isPacket) packets.push(plainPacket(reader));
    if (++steps > 4 * bytes.length + 5_000_000) throw new Error("advance does not come to an end");
  }
  return { packets, faults: plainFaults(reader) };
}
