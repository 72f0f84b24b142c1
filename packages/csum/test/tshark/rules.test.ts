import { expect, test } from "vitest";
import { RULES } from "./rules.ts";

test("at most 10 rules, each with its proof", () => {
  expect(RULES.length).toBeLessThanOrEqual(10);
  expect(new Set(RULES.map((rule) => rule.name)).size).toBe(RULES.length);
  for (const { protocol, condition, verdicts, proof } of RULES) {
    expect(verdicts.every(([ours, theirs]) => ours !== theirs)).toBe(true);
    expect(protocol).not.toBe("");
    expect(condition).not.toBe("");
    if (proof.kind === "rfc") {
      expect(proof.where).toMatch(/RFC \d+/);
      expect(proof.sentence.length).toBeGreaterThan(40);
    } else {
      expect(proof.version).toMatch(/^\d+\.\d+/);
      expect(proof.reception.length).toBeGreaterThan(40);
    }
  }
});
