import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KernelChecksum } from "../src/index.ts";
import { live } from "./own-namespace.ts";

/** Sum of big-endian words, folded and complemented; 0 becomes 0xffff. RFC 1071, in the slowest way. */
function slowCheck(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum += i % 2 === 0 ? bytes[i]! * 256 : bytes[i]!;
  return 0xffff - (sum % 0xffff) || 0xffff;
}

function frame(payload: number, salt: number): Uint8Array {
  const f = new Uint8Array(14 + 20 + 8 + payload);
  for (let i = 12; i < f.length; i++) f[i] = (i * 7 + salt * 13) & 255;
  f.set([1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 0x08, 0x00, 0x45]);
  return f;
}

describe.runIf(live)("KernelChecksum", () => {
  let kernel: KernelChecksum;
  beforeAll(async () => {
    kernel = await KernelChecksum.open();
  });
  afterAll(() => kernel.close());

  it("returns every frame with the checksum that the arithmetic says, addresses as they were", async () => {
    const frames = Array.from({ length: 3000 }, (_, i) => frame(i, i));
    for (const f of frames) kernel.add(f, 34, 6);
    const batch = await kernel.run();
    expect(batch).toMatchObject({ returned: 3000, refused: 0, lost: 0 });
    for (const [i, result] of batch.results.entries()) {
      if (result.outcome !== "returned") throw new Error(`${i}: ${result.outcome}`);
      const expected = frames[i]!.slice();
      const check = slowCheck(expected.subarray(34));
      expected[40] = check >> 8;
      expected[41] = check & 255;
      // toEqual takes milliseconds per kilobyte
      if (Buffer.compare(result.frame, expected) !== 0) expect(result.frame).toEqual(expected);
    }
  });

  it("answers the README's question as the README says", async () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const code = /```typescript\n([\s\S]*?)```/.exec(readme)![1]!;
    const hex = [...code.matchAll(/"([0-9a-f]+)"/g)].map((m) => m[1]).join("");
    kernel.add(Buffer.from(hex, "hex"), 34, 6);
    const [answer] = (await kernel.run()).results;
    if (answer?.outcome !== "returned") throw new Error(JSON.stringify(answer));
    expect(readme).toContain(`\`${Buffer.from(answer.frame.subarray(40, 42)).toString("hex")}\``);
    expect(readme).toContain("`22c7`");
  });

  it("says why a frame was refused, in its place", async () => {
    const f = frame(20, 1);
    kernel.add(f, 34, 6);
    kernel.add(f, 34, 27);
    kernel.add(f, 34, 26);
    kernel.add(f, 19, 0);
    kernel.add(f.subarray(0, 13), -1, 0);
    kernel.add(f, -1, 0);
    const { results } = await kernel.run();
    expect(results.map((r) => (r.outcome === "refused" ? r.errno : r.outcome))).toEqual([
      "returned",
      "EINVAL",
      "returned",
      "EINVAL",
      "EINVAL",
      "returned",
    ]);
    expect(results[5]).toEqual({ outcome: "returned", frame: f });
  });

  it("a frame that the kernel drops on its way is lost, and the others are not mistaken for it", async () => {
    const big = new Uint8Array(65536 + 20).fill(7);
    kernel.add(frame(10, 1), -1, 0);
    // longer than the interfaces' MTU
    kernel.add(big, -1, 0);
    kernel.add(frame(11, 2), -1, 0);
    const batch = await kernel.run();
    expect(batch.results.map((r) => r.outcome)).toEqual(["returned", "lost", "returned"]);
    expect(batch.results[2]).toEqual({ outcome: "returned", frame: frame(11, 2) });
    expect(batch.kernel).toMatch(/^\d+\.\d+/);
  });
});
