/** `netoffload live status|compare`: the running kernel. */
import { KernelChecksum, LinuxError, type LiveStatus, liveStatus } from "@netoffload/linux";
import { CsumCompare, type CsumDifference } from "../live/csum-compare.ts";
import { minimise } from "../live/csum-minimise.ts";
import { csumTable, diffLine, readReplay } from "../live/csum-report.ts";
import { CsumSubject, type CsumTarget } from "../live/csum-subject.ts";
import { findProgram } from "../programs.ts";
import { type Command, type Context, numberOption, type Options, stringOption } from "./command.ts";
import { EXIT, facilityError, Outcome, usageError } from "./exit.ts";
import { readInput } from "./input.ts";
import { compareDissect } from "./live-dissect.ts";
import { OutputFile, Progress } from "./output.ts";

/** Differences minimised and told; all are counted. */
const TOLD = 20;
/** A run that is slow goes on until its matrix is covered, at most so many times as long as was asked for. */
const LONGEST = 20;

async function status(context: Context): Promise<number> {
  const found = await liveStatus();
  if (context.json) context.out.json({ status: true, ...found });
  else statusText(context, found);
  return found.usable ? EXIT.ok : EXIT.facility;
}

function statusText(context: Context, { kernel, facilities, usable }: LiveStatus): void {
  context.out.line(`kernel ${kernel}`);
  const width = Math.max(...facilities.map((f) => f.name.length)) + 2;
  for (const { name, present, said, how } of facilities) {
    const why = present
      ? ""
      : `${said === undefined || said === "no" ? "" : ` (${said})`}; to get it: ${how}`;
    context.out.line(`  ${name.padEnd(width)}${present ? "yes" : "no"}${why}`);
  }
  if (!usable) context.out.line("live commands cannot run here; see what is missing above");
}

/** Everything that must be there, or exit code 3 with how to get it. */
async function openKernel(): Promise<KernelChecksum> {
  try {
    return await KernelChecksum.open();
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    throw facilityError(`the live kernel: ${error.message}\nsee: netoffload live status`);
  }
}

function subjectOf(options: Options): CsumSubject {
  const target = stringOption(options, "target") ?? "wasm";
  if (target !== "wasm" && target !== "npu" && target !== "ebpf")
    throw usageError(`--target ${target}: wasm, npu or ebpf is accepted`);
  const named = ((options.program ?? []) as readonly string[]).map((item) => findProgram(item));
  const pick = (name: string): ReturnType<typeof findProgram> =>
    named.find((p) => p.name === name) ?? findProgram(name);
  try {
    return new CsumSubject({ tx: pick("tx_csum"), rx: pick("rx_csum") }, target satisfies CsumTarget);
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    throw facilityError(`--target ${target}: ${error.message}\nsee: netoffload live status`);
  }
}

async function compare(context: Context, words: readonly string[], options: Options): Promise<number> {
  if (words.length === 1 && words[0] === "dissect") return compareDissect(context, options);
  if (words.length !== 1 || words[0] !== "csum")
    throw usageError(`live compare ${words.join(" ")}: csum and dissect are available`);
  const seed = numberOption(options, "seed", Date.now() % 0x7fffffff, 0, 0xffffffff);
  const subject = subjectOf(options);
  const replay = stringOption(options, "replay");
  const kernel = await openKernel();
  const outcome = new Outcome();
  const found: CsumDifference[] = [];
  const run = new CsumCompare(kernel, subject, seed);
  const started = performance.now();
  try {
    if (replay === undefined) await random(context, run, options, found);
    else
      for (const c of readReplay(new TextDecoder().decode(readInput(replay)), replay))
        found.push(...(await run.step([c])));
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    throw facilityError(`the live kernel: ${error.message}`);
  } finally {
    await kernel.close();
    subject.close();
  }
  if (run.totals.differences > 0) outcome.note(1);
  const least = numberOption(options, "per-cell", 100, 1, 1_000_000);
  const uncovered = replay === undefined ? run.covered.filter((n) => n < least).length : 0;
  if (uncovered > 0) outcome.note(1);
  const { returned, dropped, refused, sent } = run.totals;
  const accounted = (returned + dropped + refused) / Math.max(1, sent);
  if (accounted < 0.99) outcome.note(1);
  report(context, run, found, {
    kernel: kernel.kernel,
    target: stringOption(options, "target") ?? "wasm",
    seed,
    uncovered,
    accounted,
    seconds: (performance.now() - started) / 1000,
  });
  save(options, found);
  return outcome.code;
}

/** Random cases for as long as was asked for, and until every cell was there often enough. */
async function random(
  context: Context,
  run: CsumCompare,
  options: Options,
  found: CsumDifference[],
): Promise<void> {
  const seconds = numberOption(options, "seconds", 10, 1, 86_400);
  const least = numberOption(options, "per-cell", 100, 1, 1_000_000);
  const progress = new Progress("live compare csum", context.progress);
  const started = performance.now();
  for (;;) {
    const spent = (performance.now() - started) / 1000;
    const covered = run.covered.every((n) => n >= least);
    if (context.interrupted() || (spent >= seconds && (covered || spent >= LONGEST * seconds))) break;
    for (const difference of await run.step(run.draw()))
      if (found.length < TOLD) found.push(await minimise(run, difference));
    progress.tick(run.totals.sent, "packets");
  }
  progress.done();
}

interface Summary {
  readonly kernel: string;
  readonly target: string;
  readonly seed: number;
  readonly uncovered: number;
  readonly accounted: number;
  readonly seconds: number;
}

function report(
  context: Context,
  run: CsumCompare,
  found: readonly CsumDifference[],
  summary: Summary,
): void {
  const { totals } = run;
  if (context.json) {
    for (const difference of found) context.out.json(diffLine(difference));
    context.out.json({
      summary: true,
      compare: "csum",
      ...summary,
      packets: totals.sent,
      ...totals,
      cells: run.cells.length,
      least_per_cell: Math.min(...run.covered),
      ...(context.interrupted() ? { interrupted: true } : {}),
    });
    return;
  }
  for (const d of found) context.out.line(`${d.program}: ${d.what}\n  ${JSON.stringify(diffLine(d))}`);
  if (!context.quiet) for (const line of csumTable(run)) context.out.line(line);
  context.out.line(
    `kernel ${summary.kernel}, target ${summary.target}, seed ${summary.seed}: ${totals.sent} packets in ${summary.seconds.toFixed(1)} s, ` +
      `${totals.returned} returned, ${totals.refused} refused by errno, ${totals.dropped} dropped and counted, ${totals.lost} lost; ` +
      `${run.cells.length} cells, the least of them ${Math.min(...run.covered)} times; ${totals.differences} differences`,
  );
}

/** Differences as lines that replay them. */
function save(options: Options, found: readonly CsumDifference[]): void {
  const path = stringOption(options, "output");
  if (path === undefined) return;
  const file = new OutputFile(path);
  file.write(new TextEncoder().encode(found.map((d) => `${JSON.stringify(diffLine(d))}\n`).join("")));
  file.commit();
}

/** The commands. */
export const liveCommands: readonly Command[] = [
  {
    name: "live status",
    summary: "what this machine's kernel offers",
    usage: "",
    options: {},
    run: status,
  },
  {
    name: "live compare",
    summary: "random differential runs against the running kernel",
    usage:
      "csum|dissect [--seconds N] [--seed S] [--target wasm|npu|ebpf] [--replay FILE.jsonl] [-o FILE.jsonl]",
    options: {
      seconds: {
        type: "string",
        value: "N",
        help: "how long (default 10), longer until the matrix is covered",
      },
      seed: { type: "string", value: "S", help: "repeats a run; by default the time" },
      target: {
        type: "string",
        value: "TARGET",
        help: "csum: where the programs run: wasm (default), npu or ebpf",
      },
      program: {
        type: "string",
        multiple: true,
        value: "NAME|FILE",
        help: "another version of a program, or graph",
      },
      "per-cell": { type: "string", value: "N", help: "csum: how often each cell must come (default 100)" },
      replay: { type: "string", value: "FILE", help: "the cases of an earlier run's -o file, and no others" },
    },
    ownsOutput: true,
    details:
      "csum: tx_csum and rx_csum against skb_checksum_help. dissect: a flow dissector's graph (--program FILE.json,\n" +
      "default the shipped one), run by the interpreter, against __skb_flow_dissect.\n" +
      "Needs root, /dev/net/tun and a kernel that lets a process have a network namespace of its own.\n" +
      "Exit code 1: a difference, a cell that came too seldom, or more than 1 % of the packets lost.",
    run: compare,
  },
];
