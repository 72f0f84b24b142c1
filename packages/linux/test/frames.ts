/** Frames for the oracles, and the slowest arithmetic over them. */

/** Sum of big-endian words, folded with end-around carry. RFC 1071. */
export function slowSum(bytes: Uint8Array, seed = 0): number {
  let sum = seed;
  for (let i = 0; i < bytes.length; i++) sum += i % 2 === 0 ? bytes[i]! * 256 : bytes[i]!;
  return sum > 0 && sum % 0xffff === 0 ? 0xffff : sum % 0xffff;
}

/** What a TCP segment is made of. */
export interface TcpFields {
  readonly seq: number;
  readonly payload: number;
  readonly id?: number;
  readonly flags?: number;
  readonly sport?: number;
  /** TCP checksum: right (default), or the pseudo-header sum that an offload completes. */
  readonly partial?: boolean;
}

/** An Ethernet frame of IPv4 and TCP, checksums right. */
export function tcpFrame(fields: TcpFields): Uint8Array {
  const { seq, payload, id = 0, flags = 0x10, sport = 1000 } = fields;
  const frame = new Uint8Array(54 + payload);
  const view = new DataView(frame.buffer);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0]);
  view.setUint16(16, 40 + payload);
  view.setUint16(18, id);
  view.setUint16(20, 0x4000);
  frame.set([64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 22);
  view.setUint16(24, 0xffff - slowSum(frame.subarray(14, 34)));
  view.setUint16(34, sport);
  view.setUint16(36, 2000);
  view.setUint32(38, seq);
  frame[46] = 0x50;
  frame[47] = flags;
  view.setUint16(48, 500);
  for (let i = 0; i < payload; i++) frame[54 + i] = (seq + i) * 7;
  const pseudo = slowSum(frame.subarray(26, 34), 6 + 20 + payload);
  view.setUint16(50, fields.partial === true ? pseudo : 0xffff - slowSum(frame.subarray(34), pseudo));
  return frame;
}

/** A virtio_net_hdr, little endian. */
export function virtioNetHdr(fields: {
  flags: number;
  gsoType: number;
  gsoSize: number;
  csumStart: number;
  csumOffset: number;
}): Uint8Array {
  const header = new Uint8Array(10);
  const view = new DataView(header.buffer);
  header[0] = fields.flags;
  header[1] = fields.gsoType;
  view.setUint16(2, fields.csumStart + 20, true);
  view.setUint16(4, fields.gsoSize, true);
  view.setUint16(6, fields.csumStart, true);
  view.setUint16(8, fields.csumOffset, true);
  return header;
}
