// Numbers shared by the walker and its typed face (src/check/codes.ts; a test holds the two together).

export const KIND_IPV4: u32 = 1;
export const KIND_TCP: u32 = 2;
export const KIND_UDP: u32 = 3;
export const KIND_UDPLITE: u32 = 4;
export const KIND_ICMP: u32 = 5;
export const KIND_ICMPV6: u32 = 6;
export const KIND_IGMP: u32 = 7;
export const KIND_GRE: u32 = 8;
export const KIND_SCTP: u32 = 9;
export const KIND_DCCP: u32 = 10;
export const KIND_ICMP_EXT: u32 = 11;

export const OK: u32 = 0;
export const BAD: u32 = 1;
export const PARTIAL: u32 = 2;
export const ABSENT: u32 = 3;
export const UNVERIFIABLE: u32 = 4;

/** Why a checksum cannot be verified, or what is special about a verdict. */
export const NO_REASON: u32 = 0;
export const TRUNCATED: u32 = 1;
export const FRAGMENT: u32 = 2;
export const MALFORMED: u32 = 3;
export const LENGTH_BEYOND_PACKET: u32 = 4;
export const UNKNOWN_DESTINATION: u32 = 5;
export const QUOTED: u32 = 6;
export const FRAGMENT_OVERLAP: u32 = 7;
export const INNER_PARTIAL: u32 = 8;

/** Where the walk ended. */
export const STOP_END: u32 = 0;
export const STOP_NO_CHECKSUM: u32 = 1;
export const STOP_FRAGMENT_NOT_FIRST: u32 = 2;
export const STOP_FRAGMENT_FIRST: u32 = 3;
export const STOP_TRUNCATED: u32 = 4;
export const STOP_MALFORMED: u32 = 5;
export const STOP_ENCRYPTED: u32 = 6;
export const STOP_TOO_DEEP: u32 = 7;
export const STOP_LINK_TYPE: u32 = 8;

/** Record flags. */
export const REASSEMBLED: u32 = 1;
export const IN_QUOTE: u32 = 2;

/** What the header at the cursor is. The second number, W.proto, says which within the space. */
export const NS_STOP: u32 = 0;
export const NS_ETHERNET: u32 = 1;
export const NS_ETHERTYPE: u32 = 2;
export const NS_IP: u32 = 3;
export const NS_PPP: u32 = 4;
export const NS_LLC: u32 = 5;
export const NS_GUESS: u32 = 6;
export const NS_UDP_PORT: u32 = 7;

/** What lies behind a UDP port; ENCAP_FOU + IP protocol for foo-over-UDP, which has no header of its own. */
export const ENCAP_NONE: u32 = 0;
export const ENCAP_VXLAN: u32 = 1;
export const ENCAP_VXLAN_GPE: u32 = 2;
export const ENCAP_GENEVE: u32 = 3;
export const ENCAP_GUE: u32 = 4;
export const ENCAP_MPLS: u32 = 5;
export const ENCAP_FOU: u32 = 0x100;
