import { encodeInsns, type Insn } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { ideal } from "../src/index.ts";
import { filled, sum16 } from "./ref/sum.ts";
import { frame, image, PROGRAMS, Rig } from "./rig.ts";

const i = (op: number, fields: Partial<Insn> = {}): Insn => ({
  op,
  dst: 0,
  src: 0,
  off: 0,
  imm: 0,
  ...fields,
});
const EXIT = i(0x95);
/** The site's choice: without it check 11 refuses every one of these. */
const UNCHECKED = { checkCode: false };

/** Code that no compiler of ours made, under the right hash. */
const REFUSED: readonly [what: string, insns: readonly Insn[], message: RegExp][] = [
  ["bad opcode", [i(0xff), EXIT], /instruction 0: opcode/],
  ["jump out of the code", [i(0x05, { off: 7 }), EXIT], /instruction 0: jump/],
  [
    "jump into a 64-bit immediate",
    [i(0x05, { off: 1 }), i(0x18, { imm64: 1n }), EXIT],
    /instruction 0: jump/,
  ],
  ["register that does not exist", [EXIT, i(0xb7, { dst: 12 }), EXIT], /instruction 1: register/],
  ["write to the frame pointer", [i(0xb7, { dst: 10 }), EXIT], /instruction 0: register/],
  ["access outside the frame", [i(0x7a, { dst: 10, off: -520 }), EXIT], /instruction 0: access/],
  ["unit that does not exist", [i(0x85, { imm: 9 }), EXIT], /instruction 0: unit/],
  ["code without an end", [i(0xb7, { imm: 0 })], /instruction 0: code/],
];

/** r1 is the skb; 24 its len, 12 its data, 20 its end. */
const STOPPED: readonly [what: string, insns: readonly Insn[], reason: string][] = [
  [
    "access outside memory",
    [i(0x18, { dst: 2, imm64: 0xffff_fff0n }), i(0x61, { src: 2 }), EXIT],
    "trap_out_of_bounds",
  ],
  ["endless loop", [i(0x05, { off: -1 })], "trap_budget"],
  ["endless recursion", [i(0x85, { src: 1, imm: -1 }), EXIT], "trap_budget"],
  ["a trap of its own", [i(0xb7, { dst: 1, imm: 4 }), i(0x85, { imm: 64 })], "trap_unreachable"],
  ["an error", [i(0xb7, { imm: -22 }), EXIT], "errno_22"],
  [
    "a packet that begins elsewhere",
    [i(0x62, { dst: 1, off: 12, imm: -64 }), i(0xb7), EXIT],
    "trap_out_of_bounds",
  ],
  ["a packet that is longer", [i(0x62, { dst: 1, off: 24, imm: 9000 }), i(0xb7), EXIT], "trap_out_of_bounds"],
  [
    "frags that lie nowhere",
    [i(0x62, { dst: 1, off: 28, imm: 7 }), i(0x62, { dst: 1, off: 20, imm: -8 }), i(0xb7), EXIT],
    "trap_out_of_bounds",
  ],
];

const profile = { ...ideal, program: { ...ideal.program!, instructionsPerPacket: 5000 } };

/** Packets of several layouts, and what each must be on the wire. */
function packets(rig: Rig): { skbs: ReturnType<Rig["partial"]>[]; right: Uint8Array[] } {
  const frames = [60, 61, 200, 1514].map((length) => frame(length));
  const layouts = [{}, {}, { frags: [31, 40] }, { frags: [700, 3, 700] }];
  return {
    skbs: frames.map((bytes, n) => rig.partial(bytes, 34, 16, layouts[n])),
    right: frames.map((bytes) => filled(bytes, 34, 16)),
  };
}

describe("code that is no program", () => {
  test.each(REFUSED)("%s: refused by name, the old bundle runs on", async (_what, insns, message) => {
    const rig = await Rig.make({ profile });
    const bad = image({ tx_csum: encodeInsns(insns) });
    expect(await rig.reload(bad)).toMatchObject({ ok: false, check: 11 });
    const answer = await rig.reload(bad, UNCHECKED);
    expect(answer).toMatchObject({ ok: false, errno: expect.anything() });
    expect(answer.ok ? "" : answer.extack).toMatch(message);
    expect(rig.states.tx_csum).toMatchObject({ state: "HARDWARE", generation: 1 });
    const { skbs, right } = packets(rig);
    expect(rig.send(skbs).map((s) => s!.frame)).toEqual(right);
    expect(rig.driver.counters).toMatchObject({ txOffloaded: skbs.length, txFallback: {} });
  });

  test.each(STOPPED)(
    "%s: stopped on transmit, software does it, nothing is lost",
    async (_what, insns, reason) => {
      const rig = await Rig.make({
        profile,
        image: image({ tx_csum: encodeInsns(insns) }),
        policy: UNCHECKED,
      });
      expect(rig.states.tx_csum.state).toBe("HARDWARE");
      const { skbs, right } = packets(rig);
      const sent = rig.send(skbs);
      expect(sent.map((s) => s!.frame)).toEqual(right);
      expect(sent.every((s) => s!.completion.status !== 0)).toBe(true);
      expect(rig.driver.counters.txFallback).toEqual({ [reason]: skbs.length });
    },
  );

  test.each(STOPPED.filter(([, , reason]) => !/packet|frags/.test(reason)).slice(0, 5))(
    "%s: stopped on receive, the stack sums itself",
    async (_what, insns) => {
      const rig = await Rig.make({
        profile,
        image: image({ rx_csum: encodeInsns(insns) }),
        policy: UNCHECKED,
      });
      const bytes = frame(333);
      const { skb, outcome, completion } = rig.arrive(bytes);
      expect([outcome, skb.ipSummed]).toEqual(["failed", 0]);
      expect(completion.status).toBeGreaterThan(0);
      // the bytes are all there, and the host's program sums them
      expect([...skb.toBytes()]).toEqual([...bytes.subarray(14)]);
      expect(rig.driver.host.rxCsum(skb.address)).toBe(0);
      const sum = sum16(bytes, 14, bytes.length);
      expect(skb.csum).toBe(((sum & 255) << 8) | (sum >> 8));
    },
  );

  test("a bundle with more instructions than the device has is refused, whatever it says of itself", async () => {
    const small = { ...ideal, program: { ...ideal.program!, instructions: 100 } };
    const rig = await Rig.make({ profile: small, image: null });
    // check 12 by what the image says
    expect(await rig.reload(image())).toMatchObject({ ok: false, errno: "ENOSPC", check: 12 });
    // the device by what it holds
    const programs = PROGRAMS.map((p) => ({ ...p, target: 3, irKind: 2, abi: 1, sha1: "", resources: {} }));
    const refused = rig.device.stage({ file: "x", image: new Uint8Array(0), programs });
    expect(refused).toMatch(/^\d+ instructions, device has room for 100$/);
    expect(rig.device.generation).toBe(0);
  });
});
