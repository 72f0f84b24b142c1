// The checker's module: one packet or many, from the link type down to the last checksum.
import {
  BAD, NS_ETHERNET, NS_ETHERTYPE, NS_GUESS, NS_IP, NS_LLC, NS_PPP, NS_STOP, NS_UDP_PORT, PARTIAL, STOP_TOO_DEEP,
} from "./codes";
import { etherType, ethernet, guess, llc, ppp } from "./ethertype";
import { fixRecords } from "./fix";
import { ipProto } from "./l4";
import { enterLink } from "./link";
import { innerPartials } from "./partial";
import { MAX_PORTS, MAX_RECORDS, MAX_STEPS, PORTS, RECORD, RECORDS, stop, W } from "./state";
import { udpPort } from "./tunnel";

export { frag_setup } from "./fragment";

/** Bytes the area of {@link setup} needs. */
export function area_size(): u32 {
  return PORTS + MAX_PORTS * 4;
}

/**
 * Tell of a UDP port.
 * @param kind - ENCAP_ code, or 0x100 + IP protocol for FOU
 * @returns false: the table is full
 */
export function udp_encap(port: u32, kind: u32): bool {
  if (W.ports == MAX_PORTS) return false;
  store<u32>(W.area + PORTS + (W.ports << 2), port | (kind << 16));
  W.ports++;
  return true;
}

/** Give the walker its area; 4-aligned. */
export function setup(area: usize): void {
  W.area = area;
  W.ports = 0;
  memory.fill(area, 0, RECORDS);
}

/** Where the records of one packet begin. */
export function records(): usize {
  return W.area + RECORDS;
}

/** Records of the last packet. */
export function count(): u32 {
  return W.count;
}

/** Where the walk of the last packet ended (STOP_ codes). */
export function stopped(): u32 {
  return W.stop;
}

function walk(frame: usize, captured: u32, wire: u32, linkType: u32): void {
  W.count = 0;
  W.seen = 0;
  W.flags = 0;
  W.ipHeaders = 0;
  W.l4Reason = 0;
  W.vlan = 0;
  W.pseudo = 0;
  W.packet++;
  W.base = frame;
  W.cur = frame;
  W.cap = frame + captured;
  // a wire length may lie; addresses must not wrap
  W.end = frame + max<u32>(captured, min<u32>(wire, ~<u32>frame));
  W.lim = W.cap;
  const first = W.next;
  enterLink(linkType);
  for (let steps: u32 = 0; W.ns != NS_STOP; steps++) {
    if (steps == MAX_STEPS || W.count > MAX_RECORDS - 4) {
      stop(STOP_TOO_DEEP);
      break;
    }
    switch (W.ns) {
      case NS_ETHERTYPE: etherType(); break;
      case NS_IP: ipProto(); break;
      case NS_ETHERNET: ethernet(); break;
      case NS_UDP_PORT: udpPort(); break;
      case NS_PPP: ppp(); break;
      case NS_LLC: llc(); break;
      case NS_GUESS: guess(); break;
      default: stop(STOP_TOO_DEEP);
    }
  }
  if ((W.seen & ((1 << PARTIAL) | (1 << BAD))) == ((1 << PARTIAL) | (1 << BAD))) innerPartials(first);
}

/**
 * Check one frame.
 * @param captured - bytes at `frame`; `wire` bytes it had on the wire; `time` seconds, for fragments
 * @returns how many checksums were found; their records are at {@link records}
 */
export function check(frame: usize, captured: u32, wire: u32, linkType: u32, time: u32): u32 {
  W.next = W.area + RECORDS;
  W.time = time;
  walk(frame, captured, wire, linkType);
  return W.count;
}

/**
 * Check many frames.
 * @param frames - {u32 address, captured, wire, link type, seconds} each
 * @param results - one u32 each: records | where the walk ended << 8 | verdicts seen, 1 << verdict, << 16
 * @param into - room for records, one packet's after the other's
 * @param bytes - of that room; less than a packet's worst case: none are kept
 * @returns frames done: fewer than `count` when the room is used up
 */
export function check_batch(frames: usize, count: u32, results: usize, into: usize, bytes: u32): u32 {
  const keep = bytes >= MAX_RECORDS * RECORD;
  const last = into + bytes - MAX_RECORDS * RECORD;
  W.next = into;
  for (let i: u32 = 0; i < count; i++) {
    if (!keep) W.next = W.area + RECORDS;
    else if (W.next > last) return i;
    W.time = load<u32>(frames, 16);
    walk(load<u32>(frames), load<u32>(frames, 4), load<u32>(frames, 8), load<u32>(frames, 12));
    store<u32>(results, W.count | (W.stop << 8) | (W.seen << 16));
    frames += 20;
    results += 4;
  }
  return count;
}

/**
 * Check one frame and fill its fields in place.
 * @returns fields written
 */
export function fix(frame: usize, captured: u32, wire: u32, linkType: u32, time: u32, all: bool): u32 {
  check(frame, captured, wire, linkType, time);
  return fixRecords(frame, W.area + RECORDS, all);
}
