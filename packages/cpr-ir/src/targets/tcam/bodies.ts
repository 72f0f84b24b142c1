/** TLVs, flag fields and arrays as loops of states. */
import { CODE } from "../../ir/codes.ts";
import type { Elements, Flags, Parser, Tlvs } from "../../ir/types.ts";
import { constant, moveTo, Refusal, set, type TableBuilder } from "./builder.ts";
import { lengthSource, type UnitLength, type Writer } from "./metadata.ts";
import type { Goto, TcamOp, TcamSource } from "./table.ts";

/** Overlays inside overlays that are followed. */
const MAX_OVERLAYS = 16;

/** Lowers bodies. `finish` says where a code leads, the cursor back at the header's start for all that go on. */
export class Bodies {
  readonly #b: TableBuilder;
  readonly #w: Writer;
  readonly #parser: Parser;

  constructor(b: TableBuilder, w: Writer, parser: Parser) {
    this.#b = b;
    this.#w = w;
    this.#parser = parser;
  }

  body(body: Tlvs | Flags | Elements, length: UnitLength, finish: (code: number) => Goto): Goto {
    switch (body.kind) {
      case "tlvs":
        return this.#tlvs(body, length, finish);
      case "flags":
        return this.#flags(body, length, finish);
      case "array":
        return this.#elements(body, length, finish);
    }
  }

  #reg(reg: number): TcamSource {
    return { kind: "register", reg };
  }

  /** Ends of a loop: those that go on (a state) first move the cursor back. */
  #leaving(base: number, finish: (code: number) => Goto): (code: number) => Goto {
    const made = new Map<number, Goto>();
    return (code) => {
      let to = made.get(code);
      if (to === undefined) {
        to = finish(code);
        if (to >= 0) to = this.#b.ops([moveTo(base)], to);
        made.set(code, to);
      }
      return to;
    };
  }

  #tlvs(t: Tlvs, length: UnitLength, finish: (code: number) => Goto): Goto {
    const b = this.#b;
    return b.withRegs(7, (base, end, len, loops, others, padded, consecutive) => {
      const leave = this.#leaving(base!, finish);
      const limit = (code: number): Goto => leave(t.dispLimit === CODE.STOP_FAIL ? code : t.dispLimit);
      const until: TcamSource = { kind: "until", reg: end! };
      const fit = (max: TcamSource, min: number, otherwise: Goto, reg = len!): TcamOp => ({
        op: "fit",
        reg,
        min,
        limit: max,
        clamp: false,
        otherwise,
      });
      const head = b.reserve();
      const step = b.ops([{ op: "move", src: this.#reg(len!), relative: true }], head);
      const padding = b.ops(
        [
          set(padded!, this.#reg(len!), { plus: padded! }),
          fit(constant(t.maxPaddingLength), 0, limit(CODE.STOP_TLV_PADDING), padded!),
          {
            op: "count",
            reg: consecutive!,
            max: t.maxConsecutivePadding,
            otherwise: limit(CODE.STOP_TLV_PADDING),
          },
        ],
        step,
      );
      const tlv = this.#tlvTable(t, len!, step, leave);
      const counted = b.ops(
        [
          set(padded!, constant(0)),
          set(consecutive!, constant(0)),
          { op: "count", reg: others!, max: t.maxNonPadding, otherwise: limit(CODE.STOP_OPTION_LIMIT) },
        ],
        tlv,
      );
      const typed = t.padn < 0 ? counted : b.table(t.type, [{ key: t.padn, next: padding }], counted);
      const measured = b.ops(
        [
          set(len!, constant(t.minLen)),
          fit(until, 0, leave(CODE.STOP_TLV_LENGTH)),
          this.#w.amount(len!, t.length),
          fit(until, t.minLen, leave(CODE.STOP_TLV_LENGTH)),
        ],
        typed,
      );
      const first: TcamSource = { kind: "packet", off: 0, len: 1, little: false };
      const rows = [];
      if (t.eol >= 0) rows.push({ value: t.eol, mask: 0xff, next: leave(CODE.OKAY) });
      if (t.pad1 >= 0)
        rows.push({ value: t.pad1, mask: 0xff, next: b.ops([set(len!, constant(1))], padding) });
      const begun = b.ops(
        [{ op: "count", reg: loops!, max: t.maxTlvs, otherwise: limit(CODE.STOP_LOOP_CNT) }],
        rows.length === 0 ? measured : b.choose(first, rows, measured),
      );
      const more = b.choose(until, [{ value: 0, mask: 0xffffffff, next: leave(CODE.OKAY) }], begun);
      b.fill(head, [{ values: [], masks: [], ops: [], next: more }]);
      return b.ops(
        [
          set(base!, { kind: "cursor" }),
          set(end!, lengthSource(length), { plus: base! }),
          this.#w.amount(len!, t.start),
          fit(until, 0, leave(CODE.OKAY)),
          { op: "move", src: this.#reg(len!), relative: true },
          ...[loops!, others!, padded!, consecutive!].map((r) => set(r, constant(0))),
        ],
        head,
      );
    });
  }

  /** The look-up of a TLV's type. */
  #tlvTable(t: Tlvs, len: number, step: Goto, leave: (code: number) => Goto): Goto {
    const unknown = (code: number): Goto => (code === CODE.OKAY ? step : leave(code));
    const tlv = (node: number): Goto => this.#tlv(node, t.wildcard, unknown(t.default), len, step, leave, 0);
    return this.#b.table(
      t.type,
      t.table.map((e) => ({ key: e.key, next: tlv(e.node) })),
      tlv(-1),
    );
  }

  /** One TLV, in the order of the interpreter: its node where it fits, else the wildcard, else the unknown. */
  #tlv(
    node: number,
    wildcard: number,
    unknown: Goto,
    len: number,
    step: Goto,
    leave: (code: number) => Goto,
    depth: number,
  ): Goto {
    if (depth > MAX_OVERLAYS)
      throw new Refusal("tcam.overlay", this.#b.node, `more than ${MAX_OVERLAYS} overlays of a TLV`);
    const fitted = (index: number, otherwise: Goto): Goto => {
      if (index < 0) return otherwise;
      const { minLen, maxLen } = this.#parser.tlvNodes[index]!;
      const inside = this.#tlvNode(index, len, step, leave, depth);
      const max = constant(maxLen < 0 ? 0x7fffffff : maxLen);
      return this.#b.ops([{ op: "fit", reg: len, min: minLen, limit: max, clamp: false, otherwise }], inside);
    };
    return fitted(node, node === wildcard ? unknown : fitted(wildcard, unknown));
  }

  #tlvNode(index: number, len: number, step: Goto, leave: (code: number) => Goto, depth: number): Goto {
    const node = this.#parser.tlvNodes[index]!;
    const finish = (code: number): Goto => (code === CODE.OKAY ? step : leave(code));
    let next = step;
    if (node.overlay !== null) {
      const { select, table, wildcard, default: miss } = node.overlay;
      const tlv = (found: number): Goto =>
        this.#tlv(found, wildcard, finish(miss), len, step, leave, depth + 1);
      next =
        select === null
          ? tlv(-1)
          : this.#b.table(
              select,
              table.map((e) => ({ key: e.key, next: tlv(e.node) })),
              tlv(-1),
            );
    }
    if (node.nested !== null) {
      const after = next;
      next = this.#tlvs(node.nested, { reg: len }, (code) =>
        code === CODE.OKAY || code === CODE.STOP_SUB_NODE_OKAY ? after : leave(code),
      );
    }
    return this.#w.checks(node.checks, this.#w.actions(node.actions, { reg: len }, next), finish);
  }

  #flags(body: Flags, length: UnitLength, finish: (code: number) => Goto): Goto {
    const b = this.#b;
    return b.withRegs(5, (base, end, flags, at, t) => {
      const leave = this.#leaving(base!, finish);
      let next = leave(CODE.OKAY);
      for (let i = body.fields.length - 1; i >= 0; i--) {
        const field = body.fields[i]!;
        const skip = b.ops([set(at!, this.#reg(at!), { add: field.len })], next);
        let present = skip;
        if (field.node >= 0) {
          const node = this.#parser.subNodes[field.node]!;
          const acts = this.#w.actions(node.actions, { constant: field.len }, skip);
          const failed = leave(CODE.STOP_COMPARE);
          const checked = this.#w.checks(node.checks, acts, () => failed);
          present = b.ops(
            [
              set(t!, this.#reg(at!), { add: field.len }),
              {
                op: "fit",
                reg: t!,
                min: 0,
                limit: this.#reg(end!),
                clamp: false,
                otherwise: leave(CODE.STOP_LENGTH),
              },
              moveTo(at!),
            ],
            checked,
          );
        }
        next = b.choose(
          this.#reg(flags!),
          [{ value: field.flag, mask: field.mask, next: present }].filter((r) => (r.value & ~r.mask) === 0),
          next,
        );
      }
      return b.ops(
        [
          set(base!, { kind: "cursor" }),
          set(end!, lengthSource(length), { plus: base! }),
          set(at!, this.#reg(base!), { add: body.start }),
          this.#w.amount(flags!, { load: body.load, multiplier: 1, add: 0 }),
        ],
        next,
      );
    });
  }

  #elements(body: Elements, length: UnitLength, finish: (code: number) => Goto): Goto {
    const b = this.#b;
    return b.withRegs(5, (base, end, left, at, t) => {
      const leave = this.#leaving(base!, finish);
      const head = b.reserve();
      const step = b.ops(
        [set(at!, this.#reg(at!), { add: body.elLen }), set(left!, this.#reg(left!), { add: -1 })],
        head,
      );
      const ended = (code: number): Goto => (code === CODE.OKAY ? step : leave(code));
      const element = (index: number): Goto => {
        if (index < 0) return ended(body.default);
        const node = this.#parser.subNodes[index]!;
        return this.#w.checks(
          node.checks,
          this.#w.actions(node.actions, { constant: body.elLen }, step),
          ended,
        );
      };
      const wild = element(body.wildcard);
      const rows = body.table.map((e) => ({ key: e.key, next: element(e.node) }));
      const looked =
        body.type === null ? (rows.find((r) => r.key === 0)?.next ?? wild) : b.table(body.type, rows, wild);
      const one = b.ops(
        [
          set(t!, this.#reg(at!), { add: body.elLen }),
          {
            op: "fit",
            reg: t!,
            min: 0,
            limit: this.#reg(end!),
            clamp: false,
            otherwise: leave(CODE.STOP_LENGTH),
          },
          moveTo(at!),
        ],
        looked,
      );
      const more = b.choose(this.#reg(left!), [{ value: 0, mask: 0xffffffff, next: leave(CODE.OKAY) }], one);
      b.fill(head, [{ values: [], masks: [], ops: [], next: more }]);
      return b.ops(
        [
          this.#w.amount(left!, body.count),
          {
            op: "fit",
            reg: left!,
            min: 0,
            limit: constant(body.maxEls),
            clamp: false,
            otherwise: finish(CODE.STOP_LOOP_CNT),
          },
          set(base!, { kind: "cursor" }),
          set(end!, lengthSource(length), { plus: base! }),
          set(at!, this.#reg(base!), { add: body.start }),
        ],
        head,
      );
    });
  }
}
