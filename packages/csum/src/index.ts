/**
 * Internet checksums exactly as the Linux kernel computes, checks and offloads them.
 *
 * ```text
 * arith → pseudo, ip-fast, update        sums of bytes in the library's memory, in the kernel's words
 * internet-checksum, update-checksum     plain bytes in, a number out
 * skb/sum → tx, rx, geometry, remcsum    skbs: what is owed, what was verified, what stays true
 * skb/legacy-check, legacy-convert       drivers of fixed-function devices: transmit and receive
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
  type UdpEncap,
  VERDICTS,
  type WalkStop,
} from "./check/codes.ts";
export { type CheckedLayer, PacketChecker, type PacketCheckerOptions } from "./check/packet-checker.ts";
export {
  crc32c,
  crc32Le,
  fcoeCrcValid,
  fcoeFcCrc,
  skbCsumCrc32Unnecessary,
  skbResetCsumCrc32Unnecessary,
  skbSetCsumCrc32Unnecessary,
} from "./crc.ts";
export { CsumError, type CsumErrorCode } from "./errors.ts";
export { internetChecksum } from "./internet-checksum.ts";
export { ipComputeCsum, ipFastCsum } from "./ip-fast.ts";
// offload programs and skb helpers
export { earlierPrograms, type OffloadProgram, rxCsum, txCsum } from "./programs.ts";
export {
  csumIpv6Magic,
  csumIpv6MagicAt,
  csumTcpudpMagic,
  csumTcpudpNofold,
} from "./pseudo.ts";
export { skbChecksumSetup } from "./skb/checksum-setup.ts";
export {
  CSUM_OFFL_SPEC_CMN,
  CSUM_OFFL_SPEC_CMN_V4_ONLY,
  type CsumEncapped,
  type SkbCsumOfflSpec,
  skbCsumOffloadChk,
  skbCsumOffloadChkHelpCmn,
  skbCsumOffloadChkHelpCmnV4Only,
} from "./skb/csum-offl-spec.ts";
export { type AddressesUnknown, type FinalAddresses, ipv6FinalAddresses } from "./skb/final-addresses.ts";
export {
  __skbGrowRcsum,
  __skbTrimRcsum,
  pskbTrimRcsum,
  skbChecksumCompleteUnset,
  skbChecksumTrimmed,
  skbCsumAddTrailing,
  skbForwardCsum,
  skbPostpullRcsum,
  skbPostpushRcsum,
  skbPullRcsum,
  skbPushRcsum,
} from "./skb/geometry.ts";
export { type HostPrograms, hostPrograms } from "./skb/host-programs.ts";
export {
  type ExthdrWalk,
  homeAddressOption,
  ipv6SkipExthdr,
  ipv6SkipExthdrNoRthdr,
} from "./skb/ipv6-exthdr.ts";
export {
  type LegacyCheck,
  type LegacyCheckOptions,
  type LegacyCsumCaps,
  type LegacyReason,
  type LegacyVerdict,
  NO_CSUM_CAPS,
  skbCsumHwoffloadLegacyCheck,
} from "./skb/legacy-check.ts";
export {
  type ConvertReason,
  skbCsumRxLegacyConvertUnnecessary,
  type UdpTunnel,
  type UdpTunnels,
} from "./skb/legacy-convert.ts";
export {
  inetProtoCsumReplace2,
  inetProtoCsumReplace4,
  inetProtoCsumReplace16,
  inetProtoCsumReplaceByDiff,
} from "./skb/proto-replace.ts";
export {
  GUE_PFLAG_REMCSUM,
  gueBuildRemcsum,
  gueRemcsum,
  type Remcsum,
  remcsumAdjust,
  remcsumUnadjust,
  skbRemcsumProcess,
  VXLAN_HF_RCO,
  vxlanBuildRemcsum,
  vxlanRemcsum,
} from "./skb/remcsum.ts";
export {
  __skbChecksumComplete,
  __skbChecksumCompleteHead,
  __skbChecksumValidate,
  __skbDecrChecksumUnnecessary,
  __skbIncrChecksumUnnecessary,
  __skbResetChecksumUnnecessary,
  CHECKSUM_BREAK,
  type ComputePseudo,
  type HwCsumFailure,
  inetComputePseudo,
  ip6ComputePseudo,
  nullComputePseudo,
  SKB_MAX_CSUM_LEVEL,
  skbChecksumComplete,
  skbChecksumInit,
  skbChecksumInitZeroCheck,
  skbChecksumSimpleValidate,
  skbChecksumTryConvert,
  skbChecksumValidate,
  skbChecksumValidateZeroCheck,
  skbCsumUnnecessary,
  udp4CsumInit,
  udp6CsumInit,
  udpCsumPullHeader,
} from "./skb/rx.ts";
export { skbChecksum, skbCopyAndCsumBits, skbCrc32c } from "./skb/sum.ts";
export {
  type CsumFeatures,
  greSetCsum,
  gsoMakeChecksum,
  lcoCsum,
  type SkbGsoCsum,
  skbChecksumHelp,
  skbCrc32cCsumHelp,
  skbCsumHwoffloadHelp,
  skbFcoeCrcHelp,
  udp6SetCsum,
  udpSetCsum,
} from "./skb/tx.ts";
export { skbVlanUntag } from "./skb/vlan-untag.ts";
export {
  csumDiff16,
  csumReplace,
  csumReplace2,
  csumReplace4,
  csumReplace16,
  csumReplaceByDiff,
} from "./update.ts";
export { updateChecksum } from "./update-checksum.ts";
