/** Random parsers as XDP programs in the live kernel, beside the direct executor of the parser package's tests. */
import { compileXdp, TARGET } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import {
  compareFound,
  compareRandom,
  type MakeSide,
  RANDOM_PARSERS,
  RANDOM_SEED,
} from "../../../cpr-ir/test/helpers/random-suite.ts";
import { MAX_FRAME, MIN_FRAME, XdpParser } from "../../src/live/kernel-parser.ts";
import { live } from "./facility.ts";

const LONG = 3_600_000;
/** In front of packets that are too short for a run: the parse starts behind. */
const FRONT = new Uint8Array(MIN_FRAME).fill(0x5a);

/** What the verifier says of a graph with too many ways through it: no defect of the program. */
const TOO_MANY = /too complex|too large|processed 1000001 insns/;
let refused = 0;

const xdpSide: MakeSide = (parser) => {
  const compiled = compileXdp(parser);
  if (!compiled.ok) return null;
  let xdp: XdpParser;
  try {
    xdp = new XdpParser({ ...compiled.value, name: "parser", target: TARGET.xdp }, parser);
  } catch (error) {
    if (!TOO_MANY.test(String(error))) throw error;
    refused++;
    return null;
  }
  return {
    fill: 0xa5,
    frame: (packet) =>
      packet.length < MIN_FRAME
        ? { packet: Uint8Array.from([...FRONT, ...packet]), start: MIN_FRAME }
        : { packet: packet.subarray(0, MAX_FRAME), start: 0 },
    run: ({ packet, keys, start }) => {
      xdp.run(packet, keys, start, 0xa5);
      const { code, lastNode: last, encaps, nodes, metadata } = xdp;
      return { code, last, encaps, nodes, metadata };
    },
    close: () => xdp.close(),
  };
};

describe.runIf(live)("XDP programs", () => {
  test("what was found before", () => {
    compareFound({ xdp: xdpSide });
    expect(refused).toBe(0);
  });

  test(
    `random parsers, seed ${RANDOM_SEED}`,
    () => {
      const ran = compareRandom({ xdp: xdpSide }, Math.ceil(RANDOM_PARSERS / 6));
      // more ways than the verifier follows: a few
      expect(refused).toBeLessThanOrEqual(2 + ran.parsers / 20);
    },
    LONG,
  );
});
