/** Frames for a differential run of a flow dissector: its paths, changed ones, and bytes without sense. */
import { generateCases, type Parser } from "@netoffload/cpr-ir";
import type { Random } from "./random.ts";

const ETH_HLEN = 14;
const LONGEST = 3000;
/** Bytes that headers take for something. */
const MEANINGFUL = [0, 1, 4, 5, 6, 0x0f, 17, 0x2f, 0x40, 0x45, 0x60, 0x7f, 0x80, 0x81, 0x88, 0xa8, 0xff];

/** One frame for each path of the graph and each neighbour of it; key register 1 is the EtherType. */
export function pathFrames(parser: Parser): Uint8Array[] {
  return generateCases(parser).cases.map(({ packet, keys }) => {
    const frame = new Uint8Array(ETH_HLEN + packet.length);
    frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, keys[1]! >> 8, keys[1]!]);
    frame.set(packet, ETH_HLEN);
    return frame.subarray(0, LONGEST);
  });
}

/** A frame: one in eight has no sense, the others are changed in up to four places. */
export function drawFrame(paths: readonly Uint8Array[], random: Random): Uint8Array {
  if (random.oneIn(8)) {
    const frame = new Uint8Array(ETH_HLEN + random.below(120));
    random.fill(frame);
    return frame;
  }
  let frame: Uint8Array = random.pick(paths).slice();
  for (let changes = random.between(1, 4); changes > 0; changes--) frame = change(frame, random);
  return frame;
}

function change(frame: Uint8Array, random: Random): Uint8Array {
  const at = random.below(frame.length);
  switch (random.below(6)) {
    case 0:
      frame[at]! ^= 1 << random.below(8);
      return frame;
    case 1:
      frame[at] = random.below(256);
      return frame;
    case 2:
      frame[at] = random.pick(MEANINGFUL);
      return frame;
    case 3:
      return frame.slice(0, Math.max(ETH_HLEN, at));
    case 4: {
      const longer = new Uint8Array(Math.min(frame.length + random.below(40), LONGEST));
      random.fill(longer);
      longer.set(frame.subarray(0, longer.length));
      return longer;
    }
    default: {
      const from = random.below(frame.length);
      frame.copyWithin(at, from, Math.min(frame.length, from + 1 + random.below(24)));
      return frame;
    }
  }
}

/** Simpler frames: shorter ones, and ones with zeros. */
export function simplerFrames(frame: Uint8Array): Uint8Array[] {
  const out: Uint8Array[] = [];
  const n = frame.length;
  for (let cut = n - ETH_HLEN; cut >= 1; cut = Math.floor(cut / 2)) out.push(frame.subarray(0, n - cut));
  for (let size = n - ETH_HLEN; size >= 1; size = Math.floor(size / 2))
    for (let at = ETH_HLEN; at < n; at += size)
      if (frame.subarray(at, at + size).some((b) => b !== 0)) {
        const zeroed = frame.slice();
        zeroed.fill(0, at, at + size);
        out.push(zeroed);
      }
  return out.sort((a, b) => weight(a) - weight(b)).slice(0, 512);
}

/** Less is simpler: length, then how many bytes are not zero. */
export function weight(frame: Uint8Array): number {
  let bytes = 0;
  for (const b of frame) if (b !== 0) bytes++;
  return frame.length * 1000 + bytes;
}
