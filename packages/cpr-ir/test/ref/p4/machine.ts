/** What a running parser holds: the packet, the cursor, and a slot for every field, local and header's validity. */
import { bitsOf, readBits, type Type, type V, wrap } from "./types.ts";

/** A checked expression. `slot` -1: no place; `known`: a literal's number. */
export interface Checked {
  readonly type: Type;
  readonly get: () => V;
  readonly slot: number;
  readonly known: bigint | null;
}

/** Ends the parser: verify and extract do. */
export class Rejected extends Error {
  readonly error: string;
  constructor(error: string) {
    super(error);
    this.error = error;
  }
}

/** A name of the parser: parameter or local. */
export interface Named {
  readonly type: Type;
  readonly slot: number;
}

/** Bytes of a struct of metadata. */
export interface Range {
  readonly off: number;
  readonly len: number;
}

export class Machine {
  readonly slots: (V | undefined)[] = [];
  packet: Uint8Array = new Uint8Array(0);
  /** Bits from the packet's start. */
  cursor = 0;
  /** What `log_msg` said, numbers in the place of `{}`. */
  log: string[] = [];
  /** Bytes (by their annotations) that were assigned to since the line before, for each line. */
  assigned: (readonly Range[])[] = [];
  readonly fresh: Range[] = [];

  need(bits: number, at: number): void {
    if (at + bits > 8 * this.packet.length) throw new Rejected("PacketTooShort");
  }

  readHeader(type: Type, slot: number, cursor: number): void {
    if (type.kind !== "header") return;
    this.need(bitsOf(type), cursor);
    this.slots[slot] = true;
    let at = cursor;
    for (const f of type.fields) {
      const bits = bitsOf(f.type);
      this.slots[slot + f.slot] = readBits(this.packet, at, bits);
      at += bits;
    }
  }

  value(slot: number, line: number): V {
    const v = this.slots[slot];
    if (v === undefined) throw fault(line, "reads what was never set");
    return v;
  }
}

/** Make headers invalid. */
export function invalidate(slots: (V | undefined)[], type: Type, slot: number): void {
  if (type.kind === "header") slots[slot] = false;
  else if (type.kind === "struct") for (const f of type.fields) invalidate(slots, f.type, slot + f.slot);
}

/** Fill numbers with rubbish. */
export function poison(slots: (V | undefined)[], type: Type, slot: number): void {
  if (type.kind === "struct") for (const f of type.fields) poison(slots, f.type, slot + f.slot);
  else if (type.kind === "bit" || type.kind === "int")
    slots[slot] = wrap(BigInt(`0x${"a5".repeat(Math.ceil(type.width / 8))}`), type);
}

/** What is wrong with a text, and where. */
export function fault(line: number, text: string): Error {
  return new Error(`line ${line}: ${text}`);
}
