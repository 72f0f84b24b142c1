/** Decoding tables for the Huffman codes of DEFLATE. @see RFC 1951 section 3.2.2 */

/** Longest code, bits. */
export const MAX_BITS = 15;

const count = /* @__PURE__ */ new Uint16Array(MAX_BITS + 1);
const code = /* @__PURE__ */ new Uint16Array(MAX_BITS + 1);

/**
 * Fill `table`, indexed by the next bits of the stream, with `symbol << 4 | length`; 0 marks a pattern no code has.
 * @param lengths - code length of each symbol from `start` on; 0: the symbol does not occur
 * @param symbols - how many
 * @param incomplete - allow a single code of one bit, or none at all (distance codes)
 * @returns the bits to index by, at least 1; -1 when the lengths are no prefix code
 */
export function buildTable(
  lengths: Uint8Array,
  start: number,
  symbols: number,
  incomplete: boolean,
  table: Uint16Array,
): number {
  count.fill(0);
  for (let i = 0; i < symbols; i++) count[lengths[start + i]!]!++;
  let longest = MAX_BITS;
  while (longest > 0 && count[longest] === 0) longest--;
  if (longest === 0) {
    table[0] = table[1] = 0;
    return incomplete ? 1 : -1;
  }
  let left = 1;
  let next = 0;
  count[0] = 0;
  for (let bits = 1; bits <= longest; bits++) {
    next = (next + count[bits - 1]!) << 1;
    code[bits] = next;
    left = (left << 1) - count[bits]!;
    if (left < 0) return -1;
  }
  if (left > 0) {
    if (!incomplete || longest !== 1) return -1;
    table[0] = table[1] = 0;
  }
  const size = 1 << longest;
  for (let i = 0; i < symbols; i++) {
    const bits = lengths[start + i]!;
    if (bits === 0) continue;
    const value = code[bits]!++;
    let reversed = 0;
    for (let b = 0; b < bits; b++) reversed |= ((value >>> b) & 1) << (bits - 1 - b);
    const entry = (i << 4) | bits;
    for (let at = reversed; at < size; at += 1 << bits) table[at] = entry;
  }
  return longest;
}
