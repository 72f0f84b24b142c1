import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { hashProgram } from "../packages/cpr-ir/src/index.ts";
import { compile, programFlags } from "./asc.mjs";
import { earlierSource } from "./earlier.mjs";
import { type BuiltIr, buildProgram, listPrograms, printHashes, readHashes, toIr } from "./ir.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const packagesDir = join(root, "packages");
const programs = listPrograms(packagesDir);
const scratch = mkdtempSync(join(tmpdir(), "netoffload-ir-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Copy of every AssemblyScript source, under another folder name. */
function copySources(name: string, packagesFolder: string): string {
  const to = join(scratch, name);
  for (const folder of ["skbuff/program", "skbuff/accel", "csum/program"])
    cpSync(join(packagesDir, folder), join(to, packagesFolder, folder), { recursive: true });
  return to;
}

const hashOf = (built: BuiltIr): string => (built.ok ? built.sha256 : built.problems.join("\n"));

/** Sections of a module: id and payload. */
function sections(bytes: Uint8Array): { id: number; payload: Uint8Array }[] {
  const found = [];
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at++]!;
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      size |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    found.push({ id, payload: bytes.slice(at, at + size) });
    at += size;
  }
  return found;
}

/** LEB128, unsigned, five bytes long whatever the value. */
const padded = (value: number): number[] => [
  (value & 0x7f) | 0x80,
  ((value >>> 7) & 0x7f) | 0x80,
  ((value >>> 14) & 0x7f) | 0x80,
  ((value >>> 21) & 0x7f) | 0x80,
  value >>> 28,
];

const custom = (name: string, text: string): { id: number; payload: Uint8Array } => ({
  id: 0,
  payload: Uint8Array.from([name.length, ...Buffer.from(name), ...Buffer.from(text)]),
});

/** The same module with every section size and every vector count padded. */
function assemble(bytes: Uint8Array, list: readonly { id: number; payload: Uint8Array }[]): Uint8Array {
  const out = [...bytes.subarray(0, 8)];
  for (const { id, payload } of list) {
    const body =
      id !== 0 && payload[0]! < 0x80 ? [...padded(payload[0]!), ...payload.subarray(1)] : [...payload];
    out.push(id, ...padded(body.length), ...body);
  }
  return Uint8Array.from(out);
}

test("the repository has programs, each with a function number of ABI 1", () => {
  expect(programs.map((p) => `${p.pkg}/${p.name} ${p.functionNumber}`)).toEqual(
    expect.arrayContaining(["csum/tx_csum 1", "csum/rx_csum 2"]),
  );
});

describe.each(programs)("$name", (program) => {
  const committed = new Uint8Array(
    readFileSync(join(packagesDir, program.pkg, "ir", `${program.name}.wasm`)),
  );

  test("the committed file is canonical, keeps the profile, and is the one HASHES names", () => {
    const ir = toIr(committed, program.functionNumber);
    expect(hashOf(ir)).toBe(hashProgram(committed).sha256);
    const lines = readHashes(readFileSync(join(packagesDir, program.pkg, "ir", "HASHES"), "utf8"));
    expect(lines.filter((l) => l.name === program.name).at(-1)?.sha256).toBe(hashOf(ir));
  });

  test("a renamed folder gives the same hash, one changed constant another", async () => {
    const here = hashOf(await buildProgram(root, program));
    expect(here).toMatch(/^sha256:[0-9a-f]{64}$/);
    const elsewhere = copySources(`renamed ${program.name}`, "elsewhere");
    expect(hashOf(await buildProgram(elsewhere, program, "elsewhere"))).toBe(here);
    // CHECKSUM_COMPLETE is compared or stored by each of the programs
    const file = join(elsewhere, "elsewhere", "skbuff", "program", "sk-buff.ts");
    const text = readFileSync(file, "utf8");
    const changed = text.replace(/(CHECKSUM_COMPLETE[^=\n]*= )2;/, "$13;");
    expect(changed).not.toBe(text);
    writeFileSync(file, changed);
    const other = hashOf(await buildProgram(elsewhere, program, "elsewhere"));
    expect(other).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(other).not.toBe(here);
  });

  test("padded LEB128 and extra custom sections give the same hash", () => {
    const list = sections(committed);
    const disguised = assemble(committed, [
      custom("producers", "somebody else"),
      ...list.flatMap((section) => [section, custom("noise", String(section.id))]),
    ]);
    expect(WebAssembly.validate(disguised)).toBe(true);
    expect(disguised.length).toBeGreaterThan(committed.length);
    expect(hashProgram(disguised).sha256).not.toBe(hashProgram(committed).sha256);
    expect(hashOf(toIr(disguised, program.functionNumber))).toBe(hashProgram(committed).sha256);
  });
});

test("a program that breaks the profile is refused with a reason", async () => {
  const dir = join(scratch, "bad");
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "bad.ts"), "export function bad(a: u32): i32 { return memory.grow(a); }\n");
  const { binary, messages } = await compile(dir, "bad.ts", programFlags(8));
  expect(messages).toBe("");
  const built = toIr(binary!, 8);
  expect(built.ok).toBe(false);
});

test("HASHES reads back what was printed, and says which line is wrong", () => {
  const lines = [
    { name: "a", sha256: `sha256:${"0".repeat(64)}`, file: "a.wasm", compiler: "assemblyscript 0.28.20" },
  ];
  expect(readHashes(printHashes(lines))).toEqual(lines);
  expect(() => readHashes("# x\na sha256:00 a.wasm c 1\n")).toThrow("HASHES line 2");
});

test("function numbers outside 1..14 have no flags", () => {
  for (const k of [0, 15, 1.5]) expect(() => programFlags(k)).toThrow(RangeError);
});

test("what HASHES lists besides the current file is built in; a file that is another is refused", () => {
  const bytes = readFileSync(join(packagesDir, "csum", "ir", "rx_csum.wasm"));
  const { sha256 } = hashProgram(new Uint8Array(bytes));
  const folder = join(scratch, "earlier");
  mkdirSync(folder);
  writeFileSync(join(folder, "tx_csum-old.wasm"), bytes);
  const current = `tx_csum sha256:${"1".repeat(64)} tx_csum.wasm assemblyscript 0.28.20\n`;
  const hashes = (hash: string): void =>
    writeFileSync(
      join(folder, "HASHES"),
      `# a comment\ntx_csum ${hash} tx_csum-old.wasm assemblyscript 0.28.19\n${current}`,
    );
  hashes(sha256);
  const base64 = bytes.toString("base64");
  expect(earlierSource(folder, "tx_csum")).toContain(`TX_CSUM_EARLIER: `);
  expect(earlierSource(folder, "tx_csum")).toContain(`= [["${sha256}", "${base64}"]];`);
  expect(earlierSource(folder, "rx_csum")).toContain("= [];");
  hashes(`sha256:${"2".repeat(64)}`);
  expect(() => earlierSource(folder, "tx_csum")).toThrow(`tx_csum-old.wasm is ${sha256}`);
});
