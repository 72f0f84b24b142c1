/** Reader of the P4_16 subset: the grammar's rules by recursive descent. */
import type {
  Composite,
  Expression,
  Field,
  Keyset,
  P4Text,
  Parameter,
  ParserDeclaration,
  SelectCase,
  State,
  Statement,
  Transition,
  TypeText,
} from "./ast.ts";
import { lex, type Token } from "./lexer.ts";

/** Binary operators from the loosest on; bitwise ones bind tighter than comparisons, unlike C. */
const LEVELS = [
  ["||"],
  ["&&"],
  ["==", "!="],
  ["<", ">", "<=", ">="],
  ["|"],
  ["^"],
  ["&"],
  ["<<", ">>"],
  ["++", "+", "-"],
  ["*"],
];

/** Read a text; throws with the line of the first fault. */
export function parseP4(source: string): P4Text {
  return new Reader(lex(source)).program();
}

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  program(): P4Text {
    const includes: string[] = [];
    const errors: string[] = [];
    const types: Composite[] = [];
    const parsers: ParserDeclaration[] = [];
    while (this.#peek().kind !== "end") {
      if (this.#peek().kind === "include") includes.push(this.#next().text);
      else if (this.#is("error")) errors.push(...this.#errors());
      else if (this.#is("header") || this.#is("struct")) types.push(this.#composite());
      else if (this.#is("parser")) parsers.push(this.#parser());
      else throw this.#fault("declaration");
    }
    return { includes, errors, types, parsers };
  }

  #errors(): string[] {
    this.#take("error");
    this.#take("{");
    const out = [this.#word()];
    while (this.#try(",")) out.push(this.#word());
    this.#take("}");
    return out;
  }

  #composite(): Composite {
    const kind = this.#next().text as "header" | "struct";
    const name = this.#word();
    this.#take("{");
    const fields: Field[] = [];
    while (!this.#try("}")) {
      const annotations: Record<string, number> = {};
      while (this.#try("@")) {
        const annotation = this.#word();
        this.#take("(");
        annotations[annotation] = this.#integer();
        this.#take(")");
      }
      const type = this.#type();
      fields.push({ name: this.#word(), type, annotations });
      this.#take(";");
    }
    return { kind, name, fields };
  }

  #parser(): ParserDeclaration {
    this.#take("parser");
    const name = this.#word();
    this.#take("(");
    const parameters = [this.#parameter()];
    while (this.#try(",")) parameters.push(this.#parameter());
    this.#take(")");
    this.#take("{");
    const locals: { name: string; type: TypeText }[] = [];
    while (!this.#is("state")) {
      const type = this.#type();
      locals.push({ name: this.#word(), type });
      this.#take(";");
    }
    const states: State[] = [];
    while (!this.#try("}")) states.push(this.#state());
    return { name, parameters, locals, states };
  }

  #parameter(): Parameter {
    let direction: Parameter["direction"] = "";
    for (const d of ["in", "out", "inout"] as const) if (this.#is(d)) direction = d;
    if (direction !== "") this.#next();
    const type = this.#type();
    return { direction, type, name: this.#word() };
  }

  #state(): State {
    const { line } = this.#take("state");
    const name = this.#word();
    this.#take("{");
    const body: Statement[] = [];
    while (!this.#is("transition") && !this.#is("}")) body.push(this.#statement());
    const transition = this.#is("transition") ? this.#transition() : null;
    this.#take("}");
    return { name, body, transition, line };
  }

  #statement(): Statement {
    const { line } = this.#peek();
    if (this.#try("if")) {
      this.#take("(");
      const condition = this.#expression();
      this.#take(")");
      const then = this.#statement();
      return { kind: "if", condition, then, otherwise: this.#try("else") ? this.#statement() : null, line };
    }
    if (this.#try("{")) {
      const body: Statement[] = [];
      while (!this.#try("}")) body.push(this.#statement());
      return { kind: "block", body, line };
    }
    const left = this.#postfix();
    if (this.#try("=")) {
      const value = this.#expression();
      this.#take(";");
      return { kind: "assign", to: left, value, line };
    }
    if (left.kind !== "call") throw this.#fault("= or a call");
    this.#take(";");
    return { kind: "call", call: left, line };
  }

  #transition(): Transition {
    const { line } = this.#take("transition");
    if (!this.#try("select")) {
      const target = this.#word();
      this.#take(";");
      return { kind: "direct", target, line };
    }
    this.#take("(");
    const keys = [this.#expression()];
    while (this.#try(",")) keys.push(this.#expression());
    this.#take(")");
    this.#take("{");
    const cases: SelectCase[] = [];
    while (!this.#try("}")) cases.push(this.#case());
    return { kind: "select", keys, cases, line };
  }

  #case(): SelectCase {
    const { line } = this.#peek();
    let keys: Keyset[];
    let any = false;
    if (this.#try("(")) {
      keys = [this.#keyset()];
      while (this.#try(",")) keys.push(this.#keyset());
      this.#take(")");
    } else if (this.#try("default")) {
      keys = [];
      any = true;
    } else {
      keys = [this.#keyset()];
      any = keys[0] === null;
    }
    this.#take(":");
    const target = this.#word();
    this.#take(";");
    return { keys, any, target, line };
  }

  #keyset(): Keyset {
    return this.#try("_") || this.#try("default") ? null : this.#expression();
  }

  #expression(level = 0): Expression {
    if (level === LEVELS.length) return this.#unary();
    let left = this.#expression(level + 1);
    for (;;) {
      const { line } = this.#peek();
      const op = this.#operator(LEVELS[level]!);
      if (op === null) return left;
      left = { kind: "binary", op, left, right: this.#expression(level + 1), line };
    }
  }

  /** Two `>` side by side are one operator, of the shifts' level only. */
  #operator(level: readonly string[]): string | null {
    const a = this.#peek();
    const b = this.#tokens[this.#at + 1];
    const shift = a.text === ">" && b?.text === ">" && b.at === a.at + 1;
    const op = shift ? ">>" : a.text;
    if (a.kind !== "punct" || !level.includes(op)) return null;
    this.#at += shift ? 2 : 1;
    return op;
  }

  #unary(): Expression {
    const { line, text } = this.#peek();
    for (const op of ["!", "-", "~"])
      if (this.#try(op)) return { kind: "unary", op, of: this.#unary(), line };
    const inner = this.#tokens[this.#at + 1]?.text ?? "";
    if (text === "(" && ["bit", "int", "bool"].includes(inner)) {
      this.#take("(");
      const type = this.#type();
      this.#take(")");
      return { kind: "cast", type, of: this.#unary(), line };
    }
    return this.#postfix();
  }

  #postfix(): Expression {
    let e = this.#primary();
    for (;;) {
      const { line } = this.#peek();
      if (this.#try(".")) e = { kind: "member", of: e, name: this.#word(), line };
      else if (this.#try("[")) {
        const high = this.#integer();
        this.#take(":");
        const low = this.#integer();
        this.#take("]");
        e = { kind: "slice", of: e, high, low, line };
      } else if (this.#is("(") || (this.#is("<") && e.kind === "member" && e.name === "lookahead")) {
        const type = this.#try("<") ? this.#type() : null;
        if (type !== null) this.#take(">");
        this.#take("(");
        const args: Expression[] = [];
        if (!this.#is(")")) {
          args.push(this.#expression());
          while (this.#try(",")) args.push(this.#expression());
        }
        this.#take(")");
        e = { kind: "call", of: e, type, args, line };
      } else return e;
    }
  }

  #primary(): Expression {
    const token = this.#next();
    const { line } = token;
    if (token.kind === "number") return { ...numberOf(token.text), line };
    if (token.text === "true" || token.text === "false")
      return { kind: "bool", value: token.text === "true", line };
    if (token.kind === "string") return { kind: "string", text: token.text.slice(1, -1), line };
    if (token.kind === "word") return { kind: "name", name: token.text, line };
    if (token.text === "(") {
      const e = this.#expression();
      this.#take(")");
      return e;
    }
    if (token.text === "{") {
      const items = [this.#expression()];
      while (this.#try(",")) items.push(this.#expression());
      this.#take("}");
      return { kind: "list", items, line };
    }
    this.#at--;
    throw this.#fault("expression");
  }

  #type(): TypeText {
    const name = this.#word();
    if (name === "bool") return { kind: "bool" };
    if (name !== "bit" && name !== "int") return { kind: "name", name };
    this.#take("<");
    const width = this.#integer();
    this.#take(">");
    if (width < 1) throw this.#fault("width of at least 1");
    return { kind: name, width };
  }

  #integer(): number {
    const token = this.#next();
    if (token.kind !== "number" || !/^\d+$/.test(token.text)) throw this.#fault(`integer, not ${token.text}`);
    return Number(token.text);
  }

  #word(): string {
    const token = this.#peek();
    if (token.kind !== "word") throw this.#fault("name");
    return this.#next().text;
  }

  #peek(): Token {
    return this.#tokens[this.#at]!;
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== "end") this.#at++;
    return token;
  }

  #is(text: string): boolean {
    const token = this.#peek();
    return token.kind !== "number" && token.text === text;
  }

  #try(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#at++;
    return true;
  }

  #take(text: string): Token {
    if (!this.#is(text)) throw this.#fault(text);
    return this.#next();
  }

  #fault(wanted: string): Error {
    const { line, text } = this.#peek();
    return new Error(`line ${line}: ${wanted} wanted, found ${JSON.stringify(text)}`);
  }
}

function numberOf(text: string): { kind: "number"; value: bigint; type: TypeText | null } {
  const sized = /^(\d+)([ws])(.+)$/.exec(text);
  const digits = (sized?.[3] ?? text).replaceAll("_", "");
  const type: TypeText | null =
    sized === null ? null : { kind: sized[2] === "w" ? "bit" : "int", width: Number(sized[1]) };
  return { kind: "number", value: BigInt(digits), type };
}
