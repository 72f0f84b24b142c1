/**
 * Ones'-complement sums, in the kernel's words and order.
 *
 * All numbers are made of 16-bit words as a little-endian machine loads them from network-order bytes (byte 0 of
 * a word is its low byte), so they equal those of an x86 kernel modulo 0xffff. Write a {@link Sum16} into a packet
 * low byte first (`view.setUint16(off, check, true)`).
 */
import type { Memory } from "@netoffload/skbuff";

/**
 * A partial sum, u32, not folded. Only its class is defined: two are equivalent when both are 0, or when neither
 * is and they are equal modulo 0xffff. Never compare two with `===`; compare {@link csumFold}.
 */
export type Wsum = number & { readonly __brand: "Wsum" };

/** A folded 16-bit value as it lies in a packet, read little endian. */
export type Sum16 = number & { readonly __brand: "Sum16" };

/** What UDP sends instead of a computed 0, which there means "no checksum". */
export const CSUM_MANGLED_0: Sum16 = 0xffff as Sum16;

/**
 * Sum bytes of the library's memory on top of a seed. Costs the WebAssembly call itself.
 * @param memory - whose bytes are meant
 * @param buf - address of the first byte; its alignment never affects the result
 * @param len - bytes; 0 or less gives the seed. An odd last byte is the first of a word whose second is 0
 * @param seed - sum so far
 * @returns canonical: 0 when seed and bytes are all 0, otherwise folded into 1..0xffff
 * @see lib/checksum.c csum_partial()
 */
export function csumPartial(memory: Memory, buf: number, len: number, seed: number = 0): Wsum {
  return (len > 0 ? memory.accel1.csum_partial(buf, len, seed) : seed >>> 0) as Wsum;
}

/**
 * Fold and complement: what goes into the packet.
 * @returns 0xffff for 0, 0 for every other multiple of 0xffff
 * @see include/asm-generic/checksum.h csum_fold()
 */
export function csumFold(sum: number): Sum16 {
  return (~csumFrom32to16(sum) & 0xffff) as Sum16;
}

/**
 * Fold without the complement: 0 stays 0, other multiples of 0xffff give 0xffff.
 * @see include/net/checksum.h csum_from32to16()
 */
export function csumFrom32to16(sum: number): Sum16 {
  // at most 0x1fffe, then at most 0xffff
  const once = (sum & 0xffff) + (sum >>> 16);
  return ((once & 0xffff) + (once >>> 16)) as Sum16;
}

/**
 * Add with end-around carry, 32 bits.
 * @see include/net/checksum.h csum_add()
 */
export function csumAdd(a: number, b: number): Wsum {
  const sum = (a + b) >>> 0;
  return ((sum + (sum < b >>> 0 ? 1 : 0)) >>> 0) as Wsum;
}

/**
 * Subtract: add the complement.
 * @see include/net/checksum.h csum_sub()
 */
export function csumSub(a: number, b: number): Wsum {
  return csumAdd(a, ~b >>> 0);
}

/**
 * Add with end-around carry, 16 bits.
 * @see include/net/checksum.h csum16_add()
 */
export function csum16Add(a: number, b: number): Sum16 {
  const sum = (a + b) & 0xffff;
  return (sum + (sum < (b & 0xffff) ? 1 : 0)) as Sum16;
}

/**
 * Subtract, 16 bits.
 * @see include/net/checksum.h csum16_sub()
 */
export function csum16Sub(a: number, b: number): Sum16 {
  return csum16Add(a, ~b & 0xffff);
}

/**
 * Turn a block's sum for the place where the block begins.
 * @param offset - bytes before the block; odd: rotate right by 8, even: unchanged
 * @see include/net/checksum.h csum_shift()
 */
export function csumShift(sum: number, offset: number): Wsum {
  return (offset & 1 ? ((sum >>> 8) | (sum << 24)) >>> 0 : sum >>> 0) as Wsum;
}

/**
 * Add the sum of a block that begins `offset` bytes after the start of `sum`'s range.
 * @see include/net/checksum.h csum_block_add()
 */
export function csumBlockAdd(sum: number, block: number, offset: number): Wsum {
  return csumAdd(sum, csumShift(block, offset));
}

/**
 * Take the sum of a block out again.
 * @see include/net/checksum.h csum_block_sub()
 */
export function csumBlockSub(sum: number, block: number, offset: number): Wsum {
  return csumBlockAdd(sum, ~block >>> 0, offset);
}

/**
 * A folded value as a partial sum: zero-extended.
 * @see include/net/checksum.h csum_unfold()
 */
export function csumUnfold(check: number): Wsum {
  return (check & 0xffff) as Wsum;
}
