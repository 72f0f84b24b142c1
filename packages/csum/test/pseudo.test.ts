import { Memory } from "@netoffload/skbuff";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  csumFold,
  csumIpv6Magic,
  csumIpv6MagicAt,
  csumTcpudpMagic,
  csumTcpudpNofold,
  ipComputeCsum,
  ipFastCsum,
} from "../src/index.ts";
import { sameClass, slowPartial } from "./ref/slow.ts";

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u8 = fc.integer({ min: 0, max: 255 });
const address = fc.uint8Array({ minLength: 16, maxLength: 16 });
const memory = Memory.create({ bytes: 2 << 20 });
const at = memory.alloc(256);

/** The pseudo header as RFC 8200 draws it; IPv4 addresses in front of the same 8 bytes sum alike. */
function tail(len: number, proto: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, len);
  bytes[7] = proto;
  return bytes;
}

test("IPv4: the bytes of the pseudo header, lengths of 32 bits", () => {
  fc.assert(
    fc.property(u32, u32, u32, u8, u32, (saddr, daddr, len, proto, seed) => {
      const bytes = new Uint8Array(16);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, saddr, true);
      view.setUint32(4, daddr, true);
      bytes.set(tail(len, proto), 8);
      const sum = csumTcpudpNofold(saddr, daddr, len, proto, seed);
      expect(sameClass(sum, slowPartial(bytes, seed))).toBe(true);
      expect(csumTcpudpMagic(saddr, daddr, len, proto, seed)).toBe(csumFold(slowPartial(bytes, seed)));
    }),
    { numRuns: 2000 },
  );
});

test("IPv6: the bytes of the pseudo header, addresses anywhere", () => {
  fc.assert(
    fc.property(address, address, u32, u8, u32, (saddr, daddr, len, proto, seed) => {
      const bytes = new Uint8Array(40);
      bytes.set(saddr);
      bytes.set(daddr, 16);
      bytes.set(tail(len, proto), 32);
      const want = csumFold(slowPartial(bytes, seed));
      expect(csumIpv6Magic(saddr, daddr, len, proto, seed)).toBe(want);
      memory.bytes.set(bytes, at + 1);
      expect(csumIpv6MagicAt(memory, at + 1, at + 17, len, proto, seed)).toBe(want);
    }),
    { numRuns: 2000 },
  );
});

test("all zero stays zero; a length above 65535 adds its carry", () => {
  expect(csumTcpudpNofold(0, 0, 0, 0)).toBe(0);
  expect(csumTcpudpMagic(0, 0, 0, 0)).toBe(0xffff);
  expect(csumTcpudpMagic(0, 0, 0x10000, 6)).toBe(csumTcpudpMagic(0, 0, 1, 6));
});

// header of RFC 791 appendix A, example 1 (total length 21, TTL 123, protocol 1), addresses of our own
test("ip_fast_csum over a right header gives 0", () => {
  const header = Uint8Array.of(0x45, 0, 0, 21, 0, 111, 0, 0, 123, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2);
  memory.bytes.set(header, at);
  const check = ipFastCsum(memory, at, 5);
  memory.view.setUint16(at + 10, check, true);
  expect(ipFastCsum(memory, at, 5)).toBe(0);
  expect(ipComputeCsum(memory, at, 20)).toBe(0);
});
