/**
 * The bytes of a TCAM program, little-endian.
 *
 * ```text
 * header 48: magic u32, version u16, states u16, length u32, start i32, okay exit i32, fail exit i32,
 *            max nodes u32, max encaps u32, frames u16, metameta size u16, frame size u16, nodes u16,
 *            keys u8, registers u8, 0 u16, 0 u32
 * state 16:  node i16, enter u8, keys u8, entries u16, 0 u16, need u32, short i32; then its keys and entries
 * key 8:     kind u8, length or register u8, little u8, 0 u8, offset or constant i32
 * entry:     value u32 and mask u32 for each key; next i32, steps u16, 0 u16; then its steps
 * step 40:   kind u8, flags u8, source kind u8, source length or register u8, source offset i32, mask u32,
 *            shift u8, register u8, plus u8, nibbles u8, mult|min|max u32, add i32, otherwise i32,
 *            target: off u16, len u8, shift u8, bits u8, index u8, element size u16, elements u16; 0 u16
 * ```
 */
import type { TcamOp, TcamSource } from "./table.ts";

/** `TCAM`. */
export const TCAM_MAGIC = 0x4d414354;
export const TCAM_VERSION = 1;
/** Sizes of records, bytes. */
export const SIZES = { header: 48, state: 16, key: 8, entry: 8, step: 40 } as const;
/** No register. */
export const NO_REG = 255;
/** Kinds of sources, by their number. */
export const SOURCES: readonly TcamSource["kind"][] = [
  "packet",
  "register",
  "left",
  "until",
  "cursor",
  "constant",
  "encaps",
  "nodes",
  "code",
];
/** Kinds of steps, by their number. */
export const STEPS: readonly TcamOp["op"][] = [
  "alu",
  "fit",
  "count",
  "write",
  "copy",
  "nibbles",
  "move",
  "encap",
  "tell",
];
/** Flags of a step. */
export const FLAG = {
  clamp: 1,
  relative: 2,
  otherwise: 4,
  frame: 8,
  little: 16,
  srcLittle: 32,
  index: 64,
  overwritable: 128,
} as const;
/** Metadata memory that a program may ask for, bytes. */
export const MAX_METADATA: number = 1 << 20;
