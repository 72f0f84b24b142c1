/** The dialects: recognised, imported by the rules of cpr.md section 4, every fault told where it stands. */
import { readFileSync } from "node:fs";
import { formatCpr, Interpreter, loadParser, orThrow, type ReadOptions, readCpr } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";

const text = (name: string): string => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), "utf8");

/** Faults as `severity code path`. */
function told(source: string, options: ReadOptions = {}): string[] {
  const r = readCpr(source, options);
  return (r.ok ? r.value.diagnostics : r.diagnostics).map(
    (d) =>
      `${d.severity ?? "error"} ${d.code} ${d.path}${d.suggestion === undefined ? "" : ` -> ${d.suggestion}`}`,
  );
}

describe("a parser in kParser's JSON", () => {
  const source = text("kparser-simple.json");

  test("has the typo of its key 6, raw keys, a copy beyond its header", () => {
    expect(told(source)).toEqual([
      "warning import.key-order parse-nodes[0].next-proto.ents[0].key -> read the keys in host order",
      "warning import.key-order parse-nodes[0].next-proto.ents[1].key -> read the keys in host order",
      "warning import.value parse-nodes[2].metadata.ents[0].value",
      "error cpr.beyond parse-nodes[1].metadata.ents[1].hdr-src-off -> a minimum length of 24",
      "error cpr.missing-name parse-nodes[1].next-proto.ents[0].node -> 'ports_node'",
    ]);
  });

  const mended = source
    .replace("port_node", "ports_node")
    .replace('"hdr-src-off": 16, "length": 8', '"hdr-src-off": 12, "length": 8');

  test("host order of keys maps 0x8 and 0xdd86 to EtherTypes", () => {
    const parser = orThrow(loadParser(mended, { keyOrder: "host" }));
    expect(parser.nodes[0]!.next!.table.map((e) => e.key)).toEqual([0x0800, 0x86dd]);
    expect(orThrow(loadParser(mended)).nodes[0]!.next!.table.map((e) => e.key)).toEqual([0x0008, 0xdd86]);
  });

  test("kParser's defaults are written into the native form, which means the same", () => {
    const file = orThrow(readCpr(mended, { keyOrder: "host" }));
    expect(file.dialect).toBe("kparser");
    expect(file.parser).toMatchObject({ maxNodes: 10, maxEncaps: 1, frames: 256, frameSize: 0 });
    expect(file.parser.nodes[0]!.next!.default).toBe(-12);
    const native = orThrow(readCpr(formatCpr(file.document)));
    expect(native.dialect).toBe("native");
    expect(native.parser).toEqual(file.parser);
  });

  test("runs: ports are stored swapped, counts in host order", () => {
    const run = new Interpreter(orThrow(loadParser(mended, { keyOrder: "host" })));
    const frame = Buffer.alloc(14 + 40 + 8);
    frame.writeUInt16BE(0x86dd, 12);
    frame[14 + 6] = 17;
    frame.writeUInt16BE(0x1234, 54);
    expect(run.run(frame)).toBe(-4);
    expect([...run.metadata.subarray(0, 2), ...run.metadata.subarray(24, 26)]).toEqual([40, 0, 0x34, 0x12]);
  });
});

describe("a schema exercise in kParser's JSON: the faults that SiPanda's big parser has", () => {
  const protocols = [
    "warning import.spelling parse-nodes[1].cond_exprs",
    "warning import.spelling parse-nodes[2].next-proto.default",
    "warning import.protocol proto-tables[0].ents[1].key -> 0x86dd",
    "warning import.protocol parse-nodes[2].tlv-parse-node.pad1 -> 1",
    "warning import.protocol parse-nodes[3].next-proto.field-off -> 6",
    "warning import.protocol parse-nodes[4].flag-fields-parse-node.ents[1].flag -> 0x2000",
    "warning import.protocol parse-nodes[4].flag-fields-parse-node.ents[2].flag -> 0x1000",
    "warning import.protocol parse-nodes[5].tlv-parse-node.tlv-length.add -> 0",
  ];
  const graph = [
    "warning cpr.unreachable parse-nodes[2]",
    "warning cpr.unreachable parse-nodes[4]",
    "warning cpr.mask parse-nodes[2].next-proto.mask",
    "warning cpr.unused proto-tables[2]",
    "warning cpr.unused tlv-nodes[1]",
  ];

  test("each is told where it stands, whether a way leads there or not", () => {
    const expected = [
      ...protocols,
      "error cpr.missing-name parse-nodes[1].next-node",
      "error cpr.missing-name proto-tables[5].ents[0].node -> 'IP-TS'",
      ...graph,
    ];
    expect(told(text("kparser-big.json"))).toEqual(expected);
    expect(told(text("kparser-big.json"), { lenient: true })).toEqual(expected);
  });

  test("in its first revision types have an offset and a length, which nothing knows", () => {
    const unknown = (severity: string): string[] =>
      ["offset", "length"].map((p) => `${severity} cpr.unknown parse-nodes[5].tlv-parse-node.tlv-type.${p}`);
    expect(told(text("kparser-big-first.json"))).toEqual([...protocols, ...unknown("error")]);
    expect(told(text("kparser-big-first.json"), { lenient: true })).toEqual([
      ...protocols,
      ...unknown("warning"),
      "error cpr.missing-name parse-nodes[1].next-node",
      "error cpr.source parse-nodes[5].tlv-parse-node.tlv-type",
      "error cpr.key proto-tables[5].ents[0].key",
      ...graph,
    ]);
  });

  test("nothing is told of a parser whose numbers are its protocols'", () => {
    const good = text("kparser-big.json")
      .replace("cond_exprs", "cond-exprs")
      .replace("ipv4-no-frag", "ipv4")
      .replace('"mask": "0x3fff", ', "")
      .replace('"field-off": 6,', '"field-off": 9,')
      .replace("stop-okay", "stop_okay")
      .replace("TCP-TS", "TCP-timestamp")
      .replace("0x0806", "0x86dd")
      .replace(/\{ "name": "IPv4-frag".*\n/, "")
      .replace('"pad1": 0,\n        "eol": 1', '"pad1": 1,\n        "eol": 0')
      .replace(', "add": 2', "")
      .replace(
        '"min-hdr-length": 40,\n      "next-proto": { "field-off": 9',
        '"min-hdr-length": 40,\n      "next-proto": { "field-off": 6',
      )
      .replace("0x4000", "0x2000 ")
      .replace('"sequence", "flag": "0x2000"', '"sequence", "flag": "0x1000"')
      .replace("0x2000 ", "0x2000");
    expect(told(good)).toEqual([]);
    const { parser } = orThrow(readCpr(good));
    expect(parser.nodes.map((n) => n.name)).toEqual([
      "eth",
      "ipv4-check",
      "ipv6",
      "ipv4",
      "tcp",
      "ports",
      "gre",
      "okay_node",
    ]);
  });
});

describe("a parser in the XDP2 compiler's JSON", () => {
  const source = text("xdp2.json");

  test("everything that was changed or cannot be kept is told", () => {
    expect(told(source)).toEqual([
      "warning import.layout metadata",
      "warning import.file parsers[0].file_name",
      "warning import.frames parsers[0].max-frames",
      "warning import.flags parse-nodes[1].flag-fields-parse-node.flags-reverse-order",
      "warning import.field-len parse-nodes[1].flag-fields-parse-node.ents[0].field-len -> the size in bytes",
      "warning import.key parse-nodes[1].next-proto.ents[0].key -> 0x1",
      "warning import.mask parse-nodes[2].hdr-length.mask -> check both against the protocol",
      "warning import.timestamp tlv-nodes[0].metadata.ents[0]",
      "error cpr.key parse-nodes[1].next-proto.ents[0].key",
      "warning cpr.unreachable parse-nodes[2]",
    ]);
  });

  test("with the mask of the field's own order it is a parser", () => {
    const file = orThrow(readCpr(source.replace('"0x700"', '"0x7"')));
    expect(file.dialect).toBe("xdp2");
    expect(file.parser).toMatchObject({ maxNodes: 255, frames: 5, metametaSize: 64, frameSize: 256 });
    expect(file.parser.handlers).toEqual(["tcp_handler"]);
    const gre = file.parser.nodes[1]!;
    expect(gre.next!.table).toEqual([{ key: 1, node: 2 }]);
    expect(gre.condExprs).toMatchObject([{ fail: -12, expr: { op: "less_than", value: 255 } }]);
    // offsets are stored in the order of a little-endian CPU
    expect(file.parser.subNodes[0]!.actions.metadata[0]!.target).toMatchObject({
      little: true,
      frame: true,
      off: 4,
    });
    // the TLVs of the compiler have no limit
    expect(file.parser.nodes[2]!.body).toMatchObject({ kind: "tlvs", maxTlvs: 0xffff, dispLimit: -12 });
  });
});

describe("the documentation's example", () => {
  const source = text("doc-example.txt");

  test("is not JSON, and why", () => {
    expect(told(source)).toEqual(['error json.comment undefined -> JSON has none; use a "comment" property']);
  });

  test("leniently each reason is told once, and it is a parser", () => {
    expect(told(source, { lenient: true })).toEqual([
      'warning json.comment $ -> JSON has none; use a "comment" property',
      "warning json.braces parsers -> put { } around it",
      'warning json.quotes parsers -> write strings in plain quotes "..."',
      expect.stringMatching(/^warning json.comma parsers/),
    ]);
    const file = orThrow(readCpr(source, { lenient: true }));
    expect(file.dialect).toBe("doc");
    expect(file.parser.nodes.map((n) => n.name)).toEqual(["ether_node", "ip_node"]);
    expect(file.parser.nodes[0]!.next!.table).toEqual([{ key: 0x800, node: 1 }]);
  });
});

describe("rules of section 4", () => {
  const kparser = (node: string, more = ""): string =>
    `{"parsers":[{"name":"p","root-node":"a"}],"parse-nodes":[${node},{"name":"b","min-hdr-length":1}]${more}}`;

  test("alt_wild is refused, wild names the wildcard", () => {
    const lookup = (d: string): string =>
      kparser(
        `{"name":"a","min-hdr-length":2,"next-proto":{"field-off":0,"field-len":1,"ents":[],"wildcard-node":"b","default":"${d}"}}`,
      );
    expect(told(lookup("alt_wild"))).toEqual([
      "error import.default parse-nodes[0].next-proto.default -> wildcard-node, or a code",
    ]);
    expect(orThrow(loadParser(lookup("wild"))).nodes[0]!.next!.wildcard).toBe(1);
  });

  test("encap on an entry becomes a node in between", () => {
    const parser = orThrow(
      loadParser(
        kparser(
          '{"name":"a","min-hdr-length":2,"next-proto":{"field-off":0,"field-len":1,"ents":[{"key":4,"node":"b","encap":true}]}}',
        ),
      ),
    );
    expect(parser.nodes.map((n) => [n.name, n.encap, n.overlay])).toEqual([
      ["a", false, false],
      ["a encap b", true, true],
      ["b", false, false],
    ]);
  });

  test("conditions compare in host order, failing well by default", () => {
    const parser = orThrow(
      loadParser(
        kparser(
          '{"name":"a","min-hdr-length":2,"next-node":"b","cond-exprs":{"ents":[{"ents":[{"type":"equal","field-off":0,"field-len":2,"value":1}]}]}}',
        ),
      ),
    );
    const run = new Interpreter(parser);
    expect(run.run(Uint8Array.of(1, 0, 9))).toBe(-4);
    expect(run.lastNode).toBe(1);
    expect(run.run(Uint8Array.of(0, 1, 9))).toBe(-4);
    expect(run.lastNode).toBe(0);
  });

  test("misspelt and unknown properties are told with the nearest", () => {
    expect(told(kparser('{"name":"a","min-hdr-length":2}', ',"cond_exprs":[]'))).toEqual([
      expect.stringMatching(/^error cpr.unknown cond_exprs/),
    ]);
    expect(told(kparser('{"name":"a","min-hdr-length":2}', ',"cond_exprs":[]'), { lenient: true })).toContain(
      "warning cpr.unreachable parse-nodes[1]",
    );
  });
});
