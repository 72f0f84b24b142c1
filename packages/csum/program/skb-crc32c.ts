// CRC-32C of a packet from some offset in its linear part to its end, wherever the bytes lie (skb_crc32c).
import { fragAddress, fragSize, SkBuff, skbAt, skbFrag, skbHeadlen, skbShinfo } from "../../skbuff/program/sk-buff";
import { crc32c } from "./accel";

/** The frags of one skb. */
function crcFrags(skb: SkBuff, crc: u32): u32 {
  const shinfo = skbShinfo(skb);
  for (let i: u32 = 0; i < <u32>shinfo.nrFrags; i++) {
    const frag = skbFrag(shinfo, i);
    crc = crc32c(fragAddress(frag), fragSize(frag), crc);
  }
  return crc;
}

/** A list member with its frags. */
function crcFlat(skb: SkBuff, crc: u32): u32 {
  return crcFrags(skb, crc32c(skb.data, skbHeadlen(skb), crc));
}

/** @param off - bytes from data, within the linear part */
export function crcSkb(skb: SkBuff, off: u32, crc: u32): u32 {
  crc = crcFrags(skb, crc32c(skb.data + off, skbHeadlen(skb) - off, crc));
  let member = skbShinfo(skb).fragList;
  while (member) {
    const list = skbAt(member);
    crc = crcFlat(list, crc);
    let deeper = skbShinfo(list).fragList;
    while (deeper) {
      const inner = skbAt(deeper);
      crc = crcFlat(inner, crc);
      deeper = inner.next;
    }
    member = list.next;
  }
  return crc;
}
