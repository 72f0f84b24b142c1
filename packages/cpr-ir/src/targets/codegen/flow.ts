/** Control flow and liveness of linear code, over bit sets of registers. */
import { defOf, type Lir, usesOf } from "./lir.ts";

/** A set of registers. */
export class BitSet {
  readonly words: Uint32Array;
  constructor(size: number) {
    this.words = new Uint32Array((size + 31) >> 5);
  }
  has(i: number): boolean {
    return ((this.words[i >> 5]! >>> (i & 31)) & 1) === 1;
  }
  add(i: number): void {
    this.words[i >> 5]! |= 1 << (i & 31);
  }
  delete(i: number): void {
    this.words[i >> 5]! &= ~(1 << (i & 31));
  }
  /** Add all of another; true when anything was new. */
  union(other: BitSet): boolean {
    let grown = false;
    for (let i = 0; i < this.words.length; i++) {
      const before = this.words[i]!;
      const after = before | other.words[i]!;
      if (after >>> 0 !== before) {
        this.words[i] = after;
        grown = true;
      }
    }
    return grown;
  }
  copyFrom(other: BitSet): void {
    this.words.set(other.words);
  }
  each(body: (i: number) => void): void {
    for (let w = 0; w < this.words.length; w++) {
      let bits = this.words[w]!;
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits & -bits);
        body(w * 32 + bit);
        bits &= bits - 1;
      }
    }
  }
}

/** A run of instructions entered only at its start. */
export interface BasicBlock {
  readonly from: number;
  /** One past its last instruction. */
  readonly to: number;
  readonly successors: number[];
  readonly liveOut: BitSet;
}

/** Drop what cannot be reached and jumps to the next instruction. */
export function tidy(code: readonly Lir[]): Lir[] {
  // threading may leave code behind that nothing reaches, loops among it: once more without it
  return repeated(reached(repeated(code, true)), false);
}

/** What control can come to from the first instruction. */
function reached(code: readonly Lir[]): Lir[] {
  const place = new Map<number, number>();
  for (const [at, i] of code.entries()) if (i.kind === "label") place.set(i.label, at);
  const seen = new Uint8Array(code.length);
  const todo = [0];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    while (at < code.length && seen[at] === 0) {
      seen[at] = 1;
      const i: Lir = code[at]!;
      if (i.kind === "jump") todo.push(place.get(i.label)!);
      if (i.kind === "exit" || (i.kind === "jump" && i.op === 0)) break;
      at++;
    }
  }
  return code.filter((_, at) => seen[at] === 1);
}

function repeated(code: readonly Lir[], threading: boolean): Lir[] {
  let current = [...code];
  for (;;) {
    const next = tidyOnce(current, threading);
    if (next.length === current.length) return next;
    current = next;
  }
}

function tidyOnce(code: readonly Lir[], threading: boolean): Lir[] {
  const used = new Set<number>();
  for (const i of code) if (i.kind === "jump") used.add(i.label);
  const forward = threading ? threads(code) : new Map<number, number>();
  const out: Lir[] = [];
  let reachable = true;
  for (let at = 0; at < code.length; at++) {
    const i = code[at]!;
    if (i.kind === "label") {
      if (!used.has(i.label)) continue;
      reachable = true;
    }
    if (!reachable) continue;
    if (i.kind === "jump") {
      const target = forward.get(i.label);
      if (target !== undefined) i.label = target;
      if (jumpsToNext(code, at)) continue;
    }
    out.push(i);
    if (i.kind === "exit" || (i.kind === "jump" && i.op === 0)) reachable = false;
  }
  return out;
}

/** Labels behind which only an unconditional jump stands, and where that goes. */
function threads(code: readonly Lir[]): Map<number, number> {
  const out = new Map<number, number>();
  for (let at = 0; at < code.length; at++) {
    if (code[at]!.kind !== "label") continue;
    let next = at + 1;
    while (next < code.length && code[next]!.kind === "label") next++;
    const jump = code[next];
    if (jump?.kind === "jump" && jump.op === 0 && jump.label !== code[at]!.label)
      out.set(code[at]!.label, jump.label);
  }
  // follow chains, but not for ever: an empty endless loop points at itself
  for (const [label, target] of out) {
    let end = target;
    for (let n = 0; n < 64; n++) {
      const further = out.get(end);
      if (further === undefined || further === label) break;
      end = further;
    }
    out.set(label, end);
  }
  return out;
}

function jumpsToNext(code: readonly Lir[], at: number): boolean {
  const { label } = code[at]!;
  for (let next = at + 1; next < code.length && code[next]!.kind === "label"; next++)
    if (code[next]!.label === label) return true;
  return false;
}

/** Basic blocks with what is live at their ends. */
export function analyse(code: readonly Lir[], registers: number): BasicBlock[] {
  const blocks: BasicBlock[] = [];
  const blockOfLabel = new Map<number, number>();
  let from = 0;
  const close = (to: number): void => {
    if (to === from) return;
    blocks.push({ from, to, successors: [], liveOut: new BitSet(registers) });
    from = to;
  };
  for (const [at, i] of code.entries()) {
    if (i.kind === "label") {
      if (at > from && code[at - 1]!.kind !== "label") close(at);
      blockOfLabel.set(i.label, blocks.length);
    }
    if (i.kind === "jump" || i.kind === "exit") close(at + 1);
  }
  close(code.length);
  for (const [n, block] of blocks.entries()) {
    const last = code[block.to - 1]!;
    if (last.kind === "jump") block.successors.push(blockOfLabel.get(last.label)!);
    const falls = last.kind !== "exit" && !(last.kind === "jump" && last.op === 0);
    if (falls && n + 1 < blocks.length) block.successors.push(n + 1);
  }
  solve(code, blocks, registers);
  return blocks;
}

function solve(code: readonly Lir[], blocks: readonly BasicBlock[], registers: number): void {
  const liveIn = blocks.map(() => new BitSet(registers));
  const scratch = new BitSet(registers);
  for (let changed = true; changed; ) {
    changed = false;
    for (let n = blocks.length - 1; n >= 0; n--) {
      const block = blocks[n]!;
      for (const s of block.successors) block.liveOut.union(liveIn[s]!);
      scratch.copyFrom(block.liveOut);
      walkBack(code, block, scratch, () => undefined);
      if (liveIn[n]!.union(scratch)) changed = true;
    }
  }
}

/** Visit a block's instructions backwards; `live` is what is live behind each when `visit` is called. */
export function walkBack(
  code: readonly Lir[],
  block: BasicBlock,
  live: BitSet,
  visit: (i: Lir, at: number, live: BitSet) => void,
): void {
  const uses: number[] = [];
  for (let at = block.to - 1; at >= block.from; at--) {
    const i = code[at]!;
    visit(i, at, live);
    const d = defOf(i);
    if (d >= 0) live.delete(d);
    if (i.kind === "call") for (let r = 0; r <= 5; r++) live.delete(r);
    usesOf(i, uses);
    for (const u of uses) live.add(u);
  }
}

/** Remove computations whose result nobody reads; loads stay, they may trap. */
export function dropDead(code: readonly Lir[], registers: number): Lir[] {
  let current = code;
  for (;;) {
    const dead = new Set<number>();
    for (const block of analyse(current, registers)) {
      const live = new BitSet(registers);
      live.copyFrom(block.liveOut);
      walkBack(current, block, live, (i, at, now) => {
        const pure =
          i.kind === "copy" ||
          i.kind === "alu" ||
          i.kind === "neg" ||
          i.kind === "bswap" ||
          i.kind === "movsx" ||
          i.kind === "cast" ||
          (i.kind === "const64" && i.reloc === null);
        if (pure && !now.has(i.d)) dead.add(at);
      });
    }
    if (dead.size === 0) return [...current];
    current = current.filter((_, at) => !dead.has(at));
  }
}
