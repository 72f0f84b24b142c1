/** One eBPF instruction as data, to and from its 8 bytes. */
import { fail, ok, type Result } from "../../diagnostics.ts";
import {
  ALU_OP,
  ALU_TEXT,
  CAST_OFF,
  CLASS,
  JMP_TEXT,
  MODE_MEM,
  MODE_MEMSX,
  OP_BSWAP,
  OP_CALL,
  OP_EXIT,
  OP_GOTOL,
  OP_JA,
  OP_LDDW,
  OP_MAY_GOTO,
  SIZE,
  SRC_X,
} from "./opcode.ts";

/** An instruction; a 64-bit immediate load is one of these with `imm64`, and takes two slots. */
export interface Insn {
  readonly op: number;
  readonly dst: number;
  readonly src: number;
  /** Signed 16 bits. */
  readonly off: number;
  /** Signed 32 bits. */
  readonly imm: number;
  readonly imm64?: bigint;
}

/** Write instructions, 8 bytes a slot, little endian. */
export function encodeInsns(insns: readonly Insn[]): Uint8Array {
  const slots = insns.reduce((n, i) => n + (i.op === OP_LDDW ? 2 : 1), 0);
  const out = new Uint8Array(slots * 8);
  const view = new DataView(out.buffer);
  let at = 0;
  for (const i of insns) {
    out[at] = i.op;
    out[at + 1] = (i.src << 4) | i.dst;
    view.setInt16(at + 2, i.off, true);
    view.setInt32(at + 4, i.op === OP_LDDW ? Number(BigInt.asIntN(32, i.imm64!)) : i.imm, true);
    at += 8;
    if (i.op === OP_LDDW) {
      view.setInt32(at + 4, Number(BigInt.asIntN(32, i.imm64! >> 32n)), true);
      at += 8;
    }
  }
  return out;
}

/** What is wrong with an instruction's fields; null when it is one that we emit. @param linux - for the live kernel */
export function judgeInsn(i: Insn, linux = false): string | null {
  const kind = i.op & 7;
  if (linux && (isCast(i) || isMayGoto(i))) return null;
  if (i.dst > 10 || i.src > 10) return `register r${Math.max(i.dst, i.src)} does not exist`;
  if (i.op === OP_LDDW) return i.src === 0 && i.off === 0 ? null : "reserved fields are not zero";
  if (kind === CLASS.ALU || kind === CLASS.ALU64) return judgeAlu(i, kind);
  if (kind === CLASS.JMP || kind === CLASS.JMP32) return judgeJump(i, kind);
  const mode = i.op & 0xe0;
  if (kind === CLASS.LDX) {
    const known = mode === MODE_MEM || (mode === MODE_MEMSX && (i.op & 0x18) !== SIZE.DW);
    return !known ? "unknown opcode" : i.imm === 0 ? null : "reserved fields are not zero";
  }
  if (kind === CLASS.STX)
    return mode !== MODE_MEM ? "unknown opcode" : i.imm === 0 ? null : "reserved fields are not zero";
  if (kind === CLASS.ST)
    return mode !== MODE_MEM ? "unknown opcode" : i.src === 0 ? null : "reserved fields are not zero";
  return "unknown opcode";
}

/** Copy as an address of the arena: Linux only. */
export function isCast(i: Insn): boolean {
  return (
    i.op === (CLASS.ALU64 | SRC_X | ALU_OP.MOV) &&
    i.off === CAST_OFF &&
    i.imm === 1 &&
    i.dst < 10 &&
    i.src < 10
  );
}

/** May goto: Linux only. */
export function isMayGoto(i: Insn): boolean {
  return i.op === OP_MAY_GOTO && i.dst === 0 && i.src === 0 && i.imm === 0;
}

function judgeAlu(i: Insn, kind: number): string | null {
  const op = i.op & 0xf0;
  const register = (i.op & SRC_X) !== 0;
  if (op === ALU_OP.END) {
    if (i.op !== OP_BSWAP || ![16, 32, 64].includes(i.imm)) return "unknown opcode";
    return i.src === 0 && i.off === 0 ? null : "reserved fields are not zero";
  }
  if (op === ALU_OP.NEG)
    return register
      ? "unknown opcode"
      : i.src === 0 && i.off === 0 && i.imm === 0
        ? null
        : "reserved fields are not zero";
  if (ALU_TEXT[op] === undefined) return "unknown opcode";
  if (register ? i.imm !== 0 : i.src !== 0) return "reserved fields are not zero";
  if (i.off === 0) return null;
  if (op === ALU_OP.DIV || op === ALU_OP.MOD) return i.off === 1 ? null : "unknown offset of a division";
  const widths = kind === CLASS.ALU64 ? [8, 16, 32] : [8, 16];
  if (op === ALU_OP.MOV && register)
    return widths.includes(i.off) ? null : "unknown width of a sign extension";
  return "reserved fields are not zero";
}

function judgeJump(i: Insn, kind: number): string | null {
  if (i.op === OP_JA)
    return i.dst === 0 && i.src === 0 && i.imm === 0 ? null : "reserved fields are not zero";
  if (i.op === OP_GOTOL)
    return i.dst === 0 && i.src === 0 && i.off === 0 ? null : "reserved fields are not zero";
  if (i.op === OP_CALL)
    return i.src > 1
      ? "unknown kind of call"
      : i.dst === 0 && i.off === 0
        ? null
        : "reserved fields are not zero";
  if (i.op === OP_EXIT)
    return i.dst === 0 && i.src === 0 && i.off === 0 && i.imm === 0 ? null : "reserved fields are not zero";
  if (JMP_TEXT[i.op & 0xf0] === undefined || kind < CLASS.JMP) return "unknown opcode";
  const register = (i.op & SRC_X) !== 0;
  return (register ? i.imm !== 0 : i.src !== 0) ? "reserved fields are not zero" : null;
}

/**
 * Read code from untrusted bytes; the second slot of a 64-bit immediate is consumed with its first.
 * @param linux - code for the live kernel, which has instructions of its own
 */
export function decodeInsns(text: Uint8Array, linux = false): Result<Insn[]> {
  if (text.length % 8 !== 0) return fail("ebpf", `${text.length} bytes of code are no multiple of 8`);
  const view = new DataView(text.buffer, text.byteOffset, text.byteLength);
  const out: Insn[] = [];
  for (let at = 0; at < text.length; at += 8) {
    const op = text[at]!;
    const registers = text[at + 1]!;
    let insn: Insn = {
      op,
      dst: registers & 15,
      src: registers >> 4,
      off: view.getInt16(at + 2, true),
      imm: view.getInt32(at + 4, true),
    };
    const slot = at / 8;
    if (op === OP_LDDW) {
      if (at + 16 > text.length)
        return fail("ebpf", `instruction ${slot}: second half is missing`, { offset: at });
      if (view.getUint32(at + 8, true) !== 0)
        return fail("ebpf", `instruction ${slot}: reserved fields are not zero`, { offset: at });
      const imm64 = BigInt.asUintN(
        64,
        (BigInt(view.getUint32(at + 12, true)) << 32n) | BigInt(view.getUint32(at + 4, true)),
      );
      insn = { ...insn, imm64 };
      at += 8;
    }
    const wrong = judgeInsn(insn, linux);
    if (wrong !== null)
      return fail("ebpf", `instruction ${slot}: ${wrong} (opcode 0x${op.toString(16)})`, {
        offset: slot * 8,
      });
    out.push(insn);
  }
  return ok(out);
}

/** Constants used by printers and tests. */
export { ALU_OP, CLASS };
