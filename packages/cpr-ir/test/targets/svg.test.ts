/** The picture of a parser: well-formed, every node and key in it, names made harmless. */
import { drawParser, orThrow, parser, SHIPPED_PARSERS, shippedParser } from "@netoffload/cpr-ir";
import { expect, test } from "vitest";

/** Elements open and close in order; attributes are quoted. */
function wellFormed(svg: string): boolean {
  const open: string[] = [];
  for (const [, close, name, rest] of svg.matchAll(/<(\/?)([a-z]+)((?:\s[\w:-]+="[^"<>]*")*\s*\/?)>/g))
    if (close === "/") {
      if (open.pop() !== name) return false;
    } else if (!rest!.endsWith("/")) open.push(name!);
  return open.length === 0 && !/<(?![/a-z])/.test(svg);
}

test.each(Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[])("%s", (name) => {
  const of = shippedParser(name);
  const svg = drawParser(of);
  expect(wellFormed(svg)).toBe(true);
  for (const n of of.nodes) expect(svg).toContain(`>${n.name}</text>`);
  expect(svg.match(/<g>/g)).toHaveLength(of.nodes.length);
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});

test("names from strangers cannot leave their text", () => {
  const of = orThrow(parser('<script>"&').node("</svg><b>", { "min-hdr-length": 0 }).build());
  const svg = drawParser(of);
  expect(wellFormed(svg)).toBe(true);
  expect(svg).not.toContain("<script>");
});
