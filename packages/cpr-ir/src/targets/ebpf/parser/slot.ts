/**
 * What an XDP program of a parser reads and writes: a slot of a map for each CPU, so that no two packets share one.
 * Offsets are bytes from a slot's start; numbers are little endian.
 */
import { metadataSize, type Parser } from "../../../ir/types.ts";

/** Where things lie. */
export const SLOT = {
  /** Never written, always 0, which the verifier does not know. u64. */
  ZERO: 0,
  /** Given: where the first header starts. u32. */
  START: 8,
  /** Given: {@link SLOT_OPTION}. u32. */
  OPTIONS: 12,
  /** Written: code, last node, encapsulations, nodes entered. i32 and u32. */
  CODE: 16,
  LAST: 20,
  ENCAPS: 24,
  NODES: 28,
  /** Offset of the current frame from frame 0. u32. */
  FRAME: 32,
  /** Records in the trace, which may be more than there is room for. u32. */
  TRACED: 36,
  /** Key registers, as they are before the parse, u32 each. */
  KEYS: 40,
} as const;

/** Bits of a slot's options. */
export const SLOT_OPTION = {
  /** Metadata is left as it is, not zeroed before a packet. */
  KEEP: 1,
  /** The parse starts behind the Ethernet header, and key register 1 is the frame's type. */
  BEHIND_ETHERNET: 2,
} as const;

/** Where the parts that depend on the parser lie. */
export interface SlotLayout {
  /** Key registers of the running parse, counters: u32 each. */
  readonly running: number;
  readonly counters: number;
  readonly metadata: number;
  /** Records of the trace, {@link TRACE_RECORD} bytes each; of debug programs only. */
  readonly trace: number;
  readonly records: number;
  /** Bytes of a slot, a multiple of 8. */
  readonly size: number;
}

/** Bytes of a record of the trace: kind, then three numbers, u32 each. */
export const TRACE_RECORD = 16;
/** Kinds of records and what their numbers are. */
export const TRACE_KIND = {
  /** Node, offset of its header, length. */
  NODE: 1,
  /** Offset in the metadata memory, bytes. */
  WRITE: 2,
  /** Key register, value. */
  KEY: 3,
} as const;

/** The layout of a parser's slots. @param records - of the trace, 0 without debug mode */
export function slotLayout(parser: Parser, records = 0): SlotLayout {
  const running = SLOT.KEYS + 4 * parser.numKeys;
  const counters = running + 4 * parser.numKeys;
  const metadata = align(counters + 4 * parser.counters.length);
  const trace = align(metadata + metadataSize(parser));
  return { running, counters, metadata, trace, records, size: trace + TRACE_RECORD * records };
}

function align(n: number): number {
  return (n + 7) & ~7;
}
