/** Parsers as eBPF: what can be seen without a kernel. Whether they are right, the live tests say. */
import { describe, expect, test } from "vitest";
import {
  canonicalCpr,
  compileFlowDissector,
  compileXdp,
  decodeInsns,
  IR_KIND,
  orThrow,
  PARSER_FUNCTION,
  readImage,
  SHIPPED_PARSERS,
  shippedParser,
  TARGET,
  writeImage,
} from "../../src/index.ts";
import { RARE_PARSERS } from "../helpers/parsers.ts";

const NAMES = Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[];

describe("images", () => {
  test.each(NAMES)("%s as XDP: text, relocations and labels come back", (name) => {
    const of = shippedParser(name);
    const compiled = orThrow(compileXdp(of));
    const image = writeImage({
      programs: [
        {
          ...compiled,
          name: "parser",
          functionNumber: PARSER_FUNCTION,
          irKind: IR_KIND.cpr,
          ir: canonicalCpr(of),
          target: TARGET.xdp,
        },
      ],
    });
    const [program] = orThrow(readImage(image)).programs;
    expect(program!.text).toEqual(compiled.text);
    expect(program!.relocations).toEqual(compiled.relocations);
    expect(program!.labels).toEqual(compiled.labels);
    expect(program!.resources).toMatchObject(compiled.resources);
    expect(program!.functions).toHaveLength(1);
    // every node that can be reached has code of its own
    const named = new Set(compiled.labels.map((l) => l.name));
    expect(named).toContain(of.nodes[of.root]!.name);
    expect(orThrow(decodeInsns(program!.text, true)).length).toBeGreaterThan(50);
  });

  test("the flow dissector has no map", () => {
    const compiled = orThrow(compileFlowDissector(shippedParser("flow-dissector")));
    expect(compiled.relocations).toEqual([]);
    expect(compiled.resources).toMatchObject({ memory: 0, metadata_bytes: 56 });
  });
});

test("metadata that is not said to be bpf_flow_keys is refused", () => {
  const refused = compileFlowDissector(shippedParser("ports"));
  expect(refused.ok).toBe(false);
  if (!refused.ok) expect(refused.diagnostics[0]!.message).toMatch(/ports: .* must be declared/);
});

test("rare constructs compile", () => {
  for (const of of Object.values(RARE_PARSERS)) expect(compileXdp(of).ok).toBe(true);
});
