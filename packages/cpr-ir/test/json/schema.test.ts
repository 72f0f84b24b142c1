/** The published schema: made from the shapes, and accepting what the reader accepts. */
import { readFileSync } from "node:fs";
import { canonicalText, jsonSchema, SHIPPED_PARSERS, shippedParser } from "@netoffload/cpr-ir";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";

const validate = new Ajv2020({ strict: false, allErrors: true }).compile(jsonSchema());

test("the published file is the one the shapes give", () => {
  const file = readFileSync(new URL("../../schema/cpr-1.schema.json", import.meta.url), "utf8");
  expect(JSON.parse(file)).toEqual(jsonSchema());
});

test.each(Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[])(
  "%s and its canonical form are valid",
  (name) => {
    expect(validate(SHIPPED_PARSERS[name]), JSON.stringify(validate.errors)).toBe(true);
    expect(validate(JSON.parse(canonicalText(shippedParser(name))))).toBe(true);
  },
);

test("what the reader refuses is invalid too", () => {
  const document = structuredClone(SHIPPED_PARSERS.ports) as unknown as Record<string, never[]>;
  expect(validate({ ...document, cpr: 2 })).toBe(false);
  expect(validate({ ...document, extra: 1 })).toBe(false);
  expect(validate({ cpr: 1 })).toBe(false);
  expect(validate({ ...document, "parse-nodes": [{ name: "a", "min-hdr-length": -1 }] })).toBe(false);
});
