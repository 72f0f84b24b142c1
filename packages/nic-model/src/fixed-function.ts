/** The checksum engines of a fixed-function device, transmit and receive; they share nothing with the programs. */
import { CSUM_MODE } from "./descriptor.ts";
import {
  be16,
  newParsed,
  type Parsed,
  type ParseRules,
  parseFixed,
  parseInner,
  rxRules,
  txRules,
} from "./fixed-parse.ts";
import type { CsumFault, Profile } from "./profiles/profile.ts";

/** End-around sum of big-endian words, an odd last byte is a high byte. */
function sum(frame: Uint8Array, from: number, to: number, seed: number): number {
  let total = seed;
  let at = from;
  for (; at + 1 < to; at += 2) total += be16(frame, at);
  if (at < to) total += frame[at]! << 8;
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000);
  return total;
}

/** Sum of the pseudo header of the transport at `start`, by the IP header that was parsed. */
function pseudoSum(frame: Uint8Array, parsed: Parsed, start: number, l4: number): number {
  const length = parsed.end - start;
  const from = parsed.l3 === 4 ? parsed.l3Offset + 12 : parsed.l3Offset + 8;
  return sum(frame, from, from + (parsed.l3 === 4 ? 8 : 32), l4 + (length & 0xffff) + (length >>> 16));
}

/** What a descriptor asks of the checksum engine. */
export interface InsertRequest {
  readonly csumMode: number;
  /** Bytes from the frame's first. */
  readonly csumStart: number;
  /** Bytes from csumStart. */
  readonly csumOffset: number;
  /** 6 TCP, 17 UDP, 132 SCTP; 0: the driver did not say. */
  readonly l4: number;
  /** The checksum is inside of a tunnel. */
  readonly inner: boolean;
}

const scratch: Parsed = newParsed();

/** Sum of the pseudo header that the device makes itself; -1: it does not find the IP header. */
function ownPseudo(
  frame: Uint8Array,
  request: InsertRequest,
  start: number,
  l4: number,
  rules: ParseRules,
): number {
  if (parseFixed(frame, 14, rules, scratch).l3 === 0) return -1;
  if (request.inner && !parseInner(frame, rules, scratch)) return -1;
  return pseudoSum(frame, scratch, start, l4);
}

/** Does the first header behind IPv6 name something else than a transport? */
function behindExtensions(frame: Uint8Array, rules: ParseRules): boolean {
  const { l3, l4, extended } = parseFixed(frame, 14, rules, scratch);
  return l3 === 6 && (extended || (l4 !== 6 && l4 !== 17));
}

/**
 * Insert what a descriptor asks for, as the profile's engine and its faults do.
 * @returns false: it cannot take this packet
 */
export function insertFixed(frame: Uint8Array, request: InsertRequest, profile: Profile): boolean {
  const { csum } = profile.tx;
  const has = (fault: CsumFault): boolean => profile.faults.includes(fault);
  const generic = request.csumMode === CSUM_MODE.generic;
  const start = has("truncate-start") ? request.csumStart & 0xff : request.csumStart;
  let { l4 } = request;
  if (l4 !== 6 && has("else-udp")) l4 = 17;
  if (l4 === 132) return insertCrc(frame, start);
  // nothing it knows: the packet leaves as it is
  if (!generic && l4 !== 6 && l4 !== 17) return true;
  if (has("ext-hdr-partial") && behindExtensions(frame, txRules(csum))) return true;
  const field = start + (generic && !has("else-udp") ? request.csumOffset : l4 === 17 ? 6 : 16);
  if (field + 2 > frame.length || (csum.headerWindow > 0 && field + 2 > csum.headerWindow)) return false;
  let seed = 0;
  if (csum.mode === "typed-unseeded" || has("srh-first-segment-address")) {
    seed = ownPseudo(frame, request, start, l4, txRules(csum));
    if (seed < 0) return false;
    frame[field] = frame[field + 1] = 0;
  }
  let check = 0xffff - sum(frame, start, frame.length, seed);
  const udpMangled = csum.udpZero === "ffff" && !has("udp-zero-not-mangled");
  if (check === 0 && (l4 === 17 ? udpMangled : csum.tcpZero === "ffff")) check = 0xffff;
  frame[field] = check >> 8;
  frame[field + 1] = check & 255;
  return true;
}

/** CRC-32C of SCTP, bit by bit: the model's engine shares no table with software. */
function insertCrc(frame: Uint8Array, start: number): boolean {
  if (start + 12 > frame.length) return false;
  let crc = 0xffffffff;
  for (let i = start; i < frame.length; i++) {
    crc ^= frame[i]!;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  new DataView(frame.buffer, frame.byteOffset).setUint32(start + 8, ~crc >>> 0, true);
  return true;
}

/**
 * The raw sum of a fixed-function device on receive, over the bytes that the profile names: little-endian words,
 * folded. What its driver adds is not in it.
 * @returns -1: nothing it parses, where it needs to
 */
export function completeFixed(frame: Uint8Array, l2Length: number, profile: Profile, parsed: Parsed): number {
  const { coversPadding, completeFrom } = profile.rx.csum;
  let from = Math.min(l2Length, frame.length);
  let end = frame.length;
  let seed = 0;
  if (!coversPadding || completeFrom !== "data") {
    if (parseFixed(frame, l2Length, rxRules(profile.rx.csum), parsed).l3 === 0) return -1;
    if (!coversPadding) end = parsed.end;
    if (completeFrom !== "data") from = parsed.l3Offset;
  }
  if (completeFrom === "ipPayload") {
    const { l3, l3Offset } = parsed;
    from = l3 === 4 ? l3Offset + (frame[l3Offset]! & 15) * 4 : l3Offset + 40;
    // an IPv4 header that does not sum up is not reported
    if (l3 === 4 && sum(frame, l3Offset, from, 0) !== 0xffff) return -1;
    seed =
      l3 === 4
        ? pseudoSum(frame, parsed, from, frame[l3Offset + 9]!)
        : sum(frame, l3Offset + 8, l3Offset + 40, be16(frame, l3Offset + 4));
  }
  const total = sum(frame, from, end, seed);
  // the sum begins at an even byte of the packet always, so phases agree
  return ((total & 0xff) << 8) | (total >>> 8);
}

/** Is the transport checksum of the parsed layer right? */
function verified(frame: Uint8Array, parsed: Parsed): boolean {
  const { l4, l4Offset, end } = parsed;
  if (l4 === 17 && be16(frame, l4Offset + 4) !== end - l4Offset) return false;
  return sum(frame, l4Offset, end, pseudoSum(frame, parsed, l4Offset, l4)) === 0xffff;
}

/** Does the parsed layer have a transport that the engine can verify, header and all? */
function verifiable(parsed: Parsed, profile: Profile): boolean {
  const { csum } = profile.rx;
  const { l3, l4, l4Offset, end } = parsed;
  if (!csum.l3.includes(l3 === 4 ? "ipv4" : "ipv6")) return false;
  const size = l4 === 6 && csum.l4.includes("tcp") ? 20 : l4 === 17 && csum.l4.includes("udp") ? 8 : 0;
  if (size === 0 || l4Offset + size > end) return false;
  return csum.headerWindow === 0 || l4Offset + size <= csum.headerWindow;
}

/**
 * Verify what the device can on receive.
 * @returns how many consecutive checksums from the outermost are right, at most level_max + 1; 0: none, or one is
 *   wrong: NONE to the stack, which looks itself
 */
export function verifyFixed(frame: Uint8Array, l2Length: number, profile: Profile, parsed: Parsed): number {
  const { csum } = profile.rx;
  const rules = rxRules(csum);
  if (parseFixed(frame, l2Length, rules, parsed).l3 === 0) return 0;
  let levels = 0;
  for (;;) {
    const { l4, l4Offset } = parsed;
    if (l4 === 6 || l4 === 17) {
      if (!verifiable(parsed, profile)) return levels;
      const zero = l4 === 17 && be16(frame, l4Offset + 6) === 0;
      if (zero && csum.udpZero !== "ok") return levels;
      if (!zero && !verified(frame, parsed)) return 0;
      levels++;
      if (l4 === 6 || levels > csum.levelMax) return levels;
    } else if (l4 === 47 && l4Offset + 2 <= parsed.end && (frame[l4Offset]! & 0x80) !== 0) {
      // a GRE checksum that it does not verify stands in between
      return levels;
    }
    if (!parseInner(frame, rules, parsed)) return levels > 0 || !csum.others ? levels : 1;
  }
}

/**
 * A frame that owes its checksum: the field holds the sum of the pseudo header.
 * @returns csum_start | csum_offset << 16, bytes from the frame's first; -1: it owes none
 */
export function owedFixed(frame: Uint8Array, l2Length: number, profile: Profile, parsed: Parsed): number {
  if (parseFixed(frame, l2Length, rxRules(profile.rx.csum), parsed).l3 === 0 || !verifiable(parsed, profile))
    return -1;
  const { l4, l4Offset } = parsed;
  const offset = l4 === 6 ? 16 : 6;
  const seed = pseudoSum(frame, parsed, l4Offset, l4);
  return be16(frame, l4Offset + offset) === seed ? ((offset << 16) | l4Offset) >>> 0 : -1;
}
