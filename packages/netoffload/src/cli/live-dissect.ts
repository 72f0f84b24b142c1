/** `netoffload live compare dissect`: a flow dissector against the running kernel's own C. */
import { loadParser, orThrow, type Parser, shippedParser } from "@netoffload/cpr-ir";
import { KernelDissector, LinuxError } from "@netoffload/linux";
import { drawFrame, pathFrames, simplerFrames, weight } from "../live/dissect-case.ts";
import { DissectCompare, type DissectDifference } from "../live/dissect-compare.ts";
import { Random } from "../live/random.ts";
import { type Context, numberOption, type Options, stringOption } from "./command.ts";
import { facilityError, Outcome, usageError } from "./exit.ts";
import { readInput } from "./input.ts";
import { OutputFile, Progress } from "./output.ts";

const BATCH = 1024;
/** Differences minimised and told; all are counted. */
const TOLD = 20;
const ROUNDS = 40;
const METAMETA = 56;
const MOST_LOST = 0.01;

/** Run it. @returns the exit code */
export async function compareDissect(context: Context, options: Options): Promise<number> {
  const seed = numberOption(options, "seed", Date.now() % 0x7fffffff, 0, 0xffffffff);
  const parser = parserOf(options);
  const replay = stringOption(options, "replay");
  const kernel = await open();
  const compare = new DissectCompare(kernel, parser);
  const found: DissectDifference[] = [];
  const started = performance.now();
  try {
    if (replay === undefined) await random(context, compare, parser, options, seed, found);
    else found.push(...(await compare.step(readReplay(replay))));
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    throw facilityError(`the live kernel: ${error.message}\nsee: netoffload live status`);
  } finally {
    await kernel.close();
  }
  const { totals } = compare;
  const asked = 2 * totals.frames;
  const accounted = (asked - totals.lost) / Math.max(1, asked);
  const outcome = new Outcome();
  if (totals.differences > 0 || accounted < 1 - MOST_LOST) outcome.note(1);
  report(context, compare, found, {
    kernel: kernel.kernel,
    seed,
    accounted,
    seconds: (performance.now() - started) / 1000,
  });
  save(options, found);
  return outcome.code;
}

async function open(): Promise<KernelDissector> {
  try {
    return await KernelDissector.open();
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    throw facilityError(`the live kernel: ${error.message}\nsee: netoffload live status`);
  }
}

function parserOf(options: Options): Parser {
  const named = (options.program ?? []) as readonly string[];
  if (named.length === 0) return shippedParser("flow-dissector");
  if (named.length > 1) throw usageError("live compare dissect: one --program FILE.json");
  const file = named[0]!;
  const loaded = loadParser(new TextDecoder().decode(readInput(file)));
  if (!loaded.ok) throw usageError(`${file}: ${loaded.diagnostics[0]!.message}`);
  const parser = orThrow(loaded);
  if (parser.metametaSize !== METAMETA || parser.numKeys < 2)
    throw usageError(
      `${file}: no flow dissector: its metameta area is not struct bpf_flow_keys (${METAMETA} bytes), or it takes no flags and EtherType in key registers 0 and 1`,
    );
  return parser;
}

async function random(
  context: Context,
  compare: DissectCompare,
  parser: Parser,
  options: Options,
  seed: number,
  found: DissectDifference[],
): Promise<void> {
  const seconds = numberOption(options, "seconds", 10, 1, 86_400);
  const numbers = new Random(seed);
  // of a changed graph too: the paths of the right one are those that tell them apart
  const paths = pathFrames(shippedParser("flow-dissector"));
  if (options.program !== undefined) paths.push(...pathFrames(parser));
  const progress = new Progress("live compare dissect", context.progress);
  const started = performance.now();
  for (let at = 0; !context.interrupted(); at += BATCH) {
    if (at >= paths.length && performance.now() - started >= 1000 * seconds) break;
    const batch =
      at < paths.length
        ? paths.slice(at, at + BATCH)
        : Array.from({ length: BATCH }, () => drawFrame(paths, numbers));
    for (const difference of await compare.step(batch))
      if (found.length < TOLD) found.push(await minimise(compare, difference));
    progress.tick(compare.totals.frames, "frames");
  }
  progress.done();
}

/** Shorten a frame and zero its bytes as long as both still differ. */
async function minimise(compare: DissectCompare, first: DissectDifference): Promise<DissectDifference> {
  let best = first;
  for (let round = 0; round < ROUNDS; round++) {
    const simpler = simplerFrames(best.frame).filter((f) => weight(f) < weight(best.frame));
    if (simpler.length === 0) break;
    const differing = await compare.judge(simpler);
    const next = differing.sort((a, b) => weight(a.frame) - weight(b.frame))[0];
    if (next === undefined) break;
    best = next;
  }
  return best;
}

function line(d: DissectDifference, id: number): Record<string, unknown> {
  const { what, frame, ours, kernel } = d;
  return { id, frame: Buffer.from(frame).toString("hex"), what, ours, kernel };
}

function readReplay(file: string): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (const [n, text] of new TextDecoder().decode(readInput(file)).split("\n").entries()) {
    if (text.trim() === "") continue;
    let frame: unknown;
    try {
      ({ frame } = JSON.parse(text) as { frame?: unknown });
    } catch (error) {
      throw usageError(`${file}: line ${n + 1}: ${(error as Error).message}`);
    }
    if (typeof frame !== "string" || !/^([0-9a-fA-F]{2}){14,3500}$/.test(frame))
      throw usageError(`${file}: line ${n + 1}: frame: hex of 14 to 3500 bytes is accepted`);
    frames.push(new Uint8Array(Buffer.from(frame, "hex")));
  }
  return frames;
}

interface Summary {
  readonly kernel: string;
  readonly seed: number;
  readonly accounted: number;
  readonly seconds: number;
}

function report(
  context: Context,
  compare: DissectCompare,
  found: readonly DissectDifference[],
  summary: Summary,
): void {
  const { totals } = compare;
  const ends = Object.fromEntries([...compare.ends].sort((a, b) => b[1] - a[1]));
  const rate = Math.round(totals.frames / summary.seconds);
  if (context.json) {
    for (const [i, d] of found.entries()) context.out.json(line(d, i));
    const interrupted = context.interrupted() ? { interrupted: true } : {};
    context.out.json({ summary: true, compare: "dissect", ...summary, ...totals, ends, ...interrupted });
    return;
  }
  for (const [i, d] of found.entries()) context.out.line(`${d.what}\n  ${JSON.stringify(line(d, i))}`);
  if (!context.quiet)
    for (const [node, n] of Object.entries(ends))
      context.out.line(`${node.padEnd(16)}${String(n).padStart(10)}`);
  context.out.line(
    `kernel ${summary.kernel}, seed ${summary.seed}: ${totals.frames} frames in ${summary.seconds.toFixed(1)} s (${rate} a second), ` +
      `flow keys of ${totals.keys} and payload offsets of ${totals.poff} compared, ${totals.refused} questions not possible, ` +
      `${totals.lost} lost; ${totals.differences} differences`,
  );
}

/** Differences as lines that replay them. */
function save(options: Options, found: readonly DissectDifference[]): void {
  const path = stringOption(options, "output");
  if (path === undefined) return;
  const file = new OutputFile(path);
  file.write(new TextEncoder().encode(found.map((d, i) => `${JSON.stringify(line(d, i))}\n`).join("")));
  file.commit();
}
