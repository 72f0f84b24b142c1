/** Untrusted bytes to a module, validated as WebAssembly; outside the profile is refused by name and offset. */
import { plainBytes } from "@netoffload/internal";
import { type Diagnostic, fail, ok, type Result } from "../diagnostics.ts";
import { nameOfRefused, OPCODES } from "./opcode.ts";
import { MalformedModule, Reader } from "./reader.ts";
import {
  type BlockType,
  type DataSegment,
  type FuncType,
  functionLabel,
  I32,
  I64,
  type ImportedFunction,
  type Instruction,
  printable,
  type ValType,
  type WasmExport,
  type WasmFunction,
  type WasmGlobal,
  type WasmModule,
} from "./types.ts";
import { validateModule } from "./validate.ts";

/** Largest module that is read, bytes: decoding needs some 60 bytes of memory for each. */
export const MAX_MODULE_BYTES: number = 1 << 20;
/** Most locals of one function, parameters not counted; engines have the same limit. */
const MAX_LOCALS = 50_000;
/** Most locals of all functions: a group of locals is three bytes, whatever its count. */
const MAX_ALL_LOCALS = 1_000_000;
/** Most parameters of a function; the JavaScript interface of WebAssembly has the same limit. */
const MAX_PARAMS = 1000;

const SECTION_NAMES = [
  "custom",
  "type",
  "import",
  "function",
  "table",
  "memory",
  "global",
  "export",
  "start",
  "element",
  "code",
  "data",
  "data count",
  "tag",
];
/** Position of each section id in the required order. */
const ORDER = [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6];

/** Module under construction. */
interface Draft {
  types: FuncType[];
  imports: ImportedFunction[];
  memory: WasmModule["memory"];
  declared: number[];
  functions: WasmFunction[];
  globals: WasmGlobal[];
  exports: WasmExport[];
  exported: Set<string>;
  data: DataSegment[];
  dataCount: number | null;
  names: Map<number, string>;
  locals: number;
  /** Function whose body is being read. */
  current: number | null;
}

/**
 * Decode and validate. Never throws, and never allocates beyond a small multiple of the input.
 *
 * Codes of the diagnostics: `magic`, `truncated`, `leb128`, `utf8`, `section`, `index`, `align`, `type`, `memory`,
 * `global`, `export`, `code`, `validation`: no WebAssembly engine takes these bytes. `profile`: WebAssembly perhaps,
 * but not an offload program. `limit`: more than {@link MAX_MODULE_BYTES}, or more locals or parameters than engines
 * take. Offsets count from the first byte; function indices are those of the index space, imports first.
 */
export function decodeModule(input: Uint8Array): Result<WasmModule> {
  const bytes = plainBytes(input);
  if (bytes.length > MAX_MODULE_BYTES)
    return fail("limit", `${bytes.length} bytes: a module has at most ${MAX_MODULE_BYTES}`, { offset: 0 });
  const draft: Draft = {
    types: [],
    imports: [],
    memory: null,
    declared: [],
    functions: [],
    globals: [],
    exports: [],
    exported: new Set(),
    data: [],
    dataCount: null,
    names: readNames(bytes),
    locals: 0,
    current: null,
  };
  try {
    readModule(new Reader(bytes), draft);
  } catch (error) {
    if (!(error instanceof MalformedModule)) throw error;
    return { ok: false, diagnostics: [diagnostic(error, draft)] };
  }
  const { types, imports, memory, functions, globals, exports, data, names } = draft;
  const module: WasmModule = { types, imports, memory, functions, globals, exports, data, names };
  const faults = validateModule(module);
  return faults.length > 0 ? { ok: false, diagnostics: faults } : ok(module);
}

function diagnostic(error: MalformedModule, draft: Draft): Diagnostic {
  const index = draft.current;
  const where = index === null ? "" : `${functionLabel(draft, index)}, `;
  return {
    code: error.code,
    message: `${where}byte ${error.offset}: ${error.message}`,
    offset: error.offset,
    ...(index === null ? {} : { function: index }),
  };
}

function readModule(r: Reader, d: Draft): void {
  const magic = r.take(8);
  if ([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0].some((b, i) => magic[i] !== b))
    throw new MalformedModule("magic", "not a WebAssembly module of version 1", 0);
  let last = 0;
  while (!r.done) {
    const at = r.at;
    const id = r.u8();
    const body = r.sized();
    if (id >= ORDER.length) throw new MalformedModule("section", `section id ${id} is unknown`, at);
    const name = SECTION_NAMES[id]!;
    if (id === 0) {
      // only the section's own name must be sound
      body.name();
      continue;
    }
    if (ORDER[id]! <= last)
      throw new MalformedModule("section", `${name} section is repeated or out of order`, at);
    last = ORDER[id]!;
    readSection(id, body, d, at);
    if (!body.done)
      throw new MalformedModule(
        "section",
        `${name} section has ${body.end - body.at} bytes too many`,
        body.at,
      );
  }
  if (d.functions.length !== d.declared.length)
    throw new MalformedModule(
      "section",
      `${d.declared.length} functions declared, ${d.functions.length} have code`,
      r.at,
    );
  if (d.dataCount !== null && d.dataCount !== d.data.length)
    throw new MalformedModule(
      "section",
      `${d.dataCount} data segments announced, ${d.data.length} present`,
      r.at,
    );
}

function readSection(id: number, r: Reader, d: Draft, at: number): void {
  switch (id) {
    case 1:
      for (let n = r.count("types"); n > 0; n--) d.types.push(funcType(r));
      return;
    case 2:
      for (let n = r.count("imports"); n > 0; n--) readImport(r, d);
      return;
    case 3:
      for (let n = r.count("functions"); n > 0; n--) d.declared.push(typeIndex(r, d));
      return;
    case 6:
      for (let n = r.count("globals"); n > 0; n--) d.globals.push(global(r));
      return;
    case 7:
      for (let n = r.count("exports"); n > 0; n--) readExport(r, d);
      return;
    case 10:
      readCode(r, d);
      return;
    case 11:
      for (let n = r.count("segments"); n > 0; n--) d.data.push(segment(r, d));
      return;
    case 12:
      d.dataCount = r.u32();
      return;
    default: {
      // empty sections of the refused kinds say nothing and are dropped
      if (id !== 8 && r.u32() === 0) return;
      const what = id === 5 ? "a memory of its own (import env.memory)" : `a ${SECTION_NAMES[id]} section`;
      throw new MalformedModule("profile", `the profile does not allow ${what}`, at);
    }
  }
}

/** Function names for messages, read first so that every message has them; damage in them is no fault. */
function readNames(bytes: Uint8Array): Map<number, string> {
  const names = new Map<number, string>();
  try {
    const r = new Reader(bytes, Math.min(8, bytes.length));
    while (!r.done) {
      const id = r.u8();
      const body = r.sized();
      if (id !== 0 || body.name() !== "name") continue;
      while (!body.done) {
        const kind = body.u8();
        const sub = body.sized();
        if (kind === 1) for (let n = sub.count("names"); n > 0; n--) names.set(sub.u32(), sub.name());
      }
    }
  } catch (error) {
    if (!(error instanceof MalformedModule)) throw error;
  }
  return names;
}

function valType(r: Reader): ValType {
  const at = r.at;
  const code = r.u8();
  if (code === I32 || code === I64) return code;
  const refused: Readonly<Record<number, string>> = {
    125: "f32",
    124: "f64",
    123: "v128",
    112: "funcref",
    111: "externref",
  };
  throw new MalformedModule(
    "profile",
    `value type ${refused[code] ?? `0x${code.toString(16)}`} is outside the profile (i32, i64)`,
    at,
  );
}

function funcType(r: Reader): FuncType {
  const at = r.at;
  const form = r.u8();
  if (form !== 0x60)
    throw new MalformedModule(
      "profile",
      `type form 0x${form.toString(16)} is outside the profile (functions, 0x60)`,
      at,
    );
  const count = r.count("parameters");
  if (count > MAX_PARAMS)
    throw new MalformedModule("limit", `${count} parameters: at most ${MAX_PARAMS}`, at);
  const params: ValType[] = [];
  for (let n = count; n > 0; n--) params.push(valType(r));
  const results: ValType[] = [];
  for (let n = r.count("results"); n > 0; n--) results.push(valType(r));
  if (results.length > 1)
    throw new MalformedModule("profile", `${results.length} results: the profile has no multi-value`, at);
  return { params, results };
}

function typeIndex(r: Reader, d: Draft): number {
  const at = r.at;
  const index = r.u32();
  if (index >= d.types.length) throw new MalformedModule("index", `type ${index} of ${d.types.length}`, at);
  return index;
}

function readImport(r: Reader, d: Draft): void {
  const at = r.at;
  const module = r.name();
  const name = r.name();
  const kind = r.u8();
  const full = `${printable(module)}.${printable(name)}`;
  if (kind === 0) d.imports.push({ module, name, type: typeIndex(r, d) });
  else if (kind === 2) {
    if (module !== "env" || name !== "memory")
      throw new MalformedModule("profile", `memory import ${full}: only env.memory is allowed`, at);
    if (d.memory !== null) throw new MalformedModule("profile", "more than one memory", at);
    const flags = r.u8();
    if (flags > 1)
      throw new MalformedModule("profile", "shared and 64-bit memories are outside the profile", at);
    const initial = r.u32();
    const maximum = flags === 1 ? r.u32() : null;
    if (initial > 65536 || (maximum !== null && (maximum > 65536 || maximum < initial)))
      throw new MalformedModule("memory", `limits ${initial}..${maximum ?? ""} are not possible`, at);
    d.memory = { initial, maximum };
  } else
    throw new MalformedModule(
      "profile",
      `import ${full} is a ${["function", "table", "memory", "global", "tag"][kind] ?? `kind ${kind}`}: only env.memory and accel1 functions are allowed`,
      at,
    );
}

function global(r: Reader): WasmGlobal {
  const type = valType(r);
  const at = r.at;
  const mutable = r.u8();
  if (mutable > 1) throw new MalformedModule("global", `mutability ${mutable}`, at);
  const init = constant(r, type);
  return { type, mutable: mutable === 1, init };
}

/** A constant expression: one const instruction and end. */
function constant(r: Reader, type: ValType): bigint {
  const at = r.at;
  if (r.u8() !== (type === I32 ? 0x41 : 0x42))
    throw new MalformedModule("profile", "an initial value must be one constant of the right type", at);
  const value = type === I32 ? BigInt(r.s32()) : r.signed(64);
  if (r.u8() !== 0x0b) throw new MalformedModule("profile", "an initial value must be one constant", at);
  return value;
}

function readExport(r: Reader, d: Draft): void {
  const at = r.at;
  const name = r.name();
  const kind = r.u8();
  const index = r.u32();
  if (d.exported.has(name)) throw new MalformedModule("export", `${printable(name)} is exported twice`, at);
  d.exported.add(name);
  if (kind !== 0) throw new MalformedModule("profile", `export ${printable(name)} is no function`, at);
  if (index >= d.imports.length + d.declared.length)
    throw new MalformedModule("index", `export ${printable(name)}: function ${index} does not exist`, at);
  d.exports.push({ name, index });
}

function segment(r: Reader, d: Draft): DataSegment {
  const offset = r.at;
  const flags = r.u32();
  if (flags !== 0)
    throw new MalformedModule(
      "profile",
      "passive data and explicit memory indices are outside the profile",
      offset,
    );
  if (d.memory === null) throw new MalformedModule("index", "data without a memory", offset);
  const address = Number(constant(r, I32)) >>> 0;
  return { address, bytes: r.take(r.u32()).slice(), offset };
}

function readCode(r: Reader, d: Draft): void {
  const n = r.count("bodies");
  if (n !== d.declared.length)
    throw new MalformedModule("section", `${d.declared.length} functions declared, ${n} have code`, r.at);
  for (let i = 0; i < n; i++) {
    d.current = d.imports.length + i;
    const offset = r.at;
    const body = r.sized();
    d.functions.push(readBody(body, d, d.declared[i]!, offset));
    if (!body.done)
      throw new MalformedModule("code", `${body.end - body.at} bytes behind the function's end`, body.at);
  }
  d.current = null;
}

function readBody(r: Reader, d: Draft, type: number, offset: number): WasmFunction {
  const locals: ValType[] = [];
  for (let groups = r.count("local groups"); groups > 0; groups--) {
    const at = r.at;
    const n = r.u32();
    const valueType = valType(r);
    d.locals += n;
    if (locals.length + n > MAX_LOCALS || d.locals > MAX_ALL_LOCALS)
      throw new MalformedModule("limit", `more than ${MAX_LOCALS} locals (${MAX_ALL_LOCALS} in all)`, at);
    for (let i = 0; i < n; i++) locals.push(valueType);
  }
  const body: Instruction[] = [];
  for (let depth = 1; depth > 0; ) {
    const instruction = readInstruction(r);
    body.push(instruction);
    if (instruction.op >= 0x02 && instruction.op <= 0x04) depth++;
    else if (instruction.op === 0x0b) depth--;
  }
  return { type, locals, body, offset };
}

function readInstruction(r: Reader): Instruction {
  const offset = r.at;
  let op = r.u8();
  if (op === 0xfc) op = 0xfc00 + r.u32();
  const row = OPCODES.get(op);
  if (row === undefined)
    throw new MalformedModule("profile", `${nameOfRefused(op)} is outside the profile`, offset);
  switch (row.immediate) {
    case "none":
      return { op, offset, a: 0, b: 0 };
    case "block":
      return { op, offset, a: blockType(r), b: 0 };
    case "i32":
      return { op, offset, a: r.s32(), b: 0 };
    case "i64":
      return { op, offset, a: 0, b: 0, imm64: r.signed(64) };
    case "memory": {
      const align = r.u32();
      // bit 6 announces a memory index
      if (align >= 64 && align < 128) throw new MalformedModule("profile", "more than one memory", offset);
      if (2 ** align > row.width!)
        throw new MalformedModule("align", `alignment 2^${align} of ${row.name}`, offset);
      return { op, offset, a: align, b: r.u32() };
    }
    case "table": {
      const table: number[] = [];
      for (let n = r.count("targets") + 1; n > 0; n--) table.push(r.u32());
      return { op, offset, a: 0, b: 0, table };
    }
    case "copy":
    case "fill": {
      const indices = row.immediate === "copy" ? r.u8() + r.u8() : r.u8();
      if (indices !== 0) throw new MalformedModule("profile", "more than one memory", offset);
      return { op, offset, a: 0, b: 0 };
    }
    default:
      return { op, offset, a: r.u32(), b: 0 };
  }
}

function blockType(r: Reader): BlockType {
  const at = r.at;
  const value = r.signed(33);
  // the codes are single bytes, not numbers: no padding
  if (r.at - at === 1) {
    if (value === -64n) return 0x40;
    if (value === -1n) return I32;
    if (value === -2n) return I64;
  }
  throw new MalformedModule(
    "profile",
    value >= 0n
      ? "a block with a function type: the profile has no multi-value"
      : `block type ${value} is outside the profile`,
    at,
  );
}
