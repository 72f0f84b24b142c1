/**
 * CRCs, kept apart from checksums as the paper asks: SCTP's CRC-32C and FCoE's CRC-32. Neither is a ones'-complement
 * sum, so neither can be told from one or turned into one.
 */
import type { Memory, SkBuff } from "@netoffload/skbuff";
import { CHECKSUM_PARTIAL } from "@netoffload/skbuff";

/**
 * CRC-32C (Castagnoli, reflected, 0x82f63b78) continued; no inversion before or after.
 * @param ptr - address of the first byte; @param len - bytes, 0 or less gives `crc`
 * @see lib/crc/crc32c.c crc32c()
 */
export function crc32c(memory: Memory, ptr: number, len: number, crc: number): number {
  return len > 0 ? memory.accel1.crc32c(ptr, len, crc) >>> 0 : crc >>> 0;
}

let table: Uint32Array | undefined;

function ieee(): Uint32Array {
  if (table !== undefined) return table;
  const rows = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    rows[i] = crc;
  }
  return (table = rows);
}

/**
 * CRC-32 (IEEE 802.3, reflected, 0xedb88320) continued; no inversion before or after.
 * @see lib/crc/crc32-main.c crc32_le()
 */
export function crc32Le(crc: number, bytes: Uint8Array): number {
  const rows = ieee();
  for (let i = 0; i < bytes.length; i++) crc = rows[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return crc >>> 0;
}

/**
 * CRC of a Fibre Channel frame in FCoE, to be stored little endian in the trailer: seed 0xffffffff, complemented,
 * over FC header, payload and padding (neither the FCoE header nor EOF).
 * @see drivers/scsi/fcoe/fcoe_transport.c fcoe_fc_crc()
 */
export function fcoeFcCrc(frame: Uint8Array): number {
  return ~crc32Le(0xffffffff, frame) >>> 0;
}

/** Is the trailer's CRC right? @param field - the field, read little endian */
export function fcoeCrcValid(frame: Uint8Array, field: number): boolean {
  return field >>> 0 === fcoeFcCrc(frame);
}

/**
 * Has a CRC been verified, by the device or because it never left the machine?
 * @remarks not in the kernel: "crc-offload: Split RX CRC offload from csum offload" (July 2024)
 */
export function skbCsumCrc32Unnecessary(skb: SkBuff): boolean {
  return skb.csumValidCrc32 !== 0 || (skb.ipSummed === CHECKSUM_PARTIAL && skb.checksumStartOffset >= 0);
}

/** A driver says: the device verified the CRC. ip_summed stays as it is. @remarks not in the kernel */
export function skbSetCsumCrc32Unnecessary(skb: SkBuff): void {
  skb.csumValidCrc32 = 1;
}

/** The result is used up. @remarks not in the kernel */
export function skbResetCsumCrc32Unnecessary(skb: SkBuff): void {
  skb.csumValidCrc32 = 0;
}
