// What the interpreter's two halves agree on: `src/interp` makes words of a parser, `walk.ts` runs them. Plain
// constants, since both AssemblyScript and TypeScript read this file.
//
// A program is words of 32 bits. Places in it, and the places of words in what they belong to, are counted in bytes;
// place 0 is nothing.

/** Words of a step, which is followed by the one behind it: its kind, the place of what follows a test that fails. */
export const KIND = 0;
export const OTHER = 4;
/** Byte of the unit; key register or counter that is read. */
export const OFF = 8;
export const MASK = 12;
export const SHIFT = 16;
export const VALUE = 20;
export const SCALE = 24;
/** Where it is written: byte of the memory; key register or counter. Place of a node. */
export const TO = 28;
/** All ones: the frame's start is added, the element's; else 0. */
export const FRAME = 32;
export const ELEMENT = 36;
export const LEN = 40;
/** 1: least significant byte first. */
export const LITTLE = 44;
export const COUNT = 48;
export const FLAG = 52;
/** Place of the table, TLV list, flags, array. */
export const REF = 56;
/** Bytes of a step: a line of the cache. */
export const STEP_BYTES = 64;

/** A node is entered: limit, the bytes it needs (else its code), the least length. */
export const ENTER = 0;
/** The header's length, within the least length and what is left: `number * scale + value`; all that is left. */
export const HEADER = 1;
export const REST = 2;
/** The number, flags, becomes the length that they make. */
export const FLAGS_LENGTH = 3;
/**
 * The number becomes `(4 bytes from off on & mask) >>> shift`, the first byte most significant; the same of `len` bytes,
 * the first one least.
 */
export const FIELD = 4;
export const BYTES = 5;
/** `value`. */
export const CONSTANT = 6;
/** A key register, a counter, what is left of the packet from the unit on: masked and shifted. */
export const KEY = 7;
export const COUNTER = 8;
export const REMAINING = 9;
/** Offset in the packet of the unit's start, end, in bytes, in bits, plus `value`; the unit's length. Beyond `mask`: -25. */
export const START = 10;
export const END = 11;
export const START_BITS = 12;
export const END_BITS = 13;
export const LENGTH = 14;
/** Encapsulations so far, nodes so far, the code. */
export const ENCAPS = 15;
export const NODES = 16;
export const CODE = 17;
/** `number * scale + value`. */
export const AMOUNT = 18;
/** The end, with the number. */
export const GIVE = 19;
/** On to `next` where the number compares so with `value`, unsigned; else to `other`. */
export const EQUAL = 20;
export const NOT_EQUAL = 21;
export const GREATER_THAN = 22;
export const GREATER_OR_EQUAL = 23;
export const LESS_THAN = 24;
export const LESS_OR_EQUAL = 25;
/** The end, with the code `value`; OKAY: that of a chain. */
export const STOP = 26;
/** Writes the number: to one byte, two, four, to bits of `len` bytes, to a key register. */
export const STORE8 = 27;
export const STORE16 = 28;
export const STORE32 = 29;
export const STORE_BITS = 30;
export const STORE_KEY = 31;
/** Writes bytes of the unit from byte `off` on, the last one first where `little`: `len`; nibbles. */
export const COPY = 32;
export const NIBBLES = 33;
/** What follows is written to an array's element; on to `other` where the counter is beyond the array. */
export const ARRAY_ELEMENT = 34;
/** A counter: up to `count`, the end with `value` beyond (OKAY: it stays); to 0. */
export const COUNT_UP = 35;
export const RESET = 36;
/** On to the step at `to`. */
export const JUMP = 37;
/** The node's body. */
export const TLVS = 38;
export const FLAGS = 39;
export const ARRAY = 40;
/** An encapsulation is entered. */
export const ENCAP = 41;
/** The header is left behind, on to the node that the number chooses, to node `to`. */
export const LOOKUP = 42;
export const GO = 43;

/** FIELD, CONSTANT or START and what is done with the number, in one. */
export const FIELD_HEADER = 44;
export const FIELD_GIVE = 45;
export const FIELD_EQUAL = 46;
export const FIELD_NOT_EQUAL = 47;
export const FIELD_LOOKUP = 48;
export const CONSTANT_GIVE = 49;
export const CONSTANT_STORE8 = 50;
export const START_STORE16 = 51;

/** Flags of LOOKUP and GO: the node is an overlay, its header is not left behind; */
export const OVERLAY = 1;
/** a header that ends with the packet is a good end. */
export const ZERO_LENGTH_OK = 2;

/** Words of the program's head: the root's place, its number, what exit nodes do. Limits are inclusive. */
export const ROOT = 0;
export const ROOT_NODE = 4;
export const OKAY_TARGET = 8;
export const FAIL_TARGET = 12;
export const ENCAP_TARGET = 16;
export const MAX_NODES = 20;
export const MAX_ENCAPS = 24;
export const FRAMES = 28;
export const FRAME_SIZE = 32;
export const METAMETA_SIZE = 36;
/** How many counters; place of a word for each: all ones where an encapsulation leaves it alone, else 0. */
export const COUNTERS = 40;
export const KEPT = 44;
export const HEAD_BYTES = 64;

/** Words of a TLV list. */
export const TLVS_START = 0;
export const TLVS_LENGTH = 4;
export const TLVS_TYPE = 8;
export const TLVS_MIN_LEN = 12;
export const TLVS_PAD1 = 16;
export const TLVS_EOL = 20;
export const TLVS_PADN = 24;
export const TLVS_TABLE = 28;
export const TLVS_MAX = 32;
export const TLVS_MAX_NON_PADDING = 36;
export const TLVS_MAX_PADDING_LENGTH = 40;
export const TLVS_MAX_CONSECUTIVE_PADDING = 44;
export const TLVS_DISP_LIMIT = 48;
/** Is there a padding type? Any number can be one. */
export const TLVS_HAS_PADN = 52;

/** Words of a TLV node. `maxLen` -1: none. `nested`, `overlay` (a table's place), `key`: 0: none. */
export const TLV_MIN_LEN = 0;
export const TLV_MAX_LEN = 4;
export const TLV_STEPS = 8;
export const TLV_NESTED = 12;
export const TLV_OVERLAY = 16;
export const TLV_KEY = 20;

/** Words of optional fields; then five words each. */
export const FLAGS_LOAD = 0;
export const FLAGS_START = 4;
export const FLAGS_COUNT = 8;
export const FLAGS_FIELDS = 12;
export const FIELD_FLAG = 0;
export const FIELD_MASK = 4;
export const FIELD_LEN = 8;
/** 0: it takes space only. */
export const FIELD_HANDLED = 12;
export const FIELD_STEPS = 16;
export const FIELD_BYTES = 20;

/** Words of an array. */
export const ARRAY_COUNT = 0;
export const ARRAY_START = 4;
export const ARRAY_EL_LEN = 8;
export const ARRAY_TYPE = 12;
export const ARRAY_TABLE = 16;
export const ARRAY_MAX_ELS = 20;

/**
 * Words of a table: what the other keys get (0: nothing) and the code then; a multiplier and a shift, then rows of a
 * key and what it gets, each at `key * multiplier >>> shift`; or 0 and how many, then rows whose keys ascend
 * (unsigned). What a key gets is never 0: a place.
 */
export const TABLE_WILDCARD = 0;
export const TABLE_DEFAULT = 4;
export const TABLE_MULTIPLIER = 8;
export const TABLE_SHIFT = 12;
export const TABLE_ROWS = 16;

/** Words of a run's state: results, then what the caller sets. */
export const STATE_CODE = 0;
export const STATE_LAST_NODE = 4;
export const STATE_ENCAPS = 8;
export const STATE_NODES = 12;
/** Addresses of metadata, keys, counters, program. */
export const STATE_METADATA = 16;
export const STATE_KEYS = 20;
export const STATE_COUNTERS = 24;
export const STATE_PROGRAM = 28;
/** 1: node, write and key are called. */
export const STATE_TRACE = 32;
export const STATE_BYTES = 64;
