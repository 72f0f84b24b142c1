/**
 * A parser, resolved: what the interpreter runs and every target compiles.
 *
 * Nodes refer to each other by index; named lists are copied to where they are used; every default is
 * filled in. All offsets count bytes from the start of the unit they belong to (header, TLV, flag field,
 * array element), all numbers are unsigned 32-bit unless said. Every load lies inside the bytes that were
 * checked before it ({@link ParseNode.minLen}, {@link TlvNode.minLen}, ...): a resolved parser never reads
 * outside the packet.
 */

/** Where a number is taken from. */
export type Source =
  /** `len` (1 to 4) bytes at `off`, big-endian unless `little`. */
  | { readonly kind: "field"; readonly off: number; readonly len: number; readonly little: boolean }
  /** A key register: set by metadata entries, or by the caller before the parse. */
  | { readonly kind: "key"; readonly key: number }
  /** A counter's value. */
  | { readonly kind: "counter"; readonly counter: number }
  /** Bytes from the unit's start to the packet's end. */
  | { readonly kind: "remaining" };

/** `(source & mask) >>> shift`. */
export interface Load {
  readonly source: Source;
  readonly mask: number;
  readonly shift: number;
}

/** `((source & mask) >>> shift) * multiplier + add`, below 2^31 for every input; a null load is 0. */
export interface Amount {
  readonly load: Load | null;
  readonly multiplier: number;
  readonly add: number;
}

/** Unsigned comparison of a load with a constant. */
export type CompareOp =
  | "equal"
  | "not_equal"
  | "greater_than"
  | "greater_or_equal"
  | "less_than"
  | "less_or_equal";

/** A condition. */
export type Expr =
  | { readonly kind: "compare"; readonly op: CompareOp; readonly load: Load; readonly value: number }
  | { readonly kind: "and" | "or"; readonly ents: readonly Expr[] };

/** A condition that ends something with `fail` when it is false. */
export interface Check {
  readonly expr: Expr;
  readonly fail: number;
}

/** What a metadata entry writes. */
export type MdValue =
  /** `dst.len` bytes from `off` on; reversed when `dst.little`. */
  | { readonly kind: "copy"; readonly off: number }
  | { readonly kind: "load"; readonly load: Load }
  /** `count` nibbles from nibble `start` on (nibble 0 is the high half of byte 0). */
  | { readonly kind: "nibbles"; readonly start: number; readonly count: number }
  | { readonly kind: "constant"; readonly value: number }
  /** Offset in the packet of the unit's start (or end) plus `add`, in bytes or bits. */
  | { readonly kind: "offset"; readonly end: boolean; readonly bits: boolean; readonly add: number }
  /** Length of the header, TLV, field or element. */
  | { readonly kind: "length" }
  | { readonly kind: "num_encaps" | "num_nodes" | "return_code" };

/** Where it goes: bytes of the metameta area or of the current frame, or a key register. */
export type MdTarget =
  | {
      readonly kind: "memory";
      readonly frame: boolean;
      /** From the start of the metameta area or of the frame. */
      readonly off: number;
      /** Bytes. Numbers: 1 to 4; copies: 1 to 32. */
      readonly len: number;
      /** Least significant byte first. */
      readonly little: boolean;
      /** Bits of the `len`-byte number that are written: `bits` bits from bit `shift` (0 the lowest). */
      readonly shift: number;
      readonly bits: number;
      /** An array element: `counters[index].elementSize * value` is added to `off`. Null: no array. */
      readonly index: number | null;
    }
  | { readonly kind: "key"; readonly key: number };

/** One metadata entry. A number that may not fit its target (offset, length) ends the parse with -25. */
export interface Metadata {
  readonly value: MdValue;
  readonly target: MdTarget;
  /** Written only where this holds. */
  readonly when: Expr | null;
}

/** A counter: zero at the start. */
export interface Counter {
  readonly name: string;
  /** Bytes of an array element. */
  readonly elementSize: number;
  readonly numElements: number;
  /** Highest value. */
  readonly max: number;
  readonly resetAtEncap: boolean;
  /** Incrementing beyond `max` is STOP_CNTR1 - index. */
  readonly errorExceeded: boolean;
  /** An index beyond the array means its last element, else the write is dropped. */
  readonly overwritable: boolean;
}

/** A step of a counter. */
export interface CounterAction {
  readonly counter: number;
  readonly kind: "inc" | "reset";
}

/** What is done with a unit: in this order. */
export interface Actions {
  readonly pre: readonly CounterAction[];
  readonly metadata: readonly Metadata[];
  readonly post: readonly CounterAction[];
}

/** Length of a header. */
export type HdrLength =
  /** `minLen`. */
  | { readonly kind: "min" }
  /** All that is left of the packet. */
  | { readonly kind: "rest" }
  | { readonly kind: "amount"; readonly amount: Amount; readonly clamp: boolean }
  /** Start of the flag fields plus the sizes of those present. */
  | { readonly kind: "flags"; readonly clamp: boolean };

/** An edge. Keys ascend. */
export interface Edge {
  readonly key: number;
  readonly node: number;
}

/** Choice of the next node. `node` -1 never occurs; no wildcard is -1. */
export interface Next {
  /** Null: no table, the wildcard is taken. */
  readonly select: Load | null;
  readonly table: readonly Edge[];
  readonly wildcard: number;
  /** Code of a miss without wildcard. */
  readonly default: number;
}

/** A protocol layer. */
export interface ParseNode {
  readonly name: string;
  readonly minLen: number;
  readonly hdrLen: HdrLength;
  /** Code when fewer than `minLen` bytes are left. */
  readonly short: number;
  readonly preChecks: readonly Check[];
  readonly actions: Actions;
  readonly body: Tlvs | Flags | Elements | null;
  /** Metadata after the body. */
  readonly postMetadata: readonly Metadata[];
  readonly condExprs: readonly Check[];
  /** Null: a leaf. */
  readonly next: Next | null;
  readonly overlay: boolean;
  /** Leaving this node enters an encapsulation; no meaning on a leaf. */
  readonly encap: boolean;
  readonly zeroLengthOk: boolean;
}

/** A list of TLVs. */
export interface Tlvs {
  readonly kind: "tlvs";
  /** First TLV. */
  readonly start: Amount;
  readonly type: Load;
  /** Length of a TLV in bytes, type and length included. */
  readonly length: Amount;
  /** Bytes a TLV has at least; `type` and `length` lie inside. */
  readonly minLen: number;
  /** First byte of a one-byte padding, of the end of the list; type of padding; -1: none. */
  readonly pad1: number;
  readonly eol: number;
  readonly padn: number;
  /** Keys ascend; nodes index {@link Parser.tlvNodes}. */
  readonly table: readonly Edge[];
  readonly wildcard: number;
  /** Code of an unknown type; 0: skip it. */
  readonly default: number;
  /** Inclusive limits. */
  readonly maxTlvs: number;
  readonly maxNonPadding: number;
  readonly maxPaddingLength: number;
  readonly maxConsecutivePadding: number;
  /** Code of a tripped limit; STOP_FAIL: the limit's own code. */
  readonly dispLimit: number;
}

/** One TLV. */
export interface TlvNode {
  readonly name: string;
  readonly minLen: number;
  /** -1: none. */
  readonly maxLen: number;
  readonly checks: readonly Check[];
  readonly actions: Actions;
  /** TLVs inside, from `offset` (bytes from this TLV's start) to its end. */
  readonly nested: Tlvs | null;
  /** A second look-up inside the TLV; nodes index {@link Parser.tlvNodes}. */
  readonly overlay: Next | null;
}

/** Optional fields announced by flags. */
export interface Flags {
  readonly kind: "flags";
  readonly load: Load;
  /** First field. */
  readonly start: number;
  readonly fields: readonly FlagField[];
}

/** Present iff `(flags & mask) === flag`; lies behind the present ones before it. */
export interface FlagField {
  readonly flag: number;
  readonly mask: number;
  readonly len: number;
  /** Index into {@link Parser.subNodes}, -1: takes space only. */
  readonly node: number;
}

/** An array of elements of one size. */
export interface Elements {
  readonly kind: "array";
  readonly count: Amount;
  readonly start: number;
  readonly elLen: number;
  /** Null: type 0. */
  readonly type: Load | null;
  /** Keys ascend; nodes index {@link Parser.subNodes}. */
  readonly table: readonly Edge[];
  readonly wildcard: number;
  readonly default: number;
  /** Inclusive. */
  readonly maxEls: number;
}

/** Handler of a flag field or of an array element. */
export interface SubNode {
  readonly name: string;
  readonly checks: readonly Check[];
  readonly actions: Actions;
}

/** A whole parser. */
export interface Parser {
  readonly name: string;
  readonly root: number;
  /** Exit nodes, -1: none. */
  readonly okayTarget: number;
  readonly failTarget: number;
  readonly encapTarget: number;
  /** Inclusive limits. */
  readonly maxNodes: number;
  readonly maxEncaps: number;
  /** Frames that exist. */
  readonly frames: number;
  readonly metametaSize: number;
  readonly frameSize: number;
  readonly numKeys: number;
  readonly nodes: readonly ParseNode[];
  readonly tlvNodes: readonly TlvNode[];
  readonly subNodes: readonly SubNode[];
  readonly counters: readonly Counter[];
  /** Equal nodes were merged; recorded in the canonical form. */
  readonly minimized: boolean;
  /** C functions that the document names: what they do is unknown, so such a parser has no hash. */
  readonly handlers: readonly string[];
}

/** Bytes of metadata memory: the metameta area, then the frames. */
export function metadataSize(parser: Parser): number {
  return parser.metametaSize + parser.frames * parser.frameSize;
}

/** All 32 bits. */
export const ALL_ONES = 0xffffffff;

/** Largest value a field of `len` bytes holds. */
export function fieldMax(len: number): number {
  return len >= 4 ? ALL_ONES : 2 ** (8 * len) - 1;
}
