/** The reader and executor that judge the P4 target, on texts written by hand from the specification. */
import { describe, expect, test } from "vitest";
import { P4Parser } from "../ref/p4/exec.ts";
import { parseP4 } from "../ref/p4/parse.ts";

/** A parser with these states, locals and headers; metadata r: 32 bits, w: 64, s: signed, b: a struct with offsets. */
function text(states: string, locals = ""): string {
  return `#include <core.p4>
#include <v1model.p4>
error { Mine, Other }
header h_t { bit<4> high; bit<4> low; bit<16> word; }
header wide_t { bit<40> all; }
struct headers_t { h_t h; wide_t wide; }
struct bytes_t { @cpr_offset(1) bit<16> two; @cpr_offset(4) bit<8> one; }
struct metadata_t { bit<32> r; bit<64> w; int<8> s; bytes_t b; }
parser p(packet_in pkt, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    ${locals}
    ${states}
}`;
}

const load = (states: string, locals = ""): P4Parser => new P4Parser(parseP4(text(states, locals)));
const PACKET = Uint8Array.of(0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc);
/** meta.r after one state. */
function result(body: string, locals = ""): number {
  const p4 = load(`state start { ${body} transition accept; }`, locals);
  expect(p4.run(PACKET)).toEqual({ accepted: true, error: "NoError" });
  return p4.number("r");
}

describe("values", () => {
  test.each([
    ["pkt.extract(hdr.h); meta.r = (bit<32>)hdr.h.low;", 2],
    ["pkt.extract(hdr.h); meta.r = (bit<32>)(hdr.h.high ++ hdr.h.word);", 0x13456],
    ["pkt.extract(hdr.h); pkt.advance(8); meta.r = (bit<32>)pkt.lookahead<bit<8>>();", 0x9a],
    ["pkt.extract(hdr.h); hdr.wide = { 0x123456789a }; meta.r = hdr.wide.all[35:4];", 0x23456789],
    [
      "hdr.wide = pkt.lookahead<wide_t>(); pkt.extract(hdr.h); meta.r = (bit<32>)(hdr.wide.all[7:0] ++ hdr.h.word);",
      0x9a3456,
    ],
    ["meta.r = 0; meta.r[7:4] = 0xf;", 0xf0],
    ["meta.r = 5; meta.r = meta.r - 6;", 0xffffffff],
    ["meta.r = 0x80000001; meta.r = meta.r << 1;", 2],
    ["meta.r = 0x80000001; meta.r = meta.r >> 31;", 1],
    ["meta.r = 1 ; meta.r = meta.r << 32;", 0],
    ["meta.r = 2; meta.r = meta.r + meta.r * 3 & 0xff;", 8],
    ["meta.s = -3; meta.r = (bit<32>)(int<32>)meta.s;", 0xfffffffd],
    ["meta.r = 8; if (meta.r & 12 == 8 && !(meta.r < 8)) { meta.r = 1; } else meta.r = 2;", 1],
    ["meta.w = 64w0xffffffffff; meta.w = meta.w + 1; meta.r = meta.w[63:32];", 0x100],
    ["meta.r = std.packet_length;", 6],
  ])("%s", (body, want) => {
    expect(result(body)).toBe(want);
  });

  test("select takes the first case that matches", () => {
    const p4 = load(`
      state start { transition select(8w7, std.packet_length > 9) { (7, true): reject; (_, false): two; default: one; } }
      state one { meta.r = 1; transition accept; }
      state two { meta.r = 2; transition accept; }`);
    p4.run(PACKET);
    expect(p4.number("r")).toBe(2);
    p4.run(new Uint8Array(10));
    expect(load("state start { transition select(8w7) { 6: accept; } }").run(PACKET).error).toBe("NoMatch");
  });

  test("what ends a parser early", () => {
    expect(load("state start { pkt.advance(48); transition accept; }").run(PACKET).accepted).toBe(true);
    expect(load("state start { pkt.advance(49); transition accept; }").run(PACKET).error).toBe(
      "PacketTooShort",
    );
    const twice = load("state start { pkt.extract(hdr.wide); pkt.extract(hdr.h); transition accept; }");
    expect(twice.run(PACKET)).toEqual({ accepted: false, error: "PacketTooShort" });
    expect(load("state start { verify(false, error.Mine); transition accept; }").run(PACKET).error).toBe(
      "Mine",
    );
    expect(load("state start { meta.r = 1; }").run(PACKET)).toEqual({ accepted: false, error: "NoError" });
    expect(() => load("state start { transition start; }").run(PACKET)).toThrow(/states are visited/);
  });

  test("metadata by their offsets, rubbish where nothing was written", () => {
    const p4 = load("state start { meta.b.two = 0x102; transition accept; }");
    p4.run(PACKET);
    const bytes = new Uint8Array(5);
    expect(p4.bytes("b", bytes)).toBe(true);
    expect([...bytes]).toEqual([0, 1, 2, 0, 0xa5]);
  });
});

describe("what is no program", () => {
  test.each([
    ["meta.r = meta.w;", /bit<64> where bit<32>/],
    ["meta.r = 0x100000000;", /does not fit/],
    ["meta.r = hdr.h.low ++ hdr.h.high;", /bit<8> where bit<32>/],
    ["meta.r = (bit<32>)meta.s;", /cast of int<8>/],
    ["meta.r = nothing;", /not declared/],
    ["meta.r[32:0] = 1;", /bits 32 to 0/],
    ["verify(true, error.Unknown);", /not declared/],
    ["verify(meta.r, error.Mine);", /where bool/],
    ["pkt.emit(hdr.h);", /no emit/],
    ["if (meta.r) { }", /where bool/],
    ["hdr.h = pkt.lookahead<wide_t>();", /wide_t is no h_t/],
    ["meta.r = meta.r", /; wanted/],
    ["meta.r = 1 $ 2;", /character/],
  ])("%s", (body, message) => {
    expect(() => load(`state start { ${body} transition accept; }`)).toThrow(message);
  });

  test.each([
    ["state start { transition away; }", /no state away/],
    ["state begin { transition accept; }", /no state start/],
    ["state start { transition accept; } state start { transition accept; }", /one name/],
    ["state start { transition select(8w1) { 256: accept; } }", /does not fit/],
    ["state start { transition select(8w1) { (1, 2): accept; } }", /1 keys/],
  ])("%s", (states, message) => {
    expect(() => load(states)).toThrow(message);
  });

  test("reads of what was never set", () => {
    expect(() => result("meta.r = x;", "bit<32> x;")).toThrow(/never set/);
    expect(() => result("meta.r = (bit<32>)hdr.h.low;")).toThrow(/invalid header/);
  });
});
