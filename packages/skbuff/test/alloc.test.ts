import { HEAP_BASE, Memory, SkbuffError } from "@netoffload/skbuff";
import { describe, expect, it } from "vitest";
import { HeapModel } from "./ref/heap-model.ts";
import { Random, seed } from "./ref/random.ts";

const SMALL = 2 << 20;
const memory = (): Memory => Memory.create({ bytes: SMALL, poison: true });

describe("heap", () => {
  it("starts empty and sound", () => {
    const { kernel } = memory();
    expect(kernel.heapUsed()).toBe(0);
    expect(kernel.heapBlocks()).toBe(0);
    expect(kernel.heapCheck()).toBe(0);
  });

  it("gives 16-aligned blocks of every small size, apart from each other", () => {
    const m = memory();
    const model = new HeapModel(m.bytes);
    for (let bytes = 0; bytes < 300; bytes++) model.taken(m.alloc(bytes), bytes);
    model.checkAll(m.kernel.heapUsed(), m.kernel.heapBlocks());
    expect(m.kernel.heapCheck()).toBe(0);
  });

  it("uses a freed block again", () => {
    const m = memory();
    const a = m.alloc(100);
    const guard = m.alloc(16);
    m.free(a);
    expect(m.alloc(100)).toBe(a);
    m.free(guard);
  });

  it.each([
    ["forwards", [0, 1, 2]],
    ["backwards", [2, 1, 0]],
    ["the middle last", [0, 2, 1]],
    ["the middle first", [1, 0, 2]],
  ])("joins neighbours that are freed %s", (_, order) => {
    const m = memory();
    const blocks = [m.alloc(1000), m.alloc(1000), m.alloc(1000)];
    const guard = m.alloc(16);
    for (const i of order) {
      m.free(blocks[i]!);
      expect(m.kernel.heapCheck()).toBe(0);
    }
    // only one piece of all three holds this
    expect(m.alloc(3000)).toBe(blocks[0]);
    m.free(guard);
  });

  it("becomes one block again when everything is freed", () => {
    const m = memory();
    const whole = m.size - HEAP_BASE - 160 - 16 - 16;
    const all = m.alloc(whole);
    expect(all).not.toBe(0);
    m.free(all);
    const blocks = Array.from({ length: 200 }, (_, i) => m.alloc(i * 7));
    for (const block of blocks.reverse()) m.free(block);
    expect(m.kernel.heapUsed()).toBe(0);
    expect(m.alloc(whole)).toBe(all);
  });

  it("answers 0 when memory is exhausted and goes on afterwards", () => {
    const m = memory();
    expect(m.alloc(SMALL)).toBe(0);
    expect(m.alloc(0xffff_ffff)).toBe(0);
    expect(m.alloc(0xf000_0001)).toBe(0);
    const blocks: number[] = [];
    for (let at = m.alloc(10_000); at !== 0; at = m.alloc(10_000)) blocks.push(at);
    expect(blocks.length).toBeGreaterThan(100);
    expect(m.kernel.allocSkb(20_000)).toBe(0);
    expect(m.kernel.heapCheck()).toBe(0);
    for (const block of blocks) m.free(block);
    expect(m.kernel.heapUsed()).toBe(0);
  });

  it("refuses a second free and what it never gave", () => {
    const m = memory();
    const a = m.alloc(64);
    const b = m.alloc(64);
    const c = m.alloc(64);
    m.free(a);
    m.free(b);
    const used = m.kernel.heapUsed();
    // b was joined to a: its old tag lies inside a free block
    for (const wrong of [a, b, c + 16, c + 8, c + 1, 16, HEAP_BASE, m.size, m.size - 16, 0xffff_fff0]) {
      expect(m.kernel.kfree(wrong), String(wrong)).toBe(0);
      expect(() => m.free(wrong)).toThrow(SkbuffError);
      expect(m.kernel.blockPut(wrong)).toBe(0);
      expect(m.kernel.blockGet(wrong)).toBe(0);
      expect(m.kernel.blockRefs(wrong)).toBe(0);
    }
    expect(m.kernel.heapUsed()).toBe(used);
    expect(m.kernel.heapCheck()).toBe(0);
    m.free(0);
    m.free(c);
    expect(m.kernel.heapUsed()).toBe(0);
  });

  it("counts references: the last one frees", () => {
    const m = memory();
    const a = m.alloc(64);
    expect(m.kernel.blockRefs(a)).toBe(1);
    m.kernel.blockGet(a);
    m.kernel.blockPut(a);
    expect(m.kernel.heapOwns(a)).toBe(1);
    m.kernel.blockPut(a);
    expect(m.kernel.heapOwns(a)).toBe(0);
    expect(m.kernel.heapUsed()).toBe(0);
  });

  it("fills freed bytes with poison and sees a write after the free", () => {
    const m = memory();
    const a = m.alloc(64);
    const guard = m.alloc(64);
    m.bytes.fill(1, a, a + 64);
    m.free(a);
    expect(m.bytes.subarray(a, a + 64).every((byte) => byte === 0xa5)).toBe(true);
    expect(m.kernel.heapCheck()).toBe(0);
    m.bytes[a + 40] = 0;
    expect(m.kernel.heapCheck()).toBe(a - 16);
    m.bytes[a + 40] = 0xa5;
    m.free(guard);
    expect(m.kernel.heapCheck()).toBe(0);
  });

  it("sees a write beyond a block", () => {
    const m = memory();
    const a = m.alloc(64);
    const b = m.alloc(64);
    m.bytes.fill(0xff, a + 64, a + 68);
    expect(m.kernel.heapCheck()).toBe(b - 16);
  });

  it("writes nothing below the heap", () => {
    const m = memory();
    const before = m.bytes.slice(0x2_0000, HEAP_BASE);
    m.free(m.alloc(1000));
    expect(m.bytes.subarray(0, 0x1_0000).every((byte) => byte === 0xa5)).toBe(true);
    expect(m.bytes.slice(0x2_0000, HEAP_BASE)).toEqual(before);
  });

  it.each([0, 1, 2, 3])(`random sequences against the model (SEED=${seed}, run %i)`, (run) => {
    const random = new Random(seed + run);
    const m = Memory.create({ bytes: SMALL, poison: run % 2 === 0 });
    const model = new HeapModel(m.bytes);
    for (let step = 0; step < 3000; step++) {
      // runs of growing and of shrinking
      const grow = (step >> 8) % 2 === 0 ? 3 : 5;
      if (model.live.length === 0 || random.below(8) >= grow) {
        const bytes = random.oneIn(20) ? random.below(200_000) : random.below(random.oneIn(4) ? 9000 : 300);
        const at = m.alloc(bytes);
        if (at === 0) {
          model.refused(bytes);
        } else model.taken(at, bytes);
      } else m.free(model.give(random.below(model.live.length)));
      if (step % 16 === 0) expect(m.kernel.heapCheck()).toBe(0);
      if (step % 256 === 0) model.checkAll(m.kernel.heapUsed(), m.kernel.heapBlocks());
    }
    while (model.live.length > 0) m.free(model.give(model.live.length - 1));
    expect([m.kernel.heapUsed(), m.kernel.heapBlocks(), m.kernel.heapCheck()]).toEqual([0, 0, 0]);
  });
});

describe("Memory.create", () => {
  it("never grows and says what it cannot make", () => {
    const m = memory();
    expect(m.size).toBe(SMALL);
    expect(m.bytes.length).toBe(SMALL);
    expect(() => m.wasm.grow(1)).toThrow(RangeError);
    for (const bytes of [0, -1, Number.NaN, (2 << 20) - 1, 2 ** 32])
      expect(() => Memory.create({ bytes }), String(bytes)).toThrow(SkbuffError);
  });

  it("rounds up to whole pages", () => {
    expect(Memory.create({ bytes: SMALL + 1 }).size).toBe(SMALL + 65_536);
  });
});
