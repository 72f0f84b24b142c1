/** Images of several programs, compiled for their targets. */
import {
  type CompiledProgram,
  type CprFile,
  canonicalCpr,
  compileEbpf,
  compileFlowDissector,
  compileNpu,
  compileTcam,
  compileXdp,
  flowKeysFields,
  type ImageInput,
  IR_KIND,
  PARSER_FUNCTION,
  type Parser,
  type Result,
  TARGET,
  TCAM_IDEAL,
  type TcamLimits,
  writeImage,
} from "@netoffload/cpr-ir";
import { usageError } from "./cli/exit.ts";
import type { Program } from "./programs.ts";

/** Compile for the NPU or say why not. */
export function compileForNpu(program: Program, accel: "units" | "loops"): CompiledProgram {
  return compiled(program, compileNpu(program.ir, { functionNumber: program.functionNumber, accel }));
}

/** Compile for the live kernel or say why not. */
export function compiledForKernel(program: Program): CompiledProgram {
  return compiled(program, compileEbpf(program.ir, { functionNumber: program.functionNumber }));
}

function compiled(program: Program, result: Result<CompiledProgram>): CompiledProgram {
  if (result.ok) return result.value;
  throw usageError(result.diagnostics.map((d) => `${program.name}: ${d.message}`).join("\n"));
}

/** What every parser's place in a bundle says. */
function parserCommon(parser: Parser): Pick<ImageInput, "name" | "functionNumber" | "irKind" | "ir"> {
  return { name: "parser", functionNumber: PARSER_FUNCTION, irKind: IR_KIND.cpr, ir: canonicalCpr(parser) };
}

/** A parser as a bundle carries it, compiled for a device's parser engine. */
function parserInput(parser: Parser, limits: TcamLimits): ImageInput {
  const result = compileTcam(parser, limits);
  if (!result.ok) throw usageError(result.diagnostics.map((d) => `${parser.name}: ${d.message}`).join("\n"));
  const { text, resources } = result.value;
  return { ...parserCommon(parser), target: TARGET.tcam, text, resources };
}

/** An image of one parser for the live kernel: a flow dissector or an XDP program. */
export function kernelParserImage(
  { parser, document }: Pick<CprFile, "parser" | "document">,
  target: "ebpf" | "xdp",
): Result<Uint8Array> {
  const compiled =
    target === "xdp" ? compileXdp(parser) : compileFlowDissector(parser, flowKeysFields(document));
  if (!compiled.ok) return compiled;
  const program: ImageInput = { ...parserCommon(parser), ...compiled.value, target: TARGET[target] };
  return { ok: true, value: writeImage({ programs: [program] }) };
}

/** One image of several programs, and of a parser. @param limits - of the parser engine that it shall fit */
export function bundleImage(
  items: readonly { program: Program; target: string }[],
  accel: "units" | "loops",
  parser: Parser | null = null,
  limits: TcamLimits = TCAM_IDEAL,
): Uint8Array {
  const programs = items.map(({ program, target }): ImageInput => {
    if (target === "wasm")
      return { ...program, target: TARGET.wasm, irKind: IR_KIND.wasm, text: program.ir, resources: {} };
    const { text, resources, functions, relocations } =
      target === "ebpf" ? compiledForKernel(program) : compileForNpu(program, accel);
    const common = { ...program, irKind: IR_KIND.wasm, text, resources };
    return target === "ebpf"
      ? { ...common, target: TARGET.ebpf, functions, relocations }
      : { ...common, target: TARGET.npu };
  });
  return writeImage({ programs: parser === null ? programs : [...programs, parserInput(parser, limits)] });
}
