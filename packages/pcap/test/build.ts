/** Captures laid out byte by byte, from the format descriptions alone: nothing here uses the package under test. */

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function u16(n: number, le: boolean): Uint8Array {
  return le ? Uint8Array.of(n & 255, (n >>> 8) & 255) : Uint8Array.of((n >>> 8) & 255, n & 255);
}

export function u32(n: number, le: boolean): Uint8Array {
  const b = [n & 255, (n >>> 8) & 255, (n >>> 16) & 255, (n >>> 24) & 255];
  return Uint8Array.from(le ? b : b.reverse());
}

export function u64(n: bigint, le: boolean): Uint8Array {
  const bits = BigInt.asUintN(64, n);
  const low = u32(Number(bits & 0xffffffffn), le);
  const high = u32(Number(bits >> 32n), le);
  return le ? concat(low, high) : concat(high, low);
}

export const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** Bytes 0, 1, 2, ... */
export const counting = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => i & 255);

export interface PcapHeader {
  le: boolean;
  magic?: number;
  major?: number;
  minor?: number;
  snaplen?: number;
  network?: number;
}

export function pcapHeader(h: PcapHeader): Uint8Array {
  const { le } = h;
  return concat(
    u32(h.magic ?? 0xa1b2c3d4, le),
    u16(h.major ?? 2, le),
    u16(h.minor ?? 4, le),
    u32(0, le),
    u32(0, le),
    u32(h.snaplen ?? 65535, le),
    u32(h.network ?? 1, le),
  );
}

export function pcapRecord(
  le: boolean,
  seconds: number,
  fraction: number,
  data: Uint8Array,
  len: number = data.length,
): Uint8Array {
  return concat(u32(seconds, le), u32(fraction, le), u32(data.length, le), u32(len, le), data);
}

export function pad4(bytes: Uint8Array): Uint8Array {
  return concat(bytes, new Uint8Array(-bytes.length & 3));
}

/** A pcapng block; the body is padded. */
export function block(le: boolean, type: number, ...body: Uint8Array[]): Uint8Array {
  const padded = pad4(concat(...body));
  const total = u32(padded.length + 12, le);
  return concat(u32(type, le), total, padded, total);
}

export function option(le: boolean, code: number, value: Uint8Array): Uint8Array {
  return concat(u16(code, le), u16(value.length, le), pad4(value));
}

export const endOfOptions = (): Uint8Array => new Uint8Array(4);

export function shb(le: boolean, ...options: Uint8Array[]): Uint8Array {
  return block(le, 0x0a0d0d0a, u32(0x1a2b3c4d, le), u16(1, le), u16(0, le), u64(-1n, le), ...options);
}

export function idb(le: boolean, linkType: number, snaplen: number, ...options: Uint8Array[]): Uint8Array {
  return block(le, 1, u16(linkType, le), u16(0, le), u32(snaplen, le), ...options);
}

export function epb(
  le: boolean,
  interfaceId: number,
  stamp: bigint,
  data: Uint8Array,
  len: number = data.length,
  ...options: Uint8Array[]
): Uint8Array {
  return block(
    le,
    6,
    u32(interfaceId, le),
    u32(Number(stamp >> 32n), le),
    u32(Number(stamp & 0xffffffffn), le),
    u32(data.length, le),
    u32(len, le),
    pad4(data),
    ...options,
  );
}

export function spb(le: boolean, len: number, data: Uint8Array): Uint8Array {
  return block(le, 3, u32(len, le), data);
}

/** Obsolete packet block. */
export function pb(
  le: boolean,
  interfaceId: number,
  drops: number,
  stamp: bigint,
  data: Uint8Array,
): Uint8Array {
  return block(
    le,
    2,
    u16(interfaceId, le),
    u16(drops, le),
    u32(Number(stamp >> 32n), le),
    u32(Number(stamp & 0xffffffffn), le),
    u32(data.length, le),
    u32(data.length, le),
    data,
  );
}
