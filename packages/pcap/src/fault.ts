/**
 * Why a capture could not be read further, or what in it is contradictory.
 *
 * - `EMPTY`: no byte at all. `UNKNOWN_FORMAT`: neither pcap nor pcapng (nor gzip nor zstd around one).
 * - `UNSUPPORTED_VERSION`, `BAD_BYTE_ORDER_MAGIC`: a header says something no reader knows.
 * - `TRUNCATED_HEADER`, `TRUNCATED_RECORD`, `TRUNCATED_BLOCK`: the stream ends inside one; offset is its first byte.
 * - `BAD_CAPLEN`: a captured length that is absurd (pcap) or exceeds its block (pcapng).
 * - `SNAPLEN_EXCEEDED`: a captured length above the file's own limit. `BAD_OPTION`: an option list that leaves its block.
 * - `BAD_BLOCK_LENGTH` (not a multiple of 4, or below the least of its type), `BLOCK_LENGTH_MISMATCH` (the length
 *   at the block's end is another), `BLOCK_TOO_LARGE`: pcapng framing.
 * - `BAD_INTERFACE`: a packet of an interface nobody described. `TOO_MANY_INTERFACES`: over 65,536 in a section.
 * - `BUFFER_TOO_SMALL`: a record does not fit the caller's own buffer.
 * - `BAD_GZIP`, `GZIP_CHECKSUM`, `TRUNCATED_GZIP`, `BAD_ZSTD`, `ZSTD_CHECKSUM`, `ZSTD_WINDOW`, `ZSTD_DICTIONARY`,
 *   `TRUNCATED_ZSTD`, `TRAILING_GARBAGE`: the compressed stream around the capture.
 */
export type CaptureFaultCode =
  | "EMPTY"
  | "UNKNOWN_FORMAT"
  | "UNSUPPORTED_VERSION"
  | "BAD_BYTE_ORDER_MAGIC"
  | "TRUNCATED_HEADER"
  | "TRUNCATED_RECORD"
  | "TRUNCATED_BLOCK"
  | "BAD_CAPLEN"
  | "SNAPLEN_EXCEEDED"
  | "BAD_OPTION"
  | "BAD_BLOCK_LENGTH"
  | "BLOCK_LENGTH_MISMATCH"
  | "BLOCK_TOO_LARGE"
  | "BAD_INTERFACE"
  | "TOO_MANY_INTERFACES"
  | "BUFFER_TOO_SMALL"
  | DecompressFaultCode;

/** The faults a compressed stream can have. */
export type DecompressFaultCode =
  | "BAD_GZIP"
  | "GZIP_CHECKSUM"
  | "TRUNCATED_GZIP"
  | "BAD_ZSTD"
  | "ZSTD_CHECKSUM"
  | "ZSTD_WINDOW"
  | "ZSTD_DICTIONARY"
  | "TRUNCATED_ZSTD"
  | "TRAILING_GARBAGE";

/** How a capture was compressed, recognised by content. */
export type Compression = "none" | "gzip" | "zstd";

/** A fault of a capture. Every whole packet before it has been delivered. */
export interface CaptureFault {
  readonly code: CaptureFaultCode;
  /** One sentence: what, where, and what would have been accepted. */
  readonly message: string;
  /** Byte offset in the uncompressed stream, from its first byte. */
  readonly offset: number;
  readonly compression: Compression;
  /**
   * Byte offset in the compressed file, or null when it is not compressed. Where the compressed stream itself is at
   * fault: the member, frame or block. Otherwise: how far the decompressor had read when the fault was met.
   */
  readonly compressedOffset: number | null;
  /** False: the framing held and reading went on after it (the packet concerned may have been left out). */
  readonly fatal: boolean;
}

/**
 * The sentence of a fault's message, without the place.
 * @param a - first number it names (often what was found), `b` the second (what is allowed or needed)
 */
export function describeFault(code: CaptureFaultCode, a: number, b: number): string {
  switch (code) {
    case "EMPTY":
      return "the capture is empty";
    case "UNKNOWN_FORMAT":
      return `the first bytes ${hex32(a)} are not those of pcap, pcapng, gzip or zstd`;
    case "UNSUPPORTED_VERSION":
      return `version ${a}.${b}, expected pcap 2.4 or pcapng 1.0`;
    case "BAD_BYTE_ORDER_MAGIC":
      return `a section's byte-order magic is ${hex32(a)}, expected 1a2b3c4d in either order`;
    case "TRUNCATED_HEADER":
      return `the file ends within the file header: ${a} of ${b} bytes`;
    case "TRUNCATED_RECORD":
      return `the file ends within a record: ${a} of ${b} bytes`;
    case "TRUNCATED_BLOCK":
      return `the file ends within a block: ${a} of ${b} bytes`;
    case "BAD_CAPLEN":
      return `a captured length of ${a} bytes where at most ${b} are possible`;
    case "SNAPLEN_EXCEEDED":
      return `a captured length of ${a} bytes, the capture's own limit is ${b}`;
    case "BAD_OPTION":
      return "an option is longer than its block";
    case "BAD_BLOCK_LENGTH":
      return `a block length of ${a}, expected a multiple of 4 of at least ${b}`;
    case "BLOCK_LENGTH_MISMATCH":
      return `a block's length is ${a} at its start and ${b} at its end`;
    case "BLOCK_TOO_LARGE":
      return `a block of ${a} bytes, at most ${b} are read`;
    case "BAD_INTERFACE":
      return `a packet of interface ${a} where the section describes ${b}`;
    case "TOO_MANY_INTERFACES":
      return `a section describes more than ${a} interfaces`;
    case "BUFFER_TOO_SMALL":
      return `a record needs ${a} bytes, the buffer has ${b}`;
    default:
      return "the compressed stream is damaged";
  }
}

const hex32 = (n: number): string => n.toString(16).padStart(8, "0");
