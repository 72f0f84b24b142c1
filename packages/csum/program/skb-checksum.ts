// The sum of a packet from some offset on, wherever its bytes lie (skb_checksum). Iterative: lists nest two deep.
import {
  fragAddress,
  fragSize,
  SkBuff,
  skbAt,
  skbFrag,
  skbHeadlen,
  skbShinfo,
} from "../../skbuff/program/sk-buff";
import { csum_partial } from "./accel";
import { add16, rotate16 } from "./arith";

/** A walk over the pieces: what is to be skipped, how many bytes were summed, their sum. Lives in three locals. */
// @ts-ignore: decorator
@inline
function piece(address: u32, size: u32, skip: u32, pos: u32, sum: u32): u32 {
  if (size <= skip) return sum;
  const part = csum_partial(address + skip, size - skip, 0);
  return add16(sum, pos & 1 ? rotate16(part) : part);
}

/** Sum the frags of one skb on top of `sum`; `skip` bytes are left out, `pos` bytes came before. */
function sumFrags(skb: SkBuff, skip: u32, pos: u32, sum: u32): u32 {
  const shinfo = skbShinfo(skb);
  for (let i: u32 = 0; i < <u32>shinfo.nrFrags; i++) {
    const frag = skbFrag(shinfo, i);
    const size = fragSize(frag);
    sum = piece(fragAddress(frag), size, skip, pos, sum);
    if (size > skip) pos += size - skip;
    skip = skip > size ? skip - size : 0;
  }
  return sum;
}

/** Bytes of an skb's linear part and frags. */
function flatLen(skb: SkBuff): u32 {
  let len = skb.len;
  let member = skbShinfo(skb).fragList;
  while (member) {
    len -= skbAt(member).len;
    member = skbAt(member).next;
  }
  return len;
}

/** Linear part and frags of a list member. */
function sumFlat(skb: SkBuff, skip: u32, pos: u32, sum: u32): u32 {
  const headlen = skbHeadlen(skb);
  sum = piece(skb.data, headlen, skip, pos, sum);
  if (headlen > skip) pos += headlen - skip;
  return sumFrags(skb, skip > headlen ? skip - headlen : 0, pos, sum);
}

/** The members of a frag_list, each with at most one further level. */
function sumList(list: u32, skip: u32, pos: u32, sum: u32): u32 {
  let member = list;
  while (member) {
    const skb = skbAt(member);
    const flat = flatLen(skb);
    sum = sumFlat(skb, skip, pos, sum);
    if (flat > skip) pos += flat - skip;
    skip = skip > flat ? skip - flat : 0;
    let deeper = skbShinfo(skb).fragList;
    while (deeper) {
      const inner = skbAt(deeper);
      sum = sumFlat(inner, skip, pos, sum);
      if (inner.len > skip) pos += inner.len - skip;
      skip = skip > inner.len ? skip - inner.len : 0;
      deeper = inner.next;
    }
    member = skb.next;
  }
  return sum;
}

/** Sum of a nonlinear packet from `off` (from data) to its end. */
export function sumNonlinear(skb: SkBuff, off: u32): u32 {
  const headlen = skbHeadlen(skb);
  let sum: u32 = 0;
  let pos: u32 = 0;
  if (off < headlen) {
    sum = csum_partial(skb.data + off, headlen - off, 0);
    pos = headlen - off;
    off = 0;
  } else {
    off -= headlen;
  }
  // positions count from `off`, so the range always begins in phase 0
  sum = sumFrags(skb, off, pos, sum);
  const list = skbShinfo(skb).fragList;
  if (!list) return sum;
  const inFrags = flatLen(skb) - headlen;
  if (inFrags > off) {
    pos += inFrags - off;
    off = 0;
  } else {
    off -= inFrags;
  }
  return sumList(list, off, pos, sum);
}
