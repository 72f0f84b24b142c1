/** `netoffload verify`: the main job. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describeState } from "@netoffload/devlink";
import { ideal } from "@netoffload/nic-model";
import { ExecDevice } from "../exec-device.ts";
import { openLiveKernel } from "../live/kernel-host.ts";
import { findProgram, type Program, shippedPrograms } from "../programs.ts";
import type { OffloadName, VerifyReport } from "../report.ts";
import type { Mismatch } from "../verify/mismatch.ts";
import { makePipeline, type Pipeline } from "../verify/pipeline.ts";
import { Verifier } from "../verify/verifier.ts";
import { faultLine, readCaptureFile } from "./capture.ts";
import { type Command, type Context, numberOption, type Options, stringOption } from "./command.ts";
import { type DeviceChoice, deviceChoice } from "./device.ts";
import { Outcome, usageError } from "./exit.ts";
import { runJobs } from "./jobs.ts";
import { OutputFile } from "./output.ts";
import { verifySent } from "./verify-sent.ts";
import { verifyText } from "./verify-text.ts";

const OFFLOADS: readonly OffloadName[] = ["tx_csum", "rx_csum"];
/** Mismatches told in full; all are counted. */
const TOLD = 100;

/** The capture that comes with this package. */
export function bundledCapture(): string {
  for (const up of ["../captures", "../../captures"]) {
    const path = fileURLToPath(new URL(`${up}/bundled.pcapng`, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw usageError("the bundled capture is missing from this installation; name a FILE");
}

/** Everything a run needs, out of the command's words. */
interface Job {
  readonly files: readonly string[];
  readonly device: DeviceChoice;
  readonly offloads: readonly OffloadName[];
  readonly programs: readonly Program[];
  readonly noAccel: boolean;
  /** The kernel's side is the running kernel's own C. */
  readonly live: boolean;
  readonly kernel: "wasm" | "ebpf";
  /** This process takes packets whose number (from 0) leaves this remainder. */
  readonly shard: number;
  readonly shards: number;
  readonly timeoutMs: number;
}

function offloadsOf(options: Options): readonly OffloadName[] {
  const text = stringOption(options, "offloads");
  if (text === undefined) return OFFLOADS;
  return text.split(",").map((word) => {
    if (!(OFFLOADS as readonly string[]).includes(word))
      throw usageError(`--offloads ${word}: one of ${OFFLOADS.join(", ")} is available`);
    return word as OffloadName;
  });
}

/** The kernel's programs: the shipped ones, or the versions that `--program` names. */
function programsOf(options: Options): Program[] {
  const chosen = ((options.program ?? []) as readonly string[]).map((item) => findProgram(item));
  return shippedPrograms().map((p) => chosen.find((c) => c.name === p.name) ?? p);
}

function shardOf(options: Options): { shard: number; shards: number } {
  const text = stringOption(options, "shard");
  if (text === undefined) return { shard: 0, shards: 1 };
  const parts = /^(\d{1,4})\/(\d{1,4})$/.exec(text);
  const [i, n] = [Number(parts?.[1]), Number(parts?.[2])];
  if (!(i >= 1 && i <= n)) throw usageError(`--shard ${text}: I/N with 1 <= I <= N is accepted`);
  return { shard: i - 1, shards: n };
}

function jobOf(words: readonly string[], options: Options): Job {
  const kernel = stringOption(options, "kernel") ?? "wasm";
  if (kernel !== "wasm" && kernel !== "ebpf" && kernel !== "live")
    throw usageError(`--kernel ${kernel}: wasm, ebpf or live is accepted`);
  const require = stringOption(options, "require");
  if (require !== undefined && require !== "HARDWARE")
    throw usageError(`--require ${require}: HARDWARE is accepted`);
  return {
    files: words.length > 0 ? words : [bundledCapture()],
    device: deviceChoice(options),
    offloads: offloadsOf(options),
    programs: programsOf(options),
    noAccel: options["no-accel"] === true,
    live: kernel === "live",
    kernel: kernel === "ebpf" ? "ebpf" : "wasm",
    ...shardOf(options),
    timeoutMs: numberOption(options, "timeout", 10, 1, 3600) * 1000,
  };
}

async function run(context: Context, words: readonly string[], options: Options): Promise<number> {
  const [sent, received] = [stringOption(options, "sent"), stringOption(options, "received")];
  if (sent !== undefined || received !== undefined) {
    if (sent === undefined || received === undefined || words.length > 0)
      throw usageError("verify --sent A --received B: both are needed, and no further FILE");
    return verifySent(context, sent, received);
  }
  const job = jobOf(words, options);
  const jobs = numberOption(options, "jobs", 1, 1, 256);
  if (jobs > 1 && job.shards > 1) throw usageError("--jobs and --shard: one of them, not both");
  const outcome = new Outcome();
  const { report, pipeline } =
    jobs > 1
      ? { report: await runJobs(context, words, options, jobs, outcome), pipeline: null }
      : await verifyFiles(context, job, outcome);
  if (Object.values(report.offloads).some((o) => o.mismatches > 0)) outcome.note(1);
  const missed = Object.entries(report.offloads).filter(([, o]) => o.state !== "HARDWARE");
  if (options.require === "HARDWARE" && missed.length > 0) {
    outcome.note(1);
    for (const [name, o] of missed)
      context.err.line(
        `netoffload: ${name} is ${pipeline === null ? o.state : stateText(pipeline, job, name as OffloadName)}, HARDWARE was required`,
      );
  }
  const file = stringOption(options, "report");
  if (file !== undefined) {
    const out = new OutputFile(file);
    out.write(new TextEncoder().encode(`${JSON.stringify(report)}\n`));
    out.commit();
  }
  if (context.json) context.out.json(report);
  else if (!context.quiet) context.out.write(verifyText(context, job, report, pipeline));
  return outcome.code;
}

function stateText(pipeline: Pipeline, job: Job, offload: OffloadName): string {
  return job.device.kind === "exec" ? "LEGACY" : describeState(pipeline.state(offload));
}

async function verifyFiles(
  context: Context,
  job: Job,
  outcome: Outcome,
): Promise<{ report: VerifyReport; pipeline: Pipeline }> {
  const { device } = job;
  const live = job.live ? openLiveKernel() : null;
  const pipeline = await makePipeline({
    ...(live === null ? {} : { host: (memory) => live.bind(memory) }),
    profile: device.kind === "model" ? device.profile : ideal,
    programs: job.programs,
    noAccel: job.noAccel,
    kernel: job.kernel,
    ...(device.kind === "exec" ? { image: null } : {}),
    ...(device.kind === "model" && device.image !== undefined ? { image: device.image } : {}),
    ...(device.kind === "model" && device.off !== undefined ? { off: device.off } : {}),
    ...(device.kind === "model" && device.name.startsWith("sim/") ? { handle: device.name } : {}),
  });
  if (pipeline.reloaded !== null && !pipeline.reloaded.ok)
    context.err.line(
      `netoffload: ${device.name} refuses the image: ${pipeline.reloaded.errno}: ${pipeline.reloaded.extack}`,
    );
  const exec = device.kind === "exec" ? new ExecDevice(device.command, job.timeoutMs) : null;
  let told = 0;
  const verifier = new Verifier(pipeline, {
    offloads: job.offloads,
    ...(exec === null ? {} : { exec }),
    onMismatch: (m) => {
      if (++told <= TOLD) tell(context, m);
    },
  });
  const started = performance.now();
  const faults: { file: string; offset: number; message: string }[] = [];
  let interrupted = false;
  try {
    for (const path of job.files) {
      verifier.file = path;
      const end = await readCaptureFile(context, path, (reader, n) => {
        if (job.shards > 1 && (n - 1) % job.shards !== job.shard) return;
        const frame = reader.bytes.subarray(reader.offset, reader.offset + reader.caplen);
        if (verifier.isFull(frame.length, reader.linkType))
          return verifier.flush().then(() => verifier.push(frame, reader.linkType, reader.len, n));
        verifier.push(frame, reader.linkType, reader.len, n);
      });
      await verifier.flush();
      for (const fault of end.faults) {
        outcome.note(2);
        context.err.line(`netoffload: ${faultLine(path, fault)}`);
        faults.push({ file: path, offset: fault.offset, message: `${fault.code}: ${fault.message}` });
      }
      interrupted ||= end.interrupted;
      if (interrupted) break;
    }
  } finally {
    await exec?.close();
    live?.close();
    pipeline.close();
  }
  if (told > TOLD) context.err.line(`netoffload: ${told - TOLD} further mismatches are counted, not shown`);
  const seconds = (performance.now() - started) / 1000;
  const report: VerifyReport = {
    summary: true,
    packets: verifier.packets,
    bytes: verifier.bytes,
    offloads: verifier.reports,
    ...(live === null ? {} : { live_kernel: live.report() }),
    seconds: Number(seconds.toFixed(3)),
    packets_per_second: seconds > 0 ? Math.round(verifier.packets / seconds) : 0,
    ...(interrupted ? { interrupted: true as const } : {}),
    ...(faults.length > 0 ? { faults } : {}),
  };
  return { report, pipeline };
}

function tell(context: Context, m: Mismatch): void {
  if (context.json) context.out.json(m);
  else
    context.err.line(
      `${m.file}: packet ${m.packet}: ${m.mismatch} ${m.kind}${m.detail === undefined ? "" : `: ${m.detail}`}\n  device   ${m.device}\n  kernel   ${m.kernel}\n  captured ${m.captured}`,
    );
}

/** The command. */
export const verifyCommand: Command = {
  name: "verify",
  summary: "drive captures through a device and compare it with the kernel, byte for byte",
  usage: "[FILE...] [--device PROFILE|FILE.json|sim/NAME|exec:CMD]",
  options: {
    device: {
      type: "string",
      value: "DEVICE",
      help: "ideal (default), another profile (dev add --help lists them), FILE.json, sim/NAME, exec:CMD",
    },
    kernel: {
      type: "string",
      value: "SIDE",
      help: "wasm (default): its programs on this CPU; ebpf: inside the live kernel; live: its own C code",
    },
    offloads: { type: "string", value: "LIST", help: "tx_csum,rx_csum (default: both)" },
    program: {
      type: "string",
      multiple: true,
      value: "NAME@HASH",
      help: "version of a kernel program, or a FILE.wasm",
    },
    require: { type: "string", value: "STATE", help: "HARDWARE: any other state exits 1" },
    "no-accel": { type: "boolean", help: "plain loops in place of acceleration units" },
    jobs: { type: "string", value: "N", help: "processes that share the work" },
    shard: { type: "string", value: "I/N", help: "only every N-th packet, from the I-th on" },
    report: { type: "string", value: "FILE", help: "also write the summary to FILE" },
    timeout: { type: "string", value: "SECONDS", help: "for each answer of exec:CMD (default 10)" },
    state: { type: "string", value: "DIR", help: "where sim/NAME devices are kept" },
    sent: {
      type: "string",
      value: "A",
      help: "what a stack handed to a real device; metadata in comments or A.jsonl",
    },
    received: { type: "string", value: "B", help: "with --sent: what left the device" },
  },
  details: `
Builds an image of the offload programs, loads it over devlink, enables each offload whose hash equals the
kernel's, and drives every packet of the captures (pcap, pcapng, gzip, zstd; '-': standard input; none: the
bundled capture) through transmit and receive. Three sides are compared byte for byte: the device, the kernel's
program on this CPU, and the captured bytes where a slow oracle finds their checksums right.

With --sent and --received a real device is judged: frames are matched by content without checksum and identification
fields and compared byte for byte. Metadata, as JSON in a packet's comment or as lines of A.jsonl with "packet":
{"csum_start","csum_offset","csum_not_inet","gso_size"}; without it every pseudo-header sum is to be filled in.
Of a super-packet (gso_size, or a frame longer than 1,526 bytes) the segments' payloads put together and every checksum
of every segment are compared, their headers are not; datagrams need gso_size. Counted as large and segments.

Exit codes: 0 nothing differs, 1 something differs, 2 bad usage or a damaged capture (all whole packets are done).`,
  run,
};
