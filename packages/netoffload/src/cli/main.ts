/** The executable: choose a command, run it, turn every ending into its exit code. */
import { type Command, type Context, helpText, type Options, parseWords } from "./command.ts";
import { CliError, EXIT, usageError } from "./exit.ts";
import { ClosedPipe, OutputFile, TextOut } from "./output.ts";
import { VERSION } from "./version.ts";

/** Commands loaded by themselves: they need a part of the library only, and loading all of it takes its time. */
const ALONE: Readonly<Record<string, () => Promise<readonly Command[]>>> = {
  csum: async () => (await import("./csum.ts")).csumCommands,
};

/** The commands among which the first word chooses. */
async function commandsFor(first: string): Promise<readonly Command[]> {
  return Object.hasOwn(ALONE, first) ? ALONE[first]!() : (await import("./commands.ts")).COMMANDS;
}

/**
 * Run the command line.
 * @param argv - words after the executable's name
 * @param out - takes the place of standard output, `err` that of standard error
 * @returns the exit code
 */
export async function main(
  argv: readonly string[],
  out: TextOut = new TextOut(1),
  err: TextOut = new TextOut(2),
): Promise<number> {
  const stop = new AbortController();
  const { signal } = stop;
  const onInterrupt = (): void => {
    // a second Ctrl-C means now
    if (signal.aborted) process.exit(EXIT.interrupted);
    stop.abort();
  };
  process.on("SIGINT", onInterrupt);
  try {
    const code = await dispatch(argv, out, err, signal);
    out.flush();
    err.flush();
    return signal.aborted ? EXIT.interrupted : code;
  } catch (error) {
    return ending(error, out, err);
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}

async function dispatch(
  argv: readonly string[],
  out: TextOut,
  err: TextOut,
  signal: AbortSignal,
): Promise<number> {
  const [first] = argv;
  if (first === "--version") {
    out.line(VERSION);
    return EXIT.ok;
  }
  const commands = await commandsFor(first ?? "");
  if (first === undefined || first === "--help" || first === "-h" || first === "help") {
    out.write(overview(commands));
    return first === undefined ? EXIT.usage : EXIT.ok;
  }
  if (argv[1] === "--help" || argv[1] === "-h") {
    const group = commands.filter((c) => c.name.startsWith(`${first} `));
    if (group.length > 0) {
      out.write(group.map(helpText).join("\n"));
      return EXIT.ok;
    }
  }
  const command = find(commands, argv);
  const rest = argv.slice(command.name.split(" ").length);
  const { words, options } =
    command.raw === true ? { words: [...rest], options: {} as Options } : parseWords(command, rest);
  if (options.help === true) {
    out.write(helpText(command));
    return EXIT.ok;
  }
  if (options.version === true) {
    out.line(VERSION);
    return EXIT.ok;
  }
  const context: Context = {
    out,
    err,
    json: options.json === true,
    quiet: options.quiet === true,
    color: options["no-color"] !== true && !process.env.NO_COLOR && process.stdout.isTTY === true,
    progress: options.quiet !== true && process.stderr.isTTY === true,
    interrupted: () => signal.aborted,
    signal,
  };
  return typeof options.output === "string" && command.ownsOutput !== true
    ? intoFile(options.output, context, (c) => command.run(c, words, options))
    : command.run(context, words, options);
}

/** `-o FILE`: what would be printed goes there, whole or not at all. */
async function intoFile(
  path: string,
  context: Context,
  run: (context: Context) => Promise<number> | number,
): Promise<number> {
  const file = new OutputFile(path);
  try {
    const text = new TextOut((bytes) => file.write(bytes));
    const code = await run({ ...context, out: text, color: false });
    text.flush();
    file.commit();
    return code;
  } finally {
    file.discard();
  }
}

/** The longest command name that the words begin with. */
function find(commands: readonly Command[], argv: readonly string[]): Command {
  for (let n = Math.min(3, argv.length); n > 0; n--) {
    const name = argv.slice(0, n).join(" ");
    const found = commands.find((c) => c.name === name);
    if (found !== undefined) return found;
  }
  const group = commands.filter((c) => c.name.startsWith(`${argv[0]} `));
  if (group.length > 0)
    throw usageError(
      `netoffload ${argv[0]}: ${argv[1] === undefined ? "what?" : `'${argv[1]}' is not known;`} one of: ${group.map((c) => c.name.slice(argv[0]!.length + 1)).join(", ")}`,
    );
  throw usageError(
    `'${argv[0]}' is no command; one of: ${[...new Set(commands.map((c) => c.name.split(" ")[0]))].join(", ")}`,
  );
}

function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map((c) => c.name.length)) + 2;
  const rows = commands.map((c) => `  ${c.name.padEnd(width)}${c.summary}`);
  return `netoffload ${VERSION}: network offloads that run the same program as the kernel\n\nusage: netoffload COMMAND [WORDS] [OPTIONS]\n\n${rows.join("\n")}\n\nnetoffload COMMAND --help tells more.\n`;
}

/** Every way a command can end badly, as a message and an exit code; never a stack trace alone. */
function ending(error: unknown, out: TextOut, err: TextOut): number {
  if (error instanceof ClosedPipe) return EXIT.ok;
  try {
    out.flush();
    if (error instanceof CliError) {
      err.line(`netoffload: ${error.message}`);
      err.flush();
      return error.exit;
    }
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    err.line(
      `netoffload: internal error, please report this line and the input: ${stack.replaceAll("\n", " | ")}`,
    );
    err.flush();
  } catch (again) {
    if (!(again instanceof ClosedPipe)) throw again;
    return EXIT.ok;
  }
  return EXIT.internal;
}
