import type { Random } from "../targets/generate.ts";

/** A few bytes changed, cut, doubled or put in: at places that structure gives as often as anywhere. */
export function damage(random: Random, bytes: Uint8Array): Uint8Array {
  let out = bytes.slice();
  for (let n = random.below(4); n >= 0; n--) {
    const at = random.below(out.length);
    switch (random.below(8)) {
      case 0:
        out = out.slice(0, at);
        break;
      case 1:
        out = Uint8Array.from([...out.subarray(0, at), random.below(256), ...out.subarray(at)]);
        break;
      case 2:
        out = Uint8Array.from([...out.subarray(0, at), ...out.subarray(at + 1)]);
        break;
      case 3:
        out.copyWithin(at, random.below(out.length), random.below(out.length));
        break;
      case 4:
        out[at]! ^= 1 << random.below(8);
        break;
      default:
        out[at] = random.pick([0, 1, 0x0b, 0x20, 0x40, 0x6a, 0x7e, 0x7f, 0x80, 0xff, random.below(256)]);
    }
    if (out.length === 0) return out;
  }
  return out;
}
