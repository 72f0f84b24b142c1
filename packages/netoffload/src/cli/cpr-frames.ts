/** Frames out of JSON lines or a capture, one after the other. */
import { hexToBytes } from "@netoffload/internal";
import { type CaptureReader, LINKTYPE_ETHERNET } from "@netoffload/pcap";
import type { DissectFault } from "../dissect.ts";
import { faultLine, openInput, readCaptureFile } from "./capture.ts";
import type { Context } from "./command.ts";
import { EXIT } from "./exit.ts";
import { type JsonLine, readJsonLines } from "./input.ts";

/** What is wrong with a line. */
export type LineFault = DissectFault;

/**
 * Called for each frame; the bytes are valid until it returns. `line`: the JSON line it came in, null from a capture.
 * A fault of that line or packet is answered in its place.
 */
export type FrameSink = (
  id: unknown,
  frame: Uint8Array,
  line: Readonly<Record<string, unknown>> | null,
) => LineFault | undefined;

/**
 * Read frames. A bad line, or a packet that cannot be taken, is answered in its place and the rest goes on.
 * @param path - JSON lines {id, frame} (`.jsonl` or recognised), a capture, or `-`
 * @param link - link type that a capture's packets must have
 * @returns the exit code
 */
export async function eachFrame(
  context: Context,
  path: string,
  frame: FrameSink,
  link: number = LINKTYPE_ETHERNET,
): Promise<number> {
  const input = await openInput(context, path);
  if (input.json || /\.jsonl$/.test(path)) return eachLine(context, path, input.chunks, frame);
  let refused = false;
  const sink = (reader: CaptureReader, packet: number): void => {
    const { linkType } = reader;
    const error =
      linkType === link
        ? frame(packet, reader.bytes.subarray(reader.offset, reader.offset + reader.caplen), null)
        : { code: "link_type", message: `link type ${linkType}; packets of link type ${link} are taken` };
    if (error === undefined) return;
    refused = true;
    context.out.json({ id: packet, error });
  };
  const end = await readCaptureFile(
    context,
    path,
    sink,
    input.chunks === undefined ? {} : { chunks: input.chunks },
  );
  for (const fault of end.faults) context.err.line(`netoffload: ${faultLine(path, fault)}`);
  return refused || end.faults.length > 0 ? EXIT.usage : EXIT.ok;
}

async function eachLine(
  context: Context,
  path: string,
  chunks: AsyncIterable<Uint8Array> | undefined,
  sink: FrameSink,
): Promise<number> {
  let code: number = EXIT.ok;
  for await (const line of readJsonLines(context, path, chunks)) {
    const frame = line.ok ? line.value.frame : undefined;
    const good = typeof frame === "string" && /^([0-9a-f]{2})*$/i.test(frame);
    const bytes = good ? hexToBytes(frame) : null;
    const error = line.ok && bytes !== null ? sink(line.id, bytes, line.value) : wrong(line);
    if (error === undefined) continue;
    code = EXIT.usage;
    context.out.json({ id: line.id, error });
  }
  return code;
}

function wrong(line: JsonLine): LineFault {
  return line.ok
    ? { code: "frame", message: "frame: an even number of hexadecimal digits is needed" }
    : { code: line.code, message: line.message };
}
