/** C structures handed to system calls, with the buffers their pointers name. */
import { libc } from "./libc.ts";

/** The bytes of a C structure, zeroed, in the machine's byte order; it keeps alive what its pointers name. */
export class StructBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly #named = new Map<number, Uint8Array | StructBytes>();

  /** @param size - bytes */
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }

  /** @param off - of the field from the structure's start, bytes */
  u8(off: number, value: number): this {
    this.view.setUint8(off, value);
    return this;
  }
  u16(off: number, value: number): this {
    this.view.setUint16(off, value, true);
    return this;
  }
  u32(off: number, value: number): this {
    this.view.setUint32(off, value, true);
    return this;
  }
  u64(off: number, value: bigint): this {
    this.view.setBigUint64(off, value, true);
    return this;
  }
  /** Write a string and its NUL; at most `room` bytes, NUL included. */
  text(off: number, value: string, room: number): this {
    const encoded = new TextEncoder().encode(value).subarray(0, room - 1);
    this.bytes.set(encoded, off);
    this.bytes[off + encoded.length] = 0;
    return this;
  }
  /**
   * Write the address of a buffer (64 bits), which stays alive as long as this structure, as does what another
   * structure names; null writes 0.
   */
  pointer(off: number, buffer: Uint8Array | StructBytes | null): this {
    if (buffer === null) {
      this.#named.delete(off);
      return this.u64(off, 0n);
    }
    this.#named.set(off, buffer);
    return this.u64(off, libc().addressOf(buffer instanceof StructBytes ? buffer.bytes : buffer));
  }

  getU16(off: number): number {
    return this.view.getUint16(off, true);
  }
  getU32(off: number): number {
    return this.view.getUint32(off, true);
  }
  getU64(off: number): bigint {
    return this.view.getBigUint64(off, true);
  }
}
