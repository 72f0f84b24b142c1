/** A parser's graph as eBPF, without what surrounds it: where packets come from and results go to. */
import { CODE } from "../../../ir/codes.ts";
import type { Actions, CounterAction, Flags, Next, ParseNode, Parser } from "../../../ir/types.ts";
import { ALU_OP, JMP_OP } from "../opcode.ts";
import { Bodies, type BodyEnds, type BodyHost } from "./bodies.ts";
import type { Cell } from "./cells.ts";
import { type Code, MAX_OFFSET, type Operand } from "./code.ts";
import { type MetadataTrace, MetadataWriter, type Place } from "./metadata.ts";
import { orderNodes } from "./order.ts";
import { most, oneByte, type UnitAt, Values } from "./values.ts";
import { countersBelowMax, countersStepped } from "./visits.ts";

/** What surrounds a graph. */
export interface GraphHost {
  readonly parser: Parser;
  readonly code: Code;
  /** Registers: the packet's first byte, its end, the current header's offset (changed here). */
  readonly packet: number;
  readonly end: number;
  readonly off: number;
  readonly keys: readonly Cell[];
  readonly counters: readonly Cell[];
  /** Null: nobody asks for the number, and the limit cannot be reached. */
  readonly encaps: Cell | null;
  readonly nodes: Cell | null;
  readonly metameta: Place;
  /**
   * The current frame's place, in registers of its own.
   * @param never - where the frame leads that cannot be; default: to the parse's end. An exit node is that end.
   */
  frame(never?: number): Place;
  /** Go on to the next frame, if there is one. */
  nextFrame(): void;
  /** A zero that the verifier does not know. */
  hidden(): number;
  /** A node is entered. */
  entered(node: number): void;
  readonly trace: (MetadataTrace & { node(index: number, unit: UnitAt): void }) | null;
}

/** Bits of an offset behind a header. */
const OFFSETS = 0xfffff;
/** Tables of so many edges are searched one by one. */
const LINEAR = 4;

/** Emits nodes, and the label of each code that ends the parse. */
export class Graph implements BodyHost {
  readonly parser: Parser;
  readonly values: Values;
  readonly packet: number;
  readonly end: number;
  readonly hidden: () => number;
  readonly finish: (code: number) => number;
  readonly act: (actions: Actions, unit: UnitAt) => void;
  /** Labels of codes that were asked for: the host places them. */
  readonly ends: Map<number, number> = new Map();
  readonly #host: GraphHost;
  readonly #code: Code;
  readonly #labels: readonly number[];
  readonly #bodies: Bodies;
  readonly #isBack: (from: number, to: number) => boolean;
  readonly #order: readonly number[];
  readonly #belowMax: ReadonlySet<number>;
  readonly #counted: ReadonlySet<number>;
  #frame: Place | null = null;

  constructor(host: GraphHost) {
    this.#host = host;
    this.#code = host.code;
    this.parser = host.parser;
    this.packet = host.packet;
    this.end = host.end;
    this.hidden = () => host.hidden();
    this.finish = (code) => {
      let label = this.ends.get(code);
      if (label === undefined) this.ends.set(code, (label = this.#code.label()));
      return label;
    };
    this.act = (actions, unit) => this.#act(actions, unit);
    this.values = new Values(host.code, host, host.end, host.parser.counters);
    this.#labels = host.parser.nodes.map(() => host.code.label());
    this.#bodies = new Bodies(this);
    const { order, isBack } = orderNodes(host.parser);
    this.#order = order;
    this.#belowMax = countersBelowMax(host.parser);
    this.#counted = countersStepped(host.parser);
    this.#isBack = isBack;
  }

  /** Emit all nodes, the root first. */
  nodes(): void {
    this.#code.depth = 1;
    for (const index of this.#order) {
      this.#code.origin = index;
      this.#node(index);
    }
    this.#code.depth = 0;
    this.#code.origin = -1;
  }

  /** Write an exit node's metadata. @param result - the parse's code */
  exit(index: number, result: Operand): void {
    if (index < 0) return;
    const { actions } = this.parser.nodes[index]!;
    const none: UnitAt = { p: this.packet, off: 0, length: 0 };
    // what does not fit ends the list, not the parse
    const past = this.#code.label();
    this.#frame = actions.metadata.some((m) => m.target.kind === "memory" && m.target.frame)
      ? this.#host.frame(past)
      : null;
    this.#writer(result, () => past).write(actions.metadata, none);
    this.#code.place(past);
    this.#frame = null;
  }

  #writer(result: Operand, end: (code: number) => number = this.finish): MetadataWriter {
    const host = this.#host;
    const state = {
      metameta: host.metameta,
      frame: () => (this.#frame ??= host.frame()),
      counters: this.parser.counters,
      encaps: host.encaps,
      nodes: host.nodes,
      result,
      trace: host.trace,
    };
    return new MetadataWriter(this.values, state, end);
  }

  #node(index: number): void {
    const code = this.#code;
    const node = this.parser.nodes[index]!;
    code.place(this.#labels[index]!);
    const { nodes } = this.#host;
    if (nodes !== null) {
      code.jumpIf(JMP_OP.JEQ, nodes.get(), this.parser.maxNodes, this.finish(CODE.STOP_MAX_NODES));
      nodes.step();
    }
    this.#host.entered(index);
    const { off } = this.#host;
    const short = this.finish(node.short);
    const p = this.#pointer(off, node.minLen, short);
    const length = this.#length(node, p);
    const unit: UnitAt = { p, off: { r: off }, length };
    // the frame's place is found once, where every write of the node comes by
    this.#frame = writesFrame(this.parser, node) ? this.#host.frame() : null;
    this.#host.trace?.node(index, unit);
    const done = code.label();
    const ends: BodyEnds = { sub: done, node: done };
    this.values.checks(node.preChecks, unit, (c) =>
      c === CODE.STOP_NODE_OKAY || c === CODE.STOP_SUB_NODE_OKAY ? done : this.finish(c),
    );
    this.#act(node.actions, unit);
    this.#bodies.emit(node, unit, ends);
    code.place(done);
    this.#writer(0).write(node.postMetadata, unit);
    if (node.next === null) {
      code.jump(this.finish(CODE.STOP_OKAY));
      return;
    }
    if (node.encap) this.#encap();
    this.values.checks(node.condExprs, unit, this.finish);
    this.#next(node, node.next, index, unit);
  }

  /** Pointer to a header with `bytes` bytes that may be read; elsewhere where they are not there. */
  #pointer(off: number, bytes: number, short: number): number {
    const code = this.#code;
    const p = code.pointer(this.packet, off, bytes, short);
    const t = code.copy(p);
    if (bytes > 0) code.wide(ALU_OP.ADD, t, bytes);
    code.jumpRegisters(JMP_OP.JGT, t, this.end, short);
    return p;
  }

  #length(node: ParseNode, p: number): Operand {
    const code = this.#code;
    const { hdrLen, minLen } = node;
    const unit: UnitAt = { p, off: 0, length: 0 };
    if (hdrLen.kind === "min") return minLen;
    if (hdrLen.kind === "rest") return { r: this.values.left(p) };
    let h: number;
    let largest = Number.POSITIVE_INFINITY;
    let least = 0;
    if (hdrLen.kind === "amount") {
      const { amount } = hdrLen;
      h = code.value(this.values.amount(amount, unit));
      least = amount.add;
      // what the verifier sees of a byte it can bound
      if (amount.load === null || oneByte(amount.load) !== null)
        largest = (amount.load === null ? 0 : most(amount.load)) * amount.multiplier + amount.add;
    } else {
      h = this.#flagsLength(node.body as Flags, unit);
      least = (node.body as Flags).start;
      largest = least + (node.body as Flags).fields.reduce((n, f) => n + f.len, 0);
    }
    if (hdrLen.clamp) {
      const left = this.values.left(p);
      const fine = code.label();
      code.jumpRegisters(JMP_OP.JLE, h, left, fine);
      code.copy(left, h);
      code.place(fine);
    }
    const wrong = this.finish(CODE.STOP_LENGTH);
    if (least < minLen) code.jumpIf(JMP_OP.JLT, h, minLen, wrong);
    if (hdrLen.clamp) return { r: h };
    if (largest <= minLen) return { r: h };
    if (largest < MAX_OFFSET) {
      const t = code.copy(p);
      code.wide(ALU_OP.ADD, t, { r: h });
      code.jumpRegisters(JMP_OP.JGT, t, this.end, wrong);
    } else code.jumpRegisters(JMP_OP.JGT, h, this.values.left(p), wrong);
    return { r: h };
  }

  #flagsLength(body: Flags, unit: UnitAt): number {
    const code = this.#code;
    const flags = this.values.load(body.load, unit);
    const h = code.constant(body.start);
    for (const f of body.fields) {
      const past = code.label();
      const bits = code.copy(flags);
      code.alu(ALU_OP.AND, bits, f.mask);
      code.jumpIf(JMP_OP.JNE, bits, f.flag, past);
      code.alu(ALU_OP.ADD, h, f.len);
      code.place(past);
    }
    return h;
  }

  #encap(): void {
    const code = this.#code;
    const { encapTarget, maxEncaps, counters } = this.parser;
    const frame = this.#frame;
    this.exit(encapTarget, 0);
    this.#frame = frame;
    const { encaps } = this.#host;
    if (encaps !== null) {
      encaps.step();
      code.jumpIf(JMP_OP.JGT, encaps.get(), maxEncaps, this.finish(CODE.STOP_ENCAP_DEPTH));
    }
    this.#host.nextFrame();
    this.#frame = null;
    for (const [i, c] of counters.entries()) if (c.resetAtEncap) this.#host.counters[i]!.put(0);
  }

  #act(actions: Actions, unit: UnitAt): void {
    for (const step of actions.pre) this.#count(step);
    this.#writer(0).write(actions.metadata, unit);
    for (const step of actions.post) this.#count(step);
  }

  #count({ counter: index, kind }: CounterAction): void {
    const code = this.#code;
    const counter = this.parser.counters[index]!;
    const cell = this.#host.counters[index]!;
    if (kind === "reset") {
      cell.put(0);
      return;
    }
    if (this.#belowMax.has(index)) {
      cell.step();
      return;
    }
    const past = code.label();
    const full = counter.errorExceeded ? this.finish(CODE.STOP_CNTR1 - index) : past;
    code.jumpIf(JMP_OP.JGE, cell.get(), counter.max, full);
    cell.step();
    code.place(past);
  }

  /** Look up the next node, advance, go there. */
  #next(node: ParseNode, next: Next, from: number, unit: UnitAt): void {
    const code = this.#code;
    const miss = next.wildcard >= 0 ? this.#way(node, from, next.wildcard, unit) : this.finish(next.default);
    const ways = new Map<number, Way>();
    if (next.select !== null) {
      const { r, form } = this.values.comparable(next.select, unit);
      const edges: { value: number; label: number }[] = [];
      for (const e of next.table) {
        const value = form(e.key);
        if (value === null) continue;
        let way = ways.get(e.node);
        if (way === undefined) ways.set(e.node, (way = this.#way(node, from, e.node, unit)));
        edges.push({ value: value >>> 0, label: labelOf(way) });
      }
      this.#advance(node, unit);
      search(
        code,
        r,
        edges.sort((a, b) => a.value - b.value),
      );
    } else this.#advance(node, unit);
    code.jump(labelOf(miss));
    for (const way of [...ways.values(), miss]) this.#place(way);
  }

  #advance(node: ParseNode, unit: UnitAt): void {
    if (node.overlay) return;
    this.#code.wide(ALU_OP.ADD, this.#host.off, unit.length);
    // changes nothing but what the verifier knows: a least offset, by which it would tell apart the ways to a node
    this.#code.wide(ALU_OP.AND, this.#host.off, OFFSETS);
  }

  /** The way to a node: its label, or code in between. */
  #way(node: ParseNode, from: number, to: number, unit: UnitAt): Way {
    const back = this.#isBack(from, to);
    if (!node.zeroLengthOk && !back) return this.#labels[to]!;
    return { label: this.#code.label(), to, back, tested: node.zeroLengthOk, unit };
  }

  #place(way: Way): void {
    if (typeof way === "number") return;
    const code = this.#code;
    code.place(way.label);
    if (way.tested) {
      const left = this.values.left(this.packet);
      code.wide(ALU_OP.SUB, left, { r: this.#host.off });
      code.jumpWide(JMP_OP.JEQ, left, 0, this.finish(CODE.STOP_OKAY));
    }
    // bounded by the number of nodes: the time is never up
    if (way.back) {
      const { nodes, encaps, counters } = this.#host;
      for (const cell of [nodes, encaps, ...counters.filter((_, i) => this.#counted.has(i))]) cell?.forget();
      code.mayGoto(this.finish(CODE.STOP_MAX_NODES));
    }
    code.jump(this.#labels[way.to]!);
  }
}

/** A label, or code to be placed. */
type Way =
  | number
  | {
      readonly label: number;
      readonly to: number;
      readonly back: boolean;
      readonly tested: boolean;
      readonly unit: UnitAt;
    };

const labelOf = (way: Way): number => (typeof way === "number" ? way : way.label);

/** Go where a number leads, on when it leads nowhere. Numbers ascend. */
function search(code: Code, r: number, edges: readonly { value: number; label: number }[]): void {
  if (edges.length <= LINEAR) {
    for (const e of edges) code.jumpIf(JMP_OP.JEQ, r, e.value, e.label);
    return;
  }
  const middle = edges.length >> 1;
  const upper = code.label();
  const past = code.label();
  code.jumpIf(JMP_OP.JGE, r, edges[middle]!.value, upper);
  search(code, r, edges.slice(0, middle));
  code.jump(past);
  code.place(upper);
  search(code, r, edges.slice(middle));
  code.place(past);
}

/** Does a node write to its frame? */
function writesFrame(parser: Parser, node: ParseNode): boolean {
  // a walk over all that hangs on it, whatever the property is called
  const seen = new Set<unknown>();
  const walk = (x: unknown): boolean => {
    if (typeof x !== "object" || x === null || seen.has(x)) return false;
    seen.add(x);
    if ((x as { kind?: unknown }).kind === "memory" && (x as { frame?: unknown }).frame === true) return true;
    return Object.entries(x).some(([name, v]) => {
      if (name === "next" || name === "source") return false;
      return walk(v);
    });
  };
  if (walk(node)) return true;
  // TLV nodes and fields are named by number
  return node.body !== null && [...parser.tlvNodes, ...parser.subNodes].some(walk);
}
