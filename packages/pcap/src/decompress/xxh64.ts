/** XXH64 with seed 0, streaming, on 32-bit halves; only its lower 32 bits are asked for. @see RFC 8878 section 3.1.1 */

// The primes as (high, low).
const P1H = 0x9e3779b1;
const P1L = 0x85ebca87;
const P2H = 0xc2b2ae3d;
const P2L = 0x27d4eb4f;
const P3H = 0x165667b1;
const P3L = 0x9e3779f9;
const P4H = 0x85ebca77;
const P4L = 0xc2b2ae63;
const P5H = 0x27d4eb2f;
const P5L = 0x165667c5;

export class Xxh64 {
  /** Four accumulators, (low, high) each. */
  private readonly lanes: Int32Array = new Int32Array(8);
  private readonly pending: Uint8Array = new Uint8Array(32);
  private pendingLength = 0;
  private total = 0;
  /** The result of the last multiplication. */
  private high = 0;
  private low = 0;

  constructor() {
    this.reset();
  }

  reset(): void {
    const lanes = this.lanes;
    this.add(P1H, P1L, P2H, P2L);
    lanes[0] = this.low;
    lanes[1] = this.high;
    lanes[2] = P2L;
    lanes[3] = P2H;
    lanes[4] = 0;
    lanes[5] = 0;
    lanes[6] = -P1L;
    lanes[7] = ~P1H; // -(high:low) with low != 0
    this.pendingLength = 0;
    this.total = 0;
  }

  update(bytes: Uint8Array, start: number, end: number): void {
    this.total += end - start;
    let at = start;
    if (this.pendingLength > 0) {
      while (at < end && this.pendingLength < 32) this.pending[this.pendingLength++] = bytes[at++]!;
      if (this.pendingLength < 32) return;
      this.stripes(this.pending, 0, 32);
      this.pendingLength = 0;
    }
    const whole = at + ((end - at) & ~31);
    this.stripes(bytes, at, whole);
    for (at = whole; at < end; at++) this.pending[this.pendingLength++] = bytes[at]!;
  }

  /** The lower 32 bits of the hash of everything so far, unsigned. */
  digestLow(): number {
    const lanes = this.lanes;
    let h: number;
    let l: number;
    if (this.total >= 32) {
      h = l = 0;
      for (let i = 0; i < 4; i++) {
        const r = i === 0 ? 1 : i === 1 ? 7 : i === 2 ? 12 : 18;
        const low = lanes[2 * i]!;
        const high = lanes[2 * i + 1]!;
        this.add(h, l, (high << r) | (low >>> (32 - r)), (low << r) | (high >>> (32 - r)));
        h = this.high;
        l = this.low;
      }
      for (let i = 0; i < 4; i++) {
        this.round(0, 0, lanes[2 * i + 1]!, lanes[2 * i]!);
        this.multiply(h ^ this.high, l ^ this.low, P1H, P1L);
        this.add(this.high, this.low, P4H, P4L);
        h = this.high;
        l = this.low;
      }
    } else {
      h = P5H;
      l = P5L;
    }
    this.add(h, l, Math.floor(this.total / 4294967296), this.total);
    h = this.high;
    l = this.low;
    const tail = this.pending;
    const end = this.pendingLength;
    let at = 0;
    for (; at + 8 <= end; at += 8) {
      this.round(0, 0, word(tail, at + 4), word(tail, at));
      h ^= this.high;
      l ^= this.low;
      this.multiply((h << 27) | (l >>> 5), (l << 27) | (h >>> 5), P1H, P1L);
      this.add(this.high, this.low, P4H, P4L);
      h = this.high;
      l = this.low;
    }
    if (at + 4 <= end) {
      this.multiply(0, word(tail, at), P1H, P1L);
      h ^= this.high;
      l ^= this.low;
      this.multiply((h << 23) | (l >>> 9), (l << 23) | (h >>> 9), P2H, P2L);
      this.add(this.high, this.low, P3H, P3L);
      h = this.high;
      l = this.low;
      at += 4;
    }
    for (; at < end; at++) {
      this.multiply(0, tail[at]!, P5H, P5L);
      h ^= this.high;
      l ^= this.low;
      this.multiply((h << 11) | (l >>> 21), (l << 11) | (h >>> 21), P1H, P1L);
      h = this.high;
      l = this.low;
    }
    l ^= h >>> 1; // h ^= h >> 33
    this.multiply(h, l, P2H, P2L);
    h = this.high;
    l = this.low;
    l ^= (h << 3) | (l >>> 29); // h ^= h >> 29
    h ^= h >>> 29;
    this.multiply(h, l, P3H, P3L);
    return (this.low ^ this.high) >>> 0; // h ^= h >> 32
  }

  private stripes(bytes: Uint8Array, start: number, end: number): void {
    const lanes = this.lanes;
    for (let at = start; at < end; at += 32) {
      for (let i = 0; i < 4; i++) {
        this.round(lanes[2 * i + 1]!, lanes[2 * i]!, word(bytes, at + 8 * i + 4), word(bytes, at + 8 * i));
        lanes[2 * i] = this.low;
        lanes[2 * i + 1] = this.high;
      }
    }
  }

  /** rotl(acc + input * P2, 31) * P1 */
  private round(accHigh: number, accLow: number, high: number, low: number): void {
    this.multiply(high, low, P2H, P2L);
    this.add(accHigh, accLow, this.high, this.low);
    const h = this.high;
    const l = this.low;
    this.multiply((h << 31) | (l >>> 1), (l << 31) | (h >>> 1), P1H, P1L);
  }

  private add(ah: number, al: number, bh: number, bl: number): void {
    const low = (al >>> 0) + (bl >>> 0);
    this.low = low | 0;
    this.high = (ah + bh + (low > 0xffffffff ? 1 : 0)) | 0;
  }

  private multiply(ah: number, al: number, bh: number, bl: number): void {
    const a0 = al & 0xffff;
    const a1 = al >>> 16;
    const b0 = bl & 0xffff;
    const b1 = bl >>> 16;
    const p00 = a0 * b0;
    const p01 = a0 * b1;
    const p10 = a1 * b0;
    const middle = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
    this.low = Math.imul(al, bl);
    this.high =
      (a1 * b1 + (p01 >>> 16) + (p10 >>> 16) + (middle >>> 16) + Math.imul(ah, bl) + Math.imul(al, bh)) | 0;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
