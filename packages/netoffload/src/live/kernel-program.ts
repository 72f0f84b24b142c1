/**
 * An offload program in the live kernel: an image's code over an arena laid out as the host's memory. The arena has
 * the same addresses, not the same bytes: whoever runs packets copies what they use in and out.
 */
import {
  CONTROL,
  compileEbpf,
  decodeModule,
  EBPF_MAX_BATCH,
  type ImageProgram,
  initialData,
  orThrow,
  typeOf,
} from "@netoffload/cpr-ir";
import { BpfVerifierError, type LoadedOffload, loadOffload } from "@netoffload/linux";
import { accel1Module, STATIC_BASE, STATIC_REGION_SIZE, staticRegion, TRAP } from "@netoffload/skbuff";
import { NetoffloadError } from "../errors.ts";

/** What of an image's program is loaded. */
export type KernelProgramSource = Pick<
  ImageProgram,
  "name" | "functionNumber" | "ir" | "text" | "functions" | "relocations"
>;

/** Size and limits. */
export interface KernelProgramOptions {
  /** Bytes of memory that the program may reach, 1 MiB to 2 GiB, a multiple of 4096; default 16 MiB. */
  readonly memoryBytes?: number;
}

const DEFAULT_MEMORY = 16 << 20;
/** What one run may take, so that no loop's time is used up by the packets before it. */
const RUN_MS = 25;
const FIRST_CHUNK = 256;
/** Runs in which no packet is done, after which something is wrong. */
const MAX_IDLE = 3;
/** Numbers a packet takes in the results: ret, trap code. */
const RESULT_WORDS = 2;

/** A loaded program. Close it: it holds descriptors and mapped memory. */
export class KernelProgram {
  readonly name: string;
  /** Memory by address, as programs see it. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** What the verifier walked through to accept it. */
  readonly verifiedInstructions: number;
  readonly #loaded: LoadedOffload;
  readonly #params: number;
  readonly #cell: number;
  readonly #control: DataView;
  readonly #args: Uint32Array;
  readonly #results: Int32Array;
  readonly #start: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  #chunk: number = FIRST_CHUNK;

  private constructor(source: KernelProgramSource, loaded: LoadedOffload, limit: number) {
    const { buffer } = loaded.arena.bytes;
    this.#loaded = loaded;
    this.name = source.name;
    this.bytes = new Uint8Array(buffer, 0, limit);
    this.view = new DataView(buffer, 0, limit);
    this.verifiedInstructions = loaded.program.info().verifiedInstructions;
    this.#cell = staticRegion(source.functionNumber);
    this.#control = new DataView(buffer, limit, CONTROL.SIZE);
    this.#args = new Uint32Array(buffer, limit + CONTROL.ARGS, 5 * EBPF_MAX_BATCH);
    this.#results = new Int32Array(buffer, limit + CONTROL.RESULTS, RESULT_WORDS * EBPF_MAX_BATCH);
    const module = orThrow(decodeModule(source.ir));
    this.#params = typeOf(module, module.exports[0]!.index).params.length;
    this.#start = initialData(module, source.functionNumber);
    this.bytes.set(accelTables(), STATIC_BASE);
    this.reset();
  }

  /**
   * Load a program of an image.
   * @throws VerifierRefusal when the kernel's verifier refuses it; LinuxError where bpf(2) is not to be had
   */
  static load(source: KernelProgramSource, options: KernelProgramOptions = {}): KernelProgram {
    const limit = options.memoryBytes ?? DEFAULT_MEMORY;
    let loaded: LoadedOffload;
    try {
      loaded = loadOffload(source, limit, CONTROL.SIZE);
    } catch (error) {
      throw error instanceof BpfVerifierError ? new VerifierRefusal(source, error) : error;
    }
    return new KernelProgram(source, loaded, limit);
  }

  /** The kernel's id of the program, as bpftool shows it. */
  get id(): number {
    return this.#loaded.program.info().id;
  }

  /** Put data segments and globals back to their first values. */
  reset(): void {
    for (const { address, bytes } of this.#start) this.bytes.set(bytes, address);
  }

  /** Run once with up to five u32 arguments; a trap goes into the trap cell, too. */
  run(args: readonly number[]): { readonly ret: number; readonly trap: number } {
    for (let i = 0; i < this.#params; i++) this.#args[i] = args[i] ?? 0;
    this.#runAll(1);
    const trap = this.#results[1]!;
    this.view.setUint32(this.#cell, trap, true);
    return { ret: this.#results[0]!, trap };
  }

  /**
   * Run once for each address; the loop is the program's own.
   * @param addresses - the first `n` are taken; at most 4096
   * @returns {ret i32, trap code} a packet, valid until the next run
   */
  runBatch(addresses: Uint32Array, n: number): Int32Array {
    if (this.#params !== 1 || n > EBPF_MAX_BATCH || n > addresses.length)
      throw new NetoffloadError(
        "EINVAL",
        `KernelProgram.runBatch: ${n} packets of ${this.#params} arguments; at most ${EBPF_MAX_BATCH} of one are possible`,
        { n },
      );
    this.#args.set(n === addresses.length ? addresses : addresses.subarray(0, n));
    this.#runAll(n);
    return this.#results;
  }

  /** Runs of limited time until all packets are done. */
  #runAll(n: number): void {
    const control = this.#control;
    control.setUint32(CONTROL.DONE, 0, true);
    let idle = 0;
    for (let done = 0; done < n; ) {
      const want = Math.min(n, done + this.#chunk);
      control.setUint32(CONTROL.COUNT, want, true);
      const began = performance.now();
      this.#loaded.program.run();
      const took = performance.now() - began;
      const now = control.getUint32(CONTROL.DONE, true);
      idle = now === done ? idle + 1 : 0;
      if (idle > MAX_IDLE)
        throw new NetoffloadError(
          "EIO",
          `${this.name}: the kernel ran it ${idle} times and no packet was done`,
        );
      const packets = Math.max(now - done, 1);
      this.#chunk = Math.max(
        1,
        Math.min(EBPF_MAX_BATCH, Math.floor((RUN_MS * packets) / Math.max(took, 0.01))),
      );
      done = now;
    }
  }

  /** Give program and memory back. May be called again; nothing may be used afterwards. */
  close(): void {
    this.#loaded.close();
  }
}

/** The live kernel's verifier refuses a program: where in the module, why, and its log. */
export class VerifierRefusal extends NetoffloadError {
  readonly log: string;
  /** Function of the program, byte offset in the module; null: the instruction is not known. */
  readonly place: { readonly function: string; readonly offset: number } | null;

  constructor(source: KernelProgramSource, error: BpfVerifierError) {
    const place = placeOf(source, error.instruction);
    const where = place === null ? "" : ` (function ${place.function}, byte ${place.offset} of the module)`;
    super(error.code, `${error.message}${where}`, error.details, { errno: error.errno, cause: error });
    this.log = error.log;
    this.place = place;
  }
}

/** Where an instruction comes from; origins are not in an image, so that the IR is compiled once more. */
function placeOf(source: KernelProgramSource, slot: number): VerifierRefusal["place"] {
  const found = source.functions.find((f) => slot >= f.start && slot < f.end);
  if (found === undefined) return null;
  const again = compileEbpf(source.ir, source);
  const same = again.ok && again.value.text.length === source.text.length;
  return { function: found.name, offset: same ? again.value.origins[slot]! : 0 };
}

let tables: Uint8Array | undefined;

/** Static region 0 with what the units of accel1 look up. */
function accelTables(): Uint8Array {
  if (tables === undefined) {
    const memory = new WebAssembly.Memory({ initial: 16 });
    const units = new WebAssembly.Instance(accel1Module(true), { env: { memory } }).exports as unknown as {
      init(): void;
    };
    units.init();
    tables = new Uint8Array(memory.buffer).slice(STATIC_BASE, STATIC_BASE + STATIC_REGION_SIZE);
  }
  return tables;
}

/** Name of a trap code. */
export function kernelTrapName(code: number): keyof typeof TRAP {
  return (Object.entries(TRAP).find(([, n]) => n === code)?.[0] ?? "NONE") as keyof typeof TRAP;
}
