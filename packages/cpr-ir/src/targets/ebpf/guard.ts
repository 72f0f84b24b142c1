/**
 * What the live kernel does not do by itself, put into linear code: bounds tests and address casts of every
 * access, traps that leave through all frames, an end for every loop, and loop values the verifier cannot follow.
 *
 * Post: no helper calls; `trap` codes leave as -code in r0.
 * @remarks An arena access outside the pages reads 0 or is dropped, and a division by 0 gives 0: Linux 6.18.
 */
import { analyse, BitSet, walkBack } from "../codegen/flow.ts";
import { defOf, type Lir, lir, MACHINE_REGISTERS, NONE } from "../codegen/lir.ts";
import { CONTROL } from "./control.ts";
import { ALU_OP, HELPER_TRAP, JMP_OP } from "./opcode.ts";

/** Every memory has at least this many bytes: accesses below need no test. */
const PROVEN = 0x10_0000;
const TRAP_OUT_OF_BOUNDS = 3;
const TRAP_BUDGET = 5;

/** Code that may run in the kernel. */
export interface GuardedCode {
  readonly code: Lir[];
  readonly registers: number;
  /** The function has loops, so the kernel takes 16 bytes of its frame. */
  readonly loops: boolean;
  /** Accesses of memory, and those of them that are tested. */
  readonly accesses: number;
  readonly tested: number;
}

/** Guard one function. @param wide - it returns 64 bits, so a trap's code goes through memory */
export function guard(code: readonly Lir[], registers: number, wide: boolean): GuardedCode {
  return new Guard(code, registers, wide).run();
}

class Guard {
  readonly #in: readonly Lir[];
  readonly #wide: boolean;
  readonly #out: Lir[] = [];
  readonly #used: ReadonlySet<number>;
  readonly #traps: Map<number, number> = new Map();
  /** Base register to the register that holds it as an address. */
  readonly #casts: Map<number, number> = new Map();
  /** Base register to bytes behind it that were tested. */
  readonly #tested: Map<number, number> = new Map();
  /** Upper bounds of registers. */
  readonly #most: Map<number, number> = new Map();
  #registers: number;
  #labels: number;
  #accesses = 0;
  #tests = 0;
  #depth = 0;
  #origin = 0;

  constructor(code: readonly Lir[], registers: number, wide: boolean) {
    this.#in = code;
    this.#registers = registers;
    this.#wide = wide;
    this.#used = new Set(code.filter((i) => i.kind === "jump").map((i) => i.label));
    this.#labels = code.reduce((n, i) => (i.kind === "label" ? Math.max(n, i.label + 1) : n), 0);
  }

  run(): GuardedCode {
    const loops = loopsOf(this.#in, this.#registers);
    // the verifier keeps a state where a may_goto stands. It needs one of the function's first instruction: what it
    // cannot trace back to a state's beginning makes it take every value for important, and walk every path
    if (loops.size > 0) this.#emit(lir("jump", { op: JMP_OP.JCOND, label: this.#trap(TRAP_BUDGET) }));
    for (let at = 0; at < this.#in.length; at++) {
      const i = this.#in[at]!;
      this.#depth = i.depth;
      this.#origin = i.origin;
      switch (i.kind) {
        case "label": {
          const loop = loops.get(i.label);
          if (this.#used.has(i.label)) this.#forget();
          if (loop !== undefined) this.#beginLoop(loop);
          this.#out.push(i);
          if (loop !== undefined)
            this.#emit(lir("jump", { op: JMP_OP.JCOND, label: this.#trap(TRAP_BUDGET) }));
          break;
        }
        case "jump": {
          const loop = loops.get(i.label);
          const enters = loop !== undefined && (at < loop.from || at > loop.to);
          this.#out.push(enters ? { ...i, label: this.#entry(loop) } : i);
          break;
        }
        case "load":
        case "store":
          this.#access(i, at);
          break;
        case "call":
          at = this.#call(i, at);
          break;
        default:
          this.#out.push(i);
          this.#learn(i);
      }
    }
    this.#placeTraps();
    return {
      code: this.#out,
      registers: this.#registers,
      loops: loops.size > 0,
      accesses: this.#accesses,
      tested: this.#tests,
    };
  }

  #emit(i: Lir): void {
    i.depth = this.#depth;
    i.origin = this.#origin;
    this.#out.push(i);
  }

  #temp(): number {
    return this.#registers++;
  }

  #forget(): void {
    this.#casts.clear();
    this.#tested.clear();
    this.#most.clear();
  }

  /** Label of the place where a trap's code leaves. */
  #trap(code: number): number {
    let label = this.#traps.get(code);
    if (label === undefined) {
      label = this.#labels++;
      this.#traps.set(code, label);
    }
    return label;
  }

  #placeTraps(): void {
    this.#depth = 0;
    for (const [code, label] of this.#traps) {
      this.#emit(lir("label", { label }));
      if (this.#wide) this.#storePending({ imm: code });
      this.#emit(lir("alu", { op: ALU_OP.MOV, w: 64, d: 0, imm: this.#wide ? 0 : -code }));
      this.#emit(lir("exit", {}));
    }
  }

  /** The cell of a trap that a 64-bit result leaves no room for. */
  #pending(): number {
    const t = this.#temp();
    this.#emit(lir("alu", { op: ALU_OP.MOV, w: 32, d: t, imm: CONTROL.PENDING, reloc: "limit" }));
    this.#emit(lir("cast", { d: t, s: t }));
    return t;
  }

  #storePending(value: { s: number } | { imm: number }): void {
    this.#emit(lir("store", { d: this.#pending(), size: 4, ...value }));
  }

  /** Label in front of a loop, for jumps into it. */
  #entry(loop: Loop): number {
    if (loop.entry === NONE) loop.entry = this.#labels++;
    return loop.entry;
  }

  #beginLoop(loop: Loop): void {
    // jumps from below that enter it may still ask for it
    this.#emit(lir("label", { label: this.#entry(loop) }));
    this.#hide(loop.carried);
  }

  /**
   * Make values that a loop changes unknown to the verifier: what it knows, it follows iteration by iteration.
   * A number that was an address for a moment is any number afterwards.
   */
  #hide(carried: readonly number[]): void {
    if (carried.length === 0) return;
    const address = this.#temp();
    const zero = this.#temp();
    this.#emit(lir("alu", { op: ALU_OP.MOV, w: 32, d: address, imm: 0 }));
    this.#emit(lir("cast", { d: address, s: address }));
    this.#emit(lir("alu", { op: ALU_OP.MOV, w: 32, d: zero, s: address }));
    // 64 unknown bits, taken away: of any value that leaves nothing known, so the first round is the widest
    this.#emit(lir("alu", { op: ALU_OP.MUL, w: 64, d: zero, s: zero }));
    for (const r of carried) this.#emit(lir("alu", { op: ALU_OP.SUB, w: 64, d: r, s: zero }));
  }

  // --- accesses

  #access(i: Lir, at: number): void {
    const store = i.kind === "store";
    const base = store ? i.d : i.s;
    this.#accesses++;
    if ((this.#most.get(base) ?? Number.POSITIVE_INFINITY) + i.off + i.size > PROVEN) this.#test(base, at);
    let address = this.#casts.get(base);
    if (address === undefined) {
      address = this.#temp();
      this.#emit(lir("cast", { d: address, s: base }));
      this.#casts.set(base, address);
    }
    if (store) {
      this.#out.push(moved(i, { d: address }));
      return;
    }
    const signed = i.op === 1;
    this.#out.push(moved(i, { s: address, op: 0 }));
    // sign-extending loads of an arena came later than arenas
    if (signed) this.#emit(lir("movsx", { d: i.d, s: i.d, w: 64, size: i.size * 8 }));
    this.#learn(i);
  }

  /** One test for all accesses by this base that are sure to follow. */
  #test(base: number, at: number): void {
    const extent = this.#extent(base, at);
    if ((this.#tested.get(base) ?? Number.NEGATIVE_INFINITY) >= extent) return;
    this.#tested.set(base, extent);
    this.#tests++;
    // the test is written so that the verifier first walks into the trap, which ends at once: pending jumps
    // do not pile up over a program's accesses
    const fine = this.#labels++;
    this.#emit(lir("jump", { op: JMP_OP.JLE, w: 64, d: base, imm: -extent, reloc: "limit", label: fine }));
    this.#emit(lir("jump", { label: this.#trap(TRAP_OUT_OF_BOUNDS) }));
    this.#emit(lir("label", { label: fine }));
  }

  #extent(base: number, from: number): number {
    let extent = Number.NEGATIVE_INFINITY;
    for (let at = from; at < this.#in.length; at++) {
      const i = this.#in[at]!;
      if (i.kind === "jump" || i.kind === "call" || i.kind === "exit") break;
      if (i.kind === "label" && this.#used.has(i.label)) break;
      if ((i.kind === "load" && i.s === base) || (i.kind === "store" && i.d === base))
        extent = Math.max(extent, i.off + i.size);
      if (defOf(i) === base) break;
    }
    return extent;
  }

  // --- calls and traps

  /** @returns index of the last instruction that was dealt with */
  #call(i: Lir, at: number): number {
    if (i.op === 0 && i.imm === HELPER_TRAP) {
      // the code was just put into r1, and two instructions follow that end unreachable code
      const code = this.#out.pop()!.imm;
      this.#emit(lir("jump", { label: this.#trap(code) }));
      return at + 2;
    }
    for (const move of unusedArguments(i)) this.#emit(move);
    this.#out.push(i);
    if (i.result && i.w === 64) this.#afterWide();
    else {
      const fine = this.#labels++;
      this.#emit(lir("jump", { op: JMP_OP.JSGE, w: 64, d: 0, imm: 0, label: fine }));
      if (this.#wide) {
        this.#emit(lir("neg", { d: 0, w: 32 }));
        this.#storePending({ s: 0 });
        this.#emit(lir("alu", { op: ALU_OP.MOV, w: 64, d: 0, imm: 0 }));
      }
      this.#emit(lir("exit", {}));
      this.#emit(lir("label", { label: fine }));
    }
    return at;
  }

  #afterWide(): void {
    const fine = this.#labels++;
    const cell = this.#pending();
    const code = this.#temp();
    this.#emit(lir("load", { d: code, s: cell, size: 4 }));
    this.#emit(lir("jump", { op: JMP_OP.JEQ, w: 32, d: code, imm: 0, label: fine }));
    if (this.#wide) this.#emit(lir("alu", { op: ALU_OP.MOV, w: 64, d: 0, imm: 0 }));
    else {
      this.#emit(lir("store", { d: cell, size: 4, imm: 0 }));
      this.#emit(lir("copy", { d: 0, s: code }));
      this.#emit(lir("neg", { d: 0, w: 64 }));
    }
    this.#emit(lir("exit", {}));
    this.#emit(lir("label", { label: fine }));
  }

  // --- what is known of registers

  #learn(i: Lir): void {
    const d = defOf(i);
    if (d === NONE) return;
    const most = this.#mostOf(i);
    this.#casts.delete(d);
    this.#tested.delete(d);
    if (most === null) this.#most.delete(d);
    else this.#most.set(d, most);
  }

  /** Upper bound of what an instruction computes; null when there is none worth keeping. */
  #mostOf(i: Lir): number | null {
    if (i.kind === "load") return i.op === 0 && i.size <= 2 ? 2 ** (8 * i.size) - 1 : null;
    if (i.kind === "copy") return this.#most.get(i.s) ?? null;
    if (i.kind !== "alu") return null;
    const before = this.#most.get(i.d) ?? (i.w === 32 ? 0xffff_ffff : null);
    const operand = i.s === NONE ? (i.imm >= 0 ? i.imm : null) : (this.#most.get(i.s) ?? null);
    switch (i.op) {
      case ALU_OP.MOV:
        return i.s === NONE && i.w === 32 ? i.imm >>> 0 : operand;
      case ALU_OP.AND:
        return operand === null ? before : before === null ? operand : Math.min(before, operand);
      case ALU_OP.RSH:
        return i.s === NONE && before !== null ? Math.floor(before / 2 ** i.imm) : before;
      case ALU_OP.LSH:
        return i.s === NONE ? this.#small(i, before, (b) => b * 2 ** i.imm) : null;
      case ALU_OP.ADD:
        return operand === null ? null : this.#small(i, before, (b) => b + operand);
      default:
        return null;
    }
  }

  #small(i: Lir, before: number | null, of: (before: number) => number): number | null {
    const n = before === null ? null : of(before);
    return n === null || n > (i.w === 32 ? 0xffff_ffff : 2 ** 40) ? null : n;
  }
}

/**
 * Give every argument register a value: the verifier takes a call of a function to read all five, and what lies in
 * one from before would tell the rounds of a loop apart.
 */
export function unusedArguments(call: Lir): Lir[] {
  const out: Lir[] = [];
  for (let r = call.n + 1; r <= 5; r++) out.push(lir("alu", { op: ALU_OP.MOV, w: 32, d: r, imm: 0 }));
  call.n = 5;
  return out;
}

const moved = (i: Lir, changed: Partial<Lir>): Lir => ({ ...i, ...changed });

/** A loop: from its label to the last jump back to it. */
interface Loop {
  readonly from: number;
  to: number;
  /** Registers that live from one round to the next and are changed in it. */
  carried: readonly number[];
  entry: number;
}

/** Loops by label. */
function loopsOf(code: readonly Lir[], registers: number): Map<number, Loop> {
  const place = new Map<number, number>();
  const loops = new Map<number, Loop>();
  for (const [at, i] of code.entries()) {
    if (i.kind === "label") place.set(i.label, at);
    const from = i.kind === "jump" ? place.get(i.label) : undefined;
    if (from === undefined) continue;
    const loop = loops.get(i.label);
    if (loop === undefined) loops.set(i.label, { from, to: at, carried: [], entry: NONE });
    else loop.to = at;
  }
  if (loops.size === 0) return loops;
  const blocks = analyse(code, registers);
  for (const loop of loops.values()) {
    const changed = new Set<number>();
    for (let at = loop.from; at <= loop.to; at++) {
      const d = defOf(code[at]!);
      if (d >= MACHINE_REGISTERS) changed.add(d);
    }
    const block = blocks.find((b) => b.from <= loop.from && loop.from < b.to)!;
    const live = new BitSet(registers);
    live.copyFrom(block.liveOut);
    walkBack(code, block, live, () => undefined);
    loop.carried = [...changed].filter((r) => live.has(r));
  }
  return loops;
}
