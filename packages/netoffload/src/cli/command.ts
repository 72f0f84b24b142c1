/** The shape of a command, and how its words become options. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import { usageError } from "./exit.ts";
import type { TextOut } from "./output.ts";

/** One option of a command. */
export interface OptionSpec {
  readonly type: "boolean" | "string";
  readonly multiple?: boolean;
  readonly short?: string;
  /** Placeholder of the value in help, e.g. `FILE`. */
  readonly value?: string;
  readonly help: string;
}

/** Options every command has. */
export const GLOBAL_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  json: { type: "boolean", help: "JSON lines on stdout, nothing else there" },
  output: { type: "string", short: "o", value: "FILE", help: "write the result to FILE" },
  quiet: { type: "boolean", help: "no progress, no summary" },
  "no-color": { type: "boolean", help: "plain text (also NO_COLOR, and whenever stdout is no terminal)" },
  help: { type: "boolean", short: "h", help: "this text" },
  version: { type: "boolean", help: "print the version" },
};

/** Values as parsed: strings, flags, lists. */
export type Options = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** What a running command sees of the world. */
export interface Context {
  readonly out: TextOut;
  readonly err: TextOut;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly color: boolean;
  /** Progress may be shown: stderr is a terminal and nobody asked for quiet. */
  readonly progress: boolean;
  /** True once Ctrl-C was pressed: end cleanly with what is done. */
  interrupted(): boolean;
  /** Aborted by Ctrl-C, for what waits. */
  readonly signal: AbortSignal;
}

/** A command of the executable. */
export interface Command {
  /** Words that select it, e.g. `csum check`. */
  readonly name: string;
  readonly summary: string;
  /** What follows the name in the usage line. */
  readonly usage: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** True: `-o` names a file the command writes itself; otherwise what it would print goes there. */
  readonly ownsOutput?: boolean;
  /** True: the words are parsed by the command itself (a mirror of another tool's command line). */
  readonly raw?: boolean;
  /** More help: what is read, what is printed, an example. */
  readonly details?: string;
  /** @returns the exit code */
  run(context: Context, words: readonly string[], options: Options): Promise<number> | number;
}

/** Parse a command's words; every complaint says what would be accepted. */
export function parseWords(command: Command, argv: readonly string[]): { words: string[]; options: Options } {
  const specs: Record<string, OptionSpec> = { ...GLOBAL_OPTIONS, ...command.options };
  const options: NonNullable<ParseArgsConfig["options"]> = {};
  for (const [name, spec] of Object.entries(specs))
    options[name] = {
      type: spec.type,
      ...(spec.multiple === undefined ? {} : { multiple: spec.multiple }),
      ...(spec.short === undefined ? {} : { short: spec.short }),
    };
  try {
    const parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
    return { words: parsed.positionals, options: parsed.values as Options };
  } catch (error) {
    const first = String((error as Error).message).split(". ")[0];
    throw usageError(
      `${first}\nusage: netoffload ${command.name} ${command.usage}\nsee: netoffload ${command.name} --help`,
    );
  }
}

/** The help text of one command. */
export function helpText(command: Command): string {
  const rows = Object.entries({ ...command.options, ...GLOBAL_OPTIONS }).map(
    ([name, spec]: [string, OptionSpec]) => {
      const short = spec.short === undefined ? "    " : `-${spec.short}, `;
      return [
        `  ${short}--${name}${spec.type === "string" ? ` ${spec.value ?? "VALUE"}` : ""}`,
        spec.help,
      ] as const;
    },
  );
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  const lines = rows.map(([left, right]) => left.padEnd(width) + right);
  const details = command.details === undefined ? "" : `\n${command.details.trim()}\n`;
  return `netoffload ${command.name}: ${command.summary}\n\nusage: netoffload ${command.name} ${command.usage}\n${details}\noptions:\n${lines.join("\n")}\n`;
}

/** A whole number option in a range. */
export function numberOption(
  options: Options,
  name: string,
  fallback: number,
  min: number,
  max: number,
): number {
  const text = options[name];
  if (text === undefined) return fallback;
  const value = typeof text === "string" && /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw usageError(`--${name} ${String(text)}: a whole number from ${min} to ${max} is accepted`);
  return value;
}

/** A string option, or undefined. */
export function stringOption(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}
