import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  CHECKSUM_UNNECESSARY,
  dissectBasic,
  ethHeaderParseProtocol,
  ipTunnelParseProtocol,
  Memory,
  type SkBuff,
  type SkbFromBytesOptions,
  skbFromBytes,
  type VirtioNetHdrToSkbOptions,
  virtioNetHandleCsumOffload,
  virtioNetHdrFromSkb,
  virtioNetHdrTnlFromSkb,
  virtioNetHdrTnlToSkb,
  virtioNetHdrToSkb,
} from "@netoffload/skbuff";
import { beforeEach, describe, expect, it } from "vitest";
import { DATA, ETH, frame, IP4, IP6, TCP, tunnel, UDP, VLAN } from "./frames.ts";
import { audit } from "./ref/audit.ts";
import { Random, seed } from "./ref/random.ts";

// Expected values: Linux 6.18, include/linux/virtio_net.h, as described in prose by the project's reference text;
// rows marked [live] were observed on 6.18.44 through a tap (IFF_VNET_HDR).

const EINVAL = -22;
let memory = Memory.create({ bytes: 4 << 20, poison: true });
beforeEach(() => {
  memory = Memory.create({ bytes: 4 << 20, poison: true });
});

interface Hdr {
  readonly flags?: number;
  readonly gsoType?: number;
  readonly hdrLen?: number;
  readonly gsoSize?: number;
  readonly csumStart?: number;
  readonly csumOffset?: number;
  readonly outerTh?: number;
  readonly innerNh?: number;
}

/** The header's bytes, written field by field at their places in the virtio specification. */
function bytesOf(h: Hdr, littleEndian = true): DataView {
  const v = new DataView(new ArrayBuffer(24));
  v.setUint8(0, h.flags ?? 0);
  v.setUint8(1, h.gsoType ?? 0);
  v.setUint16(2, h.hdrLen ?? 0, littleEndian);
  v.setUint16(4, h.gsoSize ?? 0, littleEndian);
  v.setUint16(6, h.csumStart ?? 0, littleEndian);
  v.setUint16(8, h.csumOffset ?? 0, littleEndian);
  v.setUint16(20, h.outerTh ?? 0, true);
  v.setUint16(22, h.innerNh ?? 0, true);
  return v;
}

function skbOf(bytes: Uint8Array | number[], options: SkbFromBytesOptions = {}): SkBuff {
  return skbFromBytes(memory, Uint8Array.from(bytes), { headroom: 32, ...options })!;
}

/** Fields a header may set, as one comparable object. */
function state(skb: SkBuff): Record<string, number> {
  const { ipSummed, gsoSize, gsoType, gsoSegs, protocol } = skb;
  return {
    ipSummed,
    gsoSize,
    gsoType,
    gsoSegs,
    protocol,
    csumStart: ipSummed === CHECKSUM_PARTIAL ? skb.checksumStartOffset : 0,
    csumOffset: ipSummed === CHECKSUM_PARTIAL ? skb.csumOffset : 0,
    mac: skb.macHeader - skb.headroom,
    transport: skb.transportHeader === 0xffff ? -1 : skb.transportOffset,
  };
}

const NEEDS_CSUM = 1;
const TCPV4 = 1;
const UFO = 3;
const TCPV6 = 4;
const USO = 5;
const ECN = 0x80;
const DODGY = 2;
/** Offsets of a plain frame's transport header. */
const T4 = 34;
const T6 = 54;

interface Row {
  readonly name: string;
  readonly origin: string;
  readonly bytes: Uint8Array | number[];
  readonly hdr: Hdr;
  readonly result: number;
  readonly state?: Record<string, number>;
  readonly layout?: SkbFromBytesOptions;
  /** network_header, bytes from data; absent: 0 from head, as on an skb nobody looked at. */
  readonly network?: number;
  readonly protocol?: number;
  readonly options?: VirtioNetHdrToSkbOptions;
}

const tcp4 = frame(4, "tcp", 1000);
const tcp6 = frame(6, "tcp", 1000);
const udp4 = frame(4, "udp", 1000);
const udp6 = frame(6, "udp", 1000);

const ROWS: Row[] = [
  // step 1
  {
    name: "an empty header sets mac_header and nothing else",
    origin: "step 1, 2, 7",
    bytes: tcp4,
    hdr: {},
    result: 0,
    state: { ipSummed: 0, gsoSize: 0, gsoType: 0, mac: 0, transport: -1 },
  },
  ...[2, 6, 0x10, 0x20, 0x21, 0x40, 0x60, 0x7f, 0x82, ECN].map((gsoType) => ({
    name: `gso_type 0x${gsoType.toString(16)} is unknown`,
    origin: "step 1: any type but 1, 3, 4, 5, ECN alone included",
    bytes: tcp4,
    hdr: { flags: NEEDS_CSUM, gsoType, gsoSize: 100, csumStart: T4, csumOffset: 16 },
    result: EINVAL,
  })),
  ...[TCPV4, UFO, TCPV6, USO].map((gsoType) => ({
    name: `gso_type ${gsoType} with gso_size 0`,
    origin: "step 1",
    bytes: tcp4,
    hdr: { flags: NEEDS_CSUM, gsoType, gsoSize: 0, csumStart: T4, csumOffset: gsoType === USO ? 6 : 16 },
    result: EINVAL,
  })),
  {
    name: "an error of step 1 comes before mac_header is set",
    origin: "order of steps 1 and 2",
    bytes: tcp4,
    hdr: { gsoType: TCPV4 },
    result: EINVAL,
    state: { mac: 0xffff - 32 },
  },
  // step 3
  {
    name: "checksum alone",
    origin: "step 3",
    bytes: udp4,
    hdr: { flags: NEEDS_CSUM, csumStart: T4, csumOffset: 6 },
    result: 0,
    state: { ipSummed: CHECKSUM_PARTIAL, csumStart: T4, csumOffset: 6, transport: T4, gsoType: 0 },
  },
  {
    name: "other flag bits are ignored",
    origin: "step 3: flag bit 1 alone decides",
    bytes: udp4,
    hdr: { flags: 0xff, csumStart: T4, csumOffset: 6 },
    result: 0,
    state: { ipSummed: CHECKSUM_PARTIAL, csumStart: T4 },
  },
  {
    name: "DATA_VALID alone changes nothing",
    origin: "step 3: never looked at",
    bytes: udp4,
    hdr: { flags: 2, csumStart: T4, csumOffset: 6 },
    result: 0,
    state: { ipSummed: CHECKSUM_NONE },
  },
  {
    name: "csum_start 20 on an Ethernet frame",
    origin: "step 3 [live]: the Ethernet header counts towards nhMin",
    bytes: udp4,
    hdr: { flags: NEEDS_CSUM, csumStart: 20, csumOffset: 6 },
    result: 0,
    state: { csumStart: 20 },
  },
  {
    name: "csum_start 19",
    origin: "step 3: below nhMin 20; ip_summed is set by then",
    bytes: udp4,
    hdr: { flags: NEEDS_CSUM, csumStart: 19, csumOffset: 6 },
    result: EINVAL,
    state: { ipSummed: CHECKSUM_PARTIAL },
  },
  {
    name: "TCPV6 with csum_start 39",
    origin: "step 3: nhMin 40",
    bytes: tcp6,
    hdr: { flags: NEEDS_CSUM, gsoType: TCPV6, gsoSize: 100, csumStart: 39, csumOffset: 16 },
    result: EINVAL,
  },
  {
    name: "TCPV6 with csum_start 40",
    origin: "step 3: nhMin 40",
    bytes: tcp6,
    hdr: { flags: NEEDS_CSUM, gsoType: TCPV6, gsoSize: 100, csumStart: 40, csumOffset: 16 },
    result: 0,
  },
  {
    name: "the field ends with the packet",
    origin: "step 3: needed = start + off + 2",
    bytes: DATA(60),
    hdr: { flags: NEEDS_CSUM, csumStart: 34, csumOffset: 24 },
    result: 0,
    state: { csumStart: 34, csumOffset: 24 },
  },
  {
    name: "the field ends one byte beyond",
    origin: "step 3: mayPull(needed)",
    bytes: DATA(59),
    hdr: { flags: NEEDS_CSUM, csumStart: 34, csumOffset: 24 },
    result: EINVAL,
    state: { ipSummed: CHECKSUM_NONE, transport: -1 },
  },
  {
    name: "the least TCP header ends one byte beyond",
    origin: "step 3: needed = start + thlen",
    bytes: tcp4.slice(0, 53),
    hdr: { flags: NEEDS_CSUM, gsoType: TCPV4, gsoSize: 100, csumStart: T4, csumOffset: 16 },
    result: EINVAL,
    state: { ipSummed: CHECKSUM_NONE },
  },
  {
    name: "csum_start and csum_offset 0xffff",
    origin: "step 3: the sum is 32 bits wide, nothing wraps",
    bytes: udp4,
    hdr: { flags: NEEDS_CSUM, csumStart: 0xffff, csumOffset: 0xffff },
    result: EINVAL,
  },
  {
    name: "csum_start beyond 16 bits from head",
    origin: "partialCsumSet: headroom + start >= 65535",
    bytes: DATA(65_530),
    hdr: { flags: NEEDS_CSUM, csumStart: 65_503, csumOffset: 6 },
    result: EINVAL,
  },
  {
    name: "the last csum_start that fits",
    origin: "partialCsumSet: 65534",
    bytes: DATA(65_530),
    hdr: { flags: NEEDS_CSUM, csumStart: 65_502, csumOffset: 6 },
    result: 0,
    state: { csumStart: 65_502 },
  },
  {
    name: "headers in frags are pulled",
    origin: "step 3: mayPull",
    bytes: tcp4,
    layout: { frags: [500, 520] },
    hdr: { flags: NEEDS_CSUM, gsoType: TCPV4, gsoSize: 500, csumStart: T4, csumOffset: 16 },
    result: 0,
    state: { csumStart: T4, gsoSize: 500 },
  },
  // step 4
  {
    name: "TCPV4 without NEEDS_CSUM is probed",
    origin: "step 4: type 0 takes the frame's EtherType",
    bytes: tcp4,
    network: 14,
    hdr: { gsoType: TCPV4, gsoSize: 500 },
    result: 0,
    state: { ipSummed: 0, protocol: 0x0800, transport: T4, gsoSize: 500, gsoType: 1 | DODGY },
  },
  {
    name: "TCPV6 without NEEDS_CSUM is probed",
    origin: "step 4",
    bytes: tcp6,
    network: 14,
    hdr: { gsoType: TCPV6, gsoSize: 500 },
    result: 0,
    state: { protocol: 0x86dd, transport: T6, gsoType: 0x10 | DODGY },
  },
  {
    name: "TCPV4 over an IPv6 frame",
    origin: "step 4: the frame's EtherType does not match",
    bytes: tcp6,
    network: 14,
    hdr: { gsoType: TCPV4, gsoSize: 500 },
    result: EINVAL,
    state: { protocol: 0 },
  },
  {
    name: "TCPV6 over an IPv4 frame",
    origin: "step 4: the frame's EtherType does not match",
    bytes: tcp4,
    network: 14,
    hdr: { gsoType: TCPV6, gsoSize: 500 },
    result: EINVAL,
  },
  {
    name: "TCPV6 over an IPv4 packet whose protocol was set",
    origin: "step 4 [live]: 6.18 does not compare then",
    bytes: tcp4,
    network: 14,
    protocol: 0x0800,
    hdr: { gsoType: TCPV6, gsoSize: 500 },
    result: 0,
    state: { gsoType: 0x10 | DODGY, transport: T4 },
  },
  {
    name: "the device knows no EtherType: the type decides (TCPV4)",
    origin: "step 4: 0 -> set by type",
    bytes: tcp4,
    network: 14,
    options: { parseProtocol: () => 0 },
    hdr: { gsoType: TCPV4, gsoSize: 500 },
    result: 0,
    state: { protocol: 0x0800 },
  },
  {
    name: "the device knows no EtherType: the type decides (TCPV6)",
    origin: "step 4: 0 -> set by type",
    bytes: tcp6,
    network: 14,
    options: { parseProtocol: () => 0 },
    hdr: { gsoType: TCPV6, gsoSize: 500 },
    result: 0,
    state: { protocol: 0x86dd },
  },
  {
    name: "UFO over IPv6 is found at the second try",
    origin: "step 4: retry with 0x86dd",
    bytes: udp6,
    network: 14,
    options: {
      parseProtocol: () => 0,
      dissect: (skb, keys) => skb.protocol === 0x86dd && dissectBasic(skb, keys),
    },
    hdr: { gsoType: UFO, gsoSize: 500 },
    result: 0,
    state: { protocol: 0x86dd, transport: T6, gsoType: 0x10000 | DODGY },
  },
  {
    name: "no second try for TCPV4",
    origin: "step 4: UFO only",
    bytes: tcp6,
    network: 14,
    options: { parseProtocol: () => 0, dissect: (skb) => skb.protocol === 0x86dd },
    hdr: { gsoType: TCPV4, gsoSize: 500 },
    result: EINVAL,
    state: { protocol: 0x0800 },
  },
  {
    name: "UFO that no try understands",
    origin: "step 4",
    bytes: udp4,
    network: 14,
    options: { dissect: () => false },
    hdr: { gsoType: UFO, gsoSize: 500 },
    result: EINVAL,
    state: { protocol: 0x86dd },
  },
  {
    name: "TCPV4 over a UDP packet",
    origin: "step 4: dissected protocol differs",
    bytes: udp4,
    network: 14,
    hdr: { gsoType: TCPV4, gsoSize: 500 },
    result: EINVAL,
  },
  {
    name: "a VLAN frame whose protocol was set",
    origin: "step 4: the dissector walks the tag",
    bytes: [...ETH(0x8100), ...VLAN(0x0800), ...IP4(6, 1020), ...TCP, ...DATA(1000)],
    network: 14,
    protocol: 0x8100,
    hdr: { gsoType: TCPV4, gsoSize: 500 },
    result: 0,
    state: { transport: T4 + 4, gsoType: 1 | DODGY },
  },
  {
    name: "the TCP header is cut short",
    origin: "step 4: mayPull(thoff + thlen)",
    bytes: tcp4.slice(0, 53),
    network: 14,
    hdr: { gsoType: TCPV4, gsoSize: 5 },
    result: EINVAL,
  },
  // step 5
  {
    name: "network_header 0: only the length is checked",
    origin: "step 5, up to 6.18",
    bytes: DATA(41),
    hdr: { gsoType: TCPV4, gsoSize: 500 },
    result: 0,
    state: { gsoSize: 0, gsoType: 0 },
  },
  {
    name: "network_header 0, 39 bytes TCPV4",
    origin: "step 5: 20 + 20",
    bytes: DATA(39),
    hdr: { gsoType: TCPV4, gsoSize: 500 },
    result: EINVAL,
  },
  {
    name: "network_header 0, 59 bytes TCPV6",
    origin: "step 5: 40 + 20",
    bytes: DATA(59),
    hdr: { gsoType: TCPV6, gsoSize: 500 },
    result: EINVAL,
  },
  {
    name: "network_header 0, 60 bytes TCPV6",
    origin: "step 5: 40 + 20",
    bytes: DATA(60),
    hdr: { gsoType: TCPV6, gsoSize: 500 },
    result: 0,
  },
  {
    name: "network_header 0, 27 bytes UFO",
    origin: "step 5: 20 + 8",
    bytes: DATA(27),
    hdr: { gsoType: UFO, gsoSize: 500 },
    result: EINVAL,
  },
  // step 6
  {
    name: "TSO",
    origin: "step 6",
    bytes: tcp4,
    hdr: { flags: NEEDS_CSUM, gsoType: TCPV4, gsoSize: 400, csumStart: T4, csumOffset: 16, hdrLen: 9999 },
    result: 0,
    state: { gsoSize: 400, gsoType: 1 | DODGY, gsoSegs: 0, ipSummed: CHECKSUM_PARTIAL },
  },
  {
    name: "TSO with ECN",
    origin: "step 1: TCP_ECN",
    bytes: tcp4,
    hdr: { flags: NEEDS_CSUM, gsoType: TCPV4 | ECN, gsoSize: 400, csumStart: T4, csumOffset: 16 },
    result: 0,
    state: { gsoType: 1 | 4 | DODGY },
  },
  {
    name: "gso_size 4 stays 4",
    origin: "step 6 [live]: 6.18 does not raise it to 8",
    bytes: tcp4,
    hdr: { flags: NEEDS_CSUM, gsoType: TCPV4, gsoSize: 4, csumStart: T4, csumOffset: 16 },
    result: 0,
    state: { gsoSize: 4 },
  },
  {
    name: "one segment exactly is no GSO packet",
    origin: "step 6 [live]: silently",
    bytes: tcp4,
    hdr: { flags: NEEDS_CSUM, gsoType: TCPV4, gsoSize: 1000, csumStart: T4, csumOffset: 16 },
    result: 0,
    state: { gsoSize: 0, gsoType: 0, ipSummed: CHECKSUM_PARTIAL },
  },
  {
    name: "one byte more than a segment is one",
    origin: "step 6: len - nhOff > g",
    bytes: tcp4,
    hdr: { flags: NEEDS_CSUM, gsoType: TCPV4, gsoSize: 999, csumStart: T4, csumOffset: 16 },
    result: 0,
    state: { gsoSize: 999 },
  },
  {
    name: "TSO with csum_offset 6",
    origin: "step 6: PARTIAL needs csum_offset 16",
    bytes: tcp4,
    hdr: { flags: NEEDS_CSUM, gsoType: TCPV4, gsoSize: 400, csumStart: T4, csumOffset: 6 },
    result: EINVAL,
  },
  {
    name: "gso_size 0xffff",
    origin: "step 6: GSO_BY_FRAGS is not for guests",
    bytes: tcp4,
    hdr: { flags: NEEDS_CSUM, gsoType: TCPV4, gsoSize: 0xffff, csumStart: T4, csumOffset: 16 },
    result: EINVAL,
  },
  {
    name: "UFO: the UDP header counts as payload",
    origin: "step 6: nhOff -= thlen",
    bytes: udp4,
    hdr: { flags: NEEDS_CSUM, gsoType: UFO, gsoSize: 1007, csumStart: T4, csumOffset: 6 },
    result: 0,
    state: { gsoSize: 1007, gsoType: 0x10000 | DODGY },
  },
  {
    name: "UFO of exactly one fragment",
    origin: "step 6",
    bytes: udp4,
    hdr: { flags: NEEDS_CSUM, gsoType: UFO, gsoSize: 1008, csumStart: T4, csumOffset: 6 },
    result: 0,
    state: { gsoSize: 0 },
  },
  {
    name: "UFO takes any csum_offset",
    origin: "step 6: not compared",
    bytes: udp4,
    hdr: { flags: NEEDS_CSUM, gsoType: UFO, gsoSize: 500, csumStart: T4, csumOffset: 2 },
    result: 0,
    state: { gsoSize: 500 },
  },
  {
    name: "USO",
    origin: "step 6",
    bytes: udp4,
    hdr: { flags: NEEDS_CSUM, gsoType: USO, gsoSize: 100, csumStart: T4, csumOffset: 6 },
    result: 0,
    state: { gsoSize: 100, gsoType: 0x20000 | DODGY },
  },
  {
    name: "USO without NEEDS_CSUM",
    origin: "step 6",
    bytes: udp4,
    network: 14,
    hdr: { gsoType: USO, gsoSize: 100 },
    result: EINVAL,
  },
  {
    name: "USO with csum_offset 16",
    origin: "step 6",
    bytes: udp4,
    hdr: { flags: NEEDS_CSUM, gsoType: USO, gsoSize: 100, csumStart: T4, csumOffset: 16 },
    result: EINVAL,
  },
  {
    name: "USO with ECN",
    origin: "step 6",
    bytes: udp4,
    hdr: { flags: NEEDS_CSUM, gsoType: USO | ECN, gsoSize: 100, csumStart: T4, csumOffset: 6 },
    result: EINVAL,
  },
  {
    name: "USO of 128 datagrams",
    origin: "step 6: UDP_MAX_SEGMENTS",
    bytes: frame(4, "udp", 1280),
    hdr: { flags: NEEDS_CSUM, gsoType: USO, gsoSize: 10, csumStart: T4, csumOffset: 6 },
    result: 0,
    state: { gsoSize: 10 },
  },
  {
    name: "USO of one byte more than 128 datagrams",
    origin: "step 6: UDP_MAX_SEGMENTS",
    bytes: frame(4, "udp", 1281),
    hdr: { flags: NEEDS_CSUM, gsoType: USO, gsoSize: 10, csumStart: T4, csumOffset: 6 },
    result: EINVAL,
  },
];

function run(row: Row, view: DataView): { skb: SkBuff; result: number } {
  const skb = skbOf(row.bytes, row.layout);
  if (row.network !== undefined) skb.networkHeader = row.network + skb.headroom;
  if (row.protocol !== undefined) skb.protocol = row.protocol;
  return { skb, result: virtioNetHdrToSkb(skb, view, 0, row.options) };
}

describe("virtioNetHdrToSkb", () => {
  it.each(ROWS)("$name ($origin)", (row) => {
    const { skb, result } = run(row, bytesOf(row.hdr));
    expect(result).toBe(row.result);
    if (row.state !== undefined) expect(state(skb)).toMatchObject(row.state);
    expect(skb.toBytes()).toEqual(Uint8Array.from(row.bytes));
    // what is refused is refused in the old byte order too
    const old = run({ ...row, options: { ...row.options, littleEndian: false } }, bytesOf(row.hdr, false));
    expect([old.result, state(old.skb)]).toEqual([result, state(skb)]);
    expect(audit(memory, [skb.address, old.skb.address])).toEqual([]);
    skb.kfreeSkb();
    old.skb.kfreeSkb();
  });

  it("is short of memory: -EINVAL, as the kernel", () => {
    const small = Memory.create({ bytes: 2 << 20 });
    const skb = skbFromBytes(small, tcp4, { frags: [1000], headroom: 0 })!;
    for (let size = 1 << 20; size >= 16; size >>= 1) while (small.alloc(size) !== 0);
    const header = bytesOf({ flags: NEEDS_CSUM, csumStart: 60, csumOffset: 16 });
    expect(virtioNetHdrToSkb(skb, header, 0)).toBe(EINVAL);
    expect(skb.toBytes.bind(skb)).toThrow("no room");
  });

  it("reads no byte beyond the view", () => {
    const skb = skbOf(tcp4);
    const whole = bytesOf({});
    for (let n = 0; n < 10; n++)
      expect(virtioNetHdrToSkb(skb, new DataView(whole.buffer, 0, n), 0), String(n)).toBe(EINVAL);
    for (const off of [-1, 15, 24, Number.NaN, Number.POSITIVE_INFINITY])
      expect(virtioNetHdrToSkb(skb, whole, off), String(off)).toBe(EINVAL);
    expect(virtioNetHdrToSkb(skb, whole, 14)).toBe(0);
    skb.kfreeSkb();
  });

  it(`never throws and never harms the packet, whatever the header (SEED=${seed})`, () => {
    const random = new Random(seed);
    const frames = [tcp4, tcp6, udp4, udp6, tunnel(4, 6, "tcp", 300), tunnel(6, 4, "udp", 300)];
    let good = 0;
    for (let i = 0; i < 4000; i++) {
      const whole = random.pick(frames);
      const bytes = whole.slice(0, random.oneIn(2) ? whole.length : random.below(whole.length));
      const skb = skbOf(bytes, { frags: random.oneIn(2) ? [bytes.length >> 1] : [] });
      skb.networkHeader = random.oneIn(2) ? 0 : skb.headroom + random.below(80);
      const view = new DataView(random.bytes(24).buffer as ArrayBuffer);
      if (!random.oneIn(4)) view.setUint8(0, random.pick([0, 1, 2, 3, 9]));
      if (!random.oneIn(4))
        view.setUint8(1, random.pick([0, 1, 3, 4, 5, 0x81, 0x84]) | random.pick([0, 0, 0x20, 0x40]));
      for (const at of [6, 20, 22]) if (!random.oneIn(4)) view.setUint16(at, random.below(120), true);
      if (!random.oneIn(4)) view.setUint16(8, random.pick([6, 16, 2]), true);
      const result = random.oneIn(2)
        ? virtioNetHdrToSkb(skb, view, 0, { littleEndian: !random.oneIn(4) })
        : virtioNetHdrTnlToSkb(skb, view, 0, { tnlNegotiated: true, tnlCsumNegotiated: random.oneIn(2) });
      expect([0, EINVAL]).toContain(result);
      expect(Buffer.compare(skb.toBytes(), bytes)).toBe(0);
      if (skb.ipSummed === CHECKSUM_PARTIAL)
        expect(skb.checksumStartOffset + skb.csumOffset + 2).toBeLessThanOrEqual(skb.headlen);
      if (result === 0) good++;
      skb.kfreeSkb();
    }
    expect(good).toBeGreaterThan(100);
    expect(memory.kernel.heapUsed()).toBe(0);
  });
});

describe("virtioNetHdrFromSkb", () => {
  const write = (skb: SkBuff, options = {}): [number, number[]] => {
    const view = new DataView(new ArrayBuffer(12));
    for (let i = 0; i < 12; i++) view.setUint8(i, 0xa5);
    const result = virtioNetHdrFromSkb(skb, view, 0, options);
    return [result, [...new Uint8Array(view.buffer)]];
  };
  const partial = (skb: SkBuff, start: number, off: number): SkBuff => {
    expect(skb.skbPartialCsumSet(start, off)).toBe(true);
    return skb;
  };
  const gso = (skb: SkBuff, type: number, size = 0x1234): SkBuff => {
    skb.gsoSize = size;
    skb.gsoType = type;
    return skb;
  };
  const rest = [0xa5, 0xa5];

  it.each([
    ["nothing", skbOf(tcp4), {}, 0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["PARTIAL", partial(skbOf(tcp4), 34, 16), {}, 0, [1, 0, 0, 0, 0, 0, 34, 0, 16, 0]],
    [
      "PARTIAL, tag to be inserted",
      partial(skbOf(tcp4), 34, 16),
      { vlanHlen: 4 },
      0,
      [1, 0, 0, 0, 0, 0, 38, 0, 16, 0],
    ],
    [
      "PARTIAL, big-endian guest",
      partial(skbOf(tcp4), 34, 16),
      { littleEndian: false },
      0,
      [1, 0, 0, 0, 0, 0, 0, 34, 0, 16],
    ],
    ["TCPV4", gso(skbOf(tcp4), 1 | DODGY), {}, 0, [0, 1, 0x1e, 4, 0x34, 0x12, 0, 0, 0, 0]],
    [
      "TCPV4, linear headers only",
      gso(skbOf(tcp4, { frags: [1000] }), 1),
      {},
      0,
      [0, 1, 54, 0, 0x34, 0x12, 0, 0, 0, 0],
    ],
    ["TCPV6 with ECN", gso(skbOf(tcp6), 0x10 | 4), {}, 0, [0, 0x84, 0x32, 4, 0x34, 0x12, 0, 0, 0, 0]],
    ["USO", gso(skbOf(udp4), 0x20000), {}, 0, [0, 5, 0x12, 4, 0x34, 0x12, 0, 0, 0, 0]],
    ["TCPV4 before TCPV6", gso(skbOf(tcp4), 0x11), {}, 0, [0, 1, 0x1e, 4, 0x34, 0x12, 0, 0, 0, 0]],
    ["bit 31 of gso_type is no type", gso(skbOf(tcp4), 0x8000_0000), {}, EINVAL, null],
    ["UFO", gso(skbOf(udp4), 0x10000), {}, EINVAL, [0, 0, 0x12, 4, 0x34, 0x12, 0, 0, 0, 0]],
    ["a type without gso_size", gso(skbOf(tcp4), 1, 0), {}, 0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
  ] as const)("%s", (_, skb, options, result, bytes) => {
    const [got, out] = write(skb, options);
    expect(got).toBe(result);
    if (bytes !== null) expect(out).toEqual([...bytes, ...rest]);
  });

  it.each([
    [CHECKSUM_NONE, false, 0],
    [CHECKSUM_NONE, true, 0],
    [CHECKSUM_UNNECESSARY, false, 0],
    [CHECKSUM_UNNECESSARY, true, 2],
    [CHECKSUM_COMPLETE, true, 0],
  ])("ip_summed %i, hasDataValid %s gives flags %i", (ipSummed, hasDataValid, flags) => {
    const skb = skbOf(tcp4);
    skb.ipSummed = ipSummed;
    expect(write(skb, { hasDataValid })[1][0]).toBe(flags);
    skb.kfreeSkb();
  });

  it("truncates hdr_len and csum_start to 16 bits", () => {
    const skb = gso(skbOf(DATA(70_000)), 1);
    skb.ipSummed = CHECKSUM_PARTIAL;
    skb.csumStart = 31;
    const [result, out] = write(skb);
    expect([result, out.slice(0, 8)]).toEqual([0, [1, 1, 0x70, 0x11, 0x34, 0x12, 0xff, 0xff]]);
    skb.kfreeSkb();
  });

  it("writes nothing where there is no room", () => {
    const skb = skbOf(tcp4);
    const view = new DataView(new ArrayBuffer(9));
    expect(virtioNetHdrFromSkb(skb, view, 0)).toBe(EINVAL);
    expect(virtioNetHdrFromSkb(skb, new DataView(new ArrayBuffer(12)), 3)).toBe(EINVAL);
    skb.kfreeSkb();
  });

  it("gives back the header that virtioNetHdrToSkb believed", () => {
    for (const row of ROWS) {
      if (row.result !== 0 || row.layout !== undefined) continue;
      const { skb } = run(row, bytesOf(row.hdr));
      if (skb.gsoType & 0x10000) continue;
      const [result, out] = write(skb);
      expect(result, row.name).toBe(0);
      const { flags = 0, gsoType = 0, csumStart = 0, csumOffset = 0 } = row.hdr;
      const summed = flags & NEEDS_CSUM;
      const big = skb.isGso;
      expect([out[0], out[1]], row.name).toEqual([summed, big ? gsoType : 0]);
      expect([out[6], out[8]], row.name).toEqual(summed ? [csumStart & 255, csumOffset & 255] : [0, 0]);
    }
  });
});

describe("UDP tunnels", () => {
  const both = { tnlNegotiated: true, tnlCsumNegotiated: true };
  /** Offsets of an Ethernet frame in VXLAN: outer transport, inner network, inner transport. */
  const places = (outer: 4 | 6, inner: 4 | 6): { outerTh: number; innerNh: number; csumStart: number } => {
    const outerTh = outer === 4 ? 34 : 54;
    const innerNh = outerTh + 8 + 8 + 14;
    return { outerTh, innerNh, csumStart: innerNh + (inner === 4 ? 20 : 40) };
  };
  const TNL4 = 0x20;
  const TNL6 = 0x40;
  const base = { flags: 1, gsoSize: 400, csumOffset: 16, ...places(4, 4) };
  const bytes44 = tunnel(4, 4, "tcp", 1000);

  it.each([
    ["IPv4 in IPv4", 4, 4, "tcp", { ...base, gsoType: TCPV4 | TNL4 }, 0x1 | 0x400],
    ["IPv6 in IPv4", 4, 6, "tcp", { ...base, ...places(4, 6), gsoType: TCPV6 | TNL4 }, 0x10 | 0x400],
    ["IPv4 in IPv6", 6, 4, "tcp", { ...base, ...places(6, 4), gsoType: TCPV4 | TNL6 }, 0x1 | 0x400],
    ["outer checksum", 4, 4, "tcp", { ...base, flags: 9, gsoType: TCPV4 | TNL4 }, 0x1 | 0x800],
    ["USO inside IPv4", 4, 4, "udp", { ...base, csumOffset: 6, gsoType: USO | TNL4 }, 0x20000 | 0x400],
    [
      "USO inside IPv6",
      4,
      6,
      "udp",
      { ...base, ...places(4, 6), csumOffset: 6, gsoType: USO | TNL4 },
      0x20000 | 0x400,
    ],
  ] as const)("%s", (_, outer, inner, l4, hdr, gsoType) => {
    const skb = skbOf(tunnel(outer, inner, l4, 1000));
    expect(virtioNetHdrTnlToSkb(skb, bytesOf(hdr), 0, both)).toBe(0);
    const h = skb.headroom;
    expect(skb.gsoType).toBe(gsoType | DODGY);
    expect(skb.innerProtocol).toBe(inner === 4 ? 0x0800 : 0x86dd);
    expect([
      skb.innerTransportHeader,
      skb.innerNetworkHeader,
      skb.innerMacHeader,
      skb.transportHeader,
    ]).toEqual([hdr.csumStart + h, hdr.innerNh + h, hdr.innerNh + h, hdr.outerTh + h]);
    expect([skb.encapsulation, skb.csumStart]).toEqual([1, hdr.csumStart + h]);
    // and back
    skb.protocol = outer === 4 ? 0x0800 : 0x86dd;
    const view = new DataView(new ArrayBuffer(24));
    for (let i = 0; i < 24; i++) view.setUint8(i, 0xa5);
    expect(virtioNetHdrTnlFromSkb(skb, view, 0, { ...both, littleEndian: false, hasDataValid: true })).toBe(
      0,
    );
    const expected = new Uint8Array(bytesOf({ ...hdr, hdrLen: skb.headlen }).buffer);
    expected.set([0xa5, 0xa5], 10);
    expect([...new Uint8Array(view.buffer)]).toEqual([...expected]);
    skb.kfreeSkb();
  });

  it.each([
    ["not negotiated", { ...base, gsoType: TCPV4 | TNL4 }, { tnlNegotiated: false, tnlCsumNegotiated: true }],
    ["both tunnel bits", { ...base, gsoType: TCPV4 | TNL4 | TNL6 }, both],
    ["no inner type", { ...base, gsoType: TNL4 }, both],
    ["inner type ECN alone", { ...base, gsoType: TNL4 | ECN }, both],
    ["inner UFO", { ...base, gsoType: UFO | TNL4 }, both],
    ["inner type unknown", { ...base, gsoType: 2 | TNL4 }, both],
    ["no NEEDS_CSUM", { ...base, flags: 8, gsoType: TCPV4 | TNL4 }, both],
    ["outer transport below 34", { ...base, outerTh: 33, gsoType: TCPV4 | TNL4 }, both],
    ["outer transport below 54, IPv6", { ...base, outerTh: 53, gsoType: TCPV4 | TNL6 }, both],
    ["inner network inside the UDP header", { ...base, innerNh: 41, gsoType: TCPV4 | TNL4 }, both],
    ["inner transport inside IPv4", { ...base, csumStart: base.innerNh + 19, gsoType: TCPV4 | TNL4 }, both],
    ["inner transport inside IPv6", { ...base, csumStart: base.innerNh + 39, gsoType: TCPV6 | TNL4 }, both],
    ["gso_size 0", { ...base, gsoSize: 0, gsoType: TCPV4 | TNL4 }, both],
  ])("refuses %s and touches nothing", (_, hdr, options) => {
    const skb = skbOf(bytes44);
    expect(virtioNetHdrTnlToSkb(skb, bytesOf(hdr), 0, options)).toBe(EINVAL);
    expect([skb.gsoType, skb.encapsulation, skb.innerProtocol, skb.ipSummed]).toEqual([0, 0, 0, 0]);
    skb.kfreeSkb();
  });

  it("reads the inner family of USO from the packet: IPv6 behind 20 bytes is refused", () => {
    const skb = skbOf(tunnel(4, 6, "udp", 1000));
    const hdr = { ...base, csumOffset: 6, gsoType: USO | TNL4 };
    expect(virtioNetHdrTnlToSkb(skb, bytesOf(hdr), 0, both)).toBe(EINVAL);
    expect(skb.encapsulation).toBe(0);
    skb.kfreeSkb();
  });

  it("refuses an outer checksum that was not negotiated, after the inner fields are set", () => {
    const skb = skbOf(bytes44);
    const options = { tnlNegotiated: true, tnlCsumNegotiated: false };
    expect(virtioNetHdrTnlToSkb(skb, bytesOf({ ...base, flags: 9, gsoType: TCPV4 | TNL4 }), 0, options)).toBe(
      EINVAL,
    );
    expect([skb.innerProtocol, skb.gsoType, skb.encapsulation]).toEqual([0x0800, 1 | DODGY, 0]);
    skb.kfreeSkb();
  });

  it("keeps the tunnel bit of a packet that fits one segment", () => {
    const skb = skbOf(bytes44);
    expect(
      virtioNetHdrTnlToSkb(skb, bytesOf({ ...base, gsoSize: 1000, gsoType: TCPV4 | TNL4 }), 0, both),
    ).toBe(0);
    expect([skb.gsoSize, skb.gsoType, skb.isGso]).toEqual([0, 0x400, false]);
    skb.kfreeSkb();
  });

  it("treats a header without tunnel bits as a plain one of 10 bytes", () => {
    const skb = skbOf(tcp4);
    const view = bytesOf({ flags: 1, gsoType: TCPV4, gsoSize: 400, csumStart: 34, csumOffset: 16 }, false);
    const options = { ...both, tnlNegotiated: false, littleEndian: false };
    expect(virtioNetHdrTnlToSkb(skb, new DataView(view.buffer, 0, 10), 0, options)).toBe(0);
    expect([skb.gsoSize, skb.encapsulation]).toEqual([400, 0]);
    const out = new DataView(new ArrayBuffer(10));
    expect(virtioNetHdrTnlFromSkb(skb, out, 0, { tnlNegotiated: false })).toBe(0);
    expect(out.getUint8(1)).toBe(TCPV4);
    skb.kfreeSkb();
  });

  it("needs 24 bytes for a tunnel", () => {
    const skb = skbOf(bytes44);
    const whole = bytesOf({ ...base, gsoType: TCPV4 | TNL4 });
    for (let n = 0; n < 24; n++)
      expect(virtioNetHdrTnlToSkb(skb, new DataView(whole.buffer, 0, n), 0, both)).toBe(EINVAL);
    skb.gsoSize = 100;
    skb.gsoType = 0x401;
    expect(virtioNetHdrTnlFromSkb(skb, new DataView(new ArrayBuffer(23)), 0, both)).toBe(EINVAL);
    expect(virtioNetHdrTnlFromSkb(skb, whole, 0, { tnlNegotiated: false })).toBe(EINVAL);
    skb.kfreeSkb();
  });
});

describe("virtioNetHandleCsumOffload", () => {
  it.each([
    ["nothing", { flags: 0 }, true, 0, CHECKSUM_NONE, 0],
    ["DATA_VALID", { flags: 2 }, false, 0, CHECKSUM_UNNECESSARY, 0],
    ["DATA_VALID, outer too", { flags: 10 }, true, 0, CHECKSUM_UNNECESSARY, 1],
    ["DATA_VALID, outer not negotiated", { flags: 10 }, false, EINVAL, CHECKSUM_UNNECESSARY, 0],
    ["outer alone", { flags: 8 }, true, 0, CHECKSUM_NONE, 0],
    ["a tunnel GSO packet", { gsoType: 0x21, flags: 1 }, true, 0, CHECKSUM_NONE, 0],
    ["a tunnel GSO packet with DATA_VALID", { gsoType: 0x41, flags: 3 }, true, EINVAL, CHECKSUM_NONE, 0],
  ] as const)("%s", (_, hdr, tnlCsumNegotiated, result, ipSummed, level) => {
    const skb = skbOf(tcp4);
    expect(virtioNetHandleCsumOffload(skb, bytesOf(hdr), 0, { tnlCsumNegotiated })).toBe(result);
    expect([skb.ipSummed, skb.csumLevel]).toEqual([ipSummed, level]);
    expect(virtioNetHandleCsumOffload(skb, bytesOf(hdr), 15, { tnlCsumNegotiated })).toBe(EINVAL);
    skb.kfreeSkb();
  });

  it("is overruled by NEEDS_CSUM", () => {
    const skb = skbOf(tcp4);
    const view = bytesOf({ flags: 3, csumStart: 34, csumOffset: 16 });
    virtioNetHandleCsumOffload(skb, view, 0, { tnlCsumNegotiated: false });
    expect(virtioNetHdrToSkb(skb, view, 0)).toBe(0);
    expect(skb.ipSummed).toBe(CHECKSUM_PARTIAL);
    skb.kfreeSkb();
  });
});

describe("dissectBasic", () => {
  const hop = (next: number): number[] => [next, 0, 0, 0, 0, 0, 0, 0];
  const fragment = (next: number): number[] => [next, 0, 0, 8, 0, 0, 0, 1];
  it.each([
    ["IPv4 TCP", 0x0800, [...IP4(6, 20), ...TCP], [6, 20]],
    ["IPv4 with options", 0x0800, [...IP4(17, 8, { words: 10 }), ...UDP(0)], [17, 60]],
    ["an IPv4 fragment", 0x0800, [...IP4(17, 8, { frag: 3 }), ...DATA(8)], [17, 20]],
    ["IPv4, ihl 4", 0x0800, [0x44, ...IP4(6, 20).slice(1), ...TCP], null],
    ["IPv4 cut short", 0x0800, IP4(6, 20).slice(0, 19), null],
    ["IPv6", 0x86dd, [...IP6(6, 20), ...TCP], [6, 40]],
    ["IPv6 cut short", 0x86dd, IP6(6, 20).slice(0, 39), null],
    ["three extension headers", 0x86dd, [...IP6(0, 44), ...hop(43), ...hop(60), ...hop(6), ...TCP], [6, 64]],
    ["an extension header cut short", 0x86dd, [...IP6(0, 44), 6], null],
    ["an extension header beyond the packet", 0x86dd, [...IP6(0, 44), 6, 255, ...DATA(6)], [6, 48]],
    ["an IPv6 fragment", 0x86dd, [...IP6(44, 16), ...fragment(17), ...DATA(8)], [17, 48]],
    ["two tags", 0x88a8, [...VLAN(0x8100), ...VLAN(0x0800), ...IP4(6, 20), ...TCP], [6, 28]],
    ["a tag cut short", 0x8100, [0, 5, 8], null],
    ["ARP", 0x0806, DATA(28), null],
    ["no end of tags", 0x8100, Array.from({ length: 20 }, () => VLAN(0x8100)).flat(), null],
    ["GRE is not entered", 0x0800, [...IP4(47, 4), 0, 0, 8, 0], [47, 20]],
  ] as const)("%s", (_, protocol, bytes, expected) => {
    for (const frags of [[], [bytes.length], [bytes.length >> 1, bytes.length >> 2]]) {
      const skb = skbOf([...ETH(protocol), ...bytes], { frags });
      skb.protocol = protocol;
      skb.networkHeader = skb.headroom + 14;
      const keys = { ipProto: -1, thoff: -1 };
      expect(dissectBasic(skb, keys)).toBe(expected !== null);
      if (expected !== null) expect([keys.ipProto, keys.thoff - 14]).toEqual(expected);
      skb.kfreeSkb();
    }
  });

  it("does not look before data", () => {
    const skb = skbOf(tcp4);
    skb.protocol = 0x0800;
    skb.networkHeader = 0;
    expect(dissectBasic(skb, { ipProto: 0, thoff: 0 })).toBe(false);
    skb.kfreeSkb();
  });

  it("EtherTypes as devices read them", () => {
    const skb = skbOf(tcp6);
    skb.macHeader = skb.headroom;
    skb.networkHeader = skb.headroom + 14;
    expect([ethHeaderParseProtocol(skb), ipTunnelParseProtocol(skb)]).toEqual([0x86dd, 0x86dd]);
    skb.networkHeader = skb.headroom + tcp6.length - 39;
    expect(ipTunnelParseProtocol(skb)).toBe(0);
    skb.networkHeader = 0xffff;
    expect(ipTunnelParseProtocol(skb)).toBe(0);
    const short = skbOf(tcp6.slice(0, 13));
    short.macHeader = short.headroom;
    expect(ethHeaderParseProtocol(short)).toBe(0);
    const v4 = skbOf(tcp4);
    v4.networkHeader = v4.headroom + 14;
    expect(ipTunnelParseProtocol(v4)).toBe(0x0800);
    for (const one of [skb, short, v4]) one.kfreeSkb();
  });
});
