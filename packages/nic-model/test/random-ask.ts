/** Random packets that ask for a checksum, with all header offsets, and the frame that must leave: the oracle's. */
import { CHECKSUM_PARTIAL, type Memory, type SkBuff, skbFromBytes } from "@netoffload/skbuff";
import {
  be16,
  be32,
  bytes,
  fill,
  ipv4,
  ipv6,
  noise,
  pseudo4,
  pseudo6,
  V6_DST,
} from "../../csum/test/check/build.ts";
import { slowChecksum, slowCrc32c } from "../../csum/test/ref/slow.ts";

/** Offsets count from the frame's first byte. */
export interface Ask {
  readonly what: string;
  readonly right: Uint8Array;
  readonly seeded: Uint8Array;
  readonly start: number;
  readonly offset: number;
  readonly crc: boolean;
  readonly network: number;
  readonly transport: number;
  readonly inner: {
    readonly mac: number;
    readonly network: number;
    readonly type: number;
    readonly ipproto: number;
  } | null;
  /** The checksum comes out as 0. */
  readonly zero: boolean;
}

type Pick = <T>(list: readonly T[]) => T;
interface Random {
  readonly below: (n: number) => number;
  readonly pick: Pick;
}

/** Numbers from a seed (mulberry32). */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return { below, pick: (list) => list[below(list.length)]! };
}

const LAST = [...V6_DST.slice(0, 15), 9];
const zeros = (n: number): number[] => new Array<number>(n).fill(0);
/** Extension headers by name: bytes with the next header, and whether the destination is then another. */
const EXT: Readonly<Record<string, { type: number; bytes: (next: number) => number[] }>> = {
  hop: { type: 0, bytes: (n) => [n, 0, 1, 4, 0, 0, 0, 0] },
  "long hop": { type: 0, bytes: (n) => [n, 9, 1, 4, ...zeros(76)] },
  "very long hop": { type: 0, bytes: (n) => [n, 60, 1, 4, ...zeros(484)] },
  dest: { type: 60, bytes: (n) => [n, 0, 1, 4, 0, 0, 0, 0] },
  hao: { type: 60, bytes: (n) => [n, 2, 1, 2, 0, 0, 0xc9, 16, ...V6_DST] },
  ah: { type: 51, bytes: (n) => [n, 4, ...zeros(22)] },
  atomic: { type: 44, bytes: (n) => [n, 0, 0, 0, 0, 0, 0, 1] },
  "srh used up": { type: 43, bytes: (n) => [n, 2, 4, 0, 0, 0, 0, 0, ...LAST] },
  srh: { type: 43, bytes: (n) => [n, 2, 4, 1, 0, 0, 0, 0, ...LAST] },
};

interface L4 {
  readonly what: string;
  readonly proto: number;
  readonly offset: number;
  readonly right: Uint8Array;
  readonly seeded: Uint8Array;
  readonly zero: boolean;
}

/** A transport packet, complete and seeded. */
function transport(r: Random, pseudo: (proto: number, len: number) => Uint8Array, six: boolean): L4 {
  const what = r.pick(["tcp", "tcp", "udp", "udp", "icmpv6", "sctp"]);
  const payload = noise(r.pick([0, 1, 7, 60, 61, 200, 333, 1700]), r.below(200));
  if (what === "sctp") {
    const seeded = bytes(be16(7), be16(9), be32(77), 0, 0, 0, 0, payload);
    const right = seeded.slice();
    new DataView(right.buffer).setUint32(8, slowCrc32c(seeded), true);
    return { what, proto: 132, offset: 8, right, seeded, zero: false };
  }
  const isTcp = what === "tcp";
  const header =
    what === "tcp"
      ? [...be16(1000), ...be16(80), ...be32(1), ...be32(2), 0x50, 0x18, ...be16(500), 0, 0, 0, 0]
      : what === "udp"
        ? [...be16(1000), ...be16(9), ...be16(8 + payload.length), 0, 0]
        : [128, 0, 0, 0, 0, 7, 0, 1];
  const proto = isTcp ? 6 : what === "udp" ? 17 : six ? 58 : 1;
  const offset = isTcp ? 16 : what === "udp" ? 6 : 2;
  const packet = bytes(header, payload);
  const zero = payload.length >= 2 && r.below(6) === 0;
  if (zero) {
    // the last even word takes what is missing
    const at = (packet.length - 2) & ~1;
    packet[at] = packet[at + 1] = 0;
    const missing = slowChecksum(packet, 0xffff - slowChecksum(pseudo(proto, packet.length)));
    packet.set(be16(missing), at);
  }
  const right = fill(packet.slice(), offset, pseudo(proto, packet.length), "right");
  // 0 is sent as 0xffff whatever the protocol
  if (right[offset] === 0 && right[offset + 1] === 0) right.set([0xff, 0xff], offset);
  const seeded = fill(packet.slice(), offset, pseudo(proto, packet.length), "seed");
  return { what: zero ? `${what} summing to 0` : what, proto, offset, right, seeded, zero };
}

interface Ip extends L4 {
  readonly type: number;
  /** Of the transport, from the IP header. */
  readonly l4: number;
}

/** An IP packet around a transport packet. */
function ip(r: Random, make: (pseudo: typeof pseudo4, six: boolean) => L4, tame = false): Ip {
  const six = r.below(2) === 0;
  const names =
    six && r.below(tame ? 6 : 2) === 0
      ? Array.from({ length: 1 + r.below(4) }, () => r.pick(Object.keys(EXT)))
      : [];
  const routed = names.includes("srh");
  const pseudo = six
    ? (proto: number, len: number) => pseudo6(proto, len, undefined, routed ? LAST : V6_DST)
    : pseudo4;
  const inside = make(pseudo, six);
  const what = `${six ? "IPv6" : "IPv4"}${names.map((n) => ` ${n}`).join("")} ${inside.what}`;
  if (!six) {
    const options = r.below(5) === 0 ? [1, 1, 1, 0] : [];
    const wrap = (p: Uint8Array): Uint8Array => ipv4(inside.proto, p, { options });
    return {
      ...inside,
      what,
      type: 0x0800,
      l4: 20 + options.length,
      right: wrap(inside.right),
      seeded: wrap(inside.seeded),
    };
  }
  let headers: number[] = [];
  let next = inside.proto;
  for (const name of [...names].reverse()) {
    headers = [...EXT[name]!.bytes(next), ...headers];
    next = EXT[name]!.type;
  }
  const wrap = (p: Uint8Array): Uint8Array => ipv6(next, bytes(headers, p));
  return {
    ...inside,
    what,
    type: 0x86dd,
    l4: 40 + headers.length,
    right: wrap(inside.right),
    seeded: wrap(inside.seeded),
  };
}

/** A link-layer header with tags. */
function link(r: Random, type: number): number[] {
  const tags = r.pick([0, 0, 0, 0, 1, 2]);
  const words = [[], [0x8100, 5, type], [0x88a8, 6, 0x8100, 5, type]][tags]!;
  return [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, ...(tags === 0 ? be16(type) : words.flatMap(be16))];
}

/** In no tunnel. */
function plain(r: Random): Ask {
  const packet = ip(r, (pseudo, six) => transport(r, pseudo, six));
  const l2 = link(r, packet.type);
  const start = l2.length + packet.l4;
  return {
    what: `${(l2.length - 14) / 4} tags ${packet.what}`,
    right: bytes(l2, packet.right),
    seeded: bytes(l2, packet.seeded),
    start,
    offset: packet.offset,
    crc: packet.proto === 132,
    network: l2.length,
    transport: start,
    inner: null,
    zero: packet.zero,
  };
}

const TUNNELS = ["vxlan", "vxlan elsewhere", "geneve", "gre", "gre of Ethernet", "ipip", "fou"] as const;

/** In a tunnel; an outer UDP checksum is absent or right once the inner one is. */
function tunnelled(r: Random): Ask {
  const kind = r.pick(TUNNELS);
  const inner = ip(r, (pseudo, six) => transport(r, pseudo, six));
  const ethernet = [2, 0, 0, 0, 0, 4, 2, 0, 0, 0, 0, 3, ...be16(inner.type)];
  const ipproto = inner.type === 0x0800 ? 4 : 41;
  const behind: Record<
    (typeof TUNNELS)[number],
    { header: number[]; eth: boolean; proto: number; port: number }
  > = {
    vxlan: { header: [8, 0, 0, 0, 0, 0, 1, 0], eth: true, proto: 17, port: 4789 },
    "vxlan elsewhere": { header: [8, 0, 0, 0, 0, 0, 1, 0], eth: true, proto: 17, port: 4790 },
    geneve: { header: [1, 0, 0x65, 0x58, 0, 0, 1, 0, 1, 2, 3, 0], eth: true, proto: 17, port: 6081 },
    gre: { header: [0x20, 0, ...be16(inner.type), 0, 0, 0, 9], eth: false, proto: 47, port: 0 },
    "gre of Ethernet": { header: [0, 0, 0x65, 0x58], eth: true, proto: 47, port: 0 },
    ipip: { header: [], eth: false, proto: ipproto, port: 0 },
    fou: { header: [], eth: false, proto: 17, port: 5555 },
  };
  const { header, eth, proto, port } = behind[kind];
  const front = [...header, ...(eth ? ethernet : [])];
  const absent = r.below(2) === 0;
  const outer = ip(
    r,
    (pseudo) => {
      const around = (packet: Uint8Array): Uint8Array => {
        if (proto !== 17) return bytes(front, packet);
        const datagram = bytes(
          be16(999),
          be16(port),
          be16(8 + front.length + packet.length),
          0,
          0,
          front,
          packet,
        );
        return absent ? datagram : fill(datagram, 6, pseudo(17, datagram.length), "right");
      };
      const right = around(inner.right);
      if (proto === 17 && !absent && right[6] === 0 && right[7] === 0) right.set([0xff, 0xff], 6);
      // the outer checksum is the one that fits once the inner field is filled in
      const seeded = bytes(right.subarray(0, right.length - inner.right.length), inner.seeded);
      return { what: kind, proto, offset: 0, right, seeded, zero: false };
    },
    true,
  );
  const l2 = link(r, outer.type);
  const transportAt = l2.length + outer.l4;
  const network = transportAt + (proto === 17 ? 8 : 0) + front.length;
  return {
    what: `${(l2.length - 14) / 4} tags ${outer.what} of ${inner.what}`,
    right: bytes(l2, outer.right),
    seeded: bytes(l2, outer.seeded),
    start: network + inner.l4,
    offset: inner.offset,
    crc: inner.proto === 132,
    network: l2.length,
    transport: transportAt,
    inner: {
      mac: eth ? network - 14 : network,
      network,
      type: eth ? 0x6558 : inner.type,
      ipproto: kind === "ipip" || kind === "fou" ? ipproto : 0,
    },
    zero: inner.zero,
  };
}

/** One more packet. */
export function randomAsk(r: Random): Ask {
  return r.below(5) < 3 ? plain(r) : tunnelled(r);
}

/** The skb that a stack hands down. */
export function askedSkb(memory: Memory, ask: Ask, frags: readonly number[] = []): SkBuff {
  const headroom = 64;
  const skb = skbFromBytes(memory, ask.seeded, { headroom, frags })!;
  skb.ipSummed = CHECKSUM_PARTIAL;
  skb.csumStart = headroom + ask.start;
  skb.csumOffset = ask.offset;
  skb.csumNotInet = ask.crc ? 1 : 0;
  skb.macHeader = headroom;
  skb.networkHeader = headroom + ask.network;
  skb.transportHeader = headroom + ask.transport;
  skb.protocol = (ask.seeded[12]! << 8) | ask.seeded[13]!;
  if (ask.inner === null) return skb;
  skb.encapsulation = 1;
  skb.innerMacHeader = headroom + ask.inner.mac;
  skb.innerNetworkHeader = headroom + ask.inner.network;
  skb.innerTransportHeader = headroom + ask.start;
  if (ask.inner.ipproto === 0) skb.innerProtocol = ask.inner.type;
  else {
    skb.innerProtocolType = 1;
    skb.innerIpproto = ask.inner.ipproto;
  }
  return skb;
}
