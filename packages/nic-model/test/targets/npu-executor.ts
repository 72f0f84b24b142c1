/** NPU code in the NIC model's engine, as an executor of the suite of `cpr-ir`. */
import { compileNpu, globalCell, orThrow } from "@netoffload/cpr-ir";
import { MEMORY_BYTES } from "../../../cpr-ir/test/targets/cases.ts";
import type { Executor } from "../../../cpr-ir/test/targets/suite.ts";
import { Npu } from "../../src/index.ts";

const TRAP_CELL = 0x20000;

/** One engine for all programs: each is loaded in the place of the one before, into zeroed memory. */
export function npuExecutor(): Executor {
  const npu = Npu.create({ memoryBytes: MEMORY_BYTES, budget: 5_000_000 });
  return (ir) => {
    const program = orThrow(compileNpu(ir, { functionNumber: 1 }));
    npu.clear(0);
    const loaded = npu.load(0, 1, program.text);
    if (!loaded.ok) throw new Error(JSON.stringify(loaded));
    npu.bytes.fill(0);
    for (const d of program.data) npu.bytes.set(d.bytes, d.address);
    return {
      memory: npu.bytes,
      own: [
        [TRAP_CELL, TRAP_CELL + 4],
        [globalCell(1, 0), globalCell(1, 0) + 4],
      ],
      run: (args) => npu.run(0, 1, args),
    };
  };
}
