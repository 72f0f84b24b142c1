/** Reads the binary format from untrusted bytes: every read is checked, a fault unwinds to the decoder's top. */

/** Thrown inside the decoder only; `decodeModule` turns it into a diagnostic. */
export class MalformedModule extends Error {
  readonly code: string;
  readonly offset: number;
  constructor(code: string, message: string, offset: number) {
    super(message);
    this.code = code;
    this.offset = offset;
  }
}

let utf8: TextDecoder | undefined;

/** A cursor over [at, end) of the module's bytes; offsets in messages count from the module's first byte. */
export class Reader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  u8(): number {
    if (this.at >= this.end) throw new MalformedModule("truncated", "unexpected end", this.at);
    return this.bytes[this.at++]!;
  }

  /** Unsigned LEB128, at most 32 bits; padded forms up to 5 bytes are accepted as the format does. */
  u32(): number {
    const start = this.at;
    let result = 0;
    for (let i = 0; i < 5; i++) {
      const byte = this.u8();
      if (i === 4 && byte > 0x0f)
        throw new MalformedModule("leb128", "integer does not fit in 32 bits", start);
      result += (byte & 0x7f) * 2 ** (7 * i);
      if ((byte & 0x80) === 0) return result;
    }
    throw new MalformedModule("leb128", "integer is longer than 5 bytes", start);
  }

  /** Signed LEB128 of 32 bits. */
  s32(): number {
    const start = this.at;
    let result = 0;
    for (let i = 0; i < 5; i++) {
      const byte = this.u8();
      result |= (byte & 0x7f) << (7 * i);
      if ((byte & 0x80) !== 0) continue;
      if (i < 4) return (result << (25 - 7 * i)) >> (25 - 7 * i);
      // bits 32 to 34 must repeat bit 31
      const top = byte & 0x78;
      if (top === 0 || top === 0x78) return result;
      break;
    }
    throw new MalformedModule("leb128", "integer does not fit in 32 bits", start);
  }

  /** Signed LEB128 of `bits` bits. */
  signed(bits: 33 | 64): bigint {
    const start = this.at;
    const most = Math.ceil(bits / 7);
    let result = 0n;
    for (let i = 0; i < most; i++) {
      const byte = this.u8();
      result |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if ((byte & 0x80) !== 0) continue;
      const used = 7 * (i + 1);
      const value = BigInt.asIntN(used, result);
      // the unused bits of a last byte must repeat the sign
      if (used > bits && value !== BigInt.asIntN(bits, value)) break;
      return BigInt.asIntN(bits, value);
    }
    throw new MalformedModule("leb128", `integer does not fit in ${bits} bits`, start);
  }

  take(n: number): Uint8Array {
    if (n > this.end - this.at)
      throw new MalformedModule("truncated", `${n} bytes announced, ${this.end - this.at} left`, this.at);
    const out = this.bytes.subarray(this.at, this.at + n);
    this.at += n;
    return out;
  }

  name(): string {
    const at = this.at;
    const bytes = this.take(this.u32());
    try {
      utf8 ??= new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
      return utf8.decode(bytes);
    } catch {
      throw new MalformedModule("utf8", "name is not UTF-8", at);
    }
  }

  /** A length and as many bytes, as a cursor of their own. */
  sized(): Reader {
    const n = this.u32();
    const from = this.at;
    this.take(n);
    return new Reader(this.bytes, from, from + n);
  }

  /** A count of things that take at least one byte each, so that no count can ask for more than the file holds. */
  count(what: string): number {
    const at = this.at;
    const n = this.u32();
    if (n > this.end - this.at)
      throw new MalformedModule("truncated", `${n} ${what} announced in ${this.end - this.at} bytes`, at);
    return n;
  }
}
