/** `netoffload cpr ...`: parsers as documents. */
import {
  type CprFile,
  canonicalText,
  codeName,
  diffParsersBySteps,
  drawParser,
  fileDigest,
  formatCpr,
  generateCasesBySteps,
  hashParser,
  Interpreter,
  minimize,
  type Outcome,
  type Parser,
} from "@netoffload/cpr-ir";
import { LINKTYPE_ETHERNET } from "@netoffload/pcap";
import { type Command, type Context, numberOption, type Options, stringOption } from "./command.ts";
import { cprCompileCommand } from "./cpr-compile.ts";
import {
  diagnosticJson,
  diagnosticLine,
  goodParser,
  IGNORE_HANDLERS,
  portable,
  READ_OPTIONS,
  readParserFile,
  readParserInput,
  slipHint,
} from "./cpr-read.ts";
import { answer, RUN_TARGETS, runFrames } from "./cpr-run.ts";
import { fitParser } from "./cpr-tcam.ts";
import { EXIT, usageError } from "./exit.ts";
import { Progress, writeOutput } from "./output.ts";

function one(words: readonly string[], what: string): string {
  if (words.length !== 1) throw usageError(`${what}: one FILE.json (- for standard input)`);
  return words[0]!;
}

function check(context: Context, words: readonly string[], options: Options): number {
  const path = one(words, "cpr check");
  const { read, dialect } = readParserInput(context, path, options);
  const found = read.ok ? read.value.diagnostics : read.diagnostics;
  for (const d of found)
    if (context.json) context.out.json(diagnosticJson(d));
    else context.out.line(diagnosticLine(path, d));
  const hint = slipHint(found, options);
  if (hint !== null && !context.quiet) context.err.line(`${path}: ${hint}`);
  const errors = found.filter((d) => d.severity !== "warning").length;
  const parsers = read.ok
    ? { parsers: read.value.parsers.map((p) => ({ name: p.name, nodes: p.nodes.length })) }
    : {};
  if (context.json)
    context.out.json({
      summary: true,
      ok: read.ok,
      errors,
      warnings: found.length - errors,
      dialect,
      ...parsers,
    });
  else if (!context.quiet)
    context.out.line(
      read.ok ? `${path}: ${describe(read.value)}` : `${path}: ${errors} error${errors === 1 ? "" : "s"}`,
    );
  return read.ok ? EXIT.ok : EXIT.usage;
}

function describe(file: CprFile): string {
  return file.parsers.map((p) => `parser ${p.name}, ${p.nodes.length} nodes`).join("; ");
}

/**
 * What a command makes of a file: text on standard output or, with `-o`, in a file. `--json` has one line instead of
 * the text on standard output.
 */
function put(
  context: Context,
  options: Options,
  text: string,
  line: Readonly<Record<string, unknown>>,
): void {
  const output = stringOption(options, "output");
  if (output !== undefined) {
    writeOutput(output, new TextEncoder().encode(text));
    if (context.json && output !== "-") context.out.json({ file: output, bytes: Buffer.byteLength(text) });
  } else if (context.json) context.out.json(line);
  else context.out.write(text);
}

function format(context: Context, words: readonly string[], options: Options): number {
  const path = one(words, "cpr fmt");
  const { parser, document, dialect } = readParserFile(context, path, options);
  if (options.canonical === true) {
    const canonical = canonicalText(parser);
    put(context, options, `${canonical}\n`, { file: path, canonical });
  } else {
    const text = formatCpr(document);
    put(context, options, text, { file: path, dialect, document: JSON.parse(text) });
  }
  return EXIT.ok;
}

function importFile(context: Context, words: readonly string[], options: Options): number {
  const path = one(words, "cpr import");
  const { document, dialect, diagnostics } = readParserFile(context, path, options);
  if (dialect === "native" && !context.quiet) context.err.line(`${path}: native already`);
  const changes = diagnostics.map(diagnosticJson);
  const text = formatCpr(document);
  put(context, options, text, { file: path, dialect, changes, document: JSON.parse(text) });
  return EXIT.ok;
}

function graph(context: Context, words: readonly string[], options: Options): number {
  const path = one(words, "cpr graph");
  const svg = drawParser(readParserFile(context, path, options).parser);
  put(context, options, svg, { file: path, svg });
  return EXIT.ok;
}

function hash(context: Context, words: readonly string[], options: Options): number {
  if (words.length === 0) throw usageError("cpr hash: FILE.json...");
  oneStandardInput(words);
  for (const path of words) {
    const input = readParserInput(context, path, options);
    const read = portable(goodParser(context, path, options, input), path, options);
    const parser = options.minimize === true ? minimize(read) : read;
    const { sha256, sha1 } = hashParser(parser, { handlers: "ignore" });
    const fileSha1 = fileDigest(input.bytes);
    if (context.json) context.out.json({ file: path, file_sha1: fileSha1, sha256, sha1 });
    else context.out.line(`${sha256}  ${path}\nsha1:${sha1}  ${path}\nfile sha1:${fileSha1}  ${path}`);
  }
  return EXIT.ok;
}

/** Standard input can be read once. */
function oneStandardInput(paths: readonly string[]): void {
  if (paths.filter((p) => p === "-").length > 1)
    throw usageError("standard input (-) can be read once; name a FILE");
}

async function diff(context: Context, words: readonly string[], options: Options): Promise<number> {
  if (words.length !== 2) throw usageError("cpr diff: two FILE.json");
  oneStandardInput(words);
  const [a, b] = words.map((path) => readParserFile(context, path, options).parser) as [Parser, Parser];
  const done = await allSteps(context, "cpr diff", diffParsersBySteps(a, b));
  if (done === null) {
    if (context.json) context.out.json({ equal: null, interrupted: true });
    return EXIT.interrupted;
  }
  const found = done.value;
  if (found.kind !== "different") {
    if (context.json)
      context.out.json({
        // neither proved nor disproved: null
        equal: found.kind === "equal" ? true : null,
        ...("tried" in found ? { tried: found.tried } : {}),
      });
    else
      context.out.line(
        found.kind === "equal"
          ? "equal, proved: on every way through both the same is done"
          : `no difference in ${found.tried} packets, which proves nothing: the graphs differ`,
      );
    return EXIT.ok;
  }
  const told = ([path, o]: [string, Outcome]): Record<string, unknown> => ({
    file: path,
    ret: o.code,
    code: codeName(o.code),
    encaps: o.encaps,
    metadata: Buffer.from(o.metadata).toString("hex"),
  });
  const frame = Buffer.from(found.at.packet).toString("hex");
  const sides = (
    [
      [words[0]!, found.a],
      [words[1]!, found.b],
    ] as [string, Outcome][]
  ).map(told);
  if (context.json)
    context.out.json({
      equal: false,
      frame,
      keys: [...found.at.keys],
      start: found.start,
      note: found.at.note,
      results: sides,
    });
  else {
    const from = found.start === 0 ? "" : `, from byte ${found.start} on`;
    context.out.line(`different: ${found.at.note}\n  frame ${frame || "(empty)"}${from}`);
    for (const s of sides)
      context.out.line(`  ${s.file}: ${s.code}, ${s.encaps} encapsulations, metadata ${s.metadata}`);
  }
  return EXIT.difference;
}

function runParser(context: Context, words: readonly string[], options: Options): Promise<number> {
  const path = one(words, "cpr run");
  const frames = stringOption(options, "frames") ?? "-";
  if (path === "-" && frames === "-")
    throw usageError("cpr run: standard input is the parser; name the frames: --frames IN");
  const target = stringOption(options, "target") ?? "interp";
  const link = numberOption(options, "link", LINKTYPE_ETHERNET, 0, 0xffff);
  return runFrames(context, readParserFile(context, path, options).parser, { target, frames, link });
}

function fit(context: Context, words: readonly string[], options: Options): number {
  const path = one(words, "cpr fit");
  return fitParser(context, path, readParserFile(context, path, options).parser, options);
}

/** Milliseconds between two looks at whether Ctrl-C was pressed, and cases between two looks at the clock. */
const LOOK_MS = 50;
const TICK = 1024;

/** Take all steps; null: Ctrl-C was pressed. */
async function allSteps<T>(
  context: Context,
  what: string,
  steps: Generator<number, T>,
): Promise<{ readonly value: T } | null> {
  const progress = new Progress(what, context.progress);
  let looked = performance.now();
  try {
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) return { value: step.value };
      if (performance.now() - looked < LOOK_MS) continue;
      progress.tick(step.value, "packets");
      // a turn of the event loop, so that Ctrl-C is seen
      await new Promise(setImmediate);
      if (context.interrupted()) return null;
      looked = performance.now();
    }
  } finally {
    progress.done();
  }
}

async function cases(context: Context, words: readonly string[], options: Options): Promise<number> {
  const { parser } = readParserFile(context, one(words, "cpr test"), options);
  const seed = numberOption(options, "seed", 1, 1, 0xffffffff);
  const made = await allSteps(context, "cpr test", generateCasesBySteps(parser, seed));
  if (made === null) return EXIT.interrupted;
  const generated = made.value;
  const run = new Interpreter(parser);
  const only = options["paths-only"] === true;
  for (const [id, c] of (only ? generated.cases.slice(0, generated.paths) : generated.cases).entries()) {
    if (id % TICK === 0) {
      await new Promise(setImmediate);
      if (context.interrupted()) return EXIT.interrupted;
    }
    run.clear();
    run.keys.set(c.keys);
    run.run(c.packet);
    const { id: n, ...result } = answer(id, parser, run);
    context.out.json({
      id: n,
      frame: Buffer.from(c.packet).toString("hex"),
      ...(c.keys.length === 0 ? {} : { keys: [...c.keys] }),
      note: c.note,
      expected: result,
    });
  }
  for (const edge of generated.uncovered) context.err.line(`no packet takes: ${edge}`);
  if (!context.quiet)
    context.err.line(
      `${generated.paths} path packets, ${generated.cases.length - generated.paths} neighbours`,
    );
  return generated.uncovered.length > 0 ? EXIT.difference : EXIT.ok;
}

/** All of `netoffload cpr`. */
export const cprCommands: readonly Command[] = [
  {
    name: "cpr check",
    summary: "read a parser and tell every fault",
    usage: "FILE.json",
    options: { lenient: READ_OPTIONS.lenient, "key-order": READ_OPTIONS["key-order"] },
    details: "Faults have line, column and JSON path. Exit code 2 when there is an error.",
    run: check,
  },
  {
    name: "cpr fmt",
    summary: "write a parser in the one form",
    usage: "FILE.json [-o OUT.json]",
    options: {
      ...READ_OPTIONS,
      canonical: { type: "boolean", help: "the canonical form, which the hash covers" },
    },
    details: "With --json and without -o one line {file, dialect, document}; canonical: {file, canonical}.",
    ownsOutput: true,
    run: format,
  },
  {
    name: "cpr hash",
    summary: "digests of parsers",
    usage: "FILE.json...",
    options: {
      ...READ_OPTIONS,
      ...IGNORE_HANDLERS,
      minimize: { type: "boolean", help: "merge equal nodes before; recorded in the canonical form" },
    },
    details:
      "Prints the canonical SHA-256 (the identity), the canonical SHA-1, and the SHA-1 of the file's bytes.",
    run: hash,
  },
  {
    name: "cpr run",
    summary: "parse frames",
    usage: "FILE.json --frames IN.jsonl|CAPTURE",
    options: {
      ...READ_OPTIONS,
      target: {
        type: "string",
        value: RUN_TARGETS,
        help: "what runs the parser (default interp); ebpf, xdp: the running kernel, as an XDP program",
      },
      frames: { type: "string", value: "IN", help: "JSON lines {id, frame}, or a capture (default: stdin)" },
      link: {
        type: "string",
        value: "N",
        help: "link type of a capture's packets that the parser starts at (default 1, Ethernet)",
      },
    },
    details:
      'Each frame gives a line {id, ret, code, encaps, last_node, metadata}; metadata is the whole memory, metameta first. A line may bring its own key registers: "keys": [N, ...], and "start", the first header\'s offset.',
    run: runParser,
  },
  cprCompileCommand,
  {
    name: "cpr graph",
    summary: "draw a parser",
    usage: "FILE.json -o OUT.svg",
    options: READ_OPTIONS,
    details:
      "Layers from left to right; each key stands where its edge leaves; encapsulations are dashed loops below, other ways back are named in their rows.",
    ownsOutput: true,
    run: graph,
  },
  {
    name: "cpr fit",
    summary: "what a parser takes of a device's parser engine, and what does not fit",
    usage: "FILE.json --device PROFILE|FILE.json",
    options: {
      ...READ_OPTIONS,
      device: { type: "string", value: "PROFILE", help: "whose engine (default ideal)" },
    },
    details:
      "States are merged as far as the engine allows, and split where one step would be too large. Exit code 1 when a resource does not fit; the node is named.",
    run: fit,
  },
  {
    name: "cpr test",
    summary: "packets for every path of a parser, and their neighbours at every boundary",
    usage: "FILE.json [-o CASES.jsonl]",
    options: {
      ...READ_OPTIONS,
      seed: { type: "string", value: "N", help: "of the bytes that are free (default 1)" },
      "paths-only": { type: "boolean", help: "the path packets without their neighbours" },
    },
    details:
      "JSON lines {id, frame, keys, note, expected}; expected is the interpreter's result. Exit code 1 when an edge of the graph is taken by none.",
    run: cases,
  },
  {
    name: "cpr diff",
    summary: "a packet that tells two parsers apart",
    usage: "A.json B.json",
    options: READ_OPTIONS,
    details:
      "Compares code, encapsulations, number of nodes and metadata (filled with zeros and with ff before). Parsers are proved equal where each way through both does the same. Exit code 1 when there is a difference.",
    run: diff,
  },
  {
    name: "cpr import",
    summary: "turn another tool's parser into a native one",
    usage: "FILE.json [-o OUT.json]",
    options: READ_OPTIONS,
    details:
      "Says on standard error what was changed, and what could not be kept. With --json and without -o one line {file, dialect, changes, document}.",
    ownsOutput: true,
    run: importFile,
  },
];
