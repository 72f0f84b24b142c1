/** One question to the kernel and to the programs: a frame, what is asked for, and how the bytes lie in the skb. */
import { LEAST_SKB_START } from "@netoffload/linux";
import { BOUNDS, type BoundTraits, type CsumCell } from "./csum-cell.ts";
import type { Random } from "./random.ts";

/** How the frame's bytes lie in our skb; the kernel lays them out as it likes, and the answer must not depend on it. */
export interface SkbLayout {
  readonly headroom: number;
  /** Bytes of page fragments cut from the frame's end (before the frag_list). */
  readonly frags: readonly number[];
  /** Bytes of frag_list members cut from the very end. */
  readonly fragList: readonly number[];
  /** The fragments may change while they are summed, so that they are copied first. */
  readonly sharedFrag: boolean;
  /** The buffer is shared with a clone. */
  readonly cloned: boolean;
}

/** One case. */
export interface CsumCase {
  /** Position of the cell in the matrix; -1: none (a case that was read or minimised). */
  readonly cell: number;
  readonly frame: Uint8Array;
  /** `skb`: the fields reach the checksum as they are; `tap`: a tap checks them first. */
  readonly route: BoundTraits["route"];
  /** Bytes from the frame's start; negative on route `skb` alone. */
  readonly csumStart: number;
  /** Bytes from csumStart. */
  readonly csumOffset: number;
  readonly layout: SkbLayout;
}

/** Everything linear. */
export const LINEAR: SkbLayout = { headroom: 64, frags: [], fragList: [], sharedFrag: false, cloned: false };

const ETH_HLEN = 14;
const FIELD: Readonly<Record<CsumCell["l4"], number>> = { tcp: 16, udp: 6, icmp: 2 };
const HEADER: Readonly<Record<CsumCell["l4"], number>> = { tcp: 20, udp: 8, icmp: 8 };
const PROTOCOL: Readonly<Record<CsumCell["family"], Readonly<Record<CsumCell["l4"], number>>>> = {
  ipv4: { tcp: 6, udp: 17, icmp: 1 },
  ipv6: { tcp: 6, udp: 17, icmp: 58 },
};
const EXTENSIONS: Readonly<Record<CsumCell["extension"], readonly number[]>> = {
  none: [],
  options: [],
  hop: [0],
  destination: [60],
  routing: [43],
  fragment: [44],
  chain: [0, 43, 60],
};
/** tun refuses a frame whose checksum starts earlier, Ethernet header included. */
const LEAST_START = 20;
/** The addresses before are the oracle's own on their way. */
const FIRST_START = 12;
/** A sum may not start before the outer tag's end. */
const FIRST_TAGGED_START = 18;

/** Headers of a cell. @returns bytes before the transport header */
function headersLen(cell: CsumCell, extensionLen: number, optionsLen: number): number {
  const l3 = cell.family === "ipv4" ? 20 + optionsLen : 40 + extensionLen;
  return ETH_HLEN + 4 * Number(cell.vlan) + l3;
}

function be16(frame: Uint8Array, at: number, value: number): void {
  frame[at] = value >> 8;
  frame[at + 1] = value;
}

/** Draw a case of a cell. */
export function drawCase(cell: CsumCell, index: number, random: Random): CsumCase {
  const extensions = EXTENSIONS[cell.extension].map((next) => ({
    next,
    bytes: next === 44 ? 8 : 8 * random.between(1, 3),
  }));
  const optionsLen = cell.extension === "options" ? 4 * random.between(1, 10) : 0;
  const l4 = headersLen(
    cell,
    extensions.reduce((n, e) => n + e.bytes, 0),
    optionsLen,
  );
  const odd = cell.length === "odd" ? 1 : 0;
  let length = l4 + HEADER[cell.l4] + payloadLen(cell, random);
  if (length % 2 !== odd) length++;
  const whole = new Uint8Array(length);
  random.fill(whole);
  writeHeaders(whole, cell, extensions, optionsLen, l4);
  if (cell.lies === "yes") lie(whole, cell, l4, random);
  const frame = cell.truncated === "yes" ? truncate(whole, random, cell, l4) : whole;
  const { route } = BOUNDS[cell.bound];
  const [csumStart, csumOffset] = range(cell, random, l4, frame.length);
  if (cell.zero === "yes") makeZero(frame, csumStart, csumOffset, ETH_HLEN + 4 * Number(cell.vlan), random);
  return { cell: index, frame, route, csumStart, csumOffset, layout: drawLayout(frame.length, random) };
}

/**
 * Mostly short, sometimes a full segment, now and then a jumbo frame or nearly as long as can be; a last csum_offset
 * that needs all of its 16 bits comes oftener.
 */
function payloadLen(cell: CsumCell, random: Random): number {
  if (cell.bound === "offset-last" && random.oneIn(60)) return 32768 + random.below(27000);
  const kind = random.below(1000);
  if (kind < 800) return random.below(140);
  if (kind < 975) return random.below(1460);
  return kind < 997 || cell.bound !== "inside" ? random.below(9000) : random.below(60000);
}

function writeHeaders(
  frame: Uint8Array,
  cell: CsumCell,
  extensions: readonly { next: number; bytes: number }[],
  optionsLen: number,
  l4: number,
): void {
  let at = 12;
  for (let tag = Number(cell.vlan); tag > 0; tag--) {
    be16(frame, at, tag === 2 ? 0x88a8 : 0x8100);
    at += 4;
  }
  be16(frame, at, cell.family === "ipv4" ? 0x0800 : 0x86dd);
  at += 2;
  const protocol = PROTOCOL[cell.family][cell.l4];
  if (cell.family === "ipv4") {
    frame[at] = 0x40 + 5 + optionsLen / 4;
    be16(frame, at + 2, frame.length - at);
    be16(frame, at + 6, 0x4000);
    frame[at + 9] = protocol;
  } else {
    frame[at] = 0x60;
    be16(frame, at + 4, frame.length - at - 40);
    frame[at + 6] = extensions[0]?.next ?? protocol;
    let o = at + 40;
    for (const [i, { next, bytes }] of extensions.entries()) {
      frame[o] = extensions[i + 1]?.next ?? protocol;
      if (next !== 44) frame[o + 1] = bytes / 8 - 1;
      o += bytes;
    }
  }
  if (cell.l4 === "udp") be16(frame, l4 + 4, frame.length - l4);
  if (cell.l4 === "tcp") frame[l4 + 12] = 0x50;
}

/** Length fields that say anything: nothing of them may matter. */
function lie(frame: Uint8Array, cell: CsumCell, l4: number, random: Random): void {
  const l3 = ETH_HLEN + 4 * Number(cell.vlan);
  const at = cell.family === "ipv4" ? l3 + 2 : l3 + 4;
  be16(
    frame,
    at,
    random.pick([0, 1, 19, 20, 39, frame.length, frame.length + 1, 0xffff, random.below(65536)]),
  );
  if (cell.family === "ipv4" && random.oneIn(2)) frame[l3] = 0x40 + random.below(16);
  if (cell.family === "ipv6" && cell.extension !== "none") frame[l3 + 41] = random.below(256);
  if (cell.l4 === "udp")
    be16(frame, l4 + 4, random.pick([0, 7, 8, frame.length, 0xffff, random.below(65536)]));
  if (cell.l4 === "tcp") frame[l4 + 12] = random.below(256);
}

/** A number of a parity in from..to, which is at least two long. */
function ofParity(parity: CsumCell["start"], from: number, to: number, random: Random): number {
  const n = random.between(from, to);
  if ((n & 1) === (parity === "odd" ? 1 : 0)) return n;
  return n < to ? n + 1 : n - 1;
}

/** What is summed and where the result goes. @param n - bytes of the frame */
function range(cell: CsumCell, random: Random, l4: number, n: number): [start: number, offset: number] {
  // an odd start leaves the field where it is
  const start = cell.start === "odd" ? l4 + 1 : l4;
  const field = FIELD[cell.l4] - (start - l4);
  switch (cell.bound) {
    case "inside":
      return [start, field];
    case "start-before": {
      const before = ofParity(cell.start, LEAST_SKB_START, -1, random);
      // the field before the frame, too, in it, or behind it
      const at = random.pick([before, -1, 12, random.below(n), n - 2, n - 1, n + random.below(50)]);
      return [before, Math.max(0, at - before)];
    }
    case "start-below": {
      const first = cell.vlan === "0" ? FIRST_START : FIRST_TAGGED_START;
      const below = ofParity(cell.start, first, LEAST_START - 1, random);
      return [below, random.below(Math.max(1, Math.min(n - below - 1, 60)))];
    }
    case "start-19":
      return [LEAST_START - 1, random.below(20)];
    case "start-20":
      return [LEAST_START, random.below(20)];
    case "start-last":
      return [n - 2, 0];
    case "start-last+1":
      return [n - 1, random.pick([0, 0, 1, random.below(40)])];
    case "start-end":
      return [n, random.pick([0, 0, 2, random.below(40)])];
    case "start-beyond":
      return [ofParity(cell.start, n + 1, n + 2000, random), random.below(40)];
    case "start-max": {
      const max = ofParity(cell.start, 65532, 65535, random);
      return [max, random.pick([0, 1, 2, 16, 65533, 65534, 65535])];
    }
    case "offset-0":
      return [start, 0];
    case "offset-last":
      return [start, n - start - 2];
    case "offset-last+1":
      return [start, n - start - 1];
    case "offset-beyond":
      return [start, n - start + random.below(2000)];
    case "offset-max":
      return [start, 65535 - random.below(3)];
  }
}

/**
 * Choose a word's content so that the sum is 0xffff and the checksum 0; or, now and then, all bytes 0. The word is the
 * field, or where that lies outside or in front of the network header the last one summed: a frame whose EtherType is
 * 0 does not pass a bridge.
 * @param l3 - where the network header begins, bytes from the frame's start
 */
function makeZero(frame: Uint8Array, start: number, offset: number, l3: number, random: Random): void {
  const n = frame.length;
  if (start + 2 > n || (start >= l3 && random.oneIn(8))) {
    frame.fill(0, start);
    return;
  }
  const at = start + offset >= l3 && start + offset + 2 <= n ? offset : n - start - 2;
  const field = start + at;
  frame.fill(0, field, field + 2);
  let sum = 0;
  for (let i = start; i < n; i++) sum += (i - start) % 2 === 0 ? frame[i]! << 8 : frame[i]!;
  const missing = 0xffff - (sum % 0xffff);
  // a field at an odd position has its bytes in two words
  const [high, low] = at % 2 === 0 ? [missing >> 8, missing & 255] : [missing & 255, missing >> 8];
  frame[field] = high;
  frame[field + 1] = low;
}

/** Cut anywhere behind the Ethernet header and its tags, or where csum_offset's limits are asked for behind csum_start. */
function truncate(frame: Uint8Array, random: Random, cell: CsumCell, l4: number): Uint8Array {
  const headers = ETH_HLEN + 4 * Number(cell.vlan) + 2;
  const least = cell.bound.startsWith("offset") ? l4 + 3 : headers;
  return frame.subarray(0, ofParity(cell.length, least, frame.length, random));
}

function pieces(total: number, most: number, random: Random): number[] {
  const list: number[] = [];
  for (let left = total; left > 0 && list.length < most; ) {
    const piece = list.length === most - 1 ? left : random.between(1, left);
    list.push(piece);
    left -= piece;
  }
  return list;
}

/** Half of all frames are linear; the others lie in pieces of any length, odd ones too. */
function drawLayout(length: number, random: Random): SkbLayout {
  const headroom = random.pick([64, 64, 2, 3, 17, 128]);
  const cloned = random.oneIn(8);
  if (random.oneIn(2)) return { ...LINEAR, headroom, cloned };
  const outside = random.below(length + 1);
  const inList = random.oneIn(3) ? random.below(outside + 1) : 0;
  return {
    headroom,
    frags: pieces(outside - inList, random.between(1, 6), random),
    fragList: pieces(inList, random.between(1, 3), random),
    sharedFrag: random.oneIn(4),
    cloned,
  };
}
