/**
 * A parser to states, one small step each, in the order in which the interpreter does them; {@link fuse} then
 * merges them as far as the engine's limits allow.
 */
import { CODE } from "../../ir/codes.ts";
import type { Next, ParseNode, Parser } from "../../ir/types.ts";
import { Bodies } from "./bodies.ts";
import { constant, type DraftState, move, set, TableBuilder } from "./builder.ts";
import type { TcamLimits } from "./limits.ts";
import { lengthSource, type UnitLength, Writer } from "./metadata.ts";
import { done, type Goto, type TcamOp, type TcamProgram } from "./table.ts";

/** A program whose states are still drafts. */
export type TcamDraft = Omit<TcamProgram, "states"> & { readonly states: readonly DraftState[] };

/**
 * Lower a parser.
 * @param limits - window and bytes of a step: what one step must not exceed
 * @param trace - debug mode: the engine is told of each header
 * @throws Refusal - what a table cannot say, with its node
 */
export function lowerTcam(parser: Parser, limits: TcamLimits, trace = false): TcamDraft {
  const b = new TableBuilder(limits.window, parser.numKeys, parser.counters.length);
  const lowering = new Lowering(parser, b, limits, trace);
  const entrances = parser.nodes.map(() => b.reserve());
  for (const [i, node] of parser.nodes.entries()) {
    b.node = i;
    lowering.node(node, entrances, entrances[i]!);
  }
  b.node = -1;
  const exit = (index: number): Goto => {
    if (index < 0) return -1;
    const end = done(CODE.OKAY);
    return lowering.writer.writes(parser.nodes[index]!.actions.metadata, { constant: 0 }, end, end, true);
  };
  const okayExit = exit(parser.okayTarget);
  const failExit = exit(parser.failTarget);
  const { maxNodes, maxEncaps, frames, metametaSize, frameSize, numKeys } = parser;
  return {
    start: entrances[parser.root]!,
    okayExit,
    failExit,
    maxNodes,
    maxEncaps,
    frames,
    metametaSize,
    frameSize,
    numKeys,
    numRegs: b.numRegs,
    states: b.states as DraftState[],
  };
}

class Lowering {
  readonly writer: Writer;
  readonly #parser: Parser;
  readonly #b: TableBuilder;
  readonly #bodies: Bodies;
  readonly #trace: boolean;

  constructor(parser: Parser, b: TableBuilder, limits: TcamLimits, trace: boolean) {
    this.#parser = parser;
    this.#trace = trace;
    this.#b = b;
    this.writer = new Writer(b, parser, Math.min(limits.bytesPerStep, limits.window));
    this.#bodies = new Bodies(b, this.writer, parser);
  }

  node(node: ParseNode, entrances: readonly number[], at: number): void {
    this.#b.enter(
      at,
      node.minLen,
      done(node.short),
      this.#b.withRegs(1, (reg) => {
        const length: UnitLength = node.hdrLen.kind === "min" ? { constant: node.minLen } : { reg: reg! };
        const steps = this.#steps(node, length, entrances);
        const tell: TcamOp = { op: "tell", src: lengthSource(length) };
        return this.#length(node, reg!, this.#trace ? this.#b.ops([tell], steps) : steps);
      }),
    );
  }

  /** Everything behind the header's length, last things first. */
  #steps(node: ParseNode, length: UnitLength, entrances: readonly number[]): Goto {
    const w = this.writer;
    let next = node.next === null ? done(CODE.STOP_OKAY) : this.#next(node, node.next, length, entrances);
    if (node.next !== null) {
      next = w.checks(node.condExprs, next, done);
      if (node.encap) next = this.#encap(next);
    }
    const post = w.writes(node.postMetadata, length, next, done(CODE.STOP_BAD_EXTRACT));
    // STOP_NODE_OKAY and STOP_SUB_NODE_OKAY end the node's own work, not the parse
    const finish = (code: number): Goto =>
      code === CODE.OKAY || code === CODE.STOP_NODE_OKAY || code === CODE.STOP_SUB_NODE_OKAY
        ? post
        : done(code);
    const body = node.body === null ? post : this.#bodies.body(node.body, length, finish);
    return w.checks(node.preChecks, w.actions(node.actions, length, body), finish);
  }

  #length(node: ParseNode, reg: number, next: Goto): Goto {
    const { hdrLen } = node;
    if (hdrLen.kind === "min") return next;
    const fit: TcamOp = {
      op: "fit",
      reg,
      min: node.minLen,
      limit: { kind: "left" },
      clamp: "clamp" in hdrLen && hdrLen.clamp,
      otherwise: done(CODE.STOP_LENGTH),
    };
    if (hdrLen.kind === "rest") return this.#b.ops([set(reg, { kind: "left" }), fit], next);
    if (hdrLen.kind === "amount") return this.#b.ops([this.writer.amount(reg, hdrLen.amount), fit], next);
    if (node.body?.kind !== "flags") throw new TypeError(`${node.name}: flag length without flag fields`);
    const { load, fields, start } = node.body;
    return this.#b.withRegs(1, (flags) => {
      let to = this.#b.ops([fit], next);
      for (const f of [...fields].reverse()) {
        if ((f.flag & ~f.mask) !== 0) continue;
        const longer = this.#b.ops([set(reg, { kind: "register", reg }, { add: f.len })], to);
        to = this.#b.choose(
          { kind: "register", reg: flags! },
          [{ value: f.flag, mask: f.mask, next: longer }],
          to,
        );
      }
      const amount = { load, multiplier: 1, add: 0 };
      return this.#b.ops([set(reg, constant(start)), this.writer.amount(flags!, amount)], to);
    });
  }

  #encap(next: Goto): Goto {
    const reset = this.#parser.counters.flatMap((c, i) =>
      c.resetAtEncap ? [set(this.#b.counterReg(i), constant(0))] : [],
    );
    const entered = this.#b.ops([{ op: "encap", otherwise: done(CODE.STOP_ENCAP_DEPTH) }, ...reset], next);
    const target = this.#parser.encapTarget;
    if (target < 0) return entered;
    const { metadata } = this.#parser.nodes[target]!.actions;
    return this.writer.writes(metadata, { constant: 0 }, entered, entered, true);
  }

  /** The look-up of the next node. */
  #next(node: ParseNode, next: Next, length: UnitLength, entrances: readonly number[]): Goto {
    const made = new Map<number, Goto>();
    const arrive = (index: number): Goto => {
      if (index < 0) return done(next.default);
      let to = made.get(index);
      if (to !== undefined) return to;
      to = entrances[index]!;
      if (node.zeroLengthOk)
        to = this.#b.choose(
          { kind: "left" },
          [{ value: 0, mask: 0xffffffff, next: done(CODE.STOP_OKAY) }],
          to,
        );
      if (!node.overlay)
        to = this.#b.ops(
          [
            "reg" in length
              ? { op: "move", src: lengthSource(length), relative: true }
              : move(length.constant),
          ],
          to,
        );
      made.set(index, to);
      return to;
    };
    const miss = arrive(next.wildcard);
    if (next.select === null) return miss;
    return this.#b.table(
      next.select,
      next.table.map((e) => ({ key: e.key, next: arrive(e.node) })),
      miss,
    );
  }
}
