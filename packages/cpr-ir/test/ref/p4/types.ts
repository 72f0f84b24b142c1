/** Types and values of the P4_16 subset. */
import type { Composite, TypeText } from "./ast.ts";

export type Type =
  | { readonly kind: "bit" | "int"; readonly width: number }
  /** A literal without a width. */
  | { readonly kind: "integer" }
  | { readonly kind: "bool" }
  | { readonly kind: "error" }
  | { readonly kind: "packet" }
  | {
      readonly kind: "header" | "struct";
      readonly name: string;
      readonly fields: readonly Member[];
      /** Slots it takes; a header's first one is its validity. */
      readonly slots: number;
    };

export interface Member {
  readonly name: string;
  readonly type: Type;
  /** From the composite's first slot. */
  readonly slot: number;
  readonly annotations: Readonly<Record<string, number>>;
}

/** Up to 32 bits: number; wider: bigint. */
export type V = number | bigint | boolean;

/** What v1model declares and our programs use (v1model.p4). */
const STANDARD: Composite = {
  kind: "struct",
  name: "standard_metadata_t",
  fields: [
    { name: "ingress_port", type: { kind: "bit", width: 9 }, annotations: {} },
    { name: "instance_type", type: { kind: "bit", width: 32 }, annotations: {} },
    { name: "packet_length", type: { kind: "bit", width: 32 }, annotations: {} },
  ],
};

/** All named types; a type is declared before it is used. */
export class Types {
  readonly #types: Map<string, Type> = new Map([["packet_in", { kind: "packet" }]]);

  constructor(composites: readonly Composite[]) {
    for (const c of [STANDARD, ...composites]) {
      if (this.#types.has(c.name)) throw new Error(`type ${c.name} is declared twice`);
      let slot = c.kind === "header" ? 1 : 0;
      const names = new Set<string>();
      const fields = c.fields.map((f) => {
        if (names.has(f.name)) throw new Error(`${c.name}.${f.name} is declared twice`);
        names.add(f.name);
        const type = this.of(f.type);
        if (c.kind === "header" && type.kind !== "bit")
          throw new Error(`${c.name}.${f.name}: header fields of our programs are bit<W>`);
        const member = { name: f.name, type, slot, annotations: f.annotations };
        slot += slotsOf(type);
        return member;
      });
      this.#types.set(c.name, { kind: c.kind, name: c.name, fields, slots: slot });
    }
  }

  of(text: TypeText): Type {
    if (text.kind !== "name") return text;
    const type = this.#types.get(text.name);
    if (type === undefined) throw new Error(`type ${text.name} is not declared`);
    return type;
  }
}

export function slotsOf(type: Type): number {
  return type.kind === "header" || type.kind === "struct" ? type.slots : 1;
}

export function same(a: Type, b: Type): boolean {
  if ((a.kind === "bit" || a.kind === "int") && a.kind === b.kind) return a.width === b.width;
  if ((a.kind === "header" || a.kind === "struct") && a.kind === b.kind) return a.name === b.name;
  return a.kind === b.kind;
}

export function show(t: Type): string {
  if (t.kind === "bit" || t.kind === "int") return `${t.kind}<${t.width}>`;
  return t.kind === "header" || t.kind === "struct" ? t.name : t.kind;
}

/** Bits of a header on the wire. */
export function bitsOf(t: Type): number {
  if (t.kind === "bit" || t.kind === "int") return t.width;
  if (t.kind !== "header") throw new Error(`${show(t)} cannot be read from a packet`);
  return t.fields.reduce((n, f) => n + bitsOf(f.type), 0);
}

/** The number as a value of the type; throws where it does not fit. */
export function constant(n: bigint, t: Type): V {
  if (t.kind !== "bit" && t.kind !== "int") throw new Error(`a number is no ${show(t)}`);
  const low = t.kind === "bit" ? 0n : -(1n << BigInt(t.width - 1));
  const high = t.kind === "bit" ? 1n << BigInt(t.width) : 1n << BigInt(t.width - 1);
  if (n < low || n >= high) throw new Error(`${n} does not fit ${show(t)}`);
  return t.width <= 32 ? Number(n) : n;
}

/** Low bits of a number, in the type's form. */
export function wrap(n: bigint, t: Type): V {
  if (t.kind !== "bit" && t.kind !== "int") throw new Error(`no number: ${show(t)}`);
  const cut = t.kind === "bit" ? BigInt.asUintN(t.width, n) : BigInt.asIntN(t.width, n);
  return t.width <= 32 ? Number(cut) : cut;
}

/** Bits of the packet, the first one highest. */
export function readBits(packet: Uint8Array, bit: number, width: number): V {
  if ((bit & 7) === 0 && (width & 7) === 0) {
    const from = bit >> 3;
    if (width <= 32) {
      let n = 0;
      for (let i = 0; i < width >> 3; i++) n = n * 256 + packet[from + i]!;
      return n;
    }
    return BigInt(`0x${Buffer.from(packet.buffer, packet.byteOffset + from, width >> 3).toString("hex")}`);
  }
  let n = 0n;
  for (let i = bit; i < bit + width; i++) n = (n << 1n) | BigInt((packet[i >> 3]! >> (7 - (i & 7))) & 1);
  return width <= 32 ? Number(n) : n;
}
