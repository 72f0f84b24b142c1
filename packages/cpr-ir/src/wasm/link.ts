/**
 * A program and the acceleration units it imports made into one module: what `--no-accel` runs. The units come
 * from another module (skbuff's scalar one) as ordinary functions, so that nothing but `env.memory` is imported.
 */
import type { FuncType, Instruction, WasmFunction, WasmModule } from "./types.ts";

const CALL = 0x10;
const GLOBAL_GET = 0x23;
const GLOBAL_SET = 0x24;

/**
 * Replace the imports of `module` by the equally named exports of `library`, with all they call.
 *
 * Pre: both are decoded and validated; the library imports no function; every import of the module is an export of
 * the library with the same type (the profile's `accel1` signatures). Post: no imported function is left; order and
 * indices of the module's own functions among themselves are kept, the library's follow. The library's data
 * segments and globals are taken over.
 * @returns null when an import has no counterpart in the library
 */
export function linkModules(module: WasmModule, library: WasmModule): WasmModule | null {
  if (library.imports.length > 0) return null;
  const roots: number[] = [];
  for (const i of module.imports) {
    const found = library.exports.find((e) => e.name === i.name);
    if (found === undefined) return null;
    const here = module.types[i.type]!;
    const there = library.types[library.functions[found.index]!.type]!;
    if (signature(here) !== signature(there)) return null;
    roots.push(found.index);
  }
  const taken = reachable(library, roots);
  const own = module.functions.length;
  const place = new Map(taken.map((index, i) => [index, own + i]));
  const types = [...module.types, ...library.types];
  const rewrite = (
    f: WasmFunction,
    type: number,
    call: (index: number) => number,
    global: number,
  ): WasmFunction => ({ ...f, type, body: f.body.map((i) => renumber(i, call, global)) });
  const functions = module.functions.map((f) =>
    rewrite(
      f,
      f.type,
      (index) => (index < module.imports.length ? place.get(roots[index]!)! : index - module.imports.length),
      0,
    ),
  );
  for (const index of taken) {
    const f = library.functions[index]!;
    functions.push(
      rewrite(f, module.types.length + f.type, (callee) => place.get(callee)!, module.globals.length),
    );
  }
  return {
    types,
    imports: [],
    memory: module.memory,
    functions,
    globals: [...module.globals, ...library.globals],
    exports: module.exports.map((e) => ({ ...e, index: e.index - module.imports.length })),
    data: [...module.data, ...library.data],
    names: new Map(),
  };
}

function signature(type: FuncType): string {
  return `${type.params.join()}>${type.results.join()}`;
}

function renumber(i: Instruction, call: (index: number) => number, globals: number): Instruction {
  if (i.op === CALL) return { ...i, a: call(i.a) };
  if (i.op === GLOBAL_GET || i.op === GLOBAL_SET) return { ...i, a: i.a + globals };
  return i;
}

/** The roots and everything they call, each once, in order of meeting. */
function reachable(library: WasmModule, roots: readonly number[]): number[] {
  const met = new Set(roots);
  // a Set gives what is added during the walk, too
  for (const index of met) for (const i of library.functions[index]!.body) if (i.op === CALL) met.add(i.a);
  return [...met];
}
