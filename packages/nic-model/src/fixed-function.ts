/**
 * The datapath of a fixed-function device: it parses by its own narrow rules and knows TCP and UDP. Written as
 * hardware is specified, apart from the programs, so that the two can disagree.
 */
import { CSUM_MODE } from "./descriptor.ts";
import type { CsumFault, Profile } from "./profiles/profile.ts";

/** What the parser of the device found. */
export interface Parsed {
  /** 0: nothing it knows. */
  l3: 0 | 4 | 6;
  /** 6, 17, or 0. */
  l4: number;
  /** Bytes from the frame's first. */
  l3Offset: number;
  l4Offset: number;
  /** End of the IP packet. */
  end: number;
}

const be16 = (b: Uint8Array, at: number): number => (b[at]! << 8) | b[at + 1]!;

/** Parse a frame as the profile's device does. */
export function parseFixed(frame: Uint8Array, l2Length: number, profile: Profile, out: Parsed): Parsed {
  out.l3 = 0;
  out.l4 = 0;
  out.l3Offset = l2Length;
  let type = l2Length >= 2 ? be16(frame, l2Length - 2) : (frame[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800;
  for (let tags = 0; (type === 0x8100 || type === 0x88a8) && tags < profile.tx.csum.vlanStack; tags++) {
    if (out.l3Offset + 4 > frame.length) return out;
    type = be16(frame, out.l3Offset + 2);
    out.l3Offset += 4;
  }
  if (type === 0x0800) parse4(frame, out);
  else if (type === 0x86dd) parse6(frame, out);
  return out;
}

function parse4(frame: Uint8Array, out: Parsed): void {
  const at = out.l3Offset;
  if (at + 20 > frame.length || frame[at]! >> 4 !== 4) return;
  const header = (frame[at]! & 15) * 4;
  const total = be16(frame, at + 2);
  if (header < 20 || total < header || at + total > frame.length || (be16(frame, at + 6) & 0x3fff) !== 0)
    return;
  out.l3 = 4;
  out.l4 = frame[at + 9]!;
  out.l4Offset = at + header;
  out.end = at + total;
}

function parse6(frame: Uint8Array, out: Parsed): void {
  const at = out.l3Offset;
  if (at + 40 > frame.length || frame[at]! >> 4 !== 6) return;
  const end = at + 40 + be16(frame, at + 4);
  if (end > frame.length) return;
  out.l3 = 6;
  out.l4 = frame[at + 6]!;
  out.l4Offset = at + 40;
  out.end = end;
}

/** End-around sum of big-endian words, an odd last byte is a high byte. */
function sum(frame: Uint8Array, from: number, to: number, seed: number): number {
  let total = seed;
  let at = from;
  for (; at + 1 < to; at += 2) total += be16(frame, at);
  if (at < to) total += frame[at]! << 8;
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000);
  return total;
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
}

const scratch: Parsed = { l3: 0, l4: 0, l3Offset: 0, l4Offset: 0, end: 0 };

/** Sum of the pseudo header that the device makes itself; -1: it does not find an IP header. */
function ownPseudo(frame: Uint8Array, start: number, l4: number, profile: Profile): number {
  const { l3, l3Offset, end } = parseFixed(frame, 14, profile, scratch);
  if (l3 === 0) return -1;
  const length = end - start;
  const from = l3 === 4 ? l3Offset + 12 : l3Offset + 8;
  return sum(frame, from, from + (l3 === 4 ? 8 : 32), l4 + (length & 0xffff) + (length >>> 16));
}

/** Does the first header behind IPv6 name something else than a transport? */
function behindExtensions(frame: Uint8Array, profile: Profile): boolean {
  const { l3, l4 } = parseFixed(frame, 14, profile, scratch);
  return l3 === 6 && l4 !== 6 && l4 !== 17;
}

/**
 * Insert what a descriptor asks for, as the profile's engine and its faults do.
 * @returns false: it cannot take this packet
 */
export function insertFixed(frame: Uint8Array, request: InsertRequest, profile: Profile): boolean {
  const { faults } = profile;
  const has = (fault: CsumFault): boolean => faults.includes(fault);
  const generic = request.csumMode === CSUM_MODE.generic;
  const start = has("truncate-start") ? request.csumStart & 0xff : request.csumStart;
  let { l4 } = request;
  if (l4 !== 6 && has("else-udp")) l4 = 17;
  if (l4 === 132) return insertCrc(frame, start);
  // nothing it knows: the packet leaves as it is
  if (!generic && l4 !== 6 && l4 !== 17) return true;
  if (has("ext-hdr-partial") && behindExtensions(frame, profile)) return true;
  const field = start + (generic && !has("else-udp") ? request.csumOffset : l4 === 17 ? 6 : 16);
  if (field + 2 > frame.length) return false;
  let seed = 0;
  if (profile.tx.csum.mode === "typed-unseeded" || has("srh-first-segment-address")) {
    seed = ownPseudo(frame, start, l4, profile);
    if (seed < 0) return false;
    frame[field] = frame[field + 1] = 0;
  }
  let check = 0xffff - sum(frame, start, frame.length, seed);
  const mangle = l4 === 17 ? !has("udp-zero-not-mangled") : profile.tx.csum.tcpZero === "ffff";
  if (check === 0 && mangle) check = 0xffff;
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
 * COMPLETE of a fixed-function device: from L3 on, little-endian words, folded.
 * @returns -1: no IP packet, or a profile that sums only what IP says and finds less
 */
export function completeFixed(frame: Uint8Array, l2Length: number, profile: Profile, parsed: Parsed): number {
  const { coversPadding } = profile.rx.csum;
  let end = frame.length;
  if (!coversPadding) {
    if (parseFixed(frame, l2Length, profile, parsed).l3 === 0) return -1;
    end = parsed.end;
  }
  const total = sum(frame, Math.min(l2Length, end), end, 0);
  return ((total & 0xff) << 8) | (total >>> 8);
}

/** Verify what the device can on receive. @returns true: one checksum, level 0, is right (UNNECESSARY) */
export function verifyFixed(frame: Uint8Array, l2Length: number, profile: Profile, parsed: Parsed): boolean {
  parseFixed(frame, l2Length, profile, parsed);
  const { l3, l4, l3Offset, l4Offset, end } = parsed;
  if (l3 === 0 || (l4 !== 6 && l4 !== 17)) return false;
  if (
    !profile.rx.csum.l3.includes(l3 === 4 ? "ipv4" : "ipv6") ||
    !profile.rx.csum.l4.includes(l4 === 6 ? "tcp" : "udp")
  )
    return false;
  if (l4Offset + (l4 === 6 ? 20 : 8) > end) return false;
  if (l4 === 17 && (be16(frame, l4Offset + 6) === 0 || be16(frame, l4Offset + 4) !== end - l4Offset))
    return false;
  const length = end - l4Offset;
  const addresses =
    l3 === 4 ? sum(frame, l3Offset + 12, l3Offset + 20, 0) : sum(frame, l3Offset + 8, l3Offset + 40, 0);
  const pseudo = addresses + l4 + (length & 0xffff) + (length >>> 16);
  return sum(frame, l4Offset, end, pseudo) === 0xffff;
}
