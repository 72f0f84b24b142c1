/** Tokens of P4_16 (specification, "Lexical constructs"): what our programs need, everything else is an error. */

export interface Token {
  readonly kind: "word" | "number" | "punct" | "string" | "include" | "end";
  readonly text: string;
  readonly line: number;
  /** First character; two `>` side by side are a shift only in an expression. */
  readonly at: number;
}

const PUNCTUATION = ["++", "<<", "<=", ">=", "==", "!=", "&&", "||"];
const SINGLE = "{}()[]<>;:,.=+-*&|^~!?@_/%";

/** All tokens, an `end` behind them. */
export function lex(source: string): Token[] {
  const out: Token[] = [];
  let at = 0;
  let line = 1;
  const push = (kind: Token["kind"], text: string): void => {
    out.push({ kind, text, line, at });
    at += text.length;
  };
  while (at < source.length) {
    const rest = source.slice(at, at + 200);
    const space = /^\s+/.exec(rest);
    if (space !== null) {
      line += space[0].split("\n").length - 1;
      at += space[0].length;
    } else if (rest.startsWith("//")) {
      const end = source.indexOf("\n", at);
      at = end < 0 ? source.length : end;
    } else if (rest.startsWith("#")) {
      const directive = /^#include <[\w.]+>/.exec(rest);
      if (directive === null) throw new Error(`line ${line}: directive ${rest.slice(0, 20)}`);
      push("include", directive[0]);
    } else {
      const number = /^(?:\d+[ws])?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|\d[\d_]*)/.exec(rest);
      const word = /^[A-Za-z_]\w*/.exec(rest);
      const string = /^"[^"\\\n]*"/.exec(rest);
      const double = PUNCTUATION.find((p) => rest.startsWith(p));
      if (number !== null) push("number", number[0]);
      else if (word !== null) push(word[0] === "_" ? "punct" : "word", word[0]);
      else if (string !== null) push("string", string[0]);
      else if (double !== undefined) push("punct", double);
      else if (SINGLE.includes(rest[0]!)) push("punct", rest[0]!);
      else throw new Error(`line ${line}: character ${JSON.stringify(rest[0])}`);
      if (number !== null && /^\w/.test(source[at] ?? ""))
        throw new Error(`line ${line}: number ${number[0]}`);
    }
  }
  push("end", "");
  return out;
}
