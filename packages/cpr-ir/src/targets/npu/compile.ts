/** Offload programs to the NIC model's NPU: eBPF instructions, hardware bounds checks, units as helper calls. */
import type { Result } from "../../diagnostics.ts";
import { type CompiledProgram, compileFor, type LinkTarget } from "../codegen/link.ts";
import { improve } from "../codegen/thread.ts";

/** How to compile. */
export interface NpuOptions {
  /** Static region of the function (ABI 1). */
  readonly functionNumber: number;
  /** `units`: acceleration units of the device; `loops`: plain loops linked in. */
  readonly accel?: "units" | "loops";
}

/** The machine tests every access, counts instructions, and has a frame for each call. */
const NPU: LinkTarget = {
  batch: null,
  finish: (built) => ({ ...built, ...improve(built.code, built.labels) }),
  oneStack: null,
};

/** Compile canonical IR bytes; untrusted input ends in diagnostics. */
export function compileNpu(ir: Uint8Array, options: NpuOptions): Result<CompiledProgram> {
  return compileFor(NPU, ir, { accel: "units", ...options });
}
