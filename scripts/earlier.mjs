// Former versions of a program, kept in `ir/` and named by its HASHES, as source text.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @param {string} dir - the package's `ir/`
 * @param {string} name - of the program
 * @returns {string} a constant of [hash, base64] pairs, oldest first
 */
export function earlierSource(dir, name) {
  const pairs = readFileSync(join(dir, "HASHES"), "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([of, , file]) => of === name && file !== `${name}.wasm`)
    .map(([, sha256, file]) => {
      const bytes = readFileSync(join(dir, file));
      const found = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
      if (found !== sha256) throw new Error(`${file} is ${found}, HASHES says ${sha256}`);
      return `["${sha256}", "${bytes.toString("base64")}"]`;
    });
  const type = "readonly (readonly [sha256: string, wasm: string])[]";
  return `/** Former versions. */\nexport const ${name.replace(/-/g, "_").toUpperCase()}_EARLIER: ${type} = [${pairs.join(", ")}];\n`;
}
