/** `netoffload cpr compile`: a parser for a target. */
import { type CprFile, compileP4, compileTcam, compileWasm, type Result } from "@netoffload/cpr-ir";
import { kernelParserImage } from "../image.ts";
import { type Command, type Context, type Options, stringOption } from "./command.ts";
import { diagnosticLine, IGNORE_HANDLERS, portable, READ_OPTIONS, readParserFile } from "./cpr-read.ts";
import { EXIT, usageError } from "./exit.ts";
import { writeOutput } from "./output.ts";

/** What is made. */
const TARGETS: Readonly<Record<string, (file: CprFile) => Result<Uint8Array>>> = {
  wasm: ({ parser }) => compileWasm(parser),
  ebpf: (file) => kernelParserImage(file, "ebpf"),
  xdp: (file) => kernelParserImage(file, "xdp"),
  tcam({ parser }) {
    const compiled = compileTcam(parser);
    return compiled.ok ? { ok: true, value: compiled.value.text } : compiled;
  },
  p4({ parser, document }) {
    const text = compileP4(parser, { layout: document["metadata-layout"] });
    return text.ok ? { ok: true, value: new TextEncoder().encode(text.value) } : text;
  },
};
const WORDS = Object.keys(TARGETS).join("|");

function compile(context: Context, words: readonly string[], options: Options): number {
  const output = stringOption(options, "output");
  const target = stringOption(options, "target") ?? "wasm";
  const make = Object.hasOwn(TARGETS, target) ? TARGETS[target] : undefined;
  if (make === undefined) throw usageError(`--target ${target}: ${Object.keys(TARGETS).join(", ")}`);
  const [path] = words;
  if (output === undefined || path === undefined || words.length > 1)
    throw usageError(`cpr compile: FILE.json --target ${target} -o OUT (- for standard input and output)`);
  const file = readParserFile(context, path, options);
  // an image names its parser by its hash
  if (target === "ebpf" || target === "xdp") portable(file, path, options);
  const code = make(file);
  if (!code.ok) {
    for (const d of code.diagnostics) context.err.line(diagnosticLine(path, d));
    throw usageError(`${path}: not possible for the target ${target}; nothing is written`);
  }
  writeOutput(output, code.value);
  // standard output holds what was made, and nothing else
  if (output === "-") return EXIT.ok;
  if (context.json) context.out.json({ file: output, target, bytes: code.value.length });
  else if (!context.quiet) context.out.line(`${output}: ${code.value.length} bytes`);
  return EXIT.ok;
}

/** The command. */
export const cprCompileCommand: Command = {
  name: "cpr compile",
  summary: "compile a parser",
  usage: `FILE.json --target ${WORDS} -o OUT`,
  options: {
    ...READ_OPTIONS,
    ...IGNORE_HANDLERS,
    target: { type: "string", value: WORDS, help: "what for (default wasm)" },
  },
  details:
    "wasm: a module that imports env.memory and exports parse(descriptor, n); see compileWasm of cpr-ir for the descriptor. " +
    "ebpf: an image with a flow dissector, whose metadata is struct bpf_flow_keys as the document's flow-keys declare it. " +
    "xdp: an image with an XDP program, which leaves its results in a map; live load and live attach take both. " +
    "tcam: the program of a device's parser engine. " +
    "p4: headers, metadata and a parser in P4_16 for v1model; what P4 cannot say is refused by name. " +
    "A parser that a target cannot hold is told with the node and the limit, exit code 2.",
  ownsOutput: true,
  run: compile,
};
