/** `netoffload live load`: offload programs and parsers of an image into the running kernel. */
import { type ImageProgram, IR_KIND, readImage, TARGET } from "@netoffload/cpr-ir";
import { needsBpf } from "../live/facility.ts";
import { loadParser, ParserRefusal } from "../live/kernel-parser.ts";
import { KernelProgram, VerifierRefusal } from "../live/kernel-program.ts";
import { type Command, type Context, numberOption, type Options } from "./command.ts";
import { EXIT, usageError } from "./exit.ts";
import { readInput } from "./input.ts";

const TICK_MS = 50;

/** A program in the kernel. */
interface Loaded {
  readonly id: number;
  readonly verifiedInstructions: number;
  close(): void;
}

function loadedOf(program: ImageProgram): Loaded {
  if (program.irKind !== IR_KIND.cpr) return KernelProgram.load(program);
  const parser = loadParser(program);
  const { id, verifiedInstructions } = parser.program.info();
  return { id, verifiedInstructions, close: () => parser.close() };
}

async function load(context: Context, words: readonly string[], options: Options): Promise<number> {
  if (words.length !== 1) throw usageError("live load: one IMAGE");
  const image = readImage(readInput(words[0]!));
  if (!image.ok) throw usageError(`${words[0]}: ${image.diagnostics[0]!.message}`);
  const programs = image.value.programs.filter((p) => p.target === TARGET.ebpf || p.target === TARGET.xdp);
  if (programs.length === 0)
    throw usageError(
      `${words[0]}: no program of target ebpf or xdp; build one: program build NAME --target ebpf, cpr compile FILE.json --target ebpf|xdp`,
    );
  const hold = numberOption(options, "hold", 0, 0, 86_400);
  const loaded: Loaded[] = [];
  try {
    for (const p of programs) {
      try {
        loaded.push(needsBpf(() => loadedOf(p)));
      } catch (error) {
        if (!(error instanceof VerifierRefusal || error instanceof ParserRefusal)) throw error;
        refused(context, p.name, error);
        return EXIT.difference;
      }
      const k = loaded[loaded.length - 1]!;
      const told = {
        name: p.name,
        hash: p.sha256,
        id: k.id,
        instructions: p.text.length / 8,
        verified_instructions: k.verifiedInstructions,
      };
      if (context.json) context.out.json(told);
      else
        context.out.line(
          `${p.name}  id ${told.id}  ${told.instructions} instructions, ${told.verified_instructions} verified  ${p.sha256}`,
        );
    }
    const until = performance.now() + hold * 1000;
    while (performance.now() < until && !context.interrupted())
      await new Promise((done) => setTimeout(done, TICK_MS));
  } finally {
    for (const k of loaded) k.close();
  }
  return EXIT.ok;
}

/** Tell that the verifier refused a program. */
export function refused(context: Context, name: string, error: VerifierRefusal | ParserRefusal): void {
  if (context.json)
    context.out.json({
      name,
      error: { code: error.code, message: error.message },
      ...(error instanceof ParserRefusal
        ? { node: error.node }
        : { function: error.place?.function ?? null, offset: error.place?.offset ?? null }),
      log: error.log,
    });
  else context.err.line(`netoffload: ${error.message}\n${error.log}`);
}

/** The command. */
export const liveLoadCommand: Command = {
  name: "live load",
  summary: "load an image's ebpf and xdp programs into the running kernel",
  usage: "IMAGE [--hold SECONDS]",
  options: {
    hold: { type: "string", value: "SECONDS", help: "keep them loaded for so long (default 0)" },
  },
  details: `
Loads each offload program over an arena of its own, each parser as a flow dissector or an XDP program, says its id and what the verifier walked through, and unloads.
While it holds them, bpftool prog show id ID and bpftool prog dump xlated id ID look at them. A program that the
verifier refuses is told with the WebAssembly function and offset, or the parser's node, it comes from and the
verifier's log, exit code 1.`,
  run: load,
};
