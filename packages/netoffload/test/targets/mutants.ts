/**
 * Single-instruction changes of a device image's code (eBPF instruction set, RFC 9669): another operation,
 * register, offset or immediate. Changes of operand width between 32 and 64 bits alone are not made: on values
 * that fit they are no change at all.
 */

/** One changed program. */
export interface Mutant {
  /** Index of the changed instruction, counted in 8-byte units. */
  readonly at: number;
  /** What was done, e.g. `opcode 0x0c -> 0x1c`. */
  readonly change: string;
  readonly kind: "opcode" | "register" | "offset" | "immediate";
  readonly text: Uint8Array;
}

const CLASS_LD = 0;
const CLASS_LDX = 1;
const CLASS_ST = 2;
const CLASS_STX = 3;
const CLASS_ALU = 4;
const CLASS_JMP = 5;
const CLASS_JMP32 = 6;
const CLASS_ALU64 = 7;

/** Arithmetic operation codes and what each is changed to. */
const OTHER_ALU: Readonly<Record<number, number>> = {
  0: 0x10, // add -> sub
  16: 0x00, // sub -> add
  32: 0x00, // mul -> add
  48: 0x90, // div -> mod
  64: 0x50, // or -> and
  80: 0x40, // and -> or
  96: 0x70, // lsh -> rsh
  112: 0x60, // rsh -> lsh
  144: 0x30, // mod -> div
  160: 0x40, // xor -> or
  176: 0x00, // mov -> add
  192: 0x70, // arsh -> rsh
};

/** Conditional jumps and what each is changed to: the neighbour that differs in one case only. */
const OTHER_JUMP: Readonly<Record<number, readonly number[]>> = {
  16: [0x50], // jeq -> jne
  32: [0x30, 0xb0], // jgt -> jge, jle
  48: [0x20, 0xa0], // jge -> jgt, jlt
  64: [0x10], // jset -> jeq
  80: [0x10], // jne -> jeq
  96: [0x70, 0xd0], // jsgt -> jsge, jsle
  112: [0x60, 0xc0], // jsge -> jsgt, jslt
  160: [0xb0, 0x30], // jlt -> jle, jge
  176: [0xa0, 0x20], // jle -> jlt, jgt
  192: [0xd0, 0x70], // jslt -> jsle, jsge
  208: [0xc0, 0x60], // jsle -> jslt, jsgt
};

/** Every mutant of one program, restricted to the instructions that `executed` names. */
export function* mutants(text: Uint8Array, executed: (index: number) => boolean): Generator<Mutant> {
  const view = new DataView(text.buffer, text.byteOffset, text.byteLength);
  for (let at = 0; at * 8 < text.length; at++) {
    const opcode = text[at * 8]!;
    if (executed(at)) yield* changesOf(text, view, at, opcode);
    // the second half of a 64-bit immediate is no instruction
    if (opcode === 0x18) at++;
  }
}

function* changesOf(text: Uint8Array, view: DataView, at: number, opcode: number): Generator<Mutant> {
  const kind = opcode & 7;
  yield* opcodeChanges(text, at, opcode, kind);
  yield* registerChanges(text, at, opcode, kind);
  const offset = view.getInt16(at * 8 + 2, true);
  const usesOffset = kind === CLASS_LDX || kind === CLASS_ST || kind === CLASS_STX || isJump(opcode);
  if (usesOffset)
    for (const delta of [1, -1, 2])
      yield changed(text, at, "offset", `offset ${offset} -> ${offset + delta}`, (v) =>
        v.setInt16(at * 8 + 2, offset + delta, true),
      );
  if (usesImmediate(opcode, kind)) {
    const imm = view.getInt32(at * 8 + 4, true);
    for (const other of [imm + 1, imm - 1, imm ^ 0x100])
      yield changed(text, at, "immediate", `immediate ${imm} -> ${other | 0}`, (v) =>
        v.setInt32(at * 8 + 4, other | 0, true),
      );
  }
}

function* opcodeChanges(text: Uint8Array, at: number, opcode: number, kind: number): Generator<Mutant> {
  const to = (other: number): Mutant =>
    changed(text, at, "opcode", `opcode 0x${opcode.toString(16)} -> 0x${other.toString(16)}`, (v) =>
      v.setUint8(at * 8, other),
    );
  if (kind === CLASS_ALU || kind === CLASS_ALU64) {
    const other = OTHER_ALU[opcode & 0xf0];
    if (other !== undefined) yield to((opcode & 0x0f) | other);
  } else if (kind === CLASS_JMP || kind === CLASS_JMP32) {
    for (const other of OTHER_JUMP[opcode & 0xf0] ?? []) yield to((opcode & 0x0f) | other);
  } else if (kind === CLASS_LDX || kind === CLASS_STX || kind === CLASS_ST) {
    // sizes W 0x00, H 0x08, B 0x10, DW 0x18: another one, but neither W for DW nor DW for W
    yield to((opcode & ~0x18) | ((opcode & 0x18) === 0x08 ? 0x10 : 0x08));
  } else if (kind === CLASS_LD) {
    return;
  }
}

function* registerChanges(text: Uint8Array, at: number, opcode: number, kind: number): Generator<Mutant> {
  const registers = text[at * 8 + 1]!;
  const destination = registers & 15;
  const source = registers >> 4;
  const hasDestination = !isCall(opcode) && opcode !== 0x95 && (opcode & 0xf7) !== 0x05;
  const hasSource =
    kind === CLASS_LDX ||
    kind === CLASS_STX ||
    ((kind >= CLASS_ALU || kind === CLASS_ALU64) && (opcode & 8) !== 0 && hasDestination);
  const to = (d: number, s: number): Mutant =>
    changed(text, at, "register", `registers r${destination},r${source} -> r${d},r${s}`, (v) =>
      v.setUint8(at * 8 + 1, (s << 4) | d),
    );
  if (hasDestination && destination < 10) yield to((destination + 1) % 10, source);
  if (hasSource && source < 10) yield to(destination, (source + 1) % 10);
}

const isCall = (opcode: number): boolean => opcode === 0x85;

/** Conditional and unconditional jumps with a 16-bit target. */
function isJump(opcode: number): boolean {
  const kind = opcode & 7;
  return (
    (kind === CLASS_JMP || kind === CLASS_JMP32) && !isCall(opcode) && opcode !== 0x95 && opcode !== 0x06
  );
}

function usesImmediate(opcode: number, kind: number): boolean {
  if (isCall(opcode) || opcode === 0x18) return true;
  if (kind === CLASS_ST) return true;
  if (kind !== CLASS_ALU && kind !== CLASS_ALU64 && kind !== CLASS_JMP && kind !== CLASS_JMP32) return false;
  return (
    (opcode & 8) === 0 && opcode !== 0x95 && opcode !== 0x05 && opcode !== 0x06 && (opcode & 0xf0) !== 0x80
  );
}

function changed(
  text: Uint8Array,
  at: number,
  kind: Mutant["kind"],
  change: string,
  edit: (view: DataView) => void,
): Mutant {
  const copy = text.slice();
  edit(new DataView(copy.buffer));
  return { at, change, kind, text: copy };
}
