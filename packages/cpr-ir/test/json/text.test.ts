/** JSON with positions: what is told, where. */
import { type Diagnostic, type ReadOptions, readCpr } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";

/** What is told about a text, briefly. */
function told(text: string, options: ReadOptions = {}): string[] {
  const r = readCpr(text, options);
  const list: readonly Diagnostic[] = r.ok ? r.value.diagnostics : r.diagnostics;
  return list.map((d) =>
    [d.severity ?? "error", d.code, `${d.line}:${d.column}`, d.path, d.suggestion]
      .filter((part) => part !== undefined)
      .join(" "),
  );
}

const GOOD = `{"cpr":1,"parsers":[{"root-node":"a"}],"parse-nodes":[{"name":"a","min-hdr-length":1}]}`;

test("a small document has no fault", () => {
  expect(told(GOOD)).toEqual([]);
});

describe("faults have line, column, path and a suggestion", () => {
  test.each([
    ["", "error json.empty 1:1"],
    ['{"cpr":1', "error json.comma 1:9"],
    ["[1, 2", "error json.comma 1:6"],
    ['{"cpr":1}\n x', "error json.trailing 2:2"],
    ['{"cpr":01}', 'error json.number 1:9 hexadecimal is written as a string, "0x86dd"'],
    ['{"a":1,"a":2}', "error json.duplicate 1:8 $"],
    ['{"cpr":"\\q"}', "error json.string 1:9"],
    ['{"cpr":"a\nb"}', "error json.string 1:10"],
    ["{“cpr”:1}", 'error json.quotes 1:2 write strings in plain quotes "..."'],
    ['{"cpr":1,}', "error json.comma 1:9 remove it"],
    ['# hi\n{"cpr":1}', 'error json.comment 1:1 JSON has none; use a "comment" property'],
    [GOOD.replace('"cpr":1', '"cpr":2'), "error cpr.value 1:8 cpr"],
    [GOOD.replace('"parse-nodes"', '"counters"'), "error cpr.missing 1:1 $"],
    [
      GOOD.replace("min-hdr-length", "min-hdr-lenght"),
      "error cpr.unknown 1:67 parse-nodes[0].min-hdr-lenght 'min-hdr-length'",
    ],
    [GOOD.replace(":1}]}", ":65536}]}"), "error cpr.value 1:84 parse-nodes[0].min-hdr-length"],
    [GOOD.replace(":1}]}", ":1.5}]}"), "error cpr.value 1:84 parse-nodes[0].min-hdr-length"],
    [GOOD.replace(":1}]}", ":1e400}]}"), "error cpr.value 1:84 parse-nodes[0].min-hdr-length"],
    [
      GOOD.replace('"root-node":"a"', '"root-node":"A"'),
      "error cpr.missing-name 1:34 parsers[0].root-node 'a'",
    ],
  ])("%s", (text, expected) => {
    expect(told(text)).toContain(expected);
  });
});

test("all faults are collected", () => {
  const text = `{"cpr":1,"parsers":[{"root-node":"a","max-nodes":0,"size":3}],
 "parse-nodes":[{"name":"a","min-hdr-length":"x"},{"min-hdr-length":1}]}`;
  expect(told(text)).toEqual([
    "error cpr.value 1:50 parsers[0].max-nodes",
    "error cpr.unknown 1:52 parsers[0].size",
    "error cpr.value 2:46 parse-nodes[0].min-hdr-length",
    "error cpr.missing 2:51 parse-nodes[1]",
  ]);
});

test("lenient reading tells unknown properties and slips of JSON as warnings", () => {
  const text = `# a parser
"cpr": 1,
“parsers”: [ { "root-node": "a", "colour": 3 }, ],
"parse-nodes": [ { "name": "a" "min-hdr-length": 1, } ],`;
  expect(told(text)).toEqual(['error json.comment 1:1 JSON has none; use a "comment" property']);
  expect(told(text, { lenient: true }).map((t) => t.split(" ").slice(0, 3).join(" "))).toEqual([
    "warning json.comment 1:1",
    "warning json.braces 2:1",
    "warning json.quotes 3:1",
    "warning json.comma 3:47",
    "warning cpr.unknown 3:34",
  ]);
});

test("names of object prototypes are names like others", () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
  const document = {
    cpr: 1,
    parsers: [{ "root-node": names[0] }],
    "parse-nodes": names.map((name, i) => ({
      name,
      "min-hdr-length": 1,
      ...(i + 1 < names.length ? { "next-node": names[i + 1] } : {}),
    })),
  };
  expect(told(JSON.stringify(document))).toEqual([]);
  const property = GOOD.replace('"cpr":1', '"cpr":1,"__proto__":{"x":1},"constructor":1');
  expect(told(property).map((t) => t.split(" ")[1])).toEqual(["cpr.unknown", "cpr.unknown"]);
});
