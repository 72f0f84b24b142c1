/** `verify --jobs N`: the same command in N processes, each a shard, their reports merged. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { mergeReports, parseReport, type VerifyReport } from "../report.ts";
import type { Context, Options } from "./command.ts";
import { CliError, EXIT, type Outcome, usageError } from "./exit.ts";

/** Options that the parent answers for. */
const PARENTS = new Set(["jobs", "report", "output", "json", "quiet", "require", "no-color"]);

/** Run all shards; mismatch lines and messages pass through. */
export async function runJobs(
  context: Context,
  words: readonly string[],
  options: Options,
  jobs: number,
  outcome: Outcome,
): Promise<VerifyReport> {
  if (words.includes("-")) throw usageError("--jobs: standard input cannot be shared; name a FILE");
  const shared = ["verify", ...words, ...argumentsOf(options), "--json"];
  const shards = Array.from({ length: jobs }, (_, i) =>
    shard(context, [...shared, "--shard", `${i + 1}/${jobs}`], i === 0),
  );
  const ends = await Promise.all(shards);
  const bad = ends.find((e) => e.report === null);
  if (bad !== undefined)
    throw new CliError(bad.code === 0 ? EXIT.internal : bad.code, "a shard ended without a report");
  for (const { code } of ends) if (code === 2 || code === 3) outcome.note(code);
  const merged = mergeReports(ends.map((e) => e.report!));
  if (!merged.ok) throw new CliError(EXIT.internal, merged.message);
  return merged.value;
}

function argumentsOf(options: Options): string[] {
  const out: string[] = [];
  for (const [name, value] of Object.entries(options)) {
    if (PARENTS.has(name) || value === undefined || value === false) continue;
    for (const v of Array.isArray(value) ? value : [value])
      out.push(...(v === true ? [`--${name}`] : [`--${name}`, String(v)]));
  }
  return out;
}

/** One shard, in a process group of its own: Ctrl-C reaches it once, from here. */
function shard(
  context: Context,
  args: readonly string[],
  tells: boolean,
): Promise<{ report: VerifyReport | null; code: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
      stdio: ["ignore", "pipe", tells ? "inherit" : "ignore"],
      detached: true,
    });
    const interrupt = (): void => void child.kill("SIGINT");
    process.on("SIGINT", interrupt);
    let report: VerifyReport | null = null;
    const fail = (error: unknown): void => {
      child.kill("SIGKILL");
      reject(error);
    };
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const parsed = parseReport(line);
      if (parsed !== null) report = parsed;
      else
        try {
          (context.json ? context.out : context.err).line(line);
        } catch (error) {
          // the reader of our output is gone
          fail(error);
        }
    });
    child.on("error", fail);
    child.on("close", (code) => {
      process.off("SIGINT", interrupt);
      resolve({ report, code: code ?? EXIT.internal });
    });
  });
}
