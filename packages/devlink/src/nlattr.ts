/**
 * Netlink attributes: u16 length (header included, padding not), u16 type, payload, zero bytes up to a multiple
 * of 4; all integers little endian (the host order of every machine this runs on).
 * @see include/uapi/linux/netlink.h struct nlattr
 */

/** Bit of a type that marks a nest. */
export const NLA_F_NESTED = 0x8000;
/** Bit of a type that marks network byte order. */
export const NLA_F_NET_BYTEORDER = 0x4000;
const NLA_TYPE_MASK = 0x3fff;
const NLA_HDRLEN = 4;

/** One attribute: its type without flag bits and its payload, a view of the message. */
export interface NlAttr {
  readonly type: number;
  readonly nested: boolean;
  readonly payload: Uint8Array;
}

/** What is wrong with a run of attributes. */
export interface NlFault {
  /** Bytes from the start of the run. */
  readonly offset: number;
  readonly message: string;
}

/** Read attributes from untrusted bytes; nested ones stay bytes. Never throws. */
export function readAttrs(bytes: Uint8Array): { ok: true; value: NlAttr[] } | { ok: false; fault: NlFault } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: NlAttr[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < NLA_HDRLEN)
      return {
        ok: false,
        fault: { offset: at, message: `${bytes.length - at} bytes left, an attribute needs 4` },
      };
    const length = view.getUint16(at, true);
    const type = view.getUint16(at + 2, true);
    if (length < NLA_HDRLEN || at + length > bytes.length)
      return {
        ok: false,
        fault: {
          offset: at,
          message: `attribute ${type & NLA_TYPE_MASK} claims ${length} bytes, 4 to ${bytes.length - at} are possible`,
        },
      };
    out.push({
      type: type & NLA_TYPE_MASK,
      nested: (type & NLA_F_NESTED) !== 0,
      payload: bytes.subarray(at + NLA_HDRLEN, at + length),
    });
    at += (length + 3) & ~3;
  }
  return { ok: true, value: out };
}

/** Collects attributes into one message body. */
export class AttrWriter {
  #bytes: number[] = [];

  /**
   * Bytes as they are.
   * @throws RangeError when they are more than 65,531
   */
  put(type: number, payload: Uint8Array): this {
    return this.#header(type, payload.length).#append(payload);
  }

  /** A NUL-terminated string. */
  string(type: number, text: string): this {
    return this.put(type, new TextEncoder().encode(`${text}\0`));
  }

  u8(type: number, value: number): this {
    return this.put(type, Uint8Array.of(value & 255));
  }

  u32(type: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    return this.put(type, bytes);
  }

  /** {u32 value, u32 selector}. */
  bitfield32(type: number, value: number, selector: number): this {
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, value, true);
    view.setUint32(4, selector, true);
    return this.put(type, bytes);
  }

  /** Attributes inside an attribute. */
  nest(type: number, body: (inner: AttrWriter) => void): this {
    const inner = new AttrWriter();
    body(inner);
    return this.put(type | NLA_F_NESTED, inner.bytes());
  }

  /** The body so far. */
  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  #header(type: number, payloadLength: number): this {
    const length = NLA_HDRLEN + payloadLength;
    if (length > 0xffff)
      throw new RangeError(`attribute ${type & NLA_TYPE_MASK}: ${payloadLength} bytes, 65531 fit`);
    this.#bytes.push(length & 255, length >> 8, type & 255, type >> 8);
    return this;
  }

  #append(payload: Uint8Array): this {
    for (const byte of payload) this.#bytes.push(byte);
    while (this.#bytes.length % 4 !== 0) this.#bytes.push(0);
    return this;
  }
}
