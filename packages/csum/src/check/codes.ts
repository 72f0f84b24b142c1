/** What the walker's numbers mean; the same as check/codes.ts, which a test holds to it. */

/** A header that has a checksum. */
export type ChecksumLayer =
  | "ipv4"
  | "tcp"
  | "udp"
  | "udplite"
  | "icmp"
  | "icmpv6"
  | "igmp"
  | "gre"
  | "sctp"
  | "dccp"
  | "icmp_ext";

/**
 * `ok`: right. `bad`: wrong. `absent`: the sender sent none (UDP 0). `unverifiable`: see the reason.
 * `partial`: left to a device that was to fill it in, as captures on the sending machine show. Precisely: the
 * checksum is wrong, and the field holds the folded, uncomplemented sum of the pseudo header, with the length of
 * this packet (a super-packet's is its whole length, 32 bits wide) or, TCP only, with length 0; 0 for GRE and
 * SCTP, which have no pseudo header. Or (reason `inner_partial`) the field is right once the partial checksums
 * below it are filled in.
 */
export type ChecksumVerdict = "ok" | "bad" | "partial" | "absent" | "unverifiable";

/**
 * Why a checksum cannot be verified. `truncated_by_capture`: not all bytes were captured. `fragment`: of a
 * datagram that is not whole. `malformed`: the header contradicts itself. `length_beyond_packet`: a length field
 * says more than the packet has. `unknown_destination`: a routing header from which the final destination, which
 * the pseudo header needs, cannot be told. `quoted`: part of a packet inside an ICMP error. `fragment_overlap`:
 * fragments contradict each other. `inner_partial` comes with verdict partial.
 */
export type ChecksumReason =
  | "truncated_by_capture"
  | "fragment"
  | "malformed"
  | "length_beyond_packet"
  | "unknown_destination"
  | "quoted"
  | "fragment_overlap"
  | "inner_partial";

/** Where the walk through the headers ended. */
export type WalkStop =
  | "end"
  | "no_checksum"
  | "fragment_not_first"
  | "fragment_first"
  | "truncated_by_capture"
  | "malformed"
  | "encrypted"
  | "too_deep"
  | "unknown_link_type";

/** Layer names by number; number 0 is none. */
export const LAYERS: readonly (ChecksumLayer | undefined)[] = [
  undefined,
  "ipv4",
  "tcp",
  "udp",
  "udplite",
  "icmp",
  "icmpv6",
  "igmp",
  "gre",
  "sctp",
  "dccp",
  "icmp_ext",
];

/** Verdict names by number. */
export const VERDICTS: readonly ChecksumVerdict[] = ["ok", "bad", "partial", "absent", "unverifiable"];

/** Reason names by number; number 0 is none. */
export const REASONS: readonly (ChecksumReason | undefined)[] = [
  undefined,
  "truncated_by_capture",
  "fragment",
  "malformed",
  "length_beyond_packet",
  "unknown_destination",
  "quoted",
  "fragment_overlap",
  "inner_partial",
];

/** Names of the walk's ends by number. */
export const STOPS: readonly WalkStop[] = [
  "end",
  "no_checksum",
  "fragment_not_first",
  "fragment_first",
  "truncated_by_capture",
  "malformed",
  "encrypted",
  "too_deep",
  "unknown_link_type",
];

/**
 * What lies behind a UDP port: a tunnel's header, or with `fou` an IP protocol's packet at once (foo over UDP, which
 * has no port of its own). `none`: nothing, also where a standard port says otherwise.
 */
export type UdpEncap = "none" | "vxlan" | "vxlan-gpe" | "geneve" | "gue" | "mpls" | { readonly fou: number };

/** Names of {@link UdpEncap} by the walker's number. */
export const ENCAPS: readonly string[] = ["none", "vxlan", "vxlan-gpe", "geneve", "gue", "mpls"];

/** The walker's number for FOU, to which the IP protocol is added. */
export const ENCAP_FOU = 0x100;
