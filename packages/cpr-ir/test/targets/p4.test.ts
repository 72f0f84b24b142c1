import { describe, expect, test } from "vitest";
import { orThrow } from "../../src/diagnostics.ts";
import { Interpreter } from "../../src/interp/run.ts";
import { field, parser } from "../../src/ir/build.ts";
import { codeName } from "../../src/ir/codes.ts";
import type { Parser } from "../../src/ir/types.ts";
import { parserOf } from "../../src/json/load.ts";
import { generateCases } from "../../src/paths/generate.ts";
import { SHIPPED_PARSERS, shippedParser } from "../../src/programs.ts";
import { compileP4 } from "../../src/targets/p4/compile.ts";
import { allPackets, haveCaptures } from "../helpers/captures.ts";
import { RARE_PARSERS } from "../helpers/parsers.ts";
import { mutate, Random } from "../helpers/random.ts";
import { seedPackets } from "../helpers/seeds.ts";
import { Told } from "../helpers/trace.ts";
import { P4Parser } from "../ref/p4/exec.ts";
import { parseP4 } from "../ref/p4/parse.ts";

interface Case {
  readonly packet: Uint8Array;
  readonly keys: Uint32Array;
}

/** The emitted text, read back and run, beside the interpreter. */
class Compare {
  readonly #p4: P4Parser;
  readonly #run: Interpreter;
  readonly #start: number;
  readonly #metadata: Uint8Array;
  compared = 0;

  constructor(parser: Parser, text: string, start = 0) {
    this.#p4 = new P4Parser(parseP4(text));
    this.#run = new Interpreter(parser);
    this.#start = start;
    this.#metadata = new Uint8Array(this.#run.metadata.length);
  }

  /** What differs, or null. */
  difference({ packet, keys }: Case): string | null {
    const run = this.#run;
    const p4 = this.#p4;
    run.clear();
    run.keys.set(keys);
    run.run(packet, packet.length, this.#start);
    const result = p4.run(packet, Object.fromEntries([...keys].map((k, i) => [`key${i}`, k])));
    this.compared++;
    const { parser } = run;
    this.#metadata.fill(0);
    p4.bytes("metameta", this.#metadata.subarray(0, parser.metametaSize));
    for (let i = 0; i < parser.frames; i++) {
      const from = parser.metametaSize + i * parser.frameSize;
      p4.bytes(`frame${i}`, this.#metadata.subarray(from, from + parser.frameSize));
    }
    const okay = run.code > -12;
    const error = okay ? "NoError" : errorOf(run.code);
    if (
      p4.number("code") === run.code &&
      p4.number("last") === run.lastNode &&
      p4.number("encaps") === run.encaps &&
      p4.number("nodes") === run.nodes &&
      result.accepted === okay &&
      result.error === error &&
      run.keys.every((k, i) => p4.number(`key${i}`) === k) &&
      Buffer.compare(this.#metadata, run.metadata) === 0
    )
      return null;
    const told = ["code", "last", "encaps", "nodes", ...[...run.keys].map((_, i) => `key${i}`)];
    return (
      `${Buffer.from(packet).toString("hex")} keys ${keys}\n` +
      `p4          ${told.map((n) => `${n} ${p4.number(n)}`).join(" ")} ${result.error} ${Buffer.from(this.#metadata).toString("hex")}\n` +
      `interpreter code ${run.code} last ${run.lastNode} encaps ${run.encaps} nodes ${run.nodes} keys ${run.keys} ${error} ${Buffer.from(run.metadata).toString("hex")}`
    );
  }

  add(c: Case): void {
    const found = this.difference(c);
    if (found !== null) throw new Error(found);
  }
}

/** STOP_MAX_NODES: StopMaxNodes. */
function errorOf(code: number): string {
  return codeName(code)
    .split("_")
    .map((w) => w[0] + w.slice(1).toLowerCase())
    .join("");
}

const seed = Date.now() & 0xffffff;
const NAMES = Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[];
/** A parser of a document: which one where it is not the first. */
interface Shipped {
  readonly title: string;
  readonly name: keyof typeof SHIPPED_PARSERS;
  readonly which?: string;
}
const SHIPPED: readonly Shipped[] = [
  ...NAMES.map((name) => ({ title: name, name })),
  { title: "big_ip", name: "big", which: "big_ip" },
];
const textOf = (of: Parser, name: keyof typeof SHIPPED_PARSERS, start = 0): string =>
  orThrow(compileP4(of, { layout: SHIPPED_PARSERS[name]["metadata-layout"], start }));

/** Inputs as the flow dissector takes them: flags, and the frame's type where it starts behind Ethernet. */
function inputs(of: Parser, packet: Uint8Array, flags: number): Case {
  const keys = new Uint32Array(of.numKeys);
  if (of.numKeys > 0) {
    keys[0] = flags;
    keys[1] = packet.length < 14 ? 0x800 : (packet[12]! << 8) | packet[13]!;
  }
  return { packet, keys };
}

describe.each(SHIPPED)("$title", ({ name, which }) => {
  const of = shippedParser(name, which);
  const start = of.numKeys > 0 ? 14 : 0;

  test("path packets and their neighbours", () => {
    const compare = new Compare(of, textOf(of, name));
    const { cases, paths } = generateCases(of);
    // big_ip is big without its first header: of the neighbours every fourth
    const stride = which === undefined ? 1 : 4;
    for (const [i, c] of cases.entries()) if (i < paths || i % stride === 0) compare.add(c);
    expect(compare.compared).toBeGreaterThan(400);
  });

  test.runIf(haveCaptures)("every packet of every capture", () => {
    const compare = new Compare(of, textOf(of, name, start), start);
    for (const packet of allPackets()) compare.add(inputs(of, packet, 0));
    expect(compare.compared).toBeGreaterThan(1000);
  });

  test(`random and mutated packets, seed ${seed}`, () => {
    const random = new Random(seed);
    const seeds = seedPackets();
    const compare = new Compare(of, textOf(of, name, start), start);
    const rounds = Number(process.env.CPR_ROUNDS ?? 4000);
    for (let i = 0; i < rounds; i++) {
      const packet =
        i % 8 === 0 ? random.bytes(random.below(120)) : mutate(seeds[random.below(seeds.length)]!, random);
      compare.add(inputs(of, packet, random.below(16)));
    }
  });
});

test.each(Object.entries(RARE_PARSERS))("%s", (_, of) => {
  const random = new Random(seed);
  const compare = new Compare(of, orThrow(compileP4(of)));
  for (const c of generateCases(of).cases) compare.add(c);
  for (let i = 0; i < 4000; i++) {
    // small bytes: types, lengths and counts that mean something
    const packet = random.bytes(random.below(48)).map((b) => (random.below(3) === 0 ? b : b % 8));
    compare.add({ packet, keys: Uint32Array.from({ length: of.numKeys }, () => random.below(8)) });
  }
});

/** Single changes of the parser's states: a number, an operator, a target. */
function mutants(text: string): { line: string; text: string }[] {
  const out: { line: string; text: string }[] = [];
  const body = text.indexOf("    state start");
  const swap: Readonly<Record<string, string>> = {
    "==": "!=",
    "<": "<=",
    ">": ">=",
    "+": "-",
    "<<": ">>",
    "&": "|",
  };
  const change = (at: number, length: number, by: string): void => {
    const line = text.slice(text.lastIndexOf("\n", at) + 1, text.indexOf("\n", at)).trim();
    out.push({ line: `${line} -> ${by}`, text: text.slice(0, at) + by + text.slice(at + length) });
  };
  for (const m of text.matchAll(/(?<![\w[])(?:0x[0-9a-f]+|\d+)\b/g))
    if (m.index > body) change(m.index, m[0].length, String(Number(m[0]) + 1));
  for (const m of text.matchAll(/ (==|<<|<|>|\+|&) /g))
    if (m.index > body) change(m.index + 1, m[1]!.length, swap[m[1]!]!);
  for (const m of text.matchAll(/(?:transition |: )(?!select)(\w+);/g))
    if (m.index > body)
      change(m.index + m[0].length - 1 - m[1]!.length, m[1]!.length, m[1] === "accept" ? "reject" : "accept");
  return out;
}

test.each(["ports", "five-tuple"] as const)("a single change of the text of %s is found", (name) => {
  const of = shippedParser(name);
  const { cases } = generateCases(of);
  const all = mutants(textOf(of, name));
  expect(all.length).toBeGreaterThanOrEqual(100);
  expect(all.filter((m) => !SAME.test(m.line) && !noticed(of, m.text, cases)).map((m) => m.line)).toEqual([]);
});

/**
 * Changes that can mean the same, and are not asked for: how far was consumed where the next state sets it
 * anew, constant lengths of leaves, what is zeroed and set again on every way, a node limit that a counter's
 * comes before, a mask's bit that is shifted out, an exit without metadata, the transition behind the
 * `verify` of every code.
 */
const SAME =
  /^(pos = |len = \d+;|meta\.(code|last) = 0;|16: stop_max_nodes;|len = .* & 0xf0\) >> 4.* -> 241|transition finish_okay|transition reject)/;

/** No program any more, or another one. */
function noticed(of: Parser, text: string, cases: readonly Case[]): boolean {
  try {
    const compare = new Compare(of, text);
    return cases.some((c) => compare.difference(c) !== null);
  } catch {
    return true;
  }
}

const fixture = (build: (p: ReturnType<typeof parser>) => ReturnType<typeof parser>, options = {}): Parser =>
  orThrow(build(parser("x", { "max-frames": 1, "metameta-size": 16, "frame-size": 0, ...options })).build());
const list = { "tlv-type": field(0, 1), "tlv-length": field(1, 1) };

/** Lists inside lists, each TLV of one level holding all of the next. */
function nested(levels: number, width: number): Parser {
  const nodes = Array.from({ length: levels }, (_, level) =>
    Array.from({ length: width }, (_, i) => ({
      name: `t${level}_${i}`,
      "min-hdr-length": 2,
      ...(level + 1 === levels
        ? {}
        : {
            "nested-node": {
              ...list,
              ents: Array.from({ length: width }, (_, k) => ({ key: k, node: `t${level + 1}_${k}` })),
            },
          }),
    })),
  );
  return orThrow(
    parserOf({
      cpr: 1,
      parsers: [{ name: "x", "root-node": "a" }],
      "parse-nodes": [
        {
          name: "a",
          "min-hdr-length": 2,
          "hdr-length": "rest",
          "tlv-parse-node": { ...list, ents: nodes[0]!.map((n, key) => ({ key, node: n.name })) },
        },
      ],
      "tlv-nodes": nodes.flat(),
    }),
  );
}

test.each<[string, string, Parser]>([
  [
    "p4.overlay-body",
    "node a: an overlay with a tlvs body",
    fixture((p) =>
      p
        .node("a", {
          "min-hdr-length": 2,
          overlay: true,
          "tlv-parse-node": { ...list, ents: [] },
          "next-node": "b",
        })
        .node("b", { "min-hdr-length": 2 }),
    ),
  ],
  [
    "p4.nested-overlay",
    "TLV a_1: an overlay behind nested TLVs",
    fixture((p) =>
      p.node("a", {
        "min-hdr-length": 2,
        "hdr-length": "rest",
        "tlv-parse-node": {
          ...list,
          ents: [
            {
              key: 1,
              node: {
                name: "a_1",
                "min-hdr-length": 3,
                "nested-node": { ...list, ents: [] },
                "overlay-node": { ...field(2, 1), ents: [{ key: 1, node: { name: "a_2" } }] },
              },
            },
          ],
        },
      }),
    ),
  ],
  [
    "p4.frames",
    "33 frames",
    fixture((p) => p.node("a", { "min-hdr-length": 1 }), { "max-frames": 33, "frame-size": 4 }),
  ],
  [
    "p4.elements",
    "counter c: an array of 65 elements",
    fixture(
      (p) =>
        p.counter("c", { "num-elements": 65, "element-size": 1 }).node("a", {
          "min-hdr-length": 1,
          metadata: { ents: [{ "hdr-src-off": 0, "md-off": 0, length: 1, index: "c" }] },
        }),
      { "metameta-size": 80 },
    ),
  ],
  ["p4.states", "TLVs nested in more than 16384 ways", nested(8, 12)],
  [
    "p4.handler",
    "handler f: what the C function does",
    fixture((p) => p.node("a", { "min-hdr-length": 1, handler: "f" })),
  ],
])("%s is refused by name", (code, message, of) => {
  const result = compileP4(of);
  expect(result.ok).toBe(false);
  if (result.ok) return;
  expect(result.diagnostics).toHaveLength(1);
  expect(result.diagnostics[0]!.code).toBe(code);
  expect(result.diagnostics[0]!.message).toContain(message);
  expect(result.diagnostics[0]!.suggestion).toBeDefined();
});

describe("debug mode: the interpreter's trace, line for line", () => {
  test.each([
    ...SHIPPED.map(({ title, name, which }): [string, Parser] => [title, shippedParser(name, which)]),
    ...Object.entries(RARE_PARSERS),
  ])("%s", (_, of) => {
    const p4 = new P4Parser(parseP4(orThrow(compileP4(of, { trace: true }))));
    const run = new Interpreter(of);
    const told = new Told();
    run.trace = told;
    const random = new Random(seed);
    let lines = 0;
    const { cases } = generateCases(of);
    const packets = cases.slice(0, 500);
    for (let i = 0; i < 200; i++) {
      const c = cases[random.below(cases.length)]!;
      packets.push({ ...c, packet: mutate(c.packet, random) });
    }
    for (const { packet, keys } of packets) {
      told.clear();
      run.clear();
      run.keys.set(keys);
      run.run(packet);
      p4.run(packet, Object.fromEntries([...keys].map((k, i) => [`key${i}`, k])));
      expect(p4.log, Buffer.from(packet).toString("hex")).toEqual(told.lines);
      lines += told.lines.length;
      expect(p4.log.flatMap((line, i) => outside(of, line, p4.assigned[i]!))).toEqual([]);
    }
    expect(lines).toBeGreaterThan(100);
  });

  test("without it nothing is told", () => {
    for (const name of NAMES) expect(textOf(shippedParser(name), name)).not.toContain("log_msg");
  });
});

/** Bytes that were assigned to before a line of the log and are not those that it tells. */
function outside(of: Parser, line: string, assigned: P4Parser["assigned"][number]): unknown[] {
  const [what, at, len] = line.split(" ");
  if (what !== "write") return [...assigned];
  const first = Number(at) < of.metametaSize ? Number(at) : (Number(at) - of.metametaSize) % of.frameSize;
  const beyond = assigned.filter((r) => r.off < first || r.off + r.len > first + Number(len));
  return assigned.length === 0 ? ["nothing was assigned"] : beyond;
}
