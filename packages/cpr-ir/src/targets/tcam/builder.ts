/** States while a parser is lowered: one small step each; merging comes later. */
import type { Expr, Load } from "../../ir/types.ts";
import { type Masked, maskedOf, throughLoad } from "./match.ts";
import { type Goto, reachOf, type TcamEntry, type TcamOp, type TcamSource, type TcamState } from "./table.ts";

/** A state, and whether it must stay a state of its own: a node's entrance or the head of a loop. */
export interface DraftState extends TcamState {
  readonly pinned: boolean;
}

/** A row to be: what it matches and where it goes. */
export interface Row extends Masked {
  readonly next: Goto;
}

/** The caller's mistakes and what a table cannot say: named at the node. */
export class Refusal extends Error {
  readonly code: string;
  readonly node: number;
  constructor(code: string, node: number, message: string) {
    super(message);
    this.code = code;
    this.node = node;
  }
}

/** Registers of 8 bits' width of name. */
const MAX_REGS = 255;

/** Collects states. Each helper takes where to go afterwards and gives where to go first. */
export class TableBuilder {
  readonly states: (DraftState | null)[] = [];
  /** The node that states are made for; -1: exits. */
  node = -1;
  readonly #window: number;
  readonly #numKeys: number;
  #regs: number;
  #mostRegs: number;

  constructor(window: number, numKeys: number, counters: number) {
    this.#window = window;
    this.#numKeys = numKeys;
    this.#regs = numKeys + counters;
    this.#mostRegs = this.#regs;
  }

  get numRegs(): number {
    return this.#mostRegs;
  }

  /** Registers for the time of `use`. */
  withRegs<T>(n: number, use: (...regs: number[]) => T): T {
    const first = this.#regs;
    if (first + n > MAX_REGS)
      throw new Refusal("tcam.registers", this.node, `more than ${MAX_REGS} registers are needed`);
    this.#regs += n;
    this.#mostRegs = Math.max(this.#mostRegs, this.#regs);
    const result = use(...Array.from({ length: n }, (_, i) => first + i));
    this.#regs = first;
    return result;
  }

  counterReg(counter: number): number {
    return this.#numKeys + counter;
  }

  /** A state's index, to be filled by {@link fill}: for ways back. */
  reserve(): number {
    this.states.push(null);
    return this.states.length - 1;
  }

  fill(at: number, entries: readonly TcamEntry[], keys: readonly TcamSource[] = []): void {
    this.states[at] = { node: this.node, enter: false, need: 0, short: -1, keys, entries, pinned: true };
  }

  enter(at: number, need: number, short: Goto, next: Goto): void {
    const entries = [{ values: [], masks: [], ops: [], next }];
    this.states[at] = { node: this.node, enter: true, need, short, keys: [], entries, pinned: true };
  }

  #add(keys: readonly TcamSource[], entries: readonly TcamEntry[]): number {
    this.states.push({ node: this.node, enter: false, need: 0, short: -1, keys, entries, pinned: false });
    return this.states.length - 1;
  }

  /** Steps in order. */
  ops(list: readonly TcamOp[], next: Goto): Goto {
    let to = next;
    for (let i = list.length - 1; i >= 0; i--) to = this.#op(list[i]!, to);
    return to;
  }

  #op(op: TcamOp, next: Goto): Goto {
    const one = (o: TcamOp, to: Goto): Goto => this.#add([], [{ values: [], masks: [], ops: [o], next: to }]);
    const [d, near] = this.#near(op);
    if (d === 0) return one(op, next);
    const back = one(move(-d), next);
    return one(move(d), one(near, back));
  }

  /** How far the cursor must go for a step to see its bytes, and the step as seen from there. */
  #near(op: TcamOp): [number, TcamOp] {
    switch (op.op) {
      case "alu":
      case "write": {
        const { src } = op;
        if (src.kind !== "packet" || reachOf(src) <= this.#window) return [0, op];
        return [src.off, { ...op, src: { ...src, off: 0 } }];
      }
      case "copy":
        return op.off + op.target.len <= this.#window ? [0, op] : [op.off, { ...op, off: 0 }];
      case "nibbles": {
        if ((op.start + op.count + 1) >> 1 <= this.#window) return [0, op];
        return [op.start >> 1, { ...op, start: op.start & 1 }];
      }
      default:
        return [0, op];
    }
  }

  /** A choice by one source: the first row that matches, else `miss`. */
  choose(src: TcamSource, rows: readonly Row[], miss: Goto): Goto {
    const far = reachOf(src) > this.#window;
    if (far && src.kind === "packet") {
      const back = (to: Goto): Goto => this.ops([move(-src.off)], to);
      const near = rows.map((r) => ({ ...r, next: back(r.next) }));
      return this.ops([move(src.off)], this.choose({ ...src, off: 0 }, near, back(miss)));
    }
    const entries = rows.map((r) => ({ values: [r.value], masks: [r.mask], ops: [], next: r.next }));
    return this.#add([src], [...entries, { values: [0], masks: [0], ops: [], next: miss }]);
  }

  /** A choice by the value of a load. */
  table(load: Load, rows: readonly { readonly key: number; readonly next: Goto }[], miss: Goto): Goto {
    const masked = rows.flatMap(({ key, next }) => {
      const m = throughLoad(load, key, 0xffffffff);
      return m === null ? [] : [{ ...m, next }];
    });
    return this.choose(this.source(load), masked, miss);
  }

  /** Where a condition leads. */
  when(expr: Expr, yes: Goto, no: Goto): Goto {
    if (expr.kind === "compare") {
      const { rows, holds } = maskedOf(expr.load, expr.op, expr.value);
      const hit = holds ? yes : no;
      return this.choose(
        this.source(expr.load),
        rows.map((r) => ({ ...r, next: hit })),
        holds ? no : yes,
      );
    }
    const [first, stop] = expr.kind === "and" ? [yes, no] : [no, yes];
    let to = first;
    for (let i = expr.ents.length - 1; i >= 0; i--)
      to = expr.kind === "and" ? this.when(expr.ents[i]!, to, stop) : this.when(expr.ents[i]!, stop, to);
    return to;
  }

  /** A load's source in the engine's terms. */
  source(load: Load): TcamSource {
    const { source } = load;
    switch (source.kind) {
      case "field":
        return { kind: "packet", off: source.off, len: source.len, little: source.little };
      case "key":
        return { kind: "register", reg: source.key };
      case "counter":
        return { kind: "register", reg: this.counterReg(source.counter) };
      case "remaining":
        return { kind: "left" };
    }
  }
}

/** A constant. */
export function constant(value: number): TcamSource {
  return { kind: "constant", value };
}

/** The cursor goes on (or back) by a constant. */
export function move(by: number): TcamOp {
  return { op: "move", src: constant(by), relative: true };
}

/** The cursor goes to the packet offset in a register. */
export function moveTo(reg: number): TcamOp {
  return { op: "move", src: { kind: "register", reg }, relative: false };
}

/** `dst = src + add + plus`. */
export function set(dst: number, src: TcamSource, more: { add?: number; plus?: number } = {}): TcamOp {
  return {
    op: "alu",
    dst,
    src,
    mask: 0xffffffff,
    shift: 0,
    mult: 1,
    add: more.add ?? 0,
    plus: more.plus ?? -1,
  };
}
