import { accel1ScalarModule, Memory, staticRegion } from "@netoffload/skbuff";
import { describe, expect, test } from "vitest";
import {
  canonicalModule,
  compileNpu,
  decodeInsns,
  decodeModule,
  encodeModule,
  globalCell,
  I32,
  orThrow,
  printInsn,
} from "../../src/index.ts";
import { runEbpf } from "../ref/ebpf-interp.ts";
import { bytesOf, EDGES, pureOperations, Random, randomProgram, singleOperation } from "./generate.ts";

/** Just beyond what the programs' windows hold: whole memories are compared after every run. */
const SIZE = 33 * 65536;

/** Run a module's entry by V8. */
function byV8(
  bytes: Uint8Array,
  memory: Uint8Array,
  args: number[],
): { ret: number; trap: boolean; memory: Uint8Array; global: number } {
  const wasm = new WebAssembly.Memory({ initial: SIZE / 65536, maximum: SIZE / 65536 });
  new Uint8Array(wasm.buffer).set(memory);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes as never), {
    env: { memory: wasm },
  });
  const entry = Object.values(instance.exports)[0] as (...a: number[]) => number;
  try {
    return { ret: entry(...args), trap: false, memory: new Uint8Array(wasm.buffer), global: 0 };
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    return { ret: 0, trap: true, memory: new Uint8Array(wasm.buffer), global: 0 };
  }
}

/** Run its NPU code by the oracle. */
function byOracle(
  bytes: Uint8Array,
  memory: Uint8Array,
  args: number[],
): { ret: number; trap: number; memory: Uint8Array; listing: () => string } {
  const program = orThrow(compileNpu(bytes, { functionNumber: 1 }));
  const copy = memory.slice();
  for (const d of program.data) copy.set(d.bytes, d.address);
  const done = runEbpf(program.text, copy, args, { limit: 5_000_000 });
  // globals live outside the memory in V8
  copy.fill(0, globalCell(1, 0), globalCell(1, 0) + 4);
  return {
    ret: done.ret,
    trap: done.trap,
    memory: copy,
    listing: () =>
      orThrow(decodeInsns(program.text))
        .map((i, n) => `${n} ${printInsn(i)}`)
        .join("\n"),
  };
}

function agree(bytes: Uint8Array, memory: Uint8Array, args: number[], what: string): void {
  const v8 = byV8(bytes, memory, args);
  const npu = byOracle(bytes, memory, args);
  const same =
    v8.trap === npu.trap > 0 &&
    (v8.trap || (v8.ret === npu.ret && Buffer.compare(v8.memory, npu.memory) === 0));
  if (same) return;
  const at = v8.memory.findIndex((x, i) => x !== npu.memory[i]);
  throw new Error(
    `${what}: first difference at 0x${at.toString(16)}; V8 ${v8.trap ? "trap" : v8.ret}, NPU ${npu.trap ? `trap ${npu.trap}` : npu.ret}\n${npu.listing()}`,
  );
}

function memoryWith(values: readonly bigint[]): Uint8Array {
  const memory = new Uint8Array(SIZE);
  const view = new DataView(memory.buffer);
  for (const [i, v] of values.entries()) view.setBigUint64(0x20_0000 + 8 * i, BigInt.asUintN(64, v), true);
  return memory;
}

describe("every operation of the profile, edge operands: V8 and NPU code agree", () => {
  test.each(pureOperations())("%s", (name) => {
    const bytes = bytesOf(singleOperation(name));
    orThrow(decodeModule(bytes));
    const v8 = new WebAssembly.Memory({ initial: SIZE / 65536 });
    const bytesV8 = new Uint8Array(v8.buffer);
    const entry = Object.values(
      new WebAssembly.Instance(new WebAssembly.Module(bytes as never), { env: { memory: v8 } }).exports,
    )[0] as (a: number, b: number) => number;
    const program = orThrow(compileNpu(bytes, { functionNumber: 1 }));
    const npu = new Uint8Array(SIZE);
    const a = new DataView(v8.buffer);
    const b = new DataView(npu.buffer);
    for (const x of EDGES)
      for (const y of EDGES) {
        for (const view of [a, b]) {
          view.setBigUint64(0x20_0000, BigInt.asUintN(64, x), true);
          view.setBigUint64(0x20_0008, BigInt.asUintN(64, y), true);
          view.setBigUint64(0x20_0010, 0xa5a5a5a5a5a5a5a5n, true);
        }
        let trap = false;
        try {
          entry(0x20_0000, 0x20_0010);
        } catch {
          trap = true;
        }
        const done = runEbpf(program.text, npu, [0x20_0000, 0x20_0010]);
        expect(done.trap > 0, `${name} ${x} ${y} trap`).toBe(trap);
        if (!trap)
          expect(b.getBigUint64(0x20_0010, true), `${name} ${x} ${y}`).toBe(a.getBigUint64(0x20_0010, true));
      }
    expect(bytesV8.length).toBe(SIZE);
  });
});

test("random programs: results, traps and memory agree", () => {
  const seed = Number(process.env.NETOFFLOAD_SEED ?? 1);
  const runs = Number(process.env.NETOFFLOAD_RUNS ?? 300);
  console.log(`random programs: seeds ${seed}..${seed + runs - 1}`);
  let trapped = 0;
  for (let n = seed; n < seed + runs; n++) {
    const bytes = bytesOf(randomProgram(n, 40 + (n % 5) * 40));
    expect(WebAssembly.validate(bytes as never), `seed ${n} is a valid module`).toBe(true);
    const r = new Random(n ^ 0x5555);
    const memory = memoryWith(EDGES);
    const args = [r.next() | 0, r.pick([0, 1, -1, 0x7fffffff]), r.next() & 0xfff];
    agree(bytes, memory, args, `seed ${n}`);
    if (byV8(bytes, memory, args).trap) trapped++;
  }
  // programs that all trap early would prove nothing
  expect(trapped).toBeLessThan(runs * 0.7);
  expect(trapped).toBeGreaterThan(0);
});

test("canonical form keeps the meaning of random programs", () => {
  for (let n = 1; n < 60; n++) {
    const bytes = bytesOf(randomProgram(n));
    const canon = orThrow(canonicalModule(bytes));
    expect(orThrow(canonicalModule(canon))).toEqual(canon);
    expect(encodeModule(orThrow(decodeModule(canon)))).toEqual(canon);
  }
  expect(I32).toBe(0x7f);
});

test("units as plain loops give what the units give", () => {
  expect(accel1ScalarModule().length).toBeGreaterThan(100);
  expect(staticRegion(1)).toBe(0x20000);
  expect(Memory.create({ bytes: 4 << 20 }).size).toBe(4 << 20);
});
