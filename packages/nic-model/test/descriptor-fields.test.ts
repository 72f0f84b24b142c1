import { encodeInsns, type Insn } from "@netoffload/cpr-ir";
import { SK_BUFF_OFF, SKB_SHARED_INFO_OFF } from "@netoffload/skbuff";
import { describe, expect, test } from "vitest";
import { runEbpf } from "../../cpr-ir/test/ref/ebpf-interp.ts";
import { DESCRIPTOR_FIELDS, DeviceMemory, Npu } from "../src/index.ts";
import { PROGRAMS } from "./rig.ts";

const MEMORY = 4 << 20;

/** Fields by the offset at which each begins; a byte belongs to the last that begins at or before it. */
function fieldAt(offsets: Readonly<Record<string, number>>, offset: number): string {
  const sorted = Object.entries(offsets).sort((a, b) => a[1] - b[1]);
  return sorted.filter(([, from]) => from <= offset).at(-1)?.[0] ?? "?";
}

/** Everything that a driver's descriptors can make of a packet: linear, fragments, with and without a request. */
function build(memory: DeviceMemory, fragments: number, partial: boolean): { skb: number; end: number } {
  const head = memory.take(400, fragments & 15);
  const skb = memory.skb(head, 101, head, 101);
  for (let f = 0; f < fragments; f++) memory.frag(skb, memory.take(67, f & 15), 61 + (f & 3));
  if (partial) memory.partial(skb, 34, 16);
  return { skb, end: memory.npu.view.getUint32(skb + SK_BUFF_OFF.end, true) };
}

/** Fields of sk_buff and of the shared info that code reads on packets as the device's runtime builds them. */
function fieldsRead(text: Uint8Array, partial: boolean): { skBuff: string[]; sharedInfo: string[] } {
  const npu = Npu.create({ memoryBytes: MEMORY });
  const memory = new DeviceMemory(npu, true);
  const skBuff = new Set<string>();
  const sharedInfo = new Set<string>();
  for (const fragments of [0, 1, 2, 17]) {
    memory.reset();
    const { skb, end } = build(memory, fragments, partial);
    const written = new Set<number>();
    const onAccess = (address: number, bytes: number, write: boolean): void => {
      for (let at = address; at < address + bytes; at++) {
        if (write) written.add(at);
        else if (written.has(at)) continue;
        else if (at >= skb && at < skb + 128) skBuff.add(fieldAt(SK_BUFF_OFF, at - skb));
        else if (at >= end && at < end + 232) sharedInfo.add(fieldAt(SKB_SHARED_INFO_OFF, at - end));
      }
    };
    const helpers = { 1: (): number => 1 };
    runEbpf(text, npu.bytes.slice(), [skb], { onAccess, helpers });
  }
  return { skBuff: [...skBuff].sort(), sharedInfo: [...sharedInfo].sort() };
}

/** Fields that no descriptor gives. */
const foreign = (read: { skBuff: string[]; sharedInfo: string[] }): string[] => [
  ...read.skBuff.filter((name) => !DESCRIPTOR_FIELDS.skBuff.includes(name)),
  ...read.sharedInfo.filter((name) => !DESCRIPTOR_FIELDS.sharedInfo.includes(name)),
];

/** What each program reads of a packet. */
const LISTS: Readonly<Record<string, { skBuff: string[]; sharedInfo: string[] }>> = {
  tx_csum: {
    skBuff: ["csumOffset", "csumStart", "data", "dataLen", "end", "flags", "head", "len"],
    sharedInfo: ["flags", "fragList", "frags", "gsoSize", "nrFrags"],
  },
  rx_csum: {
    skBuff: ["data", "dataLen", "end", "flags", "len"],
    sharedInfo: ["fragList", "frags", "nrFrags"],
  },
};

describe("no program reads a field that no descriptor tells", () => {
  test.each(PROGRAMS.map((p) => [p.name, p.text] as const))("%s", (name, text) => {
    const read = fieldsRead(text, name === "tx_csum");
    expect(foreign(read)).toEqual([]);
    expect(read).toEqual(LISTS[name]);
  });

  test("a program that does is found", () => {
    const load = (off: number): Insn => ({ op: 0x61, dst: 0, src: 1, off, imm: 0 });
    const exit: Insn = { op: 0x95, dst: 0, src: 0, off: 0, imm: 0 };
    const mark = fieldsRead(encodeInsns([load(SK_BUFF_OFF.mark), exit]), true);
    expect(foreign(mark)).toEqual(["mark"]);
  });
});

test("what no descriptor tells is 0xa5 in tests", () => {
  const npu = Npu.create({ memoryBytes: MEMORY });
  const memory = new DeviceMemory(npu, true);
  memory.reset();
  const { skb, end } = build(memory, 2, true);
  const told = new Set<string>([...DESCRIPTOR_FIELDS.skBuff]);
  for (let at = 0; at < 128; at++)
    if (!told.has(fieldAt(SK_BUFF_OFF, at))) expect([at, npu.bytes[skb + at]]).toEqual([at, 0xa5]);
  const shared = new Set<string>([...DESCRIPTOR_FIELDS.sharedInfo]);
  for (let at = 0; at < 24; at++)
    if (!shared.has(fieldAt(SKB_SHARED_INFO_OFF, at))) expect([at, npu.bytes[end + at]]).toEqual([at, 0xa5]);
});
