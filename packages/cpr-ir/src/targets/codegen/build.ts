/**
 * WebAssembly to linear form: the operand stack becomes expressions, evaluated where they are consumed; locals
 * become virtual registers.
 */
import { OPCODES } from "../../wasm/opcode.ts";
import { ACCEL1, type Accel1Name } from "../../wasm/profile.ts";
import { I64, type Instruction, typeOf, type WasmFunction, type WasmModule } from "../../wasm/types.ts";
import { ALU_OP, HELPER_TRAP, JMP_OP } from "../ebpf/opcode.ts";
import {
  type BinaryOp,
  binary,
  bitsOf,
  constant,
  type Expr,
  lowHalf,
  reads,
  sizeOf,
  type UnaryOp,
} from "./expr.ts";
import { INVERSE, type Lir, lir, MACHINE_REGISTERS, NONE } from "./lir.ts";

/** A construct the code generator cannot express; carries where. */
export class CannotCompile extends Error {
  readonly origin: number;
  constructor(message: string, origin: number) {
    super(message);
    this.origin = origin;
  }
}

/** What differs between the targets that share this generator. */
export interface TargetTraits {
  /** How a call of an acceleration unit is made: a helper by number, or a function of the program. */
  accel(name: Accel1Name): { helper: number } | { function: number };
  /** Address of mutable global i's cell. */
  globalCell(index: number): number;
  /** Function numbers (in the program) of memory.copy and memory.fill. */
  runtime(name: "memory.copy" | "memory.fill"): number;
  /** Program function of the module's function (its index among the module's own). */
  functionNumber(index: number): number;
}

/** Trap codes as a program raises them. */
const TRAP_DIV_ZERO = 1;
const TRAP_OVERFLOW = 2;
const TRAP_UNREACHABLE = 4;

/** Largest expression kept unevaluated: beyond it a temporary is made, so that work stays linear. */
const MAX_EXPR = 24;

interface Block {
  readonly op: number;
  /** Target of branches. */
  readonly label: number;
  /** else part of an if; NONE once it was placed. */
  elseLabel: number;
  /** Register of the block's result, or NONE. */
  readonly result: number;
  readonly resultWidth: 32 | 64;
  readonly height: number;
  /** Code before the block's start was reachable. */
  readonly entered: boolean;
  branchedTo: boolean;
}

/** A function in linear form. */
export interface LirFunction {
  readonly code: Lir[];
  readonly registers: number;
  readonly labels: number;
}

/** Build one function of a validated module. Throws {@link CannotCompile}. */
export function buildFunction(module: WasmModule, fn: WasmFunction, traits: TargetTraits): LirFunction {
  return new Builder(module, fn, traits).run();
}

class Builder {
  readonly #module: WasmModule;
  readonly #fn: WasmFunction;
  readonly #traits: TargetTraits;
  readonly #code: Lir[] = [];
  readonly #stack: Expr[] = [];
  readonly #blocks: Block[] = [];
  readonly #localWidth: (32 | 64)[] = [];
  #registers: number = MACHINE_REGISTERS;
  #labels = 0;
  #depth = 0;
  #origin = 0;
  #reachable = true;
  /** Blocks opened in unreachable code: skipped whole. */
  #skipped = 0;

  constructor(module: WasmModule, fn: WasmFunction, traits: TargetTraits) {
    this.#module = module;
    this.#fn = fn;
    this.#traits = traits;
  }

  run(): LirFunction {
    const type = this.#module.types[this.#fn.type]!;
    if (type.params.length > 5)
      throw new CannotCompile(
        `${type.params.length} parameters: at most 5 fit in registers`,
        this.#fn.offset,
      );
    for (const t of [...type.params, ...this.#fn.locals]) this.#localWidth.push(t === I64 ? 64 : 32);
    this.#registers += this.#localWidth.length;
    for (let i = 0; i < type.params.length; i++) this.#emit(lir("copy", { d: this.#local(i), s: i + 1 }));
    const zeros = this.#code.length;
    this.#open(0x02, type.results.length > 0 ? (type.results[0] === I64 ? 64 : 32) : null);
    for (const instruction of this.#fn.body) {
      this.#origin = instruction.offset;
      this.#step(instruction);
    }
    // a local without a value is 0; the allocator's liveness drops those that are always written first
    const zero = this.#fn.locals.map((_, i) =>
      lir("alu", { op: ALU_OP.MOV, w: 32, d: this.#local(type.params.length + i), imm: 0 }),
    );
    this.#code.splice(zeros, 0, ...zero);
    return { code: this.#code, registers: this.#registers, labels: this.#labels };
  }

  // --- small things

  #local(i: number): number {
    return MACHINE_REGISTERS + i;
  }

  #temp(): number {
    return this.#registers++;
  }

  #label(): number {
    return this.#labels++;
  }

  #emit(i: Lir): void {
    i.depth = this.#depth;
    i.origin = this.#origin;
    this.#code.push(i);
  }

  #push(e: Expr): void {
    if (sizeOf(e) <= MAX_EXPR) {
      this.#stack.push(e);
      return;
    }
    this.#stack.push({ t: "reg", w: e.w, r: this.#eval(e), bits: bitsOf(e) });
  }

  #pop(): Expr {
    return this.#stack.pop()!;
  }

  /** Compute every pending value that `touched` selects, so that later changes do not reach it. */
  #settle(touched: (e: Expr) => boolean): void {
    for (let i = 0; i < this.#stack.length; i++) {
      const e = this.#stack[i]!;
      if (e.t === "const" || !touched(e)) continue;
      const r = this.#temp();
      this.#into(e, r);
      this.#stack[i] = { t: "reg", w: e.w, r, bits: bitsOf(e) };
    }
  }

  #place(label: number): void {
    this.#emit(lir("label", { label }));
  }

  #goto(label: number): void {
    this.#emit(lir("jump", { label }));
  }

  // --- evaluation

  /** The register that holds a value; a plain register is used where it is. */
  #eval(e: Expr): number {
    if (e.t === "reg") return e.r;
    if (e.t === "un" && e.op === "extend_u") return this.#eval(e.a);
    const r = this.#temp();
    this.#into(e, r);
    return r;
  }

  /** As a source operand: an immediate where it fits in 32 signed bits, else a register. */
  #operand(e: Expr): { s: number; imm: number } {
    if (e.t === "const" && e.v >= -0x80000000n && e.v <= 0x7fffffffn) return { s: NONE, imm: Number(e.v) };
    return { s: this.#eval(e), imm: 0 };
  }

  /** Where only the low 32 bits matter: the wrapped value itself. */
  #low32(e: Expr): Expr {
    return e.t === "un" && e.op === "wrap" ? e.a : e;
  }

  /** Compute a value into a register of its own. */
  #into(e: Expr, d: number): void {
    switch (e.t) {
      case "const":
        this.#constInto(e.w, e.v, d);
        return;
      case "reg":
        this.#emit(lir("copy", { d, s: e.r }));
        return;
      case "cmp": {
        const label = this.#label();
        const a = this.#eval(e.of === 32 ? this.#low32(e.a) : e.a);
        const b = this.#operand(e.of === 32 && e.b.t !== "const" ? this.#low32(e.b) : e.b);
        this.#emit(lir("alu", { op: ALU_OP.MOV, w: 32, d, imm: 1 }));
        this.#emit(lir("jump", { op: e.op, w: e.of, d: a, ...b, label }));
        this.#emit(lir("alu", { op: ALU_OP.MOV, w: 32, d, imm: 0 }));
        this.#place(label);
        return;
      }
      case "bin":
        this.#binaryInto(e.op, e.w, e.a, e.b, d);
        return;
      case "un":
        this.#unaryInto(e.op, e.w, e.a, d);
    }
  }

  /** Give a local a value that may be computed from the local itself. */
  #assign(value: Expr, r: number): void {
    // a temporary that was made just now, and that nobody else knows, becomes the local
    const last = this.#code[this.#code.length - 1];
    if (
      value.t === "reg" &&
      value.r >= MACHINE_REGISTERS + this.#localWidth.length &&
      last !== undefined &&
      last.kind === "load" &&
      last.d === value.r
    ) {
      last.d = r;
      return;
    }
    if (!reads(value, r)) {
      this.#into(value, r);
      return;
    }
    const t = this.#temp();
    this.#into(value, t);
    this.#emit(lir("copy", { d: r, s: t }));
  }

  #constInto(w: 32 | 64, v: bigint, d: number): void {
    if (w === 32) this.#emit(lir("alu", { op: ALU_OP.MOV, w: 32, d, imm: Number(v) }));
    else if (v >= -0x80000000n && v <= 0x7fffffffn)
      this.#emit(lir("alu", { op: ALU_OP.MOV, w: 64, d, imm: Number(v) }));
    else this.#emit(lir("const64", { d, big: BigInt.asUintN(64, v) }));
  }

  #binaryInto(op: BinaryOp, w: 32 | 64, a: Expr, b: Expr, d: number): void {
    if (op === "rotl" || op === "rotr") {
      this.#rotateInto(op, w, a, b, d);
      return;
    }
    const codes: Record<Exclude<BinaryOp, "rotl" | "rotr">, number> = {
      add: ALU_OP.ADD,
      sub: ALU_OP.SUB,
      mul: ALU_OP.MUL,
      and: ALU_OP.AND,
      or: ALU_OP.OR,
      xor: ALU_OP.XOR,
      shl: ALU_OP.LSH,
      shr_s: ALU_OP.ARSH,
      shr_u: ALU_OP.RSH,
    };
    // ~x as WebAssembly writes it, -x likewise
    if (op === "sub" && a.t === "const" && a.v === 0n) {
      this.#into(w === 32 ? this.#low32(b) : b, d);
      this.#emit(lir("neg", { d, w }));
      return;
    }
    const narrow = (e: Expr): Expr => (w === 32 && e.t !== "const" ? this.#low32(e) : e);
    let right = narrow(b);
    let code = codes[op];
    if (right.t === "const" && (op === "shl" || op === "shr_s" || op === "shr_u"))
      right = constant(w, right.v & BigInt(w - 1));
    // x - c as x + -c keeps the immediate small for c = INT_MIN too
    if (op === "sub" && b.t === "const" && b.v !== -0x80000000n) {
      right = constant(w, -b.v);
      code = ALU_OP.ADD;
    }
    const source = this.#operand(right);
    this.#into(narrow(a), d);
    this.#emit(lir("alu", { op: code, w, d, ...source }));
  }

  #rotateInto(op: "rotl" | "rotr", w: 32 | 64, a: Expr, b: Expr, d: number): void {
    const x = this.#eval(a);
    const other = this.#temp();
    const [first, second] = op === "rotl" ? [ALU_OP.LSH, ALU_OP.RSH] : [ALU_OP.RSH, ALU_OP.LSH];
    if (b.t === "const") {
      const n = Number(b.v & BigInt(w - 1));
      this.#emit(lir("copy", { d: other, s: x }));
      this.#emit(lir("alu", { op: second, w, d: other, imm: w - n }));
      this.#emit(lir("copy", { d, s: x }));
      this.#emit(lir("alu", { op: first, w, d, imm: n }));
    } else {
      // the machine takes shift counts modulo the width, so the other way round is -n
      const n = this.#eval(b);
      const back = this.#temp();
      this.#emit(lir("copy", { d: back, s: n }));
      this.#emit(lir("neg", { d: back, w: 32 }));
      if (w === 64) this.#emit(lir("alu", { op: ALU_OP.AND, w: 32, d: back, imm: 63 }));
      this.#emit(lir("copy", { d: other, s: x }));
      this.#emit(lir("alu", { op: second, w, d: other, s: back }));
      this.#emit(lir("copy", { d, s: x }));
      this.#emit(lir("alu", { op: first, w, d, s: n }));
    }
    this.#emit(lir("alu", { op: ALU_OP.OR, w, d, s: other }));
  }

  #unaryInto(op: UnaryOp, w: 32 | 64, a: Expr, d: number): void {
    switch (op) {
      case "wrap":
        this.#emit(lir("alu", { op: ALU_OP.MOV, w: 32, d, s: this.#eval(a) }));
        return;
      case "extend_u":
        this.#into(a, d);
        return;
      case "extend_s":
      case "extend32_s":
        this.#emit(lir("movsx", { d, s: this.#eval(this.#low32(a)), w: 64, size: 32 }));
        return;
      case "extend8_s":
      case "extend16_s":
        this.#emit(
          lir("movsx", {
            d,
            s: this.#eval(w === 32 ? this.#low32(a) : a),
            w,
            size: op === "extend8_s" ? 8 : 16,
          }),
        );
        return;
      case "bswap16":
      case "bswap32":
      case "bswap64":
        this.#into(this.#low32(a), d);
        this.#emit(lir("bswap", { d, imm: Number(op.slice(5)) }));
        return;
      case "popcnt":
        this.#into(a, d);
        this.#popcount(d, w);
        return;
      case "ctz": {
        // the ones below the lowest set bit; all of them for 0
        const x = this.#eval(a);
        this.#emit(lir("copy", { d, s: x }));
        this.#emit(lir("neg", { d, w }));
        this.#emit(lir("alu", { op: ALU_OP.AND, w, d, s: x }));
        this.#emit(lir("alu", { op: ALU_OP.ADD, w, d, imm: -1 }));
        this.#popcount(d, w);
        return;
      }
      case "clz": {
        this.#into(a, d);
        const t = this.#temp();
        for (let n = 1; n < w; n *= 2) {
          this.#emit(lir("copy", { d: t, s: d }));
          this.#emit(lir("alu", { op: ALU_OP.RSH, w, d: t, imm: n }));
          this.#emit(lir("alu", { op: ALU_OP.OR, w, d, s: t }));
        }
        this.#emit(lir("alu", { op: ALU_OP.XOR, w, d, imm: -1 }));
        this.#popcount(d, w);
      }
    }
  }

  /** d = number of ones of d: pairs, nibbles, bytes, then one multiplication adds the bytes up. */
  #popcount(d: number, w: 32 | 64): void {
    const mask = (byte: bigint): bigint =>
      BigInt.asIntN(w, byte * (w === 32 ? 0x01010101n : 0x0101010101010101n));
    const t = this.#temp();
    const m = this.#temp();
    this.#emit(lir("copy", { d: t, s: d }));
    this.#emit(lir("alu", { op: ALU_OP.RSH, w, d: t, imm: 1 }));
    this.#constInto(w, mask(0x55n), m);
    this.#emit(lir("alu", { op: ALU_OP.AND, w, d: t, s: m }));
    this.#emit(lir("alu", { op: ALU_OP.SUB, w, d, s: t }));
    this.#emit(lir("copy", { d: t, s: d }));
    this.#emit(lir("alu", { op: ALU_OP.RSH, w, d: t, imm: 2 }));
    this.#constInto(w, mask(0x33n), m);
    this.#emit(lir("alu", { op: ALU_OP.AND, w, d: t, s: m }));
    this.#emit(lir("alu", { op: ALU_OP.AND, w, d, s: m }));
    this.#emit(lir("alu", { op: ALU_OP.ADD, w, d, s: t }));
    this.#emit(lir("copy", { d: t, s: d }));
    this.#emit(lir("alu", { op: ALU_OP.RSH, w, d: t, imm: 4 }));
    this.#emit(lir("alu", { op: ALU_OP.ADD, w, d, s: t }));
    this.#constInto(w, mask(0x0fn), m);
    this.#emit(lir("alu", { op: ALU_OP.AND, w, d, s: m }));
    this.#constInto(w, mask(0x01n), m);
    this.#emit(lir("alu", { op: ALU_OP.MUL, w, d, s: m }));
    this.#emit(lir("alu", { op: ALU_OP.RSH, w, d, imm: w - 8 }));
  }

  // --- control

  #open(op: number, width: 32 | 64 | null): Block {
    const block: Block = {
      op,
      label: this.#label(),
      elseLabel: NONE,
      result: width === null ? NONE : this.#temp(),
      resultWidth: width ?? 32,
      height: this.#stack.length,
      entered: this.#reachable,
      branchedTo: false,
    };
    this.#blocks.push(block);
    return block;
  }

  #block(depth: number): Block {
    return this.#blocks[this.#blocks.length - 1 - depth]!;
  }

  /** Put the value a branch carries where the block wants it. */
  #carry(block: Block): void {
    if (block.op === 0x03 || block.result === NONE) return;
    this.#into(this.#pop(), block.result);
  }

  #leave(block: Block): void {
    block.branchedTo = true;
    if (this.#blocks[0] === block) this.#return(block);
    else this.#goto(block.label);
  }

  #return(block: Block): void {
    if (block.result !== NONE) this.#emit(lir("copy", { d: 0, s: block.result }));
    else this.#emit(lir("alu", { op: ALU_OP.MOV, w: 32, d: 0, imm: 0 }));
    this.#emit(lir("exit", {}));
  }

  #dead(): void {
    this.#reachable = false;
    this.#stack.length = this.#blocks[this.#blocks.length - 1]!.height;
  }

  /** Jump to `label` when the condition holds (or, with `when` false, does not). */
  #branch(e: Expr, label: number, when: boolean): void {
    if (e.t === "const") {
      if ((e.v !== 0n) === when) this.#goto(label);
      return;
    }
    if (e.t === "cmp") {
      // x == 0 of a comparison or a mask: the opposite of it
      const isZero = e.b.t === "const" && e.b.v === 0n;
      if (
        isZero &&
        e.of === 32 &&
        (e.op === JMP_OP.JEQ || e.op === JMP_OP.JNE) &&
        (e.a.t === "cmp" || (e.a.t === "bin" && e.a.op === "and"))
      ) {
        this.#branch(e.a, label, when === (e.op === JMP_OP.JNE));
        return;
      }
      const a = this.#eval(e.of === 32 ? this.#low32(e.a) : e.a);
      const b = this.#operand(e.of === 32 && e.b.t !== "const" ? this.#low32(e.b) : e.b);
      this.#emit(lir("jump", { op: when ? e.op : INVERSE[e.op]!, w: e.of, d: a, ...b, label }));
      return;
    }
    if (e.t === "bin" && (e.op === "and" || e.op === "or") && e.a.t === "cmp" && e.b.t === "cmp") {
      this.#branchBoth(e.op, e.a, e.b, label, when);
      return;
    }
    if (e.t === "bin" && e.op === "and") {
      if (e.a.t === "bin" && e.a.op === "shr_u" && e.a.b.t === "const" && e.b.t === "const") {
        // the mask moves, not the value
        const n = e.a.b.v & BigInt(e.w - 1);
        const mask = BigInt.asUintN(e.w, e.b.v) << n;
        if (mask <= 0x7fffffffn) {
          this.#branch({ t: "bin", w: e.w, op: "and", a: e.a.a, b: constant(e.w, mask) }, label, when);
          return;
        }
      }
      const w = e.w;
      const a = this.#eval(w === 32 ? this.#low32(e.a) : e.a);
      const b = this.#operand(e.b);
      if (when) this.#emit(lir("jump", { op: JMP_OP.JSET, w, d: a, ...b, label }));
      else {
        const over = this.#label();
        this.#emit(lir("jump", { op: JMP_OP.JSET, w, d: a, ...b, label: over }));
        this.#goto(label);
        this.#place(over);
      }
      return;
    }
    const r = this.#eval(this.#low32(e));
    this.#emit(lir("jump", { op: when ? JMP_OP.JNE : JMP_OP.JEQ, w: 32, d: r, imm: 0, label }));
  }

  /** Two comparisons joined: neither has an effect, so that the second is made only where it decides. */
  #branchBoth(op: "and" | "or", a: Expr, b: Expr, label: number, when: boolean): void {
    if ((op === "and") !== when) {
      this.#branch(a, label, when);
      this.#branch(b, label, when);
      return;
    }
    const over = this.#label();
    this.#branch(a, over, !when);
    this.#branch(b, label, when);
    this.#place(over);
  }

  #trap(code: number): void {
    this.#emit(lir("alu", { op: ALU_OP.MOV, w: 32, d: 1, imm: code }));
    this.#emit(lir("call", { op: 0, imm: HELPER_TRAP, n: 1 }));
    // never reached; the code after a trap must still end
    this.#emit(lir("alu", { op: ALU_OP.MOV, w: 32, d: 0, imm: 0 }));
    this.#emit(lir("exit", {}));
  }

  #step(i: Instruction): void {
    const { name } = OPCODES.get(i.op)!;
    if (!this.#reachable) {
      if (i.op === 0x02 || i.op === 0x03 || i.op === 0x04) this.#skipped++;
      else if (i.op === 0x0b && this.#skipped > 0) this.#skipped--;
      else if (this.#skipped === 0 && (i.op === 0x0b || i.op === 0x05)) this.#closeOrElse(i.op);
      return;
    }
    switch (name) {
      case "nop":
        return;
      case "unreachable":
        this.#trap(TRAP_UNREACHABLE);
        this.#dead();
        return;
      case "block":
      case "loop":
      case "if":
        this.#openStep(i);
        return;
      case "else":
      case "end":
        this.#closeOrElse(i.op);
        return;
      case "br": {
        const block = this.#block(i.a);
        this.#carry(block);
        this.#leave(block);
        this.#dead();
        return;
      }
      case "br_if":
        this.#branchIf(this.#block(i.a));
        return;
      case "br_table":
        this.#branchTable(i.table!);
        return;
      case "return": {
        const block = this.#blocks[0]!;
        this.#carry(block);
        this.#return(block);
        this.#dead();
        return;
      }
      case "call":
        this.#call(i.a);
        return;
      case "drop":
        this.#pop();
        return;
      case "select":
        this.#select();
        return;
      case "local.get": {
        const w = this.#localWidth[i.a]!;
        this.#push({ t: "reg", w, r: this.#local(i.a), bits: w });
        return;
      }
      case "local.set":
      case "local.tee": {
        const value = this.#pop();
        const r = this.#local(i.a);
        this.#settle((e) => reads(e, r));
        this.#assign(value, r);
        if (name === "local.tee") this.#push({ t: "reg", w: value.w, r, bits: bitsOf(value) });
        return;
      }
      case "global.get":
      case "global.set":
        this.#global(i.a, name === "global.set");
        return;
      case "memory.copy":
      case "memory.fill":
        this.#runtimeCall(name);
        return;
      case "i32.const":
        this.#push(constant(32, BigInt(i.a)));
        return;
      case "i64.const":
        this.#push(constant(64, i.imm64!));
        return;
      default:
        this.#arithmetic(i, name);
    }
  }

  #openStep(i: Instruction): void {
    const condition = i.op === 0x04 ? this.#pop() : null;
    // what lies below is needed after the block; code inside may run never or often. A temporary is settled
    // already, and must not be again: that copy would stand in code that may not run
    this.#settle((e) => e.t !== "reg" || e.r < MACHINE_REGISTERS + this.#localWidth.length);
    const block = this.#open(i.op, i.a === 0x40 ? null : i.a === I64 ? 64 : 32);
    if (condition !== null) {
      block.elseLabel = this.#label();
      this.#branch(condition, block.elseLabel, false);
    } else if (i.op === 0x03) {
      this.#depth++;
      this.#place(block.label);
    }
  }

  #closeOrElse(op: number): void {
    const block = this.#blocks[this.#blocks.length - 1]!;
    const wasReachable = this.#reachable;
    if (wasReachable && block.result !== NONE && block.op !== 0x03) this.#into(this.#pop(), block.result);
    if (wasReachable && block.op === 0x03 && block.result !== NONE) this.#into(this.#pop(), block.result);
    this.#stack.length = block.height;
    if (op === 0x05) {
      if (wasReachable) {
        this.#goto(block.label);
        block.branchedTo = true;
      }
      this.#place(block.elseLabel);
      block.elseLabel = NONE;
      this.#reachable = block.entered;
      return;
    }
    this.#blocks.pop();
    if (block.op === 0x03) this.#depth--;
    let reachable = wasReachable;
    if (block.elseLabel !== NONE) {
      this.#place(block.elseLabel);
      reachable = reachable || block.entered;
    }
    if (this.#blocks.length === 0) {
      if (reachable) this.#return(block);
      this.#reachable = false;
      return;
    }
    if (block.branchedTo && block.op !== 0x03) {
      this.#place(block.label);
      reachable = true;
    }
    this.#reachable = reachable;
    if (!reachable) {
      this.#stack.length = this.#blocks[this.#blocks.length - 1]!.height;
      return;
    }
    if (block.result !== NONE)
      this.#push({ t: "reg", w: block.resultWidth, r: block.result, bits: block.resultWidth });
  }

  #branchIf(block: Block): void {
    const condition = this.#pop();
    const carries = block.op !== 0x03 && block.result !== NONE;
    if (!carries && this.#blocks[0] !== block) {
      block.branchedTo = true;
      this.#branch(condition, block.label, true);
      return;
    }
    // the value stays on the stack when the branch is not taken
    const over = this.#label();
    if (carries) this.#settle((e) => e === this.#stack[this.#stack.length - 1] && e.t !== "reg");
    this.#branch(condition, over, false);
    if (carries) this.#into(this.#stack[this.#stack.length - 1]!, block.result);
    this.#leave(block);
    this.#place(over);
  }

  /** A balanced tree of comparisons over runs of equal targets. */
  #branchTable(depths: readonly number[]): void {
    const index = this.#eval(this.#pop());
    const fallback = this.#block(depths[depths.length - 1]!);
    const carries = fallback.op !== 0x03 && fallback.result !== NONE;
    const value = carries ? this.#eval(this.#pop()) : NONE;
    const runs: { from: number; depth: number }[] = [];
    for (const [i, depth] of depths.entries())
      if (runs.length === 0 || runs[runs.length - 1]!.depth !== depth) runs.push({ from: i, depth });
    const tree = (low: number, high: number): void => {
      if (low === high) {
        const block = this.#block(runs[low]!.depth);
        if (carries) this.#emit(lir("copy", { d: block.result, s: value }));
        this.#leave(block);
        return;
      }
      const middle = (low + high + 1) >> 1;
      const label = this.#label();
      this.#emit(lir("jump", { op: JMP_OP.JGE, w: 32, d: index, imm: runs[middle]!.from, label }));
      tree(low, middle - 1);
      this.#place(label);
      tree(middle, high);
    };
    tree(0, runs.length - 1);
    this.#dead();
  }

  #select(): void {
    const condition = this.#pop();
    const second = this.#pop();
    const first = this.#pop();
    const d = this.#temp();
    const label = this.#label();
    this.#into(first, d);
    this.#branch(condition, label, true);
    this.#into(second, d);
    this.#place(label);
    this.#push({ t: "reg", w: first.w, r: d, bits: Math.max(bitsOf(first), bitsOf(second)) });
  }

  // --- memory, calls, arithmetic

  #address(e: Expr, offset: number): { register: number; off: number } {
    if (offset <= 0x7fff) return { register: this.#eval(e), off: offset };
    // 33 bits: the 32-bit base and the offset are added without wrapping
    const r = this.#temp();
    this.#into(e, r);
    if (offset <= 0x7fffffff) this.#emit(lir("alu", { op: ALU_OP.ADD, w: 64, d: r, imm: offset }));
    else {
      const big = this.#temp();
      this.#emit(lir("const64", { d: big, big: BigInt(offset) }));
      this.#emit(lir("alu", { op: ALU_OP.ADD, w: 64, d: r, s: big }));
    }
    return { register: r, off: 0 };
  }

  #load(i: Instruction, w: 32 | 64, size: number, signed: boolean): void {
    const { register, off } = this.#address(this.#pop(), i.b);
    const d = this.#temp();
    this.#emit(lir("load", { d, s: register, off, size, op: signed && w === 64 && size < 8 ? 1 : 0 }));
    const bits = size * 8;
    if (!signed || w === 64) {
      this.#push({ t: "reg", w, r: d, bits: signed ? w : bits });
      return;
    }
    const extended = this.#temp();
    this.#emit(lir("movsx", { d: extended, s: d, w: 32, size: bits }));
    this.#push({ t: "reg", w, r: extended, bits: 32 });
  }

  #store(i: Instruction, size: number): void {
    let value = this.#pop();
    const { register, off } = this.#address(this.#pop(), i.b);
    value = this.#low32IfNarrow(size === 2 ? lowHalf(value) : value, size);
    if (value.t === "const") {
      const v = BigInt.asIntN(Math.min(size * 8, 64), value.v);
      if (v >= -0x80000000n && v <= 0x7fffffffn) {
        this.#emit(lir("store", { d: register, off, size, imm: Number(v) }));
        return;
      }
    }
    this.#emit(lir("store", { d: register, off, size, s: this.#eval(value) }));
  }

  #low32IfNarrow(e: Expr, size: number): Expr {
    if (size > 4) return e;
    if (size === 1 && e.t === "bin" && e.op === "and" && e.b.t === "const" && (e.b.v & 0xffn) === 0xffn)
      return this.#low32(e.a);
    return this.#low32(e);
  }

  #global(index: number, set: boolean): void {
    const global = this.#module.globals[index]!;
    const w = global.type === I64 ? 64 : 32;
    if (!global.mutable) {
      this.#push(constant(w, global.init));
      return;
    }
    const address = this.#temp();
    this.#constInto(32, BigInt(this.#traits.globalCell(index)), address);
    if (set) {
      this.#emit(lir("store", { d: address, size: 4, s: this.#eval(this.#low32(this.#pop())) }));
      return;
    }
    const d = this.#temp();
    this.#emit(lir("load", { d, s: address, size: 4 }));
    this.#push({ t: "reg", w, r: d, bits: 32 });
  }

  #call(index: number): void {
    const type = typeOf(this.#module, index);
    const args = this.#stack.splice(this.#stack.length - type.params.length);
    // registers are computed before any argument register is written
    const ready = args.map(
      (e): Expr => (e.t === "const" ? e : { t: "reg", w: e.w, r: this.#eval(e), bits: e.w }),
    );
    for (const [i, e] of ready.entries()) this.#into(e, i + 1);
    const n = this.#module.imports.length;
    const result = type.results.length > 0;
    const w = type.results[0] === I64 ? 64 : 32;
    if (index < n) {
      const unit = this.#traits.accel(this.#module.imports[index]!.name as Accel1Name);
      if ("helper" in unit) this.#emit(lir("call", { op: 0, imm: unit.helper, n: args.length, result, w }));
      else this.#emit(lir("call", { op: 1, imm: unit.function, n: args.length, result, w }));
    } else {
      const callee = this.#traits.functionNumber(index - n);
      this.#emit(lir("call", { op: 1, imm: callee, n: args.length, result, w }));
    }
    if (!result) return;
    const d = this.#temp();
    this.#emit(lir("copy", { d, s: 0 }));
    const canonical =
      index < n &&
      this.#module.imports[index]!.name !== "crc32c" &&
      this.#module.imports[index]!.name !== "toeplitz";
    this.#push({
      t: "reg",
      w,
      r: d,
      bits: canonical && ACCEL1[this.#module.imports[index]!.name as Accel1Name].results === 1 ? 16 : w,
    });
  }

  #runtimeCall(name: "memory.copy" | "memory.fill"): void {
    const args = this.#stack.splice(this.#stack.length - 3);
    const ready = args.map(
      (e): Expr => (e.t === "const" ? e : { t: "reg", w: e.w, r: this.#eval(e), bits: e.w }),
    );
    for (const [i, e] of ready.entries()) this.#into(e, i + 1);
    this.#emit(lir("call", { op: 1, imm: this.#traits.runtime(name), n: 3, w: 32 }));
  }

  #arithmetic(i: Instruction, name: string): void {
    const [type, operation] = name.split(".") as [string, string];
    const w = type === "i64" ? 64 : 32;
    if (operation.startsWith("load")) {
      const width = OPCODES.get(i.op)!.width!;
      this.#load(i, w, width, operation.endsWith("_s"));
      return;
    }
    if (operation.startsWith("store")) {
      this.#store(i, OPCODES.get(i.op)!.width!);
      return;
    }
    const unary = UNARY[name];
    if (unary !== undefined) {
      const a = this.#pop();
      this.#push({ t: "un", w: w, op: unary, a });
      return;
    }
    if (operation === "eqz") {
      const a = this.#pop();
      this.#push({ t: "cmp", w: 32, op: JMP_OP.JEQ, of: w, a, b: constant(w, 0n) });
      return;
    }
    const b = this.#pop();
    const a = this.#pop();
    const condition = CONDITION[operation];
    if (condition !== undefined) this.#push({ t: "cmp", w: 32, op: condition, of: w, a, b });
    else if (operation.startsWith("div") || operation.startsWith("rem")) this.#divide(operation, w, a, b);
    else this.#push(binary(operation as BinaryOp, w, a, b));
  }

  /** Division traps, so it happens where it stands. */
  #divide(operation: string, w: 32 | 64, a: Expr, b: Expr): void {
    const signed = operation.endsWith("_s");
    const divides = operation.startsWith("div");
    const divisor = b.t === "const" && b.v !== 0n ? b : ({ t: "reg", w, r: this.#eval(b), bits: w } as const);
    const dividend = this.#temp();
    this.#into(a, dividend);
    if (divisor.t === "reg") {
      const fine = this.#label();
      this.#emit(lir("jump", { op: JMP_OP.JNE, w, d: divisor.r, imm: 0, label: fine }));
      this.#trap(TRAP_DIV_ZERO);
      this.#place(fine);
    }
    const minusOne = divisor.t === "reg" || divisor.v === -1n;
    const d = this.#temp();
    this.#emit(lir("copy", { d, s: dividend }));
    if (signed && minusOne) this.#divideByMinusOne(divides, w, dividend, divisor, d);
    else {
      const source = this.#operand(divisor);
      this.#emit(lir("alu", { op: divides ? ALU_OP.DIV : ALU_OP.MOD, w, d, ...source, off: signed ? 1 : 0 }));
    }
    this.#push({ t: "reg", w, r: d, bits: w });
  }

  /** INT_MIN / -1 overflows, INT_MIN % -1 is 0: neither is left to the machine. */
  #divideByMinusOne(divides: boolean, w: 32 | 64, dividend: number, divisor: Expr, d: number): void {
    const ordinary = this.#label();
    const done = this.#label();
    if (divisor.t === "reg")
      this.#emit(lir("jump", { op: JMP_OP.JNE, w, d: divisor.r, imm: -1, label: ordinary }));
    if (divides) {
      const fine = this.#label();
      const least = this.#temp();
      this.#constInto(w, w === 32 ? -0x80000000n : -(2n ** 63n), least);
      this.#emit(lir("jump", { op: JMP_OP.JNE, w, d: dividend, s: least, label: fine }));
      this.#trap(TRAP_OVERFLOW);
      this.#place(fine);
      this.#emit(lir("neg", { d, w }));
    } else {
      this.#emit(lir("alu", { op: ALU_OP.MOV, w: 32, d, imm: 0 }));
    }
    this.#goto(done);
    this.#place(ordinary);
    if (divisor.t === "reg")
      this.#emit(lir("alu", { op: divides ? ALU_OP.DIV : ALU_OP.MOD, w, d, s: divisor.r, off: 1 }));
    this.#place(done);
  }
}

const CONDITION: Readonly<Record<string, number>> = {
  eq: JMP_OP.JEQ,
  ne: JMP_OP.JNE,
  lt_s: JMP_OP.JSLT,
  lt_u: JMP_OP.JLT,
  gt_s: JMP_OP.JSGT,
  gt_u: JMP_OP.JGT,
  le_s: JMP_OP.JSLE,
  le_u: JMP_OP.JLE,
  ge_s: JMP_OP.JSGE,
  ge_u: JMP_OP.JGE,
};

const UNARY: Readonly<Record<string, UnaryOp>> = {
  "i32.wrap_i64": "wrap",
  "i64.extend_i32_s": "extend_s",
  "i64.extend_i32_u": "extend_u",
  "i32.extend8_s": "extend8_s",
  "i32.extend16_s": "extend16_s",
  "i64.extend8_s": "extend8_s",
  "i64.extend16_s": "extend16_s",
  "i64.extend32_s": "extend32_s",
  "i32.clz": "clz",
  "i32.ctz": "ctz",
  "i32.popcnt": "popcnt",
  "i64.clz": "clz",
  "i64.ctz": "ctz",
  "i64.popcnt": "popcnt",
};
