/** The two modules made from C, run by any executor and compared with what they should compute. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { classify, fletcher } from "../ref/c-modules.ts";
import { Random } from "./generate.ts";

/** A module of test/fixtures/c; the names are outside ABI 1's table, so the static regions are the recipe's. */
export const C_MODULES = { fletcher: 8, classify: 9 } as const;
/** Name of a module. */
export type CModule = keyof typeof C_MODULES;

/** The committed bytes. */
export const cModule = (name: CModule): Uint8Array =>
  readFileSync(new URL(`../fixtures/c/${name}.wasm`, import.meta.url));

/** A module made ready by a target. */
export interface CTarget {
  readonly memory: Uint8Array;
  run(args: readonly number[]): { readonly ret: number; readonly trap: string };
}

const PACKET = 0x10_0000;
const OUT = 0x11_0000;

/** Declare the tests of one target. */
export function cModuleSuite(target: string, make: (name: CModule, region: number) => CTarget): void {
  test(`fletcher made from C, on ${target}`, () => {
    const { memory, run } = make("fletcher", C_MODULES.fletcher);
    const random = new Random(77);
    for (const n of [0, 1, 2, 15, 16, 17, 18, 64, 1460, 9000]) {
      const packet = Uint8Array.from({ length: n }, () => random.below(256));
      memory.set(packet, PACKET + (n % 3));
      memory.fill(0xa5, OUT, OUT + 16);
      const expected = fletcher(packet);
      expect(run([PACKET + (n % 3), n, OUT]), String(n)).toMatchObject({ ret: expected.ret, trap: "NONE" });
      const wanted = new Uint8Array(16).fill(0xa5);
      wanted.set(expected.out);
      expect(memory.slice(OUT, OUT + 16), String(n)).toEqual(wanted);
    }
    expect(run([memory.length - 2, 4, OUT]).trap).toBe("OUT_OF_BOUNDS");
  });

  test(`classify made from C, on ${target}`, () => {
    const { memory, run } = make("classify", C_MODULES.classify);
    const random = new Random(78);
    for (let kind = 0; kind < 20; kind++)
      for (const n of [13, 14, 64, 65, 333, 1500]) {
        const packet = Uint8Array.from({ length: n }, () => random.below(256));
        if (n > 13) packet[13] = 16 * random.below(16) + (kind % 16);
        memory.set(packet, PACKET);
        for (const bias of [1000, 1, -7, 0x7fffffff, 0]) {
          const expected = classify(packet, bias);
          const got = run([PACKET, n, bias]);
          expect([got.ret, got.trap], `${kind} ${n} ${bias}`).toEqual(
            expected === null ? [0, "DIV_ZERO"] : [expected, "NONE"],
          );
        }
      }
  });
}
