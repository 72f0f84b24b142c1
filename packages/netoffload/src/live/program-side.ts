/** Where the programs run: the host, or a target whose memory is set beside the host's. */
import { compileEbpf, compileNpu } from "@netoffload/cpr-ir";
import { Npu } from "@netoffload/nic-model";
import { HEAP_BASE, type Memory } from "@netoffload/skbuff";
import { usageError } from "../cli/exit.ts";
import type { Program } from "../programs.ts";
import { KernelProgram } from "./kernel-program.ts";

/** The two programs that a run compares. */
export interface CsumPrograms {
  readonly tx: Program;
  readonly rx: Program;
}

/** Runs programs over a batch of skbs that lie in the host's memory. */
export interface ProgramSide {
  readonly name: string;
  /**
   * @param which - program; @param addresses - of skbs in the host's memory, the first `n`
   * @param results - per skb: what the program returned, or {@link TRAPPED}
   */
  run(which: keyof CsumPrograms, addresses: Uint32Array, n: number, results: Int32Array): void;
  /** The memory that {@link run} left, from address 0; the host's own where that is what it worked on. */
  readonly memory: Uint8Array;
  close(): void;
}

/** A result: the program trapped. Below every errno. */
export const TRAPPED = -100000;

/** The programs as WebAssembly in the host's memory itself. */
export class HostSide implements ProgramSide {
  readonly name: string = "wasm";
  readonly memory: Uint8Array;
  readonly #entries: Readonly<Record<keyof CsumPrograms, (skb: number) => number>>;

  constructor(memory: Memory, programs: CsumPrograms) {
    this.memory = memory.bytes;
    const imports = {
      env: { memory: memory.wasm },
      accel1: memory.accel1 as unknown as Record<string, unknown>,
    };
    const entry = ({ ir, name }: Program): ((skb: number) => number) => {
      const module = new WebAssembly.Module(new Uint8Array(ir));
      return new WebAssembly.Instance(module, imports).exports[name] as (skb: number) => number;
    };
    this.#entries = { tx: entry(programs.tx), rx: entry(programs.rx) };
  }

  run(which: keyof CsumPrograms, addresses: Uint32Array, n: number, results: Int32Array): void {
    const entry = this.#entries[which];
    for (let i = 0; i < n; i++) {
      try {
        results[i] = entry(addresses[i]!);
      } catch (error) {
        if (!(error instanceof WebAssembly.RuntimeError)) throw error;
        results[i] = TRAPPED;
      }
    }
  }

  close(): void {}
}

/** The programs on the NIC model's cores, over a copy of the host's memory at the same addresses. */
export class NpuSide implements ProgramSide {
  readonly name: string = "npu";
  readonly memory: Uint8Array;
  readonly #npu: Npu;
  readonly #host: Memory;
  readonly #numbers: Readonly<Record<keyof CsumPrograms, number>>;

  constructor(host: Memory, programs: CsumPrograms) {
    this.#host = host;
    this.#npu = Npu.create({ memoryBytes: host.size });
    this.memory = this.#npu.bytes;
    for (const program of [programs.tx, programs.rx]) {
      const { functionNumber, name } = program;
      const compiled = compileNpu(program.ir, { functionNumber, accel: "units" });
      if (!compiled.ok) throw usageError(`${name}: ${compiled.diagnostics[0]!.message}`);
      const loaded = this.#npu.load(0, functionNumber, compiled.value.text);
      if (!loaded.ok) throw usageError(`${name}: ${loaded.message}`);
    }
    this.#numbers = { tx: programs.tx.functionNumber, rx: programs.rx.functionNumber };
  }

  run(which: keyof CsumPrograms, addresses: Uint32Array, n: number, results: Int32Array): void {
    this.#npu.bytes.set(this.#host.bytes.subarray(HEAP_BASE), HEAP_BASE);
    const answers = this.#npu.runBatch(0, this.#numbers[which], addresses, n);
    for (let i = 0; i < n; i++) results[i] = answers[3 * i + 1] === 0 ? answers[3 * i]! : TRAPPED;
  }

  close(): void {}
}

/** The programs inside the live kernel, each over an arena with a copy of the host's memory at the same addresses. */
export class EbpfSide implements ProgramSide {
  readonly name: string = "ebpf";
  memory: Uint8Array;
  readonly #host: Memory;
  readonly #loaded: Readonly<Record<keyof CsumPrograms, KernelProgram>>;

  /** Throws {@link VerifierRefusal}, or LinuxError where bpf(2) is not to be had. */
  constructor(host: Memory, programs: CsumPrograms) {
    this.#host = host;
    const load = (program: Program): KernelProgram => {
      const { functionNumber, name } = program;
      const compiled = compileEbpf(program.ir, { functionNumber });
      if (!compiled.ok) throw usageError(`${name}: ${compiled.diagnostics[0]!.message}`);
      return KernelProgram.load({ ...program, ...compiled.value }, { memoryBytes: host.size });
    };
    this.#loaded = { tx: load(programs.tx), rx: load(programs.rx) };
    this.memory = this.#loaded.tx.bytes;
  }

  run(which: keyof CsumPrograms, addresses: Uint32Array, n: number, results: Int32Array): void {
    const program = this.#loaded[which];
    program.bytes.set(this.#host.bytes.subarray(HEAP_BASE), HEAP_BASE);
    this.memory = program.bytes;
    if (n === 0) return;
    const answers = program.runBatch(addresses, n);
    for (let i = 0; i < n; i++) results[i] = answers[2 * i + 1] === 0 ? answers[2 * i]! : TRAPPED;
  }

  close(): void {
    this.#loaded.tx.close();
    this.#loaded.rx.close();
  }
}
