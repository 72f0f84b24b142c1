/**
 * skbs of every shape for the two checksum programs, laid out in one small memory: named ones for each branch and
 * each error, and random ones. All are states a stack can make: no program traps on one.
 */
import {
  CHECKSUM_PARTIAL,
  Memory,
  SK_BUFF_OFF as O,
  SKB_SHARED_INFO_OFF as S,
  SK_BUFF_BITS,
  SKBFL_SHARED_FRAG,
  type SkBuff,
  skbFromBytes,
} from "@netoffload/skbuff";

/** Bytes of the memory: the smallest an NPU can have. */
export const STATE_MEMORY: number = 2 << 20;

/** A member of a frag_list: linear bytes, then frags, then members of its own. */
export interface Member {
  readonly linear: number;
  readonly frags?: readonly number[];
  readonly list?: readonly Member[];
}

/** What an skb is made of; what is not said is 0, absent or PARTIAL. */
export interface Shape {
  readonly headroom?: number;
  readonly linear: number;
  readonly frags?: readonly number[];
  readonly list?: readonly Member[];
  /** csum_start from data; may be negative down to the headroom. */
  readonly start?: number;
  readonly offset?: number;
  readonly ipSummed?: number;
  readonly gsoSize?: number;
  readonly unreadable?: boolean;
  /** A CRC-32C is owed, SCTP's, and no checksum. */
  readonly csumNotInet?: boolean;
  readonly sharedFrag?: boolean;
  /** `flag`: marked, but the other one is gone; `clone`: another skb holds the same buffer. */
  readonly cloned?: "flag" | "clone";
  /** References to the buffer, in place of what building it gave: the upper half counts payload-only ones. */
  readonly dataref?: number;
  /** Every byte of the packet; default: a pattern. */
  readonly fill?: number;
}

/** A source of numbers below a bound, the same for the same seed. */
export function numbers(seed: number): (bound: number) => number {
  let state = (seed | 1) >>> 0;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % bound;
  };
}

type Numbers = (bound: number) => number;

const pick = <T>(next: Numbers, list: readonly T[]): T => list[next(list.length)]!;
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));

/** A random shape that is linearized or copied whenever possible: what keeps the heap busy. */
export function busyShape(next: Numbers): Shape {
  const { gsoSize: _gso, unreadable: _unreadable, ...shape } = randomShape(next);
  const frags = shape.frags!.length > 0 ? shape.frags! : [1 + next(70), 1 + next(70)];
  return { ...shape, frags, sharedFrag: true };
}

/** A random shape with lists two deep whose sum or CRC nothing hinders: what walks of lists take. */
export function listShape(next: Numbers): Shape {
  const { unreadable: _unreadable, gsoSize: _gso, ...shape } = randomShape(next);
  const linear = 20 + next(60);
  const size = (): number => pick(next, [0, 1, 2, 16, 31, 55, 64, 256, next(70)]);
  const frags = (): number[] => times(next(3), () => 1 + size());
  const inner = (): Member => ({ linear: size(), frags: frags() });
  const member = (): Member => ({ ...inner(), list: times(next(3), inner) });
  return {
    ...shape,
    linear,
    frags: frags(),
    list: times(1 + next(3), member),
    start: next(linear - 11),
    offset: next(10),
    ipSummed: CHECKSUM_PARTIAL,
    csumNotInet: next(2) === 0,
  };
}

/** One holder or more, with and without payload-only references. */
const DATAREFS = [1, 2, 3, 0x101, 0x10001, 0x20002];

/** A random shape, rich in edges. */
export function randomShape(next: Numbers): Shape {
  const linear = pick(next, [0, 1, 2, 17, 18, 20, 40, 54, 55, 64, next(100)]);
  const size = (): number => pick(next, [1, 2, 3, 16, 31, 64, 256, 1 + next(70)]);
  const frags = (most: number): number[] => times(pick(next, [0, 0, 1, 2, next(most + 1)]), size);
  const inner = (): Member => ({ linear: pick(next, [0, size(), size()]), frags: frags(2) });
  const member = (): Member => ({
    ...inner(),
    ...(next(3) === 0 ? { list: times(1 + next(2), inner) } : {}),
  });
  const start = pick(next, [0, 1, 14, 34, linear - 2, linear - 1, linear, linear + 1, next(linear + 2), -1]);
  const offset = pick(next, [
    0,
    6,
    16,
    linear - start - 2,
    linear - start - 1,
    linear - start - 3,
    next(64),
    65535,
    65534,
  ]);
  return {
    headroom: pick(next, [1, 2, 16, 31, 64]),
    linear,
    frags: next(400) === 0 ? [0x10000 + next(2)] : frags(5),
    list: next(3) === 0 ? times(1 + next(3), member) : [],
    start,
    offset: Math.max(0, offset),
    ipSummed: pick(next, [CHECKSUM_PARTIAL, CHECKSUM_PARTIAL, CHECKSUM_PARTIAL, next(4)]),
    gsoSize: pick(next, [0, 0, 0, 0, 0, 0, 0, 1, 256, 1448]),
    unreadable: next(12) === 0,
    csumNotInet: next(4) === 0,
    sharedFrag: next(4) === 0,
    ...pick<Pick<Shape, "cloned" | "dataref">>(next, [
      {},
      {},
      { cloned: "flag" },
      { cloned: "clone" },
      { cloned: "clone", dataref: pick(next, DATAREFS) },
    ]),
    ...pick<Pick<Shape, "fill">>(next, [{}, {}, {}, { fill: 0 }, { fill: 0xff }]),
  };
}

const TCP = { linear: 54, start: 34, offset: 16 } as const;
/** The CRC lies 8 bytes behind the start, whatever csum_offset says. */
const SCTP = { linear: 54, start: 34, offset: 8, csumNotInet: true } as const;

/**
 * Skbs whose linearizing leaves sixteen free blocks in one list, each a little too small for the last, before one
 * that is not: the heap gives a list up after sixteen blocks and takes from the next.
 */
function searched(): Record<string, Shape> {
  const shape = (i: number): Shape => ({
    ...TCP,
    frags: [i === 0 ? 648 : i === 17 ? 552 : 584],
    sharedFrag: true,
  });
  return Object.fromEntries(times(18, (i) => [`heap: free list, step ${i}`, shape(i)]));
}

/** Skbs whose old head, free by then and in the middle of its list, is joined with the page behind it. */
function joined(): Record<string, Shape> {
  const shape: Shape = { linear: 34, frags: [2, 64], list: [{ linear: 2 }], start: 16, sharedFrag: true };
  return Object.fromEntries(times(3, (i) => [`heap: middle of a free list, step ${i}`, shape]));
}

/** One or more for every branch of the programs. */
export const NAMED: Readonly<Record<string, Shape>> = {
  "TCP header alone": TCP,
  "odd length": { ...TCP, linear: 55 },
  "odd start": { ...TCP, start: 33 },
  "odd start and length": { ...TCP, start: 33, linear: 55 },
  "start at data": { linear: 20, start: 0, offset: 6 },
  "all zeros": { ...TCP, fill: 0 },
  "all ones, a sum of 0xffff": { ...TCP, fill: 0xff },
  "field ends the linear part": { linear: 52, start: 34, offset: 16 },
  "field one byte beyond": { linear: 51, start: 34, offset: 16 },
  "field wholly beyond": { linear: 40, start: 34, offset: 16 },
  "start is the last byte": { linear: 54, start: 53, offset: 0 },
  "start at the end": { linear: 54, start: 54, offset: 0 },
  "start behind the end": { linear: 54, start: 60, offset: 0 },
  "start before data": { ...TCP, start: -2 },
  "offset that wraps 16 bits": { ...TCP, offset: 65535 },
  "nothing at all": { linear: 0, start: 0, offset: 0 },
  NONE: { ...TCP, ipSummed: 0 },
  UNNECESSARY: { ...TCP, ipSummed: 1 },
  COMPLETE: { ...TCP, ipSummed: 2 },
  "GSO: EINVAL": { ...TCP, gsoSize: 1448 },
  "GSO size 1: EINVAL": { ...TCP, gsoSize: 1 },
  "GSO size 256: EINVAL": { ...TCP, gsoSize: 256 },
  "GSO and COMPLETE": { ...TCP, gsoSize: 1448, ipSummed: 2 },
  "unreadable, linear": { ...TCP, unreadable: true },
  "unreadable frags: EFAULT": { ...TCP, frags: [20], unreadable: true },
  "unreadable, GSO: EINVAL": { ...TCP, frags: [20], unreadable: true, gsoSize: 100 },
  "one even frag": { ...TCP, frags: [64] },
  "odd linear part, odd frags": { ...TCP, linear: 55, frags: [1, 3, 5] },
  "odd frags from an odd start": { ...TCP, start: 35, frags: [7, 8, 9] },
  "17 frags": { ...TCP, frags: times(17, (i) => 3 + i) },
  "start in the frags: EINVAL": { linear: 20, frags: [60], start: 34, offset: 16 },
  "field in the frags: EINVAL": { linear: 40, frags: [60], start: 34, offset: 16 },
  "no linear bytes": { linear: 0, frags: [60], start: 0, offset: 16 },
  "shared frags": { ...TCP, frags: [33, 64], sharedFrag: true },
  "shared frags of 256 bytes": { ...TCP, frags: [256], sharedFrag: true },
  "shared frags, start in them": { linear: 20, frags: [60], start: 34, offset: 16, sharedFrag: true },
  "shared frags, nothing linear": { linear: 0, frags: [60, 1], start: 34, offset: 16, sharedFrag: true },
  "shared frags without frags": { ...TCP, sharedFrag: true },
  "shared frags and a list": { ...TCP, frags: [9], list: [{ linear: 30, frags: [5] }], sharedFrag: true },
  "shared frags of a clone": { ...TCP, frags: [33], sharedFrag: true, cloned: "clone" },
  "unreadable shared frags: EFAULT": { ...TCP, frags: [33], sharedFrag: true, unreadable: true },
  clone: { ...TCP, cloned: "clone" },
  "clone whose other half is gone": { ...TCP, cloned: "flag" },
  "clone with 256 others": { ...TCP, cloned: "clone", dataref: 0x101 },
  "clone that holds the payload only": { ...TCP, cloned: "clone", dataref: 0x10001 },
  "clone with frags": { ...TCP, frags: [40, 41], cloned: "clone" },
  "clone with a list": { ...TCP, list: [{ linear: 31 }, { linear: 2 }], cloned: "clone" },
  "clone, field beyond: EINVAL": { linear: 51, start: 34, offset: 16, cloned: "clone" },
  "clone, GSO: EINVAL": { ...TCP, cloned: "clone", gsoSize: 1 },
  "clone, COMPLETE": { ...TCP, cloned: "clone", ipSummed: 2 },
  "list of one": { ...TCP, list: [{ linear: 31 }] },
  "list of odd members": { ...TCP, list: [{ linear: 31 }, { linear: 1 }, { linear: 33, frags: [3, 3] }] },
  "list behind odd frags": { ...TCP, frags: [5], list: [{ linear: 30, frags: [7] }, { linear: 9 }] },
  "list within a list": {
    ...TCP,
    list: [{ linear: 21, list: [{ linear: 7, frags: [3] }, { linear: 8 }] }, { linear: 11 }],
  },
  "start behind the linear part, a list": { linear: 20, list: [{ linear: 60 }], start: 34, offset: 16 },
  "65,536 bytes in frags": { ...TCP, frags: [0x10000] },
  "65,536 bytes in frags, unreadable: EFAULT": { ...TCP, frags: [0x10000], unreadable: true },
  "65,536 bytes in shared frags": { ...TCP, frags: [0x10000], sharedFrag: true },
  "more than 65,536 bytes, a list": { ...TCP, frags: [3], list: [{ linear: 0x10001 }, { linear: 1 }] },
  "long linear part and frags": { linear: 700, frags: [1000, 1001], start: 34, offset: 16 },
  "CRC: linear": SCTP,
  "CRC: odd length, offset ignored": { ...SCTP, linear: 57, offset: 65535 },
  "CRC: the field alone is linear": { ...SCTP, linear: 46, frags: [40] },
  "CRC: field three bytes beyond": { ...SCTP, linear: 43, frags: [40] },
  "CRC: field wholly beyond: EINVAL": { ...SCTP, linear: 42, frags: [40] },
  "CRC: start behind the end: EINVAL": { ...SCTP, start: 60 },
  "CRC: start before data": { ...SCTP, start: -2 },
  "CRC: all zeros": { ...SCTP, fill: 0 },
  "CRC: NONE owes nothing": { ...SCTP, ipSummed: 0 },
  "CRC: COMPLETE owes nothing": { ...SCTP, ipSummed: 2 },
  "CRC: GSO owes nothing yet": { ...SCTP, gsoSize: 1448 },
  "CRC: unreadable, linear": { ...SCTP, unreadable: true },
  "CRC: unreadable frags: EFAULT": { ...SCTP, frags: [20], unreadable: true },
  "CRC: odd frags": { ...SCTP, linear: 55, frags: [1, 3, 5] },
  "CRC: list": {
    ...SCTP,
    frags: [5],
    list: [
      { linear: 30, frags: [7] },
      { linear: 9, list: [{ linear: 3 }] },
    ],
  },
  "CRC: shared frags": { ...SCTP, frags: [33, 64], sharedFrag: true },
  "CRC: shared frags hold the field": { ...SCTP, linear: 20, frags: [60], sharedFrag: true },
  "CRC: clone": { ...SCTP, cloned: "clone" },
  "CRC: clone whose other half is gone": { ...SCTP, cloned: "flag" },
  "CRC: clone with frags and a list": { ...SCTP, frags: [40], list: [{ linear: 9 }], cloned: "clone" },
  "CRC: more than 65,536 bytes, a list": { ...SCTP, frags: [3], list: [{ linear: 0x10001 }, { linear: 1 }] },
  // minimised from random states that told mutants apart
  "CRC: members of one length, all ones": {
    ...SCTP,
    linear: 40,
    list: [
      { linear: 31, frags: [2, 21] },
      { linear: 31, list: [{ linear: 31 }] },
    ],
    start: 30,
    fill: 0xff,
  },
  "CRC: an empty member with an empty list": {
    ...SCTP,
    frags: [1],
    list: [
      { linear: 1, frags: [1, 2] },
      { linear: 0, list: [{ linear: 0 }] },
      { linear: 31, frags: [41, 23] },
    ],
    start: 44,
    cloned: "flag",
  },
  "CRC: lists within a list, the last odd": {
    ...SCTP,
    linear: 20,
    list: [
      { linear: 1 },
      { linear: 256, frags: [23, 7], list: [{ linear: 0 }, { linear: 16, frags: [16, 16] }] },
      { linear: 55, list: [{ linear: 31 }] },
    ],
    start: 9,
  },
  "CRC: lists within a list, the last empty": {
    ...SCTP,
    linear: 17,
    list: [
      { linear: 64 },
      { linear: 16, frags: [16, 31], list: [{ linear: 2 }, { linear: 16, frags: [31, 3] }] },
      { linear: 0 },
    ],
    start: 8,
    cloned: "clone",
  },
  "CRC: a list within a list, all ones, no clone left": {
    ...SCTP,
    linear: 20,
    list: [{ linear: 2, frags: [31, 2], list: [{ linear: 0, frags: [1] }] }],
    start: 11,
    fill: 0xff,
    cloned: "flag",
  },
  ...searched(),
  ...joined(),
  // its page joins the rest of the heap behind it
  "shared frags, last in memory": { ...TCP, frags: [9], sharedFrag: true },
};

/** Bytes of a packet: nothing repeats at a distance that a sum would not see. */
function fill(bytes: Uint8Array, value: number | undefined, salt: number): Uint8Array {
  if (value !== undefined) return bytes.fill(value);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.imul(i + salt, 0x9e3779b1) >>> 24;
  return bytes;
}

/** An skb with frags and a list; what its fields say otherwise comes later. */
function chained(
  memory: Memory,
  m: Member,
  headroom: number,
  value: number | undefined,
  salt: number,
): SkBuff {
  const skb = skbFromBytes(memory, fill(new Uint8Array(m.linear), value, salt), { headroom })!;
  for (const [i, size] of (m.frags ?? []).entries()) {
    // frags begin anywhere in their page
    const offset = (salt + i) % 5;
    const page = memory.alloc(offset + size);
    const from = page + offset;
    fill(memory.bytes.subarray(from, from + size), value, salt + 31 * (i + 1));
    memory.kernel.skbAddFrag(skb.address, page, offset, size);
  }
  for (const [i, inner] of (m.list ?? []).entries()) {
    const member = chained(memory, inner, 0, value, salt + 100 * (i + 1));
    memory.kernel.skbAddFragList(skb.address, member.address);
  }
  return skb;
}

/** The bits of sk_buff.flags that a shape decides: references to the buffer, and which sum is owed. */
const DECIDED = (1 << SK_BUFF_BITS.cloned[0]) | (1 << SK_BUFF_BITS.csumNotInet[0]);

/** Make an skb of a shape. @returns its address */
function build(memory: Memory, shape: Shape, salt: number): number {
  const headroom = shape.headroom ?? 16;
  const skb = chained(memory, shape, headroom, shape.fill, salt);
  const { view } = memory;
  // fields that the programs must neither read nor change
  for (const field of ["macHeader", "networkHeader", "protocol", "queueMapping", "hash", "mark"] as const)
    view.setUint16(skb.address + O[field], Math.imul(salt + O[field], 0x85ebca6b) >>> 16, true);
  view.setUint32(skb.address + O.flags, (Math.imul(salt + 1, 0xc2b2ae35) & ~DECIDED) >>> 0, true);
  skb.unreadable = shape.unreadable === true ? 1 : 0;
  skb.csumNotInet = shape.csumNotInet === true ? 1 : 0;
  skb.gsoSize = shape.gsoSize ?? 0;
  if (shape.sharedFrag === true) skb.shinfoFlags = SKBFL_SHARED_FRAG;
  skb.ipSummed = shape.ipSummed ?? CHECKSUM_PARTIAL;
  skb.csumStart = (headroom + (shape.start ?? 0)) & 0xffff;
  skb.csumOffset = (shape.offset ?? 0) & 0xffff;
  const { address } = skb;
  if (shape.cloned !== undefined) {
    const other = memory.kernel.skbClone(address);
    if (shape.cloned === "flag") memory.kernel.kfreeSkb(other);
    if (shape.dataref !== undefined) view.setUint32(skb.end + S.dataref, shape.dataref, true);
  }
  return address;
}

/** A memory with skbs in it, as it is before a program runs. */
export interface States {
  readonly image: Uint8Array;
  readonly skbs: Uint32Array;
}

/**
 * Lay shapes out.
 * @param leave - blocks of so many bytes and more are taken off the heap, so that programs find none; default: none
 */
export function layStates(shapes: readonly Shape[], salt: number, leave?: number): States {
  const memory = Memory.create({ bytes: STATE_MEMORY, poison: true });
  const skbs = Uint32Array.from(shapes, (shape, i) => build(memory, shape, salt + 7 * i));
  if (leave !== undefined)
    for (let size = STATE_MEMORY; size >= leave; size = size >> 1) while (memory.alloc(size) !== 0);
  return { image: memory.bytes.slice(), skbs };
}
