import { Memory } from "@netoffload/skbuff";
import { describe, expect, test } from "vitest";
import { slowCsum } from "../../../skbuff/test/ref/units.ts";
import {
  canonicalModule,
  checkProfile,
  compileNpu,
  decodeModule,
  globalCell,
  hashProgram,
  IR_KIND,
  instantiateProgram,
  orThrow,
  readImage,
  TARGET,
  writeImage,
} from "../../src/index.ts";
import { runEbpf } from "../ref/ebpf-interp.ts";
import { C_MODULES, type CModule, cModule, cModuleSuite } from "./c-suite.ts";
import { trapName } from "./suite.ts";

const names = Object.keys(C_MODULES) as CModule[];

/** Pinned: a change of the canonical form would change the identity of every program. */
const HASHES: Record<CModule, string> = {
  fletcher: "sha256:df546684789055ea9de00eeedbb4ddd4d5d4b52537226ca24e14e80497b7a5ee",
  classify: "sha256:e83eb8993aecdb51b014c6d64f8d7feff3e4f6432c6b8d850f847630f165f067",
};

describe.each(names)("%s, made from C by clang", (name) => {
  const bytes = cModule(name);
  const canonical = orThrow(canonicalModule(bytes));

  test("keeps the profile", () => {
    expect(checkProfile(orThrow(decodeModule(bytes)), { functionNumber: C_MODULES[name] })).toEqual([]);
  });

  test("has a canonical form, and that a hash", () => {
    expect(orThrow(canonicalModule(canonical))).toEqual(canonical);
    expect(hashProgram(canonical).sha256).toBe(HASHES[name]);
    // what the linker leaves besides the program changes nothing
    const custom = [0, 9, 4, ...Buffer.from("note"), 1, 2, 3, 4];
    expect(orThrow(canonicalModule(Uint8Array.from([...bytes, ...custom])))).toEqual(canonical);
  });

  test("lies in an image beside its code, and comes out of it whole", () => {
    const { text, resources } = orThrow(compileNpu(canonical, { functionNumber: C_MODULES[name] }));
    const image = writeImage({
      programs: [
        {
          name,
          functionNumber: C_MODULES[name],
          target: TARGET.npu,
          irKind: IR_KIND.wasm,
          ir: canonical,
          text,
          resources,
        },
      ],
    });
    const [back] = orThrow(readImage(image)).programs;
    expect(back).toMatchObject({ name, sha256: HASHES[name] });
    expect(back!.ir).toEqual(canonical);
    expect(back!.text).toEqual(text);
  });
});

for (const accel of ["simd", "scalar", "loops"] as const)
  cModuleSuite(`wasm (${accel})`, (name, functionNumber) => {
    const memory = Memory.create({ bytes: 4 << 20 });
    const program = orThrow(
      instantiateProgram(orThrow(canonicalModule(cModule(name))), memory, { accel, functionNumber }),
    );
    return { memory: memory.bytes, run: (args) => program.run(args) };
  });

for (const accel of ["units", "loops"] as const)
  cModuleSuite(`npu code in the oracle (${accel})`, (name, functionNumber) => {
    const program = orThrow(compileNpu(cModule(name), { functionNumber, accel }));
    const memory = new Uint8Array(4 << 20);
    for (const d of program.data) memory.set(d.bytes, d.address);
    const helpers = {
      1: (ptr: number, len: number, sum: number) => slowCsum(memory.subarray(ptr, ptr + len), sum),
    };
    return {
      memory,
      run(args) {
        const { ret, trap } = runEbpf(program.text, memory, args, { helpers });
        return { ret, trap: trapName(trap) };
      },
    };
  });

test("the C stack pointer is where the loader put it once a run has ended", () => {
  const program = orThrow(compileNpu(cModule("fletcher"), { functionNumber: 8 }));
  const memory = new Uint8Array(4 << 20);
  for (const d of program.data) memory.set(d.bytes, d.address);
  const cell = globalCell(8, 0);
  const before = memory.slice(cell, cell + 4);
  expect(before.some((byte) => byte !== 0)).toBe(true);
  runEbpf(program.text, memory, [0x10_0000, 64, 0x11_0000]);
  expect(memory.slice(cell, cell + 4)).toEqual(before);
});
