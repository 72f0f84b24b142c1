import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KernelCoalescer, LinuxError } from "../src/index.ts";
import { tcpFrame } from "./frames.ts";
import { live } from "./own-namespace.ts";

const burst = (n: number, payload = 100): Uint8Array[] =>
  Array.from({ length: n }, (_, i) => tcpFrame({ seq: 1 + payload * i, payload, id: i }));

describe.runIf(live)("KernelCoalescer", () => {
  let kernel: KernelCoalescer;
  beforeAll(async () => {
    kernel = await KernelCoalescer.open();
  });
  afterAll(() => kernel.close());

  it("merges what continues, and says how often it had to look", async () => {
    for (const n of [2, 3, 40]) kernel.add(burst(n));
    const { results, kernel: version } = await kernel.run();
    expect(version).toMatch(/^\d+\.\d+/);
    for (const [i, n] of [2, 3, 40].entries()) {
      const { packets, runs, agreed } = results[i]!;
      expect(agreed).toBe(true);
      expect(runs).toBeGreaterThanOrEqual(2);
      expect(packets.map((p) => p.frame.length)).toEqual([54 + 100 * n]);
      const header = new DataView(packets[0]!.virtioNetHdr.buffer, packets[0]!.virtioNetHdr.byteOffset);
      // NEEDS_CSUM, TCPv4, gso_size, csum_start, csum_offset
      expect([header.getUint8(0), header.getUint8(1)]).toEqual([1, 1]);
      const rest = [header.getUint16(4, true), header.getUint16(6, true), header.getUint16(8, true)];
      expect(rest).toEqual([100, 34, 16]);
      const payload = burst(n).map((f) => f.subarray(54));
      expect(Buffer.compare(packets[0]!.frame.subarray(54), Buffer.concat(payload))).toBe(0);
    }
  });

  it("leaves what does not continue, in its order", async () => {
    const frames = [tcpFrame({ seq: 1, payload: 100, id: 0 }), tcpFrame({ seq: 500, payload: 100, id: 1 })];
    kernel.add(frames);
    const [result] = (await kernel.run()).results;
    expect(result!.packets.map((p) => Buffer.from(p.frame).toString("hex"))).toEqual(
      frames.map((f) => Buffer.from(f).toString("hex")),
    );
  });

  it("does not merge a packet whose checksum is wrong", async () => {
    const frames = burst(3);
    frames[1]![60]! ^= 1;
    kernel.add(frames);
    const [result] = (await kernel.run()).results;
    expect(result!.packets.map((p) => p.frame.length)).toEqual([154, 154, 154]);
  });

  it("answers many bursts in their order, thousands of frames a second", async () => {
    const lengths = Array.from({ length: 200 }, (_, i) => 1 + (i % 40));
    for (const n of [2, 2]) kernel.add(burst(n));
    await kernel.run();
    for (const n of lengths) kernel.add(burst(n, 100 + n));
    const started = performance.now();
    const { results } = await kernel.run();
    const frames = lengths.reduce((sum, n) => sum + n, 0);
    console.log(`${frames} frames, ${Math.round((1000 * frames) / (performance.now() - started))} a second`);
    for (const [i, n] of lengths.entries())
      expect(results[i]!.packets.map((p) => p.frame.length)).toEqual([54 + (100 + n) * n]);
  });

  it("refuses a burst longer than one poll takes", () => {
    expect(() => kernel.add(burst(61))).toThrow(LinuxError);
  });
});
