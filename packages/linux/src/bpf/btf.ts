/**
 * Types of a program's functions, as little as makes the verifier take each function by itself: without them it
 * walks through a function anew at every call, with all that the caller knows.
 * @see Documentation/bpf/btf.rst
 */
import { ok } from "../errors.ts";
import { libc } from "../libc.ts";
import { StructBytes } from "../struct-bytes.ts";
import { BPF_CMD } from "./constants.ts";

/** A function: numbers in, a number out. */
export interface BpfFunction {
  readonly name: string;
  /** First instruction, in 8-byte slots. */
  readonly start: number;
  /** Arguments, 0 to 5. */
  readonly params: number;
}

const KIND = { INT: 1, FUNC: 12, FUNC_PROTO: 13 } as const;
const GLOBAL = 1;
const LOG_BYTES = 16384;

/** Load types of functions, in the order of their starts. @returns the descriptor, and func_info records of 8 bytes */
export function loadFunctionTypes(functions: readonly BpfFunction[]): { fd: number; info: Uint8Array } {
  let strings = "\0";
  const text = (s: string): number => {
    strings += `${s}\0`;
    return strings.length - s.length - 1;
  };
  const number = 1;
  const words = [text("u64"), KIND.INT << 24, 8, 64];
  const argument = text("a");
  const info: number[] = [];
  let types = 1;
  for (const [i, f] of functions.entries()) {
    words.push(0, (KIND.FUNC_PROTO << 24) | f.params, number);
    for (let n = 0; n < f.params; n++) words.push(argument, number);
    const proto = ++types;
    // names must be identifiers, and the kernel refuses two alike
    words.push(text(`${f.name.replace(/[^A-Za-z0-9_]/g, "_")}_${i}`), (KIND.FUNC << 24) | GLOBAL, proto);
    info.push(f.start, ++types);
  }
  const encoded = new TextEncoder().encode(strings);
  const blob = new StructBytes(24 + 4 * words.length + encoded.length)
    .u16(0, 0xeb9f)
    .u8(2, 1)
    .u32(4, 24)
    .u32(12, 4 * words.length)
    .u32(16, 4 * words.length)
    .u32(20, encoded.length);
  for (const [i, w] of words.entries()) blob.u32(24 + 4 * i, w);
  blob.bytes.set(encoded, 24 + 4 * words.length);
  const log = new Uint8Array(LOG_BYTES);
  const attr = new StructBytes(28)
    .pointer(0, blob.bytes)
    .pointer(8, log)
    .u32(16, blob.bytes.length)
    .u32(20, log.length)
    .u32(24, 1);
  const fd = ok(libc().bpf(BPF_CMD.BTF_LOAD, attr), `bpf: load function types: ${logText(log)}`);
  const records = new StructBytes(4 * info.length);
  for (const [i, w] of info.entries()) records.u32(4 * i, w);
  return { fd, info: records.bytes };
}

/** Text of a log buffer. */
export function logText(log: Uint8Array): string {
  const end = log.indexOf(0);
  return new TextDecoder().decode(log.subarray(0, end < 0 ? log.length : end)).trim();
}
