/**
 * An untrusted file to a bundle: the container checks 1 to 8 and 10 in their normative order, the first failure
 * wins. Never throws, reads nothing twice differently, work linear in the file.
 */
import { bytesToHex, plainBytes } from "@netoffload/internal";
import { type Diagnostic, ok, type Result } from "../diagnostics.ts";
import { CANONICAL_PREFIX, canonicalCpr } from "../hash/canonical.ts";
import { hashProgram, sha256Bytes } from "../hash/digest.ts";
import { readCpr } from "../json/load.ts";
import { canonicalModule } from "../wasm/canonical.ts";
import { decodeModule } from "../wasm/decode.ts";
import { checkProfile } from "../wasm/profile.ts";
import {
  decodeProgramNote,
  IMAGE_ABI,
  IR_KIND,
  NOTE_FILE,
  NOTE_PROGRAM,
  OWNER,
  PARSER_FUNCTION,
  type ProgramNote,
  TARGET,
} from "./notes.ts";
import { decodeFunctions, decodeLabels, decodeRelocations, type TextSymbols } from "./symbols.ts";
import { DIGEST_OFF, ELF } from "./write.ts";

/** A program of a bundle. */
export interface ImageProgram extends ProgramNote, TextSymbols {
  /** Exactly the hashed bytes. */
  readonly ir: Uint8Array;
  readonly text: Uint8Array;
}

/** A checked bundle. */
export interface Image {
  readonly programs: readonly ImageProgram[];
}

const MAX_SECTIONS = 64;
const MAX_PROGRAMS = 16;

/** Thrown inside this file only. */
class Refused extends Error {
  readonly check: number;
  readonly errno: string;
  constructor(check: number, errno: string, message: string) {
    super(message);
    this.check = check;
    this.errno = errno;
  }
}

/** What a device says to programs whose hashes are right, before their IR is judged. */
export type AcceptPrograms = (
  programs: readonly ImageProgram[],
) => { readonly check: number; readonly errno: string; readonly message: string } | null;

/**
 * Read and check an image.
 * @param accept - check 9, which comes between 8 and 10 and belongs to the device; default: none
 */
export function readImage(bytes: Uint8Array, accept?: AcceptPrograms): Result<Image> {
  try {
    return ok({ programs: read(plainBytes(bytes), accept) });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const diagnostic: Diagnostic = {
      code: "image",
      message: error.message,
      check: error.check,
      errno: error.errno,
    };
    return { ok: false, diagnostics: [diagnostic] };
  }
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly at: number;
  readonly bytes: Uint8Array;
}

function read(bytes: Uint8Array, accept?: AcceptPrograms): ImageProgram[] {
  // what is inside is not known before it is read: until a program says otherwise it is a program image
  if (bytes.length < ELF.EHDR) throw new Refused(1, "EINVAL", "program image is truncated");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ident = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1];
  if (ident.some((b, i) => bytes[i] !== b)) throw new Refused(2, "EINVAL", "not a program image");
  const machine = view.getUint16(18, true);
  if (machine !== 0 && machine !== ELF.EM_BPF) throw new Refused(2, "EINVAL", "not a program image");
  const notes = findNotes(bytes, view);
  const programNotes = notes.filter((n) => n.type === NOTE_PROGRAM);
  const fileNote = notes.find((n) => n.type === NOTE_FILE);
  if (programNotes.length === 0 || fileNote === undefined)
    throw new Refused(2, "EINVAL", "not a program image");
  for (const n of programNotes) {
    const abi =
      n.descriptor.length >= 4
        ? new DataView(n.descriptor.buffer, n.descriptor.byteOffset).getUint32(0, true)
        : 0;
    if (abi !== IMAGE_ABI)
      throw new Refused(3, "EPROTONOSUPPORT", `program image version ${abi} is not supported`);
  }
  if (fileNote.descriptor.length !== DIGEST_OFF + 32)
    throw new Refused(5, "EINVAL", "program image section .note.netoffload is invalid");
  const said = new DataView(fileNote.descriptor.buffer, fileNote.descriptor.byteOffset).getBigUint64(0, true);
  if (said !== BigInt(bytes.length))
    throw new Refused(
      4,
      "EINVAL",
      `program image length mismatch: header says ${said}, file has ${bytes.length}`,
    );
  const sections = readSections(bytes, view);
  const found = programNotes.map((n) => pair(n, sections));
  if (found.length > MAX_PROGRAMS)
    throw new Refused(5, "EINVAL", `program image section ${found[MAX_PROGRAMS]!.note.name} is invalid`);
  const names = new Set(found.map((f) => f.note.name));
  if (names.size !== found.length)
    throw new Refused(
      5,
      "EINVAL",
      `program image section .note.${found.find((f, i) => found.findIndex((g) => g.note.name === f.note.name) !== i)!.note.name} is invalid`,
    );
  checkDigest(bytes, fileNote);
  const programs = found.map(checkHash);
  const refused = accept?.(programs);
  if (refused) throw new Refused(refused.check, refused.errno, refused.message);
  for (const program of programs) checkIr(program);
  return programs;
}

interface Note {
  readonly type: number;
  readonly descriptor: Uint8Array;
  /** Offset of the descriptor in the file. */
  readonly at: number;
}

/** Every note of ours that can be reached without trusting anything; malformed sections are judged later. */
function findNotes(bytes: Uint8Array, view: DataView): Note[] {
  const out: Note[] = [];
  const table = Number(view.getBigUint64(40, true));
  const count = Math.min(view.getUint16(60, true), MAX_SECTIONS + 1);
  for (let i = 1; i < count; i++) {
    const h = table + ELF.SHDR * i;
    if (h + ELF.SHDR > bytes.length) break;
    const at = Number(view.getBigUint64(h + 24, true));
    const size = Number(view.getBigUint64(h + 32, true));
    if (view.getUint32(h + 4, true) !== ELF.SHT_NOTE || size < 12 || at + size > bytes.length) continue;
    const nameSize = view.getUint32(at, true);
    const descriptorSize = view.getUint32(at + 4, true);
    const from = at + 12 + ((nameSize + 3) & ~3);
    if (nameSize !== OWNER.length + 1 || from + descriptorSize !== at + size) continue;
    if (
      new TextDecoder().decode(bytes.subarray(at + 12, at + 12 + OWNER.length)) !== OWNER ||
      bytes[at + 12 + OWNER.length] !== 0
    )
      continue;
    out.push({
      type: view.getUint32(at + 8, true),
      descriptor: bytes.subarray(from, from + descriptorSize),
      at: from,
    });
  }
  return out;
}

function readSections(bytes: Uint8Array, view: DataView): Section[] {
  const bad = (what: string): Refused => new Refused(5, "EINVAL", `program image section ${what} is invalid`);
  const table = Number(view.getBigUint64(40, true));
  const count = view.getUint16(60, true);
  const strings = view.getUint16(62, true);
  if (count > MAX_SECTIONS || count < 2) throw bad("table");
  if (table < ELF.EHDR || table + ELF.SHDR * count > bytes.length || strings === 0 || strings >= count)
    throw bad("table");
  const headers = Array.from({ length: count - 1 }, (_, i) => {
    const h = table + ELF.SHDR * (i + 1);
    return {
      name: view.getUint32(h, true),
      type: view.getUint32(h + 4, true),
      at: Number(view.getBigUint64(h + 24, true)),
      size: Number(view.getBigUint64(h + 32, true)),
    };
  });
  const names = headers[strings - 1]!;
  if (names.type !== ELF.SHT_STRTAB || names.at + names.size > bytes.length) throw bad("names");
  const sections = headers.map((h, i) => {
    const end = bytes.indexOf(0, names.at + h.name);
    const sound = h.name < names.size && end >= 0 && end < names.at + names.size;
    const name = sound ? new TextDecoder().decode(bytes.subarray(names.at + h.name, end)) : "";
    if (name === "") throw bad(String(i + 1));
    if (h.at < ELF.EHDR || h.at + h.size > table) throw bad(name);
    return { name, type: h.type, at: h.at, bytes: bytes.subarray(h.at, h.at + h.size) };
  });
  const order = [...sections].sort((a, b) => a.at - b.at || a.bytes.length - b.bytes.length);
  for (const [i, s] of order.entries()) {
    const next = order[i + 1];
    if (next !== undefined && s.at + s.bytes.length > next.at) throw bad(next.name);
  }
  for (const [i, s] of sections.entries())
    if (sections.findIndex((t) => t.name === s.name) !== i) throw bad(s.name);
  return sections;
}

interface Found extends TextSymbols {
  readonly note: ProgramNote;
  readonly ir: Uint8Array;
  readonly text: Uint8Array;
}

function pair(n: Note, sections: readonly Section[]): Found {
  const note = decodeProgramNote(n.descriptor);
  if (note === null) {
    const holder = sections.find((s) => n.at >= s.at && n.at <= s.at + s.bytes.length);
    throw new Refused(5, "EINVAL", `program image section ${holder?.name ?? "note"} is invalid`);
  }
  const get = (prefix: string): Uint8Array => {
    const s = sections.find((t) => t.name === `${prefix}${note.name}` && t.type === ELF.SHT_PROGBITS);
    if (s === undefined || s.bytes.length === 0)
      throw new Refused(5, "EINVAL", `program image section ${prefix}${note.name} is invalid`);
    return s.bytes;
  };
  const ir = get(".ir.");
  const text = get(".text.");
  const none = { functions: [], relocations: [], labels: [] };
  const linux = note.target === TARGET.ebpf || note.target === TARGET.xdp;
  const symbols = linux ? tied(note, sections) : none;
  return { note, ir, text, ...symbols };
}

/** What an ebpf program's text needs to be loaded. */
function tied(note: ProgramNote, sections: readonly Section[]): TextSymbols {
  const bad = (what: string): Refused => new Refused(5, "EINVAL", `program image section ${what} is invalid`);
  const table = sections.find((s) => s.type === ELF.SHT_SYMTAB);
  const strings = sections.find((s) => s.type === ELF.SHT_STRTAB)!;
  if (table === undefined) throw bad(".symtab");
  const index = sections.findIndex((s) => s.name === `.text.${note.name}`);
  const slots = sections[index]!.bytes.length / 8;
  const nameOf = (offset: number): string => {
    const end = strings.bytes.indexOf(0, offset);
    return end < 0 ? "" : new TextDecoder().decode(strings.bytes.subarray(offset, end));
  };
  const functions = decodeFunctions(table.bytes, index + 1, slots, nameOf);
  if (functions === null) throw bad(".symtab");
  const name = `.rel.text.${note.name}`;
  const rel = sections.find((s) => s.name === name && s.type === ELF.SHT_REL);
  const relocations = rel === undefined ? null : decodeRelocations(rel.bytes, table.bytes, slots, nameOf);
  if (relocations === null) throw bad(name);
  return { functions, relocations, labels: decodeLabels(table.bytes, index + 1, slots, nameOf) };
}

function checkDigest(bytes: Uint8Array, fileNote: Note): void {
  const copy = bytes.slice();
  copy.fill(0, fileNote.at + DIGEST_OFF, fileNote.at + DIGEST_OFF + 32);
  if (bytesToHex(sha256Bytes(copy)) !== bytesToHex(fileNote.descriptor.subarray(DIGEST_OFF)))
    throw new Refused(6, "EBADMSG", "program image checksum mismatch");
}

/** Checks 7 and 8 of one program. */
function checkHash({ note, ir, text, functions, relocations, labels }: Found): ImageProgram {
  const word = note.irKind === IR_KIND.cpr ? "parser" : "program";
  if (/^sha256:0+$/.test(note.sha256))
    throw new Refused(7, "EOPNOTSUPP", "hash algorithm sha1 is not supported");
  const hash = hashProgram(ir);
  if (hash.sha256 !== note.sha256 || hash.sha1 !== note.sha1)
    throw new Refused(8, "EBADMSG", `${word} image hash does not match its IR`);
  return { ...note, ir: ir.slice(), text: text.slice(), functions, relocations, labels };
}

/** Check 10 of one program. */
function checkIr(program: ImageProgram): void {
  const reason = invalidIr(program, program.ir);
  if (reason === null) return;
  const what = program.irKind === IR_KIND.cpr ? "invalid parser" : `invalid program ${program.name}`;
  throw new Refused(10, "EINVAL", `${what}: ${reason}`);
}

function invalidIr(note: ProgramNote, ir: Uint8Array): string | null {
  if (note.irKind === IR_KIND.cpr) return invalidCpr(note, ir);
  if (note.irKind !== IR_KIND.wasm) return `IR kind ${note.irKind} is unknown`;
  if (note.functionNumber > 14) return `function number ${note.functionNumber} has no static region`;
  const decoded = decodeModule(ir);
  if (!decoded.ok) return decoded.diagnostics[0]!.message;
  const violation = checkProfile(decoded.value, { functionNumber: note.functionNumber })[0];
  if (violation !== undefined) return violation.message;
  if (decoded.value.exports[0]!.name !== note.name)
    return `the module exports ${decoded.value.exports[0]!.name}`;
  const canonical = canonicalModule(ir);
  const same =
    canonical.ok && canonical.value.length === ir.length && canonical.value.every((b, i) => b === ir[i]);
  return same ? null : "the module is not in canonical form";
}

/** A graph must read without a fault and be its own canonical form. */
function invalidCpr(note: ProgramNote, ir: Uint8Array): string | null {
  if (note.functionNumber !== PARSER_FUNCTION)
    return `function number ${note.functionNumber}; a parser's is ${PARSER_FUNCTION}`;
  const text = new TextDecoder().decode(ir);
  if (!text.startsWith(CANONICAL_PREFIX)) return "it is not in canonical form";
  const file = readCpr(text.slice(CANONICAL_PREFIX.length));
  if (!file.ok) return file.diagnostics[0]!.message;
  const canonical = canonicalCpr(file.value.parser);
  const same = canonical.length === ir.length && canonical.every((b, i) => b === ir[i]);
  return same ? null : "it is not in canonical form";
}
