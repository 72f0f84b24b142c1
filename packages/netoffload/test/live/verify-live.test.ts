import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { CHECKSUM_COMPLETE, CHECKSUM_NONE, CHECKSUM_PARTIAL, Memory, skbFromBytes } from "@netoffload/skbuff";
import { afterAll, describe, expect, it } from "vitest";
import { openLiveKernel } from "../../src/live/kernel-host.ts";
import { run } from "../cli/run.ts";
import { live } from "./facility.ts";

const scratch = mkdtempSync(join(tmpdir(), "netoffload-verify-live-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Little-endian words, end-around, by the slowest arithmetic. */
function slowSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum += i % 2 === 0 ? bytes[i]! : bytes[i]! * 256;
  return sum > 0 && sum % 0xffff === 0 ? 0xffff : sum % 0xffff;
}

describe.runIf(live)("verify --kernel live", () => {
  it("the bundled capture: device and running kernel agree on every packet", async () => {
    const { code, json } = await run("verify", "--kernel", "live", "--json");
    const summary = json.at(-1) as {
      packets: number;
      live_kernel: { release: string; asked: number; not_asked: number };
      offloads: Record<string, { compared: number; mismatches: number }>;
    };
    expect(summary.offloads.tx_csum).toMatchObject({ state: "HARDWARE", mismatches: 0 });
    expect(summary.offloads.rx_csum).toMatchObject({ state: "HARDWARE", mismatches: 0 });
    expect(summary.live_kernel).toMatchObject({ release: release(), not_asked: 0 });
    // every packet for its sum, and each that asks for a checksum for that
    expect(summary.live_kernel.asked).toBe(summary.packets + summary.offloads.tx_csum!.compared);
    expect(code).toBe(0);
  });

  it("a device that leaves the checksum undone is found out", async () => {
    const device = join(scratch, "device.mjs");
    writeFileSync(
      device,
      `import { createInterface } from "node:readline";
       for await (const line of createInterface({ input: process.stdin })) {
         const { id, frame } = JSON.parse(line);
         console.log(JSON.stringify({ id, frames: [frame] }));
       }`,
    );
    const words = ["--device", `exec:${process.execPath} ${device}`, "--offloads", "tx_csum", "--json"];
    const { code, json } = await run("verify", "--kernel", "live", ...words);
    const { offloads } = json.at(-1) as { offloads: { tx_csum: { compared: number; mismatches: number } } };
    expect(offloads.tx_csum.mismatches).toBeGreaterThan(offloads.tx_csum.compared / 2);
    expect(code).toBe(1);
  });

  it("its answers are those of slow arithmetic, for packets in pieces too", () => {
    const kernel = openLiveKernel();
    const memory = Memory.create({ bytes: 2 << 20 });
    const host = kernel.bind(memory);
    for (const length of [40, 41, 333, 1514, 9001]) {
      const bytes = Uint8Array.from({ length }, (_, i) => i * 31);
      const skb = skbFromBytes(memory, bytes, { frags: [7, 3] })!;
      expect(host.rxCsum(skb.address)).toBe(0);
      expect([skb.ipSummed, skb.csum]).toEqual([CHECKSUM_COMPLETE, slowSum(bytes)]);
      skb.ipSummed = CHECKSUM_PARTIAL;
      skb.csumStart = skb.headroom + 20;
      skb.csumOffset = 6;
      expect(host.txCsum(skb.address)).toBe(0);
      const check = ~slowSum(bytes.subarray(20)) & 0xffff || 0xffff;
      const expected = bytes.slice();
      expected.set([check & 255, check >> 8], 26);
      expect(skb.ipSummed).toBe(CHECKSUM_NONE);
      expect(Buffer.compare(skb.toBytes(), expected)).toBe(0);
      skb.ipSummed = CHECKSUM_PARTIAL;
      skb.csumOffset = length;
      expect(host.txCsum(skb.address)).toBe(-22);
      skb.kfreeSkb();
    }
    expect(kernel.report()).toMatchObject({ asked: 15, not_asked: 0 });
    kernel.close();
  });
});
