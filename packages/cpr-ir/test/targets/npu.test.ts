import { describe, expect, test } from "vitest";
import {
  canonicalModule,
  compileNpu,
  decodeModule,
  encodeModule,
  globalCell,
  I32,
  orThrow,
  type ValType,
} from "../../src/index.ts";
import { runEbpf } from "../ref/ebpf-interp.ts";
import { controlOperations, MEMORY_BYTES } from "./cases.ts";
import { bytesOf, moduleOf, randomProgram } from "./generate.ts";
import { agree, executorSuite, type Loaded, trapName } from "./suite.ts";

/** NPU code in the oracle interpreter, changed before it runs where a test wants that. */
function oracle(ir: Uint8Array, change: (text: Uint8Array) => void = () => undefined): Loaded {
  const program = orThrow(compileNpu(ir, { functionNumber: 1 }));
  change(program.text);
  const memory = new Uint8Array(MEMORY_BYTES);
  for (const d of program.data) memory.set(d.bytes, d.address);
  return {
    memory,
    own: [[globalCell(1, 0), globalCell(1, 0) + 4]],
    run(args) {
      const { ret, trap } = runEbpf(program.text, memory, args, { limit: 5_000_000 });
      return { ret, trap: trapName(trap) };
    },
  };
}

executorSuite("NPU code in the oracle", (ir) => oracle(ir), 1);

test("the suite notices a condition that is the wrong way round", () => {
  const cases = controlOperations().filter((c) => ["if, else", "select i32"].includes(c.name));
  expect(cases.length).toBe(2);
  for (const c of cases) {
    const inverted = (ir: Uint8Array): Loaded =>
      oracle(ir, (text) => {
        // JEQ and JNE differ in one bit
        const at = Array.from({ length: text.length / 8 }, (_, n) => 8 * n).find((n) =>
          [0x16, 0x56].includes(text[n]!),
        )!;
        text[at]! ^= 0x40;
      });
    expect(() => agree(c.name, c.module, c.args, inverted), c.name).toThrow(c.name);
    expect(() => agree(c.name, c.module, c.args, (ir) => oracle(ir))).not.toThrow();
  }
});

test("canonical form keeps the meaning of random programs", () => {
  for (let n = 1; n < 60; n++) {
    const bytes = bytesOf(randomProgram(n));
    const canon = orThrow(canonicalModule(bytes));
    expect(orThrow(canonicalModule(canon))).toEqual(canon);
    expect(encodeModule(orThrow(decodeModule(canon)))).toEqual(canon);
  }
});

describe("what the compiler says of its work", () => {
  test("values that find no register are counted as spills, none where all fit", () => {
    const spills = (name: string): number => {
      const c = controlOperations().find((x) => x.name === name)!;
      return orThrow(compileNpu(bytesOf(c.module), { functionNumber: 1 })).functions[0]!.spills;
    };
    expect(spills("more i32 values than registers")).toBeGreaterThan(0);
    expect(spills("if, else")).toBe(0);
  });

  test("a table of n runs is decided in at most ceil(log2 n) + 2 jumps", () => {
    const c = controlOperations().find((x) => x.name === "br_table, 64 entries")!;
    const { text } = orThrow(compileNpu(bytesOf(c.module), { functionNumber: 1 }));
    for (let n = 0; n < 70; n++) {
      let jumps = 0;
      const onStep = (slot: number): void => {
        if ((text[slot * 8]! & 7) === 6 || text[slot * 8] === 5) jumps++;
      };
      runEbpf(text, new Uint8Array(1 << 20), [n], { onStep });
      expect(jumps, String(n)).toBeLessThanOrEqual(8);
    }
  });

  test("calls deeper than the device's frames are refused with the numbers", () => {
    // f0 calls nobody, each further one the one before
    const chain = (n: number): ReturnType<typeof compileNpu> => {
      const call = (to: number) => ({ op: 0x10, offset: 0, a: to, b: 0 });
      const get = { op: 0x20, offset: 0, a: 0, b: 0 };
      const functions = Array.from({ length: n }, (_, i) => ({
        params: [I32] as ValType[],
        results: [I32] as ValType[],
        locals: [],
        body: i === 0 ? [get] : [get, call(i - 1)],
      }));
      return compileNpu(bytesOf(moduleOf(functions)), { functionNumber: 1 });
    };
    expect(orThrow(chain(8)).resources.stack).toBe(8 * 512);
    expect(chain(9)).toMatchObject({
      ok: false,
      diagnostics: [{ code: "limit", message: "calls are 9 deep, the device has 8 frames" }],
    });
  });
});
