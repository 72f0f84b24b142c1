import { compileNpu, globalCell, orThrow } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { runEbpf } from "../../../cpr-ir/test/ref/ebpf-interp.ts";
import {
  bytesOf,
  EDGES,
  pureOperations,
  Random,
  randomProgram,
  singleOperation,
} from "../../../cpr-ir/test/targets/generate.ts";
import { Npu } from "../../src/index.ts";
import { Halves } from "../ref/halves.ts";

/** Just beyond what the programs' windows hold: whole memories are compared after every run. */
const SIZE = 33 * 65536;
const TRAP_CELL = 0x20000;

describe("every operation, edge operands: V8, the engine and the oracle agree", () => {
  test.each(pureOperations())("%s", (name) => {
    const bytes = bytesOf(singleOperation(name));
    const memory = new WebAssembly.Memory({ initial: SIZE / 65536 });
    const v8 = new DataView(memory.buffer);
    const entry = Object.values(
      new WebAssembly.Instance(new WebAssembly.Module(bytes as never), { env: { memory } }).exports,
    )[0] as (a: number, b: number) => number;
    const program = orThrow(compileNpu(bytes, { functionNumber: 1 }));
    const npu = Npu.create({ memoryBytes: SIZE });
    expect(npu.load(0, 1, program.text)).toEqual({ ok: true });
    for (const x of EDGES)
      for (const y of EDGES) {
        for (const view of [v8, npu.view]) {
          view.setBigUint64(0x20_0000, BigInt.asUintN(64, x), true);
          view.setBigUint64(0x20_0008, BigInt.asUintN(64, y), true);
          view.setBigUint64(0x20_0010, 0xa5a5a5a5a5a5a5a5n, true);
        }
        let trapped = false;
        try {
          entry(0x20_0000, 0x20_0010);
        } catch {
          trapped = true;
        }
        const run = npu.run(0, 1, [0x20_0000, 0x20_0010]);
        if ((run.trap !== "NONE") !== trapped) throw new Error(`${name} ${x} ${y}: ${run.trap}`);
        if (!trapped && npu.view.getBigUint64(0x20_0010, true) !== v8.getBigUint64(0x20_0010, true))
          throw new Error(`${name} ${x} ${y}`);
      }
  });
});

test("random programs: V8, the engine and the oracle agree in result, trap, memory and instructions", () => {
  const seed = Number(process.env.NETOFFLOAD_SEED ?? 5000);
  const runs = Number(process.env.NETOFFLOAD_RUNS ?? 300);
  console.log(`random programs: seeds ${seed}..${seed + runs - 1}`);
  const npu = Npu.create({ memoryBytes: SIZE });
  for (let n = seed; n < seed + runs; n++) {
    const bytes = bytesOf(randomProgram(n, 40 + (n % 5) * 40));
    const program = orThrow(compileNpu(bytes, { functionNumber: 1 }));
    npu.clear(0);
    expect(npu.load(0, 1, program.text), `seed ${n}`).toEqual({ ok: true });
    const r = new Random(n);
    const args = [r.next() | 0, r.pick([0, 1, -1]), r.next() & 0xfff];
    const start = new Uint8Array(SIZE);
    const view = new DataView(start.buffer);
    for (const [i, v] of EDGES.entries()) view.setBigUint64(0x20_0000 + 8 * i, BigInt.asUintN(64, v), true);
    const memory = new WebAssembly.Memory({ initial: SIZE / 65536, maximum: SIZE / 65536 });
    new Uint8Array(memory.buffer).set(start);
    const entry = Object.values(
      new WebAssembly.Instance(new WebAssembly.Module(bytes as never), { env: { memory } }).exports,
    )[0] as (...a: number[]) => number;
    for (const d of program.data) start.set(d.bytes, d.address);
    npu.bytes.set(start);
    const oracle = runEbpf(program.text, start, args, { limit: 1_000_000 });
    const inHalves = npu.bytes.slice();
    const halves = new Halves(program.text, inHalves, []);
    const low = halves.run(args[0]!, args[1]!, args[2]!);
    const run = npu.run(0, 1, args);
    let ret = 0;
    let trapped = false;
    try {
      ret = entry(...args);
    } catch {
      trapped = true;
    }
    if ((run.trap !== "NONE") !== trapped || oracle.trap > 0 !== trapped)
      throw new Error(`seed ${n}: V8 ${trapped}, engine ${run.trap}, oracle ${oracle.trap}`);
    expect([run.instructions, halves.instructions], `seed ${n}`).toEqual([
      oracle.instructions,
      oracle.instructions,
    ]);
    expect(halves.trap, `seed ${n}`).toBe(oracle.trap);
    if (trapped) continue;
    expect([run.ret, oracle.ret, low], `seed ${n}`).toEqual([ret, ret, ret]);
    // the trap cell and the globals are the target's own
    npu.view.setUint32(TRAP_CELL, 0, true);
    for (const m of [start, npu.bytes, inHalves]) m.fill(0, globalCell(1, 0), globalCell(1, 0) + 4);
    if (Buffer.compare(new Uint8Array(memory.buffer), npu.bytes) !== 0)
      throw new Error(`seed ${n}: V8's memory differs from the engine's`);
    if (Buffer.compare(start, npu.bytes) !== 0)
      throw new Error(`seed ${n}: the oracle's memory differs from the engine's`);
    if (Buffer.compare(start, inHalves) !== 0)
      throw new Error(`seed ${n}: the memory of the interpreter of two halves differs`);
  }
}, 120_000);
