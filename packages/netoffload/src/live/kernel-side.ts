/**
 * The kernel's side of the offload programs, run by the live kernel: the packet's bytes go into the arena, the
 * program runs, and they come back. The same entries as the host's own.
 */
import type { HostPrograms } from "@netoffload/csum";
import {
  HEAP_BASE,
  type Memory,
  SKB_SHARED_INFO_OFF as S,
  SIZEOF_SK_BUFF,
  SIZEOF_SKB_SHARED_INFO,
  SkBuff,
} from "@netoffload/skbuff";
import { compiledForKernel } from "../image.ts";
import type { Program } from "../programs.ts";
import { KernelProgram } from "./kernel-program.ts";

const FRAGS_OFF = 24;
const FRAG_SIZE = 12;
const MAX_FRAGS = 17;
/** What a trap gives, which no program returns: it never passes for a result. */
const EIO = -5;

/** Programs in the live kernel over copies of a memory's skbs. Close it. */
export class KernelSide implements HostPrograms {
  readonly txCsum: (skb: number) => number;
  readonly rxCsum: (skb: number) => number;
  readonly #memory: Memory;
  readonly #skb: SkBuff;
  readonly #loaded: readonly KernelProgram[];

  /** Load both programs; throws as {@link KernelProgram.load}. */
  constructor(memory: Memory, programs: readonly Program[]) {
    this.#memory = memory;
    this.#skb = new SkBuff(memory, 0);
    const loaded: KernelProgram[] = [];
    try {
      for (const p of programs)
        loaded.push(KernelProgram.load({ ...p, ...compiledForKernel(p) }, { memoryBytes: memory.size }));
    } catch (error) {
      for (const p of loaded) p.close();
      throw error;
    }
    this.#loaded = loaded;
    const entry = (name: string): ((skb: number) => number) => {
      const program = loaded.find((p) => p.name === name);
      return program === undefined ? () => EIO : (skb) => this.#run(program, skb);
    };
    this.txCsum = entry("tx_csum");
    this.rxCsum = entry("rx_csum");
  }

  /** Give programs and arenas back. */
  close(): void {
    for (const p of this.#loaded) p.close();
  }

  #run(program: KernelProgram, address: number): number {
    const ranges: [number, number][] = [];
    // programs that must have bytes of their own allocate: then the heap is theirs, too
    if (!this.#gather(address, ranges)) ranges.splice(0, ranges.length, [HEAP_BASE, this.#memory.size]);
    for (const [from, to] of ranges) program.bytes.set(this.#memory.bytes.subarray(from, to), from);
    const { ret, trap } = program.run([address]);
    if (trap !== 0) return EIO;
    for (const [from, to] of ranges) this.#memory.bytes.set(program.bytes.subarray(from, to), from);
    return ret;
  }

  /** What a packet's bytes and fields take. @returns false: the program will want the heap */
  #gather(address: number, ranges: [number, number][]): boolean {
    const skb = this.#skb.at(address);
    if (skb.cloned !== 0 || skb.hasSharedFrag || skb.fragList !== 0) return false;
    const { head, end } = skb;
    ranges.push([address, address + SIZEOF_SK_BUFF], [head, end + SIZEOF_SKB_SHARED_INFO]);
    const { view } = this.#memory;
    const n = Math.min(view.getUint8(end + S.nrFrags), MAX_FRAGS);
    for (let i = 0; i < n; i++) {
      const frag = end + FRAGS_OFF + FRAG_SIZE * i;
      const from = view.getUint32(frag, true) + view.getUint32(frag + 4, true);
      ranges.push([from, from + view.getUint32(frag + 8, true)]);
    }
    return true;
  }
}
