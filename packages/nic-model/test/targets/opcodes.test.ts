import { encodeInsns, type Insn } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { runEbpf } from "../../../cpr-ir/test/ref/ebpf-interp.ts";
import { EDGES } from "../../../cpr-ir/test/targets/generate.ts";
import { Npu } from "../../src/index.ts";
import { Halves } from "../ref/halves.ts";

const MEMORY = 2 << 20;
const AT = 0x10_0000;
const i = (op: number, fields: Partial<Insn> = {}): Insn => ({
  op,
  dst: 0,
  src: 0,
  off: 0,
  imm: 0,
  ...fields,
});
const EXIT = i(0x95);
/** r2 = first operand, r3 = second; afterwards r2 to memory. */
const LOAD = [i(0x79, { dst: 2, src: 1 }), i(0x79, { dst: 3, src: 1, off: 8 })];
const STORE = [i(0x7b, { dst: 1, src: 2, off: 16 }), EXIT];

const IMMEDIATES = [0, 1, -1, 2, 31, 32, 63, 64, 0x7fffffff, -0x80000000, 0x00ff00ff, -12345];

/** Opcode of each arithmetic instruction, with its offset; both classes, both operand forms. */
function* arithmetic(): Generator<[name: string, insns: Insn[]]> {
  const codes = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12];
  for (const width of [4, 7])
    for (const code of codes) {
      const offs = code === 3 || code === 9 ? [0, 1] : [0];
      for (const off of offs) {
        const name = `class ${width}, code ${code}, offset ${off}`;
        yield [`${name}, register`, [i((code << 4) | 8 | width, { dst: 2, src: 3, off })]];
        for (const imm of IMMEDIATES)
          yield [`${name}, ${imm}`, [i((code << 4) | width, { dst: 2, off, imm })]];
      }
    }
  for (const width of [4, 7]) yield [`neg, class ${width}`, [i(0x80 | width, { dst: 2 })]];
  for (const imm of [16, 32, 64]) yield [`bswap${imm}`, [i(0xd7, { dst: 2, imm })]];
  for (const off of [8, 16]) yield [`movsx${off}, 32 bits`, [i(0xbc, { dst: 2, src: 3, off })]];
  for (const off of [8, 16, 32]) yield [`movsx${off}, 64 bits`, [i(0xbf, { dst: 2, src: 3, off })]];
  yield ["lddw", [i(0x18, { dst: 2, imm64: 0x8123_4567_89ab_cdefn })]];
}

/** r2 becomes 1 where the jump is taken, else 0. */
function* jumps(): Generator<[name: string, insns: Insn[]]> {
  const result = [i(0xb7, { dst: 2, imm: 0 }), i(0x05, { off: 1 }), i(0xb7, { dst: 2, imm: 1 })];
  for (const width of [5, 6])
    for (const code of [1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13]) {
      const name = `class ${width}, code ${code}`;
      yield [`${name}, register`, [i((code << 4) | 8 | width, { dst: 2, src: 3, off: 2 }), ...result]];
      for (const imm of IMMEDIATES)
        yield [`${name}, ${imm}`, [i((code << 4) | width, { dst: 2, off: 2, imm }), ...result]];
    }
  yield ["gotol", [i(0x06, { imm: 2 }), ...result]];
}

/** Accesses of every size, in memory and in the frame; what is stored is read back whole. */
function* accesses(): Generator<[name: string, insns: Insn[]]> {
  for (const [base, off] of [
    [1, 32],
    [10, -16],
  ] as const) {
    const poison = i(0x7a, { dst: base, off, imm: -0x5a5a5a5b });
    const back = i(0x79, { dst: 2, src: base, off });
    for (const size of [0x00, 0x08, 0x10, 0x18]) {
      const name = `base r${base}, size 0x${size.toString(16)}`;
      yield [`${name}, store register`, [poison, i(0x63 | size, { dst: base, src: 3, off }), back]];
      for (const imm of [1, -1, -0x12345678])
        yield [`${name}, store ${imm}`, [poison, i(0x62 | size, { dst: base, off, imm }), back]];
      const put = i(0x7b, { dst: base, src: 3, off });
      yield [`${name}, load`, [put, i(0x61 | size, { dst: 2, src: base, off })]];
      if (size !== 0x18) yield [`${name}, load with sign`, [put, i(0x81 | size, { dst: 2, src: base, off })]];
    }
  }
}

describe("every instruction, edge operands: the engine, the oracle and the interpreter of two halves agree", () => {
  test.each([
    ["arithmetic", arithmetic],
    ["jumps", jumps],
    ["accesses", accesses],
  ] as const)("%s", (_what, rows) => {
    const npu = Npu.create({ memoryBytes: MEMORY });
    const slow = new Uint8Array(MEMORY);
    const fast = new Uint8Array(MEMORY);
    const views = [npu.view, new DataView(slow.buffer), new DataView(fast.buffer)];
    let seen = 0;
    for (const [name, insns] of rows()) {
      const text = encodeInsns([...LOAD, ...insns, ...STORE]);
      npu.clear(0);
      expect(npu.load(0, 1, text), name).toEqual({ ok: true });
      const halves = new Halves(text, fast, []);
      for (const x of EDGES)
        for (const y of EDGES) {
          for (const view of views) {
            view.setBigUint64(AT, BigInt.asUintN(64, x), true);
            view.setBigUint64(AT + 8, BigInt.asUintN(64, y), true);
            view.setBigUint64(AT + 16, 0xa5a5_a5a5_a5a5_a5a5n, true);
          }
          const run = npu.run(0, 1, [AT]);
          const oracle = runEbpf(text, slow, [AT]);
          halves.run(AT, 0, 0);
          const [a, b, c] = views.map((view) => view.getBigUint64(AT + 16, true));
          if (a !== b || c !== b || run.trap !== "NONE" || oracle.trap !== 0 || halves.trap !== 0)
            throw new Error(`${name}, ${x} and ${y}: engine ${a}, halves ${c}, oracle ${b}`);
          if (run.instructions !== oracle.instructions || halves.instructions !== oracle.instructions)
            throw new Error(`${name}, ${x} and ${y}: ${run.instructions} instructions retired`);
          seen++;
        }
    }
    expect(seen).toBeGreaterThan(1000);
  });
});
