/**
 * One suite for every executor of compiled programs: each case runs in V8 and in the executors, one or several, over
 * the same memory; results, traps and memories must be equal.
 */
import type { WasmModule } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import {
  bulkOperations,
  type Case,
  controlOperations,
  MEMORY_BYTES,
  memoryOperations,
  WINDOW,
} from "./cases.ts";
import { bytesOf, EDGES, pureOperations, Random, randomProgram, singleOperation } from "./generate.ts";

/** Traps of ABI 1 in the order of their codes. */
const TRAPS = ["NONE", "DIV_ZERO", "OVERFLOW", "OUT_OF_BOUNDS", "UNREACHABLE", "BUDGET"] as const;
/** Name of a trap. */
export type Trap = (typeof TRAPS)[number];

/** A program made ready by an executor. */
export interface Loaded {
  /** The memory it runs in, {@link MEMORY_BYTES} long. */
  readonly memory: Uint8Array;
  /** Ranges of the memory that are the target's own: cells of traps and globals. */
  readonly own: readonly (readonly [from: number, to: number])[];
  run(args: readonly number[]): { readonly ret: number; readonly trap: Trap };
}

/** Makes a program ready: the memory is zero but for what the loader puts there. */
export type Executor = (ir: Uint8Array) => Loaded;

/** Executors by their names: each is held against V8. */
export type Executors = Readonly<Record<string, Executor>>;

/** Code of a trap by its name's place. */
export const trapName = (code: number): Trap => TRAPS[code]!;

/** What V8's messages mean. */
function trapOfV8(error: unknown): Trap {
  if (!(error instanceof WebAssembly.RuntimeError)) throw error;
  if (/divide by zero|remainder by zero/.test(error.message)) return "DIV_ZERO";
  if (/unrepresentable/.test(error.message)) return "OVERFLOW";
  if (/out of bounds/.test(error.message)) return "OUT_OF_BOUNDS";
  if (/unreachable/.test(error.message)) return "UNREACHABLE";
  throw error;
}

/** A module in V8. */
function v8(ir: Uint8Array): Loaded {
  const pages = MEMORY_BYTES / 65536;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(ir as never), { env: { memory } });
  const entry = Object.values(instance.exports)[0] as (...a: number[]) => number;
  return {
    memory: new Uint8Array(memory.buffer),
    own: [],
    run(args) {
      try {
        return { ret: entry(...args), trap: "NONE" };
      } catch (error) {
        return { ret: 0, trap: trapOfV8(error) };
      }
    },
  };
}

/** Bytes compared after every run; the whole memory is after the last. */
const COMPARED = 0xc000;

/** Run a module with each list of arguments on all sides. Throws with the first difference; counts V8's traps. */
export function agree(
  name: string,
  module: WasmModule,
  args: readonly (readonly number[])[],
  executors: Executor | Executors,
): number {
  const ir = bytesOf(module);
  const a = v8(ir);
  const others = Object.entries(named(executors)).map(([side, load]) => [side, load(ir)] as const);
  for (const [, b] of others) expect(b.memory.length).toBe(MEMORY_BYTES);
  for (const m of [a.memory, ...others.map(([, b]) => b.memory)]) {
    const view = new DataView(m.buffer, m.byteOffset, m.byteLength);
    for (const [i, v] of EDGES.entries()) view.setBigUint64(WINDOW + 8 * i, BigInt.asUintN(64, v), true);
  }
  let traps = 0;
  for (const list of args) {
    const x = a.run(list);
    if (x.trap !== "NONE") traps++;
    for (const [side, b] of others) {
      const y = b.run(list);
      if (x.trap !== y.trap || x.ret !== y.ret)
        throw new Error(`${name}(${list}): V8 ${x.trap} ${x.ret}, ${side} ${y.trap} ${y.ret}`);
      // what a trap leaves behind is not compared, and must not leak into the next run
      if (x.trap !== "NONE") restore(a, b);
      else
        same(
          `${name}(${list}) on ${side}`,
          a.memory.subarray(WINDOW, WINDOW + COMPARED),
          b.memory.subarray(WINDOW, WINDOW + COMPARED),
        );
    }
  }
  for (const [side, b] of others) {
    for (const [from, to] of b.own) b.memory.set(a.memory.subarray(from, to), from);
    same(`${name} on ${side}`, a.memory, b.memory);
  }
  return traps;
}

function named(executors: Executor | Executors): Executors {
  return typeof executors === "function" ? { here: executors } : executors;
}

function same(what: string, x: Uint8Array, y: Uint8Array): void {
  if (Buffer.compare(x, y) === 0) return;
  const at = x.findIndex((byte, i) => byte !== y[i]);
  throw new Error(`${what}: memories differ at ${at} of ${x.length}: V8 ${x[at]}, there ${y[at]}`);
}

/** Make both memories equal again, the target's own cells left as they are. */
function restore(from: Loaded, to: Loaded): void {
  const kept = to.own.map(([a, b]) => to.memory.slice(a, b));
  to.memory.set(from.memory);
  for (const [i, [a]] of to.own.entries()) to.memory.set(kept[i]!, a);
}

const operands = EDGES.flatMap((_, x) => EDGES.map((_, y) => [x, y] as const));

/** Declare the suite. Several executors are asked the same in each test. */
export function executorSuite(name: string, executors: Executor | Executors, firstSeed: number): void {
  const check = (c: Case): number => agree(c.name, c.module, c.args, executors);

  describe(`${name}: every operation of the profile at its edges, as V8 has it`, () => {
    test.each(pureOperations())("%s", (operation) => {
      const module = singleOperation(operation);
      const ir = bytesOf(module);
      const others = Object.entries(named(executors));
      const sides = [v8(ir), ...others.map(([, load]) => load(ir))];
      const views = sides.map((s) => new DataView(s.memory.buffer, s.memory.byteOffset, s.memory.byteLength));
      for (const [x, y] of operands) {
        for (const view of views) {
          view.setBigUint64(WINDOW, BigInt.asUintN(64, EDGES[x]!), true);
          view.setBigUint64(WINDOW + 8, BigInt.asUintN(64, EDGES[y]!), true);
          view.setBigUint64(WINDOW + 16, 0xa5a5a5a5a5a5a5a5n, true);
        }
        const [a, ...rest] = sides.map((s) => s.run([WINDOW, WINDOW + 16]));
        const [m, ...left] = views.map((view) => view.getBigUint64(WINDOW + 16, true));
        for (const [i, b] of rest.entries())
          if (a!.trap !== b.trap || a!.ret !== b.ret || (a!.trap === "NONE" && m !== left[i]))
            throw new Error(
              `${operation} ${EDGES[x]} ${EDGES[y]}: V8 ${a!.trap} ${m}, ${others[i]![0]} ${b.trap} ${left[i]}`,
            );
      }
    });

    const groups = [
      ["loads and stores", memoryOperations()],
      ["memory.copy and memory.fill", bulkOperations()],
      ["control, calls, variables", controlOperations()],
    ] as const;
    test.each(groups)("%s", (_name, cases) => {
      let traps = 0;
      for (const c of cases) traps += check(c);
      // edges that nothing falls off would be none
      expect(traps).toBeGreaterThan(0);
    });
  });

  const seed = Number(process.env.NETOFFLOAD_SEED ?? firstSeed);
  const runs = Number(process.env.NETOFFLOAD_RUNS ?? 120);
  test(`${name}: random programs, seeds ${seed} to ${seed + runs - 1}`, {
    timeout: 60_000 + runs * 500,
  }, () => {
    let trapped = 0;
    for (let n = seed; n < seed + runs; n++) {
      const r = new Random(n ^ 0x5555);
      const args = [r.next() | 0, r.pick([0, 1, -1, 0x7fffffff]), r.next() & 0xfff];
      trapped += agree(`seed ${n}`, randomProgram(n, 40 + (n % 5) * 40), [args], executors);
    }
    // programs that all trap early would prove nothing
    expect(trapped).toBeLessThan(runs * 0.7);
    expect(trapped).toBeGreaterThan(0);
  });
}
