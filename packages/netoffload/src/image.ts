/** Images of several programs, compiled for their targets. */
import {
  type CompiledProgram,
  compileEbpf,
  compileNpu,
  IR_KIND,
  type Result,
  TARGET,
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

/** One image of several programs. */
export function bundleImage(
  items: readonly { program: Program; target: string }[],
  accel: "units" | "loops",
): Uint8Array {
  return writeImage({
    programs: items.map(({ program, target }) => {
      if (target === "wasm")
        return { ...program, target: TARGET.wasm, irKind: IR_KIND.wasm, text: program.ir, resources: {} };
      const { text, resources, functions, relocations } =
        target === "ebpf" ? compiledForKernel(program) : compileForNpu(program, accel);
      const common = { ...program, irKind: IR_KIND.wasm, text, resources };
      return target === "ebpf"
        ? { ...common, target: TARGET.ebpf, functions, relocations }
        : { ...common, target: TARGET.npu };
    }),
  });
}
