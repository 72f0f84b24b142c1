/**
 * Offload programs to the live kernel: a BPF program of type `syscall` over an arena that has the host memory's
 * layout. Shares the code generator with the NPU; what differs is in {@link EBPF}.
 */
import type { Result } from "../../diagnostics.ts";
import { tidy } from "../codegen/flow.ts";
import { type Built, type CompiledProgram, compileFor, type LinkTarget } from "../codegen/link.ts";
import { type Lir, lir, MACHINE_REGISTERS } from "../codegen/lir.ts";
import { improve } from "../codegen/thread.ts";
import { CONTROL } from "./control.ts";
import { guard, unusedArguments } from "./guard.ts";
import { ALU_OP, JMP_OP } from "./opcode.ts";

/** How to compile. */
export interface EbpfOptions {
  /** Static region of the function (ABI 1). */
  readonly functionNumber: number;
}

/** Bytes the kernel takes of the frame of a function with loops, for their time. */
const LOOP_BYTES = 16;

/**
 * | | npu | ebpf |
 * | --- | --- | --- |
 * | bounds, division | the machine traps | tests in code (guard.ts) |
 * | a trap | helper 64 | a negative r0 through all frames |
 * | endless loops | watchdog | may_goto to the BUDGET trap in every loop |
 * | loop values | - | hidden from the verifier where a loop begins |
 * | units of accel1 | helpers 1 to 6 | subprograms out of the scalar module |
 * | batch | the engine's | the program's first function |
 * | frames | 512 bytes each | 512 bytes all together, the rest behind the memory |
 */
const EBPF: LinkTarget = /* @__PURE__ */ (() => ({
  batch,
  finish: (built, wide) => {
    const improved = improve(built.code, built.labels);
    const { code, registers, loops } = guard(tidy(improved.code), built.registers, wide);
    return { code, registers, reserved: loops ? LOOP_BYTES : 0 };
  },
  oneStack: { address: CONTROL.FRAMES, bytes: CONTROL.SIZE - CONTROL.FRAMES },
}))();

/** Compile canonical IR bytes; untrusted input ends in diagnostics. */
export function compileEbpf(ir: Uint8Array, options: EbpfOptions): Result<CompiledProgram> {
  return compileFor(EBPF, ir, { ...options, accel: "loops" });
}

const CTL = MACHINE_REGISTERS;
const AT = CTL + 1;
const N = CTL + 2;
const I = CTL + 3;
const R = CTL + 4;
const REGISTERS = MACHINE_REGISTERS + 5;
const DONE = 0;
const NEXT = 1;
const TRAPPED = 2;
const COUNTED = 3;

/**
 * Take the packets from DONE on, until COUNT is reached or the time is up. Results are {ret, trap}; the program
 * names its arena, which ties the two together.
 */
function batch(params: number): Built {
  const control = (d: number, off: number): Lir =>
    lir("alu", { op: ALU_OP.MOV, w: 32, d, imm: off, reloc: "limit" });
  const cast = (r: number): Lir => lir("cast", { d: r, s: r });
  const add = (d: number, s: number): Lir => lir("alu", { op: ALU_OP.ADD, w: 64, d, s });
  const call = lir("call", { op: 1, imm: 1, n: params, result: true, w: 32 });
  const code = [
    lir("const64", { d: 1, reloc: "arena" }),
    ...[control(CTL, CONTROL.COUNT), cast(CTL)],
    lir("load", { d: N, s: CTL, size: 4 }),
    lir("load", { d: I, s: CTL, size: 4, off: CONTROL.DONE }),
    lir("label", { label: NEXT }),
    lir("jump", { op: JMP_OP.JCOND, label: DONE }),
    lir("jump", { op: JMP_OP.JGE, w: 64, d: I, s: N, label: DONE }),
    lir("copy", { d: AT, s: I }),
    lir("alu", { op: ALU_OP.MUL, w: 64, d: AT, imm: 4 * params }),
    ...[control(R, CONTROL.ARGS), add(AT, R), cast(AT)],
    ...Array.from({ length: params }, (_, k) => lir("load", { d: k + 1, s: AT, size: 4, off: 4 * k })),
    ...unusedArguments(call),
    call,
    lir("copy", { d: R, s: 0 }),
    lir("copy", { d: AT, s: I }),
    lir("alu", { op: ALU_OP.LSH, w: 64, d: AT, imm: 3 }),
    ...[control(0, CONTROL.RESULTS), add(AT, 0), cast(AT)],
    lir("jump", { op: JMP_OP.JSLT, w: 64, d: R, imm: 0, label: TRAPPED }),
    lir("store", { d: AT, s: R, size: 4 }),
    lir("store", { d: AT, imm: 0, size: 4, off: 4 }),
    lir("jump", { label: COUNTED }),
    lir("label", { label: TRAPPED }),
    lir("neg", { d: R, w: 32 }),
    lir("store", { d: AT, imm: 0, size: 4 }),
    lir("store", { d: AT, s: R, size: 4, off: 4 }),
    lir("label", { label: COUNTED }),
    lir("alu", { op: ALU_OP.ADD, w: 64, d: I, imm: 1 }),
    lir("store", { d: CTL, s: I, size: 4, off: CONTROL.DONE }),
    lir("jump", { label: NEXT }),
    lir("label", { label: DONE }),
    lir("alu", { op: ALU_OP.MOV, w: 32, d: 0, imm: 0 }),
    lir("exit", {}),
  ];
  return { code, registers: REGISTERS, reserved: LOOP_BYTES };
}
