/**
 * A legacy device said UNNECESSARY: make it COMPLETE, the only thing a simplified stack knows. A checksum that was
 * verified says what its bytes sum to, so one of them and a sum of the headers before it are enough.
 * @remarks not in the kernel: the paper's skb_csum_rx_legacy_convert_unnecessary()
 */
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_UNNECESSARY,
  ETH_P_IP,
  ETH_P_IPV6,
  type SkBuff,
  skbBe16,
  skbByte,
} from "@netoffload/skbuff";
import { csumBlockAdd } from "../arith.ts";
import { csumTcpudpNofold } from "../pseudo.ts";
import { homeAddressOption } from "./ipv6-exthdr.ts";
import { skbChecksum } from "./sum.ts";

/** Why a packet is COMPLETE now, or NONE. */
export type ConvertReason =
  | "converted"
  | "not-unnecessary"
  | "crc32"
  | "family"
  | "truncated"
  | "length"
  | "fragment"
  | "rthdr"
  | "hao"
  | "encrypted"
  | "udp-zero"
  | "udp-length"
  | "unknown-tunnel"
  | "protocol"
  | "too-deep";

/** What lies behind a UDP port; FOU says the IP protocol. */
export type UdpTunnel = "vxlan" | "geneve" | "gue" | { readonly fou: number };

/** The tunnels a host has set up: destination port to kind. */
export type UdpTunnels = ReadonlyMap<number, UdpTunnel>;

/** IP headers walked. */
const MAX_DEPTH = 16;
const NO_TUNNELS: UdpTunnels = /* @__PURE__ */ new Map();

/** Where the walk is; one for all calls, filled anew. */
class Walk {
  skb: SkBuff | null = null;
  /** Of this IP layer: bytes from data. */
  l3 = 0;
  /** End of this IP layer's payload, bytes from data. */
  end = 0;
  /** The next header, bytes from data. */
  at = 0;
  /** Its IP protocol. */
  proto = 0;
  /** Verified checksums still to be met. */
  levels = 0;
  /** Sum of the addresses' words of this IP layer. */
  addresses = 0;
}

const w: Walk = /* @__PURE__ */ new Walk();

/**
 * @param skb - as a driver hands it over after eth_type_trans: data at L3, UNNECESSARY and csum_level as the device
 *   reported; another state stays as it is
 * @param tunnels - behind which UDP ports the device looks as well
 * @returns `converted`: ip_summed is COMPLETE, csum equivalent to the sum over [data, data + len) if the device told
 *   the truth; otherwise ip_summed is NONE and this is why. `crc32`: csum_valid_crc32 is set besides
 */
export function skbCsumRxLegacyConvertUnnecessary(
  skb: SkBuff,
  tunnels: UdpTunnels = NO_TUNNELS,
): ConvertReason {
  if (skb.ipSummed !== CHECKSUM_UNNECESSARY) return "not-unnecessary";
  w.levels = skb.csumLevel + 1;
  w.skb = skb;
  const reason = find(skb, tunnels);
  w.skb = null;
  if (reason !== "converted") skb.ipSummed = CHECKSUM_NONE;
  skb.csumLevel = 0;
  if (reason === "crc32") skb.csumValidCrc32 = 1;
  return reason;
}

function find(skb: SkBuff, tunnels: UdpTunnels): ConvertReason {
  let type = skb.protocol;
  w.at = 0;
  w.end = skb.len;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const stopped = type === ETH_P_IP ? ipv4(skb) : type === ETH_P_IPV6 ? ipv6(skb) : "family";
    if (stopped !== null) return stopped;
    const next = transport(skb, tunnels);
    if (typeof next === "string") return next;
    type = next;
  }
  return "too-deep";
}

/** Step over an IPv4 header. */
function ipv4(skb: SkBuff): ConvertReason | null {
  const at = w.at;
  const header = (skbByte(skb, at) & 15) * 4;
  const total = skbBe16(skb, at + 2);
  if (skbByte(skb, at + header - 1) < 0 || total < 0) return "truncated";
  if (skbByte(skb, at) >> 4 !== 4 || header < 20 || total < header) return "length";
  if ((skbBe16(skb, at + 6) & 0x3fff) !== 0) return "fragment";
  if (at + total > w.end) return "length";
  w.l3 = at;
  w.end = at + total;
  w.at = at + header;
  w.proto = skbByte(skb, at + 9);
  w.addresses = skbChecksum(skb, at + 12, 8, 0);
  return null;
}

/** Step over an IPv6 header and its extension headers. */
function ipv6(skb: SkBuff): ConvertReason | null {
  const at = w.at;
  if (skbByte(skb, at + 39) < 0) return "truncated";
  if (skbByte(skb, at) >> 4 !== 6) return "length";
  const payload = skbBe16(skb, at + 4);
  let next = skbByte(skb, at + 6);
  // a jumbogram says 0 and has a hop-by-hop header; it ends with what is around it
  const end = payload === 0 && next === 0 ? w.end : at + 40 + payload;
  if (end > w.end) return "length";
  w.l3 = at;
  w.end = end;
  w.addresses = skbChecksum(skb, at + 8, 32, 0);
  let o = at + 40;
  while (
    next === 0 ||
    next === 43 ||
    next === 44 ||
    next === 50 ||
    next === 51 ||
    next === 59 ||
    next === 60
  ) {
    if (next === 50) return "encrypted";
    if (next === 59) return "protocol";
    if (next === 44) return "fragment";
    const length = skbByte(skb, o + 1);
    const size = next === 51 ? (length + 2) * 4 : (length + 1) * 8;
    if (length < 0 || o + size > end) return "truncated";
    if (next === 43 && skbByte(skb, o + 3) > 0) return "rthdr";
    if (next === 60 && homeAddressOption(skb, o, size) >= 0) return "hao";
    next = skbByte(skb, o);
    o += size;
  }
  w.at = o;
  w.proto = next;
  return null;
}

/** @returns an end, or the EtherType of what is inside (`w.at` is there) */
function transport(skb: SkBuff, tunnels: UdpTunnels): ConvertReason | number {
  switch (w.proto) {
    case 6:
      return w.at + 20 > w.end ? "truncated" : complete(skb, pseudo(6));
    case 17:
      return udp(skb, tunnels);
    case 47:
      return gre(skb);
    case 132:
      return "crc32";
    case 4:
      return ETH_P_IP;
    case 41:
      return ETH_P_IPV6;
    case 50:
      return "encrypted";
    case 51: {
      // IPv4's authentication header; IPv6's was walked as an extension header
      const length = skbByte(skb, w.at + 1);
      if (length < 0 || w.at + (length + 2) * 4 > w.end) return "truncated";
      w.proto = skbByte(skb, w.at);
      w.at += (length + 2) * 4;
      return w.proto === 51 ? "protocol" : transport(skb, tunnels);
    }
    default:
      return "protocol";
  }
}

/** Pseudo-header sum of the transport at the cursor. */
function pseudo(proto: number): number {
  return csumTcpudpNofold(0, 0, w.end - w.at, proto, w.addresses);
}

/** The verified checksum is here: everything from the cursor to the end sums to the pseudo header's complement. */
function complete(skb: SkBuff, pseudoSum: number): "converted" {
  const before = skbChecksum(skb, 0, w.at, 0);
  const sum = csumBlockAdd(before, ~pseudoSum >>> 0, w.at);
  skb.csum = csumBlockAdd(sum, skbChecksum(skb, w.end, skb.len - w.end, 0), w.end);
  skb.ipSummed = CHECKSUM_COMPLETE;
  skb.csumCompleteSw = 0;
  return "converted";
}

function udp(skb: SkBuff, tunnels: UdpTunnels): ConvertReason | number {
  const at = w.at;
  if (at + 8 > w.end) return "truncated";
  // the device may have used either length
  if (skbBe16(skb, at + 4) !== w.end - at) return "udp-length";
  if (skbBe16(skb, at + 6) !== 0) return complete(skb, pseudo(17));
  // verified in name only: it covers nothing
  if (--w.levels === 0) return "udp-zero";
  const tunnel = tunnels.get(skbBe16(skb, at + 2));
  if (tunnel === undefined) return "unknown-tunnel";
  w.at = at + 8;
  if (tunnel === "vxlan") return ethernet(skb, 8);
  if (tunnel === "geneve") {
    const header = 8 + ((skbByte(skb, w.at) & 63) << 2);
    const type = skbBe16(skb, w.at + 2);
    if (w.at + header > w.end) return "truncated";
    if (type === 0x6558) return ethernet(skb, header);
    w.at += header;
    return type;
  }
  if (tunnel !== "gue") return ipProtocol(tunnel.fou);
  const first = skbByte(skb, w.at);
  if (first >> 6 === 1) return ipProtocol((first & 0x30) === 0 ? 4 : 41);
  if (first >> 5 !== 0) return "protocol";
  const header = 4 + ((first & 31) << 2);
  const proto = skbByte(skb, w.at + 1);
  if (w.at + header > w.end) return "truncated";
  w.at += header;
  return ipProtocol(proto);
}

function ipProtocol(proto: number): ConvertReason | number {
  return proto === 4 ? ETH_P_IP : proto === 41 ? ETH_P_IPV6 : "protocol";
}

/** An Ethernet header behind `skip` bytes of tunnel header. */
function ethernet(skb: SkBuff, skip: number): ConvertReason | number {
  const type = skbBe16(skb, w.at + skip + 12);
  if (w.at + skip + 14 > w.end) return "truncated";
  w.at += skip + 14;
  return type;
}

function gre(skb: SkBuff): ConvertReason | number {
  const flags = skbBe16(skb, w.at);
  const type = skbBe16(skb, w.at + 2);
  if (w.at + 4 > w.end) return "truncated";
  if ((flags & 7) !== 0) return "protocol";
  if (flags & 0x8000) return w.at + 8 > w.end ? "truncated" : complete(skb, 0);
  const header = 4 + (flags & 0x2000 ? 4 : 0) + (flags & 0x1000 ? 4 : 0);
  if (type === 0x6558) return ethernet(skb, header);
  if (w.at + header > w.end) return "truncated";
  w.at += header;
  return type;
}
