/** Device profiles: the limits of a device as data. Shipped ones are constants, a user's is read from JSON. */

import type { TcamLimits } from "@netoffload/cpr-ir";

/**
 * Faults of real devices that concern checksums. `truncate-start`: csum_start has 8 bits, silently.
 * `ext-hdr-partial`: behind extension headers the packet leaves with the pseudo sum only.
 * `srh-first-segment-address`: the pseudo header is made from the address in the IPv6 header.
 * `udp-zero-not-mangled`: a computed 0 is sent as 0 in UDP too. `else-udp`: whatever is not TCP is UDP.
 * `pad-not-summed`: COMPLETE misses padding and the driver does not know. `csum-level-wrong`: one level too many.
 */
export const CSUM_FAULTS = [
  "truncate-start",
  "ext-hdr-partial",
  "srh-first-segment-address",
  "udp-zero-not-mangled",
  "else-udp",
  "pad-not-summed",
  "csum-level-wrong",
] as const;
/** One of {@link CSUM_FAULTS}. */
export type CsumFault = (typeof CSUM_FAULTS)[number];

/**
 * Tunnels whose inner checksum a device can be asked for. `udp`: any over UDP, for it goes by lengths alone; `vxlan`
 * and `geneve`: to the ports it knows; `ipip`: IPv4 or IPv6 in either.
 */
export type Tunnel = "udp" | "vxlan" | "geneve" | "gre" | "ipip";

/** Destination ports that a device takes for tunnels over UDP. */
export interface TunnelPorts {
  readonly vxlan: readonly number[];
  readonly geneve: readonly number[];
}

/** An IP version. */
export type Family = "ipv4" | "ipv6";

/** The checksum engine on transmit, and what its driver knows of it. */
export interface TxCsumProfile {
  /**
   * How checksums are asked for: none, by start and offset, by header types with the stack's seed, or by header
   * types with a pseudo header that the device makes from the IP header it parsed.
   */
  readonly mode: "none" | "generic" | "typed-seeded" | "typed-unseeded";
  /** Its driver shows NETIF_F_HW_CSUM to the stack, whatever the engine takes. */
  readonly claimsHwCsum: boolean;
  readonly l3: readonly Family[];
  /** sctp: its CRC. */
  readonly l4: readonly ("tcp" | "udp" | "sctp")[];
  readonly ipv4Options: boolean;
  /** Extension headers it steps over: none, any number, or as many. A routing header is never among them. */
  readonly ipv6ExtHdrs: "none" | "skip" | `count:${number}`;
  /** Longest single extension header, bytes. */
  readonly ipv6ExtHdrMax: number;
  /** Tunnels it looks into; none: what is encapsulated is done by software. */
  readonly encap: readonly Tunnel[];
  /** Families of the outer header. */
  readonly encapL3: readonly Family[];
  /** IPv6 inside of a tunnel as well. */
  readonly encapIpv6: boolean;
  readonly encapPorts: TunnelPorts;
  /** Longest tunnel part, from the outer transport header to the inner network header, bytes. */
  readonly tunnelLenMax: number;
  /** Only even tunnel parts. */
  readonly tunnelLenEven: boolean;
  /** Largest csum_start, bytes from the packet's first. */
  readonly startMax: number;
  /** csum_start must be even: the descriptor counts in words. */
  readonly offsetEven: boolean;
  /** What a computed 0 becomes for TCP. */
  readonly tcpZero: "ffff" | "zero";
  /** What a computed 0 becomes for UDP; a driver of a `zero` device leaves UDP to software. */
  readonly udpZero: "ffff" | "zero";
  /** Shortest packet the engine takes, bytes. */
  readonly minLen: number;
  /** In-band VLAN tags the engine steps over. */
  readonly vlanStack: number;
  /** Longest link-layer header, tags included, bytes. */
  readonly l2LenMax: number;
  /** Only even link-layer headers. */
  readonly l2LenEven: boolean;
  /** Longest network header, extension headers included, bytes. */
  readonly l3LenMax: number;
  /** Of which its length must be a multiple, bytes. */
  readonly l3LenMultiple: number;
  /** Longest packet the engine takes, bytes; 0: any. */
  readonly lenMax: number;
  /** Bytes from the packet's first that the engine sees when it looks for the field; 0: all. */
  readonly headerWindow: number;
  /** Queues below this number have an engine; 0: all. */
  readonly queues: number;
}

/** The checksum engine on receive, and what its driver makes of it. */
export interface RxCsumProfile {
  /** What completions say; of two the first that can be had. */
  readonly report:
    | "complete"
    | "unnecessary"
    | "none"
    | "complete-else-unnecessary"
    | "unnecessary-else-complete";
  readonly l3: readonly Family[];
  readonly l4: readonly ("tcp" | "udp")[];
  /** Extension headers it steps over when it verifies. */
  readonly ipv6ExtHdrs: "none" | "skip";
  /** Largest csum_level. */
  readonly levelMax: number;
  /** Tunnels it looks into. */
  readonly encap: readonly Exclude<Tunnel, "udp">[];
  readonly encapPorts: TunnelPorts;
  /** A UDP checksum of 0: counts as verified, is not verified, or is an error (not verified either). */
  readonly udpZero: "ok" | "none" | "error";
  /** UNNECESSARY also for IP packets whose transport it does not know. */
  readonly others: boolean;
  /** In-band VLAN tags it steps over. */
  readonly maxVlan: number;
  /** Bytes from the frame's first that it parses; 0: all. */
  readonly headerWindow: number;
  /**
   * Where the hardware's sum begins: behind the Ethernet header; at the IP header, so that its driver adds VLAN tags;
   * behind the IPv4 header with the pseudo header in it (IPv6: addresses and payload length), which its driver turns
   * into a sum of the packet.
   */
  readonly completeFrom: "data" | "ip" | "ipPayload";
  /** COMPLETE covers what lies behind the IP packet; otherwise the driver adds it. */
  readonly coversPadding: boolean;
  /** Frames up to so many bytes are never COMPLETE to the stack: the driver knows that padding is not covered. */
  readonly shortFrameMax: number;
  /** A frame that owes its checksum (a neighbour on the same host sent it) arrives as PARTIAL. */
  readonly needsCsum: boolean;
}

/** What a device can do; absent means unlimited or not there, as each field says. */
export interface Profile {
  readonly name: string;
  readonly description: string;
  readonly tx: { readonly csum: TxCsumProfile };
  readonly rx: { readonly csum: RxCsumProfile };
  /** Faults of real devices that are on. */
  readonly faults: readonly CsumFault[];
  /** Null: fixed function. */
  readonly program: {
    readonly abi: number;
    /** 3: npu; 4: tcam, where there is a parser engine ({@link Profile.parser}). */
    readonly targets: readonly number[];
    readonly instructions: number;
    readonly instructionsPerPacket: number;
    /** Bytes of frames of one call chain. */
    readonly stack: number;
    /** Bytes of static regions. */
    readonly memory: number;
  } | null;
  /** The TCAM parser engine; null: none. */
  readonly parser: TcamLimits | null;
}
