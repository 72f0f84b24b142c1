import { expect, test } from "vitest";
import { checkPacket } from "../../src/index.ts";
import { CASES } from "./cases.ts";

test.each(CASES)("$name", ({ frame, linkType = 1, wireLength, expect: want }) => {
  const layers = checkPacket(frame, { linkType, ...(wireLength !== undefined && { wireLength }) });
  expect(layers.map((l) => `${l.layer}:${l.verdict}${l.reason ? `(${l.reason})` : ""}`).join(" ")).toBe(want);
});
