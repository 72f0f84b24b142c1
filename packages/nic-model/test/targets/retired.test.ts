import { describe, expect, test } from "vitest";
import { facility, has } from "../../../internal/test/facility.ts";
import { compiled, cTwins, measure, type Retired, ratioOf } from "../../bench/ref/retired.ts";

const present = facility("clang", has("clang"), "apt-get install clang");

describe.skipIf(!present)("instructions retired, beside C built by clang for BPF", () => {
  // counts of a pinned input: no noise, so the bound is held exactly
  test("both programs over the mix retire at most 2.0 times what C retires", () => {
    const rows = measure(compiled(), cTwins());
    expect(ratioOf(rows)).toBeLessThanOrEqual(2);
    for (const name of ["tx_csum", "rx_csum"])
      expect(ratioOf(rows.filter((r) => r.name === name)), name).toBeLessThanOrEqual(2);
  });

  test("a twin that computes something else is found out", () => {
    const twins = cTwins();
    const wrong = twins.rx_csum.slice();
    // the store of csum, 32 bits at offset 32, goes to where hash lies
    const view = new DataView(wrong.buffer, wrong.byteOffset, wrong.byteLength);
    for (let at = 0; at < wrong.length; at += 8)
      if (wrong[at] === 0x63 && view.getInt16(at + 2, true) === 32) view.setInt16(at + 2, 64, true);
    expect(() => measure(compiled(), { ...twins, rx_csum: wrong })).toThrow(/memories differ/);
  });

  test("the ratio weighs rows by their share of the mix", () => {
    const row = (weight: number, ours: number, c: number): Retired => ({
      name: "rx_csum",
      shape: "",
      weight,
      ours,
      c,
    });
    expect(ratioOf([row(90, 10, 10), row(10, 100, 10)])).toBeCloseTo(1.9);
  });
});
