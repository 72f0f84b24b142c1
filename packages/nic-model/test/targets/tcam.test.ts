/** The tcam target against the interpreter: code, metadata, last node, encapsulations, keys, byte for byte. */
import {
  compileTcam,
  decodeTcam,
  encodeTcam,
  field,
  fitTcam,
  type GeneratedCases,
  generateCases,
  Interpreter,
  orThrow,
  type Parser,
  parser as parserBuilder,
  SHIPPED_PARSERS,
  shippedParser,
  TCAM_IDEAL,
  type TcamEntry,
  type TcamLimits,
} from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { allPackets } from "../../../cpr-ir/test/helpers/captures.ts";
import { RARE_PARSERS } from "../../../cpr-ir/test/helpers/parsers.ts";
import { mutate, Random } from "../../../cpr-ir/test/helpers/random.ts";
import { seedPackets } from "../../../cpr-ir/test/helpers/seeds.ts";
import { firstDifference, Told } from "../../../cpr-ir/test/helpers/trace.ts";
import { TcamEngine } from "../../src/index.ts";

const SEED = Number(process.env.SEED ?? 0x7ca3);
/** Random and mutated packets of each parser; more by hand. */
const ROUNDS = Number(process.env.TCAM_ROUNDS ?? 10_000);

/** Both at one packet; the metadata is poisoned, so that a zero that is written shows. */
class Judge {
  readonly interp: Interpreter;
  readonly engine: TcamEngine;
  packets = 0;
  /** Lines of all traces. */
  traced = 0;
  steps = 0;

  constructor(parser: Parser, limits: TcamLimits = TCAM_IDEAL, trace = false) {
    this.interp = new Interpreter(parser);
    this.engine = orThrow(TcamEngine.load(orThrow(compileTcam(parser, limits, { trace })).text));
    if (!trace) return;
    this.interp.trace = this.told[0];
    this.engine.trace = this.told[1];
  }

  /** What the two told of a packet, in debug mode. */
  readonly told: readonly [Told, Told] = [new Told(), new Told()];

  /** What differs, or null. */
  differ(packet: Uint8Array, keys: Uint32Array, start = 0): string | null {
    const { interp, engine } = this;
    for (const told of this.told) told.clear();
    for (const side of [interp, engine]) {
      side.metadata.fill(0xa5);
      side.keys.fill(0);
      side.keys.set(keys.subarray(0, side.keys.length));
      side.run(packet, packet.length, start);
    }
    this.packets++;
    this.steps = Math.max(this.steps, engine.steps);
    const told = (s: Interpreter | TcamEngine): string =>
      [s.code, s.lastNode, s.encaps, s.nodes, ...s.keys].join(" ");
    const at = interp.metadata.findIndex((b, i) => b !== engine.metadata[i]);
    this.traced += this.told[1].lines.length;
    const trace = firstDifference(...this.told);
    if (engine.trap === "none" && at < 0 && told(interp) === told(engine) && trace === null) return null;
    if (trace !== null) return `packet ${Buffer.from(packet).toString("hex")}: traces differ, ${trace}`;
    return (
      `packet ${Buffer.from(packet).toString("hex")} keys ${[...keys]}: interpreter ${told(interp)}, ` +
      `engine ${told(engine)} (${engine.trap}); first differing metadata byte ${at}`
    );
  }
}

/** An assertion that costs nothing where it holds. */
function equal(difference: string | null, note: string): void {
  if (difference !== null) expect.fail(`${note}: ${difference}`);
}

const none = new Uint32Array(0);

/** Keys as a driver sets them: flags, the frame's EtherType. */
function keysOf(parser: Parser, packet: Uint8Array, random?: Random): Uint32Array {
  const keys = new Uint32Array(parser.numKeys);
  if (keys.length > 1 && packet.length >= 14) {
    keys[0] = random?.below(8) ?? 0;
    keys[1] = (packet[12]! << 8) | packet[13]!;
  }
  return keys;
}

const PARSERS: [string, Parser][] = [
  ...(Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[]).map((name): [string, Parser] => [
    name,
    shippedParser(name),
  ]),
  ["big_ip", shippedParser("big", "big_ip")],
];

const generated = new Map<Parser, GeneratedCases>();

/** Made once for all engines. */
function casesOf(parser: Parser): GeneratedCases {
  let cases = generated.get(parser);
  if (cases === undefined) {
    cases = generateCases(parser, SEED);
    generated.set(parser, cases);
  }
  return cases;
}

describe.each(PARSERS)("%s", (_name, parser) => {
  const { cases } = casesOf(parser);

  test("every path packet and its neighbours", () => {
    const judge = new Judge(parser);
    for (const c of cases) equal(judge.differ(c.packet, c.keys), c.note);
    expect(judge.packets).toBeGreaterThan(100);
  });

  test("every packet of the captures", () => {
    const judge = new Judge(parser);
    for (const packet of allPackets()) {
      equal(judge.differ(packet, keysOf(parser, packet)), "capture");
      if (packet.length >= 14) equal(judge.differ(packet, keysOf(parser, packet), 14), "capture");
    }
  });

  test(`random and mutated packets, seed ${SEED}`, () => {
    const judge = new Judge(parser);
    const random = new Random(SEED);
    const bases = [...seedPackets(), ...cases.map((c) => c.packet)];
    for (let i = 0; i < ROUNDS; i++) {
      const packet =
        i % 8 === 0 ? random.bytes(random.below(128)) : mutate(bases[random.below(bases.length)]!, random);
      const start = parser.numKeys > 1 && i % 2 === 0 ? Math.min(14, packet.length) : 0;
      equal(judge.differ(packet, keysOf(parser, packet, random), start), `seed ${SEED}`);
    }
    expect(judge.packets).toBe(ROUNDS);
  });
});

/** Engines that see little, do little in a step, or both. */
const ENGINES: Readonly<Record<string, TcamLimits>> = {
  ideal: TCAM_IDEAL,
  switch: { ...TCAM_IDEAL, window: 40, keyBits: 64, ops: 8, bytesPerStep: 16 },
  narrow: { ...TCAM_IDEAL, window: 4, keyBits: 32, ops: 1, bytesPerStep: 4 },
};

describe.each(Object.entries(ENGINES))("debug mode, the interpreter's trace: %s", (_name, limits) => {
  test.each([...PARSERS, ...Object.entries(RARE_PARSERS)])("%s", (_parser, parser) => {
    const judge = new Judge(parser, limits, true);
    // an engine of few bytes a step writes one entry in several
    if (limits !== TCAM_IDEAL) for (const told of judge.told) told.joined = true;
    const random = new Random(SEED);
    const { cases, paths } = casesOf(parser);
    for (const c of cases.slice(0, limits === TCAM_IDEAL ? cases.length : paths))
      equal(judge.differ(c.packet, c.keys), c.note);
    for (let i = 0; i < ROUNDS / 20; i++) {
      const packet = mutate(cases[random.below(cases.length)]!.packet, random);
      equal(judge.differ(packet, keysOf(parser, packet, random)), `seed ${SEED}`);
    }
    expect(judge.traced).toBeGreaterThan(500);
  });
});

describe.each(Object.entries(ENGINES))("states merged and split to fit: %s", (_name, limits) => {
  test.each([...PARSERS, ...Object.entries(RARE_PARSERS)])("%s", (_parser, parser) => {
    const { report, diagnostics } = fitTcam(parser, limits);
    expect(diagnostics.map((d) => d.message)).toEqual([]);
    for (const r of ["window", "keyBits", "ops", "bytesPerStep"] as const)
      expect(report!.total[r]).toBeLessThanOrEqual(limits[r]);
    const judge = new Judge(parser, limits);
    const random = new Random(SEED);
    const { cases, paths } = casesOf(parser);
    for (const c of cases.slice(0, paths)) equal(judge.differ(c.packet, c.keys), c.note);
    for (let i = 0; i < ROUNDS / 10; i++) {
      // small bytes: types, lengths and counts that mean something
      const packet =
        i % 2 === 0
          ? random.bytes(random.below(48)).map((b) => (random.below(3) === 0 ? b : b % 8))
          : mutate(cases[random.below(cases.length)]!.packet, random);
      const keys = Uint32Array.from({ length: parser.numKeys }, () => random.below(8));
      equal(judge.differ(packet, keys), `seed ${SEED}`);
    }
  });
});

test("too many rows: fewer merges, and where they do not help, the node is named", () => {
  const parser = shippedParser("flow-dissector");
  const all = fitTcam(parser).report!.total;
  const limits = { ...TCAM_IDEAL, entries: all.entries - 1 };
  const fit = fitTcam(parser, limits);
  expect([fit.merging, fit.diagnostics]).toEqual(["chains", []]);
  expect(fit.report!.total.steps).toBeGreaterThan(all.steps);
  const judge = new Judge(parser, limits);
  const { cases, paths } = casesOf(parser);
  for (const c of cases.slice(0, paths)) equal(judge.differ(c.packet, c.keys), c.note);
  const none = fitTcam(parser, { ...TCAM_IDEAL, entries: 100, window: 8, registers: 4 });
  expect(none.diagnostics.map((d) => d.code)).toEqual(["tcam.entries", "tcam.registers"]);
  expect(none.diagnostics[0]!.path).toMatch(/^node [a-z]/);
});

test("a huge table ends in a diagnostic, soon", () => {
  const rows = Array.from({ length: 40_000 }, (_, key) => [key, "b"] as const);
  const huge = orThrow(
    parserBuilder("huge")
      .node("a", { "min-hdr-length": 4, "next-proto": { ...field(0, 4), table: "t" } })
      .node("b", { "min-hdr-length": 5, "next-proto": { ...field(0, 4), table: "t" } })
      .table("t", ...rows)
      .build(),
  );
  const begun = performance.now();
  const everything = { ...TCAM_IDEAL, entries: 0xffffffff, states: 0xffffffff };
  expect(fitTcam(huge, everything).diagnostics).toMatchObject([{ code: "tcam.entries", path: "node b" }]);
  expect(performance.now() - begun).toBeLessThan(20_000);
});

describe("wrong programs are found by the path packets", () => {
  // one change of a compiled table at a time: a key, a mask, a place to go, a step left out
  const parser = shippedParser("five-tuple");
  const { program } = orThrow(compileTcam(parser));
  type Change = (e: TcamEntry) => TcamEntry;
  const changes: Record<string, Change> = {
    key: (e) => ({
      ...e,
      values: e.values.map((v, i) => (e.masks[i] === 0 ? v : (v ^ lowest(e.masks[i]!)) >>> 0)),
    }),
    goto: (e) => ({ ...e, next: e.next === -5 ? -15 : -5 }),
    step: (e) => ({ ...e, ops: e.ops.slice(1) }),
  };
  const lowest = (mask: number): number => (mask & -mask) >>> 0;

  test.each(Object.entries(changes))("%s", (_name, change) => {
    let made = 0;
    let killed = 0;
    for (const [n, state] of program.states.entries())
      for (const [i, e] of state.entries.entries()) {
        const bad = change(e);
        if (JSON.stringify(bad) === JSON.stringify(e)) continue;
        const entries = state.entries.map((old, at) => (at === i ? bad : old));
        const states = program.states.map((old, at) => (at === n ? { ...state, entries } : old));
        const engine = orThrow(TcamEngine.load(encodeTcam({ ...program, states })));
        const judge = Object.assign(new Judge(parser), { engine });
        made++;
        if (casesOf(parser).cases.some((c) => judge.differ(c.packet, c.keys) !== null)) killed++;
      }
    expect(made).toBeGreaterThan(5);
    // rows of merged states are finer than the graph's edges, for which the packets are made
    expect(killed / made).toBeGreaterThanOrEqual(0.9);
  });
});

describe("programs from anywhere", () => {
  const texts = [shippedParser("ports"), ...Object.values(RARE_PARSERS).slice(1)].map(
    (p) => orThrow(compileTcam(p)).text,
  );

  test("what was decoded encodes to the same bytes", () => {
    for (const text of texts) expect(encodeTcam(orThrow(decodeTcam(text)))).toEqual(text);
  });

  test("truncated at every length they are refused by name", () => {
    for (const text of texts)
      for (let n = 0; n < text.length; n++) {
        const result = TcamEngine.load(text.slice(0, n));
        if (result.ok) expect.fail(`${n} bytes are accepted`);
        if (!/^tcam\./.test(result.diagnostics[0]!.code)) expect.fail(result.diagnostics[0]!.code);
      }
  });

  test("with any byte changed they are refused by name, or run within their bounds", () => {
    const packets = [...seedPackets().slice(0, 4), new Uint8Array(0), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)];
    const codes = new Set<string>();
    let ran = 0;
    for (const text of texts)
      for (let at = 0; at < text.length; at++)
        for (const flip of [0xff, 1 << (at % 8)]) {
          const bad = text.slice();
          bad[at]! ^= flip;
          const result = TcamEngine.load(bad, 300);
          if (!result.ok) {
            codes.add(result.diagnostics[0]!.code);
            continue;
          }
          const engine = result.value;
          for (const packet of packets) {
            engine.clear();
            engine.run(packet);
            if (engine.steps > 300) expect.fail(`byte ${at}: ${engine.steps} states`);
            ran++;
          }
        }
    expect(ran).toBeGreaterThan(1000);
    for (const code of codes) expect(code).toMatch(/^tcam\./);
    for (const name of [
      "magic",
      "version",
      "length",
      "goto",
      "register",
      "default",
      "target",
      "source",
      "step",
      "unused",
    ])
      expect(codes).toContain(`tcam.${name}`);
  });

  test("a packet that needs more states than the device allows is not parsed, and said to be", () => {
    const engine = orThrow(TcamEngine.load(texts[0]!, 2));
    engine.run(seedPackets()[0]!);
    expect([engine.trap, engine.steps]).toEqual(["steps", 2]);
  });
});

test("a wrong program is found: each test can fail", () => {
  const judge = new Judge(shippedParser("ports"));
  const other = new Judge(shippedParser("five-tuple"));
  expect(judge.differ(seedPackets()[0]!, none)).toBeNull();
  const mixed = Object.assign(Object.create(Judge.prototype) as Judge, judge, { engine: other.engine });
  expect(mixed.differ(seedPackets()[0]!, none)).not.toBeNull();
});
