/** The interpreter, rule by rule; expected values are worked out by hand from cpr.md sections 1 and 2. */
import {
  CODE,
  check,
  field,
  Interpreter,
  orThrow,
  type ParserBuilder,
  parser,
  when,
} from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";

/** Code, last node's name and metadata after parsing bytes. */
function run(
  builder: ParserBuilder,
  ...bytes: number[]
): { code: number; last: string; md: number[]; encaps: number } {
  const of = orThrow(builder.build());
  const i = new Interpreter(of);
  i.run(Uint8Array.from(bytes));
  return { code: i.code, last: of.nodes[i.lastNode]!.name, md: [...i.metadata], encaps: i.encaps };
}

const SMALL = { "metameta-size": 4, "frame-size": 0, "max-frames": 1 } as const;
const u8 = (off: number) => field(off, 1);
const leaf = { "min-hdr-length": 0 } as const;

describe("codes of the node loop", () => {
  const length = () =>
    parser("p", SMALL).node("a", { "min-hdr-length": 2, "hdr-length": { ...u8(0), multiplier: 2 } });

  test.each<[string, ParserBuilder, number[], number]>([
    ["too short for the least length", length(), [4], CODE.STOP_LENGTH],
    ["a header length below the least", length(), [0, 0, 0], CODE.STOP_LENGTH],
    ["a header length beyond the packet", length(), [2, 0, 0], CODE.STOP_LENGTH],
    ["a leaf", length(), [1, 0], CODE.STOP_OKAY],
    [
      "a code of its own for a short header",
      parser("p", SMALL).node("a", { "min-hdr-length": 2, short: "stop_okay" }),
      [1],
      CODE.STOP_OKAY,
    ],
    [
      "an unknown protocol",
      parser("p", SMALL).node("a", {
        "min-hdr-length": 1,
        "next-proto": { ...u8(0), ents: [{ key: 1, node: "a" }] },
      }),
      [2],
      CODE.STOP_UNKNOWN_PROTO,
    ],
    [
      "continue on a miss stops well",
      parser("p", SMALL).node("a", {
        "min-hdr-length": 1,
        "next-proto": { ...u8(0), ents: [], default: "continue" },
      }),
      [2],
      CODE.STOP_OKAY,
    ],
    [
      "the nodes' limit, inclusive",
      parser("p", { ...SMALL, "max-nodes": 3 }).node("a", { "min-hdr-length": 1, "next-node": "a" }),
      [0, 0, 0, 0],
      CODE.STOP_MAX_NODES,
    ],
    [
      "just below the nodes' limit",
      parser("p", { ...SMALL, "max-nodes": 4 }).node("a", { "min-hdr-length": 1, "next-node": "a" }),
      [0, 0, 0],
      CODE.STOP_LENGTH,
    ],
    [
      "the encapsulations' limit",
      parser("p", { ...SMALL, "max-encaps": 1 }).node("a", {
        "min-hdr-length": 1,
        encap: true,
        "next-node": "a",
      }),
      [0, 0, 0],
      CODE.STOP_ENCAP_DEPTH,
    ],
    [
      "a condition before the metadata",
      parser("p", SMALL).node("a", {
        "min-hdr-length": 1,
        "pre-checks": { ents: [check(-19, when("equal", u8(0), 7))] },
      }),
      [8],
      CODE.STOP_FAIL_CMP,
    ],
    [
      "an offset that does not fit",
      parser("p", SMALL).node("a", {
        ...leaf,
        metadata: { ents: [{ type: "bit_offset", "hdr-src-off": 256, "md-off": 0, length: 1 }] },
      }),
      [],
      CODE.STOP_BAD_EXTRACT,
    ],
    [
      "zero bytes left where that is good",
      parser("p", SMALL).node("a", { "min-hdr-length": 1, "zero-length-ok": true, "next-node": "a" }),
      [1, 2],
      CODE.STOP_OKAY,
    ],
    [
      "zero bytes left where it is not",
      parser("p", SMALL).node("a", { "min-hdr-length": 1, "next-node": "a" }),
      [1, 2],
      CODE.STOP_LENGTH,
    ],
  ])("%s", (_, builder, bytes, code) => expect(run(builder, ...bytes).code).toBe(code));

  test("counters: each has its code, in order of first use", () => {
    const b = parser("p", SMALL)
      .counter("x", { max: 9 })
      .counter("y", { max: 1 })
      .node("a", {
        "min-hdr-length": 1,
        "counter-actions": [
          { name: "x", type: "pre_metadata_inc" },
          { name: "y", type: "post_metadata_inc" },
        ],
        metadata: { ents: [{ type: "counter", counter: "x", "md-off": 0 }] },
        "next-node": "a",
      });
    const r = run(b, 0, 0, 0);
    expect([r.code, r.md[1]]).toEqual([CODE.STOP_CNTR1 - 1, 2]);
  });
});

describe("flag fields, arrays", () => {
  const gre = () =>
    parser("p", { ...SMALL, "metameta-size": 8 }).node("g", {
      "min-hdr-length": 2,
      "hdr-length": { "flag-fields-length": true },
      "flag-fields-parse-node": {
        "flags-offset": 0,
        "flags-length": 1,
        ents: [
          { flag: 0x80, "field-len": 2 },
          {
            flag: 0x20,
            "field-len": 4,
            node: {
              metadata: { ents: [{ "hdr-src-off": 0, "md-off": 0, length: 4 }] },
              "cond-exprs": { ents: [check(-12, when("not_equal", u8(0), 9))] },
            },
          },
          { flag: 0x00, mask: 0x10, "field-len": 1 },
        ],
      },
    });

  test("a field lies behind the present ones before it", () => {
    expect(run(gre(), 0xb0, 0, 1, 2, 3, 4, 5, 6)).toMatchObject({ code: -4, md: [3, 4, 5, 6, 0, 0, 0, 0] });
    expect(run(gre(), 0x30, 0, 3, 4, 5, 6)).toMatchObject({ code: -4, md: [3, 4, 5, 6, 0, 0, 0, 0] });
  });

  test("a flag of zero bits is present when its bits are clear, and takes its byte", () => {
    expect(run(gre(), 0x20, 0, 3, 4, 5, 6).code).toBe(CODE.STOP_LENGTH);
    expect(run(gre(), 0x20, 0, 3, 4, 5, 6, 7).code).toBe(CODE.STOP_OKAY);
  });

  test("a false condition of a field is STOP_COMPARE, before its metadata", () => {
    expect(run(gre(), 0x30, 0, 9, 4, 5, 6)).toMatchObject({ code: CODE.STOP_COMPARE, md: Array(8).fill(0) });
  });

  const array = (rest: object = {}) =>
    parser("p", SMALL).node("a", {
      "min-hdr-length": 1,
      "hdr-length": "rest",
      "array-parse-node": {
        "num-els": { ...u8(0) },
        "el-length": 2,
        "el-type": u8(0),
        ents: [{ key: 5, node: { metadata: { ents: [{ "hdr-src-off": 1, "md-off": 0, length: 1 }] } } }],
        ...rest,
      },
    });

  test("a partial last element is STOP_LENGTH before it is read", () => {
    expect(run(array(), 2, 5, 7, 5)).toMatchObject({ code: CODE.STOP_LENGTH, md: [7, 0, 0, 0] });
  });
  test("an unknown element is STOP_UNKNOWN_PROTO unless okay skips it", () => {
    expect(run(array(), 2, 6, 7, 5, 8).code).toBe(CODE.STOP_UNKNOWN_PROTO);
    expect(run(array({ default: "okay" }), 2, 6, 7, 5, 8)).toMatchObject({ code: -4, md: [8, 0, 0, 0] });
  });
  test("more elements than allowed are STOP_LOOP_CNT", () => {
    expect(run(array({ "max-els": 1 }), 2, 5, 7, 5, 8).code).toBe(CODE.STOP_LOOP_CNT);
  });
});

describe("TLVs", () => {
  const tlvs = (rest: object = {}) =>
    parser("p", SMALL)
      .node("a", {
        "min-hdr-length": 0,
        "hdr-length": "rest",
        "tlv-parse-node": {
          "tlv-type": u8(0),
          "tlv-length": u8(1),
          pad1: 1,
          eol: 0,
          padn: 2,
          ents: [
            {
              key: 8,
              node: {
                "min-hdr-length": 3,
                metadata: { ents: [{ "hdr-src-off": 2, "md-off": 0, length: 1 }] },
              },
            },
          ],
          ...rest,
        },
        "next-node": "b",
      })
      .node("b", leaf);

  test.each<[string, object, number[], number, string, number]>([
    ["a known one is processed", {}, [8, 3, 42], -4, "b", 42],
    ["the end of the list hides the rest", {}, [0, 8, 3, 42], -4, "b", 0],
    ["a lone last byte", {}, [8], CODE.STOP_TLV_LENGTH, "a", 0],
    ["length 0", {}, [8, 0, 0], CODE.STOP_TLV_LENGTH, "a", 0],
    ["length 1", {}, [8, 1, 0], CODE.STOP_TLV_LENGTH, "a", 0],
    ["length beyond the header", {}, [8, 4, 0], CODE.STOP_TLV_LENGTH, "a", 0],
    ["shorter than its node: unknown, skipped", {}, [8, 2, 8, 3, 5], -4, "b", 5],
    ["unknown with a code", { default: "stop_unknown_tlv" }, [9, 2], CODE.STOP_UNKNOWN_TLV, "a", 0],
    [
      "too short for the wildcard too: its default",
      { default: -16, "wildcard-node": { "min-hdr-length": 3 } },
      [8, 2],
      -4,
      "b",
      0,
    ],
    ["TLVs allowed, inclusive", { "max-tlvs": 2 }, [8, 3, 1, 8, 3, 2], -4, "b", 2],
    ["TLVs beyond the limit", { "max-tlvs": 1 }, [8, 3, 1, 8, 3, 2], CODE.STOP_LOOP_CNT, "a", 1],
    ["paddings in a row", { "max-consecutive-padding": 1 }, [1, 1], CODE.STOP_TLV_PADDING, "a", 0],
    ["paddings are counted anew behind a TLV", { "max-consecutive-padding": 1 }, [1, 8, 3, 4, 1], -4, "b", 4],
    ["bytes of padding", { "max-padding-length": 3 }, [1, 2, 3, 0], CODE.STOP_TLV_PADDING, "a", 0],
    [
      "TLVs without paddings",
      { "max-non-padding": 1 },
      [1, 8, 3, 4, 1, 9, 2],
      CODE.STOP_OPTION_LIMIT,
      "a",
      4,
    ],
    [
      "a tripped limit that ends the node well",
      { "max-tlvs": 1, "disp-limit-exceeded": "stop_node_okay" },
      [8, 3, 1, 1],
      -4,
      "b",
      1,
    ],
    [
      "a tripped limit that ends the parse well",
      { "max-tlvs": 1, "disp-limit-exceeded": "stop_okay" },
      [8, 3, 1, 1],
      -4,
      "a",
      1,
    ],
  ])("%s", (_, rest, bytes, code, last, md) => {
    const r = run(tlvs(rest), ...bytes);
    expect([r.code, r.last, r.md[0]]).toEqual([code, last, md]);
  });
});

describe("frames, exit nodes", () => {
  const frames = (n: number) =>
    parser("p", {
      "metameta-size": 8,
      "frame-size": 2,
      "max-frames": n,
      "okay-target": "okay",
      "fail-target": "fail",
      "encap-target": "out",
    })
      .node("a", {
        "min-hdr-length": 1,
        encap: true,
        metadata: { ents: [{ "hdr-src-off": 0, "md-off": 0, length: 1, "is-frame": true }] },
        "next-proto": { ...u8(0), ents: [{ key: 9, node: "z" }], "wildcard-node": "a" },
      })
      .node("z", leaf)
      .node("okay", { metadata: { ents: [{ type: "return_code", "md-off": 0 }] } })
      .node("fail", { metadata: { ents: [{ type: "return_code", "md-off": 4, endian: "little" }] } })
      .node("out", {
        metadata: { ents: [{ type: "num_encaps", "md-off": 1, length: 1, "is-frame": true }] },
      });

  test("each encapsulation has a frame; the last one is written again when there are no more", () => {
    // encap-target writes the old count into the old frame
    expect(run(frames(3), 5, 6, 9)).toMatchObject({
      code: -4,
      encaps: 3,
      md: [255, 255, 255, 252, 0, 0, 0, 0, 5, 0, 6, 1, 9, 2],
    });
    expect(run(frames(2), 5, 6, 9).md.slice(8)).toEqual([5, 0, 9, 2]);
    expect(run(frames(1), 5, 6, 9).md.slice(8)).toEqual([9, 2]);
  });

  test("the failing encapsulation has run encap-target; fail-target sees the code", () => {
    const r = run(frames(1), 5, 5, 5, 5, 5, 5);
    expect(r).toMatchObject({
      code: CODE.STOP_ENCAP_DEPTH,
      encaps: 5,
      md: [0, 0, 0, 0, 241, 255, 255, 255, 5, 4],
    });
  });
});

describe("metadata", () => {
  const one = (entry: object) =>
    parser("p", { ...SMALL, "metameta-size": 8 }).node("a", {
      "min-hdr-length": 6,
      metadata: { ents: [entry as never] },
    });
  const bytes = [0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc];

  test.each<[string, object, number[]]>([
    ["bytes as they are", { "hdr-src-off": 1, "md-off": 1, length: 3 }, [0, 0x34, 0x56, 0x78]],
    ["bytes reversed", { "hdr-src-off": 1, "md-off": 1, length: 3, endian: "little" }, [0, 0x78, 0x56, 0x34]],
    [
      "masked and shifted",
      { "hdr-src-off": 0, "md-off": 0, length: 2, mask: 0x0ff0, "right-shift": 4 },
      [0, 0x23],
    ],
    [
      "a longer target",
      { "hdr-src-off": 0, "src-length": 1, "md-off": 0, length: 4, endian: "little" },
      [0x12, 0, 0, 0],
    ],
    [
      "bits of a number",
      { value: 5, "md-off": 0, length: 2, endian: "little", "dst-shift": 9, "dst-bits": 3 },
      [0, 10],
    ],
    ["even nibbles", { type: "nibb_extract", "hdr-src-off": 2, "nibb-length": 4, "md-off": 0 }, [0x34, 0x56]],
    [
      "an odd start is right-aligned",
      { type: "nibb_extract", "hdr-src-off": 1, "nibb-length": 3, "md-off": 0 },
      [0x02, 0x34],
    ],
    [
      "an odd tail is left-aligned",
      { type: "nibb_extract", "hdr-src-off": 0, "nibb-length": 3, "md-off": 0 },
      [0x12, 0x30],
    ],
    [
      "odd start and tail",
      { type: "nibb_extract", "hdr-src-off": 1, "nibb-length": 2, "md-off": 0 },
      [0x02, 0x30],
    ],
    ["the header's length", { type: "hdr_length", "md-off": 0 }, [0, 6]],
    [
      "an offset from the end",
      { type: "offset", "from-end": true, "hdr-src-off": 1, "md-off": 0, endian: "little" },
      [7, 0],
    ],
  ])("%s", (_, entry, expected) => {
    const r = run(one(entry), ...bytes);
    expect(r.md.slice(0, expected.length)).toEqual(expected);
    expect(r.md.slice(expected.length).every((b) => b === 0)).toBe(true);
  });

  test("metadata of earlier nodes stays when a later one fails; the failing node writes nothing", () => {
    const b = parser("p", SMALL)
      .node("a", {
        "min-hdr-length": 1,
        metadata: { ents: [{ "hdr-src-off": 0, "md-off": 0, length: 1 }] },
        "next-node": "b",
      })
      .node("b", { "min-hdr-length": 2, metadata: { ents: [{ "hdr-src-off": 0, "md-off": 1, length: 1 }] } });
    expect(run(b, 7, 8)).toMatchObject({ code: CODE.STOP_LENGTH, last: "b", md: [7, 0, 0, 0] });
  });
});
