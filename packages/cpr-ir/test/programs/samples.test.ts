/** XDP2's small sample parsers on every capture and on mutated packets: code and metadata as read by hand. */
import { codeName, Interpreter, type Parser } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { allPackets, haveCaptures, packetsOf } from "../helpers/captures.ts";
import { mutate, Random } from "../helpers/random.ts";
import { seedPackets } from "../helpers/seeds.ts";
import {
  type Found,
  offsets,
  offsetsByHand,
  simple,
  simpleByHand,
  simpleHash,
  simpleHashByHand,
} from "./samples.ts";

const SAMPLES: [string, Parser, (frame: Uint8Array) => Found][] = [
  ["simple", simple, simpleByHand],
  ["offsets", offsets, offsetsByHand],
  ["simple_hash", simpleHash, simpleHashByHand],
];

describe.each(SAMPLES)("%s", (_name, parser, byHand) => {
  const run = new Interpreter(parser);
  const same = (frame: Uint8Array): void => {
    run.clear();
    run.run(frame);
    const found = byHand(frame);
    const told = Buffer.from(frame).toString("hex");
    if (run.code !== found.code) expect.fail(`${told}: ${codeName(run.code)}, by hand ${found.code}`);
    if (Buffer.compare(run.metadata, found.metadata) !== 0)
      expect(run.metadata, told).toEqual(found.metadata);
  };

  test.runIf(haveCaptures)("every packet of the captures", () => {
    for (const frame of allPackets()) same(frame);
  });

  test("mutated and cut packets", () => {
    const random = new Random(Date.now() & 0xffffff);
    const seeds = seedPackets();
    for (let i = 0; i < 20_000; i++) same(mutate(seeds[random.below(seeds.length)]!, random));
  });
});

test.runIf(haveCaptures)("what XDP2's own captures come to", () => {
  const counts = (parser: Parser, name: string): Record<string, number> => {
    const run = new Interpreter(parser);
    const out: Record<string, number> = {};
    for (const frame of packetsOf(`xdp2/${name}.pcap`)) {
      const key = `${codeName(run.run(frame))} ${parser.nodes[run.lastNode]!.name}`;
      out[key] = (out[key] ?? 0) + 1;
    }
    return out;
  };
  for (const [name, packets] of [
    ["tcp_ipv4", 11],
    ["tcp_ipv6", 12],
    ["tcp_sack", 39],
  ] as const) {
    expect(counts(simple, name)).toEqual({ "STOP_OKAY tcp": packets });
    expect(counts(offsets, name)).toEqual({ "STOP_OKAY transport": packets });
  }
  // two first fragments and a later one, none of them TCP or UDP
  expect(counts(simple, "ipv4frags")).toEqual({ "STOP_UNKNOWN_PROTO ipv4": 2, "STOP_OKAY ipv4": 1 });
  expect(counts(simpleHash, "ipip")).toEqual({ "STOP_OKAY ipv4": 10 });
});
