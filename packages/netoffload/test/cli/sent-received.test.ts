// `verify --sent/--received`: a recorded device that is right, and ones that are not.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
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
} from "../../../csum/test/check/build.ts";
import { slowChecksum } from "../../../csum/test/ref/slow.ts";
import { run } from "./run.ts";

const dir = mkdtempSync(join(tmpdir(), "sent-"));
afterAll(() => rmSync(dir, { recursive: true }));

function pcap(frames: readonly Uint8Array[]): Uint8Array {
  const head = new Uint8Array(24);
  const view = new DataView(head.buffer);
  view.setUint32(0, 0xa1b2c3d4, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, 65535, true);
  view.setUint32(20, 1, true);
  return bytes(
    head,
    ...frames.flatMap((f) => {
      const record = new Uint8Array(16);
      new DataView(record.buffer).setUint32(8, f.length, true);
      new DataView(record.buffer).setUint32(12, f.length, true);
      return [record, f];
    }),
  );
}

const four = (n: number, f: Field): Uint8Array => eth(0x0800, ipv4(6, tcp(noise(n), pseudo4, f), { id: n }));
const six = (n: number, f: Field): Uint8Array => eth(0x86dd, ipv6(17, udp(noise(n), pseudo6, f)));
const FIELDS = (f: Field): Uint8Array[] => [four(50, f), six(61, f), four(200, f), six(90, f)];
/** The segments of a TCP packet that {@link tcp} makes, each complete. */
function segments(payload: Uint8Array, mss: number, six = false): Uint8Array[] {
  return Array.from({ length: Math.ceil(payload.length / mss) }, (_, i) => {
    const pseudo = six ? pseudo6 : pseudo4;
    const segment = tcp(payload.subarray(i * mss, i * mss + mss), pseudo);
    new DataView(segment.buffer).setUint32(4, 1 + i * mss, false);
    const filled = fill(segment, 16, pseudo(6, segment.length), "right");
    return six ? eth(0x86dd, ipv6(6, filled)) : eth(0x0800, ipv4(6, filled, { id: 900 + i }));
  });
}
let files = 0;

async function verify(sent: readonly Uint8Array[], received: readonly Uint8Array[], metadata?: object[]) {
  const [a, b] = [join(dir, `${files}a.pcap`), join(dir, `${files}b.pcap`)];
  writeFileSync(a, pcap(sent));
  writeFileSync(b, pcap(received));
  if (metadata)
    writeFileSync(join(dir, `${files}a.jsonl`), metadata.map((m) => JSON.stringify(m)).join("\n"));
  files++;
  const { json, code } = await run("verify", "--sent", a, "--received", b, "--json");
  const { sent_received } = json.at(-1) as { sent_received: Record<string, number> };
  const findings = json.slice(0, -1);
  return {
    code,
    report: sent_received,
    kinds: findings.map((l) => l.kind),
    details: findings.map((l) => l.detail),
  };
}

describe("verify --sent --received", () => {
  test("a device that is right, in another order, short frames padded", async () => {
    const short = (f: Field): Uint8Array => eth(0x0800, ipv4(17, udp(noise(2), pseudo4, f)));
    const { code, report } = await verify(
      [...FIELDS("seed"), short("seed")],
      [bytes(short("right"), new Uint8Array(16)), ...FIELDS("right").reverse()],
    );
    expect(code).toBe(0);
    expect(report).toMatchObject({
      sent: 5,
      received: 5,
      asked: 5,
      compared: 5,
      mismatches: 0,
      lost: 0,
      unexpected: 0,
    });
  });

  test("a checksum left as the pseudo sum, a frame lost, a frame nobody sent", async () => {
    const right = FIELDS("right");
    const { code, report, kinds } = await verify(FIELDS("seed"), [
      right[0]!,
      six(61, "seed"),
      right[2]!,
      four(333, "right"),
    ]);
    expect(code).toBe(1);
    expect(report).toMatchObject({ compared: 3, mismatches: 1, lost: 1, unexpected: 1 });
    expect([...kinds].sort()).toEqual(["different", "lost", "unexpected"]);
  });

  test("metadata says what is asked: also where the bytes do not tell, SCTP's CRC, super-packets", async () => {
    // the field holds no seed of its pseudo header: only csum_start tells
    const odd = eth(0x0800, ipv4(6, tcp(noise(50), pseudo4, 0x4321)));
    const filled = odd.slice();
    filled.set(be16(slowChecksum(odd.subarray(34))), 50);
    const crc = (f: Field): Uint8Array => eth(0x0800, ipv4(132, sctp(noise(40), f)));
    const { code, report } = await verify(
      [odd, crc(0), four(900, "seed")],
      [filled, crc("right"), ...segments(noise(900), 100)],
      [
        { packet: 1, csum_start: 34, csum_offset: 16 },
        { packet: 2, csum_start: 34, csum_offset: 8, csum_not_inet: true },
        { packet: 3, gso_size: 100 },
      ],
    );
    expect(code).toBe(0);
    expect(report).toMatchObject({
      sent: 3,
      asked: 2,
      large: 1,
      segments: 9,
      compared: 2,
      mismatches: 0,
      lost: 0,
    });
  });

  describe("super-packets: the segments' payloads, put together, and their checksums", () => {
    const big = noise(5000);
    const superPacket = (six = false): Uint8Array =>
      six
        ? eth(0x86dd, ipv6(6, tcp(big, pseudo6, "seed")))
        : eth(0x0800, ipv4(6, tcp(big, pseudo4, "seed"), { id: 4711 }));
    // found by its length alone, IPv4 and IPv6, in any order; one also as its metadata says
    test("a device that is right", async () => {
      for (const [six, metadata] of [
        [false, undefined],
        [true, undefined],
        [false, [{ packet: 2, gso_size: 1460, csum_start: 34, csum_offset: 16 }]],
      ] as const) {
        const [first, ...others] = segments(big, 1460, six);
        const { code, report } = await verify(
          [six ? FIELDS("seed")[1]! : FIELDS("seed")[0]!, superPacket(six)],
          [...others, six ? FIELDS("right")[1]! : FIELDS("right")[0]!, first!],
          metadata === undefined ? undefined : [...metadata],
        );
        expect(report).toMatchObject({
          large: 1,
          segments: 4,
          large_not_compared: 0,
          compared: 1,
          mismatches: 0,
        });
        expect([code, report.lost, report.unexpected]).toEqual([0, 0, 0]);
      }
    });

    test("a byte of the payload, a checksum, a segment that is lost, one twice", async () => {
      const right = segments(big, 1460);
      const change = (i: number, at: number): Uint8Array[] =>
        right.map((frame, n) => (n === i ? frame.map((b, k) => (k === at ? b ^ 1 : b)) : frame));
      const [otherPayload] = segments(
        big.map((b, i) => (i === 100 ? b ^ 1 : b)),
        1460,
      );
      const rows: [Uint8Array[], Record<string, number>, string[], unknown][] = [
        [[otherPayload!, ...right.slice(1)], { mismatches: 1 }, ["different"], "payload"],
        [change(2, 50), { mismatches: 1 }, ["different"], "tcp checksum bad"],
        [change(3, 24), { mismatches: 1 }, ["different"], "ipv4 checksum bad"],
        [right.slice(1), { lost: 1, segments: 3 }, ["lost"], undefined],
        [[...right, right[2]!], { unexpected: 1 }, ["unexpected"], undefined],
      ];
      for (const [received, expected, kinds, detail] of rows) {
        const { code, report, kinds: said, details } = await verify([superPacket()], received);
        expect([code, said, details[0]]).toEqual([1, kinds, detail]);
        expect(report).toMatchObject(expected);
      }
    });

    test("datagrams have no numbers: by their bytes, with gso_size", async () => {
      const datagram = eth(0x0800, ipv4(17, udp(big, pseudo4, "seed")));
      const pieces = Array.from({ length: 5 }, (_, i) =>
        eth(0x0800, ipv4(17, udp(big.subarray(i * 1200, i * 1200 + 1200), pseudo4), { id: 50 + i })),
      );
      const metadata = [{ packet: 1, gso_size: 1200 }];
      const { code, report } = await verify([datagram], [...pieces].reverse(), metadata);
      expect([code, report.segments, report.lost]).toEqual([0, 5, 0]);
      const wrong = await verify(
        [datagram],
        pieces.map((f, i) => (i === 4 ? pieces[4]!.map((b, k) => (k === 60 ? b ^ 1 : b)) : f)),
        metadata,
      );
      expect([wrong.code, wrong.kinds, wrong.details]).toEqual([1, ["different"], ["payload"]]);
      // without it there is nothing to go by
      const unknown = await verify([datagram], []);
      expect([unknown.code, unknown.report.large_not_compared]).toEqual([0, 1]);
    });
  });

  test("TCP 0x0000 for 0xffff is counted by name, UDP's is a mismatch", async () => {
    const zero = (l4: typeof tcp, f: Field, proto: number): Uint8Array => {
      const payload = bytes(noise(48), 0, 0);
      const blank = l4(payload, pseudo4, 0);
      payload.set(be16(slowChecksum(blank, 0xffff - slowChecksum(pseudo4(proto, blank.length)))), 48);
      return eth(0x0800, ipv4(proto, l4(payload, pseudo4, f)));
    };
    const t = await verify([zero(tcp, "seed", 6)], [zero(tcp, 0, 6)]);
    expect([t.code, t.report.tcp_zero, t.report.mismatches]).toEqual([0, 1, 0]);
    const u = await verify([zero(udp, "seed", 17)], [zero(udp, 0, 17)]);
    expect([u.code, u.report.tcp_zero, u.report.mismatches]).toEqual([1, 0, 1]);
  });

  test("usage: both, and lines of metadata that are none", async () => {
    expect((await run("verify", "--sent", "a.pcap")).code).toBe(2);
    const a = join(dir, "bad.pcap");
    writeFileSync(a, pcap(FIELDS("seed")));
    writeFileSync(join(dir, "bad.jsonl"), '{"packet":1,"csum_start":"x"}');
    const { code, err } = await run("verify", "--sent", a, "--received", a);
    expect([code, err.includes("bad.jsonl: line 1")]).toEqual([2, true]);
  });
});
