/** A small private memory with the sum unit in it, made at the first use: for bytes that lie anywhere. */
import { base64ToBytes } from "@netoffload/internal";
import { SUM_SCALAR_WASM } from "./generated/sum-scalar.ts";
import { SUM_SIMD_WASM } from "./generated/sum-simd.ts";

/** Most bytes summed at once; even, so that every piece but the last ends on a word. */
const PIECE = 0x10000;

interface Summer {
  readonly bytes: Uint8Array;
  csum_partial(ptr: number, len: number, sum: number): number;
}

let summer: Summer | undefined;

function make(): Summer {
  // PIECE bytes and 63 before them
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2 });
  const simd = base64ToBytes(SUM_SIMD_WASM);
  const code = WebAssembly.validate(simd) ? simd : base64ToBytes(SUM_SCALAR_WASM);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
  const csum_partial = exports.csum_partial as Summer["csum_partial"];
  return { bytes: new Uint8Array(memory.buffer), csum_partial };
}

/**
 * Sum bytes that lie in any buffer, on top of a canonical sum.
 * @returns canonical, little-endian words
 */
export function sumBytes(bytes: Uint8Array, seed: number): number {
  const s = (summer ??= make());
  // a copy between unlike alignments is many times slower above 2 kB on some machines
  const at = bytes.byteOffset & 63;
  const length = bytes.length;
  if (length <= PIECE) {
    s.bytes.set(bytes, at);
    return s.csum_partial(at, length, seed);
  }
  let sum = seed;
  for (let from = 0; from < length; from += PIECE) {
    const piece = bytes.subarray(from, from + PIECE);
    s.bytes.set(piece, at);
    sum = s.csum_partial(at, piece.length, sum);
  }
  return sum;
}

/** Fold a sum of big-endian words below 2^53 into 16 bits and turn it into little-endian words, or back. */
export function foldSwap(sum: number): number {
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return ((sum & 0xff) << 8) | (sum >>> 8);
}
