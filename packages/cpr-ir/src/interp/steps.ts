/**
 * A parser as chains of small steps, each with the one that follows. `lower.ts` makes them in the order of `cpr.md`
 * section 2, `assemble.ts` puts them into words, `engine/walk.ts` says what each does. 32-bit numbers are signed.
 *
 * A chain runs on a unit of the packet (header, TLV, flag field, array element): `length` bytes at `at`.
 */
import type { Edge } from "../ir/types.ts";

/** One step: a kind and the words of `engine/layout.ts`; what its kind does not name is not looked at. */
export interface Step {
  readonly kind: number;
  readonly next: Step | null;
  readonly other: Step | null;
  readonly off: number;
  readonly mask: number;
  readonly shift: number;
  readonly value: number;
  readonly scale: number;
  readonly to: number;
  readonly frame: number;
  readonly element: number;
  readonly len: number;
  readonly little: number;
  readonly count: number;
  readonly flag: number;
  readonly table: Table | null;
  readonly tlvs: Tlvs | null;
  readonly flags: Flags | null;
  readonly elements: Elements | null;
}

/** A look-up. */
export interface Table {
  /** What the nodes' numbers are numbers of. */
  readonly of: "nodes" | "tlvNodes" | "elements";
  readonly rows: readonly Edge[];
  /** Node of all other keys, -1: none; then the code. */
  readonly wildcard: number;
  readonly default: number;
}

/** A list of TLVs. Chains that end in GIVE make numbers. */
export interface Tlvs {
  readonly start: Step;
  readonly length: Step;
  readonly type: Step;
  readonly minLen: number;
  readonly pad1: number;
  readonly eol: number;
  readonly padn: number;
  readonly table: Table;
  readonly maxTlvs: number;
  readonly maxNonPadding: number;
  readonly maxPaddingLength: number;
  readonly maxConsecutivePadding: number;
  readonly dispLimit: number;
}

/** One TLV. */
export interface TlvNode {
  readonly minLen: number;
  readonly maxLen: number;
  readonly steps: Step | null;
  readonly nested: Tlvs | null;
  /** A second look-up inside, by a key (null: always a miss). */
  readonly overlay: Table | null;
  readonly key: Step | null;
}

/** An optional field. */
export interface FlagField {
  readonly flag: number;
  readonly mask: number;
  readonly len: number;
  /** False: it takes space only. */
  readonly handled: boolean;
  readonly steps: Step | null;
}

/** Optional fields announced by flags. */
export interface Flags {
  readonly load: Step;
  readonly start: number;
  readonly fields: readonly FlagField[];
}

/** An array of elements of one size. */
export interface Elements {
  readonly count: Step;
  readonly start: number;
  readonly elLen: number;
  readonly type: Step;
  readonly table: Table;
  readonly maxEls: number;
}

/** A parser: its nodes' first steps, what exit nodes write, TLVs, what is done with elements. */
export interface Program {
  readonly nodes: readonly Step[];
  readonly okay: Step | null;
  readonly fail: Step | null;
  readonly encap: Step | null;
  readonly tlvNodes: readonly TlvNode[];
  /** A step that does nothing where nothing is done. */
  readonly elements: readonly Step[];
}
