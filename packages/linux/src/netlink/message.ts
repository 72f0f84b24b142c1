/** Netlink messages: nlmsghdr, a family's fixed header, attributes. All in the machine's byte order (little endian). */

const NLMSG_HDRLEN = 16;
const NLA_HDRLEN = 4;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const MAX_BYTES = 8192;
const align4 = (n: number): number => (n + 3) & ~3;

/** Writes one message; lengths are filled in by {@link finish}. */
export class MessageWriter {
  readonly #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(MAX_BYTES);
  readonly #view: DataView = new DataView(this.#bytes.buffer);
  #at = NLMSG_HDRLEN;

  /** @param type - of the message; @param flags - NLM_F_* */
  constructor(type: number, flags: number) {
    this.#view.setUint16(4, type, true);
    this.#view.setUint16(6, flags, true);
  }

  /** Append the family's fixed header. */
  header(bytes: Uint8Array): this {
    this.#bytes.set(bytes, this.#at);
    this.#at += align4(bytes.length);
    return this;
  }
  attr(type: number, payload: Uint8Array): this {
    this.#view.setUint16(this.#at, NLA_HDRLEN + payload.length, true);
    this.#view.setUint16(this.#at + 2, type, true);
    this.#bytes.set(payload, this.#at + NLA_HDRLEN);
    this.#at += align4(NLA_HDRLEN + payload.length);
    return this;
  }
  u8(type: number, value: number): this {
    return this.attr(type, Uint8Array.of(value));
  }
  u16(type: number, value: number): this {
    return this.attr(type, Uint8Array.of(value, value >> 8));
  }
  u32(type: number, value: number): this {
    return this.attr(type, Uint8Array.of(value, value >> 8, value >> 16, value >> 24));
  }
  /** A string with its NUL. */
  text(type: number, value: string): this {
    return this.attr(type, new TextEncoder().encode(`${value}\0`));
  }
  flag(type: number): this {
    return this.attr(type, new Uint8Array(0));
  }
  /** Attributes (or a header and attributes) that `fill` appends, inside one of this type. */
  nest(type: number, fill: (message: this) => void): this {
    const start = this.#at;
    this.#at += NLA_HDRLEN;
    fill(this);
    this.#view.setUint16(start, this.#at - start, true);
    this.#view.setUint16(start + 2, type | NLA_F_NESTED, true);
    return this;
  }
  /** @returns the message, a view of this writer's bytes */
  finish(sequence: number): Uint8Array {
    this.#view.setUint32(0, this.#at, true);
    this.#view.setUint32(8, sequence, true);
    return this.#bytes.subarray(0, this.#at);
  }
}

/** One message as received; a view of the receive buffer's copy. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Behind nlmsghdr. */
  readonly payload: Uint8Array;
}

/** The messages of one datagram; one that lies about its length ends the walk. */
export function* messages(datagram: Uint8Array): Generator<Message> {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  for (let at = 0; at + NLMSG_HDRLEN <= datagram.length; ) {
    const length = view.getUint32(at, true);
    if (length < NLMSG_HDRLEN || at + length > datagram.length) return;
    yield {
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: datagram.subarray(at + NLMSG_HDRLEN, at + length),
    };
    at += align4(length);
  }
}

/** Attributes by type, the last of each; one that lies about its length ends the walk. */
export function attributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  for (const [type, payload] of attributeList(bytes)) found.set(type, payload);
  return found;
}

/** Attributes in their order, for nests that repeat a type. */
export function attributeList(bytes: Uint8Array): [type: number, payload: Uint8Array][] {
  const list: [number, Uint8Array][] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + NLA_HDRLEN <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < NLA_HDRLEN || at + length > bytes.length) break;
    list.push([view.getUint16(at + 2, true) & NLA_TYPE_MASK, bytes.subarray(at + NLA_HDRLEN, at + length)]);
    at += align4(length);
  }
  return list;
}

/** A 32-bit attribute; 0 where it is shorter. */
export function u32Of(payload: Uint8Array | undefined): number {
  if (payload === undefined || payload.length < 4) return 0;
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
}

/** A string attribute, without its NUL. */
export function textOf(payload: Uint8Array | undefined): string {
  if (payload === undefined) return "";
  const end = payload.indexOf(0);
  return new TextDecoder().decode(end < 0 ? payload : payload.subarray(0, end));
}
