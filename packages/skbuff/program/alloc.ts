// The heap of a linear memory: blocks with boundary tags and free lists by size. All state lies in the memory
// itself (from HEAP_BASE), so that programs, host and device work with the same heap by the same code.
//
//   state = { magic, limit, bytes used, blocks used, poison u32 }, lists from BINS_OFF
//   block = { size | used u32, size of the block before u32, references u32, pad u32, payload.. }
//   free block: { size u32, size before u32, next u32, previous u32, poison.. }
// In a poisoned heap free payloads hold 0xa5, so that heapCheck sees writes after a free. Callers here are the
// operations of skbs, whose addresses are right; what comes from outside goes through heap-check.ts first.
import { HEAP_BASE } from "./memory-map";

const MAGIC: u32 = 0x4f46464e;
const HEADER: u32 = 16;
const USED: u32 = 1;
const MIN_BLOCK: u32 = 32;
/** Lists by floor(log2(size)), from 32 bytes on. */
const BINS_OFF: u32 = 32;
const BINS: u32 = 28;
const POISON_OFF: usize = 16;
const POISON: u32 = 0xa5;
const FIRST_BLOCK: u32 = HEAP_BASE + 160;
/** Blocks of a list looked at before a larger list is taken: keeps the search short. */
const SEARCH: i32 = 16;

// @ts-expect-error: decorator
@inline
function sizeOf(block: u32): u32 {
  return load<u32>(block) & ~USED;
}

// @ts-expect-error: decorator
@inline
function binOf(size: u32): u32 {
  return HEAP_BASE + BINS_OFF + ((31 - clz<u32>(size)) - 5) * 4;
}

/** Lay an empty heap out. @param limit - bytes of the memory */
export function heapInit(limit: u32): void {
  store<u32>(HEAP_BASE, MAGIC);
  store<u32>(HEAP_BASE, limit, 4);
  store<u32>(HEAP_BASE, 0, 8);
  store<u32>(HEAP_BASE, 0, 12);
  store<u32>(HEAP_BASE, 0, POISON_OFF);
  for (let i: u32 = 0; i < BINS; i++) store<u32>(HEAP_BASE + BINS_OFF + i * 4, 0);
  const size = (limit - FIRST_BLOCK - HEADER) & ~15;
  // the sentinel at the end counts as used, so that nothing is ever joined with it
  const sentinel = FIRST_BLOCK + size;
  store<u32>(sentinel, USED);
  store<u32>(sentinel, size, 4);
  store<u32>(FIRST_BLOCK, 0, 4);
  putFree(FIRST_BLOCK, size);
}

/** Bytes handed out and not freed, block headers included. */
export function heapUsed(): u32 {
  return load<u32>(HEAP_BASE, 8);
}

/** Blocks handed out and not freed. */
export function heapBlocks(): u32 {
  return load<u32>(HEAP_BASE, 12);
}

/** From now on fill what is freed, and what is free already, with 0xa5. */
export function heapPoison(): void {
  store<u32>(HEAP_BASE, 1, POISON_OFF);
  for (let block = FIRST_BLOCK; sizeOf(block); block += sizeOf(block))
    if (!(load<u32>(block) & USED)) memory.fill(block + HEADER, <u8>POISON, sizeOf(block) - HEADER);
}

function putFree(block: u32, size: u32): void {
  const bin = binOf(size);
  const next = load<u32>(bin);
  store<u32>(block, size);
  store<u32>(block, next, 8);
  store<u32>(block, 0, 12);
  if (next) store<u32>(next, block, 12);
  store<u32>(bin, block);
  store<u32>(block + size, size, 4);
}

function takeFree(block: u32, size: u32): void {
  const next = load<u32>(block, 8);
  const previous = load<u32>(block, 12);
  if (next) store<u32>(next, previous, 12);
  if (previous) store<u32>(previous, next, 8);
  else store<u32>(binOf(size), next);
}

function findFree(need: u32): u32 {
  const first = binOf(need);
  let block = load<u32>(first);
  for (let i = 0; block && i < SEARCH; i++) {
    if (sizeOf(block) >= need) return block;
    block = load<u32>(block, 8);
  }
  const end = HEAP_BASE + BINS_OFF + BINS * 4;
  for (let bin = first + 4; bin < end; bin += 4) {
    block = load<u32>(bin);
    if (block) return block;
  }
  // the long way through the own list, before memory is called exhausted
  block = load<u32>(first);
  while (block && sizeOf(block) < need) block = load<u32>(block, 8);
  return block;
}

/** Allocate bytes, 16-aligned, content undefined, one reference. @returns the address, 0: out of memory */
export function kmalloc(bytes: u32): u32 {
  if (bytes > 0xf000_0000) return 0;
  const need = max<u32>((bytes + HEADER + 15) & ~15, MIN_BLOCK);
  const block = findFree(need);
  if (block === 0) return 0;
  let size = sizeOf(block);
  takeFree(block, size);
  if (size - need >= MIN_BLOCK) {
    const rest = block + need;
    store<u32>(rest, need, 4);
    putFree(rest, size - need);
    size = need;
  }
  store<u32>(block, size | USED);
  store<u32>(block, 1, 8);
  store<u32>(HEAP_BASE, load<u32>(HEAP_BASE, 8) + size, 8);
  store<u32>(HEAP_BASE, load<u32>(HEAP_BASE, 12) + 1, 12);
  return block + HEADER;
}

/** Free a block whatever its references; 0 is ignored. A block that is free already stays as it is. */
export function kfree(address: u32): void {
  if (address === 0) return;
  let block = address - HEADER;
  let size = sizeOf(block);
  if (!(load<u32>(block) & USED)) return;
  store<u32>(HEAP_BASE, load<u32>(HEAP_BASE, 8) - size, 8);
  store<u32>(HEAP_BASE, load<u32>(HEAP_BASE, 12) - 1, 12);
  // a tag that stays inside a joined block must not look used
  store<u32>(block, 0);
  const poison = load<u32>(HEAP_BASE, POISON_OFF);
  if (poison) memory.fill(block + HEADER, <u8>POISON, size - HEADER);
  const after = block + size;
  const afterSize = load<u32>(after);
  if (!(afterSize & USED)) {
    takeFree(after, afterSize);
    size += afterSize;
    if (poison) memory.fill(after, <u8>POISON, HEADER);
  }
  const beforeSize = load<u32>(block, 4);
  if (beforeSize) {
    const before = block - beforeSize;
    if (!(load<u32>(before) & USED)) {
      takeFree(before, beforeSize);
      if (poison) memory.fill(block, <u8>POISON, HEADER);
      block = before;
      size += beforeSize;
    }
  }
  putFree(block, size);
}

/** One more reference to a block. */
export function blockGet(address: u32): void {
  store<u32>(address - HEADER, load<u32>(address - HEADER, 8) + 1, 8);
}

/** One reference less; the last one frees the block. */
export function blockPut(address: u32): void {
  const references = load<u32>(address - HEADER, 8) - 1;
  store<u32>(address - HEADER, references, 8);
  if (references === 0) kfree(address);
}

/** References to a block. */
export function blockRefs(address: u32): u32 {
  return load<u32>(address - HEADER, 8);
}
