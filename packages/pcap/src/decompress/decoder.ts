import type { Compression, DecompressFaultCode } from "../fault.ts";

/** What stopped {@link Decoder.decode}. */
export const NEED_INPUT = 0;
/** The output space is full. */
export const OUTPUT_FULL = 1;
/** The stream is over, whole. */
export const ENDED = 2;
/** The stream is at fault: `faultCode`, `faultMessage`, `faultAt`. */
export const FAULT = 3;

/** See {@link NEED_INPUT}, {@link OUTPUT_FULL}, {@link ENDED}, {@link FAULT}. */
export type DecodeStatus = 0 | 1 | 2 | 3;

/** A streaming decompressor; one per stream. All offsets and lengths are bytes. */
export interface Decoder {
  readonly compression: Compression;
  /** Compressed bytes taken from the input since the start. */
  readonly consumed: number;
  /** Output bytes written by the last call. */
  readonly produced: number;
  /** Input bytes taken by the last call. */
  readonly taken: number;
  readonly faultCode: DecompressFaultCode;
  readonly faultMessage: string;
  /** Offset in the compressed stream of the member, frame or block at fault. */
  readonly faultAt: number;
  /**
   * Decode from `input[start, end)` to `output[outStart, outEnd)`.
   * @param final - no byte follows `input`
   */
  decode(
    input: Uint8Array,
    start: number,
    end: number,
    final: boolean,
    output: Uint8Array,
    outStart: number,
    outEnd: number,
  ): DecodeStatus;
}
