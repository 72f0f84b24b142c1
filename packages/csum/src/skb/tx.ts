/** The transmit side: who fills in the checksum that a CHECKSUM_PARTIAL skb owes, and how outer ones follow from it. */
import {
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  ETH_P_IPV6,
  type ExtHdrTest,
  hasIpv6ExtHdr,
  ipv6HasHopoptJumbo,
  type Memory,
  type SkBuff,
  vlanGetProtocol,
} from "@netoffload/skbuff";
import { CSUM_MANGLED_0, csumFold, csumPartial, csumUnfold, type Sum16, type Wsum } from "../arith.ts";
import { fcoeFcCrc } from "../crc.ts";
import { csumIpv6MagicAt, csumTcpudpMagic } from "../pseudo.ts";
import { type HostPrograms, hostPrograms } from "./host-programs.ts";

const EINVAL = 22;

const bound: WeakMap<Memory, HostPrograms> = /* @__PURE__ */ new WeakMap();

function programs(memory: Memory): HostPrograms {
  let linked = bound.get(memory);
  if (linked === undefined) bound.set(memory, (linked = hostPrograms(memory)));
  return linked;
}

/**
 * Fill in the checksum a CHECKSUM_PARTIAL skb still owes, in software: the host image of the tx_csum program.
 * @param skb - modified in place; unshared first if its header bytes are shared
 * @returns 0, or -EINVAL (GSO skb; sum start or field beyond the linear head), -EFAULT (unreadable frags), -ENOMEM.
 *   On 0 ip_summed is CHECKSUM_NONE, on an error bytes and ip_summed stay
 * @remarks Kernel quirk: a zero result is written as 0xffff for every protocol.
 * Kernel quirk: NONE and UNNECESSARY are not tested; the caller knows that the packet is PARTIAL.
 * @see net/core/dev.c skb_checksum_help()
 */
export function skbChecksumHelp(skb: SkBuff): number {
  const { txCsum } = programs(skb.memory);
  if (skb.csumNotInet === 0) return txCsum(skb.address);
  // the program would compute the CRC that the packet owes; the kernel's function does not look
  skb.csumNotInet = 0;
  const errno = txCsum(skb.address);
  skb.csumNotInet = 1;
  return errno;
}

/**
 * Fill in the CRC-32C that an SCTP packet owes, in software.
 * @returns 0 (also when it owes nothing, or is a GSO packet: nothing is done), -EINVAL (field beyond the linear
 *   head), -EFAULT (unreadable frags), -ENOMEM
 * @remarks Kernel quirk: csum_offset is ignored; the field is at 8. Whatever it holds is summed: the stack wrote 0.
 * @see net/core/dev.c skb_crc32c_csum_help()
 */
export function skbCrc32cCsumHelp(skb: SkBuff): number {
  if (skb.ipSummed !== CHECKSUM_PARTIAL || skb.isGso) return 0;
  const was = skb.csumNotInet;
  skb.csumNotInet = 1;
  const errno = programs(skb.memory).txCsum(skb.address);
  if (errno !== 0) skb.csumNotInet = was;
  return errno;
}

/**
 * Fill in the CRC that an FCoE frame owes: CRC-32 over [csum_start, csum_start + csum_offset), stored little endian
 * behind it, in the trailer.
 * @returns 0 (also when it owes nothing), -EINVAL (GSO packet; region or trailer beyond the packet), -ENOMEM
 * @remarks not in the kernel, whose FCoE sender computes the CRC itself for devices without FCOE_CRC
 */
export function skbFcoeCrcHelp(skb: SkBuff): number {
  if (skb.ipSummed !== CHECKSUM_PARTIAL) return 0;
  const start = skb.checksumStartOffset;
  const field = start + skb.csumOffset;
  if (skb.isGso || start < 0 || field + 4 > skb.len) return -EINVAL;
  const failed = skb.skbEnsureWritable(field + 4);
  if (failed !== 0) return failed;
  const { bytes, view } = skb.memory;
  view.setUint32(skb.data + field, fcoeFcCrc(bytes.subarray(skb.data + start, skb.data + field)), true);
  skb.ipSummed = CHECKSUM_NONE;
  return 0;
}

/** Device features that {@link skbCsumHwoffloadHelp} looks at. */
export interface CsumFeatures {
  readonly hwCsum: boolean;
  readonly ipCsum: boolean;
  readonly ipv6Csum: boolean;
  readonly sctpCrc: boolean;
}

/**
 * What the transmit path does for a PARTIAL packet: leave it to a device that can, or compute in software.
 * @param test - which kernel's test for extension headers; 7.x has no exception for BIG TCP's header (`jumbo`)
 * @returns 0, or the errno of the software helper
 * @remarks Kernel quirk: IP_CSUM or IPV6_CSUM, either will do; the family was matched before (harmonize_features).
 * @see net/core/dev.c skb_csum_hwoffload_help()
 */
export function skbCsumHwoffloadHelp(
  skb: SkBuff,
  features: CsumFeatures,
  test: ExtHdrTest = "late",
  jumbo = true,
): number {
  if (skb.csumNotInet !== 0) return features.sctpCrc ? 0 : skbCrc32cCsumHelp(skb);
  if (features.hwCsum) return 0;
  if (features.ipCsum || features.ipv6Csum) {
    const extended =
      test === "late"
        ? hasIpv6ExtHdr(skb)
        : vlanGetProtocol(skb) === ETH_P_IPV6 && skb.transportHeader - skb.networkHeader !== 40;
    const software = extended && !(jumbo && ipv6HasHopoptJumbo(skb) !== 0);
    if (!software && (skb.csumOffset === 16 || skb.csumOffset === 6)) return 0;
  }
  return skbChecksumHelp(skb);
}

/**
 * Local checksum offload: the sum of everything behind the outer transport header's first byte, told from the inner
 * checksum that is still owed. The inner region will sum to the complement of its seed, whoever fills it in.
 * @param skb - PARTIAL on the inner transport; transport_header at the outer one
 * @see include/linux/skbuff.h lco_csum()
 */
export function lcoCsum(skb: SkBuff): Wsum {
  const { memory } = skb;
  const start = skb.head + skb.csumStart;
  const l4 = skb.head + skb.transportHeader;
  const partial = ~csumUnfold(memory.view.getUint16(start + skb.csumOffset, true)) >>> 0;
  return csumPartial(memory, l4, start - l4, partial);
}

function setUdp(skb: SkBuff, nocheck: boolean, magic: (seed: number) => Sum16): void {
  const { view } = skb.memory;
  const field = skb.head + skb.transportHeader + 6;
  if (nocheck) {
    view.setUint16(field, 0, true);
  } else if (skb.isGso) {
    view.setUint16(field, ~magic(0) & 0xffff, true);
  } else if (skb.ipSummed === CHECKSUM_PARTIAL) {
    view.setUint16(field, 0, true);
    view.setUint16(field, magic(lcoCsum(skb)) || CSUM_MANGLED_0, true);
  } else {
    skb.ipSummed = CHECKSUM_PARTIAL;
    skb.csumStart = skb.transportHeader;
    skb.csumOffset = 6;
    view.setUint16(field, ~magic(0) & 0xffff, true);
  }
}

/**
 * Checksum of the outer UDP header of a tunnel over IPv4; transport_header at it.
 * @param nocheck - send 0: none; @param saddr - u32 as loaded little endian; @param daddr - likewise
 * @param len - bytes of UDP header and payload
 * @see net/ipv4/udp.c udp_set_csum()
 */
export function udpSetCsum(nocheck: boolean, skb: SkBuff, saddr: number, daddr: number, len: number): void {
  setUdp(skb, nocheck, (seed) => csumTcpudpMagic(saddr, daddr, len, 17, seed));
}

/**
 * The same over IPv6, where 0 is allowed to tunnels that say so only (RFC 6935, RFC 6936).
 * @param saddr - address of 16 bytes; @param daddr - likewise
 * @see net/ipv6/ip6_checksum.c udp6_set_csum()
 */
export function udp6SetCsum(nocheck: boolean, skb: SkBuff, saddr: number, daddr: number, len: number): void {
  setUdp(skb, nocheck, (seed) => csumIpv6MagicAt(skb.memory, saddr, daddr, len, 17, seed));
}

/**
 * Checksum of a GRE header with the C bit; transport_header at it, the field at 4.
 * @remarks Kernel quirk: with an inner checksum pending a computed 0 stays 0.
 * @see include/net/gre.h gre_build_header()
 */
export function greSetCsum(skb: SkBuff): void {
  const { view } = skb.memory;
  const field = skb.head + skb.transportHeader + 4;
  view.setUint16(field, 0, true);
  if (skb.ipSummed === CHECKSUM_PARTIAL) {
    view.setUint16(field, csumFold(lcoCsum(skb)), true);
    return;
  }
  skb.ipSummed = CHECKSUM_PARTIAL;
  skb.csumStart = skb.transportHeader;
  skb.csumOffset = 4;
}

/** What segmentation knows of the sum behind some point of a segment; caller-owned. */
export interface SkbGsoCsum {
  /** Sum of [csumStart, end). */
  csum: number;
  /** Bytes from head. */
  csumStart: number;
}

/**
 * A checksum for the transport header out of what is known of the bytes behind it; the next outer header goes on
 * from here.
 * @param cb - updated: csum is `res`, csumStart the transport header
 * @param res - sum of [transport header, end) once the result stands in its field
 * @see include/linux/skbuff.h gso_make_checksum()
 */
export function gsoMakeChecksum(skb: SkBuff, cb: SkbGsoCsum, res: number): Sum16 {
  const at = skb.head + skb.transportHeader;
  const sum = csumPartial(skb.memory, at, cb.csumStart - skb.transportHeader, cb.csum);
  cb.csum = res >>> 0;
  cb.csumStart = skb.transportHeader;
  return csumFold(sum);
}
