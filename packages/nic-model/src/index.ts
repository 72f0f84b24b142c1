/**
 * A programmable NIC and its driver.
 *
 * ```text
 * driver → descriptor → device (npu or fixed function) → wire → device → completion → driver
 * ```
 *
 * @packageDocumentation
 */
export {
  COMPLETION,
  COMPLETION_SIZE,
  type Completion,
  CSUM_MODE,
  decodeCompletion,
  decodeTx,
  encodeCompletion,
  encodeTx,
  MAX_BUFFERS,
  newCompletion,
  newTxDescriptor,
  PARSED,
  TX_DESCRIPTOR_SIZE,
  type TxDescriptor,
} from "./descriptor.ts";
export { NicDevice, type NicDeviceOptions, type WireSink } from "./device.ts";
export { DESCRIPTOR_FIELDS, DeviceMemory } from "./device-memory.ts";
export { type DriverCounters, failureOf, NicDriver, type RxOutcome, XMIT } from "./driver.ts";
export { NicError, type NicErrorCode } from "./errors.ts";
export {
  completeFixed,
  type InsertRequest,
  insertFixed,
  owedFixed,
  verifyFixed,
} from "./fixed-function.ts";
export {
  newParsed,
  type Parsed,
  type ParseRules,
  parseFixed,
  parseInner,
  rxRules,
  txRules,
} from "./fixed-parse.ts";
export { completeFromDevice, reportFixed, typeBehind, vouches } from "./fixed-report.ts";
export { knownAnswerTest } from "./known-answers.ts";
export {
  deviceTunnels,
  legacyCsumCaps,
  lengthsUnfit,
  locateHeaders,
  tunnelUnfit,
  type UnfitReason,
} from "./legacy-caps.ts";
export { Npu, type NpuCounters, type NpuOptions, type NpuRefusal, type NpuRun } from "./npu.ts";
export { ParserEngine, startOfFrame } from "./parser-engine.ts";
export {
  type ProfileFeatures,
  profileFeatures,
  profileNetDevice,
  profileNetdev,
} from "./profile-features.ts";
export {
  CSUM_FAULTS,
  type CsumFault,
  type Family,
  type Profile,
  type RxCsumProfile,
  type Tunnel,
  type TunnelPorts,
  type TxCsumProfile,
} from "./profiles/profile.ts";
export { type ProfileResult, readProfile } from "./profiles/read.ts";
export { ideal, PROFILES, v4v6Basic } from "./profiles/shipped.ts";
export { Ring } from "./ring.ts";
export { type RxParse, RxParser } from "./rx-parse.ts";
export { TcamEngine, type TcamTrap } from "./tcam.ts";
export {
  validateXmitSkb,
  vlanHwaccelPushInside,
  type XmitDrop,
  type XmitHooks,
  type XmitVerdict,
} from "./validate-xmit.ts";
