// The receive checksum offload: the sum over the whole packet as it is handed to the stack, without parsing.
import { EFAULT } from "../../skbuff/program/errno";
import { CHECKSUM_COMPLETE, skbAt, skbIsNonlinear } from "../../skbuff/program/sk-buff";
import { csum_partial } from "./accel";
import { sumNonlinear } from "./skb-checksum";

/**
 * @param address - of the skb, data at the first byte above the link layer
 * @returns 0: csum holds the sum over [data, data + len) and ip_summed is COMPLETE; -EFAULT: the frags cannot be
 *   read, nothing changed
 * @see include/linux/skbuff.h, the text on CHECKSUM_COMPLETE; net/core/skbuff.c skb_checksum()
 */
export function rx_csum(address: u32): i32 {
  const skb = skbAt(address);
  const nonlinear = skbIsNonlinear(skb);
  if (nonlinear && skb.unreadable) return -EFAULT;
  skb.csum = nonlinear ? sumNonlinear(skb, 0) : csum_partial(skb.data, skb.len, 0);
  skb.ipSummed = CHECKSUM_COMPLETE;
  return 0;
}
