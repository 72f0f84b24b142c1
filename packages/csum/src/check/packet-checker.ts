/** Every checksum of a packet, by name and verdict; of one packet or of many. */
import type { Memory } from "@netoffload/skbuff";
import {
  type ChecksumLayer,
  type ChecksumReason,
  type ChecksumVerdict,
  ENCAP_FOU,
  ENCAPS,
  LAYERS,
  REASONS,
  STOPS,
  type UdpEncap,
  VERDICTS,
  type WalkStop,
} from "./codes.ts";
import { instantiateWalker, privateAccel, type WalkerExports } from "./walker.ts";

/** One checksum of a packet. Offsets are bytes from the frame's first byte (see `reassembled`). */
export interface CheckedLayer {
  readonly layer: ChecksumLayer;
  readonly verdict: ChecksumVerdict;
  /** Why it is unverifiable; with verdict partial `inner_partial` or nothing. */
  readonly reason?: ChecksumReason;
  /** First byte of the header. */
  readonly offset: number;
  /** First byte of the field: 2 bytes, SCTP 4. */
  readonly field: number;
  /** The bytes it covers, end exclusive, besides a pseudo header. */
  readonly start: number;
  readonly end: number;
  /** The field, read big endian; 0 when it was not captured. */
  readonly found: number;
  /** What it should be; 0 when that cannot be told. */
  readonly expected: number;
  /** True when the header came in fragments: offsets then count in the datagram put together, from its payload. */
  readonly reassembled: boolean;
  /** True inside the packet that an ICMP error quotes. */
  readonly quoted: boolean;
}

/** How a checker is made. */
export interface PacketCheckerOptions {
  /** The memory frames lie in; without it the checker has a small one of its own and copies frames in. */
  readonly memory?: Memory;
  /**
   * Bytes for putting fragments together, some 67 kB a datagram at once; default 0: fragments are unverifiable.
   * The datagram untouched for longest makes room. The packet that completes one carries its verdicts.
   */
  readonly fragmentBytes?: number;
  /** UDP ports besides the standard ones, or in their place; at most 64. */
  readonly udpEncap?: ReadonlyMap<number, UdpEncap>;
}

const RECORD_WORDS = 8;
const PAGE = 0x10000;
/** Own memory: CRC tables below, then the walker's area, the fragment table, the frame. */
const OWN_AREA = 0x1_4000;

/**
 * Checks packets and fills checksums in. Nothing in a packet makes it throw; a frame is never read beyond its
 * captured bytes. Results of the last packet stay until the next.
 */
export class PacketChecker {
  readonly #wasm: WebAssembly.Memory;
  readonly #walker: WalkerExports;
  readonly #records: number;
  /** Where frames are copied to; 0: not known yet. */
  #frame: number;
  #frameRoom: number;
  readonly #memory: Memory | undefined;
  readonly #blocks: number[] = [];
  #bytes: Uint8Array;
  #words: Uint32Array;
  #count = 0;

  /** @throws RangeError when there is no memory for it, or a port of the options is none */
  constructor(options: PacketCheckerOptions = {}) {
    const { memory, fragmentBytes = 0 } = options;
    this.#memory = memory;
    if (memory) {
      this.#wasm = memory.wasm;
      this.#walker = instantiateWalker(memory.wasm, memory.accel1);
      this.#walker.setup(this.#alloc(this.#walker.area_size()));
      if (fragmentBytes > 0) this.#walker.frag_setup(this.#alloc(fragmentBytes), fragmentBytes);
      this.#frame = 0;
      this.#frameRoom = 0;
    } else {
      const frame = (OWN_AREA + 0x2000 + fragmentBytes + 63) & ~63;
      this.#wasm = new WebAssembly.Memory({ initial: Math.ceil(frame / PAGE) + 1 });
      this.#walker = instantiateWalker(this.#wasm, privateAccel(this.#wasm));
      this.#walker.setup(OWN_AREA);
      this.#walker.frag_setup(OWN_AREA + 0x2000, fragmentBytes);
      this.#frame = frame;
      this.#frameRoom = this.#wasm.buffer.byteLength - frame;
    }
    for (const [port, encap] of options.udpEncap ?? []) this.#encap(port, encap);
    this.#records = (this.#walker.records() >>> 0) / 4;
    this.#bytes = new Uint8Array(this.#wasm.buffer);
    this.#words = new Uint32Array(this.#wasm.buffer);
  }

  #encap(port: number, encap: UdpEncap): void {
    const kind = typeof encap === "string" ? ENCAPS.indexOf(encap) : ENCAP_FOU + (encap.fou & 0xff);
    if (kind < 0 || !(port >= 0 && port <= 0xffff) || this.#walker.udp_encap(port, kind) === 0)
      throw new RangeError(
        `PacketChecker: udpEncap ${port}: a port, one of ${ENCAPS.join(", ")} or {fou}, 64 at most`,
      );
  }

  #alloc(bytes: number): number {
    const address = this.#memory!.alloc(bytes);
    if (address === 0) throw new RangeError(`PacketChecker: no ${bytes} bytes left in the memory`);
    this.#blocks.push(address);
    return address;
  }

  /** Give back what was taken from the memory of the options; the checker is of no use afterwards. */
  dispose(): void {
    for (const address of this.#blocks.splice(0)) this.#memory!.free(address);
  }

  /** Copy a frame in, unless it lies in the memory. @returns its address */
  #place(frame: Uint8Array): number {
    if (frame.buffer === this.#wasm.buffer) return frame.byteOffset;
    const need = frame.length + 64;
    if (need > this.#frameRoom) this.#makeRoom(need);
    // unlike alignments copy slowly on some machines
    const at = this.#frame + (frame.byteOffset & 63);
    this.#bytes.set(frame, at);
    return at;
  }

  #makeRoom(need: number): void {
    if (this.#memory) {
      if (this.#frame) this.#memory.free(this.#blocks.pop()!);
      // blocks are 16-aligned; like alignment only matters modulo 16 there
      this.#frame = this.#alloc(need);
      this.#frameRoom = need;
      return;
    }
    this.#wasm.grow(Math.ceil((need - this.#frameRoom) / PAGE));
    this.#bytes = new Uint8Array(this.#wasm.buffer);
    this.#words = new Uint32Array(this.#wasm.buffer);
    this.#frameRoom = this.#wasm.buffer.byteLength - this.#frame;
  }

  /**
   * Check one frame.
   * @param frame - captured bytes; copied in unless it is a view of the checker's memory
   * @param linkType - LINKTYPE_ number: 1 Ethernet, 101 raw IP, 113 Linux cooked, ...
   * @param wireLength - bytes the packet had; more than frame.length when the capture cut it
   * @param seconds - capture time, for the age of fragments
   * @returns how many checksums were found: {@link layer} tells each
   */
  check(
    frame: Uint8Array,
    linkType: number = 1,
    wireLength: number = frame.length,
    seconds: number = 0,
  ): number {
    return this.checkAt(this.#place(frame), frame.length, wireLength, linkType, seconds);
  }

  /** As {@link check}, for bytes in the memory. @param address - of the frame's first byte */
  checkAt(
    address: number,
    captured: number,
    wireLength: number,
    linkType: number,
    seconds: number = 0,
  ): number {
    return (this.#count = this.#walker.check(address, captured, wireLength, linkType, seconds));
  }

  /**
   * Check a frame and fill in what a device was to fill in; the frame is changed in place. A right checksum over a
   * field that was filled in is brought up to date. Fragments, quoted packets and what cannot be verified stay.
   * @param all - replace bad checksums too
   * @returns fields written; {@link layer} still tells what was found
   */
  fix(
    frame: Uint8Array,
    linkType: number = 1,
    all: boolean = false,
    wireLength: number = frame.length,
    seconds: number = 0,
  ): number {
    const at = this.#place(frame);
    const written = this.fixAt(at, frame.length, wireLength, linkType, all, seconds);
    if (written > 0 && frame.buffer !== this.#wasm.buffer)
      frame.set(this.#bytes.subarray(at, at + frame.length));
    return written;
  }

  /** As {@link fix}, for bytes in the memory. */
  fixAt(
    address: number,
    captured: number,
    wireLength: number,
    linkType: number,
    all: boolean = false,
    seconds: number = 0,
  ): number {
    const written = this.#walker.fix(address, captured, wireLength, linkType, seconds, all ? 1 : 0);
    this.#count = this.#walker.count();
    return written;
  }

  /**
   * Check many frames in one call, nothing allocated.
   * @param frames - address of {u32 address, captured bytes, wire bytes, link type, seconds} for each
   * @param count - of frames
   * @param results - address of one u32 for each: checksums found | end of the walk << 8 | bits 16 and up: verdicts
   *   that occur, 1 << number (ok 0, bad 1, partial 2, absent 3, unverifiable 4)
   * @param records - address of room for records of 32 bytes, packet after packet; 0: none are kept
   * @param recordBytes - of that room
   * @returns frames done; fewer than count when the room for records is used up: call again with the rest
   */
  checkBatch(
    frames: number,
    count: number,
    results: number,
    records: number = 0,
    recordBytes: number = 0,
  ): number {
    this.#count = 0;
    return this.#walker.check_batch(frames, count, results, records, recordBytes);
  }

  /** Checksums found in the last packet. */
  get count(): number {
    return this.#count;
  }

  /** Where the walk through the last packet ended. */
  get stop(): WalkStop {
    return STOPS[this.#walker.stopped()]!;
  }

  /** Verdict of the i-th checksum of the last packet, outermost first. */
  verdict(i: number): ChecksumVerdict {
    return VERDICTS[(this.#word(i, 0) >>> 8) & 0xff]!;
  }

  /** The i-th checksum of the last packet, outermost first, as an object of the caller's own. */
  layer(i: number): CheckedLayer {
    return this.#layerAt(this.#records + i * RECORD_WORDS);
  }

  /** All checksums of the last packet. */
  layers(): CheckedLayer[] {
    return Array.from({ length: this.#count }, (_, i) => this.layer(i));
  }

  /** A record that {@link checkBatch} wrote. @param address - of its 32 bytes */
  layerAt(address: number): CheckedLayer {
    return this.#layerAt(address >>> 2);
  }

  /**
   * Packets-wide counts since the last call, which sets them to 0: `counts[layer number * 8 + verdict number]`.
   * @returns a copy; names by number are LAYERS and VERDICTS
   */
  takeCounts(): Uint32Array {
    // 16 layers of 8 verdicts lie before the records
    const counts = this.#words.subarray(this.#records - 128, this.#records);
    const copy = counts.slice();
    counts.fill(0);
    return copy;
  }

  #word(i: number, word: number): number {
    return this.#words[this.#records + i * RECORD_WORDS + word]!;
  }

  #layerAt(at: number): CheckedLayer {
    const w = this.#words;
    const head = w[at]!;
    const reason = REASONS[(head >>> 16) & 0xff];
    return {
      layer: LAYERS[head & 0xff]!,
      verdict: VERDICTS[(head >>> 8) & 0xff]!,
      ...(reason && { reason }),
      offset: w[at + 1]!,
      field: w[at + 2]!,
      start: w[at + 3]!,
      end: w[at + 4]!,
      found: w[at + 5]!,
      expected: w[at + 6]!,
      reassembled: (head & 0x100_0000) !== 0,
      quoted: (head & 0x200_0000) !== 0,
    };
  }
}
