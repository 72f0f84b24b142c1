/** `program list|hash|build|show|run`. */

import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { txCsum } from "@netoffload/csum";
import { describe, expect, it } from "vitest";
import { scratch } from "./process.ts";
import { run } from "./run.ts";

const dir = scratch("program");
const at = (name: string): string => path.join(dir, name);
const digest = (name: string, bytes: Uint8Array): string => createHash(name).update(bytes).digest("hex");

/** A module whose one export `f` stores its argument at 0x200000 and gives argument / divisor, as an assembler would write it. */
function divider(): Uint8Array {
  const hex =
    "0061736d01000000" + // magic, version
    "0107016002" +
    "7f7f" +
    "017f" + // type (i32, i32) -> i32
    "020f0103656e76066d656d6f7279020010" + // import env.memory, 16 pages
    "03020100" + // one function
    "07050101660000" + // export f
    "0a13011100" +
    "41808080012000360200" +
    "200020016d" +
    "0b";
  return new Uint8Array(Buffer.from(hex, "hex"));
}

describe("program", () => {
  it("hash: SHA-256 and SHA-1 of the canonical bytes, by another implementation", async () => {
    const ran = await run("program", "hash", "tx_csum", "--json");
    const ir = txCsum.ir();
    expect(ran.json).toEqual([
      { name: "tx_csum", sha256: `sha256:${digest("sha256", ir)}`, sha1: digest("sha1", ir) },
    ]);
    const text = await run("program", "hash", "tx_csum");
    expect(text.out).toContain(`sha256:${digest("sha256", ir)}  tx_csum\n`);
    expect((await run("program", "list", "--json")).json.map((p) => p.name)).toContain("rx_csum");
  });

  it("build and show: a bundle of two, each for its target", async () => {
    const out = at("both.img");
    const built = await run("program", "build", "tx_csum:npu", "rx_csum:wasm", "-o", out, "--json");
    expect([built.code, built.json[0]!.bytes]).toEqual([0, fs.statSync(out).size]);
    const shown = await run("program", "show", out, "--json");
    expect(shown.json.map((p) => [p.name, p.target, p.abi, p.function])).toEqual([
      ["tx_csum", "npu", 1, 1],
      ["rx_csum", "wasm", 1, 2],
    ]);
    expect(shown.json[0]!.hash).toBe(txCsum.sha256);
    const text = (await run("program", "show", out)).out;
    expect(text).toMatch(/\n {2}instructions \d+, /);
    expect(text).toMatch(/\n {2} +0: /);
    expect((await run("program", "show", "tx_csum")).out).toMatch(/spilled \d+/);
  });

  it("a parser rides in the bundle, for the parser engine", async () => {
    const ports = fileURLToPath(new URL("../../../cpr-ir/programs/ports.json", import.meta.url));
    const out = at("parser.img");
    expect((await run("program", "build", "rx_csum", `${ports}:tcam`, "-o", out)).code).toBe(0);
    const shown = await run("program", "show", out, "--json");
    expect(shown.json.map((p) => [p.name, p.target, p.function])).toEqual([
      ["rx_csum", "npu", 2],
      ["parser", "tcam", 15],
    ]);
    const [hashed] = (await run("cpr", "hash", ports, "--json")).json;
    expect(shown.json[1]!.hash).toBe(hashed!.sha256);
    expect((shown.json[1]!.code as string[]).join("\n")).toMatch(/state 0: .*enters, needs 14 bytes/);
    const refused = await run("program", "build", `${ports}:npu`, "-o", out);
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining("target in an image is tcam")]);
  });

  it.each([
    [["build", "tx_csum"], "-o IMAGE"],
    [["build", "nope", "-o", "x"], "program 'nope' is not known"],
    [["hash"], "which program?"],
    [["hash", "/nowhere/x.wasm"], "no such file"],
    [["show", "/nowhere/x.img"], "no such file"],
    [["run", "tx_csum", "--target", "gpu"], "wasm, ebpf and npu are available"],
    [["wrong"], "one of: list, hash, build, show, run"],
  ])("%j is bad usage", async (words, says) => {
    const ran = await run("program", ...words);
    expect([ran.code, ran.out]).toEqual([2, ""]);
    expect(ran.err).toContain(says);
  });

  it("what is no program names the fault and its byte", async () => {
    const bad = divider();
    bad[bad.length - 2] = 0xfc;
    fs.writeFileSync(at("bad.wasm"), bad);
    const ran = await run("program", "hash", at("bad.wasm"));
    expect(ran.code).toBe(2);
    expect(ran.err).toMatch(/bad\.wasm: .*\d/);
  });
});

describe("program run", () => {
  fs.writeFileSync(at("f.wasm"), divider());
  const lines = [
    '{"id":1,"memory":{"0x300000":"0102"},"args":[20,6]}',
    '{"id":"x","args":[1,0]}',
    '{"id":3,"args":["0x80000000",-1]}',
    "nonsense",
    '{"id":5,"memory":{"1":"00"},"args":[]}',
    '{"id":6,"args":[1.5]}',
  ];
  fs.writeFileSync(at("in.jsonl"), lines.join("\n"));

  it.each(["wasm", "npu"])("%s: results, traps, memory, errors in their place", async (target) => {
    const ran = await run("program", "run", at("f.wasm"), "--target", target, "--input", at("in.jsonl"));
    expect(ran.code).toBe(2);
    const [a, b, c, d, e, f] = ran.json;
    expect(a).toMatchObject({ id: 1, ret: 3, trap: null, memory: { "0x300000": "0102", "0x200000": "14" } });
    expect(b).toMatchObject({ id: "x", ret: 0, trap: "DIV_ZERO", memory: {} });
    expect(c).toMatchObject({ id: 3, trap: "OVERFLOW" });
    expect([d!.error, e!.error, f!.error]).toMatchObject([
      { code: "json" },
      { code: "input" },
      { code: "input" },
    ]);
    if (target === "npu") expect(a!.instructions).toBeGreaterThan(3);
    else expect(a!.instructions).toBeNull();
  });

  it("an endless loop ends with BUDGET on the npu", async () => {
    const loop = divider();
    // loop br 0 in place of the body
    const body = Buffer.from("03400c000b" + "0101010101010101" + "41000b", "hex");
    loop.set(body, loop.length - body.length);
    fs.writeFileSync(at("loop.wasm"), loop);
    fs.writeFileSync(at("one.jsonl"), '{"id":1,"args":[1,1]}\n');
    const ran = await run(
      "program",
      "run",
      at("loop.wasm"),
      "--target",
      "npu",
      "--budget",
      "1000",
      "--input",
      at("one.jsonl"),
    );
    expect(ran.json[0]).toMatchObject({ id: 1, trap: "BUDGET" });
  });
});
