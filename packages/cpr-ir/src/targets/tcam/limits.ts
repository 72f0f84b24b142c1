/** What a TCAM parser engine holds, and what a program takes of it. */
import {
  bytesOfOp,
  gotosOf,
  keyBits,
  reachOf,
  reachOfOp,
  type TcamEntry,
  type TcamProgram,
} from "./table.ts";

/** Limits of an engine; each is inclusive. */
export interface TcamLimits {
  /** Rows of the TCAM. */
  readonly entries: number;
  readonly states: number;
  /** Bytes that are seen from the cursor on. */
  readonly window: number;
  /** Bits of a key; 32 at least. */
  readonly keyBits: number;
  /** Steps of an entry. */
  readonly ops: number;
  /** Metadata bytes that an entry writes. */
  readonly bytesPerStep: number;
  readonly registers: number;
  readonly metadataBytes: number;
  /** States that a packet may go through; one that needs more is not parsed. */
  readonly steps: number;
}

/** What the encoding can say; a device's limits beyond these are cut to them. */
const FORMAT_LIMITS: TcamLimits = {
  entries: 65535,
  states: 32767,
  window: 32767,
  keyBits: 1024,
  ops: 255,
  bytesPerStep: 4096,
  registers: 254,
  metadataBytes: 1 << 20,
  steps: 0xffffffff,
};

/** A device's limits as the encoding can reach them. */
export function reachableLimits(limits: TcamLimits): TcamLimits {
  const out: Record<string, number> = {};
  for (const [name, most] of Object.entries(FORMAT_LIMITS))
    out[name] = Math.min(most, limits[name as TcamResource]);
  return out as unknown as TcamLimits;
}

/** Names of {@link TcamLimits}. */
export type TcamResource = keyof TcamLimits;

/** An engine without limits that matter. */
export const TCAM_IDEAL: TcamLimits = {
  entries: 16384,
  states: 4096,
  window: 128,
  keyBits: 128,
  ops: 32,
  bytesPerStep: 64,
  registers: 64,
  metadataBytes: 4096,
  steps: 65536,
};

/** What one node takes. */
export interface TcamNodeUse {
  readonly node: string;
  readonly entries: number;
  readonly states: number;
  readonly window: number;
  readonly keyBits: number;
  readonly ops: number;
  readonly bytesPerStep: number;
  /** States from this header's start to the next one's, the longest way; a list's round counts once. */
  readonly steps: number;
}

/** What a program takes. `steps`: one header after another up to the limit of nodes, a list's round counted once. */
export interface TcamReport {
  readonly total: Readonly<Record<TcamResource, number>>;
  readonly nodes: readonly TcamNodeUse[];
}

/** Reach of the bytes that an entry reads, seen from the cursor at its match; null: behind a move by a register. */
export function entryWindow(entry: Pick<TcamEntry, "ops">): number | null {
  let moved: number | null = 0;
  let reach = 0;
  for (const op of entry.ops) {
    const here = reachOfOp(op);
    if (here > 0) {
      if (moved === null || moved < 0) return null;
      reach = Math.max(reach, moved + here);
    }
    if (op.op === "move") {
      if (op.relative && op.src.kind === "constant" && moved !== null) moved += op.src.value;
      else moved = null;
    }
  }
  return reach;
}

/** Count what a program takes, in all and by node. @param nodes - their names */
export function reportTcam(program: TcamProgram, nodes: readonly string[]): TcamReport {
  const names = [...nodes, "(exits)"];
  const uses = names.map((node) => ({
    node,
    entries: 0,
    states: 0,
    window: 0,
    keyBits: 0,
    ops: 0,
    bytesPerStep: 0,
    steps: 0,
  }));
  const steps = longestWays(program);
  for (const [i, s] of program.states.entries()) {
    const use = uses[s.node < 0 ? uses.length - 1 : s.node]!;
    use.states++;
    use.entries += s.entries.length;
    use.keyBits = Math.max(
      use.keyBits,
      s.keys.reduce((n, k) => n + keyBits(k), 0),
    );
    use.window = Math.max(use.window, ...s.keys.map(reachOf));
    // a loop: a table may have more rows than a call takes arguments
    for (const e of s.entries) {
      use.window = Math.max(use.window, entryWindow(e) ?? 0);
      use.ops = Math.max(use.ops, e.ops.length);
      use.bytesPerStep = Math.max(use.bytesPerStep, entryBytes(e));
    }
    use.steps = Math.max(use.steps, s.enter || s.node < 0 ? steps[i]! : 0);
  }
  const most = (r: "window" | "keyBits" | "ops" | "bytesPerStep" | "steps"): number =>
    uses.reduce((n, u) => Math.max(n, u[r]), 0);
  return {
    total: {
      entries: uses.reduce((n, u) => n + u.entries, 0),
      states: program.states.length,
      window: most("window"),
      keyBits: most("keyBits"),
      ops: most("ops"),
      bytesPerStep: most("bytesPerStep"),
      registers: program.numRegs,
      metadataBytes: program.metametaSize + program.frames * program.frameSize,
      steps: program.maxNodes * most("steps") + uses[uses.length - 1]!.steps,
    },
    nodes: uses.filter((u) => u.states > 0),
  };
}

/** Names of an engine's resources where programs of all kinds are counted: in images' notes, under devlink. */
const NOTE_NAMES: Readonly<Record<TcamResource, string>> = {
  entries: "table_entries",
  states: "states",
  window: "window_bytes",
  keyBits: "key_bits",
  ops: "steps_per_entry",
  bytesPerStep: "bytes_per_entry",
  registers: "registers",
  metadataBytes: "metadata_bytes",
  steps: "states_per_packet",
};

/** Amounts by those names. */
export function tcamResources(amounts: Readonly<Record<TcamResource, number>>): Record<string, number> {
  const entries = Object.entries(NOTE_NAMES) as [TcamResource, string][];
  return Object.fromEntries(entries.map(([resource, name]) => [name, amounts[resource]]));
}

/** What a program takes, counted in the program itself: it may come from anywhere. */
export function measureTcam(program: TcamProgram): Record<TcamResource, number> {
  const nodes = program.states.reduce((n, s) => Math.max(n, s.node + 1), 0);
  const names = Array.from({ length: nodes }, (_, i) => String(i));
  return reportTcam(program, names).total;
}

/** Bytes of metadata that an entry writes. */
export function entryBytes(entry: Pick<TcamEntry, "ops">): number {
  return entry.ops.reduce((n, op) => n + bytesOfOp(op), 0);
}

/** For each state the most states from it to the next header; a way back into a list is not followed. */
function longestWays(program: TcamProgram): number[] {
  const { states } = program;
  const longest = states.map(() => 0);
  const colour = new Uint8Array(states.length);
  // depth first with a stack of its own: programs can be long chains
  for (let root = 0; root < states.length; root++) {
    const stack = colour[root] === 0 ? [root] : [];
    while (stack.length > 0) {
      const at = stack[stack.length - 1]!;
      const targets = gotosOf(states[at]!).filter((g) => g >= 0 && !states[g]!.enter);
      if (colour[at] === 0) {
        colour[at] = 1;
        for (const g of targets) if (colour[g] === 0) stack.push(g);
        continue;
      }
      stack.pop();
      if (colour[at] === 2) continue;
      colour[at] = 2;
      let most = 0;
      for (const g of targets) if (colour[g] === 2) most = Math.max(most, longest[g]!);
      longest[at] = 1 + most;
    }
  }
  return longest;
}
