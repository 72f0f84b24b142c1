/**
 * Executor of one parser: types checked once, then states run by their rules (specification, "Packet
 * parsing"). Stricter than the language where it leaves things undefined: an unset local and a field of an
 * invalid header must not be read, a constant must fit its type.
 */
import type { Expression, P4Text, ParserDeclaration, State, Statement } from "./ast.ts";
import {
  bitsOf,
  constant,
  type Member,
  readBits,
  same,
  show,
  slotsOf,
  type Type,
  Types,
  type V,
  wrap,
} from "./types.ts";

/** A checked expression. `slot` -1: no place; `known`: a literal's number. */
interface Checked {
  readonly type: Type;
  readonly get: () => V;
  readonly slot: number;
  readonly known: bigint | null;
}

/** A slice of a place. */
interface Place {
  readonly type: Type;
  readonly set: (v: V) => void;
}

/** Ends the parser: verify and extract do. */
class Rejected extends Error {
  readonly error: string;
  constructor(error: string) {
    super(error);
    this.error = error;
  }
}

const STEPS = 200_000;

function invalidate(slots: (V | undefined)[], type: Type, slot: number): void {
  if (type.kind === "header") slots[slot] = false;
  else if (type.kind === "struct") for (const f of type.fields) invalidate(slots, f.type, slot + f.slot);
}

function poison(slots: (V | undefined)[], type: Type, slot: number): void {
  if (type.kind === "struct") for (const f of type.fields) poison(slots, f.type, slot + f.slot);
  else if (type.kind === "bit" || type.kind === "int")
    slots[slot] = wrap(BigInt(`0x${"a5".repeat(Math.ceil(type.width / 8))}`), type);
}

/** What a parser made of a packet. */
export interface P4Result {
  readonly accepted: boolean;
  /** `NoError`, or why not. */
  readonly error: string;
}

export class P4Parser {
  readonly types: Types;
  readonly #declaration: ParserDeclaration;
  readonly #errors: ReadonlySet<string>;
  readonly #names: Map<string, { type: Type; slot: number }> = new Map();
  readonly #states: Map<string, { body: () => void; next: () => string }> = new Map();
  readonly #slots: (V | undefined)[] = [];
  #fresh: (V | undefined)[] = [];
  /** Slot of packet_length. */
  #length = 0;
  #packet: Uint8Array = new Uint8Array(0);
  #cursor = 0;

  constructor(text: P4Text) {
    for (const file of ["core.p4", "v1model.p4"])
      if (!text.includes.includes(`#include <${file}>`)) throw new Error(`${file} is not included`);
    this.types = new Types(text.types);
    this.#errors = new Set(["NoError", "PacketTooShort", "NoMatch", "StackOutOfBounds", ...text.errors]);
    const declaration = text.parsers[0];
    if (declaration === undefined || text.parsers.length > 1) throw new Error("one parser is wanted");
    this.#declaration = declaration;
    this.#checkShape();
    for (const v of [...declaration.parameters, ...declaration.locals]) {
      if (this.#names.has(v.name)) throw new Error(`${v.name} is declared twice`);
      const type = this.types.of(v.type);
      this.#names.set(v.name, { type, slot: this.#slots.length });
      for (let i = slotsOf(type); i > 0; i--) this.#slots.push(undefined);
    }
    const names = new Set(declaration.states.map((s) => s.name));
    if (names.size !== declaration.states.length) throw new Error("two states have one name");
    if (!names.has("start")) throw new Error("no state start");
    for (const state of declaration.states) this.#states.set(state.name, this.#state(state, names));
  }

  /** Parameters as v1model wants them: packet, out headers, inout metadata, inout standard metadata. */
  #checkShape(): void {
    const [packet, headers, metadata, standard] = this.#declaration.parameters;
    const good =
      this.#declaration.parameters.length === 4 &&
      packet!.direction === "" &&
      this.types.of(packet!.type).kind === "packet" &&
      headers!.direction === "out" &&
      metadata!.direction === "inout" &&
      standard!.direction === "inout" &&
      show(this.types.of(standard!.type)) === "standard_metadata_t";
    if (!good) throw new Error("not the parameters of a v1model parser");
  }

  /** Members of the metadata by path; an input is set, everything else holds rubbish before the parse. */
  run(packet: Uint8Array, inputs: Readonly<Record<string, number>> = {}): P4Result {
    this.#packet = packet;
    this.#cursor = 0;
    this.#reset(inputs);
    let name = "start";
    try {
      for (let steps = 0; name !== "accept" && name !== "reject"; steps++) {
        if (steps > STEPS) throw new Error(`more than ${STEPS} states are visited`);
        const state = this.#states.get(name)!;
        state.body();
        name = state.next();
      }
    } catch (e) {
      if (e instanceof Rejected) return { accepted: false, error: e.error };
      throw e;
    }
    return { accepted: name === "accept", error: "NoError" };
  }

  /** A member of the metadata: `nodes`. */
  number(name: string): number {
    const { member, base } = this.#metadata(name);
    return Number(this.#slots[base + member.slot]);
  }

  /**
   * Bytes of a struct in the metadata whose members are annotated with their offsets.
   * @returns false where the metadata have no such member
   */
  bytes(name: string, into: Uint8Array): boolean {
    const type = this.types.of(this.#declaration.parameters[2]!.type);
    if (type.kind !== "struct" || !type.fields.some((f) => f.name === name)) return false;
    const { member, base } = this.#metadata(name);
    if (member.type.kind !== "struct") throw new Error(`${name} is no struct`);
    for (const f of member.type.fields) {
      const off = f.annotations.cpr_offset;
      if (off === undefined || f.type.kind !== "bit") throw new Error(`${name}.${f.name} has no offset`);
      const value = this.#slots[base + member.slot + f.slot] as number | bigint;
      into.fill(0, off, off + f.type.width / 8);
      if (value === 0 || value === 0n) continue;
      let left = BigInt(value);
      for (let i = f.type.width / 8 - 1; i >= 0; i--) {
        into[off + i] = Number(left & 255n);
        left >>= 8n;
      }
    }
    return true;
  }

  #metadata(name: string): { member: Member; base: number } {
    const { type, slot } = this.#names.get(this.#declaration.parameters[2]!.name)!;
    const member = type.kind === "struct" ? type.fields.find((f) => f.name === name) : undefined;
    if (member === undefined) throw new Error(`no metadata ${name}`);
    return { member, base: slot };
  }

  #reset(inputs: Readonly<Record<string, number>>): void {
    if (this.#fresh.length === 0) this.#prepare();
    for (let i = 0; i < this.#slots.length; i++) this.#slots[i] = this.#fresh[i];
    for (const name in inputs) {
      const { member, base } = this.#metadata(name);
      this.#slots[base + member.slot] = constant(BigInt(inputs[name]!), member.type);
    }
    this.#slots[this.#length] = this.#packet.length;
  }

  /** Slots before a parse: headers invalid, metadata rubbish, locals unset. */
  #prepare(): void {
    const fresh = this.#slots.map((): V | undefined => undefined);
    const [, headers, metadata, standard] = this.#declaration.parameters.map((p) => this.#names.get(p.name)!);
    invalidate(fresh, headers!.type, headers!.slot);
    poison(fresh, metadata!.type, metadata!.slot);
    if (standard!.type.kind !== "struct") throw new Error("standard_metadata_t");
    for (const f of standard!.type.fields) fresh[standard!.slot + f.slot] = 0;
    this.#length = standard!.slot + standard!.type.fields.find((f) => f.name === "packet_length")!.slot;
    this.#fresh = fresh;
  }

  #state(state: State, names: ReadonlySet<string>): { body: () => void; next: () => string } {
    const steps = state.body.map((s) => this.#statement(s));
    const body = (): void => {
      for (const step of steps) step();
    };
    const { transition } = state;
    const target = (name: string, line: number): string => {
      if (name !== "accept" && name !== "reject" && !names.has(name)) throw fault(line, `no state ${name}`);
      return name;
    };
    if (transition === null) return { body, next: () => "reject" };
    if (transition.kind === "direct") {
      const name = target(transition.target, transition.line);
      return { body, next: () => name };
    }
    const keys = transition.keys.map((k) => this.#sized(k));
    const cases = transition.cases.map((c) => {
      if (!c.any && c.keys.length !== keys.length) throw fault(c.line, `${keys.length} keys are wanted`);
      const values = c.any ? [] : c.keys.map((k, i) => (k === null ? null : this.#literal(k, keys[i]!.type)));
      return { values, name: target(c.target, c.line) };
    });
    const next = (): string => {
      if (keys.length === 1) {
        const v = keys[0]!.get();
        for (const c of cases)
          if (c.values.length === 0 || c.values[0] === null || c.values[0] === v) return c.name;
        throw new Rejected("NoMatch");
      }
      const found = keys.map((k) => k.get());
      for (const c of cases) if (c.values.every((v, i) => v === null || v === found[i])) return c.name;
      throw new Rejected("NoMatch");
    };
    return { body, next };
  }

  /** A constant of a case, as the key's type. */
  #literal(e: Expression, type: Type): V {
    const checked = this.#convert(this.#expression(e), type, e.line);
    if (e.kind !== "number" && e.kind !== "bool" && checked.known === null)
      throw fault(e.line, "a case needs a constant");
    return checked.get();
  }

  #statement(s: Statement): () => void {
    switch (s.kind) {
      case "block": {
        const steps = s.body.map((b) => this.#statement(b));
        return () => {
          for (const step of steps) step();
        };
      }
      case "if": {
        const condition = this.#convert(this.#expression(s.condition), { kind: "bool" }, s.line);
        const then = this.#statement(s.then);
        const otherwise = s.otherwise === null ? null : this.#statement(s.otherwise);
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
    const left = this.#expression(to);
    if (left.type.kind === "struct" || left.type.kind === "header")
      return this.#assignComposite(left, value, line);
    const place = this.#place(to, left);
    const right = this.#convert(this.#expression(value), place.type, line);
    return () => place.set(right.get());
  }

  #assignComposite(left: Checked, value: Expression, line: number): () => void {
    const { type, slot } = left;
    if (type.kind !== "struct" && type.kind !== "header") throw fault(line, "no struct");
    if (value.kind === "list") {
      if (value.items.length !== type.fields.length)
        throw fault(line, `${type.fields.length} values are wanted`);
      const items = type.fields.map((f, i) => this.#convert(this.#expression(value.items[i]!), f.type, line));
      return () => {
        const values = items.map((item) => item.get());
        if (type.kind === "header") this.#slots[slot] = true;
        for (const [i, f] of type.fields.entries()) this.#slots[slot + f.slot] = values[i];
      };
    }
    if (value.kind === "call" && type.kind === "header") {
      const at = this.#lookahead(value);
      if (!same(at, type)) throw fault(line, `${show(at)} is no ${show(type)}`);
      return () => this.#readHeader(type, slot, this.#cursor);
    }
    const right = this.#expression(value);
    if (!same(right.type, type) || right.slot < 0)
      throw fault(line, `${show(right.type)} is no ${show(type)}`);
    return () => {
      for (let i = 0; i < type.slots; i++) this.#slots[slot + i] = this.#slots[right.slot + i];
    };
  }

  /** A place of a number, or some of its bits. */
  #place(e: Expression, checked: Checked): Place {
    if (e.kind === "slice") {
      const whole = this.#expression(e.of);
      const { type, slot } = whole;
      if (slot < 0 || type.kind !== "bit") throw fault(e.line, "bits of what is no place");
      if (type.width <= 32) {
        const bits = ((e.high - e.low === 31 ? 0xffffffff : 2 ** (e.high - e.low + 1) - 1) << e.low) >>> 0;
        const set = (v: V): void => {
          const old = this.#value(slot, e.line) as number;
          this.#slots[slot] = ((old & ~bits) | ((v as number) << e.low)) >>> 0;
        };
        return { type: checked.type, set };
      }
      const width = BigInt(e.high - e.low + 1);
      const mask = ((1n << width) - 1n) << BigInt(e.low);
      return {
        type: checked.type,
        set: (v) => {
          const old = BigInt(this.#value(slot, e.line) as number | bigint);
          this.#slots[slot] = wrap((old & ~mask) | (BigInt(v) << BigInt(e.low)), type);
        },
      };
    }
    if (checked.slot < 0) throw fault(e.line, "not a place to assign to");
    const { slot } = checked;
    return {
      type: checked.type,
      set: (v) => {
        this.#slots[slot] = v;
      },
    };
  }

  #call(e: Expression & { kind: "call" }): () => void {
    const { of, args, line } = e;
    if (of.kind === "name" && of.name === "verify") {
      const condition = this.#convert(this.#expression(args[0]!), { kind: "bool" }, line);
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
    if (!this.#ofPacket(of)) throw fault(line, "no such call");
    if (of.name === "extract" && args.length === 1) {
      const header = this.#expression(args[0]!);
      const { type, slot } = header;
      if (type.kind !== "header" || slot < 0) throw fault(line, "extract wants a header");
      const bits = bitsOf(type);
      return () => {
        this.#readHeader(type, slot, this.#cursor);
        this.#cursor += bits;
      };
    }
    if (of.name === "advance" && args.length === 1) {
      const bits = this.#convert(this.#expression(args[0]!), { kind: "bit", width: 32 }, line);
      return () => {
        const n = bits.get() as number;
        if (n > 8 * this.#packet.length - this.#cursor) throw new Rejected("PacketTooShort");
        this.#cursor += n;
      };
    }
    throw fault(line, `packet_in has no ${of.name} with ${args.length} arguments`);
  }

  #ofPacket(e: Expression): e is Expression & { kind: "member" } {
    return e.kind === "member" && e.of.kind === "name" && this.#names.get(e.of.name)?.type.kind === "packet";
  }

  /** Type of a `lookahead`. */
  #lookahead(e: Expression & { kind: "call" }): Type {
    if (!this.#ofPacket(e.of) || e.of.name !== "lookahead" || e.type === null || e.args.length > 0)
      throw fault(e.line, "no such call");
    return this.types.of(e.type);
  }

  #need(bits: number, at: number): void {
    if (at + bits > 8 * this.#packet.length) throw new Rejected("PacketTooShort");
  }

  #readHeader(type: Type, slot: number, cursor: number): void {
    if (type.kind !== "header") return;
    this.#need(bitsOf(type), cursor);
    this.#slots[slot] = true;
    let at = cursor;
    for (const f of type.fields) {
      const bits = bitsOf(f.type);
      this.#slots[slot + f.slot] = readBits(this.#packet, at, bits);
      at += bits;
    }
  }

  #value(slot: number, line: number): V {
    const v = this.#slots[slot];
    if (v === undefined) throw fault(line, "reads what was never set");
    return v;
  }

  #sized(e: Expression): Checked {
    const c = this.#expression(e);
    if (c.type.kind === "integer") throw fault(e.line, "a number without width");
    return c;
  }

  /** A literal takes the type that is wanted; nothing else changes type by itself. */
  #convert(c: Checked, type: Type, line: number): Checked {
    if (same(c.type, type)) return c;
    if (c.type.kind !== "integer" || c.known === null)
      throw fault(line, `${show(c.type)} where ${show(type)} is wanted`);
    const v = constant(c.known, type);
    return { type, get: () => v, slot: -1, known: c.known };
  }

  #expression(e: Expression): Checked {
    switch (e.kind) {
      case "number": {
        const type: Type = e.type === null ? { kind: "integer" } : this.types.of(e.type);
        const v = type.kind === "integer" ? 0 : constant(e.value, type);
        return { type, get: () => v, slot: -1, known: e.value };
      }
      case "bool":
        return { type: { kind: "bool" }, get: () => e.value, slot: -1, known: null };
      case "name": {
        const found = this.#names.get(e.name);
        if (found === undefined) throw fault(e.line, `${e.name} is not declared`);
        const { slot, type } = found;
        return { type, get: () => this.#value(slot, e.line), slot, known: null };
      }
      case "member":
        return this.#member(e.of, e.name, e.line);
      case "slice":
        return this.#slice(e.of, e.high, e.low, e.line);
      case "cast":
        return this.#cast(this.#expression(e.of), this.types.of(e.type), e.line);
      case "unary":
        return this.#unary(e.op, this.#expression(e.of), e.line);
      case "binary":
        return this.#binary(e.op, this.#expression(e.left), this.#expression(e.right), e.line);
      case "call": {
        const type = this.#lookahead(e);
        const bits = bitsOf(type);
        if (type.kind !== "bit") throw fault(e.line, "a header where a number is wanted");
        const get = (): V => {
          this.#need(bits, this.#cursor);
          return readBits(this.#packet, this.#cursor, bits);
        };
        return { type, get, slot: -1, known: null };
      }
      case "list":
        throw fault(e.line, "a list where a value is wanted");
    }
  }

  #member(of: Expression, name: string, line: number): Checked {
    const whole = this.#expression(of);
    const { type, slot: base } = whole;
    const member =
      type.kind === "header" || type.kind === "struct" ? type.fields.find((f) => f.name === name) : undefined;
    if (member === undefined || base < 0) throw fault(line, `${show(type)} has no ${name}`);
    const slot = base + member.slot;
    const get = (): V => {
      if (type.kind === "header" && this.#slots[base] !== true)
        throw fault(line, `${name} of an invalid header`);
      return this.#value(slot, line);
    };
    return { type: member.type, get, slot, known: null };
  }

  #slice(of: Expression, high: number, low: number, line: number): Checked {
    const c = this.#expression(of);
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
    if (c.type.kind === "integer") return this.#convert(c, type, line);
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
      const [a, b] = [this.#convert(left, bool, line), this.#convert(right, bool, line)];
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
    const a = left.type.kind === "integer" ? this.#convert(left, right.type, line) : left;
    const b = this.#convert(right, a.type, line);
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

function fault(line: number, text: string): Error {
  return new Error(`line ${line}: ${text}`);
}
