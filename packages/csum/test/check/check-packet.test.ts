import { describe, expect, test } from "vitest";
import { checkPacket, fixPacket } from "../../src/index.ts";
import { bytes, eth, fill, ipv4, ipv6, noise, pseudo4, pseudo6, sctp, tcp, udp } from "./build.ts";

/** `layer:verdict(reason)` of every checksum. */
const verdicts = (frame: Uint8Array, linkType = 1, wireLength?: number): string =>
  checkPacket(frame, { linkType, ...(wireLength !== undefined && { wireLength }) })
    .map((l) => `${l.layer}:${l.verdict}${l.reason ? `(${l.reason})` : ""}`)
    .join(" ");

describe.each([0, 1, 2, 7, 64, 65, 1459])("%i bytes of payload", (length) => {
  const data = noise(length);

  test.each(["right", "wrong", "seed"] as const)("%s", (field) => {
    const want = { right: "ok", wrong: "bad", seed: "partial" }[field];
    expect(verdicts(eth(0x0800, ipv4(6, tcp(data, pseudo4, field))))).toBe(`ipv4:ok tcp:${want}`);
    expect(verdicts(eth(0x0800, ipv4(17, udp(data, pseudo4, field))))).toBe(`ipv4:ok udp:${want}`);
    expect(verdicts(eth(0x86dd, ipv6(6, tcp(data, pseudo6, field))))).toBe(`tcp:${want}`);
    expect(verdicts(eth(0x86dd, ipv6(17, udp(data, pseudo6, field))))).toBe(`udp:${want}`);
    expect(verdicts(eth(0x0800, ipv4(132, sctp(data, field))))).toBe(`ipv4:ok sctp:${want}`);
  });

  test("fixed, it is right, and nothing else changed", () => {
    const right = eth(0x0800, ipv4(6, tcp(data, pseudo4)));
    const partial = eth(0x0800, ipv4(6, tcp(data, pseudo4, "seed")));
    expect(fixPacket(partial)).toBe(1);
    expect(partial).toEqual(right);
    const bad = eth(0x0800, ipv4(6, tcp(data, pseudo4, "wrong"), { field: "wrong" }));
    expect(fixPacket(bad)).toBe(0);
    expect(fixPacket(bad, { all: true })).toBe(2);
    expect(bad).toEqual(right);
  });
});

test("a UDP checksum of 0 is absent, in both families", () => {
  expect(verdicts(eth(0x0800, ipv4(17, udp(noise(9), pseudo4, 0))))).toBe("ipv4:ok udp:absent");
  expect(verdicts(eth(0x86dd, ipv6(17, udp(noise(9), pseudo6, 0))))).toBe("udp:absent");
});

test("an outer checksum over an inner partial one is partial too, and right once both are fixed", () => {
  const vxlan = (inner: Uint8Array) => bytes(8, 0, 0, 0, 0, 0, 1, 0, eth(0x0800, inner));
  const whole = (field: "right" | "seed") => {
    const inner = vxlan(ipv4(6, tcp(noise(101), pseudo4, field)));
    const outer = udp(vxlan(ipv4(6, tcp(noise(101), pseudo4))), pseudo4, "right", 4789);
    // outer field as local checksum offload makes it: from the right inner packet
    return eth(0x0800, ipv4(17, bytes(outer.subarray(0, 8), inner)));
  };
  const frame = whole("seed");
  expect(verdicts(frame)).toBe("ipv4:ok udp:partial(inner_partial) ipv4:ok tcp:partial");
  expect(fixPacket(frame)).toBe(1);
  expect(frame).toEqual(whole("right"));
});

test("an outer checksum that was right over an inner partial one is brought up to date", () => {
  const gre = bytes(0x80, 0, 0x08, 0, 0, 0, 0, 0, ipv4(6, tcp(noise(33), pseudo4, "seed")));
  const frame = eth(0x0800, ipv4(47, fill(gre, 4, new Uint8Array(0), "right")));
  expect(verdicts(frame)).toBe("ipv4:ok gre:ok ipv4:ok tcp:partial");
  expect(fixPacket(frame)).toBe(2);
  expect(verdicts(frame)).toBe("ipv4:ok gre:ok ipv4:ok tcp:ok");
});

test("cut by the capture: what lies before the cut is judged", () => {
  const frame = eth(0x0800, ipv4(6, tcp(noise(500), pseudo4)));
  expect(verdicts(frame.subarray(0, 96), 1, frame.length)).toBe(
    "ipv4:ok tcp:unverifiable(truncated_by_capture)",
  );
  expect(verdicts(frame.subarray(0, 40), 1, frame.length)).toBe(
    "ipv4:ok tcp:unverifiable(truncated_by_capture)",
  );
  expect(verdicts(frame.subarray(0, 96))).toBe("ipv4:ok tcp:unverifiable(length_beyond_packet)");
});
