// What follows an IP header: transport checksums, and packets within packets.
import {
  ABSENT, FRAGMENT, IN_QUOTE, KIND_DCCP, KIND_ICMP, KIND_ICMP_EXT, KIND_ICMPV6, KIND_IGMP, KIND_SCTP, KIND_TCP, KIND_UDP,
  KIND_UDPLITE, LENGTH_BEYOND_PACKET, MALFORMED, NS_ETHERNET, NS_ETHERTYPE, NS_IP, NS_UDP_PORT, QUOTED, STOP_END, STOP_ENCRYPTED,
  STOP_FRAGMENT_FIRST, STOP_NO_CHECKSUM, UNKNOWN_DESTINATION,
} from "./codes";
import { csum_partial } from "./accel";
import { gre } from "./gre";
import { judge, judgeSctp, NO_SEED } from "./judge";
import { add16, be16, cut, go, missing, note, noteUnverifiable, setEnd, stop, W } from "./state";

/** Sum of the pseudo header; the length is 32 bits wide (BIG TCP, jumbograms). */
// @ts-ignore: decorator
@inline
function pseudo(proto: u32, len: u32): u32 {
  const words = add16(bswap<u16>(<u16>len), bswap<u16>(<u16>(len >> 16)));
  return add16(add16(W.addresses, proto << 8), words);
}

/** Note that the checksum cannot be verified: true when so. `min`: bytes of the header that must be there. */
function refuse(kind: u32, field: u32, min: u32, hasPseudo: bool): bool {
  let reason = missing(min);
  if (!reason) {
    reason = W.l4Reason;
    if (reason == UNKNOWN_DESTINATION && !hasPseudo) reason = 0;
  }
  if (!reason) return false;
  W.pseudo = 0;
  noteUnverifiable(kind, reason, field);
  return true;
}

/** The walk ends at a transport header. */
function last(): void {
  stop(W.l4Reason == FRAGMENT ? STOP_FRAGMENT_FIRST : STOP_END);
}

function tcp(): void {
  if (!refuse(KIND_TCP, 16, 18, true)) {
    const len = <u32>(W.end - W.cur);
    const header: u32 = (<u32>load<u8>(W.cur, 12) >> 4) << 2;
    // a header said to be longer than the segment does not change what the checksum covers
    if (header < 20) noteUnverifiable(KIND_TCP, MALFORMED, 16);
    // a device that adds the length itself gets a seed without it
    else judge(KIND_TCP, 16, W.end, pseudo(6, len), pseudo(6, len), add16(W.addresses, 6 << 8));
  }
  last();
}

function udp(): void {
  const reason = missing(8);
  if (reason) {
    W.pseudo = 0;
    noteUnverifiable(KIND_UDP, reason, 6);
    last();
    return;
  }
  const room = <u32>(W.end - W.cur);
  let len = be16(W.cur + 4);
  // a jumbogram (RFC 2675), or a super-packet longer than the field can say
  if (len == 0 && (W.family == 6 || room > 0xffff)) len = room;
  const to = W.cur + len;
  W.pseudo = 0;
  // UDP has a length of its own: it may be whole although IP's length, or the quote it is in, says more or less
  const whole = len <= room && (W.l4Reason == LENGTH_BEYOND_PACKET || W.l4Reason == QUOTED);
  if (len < 8) noteUnverifiable(KIND_UDP, MALFORMED, 6);
  else if (load<u16>(W.cur, 6) == 0) note(KIND_UDP, ABSENT, 0, W.cur, W.cur + 6, W.cur, to, 0, 0);
  else if (W.l4Reason && !whole) noteUnverifiable(KIND_UDP, W.l4Reason, 6);
  else if (len > room) noteUnverifiable(KIND_UDP, LENGTH_BEYOND_PACKET, 6);
  else judge(KIND_UDP, 6, to, pseudo(17, len), pseudo(17, len), NO_SEED);
  if (W.l4Reason == FRAGMENT || len < 8) {
    last();
    return;
  }
  if (len < room) setEnd(to);
  const source = be16(W.cur);
  const destination = be16(W.cur + 2);
  go(NS_UDP_PORT, destination | source << 16, 8);
}

function udpLite(): void {
  if (!refuse(KIND_UDPLITE, 6, 8, true)) {
    const len = <u32>(W.end - W.cur);
    let coverage = be16(W.cur + 4);
    if (coverage == 0) coverage = len;
    const sum = pseudo(136, len);
    if (coverage < 8) noteUnverifiable(KIND_UDPLITE, MALFORMED, 6);
    else if (coverage > len) noteUnverifiable(KIND_UDPLITE, LENGTH_BEYOND_PACKET, 6);
    else judge(KIND_UDPLITE, 6, W.cur + coverage, sum, sum, NO_SEED);
  }
  last();
}

/** Checksum coverage n > 0: header and options, and n - 1 words of data (RFC 4340 section 9.2). */
function dccp(): void {
  if (!refuse(KIND_DCCP, 6, 12, true)) {
    const len = <u32>(W.end - W.cur);
    const header: u32 = <u32>load<u8>(W.cur, 4) << 2;
    const coverage: u32 = load<u8>(W.cur, 5) & 15;
    const covered = coverage == 0 ? len : header + ((coverage - 1) << 2);
    const sum = pseudo(33, len);
    if (coverage && header < 12) noteUnverifiable(KIND_DCCP, MALFORMED, 6);
    else if (covered > len) noteUnverifiable(KIND_DCCP, LENGTH_BEYOND_PACKET, 6);
    else judge(KIND_DCCP, 6, W.cur + covered, sum, sum, NO_SEED);
  }
  last();
}

export function sctp(): void {
  if (!refuse(KIND_SCTP, 8, 12, false)) judgeSctp();
  last();
}

function igmp(): void {
  if (!refuse(KIND_IGMP, 2, 8, false)) judge(KIND_IGMP, 2, W.end, 0, NO_SEED, NO_SEED);
  last();
}

/**
 * The extension structure of an ICMP error has a checksum of its own (RFC 4884 section 7); 0 means none. `words`
 * is the length of the quoted packet; where it says nothing, senders before that RFC quoted 128 bytes, which is
 * believed when the structure's version and checksum are right.
 */
function icmpExtension(unit: u32, words: u32): void {
  const quote = words ? words * unit : 128;
  const len = <u32>(W.end - W.cur);
  if (len < 8 + quote + 4) return;
  const at = W.cur + 8 + quote;
  const end = W.end;
  if (at + 4 > W.lim || load<u8>(at) >> 4 != 2) return;
  const header = W.cur;
  const count = W.count;
  W.cur = at;
  W.pseudo = 0;
  if (load<u16>(at, 2) == 0) {
    if (words) note(KIND_ICMP_EXT, ABSENT, 0, at, at + 2, at, end, 0, 0);
  } else if (words || rightExtension(at, end)) {
    judge(KIND_ICMP_EXT, 2, end, 0, NO_SEED, NO_SEED);
  }
  W.cur = header;
  if (words || W.count > count) setEnd(at);
}

function rightExtension(at: usize, end: usize): bool {
  return end <= W.cap && csum_partial(at, <u32>(end - at), 0) == 0xffff;
}

/** An ICMP error quotes the packet it is about: header at +8. */
function quote(ethertype: u32): void {
  W.flags |= IN_QUOTE;
  go(NS_ETHERTYPE, ethertype, 8);
}

/** After a refusal: does the walk end here? A length that says too much does not hide the packet quoted. */
function unreadable(min: u32): bool {
  return W.l4Reason != LENGTH_BEYOND_PACKET || missing(min) != 0;
}

function icmp(): void {
  if (!refuse(KIND_ICMP, 2, 8, false)) {
    judge(KIND_ICMP, 2, W.end, 0, NO_SEED, NO_SEED);
  } else if (unreadable(8)) {
    last();
    return;
  }
  const type: u32 = load<u8>(W.cur);
  if (W.flags & IN_QUOTE || !(type == 3 || type == 4 || type == 5 || type == 11 || type == 12)) {
    last();
    return;
  }
  if (type == 3 || type == 11 || type == 12) icmpExtension(4, load<u8>(W.cur, 5));
  quote(0x0800);
}

function icmpv6(): void {
  if (!refuse(KIND_ICMPV6, 2, 4, true)) {
    const sum = pseudo(58, <u32>(W.end - W.cur));
    judge(KIND_ICMPV6, 2, W.end, sum, sum, NO_SEED);
  } else if (unreadable(4)) {
    last();
    return;
  }
  const type: u32 = load<u8>(W.cur);
  if (W.flags & IN_QUOTE || type == 0 || type > 4 || W.lim - W.cur < 8) {
    last();
    return;
  }
  if (type == 1 || type == 3) icmpExtension(8, load<u8>(W.cur, 4));
  quote(0x86dd);
}

/** IPv4's authentication header: skipped, its payload is in the clear. */
function authentication(): void {
  if (cut(8)) return;
  const len = (<u32>load<u8>(W.cur, 1) + 2) << 2;
  if (cut(len)) return;
  go(NS_IP, load<u8>(W.cur), len);
}

export function ipProto(): void {
  switch (W.proto) {
    case 6: tcp(); return;
    case 17: udp(); return;
    case 1: icmp(); return;
    case 58: icmpv6(); return;
    case 2: igmp(); return;
    case 47: gre(); return;
    case 132: sctp(); return;
    case 136: udpLite(); return;
    case 33: dccp(); return;
    case 50: stop(STOP_ENCRYPTED); return;
  }
  if (W.l4Reason == FRAGMENT) {
    last();
    return;
  }
  switch (W.proto) {
    case 4: case 94: go(NS_ETHERTYPE, 0x0800, 0); return;
    case 41: go(NS_ETHERTYPE, 0x86dd, 0); return;
    case 51: authentication(); return;
    // EtherIP; MPLS in IP; Ethernet after a segment routing header (RFC 8986)
    case 97: if (!cut(2)) go(NS_ETHERNET, 0, 2); return;
    case 137: go(NS_ETHERTYPE, 0x8847, 0); return;
    case 143: go(NS_ETHERNET, 0, 0); return;
    default: stop(STOP_NO_CHECKSUM);
  }
}
