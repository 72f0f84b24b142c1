// IPv6: extension headers, the final destination, jumbograms.
import {
  IN_QUOTE, LENGTH_BEYOND_PACKET, NS_IP, NS_STOP, QUOTED, STOP_ENCRYPTED, STOP_MALFORMED, STOP_NO_CHECKSUM, STOP_TOO_DEEP,
  UNKNOWN_DESTINATION,
} from "./codes";
import { fragmentIpv6 } from "./fragment";
import { shortSum } from "./judge";
import { be16, be32, cut, go, MAX_IP, setEnd, stop, W } from "./state";

const HOP: u32 = 0;
const ROUTING: u32 = 43;
const FRAGMENT_HEADER: u32 = 44;
const ESP: u32 = 50;
const AH: u32 = 51;
const NONE: u32 = 59;
const DEST: u32 = 60;
/** Extension headers walked in one packet. */
const MAX_EXTENSIONS: u32 = 64;

/** What the extension headers change. */
class X {
  static source: usize = 0;
  static destination: usize = 0;
  /** Routing headers still under way. */
  static routes: u32 = 0;
  /** Jumbo payload length, 0 for none. */
  static jumbo: u32 = 0;
  /** Sum of a destination put together from two places, or 0x10000 for none. */
  static composed: u32 = 0;
}

/** Options of a hop-by-hop or destination header of `len` bytes at the cursor. */
function options(len: u32, hop: bool): void {
  let at: u32 = 2;
  while (at + 1 < len) {
    const type: u32 = load<u8>(W.cur + at);
    if (type == 0) {
      at++;
      continue;
    }
    const size: u32 = load<u8>(W.cur + at, 1);
    if (at + 2 + size > len) return;
    if (hop && type == 0xc2 && size == 4) X.jumbo = be32(W.cur + at + 2);
    // home address (RFC 6275): the source of the pseudo header while the packet is under way
    if (!hop && type == 0xc9 && size == 16) X.source = W.cur + at + 2;
    at += 2 + size;
  }
}

/** RPL (RFC 6554): all but the last address elide CmprI bytes, the last elides CmprE, then padding. */
function rplDestination(len: u32): bool {
  const compressed: u32 = load<u8>(W.cur, 4);
  const pad: u32 = <u32>load<u8>(W.cur, 5) >> 4;
  const elided: u32 = compressed & 15;
  const size: u32 = 16 - elided;
  const left: u32 = load<u8>(W.cur, 3);
  if (size + pad + 8 > len) return false;
  const others = len - size - pad - 8;
  const each: u32 = 16 - (compressed >> 4);
  if (others % each || left > others / each + 1) return false;
  const last = W.cur + len - pad - size;
  // the elided bytes are the header's own; an odd split crosses a word
  const rest = shortSum(last, size, 0);
  X.composed = shortSum(X.destination, elided, elided & 1 ? <u32>bswap<u16>(<u16>rest) : rest);
  return true;
}

/** 5f00::/16 is for segment identifiers alone (RFC 9602). */
function isSid(address: usize): bool {
  return be16(address) == 0x5f00;
}

/** A routing header of `len` bytes at the cursor: where does the packet end up? */
function routing(len: u32): void {
  const left: u32 = load<u8>(W.cur, 3);
  if (left == 0) return;
  const words: u32 = load<u8>(W.cur, 1);
  const type: u32 = load<u8>(W.cur, 2);
  let known = ++X.routes == 1;
  if (type == 0) {
    known = known && words > 0 && !(words & 1) && left <= words >> 1;
    if (known) X.destination = W.cur + len - 16;
  } else if (type == 2) {
    known = known && words == 2 && left == 1;
    if (known) X.destination = W.cur + 8;
  } else if (type == 3) {
    known = known && rplDestination(len);
  } else if (type == 4) {
    const last: u32 = load<u8>(W.cur, 4);
    // a reduced list omits the first segment
    known = known && left <= last + 1 && words >= 2 * (last + 1);
    // a SID may be compressed: its endpoint rewrites the destination
    known = known && !isSid(X.destination) && !isSid(W.cur + 8);
    if (known) X.destination = W.cur + 8;
  } else {
    known = false;
  }
  if (!known && !W.l4Reason) W.l4Reason = UNKNOWN_DESTINATION;
}

/** Sum of the addresses of the pseudo header. */
function addresses(): void {
  let sum = shortSum(X.source, 16, 0);
  sum = X.composed > 0xffff ? shortSum(X.destination, 16, sum) : shortSum(X.source, 0, sum + X.composed);
  W.addresses = sum;
}

/** Why a packet is shorter than it says: an ICMP error may quote just its beginning. */
function beyond(): u32 {
  return W.flags & IN_QUOTE ? QUOTED : LENGTH_BEYOND_PACKET;
}

export function ipv6(): void {
  if (++W.ipHeaders > MAX_IP) {
    stop(STOP_TOO_DEEP);
    return;
  }
  if (cut(40)) return;
  const header = W.cur;
  if (load<u8>(header) >> 4 != 6) {
    stop(STOP_MALFORMED);
    return;
  }
  const payload = be16(header + 4);
  const room = <u32>(W.end - header) - 40;
  W.l4Reason = 0;
  W.family = 6;
  if (payload > room) W.l4Reason = beyond();
  else if (payload) setEnd(header + 40 + payload);
  // 0: a jumbogram, or a super-packet, which ends with the frame

  X.source = header + 8;
  X.destination = header + 24;
  X.routes = 0;
  X.composed = 0x10000;
  W.cur = header + 40;
  let next: u32 = load<u8>(header, 6);
  for (let i: u32 = 0; i < MAX_EXTENSIONS; i++) {
    switch (next) {
      case HOP: case DEST: case ROUTING: {
        if (cut(8)) return;
        const len = (<u32>load<u8>(W.cur, 1) + 1) << 3;
        if (cut(len)) return;
        if (next == ROUTING) {
          routing(len);
        } else {
          X.jumbo = 0;
          options(len, next == HOP);
          if (X.jumbo && !payload) {
            if (X.jumbo > room) W.l4Reason = beyond();
            else if (X.jumbo >= len) setEnd(header + 40 + X.jumbo);
          }
        }
        next = load<u8>(W.cur);
        W.cur += len;
        break;
      }
      case AH: {
        if (cut(8)) return;
        const len = (<u32>load<u8>(W.cur, 1) + 2) << 2;
        if (cut(len)) return;
        next = load<u8>(W.cur);
        W.cur += len;
        break;
      }
      case FRAGMENT_HEADER: {
        if (cut(8)) return;
        const offset = be16(W.cur + 2) & 0xfff9;
        const id = load<u32>(W.cur, 4);
        next = load<u8>(W.cur);
        W.cur += 8;
        if (!offset) break;
        addresses();
        go(NS_IP, next, 0);
        fragmentIpv6(header, offset, id);
        if (W.ns == NS_STOP || W.l4Reason) return;
        // reassembled: the walk goes on in the buffer, the addresses stay
        next = W.proto;
        break;
      }
      case ESP: stop(STOP_ENCRYPTED); return;
      case NONE: stop(STOP_NO_CHECKSUM); return;
      default: {
        addresses();
        go(NS_IP, next, 0);
        return;
      }
    }
  }
  stop(STOP_TOO_DEEP);
}
