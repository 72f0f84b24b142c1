/** Parsers as eBPF: what can be seen without a kernel. Whether they are right, the live tests say. */
import { describe, expect, test } from "vitest";
import {
  canonicalCpr,
  compileFlowDissector,
  compileXdp,
  decodeInsns,
  flowKeysFields,
  Interpreter,
  IR_KIND,
  orThrow,
  PARSER_FUNCTION,
  readImage,
  SHIPPED_PARSERS,
  shippedParser,
  TARGET,
  toFlowKeys,
  writeImage,
} from "../../src/index.ts";
import { allPackets, haveCaptures } from "../helpers/captures.ts";
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
  // a value that has no number in the struct, named with its node
  const fields = flowKeysFields(SHIPPED_PARSERS["five-tuple"])!;
  const family = { ...fields[0]!, values: new Map([[4, 0x800]]) };
  const other = compileFlowDissector(shippedParser("five-tuple"), [family, ...fields.slice(1)]);
  expect(other.ok ? "" : other.diagnostics[0]!.message).toBe("node ipv6: 6 is no value of addr_proto");
});

/** Members by hand, out of what the graph writes from the frame's start: not by the declarations. */
const BY_HAND: Readonly<Record<string, (m: Uint8Array) => readonly (readonly [at: number, hex: string])[]>> =
  {
    "five-tuple": (m) => [
      [4, m[0] === 4 ? "0008" : m[0] === 6 ? "dd86" : "0000"],
      [9, hex(m.subarray(1, 2))],
      [12, hex(m.subarray(4, 8))],
      [16, m[0] === 4 ? hex(m.subarray(8, 12)) + hex(m.subarray(24, 28)) : hex(m.subarray(8, 40))],
    ],
    ports: (m) => [
      [12, hex(m.subarray(8, 12))],
      [16, hex(m.subarray(0, 8))],
    ],
    big: (m) => [
      [6, `0${m[1]! & 1}`],
      [7, `0${(m[1]! >> 1) & 1}`],
      [9, hex(m.subarray(138, 139))],
      [12, hex(m.subarray(156, 160))],
      [52, hex(m.subarray(140, 144).slice().reverse())],
      // a label of MPLS lies where no member is; addresses of both families share their place
      [16, m[0] === 1 ? hex(m.subarray(164, 172)) : m[0] === 2 ? hex(m.subarray(164, 196)) : ""],
    ],
  };
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test.runIf(haveCaptures).each(Object.keys(BY_HAND))(
  "%s as bpf_flow_keys, held to members by hand",
  (name) => {
    const of = shippedParser(name as "ports");
    const mapped = orThrow(toFlowKeys(of, flowKeysFields(SHIPPED_PARSERS[name as "ports"])));
    const [whole, keys] = [new Interpreter(of), new Interpreter(mapped)];
    let seen = 0;
    for (const packet of allPackets()) {
      if (packet.length < 14) continue;
      whole.clear();
      keys.clear();
      whole.run(packet);
      keys.keys[1] = (packet[12]! << 8) | packet[13]!;
      keys.run(packet, packet.length, 14);
      expect(keys.code).toBe(whole.code);
      // of several frames the struct holds the last that wrote a member
      if (whole.encaps > 0) continue;
      for (const [at, text] of BY_HAND[name]!(whole.metadata)) {
        expect(hex(keys.metadata.subarray(at, at + text.length / 2)), `${hex(packet)} at ${at}`).toBe(text);
        if (/[1-9a-f]/.test(text)) seen++;
      }
    }
    expect(seen).toBeGreaterThan(500);
  },
);

test("rare constructs compile", () => {
  for (const of of Object.values(RARE_PARSERS)) expect(compileXdp(of).ok).toBe(true);
});
