// Extension headers: the kernel's walk, the walk without routing headers, and the addresses at both ends.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ExthdrWalk,
  ipv6FinalAddresses,
  ipv6SkipExthdr,
  ipv6SkipExthdrNoRthdr,
} from "../../src/index.ts";
import { bytes, ipv6, noise, pseudo6, udp, V6_DST, V6_SRC } from "../check/build.ts";
import { make } from "./make.ts";

const hop = (next: number, words = 0): number[] => [
  next,
  words,
  1,
  4,
  0,
  0,
  0,
  0,
  ...new Array<number>(8 * words).fill(0),
];
const frag = (next: number, off: number): number[] => [next, 0, off >> 8, off & 255, 0, 0, 0, 1];
const ah = (next: number, len = 4): number[] => [next, len, ...new Array<number>((len + 2) * 4 - 2).fill(0)];
const rt = (next: number, left = 1): number[] => [next, 2, 4, left, 0, 0, 0, 0, ...V6_DST];

function skip(first: number, headers: readonly number[], noRthdr = false, frags: number[] = []): number[] {
  const skb = make(Uint8Array.from(headers), { frags });
  const walk: ExthdrWalk = { nexthdr: first, fragOff: 99 };
  const ret = (noRthdr ? ipv6SkipExthdrNoRthdr : ipv6SkipExthdr)(skb, 0, walk);
  skb.kfreeSkb();
  return [ret, walk.nexthdr, walk.fragOff];
}

describe("ipv6_skip_exthdr", () => {
  const rows: [string, number, number[], number[]][] = [
    ["no extension header", 6, [], [0, 6, 0]],
    ["hop-by-hop", 0, hop(6), [8, 6, 0]],
    ["hop-by-hop of 24 bytes", 0, hop(17, 2), [24, 17, 0]],
    ["destination then routing", 60, [...hop(43), ...rt(6)], [32, 6, 0]],
    ["authentication: (len + 2) * 4", 51, ah(6), [24, 6, 0]],
    ["first fragment: raw value with flags", 44, frag(6, 1), [8, 6, 1]],
    ["later fragment: stops at its header", 44, frag(6, 0x0d), [0, 44, 0x0d]],
    ["no next header: -1, nexthdr not written", 0, hop(59), [-1, 0, 0]],
    ["59 at once", 59, [], [-1, 59, 0]],
    ["59 with bytes behind it", 59, hop(6), [-1, 59, 0]],
    ["one byte of the header", 0, [6], [-1, 0, 0]],
    ["fragment whose offset is cut off", 44, [6, 0, 0], [-1, 44, 0]],
    ["two bytes are enough, the end lies beyond", 0, [6, 9], [80, 6, 0]],
    ["ESP, mobility, 139 and 140 are upper layers", 50, [], [0, 50, 0]],
    ["135", 135, [], [0, 135, 0]],
    ["139", 139, [], [0, 139, 0]],
    ["140", 140, [], [0, 140, 0]],
    [
      "fourteen headers, delivered by a live 6.18.44",
      60,
      Array.from({ length: 14 }, (_, i) => hop(i < 13 ? 60 : 17)).flat(),
      [112, 17, 0],
    ],
  ];
  test.each(rows)("%s", (_, first, headers, expected) => {
    expect(skip(first, headers)).toEqual(expected);
    // the same out of fragments
    if (headers.length > 2) expect(skip(first, headers, false, [headers.length - 2])).toEqual(expected);
  });

  const noRthdr: [string, number, number[], number[]][] = [
    ["a routing header", 43, rt(6), [-1, 43, 0]],
    ["also when nothing is left of it", 43, rt(6, 0), [-1, 43, 0]],
    ["also behind others", 0, [...hop(60), ...hop(43), ...rt(6)], [-1, 0, 0]],
    ["a later fragment stops before it", 44, [...frag(43, 8), ...rt(6)], [0, 44, 8]],
    ["others as ever", 0, [...hop(60), ...hop(6)], [16, 6, 0]],
  ];
  test.each(noRthdr)("no_rthdr: %s", (_, first, headers, expected) => {
    expect(skip(first, headers, true)).toEqual(expected);
  });

  test("any bytes: never a throw, never before the start", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 120 }),
        fc.constantFrom(0, 43, 44, 51, 59, 60, 6),
        fc.nat({ max: 130 }),
        (b, first, start) => {
          const skb = make(b);
          const walk = { nexthdr: first, fragOff: 0 };
          const ret = ipv6SkipExthdr(skb, start, walk);
          expect(ret === -1 || ret >= start).toBe(true);
          skb.kfreeSkb();
        },
      ),
    );
  });
});

describe("final addresses", () => {
  const LAST = [...V6_DST.slice(0, 15), 9];
  const HOME = [...V6_SRC.slice(0, 15), 8];
  const routing = (
    type: number,
    left: number,
    body: readonly number[],
    words = (body.length - 4) / 8,
  ): number[] => [17, words, type, left, ...body];
  const srh = (
    left: number,
    last: number,
    segments: readonly (readonly number[])[],
    words?: number,
  ): number[] => routing(4, left, [last, 0, 0, 0, ...segments.flat()], words);

  const SID = [0x5f, 0, ...LAST.slice(2)];
  const address = (first: number, headers: readonly number[], compressed?: boolean): string => {
    const packet = ipv6(first, bytes(headers, udp(noise(9), pseudo6)));
    const skb = make(packet, { protocol: 0x86dd });
    const found = ipv6FinalAddresses(skb, 0, compressed);
    skb.kfreeSkb();
    if (!found.ok) return found.reason;
    expect([found.proto, found.offset]).toEqual([17, 40 + headers.length]);
    const which = (a: Uint8Array): string =>
      [
        ["src", V6_SRC],
        ["dst", V6_DST],
        ["last", LAST],
        ["home", HOME],
        ["sid", SID],
      ].find(([, b]) => [...a].join() === b!.toString())?.[0] as string;
    return `${which(found.saddr)} ${which(found.daddr)}`;
  };

  const rows: [string, number, readonly number[], string, boolean?][] = [
    ["no extension header", 17, [], "src dst"],
    ["segments_left 0: the header's", 43, srh(0, 0, [LAST]), "src dst"],
    ["RH0: the last of the list", 43, routing(0, 2, [0, 0, 0, 0, ...V6_SRC, ...LAST]), "src last"],
    ["RH0 with an odd length", 43, routing(0, 1, [0, 0, 0, 0, ...V6_SRC], 1), "malformed"],
    ["RH0 with more left than it has", 43, routing(0, 3, [0, 0, 0, 0, ...V6_SRC, ...LAST]), "malformed"],
    ["RH2: its only address", 43, routing(2, 1, [0, 0, 0, 0, ...LAST]), "src last"],
    ["RH2 with two left", 43, routing(2, 2, [0, 0, 0, 0, ...LAST]), "malformed"],
    ["SRH: segment list [0]", 43, srh(1, 1, [LAST, V6_DST]), "src last"],
    ["SRH, reduced: left is last_entry + 1", 43, srh(1, 0, [LAST]), "src last"],
    ["SRH with more left", 43, srh(2, 0, [LAST]), "malformed"],
    ["SRH too short for last_entry", 43, srh(1, 1, [LAST]), "malformed"],
    ["SRH with compressed SIDs", 43, srh(1, 0, [LAST]), "unknown", true],
    ["SRH in the block of SIDs: they may be compressed", 43, srh(1, 0, [SID]), "unknown"],
    ["the same, said to be plain addresses", 43, srh(1, 0, [SID]), "src sid", false],
    ["the same, used up", 43, srh(0, 0, [SID]), "src dst"],
    [
      "RPL: 15 bytes elided from the last",
      43,
      routing(3, 1, [0x0f, 0x70, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]),
      "src last",
    ],
    [
      "RPL whose padding does not fit",
      43,
      routing(3, 1, [0xef, 0x60, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]),
      "malformed",
    ],
    ["another type", 43, routing(5, 1, [0, 0, 0, 0]), "unknown"],
    [
      "two routing headers under way",
      43,
      [...srh(1, 0, [LAST]).with(0, 43), ...srh(1, 0, [LAST])],
      "unknown",
    ],
    ["home address", 60, [17, 2, 1, 2, 0, 0, 0xc9, 16, ...HOME], "home dst"],
    [
      "home address and RH2",
      60,
      [43, 2, 1, 2, 0, 0, 0xc9, 16, ...HOME, ...routing(2, 1, [0, 0, 0, 0, ...LAST])],
      "home last",
    ],
    ["a home address option of another length", 60, [17, 2, 1, 2, 0, 0, 0xc9, 14, ...HOME], "src dst"],
    ["a fragment", 44, [17, 0, 0, 1, 0, 0, 0, 1], "fragment"],
    ["an atomic fragment", 44, [17, 0, 0, 0, 0, 0, 0, 1], "src dst"],
    ["ESP", 50, [], "encrypted"],
    ["no next header", 59, [], "no-next-header"],
  ];
  test.each(rows)("%s", (_, first, headers, expected, compressed) => {
    expect(address(first, headers, compressed)).toBe(expected);
  });

  test("cut anywhere: truncated or as before, never a throw", () => {
    const whole = ipv6(
      60,
      bytes([43, 2, 1, 2, 0, 0, 0xc9, 16, ...HOME], srh(1, 1, [LAST, V6_DST]), udp(noise(9), pseudo6)),
    );
    for (let n = 0; n < whole.length; n++) {
      const skb = make(whole.subarray(0, n));
      const found = ipv6FinalAddresses(skb, 0);
      expect(found.ok).toBe(n >= 104);
      if (!found.ok) expect(found.reason).toBe("truncated");
      skb.kfreeSkb();
    }
  });
});
