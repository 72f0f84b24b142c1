/**
 * Parsers to the live kernel: a graph as one eBPF program, of type flow dissector or XDP.
 *
 * | | flow dissector | XDP |
 * | --- | --- | --- |
 * | starts | at `nhoff` of struct bpf_flow_keys | where the slot says |
 * | metadata | that struct, by a declared mapping | a slot of a map for each CPU |
 * | key registers | 0: flags, 1: n_proto | the slot's |
 * | result | BPF_OK or BPF_DROP | XDP_PASS; code, last node, encapsulations, nodes in the slot |
 *
 * Every access of the packet is behind a comparison with its end; offsets live in numbers below 65,536, pointers are
 * made anew at each header, so that the verifier finds what it knows of a second round of a loop covered by the first.
 */
import { fail, ok, type Result } from "../../../diagnostics.ts";
import type { ImageLabel } from "../../../image/symbols.ts";
import { CODE, isOkay } from "../../../ir/codes.ts";
import { type MdValue, metadataSize, type Parser } from "../../../ir/types.ts";
import { allocate } from "../../codegen/allocate.ts";
import { emitFunctions, type RelocatedSlot } from "../../codegen/emit.ts";
import type { CompiledFunction } from "../../codegen/link.ts";
import type { Target } from "../../target.ts";
import { ALU_OP, JMP_OP, STACK_BYTES } from "../opcode.ts";
import { MAX_INSTRUCTIONS } from "./bodies.ts";
import { type Cell, MemoryCell, RegisterCell } from "./cells.ts";
import { Code, type Operand } from "./code.ts";
import { type FlowKeysField, toFlowKeys } from "./flow-keys.ts";
import { Graph } from "./graph.ts";
import { SLOT, SLOT_OPTION, type SlotLayout, slotLayout } from "./slot.ts";
import { SlotTrace } from "./trace.ts";
import { mostVisits } from "./visits.ts";

/** A parser as an eBPF program. */
export interface CompiledParser {
  readonly text: Uint8Array;
  /** The program is one function. */
  readonly functions: readonly CompiledFunction[];
  /** Immediates that a loader completes. */
  readonly relocations: readonly RelocatedSlot[];
  /** instructions (8-byte slots), stack (bytes), memory (bytes of a slot of the map), metadata_bytes. */
  readonly resources: Readonly<Record<"instructions" | "stack" | "memory" | "metadata_bytes", number>>;
  /** Where the code of each node begins. */
  readonly labels: readonly ImageLabel[];
}

const BPF_OK = 0;
const BPF_DROP = 2;
const XDP_PASS = 2;
const HELPER_GET_SMP_PROCESSOR_ID = 8;
/** Metadata is zeroed word by word, and reached by offsets of 16 bits. */
const MAX_METADATA = 16384;
/** Bytes that the kernel takes of the frame of a program with loops. */
const LOOP_BYTES = 16;
const ETHERNET = 14;

/** The ebpf target: flow dissectors. Metadata must be laid out as struct bpf_flow_keys; see {@link compileFlowDissector}. */
export const flowDissectorTarget: Target<CompiledParser> = {
  name: "ebpf",
  compile: (parser) => compileFlowDissector(parser),
};

/** The xdp target. */
export const xdpTarget: Target<CompiledParser> = { name: "xdp", compile: (parser) => compileXdp(parser) };

/** How to compile a program. */
export interface DebugOptions {
  /** Debug mode: records of the trace that the slot has room for, see {@link TRACE_KIND}; default 0, no trace. */
  readonly trace?: number;
}

/**
 * Compile a parser to a flow dissector. It has a slot in debug mode only, for the trace: what {@link toFlowKeys} makes of
 * the parser is traced.
 * @param fields - what of its metadata is which member of struct bpf_flow_keys; default: the metameta area is that struct
 */
export function compileFlowDissector(
  parser: Parser,
  fields?: readonly FlowKeysField[],
  { trace = 0 }: DebugOptions = {},
): Result<CompiledParser> {
  const mapped = toFlowKeys(parser, fields);
  if (!mapped.ok) return mapped;
  const code = new Code();
  const layout = trace === 0 ? null : slotLayout(mapped.value, trace);
  flowDissector(mapped.value, code, layout);
  return finished(mapped.value, code, layout?.size ?? 0);
}

/** Compile a parser to an XDP program; {@link SLOT} says how to talk with it. */
export function compileXdp(parser: Parser, options: DebugOptions = {}): Result<CompiledParser> {
  const bytes = metadataSize(parser);
  if (bytes > MAX_METADATA)
    return fail("ebpf.metadata", `${bytes} bytes of metadata; ${MAX_METADATA} are possible`);
  const code = new Code();
  const layout = slotLayout(parser, options.trace);
  xdp(parser, code, layout);
  return finished(parser, code, layout.size);
}

function finished(parser: Parser, code: Code, slot: number): Result<CompiledParser> {
  if (code.code.length > MAX_INSTRUCTIONS)
    return fail("ebpf.size", `more than ${MAX_INSTRUCTIONS} instructions: TLV nodes shared by many overlays`);
  const allocated = allocate(code.code, code.registers, STACK_BYTES - LOOP_BYTES);
  if (allocated === null) return fail("ebpf.stack", `more than ${STACK_BYTES} bytes of stack`);
  const { text, placed, origins, relocations } = emitFunctions([
    { name: "parser", code: allocated.code, frame: 10 },
  ]);
  return ok({
    text,
    functions: placed.map((p) => ({ ...p, spills: allocated.spills, params: 1 })),
    relocations,
    resources: {
      instructions: text.length / 8,
      stack: 8 * allocated.spills + LOOP_BYTES,
      memory: slot,
      metadata_bytes: metadataSize(parser),
    },
    labels: labelled(parser, origins),
  });
}

/** @param origins - node of each slot; -1: none */
function labelled(parser: Parser, origins: Int32Array): ImageLabel[] {
  const out: ImageLabel[] = [];
  for (const [slot, node] of origins.entries()) {
    const name = node < 0 ? "" : parser.nodes[node]!.name;
    if (out.length === 0 ? name !== "" : out[out.length - 1]!.name !== name) out.push({ name, slot });
  }
  return out;
}

/** Offsets in struct __sk_buff and struct xdp_md. */
const SKB = { DATA: 76, DATA_END: 80, FLOW_KEYS: 144 };
const XDP = { DATA: 0, DATA_END: 4 };

function flowDissector(parser: Parser, code: Code, layout: SlotLayout | null): void {
  const context = code.copy(1);
  const slot = layout === null ? 0 : slotOfCpu(code, layout.size, BPF_OK);
  const keys = code.load(context, SKB.FLOW_KEYS, 8);
  const packet = code.load(context, SKB.DATA, 4);
  const end = code.load(context, SKB.DATA_END, 4);
  // the source address, which the kernel has zeroed
  const zero = code.load(keys, 16, 8);
  const off = code.load(keys, 0, 2);
  code.wide(ALU_OP.ADD, off, { r: zero });
  const hidden = (): number => code.zeroFrom(off);
  const cell = (first: Operand): Cell => {
    const made = new RegisterCell(code, hidden);
    made.put(first);
    return made;
  };
  const given = [(): Operand => ({ r: code.load(keys, KEYS_FLAGS, 4) }), (): Operand => proto(code, keys)];
  const visits = mostVisits(parser);
  const graph = new Graph({
    parser,
    code,
    packet,
    end,
    off,
    keys: Array.from({ length: parser.numKeys }, (_, i) => cell(given[i]?.() ?? { r: zero })),
    counters: parser.counters.map(() => cell({ r: zero })),
    encaps:
      asks(parser, "num_encaps") || Math.min(visits, parser.maxNodes) > parser.maxEncaps
        ? cell({ r: zero })
        : null,
    nodes: asks(parser, "num_nodes") || visits > parser.maxNodes ? cell({ r: zero }) : null,
    metameta: { base: keys, off: 0 },
    frame: () => ({ base: keys, off: 0 }),
    nextFrame: () => undefined,
    hidden,
    entered: () => undefined,
    trace: layout === null ? null : new SlotTrace(code, slot, layout, { base: keys, off: 0 }),
  });
  graph.nodes();
  const result = code.register();
  ends(parser, code, graph, result, (okay) => leave(code, okay ? BPF_OK : BPF_DROP));
}

/** Does an entry write such a number? */
function asks(parser: Parser, kind: MdValue["kind"]): boolean {
  const units = [...parser.nodes, ...parser.tlvNodes, ...parser.subNodes];
  return (
    units.some((u) => u.actions.metadata.some((m) => m.value.kind === kind)) ||
    parser.nodes.some((n) => n.postMetadata.some((m) => m.value.kind === kind))
  );
}

const KEYS_FLAGS = 48;
const KEYS_N_PROTO = 10;

function proto(code: Code, keys: number): Operand {
  const r = code.load(keys, KEYS_N_PROTO, 2);
  code.swap(r, 16);
  return { r };
}

/** Where each code leads: exit nodes, then the program's end. */
function ends(parser: Parser, code: Code, graph: Graph, result: number, end: (okay: boolean) => void): void {
  const exits = new Map([true, false].map((okay) => [okay, code.label()]));
  for (const [value, label] of graph.ends) {
    code.place(label);
    code.constant(value, result);
    code.jump(exits.get(isOkay(value))!);
  }
  for (const [okay, label] of exits) {
    code.place(label);
    graph.exit(okay ? parser.okayTarget : parser.failTarget, { r: result });
    end(okay);
  }
}

function leave(code: Code, value: number): void {
  code.constant(value, 0);
  code.emit("exit", {});
}

function xdp(parser: Parser, code: Code, layout: SlotLayout): void {
  const context = code.copy(1);
  const slot = slotOfCpu(code, layout.size, XDP_PASS);
  const packet = code.load(context, XDP.DATA, 4);
  const end = code.load(context, XDP.DATA_END, 4);
  const off = start(parser, code, slot, layout, packet, end);
  const cells = (at: number, count: number): Cell[] =>
    Array.from({ length: count }, (_, i) => new MemoryCell(code, slot, at + 4 * i));
  const encaps = new MemoryCell(code, slot, SLOT.ENCAPS);
  const nodes = new MemoryCell(code, slot, SLOT.NODES);
  const frame = new MemoryCell(code, slot, SLOT.FRAME);
  const counters = cells(layout.counters, parser.counters.length);
  for (const c of [encaps, nodes, frame, ...counters]) c.put(0);
  const last = parser.frameSize * (parser.frames - 1);
  const frames = layout.metadata + parser.metametaSize;
  const graph: Graph = new Graph({
    parser,
    code,
    packet,
    end,
    off,
    keys: cells(layout.running, parser.numKeys),
    counters,
    encaps,
    nodes,
    metameta: { base: slot, off: layout.metadata },
    frame: (never) => {
      if (last <= 0) return { base: slot, off: frames };
      const base = code.copy(frame.get());
      // it never is beyond: the verifier is told
      code.jumpWide(JMP_OP.JGT, base, last, never ?? graph.finish(CODE.STOP_FAIL));
      code.wide(ALU_OP.ADD, base, { r: slot });
      return { base, off: frames };
    },
    nextFrame: () => {
      if (last <= 0) return;
      const at = code.copy(frame.get());
      const past = code.label();
      code.jumpIf(JMP_OP.JGE, at, last, past);
      code.alu(ALU_OP.ADD, at, parser.frameSize);
      frame.put({ r: at });
      code.place(past);
    },
    hidden: () => code.load(slot, SLOT.ZERO, 8),
    entered: (index) => code.store(slot, SLOT.LAST, 4, index),
    trace:
      layout.records === 0 ? null : new SlotTrace(code, slot, layout, { base: slot, off: layout.metadata }),
  });
  code.store(slot, SLOT.LAST, 4, parser.root);
  graph.nodes();
  const result = code.register();
  ends(parser, code, graph, result, () => {
    code.store(slot, SLOT.CODE, 4, { r: result });
    leave(code, XDP_PASS);
  });
}

/** Address of this CPU's slot; on CPUs without one the program ends with `value`. */
function slotOfCpu(code: Code, size: number, value: number): number {
  code.emit("call", { op: 0, imm: HELPER_GET_SMP_PROCESSOR_ID, n: 0, result: true, w: 32 });
  const cpu = code.copy(0);
  const there = code.label();
  code.jumpWide(JMP_OP.JLT, cpu, 0, there, "slots");
  leave(code, value);
  code.place(there);
  code.wide(ALU_OP.MUL, cpu, size);
  const slots = code.register();
  code.emit("const64", { d: slots, reloc: "state" });
  code.wide(ALU_OP.ADD, slots, { r: cpu });
  return slots;
}

/** Take what the slot gives: metadata zeroed, key registers, where to start. @returns the offset's register */
function start(
  parser: Parser,
  code: Code,
  slot: number,
  layout: SlotLayout,
  packet: number,
  end: number,
): number {
  const options = code.load(slot, SLOT.OPTIONS, 4);
  const kept = code.label();
  code.emit("jump", { op: JMP_OP.JSET, w: 32, d: options, imm: SLOT_OPTION.KEEP, label: kept });
  for (let at = layout.metadata; at < layout.metadata + metadataSize(parser); at += 8)
    code.store(slot, at, 8, 0);
  code.place(kept);
  for (let k = 0; k < parser.numKeys; k++)
    code.store(slot, layout.running + 4 * k, 4, { r: code.load(slot, SLOT.KEYS + 4 * k, 4) });
  const off = code.load(slot, SLOT.START, 4);
  if (parser.numKeys > 1) behindEthernet(code, slot, layout, options, packet, end, off);
  return off;
}

/** Key register 1 is the frame's type, and the parse starts behind it, where the options say so. */
function behindEthernet(
  code: Code,
  slot: number,
  layout: SlotLayout,
  options: number,
  packet: number,
  end: number,
  off: number,
): void {
  const past = code.label();
  const bit = code.copy(options);
  code.alu(ALU_OP.AND, bit, SLOT_OPTION.BEHIND_ETHERNET);
  code.jumpIf(JMP_OP.JEQ, bit, 0, past);
  const behind = code.copy(packet);
  code.wide(ALU_OP.ADD, behind, ETHERNET);
  code.jumpRegisters(JMP_OP.JGT, behind, end, past);
  const type = code.load(packet, ETHERNET - 2, 2);
  code.swap(type, 16);
  code.store(slot, layout.running + 4, 4, { r: type });
  code.constant(ETHERNET, off);
  code.wide(ALU_OP.ADD, off, { r: code.load(slot, SLOT.ZERO, 8) });
  code.place(past);
}
