/**
 * Pre: any states. Post: the same behaviour; what nothing leads to is gone, equal states are one (two nodes'
 * entrances never are: the last node is part of the result). Near linear: each state is written out once.
 */
import type { TcamDraft } from "./lower.ts";
import {
  type Goto,
  gotosOf,
  type TcamEntry,
  type TcamOp,
  type TcamProgram,
  type TcamState,
} from "./table.ts";

/** Drop and merge. */
export function compact(program: TcamDraft): TcamProgram {
  const states = program.states.map(
    ({ pinned: _pinned, ...s }): TcamState => ({ ...s, entries: shorten(s.entries) }),
  );
  const roots = [program.start, program.okayExit, program.failExit] as const;
  const order = behindFirst(states, roots);
  const one = merge(states, order);
  const first = new Map<number, number>();
  for (const i of order) first.set(one(i), Math.min(first.get(one(i)) ?? i, i));
  const kept = [...first.values()].sort((a, b) => a - b);
  const place = new Map(kept.map((i, n) => [one(i), n]));
  const go = (g: Goto): Goto => (g < 0 ? g : place.get(one(g))!);
  const [start, okayExit, failExit] = roots.map(go) as [Goto, Goto, Goto];
  return { ...program, start, okayExit, failExit, states: kept.map((i) => retarget(states[i]!, go)) };
}

/** What the roots lead to; a state behind those that it leads to, where they do not lead back. */
function behindFirst(states: readonly TcamState[], roots: readonly Goto[]): number[] {
  const order: number[] = [];
  const seen = new Uint8Array(states.length);
  for (const root of roots) {
    const stack: [number, readonly Goto[], number][] = [];
    const visit = (i: Goto): void => {
      if (i < 0 || seen[i] === 1) return;
      seen[i] = 1;
      stack.push([i, gotosOf(states[i]!), 0]);
    };
    visit(root);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      if (top[2] < top[1].length) visit(top[1][top[2]++]!);
      else order.push(stack.pop()![0]);
    }
  }
  return order;
}

/** @returns which state stands for a state */
function merge(states: readonly TcamState[], order: readonly number[]): (i: number) => number {
  const to = Int32Array.from(states, (_, i) => i);
  const one = (i: number): number => {
    let r = i;
    while (to[r] !== r) r = to[r] = to[to[r]!]!;
    return r;
  };
  const opIds = new Map<TcamOp, number>();
  const known = numbers();
  // steps are shared by the rows that took them over
  const opId = (op: TcamOp): number => {
    const id = opIds.get(op) ?? known(opText(op));
    opIds.set(op, id);
    return id;
  };
  const shapes = new Map(order.map((i) => [i, known(shape(states[i]!, i, opId))]));
  const targets = new Map(order.map((i) => [i, [states[i]!.short, ...gotosOf(states[i]!)]]));
  // ways back are compared as they are: merging may make more states equal
  for (let merged = true; merged; ) {
    merged = false;
    const seen = new Map<string, number>();
    for (const i of order) {
      if (to[i] !== i) continue;
      const text = `${shapes.get(i)!}:${targets.get(i)!.map((g) => (g < 0 ? g : one(g)))}`;
      const same = seen.get(text);
      if (same === undefined) seen.set(text, i);
      else {
        to[i] = same;
        merged = true;
      }
    }
  }
  return one;
}

/** A number for each text. */
function numbers(): (text: string) => number {
  const texts = new Map<string, number>();
  return (text) => {
    const n = texts.get(text) ?? texts.size;
    texts.set(text, n);
    return n;
  };
}

/** All of a state but where it goes. */
function shape(s: TcamState, i: number, opId: (op: TcamOp) => number): string {
  if (s.enter) return `enter ${i}`;
  let text = `${s.need} ${JSON.stringify(s.keys)}`;
  for (const { values, masks, ops } of s.entries) {
    text += ";";
    for (const [k, value] of values.entries()) text += `${value}/${masks[k]!} `;
    for (const op of ops) text += `,${opId(op)}`;
  }
  return text;
}

function opText(op: TcamOp): string {
  return JSON.stringify("otherwise" in op && op.otherwise !== null ? { ...op, otherwise: 0 } : op);
}

function retarget(s: TcamState, go: (g: Goto) => Goto): TcamState {
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
  const does = JSON.stringify(last.ops);
  const same = (e: TcamEntry): boolean =>
    e.next === last.next && e.ops.length === last.ops.length && JSON.stringify(e.ops) === does;
  let n = entries.length - 1;
  while (n > 0 && same(entries[n - 1]!)) n--;
  return [...entries.slice(0, n), last];
}
