/** Single bytes and big-endian words of a packet wherever they lie, without a copy and without allocation. */
import type { Memory } from "./memory.ts";
import type { SkBuff } from "./sk-buff.ts";
import { SK_BUFF_OFF as O, SKB_SHARED_INFO_OFF as S, SK_BUFF_BITS } from "./sk-buff-fields.ts";

const FRAG_SIZE = 12;
const UNREADABLE: number = /* @__PURE__ */ (() => 1 << SK_BUFF_BITS.unreadable[0])();

/**
 * One byte of a packet.
 * @param off - bytes from data; a negative one reads the headroom
 * @returns 0..255; -1: before head, beyond the packet, or in frags that cannot be read
 */
export function skbByte(skb: SkBuff, off: number): number {
  const { memory } = skb;
  const data = skb.data;
  if (off < skb.headlen) return data + off < skb.head ? -1 : memory.bytes[data + off]!;
  return byteAt(memory, skb.address, off);
}

/** Two bytes, big endian; -1 when one of them is not there. */
export function skbBe16(skb: SkBuff, off: number): number {
  const high = skbByte(skb, off);
  const low = skbByte(skb, off + 1);
  return high < 0 || low < 0 ? -1 : (high << 8) | low;
}

/** Four bytes, big endian, unsigned; -1 when one of them is not there. */
export function skbBe32(skb: SkBuff, off: number): number {
  const high = skbBe16(skb, off);
  const low = skbBe16(skb, off + 2);
  return high < 0 || low < 0 ? -1 : high * 0x1_0000 + low;
}

/** Byte `off` of the skb at `address`, in its linear part, frags or list. */
function byteAt(memory: Memory, address: number, off: number): number {
  const { view, bytes } = memory;
  const headlen = view.getUint32(address + O.len, true) - view.getUint32(address + O.dataLen, true);
  if (off < headlen) return bytes[view.getUint32(address + O.data, true) + off]!;
  if (view.getUint32(address + O.flags, true) & UNREADABLE) return -1;
  let at = off - headlen;
  const shinfo = view.getUint32(address + O.end, true);
  const frags = view.getUint8(shinfo + S.nrFrags);
  for (let i = 0, frag = shinfo + S.frags; i < frags; i++, frag += FRAG_SIZE) {
    const size = view.getUint32(frag + 8, true);
    if (at < size) return bytes[view.getUint32(frag, true) + view.getUint32(frag + 4, true) + at]!;
    at -= size;
  }
  let member = view.getUint32(shinfo + S.fragList, true);
  while (member !== 0) {
    const len = view.getUint32(member + O.len, true);
    if (at < len) return byteAt(memory, member, at);
    at -= len;
    member = view.getUint32(member + O.next, true);
  }
  return -1;
}
