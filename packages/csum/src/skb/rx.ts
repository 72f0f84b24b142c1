/** The receive side: what a device said of checksums, validated by the stack, and turned into COMPLETE. */
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  CHECKSUM_UNNECESSARY,
  type SkBuff,
} from "@netoffload/skbuff";
import { csumAdd, csumFold, csumPartial, csumUnfold, type Sum16, type Wsum } from "../arith.ts";
import { csumIpv6MagicAt, csumTcpudpNofold } from "../pseudo.ts";
import { skbPullRcsum } from "./geometry.ts";
import { skbChecksum } from "./sum.ts";

/** csum_level: four checksums at most. */
export const SKB_MAX_CSUM_LEVEL = 3;
/** Packets up to so many bytes are summed at once when a checksum is initialised. */
export const CHECKSUM_BREAK = 76;

/** The pseudo-header sum of a packet with data at the transport header. */
export type ComputePseudo = (skb: SkBuff, proto: number) => Wsum;

/** Told of a device that gave a wrong COMPLETE ("hw csum failure"). */
export type HwCsumFailure = (skb: SkBuff) => void;

/**
 * IPv4, addresses of the network header, length `skb.len` as it is now.
 * @see include/net/ip.h inet_compute_pseudo()
 */
export const inetComputePseudo: ComputePseudo = (skb, proto) => {
  const { view } = skb.memory;
  const iph = skb.head + skb.networkHeader;
  return csumTcpudpNofold(view.getUint32(iph + 12, true), view.getUint32(iph + 16, true), skb.len, proto, 0);
};

/**
 * IPv6, the header's own addresses.
 * @remarks Kernel quirk: the upper 16 bits are 0xffff, for the complement is 32 bits wide.
 * @see include/net/ip6_checksum.h ip6_compute_pseudo()
 */
export const ip6ComputePseudo: ComputePseudo = (skb, proto) => {
  const ip6h = skb.head + skb.networkHeader;
  return (~csumUnfold(csumIpv6MagicAt(skb.memory, ip6h + 8, ip6h + 24, skb.len, proto, 0)) >>> 0) as Wsum;
};

/** No pseudo header: ICMP, GRE. @see include/linux/skbuff.h null_compute_pseudo() */
export const nullComputePseudo: ComputePseudo = () => 0 as Wsum;

/** Is there nothing left to verify? @see include/linux/skbuff.h skb_csum_unnecessary() */
export function skbCsumUnnecessary(skb: SkBuff): boolean {
  return (
    skb.ipSummed === CHECKSUM_UNNECESSARY ||
    skb.csumValid !== 0 ||
    (skb.ipSummed === CHECKSUM_PARTIAL && skb.checksumStartOffset >= 0)
  );
}

/** One verified checksum is used up. @see include/linux/skbuff.h __skb_decr_checksum_unnecessary() */
export function __skbDecrChecksumUnnecessary(skb: SkBuff): void {
  if (skb.ipSummed !== CHECKSUM_UNNECESSARY) return;
  if (skb.csumLevel === 0) skb.ipSummed = CHECKSUM_NONE;
  else skb.csumLevel--;
}

/** One more is verified. @see include/linux/skbuff.h __skb_incr_checksum_unnecessary() */
export function __skbIncrChecksumUnnecessary(skb: SkBuff): void {
  if (skb.ipSummed === CHECKSUM_UNNECESSARY) {
    if (skb.csumLevel < SKB_MAX_CSUM_LEVEL) skb.csumLevel++;
  } else if (skb.ipSummed === CHECKSUM_NONE) {
    skb.ipSummed = CHECKSUM_UNNECESSARY;
    skb.csumLevel = 0;
  }
}

/** What was verified does not count any more. @see include/linux/skbuff.h __skb_reset_checksum_unnecessary() */
export function __skbResetChecksumUnnecessary(skb: SkBuff): void {
  if (skb.ipSummed !== CHECKSUM_UNNECESSARY) return;
  skb.ipSummed = CHECKSUM_NONE;
  skb.csumLevel = 0;
}

/** A zero field counts as verified, and takes a level as any other. */
function validateNeeded(skb: SkBuff, zeroOkay: boolean, check: number): boolean {
  if (!skbCsumUnnecessary(skb) && !(zeroOkay && check === 0)) return true;
  skb.csumValid = 1;
  __skbDecrChecksumUnnecessary(skb);
  return false;
}

function validateComplete(
  skb: SkBuff,
  complete: boolean,
  psum: number,
  failure: HwCsumFailure | undefined,
): Sum16 {
  if (skb.ipSummed === CHECKSUM_COMPLETE && csumFold(csumAdd(psum, skb.csum)) === 0) {
    skb.csumValid = 1;
    return 0 as Sum16;
  }
  skb.csum = psum;
  if (!complete && skb.len > CHECKSUM_BREAK) return 0 as Sum16;
  const check = __skbChecksumComplete(skb, failure);
  skb.csumValid = check === 0 ? 1 : 0;
  return check;
}

/**
 * Validate the checksum of the header at data.
 * @param complete - verify now; otherwise a packet longer than 76 bytes is left to {@link skbChecksumComplete}
 * @param zeroOkay - a field of 0 means "none" (UDP); it takes a level of UNNECESSARY all the same
 * @param check - the field
 * @returns 0: right, or left for later (csum then holds the pseudo-header sum); otherwise wrong
 * @see include/linux/skbuff.h __skb_checksum_validate()
 */
export function __skbChecksumValidate(
  skb: SkBuff,
  proto: number,
  complete: boolean,
  zeroOkay: boolean,
  check: number,
  pseudo: ComputePseudo,
  failure?: HwCsumFailure,
): Sum16 {
  skb.csumValid = 0;
  if (!validateNeeded(skb, zeroOkay, check)) return 0 as Sum16;
  return validateComplete(skb, complete, pseudo(skb, proto), failure);
}

/** Initialise: verify short packets now, others when they are read. @see skb_checksum_init() */
export function skbChecksumInit(skb: SkBuff, proto: number, pseudo: ComputePseudo): Sum16 {
  return __skbChecksumValidate(skb, proto, false, false, 0, pseudo);
}

/** Initialise; a field of 0 means none. @see skb_checksum_init_zero_check() */
export function skbChecksumInitZeroCheck(
  skb: SkBuff,
  proto: number,
  check: number,
  pseudo: ComputePseudo,
): Sum16 {
  return __skbChecksumValidate(skb, proto, false, true, check, pseudo);
}

/** Verify now. @see skb_checksum_validate() */
export function skbChecksumValidate(skb: SkBuff, proto: number, pseudo: ComputePseudo): Sum16 {
  return __skbChecksumValidate(skb, proto, true, false, 0, pseudo);
}

/** Verify now; a field of 0 means none. @see skb_checksum_validate_zero_check() */
export function skbChecksumValidateZeroCheck(
  skb: SkBuff,
  proto: number,
  check: number,
  pseudo: ComputePseudo,
): Sum16 {
  return __skbChecksumValidate(skb, proto, true, true, check, pseudo);
}

/** Verify now, no pseudo header. @see skb_checksum_simple_validate() */
export function skbChecksumSimpleValidate(skb: SkBuff): Sum16 {
  return __skbChecksumValidate(skb, 0, true, false, 0, nullComputePseudo);
}

/**
 * Sum the packet; csum holds the pseudo-header sum on entry.
 *
 * Kernel quirk: afterwards the packet is COMPLETE by software whether the checksum was right or not.
 * @param failure - told when a device's COMPLETE was wrong
 * @returns 0: right
 * @see net/core/skbuff.c __skb_checksum_complete()
 */
export function __skbChecksumComplete(skb: SkBuff, failure?: HwCsumFailure): Sum16 {
  const sum = skbChecksum(skb, 0, skb.len, 0);
  const check = csumFold(csumAdd(skb.csum, sum));
  report(skb, check, failure);
  if (skb.users === 1) {
    skb.csum = sum;
    skb.ipSummed = CHECKSUM_COMPLETE;
    skb.csumCompleteSw = 1;
    skb.csumValid = check === 0 ? 1 : 0;
  }
  return check;
}

/**
 * The same over the first `len` bytes; only csum_valid is set.
 * @see net/core/skbuff.c __skb_checksum_complete_head()
 */
export function __skbChecksumCompleteHead(skb: SkBuff, len: number, failure?: HwCsumFailure): Sum16 {
  const check = csumFold(skbChecksum(skb, 0, len, skb.csum));
  report(skb, check, failure);
  if (skb.users === 1) skb.csumValid = check === 0 ? 1 : 0;
  return check;
}

/** Software and the pseudo header agree, the device's COMPLETE did not. */
function report(skb: SkBuff, check: number, failure: HwCsumFailure | undefined): void {
  if (check === 0 && skb.ipSummed === CHECKSUM_COMPLETE && skb.csumCompleteSw === 0) failure?.(skb);
}

/** What was left for later. @returns 0: right @see include/linux/skbuff.h skb_checksum_complete() */
export function skbChecksumComplete(skb: SkBuff, failure?: HwCsumFailure): Sum16 {
  return skbCsumUnnecessary(skb) ? (0 as Sum16) : __skbChecksumComplete(skb, failure);
}

/**
 * The checksum just verified says what the bytes from data sum to: the complement of the pseudo header. Only when
 * no further level is left (ip_summed NONE) and a checksum was verified (csum_valid).
 * @see include/linux/skbuff.h skb_checksum_try_convert()
 */
export function skbChecksumTryConvert(skb: SkBuff, proto: number, pseudo: ComputePseudo): void {
  if (skb.ipSummed !== CHECKSUM_NONE || skb.csumValid === 0) return;
  skb.csum = ~pseudo(skb, proto) >>> 0;
  skb.ipSummed = CHECKSUM_COMPLETE;
}

function udpInit(skb: SkBuff, check: number, pseudo: ComputePseudo): number {
  const wrong = skbChecksumInitZeroCheck(skb, 17, check, pseudo);
  if (wrong !== 0) return wrong;
  if (skb.ipSummed === CHECKSUM_COMPLETE && skb.csumValid === 0) {
    if (skb.csumCompleteSw !== 0) return 1;
    // csum holds the pseudo-header sum now
    skb.ipSummed = CHECKSUM_NONE;
  }
  return 0;
}

/**
 * A UDP datagram over IPv4 arrives; data at the UDP header.
 * @param check - its field
 * @returns 0: right, or verified when it is read
 * @see net/ipv4/udp.c udp4_csum_init()
 */
export function udp4CsumInit(skb: SkBuff, check: number): number {
  return udpInit(skb, check, inetComputePseudo);
}

/**
 * The same over IPv6. A field of 0 passes here and is refused at the socket that does not allow it (RFC 6936).
 * @see net/ipv6/ip6_checksum.c udp6_csum_init()
 */
export function udp6CsumInit(skb: SkBuff, check: number): number {
  return udpInit(skb, check, ip6ComputePseudo);
}

/**
 * Pull a UDP header whose checksum is still to be verified or is COMPLETE.
 * @see include/net/udp.h udp_csum_pull_header()
 */
export function udpCsumPullHeader(skb: SkBuff): void {
  if (skb.csumValid === 0 && skb.ipSummed === CHECKSUM_NONE)
    skb.csum = csumPartial(skb.memory, skb.data, 8, skb.csum);
  skbPullRcsum(skb, 8);
}
