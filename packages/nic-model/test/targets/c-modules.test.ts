import { compileNpu, orThrow } from "@netoffload/cpr-ir";
import { expect } from "vitest";
import { cModule, cModuleSuite } from "../../../cpr-ir/test/targets/c-suite.ts";
import { Npu } from "../../src/index.ts";

for (const accel of ["units", "loops"] as const)
  cModuleSuite(`the NPU (${accel})`, (name, functionNumber) => {
    const npu = Npu.create({ memoryBytes: 4 << 20 });
    const program = orThrow(compileNpu(cModule(name), { functionNumber, accel }));
    expect(npu.load(0, functionNumber, program.text)).toEqual({ ok: true });
    for (const d of program.data) npu.bytes.set(d.bytes, d.address);
    return { memory: npu.bytes, run: (args) => npu.run(0, functionNumber, args) };
  });
