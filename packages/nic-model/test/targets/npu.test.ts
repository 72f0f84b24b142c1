import { compileNpu, orThrow } from "@netoffload/cpr-ir";
import { expect, test } from "vitest";
import { runEbpf } from "../../../cpr-ir/test/ref/ebpf-interp.ts";
import { MEMORY_BYTES } from "../../../cpr-ir/test/targets/cases.ts";
import { bytesOf, Random, randomProgram } from "../../../cpr-ir/test/targets/generate.ts";
import { executorSuite } from "../../../cpr-ir/test/targets/suite.ts";
import { npuExecutor } from "./npu-executor.ts";

const engine = npuExecutor();

executorSuite("NPU code in the engine", engine, 5000);

test("engine and oracle retire the same number of instructions", () => {
  for (let n = 7000; n < 7040; n++) {
    const ir = bytesOf(randomProgram(n, 40 + (n % 5) * 40));
    const { run } = engine(ir);
    const { text, data } = orThrow(compileNpu(ir, { functionNumber: 1 }));
    const memory = new Uint8Array(MEMORY_BYTES);
    for (const d of data) memory.set(d.bytes, d.address);
    const args = [new Random(n).next() | 0, 1, 0xff];
    const oracle = runEbpf(text, memory, args, { limit: 1_000_000 });
    expect((run(args) as unknown as { instructions: number }).instructions, `seed ${n}`).toBe(
      oracle.instructions,
    );
  }
});
