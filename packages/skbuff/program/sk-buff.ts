// What can be asked of an skb without changing it. Addresses are u32; offsets from head unless said otherwise.
import { SIZEOF_SK_BUFF, SIZEOF_SKB_SHARED_INFO, SkBuff, SkbSharedInfo } from "./sk-buff-layout";

export { SIZEOF_SK_BUFF, SIZEOF_SKB_SHARED_INFO, SkBuff, SkbSharedInfo };

export const CHECKSUM_NONE: u32 = 0;
export const CHECKSUM_UNNECESSARY: u32 = 1;
export const CHECKSUM_COMPLETE: u32 = 2;
export const CHECKSUM_PARTIAL: u32 = 3;
export const SKBFL_SHARED_FRAG: u32 = 2;
export const MAX_SKB_FRAGS: u32 = 17;
/** Offset of frags in the shared info, and bytes of one {page, offset, size}. */
export const FRAGS_OFF: u32 = 24;
export const SIZEOF_FRAG: u32 = 12;

// @ts-expect-error: decorator
@inline
export function skbAt(address: u32): SkBuff {
  return changetype<SkBuff>(<usize>address);
}

// @ts-expect-error: decorator
@inline
export function skbShinfo(skb: SkBuff): SkbSharedInfo {
  return changetype<SkbSharedInfo>(<usize>skb.end);
}

/** Bytes of the packet that are linear. */
// @ts-expect-error: decorator
@inline
export function skbHeadlen(skb: SkBuff): u32 {
  return skb.len - skb.dataLen;
}

// @ts-expect-error: decorator
@inline
export function skbHeadroom(skb: SkBuff): u32 {
  return skb.data - skb.head;
}

/** 0 whenever the skb is nonlinear. */
// @ts-expect-error: decorator
@inline
export function skbTailroom(skb: SkBuff): u32 {
  return skb.dataLen ? 0 : skb.end - skb.tail;
}

// @ts-expect-error: decorator
@inline
export function skbIsNonlinear(skb: SkBuff): bool {
  return skb.dataLen !== 0;
}

/** The buffer is shared with another skb. */
export function skbCloned(skb: SkBuff): bool {
  return skb.cloned !== 0 && (skbShinfo(skb).dataref & 0xffff) !== 1;
}

// @ts-expect-error: decorator
@inline
export function skbIsGso(skb: SkBuff): bool {
  return skbShinfo(skb).gsoSize !== 0;
}

// @ts-expect-error: decorator
@inline
export function skbHasSharedFrag(skb: SkBuff): bool {
  return skbIsNonlinear(skb) && (<u32>skbShinfo(skb).flags & SKBFL_SHARED_FRAG) !== 0;
}

/** csum_start counted from data: signed, it may lie before data. */
// @ts-expect-error: decorator
@inline
export function skbChecksumStartOffset(skb: SkBuff): i32 {
  return <i32>skb.csumStart - <i32>skbHeadroom(skb);
}

/** Address of frag i's {page, offset, size}. */
// @ts-expect-error: decorator
@inline
export function skbFrag(shinfo: SkbSharedInfo, i: u32): u32 {
  return <u32>changetype<usize>(shinfo) + FRAGS_OFF + i * SIZEOF_FRAG;
}

// @ts-expect-error: decorator
@inline
export function fragPage(frag: u32): u32 {
  return load<u32>(frag);
}

/** Address of a frag's first byte. */
// @ts-expect-error: decorator
@inline
export function fragAddress(frag: u32): u32 {
  return load<u32>(frag) + load<u32>(frag, 4);
}

// @ts-expect-error: decorator
@inline
export function fragSize(frag: u32): u32 {
  return load<u32>(frag, 8);
}

// @ts-expect-error: decorator
@inline
export function fragSet(frag: u32, page: u32, offset: u32, size: u32): void {
  store<u32>(frag, page);
  store<u32>(frag, offset, 4);
  store<u32>(frag, size, 8);
}
