/** Statements: assignments, conditions, and the calls that a parser may make. */
import type { Expression, Statement } from "./ast.ts";
import type { Expressions } from "./expressions.ts";
import { type Checked, fault, type Machine, type Range, Rejected } from "./machine.ts";
import { bitsOf, same, show, type Type, type V, wrap } from "./types.ts";

/** A place to assign to: a number, or some of its bits. */
interface Place {
  readonly type: Type;
  readonly set: (v: V) => void;
}

export class Statements {
  readonly #machine: Machine;
  readonly #expressions: Expressions;
  /** Declared errors. */
  readonly #errors: ReadonlySet<string>;

  constructor(machine: Machine, expressions: Expressions, errors: ReadonlySet<string>) {
    this.#machine = machine;
    this.#expressions = expressions;
    this.#errors = errors;
  }

  of(s: Statement): () => void {
    switch (s.kind) {
      case "block": {
        const steps = s.body.map((b) => this.of(b));
        return () => {
          for (const step of steps) step();
        };
      }
      case "if": {
        const condition = this.#expressions.convert(
          this.#expressions.of(s.condition),
          { kind: "bool" },
          s.line,
        );
        const then = this.of(s.then);
        const otherwise = s.otherwise === null ? null : this.of(s.otherwise);
        return () => {
          if (condition.get() === true) then();
          else otherwise?.();
        };
      }
      case "assign":
        return this.#assign(s.to, s.value, s.line);
      case "call":
        return this.#call(s.call);
    }
  }

  #assign(to: Expression, value: Expression, line: number): () => void {
    const left = this.#expressions.of(to);
    if (left.type.kind === "struct" || left.type.kind === "header")
      return this.#assignComposite(left, value, line);
    const place = this.#place(to, left);
    const right = this.#expressions.convert(this.#expressions.of(value), place.type, line);
    const range = this.#range(to);
    if (range === null) return () => place.set(right.get());
    return () => {
      place.set(right.get());
      this.#machine.fresh.push(range);
    };
  }

  /** The bytes of a place whose field says at which byte it is; null: it does not. */
  #range(to: Expression): Range | null {
    const field = to.kind === "slice" ? to.of : to;
    if (field.kind !== "member") return null;
    const { type } = this.#expressions.of(field.of);
    const member = type.kind === "struct" ? type.fields.find((f) => f.name === field.name) : undefined;
    const off = member?.annotations.cpr_offset;
    if (off === undefined || member?.type.kind !== "bit") return null;
    const { width } = member.type;
    if (to.kind !== "slice") return { off, len: width / 8 };
    const first = (width - 1 - to.high) >> 3;
    return { off: off + first, len: ((width - 1 - to.low) >> 3) - first + 1 };
  }

  #assignComposite(left: Checked, value: Expression, line: number): () => void {
    const { type, slot } = left;
    if (type.kind !== "struct" && type.kind !== "header") throw fault(line, "no struct");
    if (value.kind === "list") {
      if (value.items.length !== type.fields.length)
        throw fault(line, `${type.fields.length} values are wanted`);
      const items = type.fields.map((f, i) =>
        this.#expressions.convert(this.#expressions.of(value.items[i]!), f.type, line),
      );
      return () => {
        const values = items.map((item) => item.get());
        if (type.kind === "header") this.#machine.slots[slot] = true;
        for (const [i, f] of type.fields.entries()) this.#machine.slots[slot + f.slot] = values[i];
      };
    }
    if (value.kind === "call" && type.kind === "header") {
      const at = this.#expressions.lookahead(value);
      if (!same(at, type)) throw fault(line, `${show(at)} is no ${show(type)}`);
      return () => this.#machine.readHeader(type, slot, this.#machine.cursor);
    }
    const right = this.#expressions.of(value);
    if (!same(right.type, type) || right.slot < 0)
      throw fault(line, `${show(right.type)} is no ${show(type)}`);
    return () => {
      for (let i = 0; i < type.slots; i++)
        this.#machine.slots[slot + i] = this.#machine.slots[right.slot + i];
    };
  }

  /** A place of a number, or some of its bits. */
  #place(e: Expression, checked: Checked): Place {
    if (e.kind === "slice") {
      const whole = this.#expressions.of(e.of);
      const { type, slot } = whole;
      if (slot < 0 || type.kind !== "bit") throw fault(e.line, "bits of what is no place");
      if (type.width <= 32) {
        const bits = ((e.high - e.low === 31 ? 0xffffffff : 2 ** (e.high - e.low + 1) - 1) << e.low) >>> 0;
        const set = (v: V): void => {
          const old = this.#machine.value(slot, e.line) as number;
          this.#machine.slots[slot] = ((old & ~bits) | ((v as number) << e.low)) >>> 0;
        };
        return { type: checked.type, set };
      }
      const width = BigInt(e.high - e.low + 1);
      const mask = ((1n << width) - 1n) << BigInt(e.low);
      return {
        type: checked.type,
        set: (v) => {
          const old = BigInt(this.#machine.value(slot, e.line) as number | bigint);
          this.#machine.slots[slot] = wrap((old & ~mask) | (BigInt(v) << BigInt(e.low)), type);
        },
      };
    }
    if (checked.slot < 0) throw fault(e.line, "not a place to assign to");
    const { slot } = checked;
    return {
      type: checked.type,
      set: (v) => {
        this.#machine.slots[slot] = v;
      },
    };
  }

  /** v1model: `extern void log_msg<T>(string msg, in T data)`, data a list here. */
  #log(args: readonly Expression[], line: number): () => void {
    const [text, data] = args;
    if (args.length !== 2 || text?.kind !== "string" || data?.kind !== "list")
      throw fault(line, 'log_msg("text", { values })');
    const parts = text.text.split("{}");
    const values = data.items.map((item) => this.#expressions.sized(item));
    if (parts.length !== values.length + 1) throw fault(line, `${parts.length - 1} values are wanted`);
    return () => {
      const said = values.map((v, i) => `${String(v.get())}${parts[i + 1]!}`);
      this.#machine.log.push(parts[0]! + said.join(""));
      this.#machine.assigned.push(this.#machine.fresh.splice(0));
    };
  }

  #call(e: Expression & { kind: "call" }): () => void {
    const { of, args, line } = e;
    if (of.kind === "name" && of.name === "verify") {
      const condition = this.#expressions.convert(this.#expressions.of(args[0]!), { kind: "bool" }, line);
      const error = args[1];
      if (
        args.length !== 2 ||
        error?.kind !== "member" ||
        error.of.kind !== "name" ||
        error.of.name !== "error"
      )
        throw fault(line, "verify(condition, error.Name)");
      const { name } = error;
      if (!this.#errors.has(name)) throw fault(line, `error ${name} is not declared`);
      return () => {
        if (condition.get() !== true) throw new Rejected(name);
      };
    }
    if (of.kind === "name" && of.name === "log_msg") return this.#log(args, line);
    if (!this.#expressions.ofPacket(of)) throw fault(line, "no such call");
    if (of.name === "extract" && args.length === 1) {
      const header = this.#expressions.of(args[0]!);
      const { type, slot } = header;
      if (type.kind !== "header" || slot < 0) throw fault(line, "extract wants a header");
      const bits = bitsOf(type);
      return () => {
        this.#machine.readHeader(type, slot, this.#machine.cursor);
        this.#machine.cursor += bits;
      };
    }
    if (of.name === "advance" && args.length === 1) {
      const bits = this.#expressions.convert(
        this.#expressions.of(args[0]!),
        { kind: "bit", width: 32 },
        line,
      );
      return () => {
        const n = bits.get() as number;
        if (n > 8 * this.#machine.packet.length - this.#machine.cursor) throw new Rejected("PacketTooShort");
        this.#machine.cursor += n;
      };
    }
    throw fault(line, `packet_in has no ${of.name} with ${args.length} arguments`);
  }
}
