/** Counters, conditions and metadata entries as steps. */
import { CODE } from "../../ir/codes.ts";
import type { Actions, Amount, Check, CounterAction, MdTarget, Metadata, Parser } from "../../ir/types.ts";
import { constant, set, type TableBuilder } from "./builder.ts";
import { done, type Goto, type TcamOp, type TcamSource, type TcamTarget } from "./table.ts";

/** Length of the unit at the cursor: known, or in a register. */
export type UnitLength = { readonly constant: number } | { readonly reg: number };

/** As a source. */
export function lengthSource(length: UnitLength): TcamSource {
  return "reg" in length ? { kind: "register", reg: length.reg } : constant(length.constant);
}

/** Lowers what is done with one unit. `bytes`: the most that one step may write. */
export class Writer {
  readonly #b: TableBuilder;
  readonly #parser: Pick<Parser, "counters">;
  readonly #bytes: number;

  constructor(b: TableBuilder, parser: Pick<Parser, "counters">, bytes: number) {
    this.#b = b;
    this.#parser = parser;
    this.#bytes = bytes;
  }

  /** `reg = amount`. */
  amount(reg: number, amount: Amount): TcamOp {
    if (amount.load === null) return set(reg, constant(0), { add: amount.add });
    const { load, multiplier, add } = amount;
    const src = this.#b.source(load);
    return { op: "alu", dst: reg, src, mask: load.mask, shift: load.shift, mult: multiplier, add, plus: -1 };
  }

  /** Conditions in order; `failed` says where a code leads. A condition that fails with OKAY ends the list well. */
  checks(checks: readonly Check[], next: Goto, failed: (code: number) => Goto): Goto {
    let to = next;
    for (let i = checks.length - 1; i >= 0; i--) {
      const { expr, fail } = checks[i]!;
      to = this.#b.when(expr, to, fail === CODE.OKAY ? next : failed(fail));
    }
    return to;
  }

  /** Counters, metadata, counters. */
  actions(a: Actions, length: UnitLength, next: Goto): Goto {
    const post = this.#count(a.post, next);
    return this.#count(a.pre, this.writes(a.metadata, length, post, done(CODE.STOP_BAD_EXTRACT)));
  }

  #count(steps: readonly CounterAction[], next: Goto): Goto {
    const ops = steps.map((s): TcamOp => {
      const reg = this.#b.counterReg(s.counter);
      if (s.kind === "reset") return set(reg, constant(0));
      const { max, errorExceeded } = this.#parser.counters[s.counter]!;
      return { op: "count", reg, max, otherwise: errorExceeded ? done(CODE.STOP_CNTR1 - s.counter) : null };
    });
    return this.#b.ops(ops, next);
  }

  /**
   * Metadata entries in order.
   * @param bad - where a number leads that its target cannot hold
   * @param still - no header: offsets count from the packet's start
   */
  writes(list: readonly Metadata[], length: UnitLength, next: Goto, bad: Goto, still = false): Goto {
    let to = next;
    for (let i = list.length - 1; i >= 0; i--) {
      const entry = list[i]!;
      const write = this.#entry(entry, length, to, bad, still);
      to = entry.when === null ? write : this.#b.when(entry.when, write, to);
    }
    return to;
  }

  #entry(m: Metadata, length: UnitLength, next: Goto, bad: Goto, still: boolean): Goto {
    const { value, target } = m;
    const plain = { mask: 0xffffffff, shift: 0 };
    switch (value.kind) {
      case "copy":
        return this.#b.ops(this.#copies(value.off, this.#target(target)), next);
      case "nibbles":
        return this.#b.ops(
          [
            {
              op: "nibbles",
              start: value.start,
              count: value.count,
              target: { ...this.#target(target), bits: 0 },
            },
          ],
          next,
        );
      case "load": {
        const { load } = value;
        return this.#store(target, this.#b.source(load), load.mask, load.shift, next, null);
      }
      case "constant":
        return this.#store(target, constant(value.value | 0), plain.mask, 0, next, null);
      case "length":
        return this.#store(target, lengthSource(length), plain.mask, 0, next, bad);
      case "num_encaps":
        return this.#store(target, { kind: "encaps" }, plain.mask, 0, next, null);
      case "num_nodes":
        return this.#store(target, { kind: "nodes" }, plain.mask, 0, next, null);
      case "return_code":
        return this.#store(target, { kind: "code" }, plain.mask, 0, next, null);
      case "offset":
        return this.#b.withRegs(1, (t) => {
          const at: TcamSource = still ? constant(0) : { kind: "cursor" };
          const ops = [set(t!, at, value.end && "reg" in length ? { plus: length.reg } : {})];
          if (value.end && !("reg" in length)) ops[0] = set(t!, at, { add: length.constant });
          const scale: TcamOp = {
            op: "alu",
            dst: t!,
            src: { kind: "register", reg: t! },
            ...plain,
            mult: value.bits ? 8 : 1,
            add: value.add,
            plus: -1,
          };
          if (value.bits || value.add !== 0) ops.push(scale);
          const write = this.#store(target, { kind: "register", reg: t! }, plain.mask, 0, next, bad);
          return this.#b.ops(ops, write);
        });
    }
  }

  #store(target: MdTarget, src: TcamSource, mask: number, shift: number, next: Goto, bad: Goto | null): Goto {
    if (target.kind === "key")
      return this.#b.ops([{ op: "alu", dst: target.key, src, mask, shift, mult: 1, add: 0, plus: -1 }], next);
    return this.#b.ops(
      [{ op: "write", src, mask, shift, target: this.#target(target), otherwise: bad }],
      next,
    );
  }

  /** A copy in pieces that one step may write. */
  #copies(off: number, target: TcamTarget): TcamOp[] {
    const out: TcamOp[] = [];
    for (let at = 0; at < target.len; at += this.#bytes) {
      const len = Math.min(this.#bytes, target.len - at);
      const from = target.little ? target.len - at - len : at;
      out.push({
        op: "copy",
        off: off + at,
        target: { ...target, off: target.off + from, len, bits: 0, shift: 0 },
      });
    }
    return out;
  }

  #target(target: MdTarget): TcamTarget {
    if (target.kind === "key") throw new TypeError("a key register is no memory");
    const { frame, off, len, little, shift, bits, index } = target;
    if (index === null) return { frame, off, len, little, shift, bits, index: null };
    const { elementSize, numElements, overwritable } = this.#parser.counters[index]!;
    return {
      frame,
      off,
      len,
      little,
      shift,
      bits,
      index: { reg: this.#b.counterReg(index), elementSize, numElements, overwritable },
    };
  }
}
