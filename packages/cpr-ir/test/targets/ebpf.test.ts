import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { facility, has } from "../../../internal/test/facility.ts";
import {
  canonicalModule,
  compileEbpf,
  compileNpu,
  decodeInsns,
  IR_KIND,
  OP_CALL,
  orThrow,
  PSEUDO_CALL,
  printInsn,
  readImage,
  seal,
  TARGET,
  writeImage,
} from "../../src/index.ts";
import { bytesOf, randomProgram } from "./generate.ts";

const ir = (name: string): Uint8Array =>
  orThrow(canonicalModule(readFileSync(new URL(`../../../csum/ir/${name}.wasm`, import.meta.url))));

function program(name: string, functionNumber: number) {
  const bytes = ir(name);
  const compiled = orThrow(compileEbpf(bytes, { functionNumber }));
  return { ...compiled, name, functionNumber, target: TARGET.ebpf, irKind: IR_KIND.wasm, ir: bytes };
}

const tx = program("tx_csum", 1);
const rx = program("rx_csum", 2);
const good = writeImage({ programs: [tx, rx] });

describe("code for the live kernel", () => {
  test("calls no helper; every jump back is met by a may_goto; every access goes through a cast", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { text } = orThrow(compileEbpf(bytesOf(randomProgram(seed)), { functionNumber: 1 }));
      const slots = new Map<number, string>();
      let slot = 0;
      for (const i of orThrow(decodeInsns(text, true))) {
        if (i.op === OP_CALL) expect(i.src, `seed ${seed}, slot ${slot}`).toBe(PSEUDO_CALL);
        slots.set(slot, printInsn(i));
        slot += i.imm64 === undefined ? 1 : 2;
      }
      for (const [at, line] of slots) {
        const back = /(?:goto|gotol) -0x([0-9a-f]+)$/.exec(line);
        if (back === null) continue;
        const target = at + 1 - Number.parseInt(back[1]!, 16);
        const trap = /^r0 = -0x[1-5]$/.test(slots.get(target)!);
        expect(trap || slots.get(target)!.startsWith("may_goto"), `seed ${seed}: ${at} ${line}`).toBe(true);
      }
    }
  });

  test("every slot knows where in the module it comes from", () => {
    const { origins, functions } = tx;
    const entry = functions.find((f) => f.name === "tx_csum")!;
    const inside = [...origins.subarray(entry.start, entry.end)];
    expect(inside.every((o) => o >= 0 && o < tx.ir.length)).toBe(true);
    expect(inside.filter((o) => o > 0).length).toBeGreaterThan(inside.length / 2);
  });

  test("the NPU's code stays what it is: no instruction of Linux alone", () => {
    const { text, relocations } = orThrow(compileNpu(tx.ir, { functionNumber: 1 }));
    expect(decodeInsns(text).ok).toBe(true);
    expect(relocations).toEqual([]);
    expect(decodeInsns(tx.text)).toMatchObject({ ok: false });
  });
});

describe("an image of ebpf programs", () => {
  test("comes back with functions and relocations", () => {
    const { programs } = orThrow(readImage(good));
    for (const [i, p] of [tx, rx].entries()) {
      expect(programs[i]!.text).toEqual(p.text);
      expect(programs[i]!.relocations).toEqual(p.relocations);
      expect(programs[i]!.functions).toEqual(
        p.functions.map(({ name, start, end, params }) => ({ name, start, end, params })),
      );
    }
  });

  test("beside programs of other targets", () => {
    const npu = { ...rx, target: TARGET.npu, functions: [], relocations: [] };
    const { programs } = orThrow(readImage(writeImage({ programs: [tx, npu] })));
    expect(programs.map((p) => [p.target, p.functions.length > 0, p.relocations.length > 0])).toEqual([
      [TARGET.ebpf, true, true],
      [TARGET.npu, false, false],
    ]);
  });

  test("without its symbols it is refused", () => {
    const bare = writeImage({ programs: [{ ...tx, functions: [], relocations: [] }] });
    expect(readImage(bare)).toMatchObject({
      diagnostics: [{ check: 5, message: "program image section .symtab is invalid" }],
    });
  });

  test("any byte flipped and sealed again: refused, or every slot still lies in the code", () => {
    const small = writeImage({ programs: [rx] });
    // what was added for this target lies at the end
    for (let at = small.length - 2600; at < small.length; at += 3) {
      const bad = small.slice();
      bad[at]! ^= 0xff;
      try {
        seal(bad);
      } catch {
        continue;
      }
      const result = readImage(bad);
      if (!result.ok) continue;
      for (const p of result.value.programs) {
        const slots = p.text.length / 8;
        for (const r of p.relocations) expect(r.slot).toBeLessThan(slots);
        for (const f of p.functions) expect(f.end).toBeLessThanOrEqual(slots);
      }
    }
  });
});

const tools = has("llvm-objdump-19") && has("readelf");

describe.runIf(facility("llvm-objdump-19 and readelf", tools, "install llvm-19 and binutils"))(
  "other people's tools",
  () => {
    const directory = mkdtempSync(join(tmpdir(), "netoffload-"));
    const file = join(directory, "image");
    writeFileSync(file, good);
    const run = (command: string, ...args: string[]): string =>
      execFileSync(command, [...args, file], { encoding: "utf8", maxBuffer: 1 << 26 });

    test("readelf shows functions and relocations", () => {
      const symbols = run("readelf", "-sW");
      for (const f of tx.functions) expect(symbols).toMatch(new RegExp(`FUNC.* ${f.name.slice(0, 20)}`));
      const lines = run("readelf", "-rW").split("\n");
      expect(lines.filter((l) => / arena$/.test(l)).length).toBe(2);
      expect(lines.filter((l) => / limit$/.test(l)).length).toBe(
        tx.relocations.length + rx.relocations.length - 2,
      );
    });

    test("llvm-objdump prints what our disassembler prints", () => {
      const text = run("llvm-objdump-19", "-d", "--mcpu=v4", "--no-show-raw-insn", "--no-leading-addr");
      rmSync(directory, { recursive: true });
      expect(text).not.toContain("<unknown>");
      const theirs = text
        .split("\n")
        .filter((l) => l.startsWith("\t"))
        .map((l) => l.trim().replace(/ <[^<> ]+>$/, ""));
      const ours = [tx, rx].flatMap((p) => orThrow(decodeInsns(p.text, true)).map(printInsn));
      expect(theirs).toEqual(ours);
    });
  },
);
