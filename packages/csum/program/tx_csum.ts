// The transmit checksum offload: fill in the checksum a CHECKSUM_PARTIAL packet still owes.
import { EFAULT, EINVAL } from "../../skbuff/program/errno";
import { skbEnsureWritable, skbLinearize } from "../../skbuff/program/linear";
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  skbAt,
  skbChecksumStartOffset,
  skbHasSharedFrag,
  skbHeadlen,
  skbIsGso,
  skbIsNonlinear,
} from "../../skbuff/program/sk-buff";
import { csum_partial } from "./accel";
import { sumNonlinear } from "./skb-checksum";

/**
 * @param address - of the skb. Its field at csum_start + csum_offset holds the pseudo-header sum, which is summed
 *   with the rest
 * @returns 0: the field is filled and ip_summed NONE; or -EINVAL (GSO packet; start or field beyond the linear
 *   part), -EFAULT (unreadable frags), -ENOMEM; on an error bytes and ip_summed stay
 *
 * Kernel quirk: a computed 0 is stored as 0xffff for every protocol.
 * Kernel quirk: NONE and UNNECESSARY are not tested; the caller knows that the packet is PARTIAL.
 * @see net/core/dev.c skb_checksum_help()
 */
export function tx_csum(address: u32): i32 {
  const skb = skbAt(address);
  if (skb.ipSummed == CHECKSUM_COMPLETE) {
    skb.ipSummed = CHECKSUM_NONE;
    return 0;
  }
  if (skbIsGso(skb)) return -EINVAL;
  if (skb.unreadable && skbIsNonlinear(skb)) return -EFAULT;
  if (skbHasSharedFrag(skb)) {
    const failed = skbLinearize(address);
    if (failed != 0) return failed;
  }
  const start = <u32>skbChecksumStartOffset(skb);
  const headlen = skbHeadlen(skb);
  // unsigned: a start before data counts as huge
  if (start >= headlen) return -EINVAL;
  const sum = skbIsNonlinear(skb)
    ? sumNonlinear(skb, start)
    : csum_partial(skb.data + start, headlen - start, 0);
  const field = start + <u32>skb.csumOffset;
  if (field + 2 > headlen) return -EINVAL;
  if (skb.cloned) {
    const failed = skbEnsureWritable(address, field + 2);
    if (failed != 0) return failed;
  }
  const check = ~sum & 0xffff;
  store<u16>(skb.data + field, <u16>(check ? check : 0xffff));
  skb.ipSummed = CHECKSUM_NONE;
  return 0;
}
