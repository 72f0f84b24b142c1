/** Bytes of packets read, bytes of metadata written. */
import type { Interpreter } from "./run.ts";
import type { Step } from "./steps.ts";

/** `(byte & mask) >>> shift`, signed. */
export function u8(packet: Uint8Array, step: Step, at: number): number {
  return ((packet[(at + step.off) | 0]! & step.mask) >>> step.shift) | 0;
}

/** The same of two bytes. */
export function u16(packet: Uint8Array, step: Step, at: number): number {
  const i = (at + step.off) | 0;
  return ((((packet[i]! << 8) | packet[i + 1]!) & step.mask) >>> step.shift) | 0;
}

/** `len` bytes as a number. */
export function bytes(from: Uint8Array, at: number, len: number, little: number): number {
  let value = 0;
  for (let i = 0; i < len; i++) value = (value << 8) | from[little === 1 ? at + len - 1 - i : at + i]!;
  return value;
}

/** As they are. */
export function copy({ packet, metadata, view }: Interpreter, { len }: Step, to: number, from: number): void {
  let i = 0;
  for (; i + 4 <= len; i += 4) {
    const high = (packet[from + i]! << 24) | (packet[from + i + 1]! << 16);
    view.setUint32(to + i, high | (packet[from + i + 2]! << 8) | packet[from + i + 3]!);
  }
  for (; i < len; i++) metadata[to + i] = packet[from + i]!;
}

/** The last byte first. */
export function reverse({ packet, metadata }: Interpreter, { len }: Step, to: number, from: number): void {
  for (let i = 0; i < len; i++) metadata[to + len - 1 - i] = packet[from + i]!;
}

/** Of three bytes, or some bits of one to four. */
export function storeBits(s: Interpreter, step: Step, at: number, number: number): void {
  const { metadata: m } = s;
  const last = at + step.len - 1;
  const old = bytes(m, at, step.len, step.little);
  const merged = (old & ~step.mask) | ((number << step.shift) & step.mask);
  for (let i = 0; i < step.len; i++) m[step.little === 1 ? at + i : last - i] = merged >>> (8 * i);
  if (s.trace !== null) wrote(s, at, step.len);
}

/** Nibbles: an odd first one is right-aligned in the first byte, a lone last one left-aligned in the last. */
export function nibbles(s: Interpreter, step: Step, at: number, start: number): void {
  let next = start;
  let left = step.count;
  for (let i = 0; i < step.len; i++) {
    let byte = 0;
    if ((next & 1) === 1) {
      byte = s.packet[next >> 1]! & 0x0f;
      next++;
      left--;
    } else {
      byte = s.packet[next >> 1]! & (left === 1 ? 0xf0 : 0xff);
      next += 2;
      left -= 2;
    }
    s.metadata[step.little === 1 ? at + step.len - 1 - i : at + i] = byte;
  }
  if (s.trace !== null) wrote(s, at, step.len);
}

/** Tell who watches. */
export function wrote(s: Interpreter, to: number, len: number): void {
  s.trace?.write?.(to, len);
}
