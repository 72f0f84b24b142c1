/**
 * The parser of a fixed-function device: its own narrow rules, TCP and UDP at the end. Written as hardware is
 * specified, apart from the programs, so that the two can disagree.
 */
import type { RxCsumProfile, Tunnel, TunnelPorts, TxCsumProfile } from "./profiles/profile.ts";

/** What the parser of the device found. */
export interface Parsed {
  /** 0: nothing it knows. */
  l3: 0 | 4 | 6;
  /** 6, 17, or another protocol it stopped at. */
  l4: number;
  /** Bytes from the frame's first. */
  l3Offset: number;
  l4Offset: number;
  /** End of the IP packet. */
  end: number;
  /** Extension headers stood behind the IPv6 header. */
  extended: boolean;
}

/** How far a parser goes. */
export interface ParseRules {
  readonly maxVlan: number;
  readonly extHdrs: boolean;
  /** Bytes from the frame's first that it sees; 0: all. */
  readonly window: number;
  readonly encap: readonly Tunnel[];
  readonly ports: TunnelPorts;
}

/** Rules of the engine on transmit. */
export function txRules(csum: TxCsumProfile): ParseRules {
  return {
    maxVlan: csum.vlanStack,
    extHdrs: csum.ipv6ExtHdrs !== "none",
    window: csum.headerWindow,
    encap: csum.encap,
    ports: csum.encapPorts,
  };
}

/** Rules of the engine on receive. */
export function rxRules(csum: RxCsumProfile): ParseRules {
  return {
    maxVlan: csum.maxVlan,
    extHdrs: csum.ipv6ExtHdrs !== "none",
    window: csum.headerWindow,
    encap: csum.encap,
    ports: csum.encapPorts,
  };
}

/** An empty result, to be filled again and again. */
export function newParsed(): Parsed {
  return { l3: 0, l4: 0, l3Offset: 0, l4Offset: 0, end: 0, extended: false };
}

/** Two bytes, big endian. */
export const be16 = (b: Uint8Array, at: number): number => (b[at]! << 8) | b[at + 1]!;

const TEB = 0x6558;

/** Parse a frame as the device does. @param l2Length - 14, or 0 where frames begin with IP */
export function parseFixed(frame: Uint8Array, l2Length: number, rules: ParseRules, out: Parsed): Parsed {
  const type = l2Length >= 2 ? be16(frame, l2Length - 2) : (frame[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800;
  parseType(frame, l2Length, type, frame.length, rules, out);
  return out;
}

/** Parse from an EtherType on. */
function parseType(
  frame: Uint8Array,
  from: number,
  first: number,
  limit: number,
  rules: ParseRules,
  out: Parsed,
): void {
  out.l3 = 0;
  out.l4 = 0;
  out.l3Offset = from;
  out.extended = false;
  let type = first;
  const seen = rules.window > 0 ? Math.min(rules.window, limit) : limit;
  for (let tags = 0; (type === 0x8100 || type === 0x88a8) && tags < rules.maxVlan; tags++) {
    if (out.l3Offset + 4 > seen) return;
    type = be16(frame, out.l3Offset + 2);
    out.l3Offset += 4;
  }
  if (type === 0x0800) parse4(frame, limit, seen, out);
  else if (type === 0x86dd) parse6(frame, limit, seen, rules.extHdrs, out);
}

function parse4(frame: Uint8Array, limit: number, seen: number, out: Parsed): void {
  const at = out.l3Offset;
  if (at + 20 > seen || frame[at]! >> 4 !== 4) return;
  const header = (frame[at]! & 15) * 4;
  const total = be16(frame, at + 2);
  if (header < 20 || total < header || at + total > limit || (be16(frame, at + 6) & 0x3fff) !== 0) return;
  out.l3 = 4;
  out.l4 = frame[at + 9]!;
  out.l4Offset = at + header;
  out.end = at + total;
}

function parse6(frame: Uint8Array, limit: number, seen: number, extHdrs: boolean, out: Parsed): void {
  const at = out.l3Offset;
  if (at + 40 > seen || frame[at]! >> 4 !== 6) return;
  const end = at + 40 + be16(frame, at + 4);
  if (end > limit) return;
  out.l3 = 6;
  out.l4 = frame[at + 6]!;
  out.l4Offset = at + 40;
  out.end = end;
  if (!extHdrs) return;
  // hop-by-hop, destination, authentication; routing once it is used up; a fragment ends the walk
  while (out.l4 === 0 || out.l4 === 60 || out.l4 === 51 || out.l4 === 43) {
    const o = out.l4Offset;
    if (o + 8 > Math.min(seen, end) || (out.l4 === 43 && frame[o + 3]! > 0)) return;
    out.extended = true;
    out.l4Offset += out.l4 === 51 ? (frame[o + 1]! + 2) * 4 : (frame[o + 1]! + 1) * 8;
    out.l4 = frame[o]!;
    if (out.l4Offset > end) {
      out.l3 = 0;
      return;
    }
  }
}

/**
 * Go on inside of the tunnel that a parsed packet is.
 * @param out - in: the outer packet; out: the inner one
 * @returns false: no tunnel that the device knows
 */
export function parseInner(frame: Uint8Array, rules: ParseRules, out: Parsed): boolean {
  const { l4, end } = out;
  const at = out.l4Offset;
  const { encap, ports } = rules;
  const into = (from: number, type: number): boolean => {
    if (from > end) return false;
    parseType(frame, from, type, end, rules, out);
    return out.l3 !== 0;
  };
  const ethernet = (from: number): boolean => from + 14 <= end && into(from + 14, be16(frame, from + 12));
  if (l4 === 4 || l4 === 41) return encap.includes("ipip") && into(at, l4 === 4 ? 0x0800 : 0x86dd);
  if (l4 === 47 && encap.includes("gre")) {
    if (at + 4 > end || (be16(frame, at) & 0x4fff) !== 0) return false;
    const flags = be16(frame, at);
    const header = 4 + (flags & 0x8000 ? 4 : 0) + (flags & 0x2000 ? 4 : 0) + (flags & 0x1000 ? 4 : 0);
    const type = be16(frame, at + 2);
    return type === TEB ? ethernet(at + header) : into(at + header, type);
  }
  if (l4 !== 17 || at + 16 > end) return false;
  const port = be16(frame, at + 2);
  if (encap.includes("vxlan") && ports.vxlan.includes(port)) return ethernet(at + 16);
  if (!encap.includes("geneve") || !ports.geneve.includes(port)) return false;
  const header = at + 16 + (frame[at + 8]! & 63) * 4;
  const type = be16(frame, at + 10);
  return type === TEB ? ethernet(header) : into(header, type);
}
