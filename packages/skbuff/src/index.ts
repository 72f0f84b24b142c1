/**
 * sk_buffs, wire headers and virtio_net_hdr in one linear memory.
 *
 * ```text
 * layout/ (one table each) → program/ (AssemblyScript) → memory (heap, units) → sk-buff (typed face)
 * ```
 *
 * @packageDocumentation
 */
export {
  type BasicDissector,
  type BasicKeys,
  dissectBasic,
  ethHeaderParseProtocol,
  ipTunnelParseProtocol,
} from "./basic-dissector.ts";
export * from "./constants.ts";
export { SkbuffError, type SkbuffErrorCode } from "./errors.ts";
export {
  canChecksumProtocol,
  type DroppedFeatures,
  FEATURES,
  type FeatureName,
  type FeatureRow,
  type Features,
  featureNames,
  featureSet,
  gsoTypeFeatures,
  NETIF_F,
  NETIF_F_ALL_FOR_ALL,
  NETIF_F_ALL_TSO,
  NETIF_F_CSUM_MASK,
  NETIF_F_GSO_ENCAP_ALL,
  NETIF_F_GSO_MASK,
  NETIF_F_GSO_SHIFT,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_NEVER_CHANGE,
  NETIF_F_ONE_FOR_ALL,
  NETIF_F_SOFT_FEATURES,
  NETIF_F_SOFT_FEATURES_OFF,
  NETIF_F_UPPER_DISABLES,
  netdevFixFeatures,
  netdevIntersectFeatures,
  netGsoOk,
  simplifiedFixFeatures,
} from "./features.ts";
export {
  ETH_P_8021AD,
  ETH_P_8021Q,
  ETH_P_IP,
  ETH_P_IPV6,
  type ExtHdrTest,
  ethTypeVlan,
  hasIpv6ExtHdr,
  ipv6ExtHdr,
  ipv6HasHopoptJumbo,
  skbNetworkProtocol,
  vlanGetProtocol,
} from "./ipv6-ext-hdr.ts";
export { SK_BUFF, SKB_SHARED_INFO } from "./layout/sk-buff.ts";
export type { Field, FieldType, Layout } from "./layout/types.ts";
export {
  type Accel1,
  accel1Module,
  accel1ScalarModule,
  Memory,
  type MemoryOptions,
  type SkbuffKernel,
  simdSupported,
} from "./memory.ts";
export {
  ABI,
  FUNCTION_NUMBER,
  HEAP_BASE,
  STATIC_BASE,
  STATIC_DATA_OFF,
  STATIC_REGION_SIZE,
  staticRegion,
  TRAP,
  type TrapName,
} from "./memory-map.ts";
export {
  bridgeFeatures,
  type FeatureChange,
  type FeatureSets,
  NetdevFeatures,
  type NetdevOptions,
  netdevAddTsoFeatures,
  netdevIncrementFeatures,
} from "./netdev-features.ts";
export {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  CHECKSUM_UNNECESSARY,
  MAX_SKB_FRAGS,
  SK_BUFF_SIZE,
  SKBFL_SHARED_FRAG,
  SkBuff,
  type SkbFromBytesOptions,
  skbFromBytes,
} from "./sk-buff.ts";
export {
  SIZEOF_SK_BUFF,
  SIZEOF_SKB_SHARED_INFO,
  SK_BUFF_BITS,
  SK_BUFF_OFF,
  SKB_SHARED_INFO_OFF,
} from "./sk-buff-fields.ts";
export { skbBe16, skbBe32, skbByte } from "./skb-bytes.ts";
export {
  type FeatureOptions,
  type NetDevice,
  netDevice,
  netifNeedsGso,
  netifSkbFeatures,
  skbGsoOk,
  skbNeedsLinearize,
  skbVlanTagged,
  skbVlanTaggedMulti,
  vlanFeaturesCheck,
  vlanInsertFeature,
} from "./skb-features.ts";
export {
  type VirtioNetHdrFromSkbOptions,
  type VirtioNetHdrToSkbOptions,
  type VirtioNetTunnelOptions,
  virtioNetHandleCsumOffload,
  virtioNetHdrFromSkb,
  virtioNetHdrTnlFromSkb,
  virtioNetHdrTnlToSkb,
  virtioNetHdrToSkb,
} from "./virtio-net-hdr.ts";
export * from "./wire/index.ts";
