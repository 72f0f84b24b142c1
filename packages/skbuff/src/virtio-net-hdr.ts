/** virtio_net_hdr to skb fields and back, with the checks of Linux 6.18 in their order. */
import { type BasicDissector, dissectBasic, ethHeaderParseProtocol } from "./basic-dissector.ts";
import {
  GSO_BY_FRAGS,
  SKB_GSO_DODGY,
  SKB_GSO_TCP_ECN,
  SKB_GSO_TCPV4,
  SKB_GSO_TCPV6,
  SKB_GSO_UDP,
  SKB_GSO_UDP_L4,
  SKB_GSO_UDP_TUNNEL,
  SKB_GSO_UDP_TUNNEL_CSUM,
  UDP_MAX_SEGMENTS,
  VIRTIO_NET_HDR_F_DATA_VALID,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM,
  VIRTIO_NET_HDR_GSO_ECN,
  VIRTIO_NET_HDR_GSO_TCPV4,
  VIRTIO_NET_HDR_GSO_TCPV6,
  VIRTIO_NET_HDR_GSO_UDP,
  VIRTIO_NET_HDR_GSO_UDP_L4,
  VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4,
  VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV6,
  VIRTIO_NET_HDR_LEN,
  VIRTIO_NET_HDR_V1_HASH_TUNNEL_LEN,
} from "./constants.ts";
import { EINVAL } from "./errno.ts";
import { CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, type SkBuff } from "./sk-buff.ts";
import * as hdr from "./wire/virtio-net-hdr.ts";

/** How {@link virtioNetHdrToSkb} reads a header. */
export interface VirtioNetHdrToSkbOptions {
  /** The 16-bit fields are little endian (virtio 1.x, default); false: a big-endian legacy guest. */
  readonly littleEndian?: boolean;
  /** Finds the transport header of a GSO packet without NEEDS_CSUM; default {@link dissectBasic}. */
  readonly dissect?: BasicDissector;
  /** The EtherType as the device reads it from the frame, 0: it cannot; default {@link ethHeaderParseProtocol}. */
  readonly parseProtocol?: (skb: SkBuff) => number;
}

/** How {@link virtioNetHdrFromSkb} writes a header. */
export interface VirtioNetHdrFromSkbOptions {
  /** As in {@link VirtioNetHdrToSkbOptions.littleEndian}. */
  readonly littleEndian?: boolean;
  /** CHECKSUM_UNNECESSARY becomes DATA_VALID; default false. */
  readonly hasDataValid?: boolean;
  /** Bytes of the accelerated VLAN tag that will be written into the frame, 4 or 0 (default). */
  readonly vlanHlen?: number;
}

/** What was negotiated of UDP tunnels (VIRTIO_NET_F bits 65 to 68). */
export interface VirtioNetTunnelOptions {
  /** UDP tunnel GSO. */
  readonly tnlNegotiated: boolean;
  /** The outer checksum of a UDP tunnel. */
  readonly tnlCsumNegotiated: boolean;
}

const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const TUNNEL_BITS = VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4 | VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV6;
const SKB_TUNNEL_BITS = SKB_GSO_UDP_TUNNEL | SKB_GSO_UDP_TUNNEL_CSUM;
const ETH_HLEN = 14;
const UDP_HLEN = 8;
const IPV4_HLEN = 20;
const IPV6_HLEN = 40;
const TCP_HLEN = 20;

const holds = (view: DataView, off: number, bytes: number): boolean =>
  off >= 0 && off + bytes <= view.byteLength;
const l3MinLen = (v6: boolean): number => (v6 ? IPV6_HLEN : IPV4_HLEN);

/** SKB_GSO_ bit of a virtio gso_type without its ECN bit; 0: none such. */
function skbGsoType(type: number): number {
  switch (type) {
    case VIRTIO_NET_HDR_GSO_TCPV4:
      return SKB_GSO_TCPV4;
    case VIRTIO_NET_HDR_GSO_TCPV6:
      return SKB_GSO_TCPV6;
    case VIRTIO_NET_HDR_GSO_UDP:
      return SKB_GSO_UDP;
    case VIRTIO_NET_HDR_GSO_UDP_L4:
      return SKB_GSO_UDP_L4;
    default:
      return 0;
  }
}

/**
 * Believe a virtio_net_hdr: set checksum and GSO fields of the skb that it came with.
 * @param skb - data at the Ethernet header (or at the L3 header where there is none). Its first bytes may be made
 *   linear; mac_header is set, and with NEEDS_CSUM ip_summed, csum_start, csum_offset and transport_header. On an
 *   error the fields set so far stay
 * @param view - holds the header, 10 bytes
 * @param off - of the header in `view`, bytes
 * @returns 0, or -EINVAL: a header cut short, an unknown gso_type, gso_size 0 or 0xffff, checksum fields outside the
 *   packet or above the least headers of the type, a packet that the type does not fit, or out of memory
 * @remarks A packet that fits one segment is accepted and is no GSO packet. DATA_VALID is not looked at.
 * Kernel quirk: the least network header is compared with csum_start counted from data, so that the Ethernet
 * header counts towards it. Kernel quirk: without NEEDS_CSUM nothing is probed while network_header is 0 (up to
 * 6.18), and the EtherType found is not compared with the type when skb.protocol was set (up to 6.18).
 * @see include/linux/virtio_net.h virtio_net_hdr_to_skb() of Linux 6.18; virtio 1.3 section 5.1.6
 */
export function virtioNetHdrToSkb(
  skb: SkBuff,
  view: DataView,
  off: number,
  options: VirtioNetHdrToSkbOptions = {},
): number {
  if (!holds(view, off, VIRTIO_NET_HDR_LEN)) return -EINVAL;
  return __virtioNetHdrToSkb(skb, view, off, hdr.gsoType(view, off), options);
}

function __virtioNetHdrToSkb(
  skb: SkBuff,
  view: DataView,
  off: number,
  hdrGsoType: number,
  options: VirtioNetHdrToSkbOptions,
): number {
  const le = options.littleEndian ?? true;
  let gsoType = 0;
  let ipProto = 0;
  let thlen = 0;
  let nhMinLen = IPV4_HLEN;
  let pOff = 0;

  if (hdrGsoType !== 0) {
    gsoType = skbGsoType(hdrGsoType & ~VIRTIO_NET_HDR_GSO_ECN);
    if (gsoType === 0) return -EINVAL;
    const tcp = gsoType === SKB_GSO_TCPV4 || gsoType === SKB_GSO_TCPV6;
    ipProto = tcp ? IPPROTO_TCP : IPPROTO_UDP;
    thlen = tcp ? TCP_HLEN : UDP_HLEN;
    if (gsoType === SKB_GSO_TCPV6) nhMinLen = IPV6_HLEN;
    if ((hdrGsoType & VIRTIO_NET_HDR_GSO_ECN) !== 0) gsoType |= SKB_GSO_TCP_ECN;
    if (hdr.gsoSize(view, off, le) === 0) return -EINVAL;
  }

  skb.macHeader = skb.headroom;

  const needsCsum = (hdr.flags(view, off) & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0;
  if (needsCsum) {
    const start = hdr.csumStart(view, off, le);
    const csumOff = hdr.csumOffset(view, off, le);
    if (!skb.pskbMayPull(start + Math.max(thlen, csumOff + 2))) return -EINVAL;
    if (!skb.skbPartialCsumSet(start, csumOff)) return -EINVAL;
    if (skb.transportOffset < nhMinLen) return -EINVAL;
    pOff = start + thlen;
    if (!skb.pskbMayPull(pOff)) return -EINVAL;
  } else if (gsoType !== 0 && skb.networkHeader !== 0) {
    const thoff = probe(skb, gsoType, ipProto, thlen, options);
    if (thoff < 0) return -EINVAL;
    pOff = thoff + thlen;
    skb.transportHeader = skb.headroom + thoff;
  } else if (gsoType !== 0) {
    pOff = nhMinLen + thlen;
    if (!skb.pskbMayPull(pOff)) return -EINVAL;
  }

  return gsoType === 0 ? 0 : setGso(skb, gsoType, hdr.gsoSize(view, off, le), pOff, thlen, needsCsum);
}

/** GSO without NEEDS_CSUM: where does the transport header begin? @returns bytes from data, or -EINVAL */
function probe(
  skb: SkBuff,
  gsoType: number,
  ipProto: number,
  thlen: number,
  options: VirtioNetHdrToSkbOptions,
): number {
  if (skb.protocol === 0) {
    const protocol = (options.parseProtocol ?? ethHeaderParseProtocol)(skb);
    if (protocol === 0) skb.protocol = (gsoType & SKB_GSO_TCPV6) !== 0 ? ETH_P_IPV6 : ETH_P_IP;
    else if (!protocolFits(protocol, gsoType)) return -EINVAL;
    else skb.protocol = protocol;
  }
  const dissect = options.dissect ?? dissectBasic;
  const keys = { ipProto: 0, thoff: 0 };
  let found = dissect(skb, keys);
  // UFO does not say whether it is IPv4 or IPv6
  if (!found && (gsoType & SKB_GSO_UDP) !== 0 && skb.protocol === ETH_P_IP) {
    skb.protocol = ETH_P_IPV6;
    found = dissect(skb, keys);
  }
  if (!found || !skb.pskbMayPull(keys.thoff + thlen) || keys.ipProto !== ipProto) return -EINVAL;
  return keys.thoff;
}

function protocolFits(protocol: number, gsoType: number): boolean {
  if ((gsoType & SKB_GSO_TCPV4) !== 0) return protocol === ETH_P_IP;
  if ((gsoType & SKB_GSO_TCPV6) !== 0) return protocol === ETH_P_IPV6;
  return protocol === ETH_P_IP || protocol === ETH_P_IPV6;
}

/** The last checks and the GSO fields. @param pOff - end of the least transport header, bytes from data */
function setGso(
  skb: SkBuff,
  gsoType: number,
  gsoSize: number,
  pOff: number,
  thlen: number,
  needsCsum: boolean,
): number {
  let nhOff = pOff;
  switch (gsoType & ~SKB_GSO_TCP_ECN) {
    case SKB_GSO_UDP:
      // the UDP header is part of what is fragmented
      nhOff -= thlen;
      break;
    case SKB_GSO_UDP_L4:
      if (!needsCsum || skb.csumOffset !== 6) return -EINVAL;
      if (skb.len - pOff > gsoSize * UDP_MAX_SEGMENTS) return -EINVAL;
      if (gsoType !== SKB_GSO_UDP_L4) return -EINVAL;
      break;
    default:
      if (skb.ipSummed === CHECKSUM_PARTIAL && skb.csumOffset !== 16) return -EINVAL;
  }
  if (gsoSize === GSO_BY_FRAGS) return -EINVAL;
  if (skb.len - nhOff > gsoSize) {
    skb.gsoSize = gsoSize;
    skb.gsoType = gsoType | SKB_GSO_DODGY;
    skb.gsoSegs = 0;
  }
  return 0;
}

/**
 * Write the virtio_net_hdr of an skb: 10 bytes.
 * @param skb - not changed
 * @param view - where the header goes; @param off - its offset in `view`, bytes
 * @returns 0, or -EINVAL: no room in `view` (nothing written), or a GSO type that virtio cannot name, UFO among them
 *   (hdr_len and gso_size are written)
 * @remarks hdr_len is the linear length truncated to 16 bits (up to 6.18), csum_start is truncated likewise.
 * @see include/linux/virtio_net.h virtio_net_hdr_from_skb() of Linux 6.18
 */
export function virtioNetHdrFromSkb(
  skb: SkBuff,
  view: DataView,
  off: number,
  options: VirtioNetHdrFromSkbOptions = {},
): number {
  if (!holds(view, off, VIRTIO_NET_HDR_LEN)) return -EINVAL;
  return fromSkb(skb, skb.gsoType, view, off, options);
}

function fromSkb(
  skb: SkBuff,
  gsoType: number,
  view: DataView,
  off: number,
  options: VirtioNetHdrFromSkbOptions,
): number {
  const le = options.littleEndian ?? true;
  for (let i = 0; i < VIRTIO_NET_HDR_LEN; i++) view.setUint8(off + i, 0);
  if (skb.isGso) {
    hdr.setHdrLen(view, off, skb.headlen, le);
    hdr.setGsoSize(view, off, skb.gsoSize, le);
    let type = 0;
    if ((gsoType & SKB_GSO_TCPV4) !== 0) type = VIRTIO_NET_HDR_GSO_TCPV4;
    else if ((gsoType & SKB_GSO_TCPV6) !== 0) type = VIRTIO_NET_HDR_GSO_TCPV6;
    else if ((gsoType & SKB_GSO_UDP_L4) !== 0) type = VIRTIO_NET_HDR_GSO_UDP_L4;
    else return -EINVAL;
    if ((gsoType & SKB_GSO_TCP_ECN) !== 0) type |= VIRTIO_NET_HDR_GSO_ECN;
    hdr.setGsoType(view, off, type);
  }
  if (skb.ipSummed === CHECKSUM_PARTIAL) {
    hdr.setFlags(view, off, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    hdr.setCsumStart(view, off, skb.checksumStartOffset + (options.vlanHlen ?? 0), le);
    hdr.setCsumOffset(view, off, skb.csumOffset, le);
  } else if (options.hasDataValid === true && skb.ipSummed === CHECKSUM_UNNECESSARY) {
    hdr.setFlags(view, off, VIRTIO_NET_HDR_F_DATA_VALID);
  }
  return 0;
}

/**
 * As {@link virtioNetHdrToSkb}, for a header with tunnel fields (24 bytes, little endian throughout when a tunnel
 * bit is set). For a tunnel packet the inner header offsets, encapsulation and inner_protocol are set too, and
 * transport_header is the outer one; csum_start still names the inner.
 * @returns 0, or -EINVAL: as there; a tunnel that was not negotiated, both tunnel bits, no inner type or UFO, no
 *   NEEDS_CSUM, header offsets out of order; an outer checksum that was not negotiated (inner_protocol and the GSO
 *   fields are set by then)
 * @remarks Kernel quirk: a tunnel packet that fits one segment keeps its tunnel bit in gso_type with gso_size 0.
 * @see include/linux/virtio_net.h virtio_net_hdr_tnl_to_skb() (Linux 6.17 and later)
 */
export function virtioNetHdrTnlToSkb(
  skb: SkBuff,
  view: DataView,
  off: number,
  options: VirtioNetHdrToSkbOptions & VirtioNetTunnelOptions,
): number {
  if (!holds(view, off, VIRTIO_NET_HDR_LEN)) return -EINVAL;
  const gsoType = hdr.gsoType(view, off);
  const tunnel = gsoType & TUNNEL_BITS;
  if (tunnel === 0) return __virtioNetHdrToSkb(skb, view, off, gsoType, options);
  if (!holds(view, off, VIRTIO_NET_HDR_V1_HASH_TUNNEL_LEN)) return -EINVAL;
  if (!options.tnlNegotiated || tunnel === TUNNEL_BITS) return -EINVAL;
  const inner = gsoType & ~(VIRTIO_NET_HDR_GSO_ECN | TUNNEL_BITS);
  if (inner === 0 || inner === VIRTIO_NET_HDR_GSO_UDP) return -EINVAL;
  const flags = hdr.flags(view, off);
  if ((flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) === 0) return -EINVAL;

  const innerTh = hdr.csumStart(view, off, true);
  const innerNh = hdr.innerNhOffset(view, off);
  const outerTh = hdr.outerThOffset(view, off);
  let innerV6 = inner === VIRTIO_NET_HDR_GSO_TCPV6;
  if (outerTh < ETH_HLEN + l3MinLen(tunnel === VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV6)) return -EINVAL;
  if (innerNh < outerTh + UDP_HLEN || innerTh < innerNh + l3MinLen(innerV6)) return -EINVAL;

  const failed = __virtioNetHdrToSkb(skb, view, off, gsoType & ~tunnel, { ...options, littleEndian: true });
  if (failed !== 0) return failed;

  if (inner === VIRTIO_NET_HDR_GSO_UDP_L4) {
    // linear: it lies before csum_start
    innerV6 = skb.memory.view.getUint8(skb.data + innerNh) >> 4 === 6;
    if (innerTh < innerNh + l3MinLen(innerV6)) return -EINVAL;
  }
  skb.innerProtocolType = 0;
  skb.innerProtocol = innerV6 ? ETH_P_IPV6 : ETH_P_IP;
  if ((flags & VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM) !== 0) {
    if (!options.tnlCsumNegotiated) return -EINVAL;
    skb.gsoType |= SKB_GSO_UDP_TUNNEL_CSUM;
  } else {
    skb.gsoType |= SKB_GSO_UDP_TUNNEL;
  }
  const { headroom } = skb;
  skb.innerTransportHeader = innerTh + headroom;
  skb.innerNetworkHeader = innerNh + headroom;
  skb.innerMacHeader = innerNh + headroom;
  skb.transportHeader = outerTh + headroom;
  skb.encapsulation = 1;
  return 0;
}

/**
 * As {@link virtioNetHdrFromSkb}, for a UDP tunnel packet 24 bytes with the tunnel fields: little endian, the hash
 * fields zero, DATA_VALID never. num_buffers is the caller's.
 * @returns 0, or -EINVAL: as there, or a tunnel that was not negotiated (nothing written)
 * @remarks vlanHlen is added to csum_start alone, not to the tunnel offsets, as in the kernel.
 * @see include/linux/virtio_net.h virtio_net_hdr_tnl_from_skb() (Linux 6.17 and later)
 */
export function virtioNetHdrTnlFromSkb(
  skb: SkBuff,
  view: DataView,
  off: number,
  options: VirtioNetHdrFromSkbOptions & Pick<VirtioNetTunnelOptions, "tnlNegotiated">,
): number {
  const { gsoType } = skb;
  const tunnel = gsoType & SKB_TUNNEL_BITS;
  if (tunnel === 0) return virtioNetHdrFromSkb(skb, view, off, options);
  if (!options.tnlNegotiated || !holds(view, off, VIRTIO_NET_HDR_V1_HASH_TUNNEL_LEN)) return -EINVAL;
  hdr.setHashValue(view, off, 0);
  hdr.setHashReport(view, off, 0);
  hdr.setPadding(view, off, 0);
  const plain = { ...options, littleEndian: true, hasDataValid: false };
  const failed = fromSkb(skb, (gsoType & ~SKB_TUNNEL_BITS) >>> 0, view, off, plain);
  if (failed !== 0) return failed;
  const v6 = skb.protocol === ETH_P_IPV6;
  const bit = v6 ? VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV6 : VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4;
  hdr.setGsoType(view, off, hdr.gsoType(view, off) | bit);
  if ((tunnel & SKB_GSO_UDP_TUNNEL_CSUM) !== 0)
    hdr.setFlags(view, off, hdr.flags(view, off) | VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM);
  hdr.setInnerNhOffset(view, off, skb.innerNetworkHeader - skb.headroom);
  hdr.setOuterThOffset(view, off, skb.transportOffset);
  return 0;
}

/**
 * What a driver makes of DATA_VALID on receive; called before {@link virtioNetHdrTnlToSkb}, so that a packet with
 * both DATA_VALID and NEEDS_CSUM ends as PARTIAL.
 * @param skb - ip_summed and csum_level may be set
 * @returns 0, or -EINVAL: a header cut short, DATA_VALID on a tunnel GSO packet, or a verified outer checksum that was
 *   not negotiated (ip_summed is set by then)
 * @see include/linux/virtio_net.h virtio_net_handle_csum_offload() (Linux 6.17 and later)
 */
export function virtioNetHandleCsumOffload(
  skb: SkBuff,
  view: DataView,
  off: number,
  options: Pick<VirtioNetTunnelOptions, "tnlCsumNegotiated">,
): number {
  if (!holds(view, off, VIRTIO_NET_HDR_LEN)) return -EINVAL;
  const flags = hdr.flags(view, off);
  const valid = (flags & VIRTIO_NET_HDR_F_DATA_VALID) !== 0;
  if ((hdr.gsoType(view, off) & TUNNEL_BITS) !== 0) return valid ? -EINVAL : 0;
  if (!valid) return 0;
  skb.ipSummed = CHECKSUM_UNNECESSARY;
  if ((flags & VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM) === 0) return 0;
  if (!options.tnlCsumNegotiated) return -EINVAL;
  skb.csumLevel = 1;
  return 0;
}
