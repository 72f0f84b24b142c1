/**
 * A program out of its functions: the entry, what it calls, runtime functions and linked units, each built and
 * allocated when it is first asked for.
 */
import { accel1ScalarModule, STATIC_REGION_SIZE, staticRegion } from "@netoffload/skbuff";
import { fail, ok, type Result } from "../../diagnostics.ts";
import { decodeModule } from "../../wasm/decode.ts";
import { ACCEL1, type Accel1Name, checkProfile, INITIAL_PAGES } from "../../wasm/profile.ts";
import { type DataSegment, I64, type WasmModule } from "../../wasm/types.ts";
import { ALU_OP, MAX_FRAMES, STACK_BYTES } from "../ebpf/opcode.ts";
import { allocate } from "./allocate.ts";
import { buildFunction, CannotCompile, type LirFunction, type TargetTraits } from "./build.ts";
import { emitFunctions, type MachineFunction, type RelocatedSlot } from "./emit.ts";
import { type Lir, lir, MACHINE_REGISTERS } from "./lir.ts";
import { RUNTIME_LABELS, RUNTIME_REGISTERS, type RuntimeName, runtimeFunction } from "./runtime.ts";

/** How to compile. */
export interface LinkOptions {
  /** Static region of the function (ABI 1). */
  readonly functionNumber: number;
  /** `units`: acceleration units of the device; `loops`: plain loops linked in. */
  readonly accel: "units" | "loops";
}

/** A function in linear form, with what the target needs to know of its frame. */
export interface Built {
  readonly code: readonly Lir[];
  readonly registers: number;
  /** Bytes of its frame that the machine takes for itself. */
  readonly reserved?: number;
}

/** What differs between the targets that share this generator. */
export interface LinkTarget {
  /** Made before the entry, and calls it as function 1; null: the entry is called by the machine. */
  readonly batch: ((params: number) => Built) | null;
  /** Last change of a function before registers are allocated. @param wide - its result is 64 bits */
  finish(built: LirFunction, wide: boolean): Built;
  /** Frames lie on one stack of 512 bytes, not in 512 bytes each; what does not fit goes elsewhere. */
  readonly oneStack: { readonly address: number; readonly bytes: number } | null;
}

/** One compiled function. */
export interface CompiledFunction {
  readonly name: string;
  /** First instruction, in 8-byte slots. */
  readonly start: number;
  readonly end: number;
  /** 8-byte frame slots taken by values that found no register. */
  readonly spills: number;
  /** Arguments, in r1 and up. */
  readonly params: number;
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
  /** Immediates that a loader completes. */
  readonly relocations: readonly RelocatedSlot[];
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

/** Compile canonical IR bytes for a target; untrusted input ends in diagnostics. */
export function compileFor(
  target: LinkTarget,
  ir: Uint8Array,
  options: LinkOptions,
): Result<CompiledProgram> {
  const decoded = decodeModule(ir);
  if (!decoded.ok) return decoded;
  const violations = checkProfile(decoded.value, { functionNumber: options.functionNumber });
  if (violations.length > 0) return { ok: false, diagnostics: violations };
  try {
    return new Linker(decoded.value, target, options).link();
  } catch (error) {
    if (error instanceof CannotCompile) return fail("compile", error.message, { offset: error.origin });
    throw error;
  }
}

/** Register that holds the address of a frame outside the stack. */
const FRAME_REGISTER = 9;
/** Most bytes of such a frame: what an instruction's offset reaches. */
const MAX_FRAME = 0x7ff8;

/** A function waiting for its place in the program. */
interface Unit {
  name: string;
  /** Builds it anew, since allocation uses the code up. */
  build: () => Built;
  code: MachineFunction | null;
  spills: number;
  reserved: number;
  readonly params: number;
  readonly calls: Set<number>;
}

/** Collects what a program needs: its own functions, then runtime functions and linked units as they are met. */
class Linker {
  readonly #module: WasmModule;
  readonly #target: LinkTarget;
  readonly #options: LinkOptions;
  readonly #units: Unit[] = [];
  readonly #numbers: Map<string, number> = new Map();
  readonly #todo: Unit[] = [];
  /** Bytes of frames outside the stack. */
  #moved = 0;

  constructor(module: WasmModule, target: LinkTarget, options: LinkOptions) {
    this.#module = module;
    this.#target = target;
    this.#options = options;
  }

  link(): Result<CompiledProgram> {
    const entry = this.#module.exports[0]!;
    const index = entry.index - this.#module.imports.length;
    const { batch } = this.#target;
    if (batch !== null) {
      const params = this.#module.types[this.#module.functions[index]!.type]!.params.length;
      this.#number("batch", 0, () => () => batch(params));
    }
    const number = this.#wasmFunction(this.#module, index, entry.name, "");
    if (number > 0) this.#units[0]!.calls.add(number);
    for (let next = this.#todo.pop(); next !== undefined; next = this.#todo.pop()) this.#allocate(next);
    if (batch !== null && this.#deepest(0, new Map(), () => 1) > MAX_FRAMES) this.#mergeEntry();
    const deepest = this.#deepest(0, new Map(), () => 1);
    if (deepest > MAX_FRAMES)
      return fail("limit", `calls are ${deepest} deep, the device has ${MAX_FRAMES} frames`);
    const stack = this.#target.oneStack === null ? deepest * STACK_BYTES : this.#fitStack();
    this.#dropUncalled();
    const { text, placed, origins, relocations } = emitFunctions(this.#units.map((u) => u.code!));
    const data = initialData(this.#module, this.#options.functionNumber);
    if (this.#numbers.has("accel1.crc32c")) data.push(accelTables());
    const memory = data.reduce((n, d) => n + d.bytes.length, 16);
    return ok({
      text,
      functions: placed.map((p, i) => ({
        ...p,
        spills: this.#units[i]!.spills,
        params: this.#units[i]!.params,
      })),
      data,
      resources: { instructions: text.length / 8, stack, memory },
      origins,
      relocations,
    });
  }

  /** Save a frame: the entry's code takes the place of its call. Else it is a function, which is verified apart. */
  #mergeEntry(): void {
    const [batch, entry] = this.#units as [Unit, Unit];
    const around = batch.build;
    batch.name = entry.name;
    batch.build = () => inlined(around(), entry.build());
    batch.calls.clear();
    for (const n of entry.calls) batch.calls.add(n);
    this.#allocate(batch);
  }

  /** Leave out functions that only code called which was dropped, and number the others anew. */
  #dropUncalled(): void {
    const reached = new Set([0]);
    // a set visits what is added meanwhile
    for (const n of reached) for (const i of callsOf(this.#units[n]!)) reached.add(i.imm);
    const kept = [...reached].sort((a, b) => a - b);
    const numbers = new Map(kept.map((old, n) => [old, n]));
    for (const n of kept) for (const i of callsOf(this.#units[n]!)) i.imm = numbers.get(i.imm)!;
    this.#units.splice(0, this.#units.length, ...kept.map((n) => this.#units[n]!));
  }

  /** The most expensive chain of calls from a function on. */
  #deepest(n: number, known: Map<number, number>, cost: (unit: Unit) => number): number {
    const found = known.get(n);
    if (found !== undefined) return found;
    let rest = 0;
    for (const callee of this.#units[n]!.calls) rest = Math.max(rest, this.#deepest(callee, known, cost));
    const depth = cost(this.#units[n]!) + rest;
    known.set(n, depth);
    return depth;
  }

  /** Move the largest frames off the stack until every chain fits. @returns bytes of the deepest chain */
  #fitStack(): number {
    for (;;) {
      const depth = this.#deepest(0, new Map(), frameBytes);
      if (depth <= STACK_BYTES) return depth;
      const unit = this.#units.reduce((a, b) => (onStack(b) > onStack(a) ? b : a));
      if (onStack(unit) === 0) throw new CannotCompile(`calls need ${depth} bytes of stack`, 0);
      this.#moveFrame(unit);
    }
  }

  /** Number of a function, made when it is first asked for. */
  #number(key: string, params: number, make: (unit: Unit) => () => Built): number {
    let n = this.#numbers.get(key);
    if (n === undefined) {
      const unit: Unit = {
        name: key,
        build: () => ({ code: [], registers: 0 }),
        code: null,
        spills: 0,
        reserved: 0,
        params,
        calls: new Set(),
      };
      unit.build = make(unit);
      n = this.#units.push(unit) - 1;
      this.#numbers.set(key, n);
      this.#todo.push(unit);
    }
    return n;
  }

  #wasmFunction(module: WasmModule, index: number, name: string, library: string): number {
    const fn = module.functions[index]!;
    const type = module.types[fn.type]!;
    return this.#number(`${library}${name}`, type.params.length, (unit) => () => {
      const wide = type.results[0] === I64;
      return this.#target.finish(buildFunction(module, fn, this.#traits(module, unit, library)), wide);
    });
  }

  #allocate(unit: Unit): void {
    const built = unit.build();
    const done = allocate(built.code, built.registers, STACK_BYTES - (built.reserved ?? 0));
    unit.reserved = built.reserved ?? 0;
    const { oneStack } = this.#target;
    // what lies on the stack, the verifier follows through a loop
    if (oneStack !== null && (done === null || (done.spills > 0 && unit.reserved > 0))) {
      this.#moveFrame(unit);
      return;
    }
    if (done === null) throw tooLarge(unit, STACK_BYTES);
    unit.code = { name: unit.name, code: done.code, frame: 10 };
    unit.spills = done.spills;
  }

  /** Allocate it anew, with a frame of its own behind the memory: no function calls itself. */
  #moveFrame(unit: Unit): void {
    const { address, bytes } = this.#target.oneStack!;
    const built = unit.build();
    const room = Math.min(bytes - this.#moved, MAX_FRAME);
    const done = allocate(framed(built.code, address + this.#moved), built.registers, room);
    if (done === null) throw tooLarge(unit, room);
    unit.code = { name: unit.name, code: done.code, frame: FRAME_REGISTER };
    unit.spills = done.spills;
    this.#moved += done.spills * 8;
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
    return this.#number(
      name,
      3,
      () => () =>
        this.#target.finish(
          { code: runtimeFunction(name), registers: RUNTIME_REGISTERS, labels: RUNTIME_LABELS },
          false,
        ),
    );
  }

  /** A unit as plain loops: a function of the scalar accel1 module. */
  #loops(name: Accel1Name): number {
    const library = scalarLibrary();
    const found = library.exports.find((e) => e.name === name)!;
    return this.#wasmFunction(library, found.index - library.imports.length, name, "accel1.");
  }
}

/** Code with its call of function 1 replaced by that function's code. */
function inlined(around: Built, inner: Built): Built {
  const labelsOf = (b: Built): number => b.code.reduce((n, i) => Math.max(n, i.label + 1), 0);
  const shift = around.registers - MACHINE_REGISTERS;
  const register = (r: number): number => (r >= MACHINE_REGISTERS ? r + shift : r);
  const first = labelsOf(around);
  const back = first + labelsOf(inner);
  const body = inner.code.map((i) =>
    i.kind === "exit"
      ? lir("jump", { label: back, depth: i.depth, origin: i.origin })
      : { ...i, d: register(i.d), s: register(i.s), label: i.label < 0 ? i.label : i.label + first },
  );
  const code = around.code.flatMap((i) =>
    i.kind === "call" ? [...body, lir("label", { label: back })] : [i],
  );
  return {
    code,
    registers: around.registers + inner.registers - MACHINE_REGISTERS,
    reserved: around.reserved ?? 0,
  };
}

/** Calls of other functions in finished code. */
function callsOf(unit: Unit): Lir[] {
  return unit.code!.code.filter((i) => i.kind === "call" && i.op === 1);
}

/** Bytes a function takes of one stack, as the kernel rounds them. */
function frameBytes(unit: Unit): number {
  return (Math.max(onStack(unit), 1) + unit.reserved + 15) & ~15;
}

const onStack = (unit: Unit): number => (unit.code!.frame === 10 ? unit.spills * 8 : 0);

function tooLarge(unit: Unit, bytes: number): CannotCompile {
  return new CannotCompile(`function ${unit.name} needs more than the ${bytes} bytes of a frame`, 0);
}

/** Keep the address of a frame outside the stack in a register of its own. */
function framed(code: readonly Lir[], address: number): Lir[] {
  for (const i of code) if (i.kind === "exit") i.s = FRAME_REGISTER;
  // the verifier's first state must stand before anything else, see guard.ts
  const first = code[0]?.kind === "jump" ? 1 : 0;
  return [
    ...code.slice(0, first),
    lir("alu", { op: ALU_OP.MOV, w: 32, d: FRAME_REGISTER, imm: address, reloc: "limit" }),
    lir("cast", { d: FRAME_REGISTER, s: FRAME_REGISTER }),
    ...code.slice(first),
  ];
}

/** Tables that crc32c as plain loops reads: static region 0 as the scalar module's init leaves it. */
export function accelTables(): { address: number; bytes: Uint8Array } {
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
