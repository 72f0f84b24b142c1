/** A module as text, one instruction a line, indented by nesting: for people and for diffs. */
import { OPCODES } from "./opcode.ts";
import { I32, type Instruction, printable, type ValType, type WasmModule } from "./types.ts";

const type = (t: ValType): string => (t === I32 ? "i32" : "i64");

/** Print a decoded module: imports, globals, data, then each function's instructions, indented by nesting. */
export function disassembleModule(module: WasmModule): string[] {
  const lines: string[] = [];
  const exported = new Map(module.exports.map((e) => [e.index, e.name]));
  if (module.memory !== null) lines.push(`import env.memory ${module.memory.initial} pages`);
  for (const i of module.imports)
    lines.push(`import ${printable(i.module)}.${printable(i.name)} ${signature(module, i.type)}`);
  for (const [i, g] of module.globals.entries())
    lines.push(`global ${i} ${g.mutable ? "mut " : ""}${type(g.type)} = ${g.init}`);
  for (const d of module.data) lines.push(`data 0x${d.address.toString(16)} ${d.bytes.length} bytes`);
  for (const [i, f] of module.functions.entries()) {
    const index = module.imports.length + i;
    const name = exported.get(index) ?? module.names.get(index);
    lines.push(
      `func ${index}${name === undefined ? "" : ` ${printable(name)}`} ${signature(module, f.type)} locals ${f.locals.map(type).join(" ") || "-"}`,
    );
    let depth = 1;
    for (const instruction of f.body) {
      if (instruction.op === 0x0b || instruction.op === 0x05) depth--;
      lines.push(`${"  ".repeat(Math.max(depth, 0))}${printInstruction(instruction)}`);
      if (instruction.op >= 0x02 && instruction.op <= 0x05) depth++;
    }
  }
  return lines;
}

function signature(module: WasmModule, index: number): string {
  const t = module.types[index]!;
  return `(${t.params.map(type).join(" ")}) -> ${t.results.map(type).join(" ") || "()"}`;
}

/** One instruction as text. */
export function printInstruction(i: Instruction): string {
  const row = OPCODES.get(i.op)!;
  switch (row.immediate) {
    case "none":
    case "copy":
    case "fill":
      return row.name;
    case "block":
      return i.a === 0x40 ? row.name : `${row.name} ${type(i.a as ValType)}`;
    case "i64":
      return `${row.name} ${i.imm64}`;
    case "memory":
      return i.b === 0 ? row.name : `${row.name} offset=${i.b}`;
    case "table":
      return `${row.name} ${i.table!.join(" ")}`;
    default:
      return `${row.name} ${i.a}`;
  }
}
