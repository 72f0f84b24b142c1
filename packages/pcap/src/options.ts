/** pcapng option lists: code u16, length u16, value padded to 4 bytes; code 0 ends the list. */

/** Option code of a comment, in every block. */
export const OPT_COMMENT = 1;
/** Option code of epb_flags and pack_flags. */
export const OPT_EPB_FLAGS = 2;

/** One option of a pcapng block. */
export interface CaptureOption {
  readonly code: number;
  /** The value without its padding. */
  readonly value: Uint8Array;
}

/**
 * Step through an option list without allocating; a scratch struct.
 *
 * A list may end by code 0 or by reaching `end`.
 */
export class OptionWalk {
  code: number = 0;
  /** Offset of the value in the view. */
  offset: number = 0;
  /** Bytes of the value, without padding. */
  length: number = 0;
  /** Offset of the option that leaves the list, or -1. */
  badAt: number = -1;
  private view!: DataView;
  private position = 0;
  private end = 0;
  private littleEndian = true;

  /** Begin at `offset`, the first option's code, up to `end`, both in `view`. */
  start(view: DataView, offset: number, end: number, littleEndian: boolean): this {
    this.view = view;
    this.position = offset;
    this.end = end;
    this.littleEndian = littleEndian;
    this.badAt = -1;
    return this;
  }

  /** To the next option. @returns false at the list's end, or at an option that leaves it (see {@link badAt}) */
  next(): boolean {
    const at = this.position;
    if (at >= this.end) return false;
    if (at + 4 > this.end) {
      this.badAt = at;
      return false;
    }
    const code = this.view.getUint16(at, this.littleEndian);
    const length = this.view.getUint16(at + 2, this.littleEndian);
    if (code === 0) {
      this.position = this.end;
      return false;
    }
    if (at + 4 + length > this.end) {
      this.badAt = at;
      this.position = this.end;
      return false;
    }
    this.code = code;
    this.offset = at + 4;
    this.length = length;
    this.position = at + 4 + ((length + 3) & ~3);
    return true;
  }
}

/**
 * Read an option list of a block passed on by the reader.
 * @param bytes - the buffer; values are views into it
 * @param offset - of the first option's code in `bytes`
 * @param end - of the list in `bytes`
 * @param littleEndian - the section's byte order
 * @returns the options before the list's end or before the first that leaves it
 */
export function readOptions(
  bytes: Uint8Array,
  offset: number,
  end: number,
  littleEndian: boolean,
): CaptureOption[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const walk = new OptionWalk().start(view, offset, end, littleEndian);
  const options: CaptureOption[] = [];
  while (walk.next()) {
    options.push({ code: walk.code, value: bytes.subarray(walk.offset, walk.offset + walk.length) });
  }
  return options;
}

let decoder: TextDecoder | undefined;

/** UTF-8 to text; ill-formed bytes become U+FFFD, a trailing zero byte is dropped (some writers add one). */
export function utf8(bytes: Uint8Array): string {
  decoder ??= new TextDecoder();
  const text = decoder.decode(bytes);
  return text.endsWith("\0") ? text.replace(/\0+$/, "") : text;
}
