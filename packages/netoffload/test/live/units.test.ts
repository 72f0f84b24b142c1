/** Every accel1 unit as a subprogram in the live kernel, against its definition; modules of other compilers. */
import { type Accel1Name, compileEbpf, orThrow } from "@netoffload/cpr-ir";
import { afterAll, describe, expect, test } from "vitest";
import { cModule, cModuleSuite } from "../../../cpr-ir/test/targets/c-suite.ts";
import { unitModule } from "../../../cpr-ir/test/targets/generate.ts";
import { facility } from "../../../internal/test/facility.ts";
import { Random, seed } from "../../../skbuff/test/ref/random.ts";
import { slowCrc32c, slowCsum, slowSiphash, slowToeplitz } from "../../../skbuff/test/ref/units.ts";
import { KernelProgram, kernelTrapName } from "../../src/live/kernel-program.ts";

const MEMORY = 4 << 20;
const LENGTHS = [...Array.from({ length: 80 }, (_, i) => i), 300, 1460, 9001, 65_535];
const [SOURCE, TARGET, KEY, OUT] = [0x20_0000, 0x24_0000, 0x28_0000, 0x2c_0000] as const;
const isRoot = process.platform === "linux" && process.getuid?.() === 0;
const loaded: KernelProgram[] = [];

function load(ir: Uint8Array, name: string, functionNumber: number): KernelProgram {
  const compiled = orThrow(compileEbpf(ir, { functionNumber }));
  const program = KernelProgram.load({ ...compiled, name, functionNumber, ir }, { memoryBytes: MEMORY });
  loaded.push(program);
  return program;
}

/** A program that hands its parameters to one unit. */
function unit(name: Accel1Name): KernelProgram {
  return load(unitModule(name), "tx_csum", 1);
}

describe.runIf(facility("bpf(2)", isRoot, "run as root on Linux"))(
  `accel1 in the live kernel (SEED=${seed})`,
  () => {
    afterAll(() => {
      for (const p of loaded) p.close();
    });

    /** Each length at a place of its own alignment; `run` gives what the unit returned. */
    function everywhere(
      name: Accel1Name,
      check: (bytes: Uint8Array, at: number, memory: Uint8Array, run: (...args: number[]) => number) => void,
    ): void {
      const kernel = unit(name);
      const random = new Random(seed);
      const run = (...args: number[]): number => {
        const { ret, trap } = kernel.run(args);
        if (trap !== 0) throw new Error(`${name}(${args}): ${kernelTrapName(trap)}`);
        return ret;
      };
      for (const [i, n] of LENGTHS.entries())
        for (const bytes of [new Uint8Array(n), new Uint8Array(n).fill(255), random.bytes(n)]) {
          const at = SOURCE + ((i * 5) % 16);
          kernel.bytes.set(bytes, at);
          check(bytes, at, kernel.bytes, run);
        }
    }

    test("csum_partial", () =>
      everywhere("csum_partial", (bytes, at, _memory, run) => {
        for (const sum of [0, 1, 0xffff, 0xffff_ffff])
          expect(run(at, bytes.length, sum)).toBe(slowCsum(bytes, sum));
      }));

    test.each(["copy", "copy_csum"] as const)("%s", (name) =>
      everywhere(name, (bytes, at, memory, run) => {
        const to = TARGET + 32 + (bytes.length % 7);
        memory.fill(0x5a, TARGET, TARGET + bytes.length + 96);
        const result = name === "copy" ? run(to, at, bytes.length) : run(to, at, bytes.length, 5);
        if (name === "copy_csum") expect(result).toBe(slowCsum(bytes, 5));
        expect(Buffer.compare(memory.subarray(to, to + bytes.length), bytes)).toBe(0);
        expect([memory[to - 1], memory[to + bytes.length]]).toEqual([0x5a, 0x5a]);
      }),
    );

    test("crc32c", () =>
      everywhere("crc32c", (bytes, at, _memory, run) => {
        expect(run(at, bytes.length, -1) >>> 0).toBe(slowCrc32c(bytes, 0xffff_ffff));
      }));

    test("toeplitz", () => {
      const key = new Random(seed + 1).bytes(70_000);
      everywhere("toeplitz", (bytes, at, memory, run) => {
        if (bytes.length > 9001) return;
        memory.set(key.subarray(0, bytes.length + 4), KEY + 3);
        expect(run(KEY + 3, at, bytes.length) >>> 0).toBe(
          slowToeplitz(key.subarray(0, bytes.length + 4), bytes),
        );
      });
    });

    test("siphash", () => {
      const key = new Random(seed + 2).bytes(16);
      everywhere("siphash", (bytes, at, memory, run) => {
        memory.set(key, KEY + 1);
        run(KEY + 1, at, bytes.length, OUT + 5);
        expect(memory.slice(OUT + 5, OUT + 13)).toEqual(slowSiphash(key, bytes));
      });
    });

    test("a range that leaves the memory is a trap, one that ends with it is none", () => {
      const kernel = unit("csum_partial");
      expect(kernel.run([MEMORY - 64, 64, 0])).toEqual({ ret: 0, trap: 0 });
      expect(kernel.run([MEMORY - 64, 65, 0]).trap).toBe(3);
      expect(kernel.run([0xffff_ffff, 2, 0]).trap).toBe(3);
    });

    cModuleSuite("the live kernel", (name, functionNumber) => {
      const kernel = load(cModule(name), name, functionNumber);
      return {
        memory: kernel.bytes,
        run(args) {
          const { ret, trap } = kernel.run(args);
          return { ret, trap: kernelTrapName(trap) };
        },
      };
    });
  },
);
