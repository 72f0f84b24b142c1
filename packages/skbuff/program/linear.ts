// Bytes wherever they lie: linear part, frags, frag_list (members may have frags and, one level down, a
// frag_list of their own). Nothing here sums; nothing recurses.
import { blockPut } from "./alloc";
import { EFAULT, ENOMEM } from "./errno";
import {
  fragAddress,
  fragPage,
  fragSet,
  fragSize,
  SkBuff,
  SkbSharedInfo,
  skbAt,
  skbCloned,
  skbFrag,
  skbHeadlen,
  skbHeadroom,
  skbIsNonlinear,
  skbShinfo,
} from "./sk-buff";
import { allocSkb, kfreeSkb, pskbExpandHead, skbClone } from "./skb-alloc";

/** Copy what of [from, from + len) lies in [at, at + size); positions count from the packet's first byte. */
// @ts-expect-error: decorator
@inline
function copyPiece(piece: u32, at: u32, size: u32, from: u32, to: u32, len: u32): void {
  const start = max<u32>(at, from);
  const end = min<u32>(at + size, from + len);
  if (start < end) memory.copy(to + (start - from), piece + (start - at), end - start);
}

/** Linear part and frags of one skb. @returns the position behind them */
function copyFlat(skb: SkBuff, at: u32, from: u32, to: u32, len: u32): u32 {
  const headlen = skbHeadlen(skb);
  copyPiece(skb.data, at, headlen, from, to, len);
  at += headlen;
  const shinfo = skbShinfo(skb);
  for (let i: u32 = 0; i < <u32>shinfo.nrFrags; i++) {
    const frag = skbFrag(shinfo, i);
    copyPiece(fragAddress(frag), at, fragSize(frag), from, to, len);
    at += fragSize(frag);
  }
  return at;
}

/** Copy packet bytes [offset, offset + len) to memory. @returns 0, or -EFAULT (beyond the packet, unreadable frags) */
export function copyBits(skb: SkBuff, offset: u32, to: u32, len: u32): i32 {
  if (offset > skb.len || len > skb.len - offset) return -EFAULT;
  if (skb.unreadable && offset + len > skbHeadlen(skb)) return -EFAULT;
  let at = copyFlat(skb, 0, offset, to, len);
  let member = skbShinfo(skb).fragList;
  while (member && at < offset + len) {
    const inner = skbAt(member);
    at = copyFlat(inner, at, offset, to, len);
    let deeper = skbShinfo(inner).fragList;
    while (deeper && at < offset + len) {
      at = copyFlat(skbAt(deeper), at, offset, to, len);
      deeper = skbAt(deeper).next;
    }
    member = inner.next;
  }
  return at < offset + len ? -EFAULT : 0;
}

/** As {@link copyBits}, by address. */
export function skbCopyBits(address: u32, offset: u32, to: u32, len: u32): i32 {
  return copyBits(skbAt(address), offset, to, len);
}

/**
 * Move `delta` bytes from frags and frag_list to the end of the linear part, which grows when it must.
 * @returns false: out of memory (nothing changed), or fewer bytes than that
 */
export function pskbPullTail(address: u32, delta: u32): bool {
  const skb = skbAt(address);
  const room = skb.end - skb.tail;
  const missing = delta > room ? delta - room : 0;
  if (missing || skbCloned(skb)) {
    if (pskbExpandHead(address, 0, missing ? missing + 128 : 0) !== 0) return false;
  }
  if (copyBits(skb, skbHeadlen(skb), skb.tail, delta) !== 0) return false;
  if (!eat(skb, delta)) return false;
  skb.tail = skb.tail + delta;
  skb.dataLen = skb.dataLen - delta;
  return true;
}

/**
 * Take `delta` bytes off the front of the frags and the frag_list; len and data_len are the caller's.
 * Inlined into its only caller: the live kernel and the device hold chains of 8 calls.
 */
// @ts-expect-error: decorator
@inline
function eat(skb: SkBuff, delta: u32): bool {
  const shinfo = skbShinfo(skb);
  // the list first: cutting one of its members may need memory, and nothing must have changed by then
  let inFrags: u32 = 0;
  for (let i: u32 = 0; i < <u32>shinfo.nrFrags; i++) inFrags += fragSize(skbFrag(shinfo, i));
  if (delta > inFrags && !eatList(shinfo, delta - inFrags)) return false;
  let left = min<u32>(delta, inFrags);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < <u32>shinfo.nrFrags; i++) {
    const frag = skbFrag(shinfo, i);
    const size = fragSize(frag);
    if (size <= left) {
      blockPut(fragPage(frag));
      left -= size;
      continue;
    }
    fragSet(skbFrag(shinfo, kept), fragPage(frag), load<u32>(frag, 4) + left, size - left);
    left = 0;
    kept++;
  }
  shinfo.nrFrags = <u8>kept;
  return true;
}

// @ts-expect-error: decorator
@inline
function eatList(shinfo: SkbSharedInfo, delta: u32): bool {
  // prepare the member that is cut, before any other is freed
  let member = shinfo.fragList;
  let left = delta;
  while (member && skbAt(member).len <= left) {
    left -= skbAt(member).len;
    member = skbAt(member).next;
  }
  let replacement: u32 = member;
  if (member && left) {
    replacement = withoutFront(member, left);
    if (replacement === 0) return false;
  }
  const following = member ? skbAt(member).next : 0;
  let gone = shinfo.fragList;
  while (gone && gone !== member) {
    // a member that another list holds too keeps its successor
    const next = skbAt(gone).next;
    kfreeSkb(gone);
    gone = next;
  }
  if (replacement !== member) {
    kfreeSkb(member);
    skbAt(replacement).next = following;
  }
  shinfo.fragList = replacement;
  return true;
}

/** A list member that begins `n` bytes later: itself where that is one addition, else a linear copy. */
function withoutFront(member: u32, n: u32): u32 {
  const skb = skbAt(member);
  if (skb.users === 1 && skbHeadlen(skb) >= n) {
    skb.data = skb.data + n;
    skb.len = skb.len - n;
    return member;
  }
  const copy = allocSkb(skb.len - n);
  if (copy === 0) return 0;
  const to = skbAt(copy);
  to.len = skb.len - n;
  to.tail = to.data + to.len;
  if (copyBits(skb, n, to.data, to.len) === 0) return copy;
  kfreeSkb(copy);
  return 0;
}

/** Have at least `n` bytes linear. @returns false: longer than the packet, or out of memory */
export function pskbMayPull(address: u32, n: u32): bool {
  const skb = skbAt(address);
  const headlen = skbHeadlen(skb);
  if (headlen >= n) return true;
  if (n > skb.len) return false;
  return pskbPullTail(address, n - headlen);
}

/** Make the packet linear. @returns 0 or -ENOMEM */
export function skbLinearize(address: u32): i32 {
  const skb = skbAt(address);
  if (!skbIsNonlinear(skb)) return 0;
  return pskbPullTail(address, skb.dataLen) ? 0 : -ENOMEM;
}

/** Make the first `n` bytes linear and private. @returns 0 or -ENOMEM */
export function skbEnsureWritable(address: u32, n: u32): i32 {
  if (!pskbMayPull(address, n)) return -ENOMEM;
  if (!skbCloned(skbAt(address))) return 0;
  return pskbExpandHead(address, 0, 0);
}

/**
 * Bytes [off, off + n) from data as one piece: in place where they are linear, else copied to `buffer`.
 * @param off - from data, signed: a negative one reads the headroom, unchecked as in the kernel
 * @returns the address, 0: beyond the packet
 */
export function skbHeaderPointer(address: u32, off: i32, n: u32, buffer: u32): u32 {
  const skb = skbAt(address);
  if (<i64>skbHeadlen(skb) - <i64>off >= <i64>n) return skb.data + off;
  if (off >= 0) return copyBits(skb, <u32>off, buffer, n) === 0 ? buffer : 0;
  // from the headroom on into the frags
  const before: u32 = 0 - off;
  if (before > skbHeadroom(skb) || n < before || copyBits(skb, 0, buffer + before, n - before) !== 0) return 0;
  memory.copy(buffer, skb.data - before, before);
  return buffer;
}

/** Cut the packet to `n` bytes wherever they lie. @returns 0 or -ENOMEM (a shared list member could not be cloned) */
export function pskbTrim(address: u32, n: u32): i32 {
  const skb = skbAt(address);
  if (n >= skb.len) return 0;
  // cutting the linear part of a clone touches only this skb; frags belong to the shared info
  if (skbCloned(skb) && skbIsNonlinear(skb) && pskbExpandHead(address, 0, 0) !== 0) return -ENOMEM;
  const headlen = skbHeadlen(skb);
  const shinfo = skbShinfo(skb);
  let at = headlen;
  let kept: u32 = 0;
  for (let i: u32 = 0; i < <u32>shinfo.nrFrags; i++) {
    const frag = skbFrag(shinfo, i);
    const size = fragSize(frag);
    if (at < n) {
      if (at + size > n) store<u32>(frag, n - at, 8);
      kept++;
    } else {
      blockPut(fragPage(frag));
    }
    at += size;
  }
  shinfo.nrFrags = <u8>kept;
  const failed = trimList(shinfo, at, n);
  if (failed !== 0) return failed;
  if (n > headlen) {
    skb.dataLen = skb.dataLen - (skb.len - n);
    skb.len = n;
  } else {
    skb.len = n;
    skb.dataLen = 0;
    skb.tail = skb.data + n;
  }
  return 0;
}

function trimList(shinfo: SkbSharedInfo, at: u32, n: u32): i32 {
  let previous: u32 = 0;
  let member = shinfo.fragList;
  while (member && at < n) {
    const skb = skbAt(member);
    // shared members are replaced by clones: their links belong to the other list
    let own = member;
    if (at + skb.len > n) own = withoutBack(member, n - at);
    else if (skb.users > 1) own = skbClone(member);
    if (own === 0) return -ENOMEM;
    if (own !== member) {
      skbAt(own).next = skb.next;
      kfreeSkb(member);
      if (previous) skbAt(previous).next = own;
      else shinfo.fragList = own;
    }
    at += skbAt(own).len;
    previous = own;
    member = skbAt(own).next;
  }
  if (previous) skbAt(previous).next = 0;
  else shinfo.fragList = 0;
  while (member) {
    const next = skbAt(member).next;
    kfreeSkb(member);
    member = next;
  }
  return 0;
}

/** A list member cut to `n` bytes: itself when linear and private, else a linear copy. */
function withoutBack(member: u32, n: u32): u32 {
  let skb = skbAt(member);
  if (!skbIsNonlinear(skb)) {
    const own = skb.users === 1 ? member : skbClone(member);
    if (own === 0) return 0;
    skb = skbAt(own);
    skb.len = n;
    skb.tail = skb.data + n;
    return own;
  }
  const copy = allocSkb(n);
  if (copy === 0) return 0;
  const to = skbAt(copy);
  to.len = n;
  to.tail = to.data + n;
  if (copyBits(skb, 0, to.data, n) === 0) return copy;
  kfreeSkb(copy);
  return 0;
}
