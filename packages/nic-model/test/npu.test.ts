import { encodeInsns, type Insn } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { Npu } from "../src/index.ts";

const MEMORY = 4 << 20;
const AT = 0x20_0000;

/** An instruction; fields not given are zero. */
const i = (op: number, fields: Partial<Insn> = {}): Insn => ({
  op,
  dst: 0,
  src: 0,
  off: 0,
  imm: 0,
  ...fields,
});
const EXIT = i(0x95);
const MOV_K = (dst: number, imm: number): Insn => i(0xb7, { dst, imm });
const LDDW = (dst: number, imm64: bigint): Insn => i(0x18, { dst, imm64 });
const CALL = (imm: number): Insn => i(0x85, { imm });

const fresh = (): Npu => Npu.create({ memoryBytes: MEMORY });
const loaded = (insns: readonly Insn[], budget?: number): Npu => {
  const npu = Npu.create({ memoryBytes: MEMORY, ...(budget === undefined ? {} : { budget }) });
  expect(npu.load(0, 1, encodeInsns(insns))).toEqual({ ok: true });
  return npu;
};

describe("code is refused with a name and the instruction's number", () => {
  const rows: [what: string, insns: readonly Insn[], reason: string, instruction: number][] = [
    ["no instruction at all", [], "size", 0],
    ["opcode 0", [i(0), EXIT], "opcode", 0],
    ["class LD other than lddw", [i(0x20), EXIT], "opcode", 0],
    ["atomic operation", [i(0xdb, { dst: 1, src: 2 }), EXIT], "opcode", 0],
    ["byte order conversion to little endian", [i(0xd4, { dst: 1, imm: 16 }), EXIT], "opcode", 0],
    ["byte order conversion to big endian", [i(0xdc, { dst: 1, imm: 16 }), EXIT], "opcode", 0],
    ["bswap of 24 bits", [i(0xd7, { dst: 1, imm: 24 }), EXIT], "opcode", 0],
    ["neg with a register operand", [i(0x8f, { dst: 1 }), EXIT], "opcode", 0],
    ["arithmetic code 0xe", [i(0xe7, { dst: 1 }), EXIT], "opcode", 0],
    ["may_goto", [i(0xe5), EXIT], "opcode", 0],
    ["callx", [i(0x8d, { dst: 1 }), EXIT], "opcode", 0],
    ["exit of the 32-bit class", [i(0x96), EXIT], "opcode", 0],
    ["call of the 32-bit class", [i(0x86), EXIT], "opcode", 0],
    ["sign-extending 64-bit load", [i(0x99, { dst: 0, src: 1 }), EXIT], "opcode", 0],
    ["legacy packet load", [i(0x30), EXIT], "opcode", 0],
    ["add immediate with a source", [i(0x07, { dst: 1, src: 2 }), EXIT], "reserved fields", 0],
    ["add register with an immediate", [i(0x0f, { dst: 1, src: 2, imm: 1 }), EXIT], "reserved fields", 0],
    ["add with an offset", [i(0x07, { dst: 1, off: 1 }), EXIT], "reserved fields", 0],
    ["division with offset 2", [i(0x37, { dst: 1, off: 2 }), EXIT], "reserved fields", 0],
    ["move of 24 bits with sign", [i(0xbf, { dst: 1, src: 2, off: 24 }), EXIT], "reserved fields", 0],
    ["32-bit move of 32 bits with sign", [i(0xbc, { dst: 1, src: 2, off: 32 }), EXIT], "reserved fields", 0],
    ["immediate move with sign", [i(0xb7, { dst: 1, off: 8 }), EXIT], "reserved fields", 0],
    ["load with an immediate", [i(0x61, { dst: 0, src: 1, imm: 4 }), EXIT], "reserved fields", 0],
    ["store immediate with a source", [i(0x62, { dst: 1, src: 1 }), EXIT], "reserved fields", 0],
    ["exit with an immediate", [i(0x95, { imm: 1 })], "reserved fields", 0],
    ["ja with an immediate", [i(0x05, { imm: 1 }), EXIT], "reserved fields", 0],
    ["gotol with an offset", [i(0x06, { off: 1 }), EXIT], "reserved fields", 0],
    ["call of kind 2", [i(0x85, { src: 2, imm: 1 }), EXIT], "reserved fields", 0],
    ["lddw of a map", [i(0x18, { dst: 1, src: 1, imm64: 0n }), EXIT], "reserved fields", 0],
    ["lddw without its second half", [EXIT, i(0x18, { imm64: 0n })], "", -1],
    ["register r11", [i(0xb7, { dst: 11 }), EXIT], "register", 0],
    ["source r12", [i(0xbf, { dst: 0, src: 12 }), EXIT], "register", 0],
    ["write to r10", [i(0xb7, { dst: 10 }), EXIT], "register", 0],
    ["r10 as a value", [i(0xbf, { dst: 1, src: 10 }), EXIT], "register", 0],
    ["r10 stored", [i(0x7b, { dst: 1, src: 10 }), EXIT], "register", 0],
    ["r10 compared", [i(0x1d, { dst: 1, src: 10 }), EXIT], "register", 0],
    ["load into r10", [i(0x79, { dst: 10, src: 1 }), EXIT], "register", 0],
    ["lddw into r10", [LDDW(10, 0n), EXIT], "register", 0],
    ["frame access above the frame", [i(0x79, { dst: 0, src: 10, off: -4 }), EXIT], "frame", 0],
    ["frame access at r10", [i(0x71, { dst: 0, src: 10, off: 0 }), EXIT], "frame", 0],
    ["frame access below the frame", [i(0x72, { dst: 10, off: -513 }), EXIT], "frame", 0],
    ["jump behind the end", [i(0x05, { off: 1 }), EXIT], "jump", 0],
    ["jump before the start", [i(0x05, { off: -2 }), EXIT], "jump", 0],
    ["conditional jump behind the end", [i(0x15, { off: 1 }), EXIT], "jump", 0],
    ["gotol behind the end", [i(0x06, { imm: 0x7fffffff }), EXIT], "jump", 0],
    ["jump into lddw", [i(0x05, { off: 1 }), LDDW(0, 1n), EXIT], "jump", 0],
    ["call outside", [i(0x85, { src: 1, imm: -2 }), EXIT], "jump", 0],
    ["call into lddw", [i(0x85, { src: 1, imm: 1 }), LDDW(0, 1n), EXIT], "jump", 0],
    ["unit 0", [CALL(0), EXIT], "helper", 0],
    ["unit 7", [CALL(7), EXIT], "helper", 0],
    ["helper 65", [CALL(65), EXIT], "helper", 0],
    ["negative helper", [CALL(-1), EXIT], "helper", 0],
    ["no exit", [MOV_K(0, 1)], "end", 0],
    ["conditional jump at the end", [MOV_K(0, 1), i(0x15, { off: -2 })], "end", 1],
    ["lddw at the end", [EXIT, LDDW(0, 1n)], "end", 2],
    ["the second instruction", [MOV_K(0, 1), i(0xff), EXIT], "opcode", 1],
    ["an instruction behind lddw, counted in slots", [LDDW(0, 1n), i(0xff), EXIT], "opcode", 2],
  ];
  test.each(rows.filter((r) => r[2] !== ""))("%s", (_what, insns, reason, instruction) => {
    expect(fresh().load(0, 1, encodeInsns(insns))).toMatchObject({ ok: false, reason, instruction });
  });

  test("half an lddw, half an instruction, too much code", () => {
    const npu = fresh();
    const half = encodeInsns([EXIT, LDDW(0, 1n)]).subarray(0, 16);
    expect(npu.load(0, 1, half)).toMatchObject({ ok: false, reason: "reserved fields", instruction: 1 });
    expect(npu.load(0, 1, new Uint8Array(12))).toMatchObject({ ok: false, reason: "size" });
    const much = encodeInsns([...new Array(32767).fill(MOV_K(0, 1)), EXIT]);
    expect(npu.load(0, 1, much)).toEqual({ ok: true });
    // the bundle is full now
    expect(npu.load(0, 2, encodeInsns([EXIT]))).toMatchObject({ ok: false, reason: "size" });
    npu.clear(0);
    expect(npu.load(0, 2, encodeInsns([EXIT]))).toEqual({ ok: true });
    expect(npu.load(1, 1, much)).toEqual({ ok: true });
  });

  test("a second half of lddw with other bits is refused wherever it is", () => {
    const text = encodeInsns([LDDW(0, 1n), EXIT]);
    for (let at = 8; at < 12; at++) {
      const bad = text.slice();
      bad[at] = 1;
      expect(fresh().load(0, 1, bad)).toMatchObject({ ok: false, reason: "reserved fields" });
    }
  });

  test("refused code leaves the programs that are there as they are", () => {
    const npu = loaded([MOV_K(0, 7), EXIT]);
    expect(npu.load(0, 1, encodeInsns([MOV_K(0, 8), i(0xff)])).ok).toBe(false);
    expect(npu.run(0, 1, []).ret).toBe(7);
    expect(npu.load(0, 2, encodeInsns([MOV_K(0, 9), EXIT]))).toEqual({ ok: true });
    expect([npu.run(0, 1, []).ret, npu.run(0, 2, []).ret]).toEqual([7, 9]);
  });

  test("any byte changed anywhere: refused or executed, never an exception", () => {
    const text = encodeInsns([
      i(0x61, { dst: 2, src: 1 }),
      LDDW(3, 0x1234_5678_9abcn),
      i(0x15, { dst: 2, off: 2 }),
      i(0x0f, { dst: 2, src: 3 }),
      i(0x85, { src: 1, imm: 2 }),
      i(0x7b, { dst: 10, src: 2, off: -8 }),
      EXIT,
      i(0x07, { dst: 0, imm: 3 }),
      EXIT,
    ]);
    const npu = Npu.create({ memoryBytes: MEMORY, budget: 1000 });
    let refused = 0;
    for (let at = 0; at < text.length; at++)
      for (let x = 1; x < 256; x++) {
        const bad = text.slice();
        bad[at]! ^= x;
        npu.clear(0);
        if (npu.load(0, 1, bad).ok) npu.run(0, 1, [AT]);
        else refused++;
      }
    expect(refused).toBeGreaterThan(1000);
  });
});

describe("traps", () => {
  const sizes: [name: string, load: number, store: number, storeK: number, bytes: number][] = [
    ["8", 0x71, 0x73, 0x72, 1],
    ["16", 0x69, 0x6b, 0x6a, 2],
    ["32", 0x61, 0x63, 0x62, 4],
    ["64", 0x79, 0x7b, 0x7a, 8],
  ];
  test.each(sizes)(
    "%s bits: the last address is good, one more is OUT_OF_BOUNDS",
    (_n, load, store, storeK, bytes) => {
      for (const insn of [i(load, { dst: 0, src: 1 }), i(store, { dst: 1, src: 2 }), i(storeK, { dst: 1 })])
        for (const off of [-32768, -1, 0, 1, 32767]) {
          const npu = loaded([{ ...insn, off }, MOV_K(0, 0), EXIT]);
          const last = MEMORY - bytes - off;
          expect(npu.run(0, 1, [last]).trap).toBe("NONE");
          expect(npu.run(0, 1, [last + 1])).toMatchObject({ trap: "OUT_OF_BOUNDS", ret: 0, instructions: 1 });
          expect(npu.run(0, 1, [0xffff_ffff]).trap).toBe("OUT_OF_BOUNDS");
          if (off > 0) expect(npu.run(0, 1, [0]).trap).toBe("NONE");
          if (off < 0) expect(npu.run(0, 1, [-off - 1]).trap).toBe("OUT_OF_BOUNDS");
        }
    },
  );

  test("an address whose upper half is not zero is outside", () => {
    const npu = loaded([LDDW(1, 0x1_0000_0000n), i(0x61, { dst: 0, src: 1 }), EXIT]);
    expect(npu.run(0, 1, []).trap).toBe("OUT_OF_BOUNDS");
  });

  test("a refused store has written nothing, not even in part", () => {
    const npu = loaded([MOV_K(2, -1), i(0x7b, { dst: 1, src: 2 }), EXIT]);
    npu.bytes.fill(0, MEMORY - 8);
    expect(npu.run(0, 1, [MEMORY - 4]).trap).toBe("OUT_OF_BOUNDS");
    expect([...npu.bytes.subarray(MEMORY - 8)]).toEqual(new Array(8).fill(0));
  });

  test("helper 64 reports its code and writes the function's trap cell", () => {
    const names = ["BUDGET", "DIV_ZERO", "OVERFLOW", "OUT_OF_BOUNDS", "UNREACHABLE", "BUDGET", "BUDGET"];
    const npu = loaded([CALL(64)]);
    for (const [code, name] of names.entries()) {
      expect(npu.run(0, 1, [code]).trap).toBe(name);
      expect(npu.view.getUint32(0x2_0000, true)).toBe([5, 1, 2, 3, 4, 5, 5][code]);
    }
    npu.clear(0);
    npu.load(0, 1, encodeInsns([EXIT]));
    npu.run(0, 1, []);
    expect(npu.view.getUint32(0x2_0000, true)).toBe(0);
  });

  test("a trap in a function leaves through all frames", () => {
    const npu = loaded([i(0x85, { src: 1, imm: 1 }), EXIT, MOV_K(1, 2), CALL(64)]);
    expect(npu.run(0, 1, []).trap).toBe("OVERFLOW");
    expect(npu.run(0, 1, []).trap).toBe("OVERFLOW");
  });

  test("endless loops end with BUDGET, of one instruction or many", () => {
    for (const insns of [
      [i(0x05, { off: -1 })],
      [i(0x06, { imm: -1 })],
      [MOV_K(0, 1), i(0x05, { off: -2 })],
      [i(0x15, { dst: 2, off: -1 }), EXIT],
    ]) {
      const run = loaded(insns, 1000).run(0, 1, []);
      expect(run.trap).toBe("BUDGET");
      expect(run.instructions).toBeLessThanOrEqual(1001);
    }
  });

  test("8 frames are possible, a ninth is not", () => {
    // call chain: function n calls n + 1, the last one returns 1
    const chain = (frames: number): Insn[] => {
      const out: Insn[] = [];
      for (let f = 1; f < frames; f++) out.push(i(0x85, { src: 1, imm: 1 }), EXIT);
      return [...out, MOV_K(0, 1), EXIT];
    };
    expect(loaded(chain(8)).run(0, 1, [])).toMatchObject({ ret: 1, trap: "NONE" });
    expect(loaded(chain(9)).run(0, 1, []).trap).toBe("BUDGET");
    expect(loaded([i(0x85, { src: 1, imm: -1 }), EXIT]).run(0, 1, []).trap).toBe("BUDGET");
  });
});

test("frames: 512 bytes each of its own, r6 to r9 kept across calls, r1 to r5 not", () => {
  const npu = loaded([
    MOV_K(6, 60),
    i(0x7a, { dst: 10, off: -512, imm: 11 }),
    i(0x7a, { dst: 10, off: -8, imm: 22 }),
    i(0x85, { src: 1, imm: 5 }),
    i(0x79, { dst: 2, src: 10, off: -512 }),
    i(0x0f, { dst: 0, src: 2 }),
    i(0x79, { dst: 2, src: 10, off: -8 }),
    i(0x0f, { dst: 0, src: 6 }),
    EXIT,
    i(0x7a, { dst: 10, off: -512, imm: 1 }),
    i(0x7a, { dst: 10, off: -8, imm: 2 }),
    MOV_K(6, 1),
    MOV_K(0, 1000),
    EXIT,
  ]);
  expect(npu.run(0, 1, [])).toEqual({ ret: 1000 + 11 + 60, trap: "NONE", instructions: 14 });
});

test("units: a range outside the memory is OUT_OF_BOUNDS, the last byte is inside", () => {
  const rows: [unit: number, good: number[], bad: number[][]][] = [
    [
      1,
      [MEMORY - 9, 9, 0],
      [
        [MEMORY - 8, 9, 0],
        [0xffff_ffff, 9, 0],
        [AT, 0xffff_ffff, 0],
      ],
    ],
    [
      2,
      [MEMORY - 8, AT, 8],
      [
        [MEMORY - 7, AT, 8],
        [AT, MEMORY - 7, 8],
        [AT, AT, 0xffff_ffff],
      ],
    ],
    [
      3,
      [AT, MEMORY - 8, 8, 0],
      [
        [MEMORY - 7, AT, 8, 0],
        [AT, MEMORY - 7, 8, 0],
      ],
    ],
    [4, [MEMORY - 9, 9, 0], [[MEMORY - 8, 9, 0]]],
    [
      5,
      [MEMORY - 16, AT, 12],
      [
        [MEMORY - 15, AT, 12],
        [AT, MEMORY - 11, 12],
      ],
    ],
    [
      6,
      [MEMORY - 16, AT, 12, AT + 64],
      [
        [MEMORY - 15, AT, 12, AT],
        [AT, MEMORY - 11, 12, AT],
        [AT, AT, 12, MEMORY - 7],
      ],
    ],
  ];
  for (const [unit, good, bad] of rows) {
    const npu = loaded([CALL(unit), EXIT]);
    expect(npu.run(0, 1, good).trap, `unit ${unit}`).toBe("NONE");
    for (const args of bad) expect(npu.run(0, 1, args).trap, `unit ${unit} ${args}`).toBe("OUT_OF_BOUNDS");
  }
});

describe("batches", () => {
  test("a full batch: results in order, the units' tables as they were", () => {
    const npu = loaded([MOV_K(2, 100), MOV_K(3, -1), CALL(4), EXIT]);
    npu.bytes.fill(7, AT, AT + 5000);
    for (let k = 0; k < Npu.maxBatch; k++) npu.bytes[AT + k] = k & 255;
    const addresses = new Uint32Array(Npu.maxBatch).map((_, k) => AT + k);
    const before = [...addresses.subarray(0, 8)].map((a) => npu.run(0, 1, [a]));
    const results = npu.runBatch(0, 1, addresses, Npu.maxBatch).slice();
    const after = [...addresses.subarray(0, 8)].map((a) => npu.run(0, 1, [a]));
    expect(after).toEqual(before);
    for (let k = 0; k < 8; k++)
      expect([...results.subarray(3 * k, 3 * k + 3)]).toEqual([before[k]!.ret, 0, 4]);
    expect(new Set(results.filter((_, k) => k % 3 === 0)).size).toBeGreaterThan(200);
  });

  test("a trap in one packet says nothing about the next", () => {
    const npu = loaded([i(0x61, { dst: 0, src: 1 }), EXIT]);
    npu.view.setUint32(AT, 77, true);
    const results = npu.runBatch(0, 1, Uint32Array.of(AT, MEMORY, AT), 3);
    expect([...results.subarray(0, 9)]).toEqual([77, 0, 2, 0, 3, 1, 77, 0, 2]);
    expect(npu.counters()).toMatchObject({
      packets: 3,
      instructions: 5,
      traps: { NONE: 2, OUT_OF_BOUNDS: 1 },
    });
  });

  test("no register holds anything of the packet before", () => {
    const insns = [0, 2, 3, 4, 5, 6, 7, 8, 9].map((r) => i(0x4f, { dst: 1, src: r }));
    const dirty = [0, 2, 3, 4, 5, 6, 7, 8, 9].map((r) => MOV_K(r, -1));
    const npu = loaded([...insns, i(0x7b, { dst: 1, src: 1 }), ...dirty, MOV_K(0, 0), EXIT]);
    // r1 | every other register is the address again when they are zero; a store to anywhere else would trap
    npu.run(0, 1, [AT]);
    const results = npu.runBatch(0, 1, Uint32Array.of(AT, AT + 8), 2);
    expect([results[1], results[4]]).toEqual([0, 0]);
    expect(npu.view.getBigUint64(AT + 8, true)).toBe(BigInt(AT + 8));
  });

  test("more packets than a batch holds, or a function without a program, is the caller's mistake", () => {
    const npu = loaded([EXIT]);
    expect(() => npu.runBatch(0, 1, new Uint32Array(5000), 5000)).toThrow(/at most 4096/);
    expect(() => npu.runBatch(0, 2, new Uint32Array(1), 1)).toThrow(/no program for function 2/);
    expect(() => npu.run(1, 1, [])).toThrow(/no program/);
  });
});

test("the two bundle slots do not touch each other", () => {
  const npu = fresh();
  npu.load(0, 1, encodeInsns([MOV_K(0, 1), EXIT]));
  npu.load(1, 1, encodeInsns([i(0x85, { src: 1, imm: 1 }), EXIT, MOV_K(0, 2), EXIT]));
  expect([npu.run(0, 1, []).ret, npu.run(1, 1, []).ret]).toEqual([1, 2]);
  npu.clear(0);
  expect([npu.has(0, 1), npu.has(1, 1), npu.run(1, 1, []).ret]).toEqual([false, true, 2]);
});

test("counters: packets, instructions, unit calls and bytes", () => {
  const npu = loaded([MOV_K(2, 33), MOV_K(3, 0), CALL(1), EXIT]);
  npu.run(0, 1, [AT]);
  npu.run(0, 1, [AT]);
  expect(npu.counters()).toMatchObject({ packets: 2, instructions: 8, unitCalls: 2, unitBytes: 66 });
});

test("sizes that are not possible", () => {
  for (const memoryBytes of [0, 65536, (4 << 20) + 1, 2 ** 32])
    expect(() => Npu.create({ memoryBytes })).toThrow(/multiple of 64 KiB/);
});
