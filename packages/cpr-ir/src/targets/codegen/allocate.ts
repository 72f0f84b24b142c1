/**
 * Register allocation: interference from liveness, conservative coalescing of copies, colouring by simplification
 * with r0..r9; what finds no register lives in the frame.
 * @see Chaitin 1982, Briggs 1994, George and Appel 1996
 */
import { STACK_BYTES } from "../ebpf/opcode.ts";
import { analyse, type BasicBlock, BitSet, dropDead, tidy, walkBack } from "./flow.ts";
import { defOf, type Lir, lir, MACHINE_REGISTERS, usesOf } from "./lir.ts";

/** Code on machine registers. */
export interface Allocated {
  readonly code: Lir[];
  /** 8-byte slots of the frame in use. */
  readonly spills: number;
}

/**
 * Allocate one function.
 * @param frameBytes - room for spills
 * @returns null when the frame does not hold what must be spilled
 */
export function allocate(
  code: readonly Lir[],
  registers: number,
  frameBytes: number = STACK_BYTES,
): Allocated | null {
  let current = dropDead(tidy(code), registers);
  let count = registers;
  let slots = 0;
  const state: SpillState = { noSpill: new Set(), caches: new Map(), pointers: new Set() };
  for (const i of current) if (i.kind === "cast" && i.d >= MACHINE_REGISTERS) state.pointers.add(i.d);
  for (let round = 0; round < 32; round++) {
    const graph = new Graph(current, count, state.noSpill);
    const spilled = graph.colour();
    if (spilled.length === 0) return { code: finish(current, graph), spills: slots };
    const slotOf = graph.slots(spilled, slots, state.caches);
    for (const slot of slotOf.values()) slots = Math.max(slots, slot + 1);
    const result = spill(current, spilled, count, slotOf, state);
    current = result.code;
    count = result.registers;
    if (slots * 8 > frameBytes) return null;
  }
  return null;
}

function finish(code: readonly Lir[], graph: Graph): Lir[] {
  const out: Lir[] = [];
  for (const i of code) {
    if (i.d >= 0) i.d = graph.colourOf(i.d);
    if (i.s >= 0) i.s = graph.colourOf(i.s);
    if (i.kind === "copy" && i.d === i.s) continue;
    out.push(i);
  }
  return tidy(dropDeadStores(dropReloads(tidy(out))));
}

/** Remove loads of a frame slot into the register that holds its value already; looked at block by block. */
function dropReloads(code: readonly Lir[]): Lir[] {
  const slotOf = new Map<number, number>();
  return code.filter((i) => {
    if (i.kind === "label" || i.kind === "jump") {
      if (i.kind === "label") slotOf.clear();
      return true;
    }
    if (i.kind === "spillLoad" && slotOf.get(i.d) === i.imm) return false;
    if (i.kind === "call") for (let r = 0; r <= 5; r++) slotOf.delete(r);
    slotOf.delete(defOf(i));
    if (i.kind === "spillLoad") slotOf.set(i.d, i.imm);
    if (i.kind === "spillStore") {
      for (const [r, slot] of slotOf) if (slot === i.imm) slotOf.delete(r);
      slotOf.set(i.s, i.imm);
    }
    return true;
  });
}

/** Remove stores to frame slots that no load reads before the next store. */
function dropDeadStores(code: readonly Lir[]): Lir[] {
  const blocks = analyse(code, MACHINE_REGISTERS);
  const liveIn = blocks.map(() => new Set<number>());
  const dead = new Set<number>();
  const walk = (block: BasicBlock, found: ((at: number) => void) | null): Set<number> => {
    const live = new Set<number>();
    for (const s of block.successors) for (const slot of liveIn[s]!) live.add(slot);
    for (let at = block.to - 1; at >= block.from; at--) {
      const i = code[at]!;
      if (i.kind === "spillLoad") live.add(i.imm);
      else if (i.kind === "spillStore" && !live.delete(i.imm)) found?.(at);
    }
    return live;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (let n = blocks.length - 1; n >= 0; n--) {
      const live = walk(blocks[n]!, null);
      if (live.size > liveIn[n]!.size) {
        liveIn[n] = live;
        changed = true;
      }
    }
  }
  for (const block of blocks) walk(block, (at) => dead.add(at));
  return code.filter((_, at) => !dead.has(at));
}

/** Registers made by spilling: temporaries of one instruction, and caches that live between calls. */
interface SpillState {
  readonly noSpill: Set<number>;
  /** Cache to the slot that always holds its value. */
  readonly caches: Map<number, number>;
  /** Addresses of an arena: a frame may lie there, and what is loaded from it is a number until it is cast again. */
  readonly pointers: Set<number>;
}

/**
 * Put registers into the frame. A register is first given a cache: a register that holds its value between two
 * calls and is loaded from the frame only where some path may have lost it. A cache that finds no register either
 * is loaded before every read.
 */
function spill(
  code: readonly Lir[],
  spilled: readonly number[],
  registers: number,
  slotOf: ReadonlyMap<number, number>,
  state: SpillState,
): { code: Lir[]; registers: number } {
  const again = new Set(spilled.filter((r) => state.caches.has(r)));
  const cached = spilled.filter((r) => !again.has(r));
  const cacheOf = new Map(cached.map((r, n) => [r, registers + n]));
  for (const [r, t] of cacheOf) {
    state.caches.set(t, slotOf.get(r)!);
    if (state.pointers.has(r)) state.pointers.add(t);
  }
  const blocks = analyse(code, registers);
  const held = cached.length === 0 ? null : available(code, blocks, cached);
  const out: Lir[] = [];
  let count = registers + cached.length;
  const uses: number[] = [];
  for (const [n, block] of blocks.entries()) {
    const now = new Set(held === null ? [] : held[n]!);
    for (let at = block.from; at < block.to; at++) {
      const i = code[at]!;
      // a cache without a register: its slot is written where the value is made
      if ((i.kind === "spillLoad" && again.has(i.d)) || (i.kind === "spillStore" && again.has(i.s))) continue;
      if (i.kind === "cast" && i.d === i.s && again.has(i.d)) continue;
      const fresh = new Map<number, number>();
      const replace = (r: number): number => {
        if (!slotOf.has(r)) return r;
        let t = cacheOf.get(r) ?? fresh.get(r);
        if (t === undefined) {
          t = count++;
          state.noSpill.add(t);
          fresh.set(r, t);
        }
        return t;
      };
      usesOf(i, uses);
      for (const u of uses) {
        if (!slotOf.has(u) || now.has(u) || fresh.has(u)) continue;
        const d = replace(u);
        out.push(lir("spillLoad", { d, imm: slotOf.get(u)!, depth: i.depth, origin: i.origin }));
        if (state.pointers.has(u)) out.push(lir("cast", { d, s: d, depth: i.depth, origin: i.origin }));
        if (cacheOf.has(u)) now.add(u);
      }
      const written = defOf(i);
      const target = written >= 0 && slotOf.has(written) ? written : -1;
      if (i.d >= 0) i.d = replace(i.d);
      if (i.s >= 0) i.s = replace(i.s);
      out.push(i);
      if (i.kind === "call") now.clear();
      if (target < 0) continue;
      out.push(
        lir("spillStore", { s: replace(target), imm: slotOf.get(target)!, depth: i.depth, origin: i.origin }),
      );
      if (cacheOf.has(target)) now.add(target);
    }
  }
  return { code: out, registers: count };
}

/** For each block, the registers whose caches hold their value on every path into it. */
function available(
  code: readonly Lir[],
  blocks: readonly BasicBlock[],
  cached: readonly number[],
): ReadonlySet<number>[] {
  const into = blocks.map((_, n) => new Set(n === 0 ? [] : cached));
  const uses: number[] = [];
  for (let changed = true; changed; ) {
    changed = false;
    for (const [n, block] of blocks.entries()) {
      const now = new Set(into[n]!);
      for (let at = block.from; at < block.to; at++) {
        const i = code[at]!;
        usesOf(i, uses);
        for (const u of uses) if (cached.includes(u)) now.add(u);
        if (i.kind === "call") now.clear();
        const d = defOf(i);
        if (d >= 0 && cached.includes(d)) now.add(d);
      }
      for (const s of block.successors)
        for (const r of into[s]!)
          if (!now.has(r)) {
            into[s]!.delete(r);
            changed = true;
          }
    }
  }
  return into;
}

class Graph {
  readonly #code: readonly Lir[];
  readonly #n: number;
  readonly #adjacent: BitSet[];
  readonly #neighbours: Set<number>[];
  readonly #cost: Float64Array;
  readonly #alias: Int32Array;
  readonly #colour: Int8Array;
  readonly #present: BitSet;
  readonly #noSpill: ReadonlySet<number>;
  readonly #partners: Map<number, number[]> = new Map();

  constructor(code: readonly Lir[], registers: number, noSpill: ReadonlySet<number>) {
    this.#code = code;
    this.#n = registers;
    this.#noSpill = noSpill;
    this.#adjacent = Array.from({ length: registers }, () => new BitSet(registers));
    this.#neighbours = Array.from({ length: registers }, () => new Set<number>());
    this.#cost = new Float64Array(registers);
    this.#alias = Int32Array.from({ length: registers }, (_, i) => i);
    this.#colour = new Int8Array(registers).fill(-1);
    this.#present = new BitSet(registers);
    this.#build();
  }

  colourOf(r: number): number {
    return this.#colour[this.#find(r)]!;
  }

  #find(r: number): number {
    let at = r;
    while (this.#alias[at] !== at) at = this.#alias[at]!;
    return at;
  }

  #connect(a: number, b: number): void {
    if (a === b || this.#adjacent[a]!.has(b)) return;
    this.#adjacent[a]!.add(b);
    this.#adjacent[b]!.add(a);
    this.#neighbours[a]!.add(b);
    this.#neighbours[b]!.add(a);
  }

  #build(): void {
    const uses: number[] = [];
    for (let a = 0; a < MACHINE_REGISTERS; a++) for (let b = 0; b < a; b++) this.#connect(a, b);
    for (const block of analyse(this.#code, this.#n)) {
      const live = new BitSet(this.#n);
      live.copyFrom(block.liveOut);
      walkBack(this.#code, block, live, (i, _at, now) => {
        const d = defOf(i);
        const weight = 10 ** Math.min(i.depth, 6);
        usesOf(i, uses);
        for (const u of uses) {
          this.#present.add(u);
          this.#cost[u]! += weight;
        }
        if (d >= 0) {
          this.#present.add(d);
          this.#cost[d]! += weight;
          now.each((l) => {
            // a copy's source and target may share a register
            if (l !== d && !(i.kind === "copy" && l === i.s)) this.#connect(d, l);
          });
        }
        if (i.kind === "call")
          now.each((l) => {
            for (let r = 0; r <= 5; r++)
              if (l !== r && !(i.result && r === 0 && l === 0)) this.#connect(r, l);
          });
      });
    }
  }

  /** @returns the registers that found no colour; empty when all did */
  colour(): number[] {
    this.#coalesce();
    this.#findPartners();
    for (let r = 0; r < MACHINE_REGISTERS; r++) this.#colour[r] = r;
    const stack = this.#simplify();
    const spilled: number[] = [];
    while (stack.length > 0) {
      const r = stack.pop()!;
      let taken = 0;
      for (const t of this.#neighbours[r]!) {
        const c = this.#colour[this.#find(t)]!;
        if (c >= 0) taken |= 1 << c;
      }
      const free = this.#choose(r, ~taken & ((1 << MACHINE_REGISTERS) - 1));
      if (free < 0) spilled.push(...this.#members(r));
      else this.#colour[r] = free;
    }
    return spilled;
  }

  /** The register of a copy's other side when it is free, so that the copy vanishes; else the lowest. */
  #choose(r: number, free: number): number {
    for (const partner of this.#partners.get(r) ?? []) {
      const c = this.#colour[this.#find(partner)]!;
      if (c >= 0 && ((free >> c) & 1) === 1) return c;
    }
    return free === 0 ? -1 : 31 - Math.clz32(free & -free);
  }

  /** Frame slots from `first` on for spilled registers: shared by those that are never alive together. */
  slots(spilled: readonly number[], first: number, known: ReadonlyMap<number, number>): Map<number, number> {
    const out = new Map<number, number>();
    const taken: number[][] = [];
    const ofRoot = new Map<number, number>();
    for (const r of spilled) {
      const given = known.get(r);
      if (given !== undefined) {
        out.set(r, given);
        continue;
      }
      const root = this.#find(r);
      let slot = ofRoot.get(root);
      if (slot === undefined) {
        slot = taken.findIndex((members) => members.every((m) => !this.#adjacent[root]!.has(m)));
        if (slot < 0) slot = taken.push([]) - 1;
        taken[slot]!.push(root);
        ofRoot.set(root, slot);
      }
      out.set(r, first + slot);
    }
    return out;
  }

  #findPartners(): void {
    const add = (a: number, b: number): void => {
      const list = this.#partners.get(a);
      if (list === undefined) this.#partners.set(a, [b]);
      else list.push(b);
    };
    for (const i of this.#code) {
      if (i.kind !== "copy" && i.kind !== "cast") continue;
      add(this.#find(i.d), i.s);
      add(this.#find(i.s), i.d);
    }
  }

  #members(root: number): number[] {
    const out: number[] = [];
    for (let r = MACHINE_REGISTERS; r < this.#n; r++)
      if (this.#present.has(r) && this.#find(r) === root) out.push(r);
    return out;
  }

  #degree(r: number): number {
    return r < MACHINE_REGISTERS ? Number.POSITIVE_INFINITY : this.#neighbours[r]!.size;
  }

  #coalesce(): void {
    const copies = this.#code.filter((i) => i.kind === "copy").sort((a, b) => b.depth - a.depth);
    for (let changed = true; changed; ) {
      changed = false;
      for (const copy of copies) {
        let a = this.#find(copy.d);
        let b = this.#find(copy.s);
        if (a === b || this.#adjacent[a]!.has(b)) continue;
        if (b < MACHINE_REGISTERS) [a, b] = [b, a];
        if (b < MACHINE_REGISTERS) continue;
        if (a < MACHINE_REGISTERS ? !this.#georgeSafe(a, b) : !this.#briggsSafe(a, b)) continue;
        this.#merge(a, b);
        changed = true;
      }
    }
  }

  #georgeSafe(a: number, b: number): boolean {
    for (const t of this.#neighbours[b]!)
      if (t >= MACHINE_REGISTERS && this.#degree(t) >= MACHINE_REGISTERS && !this.#adjacent[t]!.has(a))
        return false;
    for (const t of this.#neighbours[b]!) if (t === a) return false;
    return true;
  }

  #briggsSafe(a: number, b: number): boolean {
    let significant = 0;
    const count = (t: number, other: number): void => {
      const shared = this.#adjacent[t]!.has(other);
      if (this.#degree(t) - (shared ? 1 : 0) >= MACHINE_REGISTERS) significant++;
    };
    for (const t of this.#neighbours[a]!) count(t, b);
    for (const t of this.#neighbours[b]!) if (!this.#adjacent[t]!.has(a)) count(t, a);
    return significant < MACHINE_REGISTERS;
  }

  #merge(a: number, b: number): void {
    this.#alias[b] = a;
    this.#cost[a]! += this.#cost[b]!;
    if (this.#noSpill.has(b)) this.#cost[a] = Number.POSITIVE_INFINITY;
    for (const t of this.#neighbours[b]!) {
      this.#neighbours[t]!.delete(b);
      this.#adjacent[t]!.delete(b);
      this.#connect(a, t);
    }
    this.#neighbours[b]!.clear();
  }

  #simplify(): number[] {
    const degree = new Int32Array(this.#n);
    const todo = new Set<number>();
    for (let r = MACHINE_REGISTERS; r < this.#n; r++)
      if (this.#present.has(r) && this.#alias[r] === r) {
        todo.add(r);
        degree[r] = this.#neighbours[r]!.size;
      }
    const stack: number[] = [];
    const low = [...todo].filter((r) => degree[r]! < MACHINE_REGISTERS);
    while (todo.size > 0) {
      let r = low.pop();
      if (r === undefined || !todo.has(r)) {
        if (r !== undefined) continue;
        r = this.#cheapest(todo, degree);
      }
      todo.delete(r);
      stack.push(r);
      for (const t of this.#neighbours[r]!)
        if (todo.has(t) && --degree[t]! === MACHINE_REGISTERS - 1) low.push(t);
    }
    return stack;
  }

  #cheapest(todo: ReadonlySet<number>, degree: Int32Array): number {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (const r of todo) {
      const cost = this.#noSpill.has(r) ? Number.MAX_VALUE : this.#cost[r]! / degree[r]!;
      if (best < 0 || cost < least) {
        best = r;
        least = cost;
      }
    }
    return best;
  }
}
