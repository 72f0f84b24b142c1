/** The text in the making: states, locals, names. */
import { codeName, isOkay } from "../../ir/codes.ts";
import type { Parser } from "../../ir/types.ts";
import { HeaderLayout, MemoryLayout } from "./layout.ts";

const RESERVED = /* @__PURE__ */ (() =>
  new Set(
    (
      "abstract action actions apply bit bool const control default else entries enum error exit extern false " +
      "header header_union if in inout int key match_kind out package parser pragma return select size state " +
      "string struct switch table this transition true tuple type typedef varbit verify void accept reject start " +
      "hdr meta pkt std packet_in packet_out"
    ).split(" "),
  ))();

/** A word of P4 for a name of a document. */
export function word(name: string): string {
  const plain = name.replaceAll(/\W/g, "_").replaceAll(/^_+|_+$/g, "") || "x";
  return /^\d/.test(plain) || RESERVED.has(plain) ? `x_${plain}` : plain;
}

/** What outlives a pass: cuts of headers and memory, found by the first, used by the second. */
export class Layouts {
  readonly headers: Map<string, HeaderLayout> = new Map();
  readonly metameta: MemoryLayout;
  readonly frame: MemoryLayout;
  readonly #members: Set<string>;

  constructor(
    parser: Parser,
    names: { metameta: ReadonlyMap<number, string>; frame: ReadonlyMap<number, string> },
  ) {
    // types are these and `_t`
    const own = ["headers", "metadata", "metameta", "frame"].map((part) => `${word(parser.name)}_${part}`);
    this.#members = new Set(["standard_metadata", ...own]);
    this.metameta = new MemoryLayout("meta.metameta", names.metameta);
    this.frame = new MemoryLayout(parser.frames > 1 ? "meta.frame" : "meta.frame0", names.frame);
  }

  /** The header of a unit; `id` tells units apart, `name` is for people. */
  header(id: string, name: string, bytes: number): HeaderLayout {
    let found = this.headers.get(id);
    if (found === undefined) {
      found = new HeaderLayout(unique(this.#members, word(name)), bytes);
      this.headers.set(id, found);
    }
    return found;
  }
}

function unique(taken: Set<string>, name: string): string {
  let out = name;
  for (let i = 2; taken.has(out); i++) out = `${name}_${i}`;
  taken.add(out);
  return out;
}

/** Nodes behind a cycle, or more than `maxNodes` deep. */
function limitedNodes(parser: Parser): Set<number> {
  const { nodes, maxNodes } = parser;
  // nodes visited on the longest walk, the node among them; more than there are: a cycle
  const longest = new Array<number>(nodes.length).fill(0);
  longest[parser.root] = 1;
  for (let round = 0, grown = true; grown && round <= nodes.length; round++) {
    grown = false;
    for (const [i, { next }] of nodes.entries()) {
      if (next === null || longest[i] === 0) continue;
      for (const to of [...next.table.map((e) => e.node), next.wildcard]) {
        if (to < 0 || longest[to]! > longest[i]! || longest[to]! > nodes.length) continue;
        longest[to] = longest[i]! + 1;
        grown = true;
      }
    }
  }
  const limited = longest.map((n, i) => (n > maxNodes || n > nodes.length ? i : -1));
  return new Set(limited.filter((i) => i >= 0));
}

/** One pass over a parser. */
export class Program {
  readonly parser: Parser;
  readonly layouts: Layouts;
  readonly states: string[] = [];
  /** Parser locals: name to type. */
  readonly locals: Map<string, string> = new Map();
  /** Codes that some state stops with. */
  readonly codes: Set<number> = new Set();
  /** Locals of the counters. */
  readonly counters: readonly string[];
  /** Nodes that a walk can come to with `maxNodes` nodes behind it. */
  readonly limited: ReadonlySet<number>;
  /** Debug mode: states tell what they do. */
  readonly trace: boolean;
  readonly #names: Set<string> = new Set(["start", "accept", "reject", "finish_okay", "finish_fail"]);
  readonly #stops: Map<number, string> = new Map();
  readonly #entries: readonly string[];

  constructor(parser: Parser, layouts: Layouts, trace: boolean) {
    this.parser = parser;
    this.trace = trace;
    this.layouts = layouts;
    this.limited = limitedNodes(parser);
    const counters = new Set<string>();
    this.counters = parser.counters.map((c) => unique(counters, `count_${word(c.name)}`));
    for (const name of this.counters) this.locals.set(name, "bit<32>");
    this.#entries = parser.nodes.map((n) => this.name(`parse_${word(n.name)}`));
  }

  /** A state's name that no other has. */
  name(wanted: string): string {
    return unique(this.#names, wanted);
  }

  /** First state of a node. */
  entry(node: number): string {
    return this.#entries[node]!;
  }

  /** A parser local of 32 bits. */
  local(name: string, type = "bit<32>"): string {
    this.locals.set(name, type);
    return name;
  }

  /** The state that ends with a code. */
  stop(code: number): string {
    this.codes.add(code);
    const known = this.#stops.get(code);
    if (known !== undefined) return known;
    const name = this.name(
      `stop_${word(codeName(code))
        .toLowerCase()
        .replace(/^stop_/, "")}`,
    );
    this.#stops.set(code, name);
    this.state(name, [`meta.code = ${code};`], isOkay(code) ? "finish_okay" : "finish_fail");
    return name;
  }

  /** Debug mode: lines that tell three or two numbers of 32 bits (v1model's `log_msg`); else none. */
  tell(what: "node" | "write" | "key", numbers: readonly (number | string)[]): string[] {
    if (!this.trace) return [];
    const values = numbers.map((n) => (typeof n === "number" ? `32w${n}` : n));
    return [`log_msg("${what}${" {}".repeat(values.length)}", { ${values.join(", ")} });`];
  }

  state(name: string, lines: readonly string[], transition: string): void {
    const body = lines.flatMap((l) => l.split("\n")).map((l) => `        ${l}\n`);
    const last = transition.split("\n").join("\n        ");
    this.states.push(
      `    state ${name} {\n${body.join("")}        transition ${last}${last.endsWith("}") ? "" : ";"}\n    }\n`,
    );
  }
}

/** A condition and where it leads; null: on, past the conditions behind it. */
export type Branch = readonly [condition: string, target: string | null];

/** States in a row. */
export class Flow {
  readonly program: Program;
  /** Stem of the names of the states that follow. */
  readonly stem: string;
  #name: string;
  #lines: string[] = [];

  constructor(program: Program, stem: string, name: string = stem) {
    this.program = program;
    this.stem = stem;
    this.#name = name;
  }

  add(...lines: readonly string[]): void {
    this.#lines.push(...lines);
  }

  /** The first condition that holds decides; else on in a new state. */
  branch(branches: readonly Branch[], suffix: string): void {
    if (branches.length === 0) return;
    const next = this.program.name(`${this.stem}_${suffix}`);
    const rows = branches.map(([, target], i) => {
      const keys = branches.map((_, k) => (k === i ? "true" : "_"));
      return `${keys.length === 1 ? "true" : `(${keys.join(", ")})`}: ${target ?? next};`;
    });
    this.select(
      branches.map(([condition]) => condition),
      [...rows, `default: ${next};`],
    );
    this.begin(next);
  }

  /** End the state. */
  select(keys: readonly string[], rows: readonly string[]): void {
    this.jump(`select(${keys.join(", ")}) {\n${rows.map((r) => `    ${r}\n`).join("")}}`);
  }

  /** End the state. */
  jump(transition: string): void {
    this.program.state(this.#name, this.#lines, transition);
    this.#lines = [];
  }

  /** Begin a state: the one before has ended. */
  begin(name: string): void {
    this.#name = name;
  }

  /** End the state and begin the one that others jump to. */
  label(name: string): void {
    this.jump(name);
    this.begin(name);
  }
}
