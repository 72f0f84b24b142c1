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

/** Read every packet of a capture. A missing file is bad input; a damaged one ends with its fault. */
export async function readCaptureFile(context: Context, path: string, sink: PacketSink): Promise<CaptureEnd> {
  const fd = open(path);
  const reader = new CaptureReader();
  const progress = new Progress(path === "-" ? "stdin" : path, context.progress);
  try {
    const size = fstatSync(fd).size;
    let packets = 0;
    while (!context.interrupted() && reader.advance((space) => readSome(fd, space)))
      while (reader.next()) {
        if (!reader.isPacket) continue;
        const work = sink(reader, ++packets);
        if (work !== undefined) await work;
        if (packets % TICK !== 0) continue;
        progress.tick(packets, "packets", size > 0 ? reader.streamBytes / size : undefined);
        // a turn of the event loop, so that Ctrl-C is seen
        await new Promise(setImmediate);
        if (context.interrupted()) break;
      }
    return { packets, interrupted: context.interrupted(), faults: reader.faults, reader };
  } finally {
    progress.done();
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
