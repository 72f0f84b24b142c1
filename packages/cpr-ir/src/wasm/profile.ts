/**
 * The profile of offload programs, checked on the module, not on its source. The decoder has refused what cannot
 * be expressed at all (floats, vectors, tables, multi-value, growing); here is the rest.
 */
import {
  FUNCTION_NUMBER,
  HEAP_BASE,
  STATIC_DATA_OFF,
  STATIC_REGION_SIZE,
  staticRegion,
} from "@netoffload/skbuff";
import type { Diagnostic } from "../diagnostics.ts";
import { functionLabel, I32, printable, typeOf, type WasmModule } from "./types.ts";

/** Acceleration units by their number (the device's helper call) and their parameters; all take and give i32. */
export const ACCEL1 = {
  csum_partial: { number: 1, params: 3, results: 1 },
  copy: { number: 2, params: 3, results: 0 },
  copy_csum: { number: 3, params: 4, results: 1 },
  crc32c: { number: 4, params: 3, results: 1 },
  toeplitz: { number: 5, params: 3, results: 1 },
  siphash: { number: 6, params: 4, results: 0 },
} as const;

/** Name of an acceleration unit. */
export type Accel1Name = keyof typeof ACCEL1;

/** Most parameters of an entry. */
export const MAX_PARAMS = 5;
/** Pages `env.memory` may ask for: what lies below the heap (ABI 1). */
export const INITIAL_PAGES: number = /* @__PURE__ */ (() => HEAP_BASE / 65536)();

/** What the profile is told about the program. */
export interface ProfileOptions {
  /**
   * Static region its data must lie in, 1 to 14. When absent: that of the entry's name where ABI 1 has one, else
   * the region of the first data segment.
   */
  readonly functionNumber?: number;
}

/** Every violation, each naming function and byte offset where there is one. An empty list: the profile is kept. */
export function checkProfile(module: WasmModule, options: ProfileOptions = {}): Diagnostic[] {
  return [
    ...checkMemory(module),
    ...checkImports(module),
    ...checkExports(module),
    ...checkGlobals(module),
    ...checkCalls(module),
    ...checkData(module, options),
  ];
}

function violation(message: string, more: Partial<Diagnostic> = {}): Diagnostic {
  return { code: "profile", message, ...more };
}

function checkMemory(module: WasmModule): Diagnostic[] {
  const { memory } = module;
  if (memory === null) return [violation("env.memory is not imported")];
  if (memory.initial > INITIAL_PAGES || memory.maximum !== null)
    return [
      violation(
        `import env.memory asks for ${memory.initial} pages${memory.maximum === null ? "" : `, at most ${memory.maximum}`}: at most ${INITIAL_PAGES} and no maximum are allowed, a memory's size is its owner's`,
      ),
    ];
  return [];
}

function checkImports(module: WasmModule): Diagnostic[] {
  const faults: Diagnostic[] = [];
  for (const i of module.imports) {
    const unit = i.module === "accel1" && Object.hasOwn(ACCEL1, i.name) ? ACCEL1[i.name as Accel1Name] : null;
    if (unit === null) {
      faults.push(
        violation(
          `import ${printable(i.module)}.${printable(i.name)}: only env.memory and accel1.{${Object.keys(ACCEL1).join(", ")}} are allowed`,
        ),
      );
      continue;
    }
    const type = module.types[i.type]!;
    const fits =
      type.params.length === unit.params &&
      type.results.length === unit.results &&
      [...type.params, ...type.results].every((t) => t === I32);
    if (!fits)
      faults.push(violation(`import accel1.${i.name} takes ${unit.params} i32 and gives ${unit.results}`));
  }
  return faults;
}

function checkExports(module: WasmModule): Diagnostic[] {
  if (module.exports.length !== 1)
    return [
      violation(
        `${module.exports.length} exports (${module.exports
          .slice(0, 8)
          .map((e) => printable(e.name))
          .join(", ")}): a program exports exactly its offload function`,
      ),
    ];
  const entry = module.exports[0]!;
  if (entry.index < module.imports.length) return [violation(`export ${printable(entry.name)} is an import`)];
  const type = typeOf(module, entry.index);
  const faults: Diagnostic[] = [];
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(entry.name))
    faults.push(
      violation(
        `export '${printable(entry.name)}': a function's name is a lower-case identifier of at most 63 characters`,
        { function: entry.index },
      ),
    );
  if (type.params.length > MAX_PARAMS || type.params.some((t) => t !== I32))
    faults.push(
      violation(
        `${functionLabel(module, entry.index)} has ${type.params.length} parameters: at most ${MAX_PARAMS}, all i32`,
        {
          function: entry.index,
          ...at(module, entry.index),
        },
      ),
    );
  if (type.results.length !== 1 || type.results[0] !== I32)
    faults.push(
      violation(`${functionLabel(module, entry.index)} must give one i32`, {
        function: entry.index,
        ...at(module, entry.index),
      }),
    );
  return faults;
}

/** Where a function's body begins. */
function at(module: WasmModule, index: number): { offset: number } {
  return { offset: module.functions[index - module.imports.length]!.offset };
}

function checkGlobals(module: WasmModule): Diagnostic[] {
  return module.globals.flatMap((g, i) =>
    g.mutable && g.type !== I32 ? [violation(`global ${i} is a mutable i64: mutable globals are i32`)] : [],
  );
}

/** No function reaches itself: frames are static on some targets. */
function checkCalls(module: WasmModule): Diagnostic[] {
  const n = module.imports.length;
  const calls = module.functions.map((f) => [
    ...new Set(f.body.filter((i) => i.op === 0x10 && i.a >= n).map((i) => i.a - n)),
  ]);
  const state = new Uint8Array(module.functions.length);
  for (let root = 0; root < calls.length; root++) {
    if (state[root] !== 0) continue;
    // depth first with a stack of our own: call chains come from untrusted bytes
    const path: [number, number][] = [[root, 0]];
    state[root] = 1;
    while (path.length > 0) {
      const top = path[path.length - 1]!;
      const callee = calls[top[0]]![top[1]++];
      if (callee === undefined) {
        state[top[0]] = 2;
        path.pop();
      } else if (state[callee] === 1) {
        const site = module.functions[top[0]]!.body.find((i) => i.op === 0x10 && i.a === callee + n)!;
        const index = top[0] + n;
        return [
          violation(
            `${functionLabel(module, index)}, byte ${site.offset}: recursion through ${functionLabel(module, callee + n)}`,
            { function: index, offset: site.offset },
          ),
        ];
      } else if (state[callee] === 0) {
        state[callee] = 1;
        path.push([callee, 0]);
      }
    }
  }
  return [];
}

function checkData(module: WasmModule, options: ProfileOptions): Diagnostic[] {
  const k = regionOf(module, options);
  if (k === null) return [];
  if (!(Number.isInteger(k) && k >= 1 && k <= 14))
    return [violation(`function number ${k} has no static region: 1 to 14 have`)];
  const from = staticRegion(k) + STATIC_DATA_OFF;
  const to = staticRegion(k) + STATIC_REGION_SIZE;
  return module.data
    .filter((d) => d.address < from || d.address + d.bytes.length > to)
    .map((d) =>
      violation(
        `byte ${d.offset}: data at 0x${d.address.toString(16)} (${d.bytes.length} bytes) lies outside the static region 0x${from.toString(16)}..0x${to.toString(16)}`,
        { offset: d.offset },
      ),
    );
}

/** First of the function numbers that ABI 1 leaves free (8 to 14). */
const FIRST_FREE = 8;

/** Static region of an entry's name: its own where ABI 1 has one, else 8, the first free. */
export function functionNumberOf(name: string): number {
  return Object.hasOwn(FUNCTION_NUMBER, name)
    ? FUNCTION_NUMBER[name as keyof typeof FUNCTION_NUMBER]
    : FIRST_FREE;
}

function regionOf(module: WasmModule, options: ProfileOptions): number | null {
  if (options.functionNumber !== undefined) return options.functionNumber;
  const name = module.exports[0]?.name ?? "";
  if (Object.hasOwn(FUNCTION_NUMBER, name)) return functionNumberOf(name);
  const first = module.data[0];
  return first === undefined ? null : Math.floor((first.address - staticRegion(0)) / STATIC_REGION_SIZE);
}
