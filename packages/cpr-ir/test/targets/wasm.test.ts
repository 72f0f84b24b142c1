/** The wasm target against the interpreter: code, last node, encapsulations, nodes, metadata byte for byte. */
import {
  CODE,
  field,
  generateCases,
  Interpreter,
  orThrow,
  type Parser,
  parser,
  parserOf,
  SHIPPED_PARSERS,
  shippedParser,
  WasmParser,
  when,
} from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { allPackets, haveCaptures } from "../helpers/captures.ts";
import { mutate, Random } from "../helpers/random.ts";
import { seedPackets } from "../helpers/seeds.ts";

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
  compared = 0;

  constructor(of: Parser, judge: Parser = of) {
    this.#wasm = orThrow(WasmParser.create(of, 512, 8 << 20));
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
      run.run(c.packet, c.packet.length, c.start ?? 0);
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
  const u8 = (off: number) => field(off, 1);
  const parsers: Record<string, Parser> = {
    "TLVs with limits, padn, nested lists, wildcards": orThrow(
      parser("t", { "metameta-size": 16, "frame-size": 0, "max-frames": 1 })
        .node("a", {
          "min-hdr-length": 2,
          "hdr-length": "rest",
          "tlv-parse-node": {
            "start-offset": { "field-off": 0, "field-len": 1, mask: 3, add: 1 },
            "tlv-type": u8(0),
            "tlv-length": u8(1),
            pad1: 0,
            eol: 255,
            padn: 1,
            "max-tlvs": 9,
            "max-non-padding": 4,
            "max-padding-length": 5,
            "max-consecutive-padding": 3,
            default: "stop_unknown_tlv",
            "disp-limit-exceeded": "stop_node_okay",
            ents: [
              {
                key: 2,
                node: {
                  "min-hdr-length": 3,
                  "max-hdr-length": 12,
                  metadata: { ents: [{ type: "hdr_length", "md-off": 0 }] },
                  "cond-exprs": {
                    ents: [{ "default-fail": "stop_sub_node_okay", ents: [when("less_than", u8(2), 200)] }],
                  },
                  "nested-node": {
                    "start-offset": 3,
                    "tlv-type": u8(0),
                    "tlv-length": { "field-off": 0, "field-len": 1, mask: 3, add: 1 },
                    "min-hdr-length": 1,
                    "max-tlvs": 3,
                    "disp-limit-exceeded": "stop_sub_node_okay",
                    "wildcard-node": {
                      "min-hdr-length": 1,
                      metadata: { ents: [{ "hdr-src-off": 0, "md-off": 2, length: 1 }] },
                    },
                  },
                },
              },
              {
                key: 3,
                node: {
                  "min-hdr-length": 4,
                  "overlay-node": {
                    ...u8(2),
                    default: "stop_node_okay",
                    ents: [
                      {
                        key: 7,
                        node: {
                          metadata: { ents: [{ type: "constant", value: 9, "md-off": 4, length: 1 }] },
                        },
                      },
                    ],
                  },
                },
              },
            ],
          },
          "next-node": "b",
        })
        .node("b", { "min-hdr-length": 0, metadata: { ents: [{ type: "num_nodes", "md-off": 6 }] } })
        .build(),
    ),
    "arrays, nibbles, keys, exits, zero length": orThrow(
      parser("u", {
        "metameta-size": 32,
        "frame-size": 8,
        "max-frames": 3,
        "max-encaps": 2,
        "num-keys": 2,
        "okay-target": "fine",
        "fail-target": "bad",
        "encap-target": "out",
      })
        .node("a", {
          "min-hdr-length": 4,
          "hdr-length": { ...field(1, 1, { mask: 15 }), multiplier: 2, add: 4 },
          "array-parse-node": {
            "num-els": field(0, 1, { mask: 7 }) as never,
            "start-offset": 4,
            "el-length": 3,
            "el-type": u8(0),
            "max-els": 5,
            default: "okay",
            ents: [
              {
                key: 1,
                node: {
                  metadata: {
                    ents: [
                      { type: "extract", "hdr-src-off": 1, "md-off": 0, endian: "little" },
                      { type: "nibb_extract", "hdr-src-off": 1, "nibb-length": 4, "md-off": 2 },
                    ],
                  },
                },
              },
            ],
          },
          metadata: {
            ents: [
              { type: "extract", "hdr-src-off": 1, length: 3, "src-length": 3, "to-key": 0 },
              { type: "bit_offset", "md-off": 4 },
              { type: "key", key: 0, "md-off": 8, length: 4, endian: "little" },
              { type: "nibb_extract", "hdr-src-off": 2, "nibb-length": 3, "md-off": 12, endian: "little" },
              { "hdr-src-off": 0, "md-off": 1, length: 3, "is-frame": true, "src-endian": "little" },
            ],
          },
          "post-metadata": { ents: [{ type: "offset", "from-end": true, "md-off": 14, length: 1 }] },
          encap: true,
          "zero-length-ok": true,
          "next-proto": {
            "select-key": 0,
            mask: 0x30,
            "right-shift": 4,
            ents: [
              { key: 1, node: "b" },
              { key: 2, node: "a" },
            ],
            "wildcard-node": "a",
          },
        })
        .node("b", {
          "min-hdr-length": 1,
          short: "stop_okay",
          "pre-checks": {
            ents: [
              {
                "default-fail": -19,
                type: "or",
                ents: [when("greater_than", u8(0), 0x80), when("less_or_equal", u8(0), 9)],
              },
            ],
          },
          "next-proto": { "select-key": 1, ents: [{ key: 3, node: "a" }], default: "okay" },
        })
        .node("fine", {
          metadata: {
            ents: [
              { type: "return_code", "md-off": 16 },
              { type: "num_encaps", "md-off": 20 },
            ],
          },
        })
        .node("bad", {
          metadata: {
            ents: [
              { type: "return_code", "md-off": 24, endian: "little" },
              { type: "constant", value: 0xabcdef, length: 3, "md-off": 20 },
            ],
          },
        })
        .node("out", { metadata: { ents: [{ type: "num_encaps", "md-off": 6, "is-frame": true }] } })
        .build(),
    ),
    "counters that are errors, arrays that are not overwritten": orThrow(
      parser("v", { "metameta-size": 16, "frame-size": 0, "max-nodes": 40 })
        .counter("c", {
          "num-elements": 3,
          "element-size": 2,
          max: 6,
          overwritable: false,
          "reset-at-encap": false,
        })
        .counter("d", { "num-elements": 2, "error-exceeded": false })
        .node("a", {
          "min-hdr-length": 2,
          "counter-actions": [
            { name: "c", type: "post_metadata_inc" },
            { name: "d", type: "pre_metadata_inc" },
          ],
          metadata: {
            ents: [
              { "hdr-src-off": 0, "md-off": 0, index: "c" },
              { type: "counter", counter: "d", "md-off": 8 },
            ],
          },
          "next-proto": {
            ...field(0, 2, { endian: "little", mask: 0x0101 }),
            ents: [
              { key: 1, node: "r" },
              { key: 0x100, node: "z" },
            ],
            "wildcard-node": "a",
          },
        })
        .node("z", { "min-hdr-length": 0 })
        .node("r", {
          "min-hdr-length": 1,
          "counter-actions": [{ name: "c", type: "pre_metadata_reset" }],
          "next-node": "a",
        })
        .build(),
    ),
  };

  test.each(Object.entries(parsers))("%s", (_, of) => {
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
