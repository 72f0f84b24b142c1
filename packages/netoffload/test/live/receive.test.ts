// What drivers say of received checksums, believed by the running kernel: its UDP sockets and counters tell whether a
// datagram was taken. Sound devices, faulty ones, and the paper's conversion in place of UNNECESSARY.
import { execFileSync } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import {
  type CsumFault,
  NicDevice,
  NicDriver,
  PROFILES,
  type Profile,
  type RxCsumProfile,
} from "@netoffload/nic-model";
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_UNNECESSARY,
  Memory,
  skbFromBytes,
  virtioNetHdrFromSkb,
} from "@netoffload/skbuff";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { be16, be32, bytes, fill, noise } from "../../../csum/test/check/build.ts";
import { Tap } from "../../../linux/src/index.ts";
import { live, ownNamespace } from "../../../linux/test/own-namespace.ts";
import { counter, macOf, RxInjector, type RxState } from "./rx-injector.ts";

const memory = Memory.create({ bytes: 8 << 20 });
const PORT = 7000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const V4_FROM = [10, 8, 0, 2];
const V4_TO = [10, 8, 0, 1];
const V6 = (last: number): number[] => [0x20, 1, 0x0d, 0xb8, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];

/** A UDP datagram over IPv4. */
function four(
  payload: Uint8Array,
  o: { from?: number[]; to?: number[]; port?: number; check?: boolean } = {},
): Uint8Array {
  const { from = V4_FROM, to = V4_TO, port = PORT, check = true } = o;
  const udp = bytes(be16(1000), be16(port), be16(8 + payload.length), 0, 0, payload);
  if (check) fill(udp, 6, bytes(from, to, 0, 17, be16(udp.length)), "right");
  const header = bytes(0x45, 0, be16(20 + udp.length), 0, 1, 0, 0, 64, 17, 0, 0, from, to);
  return bytes(fill(header, 10, new Uint8Array(0), "right"), udp);
}

/** The same over IPv6. */
function six(payload: Uint8Array): Uint8Array {
  const udp = bytes(be16(1000), be16(PORT), be16(8 + payload.length), 0, 0, payload);
  fill(udp, 6, bytes(V6(2), V6(1), be32(udp.length), 0, 0, 0, 17), "right");
  return bytes(0x60, 0, 0, 0, be16(udp.length), 17, 64, V6(2), V6(1), udp);
}

const ether = (mac: Uint8Array, type: number, packet: Uint8Array): Uint8Array =>
  bytes(mac, [2, 0, 0, 0, 0, 9], be16(type), packet);
/** One bit flipped. */
const damaged = (frame: Uint8Array, at: number): Uint8Array => frame.map((b, i) => (i === at ? b ^ 4 : b));

const profile = (
  name: string,
  rx: Partial<RxCsumProfile> = {},
  faults: readonly CsumFault[] = [],
): Profile => {
  const base = PROFILES[name]!;
  return { ...base, rx: { csum: { ...base.rx.csum, ...rx } }, faults };
};

/** What device and driver say of a frame. */
function said(p: Profile, frame: Uint8Array, keepUnnecessary = false): RxState {
  const device = new NicDevice(p, memory);
  const driver = new NicDriver(device, memory, 14);
  driver.keepUnnecessary = keepUnnecessary;
  const skb = skbFromBytes(memory, frame, { headroom: 32 })!;
  skb.skbPull(14);
  device.receive([frame], 1, 14, (_, c) => void driver.completeRx(skb.address, c));
  const state = { ipSummed: skb.ipSummed, csumLevel: skb.csumLevel, csum: skb.csum };
  skb.kfreeSkb();
  return state;
}

describe.runIf(live)("received by the running kernel", () => {
  ownNamespace();
  let injector: RxInjector;
  const sockets: Socket[] = [];
  let taken: Buffer[] = [];
  beforeAll(async () => {
    injector = new RxInjector();
    for (const type of ["udp4", "udp6"] as const) {
      const socket = createSocket({ type, ipv6Only: type === "udp6" });
      socket.on("message", (m) => void taken.push(m));
      await new Promise<void>((resolve) => socket.bind(PORT, type === "udp4" ? "0.0.0.0" : "::", resolve));
      sockets.push(socket);
    }
  });
  afterAll(() => {
    for (const socket of sockets) socket.close();
    injector.close();
  });

  /** @returns datagrams that reached the socket, and checksum errors counted */
  const arrive = (frame: Uint8Array, state: RxState): ReturnType<typeof outcome> =>
    outcome(() => injector.inject(frame, state));
  async function outcome(send: () => void): Promise<{ taken: number; errors: number }> {
    const errors = (): number => counter("InCsumErrors") + counter("Udp6InCsumErrors");
    const before = errors();
    taken = [];
    send();
    for (let i = 0; i < 40 && taken.length === 0 && errors() === before; i++) await pause(5);
    return { taken: taken.length, errors: errors() - before };
  }
  const TAKEN = { taken: 1, errors: 0 };
  const REFUSED = { taken: 0, errors: 1 };
  const NONE: RxState = { ipSummed: CHECKSUM_NONE, csumLevel: 0, csum: 0 };

  test("the injector: NONE is checked, UNNECESSARY believed, COMPLETE believed as far as it fits", async () => {
    const right = ether(injector.mac, 0x0800, four(noise(100)));
    const wrong = damaged(right, 60);
    expect(await arrive(right, NONE)).toEqual(TAKEN);
    expect(await arrive(wrong, NONE)).toEqual(REFUSED);
    const unnecessary = { ...NONE, ipSummed: CHECKSUM_UNNECESSARY };
    expect(await arrive(wrong, unnecessary)).toEqual(TAKEN);
    const sumOfRight = said(PROFILES["complete-parse"]!, right);
    expect(sumOfRight.ipSummed).toBe(CHECKSUM_COMPLETE);
    expect(await arrive(right, sumOfRight)).toEqual(TAKEN);
    // the sum of other bytes: these are believed to be those
    expect(await arrive(wrong, sumOfRight)).toEqual(TAKEN);
    expect(await arrive(wrong, said(profile("complete-parse", { report: "complete" }), wrong))).toEqual(
      REFUSED,
    );
  });

  test("pad-not-summed: a datagram that is wrong by what pads it is taken", async () => {
    // a word of the payload is larger by the padding's sum
    const pad = [0x12, 0x34];
    const payload = noise(14);
    const right = bytes(ether(injector.mac, 0x0800, four(payload)), pad, 0, 0);
    const wrong = right.slice();
    const word = (wrong[42]! << 8) + wrong[43]! + 0x1234;
    expect(word).toBeLessThan(0x10000);
    wrong.set(be16(word), 42);
    const faulty = profile("complete-parse", {}, ["pad-not-summed"]);
    const sound = PROFILES["complete-parse"]!;
    expect(said(faulty, wrong).ipSummed).toBe(CHECKSUM_COMPLETE);
    expect(await arrive(wrong, said(faulty, wrong))).toEqual(TAKEN);
    expect(await arrive(wrong, said(sound, wrong))).toEqual(REFUSED);
    // what is right is taken either way: the kernel finds that the device was wrong
    expect(await arrive(right, said(faulty, right))).toEqual(TAKEN);
    expect(said(sound, right).ipSummed).toBe(CHECKSUM_COMPLETE);
    expect(await arrive(right, said(sound, right))).toEqual(TAKEN);
  });

  test("csum-level-wrong: a damaged datagram inside of a tunnel without checksum is taken", async () => {
    const inside = ether(
      injector.innerMac,
      0x0800,
      four(noise(80), { from: [10, 7, 0, 2], to: [10, 7, 0, 1] }),
    );
    const tunnel = (frame: Uint8Array): Uint8Array =>
      ether(injector.mac, 0x0800, four(bytes([8, 0, 0, 0, 0, 0, 6, 0], frame), { port: 4789, check: false }));
    const right = tunnel(inside);
    const wrong = damaged(right, right.length - 7);
    // a device that looks at the outer header only, where 0 counts as verified
    const blind = { udpZero: "ok" } as const;
    const ports = { udpZero: "ok", encapPorts: { vxlan: [4789], geneve: [] }, encap: ["vxlan"] } as const;
    const faulty = profile("v4v6-basic", blind, ["csum-level-wrong"]);
    expect(said(faulty, wrong, true)).toMatchObject({ ipSummed: CHECKSUM_UNNECESSARY, csumLevel: 1 });
    expect(await arrive(wrong, said(faulty, wrong, true))).toEqual(TAKEN);
    expect(await arrive(wrong, said(profile("v4v6-basic", blind), wrong, true))).toEqual(REFUSED);
    // converted, the lie is COMPLETE and believed as well; the sound device's zero converts to nothing
    const lying = profile("v4v6-basic", { ...ports, levelMax: 0 }, ["csum-level-wrong"]);
    expect(said(lying, wrong).ipSummed).toBe(CHECKSUM_COMPLETE);
    expect(await arrive(wrong, said(lying, wrong))).toEqual(TAKEN);
    expect(said(profile("v4v6-basic", ports), wrong)).toEqual(NONE);
    expect(await arrive(wrong, said(profile("v4v6-basic", ports), wrong))).toEqual(REFUSED);
    // a device that does look inside
    const deep = profile("exthdr-3");
    expect(said(deep, right, true)).toMatchObject({ ipSummed: CHECKSUM_UNNECESSARY, csumLevel: 1 });
    for (const keep of [true, false]) {
      expect(await arrive(right, said(deep, right, keep))).toEqual(TAKEN);
      expect(await arrive(wrong, said(deep, wrong, keep))).toEqual(REFUSED);
    }
  });

  test("every legacy profile: the kernel takes what it took from UNNECESSARY, now from COMPLETE", async () => {
    const frames = [
      ether(injector.mac, 0x0800, four(noise(33))),
      bytes(ether(injector.mac, 0x0800, four(noise(9))), [7, 6, 5, 4, 3, 2, 1, 9, 8]),
      ether(injector.mac, 0x86dd, six(noise(50))),
    ];
    let converted = 0;
    for (const p of Object.values(PROFILES).filter((q) => q.program === null))
      for (const right of frames)
        for (const frame of [right, damaged(right, right[12] === 8 ? 43 : 63)]) {
          const before = said(p, frame, true);
          const after = said(p, frame);
          expect(after.ipSummed).not.toBe(CHECKSUM_UNNECESSARY);
          if (before.ipSummed === CHECKSUM_UNNECESSARY && after.ipSummed === CHECKSUM_COMPLETE) converted++;
          const expected = frame === right ? TAKEN : REFUSED;
          expect(await arrive(frame, after), `${p.name} ${Buffer.from(frame).toString("hex")}`).toEqual(
            expected,
          );
          if (before.ipSummed !== after.ipSummed) expect(await arrive(frame, before)).toEqual(expected);
        }
    expect(converted).toBeGreaterThan(20);
  });

  test("paravirt: what a neighbour owes is told by NEEDS_CSUM and taken; the same bytes without it are refused", async () => {
    const tap = new Tap({ name: "t1", vnetHdrSize: 10 });
    try {
      execFileSync("ip", ["addr", "add", "10.6.0.1/24", "dev", "t1"]);
      execFileSync("ip", ["link", "set", "t1", "up"]);
      const packet = four(noise(40), { from: [10, 6, 0, 2], to: [10, 6, 0, 1] });
      // the pseudo sum alone, as a stack leaves it to a device
      fill(packet.subarray(20), 6, bytes([10, 6, 0, 2], [10, 6, 0, 1], 0, 17, be16(48)), "seed");
      const frame = ether(macOf("t1"), 0x0800, packet);
      const device = new NicDevice(PROFILES.paravirt!, memory);
      const driver = new NicDriver(device, memory, 14);
      const skb = skbFromBytes(memory, frame, { headroom: 32 })!;
      skb.skbPull(14);
      device.receive([frame], 1, 14, (_, c) => void expect(driver.completeRx(skb.address, c)).toBe("owed"));
      skb.skbPush(14);
      const header = new Uint8Array(10);
      const options = { littleEndian: true, hasDataValid: true, vlanHlen: 0 };
      expect(virtioNetHdrFromSkb(skb, new DataView(header.buffer), 0, options)).toBe(0);
      expect([header[0], header[6], header[8]]).toEqual([1, 34, 6]);
      for (const [vnet, expected] of [
        [header, TAKEN],
        // DATA_VALID tells tun nothing
        [Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0, 0), REFUSED],
        [new Uint8Array(10), REFUSED],
      ] as const)
        expect(await outcome(() => void tap.write(bytes(vnet, frame)))).toEqual(expected);
    } finally {
      tap.close();
    }
  });
});
