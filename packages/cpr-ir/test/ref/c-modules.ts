/** What the C modules of test/fixtures/c compute, said once more on bigints; shares nothing with them. */

const MASK64 = (1n << 64n) - 1n;

/** {result, 8 bytes written} of fletcher. */
export function fletcher(packet: Uint8Array): { ret: number; out: Uint8Array } {
  if (packet.length % 2 === 1) return { ret: -22, out: new Uint8Array(0) };
  const words = Array.from(
    { length: packet.length / 2 },
    (_, i) => packet[2 * i]! + 256 * packet[2 * i + 1]!,
  );
  let [first, second] = [0, 0];
  const parts = Array<bigint>(8).fill(0n);
  for (const [i, word] of words.entries()) {
    first = (first + word) % 65535;
    second = (second + first) % 65535;
    parts[i % 8]! += BigInt(word * [1, 3, 5, 7][i % 4]!);
  }
  let mixed = 0n;
  for (const part of parts) mixed = (((mixed << 5n) | (mixed >> 27n)) ^ part) & 0xffffffffn;
  const out = new Uint8Array(8);
  new DataView(out.buffer).setUint32(0, second * 65536 + first, true);
  new DataView(out.buffer).setUint32(4, Number(mixed), true);
  return { ret: words.length, out };
}

/** Result of classify, or null where it divides by zero. */
export function classify(packet: Uint8Array, bias: number): number | null {
  const n = BigInt(packet.length);
  if (n < 14n) return -22;
  let h = 0xcbf29ce484222325n;
  for (const byte of packet.subarray(0, 14)) h = ((h ^ BigInt(byte)) * 0x100000001b3n) & MASK64;
  const mixers: Record<number, (x: bigint) => bigint> = {
    0: (x) => x + n,
    1: (x) => x ^ 97n,
    2: (x) => x * 5n,
    3: (x) => (x << 3n) | (x >> 61n),
    4: (x) => x - n,
    5: (x) => ~x,
    6: (x) => x / 41n,
    7: (x) => x % 1000003n,
    9: (x) => x >> (n & 63n),
  };
  h = (mixers[packet[13]! % 16]?.(h) ?? h) & MASK64;
  const hex = h.toString(16).padStart(16, "0");
  h ^= BigInt(`0x${hex.match(/../g)!.reverse().join("")}`);
  const ones = BigInt(h.toString(2).replaceAll("0", "").length);
  h = (h + ((ones << 40n) | BigInt(Math.clz32(packet.length)))) & MASK64;
  let sum = 0;
  for (const [i, byte] of packet.entries()) sum += i % 2 === 0 ? byte : 256 * byte;
  h = (h + BigInt(sum === 0 ? 0 : ((sum - 1) % 0xffff) + 1)) & MASK64;
  if (bias === 0) return null;
  const low = BigInt.asIntN(32, h >> 33n);
  const zeros = 31 - Math.clz32((packet.length | 64) & -(packet.length | 64));
  return Number(BigInt.asIntN(32, low % BigInt(bias))) + zeros;
}
