/**
 * Parsers in the live kernel against the interpreter: every path packet, every captured packet, random and mutated
 * ones. `CPR_ROUNDS=1000000` makes it a million for each parser.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  compileFlowDissector,
  compileXdp,
  flowKeysFields,
  generateCases,
  hashParser,
  orThrow,
  type Parser,
  parserOf,
  SHIPPED_PARSERS,
  shippedParser,
  toFlowKeys,
} from "@netoffload/cpr-ir";
import { afterAll, describe, expect, test } from "vitest";
import { allPackets, haveCaptures } from "../../../cpr-ir/test/helpers/captures.ts";
import { RARE_PARSERS } from "../../../cpr-ir/test/helpers/parsers.ts";
import { mutate, Random } from "../../../cpr-ir/test/helpers/random.ts";
import { seedPackets } from "../../../cpr-ir/test/helpers/seeds.ts";
import { loadParser } from "../../src/live/kernel-parser.ts";
import { run } from "../cli/run.ts";
import { live } from "./facility.ts";
import { type Case, CompareFlow, CompareTrace, CompareXdp, sourceOf } from "./kernel-parser.ts";

const seed = Date.now() & 0xffffff;
const rounds = Number(process.env.CPR_ROUNDS ?? 15_000);
const LONG = 3_600_000;
const PARSERS = new Map(Object.keys(SHIPPED_PARSERS).map((name) => [name, shippedParser(name as "ports")]));
const NAMES = Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[];

/** Inputs as the flow dissector takes them: flags, and the frame's type where it starts behind Ethernet. */
function inputs(of: Parser, packet: Uint8Array, flags: number): Case {
  const keys = new Uint32Array(of.numKeys);
  if (of.numKeys === 0 || packet.length < 14) return { packet, keys };
  keys[0] = flags;
  keys[1] = (packet[12]! << 8) | packet[13]!;
  return { packet, keys, start: 14 };
}

const made = new Map<Parser, readonly Case[]>();

/** Path packets and their neighbours, made once. */
function pathCases(of: Parser): readonly Case[] {
  let cases = made.get(of);
  if (cases === undefined) made.set(of, (cases = generateCases(of).cases));
  return cases;
}

function* randomPackets(): Generator<readonly [packet: Uint8Array, flags: number]> {
  const random = new Random(seed);
  const seeds = seedPackets();
  for (let i = 0; i < rounds; i++)
    yield [
      i % 8 === 0 ? random.bytes(random.below(120)) : mutate(seeds[random.below(seeds.length)]!, random),
      random.below(16),
    ];
}

describe.runIf(live)("XDP programs", () => {
  describe.each(NAMES)("%s", (name) => {
    const of = PARSERS.get(name)!;

    test("path packets and their neighbours, every packet of every capture", () => {
      const compare = new CompareXdp(orThrow(compileXdp(of)), of);
      for (const c of pathCases(of)) compare.add(c);
      expect(compare.compared).toBeGreaterThan(500);
      if (haveCaptures) for (const packet of allPackets()) compare.add(inputs(of, packet, 0));
      compare.close();
    });

    test(
      `random and mutated packets, seed ${seed}`,
      () => {
        const compare = new CompareXdp(orThrow(compileXdp(of)), of);
        for (const [packet, flags] of randomPackets()) compare.add(inputs(of, packet, flags));
        expect(compare.compared).toBe(rounds);
        compare.close();
      },
      LONG,
    );
  });

  test.each([
    ["big", PARSERS.get("big")!],
    ["flow-dissector", PARSERS.get("flow-dissector")!],
    ...Object.entries(RARE_PARSERS),
  ] as const)("debug mode, %s: the interpreter's trace", (_, of) => {
    // little room: what does not fit is counted
    for (const records of [256, 5]) {
      const compare = new CompareTrace(orThrow(compileXdp(of, { trace: records })), of, records);
      for (const c of pathCases(of).slice(0, 3000)) compare.add(c);
      if (haveCaptures && records > 5) for (const packet of allPackets()) compare.add(inputs(of, packet, 0));
      expect(compare.events).toBeGreaterThan(50);
      compare.close();
    }
  });

  test("a refusal names the node", () => {
    const compiled = orThrow(compileXdp(PARSERS.get("ports")!));
    const text = compiled.text.slice();
    const { slot } = compiled.labels.find((l) => l.name === "udp")!;
    // r0 = r11, which there is not
    text.set([0xbf, 0xb0], 8 * slot);
    const load = (): unknown => loadParser({ ...sourceOf(compiled, "xdp"), text });
    expect(load).toThrow(/instruction \d+: .*\(node udp\)/);
  });

  test("a program that differs in one key is caught", () => {
    const changed = structuredClone(SHIPPED_PARSERS.ports);
    changed["parse-nodes"][1]!["next-proto"]!.ents![1]!.key = 18;
    const of = orThrow(parserOf(changed));
    const compare = new CompareXdp(orThrow(compileXdp(of)), of, shippedParser("ports"));
    expect(() => {
      for (const c of generateCases(shippedParser("ports")).cases) compare.add(c);
    }).toThrow(/interpreter/);
    compare.close();
  });

  test.each(Object.entries(RARE_PARSERS))("%s", (_, of) => {
    const random = new Random(seed);
    const compare = new CompareXdp(orThrow(compileXdp(of)), of);
    for (const c of pathCases(of)) compare.add(c);
    for (let i = 0; i < 5_000; i++) {
      // small bytes: types, lengths and counts that mean something
      const packet = random.bytes(random.below(48)).map((b) => (random.below(3) === 0 ? b : b % 8));
      compare.add({ packet, keys: Uint32Array.from({ length: of.numKeys }, () => random.below(8)) });
    }
    compare.close();
  });
});

/** A case as a frame: a parser that is given its first header's type starts behind an Ethernet header with it. */
function framed(of: Parser, packet: Uint8Array, keys: Uint32Array): Uint8Array {
  if (of.numKeys === 0) return packet;
  const frame = new Uint8Array(14 + packet.length);
  new DataView(frame.buffer).setUint16(12, keys[1]! & 0xffff);
  frame.set(packet, 14);
  return frame;
}

describe.runIf(live)("flow dissectors", () => {
  describe.each(NAMES)("%s", (name) => {
    const of = PARSERS.get(name)!;
    const fields = flowKeysFields(SHIPPED_PARSERS[name]);
    // the flow dissector's metameta area is the struct; of the others, the interpreter runs what is declared
    const judge = fields === undefined ? of : orThrow(toFlowKeys(of, fields));

    test("path packets and their neighbours, every packet of every capture", () => {
      const compare = new CompareFlow(orThrow(compileFlowDissector(of, fields)), judge);
      for (const { packet, keys } of pathCases(of))
        compare.add(framed(of, packet, keys), (keys[0] ?? 0) & 15);
      expect(compare.compared).toBeGreaterThan(500);
      if (haveCaptures) for (const packet of allPackets()) compare.add(packet, 0);
      compare.close();
    });

    test("debug mode: the interpreter's trace of what the parser becomes", () => {
      const mapped = orThrow(toFlowKeys(of, fields));
      // little room: what does not fit is counted
      for (const records of [256, 3]) {
        const compare = new CompareFlow(
          orThrow(compileFlowDissector(of, fields, { trace: records })),
          mapped,
          records,
        );
        for (const { packet, keys } of pathCases(of).slice(0, 3000))
          compare.add(framed(of, packet, keys), (keys[0] ?? 0) & 15);
        if (haveCaptures && records > 3) for (const packet of allPackets()) compare.add(packet, 0);
        expect(compare.events).toBeGreaterThan(50);
        compare.close();
      }
    });

    test(
      `random and mutated packets, seed ${seed}`,
      () => {
        const compare = new CompareFlow(orThrow(compileFlowDissector(of, fields)), judge);
        for (const [packet, flags] of randomPackets()) compare.add(packet, flags);
        compare.close();
      },
      LONG,
    );
  });
});

describe.runIf(live)("the command line", () => {
  const folder = mkdtempSync(join(tmpdir(), "netoffload-parsers-"));
  const document = (name: string): string =>
    fileURLToPath(new URL(`../../../cpr-ir/programs/${name}.json`, import.meta.url));
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each(NAMES)("%s: cpr compile for both targets, live load, program show", async (name) => {
    for (const target of ["ebpf", "xdp"]) {
      const image = join(folder, `${name}.${target}`);
      expect((await run("cpr", "compile", document(name), "--target", target, "-o", image)).code).toBe(0);
      const loaded = await run("live", "load", image, "--json");
      expect(loaded.code).toBe(0);
      const hash = hashParser(PARSERS.get(name)!).sha256;
      expect(loaded.json[0]).toMatchObject({ name: "parser", hash });
      // a million is what the kernel allows
      expect(loaded.json[0]!.verified_instructions).toBeLessThan(300_000);
      expect((await run("program", "show", image)).out).toMatch(/function 15[\s\S]*exit/);
    }
  });

  test("cpr run --target xdp answers as the interpreter does", async () => {
    const frames = join(folder, "frames.jsonl");
    const lines = allPackets()
      .filter((p) => p.length >= 14 && p.length <= 3400)
      .slice(0, 200)
      .map((p, id) => JSON.stringify({ id, frame: Buffer.from(p).toString("hex") }));
    writeFileSync(frames, lines.join("\n"));
    for (const name of NAMES) {
      const interp = await run("cpr", "run", document(name), "--frames", frames);
      const xdp = await run("cpr", "run", document(name), "--frames", frames, "--target", "xdp");
      expect(xdp.out).toBe(interp.out);
    }
    writeFileSync(frames, '{"id":1,"frame":"0011"}\n');
    const short = await run("cpr", "run", document("ports"), "--frames", frames, "--target", "xdp");
    expect(short.code).toBe(2);
    expect(short.json[0]).toMatchObject({ id: 1, error: { code: "frame" } });
  });
});
