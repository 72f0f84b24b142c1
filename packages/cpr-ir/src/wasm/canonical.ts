/**
 * The canonical bytes of a module: what is hashed. Decoded and encoded again with shortest numbers, no custom
 * sections, types deduplicated by first use, exports sorted by name, no data count.
 */
import { ok, type Result } from "../diagnostics.ts";
import { decodeModule } from "./decode.ts";
import { encodeModule } from "./encode.ts";
import type { FuncType, WasmModule } from "./types.ts";

/** Canonical form of a module as data: types renumbered in order of first use (imports, then functions). */
export function canonicalForm(module: WasmModule): WasmModule {
  const types: FuncType[] = [];
  const numbers = new Map<string, number>();
  const renumber = (index: number): number => {
    const type = module.types[index]!;
    const key = `${type.params.join()}>${type.results.join()}`;
    let number = numbers.get(key);
    if (number === undefined) {
      number = types.push(type) - 1;
      numbers.set(key, number);
    }
    return number;
  };
  const imports = module.imports.map((i) => ({ ...i, type: renumber(i.type) }));
  const functions = module.functions.map((f) => ({ ...f, type: renumber(f.type) }));
  const exports = [...module.exports].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return { ...module, types, imports, functions, exports, names: new Map() };
}

/** Canonical bytes of an untrusted module. */
export function canonicalModule(bytes: Uint8Array): Result<Uint8Array> {
  const decoded = decodeModule(bytes);
  return decoded.ok ? ok(encodeModule(canonicalForm(decoded.value))) : decoded;
}
