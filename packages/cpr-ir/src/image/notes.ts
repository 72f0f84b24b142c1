/** The notes of an image, owner `netoffload`: type 1 describes one program, type 2 the whole file. */
import { bytesToHex } from "@netoffload/internal";

/** Note owner. */
export const OWNER = "netoffload";
/** Note type: a program. */
export const NOTE_PROGRAM = 1;
/** Note type: file length and digest. */
export const NOTE_FILE = 2;
/** Container ABI written and read here. */
export const IMAGE_ABI = 1;

/** Targets by number. A parser for ebpf is a flow dissector. */
export const TARGET = { wasm: 1, ebpf: 2, npu: 3, tcam: 4, xdp: 5 } as const;
/** Name of a target. */
export type TargetName = keyof typeof TARGET;
/** IR kinds by number. */
export const IR_KIND = { cpr: 1, wasm: 2 } as const;

/** Function number of a parser; it has no static region. */
export const PARSER_FUNCTION = 15;

/** Resource amounts, in the note's order. */
export const RESOURCE_NAMES = [
  "instructions",
  "stack",
  "memory",
  "table_entries",
  "states",
  "key_bits",
  "metadata_bytes",
] as const;

/** What a program note says. */
export interface ProgramNote {
  readonly abi: number;
  readonly irKind: number;
  readonly target: number;
  readonly functionNumber: number;
  readonly resources: Readonly<Record<string, number>>;
  /** `sha256:` + hex. */
  readonly sha256: string;
  /** Hex. */
  readonly sha1: string;
  readonly name: string;
}

/** Bytes of a program note before its name: 4 words, 7 resources, two digests, name length. */
const FIXED = 16 + 4 * RESOURCE_NAMES.length + 32 + 20 + 4;

/** Encode a program note's descriptor. */
export function encodeProgramNote(note: ProgramNote): Uint8Array {
  const name = new TextEncoder().encode(note.name);
  const out = new Uint8Array((FIXED + name.length + 3) & ~3);
  const view = new DataView(out.buffer);
  for (const [i, v] of [note.abi, note.irKind, note.target, note.functionNumber].entries())
    view.setUint32(4 * i, v, true);
  for (const [i, r] of RESOURCE_NAMES.entries()) view.setUint32(16 + 4 * i, note.resources[r] ?? 0, true);
  const at = 16 + 4 * RESOURCE_NAMES.length;
  out.set(fromHex(note.sha256.replace("sha256:", "")), at);
  out.set(fromHex(note.sha1), at + 32);
  view.setUint32(at + 52, name.length, true);
  out.set(name, FIXED);
  return out;
}

/** Decode a program note's descriptor; null when it is malformed. */
export function decodeProgramNote(bytes: Uint8Array): ProgramNote | null {
  if (bytes.length < FIXED) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(FIXED - 4, true);
  if (length < 1 || length > 63 || ((FIXED + length + 3) & ~3) !== bytes.length) return null;
  const name = new TextDecoder().decode(bytes.subarray(FIXED, FIXED + length));
  if (!/^[a-z][a-z0-9_]*$/.test(name)) return null;
  const resources: Record<string, number> = {};
  for (const [i, r] of RESOURCE_NAMES.entries()) resources[r] = view.getUint32(16 + 4 * i, true);
  const at = 16 + 4 * RESOURCE_NAMES.length;
  return {
    abi: view.getUint32(0, true),
    irKind: view.getUint32(4, true),
    target: view.getUint32(8, true),
    functionNumber: view.getUint32(12, true),
    resources,
    sha256: `sha256:${bytesToHex(bytes.subarray(at, at + 32))}`,
    sha1: bytesToHex(bytes.subarray(at + 32, at + 52)),
    name,
  };
}

function fromHex(hex: string): Uint8Array {
  const out = new Uint8Array(hex.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return out;
}
