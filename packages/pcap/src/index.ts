/**
 * pcap and pcapng, read and write, streaming in bounded memory.
 *
 * chunks (plain, gzip, zstd) → {@link CaptureReader} → one record at a time, in place
 *                            → {@link readCapture} → packets as plain data
 * packets → {@link CaptureWriter} → chunks
 *
 * @packageDocumentation
 */
export { PcapError, type PcapErrorCode } from "./errors.ts";
export type { CaptureFault, CaptureFaultCode, Compression, DecompressFaultCode } from "./fault.ts";
export type { CaptureInterface } from "./interface.ts";
export {
  isKnownLinkType,
  LINKTYPE_ETHERNET,
  LINKTYPE_IPV4,
  LINKTYPE_IPV6,
  LINKTYPE_LINUX_SLL,
  LINKTYPE_LINUX_SLL2,
  LINKTYPE_LOOP,
  LINKTYPE_NULL,
  LINKTYPE_RAW,
  LINKTYPE_RAW_12,
  LINKTYPE_RAW_14,
  LinkHeader,
  linkTypeName,
} from "./link-types.ts";
export { type CaptureOption, readOptions } from "./options.ts";
export {
  AsyncCapture,
  type CapturePacket,
  readCapture,
  readCaptureSync,
  SyncCapture,
} from "./read-capture.ts";
export {
  BLOCK_CUSTOM,
  BLOCK_CUSTOM_NO_COPY,
  BLOCK_DSB,
  BLOCK_EPB,
  BLOCK_IDB,
  BLOCK_ISB,
  BLOCK_NRB,
  BLOCK_PB,
  BLOCK_SHB,
  BLOCK_SPB,
  type CaptureFormat,
  CaptureReader,
  type CaptureReaderOptions,
} from "./reader.ts";
export { CaptureWriter, type CaptureWriterOptions, type InterfaceInput, type PacketInput } from "./writer.ts";
