/**
 * Parsers in the live kernel against the interpreter: every path packet, every captured packet, random and mutated
 * ones. `CPR_ROUNDS=1000000` makes it a million for each parser.
 */
import {
  compileFlowDissector,
  compileXdp,
  flowKeysFields,
  generateCases,
  orThrow,
  type Parser,
  parserOf,
  SHIPPED_PARSERS,
  shippedParser,
  toFlowKeys,
} from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { allPackets, haveCaptures } from "../../../cpr-ir/test/helpers/captures.ts";
import { RARE_PARSERS } from "../../../cpr-ir/test/helpers/parsers.ts";
import { mutate, Random } from "../../../cpr-ir/test/helpers/random.ts";
import { seedPackets } from "../../../cpr-ir/test/helpers/seeds.ts";
import { live } from "./facility.ts";
import { type Case, CompareFlow, CompareXdp } from "./kernel-parser.ts";

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

describe.runIf(live)("flow dissectors", () => {
  describe.each(NAMES)("%s", (name) => {
    const of = PARSERS.get(name)!;
    const fields = flowKeysFields(SHIPPED_PARSERS[name]);
    // the flow dissector's metameta area is the struct; of the others, the interpreter runs what is declared
    const judge = fields === undefined ? of : orThrow(toFlowKeys(of, fields));

    test("path packets and their neighbours, every packet of every capture", () => {
      const compare = new CompareFlow(orThrow(compileFlowDissector(of, fields)), judge);
      for (const { packet, keys } of pathCases(of)) {
        if (of.numKeys === 0) {
          compare.add(packet, 0);
          continue;
        }
        const frame = new Uint8Array(14 + packet.length);
        new DataView(frame.buffer).setUint16(12, keys[1]! & 0xffff);
        frame.set(packet, 14);
        compare.add(frame, keys[0]! & 15);
      }
      expect(compare.compared).toBeGreaterThan(500);
      if (haveCaptures) for (const packet of allPackets()) compare.add(packet, 0);
      compare.close();
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
