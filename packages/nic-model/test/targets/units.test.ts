/** Every accel1 unit on every target, against its definition, over lengths, alignments and contents. */
import { ACCEL1, type Accel1Name, compileNpu, orThrow } from "@netoffload/cpr-ir";
import { Memory } from "@netoffload/skbuff";
import { describe, expect, test } from "vitest";
import { unitModule } from "../../../cpr-ir/test/targets/generate.ts";
import { Random, seed } from "../../../skbuff/test/ref/random.ts";
import { slowCrc32c, slowCsum, slowSiphash, slowToeplitz } from "../../../skbuff/test/ref/units.ts";
import { Npu } from "../../src/index.ts";

const LENGTHS = [...Array.from({ length: 301 }, (_, i) => i), 1460, 9000, 65_535];
const UNITS = Object.keys(ACCEL1) as Accel1Name[];
const MEMORY_BYTES = 4 << 20;
/** 16-aligned places with room for the longest run at any alignment, and 64 bytes around it. */
const [SOURCE, TARGET, KEY, OUT] = [0x20_0000, 0x24_0000, 0x28_0000, 0x2c_0000] as const;

/** Units as a target runs them. */
interface Target {
  readonly memory: Uint8Array;
  call(unit: Accel1Name, args: readonly number[]): number;
}

function host(scalar: boolean): Target {
  const memory = Memory.create({ bytes: MEMORY_BYTES, scalar });
  const units = memory.accel1 as unknown as Record<Accel1Name, (...a: number[]) => number>;
  return { memory: memory.bytes, call: (unit, args) => units[unit](...args) };
}

/** A program that hands its parameters to one unit. */
function wrapper(unit: Accel1Name, accel: "units" | "loops"): ReturnType<typeof compileNpu> {
  return compileNpu(unitModule(unit), { functionNumber: 1, accel });
}

function npu(accel: "units" | "loops", scalar: boolean): Target {
  const device = Npu.create({ memoryBytes: MEMORY_BYTES, budget: 100_000_000, scalar });
  for (const [i, unit] of UNITS.entries())
    expect(device.load(0, 1 + i, orThrow(wrapper(unit, accel)).text)).toEqual({ ok: true });
  return {
    memory: device.bytes,
    call(unit, args) {
      const run = device.run(0, 1 + UNITS.indexOf(unit), args);
      if (run.trap !== "NONE") throw new Error(`${unit}(${args}): ${run.trap}`);
      return run.ret;
    },
  };
}

/** All zero, all one, random. */
const contents = (random: Random, n: number): Uint8Array[] => [
  new Uint8Array(n),
  new Uint8Array(n).fill(255),
  random.bytes(n),
];

describe.each([
  ["wasm by SIMD", () => host(false)],
  ["wasm, scalar", () => host(true)],
  ["npu, hardware units", () => npu("units", false)],
  ["npu, hardware units without SIMD", () => npu("units", true)],
  ["npu, units as plain loops", () => npu("loops", false)],
])(`accel1 on %s (SEED=${seed})`, (_name, make) => {
  const { memory, call } = make();

  /** Check at all sixteen alignments of the unit's bytes; its other pointers take turns. */
  function everywhere(check: (data: Uint8Array, at: number, other: number, n: number) => void): void {
    const random = new Random(seed);
    for (const n of LENGTHS)
      for (const data of contents(random, n))
        for (let a = 0; a < 16; a++) {
          memory.set(data, SOURCE + a);
          check(data, SOURCE + a, (a * 5 + n) % 16, n);
        }
  }

  function landed(what: string, at: number, data: Uint8Array): void {
    if (Buffer.compare(memory.subarray(at, at + data.length), data) !== 0) throw new Error(`${what}: bytes`);
    for (let i = 1; i <= 16; i++)
      if (memory[at - i] !== 0x5a || memory[at + data.length + i - 1] !== 0x5a)
        throw new Error(`${what}: wrote beside the bytes`);
  }

  let last: Uint8Array | null = null;
  let value = 0;
  /** The oracle's answer, asked once for the sixteen alignments of the same bytes. */
  function once(data: Uint8Array, oracle: () => number): number {
    if (data !== last) {
      last = data;
      value = oracle();
    }
    return value;
  }

  test("csum_partial", () =>
    everywhere((data, at, other, n) => {
      const sum = [0, 1, 0xffff, 0xffff_ffff][other % 4]!;
      if (call("csum_partial", [at, n, sum]) !== slowCsum(data, sum))
        throw new Error(`${n} at ${at % 16}, sum ${sum}`);
    }));

  test("copy and copy_csum", () =>
    everywhere((data, at, other, n) => {
      const to = TARGET + 32 + other;
      for (const unit of ["copy", "copy_csum"] as const) {
        memory.fill(0x5a, TARGET, TARGET + n + 96);
        const what = `${unit} ${n} from ${at % 16} to ${other}`;
        const result = call(unit, unit === "copy" ? [to, at, n] : [to, at, n, 5]);
        landed(what, to, data);
        if (unit === "copy_csum" && result !== slowCsum(data, 5)) throw new Error(what);
      }
    }));

  test("copy within overlapping ranges", () => {
    const random = new Random(seed);
    for (const n of [1, 7, 8, 9, 16, 63, 300, 1460])
      for (const by of [-300, -65, -16, -9, -8, -7, -1, 0, 1, 7, 8, 9, 16, 65, 300]) {
        const data = random.bytes(n);
        memory.set(data, SOURCE + 1000);
        call("copy", [SOURCE + 1000 + by, SOURCE + 1000, n]);
        const got = memory.subarray(SOURCE + 1000 + by, SOURCE + 1000 + by + n);
        if (Buffer.compare(got, data) !== 0) throw new Error(`${n} bytes by ${by}`);
      }
  });

  test("crc32c", () =>
    everywhere((data, at, other, n) => {
      const expected = once(data, () => slowCrc32c(data, 0xffff_ffff));
      if (call("crc32c", [at, n, -1]) >>> 0 !== expected)
        throw new Error(`${n} at ${at % 16}, other ${other}`);
    }));

  test("toeplitz", () => {
    const secret = new Random(seed + 1).bytes(65_535 + 4);
    everywhere((data, at, other, n) => {
      memory.set(secret.subarray(0, n + 4), KEY + other);
      const expected = once(data, () => slowToeplitz(secret, data));
      if (call("toeplitz", [KEY + other, at, n]) >>> 0 !== expected) throw new Error(`${n} at ${at % 16}`);
    });
  });

  test("siphash", () => {
    const secret = new Random(seed + 2).bytes(16);
    let expected = new Uint8Array(8);
    everywhere((data, at, other, n) => {
      memory.set(secret, KEY + other);
      memory.fill(0x5a, OUT, OUT + 96);
      once(data, () => {
        expected = Uint8Array.from(slowSiphash(secret, data));
        return 0;
      });
      call("siphash", [KEY + other, at, n, OUT + 32 + other]);
      landed(`siphash ${n} at ${at % 16}`, OUT + 32 + other, expected);
    });
  });
});
