import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type CsumCase, drawCase } from "../src/live/csum-case.ts";
import { BOUNDS, cellName, csumCells, DIMENSIONS } from "../src/live/csum-cell.ts";
import { Random } from "../src/live/random.ts";

const cells = csumCells();
const drawAll = (seed: number): CsumCase[] => {
  const random = new Random(seed);
  return cells.map((cell, i) => drawCase(cell, i, random));
};

function digest(cases: readonly CsumCase[]): string {
  const hash = createHash("sha256");
  for (const { frame, ...rest } of cases) hash.update(JSON.stringify(rest)).update(frame);
  return hash.digest("hex");
}

/** The checksum over what a case sums, by the slowest arithmetic. */
function slowSum(c: CsumCase): number {
  let sum = 0;
  for (let i = c.csumStart; i < c.frame.length; i++)
    sum += (i - c.csumStart) % 2 === 0 ? c.frame[i]! * 256 : c.frame[i]!;
  return sum % 0xffff === 0 && sum > 0 ? 0xffff : sum % 0xffff;
}

describe("cases of the checksum matrix", () => {
  it("a seed determines all of them", () => {
    expect(digest(drawAll(5))).toBe(digest(drawAll(5)));
    expect(digest(drawAll(5))).not.toBe(digest(drawAll(6)));
  });

  it("no two cells are one, and every value of every dimension is in some", () => {
    expect(new Set(cells.map(cellName)).size).toBe(cells.length);
    for (const [dimension, values] of Object.entries(DIMENSIONS))
      for (const value of values)
        expect(cells.some((cell) => cell[dimension as keyof typeof cell] === value)).toBe(true);
  });

  it("each case is of its cell", () => {
    const faults: string[] = [];
    for (let seed = 1; seed <= 5; seed++)
      for (const c of drawAll(seed)) {
        const cell = cells[c.cell]!;
        const n = c.frame.length;
        // an expectation for each would take most of the time
        const check = (what: string, holds: boolean): void => {
          if (!holds) faults.push(`seed ${seed}, ${cellName(cell)}: ${what}`);
        };
        check("length", (n % 2 === 1 ? "odd" : "even") === cell.length);
        // the two limits of a tap have one place each
        check("start", (c.csumStart & 1 ? "odd" : "even") === cell.start);
        check("route", c.route === BOUNDS[cell.bound].route);
        const type = c.frame[12 + 4 * Number(cell.vlan)]! * 256 + c.frame[13 + 4 * Number(cell.vlan)]!;
        check("family", type === (cell.family === "ipv4" ? 2048 : 34525));
        if (cell.zero === "yes" && c.csumStart < n) check("zero", [0, 0xffff].includes(slowSum(c)));
        const end = c.csumStart + c.csumOffset + 2;
        const least = c.route === "tap" ? 20 : 0;
        const inside = c.csumStart >= least && end <= n;
        if (cell.bound === "offset-last") check("last", end === n);
        if (cell.bound === "offset-last+1") check("last + 1", end === n + 1);
        if (cell.bound === "start-before") check("before", c.csumStart < 0);
        if (cell.bound === "start-below") check("below", c.csumStart < 20 && c.csumStart > 11);
        if (BOUNDS[cell.bound].refused) check("refused", !inside);
        else if (cell.truncated === "no") check("inside", inside);
        const { frags, fragList } = c.layout;
        check("pieces", [...frags, ...fragList].reduce((sum, piece) => sum + piece, 0) <= n);
      }
    expect(faults).toEqual([]);
  });
});
