/** The typed face of an skb: fields by name, operations by the kernel's names. */
import { SkbuffError } from "./errors.ts";
import type { Memory } from "./memory.ts";
import { SK_BUFF_OFF as O, SKB_SHARED_INFO_OFF as S, SIZEOF_SK_BUFF } from "./sk-buff-fields.ts";

/** ip_summed: nothing is known (receive), nothing is owed (transmit). */
export const CHECKSUM_NONE = 0;
/** ip_summed: the device verified csum_level + 1 checksums. */
export const CHECKSUM_UNNECESSARY = 1;
/** ip_summed: csum is the sum over the whole packet. */
export const CHECKSUM_COMPLETE = 2;
/** ip_summed: the checksum at csum_start + csum_offset is still owed. */
export const CHECKSUM_PARTIAL = 3;
/** Shared-info flag: frag pages may change under us. */
export const SKBFL_SHARED_FRAG = 2;
/** Fragments an skb can hold. */
export const MAX_SKB_FRAGS = 17;

const PANIC = 0xffffffff;

/** How a packet's bytes are laid out in a new skb. */
export interface SkbFromBytesOptions {
  /** Free bytes before the packet; default 64. */
  readonly headroom?: number;
  /** Free bytes behind the linear part; default 0. */
  readonly tailroom?: number;
  /** Lengths of page fragments cut from the packet's end (before the frag_list); the rest is linear. */
  readonly frags?: readonly number[];
  /** Lengths of frag_list members cut from the very end. */
  readonly fragList?: readonly number[];
}

/**
 * An skb at an address. Making one allocates a small JavaScript object: hot paths keep one and move it with
 * {@link SkBuff.at}, or work on addresses.
 */
export class SkBuff {
  readonly memory: Memory;
  /** Address of the struct. */
  address: number;
  readonly #view: DataView;

  constructor(memory: Memory, address: number) {
    this.memory = memory;
    this.#view = memory.view;
    this.address = address;
  }

  /** Look at another skb of the same memory. */
  at(address: number): this {
    this.address = address;
    return this;
  }

  /** An empty skb with room for `size` bytes; null: out of memory. */
  static alloc(memory: Memory, size: number): SkBuff | null {
    const address = memory.kernel.allocSkb(size) >>> 0;
    return address === 0 ? null : new SkBuff(memory, address);
  }

  /** Address of the next skb of a list, 0 at its end. */
  get next(): number {
    return this.#u32(O.next);
  }
  set next(n: number) {
    this.#set32(O.next, n);
  }
  /** Address of the linear buffer. */
  get head(): number {
    return this.#u32(O.head);
  }
  /** Address of the packet's first byte. */
  get data(): number {
    return this.#u32(O.data);
  }
  /** Address one past the last linear byte. */
  get tail(): number {
    return this.#u32(O.tail);
  }
  /** Address one past the linear area; the shared info lies there. */
  get end(): number {
    return this.#u32(O.end);
  }
  /** Bytes of the packet: linear, frags and frag_list. */
  get len(): number {
    return this.#u32(O.len);
  }
  /** Bytes of the packet that are not linear. */
  get dataLen(): number {
    return this.#u32(O.dataLen);
  }
  /** COMPLETE: 32-bit partial sum over [data, data + len), little-endian words. Shares storage with csumStart and csumOffset. */
  get csum(): number {
    return this.#u32(O.csum);
  }
  set csum(n: number) {
    this.#set32(O.csum, n);
  }
  /** PARTIAL: first byte summed, bytes from head. */
  get csumStart(): number {
    return this.#u16(O.csumStart);
  }
  set csumStart(n: number) {
    this.#set16(O.csumStart, n);
  }
  /** PARTIAL: the 16-bit field, bytes from csumStart. */
  get csumOffset(): number {
    return this.#u16(O.csumOffset);
  }
  set csumOffset(n: number) {
    this.#set16(O.csumOffset, n);
  }
  /** Link-layer header, bytes from head; 0xffff unset. */
  get macHeader(): number {
    return this.#u16(O.macHeader);
  }
  set macHeader(n: number) {
    this.#set16(O.macHeader, n);
  }
  /** Network header, bytes from head. */
  get networkHeader(): number {
    return this.#u16(O.networkHeader);
  }
  set networkHeader(n: number) {
    this.#set16(O.networkHeader, n);
  }
  /** Transport header, bytes from head; 0xffff unset. */
  get transportHeader(): number {
    return this.#u16(O.transportHeader);
  }
  set transportHeader(n: number) {
    this.#set16(O.transportHeader, n);
  }
  /** Bytes of the link-layer header. */
  get macLen(): number {
    return this.#u16(O.macLen);
  }
  set macLen(n: number) {
    this.#set16(O.macLen, n);
  }
  /** Inner link-layer header, bytes from head. */
  get innerMacHeader(): number {
    return this.#u16(O.innerMacHeader);
  }
  set innerMacHeader(n: number) {
    this.#set16(O.innerMacHeader, n);
  }
  /** Inner network header, bytes from head; 0 unset. */
  get innerNetworkHeader(): number {
    return this.#u16(O.innerNetworkHeader);
  }
  set innerNetworkHeader(n: number) {
    this.#set16(O.innerNetworkHeader, n);
  }
  /** Inner transport header, bytes from head. */
  get innerTransportHeader(): number {
    return this.#u16(O.innerTransportHeader);
  }
  set innerTransportHeader(n: number) {
    this.#set16(O.innerTransportHeader, n);
  }
  /** EtherType of what is inside, an ordinary number; valid when innerProtocolType is 0. */
  get innerProtocol(): number {
    return this.#u16(O.innerProtocol);
  }
  set innerProtocol(n: number) {
    this.#set16(O.innerProtocol, n);
  }
  /** EtherType as an ordinary number, 0x0800 for IPv4. */
  get protocol(): number {
    return this.#u16(O.protocol);
  }
  set protocol(n: number) {
    this.#set16(O.protocol, n);
  }
  /** EtherType of the accelerated VLAN tag, an ordinary number; 0: no tag. */
  get vlanProto(): number {
    return this.#u16(O.vlanProto);
  }
  set vlanProto(n: number) {
    this.#set16(O.vlanProto, n);
  }
  /** The accelerated VLAN tag: priority, drop eligibility, VLAN id. */
  get vlanTci(): number {
    return this.#u16(O.vlanTci);
  }
  set vlanTci(n: number) {
    this.#set16(O.vlanTci, n);
  }
  /** Flow hash, u32. */
  get hash(): number {
    return this.#u32(O.hash);
  }
  set hash(n: number) {
    this.#set32(O.hash, n);
  }
  /** Bits of the fwmark, free for the user; u32. */
  get mark(): number {
    return this.#u32(O.mark);
  }
  set mark(n: number) {
    this.#set32(O.mark, n);
  }
  /** Queue of the device. */
  get queueMapping(): number {
    return this.#u16(O.queueMapping);
  }
  set queueMapping(n: number) {
    this.#set16(O.queueMapping, n);
  }
  /** Bytes of memory the skb accounts for. */
  get truesize(): number {
    return this.#u32(O.truesize);
  }
  /** IP protocol of what is inside; valid when innerProtocolType is 1. Shares storage with innerProtocol. */
  get innerIpproto(): number {
    return this.#view.getUint8(this.address + O.innerIpproto);
  }
  set innerIpproto(n: number) {
    this.#view.setUint8(this.address + O.innerIpproto, n);
  }
  /** References to this skb. */
  get users(): number {
    return this.#u32(O.users);
  }
  set users(n: number) {
    this.#set32(O.users, n);
  }
  /** State of the checksum: one of CHECKSUM_NONE, UNNECESSARY, COMPLETE, PARTIAL. */
  get ipSummed(): number {
    return this.#bits(0, 2);
  }
  set ipSummed(n: number) {
    this.#setBits(0, 2, n);
  }
  /** UNNECESSARY: verified checksums less one, 0..3. */
  get csumLevel(): number {
    return this.#bits(2, 2);
  }
  set csumLevel(n: number) {
    this.#setBits(2, 2, n);
  }
  /** 1: PARTIAL asks for CRC-32C (SCTP). */
  get csumNotInet(): number {
    return this.#bits(4, 1);
  }
  set csumNotInet(n: number) {
    this.#setBits(4, 1, n);
  }
  /** 1: software has verified the checksum. */
  get csumValid(): number {
    return this.#bits(5, 1);
  }
  set csumValid(n: number) {
    this.#setBits(5, 1, n);
  }
  /** 1: COMPLETE was computed by software. */
  get csumCompleteSw(): number {
    return this.#bits(6, 1);
  }
  set csumCompleteSw(n: number) {
    this.#setBits(6, 1, n);
  }
  /** 1: the inner header offsets are valid and inner offloads are asked for. */
  get encapsulation(): number {
    return this.#bits(7, 1);
  }
  set encapsulation(n: number) {
    this.#setBits(7, 1, n);
  }
  /** 1: the outer tunnel header needs a checksum of its own. */
  get encapHdrCsum(): number {
    return this.#bits(8, 1);
  }
  set encapHdrCsum(n: number) {
    this.#setBits(8, 1, n);
  }
  /** 1: remote checksum offload was done already. */
  get remcsumOffload(): number {
    return this.#bits(9, 1);
  }
  set remcsumOffload(n: number) {
    this.#setBits(9, 1, n);
  }
  /** 0: innerProtocol is an EtherType; 1: innerIpproto is an IP protocol. */
  get innerProtocolType(): number {
    return this.#bits(10, 1);
  }
  set innerProtocolType(n: number) {
    this.#setBits(10, 1, n);
  }
  /** 1: the frags are device memory. */
  get unreadable(): number {
    return this.#bits(11, 1);
  }
  set unreadable(n: number) {
    this.#setBits(11, 1, n);
  }
  /** 1: the hash covers the ports. */
  get l4Hash(): number {
    return this.#bits(12, 1);
  }
  set l4Hash(n: number) {
    this.#setBits(12, 1, n);
  }
  /** 1: the hash was computed by software. */
  get swHash(): number {
    return this.#bits(13, 1);
  }
  set swHash(n: number) {
    this.#setBits(13, 1, n);
  }
  /** Whom the frame is for: HOST 0, BROADCAST 1, MULTICAST 2, OTHERHOST 3, OUTGOING 4. */
  get pktType(): number {
    return this.#bits(16, 3);
  }
  set pktType(n: number) {
    this.#setBits(16, 3, n);
  }
  /** 1: the packet's CRC (SCTP, FCoE) was verified. @remarks not in the kernel: the paper keeps CRCs apart */
  get csumValidCrc32(): number {
    return this.#bits(19, 1);
  }
  set csumValidCrc32(n: number) {
    this.#setBits(19, 1, n);
  }
  /** 1: the linear buffer may be shared with a clone; see {@link SkBuff.skbCloned}. */
  get cloned(): number {
    return this.#bits(14, 1);
  }

  /** Payload bytes of each segment; 0: no GSO packet. */
  get gsoSize(): number {
    return this.#view.getUint16(this.end + S.gsoSize, true);
  }
  set gsoSize(n: number) {
    this.#view.setUint16(this.end + S.gsoSize, n, true);
  }
  /** Segments; 0: not known. */
  get gsoSegs(): number {
    return this.#view.getUint16(this.end + S.gsoSegs, true);
  }
  set gsoSegs(n: number) {
    this.#view.setUint16(this.end + S.gsoSegs, n, true);
  }
  /** SKB_GSO_ bits, unsigned. */
  get gsoType(): number {
    return this.#view.getUint32(this.end + S.gsoType, true);
  }
  set gsoType(n: number) {
    this.#view.setUint32(this.end + S.gsoType, n >>> 0, true);
  }
  /** Flags of the shared info. */
  get shinfoFlags(): number {
    return this.#view.getUint8(this.end + S.flags);
  }
  set shinfoFlags(n: number) {
    this.#view.setUint8(this.end + S.flags, n);
  }
  /** Page fragments in use. */
  get nrFrags(): number {
    return this.#view.getUint8(this.end + S.nrFrags);
  }
  /** Address of the first skb of the frag_list, 0: none. */
  get fragList(): number {
    return this.#view.getUint32(this.end + S.fragList, true);
  }

  /** Bytes of the packet that are linear. */
  get headlen(): number {
    return this.len - this.dataLen;
  }
  /** Bytes between head and data. */
  get headroom(): number {
    return this.data - this.head;
  }
  /** Free bytes behind tail; 0 whenever the skb is nonlinear. */
  get tailroom(): number {
    return this.dataLen !== 0 ? 0 : this.end - this.tail;
  }
  /** csum_start from data; may be negative. */
  get checksumStartOffset(): number {
    return this.csumStart - this.headroom;
  }
  /** network_header from data; may be negative. */
  get networkOffset(): number {
    return this.networkHeader - this.headroom;
  }
  /** transport_header from data; may be negative. */
  get transportOffset(): number {
    return this.transportHeader - this.headroom;
  }
  /** True for a packet that is still to be segmented. */
  get isGso(): boolean {
    return this.gsoSize !== 0;
  }
  /** True when some bytes are not linear. */
  get isNonlinear(): boolean {
    return this.dataLen !== 0;
  }

  /** References to the linear buffer and its shared info: the lower half; the upper half counts payload-only ones. */
  get dataref(): number {
    return this.#view.getUint32(this.end + S.dataref, true);
  }
  /** True when another skb looks at the same buffer. */
  get skbCloned(): boolean {
    return this.cloned !== 0 && (this.dataref & 0xffff) !== 1;
  }
  /** True when somebody else may change the frags' bytes meanwhile. */
  get hasSharedFrag(): boolean {
    return this.isNonlinear && (this.shinfoFlags & SKBFL_SHARED_FRAG) !== 0;
  }
  /** True when the CPU may read the frags. */
  get fragsReadable(): boolean {
    return this.unreadable === 0;
  }
  /** True when mac_header was set. */
  get macHeaderWasSet(): boolean {
    return this.macHeader !== 0xffff;
  }
  /** True when transport_header was set. */
  get transportHeaderWasSet(): boolean {
    return this.transportHeader !== 0xffff;
  }
  /** mac_header, bytes from data; may be negative. */
  get macOffset(): number {
    return this.macHeader - this.headroom;
  }
  /** inner_network_header, bytes from data; may be negative. */
  get innerNetworkOffset(): number {
    return this.innerNetworkHeader - this.headroom;
  }
  /** inner_transport_header, bytes from data; may be negative. */
  get innerTransportOffset(): number {
    return this.innerTransportHeader - this.headroom;
  }
  /** Bytes from network_header to transport_header, as u32: huge when they are out of order. */
  get networkHeaderLen(): number {
    return (this.transportHeader - this.networkHeader) >>> 0;
  }
  /** Bytes from inner_network_header to inner_transport_header, as u32: huge when they are out of order. */
  get innerNetworkHeaderLen(): number {
    return (this.innerTransportHeader - this.innerNetworkHeader) >>> 0;
  }
  /** True when there is an accelerated VLAN tag: its tci alone may be 0. */
  get vlanTagPresent(): boolean {
    return this.vlanProto !== 0 || this.vlanTci !== 0;
  }

  /** mac_header := data. */
  resetMacHeader(): void {
    this.macHeader = this.headroom;
  }
  /** network_header := data. */
  resetNetworkHeader(): void {
    this.networkHeader = this.headroom;
  }
  /** transport_header := data. */
  resetTransportHeader(): void {
    this.transportHeader = this.headroom;
  }
  /** mac_len := bytes from mac_header to network_header. */
  resetMacLen(): void {
    this.macLen = this.networkHeader - this.macHeader;
  }
  /** The inner header offsets := the outer ones. */
  resetInnerHeaders(): void {
    this.innerMacHeader = this.macHeader;
    this.innerNetworkHeader = this.networkHeader;
    this.innerTransportHeader = this.transportHeader;
  }
  /**
   * Set the flow hash as a device reports it.
   * @param type - NONE 0, L2 1, L3 2, L4 3
   */
  setHash(hash: number, type: number): void {
    this.l4Hash = type === 3 ? 1 : 0;
    this.swHash = 0;
    this.hash = hash;
  }

  /** Extend at the end. @returns address of the new bytes. Throws skb_over_panic as the kernel panics. */
  skbPut(n: number): number {
    const at = this.memory.kernel.skbPut(this.address, n) >>> 0;
    if (at === PANIC)
      throw new SkbuffError("skb_over_panic", `skbPut: ${n} bytes, tailroom ${this.tailroom}`, {
        n,
        tailroom: this.tailroom,
      });
    return at;
  }

  /** Extend at the front; csum is not touched. @returns the new data address. Throws skb_under_panic. */
  skbPush(n: number): number {
    const at = this.memory.kernel.skbPush(this.address, n) >>> 0;
    if (at === PANIC)
      throw new SkbuffError("skb_under_panic", `skbPush: ${n} bytes, headroom ${this.headroom}`, {
        n,
        headroom: this.headroom,
      });
    return at;
  }

  /** Take bytes off the front. @returns the new data address; null: longer than the packet. Throws skb_pull_panic. */
  skbPull(n: number): number | null {
    const at = this.memory.kernel.skbPull(this.address, n) >>> 0;
    if (at === PANIC)
      throw new SkbuffError("skb_pull_panic", `skbPull: ${n} bytes, linear ${this.headlen}`, {
        n,
        headlen: this.headlen,
      });
    return at === 0 ? null : at;
  }

  /** Cut a linear packet; a nonlinear one stays as it is. */
  skbTrim(n: number): void {
    this.memory.kernel.skbTrim(this.address, n);
  }
  /** Make headroom in an empty skb. Throws skb_over_panic. */
  skbReserve(n: number): void {
    if (this.memory.kernel.skbReserve(this.address, n) >>> 0 === PANIC)
      throw new SkbuffError("skb_over_panic", `skbReserve: ${n} bytes, tailroom ${this.tailroom}`, {
        n,
        tailroom: this.tailroom,
      });
  }
  /** Have n bytes linear. @returns false: longer than the packet, or out of memory */
  pskbMayPull(n: number): boolean {
    return this.memory.kernel.pskbMayPull(this.address, n) !== 0;
  }
  /** Cut wherever the bytes lie. @returns 0 or -ENOMEM */
  pskbTrim(n: number): number {
    return this.memory.kernel.pskbTrim(this.address, n);
  }
  /**
   * Copy packet bytes [offset, offset + len), wherever they lie, to memory.
   * @param offset - from data; @param to - an address; @param len - bytes
   * @returns 0, or -EFAULT (nothing copied): beyond the packet, or frags that cannot be read
   */
  skbCopyBits(offset: number, to: number, len: number): number {
    return this.memory.kernel.skbCopyBits(this.address, offset, to, len);
  }
  /**
   * Bytes [off, off + n) as one piece: in place where they are linear, else copied to `buffer`.
   * @param off - from data; a negative one reads the headroom, unchecked as in the kernel
   * @param buffer - address of n free bytes
   * @returns the address of the bytes, 0: beyond the packet
   */
  skbHeaderPointer(off: number, n: number, buffer: number): number {
    return this.memory.kernel.skbHeaderPointer(this.address, off, n, buffer) >>> 0;
  }
  /** Make the whole packet linear. @returns 0 or -ENOMEM */
  skbLinearize(): number {
    return this.memory.kernel.skbLinearize(this.address);
  }
  /** Make the first n bytes linear and private. @returns 0 or -ENOMEM */
  skbEnsureWritable(n: number): number {
    return this.memory.kernel.skbEnsureWritable(this.address, n);
  }
  /** @returns false, nothing changed: the field is not in the linear part */
  skbPartialCsumSet(start: number, off: number): boolean {
    return this.memory.kernel.skbPartialCsumSet(this.address, start, off) !== 0;
  }
  /** A further skb over the same bytes; null: out of memory. */
  skbClone(): SkBuff | null {
    return this.#made(this.memory.kernel.skbClone(this.address));
  }
  /** A private, linear copy; null: out of memory. */
  skbCopy(): SkBuff | null {
    return this.#made(this.memory.kernel.skbCopy(this.address));
  }
  /** A copy that shares the frags; null: out of memory. */
  pskbCopy(): SkBuff | null {
    return this.#made(this.memory.kernel.pskbCopy(this.address));
  }
  /** More room before and behind, a buffer of its own. @returns 0 or -ENOMEM */
  pskbExpandHead(nhead: number, ntail: number): number {
    return this.memory.kernel.pskbExpandHead(this.address, nhead, ntail);
  }

  /** Drop one reference. Throws use_after_free when there is none. */
  kfreeSkb(): void {
    if (this.memory.kernel.heapOwns(this.address) === 0 || this.users === 0)
      throw new SkbuffError("use_after_free", `kfreeSkb: skb at ${this.address} is free already`, {
        address: this.address,
      });
    this.memory.kernel.kfreeSkb(this.address);
    this.address = 0;
  }

  /** The packet's bytes wherever they lie, a copy. */
  toBytes(): Uint8Array {
    const { memory, len } = this;
    if (this.dataLen === 0) return memory.bytes.slice(this.data, this.data + len);
    const at = memory.alloc(Math.max(len, 1));
    if (at === 0) throw new SkbuffError("ENOMEM", `toBytes: no room for ${len} bytes`, { len });
    const failed = memory.kernel.skbCopyBits(this.address, 0, at, len);
    const out = memory.bytes.slice(at, at + len);
    memory.free(at);
    if (failed !== 0) throw new SkbuffError("EINVAL", "toBytes: frags cannot be read", { len });
    return out;
  }

  #made(address: number): SkBuff | null {
    return address === 0 ? null : new SkBuff(this.memory, address >>> 0);
  }

  #u32(off: number): number {
    return this.#view.getUint32(this.address + off, true);
  }
  #set32(off: number, n: number): void {
    this.#view.setUint32(this.address + off, n, true);
  }
  #u16(off: number): number {
    return this.#view.getUint16(this.address + off, true);
  }
  #set16(off: number, n: number): void {
    this.#view.setUint16(this.address + off, n, true);
  }
  #bits(shift: number, width: number): number {
    return (this.#view.getUint32(this.address + O.flags, true) >>> shift) & ((1 << width) - 1);
  }
  #setBits(shift: number, width: number, n: number): void {
    const mask = ((1 << width) - 1) << shift;
    const old = this.#view.getUint32(this.address + O.flags, true);
    this.#view.setUint32(this.address + O.flags, ((old & ~mask) | ((n << shift) & mask)) >>> 0, true);
  }
}

/**
 * Build an skb from a packet's bytes, laid out as asked.
 * @returns null: out of memory (nothing is left behind)
 */
export function skbFromBytes(
  memory: Memory,
  bytes: Uint8Array,
  options: SkbFromBytesOptions = {},
): SkBuff | null {
  const { headroom = 64, tailroom = 0, frags = [], fragList = [] } = options;
  const outside = [...frags, ...fragList].reduce((sum, n) => sum + n, 0);
  if (outside > bytes.length || frags.length > MAX_SKB_FRAGS)
    throw new SkbuffError(
      "EINVAL",
      `skbFromBytes: ${outside} bytes in ${frags.length} frags, packet has ${bytes.length}`,
      { outside },
    );
  const linear = bytes.length - outside;
  const skb = SkBuff.alloc(memory, headroom + linear + tailroom);
  if (skb === null) return null;
  skb.skbReserve(headroom);
  memory.bytes.set(bytes.subarray(0, linear), skb.skbPut(linear));
  let at = linear;
  for (const size of frags) {
    const page = memory.alloc(Math.max(size, 1));
    if (page === 0) {
      skb.kfreeSkb();
      return null;
    }
    memory.bytes.set(bytes.subarray(at, at + size), page);
    memory.kernel.skbAddFrag(skb.address, page, 0, size);
    at += size;
  }
  for (const size of fragList) {
    const member = skbFromBytes(memory, bytes.subarray(at, at + size), { headroom: 0 });
    if (member === null) {
      skb.kfreeSkb();
      return null;
    }
    memory.kernel.skbAddFragList(skb.address, member.address);
    at += size;
  }
  return skb;
}

/** Bytes of the struct. */
export const SK_BUFF_SIZE: number = SIZEOF_SK_BUFF;
