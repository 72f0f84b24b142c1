/** Sums over an skb's bytes wherever they lie. Nothing is allocated. */
import {
  type Memory,
  SK_BUFF_OFF as O,
  SKB_SHARED_INFO_OFF as S,
  SK_BUFF_BITS,
  type SkBuff,
} from "@netoffload/skbuff";
import { csumAdd, csumBlockAdd, type Wsum } from "../arith.ts";
import { CsumError } from "../errors.ts";

const FRAG_SIZE = 12;
const UNREADABLE: number = /* @__PURE__ */ (() => 1 << SK_BUFF_BITS.unreadable[0])();

/** One piece of the packet inside the range [from, to), added at its position within the range. */
function piece(
  memory: Memory,
  at: number,
  begin: number,
  size: number,
  from: number,
  to: number,
  crc: boolean,
  sum: number,
): number {
  const first = Math.max(begin, from);
  const last = Math.min(begin + size, to);
  if (first >= last) return sum;
  const address = at + (first - begin);
  if (crc) return memory.accel1.crc32c(address, last - first, sum) >>> 0;
  // every piece is summed from 0 and turned for the place where it begins
  return csumBlockAdd(sum, memory.accel1.csum_partial(address, last - first, 0), first - from);
}

/**
 * The part of [from, to) that lies in the skb at `address`, whose first byte has position `begin`.
 * @returns the sum; NaN where frags cannot be read
 */
function walk(
  memory: Memory,
  address: number,
  begin: number,
  from: number,
  to: number,
  crc: boolean,
  sum: number,
): number {
  const { view } = memory;
  const headlen = view.getUint32(address + O.len, true) - view.getUint32(address + O.dataLen, true);
  const data = view.getUint32(address + O.data, true);
  // an offset before data reads the headroom
  sum =
    begin === 0 && from < 0
      ? piece(memory, data + from, from, headlen - from, from, to, crc, sum)
      : piece(memory, data, begin, headlen, from, to, crc, sum);
  let at = begin + headlen;
  if (at >= to) return sum;
  if (view.getUint32(address + O.flags, true) & UNREADABLE) return Number.NaN;
  const shinfo = view.getUint32(address + O.end, true);
  const frags = view.getUint8(shinfo + S.nrFrags);
  for (let i = 0, frag = shinfo + S.frags; i < frags && at < to; i++, frag += FRAG_SIZE) {
    const size = view.getUint32(frag + 8, true);
    const page = view.getUint32(frag, true) + view.getUint32(frag + 4, true);
    sum = piece(memory, page, at, size, from, to, crc, sum);
    at += size;
  }
  for (let member = view.getUint32(shinfo + S.fragList, true); member !== 0 && at < to; ) {
    const len = view.getUint32(member + O.len, true);
    if (at + len > from) sum = walk(memory, member, at, from, to, crc, sum);
    at += len;
    member = view.getUint32(member + O.next, true);
  }
  return sum;
}

function range(skb: SkBuff, off: number, len: number, crc: boolean): number {
  if (off + len > skb.len)
    throw new CsumError(
      "skb_checksum_bug",
      `skbChecksum: ${len} bytes from ${off}, the packet has ${skb.len}`,
      {
        off,
        len,
        packet: skb.len,
      },
    );
  return walk(skb.memory, skb.address, 0, off, off + len, crc, 0);
}

/**
 * Sum of packet bytes [off, off + len) on top of a seed. The range begins in phase 0 even where `off` is odd.
 * @param off - bytes from data; a negative one reads the headroom
 * @param len - bytes; 0 or less gives the seed
 * @returns the sum; 0 where frags that are needed cannot be read, as in the kernel.
 *   Throws skb_checksum_bug for a range beyond the packet, where the kernel stops
 * @see net/core/skbuff.c skb_checksum()
 */
export function skbChecksum(skb: SkBuff, off: number, len: number, seed: number): Wsum {
  if (len <= 0) return (seed >>> 0) as Wsum;
  const sum = range(skb, off, len, false);
  return (Number.isNaN(sum) ? 0 : csumAdd(seed, sum)) as Wsum;
}

/**
 * CRC-32C of packet bytes [off, off + len) continued from `crc`; no inversion.
 * @returns the CRC; 0 where frags that are needed cannot be read. Throws as {@link skbChecksum}
 * @see net/core/skbuff.c skb_crc32c()
 */
export function skbCrc32c(skb: SkBuff, off: number, len: number, crc: number): number {
  if (len <= 0) return crc >>> 0;
  if (off + len > skb.len) range(skb, off, len, true);
  const value = walk(skb.memory, skb.address, 0, off, off + len, true, crc);
  return Number.isNaN(value) ? 0 : value >>> 0;
}

/**
 * Copy packet bytes [off, off + len) to `to` and sum them, seed 0.
 * @param to - address of len free bytes
 * @returns the sum; frags that cannot be read are filled with zeros and give 0. Throws as {@link skbChecksum}
 * @see net/core/skbuff.c skb_copy_and_csum_bits()
 */
export function skbCopyAndCsumBits(skb: SkBuff, off: number, to: number, len: number): Wsum {
  const { memory } = skb;
  if (len <= 0) return 0 as Wsum;
  const sum = skbChecksum(skb, off, len, 0);
  if (memory.kernel.skbCopyBits(skb.address, off, to, len) === 0) return sum;
  const linear = Math.max(0, Math.min(len, skb.headlen - off));
  memory.bytes.copyWithin(to, skb.data + off, skb.data + off + linear);
  memory.bytes.fill(0, to + linear, to + len);
  return 0 as Wsum;
}
