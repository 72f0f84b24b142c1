/** Parsers of the constructs that the shipped ones do not use. */
import { field, orThrow, type Parser, parser, when } from "../../src/index.ts";

const u8 = (off: number): ReturnType<typeof field> => field(off, 1);
/** By what is in them. */
export const RARE_PARSERS: Readonly<Record<string, Parser>> = {
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
