/**
 * The devlink control path.
 *
 * ```text
 * file name → firmware look-up → container checks → staging → activate → post-check → offloads decided anew
 * ```
 *
 * @packageDocumentation
 */
export {
  type Answer,
  ERRNO,
  type ErrnoName,
  errnoName,
  type Granted,
  grant,
  type Refusal,
  refuse,
  strerror,
} from "./errno.ts";
export {
  checkFirmwareName,
  type Firmware,
  type FirmwareConfig,
  type FirmwareFile,
  type FirmwareSource,
  firmwareDirectories,
  requestFirmware,
} from "./firmware.ts";
export { checkImage, type ImagePolicy, neededResources } from "./image-check.ts";
export {
  type ActionStats,
  DevlinkInstance,
  DevlinkRegistry,
  isHandle,
  type SavedInstance,
} from "./instance.ts";
export {
  DEVLINK_ATTR,
  DEVLINK_CMD,
  type DevlinkRequest,
  decodeRequest,
  encodeGet,
  encodeInfo,
  encodeReloadReply,
  encodeReloadRequest,
} from "./message.ts";
export {
  AttrWriter,
  NLA_F_NESTED,
  NLA_F_NET_BYTEORDER,
  type NlAttr,
  type NlFault,
  readAttrs,
} from "./nlattr.ts";
export type {
  Bundle,
  BundleProgram,
  DevlinkInfo,
  DevlinkOps,
  OffloadEntry,
  OffloadFunction,
  OffloadOps,
  ReloadAction,
  Resources,
} from "./ops.ts";
export {
  describeState,
  type KernelProgram,
  OffloadManager,
  type OffloadState,
  type SoftwareReason,
} from "./permit.ts";
export {
  devInfo,
  devParserShow,
  devReload,
  devShow,
  type Json,
  type PrintOptions,
  render,
  renderRefusal,
} from "./print.ts";
export {
  type CheckedRequest,
  checkReload,
  RELOAD_ACTION_NUMBER,
  type ReloadContext,
  type ReloadReply,
  type ReloadRequest,
  type ReloadState,
  reload,
  reloadAction,
  type StatusMessage,
} from "./reload.ts";
