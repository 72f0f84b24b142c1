/** A bundle that carries a parser: its graph as hashed, its program for the device's engine. */
import {
  CANONICAL_PREFIX,
  canonicalCpr,
  compileTcam,
  hashParser,
  Interpreter,
  IR_KIND,
  orThrow,
  PARSER_FUNCTION,
  readImage,
  shippedParser,
  TARGET,
  writeImage,
} from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { seedPackets } from "../../../cpr-ir/test/helpers/seeds.ts";
import { TcamEngine } from "../../src/index.ts";

const parser = shippedParser("five-tuple");
const compiled = orThrow(compileTcam(parser));
const program = {
  name: "parser",
  functionNumber: PARSER_FUNCTION,
  target: TARGET.tcam,
  irKind: IR_KIND.cpr,
  ir: canonicalCpr(parser),
  text: compiled.text,
  resources: compiled.resources,
};
const image = writeImage({ programs: [program] });

describe("an image with a tcam parser", () => {
  test("comes back with the parser's hash and resources, and its text runs", () => {
    const [read] = orThrow(readImage(image)).programs;
    expect(read).toMatchObject({ name: "parser", functionNumber: 15, target: 4, irKind: 1 });
    expect(read!.sha256).toBe(hashParser(parser).sha256);
    expect(read!.resources).toMatchObject({ metadata_bytes: 40, states: compiled.report.total.states });
    const engine = orThrow(TcamEngine.load(read!.text));
    const interp = new Interpreter(parser);
    for (const packet of seedPackets()) {
      interp.clear();
      engine.clear();
      expect(engine.run(packet)).toBe(interp.run(packet));
      expect(engine.metadata).toEqual(interp.metadata);
    }
  });

  test("truncated anywhere, or with any byte changed, it is refused", () => {
    for (let n = 0; n < image.length; n += 7)
      expect(readImage(image.slice(0, n)).ok, `${n} bytes`).toBe(false);
    for (let at = 0; at < image.length; at += 7) {
      const bad = image.slice();
      bad[at]! ^= 0x10;
      expect(readImage(bad).ok, `byte ${at}`).toBe(false);
    }
  });

  const text = new TextDecoder().decode(program.ir);
  const refused: [string, Uint8Array | string, number, RegExp][] = [
    ["no prefix", text.slice(CANONICAL_PREFIX.length), 15, /^invalid parser: .*canonical/],
    ["a blank more", `${text} `, 15, /^invalid parser: .*canonical/],
    ["no JSON", `${CANONICAL_PREFIX}{`, 15, /^invalid parser: /],
    ["another function", program.ir, 3, /^invalid parser: function number 3; a parser's is 15/],
  ];
  test.each(refused)("a graph that is not what was hashed: %s", (_name, ir, functionNumber, message) => {
    const bytes = typeof ir === "string" ? new TextEncoder().encode(ir) : ir;
    const result = readImage(writeImage({ programs: [{ ...program, ir: bytes, functionNumber }] }));
    expect(result).toMatchObject({ ok: false, diagnostics: [{ check: 10, errno: "EINVAL" }] });
    if (!result.ok) expect(result.diagnostics[0]!.message).toMatch(message);
  });
});
