/** Wire headers, each as one table; generated accessors live in `src/wire` and `program/wire`. */
import type { Field, FieldType, Layout } from "./types.ts";

/** A header and the names its generated files carry. */
export interface WireHeader {
  /** File name without suffix. */
  readonly file: string;
  /** Export name of the TypeScript namespace. */
  readonly namespace: string;
  readonly layout: Layout;
}

type Row = readonly [
  name: string,
  kernel: string,
  offset: number,
  type: FieldType,
  doc: string,
  bits?: readonly [shift: number, width: number],
];

function fields(rows: readonly Row[]): Field[] {
  return rows.map(([name, kernel, offset, type, doc, bits]) => ({
    name,
    kernel,
    offset,
    type,
    doc,
    ...(bits === undefined ? {} : { bits: { shift: bits[0], width: bits[1] } }),
  }));
}

function bytes(name: string, kernel: string, offset: number, length: number, doc: string): Field {
  return { name, kernel, offset, type: "bytes", length, doc };
}

function header(
  file: string,
  namespace: string,
  className: string,
  name: string,
  size: number,
  doc: string,
  see: string,
  list: readonly Field[],
): WireHeader {
  return { file, namespace, layout: { name, className, size, doc, see, fields: list } };
}

/** All wire headers. */
export const WIRE: readonly WireHeader[] = [
  header(
    "ethernet",
    "ethernet",
    "EthHdr",
    "ethhdr",
    14,
    "Ethernet II header.",
    "IEEE 802.3; include/uapi/linux/if_ether.h struct ethhdr",
    [
      bytes("hDest", "h_dest", 0, 6, "Destination address."),
      bytes("hSource", "h_source", 6, 6, "Source address."),
      ...fields([["hProto", "h_proto", 12, "be16", "EtherType."]]),
    ],
  ),
  header(
    "vlan",
    "vlan",
    "VlanHdr",
    "vlan_hdr",
    4,
    "VLAN tag as it lies behind the EtherType 0x8100 or 0x88a8.",
    "IEEE 802.1Q; include/linux/if_vlan.h struct vlan_hdr",
    fields([
      ["hVlanTci", "h_vlan_TCI", 0, "be16", "Priority, drop eligibility, VLAN id."],
      ["hVlanEncapsulatedProto", "h_vlan_encapsulated_proto", 2, "be16", "EtherType that follows."],
    ]),
  ),
  header(
    "ipv4",
    "ipv4",
    "IpHdr",
    "iphdr",
    20,
    "IPv4 header without options.",
    "RFC 791; include/uapi/linux/ip.h struct iphdr",
    [
      ...fields([
        ["version", "version", 0, "u8", "4.", [4, 4]],
        ["ihl", "ihl", 0, "u8", "Header length in 32-bit words.", [0, 4]],
        ["tos", "tos", 1, "u8", "Type of service."],
        ["totLen", "tot_len", 2, "be16", "Header and payload, bytes; 0 in a super-packet beyond 65,535."],
        ["id", "id", 4, "be16", "Identification."],
        ["fragOff", "frag_off", 6, "be16", "Flags (DF 0x4000, MF 0x2000) and fragment offset in 8 bytes."],
        ["ttl", "ttl", 8, "u8", "Time to live."],
        ["protocol", "protocol", 9, "u8", "Protocol of the payload."],
        ["check", "check", 10, "be16", "Header checksum."],
        ["saddr", "saddr", 12, "be32", "Source address."],
        ["daddr", "daddr", 16, "be32", "Destination address."],
      ]),
    ],
  ),
  header(
    "ipv6",
    "ipv6",
    "Ipv6Hdr",
    "ipv6hdr",
    40,
    "IPv6 header.",
    "RFC 8200; include/uapi/linux/ipv6.h struct ipv6hdr",
    [
      ...fields([
        ["version", "version", 0, "u8", "6.", [4, 4]],
        ["versionClassFlow", "ver_tc_flow", 0, "be32", "Version, traffic class, flow label."],
        ["payloadLen", "payload_len", 4, "be16", "Bytes after this header; 0 in a jumbogram."],
        ["nexthdr", "nexthdr", 6, "u8", "Protocol of what follows."],
        ["hopLimit", "hop_limit", 7, "u8", "Hop limit."],
      ]),
      bytes("saddr", "saddr", 8, 16, "Source address."),
      bytes("daddr", "daddr", 24, 16, "Destination address."),
    ],
  ),
  header(
    "ipv6-opt",
    "ipv6Opt",
    "Ipv6OptHdr",
    "ipv6_opt_hdr",
    2,
    "Common start of hop-by-hop, destination and routing headers.",
    "RFC 8200 section 4; struct ipv6_opt_hdr",
    fields([
      ["nexthdr", "nexthdr", 0, "u8", "Protocol of what follows."],
      ["hdrlen", "hdrlen", 1, "u8", "Length in 8 bytes, the first 8 not counted (AH: 4 bytes, less two)."],
    ]),
  ),
  header(
    "ipv6-rt",
    "ipv6Rt",
    "Ipv6RtHdr",
    "ipv6_rt_hdr",
    4,
    "Routing header, its fixed part.",
    "RFC 8200 section 4.4; struct ipv6_rt_hdr",
    fields([
      ["nexthdr", "nexthdr", 0, "u8", "Protocol of what follows."],
      ["hdrlen", "hdrlen", 1, "u8", "Length in 8 bytes, the first 8 not counted."],
      ["type", "type", 2, "u8", "0, 2, 3 (RPL), 4 (SRH)."],
      ["segmentsLeft", "segments_left", 3, "u8", "Hops still to visit."],
    ]),
  ),
  header(
    "ipv6-frag",
    "ipv6Frag",
    "Ipv6FragHdr",
    "frag_hdr",
    8,
    "Fragment header.",
    "RFC 8200 section 4.5; struct frag_hdr",
    fields([
      ["nexthdr", "nexthdr", 0, "u8", "Protocol of what follows."],
      ["reserved", "reserved", 1, "u8", "Zero."],
      ["fragOff", "frag_off", 2, "be16", "Offset in the upper 13 bits, bit 0 more fragments."],
      ["identification", "identification", 4, "be32", "Identification."],
    ]),
  ),
  header(
    "tcp",
    "tcp",
    "TcpHdr",
    "tcphdr",
    20,
    "TCP header without options.",
    "RFC 9293; include/uapi/linux/tcp.h struct tcphdr",
    fields([
      ["source", "source", 0, "be16", "Source port."],
      ["dest", "dest", 2, "be16", "Destination port."],
      ["seq", "seq", 4, "be32", "Sequence number."],
      ["ackSeq", "ack_seq", 8, "be32", "Acknowledgement number."],
      ["doff", "doff", 12, "u8", "Header length in 32-bit words.", [4, 4]],
      ["flags", "flags", 13, "u8", "CWR ECE URG ACK PSH RST SYN FIN, most significant first."],
      ["window", "window", 14, "be16", "Window."],
      ["check", "check", 16, "be16", "Checksum."],
      ["urgPtr", "urg_ptr", 18, "be16", "Urgent pointer."],
    ]),
  ),
  header(
    "udp",
    "udp",
    "UdpHdr",
    "udphdr",
    8,
    "UDP header.",
    "RFC 768; include/uapi/linux/udp.h struct udphdr",
    fields([
      ["source", "source", 0, "be16", "Source port."],
      ["dest", "dest", 2, "be16", "Destination port."],
      ["len", "len", 4, "be16", "Header and payload, bytes; 0 in a jumbogram."],
      ["check", "check", 6, "be16", "Checksum, 0: none."],
    ]),
  ),
  header(
    "icmp",
    "icmp",
    "IcmpHdr",
    "icmphdr",
    8,
    "ICMP and ICMPv6 header.",
    "RFC 792, RFC 4443; struct icmphdr",
    fields([
      ["type", "type", 0, "u8", "Message type."],
      ["code", "code", 1, "u8", "Code."],
      ["checksum", "checksum", 2, "be16", "Checksum."],
      ["rest", "un", 4, "be32", "Depends on the type."],
    ]),
  ),
  header(
    "igmp",
    "igmp",
    "IgmpHdr",
    "igmphdr",
    8,
    "IGMP header.",
    "RFC 2236; struct igmphdr",
    fields([
      ["type", "type", 0, "u8", "Message type."],
      ["code", "code", 1, "u8", "Maximum response time."],
      ["csum", "csum", 2, "be16", "Checksum."],
      ["group", "group", 4, "be32", "Group address."],
    ]),
  ),
  header(
    "gre",
    "gre",
    "GreBaseHdr",
    "gre_base_hdr",
    4,
    "GRE header, its fixed part.",
    "RFC 2784, RFC 2890; struct gre_base_hdr",
    fields([
      [
        "flags",
        "flags",
        0,
        "be16",
        "C 0x8000, routing 0x4000, K 0x2000, S 0x1000, version in the low 3 bits.",
      ],
      ["protocol", "protocol", 2, "be16", "EtherType of the payload."],
    ]),
  ),
  header(
    "sctp",
    "sctp",
    "SctpHdr",
    "sctphdr",
    12,
    "SCTP common header.",
    "RFC 9260; struct sctphdr",
    fields([
      ["source", "source", 0, "be16", "Source port."],
      ["dest", "dest", 2, "be16", "Destination port."],
      ["vtag", "vtag", 4, "be32", "Verification tag."],
      ["checksum", "checksum", 8, "le32", "CRC-32C, little endian as the kernel stores it."],
    ]),
  ),
  header(
    "vxlan",
    "vxlan",
    "VxlanHdr",
    "vxlanhdr",
    8,
    "VXLAN header.",
    "RFC 7348; struct vxlanhdr",
    fields([
      ["vxFlags", "vx_flags", 0, "be32", "I bit 0x08000000."],
      ["vxVni", "vx_vni", 4, "be32", "VNI in the upper 24 bits."],
    ]),
  ),
  header(
    "geneve",
    "geneve",
    "GeneveHdr",
    "genevehdr",
    8,
    "GENEVE header, its fixed part.",
    "RFC 8926; struct genevehdr",
    fields([
      ["ver", "ver", 0, "u8", "Version.", [6, 2]],
      ["optLen", "opt_len", 0, "u8", "Options, 4-byte words.", [0, 6]],
      ["flags", "flags", 1, "u8", "O 0x80, C 0x40."],
      ["protoType", "proto_type", 2, "be16", "EtherType of the payload."],
      ["vni", "vni", 4, "be32", "VNI in the upper 24 bits."],
    ]),
  ),
  header(
    "gue",
    "gue",
    "GueHdr",
    "guehdr",
    4,
    "GUE header, its fixed part.",
    "draft-ietf-intarea-gue; struct guehdr",
    fields([
      ["version", "version", 0, "u8", "Variant.", [6, 2]],
      ["control", "control", 0, "u8", "Control message.", [5, 1]],
      ["hlen", "hlen", 0, "u8", "Optional fields, 4-byte words.", [0, 5]],
      ["protoCtype", "proto_ctype", 1, "u8", "IP protocol or control type."],
      ["flags", "flags", 2, "be16", "Flags; 0x0001: private fields follow."],
    ]),
  ),
  header(
    "mpls",
    "mpls",
    "MplsLabel",
    "mpls_label",
    4,
    "One MPLS label stack entry.",
    "RFC 3032",
    fields([
      ["entry", "entry", 0, "be32", "Label, traffic class, bottom of stack, TTL."],
      ["bottom", "bottom", 2, "u8", "Bottom of the stack.", [0, 1]],
    ]),
  ),
  header(
    "virtio-net-hdr",
    "virtioNetHdr",
    "VirtioNetHdr",
    "virtio_net_hdr",
    24,
    "virtio_net_hdr in its longest form; shorter forms are its prefixes of 10, 12 and 20 bytes.",
    "virtio 1.x section 5.1.6; include/uapi/linux/virtio_net.h",
    fields([
      ["flags", "flags", 0, "u8", "NEEDS_CSUM 1, DATA_VALID 2, RSC_INFO 4, UDP_TUNNEL_CSUM 8."],
      [
        "gsoType",
        "gso_type",
        1,
        "u8",
        "NONE 0, TCPV4 1, UDP 3, TCPV6 4, UDP_L4 5, tunnel bits 0x20 and 0x40, ECN 0x80.",
      ],
      ["hdrLen", "hdr_len", 2, "guest16", "Bytes of headers."],
      ["gsoSize", "gso_size", 4, "guest16", "Payload bytes of each segment."],
      ["csumStart", "csum_start", 6, "guest16", "First byte summed, from the frame's first byte."],
      ["csumOffset", "csum_offset", 8, "guest16", "The 16-bit field, from csum_start."],
      ["numBuffers", "num_buffers", 10, "guest16", "Merged receive buffers."],
      ["hashValue", "hash_value", 12, "le32", "Hash; since 6.17 named as two halves of 16 bits."],
      ["hashReport", "hash_report", 16, "le16", "What the hash covers, one of VIRTIO_NET_HASH_REPORT_."],
      ["padding", "padding", 18, "le16", "Zero."],
      [
        "outerThOffset",
        "outer_th_offset",
        20,
        "le16",
        "Outer transport header, from the frame's first byte.",
      ],
      ["innerNhOffset", "inner_nh_offset", 22, "le16", "Inner network header, from the frame's first byte."],
    ]),
  ),
  header(
    "sll",
    "sll",
    "SllHdr",
    "sll_header",
    16,
    "Linux cooked capture header.",
    "LINKTYPE_LINUX_SLL",
    fields([
      ["pktType", "sll_pkttype", 0, "be16", "HOST 0 to OUTGOING 4."],
      ["haType", "sll_hatype", 2, "be16", "ARPHRD_ type."],
      ["protocol", "sll_protocol", 14, "be16", "EtherType."],
    ]),
  ),
  header(
    "sll2",
    "sll2",
    "Sll2Hdr",
    "sll2_header",
    20,
    "Linux cooked capture header, version 2.",
    "LINKTYPE_LINUX_SLL2",
    fields([
      ["protocol", "sll2_protocol", 0, "be16", "EtherType."],
      ["ifIndex", "sll2_if_index", 4, "be32", "Interface."],
      ["haType", "sll2_hatype", 8, "be16", "ARPHRD_ type."],
      ["pktType", "sll2_pkttype", 10, "u8", "HOST 0 to OUTGOING 4."],
    ]),
  ),
];
