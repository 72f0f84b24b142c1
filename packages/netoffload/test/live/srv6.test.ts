// The paper's example, end to end. What our driver and device send goes to the running kernel through a tap; the
// kernel's TCP, UDP and ICMPv6 and its own counters say whether the checksum was right.
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { type CsumFault, NicDevice, NicDriver, PROFILES, type Profile, XMIT } from "@netoffload/nic-model";
import { CHECKSUM_PARTIAL, Memory, skbFromBytes } from "@netoffload/skbuff";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { be16, be32, bytes, eth, fill, noise } from "../../../csum/test/check/build.ts";
import { slowChecksum } from "../../../csum/test/ref/slow.ts";
import { Tap } from "../../../linux/src/index.ts";
import { live, ownNamespace } from "../../../linux/test/own-namespace.ts";
import { shippedPrograms } from "../../src/programs.ts";
import { makePipeline } from "../../src/verify/pipeline.ts";

const PREFIX = [0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/** The sender, the receiver's address in the first segment, and its final one. */
const CLIENT = [...PREFIX, 1];
const FIRST = [...PREFIX, 2];
const FINAL = [...PREFIX, 9];
const TCP_PORT = 7777;
const UDP_PORT = 7778;
const text = (address: readonly number[]): string => `2001:db8:1::${address[15]}`;

const memory = Memory.create({ bytes: 8 << 20 });
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A packet that asks for its checksum, as a stack hands it down: the seed is that of the final destination. */
interface Ask {
  readonly frame: Uint8Array;
  readonly start: number;
  readonly offset: number;
}

let tap: Tap;
let mac: Uint8Array;
let server: Server;
let received = "";
let nextPort = 20000;

function ask(
  headers: readonly number[],
  next: number,
  to: readonly number[],
  l4: Uint8Array,
  offset: number,
): Ask {
  const proto = offset === 16 ? 6 : offset === 6 ? 17 : 58;
  const pseudo = bytes(CLIENT, FINAL, be32(l4.length), 0, 0, 0, proto);
  const seeded = fill(l4, offset, pseudo, "seed");
  const ip = bytes(0x60, 0, 0, 0, be16(headers.length + l4.length), next, 64, CLIENT, to, headers, seeded);
  const frame = eth(0x86dd, ip);
  frame.set(mac, 0);
  return { frame, start: 54 + headers.length, offset };
}

const srh = (next: number, segments: readonly (readonly number[])[], left: number): number[] => [
  next,
  2 * segments.length,
  4,
  left,
  segments.length - 1,
  0,
  0,
  0,
  ...segments.flat(),
];
const tcp = (port: number, seq: number, ackNumber: number, flags: number, payload: Uint8Array): Uint8Array =>
  bytes(
    be16(port),
    be16(TCP_PORT),
    be32(seq),
    be32(ackNumber),
    0x50,
    flags,
    be16(60000),
    0,
    0,
    0,
    0,
    payload,
  );
const NONE = new Uint8Array(0);
/** Through the first segment to the final destination. */
const routed = (l4: Uint8Array): Ask => ask(srh(6, [FINAL, FIRST], 1), 43, FIRST, l4, 16);

type Sender = (packet: Ask) => number;

/** Send by a driver of a fixed-function device. */
function legacySender(profile: Profile, legacyCheck: boolean): Sender {
  const driver = new NicDriver(new NicDevice(profile, memory), memory, 14);
  driver.legacyCheck = legacyCheck;
  return sender(driver, memory);
}

function sender(driver: NicDriver, host: Memory): Sender {
  return ({ frame, start, offset }) => {
    const skb = skbFromBytes(host, frame, { headroom: 64 })!;
    skb.ipSummed = CHECKSUM_PARTIAL;
    skb.csumStart = 64 + start;
    skb.csumOffset = offset;
    const outcome = driver.xmit(skb.address, 1);
    driver.flush((wire) => void tap.write(wire.slice()));
    skb.kfreeSkb();
    return outcome;
  };
}

/** The next frame the kernel sends that `wanted` takes; null: none within 300 ms. */
async function answer(wanted: (frame: Uint8Array) => boolean): Promise<Uint8Array | null> {
  const buffer = new Uint8Array(2048);
  for (let i = 0; i < 60; i++) {
    for (let n = tap.read(buffer); n > 0; n = tap.read(buffer)) {
      const frame = buffer.slice(0, n);
      if (wanted(frame)) return frame;
    }
    await pause(5);
  }
  return null;
}

function counter(file: "snmp" | "snmp6", name: string): number {
  const lines = readFileSync(`/proc/thread-self/net/${file}`, "utf8").split("\n");
  if (file === "snmp6")
    return Number(
      lines.find((l) => l.startsWith(`${name} `) || l.startsWith(`${name}\t`))?.split(/\s+/)[1] ?? 0,
    );
  const [names, values] = lines.filter((l) => l.startsWith("Tcp:")).map((l) => l.split(" "));
  return Number(values![names!.indexOf(name)]);
}

/** Send a SYN. @returns the sequence number of the kernel's SYN-ACK, or null */
async function connect(send: Sender, port: number, packet: (l4: Uint8Array) => Ask): Promise<number | null> {
  send(packet(tcp(port, 1000, 0, 2, NONE)));
  const synAck = await answer(
    (f) => f[20] === 6 && ((f[56]! << 8) | f[57]!) === port && (f[67]! & 0x12) === 0x12,
  );
  return synAck === null ? null : new DataView(synAck.buffer).getUint32(58, false);
}

/** A whole connection: handshake and some data, every packet through the sender. */
async function converse(send: Sender, said: string): Promise<{ accepted: boolean; errors: number }> {
  const before = counter("snmp", "InCsumErrors");
  const port = nextPort++;
  received = "";
  const seq = await connect(send, port, routed);
  if (seq !== null) {
    send(routed(tcp(port, 1001, seq + 1, 0x10, NONE)));
    send(routed(tcp(port, 1001, seq + 1, 0x18, new TextEncoder().encode(said))));
    for (let i = 0; i < 60 && received !== said; i++) await pause(5);
  }
  return { accepted: received === said, errors: counter("snmp", "InCsumErrors") - before };
}

describe.runIf(live)("SRv6, received by the running kernel", () => {
  ownNamespace();
  beforeAll(async () => {
    tap = new Tap({ name: "rx0" });
    const ip = (...words: string[]): string => execFileSync("ip", words, { encoding: "utf8" });
    const set = (path: string, value: string): void =>
      writeFileSync(`/proc/sys/net/ipv6/conf/${path}`, value);
    for (const where of ["all", "rx0", "lo"]) {
      set(`${where}/disable_ipv6`, "0");
      set(`${where}/seg6_enabled`, "1");
    }
    set("rx0/accept_dad", "0");
    ip("link", "set", "lo", "up");
    ip("link", "set", "rx0", "up");
    for (const address of [FIRST, FINAL])
      ip("-6", "addr", "add", `${text(address)}/64`, "dev", "rx0", "nodad");
    ip("-6", "neigh", "add", text(CLIENT), "lladdr", "02:00:00:00:00:01", "dev", "rx0", "nud", "permanent");
    const [link] = JSON.parse(ip("-j", "link", "show", "rx0")) as [{ address: string }];
    mac = Uint8Array.from(link.address.split(":").map((b) => Number.parseInt(b, 16)));
    server = createServer((socket) => {
      socket.on("data", (chunk) => (received += chunk.toString()));
      socket.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(TCP_PORT, "::", resolve));
  });
  afterAll(() => {
    server.close();
    tap.close();
  });

  test("(a) a legacy device whose driver does not check: the receiver's kernel drops it", async () => {
    const { accepted, errors } = await converse(legacySender(PROFILES["complete-parse"]!, false), "a");
    expect([accepted, errors]).toEqual([false, 1]);
  });

  test("(b) the same device with the legacy check: computed in software, accepted", async () => {
    const driver = new NicDriver(new NicDevice(PROFILES["complete-parse"]!, memory), memory, 14);
    const { accepted, errors } = await converse(sender(driver, memory), "by software");
    expect([accepted, errors]).toEqual([true, 0]);
    expect(driver.counters).toMatchObject({ txOffloaded: 0, txFallback: { rthdr: 3 } });
  });

  test("(c) a programmable device: offloaded, accepted", async () => {
    const pipeline = await makePipeline({ profile: PROFILES.ideal!, programs: shippedPrograms() });
    expect(pipeline.state("tx_csum").state).toBe("HARDWARE");
    const { accepted, errors } = await converse(sender(pipeline.driver, pipeline.memory), "by the device");
    expect([accepted, errors]).toEqual([true, 0]);
    expect(pipeline.driver.counters).toMatchObject({ txOffloaded: 3, txFallback: {} });
  });

  describe("a reduced header, which leaves the first segment out", () => {
    /** One segment in the list, segments left 1: the destination is the segment that was left out. */
    const reduced = (to: readonly number[]) => (l4: Uint8Array) => ask(srh(6, [FINAL], 1), 43, to, l4, 16);
    const send = legacySender(PROFILES["v4v6-basic"]!, true);

    // Kernel quirk: ipv6_srh_rcv() counts the segments by the header's length and wants fewer of them left
    test("at a local address the kernel refuses it: parameter problem, pointing at segments_left", async () => {
      const before = counter("snmp6", "Ip6InHdrErrors");
      send(reduced(FIRST)(tcp(nextPort++, 1000, 0, 2, NONE)));
      const error = await answer((f) => f[20] === 58 && f[54] === 4);
      expect([error![55], new DataView(error!.buffer).getUint32(58, false)]).toEqual([0, 40 + 3]);
      expect(counter("snmp6", "Ip6InHdrErrors") - before).toBe(1);
    });

    test("a segment with the behaviour End takes it and sends it on; the final host accepts what comes", async () => {
      const ip = (...words: string[]): string => execFileSync("ip", words, { encoding: "utf8" });
      const final = [`${text(FINAL)}/64`, "dev", "rx0"];
      const neighbour = [text(FINAL), "lladdr", "02:00:00:00:00:01", "dev", "rx0", "nud", "permanent"];
      writeFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "1");
      ip("-6", "route", "add", "2001:db8:2::1/128", "encap", "seg6local", "action", "End", "dev", "rx0");
      // End hands nothing to its own host, so that for the while the final address is another's
      ip("-6", "addr", "del", ...final);
      ip("-6", "neigh", "add", ...neighbour);
      const segment = [...PREFIX.slice(0, 5), 2, ...PREFIX.slice(6), 1];
      const port = nextPort++;
      send(reduced(segment)(tcp(port, 1000, 0, 2, NONE)));
      const on = await answer((f) => f[20] === 43 && f[54] === 6);
      expect([...on!.subarray(38, 54)]).toEqual(FINAL);
      expect([on![57], on![58]]).toEqual([0, 0]);

      ip("-6", "neigh", "del", ...neighbour.slice(0, 5));
      ip("-6", "addr", "add", ...final, "nodad");
      const before = counter("snmp", "InCsumErrors");
      on!.set(mac, 0);
      tap.write(on!);
      const synAck = await answer(
        (f) => f[20] === 6 && ((f[56]! << 8) | f[57]!) === port && (f[67]! & 0x12) === 0x12,
      );
      expect(synAck).not.toBeNull();
      expect(counter("snmp", "InCsumErrors") - before).toBe(0);
      writeFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "0");
    });
  });

  describe("named faults of real devices", () => {
    const faulty = (fault: CsumFault, name = "v4v6-basic"): Profile => ({
      ...PROFILES[name]!,
      faults: [fault],
    });
    const hop = (next: number): number[] => [next, 0, 1, 4, 0, 0, 0, 0];

    test.each([
      ["ext-hdr-partial", "v4v6-basic", (l4: Uint8Array) => ask(hop(6), 0, FINAL, l4, 16)],
      ["srh-first-segment-address", "v4v6-basic", routed],
      [
        "truncate-start",
        "generic-csum",
        (l4: Uint8Array) => ask(srh(6, new Array(17).fill(FINAL), 0), 43, FINAL, l4, 16),
      ],
    ] as const)("%s on %s: dropped without the check, accepted with it", async (fault, name, packet) => {
      const before = counter("snmp", "InCsumErrors");
      expect(await connect(legacySender(faulty(fault, name), false), nextPort++, packet)).toBeNull();
      expect(counter("snmp", "InCsumErrors") - before).toBe(1);
      expect(await connect(legacySender(faulty(fault, name), true), nextPort++, packet)).not.toBeNull();
      expect(counter("snmp", "InCsumErrors") - before).toBe(1);
    });

    test("else-udp: an ICMPv6 echo request is answered only with the check", async () => {
      const echo = (): Ask => ask([], 58, FINAL, bytes(128, 0, 0, 0, 0, 7, 0, 1, noise(60)), 2);
      const reply = (f: Uint8Array): boolean => f[20] === 58 && f[54] === 129;
      const before = counter("snmp6", "Icmp6InCsumErrors");
      legacySender(faulty("else-udp"), false)(echo());
      // its driver names no transport, so the faulty device takes it for UDP
      expect(await answer(reply)).toBeNull();
      expect(counter("snmp6", "Icmp6InCsumErrors") - before).toBe(1);
      expect(legacySender(faulty("else-udp"), true)(echo())).toBe(XMIT.fallback);
      expect(await answer(reply)).not.toBeNull();
    });

    test("udp-zero-not-mangled: a datagram that sums to 0 is dropped by IPv6, sound engines send 0xffff", async () => {
      const socket = createSocket("udp6");
      const got: number[] = [];
      socket.on("message", (m) => void got.push(m.length));
      await new Promise<void>((resolve) => socket.bind(UDP_PORT, "::", resolve));
      const datagram = (): Ask => {
        const l4 = bytes(be16(1000), be16(UDP_PORT), be16(48), 0, 0, noise(40));
        l4.fill(0, 46);
        const pseudo = bytes(CLIENT, FINAL, be32(48), 0, 0, 0, 17);
        l4.set(be16(slowChecksum(l4, 0xffff - slowChecksum(pseudo))), 46);
        return ask([], 17, FINAL, l4, 6);
      };
      const before = counter("snmp6", "Udp6InCsumErrors");
      legacySender(faulty("udp-zero-not-mangled"), true)(datagram());
      await pause(50);
      expect([got, counter("snmp6", "Udp6InCsumErrors") - before]).toEqual([[], 1]);
      legacySender(PROFILES["v4v6-basic"]!, true)(datagram());
      for (let i = 0; i < 40 && got.length === 0; i++) await pause(5);
      expect([got, counter("snmp6", "Udp6InCsumErrors") - before]).toEqual([[40], 1]);
      socket.close();
    });
  });
});
