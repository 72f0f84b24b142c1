/** `netoffload cpr ...`: parsers as documents. */
import {
  type CprFile,
  canonicalText,
  codeName,
  compileP4,
  compileWasm,
  type Diagnostic,
  diffParsers,
  drawParser,
  fileDigest,
  formatCpr,
  generateCases,
  hashParser,
  Interpreter,
  minimize,
  type Outcome,
  ok,
  type Parser,
  type Result,
  readCpr,
} from "@netoffload/cpr-ir";
import { kernelParserImage } from "../image.ts";
import {
  type Command,
  type Context,
  numberOption,
  type OptionSpec,
  type Options,
  stringOption,
} from "./command.ts";
import { answer, runFrames } from "./cpr-run.ts";
import { fitParser, tcamText } from "./cpr-tcam.ts";
import { EXIT, usageError } from "./exit.ts";
import { readInput } from "./input.ts";
import { OutputFile } from "./output.ts";

/** Options of every command that reads a parser. */
export const READ_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  lenient: { type: "boolean", help: "unknown properties and slips of JSON are warnings" },
  parser: { type: "string", value: "NAME", help: "which parser of the file (default: the first)" },
  "key-order": { type: "string", value: "wire|host", help: "dialects: keys as on the wire (default) or raw" },
};

/** Read a parser's file; its faults are told and end the command. */
export function readParserFile(context: Context, path: string, options: Options): CprFile {
  const order = stringOption(options, "key-order") ?? "wire";
  if (order !== "wire" && order !== "host") throw usageError(`--key-order ${order}: wire or host`);
  const parser = stringOption(options, "parser");
  const file = readCpr(new TextDecoder().decode(readInput(path)), {
    lenient: options.lenient === true,
    keyOrder: order,
    ...(parser === undefined ? {} : { parser }),
  });
  if (!file.ok) {
    for (const d of file.diagnostics.slice(0, -1)) context.err.line(diagnosticLine(path, d));
    throw usageError(diagnosticLine(path, file.diagnostics[file.diagnostics.length - 1]!));
  }
  if (file.value.dialect !== "native" && !context.quiet)
    context.err.line(`${path}: ${DIALECTS[file.value.dialect]}, imported`);
  return file.value;
}

const DIALECTS: Readonly<Record<string, string>> = {
  kparser: "the JSON of kParser",
  xdp2: "the JSON of the XDP2 compiler",
  doc: "the form of the parser IR's documentation",
};

/** One line for a fault of a document. */
export function diagnosticLine(path: string, d: Diagnostic): string {
  const place = d.line === undefined ? path : `${path}:${d.line}:${d.column}`;
  const where = d.path === undefined ? "" : ` at ${d.path}`;
  const hint = d.suggestion === undefined ? "" : `; meant: ${d.suggestion}`;
  return `${place}: ${d.severity ?? "error"}: ${d.message}${where}${hint} [${d.code}]`;
}

function one(words: readonly string[], what: string): string {
  if (words.length !== 1) throw usageError(`${what}: one FILE.json (- for standard input)`);
  return words[0]!;
}

function check(context: Context, words: readonly string[], options: Options): number {
  const path = one(words, "cpr check");
  const text = new TextDecoder().decode(readInput(path));
  const order = stringOption(options, "key-order") === "host" ? "host" : "wire";
  const file = readCpr(text, { lenient: options.lenient === true, keyOrder: order });
  const found = file.ok ? file.value.diagnostics : file.diagnostics;
  for (const d of found)
    if (context.json)
      context.out.json({
        severity: d.severity ?? "error",
        code: d.code,
        message: d.message,
        path: d.path ?? "$",
        line: d.line,
        column: d.column,
        ...(d.suggestion === undefined ? {} : { suggestion: d.suggestion }),
      });
    else context.out.line(diagnosticLine(path, d));
  const errors = found.filter((d) => d.severity !== "warning").length;
  if (context.json)
    context.out.json({
      summary: true,
      ok: file.ok,
      errors,
      warnings: found.length - errors,
      ...(file.ok
        ? {
            dialect: file.value.dialect,
            parsers: file.value.parsers.map((p) => ({ name: p.name, nodes: p.nodes.length })),
          }
        : {}),
    });
  else if (!context.quiet)
    context.out.line(file.ok ? `${path}: ${describe(file.value)}` : `${path}: ${errors} errors`);
  return file.ok ? EXIT.ok : EXIT.usage;
}

function describe(file: CprFile): string {
  return file.parsers.map((p) => `parser ${p.name}, ${p.nodes.length} nodes`).join("; ");
}

function format(context: Context, words: readonly string[], options: Options): number {
  const file = readParserFile(context, one(words, "cpr fmt"), options);
  context.out.write(
    options.canonical === true ? `${canonicalText(file.parser)}\n` : formatCpr(file.document),
  );
  return EXIT.ok;
}

function importFile(context: Context, words: readonly string[], options: Options): number {
  const path = one(words, "cpr import");
  const file = readParserFile(context, path, options);
  for (const d of file.diagnostics) context.err.line(diagnosticLine(path, d));
  context.out.write(formatCpr(file.document));
  return EXIT.ok;
}

function hash(context: Context, words: readonly string[], options: Options): number {
  if (words.length === 0) throw usageError("cpr hash: FILE.json...");
  for (const path of words) {
    const file = readParserFile(context, path, options);
    const parser = options.minimize === true ? minimize(file.parser) : file.parser;
    if (parser.handlers.length > 0)
      throw usageError(
        `${path}: handlers (${parser.handlers.join(", ")}) are C functions; such a parser has no hash`,
      );
    const { sha256, sha1 } = hashParser(parser);
    const fileSha1 = fileDigest(readInput(path));
    if (context.json) context.out.json({ file: path, file_sha1: fileSha1, sha256, sha1 });
    else context.out.line(`${sha256}  ${path}\nsha1:${sha1}  ${path}\nfile sha1:${fileSha1}  ${path}`);
  }
  return EXIT.ok;
}

function diff(context: Context, words: readonly string[], options: Options): number {
  if (words.length !== 2) throw usageError("cpr diff: two FILE.json");
  const [a, b] = words.map((path) => readParserFile(context, path, options).parser) as [Parser, Parser];
  const found = diffParsers(a, b);
  if (found.kind !== "different") {
    if (context.json)
      context.out.json({
        equal: found.kind === "equal",
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

/** What `cpr compile` makes. */
const TARGETS: Readonly<Record<string, (file: CprFile) => Result<Uint8Array>>> = {
  wasm: ({ parser }) => compileWasm(parser),
  ebpf: (file) => kernelParserImage(file, "ebpf"),
  xdp: (file) => kernelParserImage(file, "xdp"),
  tcam: ({ parser }) => ok(tcamText(parser).text),
  p4({ parser, document }) {
    const text = compileP4(parser, { layout: document["metadata-layout"] });
    return text.ok ? { ok: true, value: new TextEncoder().encode(text.value) } : text;
  },
};

function compile(context: Context, words: readonly string[], options: Options): number {
  const output = stringOption(options, "output");
  const target = stringOption(options, "target") ?? "wasm";
  const make = Object.hasOwn(TARGETS, target) ? TARGETS[target] : undefined;
  if (make === undefined) throw usageError(`--target ${target}: ${Object.keys(TARGETS).join(", ")}`);
  if (output === undefined) throw usageError(`cpr compile: FILE.json --target ${target} -o OUT`);
  const path = one(words, "cpr compile");
  const code = make(readParserFile(context, path, options));
  if (!code.ok) {
    for (const d of code.diagnostics) context.err.line(diagnosticLine(path, d));
    return EXIT.difference;
  }
  const file = new OutputFile(output);
  try {
    file.write(code.value);
    file.commit();
  } finally {
    file.discard();
  }
  if (context.json) context.out.json({ file: output, target, bytes: code.value.length });
  else if (!context.quiet) context.out.line(`${output}: ${code.value.length} bytes`);
  return EXIT.ok;
}

function fit(context: Context, words: readonly string[], options: Options): number {
  const path = one(words, "cpr fit");
  return fitParser(context, path, readParserFile(context, path, options).parser, options);
}

function cases(context: Context, words: readonly string[], options: Options): number {
  const { parser } = readParserFile(context, one(words, "cpr test"), options);
  const generated = generateCases(parser, numberOption(options, "seed", 1, 1, 0xffffffff));
  const run = new Interpreter(parser);
  let id = 0;
  for (const c of options["paths-only"] === true
    ? generated.cases.slice(0, generated.paths)
    : generated.cases) {
    run.clear();
    run.keys.set(c.keys);
    run.run(c.packet);
    const { id: n, ...result } = answer(id++, parser, run);
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
    options: { lenient: READ_OPTIONS.lenient!, "key-order": READ_OPTIONS["key-order"]! },
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
    run: format,
  },
  {
    name: "cpr hash",
    summary: "digests of parsers",
    usage: "FILE.json...",
    options: {
      ...READ_OPTIONS,
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
        value: "interp|wasm|xdp|tcam",
        help: "what runs the parser (default interp); xdp: the running kernel",
      },
      frames: { type: "string", value: "IN", help: "JSON lines {id, frame}, or a capture (default: stdin)" },
    },
    details:
      'Each frame gives a line {id, ret, code, encaps, last_node, metadata}; metadata is the whole memory, metameta first. A line may bring its own key registers: "keys": [N, ...], and "start", the first header\'s offset.',
    run: (context, words, options) => {
      const { parser } = readParserFile(context, one(words, "cpr run"), options);
      return runFrames(
        context,
        parser,
        stringOption(options, "target") ?? "interp",
        stringOption(options, "frames") ?? "-",
      );
    },
  },
  {
    name: "cpr compile",
    summary: "compile a parser",
    usage: "FILE.json --target wasm|ebpf|xdp|tcam|p4 -o OUT",
    options: {
      ...READ_OPTIONS,
      target: { type: "string", value: "wasm|ebpf|xdp|tcam|p4", help: "what for (default wasm)" },
    },
    details:
      "wasm: a module that imports env.memory and exports parse(descriptor, n); see compileWasm of cpr-ir for the descriptor. " +
      "ebpf: an image with a flow dissector, whose metadata is struct bpf_flow_keys as the document's flow-keys declare it. " +
      "xdp: an image with an XDP program, which leaves its results in a map; live load and live attach take both. " +
      "tcam: the program of a device's parser engine. " +
      "p4: headers, metadata and a parser in P4_16 for v1model; what P4 cannot say is refused by name.",
    ownsOutput: true,
    run: compile,
  },
  {
    name: "cpr graph",
    summary: "draw a parser",
    usage: "FILE.json -o OUT.svg",
    options: READ_OPTIONS,
    details:
      "Layers from left to right; each key stands where its edge leaves; encapsulations are dashed loops below, other ways back are named in their rows.",
    run: (context, words, options) => {
      context.out.write(drawParser(readParserFile(context, one(words, "cpr graph"), options).parser));
      return EXIT.ok;
    },
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
    details: "Says on standard error what was changed, and what could not be kept.",
    run: importFile,
  },
];
