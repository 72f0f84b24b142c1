// The walk in progress, and the checksums found so far.
import {
  IN_QUOTE, MALFORMED, NS_STOP, QUOTED, REASSEMBLED, STOP_MALFORMED, STOP_TRUNCATED, TRUNCATED, UNVERIFIABLE,
} from "./codes";

/** Bytes of a record. */
export const RECORD: u32 = 32;
/** Records a packet may have; the walk ends there. */
export const MAX_RECORDS: u32 = 96;
/** Headers a packet may have, VLAN tags and extension headers included. */
export const MAX_STEPS: u32 = 96;
/** IP headers a packet may have, tunnels within tunnels. */
export const MAX_IP: u32 = 16;

/** Kinds times verdicts, u32 each. */
export const COUNTERS: u32 = 16 * 8;
/** Where the records of one packet begin in the area. */
export const RECORDS: u32 = 16 + COUNTERS * 4;

/** Ports that the user told of, after the records: u32 each, port | kind << 16. */
export const PORTS: u32 = RECORDS + MAX_RECORDS * RECORD;
export const MAX_PORTS: u32 = 64;

/** Walk state: addresses are absolute, lengths bytes. */
export class W {
  /** Area of the caller: 16 zero bytes, the counters, then the records of one packet. */
  static area: usize = 0;
  /** Ports in the table. */
  static ports: u32 = 0;
  /** Next record. */
  static next: usize = 0;
  static count: u32 = 0;

  /** Offsets in records count from here. */
  static base: usize = 0;
  /** The header the walk looks at. */
  static cur: usize = 0;
  /** End of what the headers so far say belongs to it. */
  static end: usize = 0;
  /** End of the captured bytes. */
  static cap: usize = 0;
  /** The lesser of both: nothing is read from here on. */
  static lim: usize = 0;

  static ns: u32 = NS_STOP;
  static proto: u32 = 0;
  static stop: u32 = 0;
  static ipHeaders: u32 = 0;
  static flags: u32 = 0;
  static vlan: u32 = 0;
  /** Number of the packet, wrapping. */
  static packet: u32 = 0;
  /** Seconds, for the age of fragments. */
  static time: u32 = 0;

  /** Sum of the pseudo header's addresses, canonical. */
  static addresses: u32 = 0;
  /** 4 or 6: the IP header it belongs to. */
  static family: u32 = 0;
  /** Sum of the whole pseudo header of the checksum that is noted next. */
  static pseudo: u32 = 0;
  /** Why the transport checksum of this IP layer cannot be verified, or 0. */
  static l4Reason: u32 = 0;
  /** Verdict bits of this packet: 1 << verdict. */
  static seen: u32 = 0;
}

// @ts-ignore: decorator
@inline
export function be16(at: usize): u32 {
  return <u32>bswap<u16>(load<u16>(at));
}

// @ts-ignore: decorator
@inline
export function be32(at: usize): u32 {
  return bswap<u32>(load<u32>(at));
}

/** End-around addition of two canonical sums. */
// @ts-ignore: decorator
@inline
export function add16(a: u32, b: u32): u32 {
  const sum = a + b;
  return (sum & 0xffff) + (sum >> 16);
}

// @ts-ignore: decorator
@inline
export function setEnd(end: usize): void {
  W.end = end;
  W.lim = min<usize>(end, W.cap);
}

/** 0 when `n` bytes of the header at the cursor can be read, otherwise why not. */
// @ts-ignore: decorator
@inline
export function missing(n: u32): u32 {
  if (W.lim - W.cur >= n) return 0;
  return whyMissing(n);
}

function whyMissing(n: u32): u32 {
  if (W.flags & IN_QUOTE) return QUOTED;
  return W.end - W.cur >= n ? TRUNCATED : MALFORMED;
}

/** Leave the walk. */
export function stop(code: u32): void {
  W.ns = NS_STOP;
  W.stop = code;
}

/** Leave because a header without a checksum of its own is not whole: true when so. */
export function cut(n: u32): bool {
  const reason = missing(n);
  if (!reason) return false;
  stop(reason == TRUNCATED ? STOP_TRUNCATED : STOP_MALFORMED);
  return true;
}

// @ts-ignore: decorator
@inline
export function go(ns: u32, proto: u32, skip: u32): void {
  W.ns = ns;
  W.proto = proto;
  W.cur += skip;
}

/** Note a checksum; values as the bytes lie in the packet, read big endian. */
export function note(
  kind: u32, verdict: u32, reason: u32, header: usize, field: usize, from: usize, to: usize, found: u32, expected: u32,
): void {
  const counter = W.area + 16 + ((kind * 8 + verdict) << 2);
  store<u32>(counter, load<u32>(counter) + 1);
  W.seen |= 1 << verdict;
  const at = W.next;
  store<u32>(at, kind | (verdict << 8) | (reason << 16) | (W.flags << 24));
  store<u32>(at, <u32>(header - W.base), 4);
  store<u32>(at, <u32>(field - W.base), 8);
  store<u32>(at, <u32>(from - W.base), 12);
  store<u32>(at, <u32>(to - W.base), 16);
  store<u32>(at, found, 20);
  store<u32>(at, expected, 24);
  store<u32>(at, W.pseudo, 28);
  W.next = at + RECORD;
  W.count++;
}

/** A checksum that cannot be verified. Its field may lie beyond the captured bytes; then found is 0. */
export function noteUnverifiable(kind: u32, reason: u32, field: u32): void {
  const at = W.cur + field;
  const size: u32 = kind == 9 ? 4 : 2;
  let found: u32 = 0;
  if (at + size <= W.lim) found = size == 4 ? be32(at) : be16(at);
  note(kind, UNVERIFIABLE, reason, W.cur, at, W.cur, max<usize>(W.end, W.cur), found, 0);
}

/** Everything from here on lies in a buffer of reassembled fragments. */
export function enterBuffer(at: usize, len: u32): void {
  W.base = at;
  W.cur = at;
  W.cap = at + len;
  W.flags |= REASSEMBLED;
  setEnd(at + len);
}
