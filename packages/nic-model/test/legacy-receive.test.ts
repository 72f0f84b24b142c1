// What fixed-function devices say of frames that arrive, and what their driver makes of it: COMPLETE is the sum of the
// bytes, whoever made it. The sums are the slow oracle's.
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  CHECKSUM_UNNECESSARY,
  Memory,
  type SkBuff,
  skbFromBytes,
} from "@netoffload/skbuff";
import { describe, expect, test } from "vitest";
import { bytes, eth, ipv4, ipv6, noise, pseudo4, pseudo6, tcp, udp } from "../../csum/test/check/build.ts";
import { sameClass, slowPartial } from "../../csum/test/ref/slow.ts";
import {
  type Completion,
  NicDevice,
  NicDriver,
  newCompletion,
  PROFILES,
  type Profile,
  type RxCsumProfile,
} from "../src/index.ts";
import { random, randomAsk } from "./random-ask.ts";

const memory = Memory.create({ bytes: 8 << 20 });
const legacy = Object.values(PROFILES).filter((p) => p.program === null);

interface Arrived {
  readonly said: string;
  readonly reason: string;
  readonly skb: SkBuff;
  readonly completion: Completion;
}

function arriver(profile: Profile, keepUnnecessary = false): (frame: Uint8Array) => Arrived {
  const device = new NicDevice(profile, memory);
  const driver = new NicDriver(device, memory, 14);
  driver.keepUnnecessary = keepUnnecessary;
  return (frame) => {
    const skb = skbFromBytes(memory, frame, { headroom: 32 })!;
    skb.skbPull(Math.min(14, frame.length));
    let completion = newCompletion();
    device.receive([frame], 1, 14, (_, c) => (completion = { ...c }));
    return { said: driver.completeRx(skb.address, completion), reason: driver.lastReason, skb, completion };
  };
}

const withRx = (name: string, rx: Partial<RxCsumProfile>, faults: Profile["faults"] = []): Profile => {
  const base = PROFILES[name]!;
  return { ...base, rx: { csum: { ...base.rx.csum, ...rx } }, faults };
};
const truth = (frame: Uint8Array): number => slowPartial(frame.subarray(14));
const PAD = [0xde, 0xad, 0xbe, 0xef, 1, 2, 3];
const short = bytes(eth(0x0800, ipv4(17, udp(noise(3), pseudo4))), PAD);
const long = eth(0x0800, ipv4(17, udp(noise(300), pseudo4)));
const padded = bytes(long, PAD);
/** VXLAN without an outer checksum around a TCP packet. */
const vxlan = (inner: Uint8Array): Uint8Array =>
  eth(0x0800, ipv4(17, udp(bytes(8, 0, 0, 0, 0, 0, 1, 0, eth(0x0800, inner)), pseudo4, 0, 4789)));
const inside = vxlan(ipv4(6, tcp(noise(80), pseudo4)));
const wrongInside = vxlan(ipv4(6, tcp(noise(80), pseudo4, "wrong")));

describe("random frames, right, damaged and padded: COMPLETE is never anything but their sum", () => {
  const r = random(3);
  const frames = Array.from({ length: 500 }, () => {
    const frame = randomAsk(r).right.slice();
    const damaged = r.below(3) === 0;
    if (damaged) frame[14 + r.below(frame.length - 14)]! ^= 1 << r.below(8);
    return { frame: r.below(4) === 0 ? bytes(frame, noise(1 + r.below(9))) : frame, damaged };
  });
  const sums = frames.map(({ frame }) => truth(frame));
  test.each(legacy)("$name", (profile) => {
    const arrive = arriver(profile);
    const said: Record<string, number> = {};
    for (const [i, { frame }] of frames.entries()) {
      const arrived = arrive(frame);
      const { skb } = arrived;
      said[arrived.said] = (said[arrived.said] ?? 0) + 1;
      expect(skb.ipSummed).not.toBe(CHECKSUM_UNNECESSARY);
      const complete = arrived.said === "complete" || arrived.said === "converted";
      expect(skb.ipSummed).toBe(complete ? CHECKSUM_COMPLETE : CHECKSUM_NONE);
      if (complete) expect(sameClass(skb.csum, sums[i]!), Buffer.from(frame).toString("hex")).toBe(true);
      skb.kfreeSkb();
    }
    expect((said.complete ?? 0) + (said.converted ?? 0)).toBeGreaterThan(frames.length / 20);
    expect(said.none).toBeGreaterThan(0);
    expect(said.complete !== undefined).toBe(profile.rx.csum.report.includes("complete"));
  });
});

describe("COMPLETE that its hardware leaves incomplete", () => {
  test.each(["complete-parse", "payload-sum"])("%s: the driver adds padding and tags", (name) => {
    const arrive = arriver(withRx(name, { report: "complete" }));
    const tagged = eth(0x8100, bytes(0, 5, 8, 0, padded.subarray(14)));
    const six = bytes(eth(0x86dd, ipv6(17, udp(noise(61), pseudo6))), PAD);
    for (const frame of [long, padded, tagged, six]) {
      const { said, skb } = arrive(frame);
      expect([said, sameClass(skb.csum, truth(frame))]).toEqual(["complete", true]);
    }
    // frames that hardware may have padded are not told
    expect(arrive(short).said).toBe("none");
  });

  test.each(["complete-parse", "payload-sum"])("pad-not-summed on %s: its driver does not know", (name) => {
    const faulty = arriver(withRx(name, { report: "complete" }, ["pad-not-summed"]));
    for (const frame of [short, padded]) {
      const { said, skb } = faulty(frame);
      expect([said, sameClass(skb.csum, truth(frame))]).toEqual(["complete", false]);
    }
    expect(sameClass(faulty(long).skb.csum, truth(long))).toBe(true);
  });

  test("payload-sum refuses SCTP, hop-by-hop and fragment headers; an IPv4 header that is wrong is not reported", () => {
    const arrive = arriver(withRx("payload-sum", { report: "complete" }));
    const hop = [6, 0, 1, 4, 0, 0, 0, 0];
    expect(arrive(eth(0x86dd, ipv6(0, bytes(hop, tcp(noise(60), pseudo6))))).said).toBe("none");
    expect(arrive(eth(0x86dd, ipv6(44, bytes(6, 0, 0, 0, 0, 0, 0, 1, tcp(noise(60), pseudo6))))).said).toBe(
      "none",
    );
    expect(arrive(eth(0x0800, ipv4(132, noise(60)))).said).toBe("none");
    expect(arrive(eth(0x0800, ipv4(6, tcp(noise(60), pseudo4), { field: "wrong" }))).said).toBe("none");
    expect(arrive(eth(0x0800, ipv4(89, noise(60)))).said).toBe("complete");
  });

  test("short frames: no sum, but what was verified is converted", () => {
    const { said, skb } = arriver(PROFILES["complete-parse"]!)(short);
    expect([said, sameClass(skb.csum, truth(short))]).toEqual(["converted", true]);
  });
});

describe("UNNECESSARY", () => {
  test("its levels, before and after the paper", () => {
    const sound = withRx("exthdr-3", {});
    // a zero outer checksum counts, the inner one was verified
    expect(arriver(sound, true)(inside).skb).toMatchObject({ ipSummed: CHECKSUM_UNNECESSARY, csumLevel: 1 });
    const converted = arriver(sound)(inside);
    expect([converted.said, sameClass(converted.skb.csum, truth(inside))]).toEqual(["converted", true]);
    expect(arriver(sound)(wrongInside)).toMatchObject({ said: "none", reason: "" });
  });

  test("csum-level-wrong: a device that saw the outer zero only vouches for the inner checksum too", () => {
    const blind = { udpZero: "ok", encap: [], encapPorts: { vxlan: [4789], geneve: [] } } as const;
    expect(arriver(withRx("v4v6-basic", blind))(wrongInside)).toMatchObject({
      said: "none",
      reason: "udp-zero",
    });
    const faulty = arriver(withRx("v4v6-basic", blind, ["csum-level-wrong"]), true)(wrongInside);
    expect(faulty.skb).toMatchObject({ ipSummed: CHECKSUM_UNNECESSARY, csumLevel: 1 });
    expect(arriver(withRx("v4v6-basic", {}, ["csum-level-wrong"]), true)(long).skb.csumLevel).toBe(1);
    expect(arriver(PROFILES["v4v6-basic"]!, true)(long).skb.csumLevel).toBe(0);
  });

  test("of what the device does not know (coe): the driver of before the paper believes it, the other looks first", () => {
    const hop = [6, 0, 1, 4, 0, 0, 0, 0];
    const damaged = eth(0x86dd, ipv6(0, bytes(hop, tcp(noise(60), pseudo6, "wrong"))));
    for (const frame of [eth(0x0800, ipv4(89, noise(60))), damaged]) {
      expect(arriver(PROFILES.coe!, true)(frame).skb.ipSummed).toBe(CHECKSUM_UNNECESSARY);
      expect(arriver(PROFILES.coe!)(frame).said).toBe("none");
    }
    expect(arriver(PROFILES.coe!)(long).said).toBe("converted");
  });

  test("what a window of 64 bytes does not show is not verified", () => {
    const far = eth(0x86dd, ipv6(6, tcp(noise(60), pseudo6)));
    expect(arriver(PROFILES["short-window"]!)(far).said).toBe("none");
    expect(arriver(PROFILES["v4v6-basic"]!)(far).said).toBe("converted");
  });
});

test("paravirt: a neighbour's checksum arrives owed, as PARTIAL; a complete one is verified", () => {
  const arrive = arriver(PROFILES.paravirt!);
  const { said, skb } = arrive(eth(0x0800, ipv4(6, tcp(noise(40), pseudo4, "seed"))));
  expect([said, skb.ipSummed, skb.checksumStartOffset, skb.csumOffset]).toEqual([
    "owed",
    CHECKSUM_PARTIAL,
    20,
    16,
  ]);
  expect(arrive(eth(0x0800, ipv4(6, tcp(noise(40), pseudo4)))).said).toBe("converted");
  expect(arrive(eth(0x0800, ipv4(6, tcp(noise(40), pseudo4, "wrong")))).said).toBe("none");
});

test("any bytes, cut anywhere: an answer, never UNNECESSARY, never a sum of other bytes", () => {
  const r = random(5);
  const seeds = [
    long,
    short,
    inside,
    eth(0x86dd, ipv6(0, bytes(6, 0, 1, 4, 0, 0, 0, 0, tcp(noise(60), pseudo6)))),
  ];
  for (const profile of legacy) {
    const arrive = arriver(profile);
    for (let i = 0; i < 150; i++) {
      const seed = r.pick(seeds);
      const frame = seed.slice(0, 1 + r.below(seed.length));
      for (let n = r.below(4); n > 0; n--) frame[r.below(frame.length)] = r.below(256);
      const { skb, said } = arrive(frame);
      expect(skb.ipSummed).not.toBe(CHECKSUM_UNNECESSARY);
      if (said === "complete" || said === "converted") expect(sameClass(skb.csum, truth(frame))).toBe(true);
      skb.kfreeSkb();
    }
  }
});
