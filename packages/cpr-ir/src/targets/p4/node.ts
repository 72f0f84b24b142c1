/** States of one protocol layer. */
import { CODE } from "../../ir/codes.ts";
import type { Flags, Next, ParseNode } from "../../ir/types.ts";
import { emitElements, emitFlags } from "./bodies.ts";
import { emitActions, emitMetadata } from "./metadata.ts";
import { type Branch, Flow, type Program } from "./program.ts";
import { emitTlvs } from "./tlvs.ts";
import { amountText, END, failing, literal, loadValue, type Unit, widen } from "./values.ts";

/** What an exit node sees: no header. */
export const NOWHERE: Unit = { at: "0", length: "0", header: null };

/** All states of a node. */
export function emitNode(program: Program, index: number): void {
  const node = program.parser.nodes[index]!;
  const header = program.layouts.header(`node ${index}`, node.name, node.minLen);
  const unit: Unit = { at: "off", length: "len", header };
  const flow = new Flow(program, program.entry(index));
  const after = program.name(`${flow.stem}_after`);
  let joined = false;
  // codes that end the node but not the parse lead behind its body
  const end = (code: number): string | null => {
    if (code === CODE.OKAY) return null;
    if (code !== CODE.STOP_NODE_OKAY && code !== CODE.STOP_SUB_NODE_OKAY) return program.stop(code);
    joined = true;
    return after;
  };
  enter(flow, node, index);
  const conditions = measure(flow, node, unit);
  const checks = failing(program, node.preChecks, unit, end);
  if (program.trace) {
    flow.branch(conditions, "measured");
    flow.add(...program.tell("node", [index, unit.at, unit.length]));
    flow.branch(checks, "checked");
  } else flow.branch([...conditions, ...checks], "checked");
  emitActions(flow, node.actions, unit);
  if (node.body !== null) {
    joined = true;
    emitBody(flow, node, unit, { done: after, end: (code) => end(code) ?? after });
    flow.begin(after);
  } else if (joined) flow.label(after);
  emitMetadata(flow, node.postMetadata, unit);
  if (node.next === null) flow.jump(program.stop(CODE.STOP_OKAY));
  else leave(flow, node, node.next, unit);
}

/** Limits, and the bytes that the node has at least. */
function enter(flow: Flow, node: ParseNode, index: number): void {
  const { program, stem } = flow;
  if (program.limited.has(index)) {
    const next = program.name(`${stem}_enter`);
    const stop = program.stop(CODE.STOP_MAX_NODES);
    flow.select(["meta.nodes"], [`${program.parser.maxNodes}: ${stop};`, `default: ${next};`]);
    flow.begin(next);
  }
  flow.add("meta.nodes = meta.nodes + 1;", `meta.last = ${index};`);
  if (node.minLen === 0) return;
  const short = program.stop(node.short);
  flow.branch([[`${END} - off < ${node.minLen}`, short]], "read");
}

/** Whether the header's bytes are consumed as they are read: not where something starts before their end. */
function extracts(node: ParseNode): boolean {
  if (node.overlay || node.minLen === 0) return false;
  const { body } = node;
  if (body === null) return true;
  if (body.kind !== "tlvs") return body.start >= node.minLen;
  return body.start.add >= node.minLen;
}

/** Read the header and find its length; what makes it no header. */
function measure(flow: Flow, node: ParseNode, unit: Unit): Branch[] {
  const { program } = flow;
  const header = unit.header!;
  if (extracts(node)) flow.add(`pkt.extract(hdr.${header.member});`, `pos = off + ${node.minLen};`);
  else if (header.used) flow.add(`hdr.${header.member} = pkt.lookahead<${header.type}>();`);
  const { hdrLen } = node;
  switch (hdrLen.kind) {
    case "min":
      flow.add(`len = ${node.minLen};`);
      return [];
    case "rest":
      flow.add(`len = ${END} - off;`);
      return [];
    case "amount":
      flow.add(`len = ${amountText(program, hdrLen.amount, unit)};`);
      break;
    case "flags":
      flagsLength(flow, node.body as Flags, unit);
      break;
  }
  if (hdrLen.clamp) flow.add(`if (len > ${END} - off) {`, `    len = ${END} - off;`, "}");
  const stop = program.stop(CODE.STOP_LENGTH);
  const branches: Branch[] = hdrLen.clamp ? [] : [[`len > ${END} - off`, stop]];
  if (leastLength(node) < node.minLen) branches.unshift([`len < ${node.minLen}`, stop]);
  return branches;
}

/** What a length has at least, whatever the header holds. */
function leastLength({ hdrLen, body }: ParseNode): number {
  if (hdrLen.kind === "amount") return hdrLen.clamp ? 0 : hdrLen.amount.add;
  return hdrLen.kind === "flags" && !hdrLen.clamp ? (body as Flags).start : 0;
}

function flagsLength(flow: Flow, body: Flags, unit: Unit): void {
  flow.add(`len = ${body.start};`);
  const flags = widen(loadValue(flow.program, body.load, unit));
  for (const f of body.fields)
    flow.add(
      `if ((${flags} & ${literal(f.mask)}) == ${literal(f.flag)}) {`,
      `    len = len + ${f.len};`,
      "}",
    );
}

/** Where a body leads. */
export interface Ends {
  /** State behind it. */
  readonly done: string;
  /** State of a code. */
  readonly end: (code: number) => string;
}

function emitBody(flow: Flow, node: ParseNode, unit: Unit, ends: Ends): void {
  const body = node.body!;
  if (body.kind === "tlvs") emitTlvs(flow, body, unit, ends, 0);
  else if (body.kind === "flags") emitFlags(flow, body, unit, ends);
  else emitElements(flow, body, unit, ends);
}

/** To the next node. */
function leave(flow: Flow, node: ParseNode, next: Next, unit: Unit): void {
  const { program } = flow;
  if (node.encap) encapsulate(flow);
  // behind the body every code ends the parse, but OKAY, which is none
  const stop = (code: number): string | null => (code === CODE.OKAY ? null : program.stop(code));
  flow.branch(failing(program, node.condExprs, unit, stop), "next");
  const miss = next.wildcard < 0 ? program.stop(next.default) : program.entry(next.wildcard);
  let key: string | null = null;
  if (next.select !== null && next.table.length > 0) {
    key = loadValue(program, next.select, unit).text;
    if (next.select.source.kind === "remaining") {
      flow.add(`${program.local("chosen")} = ${key};`);
      key = "chosen";
    }
  }
  if (!node.overlay) flow.add("off = off + len;", ...(endsExtracted(node) ? [] : advance("off")));
  if (node.zeroLengthOk) {
    const stopped = program.stop(CODE.STOP_OKAY);
    const more = program.name(`${flow.stem}_more`);
    const ended = program.name(`${flow.stem}_ended`);
    flow.select([`off == ${END}`], [`true: ${ended};`, `default: ${more};`]);
    flow.begin(ended);
    choose(flow, key, next, () => stopped, next.wildcard < 0 ? miss : stopped);
    flow.begin(more);
  }
  choose(flow, key, next, (n) => program.entry(n), miss);
}

function endsExtracted(node: ParseNode): boolean {
  return node.hdrLen.kind === "min" && node.body === null;
}

/** Consume up to a byte of the packet that is not behind. */
export function advance(to: string): string[] {
  return [`pkt.advance((${to} - pos) << 3);`, `pos = ${to};`];
}

function choose(
  flow: Flow,
  key: string | null,
  next: Next,
  entry: (node: number) => string,
  miss: string,
): void {
  if (key === null) flow.jump(miss);
  else
    flow.select(
      [key],
      [...next.table.map((e) => `${literal(e.key)}: ${entry(e.node)};`), `default: ${miss};`],
    );
}

/** A new encapsulation layer, with a frame of its own while there is one. */
function encapsulate(flow: Flow): void {
  const { program } = flow;
  const p = program.parser;
  if (p.encapTarget >= 0) emitMetadata(flow, p.nodes[p.encapTarget]!.actions.metadata, NOWHERE);
  flow.add("meta.encaps = meta.encaps + 1;");
  flow.branch([[`meta.encaps > ${p.maxEncaps}`, program.stop(CODE.STOP_ENCAP_DEPTH)]], "inner");
  const cells = program.layouts.frame.cells().length;
  // frames that nothing is written to are all alike
  if (p.frames > 1 && cells > 0) {
    flow.add(`if (frame < ${p.frames - 1}) {`);
    for (let i = 0; i < p.frames - 1; i++)
      flow.add(`    if (frame == ${i}) {`, `        meta.frame${i} = meta.frame;`, "    }");
    flow.add(`    meta.frame = ${zeros(cells)};`, "    frame = frame + 1;", "}");
  }
  for (const [i, c] of p.counters.entries()) if (c.resetAtEncap) flow.add(`${program.counters[i]} = 0;`);
}

/** All members of a struct. */
export function zeros(members: number): string {
  return `{ ${Array.from({ length: members }, () => "0").join(", ")} }`;
}
