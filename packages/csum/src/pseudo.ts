/** Pseudo-header sums of TCP, UDP and the like. Words are little endian as in arith.ts. */
import type { Memory } from "@netoffload/skbuff";
import { csumFold, type Sum16, type Wsum } from "./arith.ts";

const TWO32 = 2 ** 32;

/** Fold an exact integer below 2^53 into 32 bits with end-around carry; 0 only for 0. */
function fold53(sum: number): Wsum {
  const once = Math.floor(sum / TWO32) + (sum % TWO32);
  return (once < TWO32 ? once : once - TWO32 + 1) as Wsum;
}

/**
 * IPv4 pseudo-header sum, not folded to 16 bits, not complemented: the seed of CHECKSUM_PARTIAL after folding.
 * @param saddr - source address, u32 as loaded little endian from the packet
 * @param daddr - destination address, likewise
 * @param len - bytes of L4 header and payload, u32: a length above 65535 (BIG TCP) adds its carry
 * @param proto - IP protocol number
 * @param seed - partial sum to start from
 * @see arch/x86/include/asm/checksum_64.h csum_tcpudp_nofold()
 */
export function csumTcpudpNofold(
  saddr: number,
  daddr: number,
  len: number,
  proto: number,
  seed: number = 0,
): Wsum {
  // at most 3 * 2^32 + 2^41
  return fold53((seed >>> 0) + (saddr >>> 0) + (daddr >>> 0) + ((len >>> 0) + proto) * 256);
}

/**
 * IPv4 pseudo-header checksum: {@link csumTcpudpNofold}, folded and complemented.
 * @see include/asm-generic/checksum.h csum_tcpudp_magic()
 */
export function csumTcpudpMagic(
  saddr: number,
  daddr: number,
  len: number,
  proto: number,
  seed: number = 0,
): Sum16 {
  return csumFold(csumTcpudpNofold(saddr, daddr, len, proto, seed));
}

/** Bytes of a u32 in network order, as a little-endian load sees them. */
function swap32(n: number): number {
  return ((n << 24) | ((n & 0xff00) << 8) | ((n >>> 8) & 0xff00) | (n >>> 24)) >>> 0;
}

/** The eight words of an IPv6 address, added; by bytes, since a view would be an allocation. */
function addressWords(address: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < 16; i += 2) sum += address[i]! | (address[i + 1]! << 8);
  return sum;
}

/**
 * IPv6 pseudo-header checksum, folded and complemented.
 * @param saddr - 16 bytes
 * @param daddr - 16 bytes: the final destination, also when a routing header has put another into the IPv6 header
 * @param len - upper-layer packet length, bytes, u32: all 32 bits count (jumbograms)
 * @param proto - upper-layer protocol number
 * @param seed - partial sum to start from
 * @see net/ipv6/ip6_checksum.c csum_ipv6_magic(); RFC 8200 section 8.1
 */
export function csumIpv6Magic(
  saddr: Uint8Array,
  daddr: Uint8Array,
  len: number,
  proto: number,
  seed: number = 0,
): Sum16 {
  const sum = addressWords(saddr) + addressWords(daddr) + swap32(len) + swap32(proto) + (seed >>> 0);
  return csumFold(fold53(sum));
}

/**
 * {@link csumIpv6Magic} with both addresses in the library's memory.
 * @param saddr - address of 16 bytes
 * @param daddr - address of 16 bytes
 */
export function csumIpv6MagicAt(
  memory: Memory,
  saddr: number,
  daddr: number,
  len: number,
  proto: number,
  seed: number = 0,
): Sum16 {
  const { csum_partial } = memory.accel1;
  const addresses = csum_partial(saddr, 16, 0) + csum_partial(daddr, 16, 0);
  return csumFold(fold53(addresses + swap32(len) + swap32(proto) + (seed >>> 0)));
}
