import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { LAYERS, REASONS, STOPS, VERDICTS } from "../../src/index.ts";

const source = readFileSync(new URL("../../check/codes.ts", import.meta.url), "utf8");

/** Constants of the walker whose names begin with `prefix`, or are listed, by number. */
function numbers(pattern: RegExp): string[] {
  const names: string[] = [];
  for (const [, name, value] of source.matchAll(pattern)) names[Number(value)] = name!.toLowerCase();
  return names;
}

test("the walker and its typed face agree on every number", () => {
  expect(numbers(/KIND_(\w+): u32 = (\d+)/g)).toEqual(Object.assign([], LAYERS.slice(), { 0: undefined }));
  expect(numbers(/const (OK|BAD|PARTIAL|ABSENT|UNVERIFIABLE): u32 = (\d+)/g)).toEqual(VERDICTS);
  const reasons = numbers(
    /const (NO_REASON|TRUNCATED|FRAGMENT|MALFORMED|LENGTH_BEYOND_PACKET|UNKNOWN_DESTINATION|QUOTED|FRAGMENT_OVERLAP|INNER_PARTIAL): u32 = (\d+)/g,
  );
  expect(reasons.map((name) => name.replace(/^truncated$/, "truncated_by_capture"))).toEqual(
    REASONS.map((name) => name ?? "no_reason"),
  );
  const stops = numbers(/STOP_(\w+): u32 = (\d+)/g);
  expect(
    stops.map((name) =>
      name.replace(/^truncated$/, "truncated_by_capture").replace(/^link_type$/, "unknown_link_type"),
    ),
  ).toEqual(STOPS);
});
