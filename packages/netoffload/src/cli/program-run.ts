/** `netoffload program run`: one program over JSON lines of memory and arguments. */
import {
  compileNpu,
  decodeModule,
  type HostProgram,
  initialData,
  instantiateProgram,
} from "@netoffload/cpr-ir";
import { bytesToHex, hexToBytes } from "@netoffload/internal";
import { Npu } from "@netoffload/nic-model";
import { Memory } from "@netoffload/skbuff";
import { compiledForKernel } from "../image.ts";
import { needsBpf } from "../live/facility.ts";
import { KernelProgram, kernelTrapName } from "../live/kernel-program.ts";
import { findProgram, type Program } from "../programs.ts";
import { type Command, type Context, numberOption, type Options, stringOption } from "./command.ts";
import { Outcome, usageError } from "./exit.ts";
import { readJsonLines } from "./input.ts";

const MEMORY = 16 << 20;
const HEAP = 0x10_0000;
const FIRST = 0x1_0000;

/** Bytes to be placed, or what they became. */
interface Range {
  /** The key as it was written. */
  readonly key: string;
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** What one target answers. */
interface Ran {
  readonly ret: number;
  readonly trap: string;
  readonly instructions: number | null;
}

/** A target: its memory (index = address) and a run. */
interface Runner {
  readonly bytes: Uint8Array;
  /** Put the static region as it is before the first packet. */
  run(args: readonly number[]): Ran;
  close?(): void;
}

function wasmRunner(program: Program, noAccel: boolean): Runner {
  const memory = Memory.create({ bytes: MEMORY });
  let host: HostProgram;
  const make = (): void => {
    const made = instantiateProgram(program.ir, memory, {
      functionNumber: program.functionNumber,
      accel: noAccel ? "loops" : "simd",
    });
    if (!made.ok) throw usageError(made.diagnostics.map((d) => `${program.name}: ${d.message}`).join("\n"));
    host = made.value;
  };
  return {
    bytes: memory.bytes,
    run(args) {
      make();
      return { ...host.run(args), instructions: null };
    },
  };
}

function npuRunner(program: Program, noAccel: boolean, budget: number): Runner {
  const compiled = compileNpu(program.ir, {
    functionNumber: program.functionNumber,
    accel: noAccel ? "loops" : "units",
  });
  if (!compiled.ok)
    throw usageError(compiled.diagnostics.map((d) => `${program.name}: ${d.message}`).join("\n"));
  const decoded = decodeModule(program.ir);
  const data = decoded.ok ? initialData(decoded.value, program.functionNumber) : [];
  const npu = Npu.create({ memoryBytes: MEMORY, budget });
  npu.bytes.set(Memory.create({ bytes: MEMORY }).bytes.subarray(HEAP), HEAP);
  const loaded = npu.load(0, program.functionNumber, compiled.value.text);
  if (!loaded.ok) throw usageError(`${program.name}: ${loaded.message}`);
  return {
    bytes: npu.bytes,
    run(args) {
      for (const d of data) npu.bytes.set(d.bytes, d.address);
      return npu.run(0, program.functionNumber, args);
    },
  };
}

function ebpfRunner(program: Program): Runner {
  const source = { ...program, ...compiledForKernel(program) };
  const kernel = needsBpf(() => KernelProgram.load(source, { memoryBytes: MEMORY }));
  kernel.bytes.set(Memory.create({ bytes: MEMORY }).bytes.subarray(HEAP), HEAP);
  return {
    bytes: kernel.bytes,
    run(args) {
      kernel.reset();
      const { ret, trap } = kernel.run(args);
      return { ret, trap: kernelTrapName(trap), instructions: null };
    },
    close: () => kernel.close(),
  };
}

/** Read a line's memory; a string says what is wrong. */
function rangesOf(value: unknown): Range[] | string {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return "memory: an object {address: hex} is needed";
  const out: Range[] = [];
  for (const [key, hex] of Object.entries(value)) {
    const address = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(key) ? Number(key) : Number.NaN;
    const bytes = typeof hex === "string" ? hexToBytes(hex) : null;
    if (bytes === null) return `memory.${key}: hex is needed`;
    if (!(address >= FIRST && address + bytes.length <= MEMORY))
      return `memory.${key}: ${bytes.length} bytes from an address of 0x10000 to 0x${MEMORY.toString(16)} are possible`;
    out.push({ key, address, bytes });
  }
  return out;
}

/** Read a line's arguments: 32-bit numbers, or their hex. */
function argsOf(value: unknown): number[] | string {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > 5) return "args: an array of at most 5 numbers is needed";
  const numbers = value.map(
    (v) => (typeof v === "string" && /^0x[0-9a-f]{1,8}$/i.test(v) ? Number(v) : v) as number,
  );
  const wrong = numbers.findIndex((v) => !(Number.isInteger(v) && v >= -(2 ** 31) && v < 2 ** 32));
  return wrong < 0 ? numbers.map((v) => v >>> 0) : `args[${wrong}]: a 32-bit number is needed`;
}

const BLOCK = 16384;

/** The memory of a runner, brought back to its beginning after every line. */
class Bench {
  readonly #bytes: Uint8Array;
  readonly #clean: Uint8Array;
  /** What the memory was before the run. */
  readonly #before: Uint8Array;
  #ranges: readonly Range[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#clean = bytes.slice();
    this.#before = bytes.slice();
  }

  place(ranges: readonly Range[]): void {
    this.#ranges = ranges;
    for (const { address, bytes } of ranges) {
      this.#bytes.set(bytes, address);
      this.#before.set(bytes, address);
    }
  }

  /** The ranges that were given, and every other part of the heap that changed. */
  after(): Record<string, string> {
    const out: Record<string, string> = {};
    for (const { key, address, bytes } of this.#ranges) {
      const now = this.#bytes.subarray(address, address + bytes.length);
      out[key] = bytesToHex(now);
      this.#before.set(now, address);
    }
    this.#changed((at) => {
      if (at >= HEAP) this.#parts(at, at + BLOCK, out);
    });
    return out;
  }

  #parts(from: number, to: number, out: Record<string, string>): void {
    for (let at = from; at < to; at++) {
      const start = at;
      while (at < to && this.#bytes[at] !== this.#before[at]) at++;
      if (at > start) out[`0x${start.toString(16)}`] = bytesToHex(this.#bytes.subarray(start, at));
    }
  }

  restore(): void {
    for (const { address, bytes } of this.#ranges)
      this.#before.set(this.#clean.subarray(address, address + bytes.length), address);
    this.#changed((at) => this.#bytes.set(this.#clean.subarray(at, at + BLOCK), at));
  }

  #changed(each: (at: number) => void): void {
    for (let at = 0; at < this.#bytes.length; at += BLOCK)
      if (Buffer.compare(this.#bytes.subarray(at, at + BLOCK), this.#before.subarray(at, at + BLOCK)) !== 0)
        each(at);
  }
}

async function run(context: Context, words: readonly string[], options: Options): Promise<number> {
  if (words.length !== 1)
    throw usageError("program run: NAME|FILE.wasm --target wasm|ebpf|npu [--input LINES.jsonl]");
  const program = findProgram(words[0]!);
  const target = stringOption(options, "target") ?? "wasm";
  const noAccel = options["no-accel"] === true;
  const budget = numberOption(options, "budget", 1_000_000, 1, 2 ** 31 - 1);
  if (target !== "wasm" && target !== "npu" && target !== "ebpf")
    throw usageError(`--target ${target}: wasm, ebpf and npu are available`);
  const runner =
    target === "wasm"
      ? wasmRunner(program, noAccel)
      : target === "ebpf"
        ? ebpfRunner(program)
        : npuRunner(program, noAccel, budget);
  const bench = new Bench(runner.bytes);
  const outcome = new Outcome();
  for await (const line of readJsonLines(context, stringOption(options, "input") ?? "-")) {
    if (context.interrupted()) break;
    const ranges = line.ok ? rangesOf(line.value.memory) : line.message;
    const args = line.ok ? argsOf(line.value.args) : line.message;
    if (typeof ranges === "string" || typeof args === "string") {
      outcome.note(2);
      const message = typeof ranges === "string" ? ranges : (args as string);
      context.out.json({ id: line.id, error: { code: line.ok ? "input" : line.code, message } });
      continue;
    }
    bench.place(ranges);
    const ran = runner.run(args);
    context.out.json({
      id: line.id,
      ret: ran.ret,
      trap: ran.trap === "NONE" ? null : ran.trap,
      memory: ran.trap === "NONE" ? bench.after() : {},
      instructions: ran.instructions,
    });
    // every line begins with the same memory
    bench.restore();
  }
  runner.close?.();
  return outcome.code;
}

/** The command. */
export const programRunCommand: Command = {
  name: "program run",
  summary: "run a program on memory and arguments given as JSON lines",
  usage: "NAME[@sha256:HEX]|FILE.wasm --target wasm|ebpf|npu < LINES.jsonl",
  options: {
    target: { type: "string", value: "TARGET", help: "wasm (default), ebpf (the live kernel) or npu" },
    input: { type: "string", value: "FILE", help: "JSON lines (default: standard input)" },
    budget: { type: "string", value: "N", help: "npu: most instructions of one run (default 1000000)" },
    "no-accel": { type: "boolean", help: "plain loops in place of acceleration units" },
  },
  details: `
In   {"id":1,"memory":{"0x100000":"00ff.."},"args":[1048576]}
Out  {"id":1,"ret":0,"trap":null,"memory":{"0x100000":".."},"instructions":42}

Addresses are those of the program's memory, 16 MiB, decimal or 0x hex; the heap begins at 0x100000. The answer holds
the given ranges as they are afterwards and what else of the heap changed; after a trap (DIV_ZERO, OVERFLOW,
OUT_OF_BOUNDS, UNREACHABLE, BUDGET) memory is not defined and left out. Instructions are counted by npu only.`,
  run,
};
