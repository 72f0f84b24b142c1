/** Captures as command input: a file or standard input, read in bounded memory, faults told as the command line does. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type CaptureFault, CaptureReader } from "@netoffload/pcap";
import type { Context } from "./command.ts";
import { usageError } from "./exit.ts";
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
  /** First bytes of the input, already read by {@link beginsWithJson}. */
  readonly begin?: Uint8Array;
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
  const { buffer, onBlock = () => undefined } = options;
  let begin = options.begin ?? NOTHING;
  const fd = open(path);
  const reader = new CaptureReader(buffer === undefined ? {} : { buffer, bufferBytes: CHUNK });
  const progress = new Progress(path === "-" ? "stdin" : path, context.progress);
  const read = (space: Uint8Array): number => {
    if (begin.length === 0) return readSome(fd, space.length > CHUNK ? space.subarray(0, CHUNK) : space);
    const n = Math.min(begin.length, space.length);
    space.set(begin.subarray(0, n));
    begin = begin.subarray(n);
    return n;
  };
  try {
    const size = fstatSync(fd).size;
    let packets = 0;
    while (!context.interrupted() && reader.advance(read)) {
      while (reader.next()) {
        const work = sink(reader, ++packets);
        if (work !== undefined) await work;
        if (packets % TICK !== 0) continue;
        progress.tick(packets, "packets", size > 0 ? reader.streamBytes / size : undefined);
        // a turn of the event loop, so that Ctrl-C is seen
        await new Promise(setImmediate);
        if (context.interrupted()) break;
      }
      onBlock();
    }
    return { packets, interrupted: context.interrupted(), faults: reader.faults, reader };
  } finally {
    progress.done();
    if (fd !== 0) closeSync(fd);
  }
}

const NOTHING = new Uint8Array(0);

/**
 * Are these JSON lines? Looks at the first byte that is no white space.
 * @returns what was read of standard input, for whoever reads on; empty for a file
 */
export function beginsWithJson(path: string): { readonly json: boolean; readonly begin: Uint8Array } {
  const fd = open(path);
  try {
    const space = new Uint8Array(4096);
    const begin = space.subarray(0, readSome(fd, space));
    const first = begin.find((b) => b !== 0x20 && b !== 0x09 && b !== 0x0a && b !== 0x0d);
    return { json: first === 0x7b, begin: fd === 0 ? begin : NOTHING };
  } finally {
    if (fd !== 0) closeSync(fd);
  }
}

/** One line for a fault: the file, where, what. */
export function faultLine(path: string, fault: CaptureFault): string {
  const where =
    fault.compressedOffset === null
      ? `byte ${fault.offset}`
      : `byte ${fault.offset} of the uncompressed stream (byte ${fault.compressedOffset} of the file)`;
  return `${path}: ${fault.code} at ${where}: ${fault.message}`;
}

function open(path: string): number {
  if (path === "-") return 0;
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

/** Read what there is; an idle pipe is waited for. */
function readSome(fd: number, space: Uint8Array): number {
  for (;;) {
    try {
      return readSync(fd, space, 0, space.length, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
