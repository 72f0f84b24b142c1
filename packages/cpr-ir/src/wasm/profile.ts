/**
 * The profile of offload programs, checked on the module, not on its source. The decoder has refused what cannot
 * be expressed at all (floats, vectors, tables, multi-value, growing); here is the rest.
 */
import { STATIC_DATA_OFF, STATIC_REGION_SIZE, staticRegion } from "@netoffload/skbuff";
import type { Diagnostic } from "../diagnostics.ts";
import { I32, typeOf, type WasmModule } from "./types.ts";

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

/** What the profile is told about the program. */
export interface ProfileOptions {
  /** Static region its data must lie in; not checked when absent. */
  readonly functionNumber?: number;
}

/** Every violation, each naming function and byte offset where there is one. An empty list: the profile is kept. */
export function checkProfile(module: WasmModule, options: ProfileOptions = {}): Diagnostic[] {
  return [
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

function checkImports(module: WasmModule): Diagnostic[] {
  const faults: Diagnostic[] = [];
  if (module.memory === null) faults.push(violation("env.memory is not imported"));
  for (const i of module.imports) {
    const unit = i.module === "accel1" && Object.hasOwn(ACCEL1, i.name) ? ACCEL1[i.name as Accel1Name] : null;
    if (unit === null) {
      faults.push(
        violation(
          `import ${i.module}.${i.name}: only env.memory and accel1.{${Object.keys(ACCEL1).join(", ")}} are allowed`,
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
        `${module.exports.length} exports (${module.exports.map((e) => e.name).join(", ")}): a program exports exactly its offload function`,
      ),
    ];
  const entry = module.exports[0]!;
  if (entry.index < module.imports.length) return [violation(`export ${entry.name} is an import`)];
  const type = typeOf(module, entry.index);
  const faults: Diagnostic[] = [];
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(entry.name))
    faults.push(
      violation(
        `export '${entry.name}': a function's name is a lower-case identifier of at most 63 characters`,
      ),
    );
  if (type.params.length > MAX_PARAMS || type.params.some((t) => t !== I32))
    faults.push(
      violation(`${entry.name} has ${type.params.length} parameters: at most ${MAX_PARAMS}, all i32`, {
        function: entry.index,
      }),
    );
  if (type.results.length !== 1 || type.results[0] !== I32)
    faults.push(violation(`${entry.name} must give one i32`, { function: entry.index }));
  return faults;
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
            `function ${module.names.get(index) ?? index}, byte ${site.offset}: recursion through function ${module.names.get(callee + n) ?? callee + n}`,
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
  if (options.functionNumber === undefined) return [];
  const from = staticRegion(options.functionNumber) + STATIC_DATA_OFF;
  const to = staticRegion(options.functionNumber) + STATIC_REGION_SIZE;
  return module.data
    .filter((d) => d.address < from || d.address + d.bytes.length > to)
    .map((d) =>
      violation(
        `byte ${d.offset}: data at 0x${d.address.toString(16)} (${d.bytes.length} bytes) lies outside the static region 0x${from.toString(16)}..0x${to.toString(16)}`,
        { offset: d.offset },
      ),
    );
}
