// Rows timed in turn, round after round; what counts is the ratio of two rows of one run.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

/** Runs `iterations` calls and gives nanoseconds and the result of the last, which the bench checks. */
export type Row = (
  iterations: number,
) => { ns: number; result: number } | Promise<{ ns: number; result: number }>;

/** A row in JavaScript. @param call - returns something that depends on the work done */
export function jsRow(call: () => number): Row {
  return (iterations) => {
    let result = 0;
    const start = process.hrtime.bigint();
    for (let i = 0; i < iterations; i++) result = call();
    return { ns: Number(process.hrtime.bigint() - start), result };
  };
}

const SAMPLE_NS = 1_500_000;
/** Code is optimised in the background while it runs. */
const WARM_NS = 60_000_000;
const ROUNDS = Number(process.env.NETOFFLOAD_BENCH_ROUNDS ?? 21);

/**
 * Time rows interleaved.
 * @param expected - what each row's result must be
 * @returns nanoseconds a call, median over the rounds, row by row
 * @throws Error when a row's result is another
 */
export async function time(rows: Readonly<Record<string, Row>>, expected: number): Promise<Timing> {
  const names = Object.keys(rows);
  const iterations = new Map<string, number>();
  for (const name of names) {
    // as many calls as fill a sample, warm by then
    let n = 16;
    for (let spent = 0; spent < WARM_NS; ) {
      const { ns } = await rows[name]!(n);
      spent += ns;
      n = Math.max(1, Math.min(4 * n, Math.round((n * SAMPLE_NS) / ns)));
      await new Promise(setImmediate);
    }
    iterations.set(name, n);
  }
  const samples = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      const n = iterations.get(name)!;
      const { ns, result } = await rows[name]!(n);
      if (result !== expected) throw new Error(`${name}: result ${result}, the oracle says ${expected}`);
      samples.get(name)!.push(ns / n);
    }
  }
  return new Timing(samples);
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** What {@link time} measured. */
export class Timing {
  readonly #samples: ReadonlyMap<string, readonly number[]>;

  constructor(samples: ReadonlyMap<string, readonly number[]>) {
    this.#samples = samples;
  }

  /** Nanoseconds a call, median. */
  ns(name: string): number {
    return median(this.#samples.get(name)!);
  }

  /** How many times as fast `name` is as `baseline`: median of the rounds' ratios. */
  ratio(name: string, baseline: string): number {
    const own = this.#samples.get(name)!;
    return median(this.#samples.get(baseline)!.map((ns, i) => ns / own[i]!));
  }
}

let failed = 0;
/** What a goal forgives, since other work disturbs a measurement. */
const TOLERANCE = 0.85;

/** Print a row and hold it to its goal. */
export function report(what: string, ratio: number, goal: number, detail: string = ""): void {
  const verdict = ratio >= goal ? "reached" : ratio >= goal * TOLERANCE ? "within 15 %" : "MISSED";
  if (verdict === "MISSED") failed++;
  console.log(
    `${what.padEnd(58)} ${ratio.toFixed(2).padStart(7)}   goal ${goal.toFixed(2).padStart(5)}  ${verdict.padEnd(11)} ${detail}`,
  );
}

/** Set the exit code: 1 when a goal was missed by more than the tolerance. */
export function finish(): void {
  if (failed > 0) process.exitCode = 1;
}

/** A C program of bench/ref, built by gcc, that answers a line for a line. */
export class CProgram {
  readonly #child: ChildProcess;
  readonly #waiting: ((line: string) => void)[] = [];
  readonly #folder: string;

  /** @param flags - for gcc; null when there is no gcc */
  static build(source: string, flags: readonly string[]): CProgram | null {
    const folder = mkdtempSync(path.join(os.tmpdir(), "netoffload-bench-"));
    const program = path.join(folder, "program");
    try {
      execFileSync("gcc", [...flags, "-o", program, source], { stdio: ["ignore", "ignore", "inherit"] });
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
    return new CProgram(program, folder);
  }

  private constructor(program: string, folder: string) {
    this.#folder = folder;
    this.#child = spawn(program, { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#waiting.shift()?.(line));
  }

  ask(line: string): Promise<string> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#child.stdin!.write(`${line}\n`);
    });
  }

  close(): void {
    this.#child.stdin!.end();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
