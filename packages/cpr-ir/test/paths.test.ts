/** The generator of test packets: every edge, every code. */
import { readFileSync } from "node:fs";
import {
  CODE,
  diffParsers,
  field,
  generateCases,
  Interpreter,
  orThrow,
  parser,
  parserOf,
  SHIPPED_PARSERS,
  shippedParser,
  when,
} from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";

const NAMES = Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[];

describe.each(NAMES)("%s", (name) => {
  const shipped = shippedParser(name);
  const generated = generateCases(shipped);

  test("every edge is walked", () => {
    expect(generated.uncovered).toEqual([]);
    expect(generated.paths).toBeGreaterThan(20);
  });

  test("every code that its document names is reached", () => {
    const codes = new Set<number>();
    const run = new Interpreter(shipped);
    for (const c of generated.cases) {
      run.clear();
      run.keys.set(c.keys);
      codes.add(run.run(c.packet));
    }
    const named = new Set(shipped.nodes.flatMap((n) => [...n.preChecks, ...n.condExprs].map((c) => c.fail)));
    for (const code of [...named, CODE.STOP_OKAY, CODE.STOP_LENGTH]) expect(codes).toContain(code);
  });

  test.runIf(generated.cases.length < 10_000)("the same seed gives the same cases", () => {
    expect(generateCases(shipped).cases.length).toBe(generated.cases.length);
    expect(generateCases(shipped).cases.at(-1)).toEqual(generated.cases.at(-1));
  });
});

describe("diff", () => {
  const tiny = (value: number) =>
    orThrow(
      parser("p")
        .node("a", {
          "min-hdr-length": 2,
          "pre-checks": {
            ents: [{ "default-fail": "stop_fail", ents: [when("equal", field(0, 1), value)] }],
          },
        })
        .build(),
    );

  test("gives a packet that tells two parsers apart", () => {
    const d = diffParsers(tiny(7), tiny(8));
    expect(d.kind).toBe("different");
    if (d.kind === "different") expect([7, 8]).toContain(d.at.packet[0]);
  });

  test("proves a parser and its canonical form equal", () => {
    const text = readFileSync(new URL("../programs/ports.json", import.meta.url), "utf8");
    const again = orThrow(parserOf(JSON.parse(text)));
    expect(diffParsers(shippedParser("ports"), again)).toEqual({ kind: "equal" });
  });
});
