/**
 * The slow oracle: finds every transport checksum of a frame and says whether it is right, byte by byte in
 * plain JavaScript. It shares no code with anything else here, so that `verify` has a third opinion; it is
 * written to be read, not to be fast. All numbers are as read from the wire (network order), offsets count from
 * the frame's first byte, lengths are bytes.
 * @see RFC 1071, RFC 793, RFC 768, RFC 8200 section 8.1, RFC 4443, RFC 2784
 */

/** One transport checksum the oracle found. */
export interface OracleChecksum {
  readonly layer: "tcp" | "udp" | "icmpv6" | "gre" | "dccp" | "udplite";
  /** First byte summed. */
  readonly start: number;
  /** Position of the 16-bit field, from `start`. */
  readonly fieldOffset: number;
  /** One past the last byte summed. */
  readonly end: number;
  /** Pseudo-header sum, folded, not complemented; 0 for GRE. */
  readonly seed: number;
  /** What the field should hold (UDP: 0xffff for a computed 0; TCP: 0). */
  readonly expected: number;
  /** The field as captured. */
  readonly captured: number;
  /** right: verifies; seed: only the pseudo-header sum; absent: UDP 0 (not computed); wrong: anything else. */
  readonly verdict: "right" | "seed" | "absent" | "wrong";
}

/** Why the walk ended where it did. */
export type OracleStop =
  | "end"
  | "no_l4"
  | "fragment_not_first"
  | "fragment_first"
  | "truncated"
  | "malformed"
  | "unknown_destination";

/** What the oracle says of one frame. */
export interface OracleAnswer {
  /** Outermost first. */
  readonly checksums: readonly OracleChecksum[];
  readonly stop: OracleStop;
}

/** Ones'-complement sum of bytes[from, to) as big-endian words on top of `seed`, folded to 0..0xffff. */
export function sum(bytes: Uint8Array, from: number, to: number, seed = 0): number {
  if (to > bytes.length) throw new RangeError(`oracle: byte ${to - 1} of ${bytes.length}`);
  let total = seed;
  let i = from;
  for (; i + 1 < to; i += 2) total += bytes[i]! * 256 + bytes[i + 1]!;
  if (i < to) total += bytes[i]! * 256;
  while (total > 0xffff) total = (total % 0x10000) + Math.floor(total / 0x10000);
  return total;
}

const be16 = (b: Uint8Array, at: number): number => b[at]! * 256 + b[at + 1]!;
const be32 = (b: Uint8Array, at: number): number => be16(b, at) * 65536 + be16(b, at + 2);

/** A walk in progress: `end` is the last byte known to belong to the current layer, plus one. */
interface Walk {
  readonly frame: Uint8Array;
  /** Bytes the packet had on the wire. */
  readonly wireLength: number;
  readonly found: OracleChecksum[];
  depth: number;
}

/** Addresses and lengths of the IP header a transport header belongs to. */
interface Ip {
  readonly version: 4 | 6;
  readonly source: Uint8Array;
  readonly destination: Uint8Array | null;
}

const MAX_DEPTH = 40;

/**
 * Judge one frame.
 * @param linkType - LINKTYPE number: 1 Ethernet, 12/14/101 raw IP, 228 IPv4, 229 IPv6, 0 null, 108 loop, 113 SLL,
 * 276 SLL2, 9/50 PPP, 51 PPPoE, 100 LLC
 * @param wireLength - original length, when the capture cut the frame
 */
export function judge(frame: Uint8Array, linkType: number, wireLength: number = frame.length): OracleAnswer {
  const walk: Walk = { frame, wireLength, found: [], depth: 0 };
  return { checksums: walk.found, stop: link(walk, linkType) };
}

function link(w: Walk, linkType: number): OracleStop {
  const f = w.frame;
  if (linkType === 1) return ethernet(w, 0, f.length);
  if (linkType === 12 || linkType === 14 || linkType === 101 || linkType === 228 || linkType === 229)
    return rawIp(w, 0, f.length);
  if (linkType === 9 || linkType === 50) return ppp(w, 0, f.length);
  if (linkType === 51) return etherType(w, 0x8864, 0, f.length);
  if (linkType === 100) return llc(w, 0, f.length);
  if (linkType === 113) return f.length < 16 ? short(w, 16) : etherType(w, be16(f, 14), 16, f.length);
  if (linkType === 276) return f.length < 20 ? short(w, 20) : etherType(w, be16(f, 0), 20, f.length);
  if (linkType === 0 || linkType === 108) {
    if (f.length < 4) return short(w, 4);
    const family = Math.max(f[0]!, f[3]!);
    if (family === 2) return ipv4(w, 4, f.length);
    if (family === 10 || family === 23 || family === 24 || family === 28 || family === 30)
      return ipv6(w, 4, f.length);
  }
  return "no_l4";
}

/** A header did not fit: was it the capture that cut it, or the sender who lied? */
function short(w: Walk, needed: number): OracleStop {
  return w.frame.length < w.wireLength && needed <= w.wireLength ? "truncated" : "malformed";
}

function ethernet(w: Walk, at: number, end: number): OracleStop {
  if (at + 14 > end) return short(w, at + 14);
  return typeOrLength(w, at + 12, at + 14, end);
}

/** An EtherType, or below 0x600 the length of an 802.3 frame that begins with LLC. */
function typeOrLength(w: Walk, field: number, at: number, end: number): OracleStop {
  const type = be16(w.frame, field);
  if (type >= 0x600) return etherType(w, type, at, end);
  return llc(w, at, Math.min(end, at + type));
}

/** IEEE 802.2 with SNAP, or the service access point of IP itself. */
function llc(w: Walk, at: number, end: number): OracleStop {
  const f = w.frame;
  if (at + 3 > end) return short(w, at + 3);
  if (f[at] === 6 && f[at + 1] === 6) return ipv4(w, at + 3, end);
  if (f[at] !== 0xaa || f[at + 1] !== 0xaa) return "no_l4";
  if (at + 8 > end) return short(w, at + 8);
  const organisation = f[at + 3]! * 65536 + be16(f, at + 4);
  const type = be16(f, at + 6);
  if (organisation === 0 || organisation === 0xf8) return etherType(w, type, at + 8, end);
  return organisation === 0x80c2 && (type === 1 || type === 7) ? ethernet(w, at + 8, end) : "no_l4";
}

/** PPP (RFC 1661), address and control (RFC 1662) possibly in front; an odd first byte is the whole protocol. */
function ppp(w: Walk, at: number, end: number): OracleStop {
  const f = w.frame;
  if (at + 2 <= end && f[at] === 0xff && f[at + 1] === 3) at += 2;
  if (at >= end) return short(w, at + 1);
  const compressed = (f[at]! & 1) === 1;
  if (!compressed && at + 2 > end) return short(w, at + 2);
  const protocol = compressed ? f[at]! : be16(f, at);
  at += compressed ? 1 : 2;
  if (protocol === 0x21) return ipv4(w, at, end);
  if (protocol === 0x57) return ipv6(w, at, end);
  return protocol === 0x281 || protocol === 0x283 ? mpls(w, at, end) : "no_l4";
}

function rawIp(w: Walk, at: number, end: number): OracleStop {
  if (at >= end) return short(w, at + 1);
  const version = w.frame[at]! >> 4;
  return version === 4 ? ipv4(w, at, end) : version === 6 ? ipv6(w, at, end) : "no_l4";
}

function etherType(w: Walk, type: number, at: number, end: number): OracleStop {
  if (++w.depth > MAX_DEPTH) return "malformed";
  const f = w.frame;
  switch (type) {
    case 0x0800:
      return ipv4(w, at, end);
    case 0x86dd:
      return ipv6(w, at, end);
    case 0x8100:
    case 0x88a8:
    case 0x9100:
    case 0x9200:
      return at + 4 > end ? short(w, at + 4) : typeOrLength(w, at + 2, at + 4, end);
    case 0x8847:
    case 0x8848:
      return mpls(w, at, end);
    case 0x8864: {
      if (at + 6 > end) return short(w, at + 6);
      return ppp(w, at + 6, Math.min(end, at + 6 + be16(f, at + 4)));
    }
    case 0x880b:
      return ppp(w, at, end);
    case 0x88e7:
      return ethernet(w, at + 4, end);
    case 0x6558:
      return ethernet(w, at, end);
    case 0x894f:
      return nsh(w, at, end);
    default:
      return "no_l4";
  }
}

function mpls(w: Walk, at: number, end: number): OracleStop {
  for (;;) {
    if (at + 4 > end) return short(w, at + 4);
    const bottom = (w.frame[at + 2]! & 1) === 1;
    at += 4;
    if (bottom) break;
  }
  if (at >= end) return short(w, at + 1);
  const nibble = w.frame[at]! >> 4;
  return nibble === 4 ? ipv4(w, at, end) : nibble === 6 ? ipv6(w, at, end) : "no_l4";
}

function nsh(w: Walk, at: number, end: number): OracleStop {
  if (at + 8 > end) return short(w, at + 8);
  const length = (w.frame[at + 1]! & 0x3f) * 4;
  if (length < 8) return "malformed";
  if (at + length > end) return short(w, at + length);
  const next = w.frame[at + 3]!;
  if (next === 1) return ipv4(w, at + length, end);
  if (next === 2) return ipv6(w, at + length, end);
  if (next === 3) return ethernet(w, at + length, end);
  return "no_l4";
}

function ipv4(w: Walk, at: number, end: number): OracleStop {
  if (++w.depth > MAX_DEPTH) return "malformed";
  const f = w.frame;
  if (at + 20 > end) return short(w, at + 20);
  const headerLength = (f[at]! & 15) * 4;
  const total = be16(f, at + 2);
  if (f[at]! >> 4 !== 4 || headerLength < 20) return "malformed";
  // total length 0: a super-packet too long for the field; it reaches to the end
  const last = total === 0 ? (end === f.length ? w.wireLength : end) : at + total;
  if (total !== 0 && total < headerLength) return "malformed";
  if (last > end && last > w.wireLength) return "malformed";
  if (at + headerLength > end) return short(w, at + headerLength);
  const fragment = be16(f, at + 6);
  if ((fragment & 0x1fff) !== 0) return "fragment_not_first";
  if ((fragment & 0x2000) !== 0) return "fragment_first";
  const ip: Ip = {
    version: 4,
    source: f.subarray(at + 12, at + 16),
    destination: ipv4Destination(f, at, headerLength),
  };
  return transport(w, ip, f[at + 9]!, at + headerLength, last);
}

/** With a source route still to go (RFC 791), the last address of the route is the destination. */
function ipv4Destination(f: Uint8Array, at: number, headerLength: number): Uint8Array | null {
  for (let o = at + 20; o < at + headerLength; ) {
    const kind = f[o]!;
    if (kind === 0) break;
    if (kind === 1) {
      o++;
      continue;
    }
    const length = f[o + 1] ?? 0;
    if (length < 2 || o + length > at + headerLength) break;
    if (kind === 131 || kind === 137) {
      const pointer = f[o + 2] ?? 0;
      if (pointer <= length) return null;
    }
    o += length;
  }
  return f.subarray(at + 16, at + 20);
}

function ipv6(w: Walk, at: number, end: number): OracleStop {
  if (++w.depth > MAX_DEPTH) return "malformed";
  const f = w.frame;
  if (at + 40 > end) return short(w, at + 40);
  if (f[at]! >> 4 !== 6) return "malformed";
  const payload = be16(f, at + 4);
  // payload length 0: a jumbogram, or a super-packet too long for the field
  let last = payload === 0 ? (end === f.length ? w.wireLength : end) : at + 40 + payload;
  if (payload === 0 && f[at + 6] === 59) return "no_l4";
  if (last > end && last > w.wireLength) return "malformed";
  let source = f.subarray(at + 8, at + 24);
  let destination: Uint8Array | null = f.subarray(at + 24, at + 40);
  let next = f[at + 6]!;
  let o = at + 40;
  let routings = 0;
  for (let n = 0; n < 64; n++) {
    if (next !== 0 && next !== 43 && next !== 44 && next !== 51 && next !== 60) break;
    if (o + 8 > last) return "malformed";
    if (o + 8 > end) return short(w, o + 8);
    const length = next === 44 ? 8 : next === 51 ? (f[o + 1]! + 2) * 4 : (f[o + 1]! + 1) * 8;
    if (o + length > last) return "malformed";
    if (o + length > end) return short(w, o + length);
    if (next === 44) {
      const fragment = be16(f, o + 2);
      if ((fragment & 0xfff8) !== 0) return "fragment_not_first";
      if ((fragment & 1) !== 0) return "fragment_first";
    }
    if (next === 43 && f[o + 3]! > 0) {
      destination = ++routings > 1 ? null : finalDestination(f, o, length, f.subarray(at + 24, at + 40));
    }
    if (next === 0 || next === 60) {
      const options = optionsOf(f, o, length);
      if (options === null) return "malformed";
      if (next === 60 && options.home !== null) source = options.home;
      if (next === 0 && options.jumbo > 0 && payload === 0) {
        last = at + 40 + options.jumbo;
        if (last > end && last > w.wireLength) return "malformed";
      }
    }
    next = f[o]!;
    o += length;
  }
  return transport(w, { version: 6, source, destination }, next, o, last);
}

/** Home address (RFC 6275) and jumbo payload length (RFC 2675) options; null when an option overruns its header. */
function optionsOf(
  f: Uint8Array,
  at: number,
  length: number,
): { home: Uint8Array | null; jumbo: number } | null {
  let home: Uint8Array | null = null;
  let jumbo = 0;
  for (let o = at + 2; o < at + length; ) {
    if (f[o] === 0) {
      o++;
      continue;
    }
    if (o + 2 > at + length) return null;
    const size = f[o + 1]!;
    if (o + 2 + size > at + length) return null;
    if (f[o] === 0xc9 && size === 16) home = f.subarray(o + 2, o + 18);
    if (f[o] === 0xc2 && size === 4) jumbo = be32(f, o + 2);
    o += 2 + size;
  }
  return { home, jumbo };
}

/** Where a packet with segments left goes in the end; null when the header does not tell. */
function finalDestination(f: Uint8Array, at: number, length: number, header: Uint8Array): Uint8Array | null {
  const type = f[at + 2]!;
  const left = f[at + 3]!;
  const units = length / 8 - 1;
  if (type === 0)
    return units === 0 || units % 2 === 1 || left > units / 2
      ? null
      : f.subarray(at + length - 16, at + length);
  if (type === 2) return units === 2 && left === 1 ? f.subarray(at + 8, at + 24) : null;
  if (type === 4) {
    const lastEntry = f[at + 4]!;
    if (left > lastEntry + 1 || units < 2 * (lastEntry + 1)) return null;
    return f.subarray(at + 8, at + 24);
  }
  if (type === 3) {
    const elided = f[at + 4]! & 15;
    const pad = f[at + 5]! >> 4;
    const from = at + length - pad - (16 - elided);
    if (from < at + 8) return null;
    const address = header.slice();
    address.set(f.subarray(from, from + 16 - elided), elided);
    return address;
  }
  return null;
}

function pseudo(ip: Ip, length: number, protocol: number): number {
  const addresses = sum(ip.source, 0, ip.source.length) + sum(ip.destination!, 0, ip.destination!.length);
  let total = addresses + Math.floor(length / 0x10000) + (length % 0x10000) + protocol;
  while (total > 0xffff) total = (total % 0x10000) + Math.floor(total / 0x10000);
  return total;
}

/** Which payloads a UDP destination port announces (IANA and the kernel's defaults). */
const UDP_TUNNELS: Readonly<
  Record<number, "vxlan" | "gpe" | "geneve" | "gue" | "mpls" | "l2tp" | "gtp" | "teredo" | "lisp">
> = {
  4789: "vxlan",
  8472: "vxlan",
  4790: "gpe",
  6081: "geneve",
  6080: "gue",
  6635: "mpls",
  1701: "l2tp",
  2152: "gtp",
  3544: "teredo",
  4341: "lisp",
};
/** Those whose answers come from the well-known port. */
const BOTH_WAYS = [1701, 2152, 3544];

function transport(w: Walk, ip: Ip, protocol: number, at: number, end: number): OracleStop {
  const f = w.frame;
  const have = Math.min(end, f.length);
  if (protocol === 4) return ipv4(w, at, have);
  if (protocol === 41) return ipv6(w, at, have);
  if (protocol === 47) return gre(w, at, end);
  if (protocol === 137) return mpls(w, at, have);
  if (protocol === 143) return ethernet(w, at, have);
  if (protocol === 58 && ip.version === 6) return plain(w, ip, "icmpv6", protocol, at, end, 8, 2);
  if (protocol === 6) return plain(w, ip, "tcp", protocol, at, end, 20, 16);
  if (protocol === 17) return udp(w, ip, at, end);
  return "no_l4";
}

/** A header whose checksum covers everything up to the end of its packet. */
function plain(
  w: Walk,
  ip: Ip,
  layer: "tcp" | "icmpv6",
  protocol: number,
  at: number,
  end: number,
  headerLength: number,
  fieldOffset: number,
): OracleStop {
  const needed = layer === "icmpv6" ? 4 : headerLength;
  if (at + needed > end) return "malformed";
  if (at + needed > w.frame.length) return short(w, at + needed);
  if (end > w.frame.length) return "truncated";
  if (ip.destination === null) return "unknown_destination";
  record(w, layer, at, fieldOffset, end, pseudo(ip, end - at, protocol), false);
  return "end";
}

function udp(w: Walk, ip: Ip, at: number, end: number): OracleStop {
  const f = w.frame;
  if (at + 8 > end) return "malformed";
  if (at + 8 > f.length) return short(w, at + 8);
  const length = be16(f, at + 4);
  // length 0 is a jumbogram (RFC 2675) or a super-packet
  const last = length === 0 ? end : at + length;
  if ((length !== 0 && length < 8) || last > end) return "malformed";
  if (last > f.length) return "truncated";
  if (ip.destination === null) return "unknown_destination";
  record(w, "udp", at, 6, last, pseudo(ip, last - at, 17), true);
  const [source, destination] = [be16(f, at), be16(f, at + 2)];
  const known = UDP_TUNNELS[destination] !== undefined || !BOTH_WAYS.includes(source);
  return inUdp(w, known ? destination : source, at + 8, last);
}

function inUdp(w: Walk, port: number, at: number, end: number): OracleStop {
  const f = w.frame;
  const tunnel = UDP_TUNNELS[port];
  if (tunnel === undefined) return "end";
  const before = w.found.length;
  let stop: OracleStop = "end";
  if (tunnel === "mpls") stop = mpls(w, at, end);
  else if (at + 8 > end)
    stop = "end"; // every tunnel below has at least 8 bytes
  else if (tunnel === "vxlan") stop = (f[at]! & 8) !== 0 ? ethernet(w, at + 8, end) : "end";
  else if (tunnel === "gpe") stop = gpe(w, at, end);
  else if (tunnel === "l2tp") stop = l2tp(w, at, end);
  else if (tunnel === "gtp") stop = gtp(w, at, end);
  else if (tunnel === "teredo") stop = teredo(w, at, end);
  else if (tunnel === "lisp") stop = rawIp(w, at + 8, end);
  else if (tunnel === "geneve") stop = geneve(w, at, end);
  else stop = gue(w, at, end);
  // a tunnel that carries no transport checksum of its own leaves the outer one as the innermost
  return w.found.length === before && stop === "no_l4" ? "end" : stop;
}

function gpe(w: Walk, at: number, end: number): OracleStop {
  const next = w.frame[at + 3]!;
  if ((w.frame[at]! & 4) === 0) return ethernet(w, at + 8, end);
  if (next === 1) return ipv4(w, at + 8, end);
  if (next === 2) return ipv6(w, at + 8, end);
  if (next === 3) return ethernet(w, at + 8, end);
  if (next === 4) return nsh(w, at + 8, end);
  return "no_l4";
}

function geneve(w: Walk, at: number, end: number): OracleStop {
  if (w.frame[at]! >> 6 !== 0) return "end";
  const header = 8 + (w.frame[at]! & 0x3f) * 4;
  if (at + header > end) return "malformed";
  return etherType(w, be16(w.frame, at + 2), at + header, end);
}

/** L2TP version 2 data messages carry PPP (RFC 2661). */
function l2tp(w: Walk, at: number, end: number): OracleStop {
  const f = w.frame;
  const flags = be16(f, at);
  if ((flags & 0x800f) !== 2) return "end";
  let length = 6;
  if ((flags & 0x4000) !== 0) {
    end = Math.min(end, at + be16(f, at + 2));
    length += 2;
  }
  if ((flags & 0x0800) !== 0) length += 4;
  if ((flags & 0x0200) !== 0) {
    if (at + length + 2 > end) return "malformed";
    length += 2 + be16(f, at + length);
  }
  return at + length > end ? "malformed" : ppp(w, at + length, end);
}

/** GTP version 1, user plane (3GPP TS 29.281): G-PDUs carry IP. */
function gtp(w: Walk, at: number, end: number): OracleStop {
  const f = w.frame;
  if (f[at]! >> 4 !== 3 || f[at + 1] !== 255) return "end";
  end = Math.min(end, at + 8 + be16(f, at + 2));
  if ((f[at]! & 7) === 0) return rawIp(w, at + 8, end);
  let o = at + 12;
  if (o > end) return "malformed";
  for (let next = (f[at]! & 4) !== 0 ? f[o - 1]! : 0; next !== 0; next = f[o - 1]!) {
    if (o >= end || f[o] === 0) return "malformed";
    o += f[o]! * 4;
    if (o > end) return "malformed";
  }
  return rawIp(w, o, end);
}

/** Teredo (RFC 4380): authentication and origin indications may precede the IPv6 packet. */
function teredo(w: Walk, at: number, end: number): OracleStop {
  const f = w.frame;
  if (be16(f, at) === 1) {
    if (at + 4 > end) return "malformed";
    at += 13 + f[at + 2]! + f[at + 3]!;
    if (at + 2 > end) return "malformed";
  }
  if (be16(f, at) === 0) at += 8;
  if (at >= end) return "malformed";
  return f[at]! >> 4 === 6 ? ipv6(w, at, end) : "end";
}

function gue(w: Walk, at: number, end: number): OracleStop {
  const first = w.frame[at]!;
  if (first >> 6 === 1) return rawIp(w, at, end);
  if (first >> 6 !== 0 || (first & 0x20) !== 0) return "end";
  const header = 4 + (first & 0x1f) * 4;
  if (at + header > end) return "malformed";
  const protocol = w.frame[at + 1]!;
  if (protocol === 4) return ipv4(w, at + header, end);
  if (protocol === 41) return ipv6(w, at + header, end);
  if (protocol === 47) return gre(w, at + header, end);
  return "no_l4";
}

function gre(w: Walk, at: number, end: number): OracleStop {
  const f = w.frame;
  const have = Math.min(end, f.length);
  if (at + 4 > end) return "malformed";
  if (at + 4 > have) return short(w, at + 4);
  const flags = be16(f, at);
  const type = be16(f, at + 2);
  const version = flags & 7;
  // version 1 (PPTP) has no checksum and carries PPP; a routing bit is RFC 1701 and long gone
  if (version === 1) return pptp(w, at, have, flags, type);
  if (version !== 0 || (flags & 0x4000) !== 0) return "no_l4";
  const header =
    4 +
    ((flags & 0x8000) !== 0 ? 4 : 0) +
    ((flags & 0x2000) !== 0 ? 4 : 0) +
    ((flags & 0x1000) !== 0 ? 4 : 0);
  if (at + header > end) return "malformed";
  if (at + header > have) return short(w, at + header);
  const before = w.found.length;
  if ((flags & 0x8000) !== 0) {
    if (end > f.length) return "truncated";
    record(w, "gre", at, 4, end, 0, false);
  }
  const stop = inGre(w, type, flags, at + header, have);
  return w.found.length > before && stop === "no_l4" ? "end" : stop;
}

function inGre(w: Walk, type: number, flags: number, at: number, end: number): OracleStop {
  // ERSPAN type II has a sequence number and a header of 8 bytes, type I neither
  if (type === 0x88be) return ethernet(w, (flags & 0x1000) !== 0 ? at + 8 : at, end);
  // WCCP version 2 puts 4 bytes in between, which no IPv4 header begins with
  if (type === 0x883e)
    return at + 4 <= end && w.frame[at]! >> 4 !== 4 ? ipv4(w, at + 4, end) : ipv4(w, at, end);
  if (type !== 0x22eb) return etherType(w, type, at, end);
  if (at + 12 > end) return short(w, at + 12);
  return ethernet(w, at + 12 + ((w.frame[at + 11]! & 1) !== 0 ? 8 : 0), end);
}

/** Enhanced GRE (RFC 2637): the upper half of the key is the payload's length; no sequence number, no payload. */
function pptp(w: Walk, at: number, end: number, flags: number, type: number): OracleStop {
  const f = w.frame;
  if (type !== 0x880b || (flags & 0x1000) === 0) return "no_l4";
  const header = 8 + 4 + ((flags & 0x80) !== 0 ? 4 : 0);
  if (at + header > end) return short(w, at + header);
  return ppp(w, at + header, Math.min(end, at + header + be16(f, at + 4)));
}

function record(
  w: Walk,
  layer: OracleChecksum["layer"],
  start: number,
  fieldOffset: number,
  end: number,
  seed: number,
  zeroMeansNone: boolean,
): void {
  const f = w.frame;
  const captured = be16(f, start + fieldOffset);
  // the field itself left out; it begins at an even offset
  const without = sum(f, start + fieldOffset + 2, end, sum(f, start, start + fieldOffset, seed));
  let expected = 0xffff - without;
  if (expected === 0 && zeroMeansNone) expected = 0xffff;
  const whole = without + captured;
  const verifies = whole === 0xffff || whole === 2 * 0xffff;
  let verdict: OracleChecksum["verdict"] = "wrong";
  if (zeroMeansNone && captured === 0) verdict = "absent";
  else if (verifies) verdict = "right";
  else if (captured === seed && layer !== "gre") verdict = "seed";
  w.found.push({ layer, start, fieldOffset, end, seed, expected, captured, verdict });
}
