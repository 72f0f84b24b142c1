/**
 * The canonical form of a parser: the bytes that its hash covers.
 *
 * A resolved parser is numbered already ({@link resolveParser}); here it is written as a document again, with
 * numbers for names and without anything that equals a default, so that the canonical form is itself a
 * document that reads back to the same parser. Whatever the interpreter looks at must be written here.
 */
import { bytesToHex } from "@netoffload/internal";
import { sha1 } from "@noble/hashes/legacy.js";
import { CprIrError } from "../errors.ts";
import { CODE } from "../ir/codes.ts";
import type { LoadText } from "../ir/document.ts";
import {
  type Actions,
  type Amount,
  type Check,
  type CounterAction,
  type Edge,
  type Elements,
  type Expr,
  type Flags,
  fieldMax,
  type HdrLength,
  type Load,
  type Metadata,
  type Next,
  type ParseNode,
  type Parser,
  type SubNode,
  type TlvNode,
  type Tlvs,
} from "../ir/types.ts";
import { hashProgram, type ProgramHash } from "./digest.ts";

/** Prefix of the hashed bytes. */
export const CANONICAL_PREFIX = "cpr/1\n";

type Value = number | boolean | string | readonly Value[] | { readonly [key: string]: Value };
type Props = Record<string, Value | undefined>;

/** Canonical JSON text, without the final newline. */
export function canonicalText(parser: Parser): string {
  return print(new Writer(parser).document());
}

/** The bytes that are hashed: {@link CANONICAL_PREFIX}, then {@link canonicalText}. */
export function canonicalCpr(parser: Parser): Uint8Array {
  return new TextEncoder().encode(CANONICAL_PREFIX + canonicalText(parser));
}

/**
 * Digests of a parser's canonical form.
 * @throws CprIrError EINVAL when the parser has handlers and `handlers` does not say to leave them out
 */
export function hashParser(parser: Parser, options: { handlers?: "ignore" } = {}): ProgramHash {
  if (parser.handlers.length > 0 && options.handlers !== "ignore")
    throw new CprIrError("EINVAL", "hashParser: a parser with handlers is not portable", {
      handlers: parser.handlers.join(","),
    });
  return hashProgram(canonicalCpr(parser));
}

/** SHA-1 of a file's bytes, the paper's digest; hex. */
export function fileDigest(bytes: Uint8Array): string {
  return bytesToHex(sha1(bytes));
}

/** Compact JSON, keys in byte order; undefined properties are absent. */
function print(value: Value): string {
  if (Array.isArray(value)) return `[${value.map((v) => print(v as Value)).join(",")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const entries = Object.entries(value as Props).filter(([, v]) => v !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${print(v!)}`).join(",")}}`;
}

/** Undefined where the value is the default. */
function unless<T extends Value>(value: T, fallback: T | undefined): T | undefined {
  return value === fallback ? undefined : value;
}

/** Undefined where the list is empty. */
function some<T extends Value>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

function props(of: Props): Value {
  return of as { readonly [key: string]: Value };
}

class Writer {
  readonly #parser: Parser;
  /** Uses of each TLV node and handler: those used once are written in place. */
  readonly #tlvUses: number[];
  readonly #subUses: number[];
  readonly #sharedTlvs: Map<number, string> = new Map();
  readonly #sharedSubs: Map<string, string> = new Map();
  readonly #pools: Record<"tlv-nodes" | "flag-fields-nodes" | "array-nodes", Value[]> = {
    "tlv-nodes": [],
    "flag-fields-nodes": [],
    "array-nodes": [],
  };

  constructor(parser: Parser) {
    this.#parser = parser;
    this.#tlvUses = parser.tlvNodes.map(() => 0);
    this.#subUses = parser.subNodes.map(() => 0);
    this.#count();
  }

  document(): Value {
    const p = this.#parser;
    const nodes = p.nodes.map((n, i) => this.#node(n, i, isExit(p, i)));
    const target = (index: number): string | undefined => (index < 0 ? undefined : String(index));
    return props({
      cpr: 1,
      minimized: unless(p.minimized, false),
      parsers: [
        props({
          "root-node": String(p.root),
          "okay-target": target(p.okayTarget),
          "fail-target": target(p.failTarget),
          "encap-target": target(p.encapTarget),
          "max-nodes": unless(p.maxNodes, 255),
          "max-encaps": unless(p.maxEncaps, 4),
          "max-frames": unless(p.frames, 4),
          "metameta-size": unless(p.metametaSize, 64),
          "frame-size": unless(p.frameSize, 256),
          "num-keys": unless(p.numKeys, 0),
        }),
      ],
      "parse-nodes": nodes,
      "tlv-nodes": some(this.#pools["tlv-nodes"]),
      "flag-fields-nodes": some(this.#pools["flag-fields-nodes"]),
      "array-nodes": some(this.#pools["array-nodes"]),
      counters: some(
        p.counters.map((c, i) =>
          props({
            name: String(i),
            "element-size": unless(c.elementSize, 0),
            "num-elements": unless(c.numElements, 0),
            max: unless(c.max, c.numElements),
            "reset-at-encap": unless(c.resetAtEncap, true),
            "error-exceeded": unless(c.errorExceeded, true),
            overwritable: unless(c.overwritable, true),
          }),
        ),
      ),
    });
  }

  #node(n: ParseNode, index: number, exit: boolean): Value {
    const auto =
      n.next !== null && n.next.select === null && n.next.table.length === 0 && n.next.wildcard >= 0;
    return props({
      name: String(index),
      "min-hdr-length": exit ? unless(n.minLen, 0) : n.minLen,
      "hdr-length": this.#hdrLength(n.hdrLen),
      short: unless(n.short, CODE.STOP_LENGTH),
      overlay: unless(n.overlay, false),
      encap: unless(n.encap, false),
      "zero-length-ok": unless(n.zeroLengthOk, false),
      "pre-checks": this.#checks(n.preChecks),
      ...this.#actions(n.actions),
      "tlv-parse-node": n.body?.kind === "tlvs" ? this.#tlvs(n.body, n.minLen) : undefined,
      "flag-fields-parse-node": n.body?.kind === "flags" ? this.#flags(n.body, n.minLen) : undefined,
      "array-parse-node": n.body?.kind === "array" ? this.#elements(n.body, n.minLen) : undefined,
      "post-metadata": this.#metadata(n.postMetadata),
      "cond-exprs": this.#checks(n.condExprs),
      "next-proto":
        n.next === null
          ? undefined
          : auto
            ? props({ "wildcard-node": String(n.next.wildcard) })
            : this.#next(n.next, CODE.STOP_UNKNOWN_PROTO, String),
    });
  }

  #next(next: Next, fallback: number, ref: (node: number) => Value): Value {
    const entries = this.#entries(next.table, ref);
    return props({
      ...(next.select === null ? {} : this.#load(next.select)),
      // an empty table is written: without one there would have to be a wildcard
      ents: next.select === null && next.wildcard >= 0 ? some(entries) : entries,
      "wildcard-node": next.wildcard < 0 ? undefined : ref(next.wildcard),
      default: unless(next.default, fallback),
    });
  }

  #entries(table: readonly Edge[], ref: (node: number) => Value): readonly Value[] {
    return table.map((e) => props({ key: e.key, node: ref(e.node) }));
  }

  #hdrLength(length: HdrLength): Value | undefined {
    switch (length.kind) {
      case "min":
        return undefined;
      case "rest":
        return "rest";
      case "flags":
        return props({ "flag-fields-length": true, clamp: unless(length.clamp, false) });
      case "amount":
        return props({ ...this.#amount(length.amount), clamp: unless(length.clamp, false) });
    }
  }

  #load(load: Load): Props & LoadText {
    const { source } = load;
    const max =
      source.kind === "field" ? fieldMax(source.len) : source.kind === "counter" ? 0xffff : 0xffffffff;
    const whole = ((max >>> load.shift) << load.shift) >>> 0;
    return {
      ...(source.kind === "field"
        ? {
            "field-off": source.off,
            "field-len": source.len,
            ...(source.little ? { endian: "little" as const } : {}),
          }
        : source.kind === "key"
          ? { "select-key": source.key }
          : source.kind === "counter"
            ? { "select-counter": String(source.counter) }
            : { remaining: true }),
      ...(load.mask === whole ? {} : { mask: load.mask }),
      ...(load.shift === 0 ? {} : { "right-shift": load.shift }),
    };
  }

  #amount(amount: Amount): Props {
    if (amount.load === null) return { constant: amount.add };
    return {
      ...this.#load(amount.load),
      multiplier: unless(amount.multiplier, 1),
      add: unless(amount.add, 0),
    };
  }

  /** A number where it is constant. */
  #short(amount: Amount): Value {
    return amount.load === null && amount.add <= 0xffff ? amount.add : props(this.#amount(amount));
  }

  #expr(expr: Expr): Value {
    if (expr.kind !== "compare") return props({ type: expr.kind, ents: expr.ents.map((e) => this.#expr(e)) });
    return props({ type: expr.op, ...this.#load(expr.load), value: expr.value });
  }

  #checks(checks: readonly Check[]): Value | undefined {
    if (checks.length === 0) return undefined;
    const ents = checks.map((c) =>
      props({
        type: c.expr.kind === "or" ? "or" : undefined,
        "default-fail": unless(c.fail, CODE.STOP_FAIL),
        ents: c.expr.kind === "compare" ? [this.#expr(c.expr)] : c.expr.ents.map((e) => this.#expr(e)),
      }),
    );
    return props({ ents });
  }

  #actions(actions: Actions): Props {
    const step = (moment: string) => (a: CounterAction) =>
      props({ name: String(a.counter), type: `${moment}_metadata_${a.kind}` });
    return {
      "counter-actions": some([...actions.pre.map(step("pre")), ...actions.post.map(step("post"))]),
      metadata: this.#metadata(actions.metadata),
    };
  }

  #metadata(list: readonly Metadata[]): Value | undefined {
    return list.length === 0 ? undefined : props({ ents: list.map((m) => this.#entry(m)) });
  }

  #entry(m: Metadata): Value {
    const t = m.target;
    return props({
      ...this.#value(m),
      ...(t.kind === "key"
        ? { "to-key": t.key }
        : {
            "md-off": t.off,
            "is-frame": unless(t.frame, false),
            endian: t.little ? "little" : undefined,
            "dst-shift": unless(t.shift, 0),
            "dst-bits": t.len > 4 ? undefined : unless(t.bits, 8 * t.len - t.shift),
            index: t.index === null ? undefined : String(t.index),
          }),
      when: m.when === null ? undefined : this.#expr(m.when),
    });
  }

  #value(m: Metadata): Props {
    const { value, target } = m;
    const len = target.kind === "key" ? undefined : unless(target.len, 2);
    switch (value.kind) {
      case "copy":
        return { type: "extract", "hdr-src-off": value.off, length: len };
      case "nibbles":
        return { type: "nibb_extract", "hdr-src-off": value.start, "nibb-length": value.count };
      case "constant":
        return { type: "constant", value: value.value, length: len };
      case "offset":
        return {
          type: value.bits ? "bit_offset" : "offset",
          "hdr-src-off": unless(value.add, 0),
          "from-end": unless(value.end, false),
          length: len,
        };
      case "length":
        return { type: "hdr_length", length: len };
      case "return_code":
        return { type: value.kind, length: target.kind === "key" ? undefined : unless(target.len, 4) };
      case "load":
        return { ...this.#extract(value.load, target.kind === "key" ? 2 : target.len), length: len };
      default:
        return { type: value.kind, length: len };
    }
  }

  #extract(load: Load, len: number): Props {
    const { source } = load;
    if (source.kind === "counter") return { type: "counter", counter: String(source.counter) };
    const text = this.#load(load);
    if (source.kind === "key")
      return { type: "key", key: source.key, mask: text.mask, "right-shift": text["right-shift"] };
    const field = source as Extract<typeof source, { kind: "field" }>;
    return {
      type: "extract",
      "hdr-src-off": field.off,
      "src-length": unless(field.len, Math.min(len, 4)),
      "src-endian": field.little ? "little" : undefined,
      mask: text.mask,
      "right-shift": text["right-shift"],
    };
  }

  #tlvs(t: Tlvs, unit: number): Value {
    const start = this.#short(t.start);
    return props({
      "start-offset": t.start.load === null && t.start.add === unit ? undefined : start,
      "tlv-type": props(this.#load(t.type)),
      "tlv-length": props(this.#amount(t.length)),
      "min-hdr-length": unless(t.minLen, 2),
      pad1: unless(t.pad1, -1),
      eol: unless(t.eol, -1),
      padn: unless(t.padn, -1),
      ents: some(this.#entries(t.table, (n) => this.#tlvRef(n))),
      "wildcard-node": t.wildcard < 0 ? undefined : this.#tlvRef(t.wildcard),
      default: unless(t.default, CODE.OKAY),
      "max-tlvs": unless(t.maxTlvs, 255),
      "max-non-padding": unless(t.maxNonPadding, 255),
      "max-padding-length": unless(t.maxPaddingLength, 255),
      "max-consecutive-padding": unless(t.maxConsecutivePadding, 255),
      "disp-limit-exceeded": unless(t.dispLimit, CODE.STOP_FAIL),
    });
  }

  #tlvRef(index: number): Value {
    if (this.#tlvUses[index] === 1) return this.#tlvNode(this.#parser.tlvNodes[index]!);
    let name = this.#sharedTlvs.get(index);
    if (name === undefined) {
      name = String(this.#sharedTlvs.size);
      this.#sharedTlvs.set(index, name);
      const at = this.#pools["tlv-nodes"].push("") - 1;
      this.#pools["tlv-nodes"][at] = this.#tlvNode(this.#parser.tlvNodes[index]!, name);
    }
    return name;
  }

  #tlvNode(n: TlvNode, name?: string): Value {
    return props({
      name,
      "min-hdr-length": unless(n.minLen, 0),
      "max-hdr-length": unless(n.maxLen, -1),
      "cond-exprs": this.#checks(n.checks),
      ...this.#actions(n.actions),
      "nested-node": n.nested === null ? undefined : this.#tlvs(n.nested, n.minLen),
      "overlay-node":
        n.overlay === null ? undefined : this.#next(n.overlay, CODE.OKAY, (i) => this.#tlvRef(i)),
    });
  }

  #flags(f: Flags, unit: number): Value {
    const { source } = f.load;
    const field = source.kind === "field" ? source : { off: 0, len: 1, little: false };
    return props({
      "flags-offset": field.off,
      "flags-length": field.len,
      "flags-mask": unless(f.load.mask, fieldMax(field.len)),
      endian: field.little ? "little" : undefined,
      "fields-offset": unless(f.start, unit),
      ents: some(
        f.fields.map((e) =>
          props({
            flag: e.flag,
            mask: unless(e.mask, e.flag),
            "field-len": unless(e.len, 2),
            node: e.node < 0 ? undefined : this.#subRef(e.node, "flag-fields-nodes"),
          }),
        ),
      ),
    });
  }

  #elements(a: Elements, unit: number): Value {
    const ref = (n: number): Value => this.#subRef(n, "array-nodes");
    return props({
      "num-els": this.#short(a.count),
      "start-offset": unless(a.start, unit),
      "el-length": a.elLen,
      "el-type": a.type === null ? undefined : props(this.#load(a.type)),
      ents: some(this.#entries(a.table, ref)),
      "wildcard-node": a.wildcard < 0 ? undefined : ref(a.wildcard),
      default: unless(a.default, CODE.STOP_UNKNOWN_PROTO),
      "max-els": unless(a.maxEls, 255),
    });
  }

  #subRef(index: number, pool: "flag-fields-nodes" | "array-nodes"): Value {
    if (this.#subUses[index] === 1) return this.#subNode(this.#parser.subNodes[index]!);
    const key = `${pool} ${index}`;
    let name = this.#sharedSubs.get(key);
    if (name === undefined) {
      name = String(this.#pools[pool].length);
      this.#sharedSubs.set(key, name);
      this.#pools[pool].push(this.#subNode(this.#parser.subNodes[index]!, name));
    }
    return name;
  }

  #subNode(n: SubNode, name?: string): Value {
    return props({ name, "cond-exprs": this.#checks(n.checks), ...this.#actions(n.actions) });
  }

  #count(): void {
    const tlvs = (t: Tlvs): void => {
      for (const e of t.table) this.#tlvUses[e.node]!++;
      if (t.wildcard >= 0) this.#tlvUses[t.wildcard]!++;
    };
    const subs = (edges: readonly { readonly node: number }[]): void => {
      for (const e of edges) if (e.node >= 0) this.#subUses[e.node]!++;
    };
    for (const { body } of this.#parser.nodes) {
      if (body?.kind === "tlvs") tlvs(body);
      else if (body?.kind === "flags") subs(body.fields);
      else if (body?.kind === "array") subs([...body.table, { node: body.wildcard }]);
    }
    for (const n of this.#parser.tlvNodes) {
      if (n.nested !== null) tlvs(n.nested);
      for (const e of n.overlay?.table ?? []) this.#tlvUses[e.node]!++;
      if (n.overlay !== null && n.overlay.wildcard >= 0) this.#tlvUses[n.overlay.wildcard]!++;
    }
  }
}

/** An exit target outside the graph proper: its minimum length need not be written. */
function isExit(p: Parser, index: number): boolean {
  return index === p.okayTarget || index === p.failTarget || index === p.encapTarget;
}
