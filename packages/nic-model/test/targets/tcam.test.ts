/** The tcam target against the interpreter: code, metadata, last node, encapsulations, keys, byte for byte. */
import {
  compileTcam,
  generateCases,
  Interpreter,
  orThrow,
  type Parser,
  SHIPPED_PARSERS,
  shippedParser,
  TCAM_IDEAL,
  type TcamLimits,
} from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { allPackets } from "../../../cpr-ir/test/helpers/captures.ts";
import { mutate, Random } from "../../../cpr-ir/test/helpers/random.ts";
import { seedPackets } from "../../../cpr-ir/test/helpers/seeds.ts";
import { TcamEngine } from "../../src/index.ts";

const SEED = Number(process.env.SEED ?? 0x7ca3);
/** Random and mutated packets of each parser; more by hand. */
const ROUNDS = Number(process.env.TCAM_ROUNDS ?? 10_000);

/** Both at one packet; the metadata is poisoned, so that a zero that is written shows. */
class Judge {
  readonly interp: Interpreter;
  readonly engine: TcamEngine;
  packets = 0;
  steps = 0;

  constructor(parser: Parser, limits: TcamLimits = TCAM_IDEAL) {
    this.interp = new Interpreter(parser);
    this.engine = orThrow(TcamEngine.load(orThrow(compileTcam(parser, limits)).text));
  }

  /** What differs, or null. */
  differ(packet: Uint8Array, keys: Uint32Array, start = 0): string | null {
    const { interp, engine } = this;
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
    if (engine.trap === "none" && at < 0 && told(interp) === told(engine)) return null;
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

describe.each(PARSERS)("%s", (_name, parser) => {
  const { cases } = generateCases(parser, SEED);

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

test("a wrong program is found: each test can fail", () => {
  const judge = new Judge(shippedParser("ports"));
  const other = new Judge(shippedParser("five-tuple"));
  expect(judge.differ(seedPackets()[0]!, none)).toBeNull();
  const mixed = Object.assign(Object.create(Judge.prototype) as Judge, judge, { engine: other.engine });
  expect(mixed.differ(seedPackets()[0]!, none)).not.toBeNull();
});
