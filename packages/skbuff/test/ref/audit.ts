/**
 * What must hold for every skb of a memory, read from the raw bytes by the numbers of the layout alone: geometry,
 * lengths, and that every reference count equals the number of holders.
 */
import type { Memory } from "@netoffload/skbuff";

const HEAD = 8;
const DATA = 12;
const TAIL = 16;
const END = 20;
const LEN = 24;
const DATA_LEN = 28;
const FLAGS = 60;
const USERS = 68;
const CLONED = 1 << 14;

function count(map: Map<number, number>, key: number): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

/**
 * @param roots - addresses of all skbs that the test holds, each once
 * @returns what is wrong, one line each; empty when all is well
 */
export function audit(memory: Memory, roots: readonly number[]): string[] {
  const faults: string[] = [];
  const u32 = (at: number): number => memory.view.getUint32(at, true);
  const held = new Map<number, number>();
  const buffers = new Map<number, number>();
  const pages = new Map<number, number>();
  const seenSkb = new Set<number>();
  const seenBuffer = new Set<number>();
  const ends = new Map<number, number>();
  const todo: number[] = [];
  for (const root of roots) {
    count(held, root);
    todo.push(root);
  }
  for (let skb = todo.pop(); skb !== undefined; skb = todo.pop()) {
    if (seenSkb.has(skb)) continue;
    seenSkb.add(skb);
    if (memory.kernel.heapOwns(skb) === 0) {
      faults.push(`skb ${skb} is no block`);
      continue;
    }
    const [head, data, tail, end] = [u32(skb + HEAD), u32(skb + DATA), u32(skb + TAIL), u32(skb + END)];
    const [len, dataLen] = [u32(skb + LEN), u32(skb + DATA_LEN)];
    if (!(head <= data && data <= tail && tail <= end))
      faults.push(`skb ${skb}: ${head} ${data} ${tail} ${end}`);
    if (end % 8 !== 0) faults.push(`skb ${skb}: end ${end} is not 8-aligned`);
    if (tail - data !== len - dataLen) faults.push(`skb ${skb}: linear ${tail - data}, ${len} - ${dataLen}`);
    if (memory.kernel.heapOwns(head) === 0) faults.push(`skb ${skb}: its buffer ${head} is free`);
    count(buffers, head);
    ends.set(head, end);
    let outside = 0;
    const nrFrags = memory.view.getUint8(end + 2);
    for (let i = 0; i < nrFrags; i++) {
      const frag = end + 24 + 12 * i;
      outside += u32(frag + 8);
      if (!seenBuffer.has(head)) count(pages, u32(frag));
    }
    for (let member = u32(end + 12); member !== 0; member = u32(member)) {
      outside += u32(member + LEN);
      if (!seenBuffer.has(head)) count(held, member);
      todo.push(member);
    }
    seenBuffer.add(head);
    if (outside !== dataLen) faults.push(`skb ${skb}: ${outside} bytes outside, data_len ${dataLen}`);
  }
  for (const [skb, n] of held)
    if (u32(skb + USERS) !== n) faults.push(`skb ${skb}: users ${u32(skb + USERS)}, held ${n}`);
  for (const [head, n] of buffers) {
    const dataref = u32(ends.get(head)! + 16) & 0xffff;
    if (dataref !== n) faults.push(`buffer ${head}: dataref ${dataref}, held ${n}`);
    if (n > 1)
      for (const skb of seenSkb)
        if (u32(skb + HEAD) === head && (u32(skb + FLAGS) & CLONED) === 0)
          faults.push(`skb ${skb}: not marked cloned`);
  }
  for (const [page, n] of pages)
    if (memory.kernel.blockRefs(page) !== n)
      faults.push(`page ${page}: ${memory.kernel.blockRefs(page)}, held ${n}`);
  const blocks = seenSkb.size + buffers.size + pages.size;
  if (memory.kernel.heapBlocks() !== blocks)
    faults.push(`${memory.kernel.heapBlocks()} blocks, ${blocks} reachable`);
  const broken = memory.kernel.heapCheck();
  if (broken !== 0) faults.push(`heap: block ${broken}`);
  return faults;
}

/** The packet's bytes by a walk over the raw structures, frag_list members recursively. */
export function slowBytes(memory: Memory, skb: number): number[] {
  const u32 = (at: number): number => memory.view.getUint32(at, true);
  const out: number[] = [];
  for (let at = u32(skb + DATA); at < u32(skb + TAIL); at++) out.push(memory.bytes[at]!);
  const end = u32(skb + END);
  for (let i = 0; i < memory.view.getUint8(end + 2); i++) {
    const frag = end + 24 + 12 * i;
    for (let k = 0; k < u32(frag + 8); k++) out.push(memory.bytes[u32(frag) + u32(frag + 4) + k]!);
  }
  for (let member = u32(end + 12); member !== 0; member = u32(member)) out.push(...slowBytes(memory, member));
  return out;
}
