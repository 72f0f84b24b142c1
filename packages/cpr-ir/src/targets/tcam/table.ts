/**
 * Programs of a TCAM parser engine, in the manner of switch and NIC parsers.
 *
 * A state names the bytes and registers that make its key; its entries are masked values in order of priority,
 * the first that matches acts (extracts, register steps, cursor moves) and names the next state. The window is
 * what the engine sees of the packet from the cursor on; bytes behind the packet's end read as 0, so lengths
 * are compared before anything that was read counts.
 */

/** Where the engine goes next: a state's index, or below 0 the end: see {@link done}. */
export type Goto = number;

/** Ends the parse with a code (0 to -127). */
export function done(code: number): Goto {
  return code - 1;
}

/** The code that a {@link Goto} below 0 ends with. */
export function codeOfGoto(goto: Goto): number {
  return goto + 1;
}

/** Where a number is taken from. */
export type TcamSource =
  /** `len` (1 to 4) bytes of the window, `off` bytes from the cursor; big-endian unless `little`. */
  | { readonly kind: "packet"; readonly off: number; readonly len: number; readonly little: boolean }
  | { readonly kind: "register"; readonly reg: number }
  /** Bytes from the cursor to the packet's end. */
  | { readonly kind: "left" }
  /** Bytes from the cursor to the packet offset in a register; 0 where that lies before the cursor. */
  | { readonly kind: "until"; readonly reg: number }
  /** Offset of the cursor in the packet. */
  | { readonly kind: "cursor" }
  /** Signed 32 bits. */
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "encaps" | "nodes" | "code" };

/** Metadata that is written. */
export interface TcamTarget {
  readonly frame: boolean;
  /** Bytes from the start of the metameta area or of the current frame. */
  readonly off: number;
  /** Bytes. */
  readonly len: number;
  readonly little: boolean;
  readonly shift: number;
  readonly bits: number;
  /** An element of an array, chosen by a register; null: none. */
  readonly index: {
    readonly reg: number;
    readonly elementSize: number;
    readonly numElements: number;
    readonly overwritable: boolean;
  } | null;
}

/** A step of an entry; they run in order, and one that goes elsewhere ends the list. */
export type TcamOp =
  /** `reg = ((src & mask) >>> shift) * mult + add + (plus < 0 ? 0 : reg[plus])`, 32 bits. */
  | {
      readonly op: "alu";
      readonly dst: number;
      readonly src: TcamSource;
      readonly mask: number;
      readonly shift: number;
      readonly mult: number;
      /** Signed. */
      readonly add: number;
      readonly plus: number;
    }
  /** Goes to `otherwise` unless `min <= reg <= limit`; with `clamp` an excess becomes the limit first. */
  | {
      readonly op: "fit";
      readonly reg: number;
      readonly min: number;
      readonly limit: TcamSource;
      readonly clamp: boolean;
      readonly otherwise: Goto;
    }
  /** Counts up to `max`; at `max` goes to `otherwise` (null: stays). */
  | {
      readonly op: "count";
      readonly reg: number;
      readonly max: number;
      readonly otherwise: Goto | null;
    }
  /** Writes `(src & mask) >>> shift`; a value wider than the target goes to `otherwise` (null: is cut). */
  | {
      readonly op: "write";
      readonly src: TcamSource;
      readonly mask: number;
      readonly shift: number;
      readonly target: TcamTarget;
      readonly otherwise: Goto | null;
    }
  /** Copies `target.len` bytes, `off` bytes from the cursor; the last first where `little`. */
  | { readonly op: "copy"; readonly off: number; readonly target: TcamTarget }
  /** Copies `count` nibbles from nibble `start` (counted from the cursor) on. */
  | { readonly op: "nibbles"; readonly start: number; readonly count: number; readonly target: TcamTarget }
  /** Moves the cursor: by a constant or register, or to the packet offset in a register. */
  | { readonly op: "move"; readonly src: TcamSource; readonly relative: boolean }
  /** Debug mode: tells whoever traces that the node's header is `src` bytes long. */
  | { readonly op: "tell"; readonly src: TcamSource }
  /** Enters an encapsulation: counts, next frame; beyond the limit goes to `otherwise`. */
  | { readonly op: "encap"; readonly otherwise: Goto };

/** A row of the TCAM: matches where `(key[i] & masks[i]) === values[i]` for every key. */
export interface TcamEntry {
  readonly values: readonly number[];
  readonly masks: readonly number[];
  readonly ops: readonly TcamOp[];
  readonly next: Goto;
}

/** A state; its last entry matches everything. */
export interface TcamState {
  /** Node of the graph that it belongs to; -1: an exit node's. */
  readonly node: number;
  /** The state is that node's entrance: counts the node, and needs `need` bytes, else goes to `short`. */
  readonly enter: boolean;
  readonly need: number;
  readonly short: Goto;
  readonly keys: readonly TcamSource[];
  readonly entries: readonly TcamEntry[];
}

/** A whole program. */
export interface TcamProgram {
  readonly start: Goto;
  /** Run after a good and a bad end, with the cursor at 0; below 0: none. */
  readonly okayExit: Goto;
  readonly failExit: Goto;
  readonly maxNodes: number;
  readonly maxEncaps: number;
  readonly frames: number;
  readonly metametaSize: number;
  readonly frameSize: number;
  /** Registers 0 to `numKeys - 1` are the caller's, the rest is 0 at the start. */
  readonly numKeys: number;
  readonly numRegs: number;
  readonly states: readonly TcamState[];
}

/** Bytes of packet that a source looks at from the cursor on. */
export function reachOf(src: TcamSource): number {
  return src.kind === "packet" ? src.off + src.len : 0;
}

/** Bits of a key. */
export function keyBits(src: TcamSource): number {
  return src.kind === "packet" ? 8 * src.len : 32;
}

/** The source that a step reads, and the window bytes that it reaches to. */
export function reachOfOp(op: TcamOp): number {
  switch (op.op) {
    case "alu":
    case "write":
    case "move":
      return reachOf(op.src);
    case "copy":
      return op.off + op.target.len;
    case "nibbles":
      return (op.start + op.count + 1) >> 1;
    default:
      return 0;
  }
}

/** Metadata bytes that a step writes. */
export function bytesOfOp(op: TcamOp): number {
  return op.op === "write" || op.op === "copy" || op.op === "nibbles" ? op.target.len : 0;
}

/** Every place a state goes to, with those of its steps. */
export function gotosOf(state: TcamState): Goto[] {
  const out: Goto[] = state.enter ? [state.short] : [];
  for (const e of state.entries) {
    out.push(e.next);
    for (const op of e.ops) if ("otherwise" in op && op.otherwise !== null) out.push(op.otherwise);
  }
  return out;
}
