// Fixed-function devices: with the check every packet leaves as software would have sent it; without it, and with a
// named fault on, some do not. The third side are frames whose checksums the slow oracle made.
import { CHECKSUM_PARTIAL, Memory, type SkBuff, skbFromBytes } from "@netoffload/skbuff";
import { describe, expect, test } from "vitest";
import {
  be16,
  bytes,
  eth,
  type Field,
  fill,
  ipv4,
  ipv6,
  noise,
  pseudo4,
  pseudo6,
  sctp,
  tcp,
  udp,
  V6_DST,
  V6_SRC,
} from "../../csum/test/check/build.ts";
import { slowChecksum } from "../../csum/test/ref/slow.ts";
import { type CsumFault, NicDevice, NicDriver, PROFILES, type Profile, XMIT } from "../src/index.ts";

const memory = Memory.create({ bytes: 8 << 20 });

/** A packet that asks for its checksum, and the frame that must leave. */
interface Case {
  readonly name: string;
  readonly right: Uint8Array;
  readonly seeded: Uint8Array;
  readonly start: number;
  readonly offset: number;
  readonly crc?: true;
}

const LAST = [...V6_DST.slice(0, 15), 9];
const hop = (next: number, words = 0): number[] => [
  next,
  words,
  1,
  4,
  0,
  0,
  0,
  0,
  ...new Array<number>(8 * words).fill(0),
];
const srh = (next: number, left: number): number[] => [next, 2, 4, left, 0, 0, 0, 0, ...LAST];
const toLast = (proto: number, len: number): Uint8Array => pseudo6(proto, len, V6_SRC, LAST);

function both(name: string, start: number, offset: number, build: (field: Field) => Uint8Array): Case {
  return { name, start, offset, right: build("right"), seeded: build("seed") };
}

/** TCP whose checksum comes out as 0. */
function zeroSum(
  l4: (payload: Uint8Array, pseudo: typeof pseudo4, field: Field) => Uint8Array,
  field: Field,
): Uint8Array {
  const payload = noise(30);
  payload.set(be16(0), 28);
  const packet = l4(payload, pseudo4, 0);
  const pseudo = pseudo4(packet.length === 38 ? 17 : 6, packet.length);
  payload.set(be16(slowChecksum(packet, 0xffff - slowChecksum(pseudo))), 28);
  const made = l4(payload, pseudo4, field === "right" ? 0xffff : field);
  return ipv4(packet.length === 38 ? 17 : 6, made);
}

const CASES: readonly Case[] = [
  both("TCP/IPv4", 34, 16, (f) => eth(0x0800, ipv4(6, tcp(noise(61), pseudo4, f)))),
  both("UDP/IPv4", 34, 6, (f) => eth(0x0800, ipv4(17, udp(noise(60), pseudo4, f)))),
  both("TCP/IPv4 with options", 38, 16, (f) =>
    eth(0x0800, ipv4(6, tcp(noise(61), pseudo4, f), { options: [1, 1, 1, 0] })),
  ),
  both("TCP/IPv6", 54, 16, (f) => eth(0x86dd, ipv6(6, tcp(noise(61), pseudo6, f)))),
  both("TCP/IPv6 whose length field says 0", 54, 16, (f) =>
    eth(0x86dd, ipv6(6, tcp(noise(61), pseudo6, f), { len: 0 })),
  ),
  both("UDP/IPv6", 54, 6, (f) => eth(0x86dd, ipv6(17, udp(noise(61), pseudo6, f)))),
  both("ICMPv6", 54, 2, (f) =>
    eth(0x86dd, ipv6(58, fill(bytes(128, 0, 0, 0, noise(60)), 2, pseudo6(58, 64), f))),
  ),
  both("TCP behind hop-by-hop", 62, 16, (f) =>
    eth(0x86dd, ipv6(0, bytes(hop(6), tcp(noise(61), pseudo6, f)))),
  ),
  both("UDP behind 264 bytes of options", 318, 6, (f) =>
    eth(0x86dd, ipv6(0, bytes(hop(17, 32), udp(noise(61), pseudo6, f)))),
  ),
  both("TCP with a segment routing header", 78, 16, (f) =>
    eth(0x86dd, ipv6(43, bytes(srh(6, 1), tcp(noise(61), toLast, f)))),
  ),
  both("TCP with one that is used up", 78, 16, (f) =>
    eth(0x86dd, ipv6(43, bytes(srh(6, 0), tcp(noise(61), pseudo6, f)))),
  ),
  both("VLAN", 38, 16, (f) => eth(0x8100, bytes(0, 5, be16(0x0800), ipv4(6, tcp(noise(61), pseudo4, f))))),
  both("QinQ", 42, 16, (f) =>
    eth(0x88a8, bytes(0, 5, be16(0x8100), 0, 6, be16(0x0800), ipv4(6, tcp(noise(61), pseudo4, f)))),
  ),
  both("short", 34, 6, (f) => eth(0x0800, ipv4(17, udp(noise(3), pseudo4, f)))),
  both("1700 bytes", 34, 16, (f) => eth(0x0800, ipv4(6, tcp(noise(1700), pseudo4, f)))),
  both("TCP that sums to 0", 34, 16, (f) => eth(0x0800, zeroSum(tcp, f))),
  both("UDP that sums to 0", 34, 6, (f) => eth(0x0800, zeroSum(udp, f))),
  {
    name: "SCTP",
    start: 34,
    offset: 8,
    crc: true,
    right: eth(0x0800, ipv4(132, sctp(noise(60)))),
    seeded: eth(0x0800, ipv4(132, sctp(noise(60), 0))),
  },
];

function asked(c: Case): SkBuff {
  const skb = skbFromBytes(memory, c.seeded, { headroom: 64 })!;
  skb.ipSummed = CHECKSUM_PARTIAL;
  skb.csumStart = 64 + c.start;
  skb.csumOffset = c.offset;
  skb.csumNotInet = c.crc ? 1 : 0;
  return skb;
}

/** Send one packet. @returns what left, and how */
function send(
  profile: Profile,
  c: Case,
  legacyCheck = true,
): { wire: Uint8Array; outcome: number; reason: string } {
  const driver = new NicDriver(new NicDevice(profile, memory), memory, 14);
  driver.legacyCheck = legacyCheck;
  const skb = asked(c);
  const outcome = driver.xmit(skb.address, 1);
  let wire = new Uint8Array(0);
  driver.flush((frame) => (wire = frame.slice()));
  skb.kfreeSkb();
  return { wire, outcome, reason: driver.lastReason };
}

const tcpZero = (c: Case, wire: Uint8Array): boolean => {
  const other = c.right.slice();
  other.set([0, 0], c.start + c.offset);
  return c.offset === 16 && c.name.endsWith("sums to 0") && Buffer.compare(other, wire) === 0;
};
const legacy = Object.values(PROFILES).filter((p) => p.program === null);

describe("driver and device together send what software sends", () => {
  for (const profile of legacy)
    test(profile.name, () => {
      let offloaded = 0;
      let zeros = 0;
      for (const c of CASES) {
        const { wire, outcome, reason } = send(profile, c);
        expect(outcome === XMIT.offloaded || reason !== "", c.name).toBe(true);
        if (outcome === XMIT.offloaded) offloaded++;
        if (tcpZero(c, wire)) zeros++;
        else
          expect(Buffer.from(wire).toString("hex"), `${c.name} ${reason}`).toBe(
            Buffer.from(c.right).toString("hex"),
          );
      }
      // the device is of use, and the only difference allowed is the one its profile names
      expect(offloaded).toBeGreaterThan(3);
      expect(zeros).toBe(profile.tx.csum.tcpZero === "zero" ? 1 : 0);
    });
});

test("why packets are not offloaded, by profile", () => {
  const reasons = (name: string): Record<string, string> =>
    Object.fromEntries(
      CASES.map((c) => [c.name, send(PROFILES[name]!, c).reason]).filter(([, r]) => r !== ""),
    );
  expect(reasons("v4v6-basic")).toEqual({
    ICMPv6: "l4",
    "TCP behind hop-by-hop": "exthdr",
    "UDP behind 264 bytes of options": "exthdr",
    "TCP with a segment routing header": "rthdr",
    "TCP with one that is used up": "rthdr",
    VLAN: "vlan",
    QinQ: "vlan",
    short: "min-len",
    SCTP: "sctp-crc",
  });
  expect(reasons("generic-csum")).toEqual({
    "UDP behind 264 bytes of options": "l4-offset",
    SCTP: "sctp-crc",
  });
  expect(reasons("word-dword")).toEqual({
    ICMPv6: "l4",
    "TCP with a segment routing header": "rthdr",
    "TCP with one that is used up": "rthdr",
    QinQ: "vlan",
  });
  expect(reasons("v4-only")["TCP/IPv6"]).toBe("family");
  expect(reasons("mtu-limited")["1700 bytes"]).toBe("len");
});

describe("named faults: without the check some packet leaves wrong; the check does not send it to the device", () => {
  // [fault, profile it is found on, packet that shows it, is the check enough]
  const rows: [CsumFault, string, string, boolean][] = [
    ["truncate-start", "generic-csum", "UDP behind 264 bytes of options", true],
    ["ext-hdr-partial", "v4v6-basic", "TCP behind hop-by-hop", true],
    ["srh-first-segment-address", "v4v6-basic", "TCP with a segment routing header", true],
    ["else-udp", "v4v6-basic", "ICMPv6", true],
    ["udp-zero-not-mangled", "v4v6-basic", "UDP that sums to 0", false],
  ];
  test.each(rows)("%s on %s: %s", (fault, name, packet, enough) => {
    const profile = { ...PROFILES[name]!, faults: [fault] };
    const c = CASES.find((x) => x.name === packet)!;
    expect(Buffer.compare(send(profile, c, false).wire, c.right)).not.toBe(0);
    expect(Buffer.compare(send(profile, c, true).wire, c.right) === 0).toBe(enough);
  });

  test("a device that makes its own pseudo header is wrong for a routing header", () => {
    const c = CASES.find((x) => x.name === "TCP with a segment routing header")!;
    expect(Buffer.compare(send(PROFILES["complete-parse"]!, c, false).wire, c.right)).not.toBe(0);
    expect(send(PROFILES["complete-parse"]!, c, true)).toMatchObject({ wire: c.right, reason: "rthdr" });
  });
});
