// The heap as others call it: addresses from outside are checked before they are believed, and the whole heap can
// be walked. No part of a program.
import { blockGet, blockPut, blockRefs, kfree } from "./alloc";
import { HEAP_BASE } from "./memory-map";

const MAGIC: u32 = 0x4f46464e;
const FIRST_BLOCK: u32 = HEAP_BASE + 160;
const BINS: u32 = 28;

/** True when the address is one that kmalloc gave and that is not freed yet. */
export function heapOwns(address: u32): bool {
  const limit = load<u32>(HEAP_BASE, 4);
  if (address & 15 || address < FIRST_BLOCK + 16 || address >= limit) return false;
  const tag = load<u32>(address - 16);
  if ((tag & 15) !== 1 || tag - 1 > limit - address) return false;
  return load<u32>(address - 17 + tag, 4) === tag - 1;
}

/** Free a block; 0 is ignored. @returns false: no used block, nothing changed */
export function kfreeChecked(address: u32): bool {
  if (address === 0) return true;
  if (!heapOwns(address)) return false;
  kfree(address);
  return true;
}

/** One more reference. @returns false: no used block, nothing changed */
export function blockGetChecked(address: u32): bool {
  if (!heapOwns(address)) return false;
  blockGet(address);
  return true;
}

/** One reference less; the last one frees the block. @returns false: no used block, nothing changed */
export function blockPutChecked(address: u32): bool {
  if (!heapOwns(address)) return false;
  blockPut(address);
  return true;
}

/** References to a block; 0: no used block. */
export function blockRefsChecked(address: u32): u32 {
  return heapOwns(address) ? blockRefs(address) : 0;
}

/** The free block is in its list, linked both ways. */
function listed(block: u32, size: u32): bool {
  const bin = HEAP_BASE + 32 + ((31 - clz<u32>(size)) - 5) * 4;
  const next = load<u32>(block, 8);
  const previous = load<u32>(block, 12);
  if (next && load<u32>(next, 12) !== block) return false;
  return previous ? load<u32>(previous, 8) === block : load<u32>(bin) === block;
}

function poisoned(from: u32, to: u32): bool {
  for (; from < to; from += 4) if (load<u32>(from) !== 0xa5a5_a5a5) return false;
  return true;
}

/**
 * What must hold between any two calls: tags, sizes, lists, counters and, in a poisoned heap, that no free byte was
 * written. Slow: for tests and for finding a culprit.
 * @returns 0, or the address of the first block at fault; HEAP_BASE for the heap's own state
 */
export function heapCheck(): u32 {
  const limit = load<u32>(HEAP_BASE, 4);
  if (load<u32>(HEAP_BASE) !== MAGIC) return HEAP_BASE;
  const poison = load<u32>(HEAP_BASE, 16);
  const sentinel = FIRST_BLOCK + ((limit - FIRST_BLOCK - 16) & ~15);
  let block = FIRST_BLOCK;
  let before: u32 = 0;
  let beforeFree = false;
  let used: u32 = 0;
  let blocks: u32 = 0;
  let free: u32 = 0;
  while (block < sentinel) {
    const tag = load<u32>(block);
    const size = tag & ~1;
    const isFree = (tag & 1) === 0;
    if (size < 32 || size & 15 || size > sentinel - block || load<u32>(block, 4) !== before) return block;
    if (isFree) {
      if (beforeFree || !listed(block, size)) return block;
      if (poison && !poisoned(block + 16, block + size)) return block;
      free++;
    } else {
      if (load<u32>(block, 8) === 0) return block;
      used += size;
      blocks++;
    }
    before = size;
    beforeFree = isFree;
    block += size;
  }
  if (load<u32>(sentinel) !== 1 || load<u32>(sentinel, 4) !== before) return sentinel;
  if (used !== load<u32>(HEAP_BASE, 8) || blocks !== load<u32>(HEAP_BASE, 12)) return HEAP_BASE;
  for (let i: u32 = 0; i < BINS; i++) {
    let entry = load<u32>(HEAP_BASE + 32 + i * 4);
    for (; entry && free; free--) entry = load<u32>(entry, 8);
    if (entry) return HEAP_BASE;
  }
  return free ? HEAP_BASE : 0;
}
