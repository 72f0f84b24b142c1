/** Images of several programs, compiled for their targets. */
import { type CompiledProgram, compileNpu, IR_KIND, TARGET, writeImage } from "@netoffload/cpr-ir";
import { usageError } from "./cli/exit.ts";
import type { Program } from "./programs.ts";

/** Compile for the NPU or say why not. */
export function compileForNpu(program: Program, accel: "units" | "loops"): CompiledProgram {
  const compiled = compileNpu(program.ir, { functionNumber: program.functionNumber, accel });
  if (!compiled.ok)
    throw usageError(compiled.diagnostics.map((d) => `${program.name}: ${d.message}`).join("\n"));
  return compiled.value;
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
      const compiled = compileForNpu(program, accel);
      return {
        ...program,
        target: TARGET.npu,
        irKind: IR_KIND.wasm,
        text: compiled.text,
        resources: compiled.resources,
      };
    }),
  });
}
