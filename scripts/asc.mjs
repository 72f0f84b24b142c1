// The pinned AssemblyScript compiler with the flags of every module of the project. Sources are named relative to
// the repository's root, so that the bytes do not depend on where it lies.
import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import asc from "assemblyscript/asc";

/** Flags of every module; the memory's base and size come on top. */
export const BASE_FLAGS = [
  "-O3",
  "--runtime",
  "stub",
  "--noAssert",
  "--use",
  "abort=",
  "--importMemory",
  "--noExportMemory",
  "--disable",
  "nontrapping-f2i",
];

/**
 * Flags of an offload program: they follow from the memory map of ABI 1 and from nothing else, since the map is part
 * of the hash. Data begin 16 bytes into the static region of function k, behind the trap cell.
 * @param {number} k - function number, 1 to 14
 * @returns {string[]}
 */
export function programFlags(k) {
  if (!Number.isInteger(k) || k < 1 || k > 14) throw new RangeError(`function number ${k}, expected 1 to 14`);
  return ["--memoryBase", String(0x1_0000 + 0x1_0000 * k + 16), "--initialMemory", "16"];
}

/** Compiler and version, as `ir/HASHES` names it. */
export const COMPILER = `assemblyscript ${createRequire(import.meta.url)("assemblyscript/package.json").version}`;

/**
 * Compile one module.
 * @param {string} root - folder the entry's path starts from
 * @param {string} entry - path of the entry source, relative to root, with `/`
 * @param {readonly string[]} flags - on top of {@link BASE_FLAGS}
 * @returns {Promise<{ binary: Uint8Array | null, messages: string }>} the module, or null and what the compiler said
 */
export async function compile(root, entry, flags) {
  let binary = null;
  const messages = [];
  const { error } = await asc.main([entry, ...BASE_FLAGS, "--outFile", "out.wasm", ...flags], {
    stderr: {
      write(text) {
        messages.push(text);
        return true;
      },
    },
    readFile: (name, _dir) => {
      const path = join(root, name);
      return existsSync(path) && statSync(path).isFile() ? readFileSync(path, "utf8") : null;
    },
    writeFile: (_name, contents) => {
      binary = contents;
    },
  });
  if (error) messages.push(error.message);
  return { binary: error ? null : binary, messages: messages.join("") };
}
