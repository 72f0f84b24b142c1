// Fragments: put together in a table of fixed size, or said to be unverifiable.
import {
  FRAGMENT, FRAGMENT_OVERLAP, IN_QUOTE, STOP_FRAGMENT_NOT_FIRST, STOP_MALFORMED,
} from "./codes";
import { enterBuffer, stop, W } from "./state";

/** Bytes of a datagram being put together: this head, the units that are there, their data. */
const UNITS: u32 = 96;
const DATA: u32 = UNITS + 1024;
/** Bytes of a slot. */
export const SLOT: u32 = DATA + 65536 + 32;

const USED: u32 = 0;
const STAMP: u32 = 4;
const HASH: u32 = 8;
const ID: u32 = 12;
const META: u32 = 16;
const TOTAL: u32 = 20;
const RECEIVED: u32 = 24;
const TIME: u32 = 28;
const SOURCE: u32 = 32;
const DESTINATION: u32 = 48;
const PROTO: u32 = 64;

/** Seconds after which the kernel gives a datagram up (ipfrag_time, ip6frag_time). */
const LIFETIME_IPV4: u32 = 30;
const LIFETIME_IPV6: u32 = 60;

/** The table. */
class T {
  static base: usize = 0;
  static slots: u32 = 0;
  static stamp: u32 = 0;
}

/**
 * Give the table its memory.
 * @param bytes - as many slots as fit; 0: fragments are not put together
 */
export function frag_setup(base: usize, bytes: u32): u32 {
  T.base = base;
  T.slots = bytes / SLOT;
  T.stamp = 0;
  for (let i: u32 = 0; i < T.slots; i++) store<u32>(base + i * SLOT, 0);
  return T.slots;
}

/** What tells datagrams apart; addresses of `bytes` bytes lie one after the other at `at`. */
class Key {
  static at: usize = 0;
  static bytes: u32 = 0;
  static id: u32 = 0;
  static meta: u32 = 0;
  static hash: u32 = 0;
}

function makeKey(at: usize, bytes: u32, id: u32, meta: u32): void {
  Key.at = at;
  Key.bytes = bytes;
  Key.id = id;
  Key.meta = meta;
  let hash = id * 0x9e37_79b1 + meta;
  for (let i: u32 = 0; i < 2 * bytes; i += 4) hash = rotl<u32>(hash ^ load<u32>(at + i), 13) * 0x85eb_ca6b;
  Key.hash = hash;
}

function matches(slot: usize): bool {
  if (load<u32>(slot, HASH) != Key.hash || load<u32>(slot, USED) != 1) return false;
  if (load<u32>(slot, ID) != Key.id || load<u32>(slot, META) != Key.meta) return false;
  for (let i: u32 = 0; i < Key.bytes; i += 4) {
    if (load<u32>(slot + i, SOURCE) != load<u32>(Key.at + i)) return false;
    if (load<u32>(slot + i, DESTINATION) != load<u32>(Key.at + Key.bytes + i)) return false;
  }
  return true;
}

function clear(slot: usize): void {
  store<u32>(slot, 1, USED);
  store<u32>(slot, Key.hash, HASH);
  store<u32>(slot, Key.id, ID);
  store<u32>(slot, Key.meta, META);
  store<u32>(slot, 0, TOTAL);
  store<u32>(slot, 0, RECEIVED);
  store<u32>(slot, W.time, TIME);
  store<u32>(slot, 0, PROTO);
  memory.copy(slot + SOURCE, Key.at, Key.bytes);
  memory.copy(slot + DESTINATION, Key.at + Key.bytes, Key.bytes);
  memory.fill(slot + UNITS, 0, 1024);
}

/** The slot of the key's datagram; a new one takes a free slot, or the one not touched for longest. */
function slotOf(lifetime: u32): usize {
  let oldest: usize = T.base;
  let oldestStamp: u32 = 0xffff_ffff;
  for (let i: u32 = 0; i < T.slots; i++) {
    const slot = T.base + i * SLOT;
    if (matches(slot)) {
      if (W.time > load<u32>(slot, TIME) + lifetime) clear(slot);
      return slot;
    }
    const used = load<u32>(slot, USED);
    // free, or finished by an earlier packet
    const free = used == 0 || (used == 2 && load<u32>(slot, HASH) != W.packet);
    const stamp: u32 = free ? 0 : load<u32>(slot, STAMP);
    if (stamp < oldestStamp) {
      oldestStamp = stamp;
      oldest = slot;
    }
  }
  clear(oldest);
  return oldest;
}

/** Units [from, to) that are there already: 0 none, 1 some, 2 all. */
function present(slot: usize, from: u32, to: u32): u32 {
  let there: u32 = 0;
  for (let unit = from; unit < to; unit++) there += (load<u8>(slot + (unit >> 3), UNITS) >> <u8>(unit & 7)) & 1;
  return there == 0 ? 0 : there == to - from ? 2 : 1;
}

/**
 * Put the payload at the cursor in.
 * @param offset - in units of 8 bytes
 * @returns 0 not complete, 1 complete (the walk is in the buffer), or a reason
 */
function insert(offset: u32, more: bool, proto: u32, lifetime: u32): u32 {
  const len = <u32>(W.end - W.cur);
  const at = offset << 3;
  if (len == 0 || at + len > 0xffff || (more && len & 7)) return FRAGMENT;
  const slot = slotOf(lifetime);
  store<u32>(slot, ++T.stamp, STAMP);
  const to = offset + ((len + 7) >> 3);
  const data = slot + DATA;
  const total = load<u32>(slot, TOTAL);
  const conflict = (total && (at + len > total || (!more && at + len != total)));
  const overlap = present(slot, offset, to);
  if (conflict || overlap == 1 || (overlap == 2 && memory.compare(data + at, W.cur, len) != 0)) {
    // RFC 5722: a datagram with overlapping fragments is given up; an exact copy does no harm
    store<u32>(slot, 0, USED);
    return FRAGMENT_OVERLAP;
  }
  if (overlap == 0) {
    memory.copy(data + at, W.cur, len);
    for (let unit = offset; unit < to; unit++) {
      const byte = slot + UNITS + (unit >> 3);
      store<u8>(byte, load<u8>(byte) | <u8>(1 << (<u8>unit & 7)));
    }
    store<u32>(slot, load<u32>(slot, RECEIVED) + to - offset, RECEIVED);
  }
  if (!more) store<u32>(slot, at + len, TOTAL);
  if (offset == 0) store<u32>(slot, proto, PROTO);
  const whole = load<u32>(slot, TOTAL);
  if (whole == 0 || load<u32>(slot, RECEIVED) != (whole + 7) >> 3) return 0;
  W.proto = load<u32>(slot, PROTO);
  // free as soon as this packet is walked
  store<u32>(slot, 2, USED);
  store<u32>(slot, W.packet, HASH);
  enterBuffer(data, whole);
  return 1;
}

function fragment(offset: u32, more: bool, lifetime: u32): void {
  let reason: u32 = 0;
  if (T.slots && !W.l4Reason && !(W.flags & IN_QUOTE) && W.end <= W.cap) {
    reason = insert(offset, more, W.proto, lifetime);
    if (reason == 1) return;
  }
  if (offset) stop(reason == FRAGMENT_OVERLAP ? STOP_MALFORMED : STOP_FRAGMENT_NOT_FIRST);
  else if (!W.l4Reason) W.l4Reason = reason > 1 ? reason : FRAGMENT;
}

/** @param bits - offset and more-fragments bit of the header, not both 0; the cursor is at the payload */
export function fragmentIpv4(header: usize, bits: u32): void {
  if (T.slots) makeKey(header + 12, 4, load<u16>(header, 4), 4 | (W.proto << 8) | (W.vlan << 16));
  fragment(bits & 0x1fff, (bits & 0x2000) != 0, LIFETIME_IPV4);
}

/** @param bits - offset in the upper 13 bits, more-fragments in the lowest; the cursor is behind the header */
export function fragmentIpv6(header: usize, bits: u32, id: u32): void {
  if (T.slots) makeKey(header + 8, 16, id, 6 | (W.vlan << 16));
  fragment(bits >> 3, (bits & 1) != 0, LIFETIME_IPV6);
}
