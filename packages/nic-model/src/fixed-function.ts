/**
 * The datapath of a fixed-function device: it parses by its own narrow rules and knows TCP and UDP. Written as
 * hardware is specified, apart from the programs, so that the two can disagree.
 */
import type { Profile } from "./profiles/profile.ts";

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

/** Insert a checksum: the engine adds to the seed the stack left. @returns false: it cannot take this packet */
export function insertFixed(frame: Uint8Array, start: number, l4: number, profile: Profile): boolean {
  const field = start + (l4 === 17 ? 6 : 16);
  if (field + 2 > frame.length) return false;
  let check = 0xffff - sum(frame, start, frame.length, 0);
  if (check === 0 && (l4 === 17 || profile.tx.csum.tcpZero === "ffff")) check = 0xffff;
  frame[field] = check >> 8;
  frame[field + 1] = check & 255;
  return true;
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
