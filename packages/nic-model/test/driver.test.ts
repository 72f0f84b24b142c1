import { CHECKSUM_NONE, type SkBuff } from "@netoffload/skbuff";
import { describe, expect, test } from "vitest";
import { v4v6Basic, XMIT } from "../src/index.ts";
import { filled, sum16 } from "./ref/sum.ts";
import { frame, image, Rig } from "./rig.ts";

describe("a programmable device: the driver decides for each packet", () => {
  const rows: [
    reason: string,
    change: (skb: SkBuff, rig: Rig) => void,
    layout?: { frags?: number[]; fragList?: number[] },
  ][] = [
    ["not_enabled", (_skb, rig) => void rig.manager.setAdmin("tx_csum", false)],
    ["frag_list", () => undefined, { fragList: [20, 21] }],
  ];
  test.each(rows)("%s: software does it, the packet leaves", async (reason, change, layout = {}) => {
    const rig = await Rig.make();
    const bytes = frame(200);
    const skb = rig.partial(bytes, 34, 16, layout);
    change(skb, rig);
    const [sent] = rig.send([skb]);
    expect(sent!.frame).toEqual(filled(bytes, 34, 16));
    expect(rig.driver.counters.txFallback).toEqual({ [reason]: 1 });
    expect(skb.ipSummed).toBe(CHECKSUM_NONE);
  });

  test("what software cannot do either is dropped and counted, with its errno", async () => {
    const rig = await Rig.make();
    const bytes = frame(200);
    const gso = rig.partial(bytes, 34, 16);
    gso.gsoSize = 100;
    const unreadable = rig.partial(bytes, 34, 16, { frags: [50] });
    unreadable.unreadable = 1;
    const before = rig.partial(bytes, -2, 16);
    expect([gso, unreadable, before].map((skb) => rig.driver.xmit(skb.address, 0))).toEqual(
      new Array(3).fill(XMIT.dropped),
    );
    expect(rig.driver.counters.txDropped).toEqual({ "errno -22": 2, "errno -14": 1 });
  });

  test("a packet that asks for nothing passes as it is", async () => {
    const rig = await Rig.make();
    const bytes = frame(99);
    const skb = rig.partial(bytes, 34, 16, { frags: [30] });
    skb.ipSummed = CHECKSUM_NONE;
    expect(rig.send([skb])[0]!.frame).toEqual(bytes);
    expect(rig.driver.counters).toMatchObject({ txOffloaded: 0, txFallback: {} });
  });

  test("a full ring drops, what is in it leaves", async () => {
    const rig = await Rig.make({ ringEntries: 4 });
    const bytes = frame(80);
    const skbs = Array.from({ length: 5 }, () => rig.partial(bytes, 34, 16));
    const sent = rig.send(skbs);
    expect(sent.map((s) => s !== undefined)).toEqual([true, true, true, false, false]);
    expect(rig.driver.counters.txDropped).toEqual({ "ring full": 2 });
  });

  test("a packet larger than the device's memory is given back and done by software", async () => {
    const rig = await Rig.make({ memoryBytes: 2 << 20 });
    const [small, large] = [frame(60), frame(5000)];
    const sent = rig.send([small, large, small].map((bytes) => rig.partial(bytes, 34, 16)));
    for (const [i, bytes] of [small, large, small].entries())
      expect(sent[i]!.frame).toEqual(filled(bytes, 34, 16));
    expect(rig.driver.counters.txFallback).toEqual({ refused: 3 });
  });

  test("every layout of buffers, odd offsets: the program's work equals the oracle's", async () => {
    const rig = await Rig.make();
    const layouts = [
      {},
      { frags: [1] },
      { frags: [3, 5, 7] },
      { headroom: 33 },
      { headroom: 1, frags: [34, 35] },
    ];
    for (const layout of layouts)
      for (const start of [0, 14, 33, 34])
        for (const length of [120, 121]) {
          const bytes = frame(length, start);
          const skb = rig.partial(bytes, start, 6, layout);
          expect(rig.send([skb])[0]!.frame).toEqual(filled(bytes, start, 6));
          skb.kfreeSkb();
        }
    expect(rig.driver.counters.txFallback).toEqual({});
  });
});

describe("generations", () => {
  test("a completion of another generation is not used", async () => {
    const rig = await Rig.make();
    const { skb, outcome, completion } = rig.arrive(frame(100));
    const sum = sum16(frame(100), 14, 100);
    expect([outcome, skb.csum, completion.generation]).toEqual([
      "complete",
      ((sum & 255) << 8) | (sum >> 8),
      1,
    ]);
    await rig.reload(image());
    expect(rig.driver.completeRx(skb.address, completion)).toBe("stale");
    expect([skb.ipSummed, rig.driver.counters.rxStale]).toEqual([CHECKSUM_NONE, 1]);
  });

  test("results are not used once the function is off", async () => {
    const rig = await Rig.make();
    const { skb, completion } = rig.arrive(frame(100));
    rig.manager.setAdmin("rx_csum", false);
    expect(rig.driver.completeRx(skb.address, completion)).toBe("stale");
  });

  test("packets that wait in the ring while the program goes are done by software", async () => {
    const rig = await Rig.make();
    const bytes = frame(100);
    const skb = rig.partial(bytes, 34, 16);
    expect(rig.driver.xmit(skb.address, 0)).toBe(XMIT.offloaded);
    await rig.reload(image({}, ["rx_csum"]));
    const left: Uint8Array[] = [];
    rig.driver.flush((out) => left.push(out.slice()));
    expect(left).toEqual([filled(bytes, 34, 16)]);
  });
});

describe("known answers of the units", () => {
  test.each(["csum_partial"])("a broken %s: SOFTWARE, DEVICE", async (unit) => {
    const rig = await Rig.make({ brokenUnit: unit });
    for (const state of Object.values(rig.states))
      expect(state).toMatchObject({ state: "SOFTWARE", reason: { kind: "DEVICE" } });
    expect(JSON.stringify(rig.states.tx_csum)).toContain(unit);
    const bytes = frame(70);
    expect(rig.send([rig.partial(bytes, 34, 16)])[0]!.frame).toEqual(filled(bytes, 34, 16));
  });

  test("a unit that no program imports may be broken", async () => {
    const rig = await Rig.make({ brokenUnit: "siphash" });
    expect(rig.states.tx_csum.state).toBe("HARDWARE");
  });
});

test("a fixed-function device: LEGACY, what its profile leaves out is done by software", async () => {
  const rig = await Rig.make({ profile: v4v6Basic });
  expect(rig.states).toEqual({ tx_csum: { state: "LEGACY" }, rx_csum: { state: "LEGACY" } });
  const bytes = frame(100);
  const tcp = rig.partial(bytes, 34, 16);
  tcp.networkHeader = tcp.headroom + 14;
  tcp.transportHeader = tcp.headroom + 34;
  tcp.protocol = 0x0800;
  const odd = rig.partial(bytes, 40, 2);
  const sent = rig.send([tcp, odd]);
  expect(sent[0]!.frame).toEqual(filled(bytes, 34, 16));
  expect(sent[1]!.frame).toEqual(filled(bytes, 40, 2));
  const { txFallback, txOffloaded } = rig.driver.counters;
  expect(txOffloaded + Object.values(txFallback).reduce((a, b) => a + b, 0)).toBe(2);
  expect(await rig.reload(image())).toMatchObject({ ok: false, errno: "EOPNOTSUPP" });
});
