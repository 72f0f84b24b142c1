/** One `eval` op: a helper by its kernel name. */
import { csumFrom32to16 } from "@netoffload/csum";
import { bytesToHex } from "@netoffload/internal";
import { Memory, type SkBuff, skbFromBytes } from "@netoffload/skbuff";
import { FieldError, type Fields, IP_SUMMED } from "./fields.ts";

/** What ops work in. */
export interface Workbench {
  readonly memory: Memory;
}

/** A helper that can be called by name. */
export interface Op {
  readonly name: string;
  /** Fields of the input: name to what it is; a trailing `?` marks an optional one. */
  readonly fields: Readonly<Record<string, string>>;
  /** Fields of the result. */
  readonly result: string;
  /** For ops that are not the kernel's. */
  readonly ours?: boolean;
  run(input: Fields, bench: Workbench): Readonly<Record<string, unknown>>;
}

const HEADROOM = 256;
const ADDRESS_BYTES = 32;

/** Fields that lay a packet out. */
export const LAYOUT_FIELDS = {
  "frags?": "lengths of page fragments cut from the packet's end",
  "frag_list?": "lengths of frag_list members cut from the very end",
} as const;

/** Header offsets, bytes from the packet's first. */
export const HEADER_FIELDS = {
  "mac_header?": "offset, default 0",
  "network_header?": "offset, default 14",
  "transport_header?": "offset",
  "inner_network_header?": "offset; sets encapsulation",
  "inner_transport_header?": "offset; sets encapsulation",
  "protocol?": "EtherType; default from the frame",
} as const;

/** Make an skb, hand it to `use`, free it. */
export function withSkb<T>(
  bench: Workbench,
  bytes: Uint8Array,
  layout: Fields | null,
  use: (skb: SkBuff) => T,
): T {
  const frags = layout?.lengths("frags") ?? [];
  const fragList = layout?.lengths("frag_list") ?? [];
  const outside = [...frags, ...fragList].reduce((a, b) => a + b, 0);
  if (frags.length > 17 || outside > bytes.length)
    throw new FieldError(
      `input.frags: ${outside} bytes in ${frags.length} frags; 17 frags and the packet's ${bytes.length} bytes are possible`,
    );
  const skb = skbFromBytes(bench.memory, bytes, { headroom: HEADROOM, tailroom: 64, frags, fragList });
  if (skb === null) throw new FieldError("input: the packet is too large");
  try {
    return use(skb);
  } finally {
    skb.kfreeSkb();
  }
}

/** Set an skb's header offsets and fields as the input says. */
export function setHeaders(skb: SkBuff, f: Fields): void {
  const { headroom } = skb;
  const at = (name: string, fallback?: number): number =>
    headroom + f.int(name, 0, 0xffff - headroom, fallback);
  skb.macHeader = at("mac_header", 0);
  skb.networkHeader = at("network_header", 14);
  if (f.has("transport_header")) skb.transportHeader = at("transport_header");
  if (f.has("inner_mac_header")) skb.innerMacHeader = at("inner_mac_header");
  if (f.has("inner_network_header")) skb.innerNetworkHeader = at("inner_network_header");
  if (f.has("inner_transport_header")) skb.innerTransportHeader = at("inner_transport_header");
  const inner = f.has("inner_network_header") || f.has("inner_transport_header");
  skb.encapsulation = f.bool("encapsulation", inner) ? 1 : 0;
  skb.innerProtocolType = f.int("inner_protocol_type", 0, 1, 0);
  if (f.has("inner_protocol")) skb.innerProtocol = f.u16("inner_protocol");
  skb.protocol = f.u16("protocol", etherType(skb));
  skb.csumNotInet = f.bool("csum_not_inet", false) ? 1 : 0;
  skb.gsoSize = f.u16("gso_size", 0);
  skb.gsoSegs = f.u16("gso_segs", 0);
  skb.gsoType = f.u32("gso_type", 0);
  skb.unreadable = f.bool("unreadable", false) ? 1 : 0;
  if (f.bool("shared_frag", false)) skb.shinfoFlags |= 2;
}

/** EtherType of an Ethernet frame. */
function etherType(skb: SkBuff): number {
  return skb.headlen >= 14 ? skb.memory.view.getUint16(skb.data + 12, false) : 0;
}

/** Set the state of the checksum. */
export function setSummed(skb: SkBuff, f: Fields, fallback: number): void {
  skb.ipSummed = f.ipSummed("ip_summed", fallback);
  skb.csumLevel = f.int("csum_level", 0, 3, 0);
  if (f.has("csum")) skb.csum = f.u32("csum");
  if (f.has("csum_sum16_be")) skb.csum = swap16(f.u16("csum_sum16_be"));
  if (f.has("csum_start")) skb.csumStart = skb.headroom + f.int("csum_start", -HEADROOM, 0xffff - HEADROOM);
  if (f.has("csum_offset")) skb.csumOffset = f.u16("csum_offset");
  skb.csumValid = f.bool("csum_valid", false) ? 1 : 0;
  skb.csumCompleteSw = f.bool("csum_complete_sw", false) ? 1 : 0;
}

/** Put addresses where pseudo headers look for them. @returns addresses in the memory */
export function withAddresses<T>(
  bench: Workbench,
  saddr: Uint8Array,
  daddr: Uint8Array,
  use: (saddr: number, daddr: number) => T,
): T {
  const at = bench.memory.alloc(ADDRESS_BYTES);
  bench.memory.bytes.set(saddr, at);
  bench.memory.bytes.set(daddr, at + 16);
  try {
    return use(at, at + 16);
  } finally {
    bench.memory.free(at);
  }
}

/** Bytes in the memory for the time of a call. */
export function withBytes<T>(bench: Workbench, bytes: Uint8Array, use: (at: number) => T): T {
  const at = bench.memory.alloc(Math.max(bytes.length, 1));
  if (at === 0) throw new FieldError("input: too many bytes");
  bench.memory.bytes.set(bytes, at);
  try {
    return use(at);
  } finally {
    bench.memory.free(at);
  }
}

/** Bytes in hex. */
export const hex: (bytes: Uint8Array) => string = bytesToHex;
/** A 16-bit value between packet order and little-endian words. */
export const swap16 = (n: number): number => ((n & 0xff) << 8) | ((n >>> 8) & 0xff);
/** A partial sum as the folded big-endian value. */
export const sum16be = (sum: number): number => swap16(csumFrom32to16(sum));
/** A word of 4 bytes as loaded little endian. */
export const le32 = (b: Uint8Array): number => (b[0]! | (b[1]! << 8) | (b[2]! << 16) | (b[3]! << 24)) >>> 0;
/** Name of a state. */
export const summedName = (n: number): string => IP_SUMMED[n]!;
/** The 16-bit field of a packet's bytes; null: beyond them. */
export const fieldAt = (b: Uint8Array, at: number): number | null =>
  at >= 0 && at + 2 <= b.length ? (b[at]! << 8) | b[at + 1]! : null;

/** A workbench of its own. */
export function newWorkbench(): Workbench {
  return { memory: Memory.create({ bytes: 16 << 20 }) };
}
