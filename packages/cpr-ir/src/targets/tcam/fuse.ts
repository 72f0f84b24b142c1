/**
 * Merging of states. Pre: each state is small. Post: the same behaviour; no entry, key or window beyond the
 * limits; states that nothing leads to are gone, equal ones are one.
 *
 * An entry takes over the steps of the state that it leads to. Where that state looks at a key, the entry
 * becomes several, provided that the key is the same before the entry's steps as behind them.
 */
import type { DraftState } from "./builder.ts";
import { entryBytes, entryWindow, type TcamLimits } from "./limits.ts";
import type { TcamDraft } from "./lower.ts";
import {
  gotosOf,
  keyBits,
  reachOf,
  type TcamEntry,
  type TcamOp,
  type TcamProgram,
  type TcamSource,
  type TcamState,
} from "./table.ts";

/** How far to merge: `all` saves steps, `chains` (only states without a key) saves entries. */
export type Merging = "all" | "chains";

/** Most entries that merging makes in a state that had fewer. */
const MAX_PRODUCT = 48;
/** Largest table that is taken over by the state before it. */
const MAX_TABLE = 4096;

/** Merge. */
export function fuse(draft: TcamDraft, limits: TcamLimits, merging: Merging): TcamProgram {
  const states: DraftState[] = [...draft.states];
  // from the last to the first: what a state leads to was mostly made before it and is merged already
  for (const [i] of states.entries()) fuseState(states, i, limits, merging);
  return compact({ ...draft, states });
}

function fuseState(states: DraftState[], at: number, limits: TcamLimits, merging: Merging): void {
  // every merge follows an edge to a state that is not pinned, and all ways back lead to pinned ones
  const entries = [...states[at]!.entries];
  let state: DraftState = { ...states[at]!, entries };
  for (let i = 0; i < entries.length; ) {
    const entry = entries[i]!;
    const next = entry.next < 0 ? null : states[entry.next]!;
    const merged = next === null || next.pinned ? null : tryMerge(state, i, next, limits, merging === "all");
    if (merged === null) {
      i++;
      continue;
    }
    if (merged.rows.length === 1) entries[i] = merged.rows[0]!;
    else entries.splice(i, 1, ...merged.rows);
    if (merged.keys.length > state.keys.length) {
      for (const [n, e] of entries.entries()) entries[n] = widen(e, merged.keys.length);
      state = { ...state, keys: merged.keys };
    }
  }
  states[at] = state;
}

function tryMerge(
  state: DraftState,
  i: number,
  next: DraftState,
  limits: TcamLimits,
  products: boolean,
): { readonly keys: readonly TcamSource[]; readonly rows: readonly TcamEntry[] } | null {
  const entry = state.entries[i]!;
  if (next.keys.length > 0 && !products) return null;
  const keys = [...state.keys];
  const place: number[] = [];
  for (const key of next.keys) {
    const before = beforeOps(key, entry.ops);
    if (before === null || reachOf(before) > limits.window) return null;
    let p = keys.findIndex((k) => same(k, before));
    if (p < 0) p = keys.push(before) - 1;
    place.push(p);
  }
  if (keys.reduce((n, k) => n + keyBits(k), 0) > limits.keyBits) return null;
  if (next.entries.length > MAX_TABLE) return null;
  const made: TcamEntry[] = [];
  for (const row of next.entries) {
    const both = intersect(entry, row, place, keys.length);
    if (both === null) continue;
    const ops = [...entry.ops, ...row.ops];
    if (ops.length > limits.ops || entryBytes({ ops }) > limits.bytesPerStep) return null;
    const window = entryWindow({ ops });
    if (window === null || window > limits.window) return null;
    made.push({ ...both, ops, next: row.next });
    if (everything(both, entry, keys.length)) break;
  }
  const size = state.entries.length - 1 + made.length;
  if (size > MAX_PRODUCT && size > Math.max(state.entries.length, next.entries.length)) return null;
  return { keys, rows: made };
}

/** A key that is looked at behind some steps, as it is before them; null: they change it. */
function beforeOps(key: TcamSource, ops: readonly TcamOp[]): TcamSource | null {
  let moved = 0;
  for (const op of ops) {
    if (op.op === "move") {
      if (!op.relative || op.src.kind !== "constant" || key.kind === "left" || key.kind === "until") {
        if (key.kind !== "register") return null;
      } else moved += op.src.value;
    }
    const written = op.op === "alu" ? op.dst : op.op === "fit" || op.op === "count" ? op.reg : -1;
    if ((key.kind === "register" || key.kind === "until") && written === key.reg) {
      // a register that is only compared stays what it was
      if (!(op.op === "fit" && !op.clamp)) return null;
    }
  }
  if (key.kind !== "packet") return key;
  return key.off + moved < 0 ? null : { ...key, off: key.off + moved };
}

function widen(e: TcamEntry, keys: number): TcamEntry {
  if (e.values.length === keys) return e;
  const more = Array.from({ length: keys - e.values.length }, () => 0);
  return { ...e, values: [...e.values, ...more], masks: [...e.masks, ...more] };
}

/** Rows that both match; null: none. */
function intersect(a: TcamEntry, b: TcamEntry, place: readonly number[], keys: number): TcamEntry | null {
  const wide = widen(a, keys);
  const values = [...wide.values];
  const masks = [...wide.masks];
  for (const [n, p] of place.entries()) {
    const common = masks[p]! & b.masks[n]!;
    if ((values[p]! & common) !== (b.values[n]! & common)) return null;
    values[p] = (values[p]! | b.values[n]!) >>> 0;
    masks[p] = (masks[p]! | b.masks[n]!) >>> 0;
  }
  return { values, masks, ops: a.ops, next: a.next };
}

/** Whether a row matches all that an entry matched: those behind it are never reached. */
function everything(row: TcamEntry, entry: TcamEntry, keys: number): boolean {
  const wide = widen(entry, keys);
  return row.masks.every((m, i) => m === wide.masks[i]!);
}

function same(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Drop what nothing leads to and merge equal states, until nothing changes. */
function compact(program: TcamDraft): TcamProgram {
  let states: TcamState[] = program.states.map(
    ({ pinned: _pinned, ...s }): TcamState => ({ ...s, entries: shorten(s.entries) }),
  );
  let roots = [program.start, program.okayExit, program.failExit];
  for (;;) {
    const reached = new Set<number>();
    const queue = roots.filter((g) => g >= 0);
    for (const g of queue) {
      if (reached.has(g)) continue;
      reached.add(g);
      for (const t of gotosOf(states[g]!)) if (t >= 0) queue.push(t);
    }
    const to = new Map<number, number>();
    const seen = new Map<string, number>();
    const kept: TcamState[] = [];
    for (const i of [...reached].sort((a, b) => a - b)) {
      // two nodes' entrances are never one: the last node is part of the result
      const text = states[i]!.enter ? `enter ${i}` : JSON.stringify({ ...states[i]!, node: 0 });
      const known = seen.get(text);
      if (known !== undefined) to.set(i, known);
      else {
        seen.set(text, kept.length);
        to.set(i, kept.length);
        kept.push(states[i]!);
      }
    }
    const go = (g: number): number => (g < 0 ? g : to.get(g)!);
    const stable = kept.length === states.length;
    states = kept.map((s) => retarget(s, go));
    roots = roots.map(go);
    if (stable) break;
  }
  const [start, okayExit, failExit] = roots as [number, number, number];
  return { ...program, start, okayExit, failExit, states };
}

function retarget(s: TcamState, go: (g: number) => number): TcamState {
  const entries = s.entries.map((e) => ({
    ...e,
    next: go(e.next),
    ops: e.ops.map((op) =>
      "otherwise" in op && op.otherwise !== null ? { ...op, otherwise: go(op.otherwise) } : op,
    ),
  }));
  return { ...s, short: go(s.short), entries };
}

/** Rows just before the last that do what it does are not needed. */
function shorten(entries: readonly TcamEntry[]): readonly TcamEntry[] {
  const last = entries[entries.length - 1]!;
  let n = entries.length - 1;
  while (n > 0 && entries[n - 1]!.next === last.next && same(entries[n - 1]!.ops, last.ops)) n--;
  return [...entries.slice(0, n), last];
}
