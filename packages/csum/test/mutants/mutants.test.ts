// Each change of a rule is noticed: its test file, bundled with the changed source, fails.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { MUTANTS, type Mutant } from "./mutants.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

interface Esbuild {
  build(options: object): Promise<{ outputFiles: { text: string }[] }>;
}
const here = createRequire(import.meta.url);
const esbuild = createRequire(here.resolve("tsx"))("esbuild") as Esbuild;

/** As much of a test runner as the test files use: they collect, we run. */
const SHIM = `
const { expect, cases } = globalThis.__mutantRun;
const name = (n, args) => n;
const each = (rows) => (n, fn) => { for (const row of rows) cases.push(() => fn(...(Array.isArray(row) ? row : [row]))); };
const test = Object.assign((n, fn) => { cases.push(fn); }, { each });
const describe = (n, fn) => fn();
export { describe, expect, test };
`;

/** Bundle a test file with one source changed (or none). */
async function bundle(testFile: string, mutant: Mutant | null): Promise<string> {
  const changed = mutant === null ? "" : join(root, "src", mutant.file);
  const plugin = {
    name: "mutant",
    setup(build: {
      onResolve(o: object, f: (a: { path: string }) => object | undefined): void;
      onLoad(o: object, f: (a: { path: string }) => object | undefined): void;
    }): void {
      build.onResolve({ filter: /^vitest$/ }, () => ({ path: "vitest", namespace: "shim" }));
      build.onLoad({ filter: /.*/, namespace: "shim" } as object, () => ({ contents: SHIM, loader: "js" }));
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        if (path !== changed || mutant === null) return undefined;
        const text = readFileSync(path, "utf8");
        if (!text.includes(mutant.from)) throw new Error(`${mutant.file} has no ${mutant.from}`);
        return { contents: text.replace(mutant.from, mutant.to), loader: "ts" };
      });
    },
  };
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(root, "test", `${testFile}.test.ts`)],
    bundle: true,
    write: false,
    format: "iife",
    platform: "node",
    conditions: ["@netoffload/source"],
    plugins: [plugin],
    logLevel: "silent",
  });
  return outputFiles[0]!.text;
}

/** Run a bundle. @returns whether every case passed */
function passes(code: string): boolean {
  const cases: (() => unknown)[] = [];
  const scope = globalThis as unknown as { __mutantRun: object };
  scope.__mutantRun = { expect, cases };
  try {
    new Function("require", code)(here);
    for (const run of cases) run();
    return true;
  } catch {
    return false;
  }
}

describe("rules", () => {
  const files = [...new Set(MUTANTS.map((mutant) => mutant.test))];
  test("the files pass as they are, in this runner too", async () => {
    for (const file of files) expect(passes(await bundle(file, null)), file).toBe(true);
  }, 240_000);

  test("there are at least 40 changes", () => expect(MUTANTS.length).toBeGreaterThanOrEqual(40));

  for (const mutant of MUTANTS)
    test(`${relative(root, join(root, "src", mutant.file))}: ${mutant.from} -> ${mutant.to || "nothing"}`, async () => {
      expect(passes(await bundle(mutant.test, mutant)), "survived").toBe(false);
    });
});
