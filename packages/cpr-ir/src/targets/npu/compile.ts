/** Offload programs to the NIC model's NPU: eBPF instructions, hardware bounds checks, units as helper calls. */
import { accel1ScalarModule, STATIC_REGION_SIZE, staticRegion } from "@netoffload/skbuff";
import { fail, ok, type Result } from "../../diagnostics.ts";
import { decodeModule } from "../../wasm/decode.ts";
import { ACCEL1, type Accel1Name, checkProfile, INITIAL_PAGES } from "../../wasm/profile.ts";
import type { DataSegment, WasmModule } from "../../wasm/types.ts";
import { allocate } from "../codegen/allocate.ts";
import { buildFunction, CannotCompile, type LirFunction, type TargetTraits } from "../codegen/build.ts";
import { emitFunctions, type MachineFunction } from "../codegen/emit.ts";
import { RUNTIME_LABELS, RUNTIME_REGISTERS, type RuntimeName, runtimeFunction } from "../codegen/runtime.ts";
import { MAX_FRAMES, STACK_BYTES } from "../ebpf/opcode.ts";

/** How to compile. */
export interface NpuOptions {
  /** Static region of the function (ABI 1). */
  readonly functionNumber: number;
  /** `units`: acceleration units of the device; `loops`: plain loops linked in. */
  readonly accel?: "units" | "loops";
}

/** One compiled function. */
export interface CompiledFunction {
  readonly name: string;
  /** First instruction, in 8-byte slots. */
  readonly start: number;
  readonly end: number;
  /** 8-byte frame slots taken by values that found no register. */
  readonly spills: number;
}

/** A compiled program. */
export interface CompiledProgram {
  /** Code, the entry first. */
  readonly text: Uint8Array;
  readonly functions: readonly CompiledFunction[];
  /** What the loader must put into memory before the first run: data segments, globals, tables of linked units. */
  readonly data: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  /** instructions (8-byte slots), stack (bytes of the deepest chain), memory (bytes of the static region in use). */
  readonly resources: Readonly<Record<"instructions" | "stack" | "memory", number>>;
  /** Byte offset in the module for each slot. */
  readonly origins: Int32Array;
}

/** Cells of mutable globals lie at the end of the static region, growing downwards. */
export function globalCell(functionNumber: number, index: number): number {
  return staticRegion(functionNumber) + STATIC_REGION_SIZE - 4 * (index + 1);
}

/** What a loader must put into memory for a program: its data segments and the initial values of its globals. */
export function initialData(
  module: WasmModule,
  functionNumber: number,
): { address: number; bytes: Uint8Array }[] {
  const out = module.data.map((d: DataSegment) => ({ address: d.address, bytes: d.bytes }));
  for (const [i, g] of module.globals.entries()) {
    if (!g.mutable) continue;
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, Number(BigInt.asIntN(32, g.init)), true);
    out.push({ address: globalCell(functionNumber, i), bytes });
  }
  return out;
}

/** Compile canonical IR bytes; untrusted input ends in diagnostics. */
export function compileNpu(ir: Uint8Array, options: NpuOptions): Result<CompiledProgram> {
  const decoded = decodeModule(ir);
  if (!decoded.ok) return decoded;
  const violations = checkProfile(decoded.value, { functionNumber: options.functionNumber });
  if (violations.length > 0) return { ok: false, diagnostics: violations };
  try {
    return new Linker(decoded.value, options).link();
  } catch (error) {
    if (error instanceof CannotCompile) return fail("compile", error.message, { offset: error.origin });
    throw error;
  }
}

/** A function waiting for its place in the program. */
interface Unit {
  readonly name: string;
  /** Null while it is being built. */
  code: MachineFunction | null;
  spills: number;
  readonly calls: Set<number>;
}

/** Collects what a program needs: its own functions, then runtime functions and linked units as they are met. */
class Linker {
  readonly #module: WasmModule;
  readonly #options: NpuOptions;
  readonly #units: Unit[] = [];
  readonly #numbers: Map<string, number> = new Map();
  readonly #todo: (() => void)[] = [];

  constructor(module: WasmModule, options: NpuOptions) {
    this.#module = module;
    this.#options = options;
  }

  link(): Result<CompiledProgram> {
    const entry = this.#module.exports[0]!;
    this.#wasmFunction(this.#module, entry.index - this.#module.imports.length, entry.name, "");
    for (let next = this.#todo.pop(); next !== undefined; next = this.#todo.pop()) next();
    const deepest = this.#deepest(0, new Map());
    if (deepest > MAX_FRAMES)
      return fail("limit", `calls are ${deepest} deep, the device has ${MAX_FRAMES} frames`);
    const { text, placed, origins } = emitFunctions(this.#units.map((u) => u.code!));
    const data = initialData(this.#module, this.#options.functionNumber);
    if (this.#numbers.has("accel1.crc32c")) data.push(accelTables());
    const memory = data.reduce((n, d) => n + d.bytes.length, 16);
    return ok({
      text,
      functions: placed.map((p, i) => ({ ...p, spills: this.#units[i]!.spills })),
      data,
      resources: { instructions: text.length / 8, stack: deepest * STACK_BYTES, memory },
      origins,
    });
  }

  #deepest(n: number, known: Map<number, number>): number {
    const found = known.get(n);
    if (found !== undefined) return found;
    let depth = 1;
    for (const callee of this.#units[n]!.calls) depth = Math.max(depth, 1 + this.#deepest(callee, known));
    known.set(n, depth);
    return depth;
  }

  /** Number of a function, made when it is first asked for. */
  #number(key: string, make: (unit: Unit) => void): number {
    let n = this.#numbers.get(key);
    if (n === undefined) {
      const unit: Unit = { name: key, code: null, spills: 0, calls: new Set() };
      n = this.#units.push(unit) - 1;
      this.#numbers.set(key, n);
      this.#todo.push(() => make(unit));
    }
    return n;
  }

  #wasmFunction(module: WasmModule, index: number, name: string, library: string): number {
    return this.#number(`${library}${name}`, (unit) => {
      const built = buildFunction(module, module.functions[index]!, this.#traits(module, unit, library));
      this.#finish(unit, built);
    });
  }

  #finish(unit: Unit, built: LirFunction): void {
    const done = allocate(built.code, built.registers, built.labels);
    if (done === null)
      throw new CannotCompile(`function ${unit.name} needs more than the ${STACK_BYTES} bytes of a frame`, 0);
    unit.code = { name: unit.name, code: done.code };
    unit.spills = done.spills;
  }

  #traits(module: WasmModule, unit: Unit, library: string): TargetTraits {
    const called = (n: number): number => {
      unit.calls.add(n);
      return n;
    };
    return {
      accel: (name) =>
        this.#options.accel === "loops"
          ? { function: called(this.#loops(name)) }
          : { helper: ACCEL1[name].number },
      globalCell: (index) => globalCell(this.#options.functionNumber, index),
      runtime: (name) => called(this.#runtime(name)),
      functionNumber: (index) =>
        called(
          this.#wasmFunction(
            module,
            index,
            module.names.get(index + module.imports.length) ?? `f${index + module.imports.length}`,
            library,
          ),
        ),
    };
  }

  #runtime(name: RuntimeName): number {
    return this.#number(name, (unit) =>
      this.#finish(unit, {
        code: runtimeFunction(name),
        registers: RUNTIME_REGISTERS,
        labels: RUNTIME_LABELS,
      }),
    );
  }

  /** A unit as plain loops: a function of the scalar accel1 module. */
  #loops(name: Accel1Name): number {
    const library = scalarLibrary();
    const found = library.exports.find((e) => e.name === name)!;
    return this.#wasmFunction(library, found.index - library.imports.length, name, "accel1.");
  }
}

/** Tables that crc32c as plain loops reads: static region 0 as the scalar module's init leaves it. */
function accelTables(): { address: number; bytes: Uint8Array } {
  const address = staticRegion(0);
  const pages = (address + STATIC_REGION_SIZE) / 65536;
  const memory = new WebAssembly.Memory({ initial: Math.max(pages, INITIAL_PAGES) });
  const module = new WebAssembly.Module(accel1ScalarModule() as never);
  (new WebAssembly.Instance(module, { env: { memory } }).exports.init as () => void)();
  const region = new Uint8Array(memory.buffer, address, STATIC_REGION_SIZE);
  const end = region.findLastIndex((byte) => byte !== 0) + 1;
  return { address, bytes: region.slice(0, end) };
}

let scalar: WasmModule | undefined;

function scalarLibrary(): WasmModule {
  if (scalar === undefined) {
    const decoded = decodeModule(accel1ScalarModule());
    if (!decoded.ok)
      throw new Error(`the scalar accel1 module cannot be read: ${decoded.diagnostics[0]?.message}`);
    scalar = decoded.value;
  }
  return scalar;
}
