/**
 * The NPU of the NIC model: programs of the eBPF instruction set over a memory of the device's own. Code is
 * checked when it is loaded; at run time every access is checked against the memory limit and a watchdog counts
 * instructions.
 */
import { base64ToBytes } from "@netoffload/internal";
import { accel1Module, STATIC_REGION_SIZE, staticRegion, TRAP, type TrapName } from "@netoffload/skbuff";
import { NicError } from "./errors.ts";
import { ENGINE_WASM } from "./generated/engine.ts";

/** Size and limits of an NPU. */
export interface NpuOptions {
  /** Bytes of device memory, a multiple of 64 KiB; default 16 MiB. */
  readonly memoryBytes?: number;
  /** Watchdog: instructions of one packet; default 1,000,000. */
  readonly budget?: number;
  /** Use the scalar units. */
  readonly scalar?: boolean;
}

/** Why code was refused. */
export interface NpuRefusal {
  readonly ok: false;
  readonly reason: "size" | "opcode" | "reserved fields" | "register" | "jump" | "frame" | "helper" | "end";
  /** 8-byte slot of the offending instruction. */
  readonly instruction: number;
  readonly message: string;
}

/** Outcome of one run. */
export interface NpuRun {
  /** r0, signed 32 bits; 0 after a trap. */
  readonly ret: number;
  readonly trap: TrapName;
  readonly instructions: number;
}

/** Totals since the NPU was made. */
export interface NpuCounters {
  readonly packets: number;
  readonly instructions: number;
  readonly unitCalls: number;
  readonly unitBytes: number;
  readonly traps: Readonly<Record<TrapName, number>>;
}

interface Engine {
  windowBase(): number;
  textBase(): number;
  batchBase(): number;
  countersBase(): number;
  configBase(): number;
  maxBatch(): number;
  init(limit: number, budget: number): void;
  load_program(slot: number, fn: number, bytes: number, used: number): number;
  clear(slot: number): void;
  has(slot: number, fn: number): number;
  run(slot: number, fn: number, a: number, b: number, c: number, d: number, e: number): number;
  result(): number;
  run_batch(slot: number, fn: number, addresses: number, n: number, results: number): void;
}

const REASONS = [
  "",
  "size",
  "opcode",
  "reserved fields",
  "register",
  "jump",
  "frame",
  "helper",
  "end",
] as const;
const EXPLAIN: Readonly<Record<NpuRefusal["reason"], string>> = {
  size: "code must be 1 to 32,768 instructions of 8 bytes, all programs of a bundle together",
  opcode: "opcode is not one of RFC 9669 that this device executes",
  "reserved fields": "a reserved field is not zero",
  register: "register does not exist or may not be used here (r10 is the frame, read only)",
  jump: "jump or call leaves the code or lands inside an instruction",
  frame: "access leaves the 512 bytes below r10",
  helper: "unit does not exist",
  end: "code can run off its end",
};
const TRAP_NAMES: readonly TrapName[] = [
  "NONE",
  "DIV_ZERO",
  "OVERFLOW",
  "OUT_OF_BOUNDS",
  "UNREACHABLE",
  "BUDGET",
];
/** Numbers of engine/layout.ts that are needed before the engine can be asked; checked once it runs. */
const WINDOW_BASE = 0x17_0000;
const MAX_BATCH = 4096;
const MAX_SLOTS = 32768;

let compiled: WebAssembly.Module | undefined;

/** One NPU with two bundle slots. */
export class Npu {
  /** Device memory as programs see it: index = address. */
  readonly bytes: Uint8Array;
  /** The same as a view. */
  readonly view: DataView;
  readonly memoryBytes: number;
  readonly #engine: Engine;
  readonly #memory: DataView;
  readonly #all: Uint8Array;
  readonly #used: [number, number] = [0, 0];
  readonly #addresses: Uint32Array;
  /** Results of the last batch: {ret i32, trap u32, instructions u32} a packet. */
  readonly results: Int32Array;

  private constructor(options: NpuOptions) {
    const memoryBytes = options.memoryBytes ?? 16 << 20;
    if (memoryBytes % 65536 !== 0 || memoryBytes < 2 << 20 || memoryBytes > 2 ** 31)
      throw new NicError(
        "EINVAL",
        `Npu.create: ${memoryBytes} bytes of memory, a multiple of 64 KiB from 2 MiB to 2 GiB is possible`,
        { memoryBytes },
      );
    compiled ??= new WebAssembly.Module(base64ToBytes(ENGINE_WASM));
    const pages = (WINDOW_BASE + memoryBytes) / 65536;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const env = { env: { memory } };
    const units = new WebAssembly.Instance(accel1Module(options.scalar === true), env).exports as {
      init(): void;
    };
    units.init();
    this.#engine = new WebAssembly.Instance(compiled, {
      ...env,
      accel1: units as unknown as Record<string, unknown>,
    }).exports as unknown as Engine;
    const base = this.#engine.windowBase();
    if (base !== WINDOW_BASE || this.#engine.maxBatch() !== MAX_BATCH)
      throw new NicError("EINVAL", `engine window at ${base}`, { base });
    this.memoryBytes = memoryBytes;
    this.#all = new Uint8Array(memory.buffer);
    this.#memory = new DataView(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer, base, memoryBytes);
    this.view = new DataView(memory.buffer, base, memoryBytes);
    // ABI 1: region 0 holds the units' tables; units linked as plain loops look for them in the device's memory
    const tables = staticRegion(0);
    this.bytes.set(this.#all.subarray(tables, tables + STATIC_REGION_SIZE), tables);
    const batch = this.#engine.batchBase();
    this.#addresses = new Uint32Array(memory.buffer, batch, MAX_BATCH);
    this.results = new Int32Array(memory.buffer, batch + 4 * MAX_BATCH, 3 * MAX_BATCH);
    this.#engine.init(memoryBytes, options.budget ?? 1_000_000);
  }

  /** Make an NPU; throws NicError for sizes that are not possible. */
  static create(options: NpuOptions = {}): Npu {
    return new Npu(options);
  }

  /** Most packets of one batch. */
  static readonly maxBatch: number = MAX_BATCH;

  /** Empty a bundle slot. */
  clear(slot: 0 | 1): void {
    this.#engine.clear(slot);
    this.#used[slot] = 0;
  }

  /** Load a program's code into a bundle slot, behind those already there. Refused code changes nothing. */
  load(slot: 0 | 1, functionNumber: number, text: Uint8Array): { readonly ok: true } | NpuRefusal {
    let failed = 1;
    if (text.length > 0 && text.length <= MAX_SLOTS * 8) {
      this.#all.set(text, this.#engine.textBase());
      failed = this.#engine.load_program(slot, functionNumber, text.length, this.#used[slot]);
    }
    if (failed === 0) {
      this.#used[slot] += text.length / 8;
      return { ok: true };
    }
    const instruction = failed === 1 ? 0 : this.#memory.getUint32(this.#engine.configBase() + 12, true);
    const reason = REASONS[failed] as NpuRefusal["reason"];
    return { ok: false, reason, instruction, message: `instruction ${instruction}: ${EXPLAIN[reason]}` };
  }

  /** Is a program loaded for this function? */
  has(slot: 0 | 1, functionNumber: number): boolean {
    return functionNumber >= 0 && functionNumber < 16 && this.#engine.has(slot, functionNumber) !== 0;
  }

  /** Run a loaded program once with up to five u32 arguments. */
  run(slot: 0 | 1, functionNumber: number, args: readonly number[]): NpuRun {
    if (!this.has(slot, functionNumber))
      throw new NicError("EINVAL", `Npu.run: no program for function ${functionNumber} in slot ${slot}`, {
        functionNumber,
        slot,
      });
    const before = this.#counter(1);
    const trap = this.#engine.run(
      slot,
      functionNumber,
      args[0] ?? 0,
      args[1] ?? 0,
      args[2] ?? 0,
      args[3] ?? 0,
      args[4] ?? 0,
    );
    return {
      ret: trap === TRAP.NONE ? this.#engine.result() : 0,
      trap: TRAP_NAMES[trap]!,
      instructions: this.#counter(1) - before,
    };
  }

  /**
   * Run a loaded program once for each address; the loop is the engine's.
   * @param addresses - the first `n` are taken; at most 4096
   * @returns {@link Npu.results}: three numbers a packet, valid until the next batch
   */
  runBatch(slot: 0 | 1, functionNumber: number, addresses: Uint32Array, n: number): Int32Array {
    if (!this.has(slot, functionNumber))
      throw new NicError(
        "EINVAL",
        `Npu.runBatch: no program for function ${functionNumber} in slot ${slot}`,
        { functionNumber, slot },
      );
    if (n > MAX_BATCH)
      throw new NicError("EINVAL", `Npu.runBatch: ${n} packets, at most ${MAX_BATCH}`, { n });
    for (let i = 0; i < n; i++) this.#addresses[i] = addresses[i]!;
    const batch = this.#engine.batchBase();
    this.#engine.run_batch(slot, functionNumber, batch, n, batch + 4 * MAX_BATCH);
    return this.results;
  }

  /** Instructions retired since the NPU was made. */
  get instructions(): number {
    return this.#counter(1);
  }

  /** Totals. */
  counters(): NpuCounters {
    const traps = Object.fromEntries(
      TRAP_NAMES.map((name, code) => [name, this.#counter(4 + code)]),
    ) as Record<TrapName, number>;
    return {
      packets: this.#counter(0),
      instructions: this.#counter(1),
      unitCalls: this.#counter(2),
      unitBytes: this.#counter(3),
      traps,
    };
  }

  /** Name of a trap code of a batch result. */
  static trapName(code: number): TrapName {
    return TRAP_NAMES[code] ?? "BUDGET";
  }

  #counter(i: number): number {
    const at = this.#engine.countersBase() + 8 * i;
    return this.#memory.getUint32(at, true) + this.#memory.getUint32(at + 4, true) * 2 ** 32;
  }
}
