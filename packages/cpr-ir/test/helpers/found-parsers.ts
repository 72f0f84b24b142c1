/** Documents and packets that told something apart from what the CPR text says, as small as they get. */
import type { CprDocument } from "../../src/ir/document.ts";

/** One of them. */
export interface Found {
  readonly document: CprDocument;
  /** Hexadecimal. */
  readonly packet: string;
  readonly keys?: readonly number[];
}

const u8 = (off: number): { "field-off": number; "field-len": number } => ({
  "field-off": off,
  "field-len": 1,
});

/** By what was wrong. */
export const FOUND_PARSERS: Readonly<Record<string, Found>> = {
  "interpreter: a number that does not fit is -25 though its array has no element to write": {
    document: {
      cpr: 1,
      parsers: [{ "metameta-size": 2, "root-node": "a" }],
      "parse-nodes": [
        {
          name: "a",
          "min-hdr-length": 16,
          metadata: { ents: [{ type: "hdr_length", "dst-shift": 12, index: "c", "md-off": 0 }] },
        },
      ],
      counters: [{ name: "c" }],
    },
    packet: "00".repeat(16),
  },
  "xdp: an offset on the stack, bounded at one reading and not at the next": {
    document: {
      cpr: 1,
      parsers: [{ "root-node": "n0" }],
      "parse-nodes": [
        {
          name: "n0",
          "min-hdr-length": 0,
          "hdr-length": { constant: 6, clamp: true },
          "tlv-parse-node": {
            "tlv-type": { "field-off": 1, "field-len": 1 },
            "tlv-length": { "field-off": 1, "field-len": 1 },
            "wildcard-node": {
              "overlay-node": {
                "wildcard-node": {
                  "min-hdr-length": 3,
                  "nested-node": {
                    "tlv-type": { "field-off": 0, "field-len": 2 },
                    "tlv-length": { "field-off": 1, "field-len": 1 },
                    ents: [
                      {
                        key: 36,
                        node: {
                          "min-hdr-length": 3,
                          "cond-exprs": {
                            ents: [
                              {
                                "default-fail": -5,
                                ents: [
                                  {
                                    type: "and",
                                    ents: [
                                      { "field-off": 0, "field-len": 3, type: "not_equal", value: 2424705 },
                                    ],
                                  },
                                ],
                              },
                            ],
                          },
                        },
                      },
                    ],
                  },
                  "overlay-node": {
                    "field-off": 1,
                    "field-len": 1,
                    ents: [{ key: 168, node: { "min-hdr-length": 5 } }],
                  },
                },
              },
            },
          },
          "next-proto": { remaining: true, ents: [{ key: 52, node: "n0" }] },
        },
      ],
    },
    packet: "0003".repeat(16),
  },
  "xdp: a field further behind than an instruction's offset reaches": {
    document: {
      cpr: 1,
      parsers: [{ "metameta-size": 2, "root-node": "a" }],
      "parse-nodes": [
        {
          name: "a",
          "min-hdr-length": 40_000,
          metadata: { ents: [{ "hdr-src-off": 36_570, length: 2, "md-off": 0 }] },
          "next-proto": { ...u8(33_000), ents: [{ key: 1, node: "a" }] },
        },
      ],
    },
    packet: "00".repeat(64),
  },
  "interpreter: the same behind the last of some elements": {
    document: {
      cpr: 1,
      parsers: [{ "metameta-size": 2, "root-node": "a" }],
      "parse-nodes": [
        {
          name: "a",
          "min-hdr-length": 16,
          "counter-actions": [{ name: "c", type: "pre_metadata_inc" }],
          metadata: { ents: [{ type: "hdr_length", "dst-shift": 12, index: "c", "md-off": 0 }] },
        },
      ],
      counters: [{ name: "c", "num-elements": 1, overwritable: false }],
    },
    packet: "00".repeat(16),
  },
  "P4: a padding type that the type field cannot hold is none": {
    document: {
      cpr: 1,
      parsers: [{ "root-node": "a" }],
      "parse-nodes": [
        {
          name: "a",
          "min-hdr-length": 0,
          "hdr-length": "rest",
          "tlv-parse-node": { "tlv-type": u8(0), "tlv-length": u8(1), padn: 0x1ff, default: -16 },
        },
      ],
    },
    packet: "ff02",
  },
  "interpreter: a padding type of 2^31 and more": {
    document: {
      cpr: 1,
      parsers: [{ "root-node": "a" }],
      "parse-nodes": [
        {
          name: "a",
          "min-hdr-length": 4,
          "tlv-parse-node": {
            "start-offset": 0,
            "tlv-type": { "field-off": 0, "field-len": 4 },
            "tlv-length": { constant: 4 },
            "min-hdr-length": 4,
            padn: 0xffffffff,
            default: -16,
          },
        },
      ],
    },
    packet: "ffffffff",
  },
  "XDP: an exit node that writes to a frame": {
    document: {
      cpr: 1,
      parsers: [{ "root-node": "a", "fail-target": "x" }],
      "parse-nodes": [
        { name: "a", "min-hdr-length": 1 },
        { name: "x", metadata: { ents: [{ value: 0, "is-frame": true, "md-off": 0 }] } },
      ],
    },
    packet: "",
  },
  "XDP: an offset in one byte, in a loop": {
    document: {
      cpr: 1,
      parsers: [{ "root-node": "a" }],
      "parse-nodes": [
        {
          name: "a",
          "min-hdr-length": 1,
          "post-metadata": {
            ents: [
              {
                type: "offset",
                "dst-bits": 1,
                "md-off": 0,
                when: { "field-off": 0, "field-len": 1, type: "equal", value: 0 },
              },
            ],
          },
          "next-proto": { "field-off": 0, "field-len": 1, ents: [{ key: 0, node: "a" }] },
        },
      ],
    },
    packet: "0000",
  },
  "P4: an encapsulation where nothing is written to the frames": {
    document: {
      cpr: 1,
      parsers: [{ "root-node": "a", "max-frames": 2 }],
      "parse-nodes": [{ name: "a", "min-hdr-length": 1, encap: true, "next-node": "a" }],
    },
    packet: "0000",
  },
};
