/** Values not yet computed: pure expressions over registers, built from the operand stack, consumed once each. */

/** A value of `w` bits. An i32 in a register always has its upper half clear. */
export type Expr =
  | { readonly t: "const"; readonly w: 32 | 64; readonly v: bigint }
  | { readonly t: "reg"; readonly w: 32 | 64; readonly r: number; readonly bits: number }
  | { readonly t: "bin"; readonly w: 32 | 64; readonly op: BinaryOp; readonly a: Expr; readonly b: Expr }
  | {
      readonly t: "cmp";
      readonly w: 32;
      readonly op: number;
      readonly of: 32 | 64;
      readonly a: Expr;
      readonly b: Expr;
    }
  | { readonly t: "un"; readonly w: 32 | 64; readonly op: UnaryOp; readonly a: Expr };

/** Pure binary operations. */
export type BinaryOp =
  | "add"
  | "sub"
  | "mul"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "shr_s"
  | "shr_u"
  | "rotl"
  | "rotr";
/** Pure unary operations. */
export type UnaryOp =
  | "wrap"
  | "extend_u"
  | "extend_s"
  | "extend8_s"
  | "extend16_s"
  | "extend32_s"
  | "clz"
  | "ctz"
  | "popcnt"
  | "bswap16"
  | "bswap32"
  | "bswap64";

/** A constant. */
export function constant(w: 32 | 64, v: bigint): Expr {
  return { t: "const", w, v: BigInt.asIntN(w, v) };
}

/** Does the expression read this register? */
export function reads(e: Expr, r: number): boolean {
  switch (e.t) {
    case "const":
      return false;
    case "reg":
      return e.r === r;
    case "un":
      return reads(e.a, r);
    default:
      return reads(e.a, r) || reads(e.b, r);
  }
}

/** Nodes of an expression, for bounding how much is kept unevaluated. */
export function sizeOf(e: Expr): number {
  return e.t === "const" || e.t === "reg"
    ? 1
    : e.t === "un"
      ? 1 + sizeOf(e.a)
      : 1 + sizeOf(e.a) + sizeOf(e.b);
}

/** An upper bound of the significant bits of a value. */
export function bitsOf(e: Expr): number {
  switch (e.t) {
    case "const":
      return e.v < 0n ? e.w : e.v.toString(2).length;
    case "reg":
      return e.bits;
    case "cmp":
      return 1;
    case "un":
      return e.op === "extend_u" ? bitsOf(e.a) : e.op === "bswap16" ? 16 : e.w;
    case "bin":
      if (e.op === "and") return Math.min(bitsOf(e.a), bitsOf(e.b));
      if (e.op === "or" || e.op === "xor") return Math.max(bitsOf(e.a), bitsOf(e.b));
      if (e.op === "shr_u" && e.b.t === "const")
        return Math.max(0, bitsOf(e.a) - (Number(e.b.v) & (e.w - 1)));
      return e.w;
  }
}

function sameRegister(a: Expr, b: Expr): boolean {
  return a.t === "reg" && b.t === "reg" && a.r === b.r && a.w === b.w;
}

function isConst(e: Expr, v: bigint): boolean {
  return e.t === "const" && BigInt.asUintN(e.w, e.v) === v;
}

/** x << 8 | (x & 0xffff) >> 8: the low 16 bits are those of x with bytes swapped. */
function halfSwap(e: Expr): Expr | null {
  if (e.t !== "bin" || e.op !== "or" || e.w !== 32) return null;
  const [left, right] = e.a.t === "bin" && e.a.op === "shl" ? [e.a, e.b] : [e.b, e.a];
  if (left.t !== "bin" || left.op !== "shl" || !isConst(left.b, 8n)) return null;
  if (right.t !== "bin" || right.op !== "shr_u" || !isConst(right.b, 8n)) return null;
  const x = left.a;
  const low = right.a;
  if (sameRegister(x, low) && bitsOf(x) <= 16) return x;
  if (low.t === "bin" && low.op === "and" && isConst(low.b, 0xffffn) && sameRegister(x, low.a)) return x;
  return null;
}

/** rotl(x & 0xff00ff00, 8) | rotr(x & 0x00ff00ff, 8). */
function wordSwap(e: Expr): Expr | null {
  if (e.t !== "bin" || e.op !== "or" || e.w !== 32) return null;
  const part = (p: Expr, op: BinaryOp, mask: bigint): Expr | null =>
    p.t === "bin" &&
    p.op === op &&
    isConst(p.b, 8n) &&
    p.a.t === "bin" &&
    p.a.op === "and" &&
    isConst(p.a.b, mask)
      ? p.a.a
      : null;
  const high = part(e.a, "rotl", 0xff00ff00n) ?? part(e.b, "rotl", 0xff00ff00n);
  const low = part(e.b, "rotr", 0x00ff00ffn) ?? part(e.a, "rotr", 0x00ff00ffn);
  return high !== null && low !== null && sameRegister(high, low) ? high : null;
}

/** Build a binary expression: constants folded, byte swaps recognised. */
export function binary(op: BinaryOp, w: 32 | 64, a: Expr, b: Expr): Expr {
  if (a.t === "const" && b.t === "const") return constant(w, fold(op, w, a.v, b.v));
  if (a.t === "const" && (op === "add" || op === "mul" || op === "and" || op === "or" || op === "xor"))
    return binary(op, w, b, a);
  if (b.t === "const") {
    const neutral = op === "and" ? BigInt.asIntN(w, -1n) : op === "mul" ? 1n : 0n;
    const shift = op === "shl" || op === "shr_s" || op === "shr_u" || op === "rotl" || op === "rotr";
    if ((shift ? b.v & BigInt(w - 1) : b.v) === neutral) return a;
    if (op === "and" && isConst(b, 0xffffn)) {
      const x = halfSwap(a);
      if (x !== null) return { t: "un", w: 32, op: "bswap16", a: x };
      if (bitsOf(a) <= 16) return a;
    }
  }
  const e: Expr = { t: "bin", w, op, a, b };
  const x = wordSwap(e);
  return x === null ? e : { t: "un", w: 32, op: "bswap32", a: x };
}

/** A value of which only the low 16 bits are wanted. */
export function lowHalf(e: Expr): Expr {
  const x = halfSwap(e);
  if (x !== null) return { t: "un", w: 32, op: "bswap16", a: x };
  if (e.t === "bin" && e.op === "and" && e.b.t === "const" && (e.b.v & 0xffffn) === 0xffffn)
    return lowHalf(e.a);
  return e;
}

function fold(op: BinaryOp, w: 32 | 64, a: bigint, b: bigint): bigint {
  const n = b & BigInt(w - 1);
  const u = BigInt.asUintN(w, a);
  switch (op) {
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return a * b;
    case "and":
      return a & b;
    case "or":
      return a | b;
    case "xor":
      return a ^ b;
    case "shl":
      return a << n;
    case "shr_s":
      return a >> n;
    case "shr_u":
      return u >> n;
    case "rotl":
      return (u << n) | (u >> (BigInt(w) - n));
    case "rotr":
      return (u >> n) | (u << (BigInt(w) - n));
  }
}
