/** Captures as command input: a file or standard input, read in bounded memory, faults told as the command line does. */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { type CaptureFault, CaptureReader } from "@netoffload/pcap";
import type { Context } from "./command.ts";
import { usageError } from "./exit.ts";
import { openStream, standardInput } from "./input.ts";
import { Progress } from "./output.ts";

/** Called for each packet; the reader's fields describe it until the call (or its promise) is over. */
export type PacketSink = (reader: CaptureReader, packet: number) => void | Promise<void>;

/** What reading a capture came to. */
export interface CaptureEnd {
  readonly packets: number;
  readonly interrupted: boolean;
  /** All faults, fatal or not. */
  readonly faults: readonly CaptureFault[];
  readonly reader: CaptureReader;
}

const TICK = 4096;
/** Bytes of one read: what is read stays in the second-level cache until it has been worked on. */
const CHUNK = 512 * 1024;

/** How a capture is read. */
export interface ReadOptions {
  /** Memory that packets are read into; default: the reader's own. */
  readonly buffer?: Uint8Array;
  /** The stream where {@link openInput} opened it already. */
  readonly chunks?: AsyncIterable<Uint8Array>;
  /** Called before the packets that were handed out lose their place. */
  readonly onBlock?: () => void;
}

/** Read every packet of a capture. A missing file is bad input; a damaged one ends with its fault. */
export async function readCaptureFile(
  context: Context,
  path: string,
  sink: PacketSink,
  options: ReadOptions = {},
): Promise<CaptureEnd> {
  const { buffer } = options;
  const reader = new CaptureReader(buffer === undefined ? {} : { buffer, bufferBytes: CHUNK });
  const progress = new Progress(path === "-" ? "stdin" : path, context.progress);
  const loop = new Loop(context, reader, sink, options.onBlock ?? (() => undefined), progress);
  try {
    const { chunks } = options;
    if (chunks !== undefined || path === "-")
      await fromStream(context, loop, chunks ?? standardInput(context));
    else await fromFile(context, loop, path);
  } finally {
    progress.done();
  }
  return { packets: loop.packets, interrupted: context.interrupted(), faults: reader.faults, reader };
}

/** Hands out what the reader has. */
class Loop {
  readonly reader: CaptureReader;
  readonly #context: Context;
  readonly #sink: PacketSink;
  readonly #onBlock: () => void;
  readonly #progress: Progress;
  packets = 0;
  /** Bytes of the file; 0: not known. */
  size = 0;

  constructor(
    context: Context,
    reader: CaptureReader,
    sink: PacketSink,
    onBlock: () => void,
    progress: Progress,
  ) {
    this.#context = context;
    this.reader = reader;
    this.#sink = sink;
    this.#onBlock = onBlock;
    this.#progress = progress;
  }

  /** All packets that are in the buffer. */
  async run(): Promise<void> {
    const { reader } = this;
    while (reader.next()) {
      const work = this.#sink(reader, ++this.packets);
      if (work !== undefined) await work;
      if (this.packets % TICK !== 0) continue;
      const part = this.size > 0 ? reader.streamBytes / this.size : undefined;
      this.#progress.tick(this.packets, "packets", part);
      // a turn of the event loop, so that Ctrl-C is seen
      await new Promise(setImmediate);
      if (this.#context.interrupted()) break;
    }
    this.#onBlock();
  }
}

async function fromFile(context: Context, loop: Loop, path: string): Promise<void> {
  const fd = openFile(path);
  try {
    loop.size = fstatSync(fd).size;
    const read = (space: Uint8Array): number => readSync(fd, space, 0, Math.min(space.length, CHUNK), null);
    while (!context.interrupted() && loop.reader.advance(read)) await loop.run();
  } finally {
    closeSync(fd);
  }
}

async function fromStream(context: Context, loop: Loop, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const { reader } = loop;
  for await (const chunk of chunks) {
    if (reader.done || context.interrupted()) break;
    reader.push(chunk);
    do await loop.run();
    while (!reader.done && reader.refill());
  }
  if (context.interrupted()) return;
  reader.end();
  do await loop.run();
  while (reader.refill() || !reader.done);
}

/**
 * Are these JSON lines? A file: by its first byte that is no white space. Standard input and fifos: unless they begin
 * as a capture does, so that no line at all is no fault and a bad first line is answered in its place.
 * @returns `chunks` is the stream, for whoever reads on; absent for a file
 */
export async function openInput(
  context: Context,
  path: string,
): Promise<{ readonly json: boolean; readonly chunks?: AsyncIterable<Uint8Array> }> {
  if (path === "-" || isFifo(path)) {
    const { first, rest } = await openStream(context, path);
    // a pipe may bring a capture's first bytes one by one
    let begin = first;
    while (begin.length > 0 && begin.length < MAGIC_BYTES && isCapture(begin)) {
      const { value, done } = await rest.next();
      if (done === true) break;
      begin = Buffer.concat([begin, value]);
    }
    return { json: begin.length === 0 || !isCapture(begin), chunks: joined(begin, rest) };
  }
  const fd = openFile(path);
  try {
    const space = new Uint8Array(4096);
    return { json: fstatSync(fd).isFile() && isJson(space.subarray(0, readSync(fd, space))) };
  } finally {
    closeSync(fd);
  }
}

/** Does it give its bytes once? What is not there is told where it is opened. */
function isFifo(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFIFO() === true;
}

const MAGIC_BYTES = 4;
/** First bytes of captures whose first byte a text could begin with: pcapng, pcap (nano) and zstd of some kinds. */
const MAGICS: readonly (readonly number[])[] = [
  [0x0a, 0x0d, 0x0d, 0x0a],
  [0x4d, 0x3c, 0xb2, 0xa1],
  [0x28, 0xb5, 0x2f, 0xfd],
  ...Array.from({ length: 16 }, (_, i) => [0x50 + i, 0x2a, 0x4d, 0x18]),
];

/** Is this the begin of a capture, as far as it is there? What no text begins with is left to the capture's reader. */
function isCapture(begin: Uint8Array): boolean {
  const first = begin[0]!;
  if (first >= 0x7f || (first < 0x20 && first !== 0x09 && first !== 0x0a && first !== 0x0d))
    // but a byte order mark is one of text
    return !(first === 0xef && begin.length >= 2 && begin[1] === 0xbb);
  return MAGICS.some((magic) => magic.every((b, i) => i >= begin.length || b === begin[i]));
}

const isJson = (begin: Uint8Array): boolean =>
  begin.find((b) => b !== 0x20 && b !== 0x09 && b !== 0x0a && b !== 0x0d) === 0x7b;

async function* joined(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first;
  yield* rest;
}

/** One line for a fault: the file, where, what. */
export function faultLine(path: string, fault: CaptureFault): string {
  const where =
    fault.compressedOffset === null
      ? `byte ${fault.offset}`
      : `byte ${fault.offset} of the uncompressed stream (byte ${fault.compressedOffset} of the file)`;
  return `${path}: ${fault.code} at ${where}: ${fault.message}`;
}

function openFile(path: string): number {
  try {
    const fd = openSync(path, "r");
    if (fstatSync(fd).isDirectory()) {
      closeSync(fd);
      throw usageError(`${path}: is a directory, a capture (pcap or pcapng) is needed`);
    }
    return fd;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw usageError(`${path}: ${code === "ENOENT" ? "no such file" : `cannot be read (${code})`}`);
  }
}
