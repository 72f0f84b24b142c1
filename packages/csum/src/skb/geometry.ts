/**
 * Pull, push and trim that keep `csum` true. ip_summed and csum follow the current data start: COMPLETE means the
 * sum over [data, data + len) as it is now.
 */
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  SK_BUFF_OFF,
  type SkBuff,
  SkbuffError,
} from "@netoffload/skbuff";
import { csumBlockAdd, csumBlockSub, csumPartial } from "../arith.ts";
import { CsumError } from "../errors.ts";
import { skbChecksum } from "./sum.ts";

const EFAULT = 14;
const EINVAL = 22;

/**
 * csum_add to skb.csum in place: a 32-bit sum that crosses a call is a heap number, which would be one allocation a
 * packet.
 */
function addToCsum(skb: SkBuff, sum: number): void {
  const { view } = skb.memory;
  const at = skb.address + SK_BUFF_OFF.csum;
  const b = sum >>> 0;
  const added = (view.getUint32(at, true) + b) >>> 0;
  view.setUint32(at, added + (added < b ? 1 : 0), true);
}

/**
 * Bytes at the front were removed.
 * @param start - address of the first of them: the old data; @param n - bytes
 *
 * Kernel quirk: an odd n leaves csum in the old byte phase; callers pull even lengths.
 * @see include/linux/skbuff.h skb_postpull_rcsum()
 */
export function skbPostpullRcsum(skb: SkBuff, start: number, n: number): void {
  if (skb.ipSummed === CHECKSUM_COMPLETE) addToCsum(skb, ~csumPartial(skb.memory, start, n, 0));
  else if (skb.ipSummed === CHECKSUM_PARTIAL && skb.checksumStartOffset < 0) skb.ipSummed = CHECKSUM_NONE;
}

/**
 * Bytes were put in front; they hold their final values.
 * @param start - address of the first; @param n - bytes
 * @see include/linux/skbuff.h skb_postpush_rcsum()
 */
export function skbPostpushRcsum(skb: SkBuff, start: number, n: number): void {
  if (skb.ipSummed === CHECKSUM_COMPLETE) addToCsum(skb, csumPartial(skb.memory, start, n, 0));
}

/**
 * Pull n linear bytes and take them out of csum.
 * @returns the new data address. Throws skb_pull_bug where n exceeds the packet, skb_pull_panic beyond its linear part
 * @see net/core/skbuff.c skb_pull_rcsum()
 */
export function skbPullRcsum(skb: SkBuff, n: number): number {
  const start = skb.data;
  if (n < 0 || n > skb.len)
    throw new CsumError("skb_pull_bug", `skbPullRcsum: ${n} bytes of ${skb.len}`, { n, len: skb.len });
  const at = skb.skbPull(n)!;
  skbPostpullRcsum(skb, start, n);
  return at;
}

/**
 * Push n bytes and add them to csum; they must hold their final values already.
 * @returns the new data address. Throws skb_under_panic
 * @see include/linux/skbuff.h skb_push_rcsum()
 */
export function skbPushRcsum(skb: SkBuff, n: number): number {
  const at = skb.skbPush(n);
  skbPostpushRcsum(skb, at, n);
  return at;
}

/**
 * Cut the packet to n bytes and take what was cut out of csum.
 * @returns 0; -EINVAL: the checksum that a PARTIAL packet owes would be cut off (nothing changed; a start before
 *   data counts as huge); -EFAULT: the bytes to be cut cannot be read; -ENOMEM
 * @see net/core/skbuff.c pskb_trim_rcsum_slow()
 */
export function pskbTrimRcsum(skb: SkBuff, n: number): number {
  const { len } = skb;
  if (n >= len) return 0;
  if (skb.ipSummed === CHECKSUM_COMPLETE) {
    if (!skb.fragsReadable) {
      if (n > skb.headlen) return -EFAULT;
      skb.ipSummed = CHECKSUM_NONE;
    } else {
      // rotated for where the tail began
      skb.csum = csumBlockSub(skb.csum, skbChecksum(skb, n, len - n, 0), n);
    }
  } else if (skb.ipSummed === CHECKSUM_PARTIAL) {
    const end = skb.checksumStartOffset + skb.csumOffset + 2;
    if (end < 0 || end > Math.min(n, skb.headlen)) return -EINVAL;
  }
  return skb.pskbTrim(n);
}

/** Cut a linear packet; COMPLETE is given up. @see include/linux/skbuff.h __skb_trim_rcsum() */
export function __skbTrimRcsum(skb: SkBuff, n: number): void {
  skbChecksumCompleteUnset(skb);
  skb.skbTrim(n);
}

/**
 * Make a linear packet n bytes long; COMPLETE is given up. Throws skb_over_panic.
 * @see include/linux/skbuff.h __skb_grow_rcsum()
 */
export function __skbGrowRcsum(skb: SkBuff, n: number): void {
  skbChecksumCompleteUnset(skb);
  if (n < skb.len)
    throw new SkbuffError("EINVAL", `__skbGrowRcsum: ${n} bytes, the packet has ${skb.len}`, {
      n,
      len: skb.len,
    });
  skb.skbPut(n - skb.len);
}

/** COMPLETE becomes NONE. @see include/linux/skbuff.h skb_checksum_complete_unset() */
export function skbChecksumCompleteUnset(skb: SkBuff): void {
  if (skb.ipSummed === CHECKSUM_COMPLETE) skb.ipSummed = CHECKSUM_NONE;
}

/** A packet that is forwarded: COMPLETE becomes NONE, for it is about to change. @see skb_forward_csum() */
export function skbForwardCsum(skb: SkBuff): void {
  skbChecksumCompleteUnset(skb);
}

/**
 * Check a transport checksum over a packet that may be longer than its transport says.
 * @param transportLen - bytes from the transport header on
 * @param check - called with data at the transport header; 0: right
 * @returns the skb, or a trimmed clone that is the caller's to free; null: too short, no memory, or not right
 * @see net/core/skbuff.c skb_checksum_trimmed()
 */
export function skbChecksumTrimmed(
  skb: SkBuff,
  transportLen: number,
  check: (skb: SkBuff) => number,
): SkBuff | null {
  const offset = skb.transportOffset;
  const total = offset + transportLen;
  if (skb.len < total) return null;
  let chk: SkBuff | null = skb;
  if (skb.len > total) {
    chk = skb.skbClone();
    if (chk !== null && pskbTrimRcsum(chk, total) !== 0) {
      chk.kfreeSkb();
      chk = null;
    }
  }
  if (chk === null) return null;
  let right = false;
  if (offset >= 0 && chk.pskbMayPull(offset)) {
    skbPullRcsum(chk, offset);
    right = check(chk) === 0;
    skbPushRcsum(chk, offset);
  }
  if (right) return chk;
  if (chk !== skb) chk.kfreeSkb();
  return null;
}

/**
 * A device's COMPLETE covered only the first bytes of the packet: add the rest, padding and a frame check sequence
 * that was kept. What mlx5's driver does.
 * @param covered - bytes from data that csum holds now
 * @remarks not in the kernel's core
 */
export function skbCsumAddTrailing(skb: SkBuff, covered: number): void {
  if (skb.ipSummed !== CHECKSUM_COMPLETE || covered >= skb.len) return;
  skb.csum = csumBlockAdd(skb.csum, skbChecksum(skb, covered, skb.len - covered, 0), covered);
}
