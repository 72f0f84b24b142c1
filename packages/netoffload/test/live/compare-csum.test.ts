import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { run } from "../cli/run.ts";
import { live } from "./facility.ts";

const scratch = mkdtempSync(join(tmpdir(), "netoffload-live-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe.runIf(live)("live compare csum", () => {
  for (const target of ["wasm", "npu"])
    it(`no difference on ${target}, every cell covered, nothing lost`, async () => {
      const words = ["--seconds", "1", "--per-cell", "1", "--target", target, "--json"];
      const { code, json } = await run("live", "compare", "csum", ...words);
      console.log(json.at(-1));
      expect(json.at(-1)).toMatchObject({
        summary: true,
        compare: "csum",
        target,
        differences: 0,
        uncovered: 0,
        lost: 0,
        kernel: readFileSync("/proc/sys/kernel/osrelease", "utf8").trim(),
      });
      expect(json.at(-1)!.least_per_cell).toBeGreaterThanOrEqual(1);
      expect(json.at(-1)!.packets).toBeGreaterThan(18432);
      // the generator is no use if nothing is refused or nothing succeeds
      expect(json.at(-1)!.refused).toBeGreaterThan(1000);
      expect(json.at(-1)!.dropped).toBeGreaterThan(1000);
      expect(json.at(-1)!.returned).toBeGreaterThan(1000);
      expect(code).toBe(0);
    });

  it("prints a table of what was covered, and the seed", async () => {
    const { out } = await run("live", "compare", "csum", "--seconds", "1", "--per-cell", "1");
    expect(out).toMatch(/^dimension {3}value {10}cells {6}cases {3}least in a cell$/m);
    expect(out).toMatch(/^bound {7}offset-last\+1 +1152 +\d+ +\d+$/m);
    expect(out).toMatch(/^bound {7}start-before +288 +\d+ +\d+$/m);
    expect(out).toMatch(
      /seed \d+: \d+ packets in [\d.]+ s, .* 18432 cells, the least of them \d+ times; 0 differences$/m,
    );
  });

  it("replays saved cases", async () => {
    const file = join(scratch, "cases.jsonl");
    const frame = "020000000001020000000002080045000020000000004011000001020304050607081111222200089999";
    const line = { id: 1, op: "skb_checksum_help", input: { frame, csum_start: 34, csum_offset: 6 } };
    const before = { ...line, input: { ...line.input, csum_start: -1, csum_offset: 35, route: "skb" } };
    writeFileSync(file, `${JSON.stringify(line)}\n${JSON.stringify(before)}\n`);
    const { code, json } = await run("live", "compare", "csum", "--replay", file, "--json");
    expect(json.at(-1)).toMatchObject({ cases: 2, packets: 4, returned: 3, dropped: 1, differences: 0 });
    expect(code).toBe(0);
  });

  it("refuses what it does not know", async () => {
    expect((await run("live", "compare", "gso5")).code).toBe(2);
    expect((await run("live", "compare", "csum", "--target", "abacus")).err).toContain("wasm, npu or ebpf");
    const file = join(scratch, "bad.jsonl");
    writeFileSync(file, '{"input":{"frame":"00"}}\n');
    const { code, err } = await run("live", "compare", "csum", "--replay", file);
    expect([code, err]).toEqual([2, expect.stringContaining("hex of 14 to 65000 bytes")]);
  });
});
