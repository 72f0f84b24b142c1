/** Walking IPv6 extension headers, as drivers and the stack do. */
import { ipv6ExtHdr, type SkBuff, skbBe16, skbByte } from "@netoffload/skbuff";

const NEXTHDR_ROUTING = 43;
const NEXTHDR_FRAGMENT = 44;
const NEXTHDR_AUTH = 51;
const NEXTHDR_NONE = 59;

/** In and out of {@link ipv6SkipExthdr}; caller-owned. */
export interface ExthdrWalk {
  /** In: the first next-header value. Out: the protocol behind the last header walked; unchanged on -1. */
  nexthdr: number;
  /** Out: fragment offset and flags as in the header, 0 without one. Set on -1 as well. */
  fragOff: number;
}

/**
 * Step over extension headers.
 * @param start - the first header, bytes from data
 * @param walk - see {@link ExthdrWalk}
 * @returns offset from data of what follows; -1: no next header (59), or a header whose first 2 bytes are not there.
 *   A fragment that is not the first ends the walk at its header, nexthdr 44.
 *
 * Kernel quirk: the result may lie beyond the end of the packet; only 2 bytes of each header are checked.
 * Kernel quirk: 6.18 has no limit on their number; here the packet's end bounds the walk.
 * ESP (50), mobility (135), 139 and 140 count as upper layers.
 * @see net/ipv6/exthdrs_core.c ipv6_skip_exthdr()
 */
export function ipv6SkipExthdr(skb: SkBuff, start: number, walk: ExthdrWalk): number {
  return __ipv6SkipExthdr(skb, start, walk, false);
}

/**
 * The same for those who would compute a checksum from the header's addresses: any routing header, of any type and
 * whatever is left of it, gives -1.
 * @remarks not in the kernel: "drivers: Fix drivers doing TX csum offload with EH", v2, July 2024
 */
export function ipv6SkipExthdrNoRthdr(skb: SkBuff, start: number, walk: ExthdrWalk): number {
  return __ipv6SkipExthdr(skb, start, walk, true);
}

function __ipv6SkipExthdr(skb: SkBuff, start: number, walk: ExthdrWalk, noRthdr: boolean): number {
  let next = walk.nexthdr;
  walk.fragOff = 0;
  while (ipv6ExtHdr(next)) {
    if (next === NEXTHDR_NONE) return -1;
    const following = skbByte(skb, start);
    const length = skbByte(skb, start + 1);
    if (following < 0 || length < 0) return -1;
    if (noRthdr && next === NEXTHDR_ROUTING) return -1;
    let size = (length + 1) * 8;
    if (next === NEXTHDR_FRAGMENT) {
      const fragOff = skbBe16(skb, start + 2);
      if (fragOff < 0) return -1;
      walk.fragOff = fragOff;
      if ((fragOff & 0xfff8) !== 0) break;
      size = 8;
    } else if (next === NEXTHDR_AUTH) {
      size = (length + 2) * 4;
    }
    next = following;
    start += size;
  }
  walk.nexthdr = next;
  return start;
}

/**
 * Is there a home address option in a destination options header? While the packet is under way it holds the
 * source of the pseudo header.
 * @param at - the header, bytes from data; @param length - of it, bytes
 * @returns offset of the 16 bytes from data; -1: none
 * @see RFC 6275 section 6.3
 */
export function homeAddressOption(skb: SkBuff, at: number, length: number): number {
  for (let o = 2; o + 1 < length; ) {
    const type = skbByte(skb, at + o);
    if (type < 0) return -1;
    if (type === 0) {
      o++;
      continue;
    }
    const size = skbByte(skb, at + o + 1);
    if (size < 0) return -1;
    if (type === 0xc9 && size === 16 && o + 2 + size <= length) return at + o + 2;
    o += 2 + size;
  }
  return -1;
}
