// The transmit checksum offload: fill in the checksum, or SCTP's CRC, that a CHECKSUM_PARTIAL packet still owes.
import { EFAULT, EINVAL } from "../../skbuff/program/errno";
import { skbEnsureWritable, skbLinearize } from "../../skbuff/program/linear";
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  SkBuff,
  skbAt,
  skbChecksumStartOffset,
  skbHasSharedFrag,
  skbHeadlen,
  skbIsGso,
  skbIsNonlinear,
} from "../../skbuff/program/sk-buff";
import { csum_partial } from "./accel";
import { crcSkb } from "./skb-crc32c";
import { sumNonlinear } from "./skb-checksum";

/** Where SCTP's CRC lies in its header. */
const SCTP_CRC_OFFSET: u32 = 8;

/**
 * CRC-32C for SCTP, stored little endian.
 *
 * -EFAULT where frags cannot be read; the kernel, which does not look, would store a wrong CRC.
 * Kernel quirk: csum_offset is ignored, and whatever the field holds is summed; the stack wrote 0.
 * @see net/core/dev.c skb_crc32c_csum_help()
 */
function crcHelp(address: u32, skb: SkBuff): i32 {
  if (skb.ipSummed != CHECKSUM_PARTIAL || skbIsGso(skb)) return 0;
  if (skb.unreadable && skbIsNonlinear(skb)) return -EFAULT;
  if (skbHasSharedFrag(skb)) {
    const failed = skbLinearize(address);
    if (failed != 0) return failed;
  }
  const start = <u32>skbChecksumStartOffset(skb);
  const field = start + SCTP_CRC_OFFSET;
  // unsigned: a start before data counts as huge
  if (field >= skbHeadlen(skb)) return -EINVAL;
  const failed = skbEnsureWritable(address, field + 4);
  if (failed != 0) return failed;
  const crc = ~crcSkb(skb, start, 0xffff_ffff);
  store<u32>(skb.data + field, crc);
  skb.ipSummed = CHECKSUM_NONE;
  skb.csumNotInet = 0;
  return 0;
}

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
  // what skb_csum_hwoffload_help decides before it calls either helper
  if (skb.csumNotInet) return crcHelp(address, skb);
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
