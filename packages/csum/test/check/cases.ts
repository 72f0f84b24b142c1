// Frames with what is to be said of them, one for each header and rule: for the checker and for tshark alike.
import {
  be16,
  be32,
  bytes,
  eth,
  type Field,
  fill,
  ipv4,
  ipv6,
  noise,
  pseudo4,
  pseudo6,
  sctp,
  tcp,
  udp,
  V4_SRC,
  V6_DST,
  V6_SRC,
} from "./build.ts";

/** A frame and its verdicts, `layer:verdict(reason)` each. */
export interface Case {
  readonly name: string;
  readonly frame: Uint8Array;
  readonly expect: string;
  readonly linkType?: number;
  readonly wireLength?: number;
  /** tshark of Debian 12 does not dissect it. */
  readonly alone?: true;
}

const NONE = new Uint8Array(0);
const ETH_IP = 0x0800;
const ETH_IPV6 = 0x86dd;
const V6_LAST = [...V6_DST.slice(0, 15), 9];
const V6_HOME = [...V6_SRC.slice(0, 15), 8];

/** TCP in IPv4, some bytes of payload. */
const inner4 = (field: Field = "right"): Uint8Array => ipv4(6, tcp(noise(37), pseudo4, field));
/** UDP in IPv6. */
const inner6 = (field: Field = "right"): Uint8Array => ipv6(17, udp(noise(41), pseudo6, field));
const tunnel = (port: number, payload: Uint8Array, field: Field = "right"): Uint8Array =>
  eth(ETH_IP, ipv4(17, udp(payload, pseudo4, field, port)));
const in4 = (proto: number, payload: Uint8Array): Uint8Array => eth(ETH_IP, ipv4(proto, payload));
const in6 = (next: number, payload: Uint8Array, o = {}): Uint8Array => eth(ETH_IPV6, ipv6(next, payload, o));

const icmp = (type: number, rest: Uint8Array, field: Field = "right"): Uint8Array =>
  fill(bytes(type, 0, 0, 0, rest), 2, NONE, field);
const icmpv6 = (type: number, rest: Uint8Array, field: Field = "right", dst = V6_DST): Uint8Array => {
  const packet = bytes(type, 0, 0, 0, rest);
  return fill(packet, 2, pseudo6(58, packet.length, V6_SRC, dst), field);
};
const udpLite = (payload: Uint8Array, coverage: number, field: Field = "right"): Uint8Array => {
  const packet = bytes(be16(1000), be16(2000), be16(coverage), 0, 0, payload);
  return fill(packet, 6, pseudo4(136, packet.length), field, coverage || packet.length);
};
const dccp = (payload: Uint8Array, coverage: number, field: Field = "right"): Uint8Array => {
  const packet = bytes(be16(1000), be16(2000), 4, coverage, 0, 0, 5, 1, 0, 0, 0, 0, 0, 9, payload);
  const covered = coverage === 0 ? packet.length : 16 + (coverage - 1) * 4;
  return fill(packet, 6, pseudo4(33, packet.length), field, covered);
};
const gre = (
  flags: number,
  type: number,
  optional: readonly number[],
  payload: Uint8Array,
  field: Field = "right",
) => {
  const packet = bytes(be16(flags), be16(type), optional, payload);
  return flags & 0x8000 ? fill(packet, 4, NONE, field) : packet;
};
const QUOTED = (packet: Uint8Array): Uint8Array => icmp(3, bytes(0, 0, 0, 0, packet));
const vxlan = (frame: Uint8Array): Uint8Array => bytes(8, 0, 0, 0, 0, 0, 42, 0, frame);
const frame4 = (field: Field = "right"): Uint8Array => eth(ETH_IP, inner4(field));

/** UDP over IPv6 whose pseudo header has other addresses than the header. */
const udpTo = (dst: readonly number[], src: readonly number[] = V6_SRC): Uint8Array =>
  udp(noise(30), (proto, len) => pseudo6(proto, len, src, dst));
const routing = (type: number, left: number, body: readonly number[], next = 17): number[] => [
  next,
  (body.length - 4) / 8,
  type,
  left,
  ...body,
];

const LINK_CASES: Case[] = [
  { name: "VLAN", frame: eth(0x8100, bytes(0, 5, be16(ETH_IP), inner4())), expect: "ipv4:ok tcp:ok" },
  {
    name: "QinQ, three tags",
    frame: eth(0x88a8, bytes(0, 5, 0x81, 0, 0, 6, 0x81, 0, 0, 7, be16(ETH_IPV6), inner6())),
    expect: "udp:ok",
  },
  {
    name: "LLC and SNAP with padding",
    frame: bytes(
      noise(12),
      be16(8 + inner4().length),
      [0xaa, 0xaa, 3, 0, 0, 0],
      be16(ETH_IP),
      inner4(),
      new Uint8Array(9),
    ),
    expect: "ipv4:ok tcp:ok",
  },
  {
    name: "PPPoE",
    frame: eth(0x8864, bytes(0x11, 0, 0, 9, be16(inner4().length + 2), 0, 0x21, inner4(), 1, 2, 3)),
    expect: "ipv4:ok tcp:ok",
  },
  {
    name: "MPLS, two labels",
    frame: eth(0x8847, bytes(0, 1, 0, 64, 0, 2, 1, 64, inner6())),
    expect: "udp:ok",
  },
  {
    name: "NSH with metadata of type 2",
    frame: eth(0x894f, bytes(0x0f, 0xc3, 2, 2, 0, 0, 1, 255, 0, 0, 0, 0, inner6())),
    expect: "udp:ok",
  },
  { name: "raw IPv4", linkType: 101, frame: inner4(), expect: "ipv4:ok tcp:ok" },
  { name: "raw IPv6", linkType: 229, frame: inner6("wrong"), expect: "udp:bad" },
  {
    name: "BSD loopback, big endian",
    linkType: 0,
    frame: bytes(0, 0, 0, 2, inner4()),
    expect: "ipv4:ok tcp:ok",
  },
  { name: "BSD loopback, little endian", linkType: 0, frame: bytes(30, 0, 0, 0, inner6()), expect: "udp:ok" },
  {
    name: "Linux cooked",
    linkType: 113,
    frame: bytes(0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, be16(ETH_IP), inner4("seed")),
    expect: "ipv4:ok tcp:partial",
  },
  {
    name: "Linux cooked 2",
    linkType: 276,
    frame: bytes(be16(ETH_IPV6), 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, inner6()),
    expect: "udp:ok",
  },
  {
    name: "PPP with address and control",
    linkType: 9,
    frame: bytes(0xff, 3, 0, 0x57, inner6()),
    expect: "udp:ok",
  },
  {
    name: "Cisco HDLC",
    linkType: 104,
    frame: bytes(0x0f, 0, be16(ETH_IP), inner4()),
    expect: "ipv4:ok tcp:ok",
  },
  {
    name: "IEEE 802.11 data, QoS",
    linkType: 105,
    frame: bytes(0x88, 2, noise(22), 0, 0, [0xaa, 0xaa, 3, 0, 0, 0], be16(ETH_IP), inner4()),
    expect: "ipv4:ok tcp:ok",
  },
  { name: "a link type nobody knows", linkType: 65000, frame: inner4(), expect: "" },
];

const TRANSPORT_CASES: Case[] = (["right", "wrong"] as const).flatMap((field) => {
  const verdict = field === "right" ? "ok" : "bad";
  return [
    { name: `ICMP ${field}`, frame: in4(1, icmp(8, noise(33), field)), expect: `ipv4:ok icmp:${verdict}` },
    {
      name: `IPv4 header ${field}`,
      frame: eth(ETH_IP, ipv4(6, tcp(noise(3), pseudo4), { field })),
      expect: `ipv4:${verdict} tcp:ok`,
    },
    { name: `ICMPv6 ${field}`, frame: in6(58, icmpv6(128, noise(33), field)), expect: `icmpv6:${verdict}` },
    {
      name: `IGMP ${field}`,
      frame: in4(2, fill(bytes(0x16, 0, 0, 0, 224, 0, 0, 251), 2, NONE, field)),
      expect: `ipv4:ok igmp:${verdict}`,
    },
    { name: `SCTP ${field}`, frame: in4(132, sctp(noise(29), field)), expect: `ipv4:ok sctp:${verdict}` },
    {
      name: `UDP-Lite, all covered, ${field}`,
      frame: in4(136, udpLite(noise(51), 0, field)),
      expect: `ipv4:ok udplite:${verdict}`,
    },
    {
      name: `UDP-Lite, 12 bytes covered, ${field}`,
      frame: in4(136, udpLite(noise(51), 12, field)),
      expect: `ipv4:ok udplite:${verdict}`,
    },
    {
      name: `DCCP, all covered, ${field}`,
      frame: in4(33, dccp(noise(51), 0, field)),
      expect: `ipv4:ok dccp:${verdict}`,
    },
    {
      name: `DCCP, header and 4 bytes covered, ${field}`,
      frame: in4(33, dccp(noise(51), 2, field)),
      expect: `ipv4:ok dccp:${verdict}`,
    },
    {
      name: `GRE ${field}`,
      frame: in4(47, gre(0x8000, ETH_IP, [0, 0, 0, 0], inner4(), field)),
      expect: `ipv4:ok gre:${verdict} ipv4:ok tcp:ok`,
    },
  ];
});

const EXTENSION_CASES: Case[] = [
  {
    name: "hop-by-hop, destination options, fragment that is whole",
    frame: in6(
      0,
      bytes(60, 0, 1, 4, 0, 0, 0, 0, 44, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 9, udpTo(V6_DST)),
    ),
    expect: "udp:ok",
  },
  {
    name: "authentication header",
    frame: in6(51, bytes(17, 4, 0, 0, be32(1), be32(1), noise(12), udpTo(V6_DST))),
    expect: "udp:ok",
  },
  { name: "no next header", frame: in6(59, noise(8)), expect: "" },
  {
    name: "routing type 0, under way",
    frame: in6(43, bytes(routing(0, 2, [0, 0, 0, 0, ...V6_HOME, ...V6_LAST]), udpTo(V6_LAST))),
    expect: "udp:ok",
  },
  {
    name: "routing type 0, arrived",
    frame: in6(43, bytes(routing(0, 0, [0, 0, 0, 0, ...V6_HOME, ...V6_LAST]), udpTo(V6_DST))),
    expect: "udp:ok",
  },
  {
    name: "routing type 2",
    frame: in6(43, bytes(routing(2, 1, [0, 0, 0, 0, ...V6_HOME]), udpTo(V6_HOME))),
    expect: "udp:ok",
  },
  {
    name: "segment routing, under way",
    frame: in6(43, bytes(routing(4, 1, [1, 0, 0, 0, ...V6_LAST, ...V6_DST]), udpTo(V6_LAST))),
    expect: "udp:ok",
  },
  {
    name: "segment routing, reduced list",
    frame: in6(43, bytes(routing(4, 1, [0, 0, 0, 0, ...V6_LAST]), udpTo(V6_LAST))),
    expect: "udp:ok",
  },
  {
    name: "segment identifiers that may be compressed, under way",
    frame: in6(43, bytes(routing(4, 1, [0, 0, 0, 0, 0x5f, 0, ...V6_LAST.slice(2)]), udpTo(V6_LAST))),
    expect: "udp:unverifiable(unknown_destination)",
  },
  {
    name: "segment identifiers that may be compressed, arrived",
    frame: in6(43, bytes(routing(4, 0, [0, 0, 0, 0, 0x5f, 0, ...V6_LAST.slice(2)]), udpTo(V6_DST))),
    expect: "udp:ok",
  },
  {
    name: "RPL, 15 bytes elided of the last address",
    frame: in6(43, bytes(routing(3, 1, [0xff, 0x70, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]), udpTo(V6_LAST))),
    expect: "udp:ok",
  },
  {
    name: "RPL, nothing elided",
    frame: in6(43, bytes(routing(3, 2, [0, 0, 0, 0, ...V6_HOME, ...V6_LAST]), udpTo(V6_LAST))),
    expect: "udp:ok",
  },
  {
    name: "routing type nobody knows, under way",
    frame: in6(43, bytes(routing(253, 1, [0, 0, 0, 0]), udpTo(V6_LAST))),
    expect: "udp:unverifiable(unknown_destination)",
  },
  {
    name: "routing type nobody knows, arrived",
    frame: in6(43, bytes(routing(253, 0, [0, 0, 0, 0]), udpTo(V6_DST))),
    expect: "udp:ok",
  },
  {
    name: "two routing headers under way",
    frame: in6(
      43,
      bytes(
        routing(2, 1, [0, 0, 0, 0, ...V6_HOME], 43),
        routing(2, 1, [0, 0, 0, 0, ...V6_LAST]),
        udpTo(V6_LAST),
      ),
    ),
    expect: "udp:unverifiable(unknown_destination)",
  },
  {
    name: "home address option",
    frame: in6(60, bytes(17, 2, 1, 2, 0, 0, 0xc9, 16, V6_HOME, udpTo(V6_DST, V6_HOME))),
    expect: "udp:ok",
  },
  {
    name: "IPv4 source route, under way",
    frame: eth(
      ETH_IP,
      ipv4(
        17,
        udp(noise(20), (p, n) => pseudo4(p, n, V4_SRC, [203, 0, 113, 9])),
        {
          options: [131, 11, 4, 192, 0, 2, 99, 203, 0, 113, 9, 0],
        },
      ),
    ),
    expect: "ipv4:ok udp:ok",
  },
  {
    name: "IPv4 source route, arrived",
    frame: eth(
      ETH_IP,
      ipv4(17, udp(noise(20), pseudo4), { options: [137, 11, 12, 192, 0, 2, 99, 203, 0, 113, 9, 0] }),
    ),
    expect: "ipv4:ok udp:ok",
  },
];

const TUNNEL_CASES: Case[] = [
  { name: "IP in IP", frame: in4(4, inner4("wrong")), expect: "ipv4:ok ipv4:ok tcp:bad" },
  { name: "6in4", frame: in4(41, inner6()), expect: "ipv4:ok udp:ok" },
  { name: "IPv4 in IPv6", frame: in6(4, inner4()), expect: "ipv4:ok tcp:ok" },
  {
    name: "IPv4 authentication header",
    frame: in4(51, bytes(6, 4, 0, 0, be32(1), be32(1), noise(12), tcp(noise(9), pseudo4))),
    expect: "ipv4:ok tcp:ok",
  },
  { name: "ESP", frame: in4(50, noise(60)), expect: "ipv4:ok" },
  { name: "EtherIP", frame: in4(97, bytes(0x30, 0, frame4())), expect: "ipv4:ok ipv4:ok tcp:ok" },
  { name: "MPLS in IP", frame: in4(137, bytes(0, 1, 1, 64, inner4())), expect: "ipv4:ok ipv4:ok tcp:ok" },
  {
    name: "Ethernet after segment routing",
    alone: true,
    frame: in6(143, frame4()),
    expect: "ipv4:ok tcp:ok",
  },
  {
    name: "GRE: checksum, key, sequence",
    frame: in4(47, gre(0xb000, ETH_IPV6, [0, 0, 0, 0, ...be32(7), ...be32(8)], inner6())),
    expect: "ipv4:ok gre:ok udp:ok",
  },
  {
    name: "GRE checksum left to a device",
    frame: in4(47, gre(0x8000, ETH_IP, [0, 0, 0, 0], inner4(), 0)),
    expect: "ipv4:ok gre:partial ipv4:ok tcp:ok",
  },
  { name: "GRE: Ethernet", frame: in4(47, gre(0, 0x6558, [], frame4())), expect: "ipv4:ok ipv4:ok tcp:ok" },
  {
    name: "GRE: MPLS",
    frame: in4(47, gre(0, 0x8847, [], bytes(0, 1, 1, 64, inner4()))),
    expect: "ipv4:ok ipv4:ok tcp:ok",
  },
  {
    name: "PPTP with acknowledgement",
    frame: in4(
      47,
      gre(
        0x3081,
        0x880b,
        [...be16(inner4().length + 2), 0, 5, ...be32(1), ...be32(2)],
        bytes(0, 0x21, inner4()),
      ),
    ),
    expect: "ipv4:ok ipv4:ok tcp:ok",
  },
  { name: "ERSPAN I", frame: in4(47, gre(0, 0x88be, [], frame4())), expect: "ipv4:ok ipv4:ok tcp:ok" },
  {
    name: "ERSPAN II",
    frame: in4(47, gre(0x1000, 0x88be, be32(1), bytes(0x10, 1, 0, 0, 0, 0, 0, 0, frame4()))),
    expect: "ipv4:ok ipv4:ok tcp:ok",
  },
  {
    name: "ERSPAN III",
    frame: in4(47, gre(0x1000, 0x22eb, be32(1), bytes(0x20, 1, 0, 0, be32(9), 0, 0, 0, 0, frame4()))),
    expect: "ipv4:ok ipv4:ok tcp:ok",
  },
  { name: "VXLAN", frame: tunnel(4789, vxlan(frame4())), expect: "ipv4:ok udp:ok ipv4:ok tcp:ok" },
  {
    name: "VXLAN on Linux's own port",
    alone: true,
    frame: tunnel(8472, vxlan(frame4())),
    expect: "ipv4:ok udp:ok ipv4:ok tcp:ok",
  },
  {
    name: "VXLAN-GPE: IPv6",
    frame: tunnel(4790, bytes(0x0c, 0, 0, 2, 0, 0, 42, 0, inner6())),
    expect: "ipv4:ok udp:ok udp:ok",
  },
  {
    name: "Geneve with options",
    frame: tunnel(6081, bytes(1, 0, 0x65, 0x58, 0, 0, 1, 0, 1, 2, 3, 0, frame4())),
    expect: "ipv4:ok udp:ok ipv4:ok tcp:ok",
  },
  {
    name: "Geneve: IPv4",
    frame: tunnel(6081, bytes(0, 0, 8, 0, 0, 0, 1, 0, inner4())),
    expect: "ipv4:ok udp:ok ipv4:ok tcp:ok",
  },
  {
    name: "GUE: IPv4",
    alone: true,
    frame: tunnel(6080, bytes(0, 4, 0, 0, inner4())),
    expect: "ipv4:ok udp:ok ipv4:ok tcp:ok",
  },
  { name: "GUE version 1", alone: true, frame: tunnel(6080, inner6()), expect: "ipv4:ok udp:ok udp:ok" },
  {
    name: "MPLS in UDP",
    frame: tunnel(6635, bytes(0, 1, 1, 64, inner4())),
    expect: "ipv4:ok udp:ok ipv4:ok tcp:ok",
  },
  {
    name: "L2TP",
    frame: tunnel(1701, bytes(0x40, 2, be16(inner4().length + 10), 0, 1, 0, 2, 0, 0x21, inner4())),
    expect: "ipv4:ok udp:ok ipv4:ok tcp:ok",
  },
  {
    name: "GTP with sequence number",
    frame: tunnel(2152, bytes(0x32, 255, be16(inner4().length + 4), be32(1), 0, 1, 0, 0, inner4())),
    expect: "ipv4:ok udp:ok ipv4:ok tcp:ok",
  },
  {
    name: "Teredo",
    frame: tunnel(3544, bytes(0, 0, 1, 2, 3, 4, 5, 6, inner6())),
    expect: "ipv4:ok udp:ok udp:ok",
  },
  {
    name: "LISP",
    frame: tunnel(4341, bytes(0x80, 0, 0, 1, 0, 0, 0, 1, inner4())),
    expect: "ipv4:ok udp:ok ipv4:ok tcp:ok",
  },
  { name: "SCTP in UDP", frame: tunnel(9899, sctp(noise(22))), expect: "ipv4:ok udp:ok sctp:ok" },
  {
    name: "a zero checksum over IPv6",
    frame: in6(17, udp(noise(12), pseudo6, 0)),
    expect: "udp:absent",
  },
  {
    name: "an ICMP error longer than the frame",
    frame: eth(ETH_IP, ipv4(1, QUOTED(inner4()), { len: 500 })),
    expect: "ipv4:ok icmp:unverifiable(length_beyond_packet) ipv4:ok tcp:ok",
    alone: true,
  },
  {
    name: "a zero outer checksum",
    frame: tunnel(4789, vxlan(frame4("seed")), 0),
    expect: "ipv4:ok udp:absent ipv4:ok tcp:partial",
  },
];

const ICMP_CASES: Case[] = [
  {
    name: "ICMP error, whole packet quoted",
    frame: in4(1, QUOTED(inner4())),
    expect: "ipv4:ok icmp:ok ipv4:ok tcp:ok",
  },
  {
    name: "ICMP error, UDP quoted, wrong",
    frame: in4(1, QUOTED(ipv4(17, udp(noise(9), pseudo4, "wrong")))),
    expect: "ipv4:ok icmp:ok ipv4:ok udp:bad",
  },
  {
    name: "ICMP error, 8 bytes of TCP quoted",
    frame: in4(1, QUOTED(inner4().subarray(0, 28))),
    expect: "ipv4:ok icmp:ok ipv4:ok tcp:unverifiable(quoted)",
  },
  {
    name: "ICMP error, 40 bytes of TCP quoted",
    frame: in4(1, QUOTED(inner4().subarray(0, 60))),
    expect: "ipv4:ok icmp:ok ipv4:ok tcp:unverifiable(quoted)",
  },
  {
    name: "ICMP error, 8 bytes of UDP quoted",
    frame: in4(1, QUOTED(ipv4(17, udp(noise(9), pseudo4)).subarray(0, 28))),
    expect: "ipv4:ok icmp:ok ipv4:ok udp:unverifiable(quoted)",
  },
  {
    name: "ICMPv6 error, 40 bytes of UDP quoted",
    frame: in6(58, icmpv6(1, bytes(0, 0, 0, 0, inner6().subarray(0, 80)))),
    expect: "icmpv6:ok udp:unverifiable(quoted)",
  },
  {
    name: "ICMPv6 error, whole packet quoted",
    frame: in6(58, icmpv6(3, bytes(0, 0, 0, 0, inner6()))),
    expect: "icmpv6:ok udp:ok",
  },
  {
    name: "ICMP error with an extension",
    frame: in4(
      1,
      icmp(
        11,
        bytes(
          0,
          32,
          0,
          0,
          inner4(),
          new Uint8Array(128 - inner4().length),
          fill(bytes(0x20, 0, 0, 0, 0, 8, 1, 1, 0, 1, 1, 255), 2, NONE, "right"),
        ),
      ),
    ),
    expect: "ipv4:ok icmp:ok icmp_ext:ok ipv4:ok tcp:ok",
  },
];

const seedOf = (length: number): Field => {
  // the sum of the pseudo header, complemented by nobody
  const packet = udp(NONE, () => pseudo4(6, length), "seed");
  return packet[6]! * 256 + packet[7]!;
};
const LENGTH_CASES: Case[] = [
  {
    name: "TCP seed without a length",
    frame: in4(6, tcp(noise(3000), pseudo4, seedOf(0))),
    expect: "ipv4:ok tcp:partial",
  },
  {
    name: "super-packet of length 0, seed with 32 bits of length",
    frame: eth(ETH_IP, ipv4(6, tcp(noise(70_000), pseudo4, "seed"), { len: 0 })),
    expect: "ipv4:ok tcp:partial",
  },
  {
    name: "super-packet of length 0, checksum right",
    frame: eth(ETH_IPV6, ipv6(6, tcp(noise(70_000), pseudo6), { len: 0 })),
    expect: "tcp:ok",
  },
  {
    name: "jumbogram",
    frame: eth(
      ETH_IPV6,
      ipv6(0, bytes(6, 0, 0xc2, 4, be32(8 + 20 + 70_000), tcp(noise(70_000), pseudo6)), { len: 0 }),
    ),
    expect: "tcp:ok",
  },
  {
    name: "Ethernet padding",
    frame: bytes(in4(17, udp(noise(3), pseudo4)), new Uint8Array(15).fill(0xee)),
    expect: "ipv4:ok udp:ok",
  },
  {
    name: "UDP shorter than IP says",
    frame: in4(17, bytes(udp(noise(30), pseudo4), 1, 2, 3)),
    expect: "ipv4:ok udp:ok",
  },
  {
    name: "UDP longer than IP says",
    frame: eth(ETH_IP, ipv4(17, udp(noise(30), pseudo4).subarray(0, 30))),
    expect: "ipv4:ok udp:unverifiable(length_beyond_packet)",
  },
  {
    name: "UDP length below its header",
    frame: in4(17, bytes(be16(1), be16(2), be16(7), 1, 2, noise(8))),
    expect: "ipv4:ok udp:unverifiable(malformed)",
  },
  {
    name: "IPv4 longer than the frame, UDP whole",
    frame: eth(ETH_IP, ipv4(17, udp(noise(30), pseudo4), { len: 200 })),
    expect: "ipv4:ok udp:ok",
  },
  {
    name: "IPv4 shorter than its header",
    frame: eth(ETH_IP, ipv4(17, udp(noise(30), pseudo4), { len: 19 })),
    expect: "ipv4:unverifiable(malformed)",
  },
  {
    name: "IPv4 header length 4",
    frame: eth(ETH_IP, bytes(0x44, inner4().subarray(1))),
    expect: "ipv4:unverifiable(malformed)",
  },
  {
    name: "TCP data offset 4",
    frame: in4(6, bytes(tcp(noise(8), pseudo4).subarray(0, 12), 0x40, tcp(noise(8), pseudo4).subarray(13))),
    expect: "ipv4:ok tcp:unverifiable(malformed)",
  },
  {
    name: "TCP cut by the capture",
    frame: frame4().subarray(0, 60),
    wireLength: frame4().length,
    expect: "ipv4:ok tcp:unverifiable(truncated_by_capture)",
  },
  {
    name: "IPv4 header cut by the capture",
    frame: frame4().subarray(0, 30),
    wireLength: frame4().length,
    expect: "ipv4:unverifiable(truncated_by_capture)",
  },
  {
    name: "first fragment",
    frame: eth(ETH_IP, ipv4(6, tcp(noise(60), pseudo4), { frag: 0x2000, id: 900 })),
    expect: "ipv4:ok tcp:unverifiable(fragment)",
  },
  {
    name: "later fragment",
    frame: eth(ETH_IP, ipv4(6, noise(60), { frag: 0x2004, id: 901 })),
    expect: "ipv4:ok",
  },
];

/** Every case. */
export const CASES: readonly Case[] = [
  ...LINK_CASES,
  ...TRANSPORT_CASES,
  ...EXTENSION_CASES,
  ...TUNNEL_CASES,
  ...ICMP_CASES,
  ...LENGTH_CASES,
];
