/** The shipped profiles: classes of real devices, as far as checksums go, and some that no one builds. */

import { TCAM_IDEAL } from "@netoffload/cpr-ir";
import type { Profile, RxCsumProfile, TunnelPorts, TxCsumProfile } from "./profile.ts";

const BOTH = ["ipv4", "ipv6"] as const;
const ANY = 65535;
/** VXLAN's and Geneve's ports as IANA has them. */
const IANA_PORTS: TunnelPorts = { vxlan: [4789], geneve: [6081] };
const ONE_PORT: TunnelPorts = { vxlan: [4789], geneve: [] };
const NO_PORTS: TunnelPorts = { vxlan: [], geneve: [] };

/** A programmable device without limits that matter. */
export const ideal: Profile = {
  name: "ideal",
  description: "programmable, generic checksums, COMPLETE on receive",
  tx: {
    csum: {
      mode: "generic",
      claimsHwCsum: true,
      l3: BOTH,
      l4: ["tcp", "udp"],
      ipv4Options: true,
      ipv6ExtHdrs: "skip",
      ipv6ExtHdrMax: ANY,
      encap: ["udp", "gre", "ipip"],
      encapL3: BOTH,
      encapIpv6: true,
      encapPorts: NO_PORTS,
      tunnelLenMax: ANY,
      tunnelLenEven: false,
      startMax: ANY,
      offsetEven: false,
      tcpZero: "ffff",
      udpZero: "ffff",
      minLen: 0,
      vlanStack: 2,
      l2LenMax: ANY,
      l2LenEven: false,
      l3LenMax: ANY,
      l3LenMultiple: 1,
      lenMax: 0,
      headerWindow: 0,
      queues: 0,
    },
  },
  rx: {
    csum: {
      report: "complete",
      l3: BOTH,
      l4: ["tcp", "udp"],
      ipv6ExtHdrs: "skip",
      levelMax: 0,
      encap: [],
      encapPorts: NO_PORTS,
      udpZero: "none",
      others: false,
      maxVlan: 2,
      headerWindow: 0,
      completeFrom: "data",
      coversPadding: true,
      shortFrameMax: 0,
      needsCsum: false,
    },
  },
  faults: [],
  program: {
    abi: 1,
    targets: [3, 4],
    instructions: 32768,
    instructionsPerPacket: 1_000_000,
    stack: 4096,
    memory: 65536,
  },
  parser: TCAM_IDEAL,
};

/** Modelled on r8169's newer chips: plain TCP and UDP, no extension headers. */
export const v4v6Basic: Profile = {
  name: "v4v6-basic",
  description: "fixed function: TCP and UDP over plain IPv4 and IPv6 (r8169 class)",
  tx: {
    csum: {
      ...ideal.tx.csum,
      mode: "typed-seeded",
      claimsHwCsum: false,
      ipv6ExtHdrs: "none",
      encap: [],
      encapL3: [],
      encapIpv6: false,
      startMax: 1023,
      tcpZero: "zero",
      minLen: 60,
      vlanStack: 0,
    },
  },
  rx: { csum: { ...ideal.rx.csum, report: "unnecessary", ipv6ExtHdrs: "none", maxVlan: 0 } },
  faults: [],
  program: null,
  parser: null,
};

/** A fixed-function device made from `v4v6-basic`. */
function legacy(
  name: string,
  description: string,
  csum: Partial<TxCsumProfile>,
  rx: Partial<RxCsumProfile> = {},
  faults: Profile["faults"] = [],
): Profile {
  return {
    ...v4v6Basic,
    name,
    description,
    tx: { csum: { ...v4v6Basic.tx.csum, startMax: ANY, minLen: 0, ...csum } },
    rx: { csum: { ...v4v6Basic.rx.csum, ...rx } },
    faults,
  };
}

const ALL_TUNNELS = { encap: ["udp", "gre", "ipip"], encapL3: BOTH, encapIpv6: true } as const;
/** Lengths in words, tunnels of any kind: i40e and the virtual functions made like it. */
const WORD_DWORD_TX: Partial<TxCsumProfile> = {
  claimsHwCsum: true,
  l4: ["tcp", "udp", "sctp"],
  ipv6ExtHdrs: "skip",
  l2LenMax: 126,
  l2LenEven: true,
  l3LenMax: 508,
  l3LenMultiple: 4,
  tunnelLenMax: 254,
  tunnelLenEven: true,
  vlanStack: 1,
  ...ALL_TUNNELS,
};
/** Tunnels that the device knows by their ports, to one level inside. */
const KNOWN = { encap: ["vxlan", "geneve", "gre", "ipip"], encapPorts: IANA_PORTS } as const;
const KNOWN_TX: Partial<TxCsumProfile> = { ...KNOWN, vlanStack: 1, encapL3: BOTH, encapIpv6: true };
const KNOWN_RX: Partial<RxCsumProfile> = { ...KNOWN, levelMax: 1, udpZero: "ok", maxVlan: 1 };
/** Intel: one level inside of tunnels, unless it is plain IP in IP. */
const INTEL_RX: Partial<RxCsumProfile> = {
  levelMax: 1,
  encap: ["vxlan", "geneve", "gre"],
  encapPorts: IANA_PORTS,
  udpZero: "ok",
  maxVlan: 1,
};

const PROGRAMMABLE: readonly Profile[] = [
  ideal,
  {
    ...ideal,
    name: "small-parser",
    description: "programmable, with the parser of a small switch",
    parser: {
      entries: 256,
      states: 128,
      window: 64,
      keyBits: 64,
      ops: 8,
      bytesPerStep: 16,
      registers: 16,
      metadataBytes: 512,
      steps: 4096,
    },
  },
  {
    ...ideal,
    name: "tiny-table",
    description: "programmable, with 16 table entries, 4 states and 4 KiB of memory",
    program: { ...ideal.program!, memory: 4096 },
    parser: { ...TCAM_IDEAL, entries: 16, states: 4 },
  },
];

const INTEL: readonly Profile[] = [
  legacy("generic-csum", "by start and offset, start up to 255 (e1000e class)", {
    mode: "generic",
    claimsHwCsum: true,
    startMax: 255,
    tcpZero: "ffff",
  }),
  legacy(
    "ctx-127-511",
    "by lengths: link layer 127, network header 511 (igb, ixgbe class)",
    {
      claimsHwCsum: true,
      l4: ["tcp", "udp", "sctp"],
      ipv6ExtHdrs: "skip",
      l2LenMax: 127,
      l3LenMax: 511,
      vlanStack: 1,
      ...ALL_TUNNELS,
    },
    INTEL_RX,
  ),
  legacy(
    "word-dword",
    "lengths in words: link layer even up to 126, network header 508 (i40e class)",
    WORD_DWORD_TX,
    INTEL_RX,
  ),
  legacy(
    "word-dword-2",
    "lengths in words: link layer even up to 254, network header even up to 508 (ice class)",
    {
      l4: ["tcp", "udp", "sctp"],
      ipv6ExtHdrs: "skip",
      l2LenMax: 254,
      l2LenEven: true,
      l3LenMax: 508,
      l3LenMultiple: 2,
      vlanStack: 2,
      ...ALL_TUNNELS,
    },
    INTEL_RX,
  ),
  legacy(
    "vfunc",
    "a virtual function: link layer even up to 126, tunnel part even up to 254 (idpf, gve class)",
    WORD_DWORD_TX,
    { maxVlan: 1 },
  ),
];

const OTHERS: readonly Profile[] = [
  v4v6Basic,
  legacy(
    "complete-parse",
    "parses itself, its own pseudo header; COMPLETE from the IP header, without padding (mlx5 class)",
    {
      mode: "typed-unseeded",
      claimsHwCsum: true,
      ipv6ExtHdrs: "skip",
      ...KNOWN_TX,
    },
    {
      report: "complete-else-unnecessary",
      completeFrom: "ip",
      coversPadding: false,
      shortFrameMax: 60,
      ...KNOWN_RX,
    },
  ),
  legacy(
    "payload-sum",
    "one VXLAN port over IPv4; COMPLETE of what lies behind the IP header (mlx4 class)",
    { vlanStack: 1, encap: ["vxlan"], encapL3: ["ipv4"], encapIpv6: true, encapPorts: ONE_PORT },
    {
      report: "unnecessary-else-complete",
      completeFrom: "ipPayload",
      coversPadding: false,
      shortFrameMax: 60,
      maxVlan: 1,
      levelMax: 1,
      encap: ["vxlan"],
      encapPorts: ONE_PORT,
      udpZero: "ok",
    },
  ),
  legacy("v4-only", "TCP and UDP over IPv4, no VLAN (old tg3, 8169)", { l3: ["ipv4"] }, { l3: ["ipv4"] }),
  legacy(
    "mtu-limited",
    "checksums up to an MTU of 1600, receive IPv4 only (mvneta class)",
    { lenMax: 1614 },
    { l3: ["ipv4"] },
  ),
  legacy(
    "coe",
    "finds IP by the type at byte 12 only, its own pseudo header, an engine on the first queues (stmmac class)",
    { mode: "typed-unseeded", l2LenMax: 14, queues: 2 },
    { others: true },
  ),
  legacy(
    "exthdr-3",
    "up to three extension headers of 64 bytes, tunnels to the ports it knows (bnxt class)",
    {
      ipv6ExtHdrs: "count:3",
      ipv6ExtHdrMax: 64,
      ...KNOWN_TX,
    },
    KNOWN_RX,
  ),
  legacy("cloud", "what is not TCP is UDP to it (ena class)", { minLen: 0 }, {}, ["else-udp"]),
  legacy(
    "paravirt",
    "start and offset of 16 bits, nothing inside of tunnels; neighbours' checksums arrive owed (virtio_net class)",
    { mode: "generic", claimsHwCsum: true, tcpZero: "ffff" },
    { needsCsum: true },
  ),
];

const SYNTHETIC: readonly Profile[] = [
  legacy(
    "short-window",
    "sees 64 bytes of a packet (synthetic)",
    { headerWindow: 64, ipv6ExtHdrs: "skip", vlanStack: 2 },
    { headerWindow: 64, ipv6ExtHdrs: "skip", maxVlan: 2 },
  ),
  legacy("hdr-480", "headers up to 480 bytes, the transport's counted as 60 (hns3 class)", {
    ipv6ExtHdrs: "skip",
    startMax: 420,
    vlanStack: 1,
    ...ALL_TUNNELS,
  }),
];

/** All shipped profiles by name. */
export const PROFILES: Readonly<Record<string, Profile>> = Object.fromEntries(
  [...PROGRAMMABLE, ...OTHERS, ...INTEL, ...SYNTHETIC].map((profile) => [profile.name, profile]),
);
