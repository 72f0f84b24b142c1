/** Every operation of the profile, edges, control flow and random programs: V8, the NPU and the live kernel agree. */
import { compileEbpf, globalCell, orThrow } from "@netoffload/cpr-ir";
import { describe } from "vitest";
import { MEMORY_BYTES } from "../../../cpr-ir/test/targets/cases.ts";
import { executorSuite, type Loaded, trapName } from "../../../cpr-ir/test/targets/suite.ts";
import { facility } from "../../../internal/test/facility.ts";
import { npuExecutor } from "../../../nic-model/test/targets/npu-executor.ts";
import { KernelProgram } from "../../src/live/kernel-program.ts";

const TRAP_CELL = 0x20000;
const TABLES = [0x1_0000, 0x2_0000] as const;
let last: KernelProgram | undefined;

/** A module's code in the live kernel. */
function kernel(ir: Uint8Array): Loaded {
  last?.close();
  const compiled = orThrow(compileEbpf(ir, { functionNumber: 1 }));
  const program = KernelProgram.load(
    { ...compiled, name: "tx_csum", functionNumber: 1, ir },
    { memoryBytes: MEMORY_BYTES },
  );
  last = program;
  return {
    memory: program.bytes,
    own: [TABLES, [TRAP_CELL, TRAP_CELL + 4], [globalCell(1, 0), globalCell(1, 0) + 4]],
    run(args) {
      const { ret, trap } = program.run(args);
      return { ret, trap: trapName(trap) };
    },
  };
}

const isRoot = process.platform === "linux" && process.getuid?.() === 0;

describe.runIf(facility("bpf(2)", isRoot, "run as root on Linux"))("the live kernel", () => {
  executorSuite(
    "NPU code and BPF code in the live kernel",
    { "the NPU": npuExecutor(), "the live kernel": kernel },
    9000,
  );
});
