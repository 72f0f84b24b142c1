/** The shipped parsers' identities are pinned: a change is a change of program. */
import { readFileSync } from "node:fs";
import { formatCpr, hashParser, readCpr, SHIPPED_PARSERS, shippedParser } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";

const PINNED: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(new URL("../../programs/HASHES.json", import.meta.url), "utf8"),
);

describe.each(Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[])("%s", (name) => {
  test("has its pinned hash", () => {
    expect(hashParser(shippedParser(name)).sha256).toBe(PINNED[name]);
  });

  test("is written as `cpr fmt` writes it", () => {
    const text = readFileSync(new URL(`../../programs/${name}.json`, import.meta.url), "utf8");
    const file = readCpr(text);
    expect(file.ok && file.value.diagnostics).toEqual([]);
    if (file.ok) expect(formatCpr(file.value.document)).toBe(text);
    // as it was imported, with hexadecimal strings for numbers
    expect(formatCpr(SHIPPED_PARSERS[name])).toBe(text);
  });
});
