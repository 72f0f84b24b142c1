/** `netoffload report merge`: reports of shards become one. */
import { mergeReports, parseReport, type VerifyReport } from "../report.ts";
import { type Command, type Context, type Options, stringOption } from "./command.ts";
import { Outcome, usageError } from "./exit.ts";
import { readInput } from "./input.ts";
import { OutputFile } from "./output.ts";
import { reportTable } from "./verify-text.ts";

/** The last report in a file: a report file is one line, but the whole output of `verify --json` is taken too. */
function readReport(path: string): VerifyReport {
  const lines = new TextDecoder()
    .decode(readInput(path))
    .split("\n")
    .filter((line) => line.trim() !== "");
  for (const line of lines.reverse()) {
    const report = parseReport(line);
    if (report !== null) return report;
  }
  throw usageError(`${path}: no report; a file written by 'verify --report' or 'verify --json' is needed`);
}

function merge(context: Context, words: readonly string[], options: Options): number {
  if (words.length === 0) throw usageError("report merge: which reports? A.json B.json -o ALL.json");
  const merged = mergeReports(words.map(readReport));
  if (!merged.ok)
    throw usageError(merged.message.replace(/^report (\d+)/, (_, n: string) => words[Number(n) - 1]!));
  const report = merged.value;
  const output = stringOption(options, "output");
  if (output !== undefined) {
    const file = new OutputFile(output);
    file.write(new TextEncoder().encode(`${JSON.stringify(report)}\n`));
    file.commit();
  }
  if (output === undefined || context.json) context.out.json(report);
  else if (!context.quiet)
    context.out.write(
      `${output}: ${words.length} reports, ${report.packets.toLocaleString("en")} packets\n${reportTable(report).join("\n")}\n`,
    );
  const outcome = new Outcome();
  if (Object.values(report.offloads).some((o) => o.mismatches > 0)) outcome.note(1);
  if (report.faults !== undefined) outcome.note(2);
  return outcome.code;
}

/** The commands. */
export const reportCommands: readonly Command[] = [
  {
    name: "report merge",
    summary: "add up the reports of shards",
    usage: "A.json B.json... -o ALL.json",
    ownsOutput: true,
    options: {},
    details: `
Reports of 'verify --shard I/N --report FILE' add up: packets, counts and mismatches are summed, states and hashes must
be the same. Exit codes: 0, 1 when the sum holds mismatches, 2 for what is no report or does not belong together.`,
    run: merge,
  },
];
