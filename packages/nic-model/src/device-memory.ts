/**
 * The device's memory: a heap where programs expect one (they may allocate), and behind it room for the packets
 * of a batch, which is used anew for each batch.
 */
import {
  HEAP_BASE,
  MAX_SKB_FRAGS,
  Memory,
  SK_BUFF_OFF as O,
  SKB_SHARED_INFO_OFF as S,
  SIZEOF_SK_BUFF,
  SIZEOF_SKB_SHARED_INFO,
  SK_BUFF_BITS,
} from "@netoffload/skbuff";
import type { Npu } from "./npu.ts";

const CHECKSUM_PARTIAL = 3;
const CSUM_NOT_INET: number = 1 << SK_BUFF_BITS.csumNotInet[0];
const FRAGS_OFF = 24;
const FRAG_SIZE = 12;

/** Bytes of heap bookkeeping at HEAP_BASE that an empty heap consists of, besides its end mark. */
const HEAP_HEAD = 256;

/** Arena and skb builder over an NPU's memory. */
export class DeviceMemory {
  readonly npu: Npu;
  /** Where packets begin. */
  readonly #from: number;
  readonly #to: number;
  readonly #poison: boolean;
  #at: number;

  /** @param poison - fill what no descriptor says with 0xa5 */
  constructor(npu: Npu, poison: boolean) {
    this.npu = npu;
    this.#poison = poison;
    const heap = Math.max(HEAP_BASE + 65536, Math.min(npu.memoryBytes / 4, 8 << 20)) & ~65535;
    layHeap(npu, Math.max(heap, 2 << 20));
    this.#from = Math.max(heap, 2 << 20);
    this.#to = npu.memoryBytes;
    this.#at = this.#from;
  }

  /** Bytes a packet takes: skb, linear buffer, shared info, alignment. */
  static footprint(bytes: number): number {
    return SIZEOF_SK_BUFF + SIZEOF_SKB_SHARED_INFO + ((bytes + 15) & ~15) + 64;
  }

  /** Begin a batch: everything of the last one is gone. */
  reset(): void {
    this.#at = this.#from;
  }

  /** Is there room for a packet of so many bytes? */
  fits(bytes: number): boolean {
    return this.#at + DeviceMemory.footprint(bytes) + 64 * 18 <= this.#to;
  }

  /** Take bytes of the arena, 16-aligned plus `phase`, so that copies run between like alignments. */
  take(bytes: number, phase = 0): number {
    const at = ((this.#at + 15) & ~15) + phase;
    this.#at = at + bytes;
    return at;
  }

  /**
   * Build an skb around linear bytes that lie at `head + headroom` already; only what a descriptor tells is set.
   * @param head - address of the buffer; its shared info goes behind `size` bytes of it
   * @returns the skb's address
   */
  skb(head: number, size: number, data: number, linear: number): number {
    const { view, bytes } = this.npu;
    const address = this.take(SIZEOF_SK_BUFF);
    const end = (head + size + 7) & ~7;
    if (this.#poison) {
      bytes.fill(0xa5, address, address + SIZEOF_SK_BUFF);
      bytes.fill(0xa5, end, end + SIZEOF_SKB_SHARED_INFO);
    }
    view.setUint32(address + O.head, head, true);
    view.setUint32(address + O.data, data, true);
    view.setUint32(address + O.tail, data + linear, true);
    view.setUint32(address + O.end, end, true);
    view.setUint32(address + O.len, linear, true);
    view.setUint32(address + O.dataLen, 0, true);
    view.setUint32(address + O.flags, 0, true);
    view.setUint8(end + S.flags, 0);
    view.setUint8(end + S.nrFrags, 0);
    view.setUint16(end + S.gsoSize, 0, true);
    view.setUint32(end + S.fragList, 0, true);
    return address;
  }

  /** Ask for a checksum (or a CRC), as the descriptor does: start from the packet's first byte. */
  partial(skb: number, csumStart: number, csumOffset: number, crc = false): void {
    const { view } = this.npu;
    const headroom = view.getUint32(skb + O.data, true) - view.getUint32(skb + O.head, true);
    view.setUint32(skb + O.flags, CHECKSUM_PARTIAL | (crc ? CSUM_NOT_INET : 0), true);
    view.setUint16(skb + O.csumStart, headroom + csumStart, true);
    view.setUint16(skb + O.csumOffset, csumOffset, true);
  }

  /** Add a further buffer of the packet as a fragment. */
  frag(skb: number, address: number, size: number): void {
    const { view } = this.npu;
    const end = view.getUint32(skb + O.end, true);
    const n = view.getUint8(end + S.nrFrags);
    const at = end + FRAGS_OFF + FRAG_SIZE * n;
    view.setUint32(at, address, true);
    view.setUint32(at + 4, 0, true);
    view.setUint32(at + 8, size, true);
    view.setUint8(end + S.nrFrags, n + 1);
    view.setUint32(skb + O.len, view.getUint32(skb + O.len, true) + size, true);
    view.setUint32(skb + O.dataLen, view.getUint32(skb + O.dataLen, true) + size, true);
  }

  /**
   * A packet's bytes as its skb says now: in place when it is linear, else a copy.
   * @returns null when the skb does not hold `length` bytes within this memory
   */
  packet(skb: number, length: number): Uint8Array | null {
    const { view, bytes } = this.npu;
    const data = view.getUint32(skb + O.data, true);
    const dataLen = view.getUint32(skb + O.dataLen, true);
    if (view.getUint32(skb + O.len, true) !== length) return null;
    if (dataLen === 0) return data + length <= bytes.length ? bytes.subarray(data, data + length) : null;
    const linear = length - dataLen;
    const end = view.getUint32(skb + O.end, true);
    if (linear < 0 || data + linear > bytes.length || end + SIZEOF_SKB_SHARED_INFO > bytes.length)
      return null;
    const out = new Uint8Array(length);
    out.set(bytes.subarray(data, data + linear));
    return this.#fragments(end, out, linear) === length ? out : null;
  }

  /** Copy fragments behind the first `at` bytes. @returns bytes there are then; -1 when they do not lie here or fit */
  #fragments(end: number, out: Uint8Array, at: number): number {
    const { view, bytes } = this.npu;
    const n = view.getUint8(end + S.nrFrags);
    for (let i = 0; i < n; i++) {
      const frag = end + FRAGS_OFF + FRAG_SIZE * i;
      const from = view.getUint32(frag, true) + view.getUint32(frag + 4, true);
      const size = view.getUint32(frag + 8, true);
      if (i >= MAX_SKB_FRAGS || from + size > bytes.length || at + size > out.length) return -1;
      out.set(bytes.subarray(from, from + size), at);
      at += size;
    }
    return at;
  }

  /** csum of an skb. */
  csumOf(skb: number): number {
    return this.npu.view.getUint32(skb + O.csum, true);
  }

  /** ip_summed of an skb. */
  ipSummedOf(skb: number): number {
    return this.npu.view.getUint32(skb + O.flags, true) & 3;
  }
}

/** Fields of sk_buff and shared info that a device's runtime fills from a descriptor; programs may read no other. */
export const DESCRIPTOR_FIELDS: {
  readonly skBuff: readonly string[];
  readonly sharedInfo: readonly string[];
} = {
  skBuff: ["head", "data", "tail", "end", "len", "dataLen", "csum", "csumStart", "csumOffset", "flags"],
  sharedInfo: ["flags", "nrFrags", "gsoSize", "fragList", "frags"],
};

/** An empty heap of [HEAP_BASE, limit): made once by the heap's own code in a memory of that size, then copied. */
function layHeap(npu: Npu, limit: number): void {
  const model = Memory.create({ bytes: limit });
  npu.bytes.set(model.bytes.subarray(HEAP_BASE, HEAP_BASE + HEAP_HEAD), HEAP_BASE);
  npu.bytes.set(model.bytes.subarray(limit - 64, limit), limit - 64);
}
