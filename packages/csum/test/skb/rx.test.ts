// Receive: the validate family row by row, levels, conversion; the spec's words are the expected values.
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  CHECKSUM_UNNECESSARY,
  type SkBuff,
} from "@netoffload/skbuff";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  __skbChecksumCompleteHead,
  __skbChecksumValidate,
  __skbDecrChecksumUnnecessary,
  __skbIncrChecksumUnnecessary,
  __skbResetChecksumUnnecessary,
  type ComputePseudo,
  inetComputePseudo,
  ip6ComputePseudo,
  nullComputePseudo,
  skbChecksumComplete,
  skbChecksumInit,
  skbChecksumInitZeroCheck,
  skbChecksumSimpleValidate,
  skbChecksumTryConvert,
  skbChecksumValidate,
  skbChecksumValidateZeroCheck,
  skbCsumUnnecessary,
  udp4CsumInit,
  udp6CsumInit,
  udpCsumPullHeader,
} from "../../src/index.ts";
import { fill, ipv4, ipv6, noise, pseudo4, pseudo6, tcp, udp } from "../check/build.ts";
import { sameClass, slowPartial } from "../ref/slow.ts";
import { make, partial } from "./make.ts";

const state = (skb: SkBuff): number[] => [skb.ipSummed, skb.csumLevel, skb.csumValid];
const NONE = CHECKSUM_NONE;
const UNN = CHECKSUM_UNNECESSARY;
const COM = CHECKSUM_COMPLETE;
const PAR = CHECKSUM_PARTIAL;

/** What a device or an earlier step said of a packet. */
type Said = Partial<Pick<SkBuff, "ipSummed" | "csumLevel" | "csumValid" | "csumCompleteSw" | "csum">>;

/** A packet as a stack sees it at L4: data at the transport header, and what was said of it. */
function atL4(packet: Uint8Array, said: Said = {}): SkBuff {
  const six = packet[0]! >> 4 === 6;
  const l4 = six ? 40 : 20;
  const skb = make(packet, { network: 0, transport: l4, protocol: six ? 0x86dd : 0x0800 });
  skb.skbPull(l4);
  return Object.assign(skb, said);
}

describe("levels", () => {
  // decr: UNNECESSARY level 0 -> NONE, else level - 1; incr: level + 1 up to 3, NONE -> UNNECESSARY 0; reset
  const rows: [string, (s: SkBuff) => void, number[][]][] = [
    [
      "decr",
      __skbDecrChecksumUnnecessary,
      [
        [NONE, 0, NONE, 0],
        [UNN, 0, NONE, 0],
        [UNN, 1, UNN, 0],
        [UNN, 3, UNN, 2],
        [COM, 0, COM, 0],
        [PAR, 0, PAR, 0],
      ],
    ],
    [
      "incr",
      __skbIncrChecksumUnnecessary,
      [
        [NONE, 0, UNN, 0],
        [NONE, 2, UNN, 0],
        [UNN, 0, UNN, 1],
        [UNN, 2, UNN, 3],
        [UNN, 3, UNN, 3],
        [COM, 0, COM, 0],
        [PAR, 0, PAR, 0],
      ],
    ],
    [
      "reset",
      __skbResetChecksumUnnecessary,
      [
        [NONE, 0, NONE, 0],
        [UNN, 0, NONE, 0],
        [UNN, 3, NONE, 0],
        [COM, 0, COM, 0],
        [PAR, 0, PAR, 0],
      ],
    ],
  ];
  test.each(rows)("%s", (_, change, table) => {
    for (const [was, level, now, left] of table) {
      const skb = make(noise(4));
      skb.ipSummed = was!;
      skb.csumLevel = level!;
      change(skb);
      expect([skb.ipSummed, skb.csumLevel], `${was} ${level}`).toEqual([now, left]);
      skb.kfreeSkb();
    }
  });

  test("unnecessary: UNNECESSARY, csum_valid, or PARTIAL that starts at or behind data", () => {
    const skb = make(noise(40));
    expect(skbCsumUnnecessary(skb)).toBe(false);
    skb.ipSummed = UNN;
    expect(skbCsumUnnecessary(skb)).toBe(true);
    skb.ipSummed = COM;
    expect(skbCsumUnnecessary(skb)).toBe(false);
    skb.csumValid = 1;
    expect(skbCsumUnnecessary(skb)).toBe(true);
    skb.csumValid = 0;
    partial(skb, 10, 6);
    skb.skbPull(10);
    expect(skbCsumUnnecessary(skb)).toBe(true);
    skb.skbPull(1);
    expect(skbCsumUnnecessary(skb)).toBe(false);
    skb.kfreeSkb();
  });
});

describe("__skb_checksum_validate", () => {
  const segment = (n: number, field: "right" | "wrong" | number): Uint8Array =>
    ipv4(17, udp(noise(n), pseudo4, field));

  // [state, level, field, payload, zeroOkay, complete] -> [returned 0, state, level, valid]
  type Row = [string, number, number, "right" | "wrong" | 0, number, boolean, boolean, boolean, number[]];
  const rows: Row[] = [
    ["UNNECESSARY level 0 is used up, right or wrong", UNN, 0, "wrong", 10, false, false, true, [NONE, 0, 1]],
    ["UNNECESSARY level 2 loses one", UNN, 2, "wrong", 10, false, false, true, [UNN, 1, 1]],
    ["a zero field takes a level as well", UNN, 0, 0, 10, true, false, true, [NONE, 0, 1]],
    ["a zero field with NONE counts as verified", NONE, 0, 0, 200, true, true, true, [NONE, 0, 1]],
    ["a zero field that means nothing here is summed", NONE, 0, 0, 10, false, false, false, [COM, 0, 0]],
    ["NONE, short: summed at once, right", NONE, 0, "right", 60, false, false, true, [COM, 0, 1]],
    ["NONE, short: summed at once, wrong", NONE, 0, "wrong", 60, false, false, false, [COM, 0, 0]],
    ["NONE, 76 bytes are still short", NONE, 0, "wrong", 68, false, false, false, [COM, 0, 0]],
    ["NONE, 77 bytes are left for later", NONE, 0, "wrong", 69, false, false, true, [NONE, 0, 0]],
    ["NONE, long, complete: summed now", NONE, 0, "wrong", 69, false, true, false, [COM, 0, 0]],
  ];
  test.each(rows)("%s", (_, was, level, field, n, zeroOkay, complete, ok, expected) => {
    const skb = atL4(segment(n, field), { ipSummed: was, csumLevel: level, csumValid: 1 });
    // csum_valid of an earlier header does not count
    if (was === NONE) expect(skbCsumUnnecessary(skb)).toBe(true);
    const check = field === 0 ? 0 : 1;
    expect(__skbChecksumValidate(skb, 17, complete, zeroOkay, check, inetComputePseudo) === 0).toBe(ok);
    expect(state(skb)).toEqual(expected);
    if (skb.ipSummed === COM) expect(skb.csumCompleteSw).toBe(1);
    skb.kfreeSkb();
  });

  test("COMPLETE and right: valid, csum stays; COMPLETE and wrong: csum becomes the pseudo sum, or is summed anew", () => {
    const packet = segment(100, "right");
    const sum = slowPartial(packet.subarray(20));
    const skb = atL4(packet, { ipSummed: COM, csum: sum });
    expect(skbChecksumInit(skb, 17, inetComputePseudo)).toBe(0);
    expect([...state(skb), skb.csum, skb.csumCompleteSw]).toEqual([COM, 0, 1, sum, 0]);
    skb.csum = sum ^ 1;
    expect(skbChecksumInit(skb, 17, inetComputePseudo)).toBe(0);
    expect(state(skb)).toEqual([COM, 0, 0]);
    expect(sameClass(skb.csum, slowPartial(pseudo4(17, 108)))).toBe(true);
    const failures: number[] = [];
    expect(skbChecksumComplete(skb, (s) => failures.push(s.address))).toBe(0);
    // software finds it right: the device was wrong
    expect(failures).toEqual([skb.address]);
    expect([...state(skb), skb.csumCompleteSw]).toEqual([COM, 0, 1, 1]);
    skb.kfreeSkb();
  });

  test("a software COMPLETE that does not fit is a bad packet, not a device's fault", () => {
    const skb = atL4(segment(100, "wrong"), { ipSummed: COM, csumCompleteSw: 1, csum: 1 });
    const failures: number[] = [];
    const never = () => failures.push(1);
    expect(__skbChecksumValidate(skb, 17, true, false, 1, inetComputePseudo, never)).not.toBe(0);
    expect(failures).toEqual([]);
    skb.kfreeSkb();
  });

  test("the family: which are complete, which accept 0", () => {
    const families: [string, (s: SkBuff, check: number) => number, boolean, boolean][] = [
      ["init", (s) => skbChecksumInit(s, 17, inetComputePseudo), false, false],
      ["init_zero_check", (s, c) => skbChecksumInitZeroCheck(s, 17, c, inetComputePseudo), false, true],
      ["validate", (s) => skbChecksumValidate(s, 17, inetComputePseudo), true, false],
      [
        "validate_zero_check",
        (s, c) => skbChecksumValidateZeroCheck(s, 17, c, inetComputePseudo),
        true,
        true,
      ],
    ];
    for (const [name, call, complete, zero] of families) {
      const long = atL4(segment(200, "wrong"));
      expect(call(long, 1) !== 0, `${name} sums a long packet`).toBe(complete);
      const none = atL4(segment(10, 0));
      expect(call(none, 0) === 0, `${name} accepts 0`).toBe(zero);
      long.kfreeSkb();
      none.kfreeSkb();
    }
    const icmp = make(fill(noise(90), 2, new Uint8Array(0), "right"));
    expect(skbChecksumSimpleValidate(icmp)).toBe(0);
    icmp.csumValid = 0;
    icmp.ipSummed = NONE;
    icmp.memory.bytes[icmp.data + 50]! ^= 1;
    expect(skbChecksumSimpleValidate(icmp)).not.toBe(0);
    icmp.kfreeSkb();
  });

  test("a shared packet is judged and not changed", () => {
    const skb = atL4(segment(10, "right"));
    skb.users = 2;
    expect(skbChecksumValidate(skb, 17, inetComputePseudo)).toBe(0);
    expect(skb.ipSummed).toBe(NONE);
    skb.users = 1;
    skb.kfreeSkb();
  });

  test("_head: the first bytes on top of csum; ip_summed and csum stay", () => {
    const packet = segment(60, "right");
    const skb = atL4(Uint8Array.from([...packet, 1, 2, 3]));
    skb.csum = slowPartial(pseudo4(17, 68));
    const csum = skb.csum;
    expect(__skbChecksumCompleteHead(skb, 68)).toBe(0);
    expect([...state(skb), skb.csum]).toEqual([NONE, 0, 1, csum]);
    expect(__skbChecksumCompleteHead(skb, 69)).not.toBe(0);
    expect(skb.csumValid).toBe(0);
    skb.kfreeSkb();
  });
});

describe("pseudo headers take the length of the packet as it is now", () => {
  test("IPv4, IPv6 (upper half all ones), none", () => {
    const four = atL4(ipv4(6, tcp(noise(9), pseudo4)));
    expect(sameClass(inetComputePseudo(four, 6), slowPartial(pseudo4(6, 29)))).toBe(true);
    four.kfreeSkb();
    const six = atL4(ipv6(6, tcp(noise(9), pseudo6)));
    expect(ip6ComputePseudo(six, 6) >>> 16).toBe(0xffff);
    expect(sameClass(ip6ComputePseudo(six, 6), slowPartial(pseudo6(6, 29)))).toBe(true);
    six.kfreeSkb();
    expect(nullComputePseudo(six, 6)).toBe(0);
  });
});

describe("UNNECESSARY to COMPLETE", () => {
  test("only NONE with csum_valid converts; csum is the sum of the packet", () => {
    const packet = ipv4(17, udp(noise(33), pseudo4));
    for (const [was, level, expected] of [
      [UNN, 0, COM],
      [UNN, 1, UNN],
      [PAR, 0, PAR],
    ] as const) {
      const skb = atL4(packet, { ipSummed: was, csumLevel: level });
      if (was === PAR) partial(skb, 0, 6);
      skbChecksumInitZeroCheck(skb, 17, 1, inetComputePseudo);
      skbChecksumTryConvert(skb, 17, inetComputePseudo);
      expect(skb.ipSummed).toBe(expected);
      if (expected === COM) expect(sameClass(skb.csum, slowPartial(packet.subarray(20)))).toBe(true);
      expect(skb.csumCompleteSw).toBe(0);
      skb.kfreeSkb();
    }
    const bad = atL4(packet);
    skbChecksumTryConvert(bad, 17, inetComputePseudo);
    expect(bad.ipSummed).toBe(NONE);
    bad.kfreeSkb();
  });

  test("GRE: the null pseudo header gives all ones", () => {
    const skb = make(noise(20));
    skb.csumValid = 1;
    skbChecksumTryConvert(skb, 47, nullComputePseudo);
    expect([skb.ipSummed, skb.csum]).toEqual([COM, 0xffffffff]);
    skb.kfreeSkb();
  });

  test("every flipped bit of a converted packet shows, but for the two zeros", () => {
    fc.assert(
      fc.property(fc.nat({ max: 60 }), fc.nat({ max: 999 }), fc.boolean(), (n, where, six) => {
        const packet = six ? ipv6(17, udp(noise(n), pseudo6)) : ipv4(17, udp(noise(n), pseudo4));
        const pseudo: ComputePseudo = six ? ip6ComputePseudo : inetComputePseudo;
        const skb = atL4(packet, { ipSummed: UNN });
        skbChecksumInitZeroCheck(skb, 17, 1, pseudo);
        skbChecksumTryConvert(skb, 17, pseudo);
        expect(skbChecksumValidate(skb, 17, pseudo)).toBe(0);
        // what the device verified is not what came: the sum says so
        const bit = where % (8 * skb.len);
        skb.memory.bytes[skb.data + (bit >> 3)]! ^= 1 << (bit & 7);
        skb.csum = slowPartial(skb.toBytes());
        skb.csumValid = 0;
        expect(skbChecksumValidate(skb, 17, pseudo)).not.toBe(0);
        skb.kfreeSkb();
      }),
    );
  });
});

describe("UDP", () => {
  test("a deferred COMPLETE that did not fit becomes NONE with the pseudo sum; by software it is bad", () => {
    const packet = ipv4(17, udp(noise(100), pseudo4));
    const skb = atL4(packet, { ipSummed: COM, csum: 1 });
    expect(udp4CsumInit(skb, 1)).toBe(0);
    expect(state(skb)).toEqual([NONE, 0, 0]);
    expect(sameClass(skb.csum, slowPartial(pseudo4(17, 108)))).toBe(true);
    // the header goes, its sum stays: the payload alone completes it
    udpCsumPullHeader(skb);
    expect(skb.len).toBe(100);
    expect(skbChecksumComplete(skb)).toBe(0);
    skb.kfreeSkb();
    const sw = atL4(packet, { ipSummed: COM, csum: 1, csumCompleteSw: 1 });
    expect(udp4CsumInit(sw, 1)).toBe(1);
    sw.kfreeSkb();
  });

  test("IPv6: 0 passes here; a wrong short one does not", () => {
    const zero = atL4(ipv6(17, udp(noise(9), pseudo6, 0)));
    expect(udp6CsumInit(zero, 0)).toBe(0);
    zero.kfreeSkb();
    const wrong = atL4(ipv6(17, udp(noise(9), pseudo6, "wrong")));
    expect(udp6CsumInit(wrong, 1)).not.toBe(0);
    wrong.kfreeSkb();
  });
});
