/** A WebAssembly module as data: what the profile leaves of the format. */

/** Code of i32 in the binary format; the profile's value types are i32 and i64. */
export const I32 = 0x7f;
/** Code of i64. */
export const I64 = 0x7e;
/** A value type. */
export type ValType = typeof I32 | typeof I64;
/** A block's result: one value, or none. */
export type BlockType = ValType | 0x40;

/** A function type. */
export interface FuncType {
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
}

/** One instruction. The two numbers mean what the opcode says; see `opcode.ts`. */
export interface Instruction {
  readonly op: number;
  /** Byte offset in the module it was decoded from. */
  readonly offset: number;
  /** Index, depth, block type, alignment exponent, or i32 constant. */
  readonly a: number;
  /** Static offset of a memory access. */
  readonly b: number;
  /** i64.const only. */
  readonly imm64?: bigint;
  /** br_table only: depths, the default last. */
  readonly table?: readonly number[];
}

/** A function with a body. */
export interface WasmFunction {
  readonly type: number;
  /** Types of the locals behind the parameters. */
  readonly locals: readonly ValType[];
  readonly body: readonly Instruction[];
  /** Byte offset of the body in the module. */
  readonly offset: number;
}

/** An imported function; the imported memory stands apart. */
export interface ImportedFunction {
  readonly module: string;
  readonly name: string;
  readonly type: number;
}

/** A global of the module's own. */
export interface WasmGlobal {
  readonly type: ValType;
  readonly mutable: boolean;
  readonly init: bigint;
}

/** Bytes put into memory when the module is loaded. */
export interface DataSegment {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** An export of a function. */
export interface WasmExport {
  readonly name: string;
  /** Index in the function space, imports first. */
  readonly index: number;
}

/** A decoded module. */
export interface WasmModule {
  readonly types: readonly FuncType[];
  readonly imports: readonly ImportedFunction[];
  /** Pages of `env.memory`: initial, and maximum where stated. */
  readonly memory: { readonly initial: number; readonly maximum: number | null } | null;
  readonly functions: readonly WasmFunction[];
  readonly globals: readonly WasmGlobal[];
  readonly exports: readonly WasmExport[];
  readonly data: readonly DataSegment[];
  /** Names from the name section by function index, for messages only: untrusted, may repeat, never hashed. */
  readonly names: ReadonlyMap<number, string>;
}

/**
 * How a message names a function: its index and, where there is one, its export's name or the name section's;
 * made printable, since names come from untrusted bytes.
 */
export function functionLabel(module: Pick<WasmModule, "exports" | "names">, index: number): string {
  const name = module.exports.find((e) => e.index === index)?.name ?? module.names.get(index);
  return name === undefined ? `function ${index}` : `function ${index} (${printable(name)})`;
}

/** A name from untrusted bytes for a message: no control or odd characters, at most 64. */
export function printable(name: string): string {
  const safe = name.slice(0, 64).replace(/[^\x21-\x7e]/g, "?");
  return safe.length < name.length ? `${safe}...` : safe;
}

/** Type of any function of the index space. */
export function typeOf(module: WasmModule, index: number): FuncType {
  const n = module.imports.length;
  return module.types[index < n ? module.imports[index]!.type : module.functions[index - n]!.type]!;
}
