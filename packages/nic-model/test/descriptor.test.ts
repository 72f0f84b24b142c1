import { expect, test } from "vitest";
import {
  COMPLETION_SIZE,
  CSUM_MODE,
  decodeCompletion,
  decodeTx,
  encodeCompletion,
  encodeTx,
  MAX_BUFFERS,
  newCompletion,
  newTxDescriptor,
  Ring,
  TX_DESCRIPTOR_SIZE,
} from "../src/index.ts";

test("a transmit descriptor: the bytes of its layout, and back", () => {
  const d = newTxDescriptor();
  Object.assign(d, { csumMode: CSUM_MODE.generic, buffers: 2, csumStart: 34, csumOffset: 16, l3: 4, l4: 6 });
  Object.assign(d, { length: 100, cookie: 0xfeedf00d });
  d.address.set([0x1000, 0x12345678]);
  d.size.set([60, 40]);
  const view = new DataView(new ArrayBuffer(TX_DESCRIPTOR_SIZE + 3));
  encodeTx(view, 3, d);
  const hex = Buffer.from(view.buffer, 3, 32).toString("hex");
  expect(hex).toBe("010222001000040664000000" + "0df0edfe" + "001000003c000000" + "7856341228000000");
  const back = newTxDescriptor();
  expect(decodeTx(view, 3, back)).toBe(true);
  expect(back).toEqual(d);
});

test("a descriptor with too many buffers, none, or lengths that do not add up is refused", () => {
  const view = new DataView(new ArrayBuffer(TX_DESCRIPTOR_SIZE));
  const d = newTxDescriptor();
  Object.assign(d, { buffers: 1, length: 9 });
  d.size[0] = 8;
  encodeTx(view, 0, d);
  expect(decodeTx(view, 0, newTxDescriptor())).toBe(false);
  view.setUint32(8, 8, true);
  expect(decodeTx(view, 0, newTxDescriptor())).toBe(true);
  for (const buffers of [0, MAX_BUFFERS + 1, 255]) {
    view.setUint8(1, buffers);
    expect(decodeTx(view, 0, newTxDescriptor())).toBe(false);
  }
});

test("a completion: the bytes of its layout, and back", () => {
  const c = { ...newCompletion(), status: 1, code: -22, ipSummed: 2, csumLevel: 3 };
  Object.assign(c, { csum: 0xabcd, generation: 7, length: 1514, cookie: 9 });
  Object.assign(c, { parsed: 1, parseCode: -13, parseNode: 0x102, parseEncaps: 3 });
  const view = new DataView(new ArrayBuffer(COMPLETION_SIZE));
  encodeCompletion(view, 0, c);
  expect(Buffer.from(view.buffer).toString("hex")).toBe(
    "01020300eaffffffcdab000007000000ea05000009000000f301020103000000",
  );
  const back = newCompletion();
  decodeCompletion(view, 0, back);
  expect(back).toEqual(c);
});

test("a ring: first in, first out, one entry stays free, any number of turns", () => {
  const ring = new Ring(4, 8);
  expect([ring.pending, ring.free, ring.consume()]).toEqual([0, 3, -1]);
  let produced = 0;
  let consumed = 0;
  for (let turn = 0; turn < 50; turn++) {
    for (let at = ring.produce(); at >= 0; at = ring.produce()) {
      ring.view.setUint32(at, produced++);
      ring.commit();
    }
    expect([ring.pending, ring.free]).toEqual([3, 0]);
    for (let n = 0; n <= turn % 3; n++) {
      expect(ring.view.getUint32(ring.consume())).toBe(consumed++);
      ring.release();
    }
  }
  for (const entries of [0, 1, 3, 6]) expect(() => new Ring(entries, 8)).toThrow(/power of two/);
});
