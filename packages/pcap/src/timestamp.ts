/** 64-bit time stamps, as two 32-bit halves, to seconds and nanoseconds without bigint on the usual resolutions. */

const TWO32 = 4294967296;
const MAX_EXACT_HIGH = 1 << 21; // high * 2^32 + low stays below 2^53

/** Seconds and nanoseconds of a time stamp; a scratch struct. */
export class Timestamp {
  seconds: number = 0;
  nanoseconds: number = 0;

  /**
   * @param high - upper 32 bits of the count
   * @param low - lower 32 bits of the count
   * @param unitsPerSecond - 1e6 and 1e9 are fast; anything else goes through bigint
   */
  set(high: number, low: number, unitsPerSecond: number | bigint): void {
    if (unitsPerSecond === 1e6 && high < MAX_EXACT_HIGH) {
      const count = high * TWO32 + low;
      const seconds = Math.floor(count / 1e6);
      this.seconds = seconds;
      this.nanoseconds = (count - seconds * 1e6) * 1000;
    } else if (unitsPerSecond === 1e9) {
      // The double quotient is off by at most one; the remainder modulo 2^32 shows by which.
      let seconds = Math.floor((high * TWO32 + low) / 1e9);
      let rest = (low - Math.imul(seconds % TWO32, 1_000_000_000)) | 0;
      if (rest < 0) {
        rest += 1e9;
        seconds--;
      } else if (rest >= 1e9) {
        rest -= 1e9;
        seconds++;
      }
      this.seconds = seconds;
      this.nanoseconds = rest;
    } else {
      const units = BigInt(unitsPerSecond);
      const count = (BigInt(high) << 32n) | BigInt(low);
      this.seconds = Number(count / units);
      this.nanoseconds = Number(((count % units) * 1_000_000_000n) / units);
    }
  }
}

/**
 * Units a second of an if_tsresol byte: a power of ten, or of two when the top bit is set.
 * @returns a number where it is exact, else a bigint
 */
export function unitsPerSecond(tsresol: number): number | bigint {
  const exponent = tsresol & 0x7f;
  if ((tsresol & 0x80) !== 0) return exponent <= 52 ? 2 ** exponent : 1n << BigInt(exponent);
  return exponent <= 15 ? 10 ** exponent : 10n ** BigInt(exponent);
}

/**
 * The 64-bit count of seconds and nanoseconds in units of 1/unitsPerSecond, as halves.
 * @param seconds - 0 to 2^33
 * @param nanoseconds - 0 to 999,999,999
 * @param scale - nanoseconds a unit: 1 or 1000
 */
export class Count64 {
  high: number = 0;
  low: number = 0;

  set(seconds: number, nanoseconds: number, scale: 1 | 1000): void {
    const perSecond = scale === 1 ? 1e9 : 1e6;
    // Split the seconds by 2^16, so that every product is exact in a double.
    const upper = Math.floor(seconds / 65536) * perSecond;
    const lower =
      (seconds % 65536) * perSecond + (scale === 1 ? nanoseconds : Math.floor(nanoseconds / 1000));
    const rest = (upper % 65536) * 65536 + lower;
    this.high = Math.floor(upper / 65536) + Math.floor(rest / TWO32);
    this.low = rest % TWO32;
  }
}
