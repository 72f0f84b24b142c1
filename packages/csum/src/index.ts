/**
 * Internet checksums exactly as the Linux kernel computes, checks and offloads them.
 *
 * ```text
 * arith → pseudo, ip-fast, update        sums of bytes in the library's memory, in the kernel's words
 * internet-checksum, update-checksum     plain bytes in, a number out
 * check/                                 a packet in, each of its checksums and a verdict out
 * ```
 *
 * @packageDocumentation
 */

// arithmetic, plain bytes, checking of captured packets
export {
  CSUM_MANGLED_0,
  csum16Add,
  csum16Sub,
  csumAdd,
  csumBlockAdd,
  csumBlockSub,
  csumFold,
  csumFrom32to16,
  csumPartial,
  csumShift,
  csumSub,
  csumUnfold,
  type Sum16,
  type Wsum,
} from "./arith.ts";
export { csumPartialBatch } from "./batch.ts";
export {
  type CheckPacketOptions,
  checkPacket,
  type FixPacketOptions,
  fixPacket,
} from "./check/check-packet.ts";
export {
  type ChecksumLayer,
  type ChecksumReason,
  type ChecksumVerdict,
  LAYERS,
  REASONS,
  STOPS,
  VERDICTS,
  type WalkStop,
} from "./check/codes.ts";
export { type CheckedLayer, PacketChecker, type PacketCheckerOptions } from "./check/packet-checker.ts";
export { internetChecksum } from "./internet-checksum.ts";
export { ipComputeCsum, ipFastCsum } from "./ip-fast.ts";
// offload programs and skb helpers
export { type OffloadProgram, rxCsum, txCsum } from "./programs.ts";
export {
  csumIpv6Magic,
  csumIpv6MagicAt,
  csumTcpudpMagic,
  csumTcpudpNofold,
} from "./pseudo.ts";
export { type HostPrograms, hostPrograms } from "./skb/host-programs.ts";
export {
  type LegacyCsumCaps,
  type LegacyReason,
  type LegacyVerdict,
  skbCsumHwoffloadLegacyCheck,
} from "./skb/legacy-check.ts";
export {
  csumDiff16,
  csumReplace,
  csumReplace2,
  csumReplace4,
  csumReplace16,
  csumReplaceByDiff,
} from "./update.ts";
export { updateChecksum } from "./update-checksum.ts";
