/** The acceleration units by their definitions: one byte or bit at a time, sharing nothing with the real ones. */

/**
 * Sum of little-endian 16-bit words, an odd last byte low, canonical: 0 only when everything is 0.
 * Exact: 2^32 + 2^22 bytes of 2^16 stay far below 2^53.
 */
export function slowCsum(bytes: Uint8Array, sum: number): number {
  let total = sum;
  for (let i = 0; i < bytes.length; i++) total += i % 2 === 0 ? bytes[i]! : 256 * bytes[i]!;
  return total === 0 ? 0 : ((total - 1) % 0xffff) + 1;
}

/** CRC-32C by polynomial division, reflected; no inversion. */
export function slowCrc32c(bytes: Uint8Array, crc: number): number {
  for (const byte of bytes)
    for (let bit = 0; bit < 8; bit++) {
      const one = (crc ^ (byte >> bit)) & 1;
      crc = (crc >>> 1) ^ (one === 1 ? 0x82f63b78 : 0);
    }
  return crc >>> 0;
}

/** For each bit that is set, counted from the most significant, the 32 bits of the key from there on. */
export function slowToeplitz(key: Uint8Array, bytes: Uint8Array): number {
  const keyBit = (i: number): number => (key[i >> 3]! >> (7 - (i % 8))) & 1;
  let result = 0;
  for (let i = 0; i < bytes.length * 8; i++) {
    if (((bytes[i >> 3]! >> (7 - (i % 8))) & 1) === 0) continue;
    let window = 0;
    for (let k = 0; k < 32; k++) window = window * 2 + keyBit(i + k);
    result = (result ^ window) >>> 0;
  }
  return result;
}

/** SipHash-2-4 as its authors define it, on bigints; 8 bytes, little endian. */
export function slowSiphash(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const mask = (1n << 64n) - 1n;
  const word = (from: Uint8Array, at: number): bigint => {
    let w = 0n;
    for (let i = 7; i >= 0; i--) w = (w << 8n) | BigInt(from[at + i] ?? 0);
    return w;
  };
  const rotate = (x: bigint, n: bigint): bigint => ((x << n) | (x >> (64n - n))) & mask;
  const [k0, k1] = [word(key, 0), word(key, 8)];
  const text = (s: string): bigint => BigInt(`0x${Buffer.from(s).toString("hex")}`);
  let [a, b, c, d] = [
    k0 ^ text("somepseu"),
    k1 ^ text("dorandom"),
    k0 ^ text("lygenera"),
    k1 ^ text("tedbytes"),
  ];
  const round = (): void => {
    a = (a + b) & mask;
    b = rotate(b, 13n) ^ a;
    a = rotate(a, 32n);
    c = (c + d) & mask;
    d = rotate(d, 16n) ^ c;
    a = (a + d) & mask;
    d = rotate(d, 21n) ^ a;
    c = (c + b) & mask;
    b = rotate(b, 17n) ^ c;
    c = rotate(c, 32n);
  };
  const padded = new Uint8Array(Math.floor(bytes.length / 8) * 8 + 8);
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length & 255;
  for (let at = 0; at < padded.length; at += 8) {
    const m = word(padded, at);
    d ^= m;
    round();
    round();
    a ^= m;
  }
  c ^= 0xffn;
  for (let i = 0; i < 4; i++) round();
  const out = new Uint8Array(8);
  let hash = a ^ b ^ c ^ d;
  for (let i = 0; i < 8; i++) {
    out[i] = Number(hash & 255n);
    hash >>= 8n;
  }
  return out;
}
