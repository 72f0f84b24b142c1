// IPv4: its header checksum, its payload's bounds, its pseudo header.
import {
  FRAGMENT, IN_QUOTE, KIND_IPV4, LENGTH_BEYOND_PACKET, MALFORMED, NS_IP, QUOTED, STOP_MALFORMED, STOP_TOO_DEEP, TRUNCATED,
} from "./codes";
import { fragmentIpv4 } from "./fragment";
import { judge, NO_SEED, shortSum } from "./judge";
import { add16, be16, go, MAX_IP, missing, noteUnverifiable, setEnd, stop, W } from "./state";

/**
 * The final destination: with a source route under way the last address of the route, not the header's
 * (RFC 1122 section 3.2.1.8: the pseudo header takes the ultimate destination).
 * @returns its address in memory
 */
function finalDestination(header: usize, len: u32): usize {
  let at: u32 = 20;
  while (at + 1 < len) {
    const option = load<u8>(header + at);
    if (option == 0) break;
    if (option == 1) {
      at++;
      continue;
    }
    const size: u32 = load<u8>(header + at, 1);
    if (size < 2 || at + size > len) break;
    if (option == 131 || option == 137) {
      const pointer: u32 = load<u8>(header + at, 2);
      if (size >= 7 && pointer >= 4 && pointer + 3 <= size) return header + at + ((size - 3) & ~3) - 1;
    }
    at += size;
  }
  return header + 16;
}

function bad(reason: u32): void {
  noteUnverifiable(KIND_IPV4, reason, 10);
  stop(STOP_MALFORMED);
}

export function ipv4(): void {
  if (++W.ipHeaders > MAX_IP) {
    stop(STOP_TOO_DEEP);
    return;
  }
  const cutShort = missing(20);
  if (cutShort) {
    bad(cutShort);
    return;
  }
  const header = W.cur;
  const first: u32 = load<u8>(header);
  const len: u32 = (first & 15) << 2;
  if (first >> 4 != 4 || len < 20) {
    bad(MALFORMED);
    return;
  }
  const options = missing(len);
  if (options) {
    bad(options);
    return;
  }
  // a length of 0 is a super-packet that a device was to cut: it ends with the frame
  const total = be16(header + 2);
  if (total && total < len) {
    bad(MALFORMED);
    return;
  }
  judge(KIND_IPV4, 10, header + len, 0, NO_SEED, NO_SEED);

  const room = <u32>(W.end - header);
  W.l4Reason = 0;
  W.family = 4;
  if (total > room) W.l4Reason = W.flags & IN_QUOTE ? QUOTED : LENGTH_BEYOND_PACKET;
  else if (total) setEnd(header + total);

  const destination = len == 20 ? header + 16 : finalDestination(header, len);
  W.addresses = add16(shortSum(header + 12, 4, 0), shortSum(destination, 4, 0));
  go(NS_IP, load<u8>(header, 9), len);
  const fragment = be16(header + 6) & 0x3fff;
  if (fragment) fragmentIpv4(header, fragment);
}
