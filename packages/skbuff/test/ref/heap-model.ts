/**
 * A slow heap that knows only what was promised: blocks lie 16-aligned in the heap, do not touch each other and
 * keep their bytes. It reads nothing of the real heap's state.
 */
import { HEAP_BASE } from "@netoffload/skbuff";

interface Live {
  readonly address: number;
  readonly bytes: number;
  readonly fill: number;
}

/** Bytes a block takes at least: its header and 16-byte steps. */
const need = (bytes: number): number => Math.max(Math.ceil((bytes + 16) / 16) * 16, 32);

export class HeapModel {
  readonly live: Live[] = [];
  readonly #memory: Uint8Array;
  #fill = 0;

  constructor(memory: Uint8Array) {
    this.#memory = memory;
  }

  /** A block was handed out: check its place and mark it. */
  taken(address: number, bytes: number): void {
    if (address % 16 !== 0) throw new Error(`${address} is not 16-aligned`);
    if (address < HEAP_BASE || address + bytes > this.#memory.length)
      throw new Error(`[${address}, ${address + bytes}) leaves the heap`);
    for (const other of this.live)
      if (address - 16 < other.address + other.bytes && other.address - 16 < address + bytes)
        throw new Error(`[${address}, ${address + bytes}) meets [${other.address}, +${other.bytes})`);
    this.#fill = (this.#fill % 251) + 1;
    this.#memory.fill(this.#fill, address, address + bytes);
    this.live.push({ address, bytes, fill: this.#fill });
  }

  /** The allocator said no: right only where no gap is large enough. 16 bytes may stay behind in each block. */
  refused(bytes: number): void {
    const sorted = [...this.live].sort((a, b) => a.address - b.address);
    let from = HEAP_BASE + 256;
    for (const block of [...sorted, { address: this.#memory.length, bytes: 0, fill: 0 }]) {
      const gap = block.address - 16 - from;
      if (gap >= need(bytes) + 64) throw new Error(`${bytes} bytes refused beside a gap of ${gap}`);
      from = block.address - 16 + need(block.bytes);
    }
  }

  /** Choose a block to give back; its bytes must be as they were marked. */
  give(index: number): number {
    const block = this.live[index]!;
    this.check(block);
    this.live.splice(index, 1);
    return block.address;
  }

  check(block: Live): void {
    for (let i = block.address; i < block.address + block.bytes; i++)
      if (this.#memory[i] !== block.fill) throw new Error(`block ${block.address}: byte ${i} was written`);
  }

  /** Every block's bytes, and what the allocator says of their sum. */
  checkAll(used: number, blocks: number): void {
    for (const block of this.live) this.check(block);
    const least = this.live.reduce((sum, block) => sum + need(block.bytes), 0);
    if (blocks !== this.live.length) throw new Error(`${blocks} blocks counted, ${this.live.length} live`);
    if (used < least || used > least + 16 * blocks) throw new Error(`${used} bytes used, ${least} needed`);
  }
}
