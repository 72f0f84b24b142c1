/**
 * Passes on linear code with virtual registers. Pre and post: every label placed once, jumps to placed labels,
 * the same meaning. Fewer instructions are retired: conditions whose outcome the way there decides are skipped,
 * loops are tested at their ends.
 */
import { ALU_OP, JMP_OP } from "../ebpf/opcode.ts";
import { tidy } from "./flow.ts";
import { defOf, INVERSE, type Lir, lir, NONE } from "./lir.ts";

/** Code, and how many labels it has. */
export interface Labelled {
  readonly code: Lir[];
  readonly labels: number;
}

/** Low 32 bits of registers that are known; i32 values always have their upper half clear. */
type Known = Map<number, number>;

/** Rounds after which threading stops; each may open the way for the next. */
const MAX_ROUNDS = 8;
/** Instructions followed behind one jump. */
const MAX_STEPS = 16;
/** Copies and constants repeated before a jump, to skip a condition behind it. */
const MAX_REPEATED = 2;
/** Instructions of a loop's head that are repeated at its end. */
const MAX_HEAD = 5;

/** Does a 32-bit condition against an immediate hold? */
function holds(op: number, a: number, b: number): boolean {
  const [x, y] = [a >>> 0, b >>> 0];
  switch (op) {
    case JMP_OP.JEQ:
      return x === y;
    case JMP_OP.JNE:
      return x !== y;
    case JMP_OP.JGT:
      return x > y;
    case JMP_OP.JGE:
      return x >= y;
    case JMP_OP.JLT:
      return x < y;
    case JMP_OP.JLE:
      return x <= y;
    case JMP_OP.JSGT:
      return (a | 0) > (b | 0);
    case JMP_OP.JSGE:
      return (a | 0) >= (b | 0);
    case JMP_OP.JSLT:
      return (a | 0) < (b | 0);
    case JMP_OP.JSLE:
      return (a | 0) <= (b | 0);
    default:
      return (x & y) !== 0;
  }
}

/** A condition of 32 bits against an immediate: what threading understands. */
const understood = (i: Lir): boolean => i.kind === "jump" && i.op !== 0 && i.w === 32 && i.s === NONE;
const isConstant = (i: Lir): boolean =>
  i.kind === "alu" && i.op === ALU_OP.MOV && i.w === 32 && i.s === NONE && i.reloc === null;

/** Note what an instruction makes known, or forgets. */
function learn(i: Lir, known: Known): void {
  if (i.kind === "call") for (let r = 0; r <= 5; r++) known.delete(r);
  const d = defOf(i);
  if (d < 0) return;
  const value = isConstant(i) ? i.imm : i.kind === "copy" ? known.get(i.s) : undefined;
  if (value === undefined) known.delete(d);
  else known.set(d, value);
}

/** One round of jump threading. */
class Threading {
  readonly #code: readonly Lir[];
  readonly #at: Map<number, number> = new Map();
  /** Labels to be placed behind an instruction. */
  readonly #behind: Map<number, number> = new Map();
  #labels: number;
  changed = false;

  constructor(code: readonly Lir[], labels: number) {
    this.#code = code;
    this.#labels = labels;
    for (const [at, i] of code.entries()) if (i.kind === "label") this.#at.set(i.label, at);
  }

  run(): Labelled {
    const out: Lir[][] = [];
    const known: Known = new Map();
    let reachable = true;
    for (const [at, i] of this.#code.entries()) {
      const made: Lir[] = [];
      out.push(made);
      if (i.kind === "label") {
        if (reachable) this.#fallInto(i, known, made);
        known.clear();
        reachable = true;
      }
      if (i.kind === "jump") this.#jump(at, i, known, made);
      else {
        made.push(i);
        learn(i, known);
      }
      if (i.kind === "exit" || (i.kind === "jump" && i.op === 0)) reachable = false;
    }
    for (const [at, label] of this.#behind) out[at]!.push(lir("label", { label }));
    return { code: out.flat(), labels: this.#labels };
  }

  #jump(at: number, i: Lir, known: Known, made: Lir[]): void {
    const value = known.get(i.d);
    if (understood(i) && value !== undefined) {
      // decided here; the rest of the block is unreachable when it is taken
      this.changed = true;
      if (holds(i.op, value, i.imm)) made.push({ ...i, op: 0, d: NONE });
      return;
    }
    const edge = new Map(known);
    if (understood(i) && i.op === JMP_OP.JEQ) edge.set(i.d, i.imm);
    const way = this.#follow(this.#at.get(i.label)!, edge);
    if (way !== null && (i.op === 0 || way.repeated.length === 0)) {
      this.changed = true;
      made.push(...way.repeated);
      i.label = this.#labelAt(way.to);
    }
    made.push(i);
    if (understood(i) && i.op === JMP_OP.JNE) known.set(i.d, i.imm);
    void at;
  }

  #fallInto(label: Lir, known: Known, made: Lir[]): void {
    const way = this.#follow(this.#at.get(label.label)!, new Map(known));
    if (way === null) return;
    this.changed = true;
    made.push(...way.repeated, { ...lir("jump", { label: this.#labelAt(way.to) }), depth: label.depth });
  }

  /** Where control ends up, when a condition on the way is decided by what is known. */
  #follow(from: number, known: Known): { to: number; repeated: Lir[] } | null {
    const repeated: Lir[] = [];
    let found: { to: number; repeated: Lir[] } | null = null;
    for (let at = from, n = 0; n < MAX_STEPS && at < this.#code.length; n++) {
      const i = this.#code[at]!;
      if (i.kind === "label") at++;
      else if (isConstant(i) || (i.kind === "copy" && known.has(i.s))) {
        if (repeated.length === MAX_REPEATED) break;
        repeated.push({ ...i });
        learn(i, known);
        at++;
      } else if (i.kind === "jump" && i.op === 0) at = this.#at.get(i.label)!;
      else if (understood(i) && known.has(i.d)) {
        at = holds(i.op, known.get(i.d)!, i.imm) ? this.#at.get(i.label)! : at + 1;
        found = { to: at, repeated: [...repeated] };
      } else break;
    }
    return found;
  }

  #labelAt(at: number): number {
    const here = this.#code[at];
    if (here?.kind === "label") return here.label;
    let label = this.#behind.get(at - 1);
    if (label === undefined) {
      label = this.#labels++;
      this.#behind.set(at - 1, label);
    }
    return label;
  }
}

/** Both passes, on code as the builder made it. */
export function improve(code: readonly Lir[], labels: number): Labelled {
  const threaded = threadJumps(tidy(code), labels);
  return rotateLoops(tidy(threaded.code), threaded.labels);
}

/** Jumps go past conditions that the way there decides. */
export function threadJumps(code: readonly Lir[], labels: number): Labelled {
  let current: Labelled = { code: [...code], labels };
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const threading = new Threading(current.code, current.labels);
    current = threading.run();
    if (!threading.changed) break;
  }
  return current;
}

const pure = (i: Lir): boolean =>
  i.kind === "copy" ||
  i.kind === "alu" ||
  i.kind === "neg" ||
  i.kind === "bswap" ||
  i.kind === "movsx" ||
  i.kind === "const64" ||
  i.kind === "load";

/** A loop that begins with its test is tested at its end instead: one jump less a turn. */
export function rotateLoops(code: readonly Lir[], labels: number): Labelled {
  const at = new Map<number, number>();
  for (const [n, i] of code.entries()) if (i.kind === "label") at.set(i.label, n);
  const inside = new Map<Lir, number>();
  let count = labels;
  const out: Lir[] = [];
  for (const [n, i] of code.entries()) {
    const head = i.kind === "jump" && i.op === 0 ? headOf(code, at.get(i.label)!, n) : null;
    if (head === null) {
      out.push(i);
      continue;
    }
    const test = head[head.length - 1]!;
    let label = inside.get(test);
    if (label === undefined) inside.set(test, (label = count++));
    for (const h of head.slice(0, -1)) out.push({ ...h });
    out.push({ ...test, op: INVERSE[test.op]!, label }, { ...i, label: test.label });
  }
  return {
    code: out.flatMap((i) => (inside.has(i) ? [i, lir("label", { label: inside.get(i)! })] : [i])),
    labels: count,
  };
}

/** What a backward jump leads to: a few computations and a test that has an opposite; else null. */
function headOf(code: readonly Lir[], label: number, jump: number): readonly Lir[] | null {
  let from = label;
  while (code[from]?.kind === "label") from++;
  if (from >= jump) return null;
  for (let n = from; n < from + MAX_HEAD && n < jump; n++) {
    const i = code[n]!;
    if (i.kind === "jump" && i.op !== 0 && INVERSE[i.op] !== undefined) return code.slice(from, n + 1);
    if (!pure(i)) return null;
  }
  return null;
}
