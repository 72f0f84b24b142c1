// Making, sharing and freeing skbs. Out of memory is 0 or -ENOMEM and leaves everything as it was.
import { blockGet, blockPut, kfree, kmalloc } from "./alloc";
import { ENOMEM } from "./errno";
import { copyBits } from "./linear";
import {
  CHECKSUM_PARTIAL,
  FRAGS_OFF,
  fragPage,
  fragSet,
  MAX_SKB_FRAGS,
  SIZEOF_FRAG,
  SIZEOF_SK_BUFF,
  SIZEOF_SKB_SHARED_INFO,
  SkBuff,
  SkbSharedInfo,
  skbAt,
  skbCloned,
  skbFrag,
  skbHeadlen,
  skbHeadroom,
  skbShinfo,
} from "./sk-buff";

const SKB_DATA_ALIGN: u32 = 15;

/** A linear buffer with its shared info behind it. @returns its address, 0: out of memory */
function allocData(size: u32): u32 {
  const aligned = (size + SKB_DATA_ALIGN) & ~SKB_DATA_ALIGN;
  if (aligned < size) return 0;
  const head = kmalloc(aligned + SIZEOF_SKB_SHARED_INFO);
  if (head === 0) return 0;
  const shinfo = changetype<SkbSharedInfo>(<usize>(head + aligned));
  memory.fill(head + aligned, 0, FRAGS_OFF);
  shinfo.dataref = 1;
  return head;
}

/** An empty skb over a fresh buffer of at least `size` bytes. @returns its address, 0: out of memory */
export function allocSkb(size: u32): u32 {
  const address = kmalloc(SIZEOF_SK_BUFF);
  if (address === 0) return 0;
  const head = allocData(size);
  if (head === 0) {
    kfree(address);
    return 0;
  }
  memory.fill(address, 0, SIZEOF_SK_BUFF);
  const skb = skbAt(address);
  const aligned = (size + SKB_DATA_ALIGN) & ~SKB_DATA_ALIGN;
  skb.head = head;
  skb.data = head;
  skb.tail = head;
  skb.end = head + aligned;
  skb.macHeader = 0xffff;
  skb.transportHeader = 0xffff;
  skb.users = 1;
  skb.truesize = aligned + SIZEOF_SK_BUFF + SIZEOF_SKB_SHARED_INFO;
  return address;
}

/** A further skb over the same bytes. @returns its address, 0: out of memory */
export function skbClone(address: u32): u32 {
  const copy = kmalloc(SIZEOF_SK_BUFF);
  if (copy === 0) return 0;
  const skb = skbAt(address);
  skb.cloned = 1;
  memory.copy(copy, address, SIZEOF_SK_BUFF);
  const clone = skbAt(copy);
  clone.next = 0;
  clone.prev = 0;
  clone.users = 1;
  clone.nohdr = 0;
  const shinfo = skbShinfo(skb);
  shinfo.dataref = shinfo.dataref + 1;
  return copy;
}

/** Let go of the frags and hand the frag_list to the caller. @returns the first skb of the list */
function releaseFrags(shinfo: SkbSharedInfo): u32 {
  for (let i: u32 = 0; i < <u32>shinfo.nrFrags; i++) blockPut(fragPage(skbFrag(shinfo, i)));
  const list = shinfo.fragList;
  shinfo.nrFrags = 0;
  shinfo.fragList = 0;
  return list;
}

/** Drop one reference to an skb's buffer. @returns skbs that must be freed next, a chain */
function releaseData(skb: SkBuff): u32 {
  const shinfo = skbShinfo(skb);
  shinfo.dataref = shinfo.dataref - 1;
  if (shinfo.dataref & 0xffff) return 0;
  const list = releaseFrags(shinfo);
  kfree(skb.head);
  return list;
}

/**
 * Drop one reference; the last one frees the skb, its buffer and its lists. Lists nest: an skb whose list is being
 * freed waits on a stack linked by `prev`. Only skbs without other holders are written to.
 */
export function kfreeSkb(address: u32): void {
  if (address === 0) return;
  if (skbAt(address).users > 1) {
    skbAt(address).users = skbAt(address).users - 1;
    return;
  }
  skbAt(address).next = 0;
  let parent: u32 = 0;
  let at = address;
  while (at || parent) {
    if (at === 0) {
      const done = parent;
      at = skbAt(done).next;
      parent = skbAt(done).prev;
      kfree(done);
      continue;
    }
    const skb = skbAt(at);
    if (skb.users > 1) {
      skb.users = skb.users - 1;
      at = skb.next;
      continue;
    }
    skb.users = 0;
    const list = releaseData(skb);
    if (list) {
      skb.prev = parent;
      parent = at;
      at = list;
      continue;
    }
    const next = skb.next;
    kfree(at);
    at = next;
  }
}

/** Two chains as one. */
function append(first: u32, second: u32): u32 {
  if (first === 0) return second;
  let last = first;
  while (skbAt(last).next) last = skbAt(last).next;
  skbAt(last).next = second;
  return first;
}

/** Take a reference to every page and list member that a second shared info now names too. */
function shareFrags(shinfo: SkbSharedInfo): void {
  for (let i: u32 = 0; i < <u32>shinfo.nrFrags; i++) blockGet(fragPage(skbFrag(shinfo, i)));
  let member = shinfo.fragList;
  while (member) {
    const skb = skbAt(member);
    skb.users = skb.users + 1;
    member = skb.next;
  }
}

/**
 * Give the skb a linear buffer of its own with more room before and behind; the packet bytes stay.
 * @returns 0 or -ENOMEM (nothing changed)
 */
export function pskbExpandHead(address: u32, nhead: u32, ntail: u32): i32 {
  const skb = skbAt(address);
  const oldHead = skb.head;
  const oldSize = skb.end - oldHead;
  // in 64 bits: the sum of three u32 must not wrap into a small buffer
  const wanted = <u64>oldSize + <u64>nhead + <u64>ntail;
  const head = wanted > 0xf000_0000 ? 0 : allocData(<u32>wanted);
  if (head === 0) return -ENOMEM;
  const shinfo = skbShinfo(skb);
  const newEnd = head + ((<u32>wanted + SKB_DATA_ALIGN) & ~SKB_DATA_ALIGN);
  // the headroom too: header offsets may point before data
  memory.copy(head + nhead, oldHead, skb.tail - oldHead);
  memory.copy(newEnd, skb.end, SIZEOF_SKB_SHARED_INFO);
  changetype<SkbSharedInfo>(<usize>newEnd).dataref = 1;
  if (skbCloned(skb)) {
    shareFrags(shinfo);
    shinfo.dataref = shinfo.dataref - 1;
  } else {
    kfree(oldHead);
  }
  skb.head = head;
  skb.data = skb.data - oldHead + head + nhead;
  skb.tail = skb.tail - oldHead + head + nhead;
  skb.end = newEnd;
  skb.truesize = skb.truesize + (newEnd - head) - oldSize;
  skb.cloned = 0;
  skb.nohdr = 0;
  moveHeaders(skb, nhead);
  return 0;
}

/** Header offsets count from head: follow it. */
function moveHeaders(skb: SkBuff, by: u32): void {
  if (by === 0) return;
  if (skb.ipSummed === CHECKSUM_PARTIAL) skb.csumStart = <u16>(<u32>skb.csumStart + by);
  if (skb.macHeader !== 0xffff) skb.macHeader = <u16>(<u32>skb.macHeader + by);
  if (skb.transportHeader !== 0xffff) skb.transportHeader = <u16>(<u32>skb.transportHeader + by);
  skb.networkHeader = <u16>(<u32>skb.networkHeader + by);
  skb.innerMacHeader = <u16>(<u32>skb.innerMacHeader + by);
  skb.innerNetworkHeader = <u16>(<u32>skb.innerNetworkHeader + by);
  skb.innerTransportHeader = <u16>(<u32>skb.innerTransportHeader + by);
}

/** A linear, private copy of the whole packet with the same headroom. @returns its address, 0: out of memory */
export function skbCopy(address: u32): u32 {
  const skb = skbAt(address);
  const headroom = skbHeadroom(skb);
  const copy = allocSkb(max<u32>(headroom + skb.len, skb.end - skb.head));
  if (copy === 0) return 0;
  const to = skbAt(copy);
  copyMeta(skb, to);
  memory.copy(to.head, skb.head, headroom);
  to.data = to.head + headroom;
  to.tail = to.data + skb.len;
  to.len = skb.len;
  to.dataLen = 0;
  if (copyBits(skb, 0, to.data, skb.len) !== 0) {
    kfreeSkb(copy);
    return 0;
  }
  copyGso(skb, to);
  return copy;
}

/** A copy with a private linear part that shares the frags. @returns its address, 0: out of memory */
export function pskbCopy(address: u32): u32 {
  const skb = skbAt(address);
  const headroom = skbHeadroom(skb);
  const headlen = skbHeadlen(skb);
  const copy = allocSkb(headroom + headlen);
  if (copy === 0) return 0;
  const to = skbAt(copy);
  copyMeta(skb, to);
  memory.copy(to.head, skb.head, headroom + headlen);
  to.data = to.head + headroom;
  to.tail = to.data + headlen;
  to.len = skb.len;
  to.dataLen = skb.dataLen;
  const from = skbShinfo(skb);
  const shinfo = skbShinfo(to);
  copyGso(skb, to);
  shinfo.flags = from.flags;
  shinfo.nrFrags = from.nrFrags;
  shinfo.fragList = from.fragList;
  memory.copy(
    changetype<usize>(shinfo) + FRAGS_OFF,
    changetype<usize>(from) + FRAGS_OFF,
    MAX_SKB_FRAGS * SIZEOF_FRAG,
  );
  shareFrags(shinfo);
  return copy;
}

/** Everything that describes the packet, not where it lies: bytes 32..71 of the struct and cb, mark. */
function copyMeta(from: SkBuff, to: SkBuff): void {
  memory.copy(changetype<usize>(to) + 32, changetype<usize>(from) + 32, 36);
  memory.copy(changetype<usize>(to) + 72, changetype<usize>(from) + 72, 4);
  memory.copy(changetype<usize>(to) + 80, changetype<usize>(from) + 80, 48);
  to.cloned = 0;
  to.nohdr = 0;
}

function copyGso(from: SkBuff, to: SkBuff): void {
  const source = skbShinfo(from);
  const target = skbShinfo(to);
  target.gsoSize = source.gsoSize;
  target.gsoSegs = source.gsoSegs;
  target.gsoType = source.gsoType;
}

/** Append a page fragment; the page's reference goes to the skb. @returns 0 or -1 when all 17 are in use */
export function skbAddFrag(address: u32, page: u32, offset: u32, size: u32): i32 {
  const skb = skbAt(address);
  const shinfo = skbShinfo(skb);
  const n = <u32>shinfo.nrFrags;
  if (n >= MAX_SKB_FRAGS) return -1;
  fragSet(skbFrag(shinfo, n), page, offset, size);
  shinfo.nrFrags = <u8>(n + 1);
  skb.len = skb.len + size;
  skb.dataLen = skb.dataLen + size;
  return 0;
}

/** Append an skb to the frag_list, whose members nobody else may hold; the reference goes to the skb. */
export function skbAddFragList(address: u32, member: u32): void {
  const skb = skbAt(address);
  const shinfo = skbShinfo(skb);
  skbAt(member).next = 0;
  shinfo.fragList = append(shinfo.fragList, member);
  skb.len = skb.len + skbAt(member).len;
  skb.dataLen = skb.dataLen + skbAt(member).len;
}
