/**
 * Packets that a device segments: what can be said of its segments without segmenting is that their payloads, put
 * together, are the super-packet's, and that every checksum of each is right. Their headers are not compared.
 */
import type { CheckedLayer, PacketChecker } from "@netoffload/csum";

/** A super-packet on its way. */
interface SuperPacket {
  readonly packet: number;
  readonly frame: Uint8Array;
  readonly payload: Uint8Array;
  /** TCP: sequence number of its first byte. */
  readonly seq: number;
  /** UDP: bytes of each datagram but the last; TCP: 0. */
  readonly pieceLen: number;
  /** Bytes of the payload that came out, by the offset they begin at. */
  readonly came: Map<number, number>;
}

/** What was made of a frame that left the device. */
export type SegmentVerdict =
  | { readonly kind: "not_of_any" }
  | { readonly kind: "equal" }
  | {
      readonly kind: "different";
      readonly sentPacket: number;
      /** What differs: the payload, or a layer's checksum. */
      readonly detail: string;
      /** The payload that belongs there. */
      readonly expected: Uint8Array;
    };

/** A transport header that carries payload. */
interface Found {
  readonly key: string;
  readonly tcp: boolean;
  readonly seq: number;
  readonly payload: Uint8Array;
}

const NOT_OF_ANY: SegmentVerdict = { kind: "not_of_any" };
const EQUAL: SegmentVerdict = { kind: "equal" };

/** All super-packets of a run; each is held until the end. */
export class SuperPackets {
  readonly #checker: PacketChecker;
  readonly #byFlow: Map<string, SuperPacket[]> = new Map();

  constructor(checker: PacketChecker) {
    this.#checker = checker;
  }

  /**
   * Take a packet that the device will segment.
   * @param gsoSize - bytes of payload of a segment, 0: not known, which UDP needs
   * @returns false: no TCP or UDP payload is found in it
   */
  sent(frame: Uint8Array, linkType: number, packet: number, gsoSize: number): boolean {
    const found = this.#find(frame, linkType);
    if (found === null || (!found.tcp && gsoSize === 0)) return false;
    const { key, seq, payload } = found;
    const made = {
      packet,
      frame,
      payload,
      seq,
      pieceLen: found.tcp ? 0 : gsoSize,
      came: new Map<number, number>(),
    };
    const list = this.#byFlow.get(key);
    if (list === undefined) this.#byFlow.set(key, [made]);
    else list.push(made);
    return true;
  }

  /** Judge a frame that left the device. */
  received(frame: Uint8Array, linkType: number): SegmentVerdict {
    const found = this.#find(frame, linkType);
    const list = found === null ? undefined : this.#byFlow.get(found.key);
    if (found === null || list === undefined) return NOT_OF_ANY;
    const wrong = this.#checker.layers().find((l) => l.verdict === "bad" || l.verdict === "partial");
    for (const superPacket of list) {
      const at = found.tcp ? offsetBySeq(superPacket, found) : offsetByPiece(superPacket, found.payload);
      if (at < 0 || superPacket.came.has(at)) continue;
      superPacket.came.set(at, found.payload.length);
      const expected = superPacket.payload.subarray(at, at + found.payload.length);
      const differs = Buffer.compare(expected, found.payload) !== 0;
      if (!differs && wrong === undefined) return EQUAL;
      const detail = differs ? "payload" : `${wrong!.layer} checksum ${wrong!.verdict}`;
      return { kind: "different", sentPacket: superPacket.packet, detail, expected };
    }
    return NOT_OF_ANY;
  }

  /** Those of which some byte never came. */
  lost(): readonly { readonly packet: number; readonly frame: Uint8Array }[] {
    return [...this.#byFlow.values()].flat().filter(({ came, payload }) => {
      let at = 0;
      for (const [from, length] of [...came].sort((a, b) => a[0] - b[0]))
        if (from <= at) at = Math.max(at, from + length);
      return at < payload.length;
    });
  }

  /** The innermost TCP or UDP header of a frame; null where there is none, or no payload behind it. */
  #find(frame: Uint8Array, linkType: number): Found | null {
    this.#checker.check(frame, linkType);
    const layers = this.#checker.layers().filter((l) => !l.reassembled && !l.quoted);
    const last = layers.at(-1);
    if (last === undefined || (last.layer !== "tcp" && last.layer !== "udp")) return null;
    const tcp = last.layer === "tcp";
    const { offset, end } = last;
    const from = offset + (tcp ? (frame[offset + 12]! >> 4) * 4 : 8);
    if (from >= end || end > frame.length) return null;
    const view = new DataView(frame.buffer, frame.byteOffset);
    return {
      key: flowKey(frame, linkType, layers, offset),
      tcp,
      seq: tcp ? view.getUint32(offset + 4, false) : 0,
      payload: frame.subarray(from, end),
    };
  }
}

/** Where a segment's payload lies in a super-packet's; -1: it is none of it. */
function offsetBySeq({ seq, payload }: SuperPacket, found: Found): number {
  const at = (found.seq - seq) >>> 0;
  return at + found.payload.length <= payload.length ? at : -1;
}

/** Datagrams have no numbers: the first that has not come and is equal, else that has the right length. */
function offsetByPiece({ payload, pieceLen, came }: SuperPacket, piece: Uint8Array): number {
  let likely = -1;
  for (let at = 0; at < payload.length; at += pieceLen) {
    const length = Math.min(pieceLen, payload.length - at);
    if (came.has(at) || length !== piece.length) continue;
    if (Buffer.compare(payload.subarray(at, at + length), piece) === 0) return at;
    if (likely < 0) likely = at;
  }
  return likely;
}

/** Headers up to the ports, without what a segment changes: lengths, identification, checksums. */
function flowKey(
  frame: Uint8Array,
  linkType: number,
  layers: readonly CheckedLayer[],
  transport: number,
): string {
  const masked = frame.slice(0, transport + 4);
  const blank = (from: number, to: number): void => void masked.fill(0, from, to);
  for (const { layer, offset, field } of layers) {
    if (layer === "ipv4") {
      blank(offset + 2, offset + 6);
      blank(offset + 10, offset + 12);
    } else if (offset < transport) {
      blank(field, field + 2);
      if (layer === "udp") blank(offset + 4, offset + 6);
    }
  }
  for (const at of [ipv6Outside(frame, linkType), ipv6Before(frame, transport)])
    if (at >= 0) blank(at + 4, at + 6);
  return Buffer.from(masked).toString("latin1");
}

/** The IPv6 header right behind the link layer; -1: none. */
function ipv6Outside(frame: Uint8Array, linkType: number): number {
  let at = linkType === 1 ? 14 : 0;
  if (linkType !== 1) return (frame[0] ?? 0) >> 4 === 6 ? 0 : -1;
  const type = (): number => (frame[at - 2]! << 8) | frame[at - 1]!;
  while (type() === 0x8100 || type() === 0x88a8) at += 4;
  return type() === 0x86dd ? at : -1;
}

/** The IPv6 header right before a transport header; -1: something else is there. */
function ipv6Before(frame: Uint8Array, transport: number): number {
  const at = transport - 40;
  const next = frame[at + 6];
  return at >= 0 && frame[at]! >> 4 === 6 && (next === 6 || next === 17) ? at : -1;
}
