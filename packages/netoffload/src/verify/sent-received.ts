/**
 * What a stack handed to a real device against what left it. For each packet handed down, the frame that must leave
 * is made by the kernel's program; frames are matched by content without checksum and identification fields, then
 * compared byte for byte. Of packets that the device segments the payloads and the segments' checksums are compared.
 */
import { PacketChecker, skbChecksumHelp, skbCrc32cCsumHelp } from "@netoffload/csum";
import { CHECKSUM_PARTIAL, Memory, skbFromBytes } from "@netoffload/skbuff";
import { SuperPackets } from "./super-packets.ts";

/** Metadata of a packet handed down; absent: what its bytes say. */
export interface SentMetadata {
  /** Bytes from the frame's first; absent: every checksum that is only a pseudo-header sum is filled in. */
  readonly csum_start?: number;
  /** Bytes from csum_start. */
  readonly csum_offset?: number;
  /** CRC-32C of SCTP. */
  readonly csum_not_inet?: boolean;
  /** Not 0: a packet that the device segments, bytes of payload of a segment. */
  readonly gso_size?: number;
}

/** What became of one frame. */
export type SentVerdict = "equal" | "tcp_zero" | "different" | "lost" | "unexpected";

/** Counts of a run. */
export interface SentReport {
  sent: number;
  received: number;
  /** Packets that asked for a checksum. */
  asked: number;
  /** Super-packets. */
  large: number;
  /** Frames that were a segment of one: payload and checksums compared. */
  segments: number;
  /** Super-packets, sent or received, of which nothing could be compared. */
  large_not_compared: number;
  compared: number;
  /** Equal but for TCP 0x0000 where software writes 0xffff. */
  tcp_zero: number;
  mismatches: number;
  /** Sent, never received. */
  lost: number;
  /** Received, never sent. */
  unexpected: number;
  /** Metadata that the kernel would refuse, by errno. */
  refused: number;
}

/** A frame that must leave. */
interface Expected {
  readonly frame: Uint8Array;
  readonly packet: number;
  /** First byte of the field that was asked for; -1: none by metadata. */
  readonly field: number;
}

/** A frame that differs from what must leave, or has none to compare with. */
export interface SentFinding {
  readonly verdict: Exclude<SentVerdict, "equal" | "tcp_zero">;
  readonly sentPacket: number | null;
  readonly receivedPacket: number | null;
  readonly expected: Uint8Array | null;
  readonly frame: Uint8Array | null;
  /** Of a segment: what differs; `expected` then is its payload. */
  readonly detail?: string;
}

const MAX_FRAME = 1518 + 8;

/** One comparison; all frames handed down are held in memory until theirs has left. */
export class SentReceived {
  readonly report: SentReport = {
    sent: 0,
    received: 0,
    asked: 0,
    large: 0,
    segments: 0,
    large_not_compared: 0,
    compared: 0,
    tcp_zero: 0,
    mismatches: 0,
    lost: 0,
    unexpected: 0,
    refused: 0,
  };
  readonly #memory: Memory = Memory.create({ bytes: 16 << 20 });
  readonly #checker: PacketChecker = new PacketChecker();
  readonly #waiting: Map<string, Expected[]> = new Map();
  readonly #told: (finding: SentFinding) => void;
  readonly #superPackets: SuperPackets;

  constructor(told: (finding: SentFinding) => void) {
    this.#told = told;
    this.#superPackets = new SuperPackets(this.#checker);
  }

  /** A packet that the stack handed to the device. */
  sent(captured: Uint8Array, linkType: number, packet: number, metadata: SentMetadata | null): void {
    const { report } = this;
    report.sent++;
    if ((metadata?.gso_size ?? 0) > 0 || captured.length > MAX_FRAME) {
      report.large++;
      const known = this.#superPackets.sent(captured.slice(), linkType, packet, metadata?.gso_size ?? 0);
      if (!known) report.large_not_compared++;
      return;
    }
    const frame = captured.slice();
    let field = -1;
    if (metadata?.csum_start !== undefined) {
      report.asked++;
      field = this.#byMetadata(frame, metadata);
    } else if (this.#fill(frame, linkType)) report.asked++;
    const key = this.#key(frame, linkType);
    const list = this.#waiting.get(key);
    const expected = { frame, packet, field };
    if (list === undefined) this.#waiting.set(key, [expected]);
    else list.push(expected);
  }

  /** Fill every checksum that is only a pseudo-header sum, as the kernel would. @returns whether there was one */
  #fill(frame: Uint8Array, linkType: number): boolean {
    if (this.#checker.fix(frame, linkType) === 0) return false;
    // the kernel writes 0xffff for 0 in every protocol
    for (const { layer, verdict, field } of this.#checker.layers())
      if (verdict === "partial" && layer !== "sctp" && frame[field] === 0 && frame[field + 1] === 0)
        frame[field] = frame[field + 1] = 0xff;
    return true;
  }

  /** Let the kernel's program fill the frame in place. @returns first byte of the field, -1: refused */
  #byMetadata(frame: Uint8Array, m: SentMetadata): number {
    const skb = skbFromBytes(this.#memory, frame, { headroom: 64 });
    if (skb === null) return -1;
    skb.ipSummed = CHECKSUM_PARTIAL;
    skb.csumStart = 64 + (m.csum_start ?? 0);
    skb.csumOffset = m.csum_offset ?? 0;
    const errno = m.csum_not_inet === true ? skbCrc32cCsumHelp(skb) : skbChecksumHelp(skb);
    if (errno === 0) frame.set(skb.toBytes());
    else this.report.refused++;
    skb.kfreeSkb();
    return errno === 0 ? (m.csum_start ?? 0) + (m.csum_offset ?? 0) : -1;
  }

  /** A frame that left the device. */
  received(captured: Uint8Array, linkType: number, packet: number): void {
    const { report } = this;
    report.received++;
    const frame = captured.slice();
    const key = this.#key(frame, linkType);
    const list = this.#waiting.get(key);
    if (list === undefined) {
      this.#segment(frame, linkType, packet);
      return;
    }
    // the one that is equal, else the first: a stack may send the same bytes twice
    const index = Math.max(
      0,
      list.findIndex((e) => same(e.frame, frame)),
    );
    const [expected] = list.splice(index, 1) as [Expected];
    if (list.length === 0) this.#waiting.delete(key);
    report.compared++;
    if (same(expected.frame, frame)) return;
    if (this.#tcpZero(expected, frame, linkType)) {
      report.tcp_zero++;
      return;
    }
    report.mismatches++;
    this.#told({
      verdict: "different",
      sentPacket: expected.packet,
      receivedPacket: packet,
      expected: expected.frame,
      frame,
    });
  }

  /** A frame that no packet became as it was: a segment of one that was to be segmented, or nobody's. */
  #segment(frame: Uint8Array, linkType: number, packet: number): void {
    const { report } = this;
    const verdict = this.#superPackets.received(frame, linkType);
    if (verdict.kind === "not_of_any") {
      if (frame.length > MAX_FRAME) {
        report.large++;
        report.large_not_compared++;
        return;
      }
      report.unexpected++;
      this.#told({ verdict: "unexpected", sentPacket: null, receivedPacket: packet, expected: null, frame });
      return;
    }
    report.segments++;
    if (verdict.kind === "equal") return;
    const { sentPacket, detail, expected } = verdict;
    report.mismatches++;
    this.#told({ verdict: "different", sentPacket, receivedPacket: packet, expected, frame, detail });
  }

  /** What is still waiting was lost. */
  end(): void {
    for (const { packet, frame } of this.#superPackets.lost()) {
      this.report.lost++;
      this.#told({ verdict: "lost", sentPacket: packet, receivedPacket: null, expected: frame, frame: null });
    }
    for (const list of this.#waiting.values())
      for (const { frame, packet } of list) {
        this.report.lost++;
        this.#told({
          verdict: "lost",
          sentPacket: packet,
          receivedPacket: null,
          expected: frame,
          frame: null,
        });
      }
  }

  /** Both zeros of a TCP checksum, nothing else. */
  #tcpZero(expected: Expected, frame: Uint8Array, linkType: number): boolean {
    this.#checker.check(frame, linkType);
    for (const layer of this.#checker.layers()) {
      if (layer.layer !== "tcp" || layer.reassembled || layer.quoted) continue;
      const at = layer.field;
      if (frame[at] !== 0 || frame[at + 1] !== 0) continue;
      const other = frame.slice();
      other[at] = other[at + 1] = 0xff;
      if (same(expected.frame, other)) return true;
    }
    return false;
  }

  /** The frame without its checksum and identification fields, and without padding. */
  #key(frame: Uint8Array, linkType: number): string {
    const masked = frame.slice();
    this.#checker.check(frame, linkType);
    for (const layer of this.#checker.layers()) {
      if (layer.reassembled || layer.quoted) continue;
      masked.fill(0, layer.field, layer.field + (layer.layer === "sctp" ? 4 : 2));
      if (layer.layer === "ipv4") masked.fill(0, layer.offset + 4, layer.offset + 6);
    }
    let end = masked.length;
    while (end > 0 && masked[end - 1] === 0) end--;
    return Buffer.from(masked.buffer, masked.byteOffset, end).toString("latin1");
  }
}

/** Equal, but for zeros that pad a short frame. */
function same(a: Uint8Array, b: Uint8Array): boolean {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return false;
  const longer = a.length > b.length ? a : b;
  for (let i = n; i < longer.length; i++) if (longer[i] !== 0) return false;
  return longer.length === n || longer.length <= 64;
}

/** Metadata out of JSON; a text that is none of it gives null. */
export function sentMetadata(text: string): SentMetadata | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const fields = value as Record<string, unknown>;
  const out: Record<string, number | boolean> = {};
  for (const name of ["csum_start", "csum_offset", "gso_size"]) {
    const n = fields[name];
    if (n === undefined || n === null) continue;
    if (!Number.isInteger(n) || (n as number) < 0 || (n as number) > 65535) return null;
    out[name] = n as number;
  }
  if (fields.csum_not_inet !== undefined)
    out.csum_not_inet = fields.csum_not_inet === true || fields.csum_not_inet === 1;
  return out;
}
