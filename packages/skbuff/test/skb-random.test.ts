import { Memory, type SkBuff, skbFromBytes } from "@netoffload/skbuff";
import { describe, expect, it } from "vitest";
import { audit, slowBytes } from "./ref/audit.ts";
import { Random, seed } from "./ref/random.ts";

const ENOMEM = -12;

/** What a packet is: bytes, how many of them are linear, free bytes before. Nothing of where they lie. */
interface Model {
  readonly skb: SkBuff;
  bytes: Uint8Array;
  headlen: number;
  headroom: number;
}

/** A sequence of operations on a pool of packets that share buffers, pages and list members. */
class Run {
  readonly pool: Model[] = [];
  readonly log: string[] = [];
  failures = 0;
  readonly random: Random;
  readonly memory: Memory;

  constructor(random: Random, memory: Memory) {
    this.random = random;
    this.memory = memory;
  }

  cut(total: number): number[] {
    const { random } = this;
    return Array.from({ length: random.below(4) }, () => random.below(Math.floor(total / 8) + 1));
  }

  make(depth = 0): Model | null {
    const { random } = this;
    const bytes = random.bytes(random.below(depth === 0 ? 600 : 120));
    const frags = this.cut(bytes.length);
    const fragList = depth < 2 && random.oneIn(2) ? this.cut(bytes.length) : [];
    const headroom = random.below(100);
    const options = { headroom, tailroom: random.below(64), frags, fragList };
    const skb = skbFromBytes(this.memory, bytes, options);
    if (skb === null) return this.failed();
    const outside = [...frags, ...fragList].reduce((a, b) => a + b, 0);
    const model = { skb, bytes, headlen: bytes.length - outside, headroom };
    // members that are themselves nonlinear, two levels deep at most
    while (depth < 2 && random.oneIn(3)) {
      const member = this.make(depth + 1);
      if (member === null) break;
      this.memory.kernel.skbAddFragList(skb.address, member.skb.address);
      model.bytes = Uint8Array.from([...model.bytes, ...member.bytes]);
    }
    return model;
  }

  failed(): null {
    this.failures++;
    return null;
  }

  /** A sharer's linear part must be its own before bytes of it, or around it, are written. */
  own(model: Model): boolean {
    if (model.skb.skbEnsureWritable(0) === 0) return true;
    this.failures++;
    return false;
  }

  share(model: Model, made: SkBuff | null, headlen: number): void {
    if (made === null) this.failures++;
    else this.pool.push({ skb: made, bytes: model.bytes.slice(), headlen, headroom: model.headroom });
  }

  write(at: number, bytes: Uint8Array): void {
    this.memory.bytes.set(bytes, at);
  }

  step(): void {
    const { random, pool } = this;
    if (pool.length === 0 || (pool.length < 8 && random.oneIn(6))) {
      const made = this.make();
      this.log.push(`make ${made?.bytes.length}`);
      if (made !== null) pool.push(made);
      return;
    }
    const model = random.pick(pool);
    const { skb } = model;
    const n = random.below(random.oneIn(8) ? 1000 : model.bytes.length + 2);
    const op = random.below(14);
    this.log.push(`op ${op} n ${n} on ${skb.address} len ${model.bytes.length} headlen ${model.headlen}`);
    switch (op) {
      case 0:
        this.share(model, skb.skbClone(), model.headlen);
        break;
      case 1:
        this.share(model, skb.skbCopy(), model.bytes.length);
        break;
      case 2:
        this.share(model, skb.pskbCopy(), model.headlen);
        break;
      case 3:
      case 4:
        skb.kfreeSkb();
        pool.splice(pool.indexOf(model), 1);
        break;
      case 5: {
        if (!this.own(model)) break;
        const bytes = random.bytes(random.below(20));
        if (bytes.length > model.headroom) {
          expect(() => skb.skbPush(bytes.length)).toThrow("skbPush");
          break;
        }
        this.write(skb.skbPush(bytes.length), bytes);
        model.bytes = Uint8Array.from([...bytes, ...model.bytes]);
        model.headlen += bytes.length;
        model.headroom -= bytes.length;
        break;
      }
      case 6:
        if (n > model.bytes.length) expect(skb.skbPull(n)).toBeNull();
        else if (n > model.headlen) expect(() => skb.skbPull(n)).toThrow("skbPull");
        else {
          expect(skb.skbPull(n)).toBe(skb.data);
          model.bytes = model.bytes.slice(n);
          model.headlen -= n;
          model.headroom += n;
        }
        break;
      case 7:
        if (skb.pskbMayPull(n)) {
          expect(n).toBeLessThanOrEqual(model.bytes.length);
          model.headlen = Math.max(model.headlen, n);
        } else if (n <= model.bytes.length) this.failures++;
        break;
      case 8: {
        if (!this.own(model)) break;
        const bytes = random.bytes(random.below(20));
        if (model.headlen !== model.bytes.length || bytes.length > skb.tailroom) {
          if (bytes.length > 0 || skb.isNonlinear) expect(() => skb.skbPut(bytes.length)).toThrow("skbPut");
          break;
        }
        this.write(skb.skbPut(bytes.length), bytes);
        model.bytes = Uint8Array.from([...model.bytes, ...bytes]);
        model.headlen += bytes.length;
        break;
      }
      case 9: {
        const was = skb.isNonlinear;
        skb.skbTrim(n);
        if (was || n >= model.bytes.length) break;
        model.bytes = model.bytes.slice(0, n);
        model.headlen = n;
        break;
      }
      case 10: {
        const result = skb.pskbTrim(n);
        if (result === ENOMEM) this.failures++;
        else {
          expect(result).toBe(0);
          model.bytes = model.bytes.slice(0, n);
          model.headlen = Math.min(model.headlen, n);
        }
        break;
      }
      case 11:
        if (skb.skbLinearize() === 0) model.headlen = model.bytes.length;
        else this.failures++;
        break;
      case 12: {
        const result = skb.skbEnsureWritable(n);
        if (result !== 0) {
          expect(result).toBe(ENOMEM);
          if (n <= model.bytes.length) {
            this.failures++;
            // the pull may have been done before memory ran out
            model.headlen = skb.headlen;
          }
          break;
        }
        model.headlen = Math.max(model.headlen, n);
        const bytes = random.bytes(n);
        this.write(skb.data, bytes);
        model.bytes.set(bytes);
        break;
      }
      default: {
        const nhead = random.below(64);
        const result = skb.pskbExpandHead(nhead, random.below(64));
        if (result === ENOMEM) this.failures++;
        else {
          expect(result).toBe(0);
          model.headroom += nhead;
        }
      }
    }
  }

  check(): void {
    const faults = audit(
      this.memory,
      this.pool.map((model) => model.skb.address),
    );
    for (const model of this.pool) {
      const { skb, bytes } = model;
      if (skb.len !== bytes.length || skb.headlen !== model.headlen || skb.headroom !== model.headroom)
        faults.push(
          `${skb.address}: len ${skb.len} headlen ${skb.headlen} headroom ${skb.headroom}, model ${bytes.length} ${model.headlen} ${model.headroom}`,
        );
      if (Buffer.compare(Buffer.from(slowBytes(this.memory, skb.address)), bytes) !== 0)
        faults.push(`${skb.address}: bytes differ`);
    }
    if (faults.length > 0) throw new Error(`${faults.join("\n")}\nafter\n${this.log.slice(-6).join("\n")}`);
  }

  /** copy_bits and header pointers of any range. */
  read(scratch: number): void {
    const { random, memory } = this;
    for (const { skb, bytes } of this.pool) {
      const from = random.below(bytes.length + 3);
      const n = random.below(bytes.length + 3);
      const result = memory.kernel.skbCopyBits(skb.address, from, scratch, n);
      expect(result).toBe(from + n <= bytes.length ? 0 : -14);
      if (result === 0) expect(memory.bytes.slice(scratch, scratch + n)).toEqual(bytes.slice(from, from + n));
      const at = memory.kernel.skbHeaderPointer(skb.address, from, n, scratch) >>> 0;
      if (from + n > bytes.length) expect(at).toBe(0);
      else expect(memory.bytes.slice(at, at + n)).toEqual(bytes.slice(from, from + n));
      if (at !== 0) expect(at).toBe(from + n <= skb.headlen ? skb.data + from : scratch);
    }
  }
}

describe(`random operations against the model (SEED=${seed})`, () => {
  it.each([0, 1, 2, 3, 4, 5])("with enough memory, run %i", (run) => {
    const memory = Memory.create({ bytes: 4 << 20, poison: true });
    const r = new Run(new Random(seed + run), memory);
    for (let step = 0; step < 600; step++) {
      r.step();
      r.check();
    }
    const scratch = memory.alloc(8192);
    r.read(scratch);
    memory.free(scratch);
    expect(r.failures).toBe(0);
    for (const { skb } of r.pool) skb.kfreeSkb();
    expect([memory.kernel.heapUsed(), memory.kernel.heapCheck()]).toEqual([0, 0]);
  });

  it("with memory short: every failure leaves the packets as they were", () => {
    const memory = Memory.create({ bytes: 2 << 20, poison: true });
    // leave about 8 KiB
    const ballast = memory.alloc(memory.size - 0x10_0000 - 8192);
    expect(ballast).not.toBe(0);
    let failures = 0;
    for (let run = 0; run < 12; run++) {
      const r = new Run(new Random(seed + 100 + run), memory);
      const check = r.check.bind(r);
      for (let step = 0; step < 300; step++) {
        r.step();
        // the ballast is a block that no packet reaches
        try {
          check();
        } catch (error) {
          const lines = String(error).split("\n");
          const real = lines
            .slice(0, lines.indexOf("after"))
            .filter((line) => !/blocks, \d+ reachable$/.test(line));
          if (real.length > 0) throw error;
        }
      }
      failures += r.failures;
      for (const { skb } of r.pool) skb.kfreeSkb();
      expect(memory.kernel.heapBlocks()).toBe(1);
    }
    expect(failures).toBeGreaterThan(20);
  });
});
