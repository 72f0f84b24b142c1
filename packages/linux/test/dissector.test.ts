import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KernelDissector } from "../src/index.ts";
import { tcpFrame } from "./frames.ts";
import { live } from "./own-namespace.ts";

describe.runIf(live)("KernelDissector", () => {
  let kernel: KernelDissector;
  beforeAll(async () => {
    kernel = await KernelDissector.open();
  });
  afterAll(() => kernel.close());

  it("says where the payload begins", async () => {
    const longer = tcpFrame({ seq: 1, payload: 20 });
    longer[46] = 0x80;
    const udp = tcpFrame({ seq: 1, payload: 20 });
    udp[23] = 17;
    const unknown = tcpFrame({ seq: 1, payload: 20 });
    unknown[23] = 253;
    for (const frame of [tcpFrame({ seq: 1, payload: 20 }), longer, udp, unknown]) kernel.add(frame);
    const { results } = await kernel.run();
    expect(results.map((r) => (r.outcome === "dissected" ? r.poff : r.errno))).toEqual([54, 66, 42, 34]);
  });

  it("hashes flows: equal for equal ones, another for every other", async () => {
    for (let i = 0; i < 1000; i++) kernel.add(tcpFrame({ seq: i, payload: i % 50, sport: 1 + (i >> 1) }));
    const { results, kernel: version } = await kernel.run();
    expect(version).toMatch(/^\d+\.\d+/);
    const hashes = results.map((r) => (r.outcome === "dissected" ? r.hash : -1));
    for (let i = 0; i < 1000; i += 2) expect(hashes[i]).toBe(hashes[i + 1]);
    // 500 flows in 32 bits: a collision is one in 30,000 runs, two are none
    expect(new Set(hashes).size).toBeGreaterThanOrEqual(499);
    expect(hashes).not.toContain(0);
  });

  it("refuses frames too short to answer for", async () => {
    kernel.add(new Uint8Array(16));
    kernel.add(tcpFrame({ seq: 1, payload: 0 }));
    const { results } = await kernel.run();
    expect(results[0]).toEqual({ outcome: "refused", errno: "EINVAL" });
    expect(results[1]).toMatchObject({ outcome: "dissected", poff: 54 });
  });
});
