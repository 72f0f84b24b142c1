/** Programs to an ELF64 little-endian bundle. */
import { hashProgram, sha256Bytes } from "../hash/digest.ts";
import { encodeProgramNote, IMAGE_ABI, NOTE_FILE, NOTE_PROGRAM, OWNER, TARGET } from "./notes.ts";
import {
  encodeRelocations,
  encodeSymbols,
  labelSymbol,
  SYMBOL_BYTES,
  type TextSymbols,
  UNDEFINED,
} from "./symbols.ts";

/** A program to be put into an image. */
export interface ImageInput extends Partial<TextSymbols> {
  /** The function's name: its entry's export. */
  readonly name: string;
  readonly functionNumber: number;
  /** See TARGET. */
  readonly target: number;
  /** See IR_KIND. */
  readonly irKind: number;
  /** Exactly the hashed bytes. */
  readonly ir: Uint8Array;
  readonly text: Uint8Array;
  readonly resources: Readonly<Record<string, number>>;
  /** Forged digests, for tests of what a device does with them; default: computed. */
  readonly sha256?: string;
  readonly sha1?: string;
}

/** ELF constants used here. */
export const ELF = {
  EHDR: 64,
  SHDR: 64,
  SHT_PROGBITS: 1,
  SHT_SYMTAB: 2,
  SHT_STRTAB: 3,
  SHT_NOTE: 7,
  SHT_REL: 9,
  SHF_ALLOC: 2,
  SHF_EXECINSTR: 4,
  EM_BPF: 247,
} as const;

/** Offset of the digest in a type 2 note's descriptor, behind the file length. */
export const DIGEST_OFF = 8;

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly align: number;
  readonly bytes: Uint8Array;
  /** Names of the sections that sh_link and sh_info mean; or a number for sh_info. */
  readonly link?: string;
  readonly info?: string | number;
  readonly entry?: number;
}

/** Write a bundle of 1 to 16 programs. @returns the image's bytes */
export function writeImage(input: { readonly programs: readonly ImageInput[] }): Uint8Array {
  const sections: Section[] = [];
  for (const p of input.programs) {
    const hash = hashProgram(p.ir);
    const note = encodeProgramNote({
      ...p,
      abi: IMAGE_ABI,
      sha256: p.sha256 ?? hash.sha256,
      sha1: p.sha1 ?? hash.sha1,
    });
    sections.push({ name: `.ir.${p.name}`, type: ELF.SHT_PROGBITS, flags: 0, align: 1, bytes: p.ir });
    sections.push({
      name: `.text.${p.name}`,
      type: ELF.SHT_PROGBITS,
      flags: ELF.SHF_ALLOC | ELF.SHF_EXECINSTR,
      align: 8,
      bytes: p.text,
    });
    sections.push({
      name: `.note.${p.name}`,
      type: ELF.SHT_NOTE,
      flags: 0,
      align: 4,
      bytes: note_(NOTE_PROGRAM, note),
    });
  }
  sections.push({
    name: ".note.netoffload",
    type: ELF.SHT_NOTE,
    flags: 0,
    align: 4,
    bytes: note_(NOTE_FILE, new Uint8Array(DIGEST_OFF + 32)),
  });
  const tied = input.programs.filter((p) => p.functions !== undefined && p.functions.length > 0);
  const names = stringTable([
    ...sections.map((s) => s.name),
    ".shstrtab",
    ...(tied.length === 0 ? [] : [".symtab", ...UNDEFINED]),
    ...tied.flatMap((p) => [`.rel.text.${p.name}`, ...p.functions!.map((f) => f.name)]),
    ...tied.flatMap((p) => (p.labels ?? []).map(labelSymbol)),
  ]);
  if (tied.length > 0) symbolSections(sections, tied, names.offsets);
  sections.push({ name: ".shstrtab", type: ELF.SHT_STRTAB, flags: 0, align: 1, bytes: names.bytes });
  const image = layOut(sections, names.offsets, machineOf(input.programs));
  seal(image);
  return image;
}

/** Add the symbol table and each program's relocations. */
function symbolSections(
  sections: Section[],
  programs: readonly ImageInput[],
  names: ReadonlyMap<string, number>,
): void {
  const located = programs.map((p) => ({
    section: sections.findIndex((s) => s.name === `.text.${p.name}`) + 1,
    functions: p.functions!,
    labels: p.labels ?? [],
  }));
  const { bytes, locals } = encodeSymbols(located, (name) => names.get(name)!);
  const common = { flags: 0, align: 8 };
  for (const p of programs)
    sections.push({
      ...common,
      name: `.rel.text.${p.name}`,
      type: ELF.SHT_REL,
      bytes: encodeRelocations(p.relocations ?? [], locals),
      link: ".symtab",
      info: `.text.${p.name}`,
      entry: 16,
    });
  sections.push({
    ...common,
    name: ".symtab",
    type: ELF.SHT_SYMTAB,
    bytes,
    link: ".shstrtab",
    info: locals,
    entry: SYMBOL_BYTES,
  });
}

function machineOf(programs: readonly ImageInput[]): number {
  return programs.some((p) => p.target === TARGET.ebpf || p.target === TARGET.npu || p.target === TARGET.xdp)
    ? ELF.EM_BPF
    : 0;
}

function note_(type: number, descriptor: Uint8Array): Uint8Array {
  const owner = new TextEncoder().encode(`${OWNER}\0`);
  const padded = (owner.length + 3) & ~3;
  const out = new Uint8Array(12 + padded + descriptor.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, owner.length, true);
  view.setUint32(4, descriptor.length, true);
  view.setUint32(8, type, true);
  out.set(owner, 12);
  out.set(descriptor, 12 + padded);
  return out;
}

function stringTable(names: readonly string[]): { bytes: Uint8Array; offsets: Map<string, number> } {
  const offsets = new Map<string, number>();
  let text = "\0";
  for (const name of new Set(names)) {
    offsets.set(name, text.length);
    text += `${name}\0`;
  }
  return { bytes: new TextEncoder().encode(text), offsets };
}

function layOut(
  sections: readonly Section[],
  names: ReadonlyMap<string, number>,
  machine: number,
): Uint8Array {
  const offsets: number[] = [];
  let at: number = ELF.EHDR;
  for (const s of sections) {
    at = Math.ceil(at / s.align) * s.align;
    offsets.push(at);
    at += s.bytes.length;
  }
  const table = Math.ceil(at / 8) * 8;
  const out = new Uint8Array(table + ELF.SHDR * (sections.length + 1));
  const view = new DataView(out.buffer);
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  view.setUint16(16, 1, true); // ET_REL
  view.setUint16(18, machine, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(40, BigInt(table), true);
  view.setUint16(52, ELF.EHDR, true);
  view.setUint16(58, ELF.SHDR, true);
  view.setUint16(60, sections.length + 1, true);
  view.setUint16(62, sections.length, true);
  for (const [i, s] of sections.entries()) {
    out.set(s.bytes, offsets[i]!);
    const h = table + ELF.SHDR * (i + 1);
    view.setUint32(h, names.get(s.name)!, true);
    view.setUint32(h + 4, s.type, true);
    view.setBigUint64(h + 8, BigInt(s.flags), true);
    view.setBigUint64(h + 24, BigInt(offsets[i]!), true);
    view.setBigUint64(h + 32, BigInt(s.bytes.length), true);
    const index = (name: string): number => sections.findIndex((t) => t.name === name) + 1;
    if (s.link !== undefined) view.setUint32(h + 40, index(s.link), true);
    if (s.info !== undefined)
      view.setUint32(h + 44, typeof s.info === "string" ? index(s.info) : s.info, true);
    view.setBigUint64(h + 48, BigInt(s.align), true);
    view.setBigUint64(h + 56, BigInt(s.entry ?? 0), true);
  }
  return out;
}

/** Where the type 2 note's descriptor lies, or -1. Tolerates anything; used by {@link seal} and forging tests. */
export function fileNoteAt(image: Uint8Array): number {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const table = Number(view.getBigUint64(40, true));
  const count = view.getUint16(60, true);
  for (let i = 1; i < count; i++) {
    const h = table + ELF.SHDR * i;
    if (view.getUint32(h + 4, true) !== ELF.SHT_NOTE) continue;
    const at = Number(view.getBigUint64(h + 24, true));
    if (view.getUint32(at + 8, true) === NOTE_FILE) return at + 12 + ((view.getUint32(at, true) + 3) & ~3);
  }
  return -1;
}

/** Write file length and digest of an otherwise finished image. */
export function seal(image: Uint8Array): void {
  const at = fileNoteAt(image);
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  image.fill(0, at, at + DIGEST_OFF + 32);
  view.setBigUint64(at, BigInt(image.length), true);
  image.set(sha256Bytes(image), at + DIGEST_OFF);
}
