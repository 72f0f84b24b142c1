/** The wasm target against the interpreter: code, last node, encapsulations, nodes, metadata byte for byte. */
import {
  CODE,
  generateCases,
  Interpreter,
  orThrow,
  type Parser,
  parserOf,
  SHIPPED_PARSERS,
  shippedParser,
  WasmParser,
} from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { allPackets, haveCaptures } from "../helpers/captures.ts";
import { RARE_PARSERS } from "../helpers/parsers.ts";
import { mutate, Random } from "../helpers/random.ts";
import { seedPackets } from "../helpers/seeds.ts";
import { firstDifference, Told } from "../helpers/trace.ts";

interface Case {
  readonly packet: Uint8Array;
  readonly keys: Uint32Array;
  readonly start?: number;
}

/** Packets in batches through both; the first difference is an error that shows the packet. */
class Compare {
  readonly #wasm: WasmParser;
  readonly #interpreter: Interpreter;
  #batch: Case[] = [];
  /** Records of a trace; 0: no debug mode. */
  readonly #trace: number;
  compared = 0;

  constructor(of: Parser, judge: Parser = of, trace = 0) {
    this.#trace = trace;
    this.#wasm = orThrow(WasmParser.create(of, trace > 0 ? 64 : 512, 8 << 20, trace));
    this.#interpreter = new Interpreter(judge);
  }

  add(c: Case): void {
    if (this.#batch.length === 0) this.#wasm.reset();
    if (!this.#wasm.add(c.packet, c.keys, c.start ?? 0)) {
      this.flush();
      this.add(c);
      return;
    }
    this.#batch.push(c);
  }

  flush(): void {
    this.#wasm.fill(0xa5);
    this.#wasm.run();
    const run = this.#interpreter;
    for (const [i, c] of this.#batch.entries()) {
      run.metadata.fill(0xa5);
      run.keys.set(c.keys);
      const told = new Told();
      run.trace = this.#trace > 0 ? told : null;
      run.run(c.packet, c.packet.length, c.start ?? 0);
      if (this.#trace > 0) this.#traces(i, c, told);
      const o = this.#wasm.outcome(i);
      if (
        o.code !== run.code ||
        o.lastNode !== run.lastNode ||
        o.encaps !== run.encaps ||
        o.nodes !== run.nodes ||
        Buffer.compare(this.#wasm.metadata(i), run.metadata) !== 0
      )
        throw new Error(
          `${Buffer.from(c.packet).toString("hex")} keys ${c.keys} start ${c.start ?? 0}:\n` +
            `wasm ${JSON.stringify(o)} ${Buffer.from(this.#wasm.metadata(i)).toString("hex")}\n` +
            `interpreter ${run.code} ${run.lastNode} ${run.encaps} ${run.nodes} ${Buffer.from(run.metadata).toString("hex")}`,
        );
    }
    this.compared += this.#batch.length;
    this.#batch = [];
    this.#wasm.reset();
  }

  #traces(i: number, c: Case, expected: Told): void {
    const told = new Told();
    const made = this.#wasm.trace(i, told);
    const where = firstDifference(told, expected);
    if (where === null && made === expected.lines.length) return;
    throw new Error(
      `${Buffer.from(c.packet).toString("hex")}: trace of ${made} records, interpreter ${expected.lines.length}; ${where}`,
    );
  }
}

const seed = Date.now() & 0xffffff;
const NAMES = Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[];

/** Inputs as the flow dissector takes them: flags, and the frame's type where it starts behind Ethernet. */
function inputs(of: Parser, packet: Uint8Array, flags: number): Case {
  const keys = new Uint32Array(of.numKeys);
  if (of.numKeys === 0 || packet.length < 14) return { packet, keys };
  keys[0] = flags;
  keys[1] = (packet[12]! << 8) | packet[13]!;
  return { packet, keys, start: 14 };
}

describe.each(NAMES)("%s", (name) => {
  const of = shippedParser(name);

  test("path packets and their neighbours", () => {
    const compare = new Compare(of);
    for (const c of generateCases(of).cases) compare.add(c);
    compare.flush();
    expect(compare.compared).toBeGreaterThan(500);
  });

  test.runIf(haveCaptures)("every packet of every capture", () => {
    const compare = new Compare(of);
    for (const packet of allPackets()) compare.add(inputs(of, packet, 0));
    compare.flush();
  });

  test(`random and mutated packets, seed ${seed}`, () => {
    const random = new Random(seed);
    const seeds = seedPackets();
    const compare = new Compare(of);
    // a million over all parsers and runs of `test:long`; here as many as a short run allows
    const rounds = Number(process.env.CPR_ROUNDS ?? 40_000);
    for (let i = 0; i < rounds; i++) {
      const packet =
        i % 8 === 0 ? random.bytes(random.below(120)) : mutate(seeds[random.below(seeds.length)]!, random);
      compare.add(inputs(of, packet, random.below(16)));
    }
    compare.flush();
  });
});

test("a target that differs in one key is caught", () => {
  const changed = structuredClone(SHIPPED_PARSERS.ports);
  changed["parse-nodes"][1]!["next-proto"]!.ents![1]!.key = 18;
  const compare = new Compare(orThrow(parserOf(changed)), shippedParser("ports"));
  expect(() => {
    for (const c of generateCases(shippedParser("ports")).cases) compare.add(c);
    compare.flush();
  }).toThrow(/interpreter/);
});

describe("constructs that the shipped parsers do not use", () => {
  test.each(Object.entries(RARE_PARSERS))("%s", (_, of) => {
    const random = new Random(seed);
    const compare = new Compare(of);
    const codes = new Set<number>();
    const run = new Interpreter(of);
    const { cases } = generateCases(of);
    for (const c of cases) {
      compare.add(c);
      run.run(c.packet);
      codes.add(run.code);
    }
    for (let i = 0; i < 20_000; i++) {
      // small bytes: types, lengths and counts that mean something
      const packet = random.bytes(random.below(48)).map((b) => (random.below(3) === 0 ? b : b % 8));
      compare.add({ packet, keys: Uint32Array.from({ length: of.numKeys }, () => random.below(8)) });
    }
    compare.flush();
    expect(codes.size).toBeGreaterThan(1);
    expect(codes).toContain(CODE.STOP_OKAY);
  });
});

describe("debug mode: the interpreter's trace, record for record", () => {
  test.each([...NAMES.map((n): [string, Parser] => [n, shippedParser(n)]), ...Object.entries(RARE_PARSERS)])(
    "%s",
    (_, of) => {
      const random = new Random(seed);
      const compare = new Compare(of, of, 8192);
      const { cases } = generateCases(of);
      for (const c of cases) compare.add(c);
      for (let i = 0; i < 3000; i++) compare.add({ ...mutated(cases, random), keys: keysFor(of, random) });
      compare.flush();
      expect(compare.compared).toBeGreaterThan(3000);
    },
  );

  test("a write to another place is told", () => {
    const changed = structuredClone(SHIPPED_PARSERS.ports);
    const entry = changed["parse-nodes"]
      .flatMap((n) => n.metadata?.ents ?? [])
      .find((e) => e["md-off"] === 0)!;
    entry["md-off"] = 1;
    const compare = new Compare(orThrow(parserOf(changed)), shippedParser("ports"), 64);
    expect(() => {
      for (const c of generateCases(shippedParser("ports")).cases) compare.add(c);
      compare.flush();
    }).toThrow(/trace of/);
  });

  test("more records than there is room for are counted, not written", () => {
    const of = shippedParser("ports");
    const { packet } = generateCases(of).cases[0]!;
    const [wide, narrow] = [64, 2].map((room) => {
      const wasm = orThrow(WasmParser.create(of, 2, 4096, room));
      for (const p of [packet, packet]) wasm.add(p);
      // a run after the first starts anew
      for (let i = 0; i < 2; i++) wasm.run();
      const told = [new Told(), new Told()] as const;
      return { made: told.map((t, i) => wasm.trace(i, t)), lines: told.map((t) => t.lines) };
    });
    expect(narrow!.made).toEqual(wide!.made);
    expect(narrow!.lines).toEqual(wide!.lines.map((l) => l.slice(0, 2)));
    expect(wide!.lines[0]).toEqual(wide!.lines[1]);
    expect(wide!.lines[0]).toHaveLength(wide!.made[0]!);
  });
});

function mutated(cases: readonly { readonly packet: Uint8Array }[], random: Random): { packet: Uint8Array } {
  return { packet: mutate(cases[random.below(cases.length)]!.packet, random) };
}

function keysFor(of: Parser, random: Random): Uint32Array {
  return Uint32Array.from({ length: of.numKeys }, () => random.below(8));
}
