/** Parsers' files as command input: read once, every fault told. */
import {
  type CprFile,
  type Diagnostic,
  type Dialect,
  dialectOfText,
  type Parser,
  readCpr,
} from "@netoffload/cpr-ir";
import { type Context, type OptionSpec, type Options, stringOption } from "./command.ts";
import { usageError } from "./exit.ts";
import { readInput } from "./input.ts";

/** Options of every command that reads a parser. */
export const READ_OPTIONS: Readonly<Record<"lenient" | "parser" | "key-order", OptionSpec>> = {
  lenient: { type: "boolean", help: "unknown properties and slips of JSON are warnings" },
  parser: { type: "string", value: "NAME", help: "which parser of the file (default: the first)" },
  "key-order": { type: "string", value: "wire|host", help: "dialects: keys as on the wire (default) or raw" },
};

const DIALECTS: Readonly<Record<Exclude<Dialect, "native">, string>> = {
  kparser: "the JSON of kParser",
  xdp2: "the JSON of the XDP2 compiler",
  doc: "the form of the parser IR's documentation",
};

/** A parser's file as it was given, and what was read of it. */
export interface ParserInput {
  readonly bytes: Uint8Array;
  readonly read: ReturnType<typeof readCpr>;
  readonly dialect: Dialect;
}

/** Read a parser's file and say whose form it has. */
export function readParserInput(context: Context, path: string, options: Options): ParserInput {
  const order = stringOption(options, "key-order") ?? "wire";
  if (order !== "wire" && order !== "host") throw usageError(`--key-order ${order}: wire or host`);
  const parser = stringOption(options, "parser");
  const lenient = options.lenient === true;
  const bytes = readInput(path);
  const text = new TextDecoder().decode(bytes);
  const read = readCpr(text, { lenient, keyOrder: order, ...(parser === undefined ? {} : { parser }) });
  const dialect = read.ok ? read.value.dialect : dialectOfText(text);
  if (dialect !== "native" && !context.quiet) {
    const end = read.ok ? "imported" : "cannot be imported";
    context.err.line(`${path}: ${DIALECTS[dialect]}, ${end}`);
  }
  return { bytes, read, dialect };
}

/** Read a parser's file; its warnings are told, its faults end the command. */
export function readParserFile(context: Context, path: string, options: Options): CprFile {
  return goodParser(context, path, options, readParserInput(context, path, options));
}

/** Of commands that give a parser its identity. */
export const IGNORE_HANDLERS: Readonly<Record<"ignore-handlers", OptionSpec>> = {
  "ignore-handlers": {
    type: "boolean",
    help: "a parser with handlers (C functions), which are left out, has an identity too",
  },
};

/** Handlers are C functions, which no document holds: such a parser has no identity unless they are to be ignored. */
export function portable({ parser }: CprFile, path: string, options: Options): Parser {
  if (parser.handlers.length > 0 && options["ignore-handlers"] !== true)
    throw usageError(
      `${path}: handlers (${parser.handlers.join(", ")}) are C functions; such a parser has no hash`,
    );
  return parser;
}

/** What was read, or every fault of it and the command's end. */
export function goodParser(context: Context, path: string, options: Options, input: ParserInput): CprFile {
  const { read } = input;
  if (read.ok) {
    if (!context.quiet) for (const d of read.value.diagnostics) context.err.line(diagnosticLine(path, d));
    return read.value;
  }
  const lines = read.diagnostics.map((d) => diagnosticLine(path, d));
  const hint = slipHint(read.diagnostics, options);
  for (const line of lines.slice(0, -1)) context.err.line(line);
  throw usageError(`${lines[lines.length - 1]}${hint === null ? "" : `\n${hint}`}`);
}

/** Slips of JSON that {@link READ_OPTIONS}.lenient passes over. */
const SLIPS = new Set(["json.braces", "json.comma", "json.comment", "json.quotes"]);

/** What helps where JSON was written as documentation writes it. */
export function slipHint(faults: readonly Diagnostic[], options: Options): string | null {
  return options.lenient !== true && faults.some((d) => SLIPS.has(d.code))
    ? "this is not JSON; --lenient reads on and tells every kind of slip"
    : null;
}

/** One line for a fault of a document. */
export function diagnosticLine(path: string, d: Diagnostic): string {
  const place = d.line === undefined ? path : `${path}:${d.line}:${d.column}`;
  const where = d.path === undefined ? "" : ` at ${d.path}`;
  const hint = d.suggestion === undefined ? "" : `; meant: ${d.suggestion}`;
  return `${place}: ${d.severity ?? "error"}: ${d.message}${where}${hint} [${d.code}]`;
}

/** A fault of a document in JSON. */
export function diagnosticJson(d: Diagnostic): Record<string, unknown> {
  return {
    severity: d.severity ?? "error",
    code: d.code,
    message: d.message,
    path: d.path ?? "$",
    line: d.line,
    column: d.column,
    ...(d.suggestion === undefined ? {} : { suggestion: d.suggestion }),
  };
}
