/** `netoffload cpr`: forms, exit codes, messages. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { open, start } from "./process.ts";
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
  expect(json[3]).toEqual({ summary: true, ok: false, errors: 2, warnings: 1, dialect: "native" });
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
  expect(code).toBe(2);
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

/** Five nodes of kParser's JSON, as cpr.md section 5 describes its simple parser, without its faults. */
const kparserFile = (): string =>
  file(
    "simple.json",
    readFileSync(new URL("../../../cpr-ir/test/import/fixtures/kparser-simple.json", import.meta.url), "utf8")
      .replace("port_node", "ports_node")
      .replace('"hdr-src-off": 16, "length": 8', '"hdr-src-off": 12, "length": 8'),
  );

test("every command takes a dialect, and says so on standard error", async () => {
  const path = kparserFile();
  const frames = file("none.jsonl", "");
  const out = (name: string): string => join(folder, name);
  for (const [words, code] of [
    [["check", path], 0],
    [["fmt", path, "-o", out("d.json")], 0],
    [["import", path, "-o", out("i.json")], 0],
    [["hash", path], 0],
    [["run", path, "--frames", frames], 0],
    [["compile", path, "--target", "wasm", "-o", out("d.wasm")], 0],
    [["graph", path, "-o", out("d.svg")], 0],
    [["fit", path], 0],
    // its keys 0x8 and 0x6 lead nowhere unless read in host order
    [["test", path, "--paths-only", "-o", out("d.jsonl")], 0],
    [["diff", path, path], 0],
  ] as const) {
    const done = await run("cpr", ...words, "--key-order", "host");
    expect([words[0], done.code], done.err).toEqual([words[0], code]);
    expect(done.err, words[0]).toContain(`${path}: the JSON of kParser, imported`);
  }
  // what fmt and import write is the same native file, with the dialect's hash
  expect(readFileSync(out("d.json"), "utf8")).toBe(readFileSync(out("i.json"), "utf8"));
  const hashes = await run("cpr", "hash", path, out("d.json"), "--key-order", "host", "--json");
  expect(hashes.json[0]!.sha256).toBe(hashes.json[1]!.sha256);
  expect((await run("cpr", "import", out("d.json"))).err).toContain("native already");
});

test("a dialect that cannot be imported is named too; warnings are told by every command", async () => {
  const fixture = (name: string): string =>
    fileURLToPath(new URL(`../../../cpr-ir/test/import/fixtures/${name}`, import.meta.url));
  const broken = await run("cpr", "check", fixture("kparser-big.json"), "--json");
  expect([broken.code, broken.json[broken.json.length - 1]]).toEqual([
    2,
    { summary: true, ok: false, errors: 2, warnings: 13, dialect: "kparser" },
  ]);
  expect(broken.err).toContain("the JSON of kParser, cannot be imported");
  const doc = await run("cpr", "hash", fixture("doc-example.txt"));
  expect(doc.code).toBe(2);
  expect(doc.err).toContain("the form of the parser IR's documentation, cannot be imported");
  expect(doc.err).toContain("--lenient reads on");
  const lenient = await run("cpr", "hash", fixture("doc-example.txt"), "--lenient");
  expect([lenient.code, lenient.err]).toEqual([0, expect.stringContaining("typographic quote")]);
  expect(lenient.err).not.toContain("--lenient");
  expect((await run("cpr", "check", ports, "--key-order", "sideways")).code).toBe(2);
});

test("a parser with handlers has no identity unless they are to be ignored", async () => {
  const handled = JSON.parse(readFileSync(ports, "utf8"));
  handled["parse-nodes"][1].handler = "ipv4_handler";
  const path = file("handled.json", JSON.stringify(handled));
  const image = join(folder, "handled.image");
  for (const words of [
    ["cpr", "hash", path],
    ["cpr", "compile", path, "--target", "xdp", "-o", image],
    ["cpr", "compile", path, "--target", "ebpf", "-o", image],
    ["program", "build", path, "-o", image],
    ["dev", "add", "d", "--profile", "ideal", "--parser", path, "--state", join(folder, "state")],
  ]) {
    const { code, err } = await run(...words);
    expect([words[1], code], err).toEqual([words[1], 2]);
    expect(err).toContain("handlers (ipv4_handler) are C functions");
  }
  // what is left out is not hashed
  const ignored = await run("cpr", "hash", path, "--ignore-handlers", "--json");
  expect(ignored.json[0]!.sha256).toBe(pinned.ports);
  expect((await run("cpr", "compile", path, "--target", "wasm", "-o", image)).code).toBe(0);
});

test("--json has lines on standard output and nothing else", async () => {
  const document = JSON.parse(readFileSync(ports, "utf8"));
  const one = async (...words: string[]): Promise<unknown> => {
    const { code, out } = await run("cpr", ...words, "--json");
    expect([code, out.split("\n").length], out.slice(0, 80)).toEqual([0, 2]);
    return JSON.parse(out);
  };
  expect(await one("fmt", ports)).toEqual({ file: ports, dialect: "native", document });
  expect(await one("import", ports)).toMatchObject({ file: ports, dialect: "native", changes: [], document });
  expect(await one("fmt", ports, "--canonical")).toEqual({
    file: ports,
    canonical: (await run("cpr", "fmt", ports, "--canonical")).out.trimEnd(),
  });
  expect(await one("graph", ports)).toEqual({ file: ports, svg: (await run("cpr", "graph", ports)).out });
  const svg = join(folder, "ports.svg");
  expect(await one("graph", ports, "-o", svg)).toEqual({ file: svg, bytes: readFileSync(svg).length });
  expect(readFileSync(svg, "utf8")).toMatch(/^<svg /);
});

/** A capture of zeros: lengths of its packets, their link type. */
function zeros(name: string, lengths: readonly number[], linkType = 1): string {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65535, 16);
  header.writeUInt32LE(linkType, 20);
  const packets = lengths.map((n) => {
    const packet = Buffer.alloc(16 + n);
    packet.writeUInt32LE(n, 8);
    packet.writeUInt32LE(n, 12);
    return packet;
  });
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat([header, ...packets]));
  return path;
}

test("a capture's packets of another link type are answered in their place; --link takes them", async () => {
  const raw = zeros("raw.pcap", [40, 60], 101);
  const { code, json } = await run("cpr", "run", ports, "--frames", raw);
  expect(code).toBe(2);
  expect(json.map((j) => [j.id, (j.error as { code: string }).code])).toEqual([
    [1, "link_type"],
    [2, "link_type"],
  ]);
  const taken = await run("cpr", "run", ports, "--frames", raw, "--link", "101");
  expect([taken.code, taken.json.map((j) => j.code)]).toEqual([
    0,
    ["STOP_UNKNOWN_PROTO", "STOP_UNKNOWN_PROTO"],
  ]);
});

test("a damaged capture: whole packets are answered, the fault has its offset, exit code 2", async () => {
  const whole = readFileSync(zeros("whole.pcap", [60, 60]));
  const cut = join(folder, "cut.pcap");
  writeFileSync(cut, whole.subarray(0, whole.length - 1));
  const { code, json, err } = await run("cpr", "run", ports, "--frames", cut);
  expect([code, json.length]).toEqual([2, 1]);
  expect(err).toMatch(/cut\.pcap: TRUNCATED_\w+ at byte 100: /);
});

test.runIf(process.getuid?.() === 0)(
  "the running kernel: packets that it does not run are answered in their place",
  async () => {
    const capture = zeros("long.pcap", [3401, 13, 60]);
    for (const target of ["xdp", "ebpf"]) {
      const { code, json } = await run("cpr", "run", ports, "--frames", capture, "--target", target);
      expect(code).toBe(2);
      expect(json).toMatchObject([
        { id: 1, error: { code: "frame" } },
        { id: 2, error: { code: "frame" } },
        { id: 3, ret: -14, code: "STOP_UNKNOWN_PROTO", last_node: "ether" },
      ]);
    }
  },
);

test("what cannot be told apart on standard input is refused", async () => {
  for (const words of [
    ["hash", "-", "-"],
    ["diff", "-", "-"],
    ["run", "-"],
  ]) {
    const { code, err } = await run("cpr", ...words);
    expect([words[0], code, err.includes("standard input")]).toEqual([words[0], 2, true]);
  }
  expect((await run("cpr", "run", ports, "--target", "p4")).err).toContain("nothing here runs");
  expect((await run("cpr", "run", ports, "--target", "vax")).err).toContain("interp, wasm, ebpf, xdp, tcam");
});

test("standard input: a parser, lines of JSON, a capture byte by byte", async () => {
  const { out } = await start(["cpr", "hash", "-", "--json"], readFileSync(ports)).ended;
  const here = (await run("cpr", "hash", ports, "--json")).json[0]!;
  expect(JSON.parse(out)).toEqual({ ...here, file: "-" });

  const lines = await start(["cpr", "run", ports], 'nonsense\n{"id":1,"frame":""}\n').ended;
  expect(lines.code).toBe(2);
  expect(
    lines.out
      .trim()
      .split("\n")
      .map((l) => JSON.parse(l)),
  ).toMatchObject([
    { id: null, error: { code: "json" } },
    { id: 1, ret: -13 },
  ]);
  expect(await start(["cpr", "run", ports], "").ended).toMatchObject({ code: 0, out: "", err: "" });
  const binary = await start(["cpr", "run", ports], new Uint8Array([1, 2, 3, 4])).ended;
  expect([binary.code, binary.err]).toEqual([2, expect.stringContaining("UNKNOWN_FORMAT")]);

  // what a shell gives a command for <(...)
  const fifo = join(folder, "lines.fifo");
  execFileSync("mkfifo", [fifo]);
  const piped = run("cpr", "run", ports, "--frames", fifo);
  await writeFile(fifo, '{"id":7,"frame":""}\n');
  expect((await piped).json).toMatchObject([{ id: 7, ret: -13 }]);

  const slow = open(["cpr", "run", ports]);
  // nano, little-endian: its first byte is a letter
  const capture = readFileSync(zeros("slow.pcap", [60]));
  capture.writeUInt32LE(0xa1b23c4d, 0);
  for (const byte of capture.subarray(0, 4)) {
    slow.child.stdin!.write(Buffer.of(byte));
    await new Promise((done) => setTimeout(done, 20));
  }
  slow.child.stdin!.end(capture.subarray(4));
  expect(await slow.ended).toMatchObject({ code: 0, out: expect.stringContaining('"id":1,"ret":-14') });
});

test("Ctrl-C ends what takes seconds, with exit code 130", async () => {
  const big = fileURLToPath(new URL("../../../cpr-ir/programs/big.json", import.meta.url));
  const dissector = fileURLToPath(new URL("../../../cpr-ir/programs/flow-dissector.json", import.meta.url));
  const { child, ended } = open(["cpr", "diff", "-", dissector, "--json"]);
  // more than a pipe holds: once it is written the command is at work, and hears of the signal
  await new Promise((written) => {
    child.stdin!.write(" ".repeat(2 << 20) + readFileSync(big, "utf8"), written);
  });
  child.kill("SIGINT");
  child.stdin!.end();
  const { code, out } = await ended;
  expect([code, out]).toEqual([130, '{"equal":null,"interrupted":true}\n']);
});
