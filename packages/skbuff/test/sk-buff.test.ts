import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  MAX_SKB_FRAGS,
  Memory,
  SKB_SHARED_INFO_OFF,
  SKBFL_SHARED_FRAG,
  SkBuff,
  SkbuffError,
  skbFromBytes,
} from "@netoffload/skbuff";
import { beforeEach, describe, expect, it } from "vitest";
import { audit, slowBytes } from "./ref/audit.ts";

const ENOMEM = -12;
const EFAULT = -14;
let memory = Memory.create({ bytes: 2 << 20 });
beforeEach(() => {
  memory = Memory.create({ bytes: 2 << 20, poison: true });
});

const count = (n: number, from = 0): Uint8Array => Uint8Array.from({ length: n }, (_, i) => (i + from) & 255);
const make = (n: number, layout: Parameters<typeof skbFromBytes>[2] = {}): SkBuff =>
  skbFromBytes(memory, count(n), { headroom: 32, ...layout })!;
/** Take what is left of the memory. */
function exhaust(): void {
  for (let size = 1 << 21; size >= 1; size >>= 1) while (memory.alloc(size) !== 0);
}
const sound = (...skbs: SkBuff[]): void =>
  expect(
    audit(
      memory,
      skbs.map((skb) => skb.address),
    ),
  ).toEqual([]);
const code = (error: unknown): string => (error as SkbuffError).code;
function thrown(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(SkbuffError);
    return code(error);
  }
  return "nothing";
}

describe("alloc", () => {
  it("gives an empty skb whose every field is set, in poisoned memory too", () => {
    const skb = SkBuff.alloc(memory, 100)!;
    expect([skb.len, skb.dataLen, skb.headroom, skb.users, skb.dataref]).toEqual([0, 0, 0, 1, 1]);
    expect(skb.tailroom).toBeGreaterThanOrEqual(100);
    expect([skb.macHeader, skb.transportHeader, skb.networkHeader]).toEqual([0xffff, 0xffff, 0]);
    expect([skb.macHeaderWasSet, skb.transportHeaderWasSet]).toEqual([false, false]);
    expect([skb.csum, skb.ipSummed, skb.protocol, skb.hash, skb.mark, skb.next]).toEqual([0, 0, 0, 0, 0, 0]);
    expect([skb.gsoSize, skb.gsoSegs, skb.gsoType, skb.nrFrags, skb.fragList, skb.shinfoFlags]).toEqual([
      0, 0, 0, 0, 0, 0,
    ]);
    expect(skb.end % 8).toBe(0);
    sound(skb);
  });

  it("answers null without memory and leaves nothing behind", () => {
    exhaust();
    const used = memory.kernel.heapUsed();
    expect(SkBuff.alloc(memory, 1000)).toBeNull();
    expect(skbFromBytes(memory, count(500), { frags: [100] })).toBeNull();
    expect(memory.kernel.heapUsed()).toBe(used);
    expect(memory.kernel.allocSkb(0xffff_fff8)).toBe(0);
  });

  it("gives everything back when a layout does not fit", () => {
    const hold = memory.alloc(memory.size - 0x10_0000 - 4000);
    const used = memory.kernel.heapUsed();
    for (let n = 0; n < 40; n++)
      skbFromBytes(memory, count(2600), { frags: [600, 700], fragList: [400, n * 17] })?.kfreeSkb();
    expect(memory.kernel.heapUsed()).toBe(used);
    memory.free(hold);
  });

  it("refuses a layout that does not add up", () => {
    expect(thrown(() => make(10, { frags: [11] }))).toBe("EINVAL");
    expect(thrown(() => make(100, { frags: new Array(18).fill(1) }))).toBe("EINVAL");
    expect(memory.kernel.heapUsed()).toBe(0);
  });
});

describe("put, push, pull, trim, reserve", () => {
  it("move the borders and nothing else", () => {
    const skb = SkBuff.alloc(memory, 100)!;
    skb.skbReserve(40);
    expect([skb.headroom, skb.len]).toEqual([40, 0]);
    const at = skb.skbPut(20);
    expect([at, skb.len, skb.tail - skb.data]).toEqual([skb.data, 20, 20]);
    expect(skb.skbPush(14)).toBe(at - 14);
    expect([skb.headroom, skb.len]).toEqual([26, 34]);
    expect(skb.skbPull(4)).toBe(at - 10);
    expect([skb.headroom, skb.len]).toEqual([30, 30]);
    skb.skbTrim(5);
    expect([skb.len, skb.tail - skb.data]).toEqual([5, 5]);
    skb.skbTrim(6);
    expect(skb.len).toBe(5);
    sound(skb);
  });

  it("panic where the kernel panics, and change nothing", () => {
    const skb = make(50);
    const { headroom, tailroom } = skb;
    expect(thrown(() => skb.skbPush(headroom + 1))).toBe("skb_under_panic");
    expect(thrown(() => skb.skbPut(tailroom + 1))).toBe("skb_over_panic");
    expect(thrown(() => skb.skbReserve(tailroom + 1))).toBe("skb_over_panic");
    expect(thrown(() => skb.skbPush(0xffff_ffff))).toBe("skb_under_panic");
    expect(thrown(() => skb.skbPut(0xffff_ffff))).toBe("skb_over_panic");
    expect(skb.skbPull(51)).toBeNull();
    expect([skb.headroom, skb.tailroom, skb.len]).toEqual([headroom, tailroom, 50]);
    expect(skb.toBytes()).toEqual(count(50));
    skb.skbPush(headroom);
    skb.skbPut(tailroom);
    sound(skb);
  });

  it("on a nonlinear skb: no put, no trim, no tailroom, no pull into the frags", () => {
    const skb = make(50, { frags: [20], tailroom: 64 });
    expect(skb.tailroom).toBe(0);
    expect(thrown(() => skb.skbPut(1))).toBe("skb_over_panic");
    skb.skbTrim(10);
    expect(skb.len).toBe(50);
    expect(thrown(() => skb.skbPull(31))).toBe("skb_pull_panic");
    expect(skb.skbPull(51)).toBeNull();
    expect(skb.skbPull(30)).toBe(skb.tail);
    expect(skb.headlen).toBe(0);
    sound(skb);
  });

  it("push after pull brings the bytes back, and csum is not touched", () => {
    const skb = make(50);
    skb.ipSummed = CHECKSUM_COMPLETE;
    skb.csum = 0x1234_5678;
    skb.skbPull(14);
    skb.skbPush(14);
    expect(skb.toBytes()).toEqual(count(50));
    expect([skb.ipSummed, skb.csum]).toEqual([CHECKSUM_COMPLETE, 0x1234_5678]);
  });
});

describe("header offsets", () => {
  it("count from head and stay with their bytes", () => {
    const skb = make(60);
    skb.resetMacHeader();
    skb.skbPull(14);
    skb.resetNetworkHeader();
    skb.resetMacLen();
    skb.skbPull(20);
    skb.resetTransportHeader();
    expect([skb.macOffset, skb.networkOffset, skb.transportOffset]).toEqual([-34, -20, 0]);
    expect([skb.macLen, skb.networkHeaderLen]).toEqual([14, 20]);
    skb.skbPush(34);
    expect([skb.macOffset, skb.networkOffset, skb.transportOffset]).toEqual([0, 14, 34]);
    skb.resetInnerHeaders();
    expect([skb.innerNetworkOffset, skb.innerTransportOffset, skb.innerNetworkHeaderLen]).toEqual([
      14, 34, 20,
    ]);
    skb.transportHeader = 0;
    expect(skb.networkHeaderLen).toBe(2 ** 32 - skb.networkHeader);
  });

  it("setHash says whether ports are in it", () => {
    const skb = make(1);
    skb.swHash = 1;
    skb.setHash(0xdead_beef, 3);
    expect([skb.hash, skb.l4Hash, skb.swHash]).toEqual([0xdead_beef, 1, 0]);
    skb.setHash(1, 2);
    expect(skb.l4Hash).toBe(0);
  });

  it("a tag may be 0: its protocol makes it present", () => {
    const skb = make(1);
    expect(skb.vlanTagPresent).toBe(false);
    skb.vlanProto = 0x8100;
    expect(skb.vlanTagPresent).toBe(true);
  });
});

describe("pskbMayPull, skbLinearize", () => {
  const layout = { frags: [10, 0, 20], fragList: [15, 5] };

  it("moves just the bytes that are asked for", () => {
    const skb = make(100, layout);
    expect([skb.headlen, skb.dataLen, skb.nrFrags]).toEqual([50, 50, 3]);
    expect(skb.pskbMayPull(50)).toBe(true);
    expect(skb.headlen).toBe(50);
    for (const [n, frags] of [
      // an empty frag goes with the first bytes pulled
      [51, 2],
      [60, 1],
      [80, 0],
      [81, 0],
      [96, 0],
      [100, 0],
    ] as const) {
      expect(skb.pskbMayPull(n)).toBe(true);
      expect([n, skb.headlen, skb.nrFrags]).toEqual([n, n, frags]);
      expect(slowBytes(memory, skb.address)).toEqual([...count(100)]);
      sound(skb);
    }
    expect([skb.isNonlinear, skb.fragList]).toEqual([false, 0]);
    expect(skb.pskbMayPull(101)).toBe(false);
  });

  it("keeps csum true: the bytes do not change, and csum_start counts from head", () => {
    const skb = make(100, layout);
    skb.ipSummed = CHECKSUM_PARTIAL;
    skb.csumStart = skb.headroom + 20;
    skb.csumOffset = 6;
    expect(skb.skbLinearize()).toBe(0);
    expect([skb.checksumStartOffset, skb.csumOffset]).toEqual([20, 6]);
  });

  it("fails without memory and changes nothing", () => {
    const skb = make(100, { ...layout, headroom: 0 });
    exhaust();
    expect(skb.pskbMayPull(100)).toBe(false);
    expect(skb.skbLinearize()).toBe(ENOMEM);
    expect(slowBytes(memory, skb.address)).toEqual([...count(100)]);
    expect([skb.headlen, skb.nrFrags]).toEqual([50, 3]);
  });

  it("does not read device memory", () => {
    const skb = make(100, { frags: [50] });
    skb.unreadable = 1;
    expect(skb.pskbMayPull(51)).toBe(false);
    expect(skb.skbCopyBits(0, memory.alloc(100), 51)).toBe(EFAULT);
    expect(skb.skbCopyBits(0, memory.alloc(100), 50)).toBe(0);
    expect(skb.skbCopy()).toBeNull();
    expect(skb.fragsReadable).toBe(false);
  });
});

describe("skbCopyBits, skbHeaderPointer", () => {
  it("refuses ranges that wrap", () => {
    const skb = make(100, { frags: [50] });
    const to = memory.alloc(200);
    expect(skb.skbCopyBits(101, to, 0)).toBe(EFAULT);
    expect(skb.skbCopyBits(50, to, 0xffff_ffff)).toBe(EFAULT);
    expect(skb.skbCopyBits(0xffff_ffff, to, 2)).toBe(EFAULT);
    expect(skb.skbCopyBits(100, to, 0)).toBe(0);
  });

  it("answers in place, copied, or not at all", () => {
    const skb = make(100, { frags: [50] });
    const buffer = memory.alloc(200);
    expect(skb.skbHeaderPointer(10, 40, buffer)).toBe(skb.data + 10);
    expect(skb.skbHeaderPointer(10, 41, buffer)).toBe(buffer);
    expect(memory.bytes.slice(buffer, buffer + 41)).toEqual(count(41, 10));
    expect(skb.skbHeaderPointer(10, 91, buffer)).toBe(0);
  });

  it("reads the headroom by a negative offset", () => {
    const skb = make(100, { frags: [50] });
    skb.skbPull(20);
    const buffer = memory.alloc(200);
    expect(skb.skbHeaderPointer(-20, 30, buffer)).toBe(skb.data - 20);
    expect(skb.skbHeaderPointer(-20, 70, buffer)).toBe(buffer);
    expect(memory.bytes.slice(buffer, buffer + 70)).toEqual(count(70));
    expect(skb.skbHeaderPointer(-20, 101, buffer)).toBe(0);
  });
});

describe("pskbTrim", () => {
  it("cuts wherever the end comes to lie", () => {
    for (let n = 0; n <= 101; n++) {
      const skb = make(100, { frags: [10, 20], fragList: [15, 5] });
      expect(skb.pskbTrim(n)).toBe(0);
      expect(slowBytes(memory, skb.address)).toEqual([...count(Math.min(n, 100))]);
      expect(skb.headlen).toBe(Math.min(n, 50));
      sound(skb);
      skb.kfreeSkb();
    }
    expect(memory.kernel.heapUsed()).toBe(0);
  });

  it("of one holder leaves the other's list whole", () => {
    for (let n = 50; n <= 100; n++) {
      const skb = make(100, { frags: [10, 20], fragList: [8, 7, 5] });
      const other = skb.pskbCopy()!;
      expect(skb.pskbTrim(n)).toBe(0);
      expect(slowBytes(memory, other.address)).toEqual([...count(100)]);
      expect(slowBytes(memory, skb.address)).toEqual([...count(n)]);
      sound(skb, other);
      skb.kfreeSkb();
      other.kfreeSkb();
    }
    expect(memory.kernel.heapUsed()).toBe(0);
  });
});

describe("sharing", () => {
  it("clone: one buffer, two views", () => {
    const skb = make(100, { frags: [30], fragList: [20] });
    skb.gsoSize = 7;
    skb.mark = 42;
    const clone = skb.skbClone()!;
    expect([clone.data, clone.end, clone.len, clone.mark]).toEqual([skb.data, skb.end, 100, 42]);
    expect([skb.skbCloned, clone.skbCloned, skb.dataref, clone.users]).toEqual([true, true, 2, 1]);
    clone.gsoSize = 9;
    expect(skb.gsoSize).toBe(9);
    clone.skbPull(10);
    expect([skb.len, clone.len]).toEqual([100, 90]);
    sound(skb, clone);
    skb.kfreeSkb();
    expect([clone.skbCloned, clone.dataref, clone.cloned]).toEqual([false, 1, 1]);
    expect(clone.toBytes()).toEqual(count(90, 10));
    clone.kfreeSkb();
    expect(memory.kernel.heapUsed()).toBe(0);
  });

  it("copy: linear and private, with headroom, metadata and GSO fields", () => {
    const skb = make(100, { frags: [30], fragList: [20] });
    Object.assign(skb, {
      gsoSize: 100,
      gsoType: 0x8000_0001,
      gsoSegs: 3,
      protocol: 0x86dd,
      mark: 7,
      hash: 0xffff_fff0,
    });
    skb.networkHeader = skb.headroom + 14;
    skb.ipSummed = CHECKSUM_PARTIAL;
    skb.csumStart = skb.headroom + 34;
    const copy = skb.skbCopy()!;
    expect([copy.isNonlinear, copy.len, copy.headroom, copy.skbCloned]).toEqual([false, 100, 32, false]);
    for (const name of [
      "gsoSize",
      "gsoType",
      "gsoSegs",
      "protocol",
      "mark",
      "hash",
      "networkOffset",
    ] as const)
      expect(copy[name], name).toBe(skb[name]);
    expect([copy.ipSummed, copy.checksumStartOffset]).toEqual([CHECKSUM_PARTIAL, 34]);
    memory.bytes.fill(0, skb.data, skb.tail);
    expect(copy.toBytes()).toEqual(count(100));
    sound(skb, copy);
  });

  it("pskbCopy: private linear part, shared pages and list", () => {
    const skb = make(100, { frags: [30], fragList: [20] });
    const copy = skb.pskbCopy()!;
    expect([copy.headlen, copy.dataLen, copy.nrFrags]).toEqual([50, 50, 1]);
    const page = memory.view.getUint32(skb.end + SKB_SHARED_INFO_OFF.frags, true);
    expect(memory.view.getUint32(copy.end + SKB_SHARED_INFO_OFF.frags, true)).toBe(page);
    expect(memory.kernel.blockRefs(page)).toBe(2);
    expect(copy.fragList).toBe(skb.fragList);
    expect(new SkBuff(memory, copy.fragList).users).toBe(2);
    sound(skb, copy);
    skb.kfreeSkb();
    expect(copy.toBytes()).toEqual(count(100));
    sound(copy);
  });

  it("linearising a clone leaves the other's list whole", () => {
    const skb = make(100, { fragList: [20, 10, 15] });
    const clone = skb.skbClone()!;
    expect(clone.pskbMayPull(60)).toBe(true);
    expect(slowBytes(memory, skb.address)).toEqual([...count(100)]);
    expect(clone.skbLinearize()).toBe(0);
    expect(slowBytes(memory, skb.address)).toEqual([...count(100)]);
    sound(skb, clone);
  });

  it("freeing one of two lists that share members two levels deep leaves the other whole", () => {
    const build = (): SkBuff => {
      const inner = make(30, { fragList: [10, 10], headroom: 0 });
      const outer = make(20, { fragList: [5] });
      memory.kernel.skbAddFragList(outer.address, inner.address);
      memory.kernel.skbAddFragList(outer.address, make(4).address);
      return outer;
    };
    const skb = build();
    const before = slowBytes(memory, skb.address);
    // the second member's inner list is shared with a copy of that member
    const second = new SkBuff(memory, new SkBuff(memory, skb.fragList).next);
    const copy = second.pskbCopy()!;
    const inner = slowBytes(memory, copy.address);
    const other = skb.pskbCopy()!;
    sound(skb, copy, other);
    skb.kfreeSkb();
    expect(slowBytes(memory, other.address)).toEqual(before);
    sound(copy, other);
    other.kfreeSkb();
    expect(slowBytes(memory, copy.address)).toEqual(inner);
    sound(copy);
    copy.kfreeSkb();
    expect(memory.kernel.heapUsed()).toBe(0);
  });

  it("ensureWritable gives a clone a linear part of its own", () => {
    const skb = make(100, { frags: [50] });
    const clone = skb.skbClone()!;
    const { data } = clone;
    expect(clone.skbEnsureWritable(101)).toBe(ENOMEM);
    expect(clone.skbEnsureWritable(60)).toBe(0);
    expect(clone.data).not.toBe(data);
    expect([clone.headlen, clone.skbCloned, skb.dataref]).toEqual([60, false, 1]);
    memory.bytes.fill(0, clone.data, clone.data + 60);
    expect(skb.toBytes()).toEqual(count(100));
    expect(skb.skbEnsureWritable(50)).toBe(0);
    expect(skb.data).toBe(data);
    sound(skb, clone);
  });

  it("users: the last of them frees", () => {
    const skb = make(10);
    skb.users = 2;
    const again = new SkBuff(memory, skb.address);
    skb.kfreeSkb();
    expect(again.users).toBe(1);
    again.kfreeSkb();
    expect(memory.kernel.heapUsed()).toBe(0);
  });

  it("a second free by another handle is an error, not damage", () => {
    const skb = make(10);
    const guard = make(10);
    const again = new SkBuff(memory, skb.address);
    skb.kfreeSkb();
    expect(thrown(() => again.kfreeSkb())).toBe("use_after_free");
    expect(thrown(() => skb.kfreeSkb())).toBe("use_after_free");
    expect(memory.kernel.heapCheck()).toBe(0);
    sound(guard);
  });

  it("frees a list of a hundred thousand members without a stack", () => {
    const m = Memory.create();
    const skb = skbFromBytes(m, count(1))!;
    // from the end, so that building stays linear
    let list = 0;
    for (let i = 0; i < 100_000; i++) {
      const member = m.kernel.allocSkb(0) >>> 0;
      m.view.setUint32(member, list, true);
      list = member;
    }
    m.view.setUint32(skb.end + SKB_SHARED_INFO_OFF.fragList, list, true);
    skb.kfreeSkb();
    expect(m.kernel.heapUsed()).toBe(0);
  });
});

describe("pskbExpandHead", () => {
  it("moves what counts from head, and only that", () => {
    const skb = make(60, { frags: [10] });
    skb.macHeader = skb.headroom;
    skb.networkHeader = skb.headroom + 14;
    skb.transportHeader = skb.headroom + 34;
    skb.ipSummed = CHECKSUM_PARTIAL;
    skb.csumStart = skb.headroom + 34;
    skb.csumOffset = 16;
    const { truesize } = skb;
    expect(skb.pskbExpandHead(48, 32)).toBe(0);
    expect([skb.headroom, skb.macOffset, skb.networkOffset, skb.transportOffset]).toEqual([80, 0, 14, 34]);
    expect([skb.checksumStartOffset, skb.csumOffset]).toEqual([34, 16]);
    expect(skb.truesize).toBeGreaterThanOrEqual(truesize + 80);
    expect(skb.toBytes()).toEqual(count(60));
    sound(skb);
  });

  it("leaves a csum that is not PARTIAL, and unset headers, alone", () => {
    const skb = make(60);
    skb.ipSummed = CHECKSUM_COMPLETE;
    skb.csum = 0xfff0_fff0;
    expect(skb.pskbExpandHead(64, 0)).toBe(0);
    expect([skb.csum, skb.macHeader, skb.transportHeader]).toEqual([0xfff0_fff0, 0xffff, 0xffff]);
  });

  it.each([
    [0xffff_ff00, 0x200],
    [0x200, 0xffff_ff00],
    [0x8000_0000, 0x8000_0000],
    [0xffff_ffff, 0xffff_ffff],
    [4 << 20, 0],
  ])("%i and %i bytes more are out of memory, not a wrapped size", (nhead, ntail) => {
    const skb = make(60);
    expect(skb.pskbExpandHead(nhead, ntail)).toBe(ENOMEM);
    expect(skb.toBytes()).toEqual(count(60));
    sound(skb);
  });
});

describe("frags", () => {
  it("holds seventeen, not eighteen", () => {
    const skb = make(17, { frags: new Array(MAX_SKB_FRAGS).fill(1) });
    expect([skb.nrFrags, skb.headlen]).toEqual([17, 0]);
    const page = memory.alloc(1);
    expect(memory.kernel.skbAddFrag(skb.address, page, 0, 1)).toBe(-1);
    expect([skb.len, skb.nrFrags]).toEqual([17, 17]);
    memory.free(page);
    sound(skb);
  });

  it("two frags of one page count as two references", () => {
    const skb = make(4);
    const page = memory.alloc(100);
    memory.kernel.blockGet(page);
    memory.bytes.set(count(100), page);
    memory.kernel.skbAddFrag(skb.address, page, 10, 20);
    memory.kernel.skbAddFrag(skb.address, page, 50, 5);
    expect(skb.toBytes()).toEqual(Uint8Array.from([...count(4), ...count(20, 10), ...count(5, 50)]));
    sound(skb);
    skb.kfreeSkb();
    expect(memory.kernel.heapUsed()).toBe(0);
  });

  it("SHARED_FRAG matters while there are frags", () => {
    const skb = make(40, { frags: [10] });
    expect(skb.hasSharedFrag).toBe(false);
    skb.shinfoFlags = SKBFL_SHARED_FRAG;
    expect(skb.hasSharedFrag).toBe(true);
    skb.skbLinearize();
    expect(skb.hasSharedFrag).toBe(false);
  });
});

describe("skbPartialCsumSet", () => {
  it.each([
    ["the field ends with the linear part", 20, 28, true],
    ["the field ends one byte beyond", 20, 29, false],
    ["start and off are taken modulo 65536", 0x1_0014, 0x1_001c, true],
    ["start at the end", 50, 0, false],
  ])("%s", (_, start, off, ok) => {
    const skb = make(70, { frags: [20] });
    expect(skb.skbPartialCsumSet(start, off)).toBe(ok);
    if (ok)
      expect([skb.ipSummed, skb.checksumStartOffset, skb.csumOffset, skb.transportOffset]).toEqual([
        CHECKSUM_PARTIAL,
        start & 0xffff,
        off & 0xffff,
        start & 0xffff,
      ]);
    else expect([skb.ipSummed, skb.csum, skb.transportHeader]).toEqual([CHECKSUM_NONE, 0, 0xffff]);
  });

  it("csum_start fits in 16 bits from head, 65535 excluded", () => {
    const skb = skbFromBytes(memory, count(70_000), { headroom: 100 })!;
    expect(skb.skbPartialCsumSet(65_435, 0)).toBe(false);
    expect(skb.skbPartialCsumSet(65_434, 0)).toBe(true);
    expect(skb.csumStart).toBe(65_534);
  });
});

describe("toBytes", () => {
  it("says why it cannot", () => {
    const skb = make(100, { frags: [50] });
    skb.unreadable = 1;
    expect(thrown(() => skb.toBytes())).toBe("EINVAL");
    skb.unreadable = 0;
    exhaust();
    expect(thrown(() => skb.toBytes())).toBe("ENOMEM");
  });
});
