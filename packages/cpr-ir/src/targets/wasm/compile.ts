/**
 * A parser as one WebAssembly function: straight code from the graph.
 *
 * Nodes stand one behind the other in the order of the walk; an edge forward is one jump, an edge back goes
 * through the table at the loop's start. `parse(descriptor, n)` handles n packets; a descriptor has ten words:
 * address, length, start offset, address of the metadata memory, address of the key registers (or 0); then,
 * written, code, last node, encapsulations, nodes entered; the last word is free, in debug mode the address of the
 * packet's trace: words for records that fit and records so far, then records of four words (see `TOLD`).
 */
import { fail, type Result } from "../../diagnostics.ts";
import { CODE } from "../../ir/codes.ts";
import type { Actions, Check, Edge, Elements, Flags, Next, ParseNode, Parser, Tlvs } from "../../ir/types.ts";
import { encodeModule } from "../../wasm/encode.ts";
import { I32 } from "../../wasm/types.ts";
import type { Target } from "../target.ts";
import { Asm, type Label } from "./asm.ts";
import { type Registers, TOLD, type UnitAt, Values } from "./values.ts";

/** Bytes of a descriptor. */
export const DESCRIPTOR = 40;
/** Instructions a function may have: shared TLV nodes are written where they are used. */
const MAX_INSTRUCTIONS = 400_000;

/** The wasm target. */
export const wasmTarget: Target<Uint8Array> = { name: "wasm", compile: compileWasm };

/** How to compile. */
export interface WasmOptions {
  /** Debug mode: the code writes a trace of every packet, nodes and metadata writes in their order. */
  readonly trace?: boolean;
}

/** Compile a parser to a module that imports `env.memory` and exports `parse`. */
export function compileWasm(parser: Parser, { trace = false }: WasmOptions = {}): Result<Uint8Array> {
  const emitter = new Emitter(parser, trace);
  if (!emitter.run())
    return fail("wasm.size", `more than ${MAX_INSTRUCTIONS} instructions: TLV nodes shared by many overlays`);
  const { asm } = emitter;
  return {
    ok: true,
    value: encodeModule({
      types: (trace ? [2, 5] : [2]).map((n) => ({
        params: Array.from({ length: n }, (): typeof I32 => I32),
        results: [],
      })),
      imports: [],
      memory: { initial: 1, maximum: null },
      functions: [asm, ...(trace ? [teller()] : [])].map((code, type) => ({
        type,
        locals: code.locals,
        body: [...code.body, { op: 0x0b, offset: 0, a: 0, b: 0 }],
        offset: 0,
      })),
      globals: [],
      exports: [{ name: "parse", index: 0 }],
      data: [],
      names: new Map(),
    }),
  };
}

/** `tell(trace, kind, a, b, c)`: one more record, where there is room. */
function teller(): Asm {
  const asm = new Asm(5);
  const [trace, at] = [0, asm.local()];
  asm.get(trace).memory("i32.load", 4).set(at);
  asm.get(trace).get(at).const(1).op("i32.add").memory("i32.store", 4);
  asm.get(at).get(trace).memory("i32.load", 0).op("i32.lt_u");
  return asm.if(() => {
    asm.get(at).const(16).op("i32.mul").get(trace).op("i32.add").set(at);
    for (const n of [0, 1, 2, 3])
      asm
        .get(at)
        .get(1 + n)
        .memory("i32.store", 8 + 4 * n);
  });
}

/** Where a TLV list's codes lead. */
interface ListEnds {
  /** STOP_SUB_NODE_OKAY. */
  readonly sub: Label;
  /** STOP_NODE_OKAY. */
  readonly node: Label;
}

class Emitter {
  readonly asm: Asm = new Asm(2);
  readonly #p: Parser;
  readonly #regs: Registers;
  readonly #at: number;
  readonly #h: number;
  readonly #last: number;
  readonly #frameNumber: number;
  readonly #state: number;
  readonly #v: Values;
  #labels: Label[] = [];
  #loop: Label = { depth: 0 };
  #fin: Label = { depth: 0 };

  constructor(parser: Parser, trace: boolean) {
    const { asm } = this;
    this.#p = parser;
    this.#at = asm.local();
    this.#h = asm.local();
    this.#last = asm.local();
    this.#frameNumber = asm.local();
    this.#state = asm.local();
    this.#regs = {
      packet: asm.local(),
      end: asm.local(),
      meta: asm.local(),
      frame: asm.local(),
      code: asm.local(),
      encaps: asm.local(),
      nodes: asm.local(),
      counters: parser.counters.map(() => asm.local()),
      keys: Array.from({ length: parser.numKeys }, () => asm.local()),
      trace: trace ? asm.local() : null,
    };
    this.#v = new Values(asm, this.#regs, parser.counters, (code) => this.#finish(code));
  }

  /** @returns false when the function grows too large */
  run(): boolean {
    const { asm } = this;
    const descriptor = 0;
    const left = 1;
    asm.block((done) => {
      asm.loop((batch) => {
        asm.get(left).op("i32.eqz").brIf(done);
        this.#begin(descriptor);
        asm.block((fin) => {
          this.#fin = fin;
          asm.loop((again) => {
            this.#loop = again;
            this.#nodes();
          });
        });
        this.#end(descriptor);
        asm.get(descriptor).const(DESCRIPTOR).op("i32.add").set(descriptor);
        asm.get(left).const(1).op("i32.sub").set(left).br(batch);
      });
    });
    return asm.body.length <= MAX_INSTRUCTIONS;
  }

  #begin(descriptor: number): void {
    const { asm } = this;
    const r = this.#regs;
    const word = (n: number): Asm => asm.get(descriptor).memory("i32.load", 4 * n);
    word(0).tee(r.packet);
    word(1).op("i32.add").set(r.end);
    asm.get(r.packet);
    word(2).op("i32.add").set(this.#at);
    word(3).tee(r.meta).const(this.#p.metametaSize).op("i32.add").set(r.frame);
    for (const zero of [r.code, r.encaps, r.nodes, this.#frameNumber, ...r.counters]) asm.const(0).set(zero);
    for (const key of r.keys) asm.const(0).set(key);
    if (r.keys.length > 0)
      word(4).if(() => {
        const keys = asm.local();
        word(4).set(keys);
        for (const [i, key] of r.keys.entries())
          asm
            .get(keys)
            .memory("i32.load", 4 * i)
            .set(key);
      });
    if (r.trace !== null) word(9).tee(r.trace).const(0).memory("i32.store", 4);
    asm.const(this.#p.root).tee(this.#state).set(this.#last);
  }

  #end(descriptor: number): void {
    const { asm } = this;
    const r = this.#regs;
    const { okayTarget, failTarget } = this.#p;
    const none: UnitAt = { at: r.packet, length: this.#h };
    const exit = (index: number): void => {
      if (index >= 0) this.#v.write(this.#p.nodes[index]!.actions.metadata, none);
    };
    if (okayTarget >= 0 || failTarget >= 0)
      asm
        .get(r.code)
        .const(CODE.STOP_FAIL)
        .op("i32.gt_s")
        .if(
          () => exit(okayTarget),
          () => exit(failTarget),
        );
    for (const [i, value] of [r.code, this.#last, r.encaps, r.nodes].entries())
      asm
        .get(descriptor)
        .get(value)
        .memory("i32.store", 20 + 4 * i);
  }

  /** Blocks that end at each node, the table of the edges back, then the nodes in order. */
  #nodes(): void {
    const count = this.#p.nodes.length;
    const open = (n: number): void => {
      if (n < 0) {
        this.asm.get(this.#state).brTable([...this.#labels, this.#labels[0]!]);
        return;
      }
      this.asm.block((label) => {
        this.#labels[n] = label;
        open(n - 1);
        if (n > 0) this.#node(n - 1);
      });
    };
    open(count - 1);
    this.#node(count - 1);
  }

  #node(index: number): void {
    const { asm } = this;
    const r = this.#regs;
    const node = this.#p.nodes[index]!;
    // behind this node's label: it is the innermost block that has ended
    asm
      .get(r.nodes)
      .const(this.#p.maxNodes)
      .op("i32.eq")
      .if(() => this.#finish(CODE.STOP_MAX_NODES));
    asm.get(r.nodes).const(1).op("i32.add").set(r.nodes);
    asm.const(index).set(this.#last);
    const left = asm.local();
    asm.get(r.end).get(this.#at).op("i32.sub").set(left);
    if (node.minLen > 0)
      asm
        .get(left)
        .const(node.minLen)
        .op("i32.lt_s")
        .if(() => this.#finish(node.short));
    this.#length(node, left);
    const unit: UnitAt = { at: this.#at, length: this.#h };
    this.#v.tell(TOLD.node, () => asm.const(index).get(unit.at).get(r.packet).op("i32.sub").get(unit.length));
    this.#checks(node.preChecks, unit.at, (code) => this.#finish(code));
    this.#act(node.actions, unit);
    if (node.body !== null)
      asm.block((label) => {
        const { body } = node;
        if (body!.kind === "tlvs") this.#tlvs(body!, unit, { sub: label, node: label }, longest(node));
        else if (body!.kind === "flags")
          this.#flags(body!, unit, node.hdrLen.kind === "flags" && !node.hdrLen.clamp);
        else this.#elements(body!, unit);
      });
    this.#v.write(node.postMetadata, unit);
    if (node.next === null) {
      this.#finish(CODE.STOP_OKAY);
      return;
    }
    if (node.encap) this.#encap();
    this.#checks(node.condExprs, unit.at, (code) => this.#finish(code));
    this.#next(node, node.next, index);
  }

  #length(node: ParseNode, left: number): void {
    const { asm } = this;
    const { hdrLen } = node;
    const h = this.#h;
    if (hdrLen.kind === "min" || hdrLen.kind === "rest") {
      if (hdrLen.kind === "min") asm.const(node.minLen).set(h);
      else asm.get(left).set(h);
      return;
    }
    if (hdrLen.kind === "amount") {
      this.#v.amount(hdrLen.amount, this.#at);
      asm.set(h);
    } else {
      const body = node.body as Flags;
      const flags = asm.local();
      this.#v.load(body.load, this.#at);
      asm.set(flags).const(body.start).set(h);
      for (const f of body.fields) {
        asm.get(h).const(f.len);
        asm.get(flags).const(f.mask).op("i32.and").const(f.flag).op("i32.eq");
        asm.op("i32.mul").op("i32.add").set(h);
      }
    }
    if (hdrLen.clamp) asm.get(h).get(left).get(h).get(left).op("i32.lt_u").op("select").set(h);
    asm.get(h).const(node.minLen).op("i32.lt_u");
    asm
      .get(h)
      .get(left)
      .op("i32.gt_u")
      .op("i32.or")
      .if(() => this.#finish(CODE.STOP_LENGTH));
  }

  #encap(): void {
    const { asm } = this;
    const r = this.#regs;
    const p = this.#p;
    if (p.encapTarget >= 0)
      this.#v.write(p.nodes[p.encapTarget]!.actions.metadata, { at: r.packet, length: this.#h });
    asm.get(r.encaps).const(1).op("i32.add").tee(r.encaps);
    asm
      .const(p.maxEncaps)
      .op("i32.gt_u")
      .if(() => this.#finish(CODE.STOP_ENCAP_DEPTH));
    if (p.frames > 1)
      asm
        .get(this.#frameNumber)
        .const(p.frames - 1)
        .op("i32.lt_u")
        .if(() => {
          asm.get(this.#frameNumber).const(1).op("i32.add").set(this.#frameNumber);
          asm.get(r.frame).const(p.frameSize).op("i32.add").set(r.frame);
        });
    for (const [i, c] of p.counters.entries()) if (c.resetAtEncap) asm.const(0).set(r.counters[i]!);
  }

  /** Advance, then jump to the next node. */
  #next(node: ParseNode, next: Next, from: number): void {
    const { asm } = this;
    const key = asm.local();
    let form: (value: number) => number | null = () => null;
    if (next.select !== null) {
      form = this.#v.comparable(next.select, this.#at);
      asm.set(key);
    }
    if (!node.overlay) asm.get(this.#at).get(this.#h).op("i32.add").set(this.#at);
    const go = (target: number): void => {
      if (node.zeroLengthOk)
        asm
          .get(this.#at)
          .get(this.#regs.end)
          .op("i32.eq")
          .if(() => this.#finish(CODE.STOP_OKAY));
      if (target > from) asm.br(this.#labels[target]!);
      else asm.const(target).set(this.#state).br(this.#loop);
    };
    for (const edge of next.table) {
      const value = form(edge.key);
      if (value === null) continue;
      asm.get(key).const(value).op("i32.eq");
      if (edge.node > from && !node.zeroLengthOk) asm.brIf(this.#labels[edge.node]!);
      else asm.if(() => go(edge.node));
    }
    if (next.wildcard >= 0) go(next.wildcard);
    else this.#finish(next.default);
  }

  #checks(checks: readonly Check[], at: number, end: (code: number) => void): void {
    for (const c of checks) {
      this.#v.condition(c.expr, at);
      this.asm.op("i32.eqz").if(() => end(c.fail));
    }
  }

  #act(actions: Actions, unit: UnitAt): void {
    for (const step of actions.pre) this.#count(step.counter, step.kind);
    this.#v.write(actions.metadata, unit);
    for (const step of actions.post) this.#count(step.counter, step.kind);
  }

  #count(index: number, kind: "inc" | "reset"): void {
    const { asm } = this;
    const local = this.#regs.counters[index]!;
    const counter = this.#p.counters[index]!;
    if (kind === "reset") {
      asm.const(0).set(local);
      return;
    }
    asm
      .get(local)
      .const(counter.max)
      .op("i32.lt_u")
      .if(
        () => void asm.get(local).const(1).op("i32.add").set(local),
        counter.errorExceeded ? () => this.#finish(CODE.STOP_CNTR1 - index) : undefined,
      );
  }

  /** @param most - bytes the list has at most, where known: limits beyond need no test */
  #tlvs(t: Tlvs, unit: UnitAt, ends: ListEnds, most: number): void {
    const { asm } = this;
    const [at, end, size, type] = [asm.local(), asm.local(), asm.local(), asm.local()];
    asm.get(unit.at).get(unit.length).op("i32.add").set(end);
    asm.get(unit.at);
    this.#v.amount(t.start, unit.at);
    asm.op("i32.add").set(at);
    const limits = new Limits(this, t, ends, most);
    limits.begin();
    asm.block((over) => {
      asm.loop((more) => {
        asm.get(at).get(end).op("i32.ge_u").brIf(over);
        limits.loop();
        const padding = (): void => void asm.get(at).get(size).op("i32.add").set(at).br(more);
        if (t.pad1 >= 0 || t.eol >= 0) {
          asm.get(at).memory("i32.load8_u", 0).set(type);
          if (t.eol >= 0) asm.get(type).const(t.eol).op("i32.eq").brIf(over);
          if (t.pad1 >= 0)
            asm
              .get(type)
              .const(t.pad1)
              .op("i32.eq")
              .if(() => {
                asm.const(1).set(size);
                limits.padding(size);
                padding();
              });
        }
        const rest = asm.local();
        asm.get(end).get(at).op("i32.sub").tee(rest).const(t.minLen).op("i32.lt_u");
        asm.if(() => this.#finish(CODE.STOP_TLV_LENGTH));
        this.#v.amount(t.length, at);
        asm.tee(size).const(t.minLen).op("i32.lt_u").get(size).get(rest).op("i32.gt_u").op("i32.or");
        asm.if(() => this.#finish(CODE.STOP_TLV_LENGTH));
        this.#v.load(t.type, at);
        asm.set(type);
        if (t.padn >= 0)
          asm
            .get(type)
            .const(t.padn)
            .op("i32.eq")
            .if(() => {
              limits.padding(size);
              padding();
            });
        limits.other();
        this.#tlv(t.table, type, t.wildcard, t.default, { at, length: size }, ends);
        asm.get(at).get(size).op("i32.add").set(at).br(more);
      });
    });
  }

  /** One TLV: its node where it fits, else the wildcard where that fits, else the code of the unknown. */
  #tlv(
    table: readonly Edge[],
    type: number | null,
    wildcard: number,
    unknown: number,
    unit: UnitAt,
    ends: ListEnds,
  ): void {
    const { asm } = this;
    asm.block((after) => {
      asm.block((other) => {
        if (type === null) return;
        for (const e of table)
          asm
            .get(type)
            .const(e.key)
            .op("i32.eq")
            .if(() => {
              this.#fits(e.node, unit.length);
              asm.op("i32.eqz").brIf(other);
              this.#tlvNode(e.node, unit, ends);
              asm.br(after);
            });
      });
      if (wildcard >= 0) {
        this.#fits(wildcard, unit.length);
        asm.if(() => {
          this.#tlvNode(wildcard, unit, ends);
          asm.br(after);
        });
      }
      if (unknown !== CODE.OKAY) this.stop(unknown, ends);
    });
  }

  #fits(index: number, length: number): void {
    const { asm } = this;
    const { minLen, maxLen } = this.#p.tlvNodes[index]!;
    asm.get(length).const(minLen).op("i32.ge_u");
    if (maxLen >= 0) asm.get(length).const(maxLen).op("i32.le_u").op("i32.and");
  }

  #tlvNode(index: number, unit: UnitAt, ends: ListEnds): void {
    const { asm } = this;
    if (asm.body.length > MAX_INSTRUCTIONS) return;
    const node = this.#p.tlvNodes[index]!;
    this.#checks(node.checks, unit.at, (code) => this.stop(code, ends));
    this.#act(node.actions, unit);
    if (node.nested !== null)
      asm.block((sub) => this.#tlvs(node.nested!, unit, { sub, node: ends.node }, Number.POSITIVE_INFINITY));
    if (node.overlay === null) return;
    const { select, table, wildcard, default: miss } = node.overlay;
    const key = select === null ? null : asm.local();
    if (select !== null) {
      this.#v.load(select, unit.at);
      asm.set(key!);
    }
    this.#tlv(table, key, wildcard, miss, unit, ends);
  }

  /** End with a code of a TLV list. */
  stop(code: number, ends: ListEnds): void {
    if (code === CODE.STOP_NODE_OKAY) this.asm.br(ends.node);
    else if (code === CODE.STOP_SUB_NODE_OKAY) this.asm.br(ends.sub);
    else this.#finish(code);
  }

  #flags(body: Flags, unit: UnitAt, exact: boolean): void {
    const { asm } = this;
    const [flags, at, size] = [asm.local(), asm.local(), asm.local()];
    this.#v.load(body.load, unit.at);
    asm.set(flags).get(unit.at).const(body.start).op("i32.add").set(at);
    for (const f of body.fields)
      asm
        .get(flags)
        .const(f.mask)
        .op("i32.and")
        .const(f.flag)
        .op("i32.eq")
        .if(() => {
          if (f.node >= 0) {
            if (!exact) {
              asm
                .get(at)
                .const(f.len)
                .op("i32.add")
                .get(unit.at)
                .get(unit.length)
                .op("i32.add")
                .op("i32.gt_u");
              asm.if(() => this.#finish(CODE.STOP_LENGTH));
            }
            const node = this.#p.subNodes[f.node]!;
            this.#checks(node.checks, at, () => this.#finish(CODE.STOP_COMPARE));
            asm.const(f.len).set(size);
            this.#act(node.actions, { at, length: size });
          }
          asm.get(at).const(f.len).op("i32.add").set(at);
        });
  }

  #elements(body: Elements, unit: UnitAt): void {
    const { asm } = this;
    const [left, at, end, size, type] = [asm.local(), asm.local(), asm.local(), asm.local(), asm.local()];
    this.#v.amount(body.count, unit.at);
    asm
      .tee(left)
      .const(body.maxEls)
      .op("i32.gt_u")
      .if(() => this.#finish(CODE.STOP_LOOP_CNT));
    asm.get(unit.at).const(body.start).op("i32.add").set(at);
    asm.get(unit.at).get(unit.length).op("i32.add").set(end);
    asm.const(body.elLen).set(size);
    asm.block((over) => {
      asm.loop((more) => {
        asm.get(left).op("i32.eqz").brIf(over);
        asm
          .get(end)
          .get(at)
          .op("i32.sub")
          .get(size)
          .op("i32.lt_s")
          .if(() => this.#finish(CODE.STOP_LENGTH));
        if (body.type === null) asm.const(0);
        else this.#v.load(body.type, at);
        asm.set(type);
        asm.block((after) => {
          const node = (index: number): void => {
            const sub = this.#p.subNodes[index]!;
            this.#checks(sub.checks, at, (code) => this.#finish(code));
            this.#act(sub.actions, { at, length: size });
          };
          for (const e of body.table)
            asm
              .get(type)
              .const(e.key)
              .op("i32.eq")
              .if(() => {
                node(e.node);
                asm.br(after);
              });
          if (body.wildcard >= 0) node(body.wildcard);
          else if (body.default !== CODE.OKAY) this.#finish(body.default);
        });
        asm.get(at).get(size).op("i32.add").set(at);
        asm.get(left).const(1).op("i32.sub").set(left).br(more);
      });
    });
  }

  #finish(code: number): void {
    this.asm.const(code).set(this.#regs.code).br(this.#fin);
  }
}

/** The limits of a TLV list; those that a list of `most` bytes cannot trip are not tested. */
class Limits {
  readonly #emitter: Emitter;
  readonly #t: Tlvs;
  readonly #ends: ListEnds;
  readonly #loops: number | null;
  readonly #others: number | null;
  readonly #padded: number | null;
  readonly #row: number | null;

  constructor(emitter: Emitter, t: Tlvs, ends: ListEnds, most: number) {
    this.#emitter = emitter;
    this.#t = t;
    this.#ends = ends;
    const counted = (limit: number): number | null => (limit >= most ? null : emitter.asm.local());
    this.#loops = counted(t.maxTlvs);
    this.#others = counted(t.maxNonPadding);
    this.#padded = counted(t.maxPaddingLength);
    this.#row = counted(t.maxConsecutivePadding);
  }

  begin(): void {
    for (const local of [this.#loops, this.#others, this.#padded, this.#row])
      if (local !== null) this.#emitter.asm.const(0).set(local);
  }

  loop(): void {
    this.#add(this.#loops, null, this.#t.maxTlvs, CODE.STOP_LOOP_CNT);
  }

  padding(size: number): void {
    this.#add(this.#padded, size, this.#t.maxPaddingLength, CODE.STOP_TLV_PADDING);
    this.#add(this.#row, null, this.#t.maxConsecutivePadding, CODE.STOP_TLV_PADDING);
  }

  other(): void {
    for (const local of [this.#padded, this.#row]) if (local !== null) this.#emitter.asm.const(0).set(local);
    this.#add(this.#others, null, this.#t.maxNonPadding, CODE.STOP_OPTION_LIMIT);
  }

  #add(local: number | null, size: number | null, limit: number, code: number): void {
    if (local === null) return;
    const { asm } = this.#emitter;
    asm.get(local);
    if (size === null) asm.const(1);
    else asm.get(size);
    asm
      .op("i32.add")
      .tee(local)
      .const(limit)
      .op("i32.gt_u")
      .if(() => {
        const { dispLimit } = this.#t;
        this.#emitter.stop(dispLimit === CODE.STOP_FAIL ? code : dispLimit, this.#ends);
      });
  }
}

/** Bytes that a header's TLVs take at most. */
function longest(node: ParseNode): number {
  const { hdrLen } = node;
  if (hdrLen.kind === "min") return node.minLen;
  if (hdrLen.kind !== "amount") return Number.POSITIVE_INFINITY;
  const { load, multiplier, add } = hdrLen.amount;
  return (load === null ? 0 : load.mask >>> load.shift) * multiplier + add;
}
