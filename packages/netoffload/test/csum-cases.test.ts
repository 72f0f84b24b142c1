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
    for (let seed = 1; seed <= 5; seed++)
      for (const c of drawAll(seed)) {
        const cell = cells[c.cell]!;
        const n = c.frame.length;
        const name = `seed ${seed}, ${cellName(cell)}`;
        expect(n % 2 === 1 ? "odd" : "even", name).toBe(cell.length);
        // the two limits of a tap have one place each
        expect(c.csumStart & 1 ? "odd" : "even", name).toBe(cell.start);
        expect(c.route, name).toBe(BOUNDS[cell.bound].route);
        const family = { 2048: "ipv4", 34525: "ipv6" }[
          c.frame[12 + 4 * Number(cell.vlan)]! * 256 + c.frame[13 + 4 * Number(cell.vlan)]!
        ];
        expect(family, name).toBe(cell.family);
        if (cell.zero === "yes" && c.csumStart < n) expect([0, 0xffff], name).toContain(slowSum(c));
        const end = c.csumStart + c.csumOffset + 2;
        const least = c.route === "tap" ? 20 : 0;
        const inside = c.csumStart >= least && end <= n;
        if (cell.bound === "offset-last") expect(end, name).toBe(n);
        if (cell.bound === "offset-last+1") expect(end, name).toBe(n + 1);
        if (cell.bound === "start-before") expect(c.csumStart, name).toBeLessThan(0);
        if (cell.bound === "start-below")
          expect([c.csumStart < 20, c.csumStart > 11], name).toEqual([true, true]);
        if (BOUNDS[cell.bound].refused) expect(inside, name).toBe(false);
        else if (cell.truncated === "no") expect(inside, name).toBe(true);
        const { frags, fragList } = c.layout;
        expect(
          [...frags, ...fragList].reduce((sum, piece) => sum + piece, 0),
          name,
        ).toBeLessThanOrEqual(n);
      }
  });
});
