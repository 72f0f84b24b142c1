// Nothing is allocated per call: no collection happens in ten million calls of each incremental helper.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const CALLS = 10_000_000;

/** Lines of --trace-gc between the two forced collections of each helper. */
function collections(calls: number): Record<string, string[]> {
  const script = fileURLToPath(new URL("./calls.ts", import.meta.url));
  // compiled when it is hot, not when another thread finds time
  const flags = [
    "--expose-gc",
    "--trace-gc",
    "--no-concurrent-recompilation",
    "--conditions=@netoffload/source",
    "--import",
    "tsx",
  ];
  const { stdout, stderr, status } = spawnSync(process.execPath, [...flags, script, String(calls)], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  const { names } = JSON.parse(stderr) as { names: string[] };
  const lines = stdout.split("\n").filter((l) => / ms: /.test(l));
  const forced = lines.flatMap((l, i) => (/testing/.test(l) ? [i] : []));
  expect(forced.length).toBe(2 * names.length);
  return Object.fromEntries(
    names.map((name, i) => [name, lines.slice(forced[2 * i]! + 1, forced[2 * i + 1]!)]),
  );
}

test("no garbage collection in 10 million calls of each incremental helper", () => {
  const found = collections(CALLS);
  expect(Object.keys(found).length).toBeGreaterThan(20);
  for (const [name, lines] of Object.entries(found)) expect(lines, name).toEqual([]);
}, 240_000);
