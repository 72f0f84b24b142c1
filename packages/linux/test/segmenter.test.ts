import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KernelSegmenter } from "../src/index.ts";
import { tcpFrame, virtioNetHdr } from "./frames.ts";
import { live } from "./own-namespace.ts";

const TSO = { flags: 1, gsoType: 1, gsoSize: 1000, csumStart: 34, csumOffset: 16 };

describe.runIf(live)("KernelSegmenter", () => {
  let kernel: KernelSegmenter;
  beforeAll(async () => {
    kernel = await KernelSegmenter.open();
  });
  afterAll(() => kernel.close());

  it("cuts a super-packet into segments that are right by slow arithmetic", async () => {
    const whole = tcpFrame({ seq: 1, payload: 2500, id: 7, flags: 0x18, partial: true });
    kernel.add(whole, virtioNetHdr(TSO));
    const { results, kernel: version } = await kernel.run();
    expect(version).toMatch(/^\d+\.\d+/);
    const [result] = results;
    if (result?.outcome !== "sent") throw new Error(JSON.stringify(result));
    const payloads = [1000, 1000, 500];
    const expected = payloads.map((payload, i) =>
      // PSH stays on the last segment alone
      tcpFrame({ seq: 1 + 1000 * i, payload, id: 7 + i, flags: i === 2 ? 0x18 : 0x10 }),
    );
    expect(result.segments.map((s) => s.length)).toEqual(expected.map((s) => s.length));
    for (const [i, segment] of result.segments.entries())
      expect(Buffer.from(segment).toString("hex")).toBe(Buffer.from(expected[i]!).toString("hex"));
  });

  it("tells refused, dropped and sent apart, in their order", async () => {
    const whole = tcpFrame({ seq: 1, payload: 3000, partial: true });
    kernel.add(whole, virtioNetHdr({ ...TSO, gsoType: 9 }));
    kernel.add(whole, virtioNetHdr({ ...TSO, gsoSize: 0 }));
    kernel.add(whole, virtioNetHdr({ ...TSO, csumOffset: 14 }));
    // a header longer than the packet: accepted with the virtio header, impossible to segment
    const lying = whole.slice();
    lying[14] = 0x4f;
    kernel.add(lying, virtioNetHdr(TSO));
    kernel.add(whole, virtioNetHdr(TSO));
    kernel.add(whole.subarray(0, 500), virtioNetHdr(TSO));
    const { results } = await kernel.run();
    const told = results.map((r) => {
      if (r.outcome === "refused") return r.errno;
      return r.outcome === "sent" ? r.segments.length : r.outcome;
    });
    expect(told).toEqual(["EINVAL", "EINVAL", "EINVAL", "dropped", 3, 1]);
  });

  it("answers a thousand questions in one batch", async () => {
    for (let i = 0; i < 1000; i++)
      kernel.add(
        tcpFrame({ seq: i, payload: 100 + i, partial: true }),
        virtioNetHdr({ ...TSO, gsoSize: 100 }),
      );
    const { results } = await kernel.run();
    const counts = results.map((r) => (r.outcome === "sent" ? r.segments.length : -1));
    expect(counts).toEqual(Array.from({ length: 1000 }, (_, i) => Math.ceil((100 + i) / 100)));
  });

  it("sees UDP tunnel fields where the kernel has them", async () => {
    kernel.add(tcpFrame({ seq: 1, payload: 10 }), new Uint8Array(24));
    const { tunnels } = await kernel.run();
    const [major, minor] = kernel.kernel.split(".").map(Number) as [number, number];
    expect(tunnels).toBe(major > 6 || (major === 6 && minor >= 17));
  });
});
