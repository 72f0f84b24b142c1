// The NPU of the NIC model: decoder, cores, units, counters, in one module over one memory of its own.
import { BATCH, CONFIG, COUNTERS, MAX_BATCH, PROGRAMS, REGISTERS, TEXT, WINDOW } from "./layout";
import { decodeProgram } from "./decode";
import { runProgram } from "./execute";

/** Where the host finds things. */
export function windowBase(): usize { return WINDOW; }
export function textBase(): usize { return TEXT; }
export function batchBase(): usize { return BATCH; }
export function countersBase(): usize { return COUNTERS; }
export function configBase(): usize { return CONFIG; }
export function maxBatch(): u32 { return MAX_BATCH; }

/** @param memoryLimit - bytes of the window. @param budget - instructions of a packet */
export function init(memoryLimit: u32, budget: u32): void {
  store<u32>(CONFIG, memoryLimit);
  store<u32>(CONFIG, budget, 8);
  memory.fill(COUNTERS, 0, 128);
  memory.fill(PROGRAMS, 0, 2 * 16 * 8);
}

/** Decode code that lies at TEXT. @returns 0 or the reason of the refusal */
export function load_program(slot: u32, fn: u32, bytes: u32, used: u32): i32 {
  return decodeProgram(slot, fn, bytes, used);
}

/** Forget the programs of a bundle slot. */
export function clear(slot: u32): void {
  memory.fill(PROGRAMS + <usize>slot * 128, 0, 128);
}

/** Is there a program? */
export function has(slot: u32, fn: u32): bool {
  return load<u32>(PROGRAMS + (<usize>slot * 16 + <usize>fn) * 8) != 0;
}

/** Nothing of the packet before may be left in a register that a program forgot to set. */
function clearRegisters(): void {
  for (let r: usize = 0; r < 10; r++) store<u64>(REGISTERS + r * 8, 0);
}

/** Run once. @returns the trap code; the result is in {@link result} */
export function run(slot: u32, fn: u32, a: u32, b: u32, c: u32, d: u32, e: u32): u32 {
  clearRegisters();
  store<u64>(REGISTERS, a, 8);
  store<u64>(REGISTERS, b, 16);
  store<u64>(REGISTERS, c, 24);
  store<u64>(REGISTERS, d, 32);
  store<u64>(REGISTERS, e, 40);
  return runProgram(slot, fn);
}

/** r0 of the last run. */
export function result(): i32 { return load<i32>(REGISTERS); }

/**
 * Run once for each of `n` addresses at `addresses`; results are {ret i32, trap u32, instructions u32} at
 * `results`. Both lie in the engine's memory (BATCH).
 */
export function run_batch(slot: u32, fn: u32, addresses: usize, n: u32, results: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    clearRegisters();
    store<u64>(REGISTERS, <u64>load<u32>(addresses + <usize>i * 4), 8);
    const trap = runProgram(slot, fn);
    const out = results + <usize>i * 12;
    store<i32>(out, load<i32>(REGISTERS));
    store<u32>(out, trap, 4);
    store<u32>(out, load<u32>(CONFIG + 24), 8);
  }
}
