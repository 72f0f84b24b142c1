// Slow, obvious oracles of this package's tests; nothing here is imported by src.

/** RFC 1071: sum of big-endian words, end-around carry, complemented. */
export function slowChecksum(bytes: Uint8Array, seed = 0): number {
  let sum = seed;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i]! * 256 + (i + 1 < bytes.length ? bytes[i + 1]! : 0);
  }
  while (sum > 0xffff) sum = (sum % 65536) + Math.floor(sum / 65536);
  return 0xffff - sum;
}

/** Canonical sum of little-endian words: 0, or folded into 1..0xffff. */
export function slowPartial(bytes: Uint8Array, seed = 0): number {
  let sum = seed;
  for (let i = 0; i < bytes.length; i++) sum += i % 2 === 0 ? bytes[i]! : bytes[i]! * 256;
  while (sum > 0xffff) sum = (sum % 65536) + Math.floor(sum / 65536);
  return sum;
}

/** CRC-32C bit by bit, with both inversions. */
export function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** Two sums are equivalent when both are 0, or neither is and they agree modulo 0xffff. */
export function sameClass(a: number, b: number): boolean {
  return a === 0 || b === 0 ? a === b : a % 0xffff === b % 0xffff;
}
