/**
 * The live Linux kernel from Node.
 *
 * ```text
 * libc (koffi, lazily) → struct-bytes (buffers kept alive) → tap, netlink/ → oracle/ in fixture/ processes
 *                                                          └→ bpf/ (maps, arenas, programs, links)
 * ```
 *
 * @packageDocumentation
 */
export { Arena } from "./bpf/arena.ts";
export { attachFlowDissector, attachTcxIngress, attachXdp, BpfLink } from "./bpf/attach.ts";
export type { BpfFunction } from "./bpf/btf.ts";
export {
  BPF_ATTACH_TYPE,
  BPF_F_MMAPABLE,
  BPF_F_SLEEPABLE,
  BPF_MAP_TYPE,
  BPF_PROG_TYPE,
} from "./bpf/constants.ts";
export { BpfMap, type BpfMapOptions } from "./bpf/map.ts";
export { type LoadedOffload, loadOffload, type OffloadCode } from "./bpf/offload.ts";
export { LoadedParser, PacketRuns, type ParserCode, possibleCpus } from "./bpf/parser.ts";
export {
  BpfProgram,
  type BpfProgramInfo,
  type BpfProgramOptions,
  BpfVerifierError,
} from "./bpf/program.ts";
export { type BpfRelocation, type BpfSymbols, relocate } from "./bpf/relocate.ts";
export {
  type BpfInstruction,
  encodeFilter,
  returnAncillary,
  returnConstant,
  SKF_AD_PAY_OFFSET,
  SKF_AD_PKTTYPE,
  SKF_AD_PROTOCOL,
  SKF_AD_RXHASH,
} from "./classic-bpf.ts";
export { errnoName } from "./errno.ts";
export { LinuxError, ok } from "./errors.ts";
export { Fixture, type FixtureSpec } from "./fixture/fixture.ts";
export type { FixtureMessage } from "./fixture/protocol.ts";
export { keepAlive } from "./keep-alive.ts";
export { type Libc, libc, type Mapping } from "./libc.ts";
export { enterNewNetworkNamespace, inNamespace, namespacePath } from "./namespace.ts";
export { Ethtool, type LinkFeatures } from "./netlink/ethtool.ts";
export { type Link, type LinkChange, Route } from "./netlink/route.ts";
export {
  KernelChecksum,
  type KernelChecksumBatch,
  type KernelChecksumResult,
  type KernelChecksumRoute,
  LEAST_SKB_START,
  MAX_SKB_REACH,
} from "./oracle/checksum.ts";
export { KernelChecksumSync } from "./oracle/checksum-sync.ts";
export {
  type CoalescedBurst,
  type CoalescedPacket,
  type KernelCoalesceBatch,
  KernelCoalescer,
  type KernelCoalescerOptions,
} from "./oracle/coalescer.ts";
export {
  type KernelDissectBatch,
  type KernelDissection,
  KernelDissector,
  type KernelDissectorOptions,
  type KernelFlowKeys,
  type KernelProgramKeys,
} from "./oracle/dissector.ts";
export { FLOW_KEYS, FLOW_KEYS_BYTES, MOST_PROBED } from "./oracle/flow-keys-probe.ts";
export {
  type KernelSegmentBatch,
  KernelSegmenter,
  type KernelSegmentResult,
} from "./oracle/segmenter.ts";
export { readSum, sumProbe } from "./oracle/sum-probe.ts";
export { type PacketAuxdata, PacketSocket, type PacketSocketOptions } from "./packet-socket.ts";
export { type LiveFacility, type LiveStatus, liveStatus } from "./status.ts";
export { StructBytes } from "./struct-bytes.ts";
export {
  Tap,
  type TapOptions,
  TUN_F_CSUM,
  TUN_F_TSO_ECN,
  TUN_F_TSO4,
  TUN_F_TSO6,
  TUN_F_UDP_TUNNEL_GSO,
  TUN_F_UDP_TUNNEL_GSO_CSUM,
  TUN_F_UFO,
  TUN_F_USO4,
  TUN_F_USO6,
  tapOffers,
  tunFeatures,
} from "./tap.ts";
