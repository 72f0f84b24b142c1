/** Random small parsers of what proofs look into: overlays, flag fields, TLVs, counters, key registers, conditions. */
import type { CprDocument } from "@netoffload/cpr-ir";
import type { Random } from "./random.ts";

type Json = Record<string, unknown>;

/** A document with few nodes, few bits that matter and short headers, so that random packets go everywhere. */
export function smallDocument(r: Random): CprDocument {
  const pick = <T>(list: readonly T[]): T => list[r.below(list.length)]!;
  const some = (n: number): boolean => r.below(n) === 0;
  const names = Array.from({ length: 2 + r.below(4) }, (_, i) => `n${i}`);

  const load = (least: number): Json => {
    if (some(5)) return { "select-key": r.below(2), mask: pick([1, 2, 3]) };
    if (some(5)) return { "select-counter": pick(["c", "d"]) };
    if (least === 0) return { remaining: true };
    if (some(5)) return { remaining: true };
    return { "field-off": r.below(least), "field-len": 1, mask: pick([1, 2, 3, 6, 7]) };
  };
  const compare = (least: number): Json => {
    const type = pick([
      "equal",
      "not_equal",
      "less_or_equal",
      "greater_than",
      "less_than",
      "greater_or_equal",
    ]);
    return { type, ...load(least), value: r.below(9) };
  };
  const expr = (least: number): Json =>
    some(2)
      ? compare(least)
      : {
          type: pick(["and", "or"]),
          ents: [compare(least), some(3) ? expr(least) : compare(least)],
        };
  const checks = (least: number): Json => ({
    ents: Array.from({ length: 1 + r.below(2) }, () => ({
      "default-fail": pick(["stop_okay", "stop_fail", "stop_length"]),
      type: pick(["and", "or"]),
      ents: [expr(least), expr(least)],
    })),
  });
  const entry = (least: number): Json => {
    const when = some(2) ? { when: expr(least) } : {};
    const at = { "md-off": r.below(6), length: 1, ...when };
    switch (r.below(least === 0 ? 3 : 6)) {
      case 0:
        return { type: "constant", value: r.below(4), ...at };
      case 1:
        return { type: "constant", value: r.below(4), "to-key": r.below(2), ...when };
      case 2:
        return { type: "offset", ...at, "from-end": some(2) };
      case 3:
        return {
          "hdr-src-off": r.below(least),
          mask: pick([1, 3, 7]),
          "to-key": r.below(2),
          length: 1,
          ...when,
        };
      case 4:
        return { "hdr-src-off": r.below(least), ...at, "md-off": 8, index: pick(["c", "d"]) };
      default:
        return { "hdr-src-off": r.below(least), ...at };
    }
  };
  const entries = (least: number): Json => ({ ents: Array.from({ length: r.below(3) }, () => entry(least)) });
  const count = (): Json => ({
    name: pick(["c", "d"]),
    type: pick(["pre_metadata_inc", "post_metadata_inc", "post_metadata_inc", "post_metadata_reset"]),
  });
  const flags = (): Json => ({
    "flags-offset": 0,
    "flags-length": 1,
    ents: [1, 2, 4].map((flag) => ({
      flag,
      "field-len": 1 + r.below(2),
      ...(some(2) ? { node: { metadata: entries(1), "cond-exprs": checks(1) } } : {}),
    })),
  });
  const tlvs = (): Json => ({
    "tlv-type": { "field-off": 0, "field-len": 1, mask: 3 },
    "tlv-length": { "field-off": 0, "field-len": 1, mask: 12, "right-shift": 2, add: 1 },
    "min-hdr-length": 1,
    ents: [1, 2].map((key) => ({
      key,
      node: {
        "min-hdr-length": 1 + r.below(2),
        metadata: { ents: [{ "hdr-src-off": 0, "md-off": r.below(4), length: 1 }] },
        ...(some(2)
          ? {
              "overlay-node": {
                "field-off": 0,
                "field-len": 1,
                mask: 12,
                "right-shift": 2,
                ents: [{ key: r.below(4), node: { "min-hdr-length": 1 + r.below(3), metadata: entries(1) } }],
              },
            }
          : {}),
      },
    })),
  });
  const body = (least: number): Json => {
    if (least === 0) return {};
    switch (r.below(4)) {
      case 0:
        return {
          ...(some(3) ? {} : { "hdr-length": { "flag-fields-length": true, clamp: some(2) } }),
          "flag-fields-parse-node": flags(),
        };
      case 1:
        return {
          "hdr-length": { "field-off": 0, "field-len": 1, mask: 7, clamp: some(2) },
          "tlv-parse-node": { ...tlvs(), "start-offset": least },
        };
      default:
        return {};
    }
  };
  const next = (least: number): Json => {
    if (some(3)) return { "next-node": pick(names) };
    const field = { "field-off": least - 1, "field-len": 1 };
    const key = some(3) || least === 0 ? { "select-key": r.below(2), mask: 3 } : { ...field, mask: 3 };
    const table = { ents: [0, 1, 2].map((k) => ({ key: k, node: pick(names) })) };
    return { "next-proto": { ...key, ...table, ...(some(2) ? { "wildcard-node": pick(names) } : {}) } };
  };
  const nodes = names.map((name) => {
    const least = r.below(3);
    const goes = some(5) ? {} : next(least);
    const inner = "next-node" in goes || "next-proto" in goes;
    return {
      name,
      "min-hdr-length": least,
      ...(some(3) ? { "pre-checks": checks(least) } : {}),
      ...(some(2) ? { "counter-actions": [count()] } : {}),
      metadata: entries(least),
      ...body(least),
      ...(inner && some(3) ? { "cond-exprs": checks(least) } : {}),
      ...(inner && some(2) ? { overlay: true } : {}),
      ...(inner && some(4) ? { encap: true } : {}),
      ...goes,
    };
  });
  const counter = { "num-elements": 2, "element-size": 1, "error-exceeded": some(2), overwritable: some(2) };
  return {
    cpr: 1,
    parsers: [
      {
        name: "random",
        "root-node": "n0",
        "max-nodes": 6 + r.below(3),
        "max-encaps": 1 + r.below(4),
        "max-frames": 1,
        "metameta-size": 16,
        "frame-size": 0,
        "num-keys": 2,
      },
    ],
    "parse-nodes": nodes,
    counters: [
      { name: "c", ...counter, max: 2 + r.below(2), "reset-at-encap": some(2) },
      { name: "d", ...counter, max: 1 + r.below(3), "reset-at-encap": some(2) },
    ],
  } as unknown as CprDocument;
}
