/** As much of a flow dissector as a virtio header without csum_start needs: where the transport header begins. */
import type { SkBuff } from "./sk-buff.ts";

/** What a basic dissector finds; caller-owned. */
export interface BasicKeys {
  /** IP protocol number behind the last header walked. */
  ipProto: number;
  /** Transport header, bytes from data. */
  thoff: number;
}

/**
 * Walk from the network header, whose EtherType is `skb.protocol`.
 * @returns false: not understood, or cut short
 */
export type BasicDissector = (skb: SkBuff, keys: BasicKeys) => boolean;

const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const ETH_P_8021Q = 0x8100;
const ETH_P_8021AD = 0x88a8;
/** Headers walked before the walk is given up, as the kernel's MAX_FLOW_DISSECT_HDRS. */
const MAX_HEADERS = 15;
const SCRATCH_BYTES = 64;

/**
 * The dissector for VLAN tags, IPv4 and IPv6 with extension headers, wherever the bytes lie. A fragment ends the
 * walk behind its header; other protocols are reported by number and not entered.
 * @param skb - not changed
 * @param keys - filled on true
 * @remarks The kernel's dissector also enters tunnels (GRE, IP in IP, MPLS, PPPoE); this one does not.
 * @see net/core/flow_dissector.c __skb_flow_dissect() with flow_keys_basic_dissector
 */
export function dissectBasic(skb: SkBuff, keys: BasicKeys): boolean {
  const { memory } = skb;
  const scratch = memory.alloc(SCRATCH_BYTES);
  if (scratch === 0) return false;
  const found = walk(skb, keys, scratch);
  memory.free(scratch);
  return found;
}

function walk(skb: SkBuff, keys: BasicKeys, scratch: number): boolean {
  const { kernel, view } = skb.memory;
  const header = (off: number, n: number): number =>
    off < 0 ? 0 : kernel.skbHeaderPointer(skb.address, off, n, scratch) >>> 0;
  let proto = skb.protocol;
  let off = skb.networkOffset;
  for (let headers = 0; headers < MAX_HEADERS; headers++) {
    switch (proto) {
      case ETH_P_8021Q:
      case ETH_P_8021AD: {
        const at = header(off, 4);
        if (at === 0) return false;
        proto = view.getUint16(at + 2, false);
        off += 4;
        continue;
      }
      case ETH_P_IP: {
        const at = header(off, 20);
        const ihl = at === 0 ? 0 : view.getUint8(at) & 15;
        if (ihl < 5) return false;
        return report(skb, keys, view.getUint8(at + 9), off + 4 * ihl);
      }
      case ETH_P_IPV6: {
        const at = header(off, 40);
        return at !== 0 && extensions(skb, keys, view.getUint8(at + 6), off + 40, header);
      }
      default:
        return false;
    }
  }
  return false;
}

function extensions(
  skb: SkBuff,
  keys: BasicKeys,
  next: number,
  off: number,
  header: (off: number, n: number) => number,
): boolean {
  const { view } = skb.memory;
  for (let headers = 0; headers < MAX_HEADERS; headers++) {
    if (next === 0 || next === 43 || next === 60) {
      const at = header(off, 2);
      if (at === 0) return false;
      next = view.getUint8(at);
      off += 8 * (view.getUint8(at + 1) + 1);
    } else if (next === 44) {
      const at = header(off, 8);
      if (at === 0) return false;
      return report(skb, keys, view.getUint8(at), off + 8);
    } else return report(skb, keys, next, off);
  }
  return report(skb, keys, next, off);
}

/** Kernel quirk: a transport header beyond the packet is reported at its end. */
function report(skb: SkBuff, keys: BasicKeys, ipProto: number, off: number): true {
  keys.ipProto = ipProto;
  keys.thoff = Math.min(off, skb.len) & 0xffff;
  return true;
}

/**
 * The EtherType of an Ethernet frame whose header begins at mac_header; 0: the header is not linear.
 * @see net/ethernet/eth.c eth_header_parse_protocol()
 */
export function ethHeaderParseProtocol(skb: SkBuff): number {
  const at = skb.head + skb.macHeader + 12;
  return at + 2 > skb.tail ? 0 : skb.memory.view.getUint16(at, false);
}

/**
 * The EtherType of a packet without a link-layer header, by the version nibble at network_header; 0: neither
 * IPv4 nor IPv6, or the header is not linear.
 * @see net/ipv4/ip_tunnel_core.c ip_tunnel_parse_protocol()
 */
export function ipTunnelParseProtocol(skb: SkBuff): number {
  const at = skb.head + skb.networkHeader;
  const version = at < skb.tail ? skb.memory.view.getUint8(at) >> 4 : 0;
  if (version === 4 && at + 20 <= skb.tail) return ETH_P_IP;
  return version === 6 && at + 40 <= skb.tail ? ETH_P_IPV6 : 0;
}
