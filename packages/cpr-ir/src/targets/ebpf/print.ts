/** Instructions as text, in the form of `llvm-objdump -d --mcpu=v4` without addresses and symbols. */
import { type Insn, isCast, isMayGoto } from "./insn.ts";
import {
  ALU_OP,
  ALU_TEXT,
  CLASS,
  JMP_TEXT,
  MODE_MEMSX,
  OP_BSWAP,
  OP_CALL,
  OP_EXIT,
  OP_GOTOL,
  OP_JA,
  OP_LDDW,
  SRC_X,
} from "./opcode.ts";

const hex = (n: number): string => (n < 0 ? `-0x${(-n).toString(16)}` : `0x${n.toString(16)}`);
const signed = (n: number): string => (n < 0 ? `-${hex(-n)}` : `+${hex(n)}`);
const address = (register: number, off: number): string =>
  `(r${register} ${off < 0 ? "-" : "+"} ${hex(Math.abs(off))})`;
const WIDTH: Readonly<Record<number, number>> = { 0: 32, 8: 16, 16: 8, 24: 64 };

/** One instruction. */
export function printInsn(i: Insn): string {
  const kind = i.op & 7;
  const width = WIDTH[i.op & 0x18]!;
  if (isCast(i)) return `r${i.dst} = addr_space_cast(r${i.src}, 0x0, 0x1)`;
  if (isMayGoto(i)) return `may_goto ${signed(i.off)}`;
  if (i.op === OP_LDDW) return `r${i.dst} = ${hex64(i.imm64!)} ll`;
  if (kind === CLASS.LDX)
    return `r${i.dst} = *(${(i.op & 0xe0) === MODE_MEMSX ? "s" : "u"}${width} *)${address(i.src, i.off)}`.replace(
      /^r/,
      kind === CLASS.LDX && (i.op & 0xe0) !== MODE_MEMSX && width < 64 ? "w" : "r",
    );
  if (kind === CLASS.STX) return `*(u${width} *)${address(i.dst, i.off)} = ${width < 64 ? "w" : "r"}${i.src}`;
  if (kind === CLASS.ST) return `*(u${width} *)${address(i.dst, i.off)} = ${hex(i.imm)}`;
  if (kind === CLASS.ALU || kind === CLASS.ALU64) return printAlu(i, kind);
  return printJump(i, kind);
}

/** 64 bits as llvm-objdump has them: signed. */
function hex64(value: bigint): string {
  const v = BigInt.asIntN(64, value);
  return v < 0n ? `-0x${(-v).toString(16)}` : `0x${v.toString(16)}`;
}

function printAlu(i: Insn, kind: number): string {
  const r = kind === CLASS.ALU64 ? "r" : "w";
  const op = i.op & 0xf0;
  if (i.op === OP_BSWAP) return `r${i.dst} = bswap${i.imm} r${i.dst}`;
  if (op === ALU_OP.NEG) return `${r}${i.dst} = -${r}${i.dst}`;
  const sign = (op === ALU_OP.DIV || op === ALU_OP.MOD) && i.off === 1 ? "s" : "";
  if ((i.op & SRC_X) === 0) return `${r}${i.dst} ${sign}${ALU_TEXT[op]} ${hex(i.imm)}`;
  const cast = op === ALU_OP.MOV && i.off !== 0 ? `(s${i.off})` : "";
  return `${r}${i.dst} ${sign}${ALU_TEXT[op]} ${cast}${r}${i.src}`;
}

function printJump(i: Insn, kind: number): string {
  if (i.op === OP_EXIT) return "exit";
  if (i.op === OP_CALL) return `call ${hex(i.imm)}`;
  if (i.op === OP_JA) return `goto ${signed(i.off)}`;
  if (i.op === OP_GOTOL) return `gotol ${signed(i.imm)}`;
  const r = kind === CLASS.JMP ? "r" : "w";
  const right = (i.op & SRC_X) !== 0 ? `${r}${i.src}` : hex(i.imm);
  return `if ${r}${i.dst} ${JMP_TEXT[i.op & 0xf0]} ${right} goto ${signed(i.off)}`;
}
