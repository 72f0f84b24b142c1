/** `netoffload verify --sent A --received B`: a real device's frames against the kernel's program. */
import { existsSync } from "node:fs";
import { bytesToHex } from "@netoffload/internal";
import { type SentMetadata, SentReceived, sentMetadata } from "../verify/sent-received.ts";
import { faultLine, readCaptureFile } from "./capture.ts";
import type { Context } from "./command.ts";
import { Outcome, usageError } from "./exit.ts";
import { readInput } from "./input.ts";

const TOLD = 100;

/** Metadata lines {"packet":N,"csum_start":..} beside a capture: its name with .jsonl. */
function beside(path: string): Map<number, SentMetadata> {
  const file = `${path.replace(/\.(pcapng|pcap|cap)$/, "")}.jsonl`;
  const map = new Map<number, SentMetadata>();
  if (path === "-" || !existsSync(file)) return map;
  for (const [i, line] of new TextDecoder().decode(readInput(file)).split("\n").entries()) {
    if (line.trim() === "") continue;
    const found = sentMetadata(line);
    const packet = found === null ? null : (JSON.parse(line) as { packet?: unknown }).packet;
    if (found === null || !Number.isInteger(packet))
      throw usageError(
        `${file}: line ${i + 1}: {"packet":NUMBER,"csum_start","csum_offset","csum_not_inet","gso_size"} is needed`,
      );
    map.set(packet as number, found);
  }
  return map;
}

/** @returns the exit code */
export async function verifySent(context: Context, sentPath: string, receivedPath: string): Promise<number> {
  const outcome = new Outcome();
  let told = 0;
  const run = new SentReceived((f) => {
    if (++told > TOLD) return;
    const hex = (bytes: Uint8Array | null): string => (bytes === null ? "" : bytesToHex(bytes));
    if (context.json)
      context.out.json({
        mismatch: "tx_csum",
        kind: f.verdict,
        sent_packet: f.sentPacket,
        received_packet: f.receivedPacket,
        kernel: hex(f.expected),
        device: hex(f.frame),
        ...(f.detail === undefined ? {} : { detail: f.detail }),
      });
    else
      context.err.line(
        `${f.verdict}${f.detail === undefined ? "" : ` (${f.detail})`}: sent ${f.sentPacket ?? "-"}, received ${f.receivedPacket ?? "-"}\n  kernel ${hex(f.expected)}\n  device ${hex(f.frame)}`,
      );
  });
  const metadata = beside(sentPath);
  const read = async (
    path: string,
    each: (frame: Uint8Array, linkType: number, n: number, comments: () => string[]) => void,
  ): Promise<void> => {
    const end = await readCaptureFile(context, path, (reader, n) => {
      const frame = reader.bytes.subarray(reader.offset, reader.offset + reader.caplen);
      each(frame, reader.linkType, n, () => reader.comments());
    });
    for (const fault of end.faults) {
      outcome.note(2);
      context.err.line(`netoffload: ${faultLine(path, fault)}`);
    }
  };
  await read(sentPath, (frame, linkType, n, comments) => {
    const inComment =
      comments()
        .map(sentMetadata)
        .find((m) => m !== null) ?? null;
    run.sent(frame, linkType, n, metadata.get(n) ?? inComment);
  });
  await read(receivedPath, (frame, linkType, n) => run.received(frame, linkType, n));
  run.end();
  const { report } = run;
  if (report.mismatches > 0 || report.lost > 0 || report.unexpected > 0) outcome.note(1);
  if (context.json) context.out.json({ summary: true, sent_received: report });
  else if (!context.quiet)
    for (const [name, n] of Object.entries(report)) context.out.line(`${name.padEnd(18)} ${n}`);
  return outcome.code;
}
