// Everything between the frame and the IP header: Ethernet, tags, labels, PPP.
import {
  NS_ETHERNET, NS_ETHERTYPE, NS_GUESS, NS_LLC, NS_PPP, STOP_ENCRYPTED, STOP_MALFORMED, STOP_NO_CHECKSUM,
} from "./codes";
import { ipv4 } from "./ipv4";
import { ipv6 } from "./ipv6";
import { be16, cut, go, setEnd, stop, W } from "./state";

/** A type field: an EtherType, or below 0x600 the length of an 802.3 frame that starts with LLC. */
function typeOrLength(value: u32, skip: u32): void {
  if (value >= 0x600) {
    go(NS_ETHERTYPE, value, skip);
    return;
  }
  const rest = <u32>(W.end - W.cur) - skip;
  if (value < rest) setEnd(W.cur + skip + value);
  go(NS_LLC, 0, skip);
}

export function ethernet(): void {
  if (cut(14)) return;
  typeOrLength(be16(W.cur + 12), 14);
}

/** A tag in front of another type field. */
function tag(len: u32): void {
  if (cut(len)) return;
  typeOrLength(be16(W.cur + len - 2), len);
}

/** IEEE 802.2, with SNAP behind it as a rule. */
export function llc(): void {
  if (cut(3)) return;
  const saps = load<u16>(W.cur);
  if (saps == 0x0606) {
    go(NS_ETHERTYPE, 0x0800, 3);
    return;
  }
  if (saps != 0xaaaa || cut(8)) {
    if (saps != 0xaaaa) stop(STOP_NO_CHECKSUM);
    return;
  }
  const oui = be16(W.cur + 3) << 8 | load<u8>(W.cur, 5);
  const type = be16(W.cur + 6);
  // 0x0000f8: Cisco's and IEEE 802.1H's bridge tunnels; 0x0080c2 7: bridged Ethernet (RFC 2684)
  if (oui == 0 || oui == 0xf8) go(NS_ETHERTYPE, type, 8);
  else if (oui == 0x80c2 && (type == 7 || type == 1)) go(NS_ETHERNET, 0, 8);
  else stop(STOP_NO_CHECKSUM);
}

/** PPPoE session: a length of its own, then PPP without address and control. */
function pppoe(): void {
  if (cut(6)) return;
  const len = be16(W.cur + 4);
  if (len <= <u32>(W.end - W.cur) - 6) setEnd(W.cur + 6 + len);
  go(NS_PPP, 0, 6);
}

export function ppp(): void {
  if (cut(1)) return;
  if (W.lim - W.cur >= 2 && load<u16>(W.cur) == 0x03ff) W.cur += 2;
  if (cut(1)) return;
  // protocol field compression: an odd first byte is the whole field
  let protocol: u32 = load<u8>(W.cur);
  let len: u32 = 1;
  if (!(protocol & 1)) {
    if (cut(2)) return;
    protocol = be16(W.cur);
    len = 2;
  }
  if (protocol == 0x21) go(NS_ETHERTYPE, 0x0800, len);
  else if (protocol == 0x57) go(NS_ETHERTYPE, 0x86dd, len);
  else if (protocol == 0x281 || protocol == 0x283) go(NS_ETHERTYPE, 0x8847, len);
  else stop(protocol == 0x53 ? STOP_ENCRYPTED : STOP_NO_CHECKSUM);
}

/** A label stack names no payload: the first nibble tells IPv4 and IPv6 (RFC 4928). */
function mpls(): void {
  while (true) {
    if (cut(4)) return;
    const bottom = load<u8>(W.cur, 2) & 1;
    W.cur += 4;
    if (bottom) break;
  }
  go(NS_GUESS, 0, 0);
}

export function guess(): void {
  if (cut(1)) return;
  const version = load<u8>(W.cur) >> 4;
  if (version == 4) go(NS_ETHERTYPE, 0x0800, 0);
  else if (version == 6) go(NS_ETHERTYPE, 0x86dd, 0);
  else stop(STOP_NO_CHECKSUM);
}

/** Service function chaining (RFC 8300). */
export function nsh(): void {
  if (cut(8)) return;
  const len: u32 = (be16(W.cur) & 0x3f) << 2;
  if (len < 8) {
    stop(STOP_MALFORMED);
    return;
  }
  const next = load<u8>(W.cur, 3);
  if (cut(len)) return;
  if (next == 1) go(NS_ETHERTYPE, 0x0800, len);
  else if (next == 2) go(NS_ETHERTYPE, 0x86dd, len);
  else if (next == 3) go(NS_ETHERNET, 0, len);
  else if (next == 4) go(NS_ETHERTYPE, 0x894f, len);
  else if (next == 5) go(NS_ETHERTYPE, 0x8847, len);
  else stop(STOP_NO_CHECKSUM);
}

/** TRILL (RFC 6325): flags with the length of options, two nicknames, then an Ethernet frame. */
function trill(): void {
  if (cut(6)) return;
  const options: u32 = ((be16(W.cur) >> 6) & 31) << 2;
  if (cut(6 + options)) return;
  go(NS_ETHERNET, 0, 6 + options);
}

export function etherType(): void {
  switch (W.proto) {
    case 0x0800: ipv4(); return;
    case 0x86dd: ipv6(); return;
    case 0x8100: case 0x88a8: case 0x9100: case 0x9200: {
      if (!cut(2)) W.vlan = be16(W.cur) & 0xfff;
      tag(4);
      return;
    }
    case 0x8847: case 0x8848: mpls(); return;
    case 0x8864: pppoe(); return;
    case 0x880b: go(NS_PPP, 0, 0); return;
    case 0x6558: go(NS_ETHERNET, 0, 0); return;
    case 0x894f: nsh(); return;
    // provider backbone bridging: a service tag, then a whole frame
    case 0x88e7: if (!cut(4)) go(NS_ETHERNET, 0, 4); return;
    // VN-Tag, E-Tag (IEEE 802.1BR)
    case 0x8926: tag(6); return;
    case 0x893f: tag(8); return;
    case 0x22f3: trill(); return;
    case 0x88e5: stop(STOP_ENCRYPTED); return;
    default: stop(STOP_NO_CHECKSUM);
  }
}
