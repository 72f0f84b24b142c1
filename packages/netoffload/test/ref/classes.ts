/** What kinds of packets a capture of Ethernet frames holds: plain byte code that shares nothing with the packages. */

/** Packets of each kind; a packet counts in all that fit. Tunnelled packets count by their outermost IP header. */
export interface PacketClasses {
  packets: number;
  tcp4: number;
  tcp6: number;
  udp: number;
  udpLite: number;
  udpZeroChecksum: number;
  /** UDP with a payload of several datagrams (its length is more than the link takes). */
  udpSuper: number;
  icmp: number;
  icmpv6: number;
  neighbourDiscovery: number;
  mld: number;
  igmp: number;
  arp: number;
  sctp: number;
  gre: number;
  greChecksum: number;
  ipInIp: number;
  vxlan: number;
  geneve: number;
  vlan: number;
  ipv4Options: number;
  ipv6Extension: number;
  hopByHop: number;
  destinationOptions: number;
  routing: number;
  fragments4: number;
  fragments6: number;
  /** TCP or UDP whose checksum is only the sum of the pseudo header. */
  partial: number;
  /** TCP or UDP whose checksum is right. */
  complete: number;
  /** Neither, but VXLAN's: right once the packet within is filled in. */
  aroundPartial: number;
  /** Neither. */
  wrong: number;
  oddLength: number;
  /** Longer than an Ethernet frame of a 1,500-byte link. */
  superPackets: number;
}

export function noClasses(): PacketClasses {
  return {
    packets: 0,
    tcp4: 0,
    tcp6: 0,
    udp: 0,
    udpLite: 0,
    udpZeroChecksum: 0,
    udpSuper: 0,
    icmp: 0,
    icmpv6: 0,
    neighbourDiscovery: 0,
    mld: 0,
    igmp: 0,
    arp: 0,
    sctp: 0,
    gre: 0,
    greChecksum: 0,
    ipInIp: 0,
    vxlan: 0,
    geneve: 0,
    vlan: 0,
    ipv4Options: 0,
    ipv6Extension: 0,
    hopByHop: 0,
    destinationOptions: 0,
    routing: 0,
    fragments4: 0,
    fragments6: 0,
    partial: 0,
    complete: 0,
    aroundPartial: 0,
    wrong: 0,
    oddLength: 0,
    superPackets: 0,
  };
}

const u16 = (b: Uint8Array, at: number): number => b[at]! * 256 + b[at + 1]!;

/** Folded sum of big-endian words, not complemented; bytes of [from, to) and a seed. */
function sum(b: Uint8Array, from: number, to: number, seed: number): number {
  let s = seed;
  for (let i = from; i < to; i++) s += (i - from) % 2 === 0 ? b[i]! * 256 : b[i]!;
  while (s > 0xffff) s = (s % 0x10000) + Math.floor(s / 0x10000);
  return s;
}

/** Count one Ethernet frame. */
export function countFrame(c: PacketClasses, b: Uint8Array): void {
  c.packets++;
  if (b.length % 2 === 1) c.oddLength++;
  let at = 14;
  let type = u16(b, 12);
  if (type === 0x8100 || type === 0x88a8) {
    c.vlan++;
    type = u16(b, 16);
    at = 18;
  }
  if (b.length - at > 1500) c.superPackets++;
  if (type === 0x0806) c.arp++;
  else if (type === 0x0800) countIpv4(c, b, at);
  else if (type === 0x86dd) countIpv6(c, b, at);
}

function countIpv4(c: PacketClasses, b: Uint8Array, at: number): void {
  const header = (b[at]! % 16) * 4;
  const end = at + u16(b, at + 2);
  if (header > 20) c.ipv4Options++;
  const fragment = u16(b, at + 6) % 0x4000;
  if (fragment !== 0) {
    c.fragments4++;
    return;
  }
  countTransport(c, b, b[at + 9]!, at + header, end, sum(b, at + 12, at + 20, 0), 4);
}

function countIpv6(c: PacketClasses, b: Uint8Array, start: number): void {
  const end = start + 40 + u16(b, start + 4);
  let next = b[start + 6]!;
  let at = start + 40;
  let target = start + 24;
  let extensions = 0;
  while (next === 0 || next === 43 || next === 44 || next === 60) {
    extensions++;
    if (next === 0) c.hopByHop++;
    if (next === 60) c.destinationOptions++;
    if (next === 43) {
      c.routing++;
      // segment routing with segments left: the last destination stands first in the list
      if (b[at + 3]! > 0) target = at + 8;
    }
    if (next === 44) {
      c.fragments6++;
      c.ipv6Extension++;
      return;
    }
    next = b[at]!;
    at += (b[at + 1]! + 1) * 8;
  }
  if (extensions > 0) c.ipv6Extension++;
  const pseudo = sum(b, target, target + 16, sum(b, start + 8, start + 24, 0));
  countTransport(c, b, next, at, end, pseudo, 6);
}

function countTransport(
  c: PacketClasses,
  b: Uint8Array,
  protocol: number,
  at: number,
  end: number,
  addresses: number,
  version: number,
): void {
  switch (protocol) {
    case 6:
      if (version === 4) c.tcp4++;
      else c.tcp6++;
      countChecksum(c, b, at, end, at + 16, addresses + protocol);
      break;
    case 17: {
      c.udp++;
      const port = u16(b, at + 2);
      if (port === 4789) c.vxlan++;
      if (port === 6081) c.geneve++;
      if (end - at > 1480) c.udpSuper++;
      if (u16(b, at + 6) === 0) c.udpZeroChecksum++;
      else countChecksum(c, b, at, end, at + 6, addresses + protocol);
      break;
    }
    case 136:
      c.udpLite++;
      break;
    case 1:
      c.icmp++;
      break;
    case 58: {
      c.icmpv6++;
      const kind = b[at]!;
      if (kind >= 133 && kind <= 137) c.neighbourDiscovery++;
      if (kind === 143 || (kind >= 130 && kind <= 132)) c.mld++;
      break;
    }
    case 2:
      c.igmp++;
      break;
    case 132:
      c.sctp++;
      break;
    case 47:
      c.gre++;
      if (b[at]! >= 0x80) c.greChecksum++;
      break;
    case 4:
    case 41:
      c.ipInIp++;
      break;
  }
}

function countChecksum(
  c: PacketClasses,
  b: Uint8Array,
  at: number,
  end: number,
  field: number,
  addressesAndProtocol: number,
): void {
  const pseudo = sum(b, 0, 0, addressesAndProtocol + (end - at));
  if (sum(b, at, end, pseudo) === 0xffff) c.complete++;
  else if (u16(b, field) === pseudo) c.partial++;
  else if (field === at + 6 && u16(b, at + 2) === 4789) c.aroundPartial++;
  else c.wrong++;
}
