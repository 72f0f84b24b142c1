// eBPF instructions (RFC 9669) to the engine's form. Everything that could go wrong later is refused here, with
// the number of the instruction: unknown opcodes, reserved fields, registers, jumps, frame accesses.
import { CODE, BUNDLE_BYTES, CONFIG, MAX_SLOTS, PROGRAMS, STACK_BYTES, TEXT } from "./layout";
import {
  ADD_X, ARSH_X, BSWAP16, BSWAP32, BSWAP64, CALL, DIV_X, EXIT, FRAME_ACCESS, INVALID, JA, JEQ_X, JUMP_WIDTH, LD8, LDDW, LDS8, LSH_X, MOD_X,
  MOVSX16, MOVSX16_4, MOVSX32, MOVSX8, MOVSX8_4, MOV_X, MUL_X, NEG, OR_X, RSH_X, SDIV_X, SMOD_X, ST8_K, ST8_X, SUB_X, TRAP, UNIT, WIDE, XOR_X, AND_X,
} from "./ops";

// refusals
export const OK: i32 = 0;
export const E_SIZE: i32 = 1;
export const E_OPCODE: i32 = 2;
export const E_RESERVED: i32 = 3;
export const E_REGISTER: i32 = 4;
export const E_JUMP: i32 = 5;
export const E_FRAME: i32 = 6;
export const E_HELPER: i32 = 7;
export const E_END: i32 = 8;

const HELPER_TRAP: i32 = 64;
const UNITS: i32 = 6;

function refuse(slot: u32, why: i32): i32 {
  store<u32>(CONFIG + 12, slot);
  return why;
}

/** Dense operation of an arithmetic opcode's 64-bit X form, INVALID when there is none. */
function aluOp(op: u32): u32 {
  switch (op >> 4) {
    case 0: return ADD_X;
    case 1: return SUB_X;
    case 2: return MUL_X;
    case 3: return DIV_X;
    case 4: return OR_X;
    case 5: return AND_X;
    case 6: return LSH_X;
    case 7: return RSH_X;
    case 9: return MOD_X;
    case 10: return XOR_X;
    case 11: return MOV_X;
    case 12: return ARSH_X;
    default: return INVALID;
  }
}

/** Position of a condition in the table of conditions, or -1. */
function condition(op: u32): i32 {
  switch (op >> 4) {
    case 1: return 0;
    case 2: return 1;
    case 3: return 2;
    case 4: return 3;
    case 5: return 4;
    case 6: return 5;
    case 7: return 6;
    case 10: return 7;
    case 11: return 8;
    case 12: return 9;
    case 13: return 10;
    default: return -1;
  }
}

/** Write one decoded instruction: {op u8, dst * 8 u8, src * 8 u8, pad, off or target i32, imm i64}. */
function put(at: usize, op: u32, dst: u32, src: u32, off: i32, imm: i64): void {
  store<u8>(at, op);
  store<u8>(at, dst << 3, 1);
  store<u8>(at, src << 3, 2);
  store<u8>(at, 0, 3);
  store<i32>(at, off, 4);
  store<i64>(at, imm, 8);
}

function decodeAlu(at: usize, slot: u32, op: u32, dst: u32, src: u32, off: i32, imm: i32): i32 {
  const wide = (op & 7) == 7;
  const register = (op & 8) != 0;
  const kind = op & 0xf0;
  if (dst >= 10) return refuse(slot, E_REGISTER);
  if (kind == 0xd0) {
    if (op != 0xd7 || (imm != 16 && imm != 32 && imm != 64)) return refuse(slot, E_OPCODE);
    if (src || off) return refuse(slot, E_RESERVED);
    put(at, imm == 16 ? BSWAP16 : imm == 32 ? BSWAP32 : BSWAP64, dst, 0, 0, 0);
    return OK;
  }
  if (kind == 0x80) {
    if (register) return refuse(slot, E_OPCODE);
    if (src || off || imm) return refuse(slot, E_RESERVED);
    put(at, wide ? NEG : NEG + WIDE, dst, 0, 0, 0);
    return OK;
  }
  let dense = aluOp(op & 0xf0);
  if (dense == INVALID) return refuse(slot, E_OPCODE);
  if (register ? imm != 0 : src != 0) return refuse(slot, E_RESERVED);
  if (register && src >= 10) return refuse(slot, E_REGISTER);
  if (off) {
    if (off == 1 && (kind == 0x30 || kind == 0x90)) dense = kind == 0x30 ? SDIV_X : SMOD_X;
    else if (kind == 0xb0 && register && (off == 8 || off == 16 || (off == 32 && wide))) {
      put(at, off == 8 ? (wide ? MOVSX8 : MOVSX8_4) : off == 16 ? (wide ? MOVSX16 : MOVSX16_4) : MOVSX32, dst, src, 0, 0);
      return OK;
    } else return refuse(slot, E_RESERVED);
  }
  put(at, dense + (register ? 0 : 1) + (wide ? 0 : WIDE), dst, src, 0, wide ? <i64>imm : <i64><u32>imm);
  return OK;
}

function decodeMemory(at: usize, slot: u32, op: u32, dst: u32, src: u32, off: i32, imm: i32): i32 {
  const kind = op & 7;
  const mode = op & 0xe0;
  const signed = kind == 1 && mode == 0x80;
  if (mode != 0x60 && !signed) return refuse(slot, E_OPCODE);
  // W H B DW in the opcode; B H W DW here
  const code = (op >> 3) & 3;
  const log: u32 = code == 0 ? 2 : code == 1 ? 1 : code == 2 ? 0 : 3;
  if (signed && log == 3) return refuse(slot, E_OPCODE);
  if (kind == 2 ? src != 0 : imm != 0) return refuse(slot, E_RESERVED);
  const base = kind == 1 ? src : dst;
  const value = kind == 1 ? dst : src;
  if (base > 10 || value >= 10) return refuse(slot, E_REGISTER);
  let dense = kind == 1 ? (signed ? LDS8 : LD8) + log : kind == 3 ? ST8_X + log : ST8_K + log;
  let where = off;
  if (base == 10) {
    if (off < -<i32>STACK_BYTES || off + (1 << log) > 0) return refuse(slot, E_FRAME);
    dense += FRAME_ACCESS;
    where = off + <i32>STACK_BYTES;
  }
  put(at, dense, dst == 10 ? 0 : dst, src == 10 ? 0 : src, where, <i64>imm);
  return OK;
}

/** Is there an instruction at this slot (and not the second half of one)? */
function isStart(text: usize, slots: u32, target: i64): bool {
  if (target < 0 || target >= <i64>slots) return false;
  // second halves have opcode 0, which is no instruction
  return load<u8>(text + <usize>target * 8) != 0;
}

function decodeJump(at: usize, code: usize, text: usize, slots: u32, slot: u32, op: u32, dst: u32, src: u32, off: i32, imm: i32): i32 {
  if (op == 0x95) {
    if (dst || src || off || imm) return refuse(slot, E_RESERVED);
    put(at, EXIT, 0, 0, 0, 0);
    return OK;
  }
  if (op == 0x85) {
    if (dst || off) return refuse(slot, E_RESERVED);
    if (src == 0) {
      if (imm == HELPER_TRAP) put(at, TRAP, 0, 0, 0, 0);
      else if (imm >= 1 && imm <= UNITS) put(at, UNIT, 0, 0, 0, <i64>imm);
      else return refuse(slot, E_HELPER);
      return OK;
    }
    const callee = <i64>slot + 1 + <i64>imm;
    if (src != 1) return refuse(slot, E_RESERVED);
    if (!isStart(text, slots, callee)) return refuse(slot, E_JUMP);
    put(at, CALL, 0, 0, <i32>(code + <usize>callee * 16), 0);
    return OK;
  }
  const always = op == 0x05 || op == 0x06;
  const target = <i64>slot + 1 + (op == 0x06 ? <i64>imm : <i64>off);
  if (always) {
    if (dst || src || (op == 0x05 ? imm : off)) return refuse(slot, E_RESERVED);
    if (!isStart(text, slots, target)) return refuse(slot, E_JUMP);
    put(at, JA, 0, 0, <i32>(code + <usize>target * 16), 0);
    return OK;
  }
  const which = condition(op & 0xf0);
  if (which < 0) return refuse(slot, E_OPCODE);
  const register = (op & 8) != 0;
  if (register ? imm != 0 : src != 0) return refuse(slot, E_RESERVED);
  if (dst >= 10 || (register && src >= 10)) return refuse(slot, E_REGISTER);
  if (!isStart(text, slots, target)) return refuse(slot, E_JUMP);
  const narrow = (op & 7) == 6;
  const dense = JEQ_X + <u32>which * 2 + (register ? 0 : 1) + (narrow ? JUMP_WIDTH : 0);
  put(at, dense, dst, src, <i32>(code + <usize>target * 16), narrow ? <i64><u32>imm : <i64>imm);
  return OK;
}

function decodeOne(code: usize, text: usize, slots: u32, slot: u32): i32 {
  const from = text + <usize>slot * 8;
  const at = code + <usize>slot * 16;
  const op = <u32>load<u8>(from);
  const dst = <u32>load<u8>(from, 1) & 15;
  const src = <u32>load<u8>(from, 1) >> 4;
  const off = <i32>load<i16>(from, 2);
  const imm = load<i32>(from, 4);
  const kind = op & 7;
  if (op == 0x18) {
    if (dst >= 10) return refuse(slot, E_REGISTER);
    if (src || off || slot + 1 >= slots || load<u32>(from, 8) != 0) return refuse(slot, E_RESERVED);
    put(at, LDDW, dst, 0, 0, <i64>((<u64>load<u32>(from, 12) << 32) | <u64><u32>imm));
    put(at + 16, INVALID, 0, 0, 0, 0);
    return OK;
  }
  if (kind == 4 || kind == 7) return decodeAlu(at, slot, op, dst, src, off, imm);
  if (kind == 5 || kind == 6) return decodeJump(at, code, text, slots, slot, op, dst, src, off, imm);
  if (kind == 1 || kind == 2 || kind == 3) return decodeMemory(at, slot, op, dst, src, off, imm);
  return refuse(slot, E_OPCODE);
}

/**
 * Decode `bytes` of code at TEXT into bundle slot `slot` behind `used` slots already taken there.
 * @returns 0, or why not; the instruction's number is in CONFIG + 12
 */
export function decodeProgram(slot: u32, fn: u32, bytes: u32, used: u32): i32 {
  const slots = bytes / 8;
  if (slot > 1 || fn > 15 || bytes % 8 != 0 || slots == 0 || slots > MAX_SLOTS - used) return refuse(0, E_SIZE);
  const code = CODE + <usize>slot * BUNDLE_BYTES + <usize>used * 16;
  for (let i: u32 = 0; i < slots; i++) {
    const failed = decodeOne(code, TEXT, slots, i);
    if (failed != OK) return failed;
    if (load<u8>(TEXT + <usize>i * 8) == 0x18) i++;
  }
  const last = load<u8>(code + <usize>(slots - 1) * 16);
  if (last != EXIT && last != JA && last != TRAP) return refuse(slots - 1, E_END);
  const entry = PROGRAMS + (<usize>slot * 16 + <usize>fn) * 8;
  store<u32>(entry, <u32>code);
  store<u32>(entry, slots, 4);
  return OK;
}
