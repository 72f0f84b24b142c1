/** What lies inside a header, as eBPF: lists of TLVs, flag fields, arrays. */
import { CODE } from "../../../ir/codes.ts";
import type { Actions, Edge, Elements, Flags, ParseNode, Parser, SubNode, Tlvs } from "../../../ir/types.ts";
import { ALU_OP, JMP_OP } from "../opcode.ts";
import type { Code, Operand } from "./code.ts";
import type { UnitAt, Values } from "./values.ts";

/** Instructions a program may have: shared TLV nodes are written where they are used. */
export const MAX_INSTRUCTIONS = 100_000;

/** Where codes of a body lead. */
export interface BodyEnds {
  /** STOP_SUB_NODE_OKAY. */
  readonly sub: number;
  /** STOP_NODE_OKAY. */
  readonly node: number;
}

/** What bodies need of the parser around them. */
export interface BodyHost {
  readonly parser: Parser;
  readonly values: Values;
  /** The packet's first byte, its end. */
  readonly packet: number;
  readonly end: number;
  /** Label of a code's end. */
  finish(code: number): number;
  act(actions: Actions, unit: UnitAt): void;
  /** Numbers that live around a loop are kept there: zero, unknown to the verifier. */
  hidden(): number;
}

/** Emits bodies. */
export class Bodies {
  readonly #host: BodyHost;
  readonly #code: Code;

  constructor(host: BodyHost) {
    this.#host = host;
    this.#code = host.values.code;
  }

  /** The body of a node; all codes that are no end lead to `ends`. */
  emit(node: ParseNode, unit: UnitAt, ends: BodyEnds): void {
    const { body } = node;
    switch (body?.kind) {
      case "tlvs":
        this.#tlvs(body, unit, ends, longest(node));
        return;
      case "flags":
        this.#flags(body, unit, node.hdrLen.kind === "flags" && !node.hdrLen.clamp);
        return;
      case "array":
        this.#elements(body, unit, ends);
        return;
      default:
    }
  }

  /** Label that a code leads to. */
  #stop(code: number, ends: BodyEnds): number {
    if (code === CODE.STOP_NODE_OKAY) return ends.node;
    return code === CODE.STOP_SUB_NODE_OKAY ? ends.sub : this.#host.finish(code);
  }

  /**
   * Pointer to a unit by its offset, with `bytes` bytes that may be read. They are known to be there; the verifier
   * is told so by tests that never fail.
   */
  #pointer(off: number, bytes: number): number {
    const code = this.#code;
    const { packet, end } = this.#host;
    const never = this.#host.finish(CODE.STOP_LENGTH);
    const p = code.pointer(packet, off, bytes, never);
    if (bytes === 0) return p;
    const t = code.copy(p);
    code.wide(ALU_OP.ADD, t, bytes);
    code.jumpRegisters(JMP_OP.JGT, t, end, never);
    return p;
  }

  /** A unit that starts so many bytes behind another, in a register of its own. */
  #behind(unit: UnitAt, amount: Operand): number {
    const r = this.#code.value(unit.off, true);
    this.#code.wide(ALU_OP.ADD, r, amount);
    return r;
  }

  /** @param most - bytes the list has at most, where known: limits beyond need no test */
  #tlvs(t: Tlvs, unit: UnitAt, ends: BodyEnds, most: number): void {
    const code = this.#code;
    const finish = (c: number): number => this.#host.finish(c);
    const end = this.#behind(unit, unit.length);
    const at = this.#behind(unit, this.#host.values.amount(t.start, unit));
    const over = code.label();
    const more = code.label();
    const limits = new Limits(code, t, most, (c) => (c === CODE.OKAY ? over : this.#stop(c, ends)));
    limits.begin(() => this.#host.hidden());
    code.depth++;
    code.place(more);
    code.mayGoto(finish(CODE.STOP_LENGTH));
    code.jumpRegisters(JMP_OP.JGE, at, end, over);
    limits.loop();
    const size = code.register();
    const advance = code.label();
    if (t.pad1 >= 0 || t.eol >= 0) {
      const first = code.load(this.#pointer(at, 1), 0, 1);
      if (t.eol >= 0) code.jumpIf(JMP_OP.JEQ, first, t.eol, over);
      if (t.pad1 >= 0) {
        const other = code.label();
        code.jumpIf(JMP_OP.JNE, first, t.pad1, other);
        code.constant(1, size);
        limits.padding(size);
        code.jump(advance);
        code.place(other);
      }
    }
    const rest = code.copy(end);
    code.wide(ALU_OP.SUB, rest, { r: at });
    if (t.minLen > 0) code.jumpWide(JMP_OP.JLT, rest, t.minLen, finish(CODE.STOP_TLV_LENGTH));
    const one: UnitAt = { p: this.#pointer(at, t.minLen), off: { r: at }, length: { r: size } };
    const length = this.#host.values.amount(t.length, one);
    if (typeof length === "number") code.constant(length, size);
    else code.copy(length.r, size);
    if (t.minLen > 0) code.jumpIf(JMP_OP.JLT, size, t.minLen, finish(CODE.STOP_TLV_LENGTH));
    code.jumpRegisters(JMP_OP.JGT, size, rest, finish(CODE.STOP_TLV_LENGTH));
    const type = this.#host.values.load(t.type, one);
    if (t.padn >= 0) {
      const other = code.label();
      code.jumpIf(JMP_OP.JNE, type, t.padn, other);
      limits.padding(size);
      code.jump(advance);
      code.place(other);
    }
    limits.other(() => this.#host.hidden());
    this.#tlv(t.table, type, t.wildcard, t.default, one, ends);
    code.place(advance);
    code.wide(ALU_OP.ADD, at, { r: size });
    code.jump(more);
    code.depth--;
    code.place(over);
  }

  /** One TLV: its node where it fits, else the wildcard where that fits, else the code of the unknown. */
  #tlv(
    table: readonly Edge[],
    type: number | null,
    wildcard: number,
    unknown: number,
    unit: UnitAt,
    ends: BodyEnds,
  ): void {
    const code = this.#code;
    const after = code.label();
    const other = code.label();
    if (type !== null)
      for (const e of table) {
        const next = code.label();
        code.jumpIf(JMP_OP.JNE, type, e.key, next);
        this.#tlvNode(e.node, unit, ends, other);
        code.jump(after);
        code.place(next);
      }
    code.place(other);
    const none = unknown === CODE.OKAY ? after : this.#stop(unknown, ends);
    if (wildcard >= 0) {
      this.#tlvNode(wildcard, unit, ends, none);
      code.jump(after);
    } else code.jump(none);
    code.place(after);
  }

  /** @param unfit - where to go with a TLV of a length that is none of this node's */
  #tlvNode(index: number, unit: UnitAt, ends: BodyEnds, unfit: number): void {
    const code = this.#code;
    if (code.code.length > MAX_INSTRUCTIONS) return;
    const { parser, values } = this.#host;
    const node = parser.tlvNodes[index]!;
    const size = (unit.length as { r: number }).r;
    if (node.minLen > 0) code.jumpIf(JMP_OP.JLT, size, node.minLen, unfit);
    if (node.maxLen >= 0) code.jumpIf(JMP_OP.JGT, size, node.maxLen, unfit);
    const inside: UnitAt =
      node.minLen === 0 ? unit : { ...unit, p: this.#pointer((unit.off as { r: number }).r, node.minLen) };
    values.checks(node.checks, inside, (c) => this.#stop(c, ends));
    this.#host.act(node.actions, inside);
    if (node.nested !== null) {
      const sub = code.label();
      this.#tlvs(node.nested, inside, { sub, node: ends.node }, Number.POSITIVE_INFINITY);
      code.place(sub);
    }
    if (node.overlay === null) return;
    const { select, table, wildcard, default: miss } = node.overlay;
    const key = select === null ? null : values.load(select, inside);
    this.#tlv(table, key, wildcard, miss, inside, ends);
  }

  /** @param exact - the header's length is that of all fields present, so that none can lie beyond it */
  #flags(body: Flags, unit: UnitAt, exact: boolean): void {
    const code = this.#code;
    const { parser, values, finish, act } = this.#host;
    const last = body.fields.findLastIndex((f) => f.node >= 0);
    if (last < 0) return;
    const flags = values.load(body.load, unit);
    const at = this.#behind(unit, body.start);
    for (const f of body.fields.slice(0, last + 1)) {
      const past = code.label();
      const bits = code.copy(flags);
      code.alu(ALU_OP.AND, bits, f.mask);
      code.jumpIf(JMP_OP.JNE, bits, f.flag, past);
      if (f.node >= 0) {
        if (!exact) {
          const end = this.#behind(unit, unit.length);
          code.wide(ALU_OP.SUB, end, f.len);
          code.emit("jump", { op: JMP_OP.JSGT, w: 64, d: at, s: end, label: finish(CODE.STOP_LENGTH) });
        }
        const field: UnitAt = { p: this.#pointer(at, f.len), off: { r: at }, length: f.len };
        const node: SubNode = parser.subNodes[f.node]!;
        values.checks(node.checks, field, () => finish(CODE.STOP_COMPARE));
        act(node.actions, field);
      }
      code.wide(ALU_OP.ADD, at, f.len);
      code.place(past);
    }
  }

  #elements(body: Elements, unit: UnitAt, ends: BodyEnds): void {
    const code = this.#code;
    const { values, finish, hidden } = this.#host;
    const left = code.value(values.amount(body.count, unit), true);
    code.jumpIf(JMP_OP.JGT, left, body.maxEls, finish(CODE.STOP_LOOP_CNT));
    const at = this.#behind(unit, body.start);
    const end = this.#behind(unit, unit.length);
    // a count that the verifier knows, it would walk down one by one
    code.wide(ALU_OP.ADD, left, { r: hidden() });
    const over = code.label();
    const more = code.label();
    const after = code.label();
    code.depth++;
    code.place(more);
    code.mayGoto(finish(CODE.STOP_LENGTH));
    code.jumpIf(JMP_OP.JEQ, left, 0, over);
    const rest = code.copy(end);
    code.wide(ALU_OP.SUB, rest, { r: at });
    code.emit("jump", { op: JMP_OP.JSLT, w: 64, d: rest, imm: body.elLen, label: finish(CODE.STOP_LENGTH) });
    const element: UnitAt = { p: this.#pointer(at, body.elLen), off: { r: at }, length: body.elLen };
    if (body.type === null) {
      const zero = body.table.find((e) => e.key === 0);
      this.#element(zero === undefined ? body.wildcard : zero.node, body, element, ends, after);
    } else {
      const type = values.load(body.type, element);
      for (const e of body.table) {
        const next = code.label();
        code.jumpIf(JMP_OP.JNE, type, e.key, next);
        this.#element(e.node, body, element, ends, after);
        code.place(next);
      }
      this.#element(body.wildcard, body, element, ends, after);
    }
    code.place(after);
    code.wide(ALU_OP.ADD, at, body.elLen);
    code.alu(ALU_OP.SUB, left, 1);
    code.jump(more);
    code.depth--;
    code.place(over);
  }

  /** One element, or the code of an unknown one (-1). */
  #element(index: number, body: Elements, unit: UnitAt, ends: BodyEnds, after: number): void {
    const code = this.#code;
    if (index >= 0) {
      const node = this.#host.parser.subNodes[index]!;
      this.#host.values.checks(node.checks, unit, (c) => this.#stop(c, ends));
      this.#host.act(node.actions, unit);
      code.jump(after);
    } else code.jump(body.default === CODE.OKAY ? after : this.#stop(body.default, ends));
  }
}

/** The limits of a TLV list; those that a list of `most` bytes cannot trip are not tested. */
class Limits {
  readonly #code: Code;
  readonly #t: Tlvs;
  readonly #stop: (code: number) => number;
  readonly #loops: number | null;
  readonly #others: number | null;
  readonly #padded: number | null;
  readonly #row: number | null;

  constructor(code: Code, t: Tlvs, most: number, stop: (code: number) => number) {
    this.#code = code;
    this.#t = t;
    this.#stop = stop;
    const counted = (limit: number): number | null => (limit >= most ? null : code.register());
    const pads = t.pad1 >= 0 || t.padn >= 0;
    this.#loops = counted(t.maxTlvs);
    this.#others = counted(t.maxNonPadding);
    this.#padded = pads ? counted(t.maxPaddingLength) : null;
    this.#row = pads ? counted(t.maxConsecutivePadding) : null;
  }

  begin(zero: () => number): void {
    this.#clear([this.#loops, this.#others, this.#padded, this.#row], zero);
  }

  loop(): void {
    this.#add(this.#loops, 1, this.#t.maxTlvs, CODE.STOP_LOOP_CNT);
  }

  padding(size: number): void {
    this.#add(this.#padded, { r: size }, this.#t.maxPaddingLength, CODE.STOP_TLV_PADDING);
    this.#add(this.#row, 1, this.#t.maxConsecutivePadding, CODE.STOP_TLV_PADDING);
  }

  other(zero: () => number): void {
    this.#clear([this.#padded, this.#row], zero);
    this.#add(this.#others, 1, this.#t.maxNonPadding, CODE.STOP_OPTION_LIMIT);
  }

  #clear(registers: readonly (number | null)[], zero: () => number): void {
    for (const r of registers) if (r !== null) this.#code.copy(zero(), r);
  }

  #add(r: number | null, step: Operand, limit: number, code: number): void {
    if (r === null) return;
    this.#code.alu(ALU_OP.ADD, r, step);
    const { dispLimit } = this.#t;
    this.#code.jumpIf(JMP_OP.JGT, r, limit, this.#stop(dispLimit === CODE.STOP_FAIL ? code : dispLimit));
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
