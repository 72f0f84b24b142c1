// Packets as skbs: any layout of their bytes, header offsets set as the stack sets them.
import { CHECKSUM_PARTIAL, Memory, type SkBuff, skbFromBytes } from "@netoffload/skbuff";
import fc from "fast-check";

export const memory: Memory = Memory.create({ bytes: 16 << 20 });
const HEADROOM = 64;

export interface Offsets {
  /** From the first byte; default 0. */
  mac?: number;
  network?: number;
  transport?: number;
  innerNetwork?: number;
  innerTransport?: number;
  protocol?: number;
  innerProtocol?: number;
  frags?: readonly number[];
  fragList?: readonly number[];
}

/** An skb over `bytes` with header offsets counted from its first byte. */
export function make(bytes: Uint8Array, o: Offsets = {}): SkBuff {
  const skb = skbFromBytes(memory, bytes, {
    headroom: HEADROOM,
    tailroom: 64,
    frags: o.frags ?? [],
    fragList: o.fragList ?? [],
  })!;
  skb.macHeader = HEADROOM + (o.mac ?? 0);
  skb.networkHeader = HEADROOM + (o.network ?? 0);
  if (o.transport !== undefined) skb.transportHeader = HEADROOM + o.transport;
  if (o.innerNetwork !== undefined || o.innerTransport !== undefined) {
    skb.encapsulation = 1;
    skb.innerNetworkHeader = HEADROOM + (o.innerNetwork ?? 0);
    skb.innerTransportHeader = HEADROOM + (o.innerTransport ?? 0);
    skb.innerProtocol = o.innerProtocol ?? 0x0800;
  }
  skb.protocol = o.protocol ?? 0x0800;
  return skb;
}

/** Ask for a checksum: start from the first byte, offset from start. */
export function partial(skb: SkBuff, start: number, offset: number): SkBuff {
  skb.ipSummed = CHECKSUM_PARTIAL;
  skb.csumStart = skb.headroom + start;
  skb.csumOffset = offset;
  return skb;
}

/** Bytes and how they are cut: linear part, up to four frags, up to three list members. */
export const laidOut: fc.Arbitrary<{ bytes: Uint8Array; frags: number[]; fragList: number[] }> = fc
  .record({
    linear: fc.nat({ max: 70 }),
    frags: fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 4 }),
    fragList: fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 3 }),
    fill: fc.uint8Array({ minLength: 420, maxLength: 420 }),
  })
  .map(({ linear, frags, fragList, fill }) => {
    const total = [...frags, ...fragList].reduce((a, b) => a + b, linear);
    return { bytes: fill.slice(0, total), frags, fragList };
  });

/** Reported with every failure. */
export const RUNS = { numRuns: 400 };
