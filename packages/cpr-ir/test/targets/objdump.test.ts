/** Our disassembler and somebody else's, instruction by instruction, over everything that is emitted. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { facility, has } from "../../../internal/test/facility.ts";
import {
  ALU_OP,
  CLASS,
  compileNpu,
  decodeInsns,
  encodeInsns,
  type Insn,
  IR_KIND,
  judgeInsn,
  OP_BSWAP,
  OP_CALL,
  OP_LDDW,
  orThrow,
  printInsn,
  TARGET,
  writeImage,
} from "../../src/index.ts";
import { bulkOperations, controlOperations, memoryOperations } from "./cases.ts";
import { bytesOf, pureOperations, randomProgram, singleOperation } from "./generate.ts";

const present = facility("llvm-objdump-19", has("llvm-objdump-19"), "apt-get install llvm-19");
const scratch = mkdtempSync(join(tmpdir(), "netoffload-objdump-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const ir = (name: string): Uint8Array =>
  readFileSync(new URL(`../../../csum/ir/${name}.wasm`, import.meta.url));

/** What distinguishes one kind of instruction from another: fields that select the operation. */
function kindOf(i: Insn): string {
  const alu = (i.op & 7) === CLASS.ALU || (i.op & 7) === CLASS.ALU64;
  const selector = i.op === OP_BSWAP ? i.imm : i.op === OP_CALL ? i.src : alu ? i.off : 0;
  return `0x${i.op.toString(16)}/${selector}`;
}

const IMMEDIATES = [0, 1, -1, 9, 10, 16, 32, 64, 255, 0x7fff, -0x8000, 0x7fffffff, -0x80000000];
const OFFSETS = [0, 1, -1, 8, 9, 10, 16, 32, 255, 0x7fff, -0x8000];

/** Every instruction that the decoder takes, with fields at their edges; one of each for the others. */
function everyInstruction(): Insn[] {
  const out: Insn[] = [];
  for (let op = 0; op < 256; op++) {
    const at = (i: Omit<Insn, "op">): void => {
      const insn: Insn = op === OP_LDDW ? { op, ...i, imm64: 0n } : { op, ...i };
      if (judgeInsn(insn) === null) out.push(insn);
    };
    for (const off of OFFSETS)
      for (const imm of IMMEDIATES)
        for (const [dst, src] of [
          [0, 0],
          [9, 0],
          [0, 1],
          [3, 10],
          [7, 8],
        ] as const)
          at({ dst, src, off, imm });
  }
  const wide = [0n, 1n, -1n, 0x7fffffffn, 0x80000000n, 2n ** 63n - 1n, -(2n ** 63n), 0xa5a5a5a5a5a5a5a5n];
  for (const [n, imm64] of wide.entries()) out.push({ op: OP_LDDW, dst: n, src: 0, off: 0, imm: 0, imm64 });
  return out;
}

/** llvm-objdump's text of code, a line an instruction, without the symbols that it guesses. */
function theirs(text: Uint8Array): string[] {
  const file = join(scratch, "image");
  writeFileSync(
    file,
    writeImage({
      programs: [
        {
          name: "rx_csum",
          functionNumber: 2,
          target: TARGET.npu,
          irKind: IR_KIND.wasm,
          ir: ir("rx_csum"),
          text,
          resources: { instructions: text.length / 8 },
        },
      ],
    }),
  );
  const flags = ["-d", "--mcpu=v4", "--no-show-raw-insn", "--no-leading-addr", "-j", ".text.rx_csum"];
  const printed = execFileSync("llvm-objdump-19", [...flags, file], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  return printed
    .split("\n")
    .filter((l) => l.startsWith("\t"))
    .map((l) => l.trim().replace(/ <[^<> ]+>$/, ""));
}

/** Everything the compiler makes of the corpus: single operations, random programs, our own programs. */
function corpus(): Uint8Array[] {
  const modules = [
    ...pureOperations().map((name) => bytesOf(singleOperation(name))),
    ...[...memoryOperations(), ...bulkOperations(), ...controlOperations()].map((c) => bytesOf(c.module)),
    ...Array.from({ length: 40 }, (_, n) => bytesOf(randomProgram(300 + n, 120))),
  ].map((bytes) => orThrow(compileNpu(bytes, { functionNumber: 1 })).text);
  for (const accel of ["units", "loops"] as const) {
    modules.push(orThrow(compileNpu(ir("tx_csum"), { functionNumber: 1, accel })).text);
    modules.push(orThrow(compileNpu(ir("rx_csum"), { functionNumber: 2, accel })).text);
  }
  return modules;
}

describe.skipIf(!present)("llvm-objdump-19 prints what we print, and knows every instruction", () => {
  test("every instruction the decoder takes, fields at their edges", () => {
    const insns = everyInstruction();
    const printed = theirs(encodeInsns(insns));
    expect(printed.filter((l) => l.includes("unknown"))).toEqual([]);
    expect(printed.length).toBe(insns.length);
    for (const [n, i] of insns.entries())
      expect(printed[n], JSON.stringify({ ...i, imm64: 0 })).toBe(printInsn(i));
  });

  test("every opcode that the compiler emits is among them, and the whole of its output agrees", () => {
    const known = new Set(everyInstruction().map(kindOf));
    const texts = corpus();
    const emitted = new Set(texts.flatMap((text) => orThrow(decodeInsns(text)).map(kindOf)));
    expect([...emitted].filter((kind) => !known.has(kind))).toEqual([]);
    // shifts, divisions of both signs, sign extensions, swaps, calls of both kinds: the corpus is no small part
    expect(emitted.size).toBeGreaterThan(90);
    for (const of of [ALU_OP.DIV, ALU_OP.MOD])
      for (const off of [0, 1])
        expect([...emitted]).toContain(`0x${(CLASS.ALU64 | 8 | of).toString(16)}/${off}`);
    const all = Buffer.concat(texts);
    const printed = theirs(all);
    expect(printed.filter((l) => l.includes("unknown"))).toEqual([]);
    const ours = orThrow(decodeInsns(all)).map(printInsn);
    expect(printed.length).toBe(ours.length);
    const at = ours.findIndex((l, n) => l !== printed[n]);
    expect(at < 0 ? "" : `${at}: ours ${ours[at]}, theirs ${printed[at]}`).toBe("");
  });
});
