// Frames for tests, put together byte by byte; checksums by the slow oracle.
import { slowChecksum, slowCrc32c } from "../ref/slow.ts";

/** Join pieces; numbers are bytes. */
export function bytes(...parts: (number | readonly number[] | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => (typeof part === "number" ? [part] : [...part])));
}

/** Two bytes, big endian. */
export const be16 = (n: number): number[] => [(n >> 8) & 255, n & 255];
/** Four bytes, big endian. */
export const be32 = (n: number): number[] => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];

/** What to write into a checksum field. */
export type Field = "right" | "seed" | "wrong" | number;

/** Fill the 16-bit field of `packet` as asked; `pseudo` goes before it in the sum. */
export function fill(
  packet: Uint8Array,
  at: number,
  pseudo: Uint8Array,
  field: Field,
  cover?: number,
): Uint8Array {
  packet[at] = packet[at + 1] = 0;
  const seed = 0xffff - slowChecksum(pseudo);
  const right = slowChecksum(packet.subarray(0, cover ?? packet.length), seed);
  const value =
    field === "right" ? right : field === "seed" ? seed : field === "wrong" ? right ^ 0x0101 : field;
  packet.set(be16(value), at);
  return packet;
}

export const V4_SRC: readonly number[] = [192, 0, 2, 1];
export const V4_DST: readonly number[] = [198, 51, 100, 7];
export const V6_SRC: readonly number[] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
export const V6_DST: readonly number[] = [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

export const pseudo4 = (proto: number, len: number, src = V4_SRC, dst = V4_DST): Uint8Array =>
  bytes(src, dst, be32(len), 0, 0, 0, proto);
export const pseudo6 = (proto: number, len: number, src = V6_SRC, dst = V6_DST): Uint8Array =>
  bytes(src, dst, be32(len), 0, 0, 0, proto);

export const eth = (type: number, payload: Uint8Array): Uint8Array =>
  bytes([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1], be16(type), payload);

/** IPv4 header and payload. */
export function ipv4(
  proto: number,
  payload: Uint8Array,
  o: { field?: Field; len?: number; frag?: number; id?: number; options?: readonly number[] } = {},
): Uint8Array {
  const options = o.options ?? [];
  const hlen = 20 + options.length;
  const header = bytes(
    0x40 | (hlen / 4),
    0,
    be16(o.len ?? hlen + payload.length),
    be16(o.id ?? 1),
    be16(o.frag ?? 0),
    64,
    proto,
    0,
    0,
    V4_SRC,
    V4_DST,
    options,
  );
  return bytes(fill(header, 10, new Uint8Array(0), o.field ?? "right"), payload);
}

/** IPv6 header and payload; `next` is the first next-header value. */
export function ipv6(
  next: number,
  payload: Uint8Array,
  o: { len?: number; dst?: readonly number[] } = {},
): Uint8Array {
  return bytes(0x60, 0, 0, 0, be16(o.len ?? payload.length), next, 64, V6_SRC, o.dst ?? V6_DST, payload);
}

export function tcp(
  payload: Uint8Array,
  pseudo: (proto: number, len: number) => Uint8Array,
  field: Field = "right",
): Uint8Array {
  const packet = bytes(be16(1000), be16(80), be32(1), be32(2), 0x50, 0x18, be16(500), 0, 0, 0, 0, payload);
  return fill(packet, 16, pseudo(6, packet.length), field);
}

export function udp(
  payload: Uint8Array,
  pseudo: (proto: number, len: number) => Uint8Array,
  field: Field = "right",
  port = 9,
): Uint8Array {
  const packet = bytes(be16(1000), be16(port), be16(8 + payload.length), 0, 0, payload);
  return fill(packet, 6, pseudo(17, packet.length), field);
}

export function sctp(payload: Uint8Array, field: Field = "right"): Uint8Array {
  const packet = bytes(be16(1000), be16(9), be32(77), 0, 0, 0, 0, payload);
  const crc = field === "right" ? slowCrc32c(packet) : field === "wrong" ? slowCrc32c(packet) ^ 1 : 0;
  new DataView(packet.buffer).setUint32(8, crc, true);
  return packet;
}

/** Bytes that tell one place from another. */
export const noise = (n: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length: n }, (_, i) => (i * 73 + seed * 41 + (i >> 5)) & 255);
