/**
 * Merging of states. Pre: each state is small. Post: the same behaviour; no entry, key or window beyond the
 * limits; then {@link compact}.
 *
 * An entry takes over the steps of the state that it leads to. Where that state looks at a key, the entry
 * becomes several, provided that the key is the same before the entry's steps as behind them.
 */
import type { DraftState } from "./builder.ts";
import { compact } from "./compact.ts";
import { entryBytes, entryWindow, type TcamLimits } from "./limits.ts";
import type { TcamDraft } from "./lower.ts";
import { keyBits, reachOf, type TcamEntry, type TcamOp, type TcamProgram, type TcamSource } from "./table.ts";

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
