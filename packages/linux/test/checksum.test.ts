import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KernelChecksum, LEAST_SKB_START } from "../src/index.ts";
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

  it("judges fields that no virtio_net_hdr can express: before the frame, beyond its end", async () => {
    const f = frame(20, 1);
    const n = f.length;
    const asked: [start: number, offset: number][] = [
      [34, 6],
      [12, 0],
      [13, n - 15],
      [19, 5],
      [n - 2, 0],
      [-1, 30],
      [LEAST_SKB_START, 40],
      [LEAST_SKB_START, 2],
      [n - 1, 0],
      [n, 0],
      [n + 1000, 8],
      [34, n - 35],
      [34, 3000],
    ];
    for (const [start, offset] of asked) kernel.add(f, start, offset, "skb");
    const { results, dropped, lost } = await kernel.run();
    expect([dropped, lost]).toEqual([8, 0]);
    for (const [i, [start, offset]] of asked.entries()) {
      const inside = start >= 0 && start < n && start + offset + 2 <= n;
      const expected = f.slice();
      if (inside) {
        const check = slowCheck(f.subarray(start));
        expected.set([check >> 8, check & 255], start + offset);
      }
      expect(results[i]).toEqual(inside ? { outcome: "returned", frame: expected } : { outcome: "dropped" });
    }
    // a tag is taken off on the way, and a sum that would start before it is forgotten
    const tagged = frame(20, 2);
    tagged.set([0x81, 0], 12);
    for (const start of [17, 18, -3]) kernel.add(tagged, start, 20, "skb");
    const [before, at, negative] = (await kernel.run()).results;
    expect(before).toEqual({ outcome: "returned", frame: tagged });
    expect(negative).toEqual({ outcome: "returned", frame: tagged });
    const check = slowCheck(tagged.subarray(18));
    const summed = tagged.slice();
    summed.set([check >> 8, check & 255], 38);
    expect(at).toEqual({ outcome: "returned", frame: summed });
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
    // and what is dropped for its checksum is told from it
    kernel.add(big, -1, 0);
    kernel.add(frame(10, 1), -2, 0, "skb");
    kernel.add(big, -1, 0);
    expect((await kernel.run()).results.map((r) => r.outcome)).toEqual(["lost", "dropped", "lost"]);
    expect(batch.kernel).toMatch(/^\d+\.\d+/);
  });
});
