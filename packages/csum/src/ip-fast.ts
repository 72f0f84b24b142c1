/** Checksums of whole ranges in the library's memory. */
import type { Memory } from "@netoffload/skbuff";
import { csumFold, csumPartial, type Sum16 } from "./arith.ts";

/**
 * IPv4 header checksum. Computed over a header whose field is right it gives 0.
 * @param hdr - address of the header
 * @param ihl - header length in 32-bit words, 5..15
 * @see include/asm-generic/checksum.h ip_fast_csum()
 */
export function ipFastCsum(memory: Memory, hdr: number, ihl: number): Sum16 {
  return csumFold(csumPartial(memory, hdr, ihl * 4));
}

/**
 * Checksum of a range without a pseudo header: ICMP, IGMP.
 * @param buf - address
 * @param len - bytes
 * @see include/asm-generic/checksum.h ip_compute_csum()
 */
export function ipComputeCsum(memory: Memory, buf: number, len: number): Sum16 {
  return csumFold(csumPartial(memory, buf, len));
}
