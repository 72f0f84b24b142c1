/** Documents made to hurt: each ends in diagnostics within a second, all of them within 256 MB. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { HOSTILE } from "./hostile.ts";

test("time, memory and an answer", () => {
  const script = fileURLToPath(new URL("./hostile-child.ts", import.meta.url));
  const out = execFileSync(
    process.execPath,
    [
      "--max-old-space-size=100",
      "--max-semi-space-size=8",
      "--conditions=@netoffload/source",
      "--import",
      "tsx",
      script,
    ],
    { encoding: "utf8", maxBuffer: 1 << 24 },
  );
  const results = JSON.parse(out) as { name: string; ms: number; faults: number; mb: number }[];
  expect(results.map((r) => r.name)).toEqual(Object.keys(HOSTILE));
  for (const r of results) {
    expect(r.faults, r.name).toBeGreaterThan(0);
    expect(r.ms, r.name).toBeLessThan(1000);
    expect(r.mb, r.name).toBeLessThan(256);
  }
});
