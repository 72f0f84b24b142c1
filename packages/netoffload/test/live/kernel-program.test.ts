/** Programs in the live kernel: tools that look at them, refusals, traps, time, and the command line over them. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileEbpf, I32, type Instruction, OP, orThrow } from "@netoffload/cpr-ir";
import { hostPrograms } from "@netoffload/csum";
import { CHECKSUM_PARTIAL, Memory, SkBuff, skbFromBytes } from "@netoffload/skbuff";
import { describe, expect, it } from "vitest";
import { bytesOf, constant, moduleOf } from "../../../cpr-ir/test/targets/generate.ts";
import { facility, has } from "../../../internal/test/facility.ts";
import { compiledForKernel } from "../../src/image.ts";
import { KernelProgram, kernelTrapName, VerifierRefusal } from "../../src/live/kernel-program.ts";
import { KernelSide } from "../../src/live/kernel-side.ts";
import { findProgram, type Program } from "../../src/programs.ts";
import { run } from "../cli/run.ts";

const isRoot = process.platform === "linux" && process.getuid?.() === 0;
const bpftool = ["bpftool", "/usr/sbin/bpftool"].find((c) => has(c, ["version"])) ?? "";
const MEMORY = 4 << 20;
const op = (name: string, a = 0, b = 0): Instruction => ({ op: OP[name]!, offset: 0, a, b });

function sourceOf(name: string) {
  const program = findProgram(name);
  return { ...program, ...compiledForKernel(program) };
}

/** A program of one parameter out of a body. */
function programOf(body: Instruction[], name = "tx_csum"): Program {
  const ir = bytesOf(moduleOf([{ params: [I32], results: [I32], locals: [I32], body }], name));
  return { name, functionNumber: 1, ir, sha256: "", sha1: "", source: "test" };
}

describe.runIf(facility("bpf(2)", isRoot, "run as root on Linux"))("programs in the live kernel", () => {
  it.runIf(facility("bpftool", bpftool !== "", "install bpftool"))(
    "bpftool shows a loaded program under its name, with its functions",
    () => {
      const kernel = KernelProgram.load(sourceOf("tx_csum"), { memoryBytes: MEMORY });
      const id = String(kernel.id);
      const shown = execFileSync(bpftool, ["prog", "show", "id", id], { encoding: "utf8" });
      expect(shown).toMatch(new RegExp(`^${id}: syscall +name tx_csum `));
      const dump = execFileSync(bpftool, ["prog", "dump", "xlated", "id", id], { encoding: "utf8" });
      expect(dump).toMatch(/^u64 tx_csum_[01]\(/m);
      expect(dump).toMatch(/^u64 accel1_csum_partial_\d+\(/m);
      expect(dump.split("\n").length).toBeGreaterThan(1000);
      kernel.close();
      expect(() => execFileSync(bpftool, ["prog", "show", "id", id], { stdio: "pipe" })).toThrow();
    },
  );

  it("a refusal names the WebAssembly function and offset", () => {
    const source = sourceOf("tx_csum");
    const text = source.text.slice();
    const entry = source.functions.find((f) => f.name === "tx_csum")!;
    // the first cast that the module itself asks for becomes a plain copy: a number is used as an address
    let slot = entry.start;
    while (!(text[8 * slot] === 0xbf && text[8 * slot + 2] === 1 && source.origins[slot]! > 0)) slot++;
    text.fill(0, 8 * slot + 2, 8 * slot + 8);
    let refusal: VerifierRefusal | undefined;
    try {
      KernelProgram.load({ ...source, text }, { memoryBytes: MEMORY });
    } catch (e) {
      refusal = e as VerifierRefusal;
    }
    expect(refusal).toBeInstanceOf(VerifierRefusal);
    expect(refusal!.place!.function).toBe("tx_csum");
    expect(refusal!.place!.offset).toBe(source.origins[slot]);
    expect(refusal!.message).toMatch(/invalid mem access.*function tx_csum, byte \d+ of the module/);
    expect(refusal!.log).toContain("processed");
  });

  it("an endless loop ends as BUDGET, and the packets after it are done", () => {
    const body = [...[op("loop", 0x40), op("local.get", 0), op("br_if", 0), op("end")], constant(I32, 7n)];
    const program = programOf(body);
    const source = { ...program, ...compiledForKernel(program) };
    const kernel = KernelProgram.load(source, { memoryBytes: MEMORY });
    const results = kernel.runBatch(Uint32Array.of(0, 1, 0), 3);
    expect([...results.subarray(0, 6)]).toEqual([7, 0, 0, 5, 7, 0]);
    expect(kernelTrapName(5)).toBe("BUDGET");
    kernel.close();
  });

  it("a batch gives every packet its own result", () => {
    const body = [op("local.get", 0), op("i32.load", 2), constant(I32, 3n), op("i32.mul")];
    const program = programOf(body);
    const kernel = KernelProgram.load({ ...program, ...compiledForKernel(program) }, { memoryBytes: MEMORY });
    const n = 4096;
    const addresses = Uint32Array.from({ length: n }, (_, i) =>
      i % 100 === 99 ? MEMORY - 3 : 0x20_0000 + 4 * i,
    );
    for (let i = 0; i < n; i++) kernel.view.setUint32(0x20_0000 + 4 * i, i, true);
    const results = kernel.runBatch(addresses, n);
    for (let i = 0; i < n; i++)
      expect([results[2 * i], results[2 * i + 1]]).toEqual(i % 100 === 99 ? [0, 3] : [3 * i, 0]);
    expect(() => kernel.runBatch(new Uint32Array(5000), 5000)).toThrow(/at most 4096/);
    kernel.close();
  });

  it("frames that do not fit the kernel's stack lie behind the memory", () => {
    // 90 values alive at once in a function without loops: more than 512 bytes
    const locals = 90;
    const body: Instruction[] = [];
    for (let i = 0; i < locals; i++)
      body.push(op("local.get", 0), op("i32.load", 0, 4 * i), op("local.set", 1 + i));
    body.push(constant(I32, 0n));
    for (let i = 0; i < locals; i++)
      body.push(constant(I32, 31n), op("i32.mul"), op("local.get", 1 + i), op("i32.xor"));
    const ir = bytesOf(
      moduleOf([{ params: [I32], results: [I32], locals: Array(locals).fill(I32) as (typeof I32)[], body }]),
    );
    const compiled = orThrow(compileEbpf(ir, { functionNumber: 1 }));
    expect(Math.max(...compiled.functions.map((f) => f.spills))).toBeGreaterThan(64);
    expect(compiled.resources.stack).toBeLessThanOrEqual(512);
    const kernel = KernelProgram.load(
      { ...compiled, name: "tx_csum", functionNumber: 1, ir },
      { memoryBytes: MEMORY },
    );
    let expected = 0;
    for (let i = 0; i < locals; i++) {
      kernel.view.setUint32(0x20_0000 + 4 * i, 0x9e3779b9 * (i + 1), true);
      expected = Math.imul(expected, 31) ^ kernel.view.getInt32(0x20_0000 + 4 * i, true);
    }
    expect(kernel.run([0x20_0000])).toEqual({ ret: expected, trap: 0 });
    kernel.close();
  });

  it("the kernel's side does to an skb what the host's programs do, and is the program it was given", () => {
    const memory = Memory.create({ bytes: 8 << 20 });
    const programs = [findProgram("tx_csum"), findProgram("rx_csum")];
    const side = new KernelSide(memory, programs);
    const host = hostPrograms(memory);
    for (const frags of [[], [100], [40, 60]])
      for (let n = 60; n < 400; n += 37) {
        const frame = Uint8Array.from({ length: n + 100 }, (_, i) => (i * 7 + n) & 255);
        const [a, b] = [0, 1].map(() => {
          const skb = skbFromBytes(memory, frame, { frags })!;
          skb.ipSummed = CHECKSUM_PARTIAL;
          skb.csumStart = skb.data - skb.head + 34;
          skb.csumOffset = 16;
          return skb.address;
        }) as [number, number];
        expect(side.txCsum(a)).toBe(host.txCsum(b));
        const [x, y] = [a, b].map((address) => new SkBuff(memory, address).toBytes());
        expect(x).toEqual(y);
        expect(side.rxCsum(a)).toBe(host.rxCsum(b));
        expect(new SkBuff(memory, a).csum).toBe(new SkBuff(memory, b).csum);
      }
    side.close();
    const other = new KernelSide(memory, [programOf([constant(I32, 7n)])]);
    expect(other.txCsum(memory.kernel.allocSkb(64))).toBe(7);
    other.close();
  });

  it("from the command line: build, show, load, run, verify", async () => {
    const directory = mkdtempSync(join(tmpdir(), "netoffload-"));
    const image = join(directory, "image");
    expect((await run("program", "build", "tx_csum", "rx_csum", "--target", "ebpf", "-o", image)).code).toBe(
      0,
    );
    const shown = await run("program", "show", image);
    expect(shown.out).toMatch(/target ebpf/);
    expect(shown.out).toMatch(/addr_space_cast/);
    const loaded = await run("live", "load", image, "--json");
    expect(loaded.code).toBe(0);
    expect(loaded.json.map((l) => l.name)).toEqual(["tx_csum", "rx_csum"]);
    for (const line of loaded.json) expect(line.verified_instructions).toBeGreaterThan(500);
    const npu = join(directory, "npu");
    await run("program", "build", "tx_csum", "--target", "npu", "-o", npu);
    expect((await run("live", "load", npu)).code).toBe(2);
    rmSync(directory, { recursive: true });
    const verified = await run("verify", "--kernel", "ebpf", "--json");
    expect(verified.code).toBe(0);
    const { offloads } = verified.json[verified.json.length - 1] as {
      offloads: Record<string, { mismatches: number; compared: number; state: string }>;
    };
    for (const o of Object.values(offloads)) expect(o).toMatchObject({ mismatches: 0, state: "HARDWARE" });
    expect(offloads.tx_csum!.compared).toBeGreaterThan(1000);
  });
});
