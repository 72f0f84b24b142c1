/**
 * Numbers of GSO and of the virtio network header, spelled as the kernel spells them.
 * @see include/linux/skbuff.h; include/linux/netdevice.h; include/uapi/linux/virtio_net.h (Linux 6.18)
 */

/** gso_type: TCP over IPv4. */
export const SKB_GSO_TCPV4 = 0x1;
/** gso_type: from an untrusted source, headers not verified, gso_segs not known. */
export const SKB_GSO_DODGY = 0x2;
/** gso_type: CWR is set in the first segment only. */
export const SKB_GSO_TCP_ECN = 0x4;
/** gso_type: alias used for feature mapping only; in 6.12 this bit was TCP_FIXEDID. */
export const __SKB_GSO_TCP_FIXEDID = 0x8;
/** gso_type: TCP over IPv6. */
export const SKB_GSO_TCPV6 = 0x10;
/** gso_type: Fibre Channel over Ethernet. */
export const SKB_GSO_FCOE = 0x20;
/** gso_type: GRE without a checksum. */
export const SKB_GSO_GRE = 0x40;
/** gso_type: GRE whose checksum is wanted. */
export const SKB_GSO_GRE_CSUM = 0x80;
/** gso_type: IPv4 or IPv6 in IPv4. */
export const SKB_GSO_IPXIP4 = 0x100;
/** gso_type: IPv4 or IPv6 in IPv6. */
export const SKB_GSO_IPXIP6 = 0x200;
/** gso_type: UDP tunnel, outer checksum zero. */
export const SKB_GSO_UDP_TUNNEL = 0x400;
/** gso_type: UDP tunnel, outer checksum wanted. */
export const SKB_GSO_UDP_TUNNEL_CSUM = 0x800;
/** gso_type: segment only the innermost transport, replicate the rest. */
export const SKB_GSO_PARTIAL = 0x1000;
/** gso_type: remote checksum offload in the tunnel. */
export const SKB_GSO_TUNNEL_REMCSUM = 0x2000;
/** gso_type: SCTP, cut at the frag_list's boundaries. */
export const SKB_GSO_SCTP = 0x4000;
/** gso_type: ESP. */
export const SKB_GSO_ESP = 0x8000;
/** gso_type: UFO, IP fragmentation of one datagram. */
export const SKB_GSO_UDP = 0x1_0000;
/** gso_type: USO, many datagrams. */
export const SKB_GSO_UDP_L4 = 0x2_0000;
/** gso_type: the frag_list holds the segments. */
export const SKB_GSO_FRAGLIST = 0x4_0000;
/** gso_type: CWR is replicated (6.15 and later). */
export const SKB_GSO_TCP_ACCECN = 0x8_0000;
/** gso_type: the outer or only IPv4 ID must not change (6.18 and later). */
export const SKB_GSO_TCP_FIXEDID = 0x4000_0000;
/** gso_type: the inner IPv4 ID must not change (6.18 and later); compare unsigned. */
export const SKB_GSO_TCP_FIXEDID_INNER = 0x8000_0000;

/** gso_size: segment at frag_list boundaries. */
export const GSO_BY_FRAGS = 0xffff;
/** Segments a GSO packet can have. */
export const GSO_MAX_SEGS = 65535;
/** Bytes of a GSO packet that devices without BIG TCP take. */
export const GSO_LEGACY_MAX_SIZE = 65536;
/** Bytes of the largest GSO packet. */
export const GSO_MAX_SIZE = 524280;
/** Datagrams of a USO packet (64 before 6.9). */
export const UDP_MAX_SEGMENTS = 128;
/** Least payload of a TCP segment, bytes. */
export const TCP_MIN_GSO_SIZE = 8;

/** virtio flags: csum_start and csum_offset ask for a checksum. */
export const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
/** virtio flags: the device verified the checksum. */
export const VIRTIO_NET_HDR_F_DATA_VALID = 2;
/** virtio flags: csum fields hold segment counts. */
export const VIRTIO_NET_HDR_F_RSC_INFO = 4;
/** virtio flags: the outer UDP checksum of a tunnel is wanted, or verified (6.17 and later). */
export const VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM = 8;
/** virtio gso_type: no GSO packet. */
export const VIRTIO_NET_HDR_GSO_NONE = 0;
/** virtio gso_type: TCP over IPv4. */
export const VIRTIO_NET_HDR_GSO_TCPV4 = 1;
/** virtio gso_type: UFO. */
export const VIRTIO_NET_HDR_GSO_UDP = 3;
/** virtio gso_type: TCP over IPv6. */
export const VIRTIO_NET_HDR_GSO_TCPV6 = 4;
/** virtio gso_type: USO. */
export const VIRTIO_NET_HDR_GSO_UDP_L4 = 5;
/** virtio gso_type flag: inside a UDP tunnel over IPv4. */
export const VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4 = 0x20;
/** virtio gso_type flag: inside a UDP tunnel over IPv6. */
export const VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV6 = 0x40;
/** virtio gso_type flag: CWR is set in the first segment only. */
export const VIRTIO_NET_HDR_GSO_ECN = 0x80;

/** Bytes of struct virtio_net_hdr. */
export const VIRTIO_NET_HDR_LEN = 10;
/** Bytes of struct virtio_net_hdr_mrg_rxbuf and virtio_net_hdr_v1. */
export const VIRTIO_NET_HDR_V1_LEN = 12;
/** Bytes of struct virtio_net_hdr_v1_hash. */
export const VIRTIO_NET_HDR_V1_HASH_LEN = 20;
/** Bytes of struct virtio_net_hdr_v1_hash_tunnel (6.17 and later). */
export const VIRTIO_NET_HDR_V1_HASH_TUNNEL_LEN = 24;

/** Bit numbers of the virtio network features that concern offloads. */
export const VIRTIO_NET_F = {
  CSUM: 0,
  GUEST_CSUM: 1,
  GUEST_TSO4: 7,
  GUEST_TSO6: 8,
  GUEST_ECN: 9,
  GUEST_UFO: 10,
  HOST_TSO4: 11,
  HOST_TSO6: 12,
  HOST_ECN: 13,
  HOST_UFO: 14,
  GUEST_USO4: 54,
  GUEST_USO6: 55,
  HOST_USO: 56,
  HASH_REPORT: 57,
  GUEST_UDP_TUNNEL_GSO: 65,
  GUEST_UDP_TUNNEL_GSO_CSUM: 66,
  HOST_UDP_TUNNEL_GSO: 67,
  HOST_UDP_TUNNEL_GSO_CSUM: 68,
} as const;

/** What a virtio hash covers. */
export const VIRTIO_NET_HASH_REPORT = {
  NONE: 0,
  IPv4: 1,
  TCPv4: 2,
  UDPv4: 3,
  IPv6: 4,
  TCPv6: 5,
  UDPv6: 6,
  IPv6_EX: 7,
  TCPv6_EX: 8,
  UDPv6_EX: 9,
} as const;
