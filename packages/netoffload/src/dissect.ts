/**
 * What a flow dissector's graph finds in a frame, in the kernel's words: struct bpf_flow_keys (the graph's metameta
 * area), the keys of struct flow_keys, the payload offset of filters, the header length that drivers pull.
 */
import { isOkay } from "@netoffload/cpr-ir";

/** Bytes of struct bpf_flow_keys. */
export const BPF_FLOW_KEYS = 56;
/** Bytes behind it, in a graph's frame: what the struct cannot hold. */
export const FRAME = 32;
/** Members of struct bpf_flow_keys, and behind it what the struct cannot hold. */
export const AT = {
  nhoff: 0,
  thoff: 2,
  addrProto: 4,
  isFrag: 6,
  isFirstFrag: 7,
  isEncap: 8,
  ipProto: 9,
  nProto: 10,
  ports: 12,
  addrs: 16,
  flowLabel: 52,
  addrType: 56,
  keyid: 60,
  tipc: 64,
};
/** FLOW_DISSECTOR_KEY_IPV4_ADDRS and _IPV6_ADDRS, as addr_type has them. */
export const ADDR_IPV4 = 2;
export const ADDR_IPV6 = 3;
const ADDR_TIPC = 8;
export const BPF_OK = 0;
const BPF_DROP = 2;
/** FLOW_DISSECTOR_F_PARSE_1ST_FRAG. */
const PARSE_1ST_FRAG = 1;
export const ETH_HLEN = 14;

/** What to dissect, and how. */
export interface DissectRequest {
  readonly frame: Uint8Array;
  /** n_proto at `nhoff`. */
  readonly proto: number;
  readonly nhoff: number;
  /** FLOW_DISSECTOR_F_*. */
  readonly flags: number;
}

/** What a graph found: its code and the whole metadata memory. */
export interface Dissected {
  readonly code: number;
  readonly metadata: Uint8Array;
}

/** Why a frame was not taken. */
export interface DissectFault {
  readonly code: string;
  readonly message: string;
}

/** A graph at work; what it found is valid until the next call. */
export type RunGraph = (request: DissectRequest) => Dissected | DissectFault;

/** Was the frame not taken? */
export function isFault(outcome: object): outcome is DissectFault {
  return "message" in outcome;
}

/** One answer, as it is printed. */
export function dissect(run: RunGraph, request: DissectRequest): Record<string, unknown> | DissectFault {
  const found = run(request);
  if (isFault(found)) return found;
  const good = isOkay(found.code);
  const keys = flowKeys(good, found.metadata);
  const struct = bpf(good, found.metadata, request);
  const poff = payloadOffset(run, request);
  if (typeof poff === "object") return poff;
  const headlen = headLength(run, request.frame);
  if (typeof headlen === "object") return headlen;
  return { flow_keys: keys, bpf: struct, poff, headlen };
}

function u16(metadata: Uint8Array, at: number): number {
  return metadata[at]! | (metadata[at + 1]! << 8);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Numbers as numbers; addresses, ports and the key as their bytes on the wire. */
function flowKeys(good: boolean, m: Uint8Array): Record<string, unknown> {
  const type = u16(m, AT.addrType);
  const width = type === ADDR_IPV4 ? 4 : type === ADDR_IPV6 ? 16 : type === ADDR_TIPC ? 4 : 0;
  const from = type === ADDR_TIPC ? AT.tipc : AT.addrs;
  const bit = (at: number, value: number): number => (m[at] === 1 ? value : 0);
  return {
    ret: good ? 1 : 0,
    thoff: u16(m, AT.thoff),
    n_proto: (m[AT.nProto]! << 8) | m[AT.nProto + 1]!,
    ip_proto: m[AT.ipProto]!,
    addr_type: type,
    // FLOW_DIS_IS_FRAGMENT, FLOW_DIS_FIRST_FRAG, FLOW_DIS_ENCAPSULATION
    flags: bit(AT.isFrag, 1) | bit(AT.isFirstFrag, 2) | bit(AT.isEncap, 64),
    src: hex(m.subarray(from, from + width)),
    dst: type === ADDR_TIPC ? "" : hex(m.subarray(from + width, from + 2 * width)),
    ports: hex(m.subarray(AT.ports, AT.ports + 4)),
    flow_label: new DataView(m.buffer, m.byteOffset).getUint32(AT.flowLabel, false),
    gre_keyid: hex(m.subarray(AT.keyid, AT.keyid + 4)),
  };
}

/** The struct as the kernel leaves it around a program: both offsets inside the packet. @see bpf_flow_dissect() */
function bpf(good: boolean, m: Uint8Array, { frame, nhoff }: DissectRequest): Record<string, unknown> {
  const keys = m.slice(0, BPF_FLOW_KEYS);
  const view = new DataView(keys.buffer);
  const within = (value: number, least: number): number => Math.max(least, Math.min(value, frame.length));
  const start = within(view.getUint16(AT.nhoff, true), Math.min(nhoff, frame.length));
  view.setUint16(AT.nhoff, start, true);
  view.setUint16(AT.thoff, within(view.getUint16(AT.thoff, true), start), true);
  return { retval: good ? BPF_OK : BPF_DROP, flow_keys: hex(keys) };
}

/** @see net/core/flow_dissector.c skb_get_poff() */
function payloadOffset(run: RunGraph, request: DissectRequest): number | DissectFault {
  const found = run({ ...request, flags: 0 });
  if (isFault(found)) return found;
  return isOkay(found.code) ? behindL4(found.metadata, request.frame) : 0;
}

/** @see net/ethernet/eth.c eth_get_headlen() */
function headLength(run: RunGraph, frame: Uint8Array): number | DissectFault {
  if (frame.length < ETH_HLEN) return frame.length;
  const proto = (frame[12]! << 8) | frame[13]!;
  const found = run({ frame, proto, nhoff: ETH_HLEN, flags: PARSE_1ST_FRAG });
  if (isFault(found)) return found;
  if (!isOkay(found.code)) return Math.max(u16(found.metadata, AT.thoff), ETH_HLEN);
  return Math.min(behindL4(found.metadata, frame), frame.length);
}

/** Transport offset and the least length of its header. @see net/core/flow_dissector.c __skb_get_poff() */
function behindL4(m: Uint8Array, frame: Uint8Array): number {
  const at = u16(m, AT.thoff);
  if (m[AT.isFrag] === 1 && m[AT.isFirstFrag] === 0) return at;
  switch (m[AT.ipProto]) {
    case 6:
      // data offset in words; a header that is cut off counts for nothing
      return at + (at + 12 < frame.length ? Math.max(20, (frame[at + 12]! & 0xf0) >> 2) : 0);
    case 1:
    case 2:
    case 17:
    case 58:
    case 136:
      return at + 8;
    case 33:
    case 132:
      return at + 12;
    default:
      return at;
  }
}
