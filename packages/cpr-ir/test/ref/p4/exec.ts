/**
 * Executor of one parser: types checked once, then states run by their rules (specification, "Packet
 * parsing"). Stricter than the language where it leaves things undefined: an unset local and a field of an
 * invalid header must not be read, a constant must fit its type.
 */
import type { Expression, P4Text, ParserDeclaration, State } from "./ast.ts";
import { Expressions } from "./expressions.ts";
import { fault, invalidate, Machine, type Named, poison, type Range, Rejected } from "./machine.ts";
import { Statements } from "./statements.ts";
import { constant, type Member, show, slotsOf, type Type, Types, type V } from "./types.ts";

const STEPS = 200_000;

/** What a parser made of a packet. */
export interface P4Result {
  readonly accepted: boolean;
  /** `NoError`, or why not. */
  readonly error: string;
}

export class P4Parser {
  readonly types: Types;
  readonly #declaration: ParserDeclaration;
  readonly #names: Map<string, Named> = new Map();
  readonly #states: Map<string, { body: () => void; next: () => string }> = new Map();
  #fresh: (V | undefined)[] = [];
  /** Slot of packet_length. */
  #length = 0;
  readonly #machine: Machine = new Machine();
  readonly #expressions: Expressions;
  readonly #statements: Statements;

  constructor(text: P4Text) {
    for (const file of ["core.p4", "v1model.p4"])
      if (!text.includes.includes(`#include <${file}>`)) throw new Error(`${file} is not included`);
    this.types = new Types(text.types);
    const errors = new Set(["NoError", "PacketTooShort", "NoMatch", "StackOutOfBounds", ...text.errors]);
    const declaration = text.parsers[0];
    if (declaration === undefined || text.parsers.length > 1) throw new Error("one parser is wanted");
    this.#declaration = declaration;
    this.#checkShape();
    for (const v of [...declaration.parameters, ...declaration.locals]) {
      if (this.#names.has(v.name)) throw new Error(`${v.name} is declared twice`);
      const type = this.types.of(v.type);
      this.#names.set(v.name, { type, slot: this.#machine.slots.length });
      for (let i = slotsOf(type); i > 0; i--) this.#machine.slots.push(undefined);
    }
    this.#expressions = new Expressions(this.#machine, this.types, this.#names);
    this.#statements = new Statements(this.#machine, this.#expressions, errors);
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
    this.#machine.packet = packet;
    this.#machine.cursor = 0;
    this.#machine.log = [];
    this.#machine.assigned = [];
    this.#machine.fresh.length = 0;
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

  /** Lines that the last run logged. */
  get log(): readonly string[] {
    return this.#machine.log;
  }

  /** For each line of the log: bytes of metadata, by their annotations, that were assigned to before it. */
  get assigned(): readonly (readonly Range[])[] {
    return this.#machine.assigned;
  }

  /** A member of the metadata: `nodes`. */
  number(name: string): number {
    const { member, base } = this.#metadata(name);
    return Number(this.#machine.slots[base + member.slot]);
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
      const value = this.#machine.slots[base + member.slot + f.slot] as number | bigint;
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
    for (let i = 0; i < this.#machine.slots.length; i++) this.#machine.slots[i] = this.#fresh[i];
    for (const name in inputs) {
      const { member, base } = this.#metadata(name);
      this.#machine.slots[base + member.slot] = constant(BigInt(inputs[name]!), member.type);
    }
    this.#machine.slots[this.#length] = this.#machine.packet.length;
  }

  /** Slots before a parse: headers invalid, metadata rubbish, locals unset. */
  #prepare(): void {
    const fresh = this.#machine.slots.map((): V | undefined => undefined);
    const [, headers, metadata, standard] = this.#declaration.parameters.map((p) => this.#names.get(p.name)!);
    invalidate(fresh, headers!.type, headers!.slot);
    poison(fresh, metadata!.type, metadata!.slot);
    if (standard!.type.kind !== "struct") throw new Error("standard_metadata_t");
    for (const f of standard!.type.fields) fresh[standard!.slot + f.slot] = 0;
    this.#length = standard!.slot + standard!.type.fields.find((f) => f.name === "packet_length")!.slot;
    this.#fresh = fresh;
  }

  #state(state: State, names: ReadonlySet<string>): { body: () => void; next: () => string } {
    const steps = state.body.map((s) => this.#statements.of(s));
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
    const keys = transition.keys.map((k) => this.#expressions.sized(k));
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
    const checked = this.#expressions.convert(this.#expressions.of(e), type, e.line);
    if (e.kind !== "number" && e.kind !== "bool" && checked.known === null)
      throw fault(e.line, "a case needs a constant");
    return checked.get();
  }
}
