/** Syntax trees of the P4_16 subset. */

export type TypeText =
  | { readonly kind: "bit" | "int"; readonly width: number }
  | { readonly kind: "bool" }
  | { readonly kind: "name"; readonly name: string };

export type Expression = { readonly line: number } & (
  | { readonly kind: "number"; readonly value: bigint; readonly type: TypeText | null }
  | { readonly kind: "bool"; readonly value: boolean }
  /** Without its quotes: an argument of `log_msg`, nothing else. */
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "member"; readonly of: Expression; readonly name: string }
  | { readonly kind: "slice"; readonly of: Expression; readonly high: number; readonly low: number }
  | { readonly kind: "unary"; readonly op: string; readonly of: Expression }
  | { readonly kind: "binary"; readonly op: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "cast"; readonly type: TypeText; readonly of: Expression }
  | {
      readonly kind: "call";
      readonly of: Expression;
      readonly type: TypeText | null;
      readonly args: readonly Expression[];
    }
  | { readonly kind: "list"; readonly items: readonly Expression[] }
);

export type Statement = { readonly line: number } & (
  | { readonly kind: "assign"; readonly to: Expression; readonly value: Expression }
  | { readonly kind: "call"; readonly call: Expression & { kind: "call" } }
  | {
      readonly kind: "if";
      readonly condition: Expression;
      readonly then: Statement;
      readonly otherwise: Statement | null;
    }
  | { readonly kind: "block"; readonly body: readonly Statement[] }
);

/** Null: `_` or `default`. */
export type Keyset = Expression | null;

export interface SelectCase {
  readonly keys: readonly Keyset[];
  /** `default`, or one `_`: matches whatever the number of keys. */
  readonly any: boolean;
  readonly target: string;
  readonly line: number;
}

export type Transition =
  | { readonly kind: "direct"; readonly target: string; readonly line: number }
  | {
      readonly kind: "select";
      readonly keys: readonly Expression[];
      readonly cases: readonly SelectCase[];
      readonly line: number;
    };

export interface State {
  readonly name: string;
  readonly body: readonly Statement[];
  /** Null: reject, as the specification has it. */
  readonly transition: Transition | null;
  readonly line: number;
}

export interface Field {
  readonly name: string;
  readonly type: TypeText;
  readonly annotations: Readonly<Record<string, number>>;
}

export interface Composite {
  readonly kind: "header" | "struct";
  readonly name: string;
  readonly fields: readonly Field[];
}

export interface Parameter {
  readonly direction: "in" | "out" | "inout" | "";
  readonly type: TypeText;
  readonly name: string;
}

export interface ParserDeclaration {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly locals: readonly { readonly name: string; readonly type: TypeText }[];
  readonly states: readonly State[];
}

export interface P4Text {
  readonly includes: readonly string[];
  readonly errors: readonly string[];
  readonly types: readonly Composite[];
  readonly parsers: readonly ParserDeclaration[];
}
