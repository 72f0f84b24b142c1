// GRE in both versions, and what it carries.
import {
  FRAGMENT, KIND_GRE, NS_ETHERNET, NS_ETHERTYPE, STOP_FRAGMENT_FIRST, STOP_NO_CHECKSUM,
  UNKNOWN_DESTINATION,
} from "./codes";
import { judge, NO_SEED } from "./judge";
import { be16, cut, go, missing, noteUnverifiable, setEnd, stop, W } from "./state";

const CSUM: u32 = 0x8000;
const ROUTING: u32 = 0x4000;
const KEY: u32 = 0x2000;
const SEQ: u32 = 0x1000;
const ACK: u32 = 0x0080;

/** The checksum covers header and payload; it has no pseudo header, so what is left to a device is 0. */
function checksum(): void {
  let reason = missing(8);
  if (!reason && W.l4Reason != UNKNOWN_DESTINATION) reason = W.l4Reason;
  W.pseudo = 0;
  if (reason) noteUnverifiable(KIND_GRE, reason, 4);
  else judge(KIND_GRE, 4, W.end, 0, 0, NO_SEED);
}

/** Source route entries of RFC 1701: family, offset, length; a null entry ends the list. */
function skipRoutes(): bool {
  while (true) {
    if (cut(4)) return false;
    const family = be16(W.cur);
    const len: u32 = load<u8>(W.cur, 3);
    if (cut(4 + len)) return false;
    W.cur += 4 + len;
    if (family == 0 && len == 0) return true;
  }
}

/** ERSPAN II or III in front of a mirrored frame. */
function erspan3(): void {
  if (cut(12)) return;
  const sub: u32 = load<u8>(W.cur, 11) & 1 ? 8 : 0;
  if (cut(12 + sub)) return;
  go(NS_ETHERNET, 0, 12 + sub);
}

export function gre(): void {
  const reason = missing(4);
  if (reason) {
    cut(4);
    return;
  }
  const flags = be16(W.cur);
  const type = be16(W.cur + 2);
  if (flags & CSUM) checksum();
  if (W.l4Reason == FRAGMENT) {
    stop(STOP_FRAGMENT_FIRST);
    return;
  }
  // any other version is taken for 0
  const version = flags & 7;
  let len: u32 = 4;
  if (flags & (CSUM | ROUTING)) len += 4;
  if (flags & KEY) len += 4;
  if (flags & SEQ) len += 4;
  if (version == 1 && flags & ACK) len += 4;
  if (cut(len)) return;
  const header = W.cur;
  W.cur += len;
  if (flags & ROUTING && !skipRoutes()) return;

  if (version == 1) {
    // PPTP: the key's upper half is the payload's length (RFC 2637); without a sequence number there is none
    const payload = be16(header + 4);
    if (flags & KEY && payload < <u32>(W.end - W.cur)) setEnd(W.cur + payload);
    if (type == 0x880b && !(flags & SEQ)) {
      stop(STOP_NO_CHECKSUM);
      return;
    }
  }
  switch (type) {
    // ERSPAN I has neither sequence number nor header, II has both
    case 0x88be: {
      const skip: u32 = flags & SEQ ? 8 : 0;
      if (!cut(skip)) go(NS_ETHERNET, 0, skip);
      return;
    }
    case 0x22eb: erspan3(); return;
    // WCCP 2 puts four bytes between, which no IP version begins with
    case 0x883e: {
      if (cut(4)) return;
      go(NS_ETHERTYPE, 0x0800, load<u8>(W.cur) >> 4 == 4 ? 0 : 4);
      return;
    }
    default: go(NS_ETHERTYPE, type, 0);
  }
}
