// From an offload program's source to its IR: compile, canonicalise, check the profile, hash. Used by build-ir.ts.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalModule, checkProfile, decodeModule, hashProgram } from "../packages/cpr-ir/src/index.ts";
import { COMPILER, compile, programFlags } from "./asc.mjs";

/** One line of a package's modules.json, `program`. */
export interface ProgramEntry {
  /** Package folder under the packages folder. */
  readonly pkg: string;
  /** Name of the entry source, of its export, and of the committed file. */
  readonly name: string;
  /** Function number k of ABI 1. */
  readonly functionNumber: number;
}

/** IR of a program, or what is wrong with it. */
export type BuiltIr =
  | { readonly ok: true; readonly ir: Uint8Array; readonly sha256: string }
  | { readonly ok: false; readonly problems: readonly string[] };

/** One line of `ir/HASHES`. */
export interface HashLine {
  readonly name: string;
  readonly sha256: string;
  /** Compiler and its version. */
  readonly compiler: string;
  /** File in `ir/` that holds these bytes. */
  readonly file: string;
}

/**
 * Canonicalise a module and hash it.
 * @param binary - WebAssembly module, untrusted
 * @param functionNumber - k, whose static region the data must lie in
 */
export function toIr(binary: Uint8Array, functionNumber: number): BuiltIr {
  const canonical = canonicalModule(binary);
  if (!canonical.ok) return { ok: false, problems: canonical.diagnostics.map((d) => d.message) };
  const module = decodeModule(canonical.value);
  if (!module.ok) return { ok: false, problems: module.diagnostics.map((d) => d.message) };
  const violations = checkProfile(module.value, { functionNumber });
  if (violations.length > 0) return { ok: false, problems: violations.map((d) => d.message) };
  return { ok: true, ir: canonical.value, sha256: hashProgram(canonical.value).sha256 };
}

/**
 * Compile a program from its source.
 * @param root - folder that holds the packages folder
 * @param program - which one
 * @param packagesFolder - name of the packages folder; nothing of the result may depend on it
 */
export async function buildProgram(
  root: string,
  program: ProgramEntry,
  packagesFolder = "packages",
): Promise<BuiltIr> {
  const entry = `${packagesFolder}/${program.pkg}/program/${program.name}.ts`;
  const { binary, messages } = await compile(root, entry, programFlags(program.functionNumber));
  if (binary === null) return { ok: false, problems: [messages] };
  return toIr(binary, program.functionNumber);
}

/** Every program of the repository, as the packages' modules.json list them. */
export function listPrograms(packagesDir: string): ProgramEntry[] {
  return readdirSync(packagesDir)
    .sort()
    .flatMap((pkg) => {
      const file = join(packagesDir, pkg, "modules.json");
      if (!existsSync(file)) return [];
      const list = JSON.parse(readFileSync(file, "utf8")) as {
        program?: { name: string; function: number }[];
      };
      return (list.program ?? []).map((p) => ({ pkg, name: p.name, functionNumber: p.function }));
    });
}

const HEADER = `# Offload programs of this package: name, SHA-256 of the canonical bytes, file, compiler and version.
# The last line of a name is the current program; the earlier ones stay, selectable as NAME@sha256:HEX.
`;

/** Text of a HASHES file. */
export function printHashes(lines: readonly HashLine[]): string {
  return HEADER + lines.map((l) => `${l.name} ${l.sha256} ${l.file} ${l.compiler}\n`).join("");
}

/** Lines of a HASHES file. @throws Error - names the line that is not of its form */
export function readHashes(text: string): HashLine[] {
  return text
    .split("\n")
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== "" && !line.startsWith("#"))
    .map(({ line, number }) => {
      const form = /^(\w+) (sha256:[0-9a-f]{64}) (\S+\.wasm) (\S+ \S+)$/.exec(line);
      if (form === null)
        throw new Error(
          `HASHES line ${number}: expected NAME sha256:HEX FILE COMPILER VERSION, got: ${line}`,
        );
      return { name: form[1]!, sha256: form[2]!, file: form[3]!, compiler: form[4]! };
    });
}

/** The line of a program that was just built. */
export function currentLine(name: string, sha256: string): HashLine {
  return { name, sha256, file: `${name}.wasm`, compiler: COMPILER };
}

/** File name of a program that is no longer the current one. */
export const supersededFile = (name: string, sha256: string): string =>
  `${name}-${sha256.slice("sha256:".length).slice(0, 16)}.wasm`;
