/** A TCAM program as text: a line for each state, row and step. */
import { codeName } from "../../ir/codes.ts";
import {
  codeOfGoto,
  type Goto,
  type TcamEntry,
  type TcamOp,
  type TcamProgram,
  type TcamSource,
  type TcamTarget,
} from "./table.ts";

/** The lines of a program. `nodes`: names of the graph's nodes; numbers where absent. */
export function printTcam(program: TcamProgram, nodes: readonly string[] = []): string[] {
  const out = [`start ${go(program.start)}, ${program.numRegs} registers, ${program.numKeys} of them inputs`];
  for (const [i, s] of program.states.entries()) {
    const node = s.node < 0 ? "exit" : (nodes[s.node] ?? `node ${s.node}`);
    const enter = s.enter ? `, enters, needs ${s.need} bytes else ${go(s.short)}` : "";
    out.push(
      `state ${i}: ${node}${enter}${s.keys.length > 0 ? `, key ${s.keys.map(source).join(" ")}` : ""}`,
    );
    for (const e of s.entries) {
      out.push(`  ${row(e)} -> ${go(e.next)}`);
      for (const op of e.ops) out.push(`    ${step(op)}`);
    }
  }
  return out;
}

function go(to: Goto): string {
  return to < 0 ? codeName(codeOfGoto(to)) : `state ${to}`;
}

function row(e: TcamEntry): string {
  const keys = e.values.map((v, i) => (e.masks[i] === 0 ? "*" : `${hex(v)}/${hex(e.masks[i]!)}`));
  return keys.every((k) => k === "*") ? "*" : keys.join(" ");
}

function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

function source(s: TcamSource): string {
  switch (s.kind) {
    case "packet":
      return `${s.little ? "le" : "u"}${8 * s.len}@${s.off}`;
    case "register":
      return `r${s.reg}`;
    case "until":
      return `until(r${s.reg})`;
    case "constant":
      return String(s.value);
    default:
      return s.kind;
  }
}

function masked(s: TcamSource, mask: number, shift: number): string {
  const low = mask === 0xffffffff ? source(s) : `${source(s)} & ${hex(mask)}`;
  return shift === 0 ? low : `(${low}) >>> ${shift}`;
}

function place(t: TcamTarget): string {
  const index = t.index === null ? "" : ` + ${t.index.elementSize} * r${t.index.reg}`;
  const bits = t.bits === 0 || t.bits === 8 * t.len ? "" : ` bits ${t.shift}..${t.shift + t.bits - 1}`;
  return `${t.frame ? "frame" : "meta"}[${t.off}${index}, ${t.len}${t.little ? " le" : ""}]${bits}`;
}

function step(op: TcamOp): string {
  const otherwise = "otherwise" in op && op.otherwise !== null ? ` else ${go(op.otherwise)}` : "";
  switch (op.op) {
    case "alu": {
      const times = op.mult === 1 ? "" : ` * ${op.mult}`;
      const add = op.add === 0 ? "" : ` + ${op.add}`;
      return `r${op.dst} = ${masked(op.src, op.mask, op.shift)}${times}${add}${op.plus < 0 ? "" : ` + r${op.plus}`}`;
    }
    case "fit":
      return `${op.clamp ? "clamp" : "fit"} ${op.min} <= r${op.reg} <= ${source(op.limit)}${otherwise}`;
    case "count":
      return `count r${op.reg} up to ${op.max}${otherwise}`;
    case "write":
      return `${place(op.target)} = ${masked(op.src, op.mask, op.shift)}${otherwise}`;
    case "copy":
      return `${place(op.target)} = bytes@${op.off}`;
    case "nibbles":
      return `${place(op.target)} = ${op.count} nibbles@${op.start}`;
    case "move":
      return `cursor ${op.relative ? "+=" : "="} ${source(op.src)}`;
    case "encap":
      return `encap${otherwise}`;
    case "tell":
      return `tell length ${source(op.src)}`;
  }
}
