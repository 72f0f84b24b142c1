import { expect, test } from "vitest";
import { checkPacket, PacketChecker, type UdpEncap } from "../../src/index.ts";
import { bytes, eth, ipv4, ipv6, noise, pseudo4, pseudo6, tcp, udp } from "./build.ts";
import { CASES } from "./cases.ts";

test.each(CASES)("$name", ({ frame, linkType = 1, wireLength, expect: want }) => {
  const layers = checkPacket(frame, { linkType, ...(wireLength !== undefined && { wireLength }) });
  expect(layers.map((l) => `${l.layer}:${l.verdict}${l.reason ? `(${l.reason})` : ""}`).join(" ")).toBe(want);
});

test("ports that the user told of: tunnels where they are, foo over UDP, standard ports that mean nothing", () => {
  const ports = new Map<number, UdpEncap>([
    [5555, { fou: 4 }],
    [5556, { fou: 41 }],
    [5557, { fou: 47 }],
    [7777, "vxlan"],
    [7778, "geneve"],
    [7779, "gue"],
    [7780, "mpls"],
    [7781, "vxlan-gpe"],
    [4789, "none"],
  ]);
  const checker = new PacketChecker({ udpEncap: ports });
  const inner4 = ipv4(6, tcp(noise(21), pseudo4));
  const inner6 = ipv6(6, tcp(noise(21), pseudo6, "wrong"));
  const frame4 = eth(0x0800, inner4);
  const rows: [number, Uint8Array, string][] = [
    [5555, inner4, "ipv4:ok tcp:ok"],
    [5556, inner6, "tcp:bad"],
    [5557, bytes(0, 0, 8, 0, inner4), "ipv4:ok tcp:ok"],
    [7777, bytes(8, 0, 0, 0, 0, 0, 1, 0, frame4), "ipv4:ok tcp:ok"],
    [7778, bytes(0, 0, 0x65, 0x58, 0, 0, 1, 0, frame4), "ipv4:ok tcp:ok"],
    [7779, bytes(0, 41, 0, 0, inner6), "tcp:bad"],
    [7780, bytes(0, 0, 0x11, 64, inner4), "ipv4:ok tcp:ok"],
    [7781, bytes(4 | 8, 0, 0, 2, 0, 0, 1, 0, inner6), "tcp:bad"],
    [4789, bytes(8, 0, 0, 0, 0, 0, 1, 0, frame4), ""],
    // a standard port that nobody spoke of is as ever
    [6081, bytes(0, 0, 0x65, 0x58, 0, 0, 1, 0, frame4), "ipv4:ok tcp:ok"],
  ];
  for (const [port, payload, want] of rows) {
    checker.check(eth(0x0800, ipv4(17, udp(payload, pseudo4, "right", port))));
    const found = checker.layers().map((l) => `${l.layer}:${l.verdict}`);
    expect(found.join(" "), String(port)).toBe(["ipv4:ok udp:ok", want].filter((w) => w !== "").join(" "));
  }
  expect(() => new PacketChecker({ udpEncap: new Map([[70000, "gue"]]) })).toThrow(RangeError);
});
