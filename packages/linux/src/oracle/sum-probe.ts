/** Frames that make the kernel sum any bytes: checksum help over them, into a field of zeros behind them. */

/** A sum begins here: the first place that a tap takes. */
const START = 20;

/** The question: bytes whose sum is wanted, two zero bytes for the answer behind them. */
export function sumProbe(bytes: Uint8Array): { frame: Uint8Array; csumStart: number; csumOffset: number } {
  const frame = new Uint8Array(START + bytes.length + 2);
  frame.set(bytes, START);
  return { frame, csumStart: START, csumOffset: bytes.length };
}

/**
 * The sum that a probe brought back.
 * @param frame - as it returned; @param bytes - those that were asked about
 * @returns little-endian words, end-around, folded to 16 bits; 0 only of zeros
 */
export function readSum(frame: Uint8Array, bytes: Uint8Array): number {
  const at = START + bytes.length;
  const field = frame[at]! | (frame[at + 1]! << 8);
  // sums of 0 and of 0xffff give the same field
  if (field === 0xffff) return bytes.every((b) => b === 0) ? 0 : 0xffff;
  return ~field & 0xffff;
}
