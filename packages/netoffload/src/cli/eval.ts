/** `netoffload eval`: every helper by its kernel name, JSON lines in, JSON lines out. */
import { Evaluator, OPS } from "../eval/index.ts";
import type { Command, Context, Options } from "./command.ts";
import { EXIT, Outcome, usageError } from "./exit.ts";
import { readJsonLines } from "./input.ts";

function list(context: Context): number {
  for (const op of OPS) {
    if (context.json) {
      context.out.json({ op: op.name, fields: op.fields, result: op.result, kernel: op.ours !== true });
      continue;
    }
    context.out.line(`${op.name}${op.ours === true ? "  (not in the kernel)" : ""}`);
    for (const [name, help] of Object.entries(op.fields)) context.out.line(`    ${name.padEnd(24)} ${help}`);
    context.out.line(`    -> ${op.result}`);
  }
  return EXIT.ok;
}

async function evaluate(context: Context, path: string): Promise<number> {
  const evaluator = new Evaluator();
  const outcome = new Outcome();
  for await (const line of readJsonLines(context, path)) {
    if (context.interrupted()) break;
    const { id } = line;
    const answer = line.ok ? evaluator.evaluate(line.value) : line;
    if (answer.ok)
      context.out.json({
        id,
        result: "result" in answer ? answer.result : {},
        ...("ignored" in answer && answer.ignored.length > 0 ? { ignored: answer.ignored } : {}),
      });
    else {
      context.out.json({ id, error: { code: answer.code, message: answer.message } });
      outcome.note(2);
    }
  }
  return outcome.code;
}

/** The command. */
export const evalCommand: Command = {
  name: "eval",
  summary: "call any helper by its kernel name",
  usage: "[FILE.jsonl|-] [--list]",
  options: { list: { type: "boolean", help: "print every op with its fields" } },
  details: `
Reads {"id":1,"op":"csum_replace2","input":{"check_be":56623,"old_be":21845,"new_be":12933}} per line (default:
standard input) and answers {"id":1,"result":{"check_be":0}} in the same order. Packets are hex, sums and fields
big endian where their names end in _be. A bad line is answered {"id","error":{"code","message"}}; exit code 2.
Fields that an op does not know are named in "ignored".`,
  run(context: Context, words: readonly string[], options: Options): Promise<number> | number {
    if (options.list === true) return list(context);
    if (words.length > 1) throw usageError("eval: one FILE.jsonl, or standard input");
    return evaluate(context, words[0] ?? "-");
  },
};
