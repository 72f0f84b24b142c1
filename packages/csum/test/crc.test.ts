import { expect, test } from "vitest";
import {
  crc32c,
  crc32Le,
  fcoeCrcValid,
  fcoeFcCrc,
  skbCsumCrc32Unnecessary,
  skbFcoeCrcHelp,
  skbResetCsumCrc32Unnecessary,
  skbSetCsumCrc32Unnecessary,
} from "../src/index.ts";
import { make, memory, partial } from "./skb/make.ts";

const DIGITS = new TextEncoder().encode("123456789");

test("check values of the catalogue: CRC-32 cbf43926, CRC-32C e3069283", () => {
  expect(~crc32Le(0xffffffff, DIGITS) >>> 0).toBe(0xcbf43926);
  const at = memory.alloc(16);
  memory.bytes.set(DIGITS, at);
  expect(~crc32c(memory, at, 9, 0xffffffff) >>> 0).toBe(0xe3069283);
  expect(crc32c(memory, at, 0, 7)).toBe(7);
  memory.free(at);
});

test("FCoE: CRC-32 over the FC frame, little endian in the trailer", () => {
  expect(fcoeFcCrc(DIGITS)).toBe(0xcbf43926);
  expect(fcoeCrcValid(DIGITS, 0xcbf43926)).toBe(true);
  expect(fcoeCrcValid(DIGITS, 0xcbf43927)).toBe(false);
});

test("FCoE help: from csum_start, csum_offset bytes; nothing beyond them is summed", () => {
  const frame = Uint8Array.from([0xee, 0xee, ...DIGITS, 0, 0, 0, 0, 0x42, 0, 0, 0]);
  const skb = partial(make(frame), 2, 9);
  expect(skbFcoeCrcHelp(skb)).toBe(0);
  expect(skb.ipSummed).toBe(0);
  expect([...skb.toBytes().subarray(11)]).toEqual([0x26, 0x39, 0xf4, 0xcb, 0x42, 0, 0, 0]);
  skb.kfreeSkb();
  const short = partial(make(frame.subarray(0, 14)), 2, 9);
  expect(skbFcoeCrcHelp(short)).toBe(-22);
  expect(short.toBytes()).toEqual(frame.slice(0, 14));
  short.kfreeSkb();
});

test("a CRC's verdict lives apart from ip_summed", () => {
  const skb = make(DIGITS);
  skb.ipSummed = 2;
  expect(skbCsumCrc32Unnecessary(skb)).toBe(false);
  skbSetCsumCrc32Unnecessary(skb);
  expect([skbCsumCrc32Unnecessary(skb), skb.ipSummed]).toEqual([true, 2]);
  skbResetCsumCrc32Unnecessary(skb);
  expect([skbCsumCrc32Unnecessary(skb), skb.ipSummed]).toEqual([false, 2]);
  partial(skb, 1, 4);
  expect(skbCsumCrc32Unnecessary(skb)).toBe(true);
  skb.skbPull(2);
  expect(skbCsumCrc32Unnecessary(skb)).toBe(false);
  skb.kfreeSkb();
});
