// skb_partial_csum_set: ask for a checksum by start and offset.
import { CHECKSUM_PARTIAL, skbAt, skbHeadlen, skbHeadroom } from "./sk-buff";

/**
 * @param start - first byte summed, from data; @param off - the field, from start. Both are taken modulo 2^16.
 * @returns false, and nothing changes: beyond the linear part, or start does not fit in 16 bits from head
 */
export function skbPartialCsumSet(address: u32, start: u32, off: u32): bool {
  const skb = skbAt(address);
  const s = start & 0xffff;
  const o = off & 0xffff;
  const fromHead = skbHeadroom(skb) + s;
  if (fromHead >= 65535 || s + o + 2 > skbHeadlen(skb)) return false;
  skb.ipSummed = CHECKSUM_PARTIAL;
  skb.csumStart = <u16>fromHead;
  skb.csumOffset = <u16>o;
  skb.transportHeader = <u16>fromHead;
  return true;
}
