/** verify over every real capture beside the project, through a programmable and a fixed-function device. */
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { VerifyReport } from "../../src/index.ts";
import { run } from "./run.ts";

const folder = fileURLToPath(new URL("../../../../../shared/captures", import.meta.url));
const present = fs.existsSync(folder);
if (!present)
  console.warn("SKIPPED: ../shared/captures is not here (the folder of real captures beside the project)");

function list(dir: string): string[] {
  return fs.readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(dir, entry.name);
    if (entry.isDirectory()) return list(file);
    return /\.pcap(ng)?$/.test(entry.name) ? [file] : [];
  });
}

const files = present ? list(folder).map((file) => [path.relative(folder, file), file] as const) : [];
const count = (reasons: Readonly<Record<string, number>>): number =>
  Object.values(reasons).reduce((a, b) => a + b, 0);

describe.skipIf(!present)("verify of real captures", () => {
  it("there are some", () => expect(files.length).toBeGreaterThan(80));

  for (const device of ["ideal", "v4v6-basic", "complete-parse"])
    for (const accel of device === "ideal" ? [[], ["--no-accel"]] : [[]])
      it.each(files)(`${device} ${accel.join("")}: %s`, async (_name, file) => {
        const ran = await run("verify", file, "--json", "--device", device, ...accel);
        const report = ran.json.at(-1) as unknown as VerifyReport;
        // the damaged ones end with their named fault, all others with 0
        expect([report.faults === undefined ? 0 : 2, ran.err]).toEqual([
          ran.code,
          report.faults === undefined ? "" : ran.err,
        ]);
        for (const [name, o] of Object.entries(report.offloads)) {
          expect([name, o.mismatches]).toEqual([name, 0]);
          expect(o.offloaded + count(o.fallback) + count(o.not_applicable)).toBe(report.packets);
          expect(o.state).toBe(device === "ideal" ? "HARDWARE" : "LEGACY");
          if (device === "ideal") expect(o.fallback).toEqual({});
        }
      });
});
