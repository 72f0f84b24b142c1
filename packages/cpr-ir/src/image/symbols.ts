/**
 * Functions and relocations of ebpf programs, in an image's symbol table: a function is a local symbol of its text
 * section, whose number of arguments stands in st_other above the visibility; what a loader
 * knows (arena, limit, state, slots) is undefined.
 */
import type { Relocation } from "../targets/codegen/lir.ts";

/** A function of a program's text. */
export interface ImageFunction {
  readonly name: string;
  /** First instruction, in 8-byte slots. */
  readonly start: number;
  /** One past its last. */
  readonly end: number;
  /** Arguments, 0 to 5. */
  readonly params: number;
}

/** An immediate that a loader completes. */
export interface ImageRelocation {
  /** 8-byte slot of the instruction. */
  readonly slot: number;
  readonly symbol: Relocation;
}

/** Where the code of a parser's node begins; it ends where the next begins. */
export interface ImageLabel {
  /** The node's name; empty: no node's code. */
  readonly name: string;
  /** 8-byte slot. */
  readonly slot: number;
}

/** What a program's text needs to be loaded, and what it is made of; empty for other targets than ebpf and xdp. */
export interface TextSymbols {
  readonly functions: readonly ImageFunction[];
  readonly relocations: readonly ImageRelocation[];
  /** Of parsers only. */
  readonly labels: readonly ImageLabel[];
}

/** Bytes of a symbol and of a relocation. */
export const SYMBOL_BYTES = 24;
const REL_BYTES = 16;
const STT_FUNC = 2;
const GLOBAL = 1 << 4;
/** R_BPF_64_64 and R_BPF_64_ABS32. */
const REL_TYPE: Readonly<Record<Relocation, number>> = { arena: 1, state: 1, limit: 3, slots: 3 };
/** Symbols that a loader knows. */
export const UNDEFINED: readonly Relocation[] = ["arena", "limit", "state", "slots"];
const MAX_PARAMS = 5;
/** The immediate is one of 64 bits. */
const isWide = (symbol: Relocation): boolean => REL_TYPE[symbol] === 1;

/** Symbols of one text section. */
export interface SectionSymbols {
  readonly section: number;
  readonly functions: readonly ImageFunction[];
  readonly labels: readonly ImageLabel[];
}

/** Name of a label's symbol. */
export const labelSymbol = (label: ImageLabel): string => `node.${label.name}`;

/** The symbol table of several programs. @param nameAt - offset of a name in the string table */
export function encodeSymbols(
  programs: readonly SectionSymbols[],
  nameAt: (name: string) => number,
): { readonly bytes: Uint8Array; readonly locals: number } {
  const count = programs.reduce((n, p) => n + p.functions.length + p.labels.length, 1);
  const bytes = new Uint8Array(SYMBOL_BYTES * (count + UNDEFINED.length));
  const view = new DataView(bytes.buffer);
  let at = SYMBOL_BYTES;
  for (const { section, functions, labels } of programs) {
    for (const f of functions) {
      view.setUint32(at, nameAt(f.name), true);
      bytes[at + 4] = STT_FUNC;
      bytes[at + 5] = f.params << 2;
      view.setUint16(at + 6, section, true);
      view.setBigUint64(at + 8, BigInt(8 * f.start), true);
      view.setBigUint64(at + 16, BigInt(8 * (f.end - f.start)), true);
      at += SYMBOL_BYTES;
    }
    for (const label of labels) {
      view.setUint32(at, nameAt(labelSymbol(label)), true);
      view.setUint16(at + 6, section, true);
      view.setBigUint64(at + 8, BigInt(8 * label.slot), true);
      at += SYMBOL_BYTES;
    }
  }
  for (const name of UNDEFINED) {
    view.setUint32(at, nameAt(name), true);
    bytes[at + 4] = GLOBAL;
    at += SYMBOL_BYTES;
  }
  return { bytes, locals: count };
}

/** One program's relocations. @param locals - number of the first undefined symbol */
export function encodeRelocations(relocations: readonly ImageRelocation[], locals: number): Uint8Array {
  const bytes = new Uint8Array(REL_BYTES * relocations.length);
  const view = new DataView(bytes.buffer);
  for (const [i, { slot, symbol }] of relocations.entries()) {
    // a 64-bit load is named by its instruction, a 32-bit immediate by itself
    view.setBigUint64(REL_BYTES * i, BigInt(8 * slot + (isWide(symbol) ? 0 : 4)), true);
    view.setUint32(REL_BYTES * i + 8, REL_TYPE[symbol], true);
    view.setUint32(REL_BYTES * i + 12, locals + UNDEFINED.indexOf(symbol), true);
  }
  return bytes;
}

/**
 * Functions of a text section out of an untrusted symbol table.
 * @param nameOf - a name by its offset in the string table, empty when there is none
 * @returns null unless they follow each other from the first slot to the last
 */
export function decodeFunctions(
  symbols: Uint8Array,
  section: number,
  slots: number,
  nameOf: (offset: number) => string,
): ImageFunction[] | null {
  const view = new DataView(symbols.buffer, symbols.byteOffset, symbols.byteLength);
  const out: ImageFunction[] = [];
  for (let at = 0; at + SYMBOL_BYTES <= symbols.length; at += SYMBOL_BYTES) {
    if ((symbols[at + 4]! & 15) !== STT_FUNC || view.getUint16(at + 6, true) !== section) continue;
    const start = Number(view.getBigUint64(at + 8, true)) / 8;
    const end = start + Number(view.getBigUint64(at + 16, true)) / 8;
    const params = symbols[at + 5]! >> 2;
    const name = nameOf(view.getUint32(at, true));
    const before = out[out.length - 1]?.end ?? 0;
    if (start !== before || !Number.isInteger(end) || end <= start || end > slots) return null;
    if (params > MAX_PARAMS || !/^[\w.$-]{1,255}$/.test(name)) return null;
    out.push({ name, start, end, params });
  }
  return out.length > 0 && out[out.length - 1]!.end === slots ? out : null;
}

/** Labels of a text section out of an untrusted symbol table, ascending; those that are none of ours are passed over. */
export function decodeLabels(
  symbols: Uint8Array,
  section: number,
  slots: number,
  nameOf: (offset: number) => string,
): ImageLabel[] {
  const view = new DataView(symbols.buffer, symbols.byteOffset, symbols.byteLength);
  const out: ImageLabel[] = [];
  for (let at = SYMBOL_BYTES; at + SYMBOL_BYTES <= symbols.length; at += SYMBOL_BYTES) {
    if (symbols[at + 4] !== 0 || view.getUint16(at + 6, true) !== section) continue;
    const slot = Number(view.getBigUint64(at + 8, true)) / 8;
    const name = nameOf(view.getUint32(at, true));
    if (Number.isInteger(slot) && slot < slots && name.startsWith("node."))
      out.push({ name: name.slice(5), slot });
  }
  return out.sort((a, b) => a.slot - b.slot);
}

/** Relocations out of an untrusted section; null when one is none of ours. */
export function decodeRelocations(
  bytes: Uint8Array,
  symbols: Uint8Array,
  slots: number,
  nameOf: (offset: number) => string,
): ImageRelocation[] | null {
  if (bytes.length % REL_BYTES !== 0) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const table = new DataView(symbols.buffer, symbols.byteOffset, symbols.byteLength);
  const out: ImageRelocation[] = [];
  for (let at = 0; at < bytes.length; at += REL_BYTES) {
    const place = Number(view.getBigUint64(at, true));
    const named = view.getUint32(at + 12, true) * SYMBOL_BYTES;
    if (named + SYMBOL_BYTES > symbols.length) return null;
    const symbol = UNDEFINED.find((s) => s === nameOf(table.getUint32(named, true)));
    if (symbol === undefined || view.getUint32(at + 8, true) !== REL_TYPE[symbol]) return null;
    const slot = Math.floor(place / 8);
    const room = isWide(symbol) ? 2 : 1;
    if (place % 8 !== (isWide(symbol) ? 0 : 4) || slot + room > slots) return null;
    out.push({ slot, symbol });
  }
  return out;
}
