// tx_csum on the device fills in SCTP's CRC too; the frame that must leave is the slow oracle's.
import { PROFILES } from "@netoffload/nic-model";
import { skbFromBytes } from "@netoffload/skbuff";
import { describe, expect, test } from "vitest";
import { eth, type Field, ipv4, noise, sctp } from "../../../csum/test/check/build.ts";
import { shippedPrograms } from "../../src/programs.ts";
import { makePipeline } from "../../src/verify/pipeline.ts";

const frame = (n: number, f: Field): Uint8Array => eth(0x0800, ipv4(132, sctp(noise(n), f)));

describe.each([false, true])("noAccel %s", (noAccel) => {
  test("offloaded, whatever the length and the fragments", async () => {
    const { driver, memory } = await makePipeline({
      profile: PROFILES.ideal!,
      programs: shippedPrograms(),
      noAccel,
    });
    for (const [n, frags] of [
      [0, []],
      [3, []],
      [40, [7]],
      [1400, [333, 500]],
      [65, [1, 1, 1]],
    ] as [number, number[]][]) {
      const skb = skbFromBytes(memory, frame(n, 0), { headroom: 64, frags })!;
      skb.ipSummed = 3;
      skb.csumNotInet = 1;
      skb.csumStart = 64 + 34;
      skb.csumOffset = 8;
      driver.xmit(skb.address, 1);
      const left: Uint8Array[] = [];
      driver.flush((wire) => void left.push(wire.slice()));
      expect(left, `${n} bytes`).toEqual([frame(n, "right")]);
      skb.kfreeSkb();
    }
    expect(driver.counters).toMatchObject({ txOffloaded: 5, txFallback: {}, txDropped: {} });
  });
});
