/**
 * The host target: a program run by the JavaScript engine itself, in the packet memory of skbuff. The budget is not
 * enforced here: an endless loop does not come back.
 */
import {
  type Accel1,
  accel1Module,
  accel1ScalarModule,
  type Memory,
  staticRegion,
  TRAP,
  type TrapName,
} from "@netoffload/skbuff";
import { type Diagnostic, fail, ok, orThrow, type Result } from "../diagnostics.ts";
import { CprIrError } from "../errors.ts";
import { canonicalForm } from "./canonical.ts";
import { decodeModule } from "./decode.ts";
import { encodeModule } from "./encode.ts";
import { linkModules } from "./link.ts";
import { checkProfile, functionNumberOf } from "./profile.ts";
import { typeOf, type WasmModule } from "./types.ts";

/**
 * Where a program's acceleration units come from: `simd` the memory's own (by SIMD where the engine has it),
 * `scalar` the scalar module, `loops` the scalar ones linked into the program as plain functions (`--no-accel`).
 */
export type HostAccel = "simd" | "scalar" | "loops";

/** How a program is made runnable. */
export interface InstantiateOptions {
  /** Default `simd`. */
  readonly accel?: HostAccel;
  /** Static region (trap cell, data) of the program, 1 to 14; default: by its name, 8 for a name ABI 1 does not know. */
  readonly functionNumber?: number;
}

/** Outcome of one run on the host. */
export interface HostRun {
  /** The entry's result, signed 32 bits; 0 after a trap. */
  readonly ret: number;
  readonly trap: TrapName;
}

/** Numbers a packet takes in the results of a batch: ret (i32), trap code. */
export const HOST_RESULT_WORDS = 2;

/** A program in a memory, ready to run. */
export class HostProgram {
  /** Its entry's export. */
  readonly name: string;
  /** Static region it uses. */
  readonly functionNumber: number;
  /** Parameters of the entry. */
  readonly params: number;
  /** The WebAssembly export itself; a trap is an exception of the engine, see {@link trapOf}. */
  readonly entry: (...args: number[]) => number;
  readonly #view: DataView;
  readonly #cell: number;
  /** Trap cell holds a code that the next run must clear. */
  #marked = true;

  /** Made by {@link instantiateProgram}. */
  constructor(
    name: string,
    functionNumber: number,
    params: number,
    entry: (...args: number[]) => number,
    view: DataView,
  ) {
    this.name = name;
    this.functionNumber = functionNumber;
    this.params = params;
    this.entry = entry;
    this.#view = view;
    this.#cell = staticRegion(functionNumber);
  }

  /** Run once. A trap goes into the trap cell, too; memory is then undefined, as on every target. */
  run(args: readonly number[]): HostRun {
    if (this.#marked) this.#mark(TRAP.NONE);
    try {
      return { ret: this.entry(...args) | 0, trap: "NONE" };
    } catch (error) {
      const trap = this.#trap(error);
      return { ret: 0, trap };
    }
  }

  /**
   * Run once for each of the first `n` addresses, one parameter each; a trap ends its packet only.
   * @param results - at least 2n numbers, written as {ret, trap code} a packet; made when absent
   * @returns the results
   */
  runBatch(addresses: Uint32Array, n: number, results: Int32Array = new Int32Array(2 * n)): Int32Array {
    if (this.params !== 1)
      throw new CprIrError("EINVAL", `runBatch: ${this.name} takes ${this.params} arguments, not one`, {
        params: this.params,
      });
    if (n > addresses.length || results.length < HOST_RESULT_WORDS * n)
      throw new CprIrError(
        "EINVAL",
        `runBatch: ${n} packets, ${addresses.length} addresses, room for ${results.length} numbers`,
        { n },
      );
    if (this.#marked) this.#mark(TRAP.NONE);
    const { entry } = this;
    let i = 0;
    while (i < n) {
      try {
        for (; i < n; i++) {
          results[2 * i] = entry(addresses[i]!);
          results[2 * i + 1] = TRAP.NONE;
        }
      } catch (error) {
        results[2 * i] = 0;
        results[2 * i + 1] = TRAP[this.#trap(error)];
        i++;
      }
    }
    return results;
  }

  #trap(error: unknown): TrapName {
    const trap = trapOf(error);
    if (trap === null) throw error;
    this.#mark(TRAP[trap]);
    return trap;
  }

  #mark(code: number): void {
    this.#view.setUint32(this.#cell, code, true);
    this.#marked = code !== TRAP.NONE;
  }
}

/**
 * The trap an engine's exception stands for, or null when it is none. Engines name their traps in words of their
 * own; those of V8, SpiderMonkey and JavaScriptCore are known. A stack overflow counts as BUDGET.
 */
export function trapOf(error: unknown): TrapName | null {
  if (error instanceof RangeError && /stack/i.test(error.message)) return "BUDGET";
  if (!(error instanceof WebAssembly.RuntimeError)) return null;
  const text = error.message;
  if (/by zero/i.test(text)) return "DIV_ZERO";
  if (/unrepresentable|overflow/i.test(text)) return "OVERFLOW";
  if (/out of bounds|out-of-bounds/i.test(text)) return "OUT_OF_BOUNDS";
  if (/unreachable/i.test(text)) return "UNREACHABLE";
  return null;
}

/**
 * Put a program into a memory: check it against the profile, write its data segments, bind its imports.
 *
 * The memory's size is the limit of every access. Several programs, and several instances of one, may share a
 * memory; instances of one program share its static region.
 * @returns diagnostics when the bytes are no program of the profile or do not fit the memory
 */
export function instantiateProgram(
  ir: Uint8Array,
  memory: Memory,
  options: InstantiateOptions = {},
): Result<HostProgram> {
  const decoded = decodeModule(ir);
  if (!decoded.ok) return decoded;
  const module = decoded.value;
  const name = module.exports[0]?.name ?? "";
  const functionNumber = options.functionNumber ?? functionNumberOf(name);
  const violations: readonly Diagnostic[] = checkProfile(module, { functionNumber });
  if (violations.length > 0) return { ok: false, diagnostics: violations };
  const accel = options.accel ?? "simd";
  let units: Readonly<Record<string, unknown>> = {};
  let bytes = ir;
  if (accel === "loops") {
    // the tables of the loops lie where those of the units lie, and are the same
    scalarUnits(memory);
    bytes = encodeModule(canonicalForm(linked(module)));
  } else {
    const members: Accel1 = accel === "simd" ? memory.accel1 : scalarUnits(memory);
    units = members as unknown as Readonly<Record<string, unknown>>;
  }
  let entry: unknown;
  try {
    const compiled = new WebAssembly.Module(bytes);
    const imports = { env: { memory: memory.wasm }, accel1: units as Record<string, unknown> };
    entry = new WebAssembly.Instance(compiled, imports).exports[name];
  } catch (error) {
    return fail("engine", `the engine refuses the module: ${(error as Error).message}`);
  }
  const params = typeOf(module, module.exports[0]!.index).params.length;
  return ok(
    new HostProgram(name, functionNumber, params, entry as (...args: number[]) => number, memory.view),
  );
}

let library: WasmModule | undefined;

/** The program with plain loops. Its imports keep the profile, so the scalar module has all of them. */
function linked(module: WasmModule): WasmModule {
  library ??= orThrow(decodeModule(accel1ScalarModule()));
  const done = linkModules(module, library);
  if (done === null) throw new CprIrError("ENOTSUP", "the scalar units do not fit the profile");
  return done;
}

function scalarUnits(memory: Memory): Accel1 {
  const { exports } = new WebAssembly.Instance(accel1Module(true), { env: { memory: memory.wasm } });
  const units = exports as unknown as Accel1 & { init(): void };
  units.init();
  return units;
}
