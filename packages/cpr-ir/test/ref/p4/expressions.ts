/** Expressions: types checked once, then closures over the machine. */
import type { Expression } from "./ast.ts";
import { type Checked, fault, type Machine, type Named } from "./machine.ts";
import { bitsOf, constant, readBits, same, show, type Type, type Types, type V, wrap } from "./types.ts";

export class Expressions {
  readonly #machine: Machine;
  readonly #types: Types;
  readonly #names: ReadonlyMap<string, Named>;

  constructor(machine: Machine, types: Types, names: ReadonlyMap<string, Named>) {
    this.#machine = machine;
    this.#types = types;
    this.#names = names;
  }

  ofPacket(e: Expression): e is Expression & { kind: "member" } {
    return e.kind === "member" && e.of.kind === "name" && this.#names.get(e.of.name)?.type.kind === "packet";
  }

  /** Type of a `lookahead`. */
  lookahead(e: Expression & { kind: "call" }): Type {
    if (!this.ofPacket(e.of) || e.of.name !== "lookahead" || e.type === null || e.args.length > 0)
      throw fault(e.line, "no such call");
    return this.#types.of(e.type);
  }

  sized(e: Expression): Checked {
    const c = this.of(e);
    if (c.type.kind === "integer") throw fault(e.line, "a number without width");
    return c;
  }

  /** A literal takes the type that is wanted; nothing else changes type by itself. */
  convert(c: Checked, type: Type, line: number): Checked {
    if (same(c.type, type)) return c;
    if (c.type.kind !== "integer" || c.known === null)
      throw fault(line, `${show(c.type)} where ${show(type)} is wanted`);
    const v = constant(c.known, type);
    return { type, get: () => v, slot: -1, known: c.known };
  }

  of(e: Expression): Checked {
    switch (e.kind) {
      case "number": {
        const type: Type = e.type === null ? { kind: "integer" } : this.#types.of(e.type);
        const v = type.kind === "integer" ? 0 : constant(e.value, type);
        return { type, get: () => v, slot: -1, known: e.value };
      }
      case "string":
        throw fault(e.line, "a text is no value");
      case "bool":
        return { type: { kind: "bool" }, get: () => e.value, slot: -1, known: null };
      case "name": {
        const found = this.#names.get(e.name);
        if (found === undefined) throw fault(e.line, `${e.name} is not declared`);
        const { slot, type } = found;
        return { type, get: () => this.#machine.value(slot, e.line), slot, known: null };
      }
      case "member":
        return this.#member(e.of, e.name, e.line);
      case "slice":
        return this.#slice(e.of, e.high, e.low, e.line);
      case "cast":
        return this.#cast(this.of(e.of), this.#types.of(e.type), e.line);
      case "unary":
        return this.#unary(e.op, this.of(e.of), e.line);
      case "binary":
        return this.#binary(e.op, this.of(e.left), this.of(e.right), e.line);
      case "call": {
        const type = this.lookahead(e);
        const bits = bitsOf(type);
        if (type.kind !== "bit") throw fault(e.line, "a header where a number is wanted");
        const get = (): V => {
          this.#machine.need(bits, this.#machine.cursor);
          return readBits(this.#machine.packet, this.#machine.cursor, bits);
        };
        return { type, get, slot: -1, known: null };
      }
      case "list":
        throw fault(e.line, "a list where a value is wanted");
    }
  }

  #member(of: Expression, name: string, line: number): Checked {
    const whole = this.of(of);
    const { type, slot: base } = whole;
    const member =
      type.kind === "header" || type.kind === "struct" ? type.fields.find((f) => f.name === name) : undefined;
    if (member === undefined || base < 0) throw fault(line, `${show(type)} has no ${name}`);
    const slot = base + member.slot;
    const get = (): V => {
      if (type.kind === "header" && this.#machine.slots[base] !== true)
        throw fault(line, `${name} of an invalid header`);
      return this.#machine.value(slot, line);
    };
    return { type: member.type, get, slot, known: null };
  }

  #slice(of: Expression, high: number, low: number, line: number): Checked {
    const c = this.of(of);
    if (c.type.kind !== "bit" || low > high || high >= c.type.width)
      throw fault(line, `bits ${high} to ${low} of ${show(c.type)}`);
    const type: Type = { kind: "bit", width: high - low + 1 };
    const shift = BigInt(low);
    if (c.type.width <= 32) {
      const mask = type.width === 32 ? 0xffffffff : 2 ** type.width - 1;
      return { type, get: () => (((c.get() as number) >>> low) & mask) >>> 0, slot: -1, known: null };
    }
    return { type, get: () => wrap((c.get() as bigint) >> shift, type), slot: -1, known: null };
  }

  /** Explicit casts of the specification between bit, int and bool. */
  #cast(c: Checked, type: Type, line: number): Checked {
    if (c.type.kind === "integer") return this.convert(c, type, line);
    const from = c.type;
    const numbers = (t: Type): t is Type & { width: number } => t.kind === "bit" || t.kind === "int";
    if (!numbers(from) || !numbers(type) || (from.kind !== type.kind && from.width !== type.width))
      throw fault(line, `cast of ${show(from)} to ${show(type)}`);
    if (from.kind === "bit" && type.kind === "bit" && from.width <= type.width && type.width <= 32)
      return { ...c, type, slot: -1, known: null };
    return { type, get: () => wrap(BigInt(c.get()), type), slot: -1, known: null };
  }

  #unary(op: string, c: Checked, line: number): Checked {
    if (op === "!") {
      if (c.type.kind !== "bool") throw fault(line, `! of ${show(c.type)}`);
      return { type: c.type, get: () => c.get() !== true, slot: -1, known: null };
    }
    if (op === "-" && c.type.kind === "integer" && c.known !== null) return { ...c, known: -c.known };
    if (c.type.kind !== "bit" && c.type.kind !== "int") throw fault(line, `${op} of ${show(c.type)}`);
    const { type } = c;
    const get = (): V => {
      const n = BigInt(c.get());
      return wrap(op === "-" ? -n : ~n, type);
    };
    return { type, get, slot: -1, known: null };
  }

  #binary(op: string, left: Checked, right: Checked, line: number): Checked {
    const made = (type: Type, get: () => V): Checked => ({ type, get, slot: -1, known: null });
    const bool: Type = { kind: "bool" };
    if (op === "&&" || op === "||") {
      const [a, b] = [this.convert(left, bool, line), this.convert(right, bool, line)];
      return op === "&&"
        ? made(bool, () => a.get() === true && b.get() === true)
        : made(bool, () => a.get() === true || b.get() === true);
    }
    if (op === "++") {
      const [a, b] = [left, right];
      if (a.type.kind !== "bit" || b.type.kind !== "bit")
        throw fault(line, `${show(a.type)} ++ ${show(b.type)}`);
      const type: Type = { kind: "bit", width: a.type.width + b.type.width };
      const shift = BigInt(b.type.width);
      return made(type, () => wrap((BigInt(a.get()) << shift) | BigInt(b.get()), type));
    }
    if (op === "<<" || op === ">>") return this.#shift(op, left, right, line);
    const a = left.type.kind === "integer" ? this.convert(left, right.type, line) : left;
    const b = this.convert(right, a.type, line);
    const { type } = a;
    if (op === "==") return made(bool, () => a.get() === b.get());
    if (op === "!=") return made(bool, () => a.get() !== b.get());
    if (type.kind !== "bit" && type.kind !== "int") throw fault(line, `${op} of ${show(type)}`);
    if (op === "<") return made(bool, () => a.get() < b.get());
    if (op === ">") return made(bool, () => a.get() > b.get());
    if (op === "<=") return made(bool, () => a.get() <= b.get());
    if (op === ">=") return made(bool, () => a.get() >= b.get());
    return made(type, arithmetic(op, a, b, type, line));
  }

  /** The amount is an unsigned number of any width. */
  #shift(op: string, left: Checked, right: Checked, line: number): Checked {
    const { type } = left;
    if (type.kind !== "bit") throw fault(line, `${op} of ${show(type)}`);
    if (right.type.kind !== "bit" && (right.known === null || right.known < 0n))
      throw fault(line, `shift by ${show(right.type)}`);
    if (type.width <= 32 && right.known !== null) {
      const by = Number(right.known);
      const mask = type.width === 32 ? 0xffffffff : 2 ** type.width - 1;
      const x = left.get as () => number;
      if (by >= type.width) return { type, get: () => 0, slot: -1, known: null };
      const get = op === "<<" ? (): V => ((x() << by) & mask) >>> 0 : (): V => x() >>> by;
      return { type, get, slot: -1, known: null };
    }
    const amount = (): bigint => (right.type.kind === "integer" ? right.known! : BigInt(right.get()));
    const get = (): V => {
      const n = BigInt(left.get());
      const by = amount();
      return by >= BigInt(type.width) ? wrap(0n, type) : wrap(op === "<<" ? n << by : n >> by, type);
    };
    return { type, get, slot: -1, known: null };
  }
}

function arithmetic(op: string, a: Checked, b: Checked, type: Type, line: number): () => V {
  if (type.kind === "bit" && type.width <= 32) {
    const mask = type.width === 32 ? 0xffffffff : 2 ** type.width - 1;
    const x = a.get as () => number;
    const y = b.get as () => number;
    if (op === "+") return () => ((x() + y()) & mask) >>> 0;
    if (op === "-") return () => ((x() - y()) & mask) >>> 0;
    if (op === "*") return () => (Math.imul(x(), y()) & mask) >>> 0;
    if (op === "&") return () => (x() & y()) >>> 0;
    if (op === "|") return () => (x() | y()) >>> 0;
    if (op === "^") return () => (x() ^ y()) >>> 0;
  }
  const big: Record<string, (m: bigint, n: bigint) => bigint> = {
    "+": (m, n) => m + n,
    "-": (m, n) => m - n,
    "*": (m, n) => m * n,
    "&": (m, n) => m & n,
    "|": (m, n) => m | n,
    "^": (m, n) => m ^ n,
  };
  const f = big[op];
  if (f === undefined) throw fault(line, `operator ${op}`);
  return () => wrap(f(BigInt(a.get()), BigInt(b.get())), type);
}
