/** `netoffload csum fix`: a copy of a capture with its partial (and bad) checksums filled in. */
import { PacketChecker } from "@netoffload/csum";
import { type CaptureReader, CaptureWriter, PcapError } from "@netoffload/pcap";
import { faultLine, readCaptureFile } from "./capture.ts";
import { type Context, type Options, stringOption } from "./command.ts";
import { Outcome, usageError } from "./exit.ts";
import { OutputFile } from "./output.ts";
import { udpEncapOption } from "./udp-encap.ts";

/** What was written. */
interface Fixed {
  fields: number;
  fixedPackets: number;
  /** Bad checksums that stay, for want of `--all`. */
  badLeft: number;
}

/** @returns the exit code */
export async function csumFix(context: Context, words: readonly string[], options: Options): Promise<number> {
  const output = stringOption(options, "output");
  if (words.length !== 1 || output === undefined) throw usageError("csum fix: FILE -o OUT [--all]");
  const [path] = words as [string];
  const all = options.all === true;
  const udpEncap = udpEncapOption(options);
  const outcome = new Outcome();
  const file = new OutputFile(output);
  try {
    const fixed: Fixed = { fields: 0, fixedPackets: 0, badLeft: 0 };
    const checker = new PacketChecker({ udpEncap });
    let writer: CaptureWriter | null = null;
    const end = await readCaptureFile(context, path, (reader) => {
      writer ??= makeWriter(file, output, reader);
      fixOne(checker, reader, all, fixed);
      writeOne(writer, reader, output);
    });
    writer ??= makeWriter(file, output, end.reader);
    writer.flush();
    for (const fault of end.faults) {
      outcome.note(2);
      context.err.line(`netoffload: ${faultLine(path, fault)}`);
    }
    file.commit();
    tell(context, output, end.packets, fixed, end.interrupted);
    return outcome.code;
  } finally {
    file.discard();
  }
}

function fixOne(checker: PacketChecker, reader: CaptureReader, all: boolean, fixed: Fixed): void {
  const frame = reader.packet();
  const written = checker.fix(frame, reader.linkType, all, reader.len, reader.seconds);
  fixed.fields += written;
  if (written > 0) fixed.fixedPackets++;
  if (all) return;
  for (let i = 0; i < checker.count; i++) if (checker.verdict(i) === "bad") fixed.badLeft++;
}

function makeWriter(file: OutputFile, output: string, reader: CaptureReader): CaptureWriter {
  const format = /\.pcap$/i.test(output)
    ? "pcap"
    : /\.pcapng$/i.test(output) || reader.format !== "pcap"
      ? "pcapng"
      : "pcap";
  return new CaptureWriter((chunk) => file.write(chunk), {
    format,
    linkType: reader.linkType,
    ...(format === "pcapng" ? { application: "netoffload csum fix" } : {}),
  });
}

function writeOne(writer: CaptureWriter, reader: CaptureReader, output: string): void {
  try {
    writer.writeFrom(reader);
  } catch (error) {
    if (!(error instanceof PcapError)) throw error;
    throw usageError(
      error.code === "ENOTSUP"
        ? `${output}: packet ${reader.packets} has another link type (${reader.linkType}), which pcap cannot hold; name a .pcapng`
        : `${output}: packet ${reader.packets}: ${error.message}`,
    );
  }
}

function tell(context: Context, output: string, packets: number, fixed: Fixed, interrupted: boolean): void {
  // standard output may be the capture
  const out = output === "-" ? context.err : context.out;
  if (context.json)
    out.json({
      summary: true,
      file: output,
      packets,
      fields: fixed.fields,
      packets_fixed: fixed.fixedPackets,
      bad_left: fixed.badLeft,
      ...(interrupted ? { interrupted: true } : {}),
    });
  else if (!context.quiet)
    out.line(
      `${output}: ${packets} packets, ${fixed.fields} checksums filled in, in ${fixed.fixedPackets} packets${fixed.badLeft > 0 ? `; ${fixed.badLeft} bad ones left (--all replaces them)` : ""}${interrupted ? "; interrupted" : ""}`,
    );
}
