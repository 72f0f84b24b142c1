/** The addresses that the pseudo header is made of, told from a packet that is under way. */
import { type SkBuff, skbBe16, skbByte } from "@netoffload/skbuff";
import { homeAddressOption } from "./ipv6-exthdr.ts";

/** Why the addresses cannot be told. */
export type AddressesUnknown =
  | "malformed"
  | "truncated"
  | "unknown"
  | "fragment"
  | "encrypted"
  | "no-next-header";

/** Both addresses, and where the upper layer begins. */
export type FinalAddresses =
  | {
      readonly ok: true;
      readonly saddr: Uint8Array;
      readonly daddr: Uint8Array;
      /** Upper-layer protocol. */
      readonly proto: number;
      /** Its header, bytes from data. */
      readonly offset: number;
    }
  | { readonly ok: false; readonly reason: AddressesUnknown };

const fail = (reason: AddressesUnknown): FinalAddresses => ({ ok: false, reason });

/** A packet has fewer extension headers than this, each being 8 bytes at least. */
const MAX_HEADERS = 8192;

/**
 * Final destination and original source of an IPv6 packet, behind RH0, RH2, RPL and segment routing headers (also
 * reduced ones) and home address options.
 * @param at - the IPv6 header, bytes from data
 * @param compressedSids - the network uses compressed SIDs (uSID, C-SID) or other behaviours that rewrite the
 *   destination: an SRH with segments left is then `unknown`, for nothing in the packet tells them apart. Default: in
 *   5f00::/16, which is for SIDs alone; elsewhere segments are addresses
 * @returns `malformed` where a routing header contradicts itself, `unknown` where the destination cannot be told:
 *   another type, or more than one routing header under way
 * @remarks not in the kernel: its sender knows the flow's destination, its receiver the header's
 * @see RFC 8200 section 8.1; RFC 2460 4.4 (RH0); RFC 6275 6.4 (RH2); RFC 6554 (RPL); RFC 8754 (SRH); RFC 9800 (compressed SIDs)
 */
export function ipv6FinalAddresses(skb: SkBuff, at: number, compressedSids?: boolean): FinalAddresses {
  if (skbByte(skb, at + 39) < 0) return fail("truncated");
  if (skbByte(skb, at) >> 4 !== 6) return fail("malformed");
  let saddr = at + 8;
  let daddr = take(skb, at + 24, 16);
  let proto = skbByte(skb, at + 6);
  let offset = at + 40;
  let routes = 0;
  for (let i = 0; i < MAX_HEADERS; i++) {
    if (proto === 59) return fail("no-next-header");
    if (proto === 50) return fail("encrypted");
    const extension = proto === 0 || proto === 43 || proto === 44 || proto === 51 || proto === 60;
    if (!extension) return { ok: true, saddr: take(skb, saddr, 16), daddr, proto, offset };
    const length = skbByte(skb, offset + 1);
    if (length < 0) return fail("truncated");
    const size = proto === 44 ? 8 : proto === 51 ? (length + 2) * 4 : (length + 1) * 8;
    if (skbByte(skb, offset + size - 1) < 0) return fail("truncated");
    if (proto === 44 && (skbBe16(skb, offset + 2) & 0xfff9) !== 0) return fail("fragment");
    if (proto === 60) {
      const home = homeAddressOption(skb, offset, size);
      if (home >= 0) saddr = home;
    }
    if (proto === 43 && skbByte(skb, offset + 3) > 0) {
      if (++routes > 1) return fail("unknown");
      const last = lastSegment(skb, offset, length, daddr, compressedSids);
      if (typeof last === "string") return fail(last);
      daddr = last;
    }
    proto = skbByte(skb, offset);
    offset += size;
  }
  return fail("malformed");
}

function take(skb: SkBuff, at: number, n: number): Uint8Array {
  return Uint8Array.from({ length: n }, (_, i) => skbByte(skb, at + i));
}

/** Is it an address of the block that segment identifiers have to themselves? @see RFC 9602 */
const isSid = (address: Uint8Array): boolean => address[0] === 0x5f && address[1] === 0;

/** The last address of a routing header that is not used up; the whole header is there. */
function lastSegment(
  skb: SkBuff,
  at: number,
  hdrlen: number,
  daddr: Uint8Array,
  compressedSids: boolean | undefined,
): Uint8Array | AddressesUnknown {
  const left = skbByte(skb, at + 3);
  switch (skbByte(skb, at + 2)) {
    case 0: {
      const n = hdrlen >> 1;
      if (hdrlen === 0 || (hdrlen & 1) !== 0 || left > n) return "malformed";
      return take(skb, at + 8 + 16 * (n - 1), 16);
    }
    case 2:
      return hdrlen !== 2 || left !== 1 ? "malformed" : take(skb, at + 8, 16);
    case 3:
      return rpl(skb, at, hdrlen, left, daddr);
    case 4: {
      const lastEntry = skbByte(skb, at + 4);
      // a reduced list omits the first segment, so segments_left may be one more
      if (left > lastEntry + 1 || hdrlen < 2 * (lastEntry + 1)) return "malformed";
      const last = take(skb, at + 8, 16);
      return (compressedSids ?? (isSid(daddr) || isSid(last))) ? "unknown" : last;
    }
    default:
      return "unknown";
  }
}

/** All but the last address elide CmprI bytes of the destination, the last elides CmprE. */
function rpl(
  skb: SkBuff,
  at: number,
  hdrlen: number,
  left: number,
  daddr: Uint8Array,
): Uint8Array | AddressesUnknown {
  const compressed = skbByte(skb, at + 4);
  const pad = skbByte(skb, at + 5) >> 4;
  const each = 16 - (compressed >> 4);
  const last = 16 - (compressed & 15);
  const others = hdrlen * 8 - pad - last;
  if (others < 0 || others % each !== 0 || left > others / each + 1) return "malformed";
  const address = daddr.slice();
  address.set(take(skb, at + 8 + others, last), 16 - last);
  return address;
}
