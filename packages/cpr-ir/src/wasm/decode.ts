/** Untrusted bytes to a module, validated as WebAssembly; outside the profile is refused by name and offset. */
import { type Diagnostic, ok, type Result } from "../diagnostics.ts";
import { nameOfRefused, OPCODES } from "./opcode.ts";
import { MalformedModule, Reader } from "./reader.ts";
import {
  type BlockType,
  type DataSegment,
  type FuncType,
  I32,
  I64,
  type ImportedFunction,
  type Instruction,
  type ValType,
  type WasmExport,
  type WasmFunction,
  type WasmGlobal,
  type WasmModule,
} from "./types.ts";
import { validateModule } from "./validate.ts";

const MAX_LOCALS = 50_000;
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
];
/** Position of each section id in the required order. */
const ORDER = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 10];

/** Module under construction. */
interface Draft {
  types: FuncType[];
  imports: ImportedFunction[];
  memory: WasmModule["memory"];
  declared: number[];
  functions: WasmFunction[];
  globals: WasmGlobal[];
  exports: WasmExport[];
  data: DataSegment[];
  dataCount: number | null;
  names: Map<number, string>;
}

/** Decode and validate. Never throws, never allocates beyond a small multiple of the input. */
export function decodeModule(bytes: Uint8Array): Result<WasmModule> {
  const draft: Draft = {
    types: [],
    imports: [],
    memory: null,
    declared: [],
    functions: [],
    globals: [],
    exports: [],
    data: [],
    dataCount: null,
    names: new Map(),
  };
  try {
    readModule(new Reader(bytes), draft);
  } catch (error) {
    if (error instanceof MalformedModule)
      return { ok: false, diagnostics: [diagnostic(error, draft, bytes)] };
    throw error;
  }
  const { declared: _declared, dataCount: _count, ...module } = draft;
  const faults = validateModule(module);
  return faults.length > 0 ? { ok: false, diagnostics: faults } : ok(module);
}

function diagnostic(error: MalformedModule, draft: Draft, bytes: Uint8Array): Diagnostic {
  const inCode = draft.declared.length > 0 && error.code === "profile";
  const index = draft.imports.length + draft.functions.length;
  const where = inCode ? `function ${draft.names.get(index) ?? index}, ` : "";
  return {
    code: error.code,
    message: `${where}byte ${error.offset} of ${bytes.length}: ${error.message}`,
    offset: error.offset,
    ...(inCode ? { function: index } : {}),
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
    const size = r.u32();
    if (id >= ORDER.length) throw new MalformedModule("section", `section id ${id} is unknown`, at);
    const body = new Reader(r.bytes, r.at, r.at + r.take(size).length);
    if (id !== 0) {
      if (ORDER[id]! <= last)
        throw new MalformedModule("section", `${SECTION_NAMES[id]} section is repeated or out of order`, at);
      last = ORDER[id]!;
    }
    readSection(id, body, d, at);
    if (id !== 0 && !body.done)
      throw new MalformedModule(
        "section",
        `${SECTION_NAMES[id]} section has ${body.end - body.at} bytes too many`,
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
    case 0:
      readCustom(r, d);
      return;
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
      for (let n = r.count("segments"); n > 0; n--) d.data.push(segment(r));
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

/** Function names for messages; a damaged custom section is no fault of the module. */
function readCustom(r: Reader, d: Draft): void {
  try {
    if (r.name() !== "name") return;
    while (!r.done) {
      const kind = r.u8();
      const end = r.at + r.u32();
      const sub = new Reader(r.bytes, r.at, Math.min(end, r.end));
      if (kind === 1) for (let n = sub.count("names"); n > 0; n--) d.names.set(sub.u32(), sub.name());
      r.at = Math.min(end, r.end);
    }
  } catch (error) {
    if (!(error instanceof MalformedModule)) throw error;
  }
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
  if (r.u8() !== 0x60) throw new MalformedModule("type", "a function type begins with 0x60", at);
  const params: ValType[] = [];
  for (let n = r.count("parameters"); n > 0; n--) params.push(valType(r));
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
  if (kind === 0) d.imports.push({ module, name, type: typeIndex(r, d) });
  else if (kind === 2) {
    if (module !== "env" || name !== "memory")
      throw new MalformedModule("profile", `memory import ${module}.${name}: only env.memory is allowed`, at);
    if (d.memory !== null) throw new MalformedModule("profile", "more than one memory", at);
    const flags = r.u8();
    if (flags > 1)
      throw new MalformedModule("profile", "shared and 64-bit memories are outside the profile", at);
    const initial = r.u32();
    const maximum = flags === 1 ? r.u32() : null;
    if (initial > 65536 || (maximum !== null && (maximum > 65536 || maximum < initial)))
      throw new MalformedModule("memory", `limits ${initial}..${maximum} are not possible`, at);
    d.memory = { initial, maximum };
  } else
    throw new MalformedModule(
      "profile",
      `import ${module}.${name} is a ${["function", "table", "memory", "global", "tag"][kind] ?? `kind ${kind}`}: only env.memory and accel1 functions are allowed`,
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
  const op = r.u8();
  if (op !== (type === I32 ? 0x41 : 0x42))
    throw new MalformedModule("profile", "an initial value must be one constant of the right type", at);
  const value = r.signed(type === I32 ? 32 : 64);
  if (r.u8() !== 0x0b) throw new MalformedModule("profile", "an initial value must be one constant", at);
  return value;
}

function readExport(r: Reader, d: Draft): void {
  const at = r.at;
  const name = r.name();
  const kind = r.u8();
  const index = r.u32();
  if (kind !== 0) throw new MalformedModule("profile", `export ${name} is no function`, at);
  if (d.exports.some((e) => e.name === name))
    throw new MalformedModule("export", `${name} is exported twice`, at);
  if (index >= d.imports.length + d.declared.length)
    throw new MalformedModule("index", `export ${name}: function ${index} does not exist`, at);
  d.exports.push({ name, index });
}

function segment(r: Reader): DataSegment {
  const offset = r.at;
  const flags = r.u32();
  if (flags !== 0)
    throw new MalformedModule(
      "profile",
      "passive data and explicit memory indices are outside the profile",
      offset,
    );
  const address = Number(constant(r, I32)) >>> 0;
  return { address, bytes: r.take(r.u32()).slice(), offset };
}

function readCode(r: Reader, d: Draft): void {
  const n = r.count("bodies");
  if (n !== d.declared.length)
    throw new MalformedModule("section", `${d.declared.length} functions declared, ${n} have code`, r.at);
  for (let i = 0; i < n; i++) {
    const offset = r.at;
    const size = r.u32();
    const body = new Reader(r.bytes, r.at, r.at + r.take(size).length);
    d.functions.push(readBody(body, d.declared[i]!, offset));
    if (!body.done)
      throw new MalformedModule("code", `${body.end - body.at} bytes behind the function's end`, body.at);
  }
}

function readBody(r: Reader, type: number, offset: number): WasmFunction {
  const locals: ValType[] = [];
  for (let groups = r.count("local groups"); groups > 0; groups--) {
    const at = r.at;
    const n = r.u32();
    const valueType = valType(r);
    if (locals.length + n > MAX_LOCALS)
      throw new MalformedModule("limit", `more than ${MAX_LOCALS} locals`, at);
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
      return { op, offset, a: Number(r.signed(32)), b: 0 };
    case "i64":
      return { op, offset, a: 0, b: 0, imm64: r.signed(64) };
    case "memory": {
      const align = r.u32();
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
  if (value === -64n) return 0x40;
  if (value === -1n) return I32;
  if (value === -2n) return I64;
  throw new MalformedModule(
    "profile",
    value >= 0n
      ? "a block with a function type: the profile has no multi-value"
      : `block type ${value} is outside the profile`,
    at,
  );
}
