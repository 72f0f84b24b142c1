/**
 * What the interpreter runs: a parser as chains of small steps, each with the one that follows. `lower.ts` makes
 * them in the order of `cpr.md` section 2, `run.ts` says what each does.
 *
 * Every step has one shape. 32-bit numbers are kept signed (all ones is -1): so nothing is allocated to read them.
 *
 * A chain runs on a unit of the packet (header, TLV, flag field, array element): `length` bytes at `at`.
 */

/** Kinds of steps. "The number" is what the steps before it left. */
export const STEP = {
  /** A node is entered: limit, the bytes it needs (else its code), the least length. */
  enter: 0,
  /** The header's length, within the least length and what is left: `number * scale + value`; all that is left. */
  header: 1,
  rest: 2,
  /** The number, flags, becomes the length that they make. */
  flagsLength: 3,
  /** The number becomes `(bytes at off & mask) >>> shift`: one byte, two, four, others. */
  u8: 4,
  u16: 5,
  u32: 6,
  field: 7,
  /** `value`. */
  constant: 8,
  /** A key register, a counter, what is left of the packet from the unit on: masked and shifted. */
  key: 9,
  counter: 10,
  remaining: 11,
  /** Offset in the packet of the unit's start, end, in bytes, in bits, plus `value`; the unit's length. Beyond `mask`: -25. */
  start: 12,
  end: 13,
  startBits: 14,
  endBits: 15,
  length: 16,
  /** Encapsulations so far, nodes so far, the code. */
  encaps: 17,
  nodes: 18,
  code: 19,
  /** `number * scale + value`. */
  amount: 20,
  /** The end, with the number. */
  give: 21,
  /** On to `next` where the number compares so with `value`, unsigned; else to `other`. */
  equal: 22,
  not_equal: 23,
  greater_than: 24,
  greater_or_equal: 25,
  less_than: 26,
  less_or_equal: 27,
  /** The end, with the code `value`. */
  stop: 28,
  /** Writes the number: to one byte, two, four, to bits of `len` bytes, to a key register. */
  store8: 29,
  store16: 30,
  store32: 31,
  storeBits: 32,
  storeKey: 33,
  /** Writes bytes of the unit from byte `off` on, the last one first where `little`: 1, 2, 4, `len`; nibbles. */
  copy8: 34,
  copy16: 35,
  copy32: 36,
  copy: 37,
  nibbles: 38,
  /** What follows is written to an array's element; on to `other` where the counter is beyond the array. */
  element: 39,
  /** A counter: up to `count`, the end with `value` beyond (OKAY: it stays); to 0. */
  count: 40,
  reset: 41,
  /** The node's body. */
  tlvs: 42,
  flags: 43,
  array: 44,
  /** An encapsulation is entered. */
  encap: 45,
  /** The header is left behind, on to the node that the number chooses, to node `to`. */
  lookup: 46,
  go: 47,

  /** Two of the above in one, where they are common: a number (a byte, two, start, constant), then what is done with it. */
  header8: 48,
  equal8: 49,
  equal16: 50,
  not_equal16: 51,
  lookup8: 52,
  lookup16: 53,
  store8constant: 54,
  store16start: 55,
} as const;

/** One step; what its kind does not name is not looked at. */
export interface Step {
  readonly kind: number;
  readonly next: Step | null;
  readonly other: Step | null;
  /** Byte of the unit; key register or counter that is read. */
  readonly off: number;
  readonly mask: number;
  readonly shift: number;
  readonly value: number;
  readonly scale: number;
  /** Where it is written: byte of the memory; key register or counter. */
  readonly to: number;
  /** All ones: the frame's start is added, the element's; else 0. */
  readonly frame: number;
  readonly element: number;
  readonly len: number;
  /** 1: least significant byte first. */
  readonly little: number;
  readonly count: number;
  /** 1: a length beyond what is left becomes that; the last element stands for those beyond; the node is an overlay. */
  readonly flag: number;
  /** 1: a header that ends with the packet is a good end. */
  readonly zeroLengthOk: number;
  readonly table: Table;
  readonly tlvs: Tlvs | null;
  readonly flags: Flags | null;
  readonly elements: Elements | null;
}

/** Nodes by key. */
export interface Keys {
  /** A key's place is `key * multiplier >>> shift`. 0: keys ascend (unsigned) and are searched. */
  readonly multiplier: number;
  readonly shift: number;
  readonly keys: Uint32Array;
  /** -1: no key is here. */
  readonly nodes: Int32Array;
}

/** A look-up. */
export interface Table {
  readonly keys: Keys;
  /** Node of all other keys, -1: none; then the code. */
  readonly wildcard: number;
  readonly default: number;
}

/** A list of TLVs. Chains that end in `give` make numbers. */
export interface Tlvs {
  readonly start: Step;
  readonly length: Step;
  readonly type: Step;
  readonly minLen: number;
  readonly pad1: number;
  readonly eol: number;
  readonly padn: number;
  readonly table: Table;
  readonly maxTlvs: number;
  readonly maxNonPadding: number;
  readonly maxPaddingLength: number;
  readonly maxConsecutivePadding: number;
  readonly dispLimit: number;
}

/** One TLV. */
export interface TlvNode {
  readonly minLen: number;
  readonly maxLen: number;
  readonly steps: Step | null;
  readonly nested: Tlvs | null;
  /** A second look-up inside, by a key (null: always a miss). */
  readonly overlay: Table | null;
  readonly key: Step | null;
}

/** An optional field. */
export interface FlagField {
  readonly flag: number;
  readonly mask: number;
  readonly len: number;
  /** False: it takes space only. */
  readonly handled: boolean;
  readonly steps: Step | null;
}

/** Optional fields announced by flags. */
export interface Flags {
  readonly load: Step;
  readonly start: number;
  readonly fields: readonly FlagField[];
}

/** An array of elements of one size. */
export interface Elements {
  readonly count: Step;
  readonly start: number;
  readonly elLen: number;
  readonly type: Step;
  readonly table: Table;
  readonly maxEls: number;
}

/** A parser, lowered: its nodes' first steps, what exit nodes write, TLVs, what is done with elements. */
export interface Program {
  readonly nodes: readonly Step[];
  readonly okay: Step | null;
  readonly fail: Step | null;
  readonly encap: Step | null;
  readonly tlvNodes: readonly TlvNode[];
  readonly elements: readonly (Step | null)[];
  /** Counters that an encapsulation resets. */
  readonly resetAtEncap: readonly number[];
}
