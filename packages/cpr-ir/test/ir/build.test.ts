/** The builder makes every construct of the format, and the documents that files hold. */
import {
  check,
  entries,
  field,
  formatCpr,
  hashParser,
  Interpreter,
  orThrow,
  type Parser,
  type ParserBuilder,
  parser,
  readCpr,
  when,
} from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import type { ParseNodeText } from "../../src/ir/document.ts";

const u8 = (off: number): ReturnType<typeof field> => field(off, 1);
const small = { "metameta-size": 16, "max-frames": 1, "frame-size": 0 };

/** A construct, a packet, the code and the metadata that it must give. */
interface Case {
  readonly built: ParserBuilder;
  readonly packet: readonly number[];
  readonly code: number;
  readonly metadata: readonly number[];
}

const CONSTRUCTS: Readonly<Record<string, Case>> = {
  "array: elements by type, another default": {
    built: parser("array", small)
      .node("list", {
        "min-hdr-length": 1,
        "hdr-length": { ...u8(0), multiplier: 2, add: 1 },
        "array-parse-node": {
          "num-els": u8(0),
          "start-offset": 1,
          "el-length": 2,
          "el-type": u8(0),
          ents: entries([7, "seven"]),
          default: "okay",
          "max-els": 4,
        },
      })
      .arrayNode("seven", { metadata: { ents: [{ "hdr-src-off": 1, "md-off": 3, length: 1 }] } }),
    packet: [2, 9, 0xaa, 7, 0xbb],
    code: -4,
    metadata: [0, 0, 0, 0xbb],
  },
  "TLVs inside a TLV, and a second look-up by its length": {
    built: parser("nested", small)
      .node("options", {
        "min-hdr-length": 1,
        "hdr-length": "rest",
        "tlv-parse-node": {
          "start-offset": 1,
          "tlv-type": u8(0),
          "tlv-length": u8(1),
          ents: entries([1, "outer"], [2, "sized"]),
        },
      })
      .tlvNode("outer", {
        "min-hdr-length": 2,
        "nested-node": {
          "start-offset": 2,
          "tlv-type": u8(0),
          "tlv-length": u8(1),
          ents: entries([5, "inner"]),
        },
      })
      .tlvNode("inner", {
        "min-hdr-length": 3,
        metadata: { ents: [{ "hdr-src-off": 2, "md-off": 0, length: 1 }] },
      })
      .tlvNode("sized", { "min-hdr-length": 2, "overlay-node": { ...u8(1), ents: entries([4, "four"]) } })
      .tlvNode("four", {
        "min-hdr-length": 4,
        metadata: { ents: [{ "hdr-src-off": 2, "md-off": 1, length: 2 }] },
      }),
    packet: [0, 1, 5, 5, 3, 0xcc, 2, 4, 0xdd, 0xee],
    code: -4,
    metadata: [0xcc, 0xdd, 0xee],
  },
  "keys: one set, one selected": {
    built: parser("keys", { ...small, "num-keys": 1 })
      .node("first", {
        "min-hdr-length": 1,
        metadata: { ents: [{ "hdr-src-off": 0, "src-length": 1, "to-key": 0 }] },
        "next-node": "second",
      })
      .node("second", { "min-hdr-length": 1, "next-proto": { "select-key": 0, ents: entries([9, "third"]) } })
      .node("third", { "min-hdr-length": 0, metadata: { ents: [{ type: "num_nodes", "md-off": 0 }] } }),
    packet: [9, 0],
    code: -4,
    metadata: [0, 3],
  },
  "conditions joined, in a list with a name": {
    built: parser("conditions", small)
      .node("a", {
        "min-hdr-length": 2,
        "pre-checks": { list: "sane" },
        metadata: { ents: [{ value: 1, "md-off": 0, length: 1, when: when("equal", u8(1), 5) }] },
      })
      .checks(
        "sane",
        check("stop_bad_flag", { type: "or", ents: [when("equal", u8(0), 1), when("less_than", u8(1), 3)] }),
      ),
    packet: [2, 5],
    code: -18,
    metadata: [],
  },
  "counters: an array of tags, an encapsulation that starts anew, frames": {
    built: parser("counters", { "metameta-size": 0, "max-frames": 2, "frame-size": 3 })
      .node("tag", {
        "min-hdr-length": 1,
        "counter-actions": [{ name: "tags", type: "post_metadata_inc" }],
        metadata: { ents: [{ "hdr-src-off": 0, "md-off": 0, "is-frame": true, length: 1, index: "tags" }] },
        "next-proto": { ...u8(0), table: "next" },
      })
      .node("tunnel", { "min-hdr-length": 1, encap: true, "next-node": "tag" })
      .node("end", {
        "min-hdr-length": 0,
        metadata: { ents: [{ type: "counter", counter: "tags", "md-off": 2, "is-frame": true, length: 1 }] },
      })
      .table("next", [1, "tag"], [2, "tunnel"], [3, "end"])
      .counter("tags", { "element-size": 1, "num-elements": 2 }),
    packet: [1, 2, 0, 3],
    code: -4,
    metadata: [1, 2, 0, 3, 0, 1],
  },
  "flag fields: two of three, the last with a node": {
    built: parser("flags", small)
      .node("gre", {
        "min-hdr-length": 1,
        "hdr-length": { "flag-fields-length": true },
        "flag-fields-parse-node": { "flags-offset": 0, "flags-length": 1, table: "fields" },
      })
      .flagTable(
        "fields",
        { flag: 0x80, "field-len": 2 },
        { flag: 0x40, "field-len": 4 },
        { flag: 0x20, "field-len": 1, node: "last" },
      )
      .flagNode("last", {
        metadata: {
          ents: [
            { "hdr-src-off": 0, "md-off": 0, length: 1 },
            { type: "hdr_length", "md-off": 2 },
          ],
        },
      }),
    packet: [0xa0, 1, 2, 0xee],
    code: -4,
    metadata: [0xee, 0, 0, 1],
  },
  "overlay, exit nodes, the rest of the packet, zero length": {
    built: parser("exits", { ...small, "okay-target": "fine", "fail-target": "bad", "encap-target": "in" })
      .node("fine", { "min-hdr-length": 0, metadata: { ents: [{ type: "return_code", "md-off": 0 }] } })
      .node("bad", { "min-hdr-length": 0, metadata: { list: "failed" } })
      .node("in", { "min-hdr-length": 0, metadata: { ents: [{ type: "num_encaps", "md-off": 4 }] } })
      .node("version", {
        "min-hdr-length": 1,
        overlay: true,
        "next-proto": { ...field(0, 1, { mask: 0xf0, "right-shift": 4 }), ents: entries([4, "four"]) },
      })
      .node("four", {
        "min-hdr-length": 1,
        "hdr-length": "rest",
        encap: true,
        "zero-length-ok": true,
        "next-node": "never",
      })
      .node("never", { "min-hdr-length": 9 })
      .metadata("failed", { value: 0xff, "md-off": 6, length: 1 }, "why")
      .metadataObject("why", { type: "return_code", "md-off": 8 })
      .root("version"),
    packet: [0x40, 1, 2],
    code: -4,
    metadata: [0xff, 0xff, 0xff, 0xfc, 0, 0, 0],
  },
  "the list of a failure, and an entry with a name in it": {
    built: parser("failure", { ...small, "fail-target": "bad" })
      .node("a", { "min-hdr-length": 2 })
      .node("bad", { "min-hdr-length": 0, metadata: { list: "failed" } })
      .metadata("failed", "why", { value: 0xff, "md-off": 4, length: 1 })
      .metadataObject("why", { type: "return_code", "md-off": 0 }),
    packet: [1],
    code: -13,
    metadata: [0xff, 0xff, 0xff, 0xf3, 0xff],
  },
  "nibbles and bits": {
    built: parser("bits", small).node("a", {
      "min-hdr-length": 3,
      metadata: {
        ents: [
          { type: "nibb_extract", "hdr-src-off": 1, "nibb-length": 3, "md-off": 0 },
          {
            "hdr-src-off": 2,
            "src-length": 1,
            mask: 0x0f,
            "md-off": 2,
            length: 1,
            "dst-shift": 4,
            "dst-bits": 4,
          },
        ],
      },
    }),
    packet: [0x12, 0x34, 0x56],
    code: -4,
    metadata: [0x02, 0x34, 0x60],
  },
};

describe.each(Object.entries(CONSTRUCTS))("%s", (_name, { built, packet, code, metadata }) => {
  const made: Parser = orThrow(built.build());

  test("does what it says", () => {
    const run = new Interpreter(made);
    expect(run.run(Uint8Array.from(packet))).toBe(code);
    const padded = [...metadata, ...Array.from({ length: run.metadata.length - metadata.length }, () => 0)];
    expect([...run.metadata]).toEqual(padded);
  });

  test("is the parser that its file holds", () => {
    const file = orThrow(readCpr(formatCpr(built.document())));
    expect(file.dialect).toBe("native");
    expect(file.diagnostics).toEqual([]);
    expect(hashParser(file.parser)).toEqual(hashParser(made));
  });
});

test("faults of a document made in code have their path too", () => {
  const wrong = parser("p").node("a", { "min-hdr-length": 1, "next-node": "b" }).build();
  expect(wrong).toMatchObject({
    ok: false,
    diagnostics: [{ code: "cpr.missing-name", path: "parse-nodes[0].next-node" }],
  });
});

describe("an exit node has no header", () => {
  const exits = (of: Omit<ParseNodeText, "name">, next?: string): unknown =>
    parser("p", { "okay-target": "x" })
      .node("a", { "min-hdr-length": 1, ...(next === undefined ? {} : { "next-node": next }) })
      .node("x", of)
      .build();
  const fault = (path: string): object => ({ ok: false, diagnostics: [{ code: "cpr.exit", path }] });

  test("nothing would ever run its post-metadata", () => {
    const ents = [{ type: "num_nodes", "md-off": 0 }];
    expect(exits({ "post-metadata": { ents } })).toMatchObject(fault("parse-nodes[1].post-metadata"));
  });

  test("nor where it is a leaf of the graph too", () => {
    const leaf: Omit<ParseNodeText, "name"> = {
      "min-hdr-length": 0,
      metadata: { ents: [{ type: "offset", "md-off": 0 }] },
    };
    expect(exits(leaf, "x")).toMatchObject(fault("parse-nodes[1].metadata.ents[0].type"));
    const when = { type: "equal", remaining: true, value: 0 };
    const constant = { ...leaf, metadata: { ents: [{ value: 1, "md-off": 0, when }] } };
    expect(exits(constant, "x")).toMatchObject(fault("parse-nodes[1].metadata.ents[0].when"));
    expect(exits({ ...leaf, metadata: { ents: [{ value: 1, "md-off": 0 }] } }, "x")).toMatchObject({
      ok: true,
    });
  });
});
