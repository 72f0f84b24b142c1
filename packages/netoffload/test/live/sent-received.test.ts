// `verify --sent/--received` with the running kernel as the device that segments: its segments' payloads and checksums are
// found to be right, and what is changed on the way is found.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  be16,
  bytes,
  eth,
  ipv4,
  ipv6,
  noise,
  pseudo4,
  pseudo6,
  tcp,
  udp,
} from "../../../csum/test/check/build.ts";
import { KernelSegmenter } from "../../../linux/src/index.ts";
import { live } from "../../../linux/test/own-namespace.ts";
import { SentReceived, type SentReport } from "../../src/verify/sent-received.ts";

const BIG = noise(9000);
const MSS = 1000;

/** [what, super-packet, csum_start, csum_offset, gso_type of virtio] */
const PACKETS: [string, Uint8Array, number, number, number][] = [
  ["TCP over IPv4", eth(0x0800, ipv4(6, tcp(BIG, pseudo4, "seed"))), 34, 16, 1],
  ["TCP over IPv6", eth(0x86dd, ipv6(6, tcp(BIG, pseudo6, "seed"))), 54, 16, 4],
  ["TCP behind a tag", eth(0x8100, bytes(0, 5, be16(0x86dd), ipv6(6, tcp(BIG, pseudo6, "seed")))), 58, 16, 4],
  ["datagrams over IPv4", eth(0x0800, ipv4(17, udp(BIG, pseudo4, "seed"))), 34, 6, 5],
  ["datagrams over IPv6", eth(0x86dd, ipv6(17, udp(BIG, pseudo6, "seed"))), 54, 6, 5],
];

function header(start: number, offset: number, gsoType: number): Uint8Array {
  const vnet = new Uint8Array(10);
  const view = new DataView(vnet.buffer);
  vnet.set([1, gsoType]);
  view.setUint16(2, start + (offset === 16 ? 20 : 8), true);
  view.setUint16(4, MSS, true);
  view.setUint16(6, start, true);
  view.setUint16(8, offset, true);
  return vnet;
}

describe.runIf(live)("segments of the running kernel", () => {
  let kernel: KernelSegmenter;
  let answers: readonly (readonly Uint8Array[])[] = [];
  beforeAll(async () => {
    kernel = await KernelSegmenter.open();
    for (const [, frame, start, offset, type] of PACKETS) kernel.add(frame, header(start, offset, type));
    const { results } = await kernel.run();
    answers = results.map((r) => (r.outcome === "sent" ? r.segments.map((s) => s.slice()) : []));
  });
  afterAll(() => kernel.close());

  function compare(
    i: number,
    received: readonly Uint8Array[],
  ): { report: SentReport; details: (string | undefined)[] } {
    const details: (string | undefined)[] = [];
    const run = new SentReceived((finding) => details.push(finding.detail ?? finding.verdict));
    const [, frame, start, offset] = PACKETS[i]!;
    run.sent(frame, 1, 1, { gso_size: MSS, csum_start: start, csum_offset: offset });
    for (const [n, segment] of received.entries()) run.received(segment, 1, n + 1);
    run.end();
    return { report: run.report, details };
  }

  test.each(PACKETS.map(([what], i) => [what, i] as const))("%s", (_, i) => {
    const segments = answers[i]!;
    expect(segments.length).toBe(9);
    expect(compare(i, segments)).toMatchObject({
      report: { large: 1, segments: 9, large_not_compared: 0, mismatches: 0, lost: 0, unexpected: 0 },
      details: [],
    });
    // the last byte of the fourth
    const changed = segments.map((s, n) => (n === 3 ? s.map((b, k) => (k === s.length - 1 ? b ^ 1 : b)) : s));
    expect(compare(i, changed)).toMatchObject({ report: { mismatches: 1 }, details: ["payload"] });
    expect(compare(i, segments.slice(0, 8))).toMatchObject({ report: { lost: 1 }, details: ["lost"] });
  });
});
