import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { facility, has } from "../../internal/test/facility.ts";
import {
  canonicalModule,
  compileNpu,
  decodeInsns,
  IR_KIND,
  orThrow,
  printInsn,
  readImage,
  seal,
  TARGET,
  writeImage,
} from "../src/index.ts";

const ir = (name: string): Uint8Array =>
  orThrow(canonicalModule(readFileSync(new URL(`../../csum/ir/${name}.wasm`, import.meta.url))));

function program(name: string, functionNumber: number) {
  const compiled = orThrow(compileNpu(ir(name), { functionNumber }));
  return {
    name,
    functionNumber,
    target: TARGET.npu,
    irKind: IR_KIND.wasm,
    ir: ir(name),
    text: compiled.text,
    resources: compiled.resources,
  };
}

const rx = program("rx_csum", 2);
const good = writeImage({ programs: [rx] });

describe("a bundle", () => {
  test("comes back as it was written", () => {
    const both = orThrow(readImage(writeImage({ programs: [program("tx_csum", 1), rx] })));
    expect(both.programs.map((p) => [p.name, p.functionNumber, p.target])).toEqual([
      ["tx_csum", 1, 3],
      ["rx_csum", 2, 3],
    ]);
    expect(both.programs[1]!.ir).toEqual(rx.ir);
    expect(both.programs[1]!.text).toEqual(rx.text);
    expect(both.programs[1]!.resources.instructions).toBe(rx.text.length / 8);
  });

  test("truncated anywhere it is refused", () => {
    for (let n = 0; n < good.length; n++) expect(readImage(good.slice(0, n)).ok, `${n} bytes`).toBe(false);
  });

  test("with any one bit of any byte flipped it is refused", () => {
    for (let at = 0; at < good.length; at++) {
      const bad = good.slice();
      bad[at]! ^= 1 << (at % 8);
      expect(readImage(bad).ok, `byte ${at}`).toBe(false);
    }
  });

  const refused: [string, (image: Uint8Array) => Uint8Array, number, string, RegExp][] = [
    ["short", (i) => i.slice(0, 63), 1, "EINVAL", /is truncated/],
    ["magic", (i) => i.fill(0, 0, 1), 2, "EINVAL", /^not a program image/],
    [
      "length",
      (i) => Uint8Array.from([...i, 0]),
      4,
      "EINVAL",
      /length mismatch: header says \d+, file has \d+/,
    ],
    ["digest", (i) => i.fill(i[70]! ^ 1, 70, 71), 6, "EBADMSG", /checksum mismatch/],
  ];
  test.each(refused)("check: %s", (_name, damage, check, errno, text) => {
    const result = readImage(damage(good.slice()));
    expect(result).toMatchObject({ ok: false, diagnostics: [{ check, errno }] });
    if (!result.ok) expect(result.diagnostics[0]!.message).toMatch(text);
  });

  test("forged hashes, SHA-1 only, IR that is no program", () => {
    const forged = writeImage({ programs: [{ ...rx, sha256: `sha256:${"1".repeat(64)}` }] });
    expect(readImage(forged)).toMatchObject({ diagnostics: [{ check: 8, errno: "EBADMSG" }] });
    const sha1 = writeImage({ programs: [{ ...rx, sha256: `sha256:${"0".repeat(64)}` }] });
    expect(readImage(sha1)).toMatchObject({
      diagnostics: [{ check: 7, errno: "EOPNOTSUPP", message: "hash algorithm sha1 is not supported" }],
    });
    const junk = writeImage({ programs: [{ ...rx, ir: Uint8Array.of(1, 2, 3) }] });
    expect(readImage(junk)).toMatchObject({ diagnostics: [{ check: 10, errno: "EINVAL" }] });
    const other = writeImage({ programs: [{ ...rx, name: "tx_csum" }] });
    expect(readImage(other)).toMatchObject({
      diagnostics: [{ check: 10, message: "invalid program tx_csum: the module exports rx_csum" }],
    });
  });

  test("every byte flipped and sealed again: refused, or the same program", () => {
    for (let at = 64; at < good.length; at += 3) {
      const bad = good.slice();
      bad[at]! ^= 0xff;
      try {
        seal(bad);
      } catch {
        continue;
      }
      const result = readImage(bad);
      if (result.ok) expect(result.value.programs[0]!.ir).toEqual(rx.ir);
    }
  });
});

const readelf = facility("readelf", has("readelf"), "apt-get install binutils");
const objdump = facility("llvm-objdump-19", has("llvm-objdump-19"), "apt-get install llvm-19");

describe("other people's tools", () => {
  const directory = mkdtempSync(join(tmpdir(), "netoffload-"));
  const file = join(directory, "image");
  writeFileSync(file, writeImage({ programs: [program("tx_csum", 1), rx] }));

  test.skipIf(!readelf)("readelf shows the notes", () => {
    const text = execFileSync("readelf", ["-n", file], { encoding: "utf8" });
    expect(text.match(/netoffload/g)!.length).toBeGreaterThanOrEqual(3);
  });

  test.skipIf(!objdump)("llvm-objdump prints what our disassembler prints", () => {
    const text = execFileSync(
      "llvm-objdump-19",
      ["-d", "--mcpu=v4", "--no-show-raw-insn", "--no-leading-addr", file],
      { encoding: "utf8" },
    );
    expect(text).not.toContain("<unknown>");
    const theirs = text
      .split("\n")
      .filter((l) => l.startsWith("\t"))
      .map((l) => l.trim().replace(/ <[^<> ]+>$/, ""));
    const ours = [program("tx_csum", 1), rx].flatMap((p) => orThrow(decodeInsns(p.text)).map(printInsn));
    expect(theirs.slice(0, ours.length)).toEqual(ours);
  });

  afterAll(() => rmSync(directory, { recursive: true }));
});
