/** Random parsers in the tcam engine beside the direct executor of the parser package's tests. */
import { compileTcam, orThrow } from "@netoffload/cpr-ir";
import { expect, test } from "vitest";
import {
  compareFound,
  compareRandom,
  type MakeSide,
  RANDOM_PARSERS,
  RANDOM_SEED,
} from "../../../cpr-ir/test/helpers/random-suite.ts";
import { TcamEngine } from "../../src/index.ts";

const LONG = 3_600_000;

const tcamSide: MakeSide = (parser) => {
  const compiled = compileTcam(parser);
  if (!compiled.ok) return null;
  const engine = orThrow(TcamEngine.load(compiled.value.text));
  return {
    fill: 0xa5,
    run: ({ packet, keys, start }) => {
      engine.metadata.fill(0xa5);
      engine.keys.set(keys);
      engine.run(packet, packet.length, start);
      if (engine.trap !== "none") throw new Error(`trap ${engine.trap}`);
      const { code, lastNode: last, encaps, nodes, metadata } = engine;
      return { code, last, encaps, nodes, metadata, keys: engine.keys };
    },
  };
};

test("what was found before", () => compareFound({ tcam: tcamSide }));

test(
  `random parsers, seed ${RANDOM_SEED}`,
  () => {
    const ran = compareRandom({ tcam: tcamSide }, Math.ceil(RANDOM_PARSERS / 3));
    expect(ran.taken.tcam).toBe(ran.parsers);
  },
  LONG,
);
