/** `netoffload cpr`: forms, exit codes, messages. */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { run } from "./run.ts";

const ports = fileURLToPath(new URL("../../../cpr-ir/programs/ports.json", import.meta.url));
const pinned = JSON.parse(
  readFileSync(new URL("../../../cpr-ir/programs/HASHES.json", import.meta.url), "utf8"),
) as Record<string, string>;
const folder = mkdtempSync(join(tmpdir(), "cpr-"));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

test("hash prints the canonical digests and the file's", async () => {
  const { code, json } = await run("cpr", "hash", ports, "--json");
  expect(code).toBe(0);
  expect(json).toEqual([
    {
      file: ports,
      file_sha1: expect.stringMatching(/^[0-9a-f]{40}$/),
      sha256: pinned.ports,
      sha1: expect.stringMatching(/^[0-9a-f]{40}$/),
    },
  ]);
});

test("fmt is stable, its canonical form has the same hash", async () => {
  const formatted = await run("cpr", "fmt", ports);
  expect(formatted.out).toBe(readFileSync(ports, "utf8"));
  const canonical = join(folder, "canonical.json");
  expect((await run("cpr", "fmt", ports, "--canonical", "-o", canonical)).code).toBe(0);
  expect((await run("cpr", "hash", canonical, "--json")).json[0]!.sha256).toBe(pinned.ports);
});

test("check tells every fault with line, column and path, and exits 2", async () => {
  const bad = file(
    "bad.json",
    readFileSync(ports, "utf8").replace('"tcp" }', '"tpc" }').replace('"length": 8', '"length": 9'),
  );
  const { code, json } = await run("cpr", "check", bad, "--json");
  expect(code).toBe(2);
  expect(json.map((j) => [j.code, j.path, j.suggestion])).toEqual([
    ["cpr.beyond", "parse-nodes[1].metadata.ents[0].hdr-src-off", "a minimum length of 21"],
    ["cpr.missing-name", "parse-nodes[1].next-proto.ents[0].node", "'tcp'"],
    ["cpr.unreachable", "parse-nodes[2]", undefined],
    [undefined, undefined, undefined],
  ]);
  expect(json[3]).toEqual({ summary: true, ok: false, errors: 2, warnings: 1 });
  expect((await run("cpr", "check", ports)).code).toBe(0);
  expect((await run("cpr", "check", join(folder, "none.json"))).code).toBe(2);
});

test("run answers line by line; a bad line keeps its place", async () => {
  const frame =
    "020000000001020000000002080045000028000100004011000 0c0a80001c0a80002d90300350008000 0".replaceAll(
      " ",
      "",
    );
  const frames = file(
    "frames.jsonl",
    `{"id":1,"frame":"${frame}"}\nnonsense\n{"id":3,"frame":"0"}\n{"id":4,"frame":""}\n`,
  );
  const { code, json } = await run("cpr", "run", ports, "--frames", frames);
  expect(code).toBe(2);
  expect(json[0]).toEqual({
    id: 1,
    ret: -4,
    code: "STOP_OKAY",
    encaps: 0,
    last_node: "udp",
    metadata: "c0a80001c0a80002d9030035",
  });
  expect(json[1]).toMatchObject({ id: null, error: { code: "json" } });
  expect(json[2]).toMatchObject({ id: 3, error: { code: "frame" } });
  expect(json[3]).toMatchObject({ id: 4, ret: -13, code: "STOP_LENGTH", last_node: "ether" });
});

test("run on the wasm target answers as the interpreter does; compile writes the module", async () => {
  const cases = join(folder, "cases.jsonl");
  expect((await run("cpr", "test", ports, "-o", cases)).code).toBe(0);
  const interp = await run("cpr", "run", ports, "--frames", cases);
  const wasm = await run("cpr", "run", ports, "--frames", cases, "--target", "wasm");
  expect(interp.json.length).toBeGreaterThan(100);
  expect(wasm.out).toBe(interp.out);
  const module = join(folder, "ports.wasm");
  expect((await run("cpr", "compile", ports, "--target", "wasm", "-o", module)).code).toBe(0);
  expect(WebAssembly.validate(readFileSync(module))).toBe(true);
  expect((await run("cpr", "compile", ports, "--target", "vax", "-o", module)).code).toBe(2);
});

test("compile writes P4, or says what P4 cannot say", async () => {
  const text = join(folder, "ports.p4");
  expect((await run("cpr", "compile", ports, "--target", "p4", "-o", text)).code).toBe(0);
  expect(readFileSync(text, "utf8")).toContain("parser ports_parser(packet_in pkt, out ports_headers_t hdr");
  const many = JSON.parse(readFileSync(ports, "utf8"));
  many.parsers[0]["max-frames"] = 40;
  const { code, err } = await run(
    ...["cpr", "compile", file("many.json", JSON.stringify(many)), "--target", "p4", "-o", text],
  );
  expect(code).toBe(1);
  expect(err).toContain("40 frames, at most 32; meant: a smaller max-frames [p4.frames]");
});

test("import says what it changed, on standard error", async () => {
  const kparser = file(
    "kparser.json",
    '{"parsers":[{"name":"p","root-node":"a","max-frames":2}],"parse-nodes":[{"name":"a","min-hdr-length":1}]}',
  );
  const { code, out, err } = await run("cpr", "import", kparser);
  expect(code).toBe(0);
  expect(err).toContain("max-frames 2 means 3 frames");
  expect(JSON.parse(out)).toMatchObject({ cpr: 1, parsers: [{ "max-frames": 3, "max-nodes": 10 }] });
});

test("test gives a packet for every edge, with what is expected of it", async () => {
  const { code, json } = await run("cpr", "test", ports, "--paths-only");
  expect(code).toBe(0);
  expect(new Set(json.map((j) => (j.expected as { last_node: string }).last_node))).toEqual(
    new Set(["ether", "ipv4", "tcp", "udp"]),
  );
});

test("diff gives a packet that tells two parsers apart, and exits 1", async () => {
  const other = file("other.json", readFileSync(ports, "utf8").replace('"0x11"', '"0x88"'));
  const { code, json } = await run("cpr", "diff", ports, other, "--json");
  expect(code).toBe(1);
  expect(json[0]).toMatchObject({ equal: false, results: [{ file: ports }, { file: other }] });
  expect((json[0]!.frame as string).slice(46, 48)).toMatch(/11|88/);
  expect(await run("cpr", "diff", ports, ports, "--json")).toMatchObject({
    code: 0,
    json: [{ equal: true }],
  });
});

test("the tcam target runs and compiles; fit names the resource and the node", async () => {
  const cases = join(folder, "tcam-cases.jsonl");
  expect((await run("cpr", "test", ports, "--paths-only", "-o", cases)).code).toBe(0);
  const interp = await run("cpr", "run", ports, "--frames", cases);
  expect((await run("cpr", "run", ports, "--frames", cases, "--target", "tcam")).out).toBe(interp.out);
  const program = join(folder, "ports.tcam");
  expect((await run("cpr", "compile", ports, "--target", "tcam", "-o", program)).code).toBe(0);
  expect(readFileSync(program).subarray(0, 4).toString()).toBe("TCAM");

  const big = fileURLToPath(new URL("../../../cpr-ir/programs/big.json", import.meta.url));
  expect((await run("cpr", "fit", ports, "--device", "small-parser", "--json")).json[0]).toMatchObject({
    fits: true,
    faults: [],
  });
  const small = await run("cpr", "fit", big, "--device", "small-parser", "--json");
  expect(small.code).toBe(1);
  const faults = small.json[0]!.faults as { resource: string; node: string | null }[];
  expect(faults.map((f) => f.resource)).toEqual(["entries", "metadataBytes"]);
  expect(faults[0]!.node).toMatch(/^[a-z]/);
  expect((await run("cpr", "fit", big, "--device", "small-parser")).out).toMatch(
    /entries: \d+ are needed, the device has 256; \d+ up to node \w+/,
  );
  const mine = file(
    "mine.json",
    JSON.stringify({ name: "mine", basedOn: "v4v6-basic", parser: { keyBits: 16 } }),
  );
  expect((await run("cpr", "fit", ports, "--device", mine)).out).toMatch(/key bits: 16; a step needs 32/);
  expect((await run("cpr", "fit", ports, "--device", "v4v6-basic")).out).toMatch(/has no parser engine/);
});
