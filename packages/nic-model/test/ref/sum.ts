/** The Internet checksum as RFC 1071 writes it down: big-endian words, an odd last byte is a high byte. */

/** End-around sum of bytes on top of `seed`, folded. */
export function sum16(bytes: Uint8Array, from: number, to: number, seed = 0): number {
  let total = seed;
  for (let i = from; i < to; i++) total += bytes[i]! << ((i - from) & 1 ? 0 : 8);
  while (total > 0xffff) total = (total % 0x10000) + Math.floor(total / 0x10000);
  return total;
}

/** A frame whose field holds the seed, as it must leave: the complement of the sum, 0xffff where that is 0. */
export function filled(frame: Uint8Array, start: number, offset: number): Uint8Array {
  const out = frame.slice();
  const check = 0xffff - sum16(out, start, out.length) || 0xffff;
  out[start + offset] = check >> 8;
  out[start + offset + 1] = check & 255;
  return out;
}
