/** Random parsers: the interpreter and the targets that run here beside a direct executor that shares no code with them. */
import { expect, test } from "vitest";
import {
  compareFound,
  compareRandom,
  interpreterSide,
  p4Side,
  RANDOM_PARSERS,
  RANDOM_SEED,
  wasmSide,
} from "../helpers/random-suite.ts";

const LONG = 3_600_000;

test("what was found before", () => {
  compareFound({ interpreter: interpreterSide, wasm: wasmSide, p4: p4Side });
});

test(
  `the interpreter and wasm, ${RANDOM_PARSERS} documents, seed ${RANDOM_SEED}`,
  () => {
    const ran = compareRandom({ interpreter: interpreterSide, wasm: wasmSide });
    expect(ran.parsers).toBeGreaterThan(0.8 * RANDOM_PARSERS);
    expect(ran.taken.wasm).toBe(ran.parsers);
  },
  LONG,
);

test(
  `the emitted P4, seed ${RANDOM_SEED}`,
  () => {
    // its text is read back and run state by state: slow
    const ran = compareRandom({ p4: p4Side }, Math.ceil(RANDOM_PARSERS / 5));
    expect(ran.taken.p4).toBeGreaterThan(0.5 * ran.parsers);
  },
  LONG,
);
