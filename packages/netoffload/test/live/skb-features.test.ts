// netif_skb_features and the order of validate_xmit_skb against the running kernel. A packet socket hands a packet with a
// virtio_net_hdr to one end of a veth pair whose features change at random; what arrives at the other end shows what its
// features were: segmented or whole, checksum owed or filled in, byte for byte.
import { execFileSync } from "node:child_process";
import { validateXmitSkb } from "@netoffload/nic-model";
import {
  CHECKSUM_PARTIAL,
  type Features,
  featureSet,
  Memory,
  NETIF_F,
  NETIF_F_GSO_ENCAP_ALL,
  NETIF_F_GSO_SOFTWARE,
  type NetDevice,
  netDevice,
  netGsoOk,
  SKB_GSO_UDP_TUNNEL,
  SKB_GSO_UDP_TUNNEL_CSUM,
  type SkBuff,
  skbFromBytes,
  virtioNetHdrFromSkb,
  virtioNetHdrToSkb,
} from "@netoffload/skbuff";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  be16,
  bytes,
  eth,
  ipv4,
  ipv6,
  noise,
  pseudo4,
  pseudo6,
  tcp,
  udp,
} from "../../../csum/test/check/build.ts";
import { Ethtool, type PacketAuxdata, PacketSocket, Route } from "../../../linux/src/index.ts";
import { live, ownNamespace } from "../../../linux/test/own-namespace.ts";
import { Random } from "../../src/live/random.ts";

const memory = Memory.create({ bytes: 8 << 20 });
const VLAN_TAGS =
  NETIF_F.HW_VLAN_CTAG_TX | NETIF_F.HW_VLAN_STAG_TX | NETIF_F.HW_VLAN_CTAG_RX | NETIF_F.HW_VLAN_STAG_RX;
/** What veth's driver sets. */
const VETH: Features =
  (featureSet(["SG", "FRAGLIST", "HW_CSUM", "RXCSUM", "SCTP_CRC", "HIGHDMA"]) as Features) |
  NETIF_F_GSO_SOFTWARE |
  NETIF_F_GSO_ENCAP_ALL |
  VLAN_TAGS;

const NEEDS_CSUM = 1;
const TP_STATUS_VLAN_VALID = 1 << 4;
const GSO = { none: 0, tcp4: 1, tcp6: 4, udp: 5, ecn: 0x80 } as const;

interface Packet {
  readonly what: string;
  readonly frame: Uint8Array;
  readonly start: number;
  readonly offset: number;
  readonly gso: number;
  /** Bytes of transport header. */
  readonly th: number;
}

const MSS = 700;
const four = (payload: Uint8Array, o = {}): Uint8Array => ipv4(6, tcp(payload, pseudo4, "seed"), o);
const six = (payload: Uint8Array): Uint8Array => ipv6(6, tcp(payload, pseudo6, "seed"));
const hop = [6, 0, 1, 4, 0, 0, 0, 0];
const tag = (tpid: number, l3: number, packet: Uint8Array): Uint8Array =>
  eth(tpid, bytes(0, 5, be16(l3), packet));
const p = (what: string, frame: Uint8Array, start: number, offset = 16, gso: number = 0): Packet => ({
  what,
  frame,
  start,
  offset,
  gso,
  th: offset === 16 ? 20 : 8,
});
const BIG = noise(3000);
const SMALL = noise(200);
const PACKETS: readonly Packet[] = [
  p("TCP/IPv4", eth(0x0800, four(SMALL)), 34),
  p("UDP/IPv4", eth(0x0800, ipv4(17, udp(SMALL, pseudo4, "seed"))), 34, 6),
  p("TCP/IPv6", eth(0x86dd, six(SMALL)), 54),
  p("TCP/IPv6 behind hop-by-hop", eth(0x86dd, ipv6(0, bytes(hop, tcp(SMALL, pseudo6, "seed")))), 62),
  p("a checksum of no protocol that is known", eth(0x88b5, noise(120)), 40, 22),
  p("ARP's type", eth(0x0806, noise(120)), 40, 22),
  p("MPLS", eth(0x8847, bytes(0, 1, 1, 64, four(SMALL))), 38),
  p("one tag", tag(0x8100, 0x0800, four(SMALL)), 38),
  p("two tags", tag(0x88a8, 0x8100, bytes(0, 6, be16(0x0800), four(SMALL))), 42),
  p("TCP/IPv4 to segment", eth(0x0800, four(BIG, { frag: 0x4000 })), 34, 16, GSO.tcp4),
  p("the same without DF", eth(0x0800, four(BIG)), 34, 16, GSO.tcp4),
  p("the same with CWR", eth(0x0800, four(BIG)), 34, 16, GSO.tcp4 | GSO.ecn),
  p("TCP/IPv6 to segment", eth(0x86dd, six(BIG)), 54, 16, GSO.tcp6),
  p(
    "TCP/IPv6 behind hop-by-hop to segment",
    eth(0x86dd, ipv6(0, bytes(hop, tcp(BIG, pseudo6, "seed")))),
    62,
    16,
    GSO.tcp6,
  ),
  p("datagrams over IPv4", eth(0x0800, ipv4(17, udp(BIG, pseudo4, "seed"))), 34, 6, GSO.udp),
  p("datagrams over IPv6", eth(0x86dd, ipv6(17, udp(BIG, pseudo6, "seed"))), 54, 6, GSO.udp),
  p("one tag to segment", tag(0x8100, 0x0800, four(BIG)), 38, 16, GSO.tcp4),
  p("one tag, IPv6, to segment", tag(0x8100, 0x86dd, six(BIG)), 58, 16, GSO.tcp6),
  p("two tags to segment", tag(0x88a8, 0x8100, bytes(0, 6, be16(0x0800), four(BIG))), 42, 16, GSO.tcp4),
];

function header({ start, offset, gso, th }: Packet): Uint8Array {
  const vnet = new Uint8Array(10);
  const view = new DataView(vnet.buffer);
  vnet[0] = NEEDS_CSUM;
  vnet[1] = gso;
  view.setUint16(2, gso === 0 ? 0 : start + th, true);
  view.setUint16(4, gso === 0 ? 0 : MSS, true);
  view.setUint16(6, start, true);
  view.setUint16(8, offset, true);
  return vnet;
}

/** What shows of a packet at the other end. */
interface Seen {
  readonly frames: number;
  /** One frame that is still to be segmented. */
  readonly whole: boolean;
  readonly owed: boolean;
  /** The bytes, unless it was segmented. */
  readonly bytes: string;
}

/** The receiving stack takes the outermost tag out of the frame. */
function withTag(frame: Uint8Array, aux: PacketAuxdata): Uint8Array {
  if ((aux.status & TP_STATUS_VLAN_VALID) === 0) return frame;
  return bytes(frame.subarray(0, 22), be16(aux.vlanTpid), be16(aux.vlanTci), frame.subarray(22));
}

/** The skb that a packet socket makes of it. */
function handed(packet: Packet): SkBuff {
  const skb = skbFromBytes(memory, packet.frame, { headroom: 64 })!;
  skb.macHeader = 64;
  skb.networkHeader = 78;
  skb.protocol = (packet.frame[12]! << 8) | packet.frame[13]!;
  expect(virtioNetHdrToSkb(skb, new DataView(header(packet).buffer), 0, { littleEndian: true })).toBe(0);
  // packet_parse_headers(): behind tags
  let at = 14;
  for (let type = skb.protocol; type === 0x8100 || type === 0x88a8; at += 4)
    type = (packet.frame[at + 2]! << 8) | packet.frame[at + 3]!;
  skb.networkHeader = 64 + at;
  return skb;
}

/** Our answer. */
function predict(packet: Packet, dev: NetDevice): Seen {
  const skb = handed(packet);
  let segmented = 0;
  let owedBySegments = false;
  const result = validateXmitSkb(skb, dev, {
    segment: (s, features) => {
      // an untrusted packet that the device could take is fixed up and goes on as it is
      if (netGsoOk(features | NETIF_F.GSO_ROBUST, s.gsoType)) return null;
      segmented = Math.ceil((packet.frame.length - packet.start - packet.th) / MSS);
      owedBySegments = (features & NETIF_F.HW_CSUM) !== 0n;
      return [s.address];
    },
  });
  expect(result.verdict).toBe("send");
  const seen: Seen =
    segmented > 0
      ? { frames: segmented, whole: false, owed: owedBySegments, bytes: "" }
      : {
          frames: 1,
          whole: skb.isGso,
          owed: skb.ipSummed === CHECKSUM_PARTIAL,
          bytes: Buffer.from(skb.toBytes()).toString("hex"),
        };
  // what a packet socket is told of it
  const vnet = new Uint8Array(10);
  virtioNetHdrFromSkb(skb, new DataView(vnet.buffer), 0, { littleEndian: true });
  if (segmented === 0) expect([vnet[0] === NEEDS_CSUM, vnet[1] !== 0]).toEqual([seen.owed, seen.whole]);
  skb.kfreeSkb();
  return seen;
}

/** The same through a tunnel device, and in VXLAN by the other. @param type - gso_type of the tunnel */
function predictTunnel(packet: Packet, first: NetDevice, second: NetDevice, type: number): Seen {
  const above = predict(packet, first);
  const inside = handed(packet);
  const encapsulated = skbFromBytes(memory, bytes(new Uint8Array(50), packet.frame), { headroom: 64 })!;
  const at = (offset: number): number => offset + 50;
  encapsulated.macHeader = 64;
  encapsulated.networkHeader = 78;
  encapsulated.transportHeader = 98;
  encapsulated.protocol = 0x0800;
  encapsulated.encapsulation = 1;
  encapsulated.innerMacHeader = at(inside.macHeader);
  encapsulated.innerNetworkHeader = at(inside.networkHeader);
  encapsulated.innerTransportHeader = at(inside.csumStart);
  encapsulated.innerProtocol = 0x6558;
  const segments = above.frames;
  if (above.whole) {
    encapsulated.gsoSize = inside.gsoSize;
    encapsulated.gsoType = inside.gsoType | type;
  }
  if (above.owed) {
    encapsulated.ipSummed = CHECKSUM_PARTIAL;
    encapsulated.csumStart = at(inside.csumStart);
    encapsulated.csumOffset = inside.csumOffset;
  } else if (type === SKB_GSO_UDP_TUNNEL_CSUM) {
    // nothing is owed inside, so the outer header's is (udp_set_csum)
    encapsulated.ipSummed = CHECKSUM_PARTIAL;
    encapsulated.csumStart = 98;
    encapsulated.csumOffset = 6;
  }
  inside.kfreeSkb();
  let split = 0;
  let owed = false;
  const result = validateXmitSkb(encapsulated, second, {
    segment: (s, features) => {
      if (netGsoOk(features | NETIF_F.GSO_ROBUST, s.gsoType)) return null;
      split = Math.ceil((packet.frame.length - packet.start - packet.th) / MSS);
      owed = (features & NETIF_F.HW_CSUM) !== 0n;
      return [s.address];
    },
  });
  expect(result.verdict).toBe("send");
  const seen = {
    frames: split || segments,
    whole: split === 0 && encapsulated.isGso,
    owed: split > 0 ? owed : encapsulated.ipSummed === CHECKSUM_PARTIAL,
    bytes: "",
  };
  encapsulated.kfreeSkb();
  return seen;
}

describe.runIf(live)("a packet's features, by a live veth pair", () => {
  ownNamespace();
  let ethtool: Ethtool;
  let route: Route;
  let va = 0;
  let sender: PacketSocket;
  let reader: PacketSocket;
  beforeAll(() => {
    ethtool = new Ethtool();
    route = new Route();
    let vb: number;
    [va, vb] = route.addVeth("va", "vb");
    for (const link of [va, vb]) route.setLink(link, { up: true, mtu: 9000 });
    sender = new PacketSocket({ ifindex: va, vnetHdrSize: 10, sendOnly: true });
    reader = new PacketSocket({ ifindex: vb, vnetHdrSize: 10 });
  });
  afterAll(() => {
    sender.close();
    reader.close();
    ethtool.close();
    route.close();
  });

  const buffer = new Uint8Array(70000);
  /** The kernel's answer. */
  function observe(packet: Packet, expected: number, from: PacketSocket = sender): Seen {
    while (reader.receive(buffer) >= 0);
    expect(from.send(bytes(header(packet), packet.frame))).toBe(10 + packet.frame.length);
    const frames: Uint8Array[] = [];
    // as many as expected, and a moment for more
    while (reader.wait(frames.length < expected ? 500 : 2)) {
      const { length, aux } = reader.receiveAux(buffer);
      if (length > 0) frames.push(withTag(buffer.slice(0, length), aux!));
    }
    const [first] = frames;
    const flags = new Set(frames.map((f) => f[0]! & NEEDS_CSUM));
    expect(flags.size).toBe(1);
    return {
      frames: frames.length,
      whole: first![1] !== 0,
      owed: flags.has(NEEDS_CSUM),
      bytes: frames.length > 1 ? "" : Buffer.from(first!.subarray(10)).toString("hex"),
    };
  }

  function active(ifindex: number): Features {
    const set = featureSet([...ethtool.features(ifindex)]);
    if (typeof set === "string") throw new Error(`no feature is named ${set}`);
    return set;
  }
  function device(limits: Partial<NetDevice> = {}): NetDevice {
    return netDevice({
      features: active(va),
      vlanFeatures: VETH & ~VLAN_TAGS,
      hwEncFeatures: VETH,
      mplsFeatures: NETIF_F.HW_CSUM | NETIF_F_GSO_SOFTWARE,
      // passthru_features_check()
      featuresCheck: (_, f) => f,
      ...limits,
    });
  }

  test("19 kinds of packets under 60 random feature sets", () => {
    const r = new Random(6);
    const names = ["tx-scatter-gather", "tx-checksum-ip-generic", "tx-generic-segmentation"];
    names.push(
      "tx-tcp-segmentation",
      "tx-tcp6-segmentation",
      "tx-tcp-ecn-segmentation",
      "tx-udp-segmentation",
    );
    names.push("tx-tcp-mangleid-segmentation", "tx-scatter-gather-fraglist", "tx-vlan-hw-insert");
    const outcomes: Record<string, number> = {};
    for (let round = 0; round < 60; round++) {
      ethtool.setFeatures(va, Object.fromEntries(names.map((name) => [name, !r.oneIn(3)])));
      const dev = device();
      for (const packet of PACKETS) {
        const ours = predict(packet, dev);
        expect(
          observe(packet, ours.frames),
          `${packet.what}, ${[...ethtool.features(va)].join(" ")}`,
        ).toEqual(ours);
        const kind = `${ours.frames > 1 ? "segmented" : ours.whole ? "whole" : "single"} ${ours.owed ? "owed" : "filled"}`;
        outcomes[kind] = (outcomes[kind] ?? 0) + 1;
      }
    }
    // every outcome there is was met often
    expect(Object.keys(outcomes).sort()).toEqual([
      "segmented filled",
      "segmented owed",
      "single filled",
      "single owed",
      "whole owed",
    ]);
    for (const n of Object.values(outcomes)) expect(n).toBeGreaterThan(20);
  }, 120_000);

  test("the largest packet a device takes: IPv6's limit and everybody else's, tags among them", () => {
    ethtool.setFeatures(va, Object.fromEntries([...ethtool.featureSets(va).hw].map((name) => [name, true])));
    const [v4, v6, tagged] = ["TCP/IPv4 to segment", "TCP/IPv6 to segment", "one tag, IPv6, to segment"].map(
      (what) => PACKETS.find((packet) => packet.what === what),
    ) as [Packet, Packet, Packet];
    let met = 0;
    for (const [size4, size6] of [
      [65536, 65536],
      [v4.frame.length, 65536],
      [v4.frame.length + 1, 65536],
      [tagged.frame.length, v6.frame.length],
      [tagged.frame.length + 1, v6.frame.length + 1],
    ] as const) {
      // one sets the other as well where it is small
      route.setLink(va, { gsoMaxSize: size6 });
      route.setLink(va, { gsoIpv4MaxSize: size4 });
      const dev = device({ gsoMaxSize: size6, gsoIpv4MaxSize: size4 });
      for (const packet of [v4, v6, tagged]) {
        const ours = predict(packet, dev);
        expect(observe(packet, ours.frames), `${packet.what} ${size4} ${size6}`).toEqual(ours);
        if (ours.frames > 1) met++;
      }
    }
    expect(met).toBeGreaterThan(3);
    route.setLink(va, { gsoMaxSize: 65536 });
    route.setLink(va, { gsoIpv4MaxSize: 65536 });
  });

  test("through a tunnel: the tunnel device's features (and the rule of two tags), then those for what is inside", () => {
    const r = new Random(9);
    const ip = (words: string): string => execFileSync("ip", words.split(" "), { encoding: "utf8" });
    ip("addr add 10.9.0.1/24 dev va");
    ip("neigh add 10.9.0.2 lladdr 02:00:00:00:00:99 dev va nud permanent");
    const outcomes: Record<string, number> = {};
    for (const [checksum, type] of [
      ["udpcsum", SKB_GSO_UDP_TUNNEL_CSUM],
      ["noudpcsum", SKB_GSO_UDP_TUNNEL],
    ] as const) {
      ip(`link add vx type vxlan id 5 dstport 4789 local 10.9.0.1 remote 10.9.0.2 dev va ${checksum}`);
      const vx = route.ifindex("vx");
      route.setLink(vx, { up: true });
      const above = active(vx);
      const socket = new PacketSocket({ ifindex: vx, vnetHdrSize: 10, sendOnly: true });
      for (let round = 0; round < 25; round++) {
        const inner = [
          "tx-checksum-ip-generic",
          "tx-tcp-segmentation",
          "tx-udp-segmentation",
          "tx-scatter-gather",
        ];
        ethtool.setFeatures(vx, Object.fromEntries(inner.map((name) => [name, !r.oneIn(4)])));
        const outer = [...inner, "tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation"];
        ethtool.setFeatures(va, Object.fromEntries(outer.map((name) => [name, !r.oneIn(4)])));
        // vxlan_setup(): vlan_features are the features it began with
        const first = netDevice({ features: active(vx), vlanFeatures: above });
        for (const packet of PACKETS.filter(({ what }) => what !== "MPLS")) {
          const ours = predictTunnel(packet, first, device(), type);
          const seen = observe(packet, ours.frames, socket);
          expect(
            { ...seen, bytes: "" },
            `${packet.what} ${checksum}; ${[...ethtool.features(vx)].join(" ")}; ${[...ethtool.features(va)].join(" ")}`,
          ).toEqual(ours);
          const kind = `${ours.frames > 1 ? "segmented" : ours.whole ? "whole" : "single"} ${ours.owed ? "owed" : "filled"}`;
          outcomes[kind] = (outcomes[kind] ?? 0) + 1;
        }
      }
      socket.close();
      route.deleteLink(vx);
    }
    expect(Object.keys(outcomes)).toHaveLength(5);
  }, 120_000);
});
