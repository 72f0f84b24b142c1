/**
 * What crosses the bus: transmit descriptors, receive buffers and completions, as bytes in rings. No skb does.
 * All integers little endian.
 */

/** How a descriptor asks for a checksum; crc32c: for SCTP's CRC, start and offset as with generic. */
export const CSUM_MODE = { none: 0, generic: 1, typed: 2, crc32c: 3 } as const;
/** Most buffers of one packet: the linear part and 17 fragments. */
export const MAX_BUFFERS = 18;
/** Bytes of a transmit descriptor. */
export const TX_DESCRIPTOR_SIZE: number = 16 + 8 * MAX_BUFFERS;
const INNER = 0x80;
/** Bytes of a completion. */
export const COMPLETION_SIZE = 32;

/**
 * Transmit descriptor: {csum mode u8, buffers u8, csum_start u16, csum_offset u16, l3 type u8, l4 type u8,
 * packet length u32, cookie u32, buffers {address u32, length u32}}. csum_start counts from the packet's first byte.
 * Bit 7 of the l3 type: the checksum is inside of a tunnel.
 */
export interface TxDescriptor {
  csumMode: number;
  buffers: number;
  csumStart: number;
  csumOffset: number;
  /** Typed mode: 4 or 6. */
  l3: number;
  /** Typed mode: 6 (TCP) or 17 (UDP). */
  l4: number;
  /** Typed mode: the checksum is inside of a tunnel. */
  inner: boolean;
  length: number;
  /** Given back in the completion. */
  cookie: number;
  readonly address: Uint32Array;
  readonly size: Uint32Array;
}

/** A descriptor to be filled and encoded again and again. */
export function newTxDescriptor(): TxDescriptor {
  return {
    csumMode: 0,
    buffers: 0,
    csumStart: 0,
    csumOffset: 0,
    l3: 0,
    l4: 0,
    inner: false,
    length: 0,
    cookie: 0,
    address: new Uint32Array(MAX_BUFFERS),
    size: new Uint32Array(MAX_BUFFERS),
  };
}

/** Write a descriptor. */
export function encodeTx(view: DataView, at: number, d: TxDescriptor): void {
  view.setUint8(at, d.csumMode);
  view.setUint8(at + 1, d.buffers);
  view.setUint16(at + 2, d.csumStart, true);
  view.setUint16(at + 4, d.csumOffset, true);
  view.setUint8(at + 6, d.l3 | (d.inner ? INNER : 0));
  view.setUint8(at + 7, d.l4);
  view.setUint32(at + 8, d.length, true);
  view.setUint32(at + 12, d.cookie, true);
  for (let i = 0; i < d.buffers; i++) {
    view.setUint32(at + 16 + 8 * i, d.address[i]!, true);
    view.setUint32(at + 20 + 8 * i, d.size[i]!, true);
  }
}

/** Read a descriptor into `d`. @returns false: more buffers than there can be, or lengths that do not add up */
export function decodeTx(view: DataView, at: number, d: TxDescriptor): boolean {
  d.csumMode = view.getUint8(at);
  d.buffers = view.getUint8(at + 1);
  d.csumStart = view.getUint16(at + 2, true);
  d.csumOffset = view.getUint16(at + 4, true);
  d.l3 = view.getUint8(at + 6) & ~INNER;
  d.inner = (view.getUint8(at + 6) & INNER) !== 0;
  d.l4 = view.getUint8(at + 7);
  d.length = view.getUint32(at + 8, true);
  d.cookie = view.getUint32(at + 12, true);
  if (d.buffers < 1 || d.buffers > MAX_BUFFERS) return false;
  let sum = 0;
  for (let i = 0; i < d.buffers; i++) {
    d.address[i] = view.getUint32(at + 16 + 8 * i, true);
    d.size[i] = view.getUint32(at + 20 + 8 * i, true);
    sum += d.size[i]!;
  }
  return sum === d.length;
}

/** State of a completion. */
export const COMPLETION = { ok: 0, errno: 1, trap: 2, refused: 3 } as const;

/** Whether the device parsed a received packet; gaveUp: it needed more than the engine has, software parses it. */
export const PARSED = { no: 0, yes: 1, gaveUp: 2 } as const;

/**
 * A completion: what became of one packet. One object, filled again for each. As bytes: {status u8, ip_summed u8,
 * csum_level u8, verified u8, code i32, csum u32, generation u32, length u32, cookie u32, parse code i8, parsed u8,
 * node u16, encapsulations u16, metadata length u16}; the parser's metadata lie in a buffer of their own.
 */
export interface Completion {
  status: number;
  /** Negative errno of the program, or its trap code. */
  code: number;
  /** ip_summed as the device reports it (receive). */
  ipSummed: number;
  csumLevel: number;
  /** Checksums that the device verified, from the outermost on, whatever it reports first. */
  verified: number;
  /**
   * COMPLETE: the device's sum, canonical; of a programmable one over everything above the link layer, of a
   * fixed-function one what its profile says. PARTIAL: csum_start | csum_offset << 16, from the frame's first byte.
   */
  csum: number;
  /** Bundle generation that made the result; 0: fixed function. */
  generation: number;
  length: number;
  cookie: number;
  /** One of {@link PARSED}; the rest means something only after `yes`. */
  parsed: number;
  /** The parser's code, 0 to -34. */
  parseCode: number;
  /** Node of the canonical graph at which the parse ended. */
  parseNode: number;
  parseEncaps: number;
  /** The parser's whole metadata memory; the device's, valid until the next packet. */
  metadata: Uint8Array;
}

const NO_METADATA: Uint8Array = /* @__PURE__ */ new Uint8Array(0);

/** An empty completion. */
export function newCompletion(): Completion {
  return {
    status: 0,
    code: 0,
    ipSummed: 0,
    csumLevel: 0,
    verified: 0,
    csum: 0,
    generation: 0,
    length: 0,
    cookie: 0,
    parsed: 0,
    parseCode: 0,
    parseNode: 0,
    parseEncaps: 0,
    metadata: NO_METADATA,
  };
}

/** Write a completion. */
export function encodeCompletion(view: DataView, at: number, c: Completion): void {
  view.setUint8(at, c.status);
  view.setUint8(at + 1, c.ipSummed);
  view.setUint8(at + 2, c.csumLevel);
  view.setUint8(at + 3, c.verified);
  view.setInt32(at + 4, c.code, true);
  view.setUint32(at + 8, c.csum, true);
  view.setUint32(at + 12, c.generation, true);
  view.setUint32(at + 16, c.length, true);
  view.setUint32(at + 20, c.cookie, true);
  view.setInt8(at + 24, c.parseCode);
  view.setUint8(at + 25, c.parsed);
  view.setUint16(at + 26, c.parseNode, true);
  view.setUint16(at + 28, c.parseEncaps, true);
  view.setUint16(at + 30, c.metadata.length, true);
}

/** Read a completion into `c`; its metadata are not in it. */
export function decodeCompletion(view: DataView, at: number, c: Completion): void {
  c.status = view.getUint8(at);
  c.ipSummed = view.getUint8(at + 1);
  c.csumLevel = view.getUint8(at + 2);
  c.verified = view.getUint8(at + 3);
  c.code = view.getInt32(at + 4, true);
  c.csum = view.getUint32(at + 8, true);
  c.generation = view.getUint32(at + 12, true);
  c.length = view.getUint32(at + 16, true);
  c.cookie = view.getUint32(at + 20, true);
  c.parseCode = view.getInt8(at + 24);
  c.parsed = view.getUint8(at + 25);
  c.parseNode = view.getUint16(at + 26, true);
  c.parseEncaps = view.getUint16(at + 28, true);
  c.metadata = NO_METADATA;
}
