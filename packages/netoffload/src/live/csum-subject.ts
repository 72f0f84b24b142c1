/** What our programs make of a batch of cases: the transmit program on each frame, the receive program on its L3 part. */
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  HEAP_BASE,
  Memory,
  SKBFL_SHARED_FRAG,
  type SkBuff,
  skbFromBytes,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  virtioNetHdrToSkb,
} from "@netoffload/skbuff";
import type { CsumCase } from "./csum-case.ts";
import { type CsumPrograms, EbpfSide, HostSide, NpuSide, type ProgramSide } from "./program-side.ts";

const MEMORY_BYTES = 4 << 20;
const ETH_HLEN = 14;
const VLAN_HLEN = 4;
const ETH_P_8021Q = 0x8100;
const ETH_P_8021AD = 0x88a8;
const EINVAL = -22;
/** Room for a csum_start before the frame. */
const LEAST_HEADROOM = 16;
/** Cases of one batch, and their bytes: two skbs each, with room to copy, fit the memory. */
export const MAX_CASES = 512;
export const MAX_BATCH_BYTES: number = 512 << 10;

/** What became of a case. */
export interface CsumAnswer {
  /** 0, or the errno negated with which the frame is refused; {@link TRAPPED}. */
  readonly tx: number;
  /** The frame that goes out; of a refused one nothing is said. */
  readonly frame: Uint8Array | null;
  /** 0, or what the receive program returned. */
  readonly rx: number;
  /** CHECKSUM_COMPLETE's sum over the frame behind its Ethernet header, folded to 16 bits. */
  readonly sum: number;
  /** Another inconsistency: the target against the host, ip_summed, a clone's bytes. */
  readonly fault: string | null;
}

/** Which program runs where. */
export type CsumTarget = "wasm" | "npu" | "ebpf";

/** One memory, the host's programs in it, and perhaps a target beside it. */
export class CsumSubject {
  readonly #memory: Memory = Memory.create({ bytes: MEMORY_BYTES });
  readonly #host: HostSide;
  readonly #target: ProgramSide | null;
  readonly #addresses: Uint32Array = new Uint32Array(MAX_CASES);
  readonly #results: Int32Array = new Int32Array(MAX_CASES);
  readonly #targetResults: Int32Array = new Int32Array(MAX_CASES);
  readonly #header: DataView = new DataView(new ArrayBuffer(10));

  /** @param target - where the programs run; any but `wasm` is also compared with the host, memory and all */
  constructor(programs: CsumPrograms, target: CsumTarget = "wasm") {
    this.#host = new HostSide(this.#memory, programs);
    if (target === "npu") this.#target = new NpuSide(this.#memory, programs);
    else this.#target = target === "ebpf" ? new EbpfSide(this.#memory, programs) : null;
  }

  /** @param cases - at most {@link MAX_CASES}, of at most {@link MAX_BATCH_BYTES} in all (or one case alone) */
  run(cases: readonly CsumCase[]): CsumAnswer[] {
    const tx = this.#runTx(cases);
    const rx = this.#runRx(cases);
    return cases.map((_, i) => ({ ...tx[i]!, ...rx[i]!, fault: tx[i]!.fault ?? rx[i]!.fault }));
  }

  close(): void {
    this.#target?.close();
  }

  #runTx(cases: readonly CsumCase[]): Pick<CsumAnswer, "tx" | "frame" | "fault">[] {
    const skbs = cases.map((c) => this.#make(c, c.frame));
    const clones = cases.map((c, i) => (c.layout.cloned ? skbs[i]!.skbClone() : null));
    const refused = cases.map((c, i) => this.#accept(skbs[i]!, c));
    const asked = [...skbs.keys()].filter((i) => refused[i] === 0 && skbs[i]!.ipSummed === CHECKSUM_PARTIAL);
    const faults = this.#runPrograms(
      "tx",
      asked.map((i) => skbs[i]!),
    );
    const places = new Map(asked.map((i, at) => [i, at]));
    const answers = cases.map((c, i) => {
      const at = places.get(i) ?? -1;
      const tx = at < 0 ? refused[i]! : this.#results[at]!;
      let fault = at < 0 ? null : faults[at]!;
      if (at >= 0 && tx === 0 && skbs[i]!.ipSummed !== CHECKSUM_NONE)
        fault ??= `tx_csum left ip_summed ${skbs[i]!.ipSummed}, 0 is right`;
      if (clones[i] !== null && !same(this.#bytesOf(clones[i]!), c.frame))
        fault ??= "tx_csum wrote into the bytes of a clone";
      return { tx, frame: tx === 0 ? this.#bytesOf(skbs[i]!) : null, fault };
    });
    for (const skb of [...skbs, ...clones]) skb?.kfreeSkb();
    return answers;
  }

  #runRx(cases: readonly CsumCase[]): Pick<CsumAnswer, "rx" | "sum" | "fault">[] {
    const skbs = cases.map((c) => this.#make(c, c.frame.subarray(ETH_HLEN)));
    const faults = this.#runPrograms("rx", skbs);
    const answers = skbs.map((skb, i) => ({
      rx: this.#results[i]!,
      sum: fold(skb.csum),
      fault:
        faults[i] ??
        (skb.ipSummed === CHECKSUM_COMPLETE || this.#results[i] !== 0
          ? null
          : `rx_csum left ip_summed ${skb.ipSummed}, 2 is right`),
    }));
    for (const skb of skbs) skb.kfreeSkb();
    return answers;
  }

  /** Run on the target if there is one, then on the host; compare both. @returns per skb: a difference or null */
  #runPrograms(which: keyof CsumPrograms, skbs: readonly SkBuff[]): (string | null)[] {
    const n = skbs.length;
    for (let i = 0; i < n; i++) this.#addresses[i] = skbs[i]!.address;
    const target = this.#target;
    target?.run(which, this.#addresses, n, this.#targetResults);
    this.#host.run(which, this.#addresses, n, this.#results);
    if (target === null) return new Array<null>(n).fill(null);
    const faults = skbs.map((_, i) => {
      const [there, here] = [this.#targetResults[i]!, this.#results[i]!];
      if (there === here) return null;
      return `${which}_csum returned ${there} on ${target.name}, ${here} on the host`;
    });
    const at = firstDifference(target.memory, this.#memory.bytes);
    if (at >= 0) {
      const owner = skbs.findIndex(
        ({ address, head, end }) => within(at, address, 256) || (at >= head && at < end),
      );
      faults[Math.max(owner, 0)] ??=
        `${which}_csum left another byte at address ${at} on ${target.name} than on the host`;
    }
    return faults;
  }

  #make(c: CsumCase, bytes: Uint8Array): SkBuff {
    const { headroom, frags, fragList } = fitted(c, bytes.length);
    const room = c.csumStart < 0 ? Math.max(headroom, LEAST_HEADROOM) : headroom;
    const skb = skbFromBytes(this.#memory, bytes, { headroom: room, frags, fragList });
    if (skb === null) throw new Error(`a frame of ${bytes.length} bytes does not fit the memory`);
    if (c.layout.sharedFrag) skb.shinfoFlags |= SKBFL_SHARED_FRAG;
    return skb;
  }

  /** The stack's side: what is asked for becomes fields of the skb. @returns 0 or an errno */
  #accept(skb: SkBuff, c: CsumCase): number {
    if (c.frame.length < ETH_HLEN) return EINVAL;
    if (c.route === "skb") return ask(skb, c);
    this.#header.setUint8(0, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    this.#header.setUint16(6, c.csumStart, true);
    this.#header.setUint16(8, c.csumOffset, true);
    return virtioNetHdrToSkb(skb, this.#header, 0);
  }

  #bytesOf(skb: SkBuff): Uint8Array {
    const { len } = skb;
    const at = this.#memory.alloc(len + 1);
    if (at === 0) throw new Error("no room to read a frame back");
    this.#memory.kernel.skbCopyBits(skb.address, 0, at, len);
    const bytes = this.#memory.bytes.slice(at, at + len);
    this.#memory.free(at);
    return bytes;
  }
}

/**
 * The fields as they are; where the field lies in the frame it is made linear, as a tap does. Kernel quirk: what would
 * start before the end of the tag that the stack takes off is no longer asked for.
 */
function ask(skb: SkBuff, c: CsumCase): 0 {
  const type = (c.frame[12]! << 8) | c.frame[13]!;
  if ((type === ETH_P_8021Q || type === ETH_P_8021AD) && c.csumStart < ETH_HLEN + VLAN_HLEN) return 0;
  const end = c.csumStart + c.csumOffset + 2;
  if (end > 0 && end <= c.frame.length) skb.pskbMayPull(end);
  skb.ipSummed = CHECKSUM_PARTIAL;
  skb.csumStart = skb.headroom + c.csumStart;
  skb.csumOffset = c.csumOffset;
  return 0;
}

/** Pieces of a case's layout that a shorter packet still has. */
function fitted(c: CsumCase, length: number): Pick<CsumCase["layout"], "headroom" | "frags" | "fragList"> {
  const { headroom, frags, fragList } = c.layout;
  let left = length;
  const take = (piece: number): number => {
    const n = Math.min(piece, left);
    left -= n;
    return n;
  };
  const list = fragList.map(take).filter((n) => n > 0);
  return { headroom, frags: frags.map(take).filter((n) => n > 0), fragList: list };
}

/** End-around fold to 16 bits; 0 only of 0. */
function fold(sum: number): number {
  let s = sum;
  while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
  return s;
}

/** Equal bytes? */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

const within = (at: number, from: number, length: number): boolean => at >= from && at < from + length;

/** Address of the first byte of the heap that differs; -1: none. */
function firstDifference(a: Uint8Array, b: Uint8Array): number {
  if (same(a.subarray(HEAP_BASE), b.subarray(HEAP_BASE))) return -1;
  let at = HEAP_BASE;
  while (a[at] === b[at]) at++;
  return at;
}
