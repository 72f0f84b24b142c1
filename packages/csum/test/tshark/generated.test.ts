// Generated captures: every header we know, each of its checksums spoilt, datagrams in fragments.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { CaptureWriter } from "@netoffload/pcap";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { facility, has } from "../../../internal/test/facility.ts";
import { PacketChecker } from "../../src/index.ts";
import {
  be16,
  be32,
  bytes,
  eth,
  fill,
  ipv4,
  ipv6,
  noise,
  pseudo4,
  pseudo6,
  sctp,
  tcp,
  udp,
} from "../check/build.ts";
import { CASES } from "../check/cases.ts";
import { type Comparison, compareCapture, compareFrames, judgeCapture, judgeDifferences } from "./compare.ts";
import { tsharkChecksums } from "./pdml.ts";

interface Packet {
  readonly data: Uint8Array;
  readonly len?: number;
  readonly linkType?: number;
}

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "netoffload-csum-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function capture(name: string, packets: readonly Packet[]): string {
  const file = path.join(folder, name);
  const chunks: Uint8Array[] = [];
  const writer = new CaptureWriter((chunk) => chunks.push(chunk.slice()), { format: "pcapng" });
  for (const { data, len = data.length, linkType = 1 } of packets)
    writer.write({ data, len: Math.max(len, data.length), linkType, seconds: 1, nanoseconds: 0 });
  writer.flush();
  writeFileSync(file, Buffer.concat(chunks));
  return file;
}

const flipped = (data: Uint8Array, at: number, mask: number): Uint8Array => {
  const copy = data.slice();
  copy[at] = copy[at]! ^ mask;
  return copy;
};

/** A case, its every checksum spoilt in three ways, its last covered byte changed, the bytes beyond it changed. */
function variants(packet: Packet): Packet[] {
  const checker = new PacketChecker();
  checker.check(packet.data, packet.linkType, packet.len);
  const out: Packet[] = [packet];
  const add = (at: number, mask: number): void => {
    if (at < packet.data.length) out.push({ ...packet, data: flipped(packet.data, at, mask) });
  };
  for (const { layer, verdict, field, start, end } of checker.layers()) {
    // a UDP field of 0 would become "none"
    if (verdict === "unverifiable" || verdict === "absent") continue;
    add(field, 0x01);
    add(field + 1, 0x80);
    add(field + (layer === "sctp" ? 3 : 0), 0x40);
    if (end > start + 20) add(end - 1, 0xff);
  }
  const last = checker.layers().at(-1);
  if (last && last.verdict === "ok" && last.end < packet.data.length) add(last.end, 0xff);
  return out;
}

/** A datagram's IPv4 fragments of at most `size` bytes. */
function fragments4(proto: number, payload: Uint8Array, size: number, id: number): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const piece = payload.subarray(at, at + size);
    const more = at + size < payload.length ? 0x2000 : 0;
    out.push(eth(0x0800, ipv4(proto, piece, { frag: more | (at / 8), id })));
  }
  return out;
}

function fragments6(next: number, payload: Uint8Array, size: number, id: number): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const piece = payload.subarray(at, at + size);
    const more = at + size < payload.length ? 1 : 0;
    out.push(eth(0x86dd, ipv6(44, bytes(next, 0, be16(at | more), be32(id), piece))));
  }
  return out;
}

const icmp = (payload: Uint8Array, field: "right" | "wrong"): Uint8Array =>
  fill(bytes(8, 0, 0, 0, payload), 2, new Uint8Array(0), field);
const icmpv6 = (payload: Uint8Array, field: "right" | "wrong"): Uint8Array => {
  const packet = bytes(128, 0, 0, 0, payload);
  return fill(packet, 2, pseudo6(58, packet.length), field);
};

/** Datagrams of each protocol, right and wrong, in fragments that arrive in order, backwards, twice, mixed. */
function fragmented(): Packet[] {
  const out: Packet[] = [];
  let id = 100;
  for (const field of ["right", "wrong"] as const) {
    for (const length of [60, 333, 2961]) {
      const data = noise(length, length);
      const datagrams: [4 | 6, number, Uint8Array][] = [
        [4, 17, udp(data, pseudo4, field)],
        [4, 6, tcp(data, pseudo4, field)],
        [4, 1, icmp(data, field)],
        [4, 132, sctp(data.subarray(0, data.length & ~3), field)],
        [6, 17, udp(data, pseudo6, field)],
        [6, 6, tcp(data, pseudo6, field)],
        [6, 58, icmpv6(data, field)],
      ];
      for (const [version, proto, payload] of datagrams) {
        for (const order of ["forth", "back", "turned"] as const) {
          const size = length > 1000 ? 1400 : 48;
          const parts = (version === 4 ? fragments4 : fragments6)(proto, payload, size, ++id);
          if (order === "back") parts.reverse();
          if (order === "turned") parts.push(parts.shift()!);
          out.push(...parts.map((data) => ({ data })));
        }
      }
    }
  }
  return out;
}

const tshark = facility("tshark", has("tshark"), "apt install tshark");
const nothing = { unexplained: [], greedy: [] };
const classes = (comparison: Comparison): number => comparison.compared;

describe.skipIf(!tshark)("generated captures", () => {
  test("every header, every checksum spoilt", async () => {
    const cases = CASES.filter((one) => !one.alone && (one.linkType ?? 1) < 1000);
    const packets = cases.flatMap(({ frame, linkType, wireLength }) =>
      variants({
        data: frame,
        ...(linkType !== undefined && { linkType }),
        ...(wireLength !== undefined && { len: wireLength }),
      }),
    );
    const file = capture("cases.pcapng", packets);
    const comparison = await compareCapture(file);
    expect(classes(comparison)).toBeGreaterThan(1500);
    expect(judgeDifferences(comparison)).toMatchObject(nothing);
    const kinds = new Set(
      judgeCapture(file).flatMap((f) => f.layers.flatMap((l) => (l.verdict === "bad" ? [l.layer] : []))),
    );
    expect([...kinds].sort()).toEqual([
      "dccp",
      "gre",
      "icmp",
      "icmp_ext",
      "icmpv6",
      "igmp",
      "ipv4",
      "sctp",
      "tcp",
      "udp",
      "udplite",
    ]);
  });

  test("datagrams in fragments", async () => {
    const file = capture("fragments.pcapng", fragmented());
    const comparison = await compareCapture(file);
    expect(judgeDifferences(comparison)).toMatchObject(nothing);
    const whole = judgeCapture(file).flatMap((frame) => frame.layers.filter((layer) => layer.reassembled));
    expect(whole.length).toBe(2 * 3 * 7 * 3);
    expect(whole.filter((layer) => layer.verdict === "ok").length).toBe(whole.length / 2);
  });

  test("a turned verdict of each kind of layer is found", async () => {
    const packets = CASES.filter((one) => !one.alone && (one.linkType ?? 1) === 1).map(({ frame }) => ({
      data: frame,
    }));
    const file = capture("turned.pcapng", packets);
    const frames = judgeCapture(file);
    const theirs = await tsharkChecksums(file);
    const before = judgeDifferences(compareFrames(frames, theirs)).unexplained.length;
    const seen = new Set<string>();
    for (const [i, frame] of frames.entries()) {
      for (const [j, layer] of frame.layers.entries()) {
        if (layer.verdict !== "ok" || seen.has(layer.layer)) continue;
        seen.add(layer.layer);
        const layers = frame.layers.with(j, { ...layer, verdict: "bad" });
        const turned = frames.with(i, { ...frame, layers });
        expect(judgeDifferences(compareFrames(turned, theirs)).unexplained.length).toBe(before + 1);
      }
    }
    expect(seen.size).toBe(11);
  });
});
