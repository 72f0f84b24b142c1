import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { PacketChecker } from "@netoffload/csum";
import { CaptureWriter, readCaptureSync } from "@netoffload/pcap";
import { afterAll, describe, expect, test } from "vitest";
import { facility, has } from "../../internal/test/facility.ts";
import { countFrame, noClasses, type PacketClasses } from "./ref/classes.ts";

const file = fileURLToPath(new URL("../captures/bundled.pcapng", import.meta.url));
const capture = readCaptureSync([fs.readFileSync(file)]);
const packets = [...capture];
const FRAGMENT_BYTES = 4 << 20;

/** At least so many of each; the first group is what the capture is for. */
const LEAST: Partial<PacketClasses> = {
  packets: 5000,
  tcp4: 1000,
  tcp6: 1000,
  udp: 300,
  vlan: 100,
  ipv6Extension: 100,
  partial: 500,
  oddLength: 50,
  superPackets: 30,
  icmp: 50,
  icmpv6: 100,

  complete: 1000,
  udpLite: 50,
  udpZeroChecksum: 5,
  udpSuper: 10,
  neighbourDiscovery: 10,
  mld: 10,
  igmp: 6,
  arp: 2,
  sctp: 20,
  gre: 30,
  greChecksum: 20,
  ipInIp: 30,
  vxlan: 100,
  aroundPartial: 50,
  geneve: 10,
  ipv4Options: 20,
  hopByHop: 50,
  destinationOptions: 50,
  routing: 30,
  fragments4: 20,
  fragments6: 20,
};

describe("the bundled capture", () => {
  const classes = noClasses();
  for (const packet of packets) countFrame(classes, packet.data);

  test("is read to its end, whole packets of Ethernet", () => {
    expect(capture.reader.faults).toEqual([]);
    expect(capture.interfaces.map(({ name }) => name)).toEqual(["plain", "tagged"]);
    expect(packets.filter((packet) => packet.linkType !== 1 || packet.len !== packet.data.length)).toEqual(
      [],
    );
    expect(fs.statSync(file).size).toBeLessThan(4 << 20);
  });

  test.each(Object.entries(LEAST))("holds enough of %s: %i", (name, least) => {
    expect(classes[name as keyof PacketClasses]).toBeGreaterThanOrEqual(least);
  });

  test("holds fragments, and no checksum that is neither right nor a pseudo header's", () => {
    expect(classes.fragments4 + classes.fragments6).toBeGreaterThanOrEqual(50);
    expect(classes.wrong).toBe(0);
  });

  test("tells of no addresses but those for documentation", () => {
    const text = Buffer.from(fs.readFileSync(file)).toString("latin1");
    expect(text).not.toMatch(/\/(home|root|tmp|Users)\//);
    const foreign = packets.filter(
      ({ data }) => (data[12]! << 8) + data[13]! === 0x0800 && !documented(data, 26),
    );
    expect(foreign).toEqual([]);
  });
});

/** TEST-NET-1, -2, -3 or 0.0.0.0. @param at - of the IPv4 source address */
function documented(data: Uint8Array, at: number): boolean {
  const net = `${data[at]}.${data[at + 1]}.${data[at + 2]}`;
  return ["192.0.2", "198.51.100", "203.0.113", "0.0.0"].includes(net);
}

/** Times each layer was judged so; quoted ones and fragments by their reason. */
function judge(frames: readonly Uint8Array[]): Map<string, number> {
  const checker = new PacketChecker({ fragmentBytes: FRAGMENT_BYTES });
  const counts = new Map<string, number>();
  for (const [i, frame] of frames.entries()) {
    checker.check(frame, 1, frame.length, packets[i]!.seconds);
    for (const { layer, verdict, reason = "", quoted } of checker.layers()) {
      const key =
        verdict === "ok" || verdict === "bad" ? `${layer} ${verdict}` : `${layer} ${verdict} ${reason}`;
      if (quoted && verdict !== "ok" && reason !== "quoted") throw new Error(`quoted ${key}`);
      counts.set(key.trim(), (counts.get(key.trim()) ?? 0) + 1);
    }
  }
  return counts;
}

function fixed(): Uint8Array[] {
  const checker = new PacketChecker();
  return packets.map(({ data }) => {
    const frame = data.slice();
    checker.fix(frame);
    return frame;
  });
}

const kinds = (counts: Map<string, number>): string[] =>
  [...new Set([...counts.keys()].map((key) => key.slice(key.indexOf(" ") + 1)))].sort();

describe("its checksums", () => {
  test("are right, partial, absent, or of a fragment or a quoted part of a packet", () => {
    const counts = judge(packets.map(({ data }) => data));
    expect(kinds(counts)).toEqual([
      "absent",
      "ok",
      "partial",
      "partial inner_partial",
      "unverifiable fragment",
      "unverifiable quoted",
    ]);
    expect([...counts.keys()].filter((key) => key.endsWith("absent"))).toEqual(["udp absent"]);
  });

  test("filled in, are right", () => {
    expect(kinds(judge(fixed()))).toEqual(["absent", "ok", "unverifiable fragment", "unverifiable quoted"]);
  });
});

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netoffload-bundled-"));
afterAll(() => fs.rmSync(folder, { recursive: true }));

const PROTOCOLS = ["ip", "tcp", "udp", "icmp", "icmpv6", "igmp", "gre", "sctp"];
const PREFERENCES = [
  "ip.check_checksum:TRUE",
  "ip.defragment:TRUE",
  "ip.tso_support:TRUE",
  "ipv6.defragment:TRUE",
  "ipv6.tso_support:TRUE",
  "tcp.check_checksum:TRUE",
  "udp.check_checksum:TRUE",
  "udplite.check_checksum:TRUE",
  "sctp.checksum:crc-32c",
];

const tshark = facility("tshark", has("tshark"), "apt install tshark");

describe.skipIf(!tshark)("tshark, every validation on", () => {
  /** How often each protocol's checksums have a status: 0 bad, 1 good, 2 unverified, 3 not present. */
  function statuses(frames: readonly Uint8Array[]): Map<string, number> {
    const target = path.join(folder, "frames.pcapng");
    const fd = fs.openSync(target, "w");
    const writer = new CaptureWriter((chunk) => fs.writeSync(fd, chunk));
    for (const [i, data] of frames.entries()) {
      const { seconds, nanoseconds } = packets[i]!;
      writer.write({ data, seconds, nanoseconds });
    }
    writer.flush();
    fs.closeSync(fd);
    const fields = PROTOCOLS.flatMap((protocol) => ["-e", `${protocol}.checksum.status`]);
    const preferences = PREFERENCES.flatMap((preference) => ["-o", preference]);
    const args = ["-n", ...preferences, "-r", target, "-T", "fields", "-E", "occurrence=a", ...fields];
    const text = execFileSync("tshark", args, {
      encoding: "utf8",
      maxBuffer: 1 << 26,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const counts = new Map<string, number>();
    for (const line of text.split("\n")) {
      for (const [i, column] of line.split("\t").entries()) {
        for (const status of column.split(",").filter((word) => word !== "")) {
          const key = `${PROTOCOLS[i]} ${status}`;
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
      }
    }
    return counts;
  }

  const NAMES: Readonly<Record<string, string>> = { ipv4: "ip", udplite: "udp" };

  /** Our counts of right checksums by tshark's protocol names. */
  function good(counts: Map<string, number>): Record<string, number> {
    const out: Record<string, number> = {};
    for (const [key, count] of counts) {
      const [layer, verdict] = key.split(" ") as [string, string];
      if (verdict !== "ok") continue;
      const name = `${NAMES[layer] ?? layer} 1`;
      out[name] = (out[name] ?? 0) + count;
    }
    return out;
  }

  test("calls the partial ones bad before they are filled in", () => {
    const counts = statuses(packets.map(({ data }) => data));
    expect((counts.get("tcp 0") ?? 0) + (counts.get("udp 0") ?? 0)).toBeGreaterThan(500);
  });

  test("calls every one good once they are, and as many as we do", () => {
    const frames = fixed();
    const theirs = statuses(frames);
    const ours = judge(frames);
    expect([...theirs.keys()].filter((key) => key.endsWith(" 0"))).toEqual([]);
    const theirGood = [...theirs].filter(([key]) => key.endsWith(" 1"));
    expect(Object.fromEntries(theirGood)).toEqual(good(ours));
    expect(theirs.get("udp 3")).toBe(ours.get("udp absent"));
  });
});
