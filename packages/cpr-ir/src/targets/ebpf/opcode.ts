/**
 * The eBPF instruction set as far as we emit it: RFC 9669, instruction classes and their operations.
 * @see RFC 9669 sections 3 to 5
 */

/** Instruction classes, the low three bits of an opcode. */
export const CLASS = { LD: 0, LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, JMP32: 6, ALU64: 7 } as const;

/** Second operand is a register. */
export const SRC_X = 0x08;

/** Arithmetic operations, the high four bits. */
export const ALU_OP = {
  ADD: 0x00,
  SUB: 0x10,
  MUL: 0x20,
  DIV: 0x30,
  OR: 0x40,
  AND: 0x50,
  LSH: 0x60,
  RSH: 0x70,
  NEG: 0x80,
  MOD: 0x90,
  XOR: 0xa0,
  MOV: 0xb0,
  ARSH: 0xc0,
  END: 0xd0,
} as const;

/** Jump operations, the high four bits. */
export const JMP_OP = {
  JA: 0x00,
  JEQ: 0x10,
  JGT: 0x20,
  JGE: 0x30,
  JSET: 0x40,
  JNE: 0x50,
  JSGT: 0x60,
  JSGE: 0x70,
  CALL: 0x80,
  EXIT: 0x90,
  JLT: 0xa0,
  JLE: 0xb0,
  JSLT: 0xc0,
  JSLE: 0xd0,
  /** May goto: taken once a loop's time is up. Linux only. */
  JCOND: 0xe0,
} as const;

/** Access sizes of loads and stores. */
export const SIZE = { W: 0x00, H: 0x08, B: 0x10, DW: 0x18 } as const;
/** Plain memory access mode. */
export const MODE_MEM = 0x60;
/** Sign-extending load mode. */
export const MODE_MEMSX = 0x80;
/** First half of a 64-bit immediate load. */
export const OP_LDDW = 0x18;
/** Jump with a 32-bit offset in imm. */
export const OP_GOTOL = 0x06;
/** Jump with a 16-bit offset. */
export const OP_JA = 0x05;
/** Call a helper (src 0) or a function of the program (src 1, imm relative to the next instruction). */
export const OP_CALL = 0x85;
/** Return r0. */
export const OP_EXIT = 0x95;
/** Unconditional byte swap of 16, 32 or 64 bits (imm). */
export const OP_BSWAP = 0xd7;

/** May goto, with a 16-bit offset. Linux only. */
export const OP_MAY_GOTO = 0xe5;
/** Copy as an address of the arena: a 64-bit MOV with this offset and immediate. Linux only. */
export const CAST_OFF = 1;
/** Source register of a call that names a function of the program. */
export const PSEUDO_CALL = 1;
/** Helper number of a trap; the code is in r1. Units of accel1 are 1 to 6. */
export const HELPER_TRAP = 64;
/** Bytes of a frame below r10. */
export const STACK_BYTES = 512;
/** Frames of a call chain, the entry's included. */
export const MAX_FRAMES = 8;

/** Printed form of arithmetic operations. */
export const ALU_TEXT: Readonly<Record<number, string>> = {
  0: "+=",
  16: "-=",
  32: "*=",
  48: "/=",
  64: "|=",
  80: "&=",
  96: "<<=",
  112: ">>=",
  144: "%=",
  160: "^=",
  176: "=",
  192: "s>>=",
};

/** Printed form of conditions. */
export const JMP_TEXT: Readonly<Record<number, string>> = {
  16: "==",
  32: ">",
  48: ">=",
  64: "&",
  80: "!=",
  96: "s>",
  112: "s>=",
  160: "<",
  176: "<=",
  192: "s<",
  208: "s<=",
};
