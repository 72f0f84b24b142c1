/** Numbers that a seed determines. */

const POOL_BYTES = 1 << 15;

/** A generator of 32 random bits at a time (mulberry32). */
export class Random {
  #state: number;
  #pool: Uint8Array | undefined;

  /** @param seed - any whole number; its low 32 bits count */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** A whole number in 0..n-1. */
  below(n: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * n);
  }

  /** A whole number in from..to. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  /** True once in n. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)]!;
  }

  /** Fill from a pool of random bytes, at a random place: a frame takes no call per byte. */
  fill(bytes: Uint8Array): void {
    this.#pool ??= this.#makePool();
    for (let at = 0; at < bytes.length; ) {
      const from = this.below(POOL_BYTES / 2);
      const part = this.#pool.subarray(from, from + Math.min(bytes.length - at, POOL_BYTES / 2));
      bytes.set(part, at);
      at += part.length;
    }
  }

  #makePool(): Uint8Array {
    const pool = new Uint8Array(POOL_BYTES);
    for (let i = 0; i < POOL_BYTES; i++) pool[i] = this.u32() >>> 24;
    return pool;
  }

  /** In place. */
  shuffle<T>(list: T[]): void {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [list[i], list[j]] = [list[j]!, list[i]!];
    }
  }
}
