/** A large program passes the verifier with room to spare, and gives what V8 and the NPU give. */
import { compileEbpf, compileNpu, orThrow } from "@netoffload/cpr-ir";
import { type BpfFunction, type BpfRelocation, BpfVerifierError, loadOffload } from "@netoffload/linux";
import { Npu } from "@netoffload/nic-model";
import { describe, expect, it } from "vitest";
import { bytesOf } from "../../../cpr-ir/test/targets/generate.ts";
import { facility } from "../../../internal/test/facility.ts";
import { KernelProgram } from "../../src/live/kernel-program.ts";
import { bigProgram, CHASE, layChase, measures } from "./big-program.ts";

const MEMORY = 4 << 20;
/** Jumps the verifier holds, and those that a path may have. */
const HELD = 8192;
const ALLOWED = 6000;
const OP_CALL = 0x85;
const isRoot = process.platform === "linux" && process.getuid?.() === 0;

interface Code {
  readonly text: Uint8Array;
  readonly relocations: readonly BpfRelocation[];
  readonly functions: readonly (BpfFunction & { readonly end: number })[];
}

/** Put conditional jumps that stay pending in front of every function but the first, which takes no arguments. */
function padded({ text, relocations, functions }: Code, jumps: number): Code & { name: string } {
  const shift = (slot: number): number => functions.filter((f, n) => n > 0 && f.start < slot).length * jumps;
  // a call's target is a function's start: what stands in front of it belongs to it
  const startOf = (slot: number): number => slot + shift(slot);
  const placeOf = (slot: number): number =>
    slot + functions.filter((f, n) => n > 0 && f.start <= slot).length * jumps;
  const out = new Uint8Array(text.length + 8 * jumps * (functions.length - 1));
  const view = new DataView(out.buffer);
  const old = new DataView(text.buffer, text.byteOffset);
  for (const [n, f] of functions.entries()) {
    for (let k = 0; n > 0 && k < jumps; k++) {
      const at = 8 * (startOf(f.start) + k);
      // if r1 & r1 goto +0: of an argument it is not known which way, and neither way says more
      out[at] = 0x4d;
      out[at + 1] = 0x11;
    }
    out.set(text.subarray(8 * f.start, 8 * f.end), 8 * placeOf(f.start));
    for (let slot = f.start; slot < f.end; slot++) {
      if (text[8 * slot] !== OP_CALL || text[8 * slot + 1] !== 0x10) continue;
      const target = slot + 1 + old.getInt32(8 * slot + 4, true);
      view.setInt32(8 * placeOf(slot) + 4, startOf(target) - placeOf(slot) - 1, true);
    }
  }
  return {
    name: "padded",
    text: out,
    relocations: relocations.map((r) => ({ ...r, slot: placeOf(r.slot) })),
    functions: functions.map((f) => ({ ...f, start: startOf(f.start), end: placeOf(f.end - 1) + 1 })),
  };
}

describe.runIf(facility("bpf(2)", isRoot, "run as root on Linux"))("a program of 20,000 operations", () => {
  const module = bigProgram();
  const ir = bytesOf(module);
  const compiled = orThrow(compileEbpf(ir, { functionNumber: 1 }));

  it("is as large as it is said to be", () => {
    const m = measures(module);
    console.log(JSON.stringify(m));
    expect(m.operations).toBeGreaterThanOrEqual(20_000);
    expect(m.accesses).toBeGreaterThanOrEqual(2_500);
    expect(m.branches).toBeGreaterThanOrEqual(1_500);
    expect(m.loops).toBe(20);
    expect(m.functions).toBe(15);
  });

  it("passes the verifier and runs as in V8 and on the NPU", () => {
    const wasm = new WebAssembly.Memory({ initial: MEMORY / 65536, maximum: MEMORY / 65536 });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(ir as never), { env: { memory: wasm } });
    const v8 = instance.exports.tx_csum as (a: number, b: number) => number;
    const kernel = KernelProgram.load(
      { ...compiled, name: "tx_csum", functionNumber: 1, ir },
      { memoryBytes: MEMORY },
    );
    console.log(
      `${compiled.text.length / 8} BPF instructions, ${kernel.verifiedInstructions} verified, limit 300,000`,
    );
    expect(kernel.verifiedInstructions).toBeLessThan(300_000);
    const npu = Npu.create({ memoryBytes: MEMORY, budget: 50_000_000 });
    expect(npu.load(0, 1, orThrow(compileNpu(ir, { functionNumber: 1 })).text)).toEqual({ ok: true });
    const sides = [new Uint8Array(wasm.buffer), kernel.bytes, npu.bytes];
    for (const side of sides) layChase(side);
    for (let n = 0; n < 50; n++) {
      const args = [CHASE + 4 * n, n * 0x01010101];
      const ret = v8(args[0]!, args[1]!);
      expect(kernel.run(args)).toEqual({ ret, trap: 0 });
      expect(npu.run(0, 1, args)).toMatchObject({ ret, trap: "NONE" });
    }
    for (const side of sides.slice(1))
      expect(Buffer.compare(side.subarray(CHASE), sides[0]!.subarray(CHASE))).toBe(0);
    kernel.close();
  });

  it(`holds no path with more than ${ALLOWED} pending jumps: so many fewer than fit may stand in front of every function`, () => {
    loadOffload(padded(compiled, HELD - ALLOWED), MEMORY, 0x4_0000).close();
    // and the check can fail
    expect(() => loadOffload(padded(compiled, HELD + 100), MEMORY, 0x4_0000)).toThrow(BpfVerifierError);
    expect(() => loadOffload(padded(compiled, HELD + 100), MEMORY, 0x4_0000)).toThrow(/too complex/);
  });
});
