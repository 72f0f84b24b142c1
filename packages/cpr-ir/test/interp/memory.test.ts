/** Interpreters share memories; none may notice. Expected bytes are the packets' own. */
import { CODE, field, Interpreter, orThrow, type Parser, parser } from "@netoffload/cpr-ir";
import { expect, test } from "vitest";

/** Stores its packet's first 4 bytes behind `slots` bytes of metadata. */
const storing = (slots: number): Parser =>
  orThrow(
    parser("p", { "metameta-size": slots + 4, "frame-size": 0, "max-frames": 1 })
      .node("a", {
        "min-hdr-length": 4,
        metadata: { ents: [{ "hdr-src-off": 0, length: 4, "md-off": slots }] },
      })
      .build(),
  );

/** A header of as many bytes as its first four say, then two that are stored. */
const jumping = (): Parser =>
  orThrow(
    parser("p", { "metameta-size": 4, "frame-size": 0, "max-frames": 1 })
      .node("a", {
        "min-hdr-length": 4,
        "hdr-length": { "field-off": 0, "field-len": 4, mask: 0xffffff },
        "next-proto": { ...field(3, 1), ents: [], "wildcard-node": "b" },
      })
      .node("b", { "min-hdr-length": 2, metadata: { ents: [{ "hdr-src-off": 0, length: 2, "md-off": 0 }] } })
      .build(),
  );

test("hundreds of interpreters at once, each with metadata of its own", () => {
  const all = Array.from({ length: 600 }, (_, i) => {
    const slots = (i * 37) % 5000;
    return { i, slots, interpreter: new Interpreter(storing(slots)) };
  });
  for (const { i, interpreter } of all)
    expect(interpreter.run(Uint8Array.of(i >> 8, i, 0xaa, 0x55))).toBe(CODE.STOP_OKAY);
  for (const { i, slots, interpreter } of all) {
    const { metadata } = interpreter;
    expect([...metadata.subarray(slots)], `interpreter ${i}`).toEqual([i >> 8, i & 255, 0xaa, 0x55]);
    expect(metadata.subarray(0, slots).every((b) => b === 0)).toBe(true);
  }
});

test("interpreters that are made and forgotten take no memory for good", () => {
  const of = storing(60_000);
  for (let i = 0; i < 3000; i++) new Interpreter(of).run(new Uint8Array(4));
  const held = process.memoryUsage().rss;
  for (let i = 0; i < 3000; i++) new Interpreter(of).run(new Uint8Array(4));
  expect(process.memoryUsage().rss - held).toBeLessThan(256 << 20);
});

test("packets of any length: what lies beyond 256 kB is read as well", () => {
  const interpreter = new Interpreter(jumping());
  const told: number[][] = [];
  for (const length of [1000, (1 << 18) - 2, (1 << 18) - 1, 300_000, 9_000_000, 1000]) {
    const packet = new Uint8Array(length + 2);
    new DataView(packet.buffer).setUint32(0, length);
    packet.set([length & 255, 0xab], length);
    interpreter.clear();
    interpreter.metadata[3] = 7;
    interpreter.trace = { node: (index, off, of) => void told.push([index, off, of]) };
    expect(interpreter.run(packet)).toBe(CODE.STOP_OKAY);
    expect([...interpreter.metadata]).toEqual([length & 255, 0xab, 0, 7]);
    expect([interpreter.code, interpreter.lastNode, interpreter.nodes]).toEqual([CODE.STOP_OKAY, 1, 2]);
    expect(told.splice(0)).toEqual([
      [0, 0, length],
      [1, length, 2],
    ]);
    expect(interpreter.run(packet, length + 1)).toBe(CODE.STOP_LENGTH);
    expect(told.splice(0)).toEqual([[0, 0, length]]);
  }
});

test("an end beyond the packet's is the packet's", () => {
  const interpreter = new Interpreter(storing(0));
  interpreter.run(Uint8Array.of(1, 2, 3, 4));
  expect(interpreter.run(Uint8Array.of(1, 2), 4)).toBe(CODE.STOP_LENGTH);
  expect(interpreter.run(Uint8Array.of(9, 8, 7, 6, 5), 4)).toBe(CODE.STOP_OKAY);
  expect([...interpreter.metadata]).toEqual([9, 8, 7, 6]);
});

test("an end or a start in front of the packet: nothing is read, no other's memory is written", () => {
  const [interpreter, other] = [new Interpreter(storing(0)), new Interpreter(storing(0))];
  other.run(Uint8Array.of(1, 2, 3, 4));
  const long = new Uint8Array(5_000_000).fill(0xee);
  for (const end of [-1, -4_000_000, Number.NEGATIVE_INFINITY])
    expect(interpreter.run(long, end), `end ${end}`).toBe(CODE.STOP_LENGTH);
  const packet = Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2);
  for (const start of [
    -1,
    -64,
    -1_000_000,
    -2_147_483_648,
    -Infinity,
    Number.NaN,
    9,
    2_147_483_647,
    4_294_967_290,
    2 ** 53,
  ])
    expect(interpreter.run(packet, 8, start), `start ${start}`).toBe(CODE.STOP_LENGTH);
  expect([...interpreter.metadata]).toEqual([0, 0, 0, 0]);
  expect([...other.metadata]).toEqual([1, 2, 3, 4]);
});
