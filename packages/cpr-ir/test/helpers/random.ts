/** Reproducible random packets for parsers. */
import { Xorshift } from "../../src/paths/random.ts";

/** Print the seed when a test fails. */
export class Random extends Xorshift {
  bytes(n: number): Uint8Array {
    return Uint8Array.from({ length: n }, () => this.below(256));
  }
}

/** Change a packet: bits, bytes, interesting values, length. The input stays. */
export function mutate(packet: Uint8Array, r: Random): Uint8Array {
  let out = packet.slice();
  for (let changes = 1 + r.below(4); changes > 0 && out.length > 0; changes--) {
    const at = r.below(out.length);
    switch (r.below(6)) {
      case 0:
        out[at] = out[at]! ^ (1 << r.below(8));
        break;
      case 1:
        out[at] = r.below(256);
        break;
      case 2:
        out[at] = [0, 1, 4, 5, 6, 0x0f, 0x40, 0x45, 0x60, 0x7f, 0x80, 0xff][r.below(12)]!;
        break;
      case 3:
        out = out.slice(0, at);
        break;
      case 4: {
        const more = r.bytes(r.below(40));
        out = Uint8Array.from([...out, ...more]);
        break;
      }
      default: {
        const from = r.below(out.length);
        out.copyWithin(at, from, Math.min(out.length, from + 1 + r.below(24)));
      }
    }
  }
  return out;
}
