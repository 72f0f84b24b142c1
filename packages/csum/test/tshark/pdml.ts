// What tshark says of every checksum of a capture.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** One checksum as tshark shows it. */
export interface TsharkChecksum {
  /** Field without its last part: ip, tcp, udp (UDP-Lite too), icmp, icmp.ext, icmpv6, igmp, gre, sctp, dccp. */
  readonly layer: string;
  /** Byte offset of the field in its data source: the frame, or a reassembled datagram's payload. */
  readonly field: number;
  /** The field, big endian. */
  readonly value: number;
  /** As tshark 4.0 numbers them: bad, good, unverified, not present, illegal; null when it says nothing. */
  status: "bad" | "good" | "unverified" | "not_present" | "illegal" | null;
}

const STATUS = ["bad", "good", "unverified", "not_present", "illegal"] as const;

/** Validation everywhere, reassembly of fragments, SCTP as CRC-32C, lengths of 0 as super-packets. */
export const TSHARK_OPTIONS: readonly string[] = [
  "ip.check_checksum:TRUE",
  "ip.defragment:TRUE",
  "ip.tso_support:TRUE",
  "ipv6.defragment:TRUE",
  "ipv6.tso_support:TRUE",
  "tcp.check_checksum:TRUE",
  "udp.check_checksum:TRUE",
  "udplite.check_checksum:TRUE",
  "dccp.check_checksum:TRUE",
  "sctp.checksum:crc-32c",
];

const LAYERS = "ip tcp udp udplite icmp icmpv6 igmp gre sctp dccp";

/** @returns per frame the checksums, in the order of the dissection */
export async function tsharkChecksums(
  file: string,
  options: readonly string[] = [],
): Promise<TsharkChecksum[][]> {
  const args = [...TSHARK_OPTIONS, ...options].flatMap((option) => ["-o", option]);
  const child = spawn("tshark", ["-n", ...args, "-r", file, "-T", "pdml", "-J", LAYERS], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const frames: TsharkChecksum[][] = [];
  const field = /<field name="([a-z6.]+)\.(checksum|checksum\.status)" .*?pos="(\d+)" show="([^"]*)"/;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === "<packet>") {
      frames.push([]);
      continue;
    }
    const match = field.exec(line);
    if (!match) continue;
    const [, layer, what, pos, show] = match as unknown as [string, string, string, string, string];
    const frame = frames.at(-1)!;
    if (what === "checksum") {
      frame.push({ layer, field: Number(pos), value: Number(show), status: null });
    } else {
      const last = frame.findLast((checksum) => checksum.layer === layer && checksum.field === Number(pos));
      if (last) last.status = STATUS[Number(show)] ?? null;
    }
  }
  return frames;
}
