/** The hash follows what a parser means, not how it is written. */
import {
  type CprDocument,
  canonicalCpr,
  canonicalText,
  hashParser,
  Interpreter,
  loadParser,
  minimize,
  orThrow,
  type Parser,
  parserOf,
  SHIPPED_PARSERS,
  shippedParser,
} from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { mutate, Random } from "../helpers/random.ts";
import { seedPackets } from "../helpers/seeds.ts";

const NAMES = Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[];
// biome-ignore lint/suspicious/noExplicitAny: documents are rewritten as plain JSON here
type Any = any;

const copyOf = (name: keyof typeof SHIPPED_PARSERS): Any => structuredClone(SHIPPED_PARSERS[name]);
const hashOf = (document: Any): string => hashParser(orThrow(parserOf(document as CprDocument))).sha256;

/** Call back for every object below a value. */
function walk(value: Any, visit: (object: Any) => void): void {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) visit(value);
  for (const v of Object.values(value)) walk(v, visit);
}

/** Same meaning, other text. */
const VARIANTS: Readonly<Record<string, (d: Any) => void>> = {
  "lists of nodes, tables and entries reversed": (d) => {
    for (const list of ["parse-nodes", "proto-tables", "metadata-list", "cond-exprs-list", "counters"])
      d[list]?.reverse();
    walk(d, (o) => {
      const table = o.ents?.every((e: Any) => e.key !== undefined && e.node !== undefined);
      if (table) o.ents.reverse();
    });
  },
  "everything renamed": (d) => {
    const to = (n: string): string => `__proto__ ${n}`;
    for (const p of d.parsers) p.name = to(p.name);
    const named = ["parse-nodes", "proto-tables", "metadata-list", "cond-exprs-list", "counters"];
    for (const list of named) for (const n of d[list] ?? []) n.name = to(n.name);
    walk(d, (o) => {
      for (const p of ["root-node", "next-node", "table", "list", "index", "counter", "select-counter"])
        if (typeof o[p] === "string") o[p] = to(o[p]);
      if (typeof o["wildcard-node"] === "string") o["wildcard-node"] = to(o["wildcard-node"]);
      if (typeof o.node === "string") o.node = to(o.node);
      if (/^(pre|post)_metadata/.test(o.type ?? "")) o.name = to(o.name);
    });
  },
  "tables and lists written where they are used": (d) => {
    const tables = new Map(d["proto-tables"]?.map((t: Any) => [t.name, t.ents]));
    const metadata = new Map(d["metadata-list"]?.map((t: Any) => [t.name, t.ents]));
    const checks = new Map(d["cond-exprs-list"]?.map((t: Any) => [t.name, t.ents]));
    walk(d["parse-nodes"], (o) => {
      if (o.table !== undefined) {
        o.ents = structuredClone(tables.get(o.table));
        o.table = undefined;
      }
      for (const [property, from] of [
        ["metadata", metadata],
        ["pre-checks", checks],
        ["cond-exprs", checks],
      ] as const)
        if (o[property]?.list !== undefined)
          o[property] = { ents: structuredClone(from.get(o[property].list)) };
    });
    for (const list of ["proto-tables", "metadata-list", "cond-exprs-list"]) delete d[list];
  },
  "tables taken out of their nodes": (d) => {
    d["proto-tables"] ??= [];
    walk(d["parse-nodes"], (o) => {
      if (o["next-proto"]?.ents === undefined) return;
      const name = `table ${d["proto-tables"].length}`;
      d["proto-tables"].push({ name, ents: o["next-proto"].ents });
      delete o["next-proto"].ents;
      o["next-proto"].table = name;
    });
  },
  "numbers in hexadecimal": (d) =>
    walk(d, (o) => {
      for (const [k, v] of Object.entries(o))
        if (typeof v === "number" && v >= 0 && k !== "cpr") o[k] = `0x${v.toString(16)}`;
    }),
  "hexadecimal in decimal": (d) =>
    walk(d, (o) => {
      for (const [k, v] of Object.entries(o)) if (/^0x/.test(String(v))) o[k] = Number(v);
    }),
  "unreachable nodes, tables and counters added": (d) => {
    d["parse-nodes"].unshift({ name: "stray", "min-hdr-length": 3, "next-node": d.parsers[0]["root-node"] });
    (d["proto-tables"] ??= []).unshift({ name: "stray", ents: [{ key: 1, node: "stray" }] });
    (d.counters ??= []).unshift({ name: "stray", "num-elements": 9 });
  },
  "a counter that nobody looks at": (d) => {
    (d.counters ??= []).unshift({ name: "idle", "error-exceeded": false, max: 1 });
    for (const n of d["parse-nodes"])
      n["counter-actions"] = [
        { name: "idle", type: "pre_metadata_inc" },
        ...(n["counter-actions"] ?? []),
        { name: "idle", type: "post_metadata_reset" },
      ];
  },
  "comments, layout and names for people": (d) => {
    delete d["metadata-layout"];
    // which metadata is which member of struct bpf_flow_keys: said beside the parser, no part of it
    delete d["flow-keys"];
    walk(d, (o) => {
      if (o["md-off"] !== undefined) o.name = "renamed";
      if (!("cpr" in o) && ("field-off" in o || "key" in o || "name" in o)) o.comment = "new";
    });
  },
  "defaults written out": (d) => {
    for (const p of d.parsers) p["max-nodes"] ??= 255;
    walk(d, (o) => {
      if (o["md-off"] !== undefined) o["is-frame"] ??= false;
      if (o["field-len"] !== undefined && o["field-off"] !== undefined) {
        o["right-shift"] ??= 0;
        o.endian ??= "big";
      }
      if (o["next-proto"] !== undefined && o["next-proto"]["wildcard-node"] === undefined)
        o["next-proto"].default ??= "stop_unknown_proto";
    });
  },
};

describe.each(NAMES)("%s", (name) => {
  const original = hashOf(copyOf(name));

  test.each(Object.entries(VARIANTS))("keeps its hash: %s", (_, change) => {
    const document = copyOf(name);
    change(document);
    const changed = JSON.stringify(document) !== JSON.stringify(SHIPPED_PARSERS[name]);
    // the ports parser names no table
    expect(changed || name === "ports").toBe(true);
    expect(hashOf(document)).toBe(original);
  });

  test("the canonical form of the canonical form is itself", () => {
    const text = canonicalText(shippedParser(name));
    expect(canonicalText(orThrow(loadParser(text)))).toBe(text);
    expect(new TextDecoder().decode(canonicalCpr(shippedParser(name)))).toBe(`cpr/1\n${text}`);
  });

  test("a parser and its canonical form behave alike", () => {
    sameResults(shippedParser(name), orThrow(loadParser(canonicalText(shippedParser(name)))), 1500);
  });

  test("minimizing is recorded, stable, and changes no result", () => {
    const parser = shippedParser(name);
    const small = minimize(parser);
    expect(canonicalText(small)).toContain('"minimized":true');
    expect(hashParser(small).sha256).not.toBe(original);
    expect(canonicalText(minimize(small))).toBe(canonicalText(small));
    expect(canonicalText(orThrow(loadParser(canonicalText(small))))).toBe(canonicalText(small));
    sameResults(parser, small, 1500);
  });
});

test("minimizing merges nodes that cannot be told apart, and only those", () => {
  const twins = parserOf({
    cpr: 1,
    parsers: [{ "root-node": "a" }],
    "parse-nodes": [
      {
        name: "a",
        "min-hdr-length": 1,
        "next-proto": {
          "field-off": 0,
          "field-len": 1,
          ents: [
            { key: 1, node: "b" },
            { key: 2, node: "c" },
            { key: 3, node: "d" },
          ],
        },
      },
      { name: "b", "min-hdr-length": 2, "next-node": "b" },
      { name: "c", "min-hdr-length": 2, "next-node": "c" },
      { name: "d", "min-hdr-length": 2, "next-node": "a" },
    ],
  });
  expect(minimize(orThrow(twins)).nodes.map((n) => n.name)).toEqual(["a", "b", "d"]);
});

test("each change of a single number changes the hash", () => {
  let changed = 0;
  for (const name of NAMES) {
    const original = hashOf(copyOf(name));
    const reached = new Set(shippedParser(name).nodes.map((n) => n.name));
    // of the large parsers every fourth number
    const every = SHIPPED_PARSERS[name]["parse-nodes"].length > 10 ? 4 : 1;
    for (const [path, value] of numbers(SHIPPED_PARSERS[name]).filter((_, i) => i % every === 0)) {
      const node = path[0] === "parse-nodes" ? SHIPPED_PARSERS[name]["parse-nodes"][Number(path[1])] : null;
      if (node !== null && !reached.has(node!.name)) continue;
      if (["metadata-layout", "flow-keys", "cpr"].includes(String(path[0]))) continue;
      if (path[0] === "parsers" && path[1] === 1) continue;
      for (const other of [value + 1, value - 1, value ^ 4]) {
        const document = copyOf(name);
        const holder = path.slice(0, -1).reduce((o: Any, k) => o[k], document);
        // bits that are shifted out select nothing: both masks are one selection
        const shift = path[path.length - 1] === "mask" ? Number(holder["right-shift"] ?? 0) : 0;
        if (other >>> shift === value >>> shift) continue;
        holder[path[path.length - 1]!] = other;
        const parser = parserOf(document);
        if (!parser.ok) continue;
        if (hashParser(parser.value).sha256 === original)
          throw new Error(`${name} ${path.join(".")}: ${value} and ${other} have one hash`);
        changed++;
        break;
      }
    }
  }
  expect(changed).toBeGreaterThanOrEqual(200);
});

test("a counter that may fail is looked at, and its code is its number among those", () => {
  const counted = (first: object): Parser =>
    orThrow(
      parserOf({
        cpr: 1,
        parsers: [{ "root-node": "a" }],
        "parse-nodes": [
          {
            name: "a",
            "min-hdr-length": 1,
            "counter-actions": [
              { name: "first", type: "pre_metadata_inc" },
              { name: "second", type: "pre_metadata_inc" },
            ],
            "next-node": "a",
          },
        ],
        counters: [
          { name: "first", max: 9, ...first },
          { name: "second", max: 2 },
        ],
      } as CprDocument),
    );
  const codes = [{}, { "error-exceeded": false }].map((first) => {
    const run = new Interpreter(counted(first));
    run.run(new Uint8Array(12));
    return run.code;
  });
  expect(codes).toEqual([-28, -27]);
  expect(hashParser(counted({})).sha256).not.toBe(hashParser(counted({ "error-exceeded": false })).sha256);
});

test("a parser with a handler has no hash unless it is left out", () => {
  const document = copyOf("ports");
  document["parse-nodes"][0].handler = "count_them";
  const parser = orThrow(parserOf(document));
  expect(() => hashParser(parser)).toThrow(/handlers/);
  expect(hashParser(parser, { handlers: "ignore" })).toEqual(hashParser(shippedParser("ports")));
});

/** Every number of a document that means something: its path and value. */
function numbers(value: Any, path: (string | number)[] = []): [(string | number)[], number][] {
  if (typeof value === "number" || /^0x/.test(String(value))) return [[path, Number(value)]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([k, v]) =>
    numbers(v, [...path, Array.isArray(value) ? Number(k) : k]),
  );
}

/** Code, encapsulations and metadata of two parsers on mutated packets. */
function sameResults(a: Parser, b: Parser, rounds: number): void {
  const [first, second] = [new Interpreter(a), new Interpreter(b)];
  const seed = Date.now() & 0xffffff;
  const random = new Random(seed);
  const seeds = seedPackets();
  for (let i = 0; i < rounds; i++) {
    const packet = mutate(seeds[random.below(seeds.length)]!, random);
    const keys = [random.below(16), ((packet[12] ?? 0) << 8) | (packet[13] ?? 0)];
    for (const run of [first, second]) {
      run.clear();
      run.keys.set(keys.slice(0, run.keys.length));
      run.run(packet, packet.length, run.keys.length > 0 ? 14 : 0);
    }
    const told = `seed ${seed}, packet ${Buffer.from(packet).toString("hex")}`;
    expect([second.code, second.encaps, second.nodes], told).toEqual([first.code, first.encaps, first.nodes]);
    expect(Buffer.compare(first.metadata, second.metadata), told).toBe(0);
  }
}
