/** Classic BPF filters for sockets: the kernel's own view of a packet, a word at a time. */

/** One instruction. */
export interface BpfInstruction {
  readonly code: number;
  readonly jt?: number;
  readonly jf?: number;
  readonly k?: number;
}

const BPF_LD_W_ABS = 0x20;
const BPF_RSH_K = 0x74;
const BPF_AND_K = 0x54;
const BPF_ADD_K = 0x04;
const BPF_RET_A = 0x16;
const BPF_RET_K = 0x06;
const SKF_AD_OFF = -0x1000;

/** Ancillary loads: words that the kernel computes for the packet. */
export const SKF_AD_PROTOCOL = 0;
/** Ancillary load: whom the frame is for. */
export const SKF_AD_PKTTYPE = 4;
/** Ancillary load: the flow hash. */
export const SKF_AD_RXHASH = 32;
/** Ancillary load: where the payload begins, by the flow dissector. */
export const SKF_AD_PAY_OFFSET = 52;

/** A filter whose result is an ancillary word: as a socket filter, the packet is cut to so many bytes. */
export function returnAncillary(ancillary: number): BpfInstruction[] {
  return [{ code: BPF_LD_W_ABS, k: SKF_AD_OFF + ancillary }, { code: BPF_RET_A }];
}

/**
 * A filter whose result is 1 more than four bits of an ancillary word, so that nothing is dropped.
 * @param i - which four bits, 0 the lowest
 */
export function returnNibble(ancillary: number, i: number): BpfInstruction[] {
  return [
    { code: BPF_LD_W_ABS, k: SKF_AD_OFF + ancillary },
    { code: BPF_RSH_K, k: 4 * i },
    { code: BPF_AND_K, k: 15 },
    { code: BPF_ADD_K, k: 1 },
    { code: BPF_RET_A },
  ];
}

/** A filter that takes `bytes` of every packet. */
export function returnConstant(bytes: number): BpfInstruction[] {
  return [{ code: BPF_RET_K, k: bytes }];
}

/** The array of struct sock_filter. */
export function encodeFilter(program: readonly BpfInstruction[]): Uint8Array {
  const bytes = new Uint8Array(8 * program.length);
  const view = new DataView(bytes.buffer);
  for (const [i, { code, jt = 0, jf = 0, k = 0 }] of program.entries()) {
    view.setUint16(8 * i, code, true);
    view.setUint8(8 * i + 2, jt);
    view.setUint8(8 * i + 3, jf);
    view.setUint32(8 * i + 4, k >>> 0, true);
  }
  return bytes;
}
