/** The few BPF instructions that probes of this package are written in. @see RFC 9669 */

/** One instruction: eight bytes (sixteen of {@link mapValue}). */
export type Insn = Uint8Array;

function insn(op: number, dst: number, src: number, off: number, imm: number): Insn {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  bytes[0] = op;
  bytes[1] = dst | (src << 4);
  view.setInt16(2, off, true);
  view.setInt32(4, imm, true);
  return bytes;
}

const BPF_PSEUDO_CALL = 1;
const SIZE = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 } as const;
/** Bytes of a load or store. */
export type Width = keyof typeof SIZE;
const ALU = { add: 0x07, sub: 0x17, lsh: 0x67, rsh: 0x77 } as const;
/** Opcodes of a jump that compares a register with a register; a comparison with a number has bit 3 clear. */
const JUMP = { "==": 0x1d, ">": 0x2d, "!=": 0x5d, "<": 0xad } as const;

/** dst = src. */
export const move = (dst: number, src: number): Insn => insn(0xbf, dst, src, 0, 0);
/** dst = number. */
export const set = (dst: number, value: number): Insn => insn(0xb7, dst, 0, 0, value);
/** dst = dst op number, 64 bits. */
export const alu = (op: keyof typeof ALU, dst: number, value: number): Insn =>
  insn(ALU[op], dst, 0, 0, value);
/** dst = -dst. */
export const negate = (dst: number): Insn => insn(0x87, dst, 0, 0, 0);
/** dst = *(src + off). */
export const load = (width: Width, dst: number, src: number, off: number): Insn =>
  insn(0x61 | SIZE[width], dst, src, off, 0);
/** *(dst + off) = src. */
export const store = (width: Width, dst: number, off: number, src: number): Insn =>
  insn(0x63 | SIZE[width], dst, src, off, 0);
/** Skip `slots` if the registers compare so. */
export const skipIf = (a: number, op: keyof typeof JUMP, b: number, slots: number): Insn =>
  insn(JUMP[op], a, b, slots, 0);
/** Skip `slots` if register and number compare so. */
export const skipIfNumber = (a: number, op: keyof typeof JUMP, value: number, slots: number): Insn =>
  insn(JUMP[op] & ~8, a, 0, slots, value);
/** Call a helper: arguments in r1 to r5, result in r0. */
export const call = (helper: number): Insn => insn(0x85, 0, 0, 0, helper);
/** Call a function of the same program that begins `slots` behind the next instruction. */
export function callOwn(slots: number): Insn {
  const bytes = insn(0x85, 0, 0, 0, slots);
  bytes[1] = BPF_PSEUDO_CALL << 4;
  return bytes;
}
export const exit = (): Insn => insn(0x95, 0, 0, 0, 0);

/** dst = address of the only value of an array map; two slots. */
export function mapValue(dst: number, fd: number): Insn {
  const BPF_PSEUDO_MAP_VALUE = 2;
  return Uint8Array.from([...insn(0x18, dst, BPF_PSEUDO_MAP_VALUE, 0, fd), ...insn(0, 0, 0, 0, 0)]);
}

/** A program's text. */
export function assemble(...insns: readonly Insn[]): Uint8Array {
  const text = new Uint8Array(insns.reduce((n, i) => n + i.length, 0));
  let at = 0;
  for (const i of insns) {
    text.set(i, at);
    at += i.length;
  }
  return text;
}

/** Helpers by the numbers of include/uapi/linux/bpf.h. */
export const HELPER = {
  get_smp_processor_id: 8,
  get_hash_recalc: 34,
  xdp_adjust_head: 44,
  xdp_adjust_tail: 65,
  probe_read_kernel: 113,
} as const;
