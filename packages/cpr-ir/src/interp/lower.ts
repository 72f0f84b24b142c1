/**
 * A parser as the interpreter's steps, each node's in the order of `cpr.md` section 2. Where two things of a parser
 * become one step (a plain load to as many bytes is a copy), both mean the same.
 *
 * Chains are made from their ends: a function is given what follows and gives what comes first.
 */
import * as at from "../../engine/layout.ts";
import { CODE } from "../ir/codes.ts";
import * as ir from "../ir/types.ts";
import type { Elements, Flags, Program, Step, Table, TlvNode, Tlvs } from "./steps.ts";

type MemoryTarget = Extract<ir.MdTarget, { kind: "memory" }>;
type Chain = Step | null;

/** Lower a parser. */
export function lower(parser: ir.Parser): Program {
  const l = new Lowering(parser);
  return {
    nodes: parser.nodes.map((n, i) => l.node(n, i)),
    okay: l.exit(parser.okayTarget),
    fail: l.exit(parser.failTarget),
    encap: l.exit(parser.encapTarget),
    tlvNodes: parser.tlvNodes.map((n) => l.tlvNode(n)),
    elements: parser.subNodes.map((n) => l.unit(n.checks, n.actions, NOTHING)),
  };
}

class Lowering {
  readonly #p: ir.Parser;

  constructor(parser: ir.Parser) {
    this.#p = parser;
  }

  node(n: ir.ParseNode, index: number): Step {
    const post = this.writes(n.postMetadata, this.#leave(n));
    // the codes that end a node well end what is before its metadata's end only
    const unit = this.unit(n.preChecks, n.actions, this.#body(n.body, post), post);
    return step(
      { kind: at.ENTER, to: index, len: n.minLen, value: n.short, flag: n.hdrLen.kind === "min" ? 1 : 0 },
      header(n, unit),
    );
  }

  /** What an exit node does: its metadata, nothing else. */
  exit(index: number): Chain {
    return index < 0 ? null : this.writes(this.#p.nodes[index]!.actions.metadata, null);
  }

  /** A leaf ends; others go on: encapsulation, conditions, look-up. */
  #leave({ next, overlay, zeroLengthOk, condExprs, encap }: ir.ParseNode): Step {
    if (next === null) return step({ kind: at.STOP, value: CODE.STOP_OKAY }, null);
    const flags = { flag: (overlay ? at.OVERLAY : 0) | (zeroLengthOk ? at.ZERO_LENGTH_OK : 0) };
    const go =
      next.select === null
        ? step(
            next.wildcard < 0
              ? { kind: at.STOP, value: next.default }
              : { kind: at.GO, to: next.wildcard, ...flags },
            null,
          )
        : load(next.select, step({ kind: at.LOOKUP, table: table(next, "nodes"), ...flags }, null));
    const tests = checks(condExprs, go, null)!;
    return encap ? step({ kind: at.ENCAP }, tests) : tests;
  }

  #body(body: ir.ParseNode["body"], next: Step): Step {
    if (body === null) return next;
    if (body.kind === "tlvs") return step({ kind: at.TLVS, tlvs: this.#tlvs(body) }, next);
    if (body.kind === "flags") return step({ kind: at.FLAGS, flags: this.#flags(body) }, next);
    return step({ kind: at.ARRAY, elements: elements(body) }, next);
  }

  tlvNode(n: ir.TlvNode): TlvNode {
    return {
      minLen: n.minLen,
      maxLen: n.maxLen,
      steps: this.unit(n.checks, n.actions, null),
      nested: n.nested === null ? null : this.#tlvs(n.nested),
      overlay: n.overlay === null ? null : table(n.overlay, "tlvNodes"),
      key: n.overlay === null || n.overlay.select === null ? null : load(n.overlay.select, GIVE),
    };
  }

  #tlvs(t: ir.Tlvs): Tlvs {
    return {
      start: amount(t.start, GIVE),
      length: amount(t.length, GIVE),
      type: load(t.type, GIVE),
      minLen: t.minLen,
      pad1: t.pad1,
      eol: t.eol,
      padn: t.padn,
      table: table({ ...t, select: t.type }, "tlvNodes"),
      maxTlvs: t.maxTlvs,
      maxNonPadding: t.maxNonPadding,
      maxPaddingLength: t.maxPaddingLength,
      maxConsecutivePadding: t.maxConsecutivePadding,
      dispLimit: t.dispLimit,
    };
  }

  #flags(f: ir.Flags): Flags {
    const fields = f.fields.map(({ flag, mask, len, node }) => {
      const sub = this.#p.subNodes[node];
      // a condition of a field that does not hold has a code of its own
      const own = sub?.checks.map((c) => ({ ...c, fail: CODE.STOP_COMPARE })) ?? [];
      const steps = sub === undefined ? null : this.unit(own, sub.actions, null);
      return { flag: flag | 0, mask: mask | 0, len, handled: node >= 0, steps };
    });
    return { ...flagSizes(f), fields };
  }

  /** Checks, counters, metadata, counters. */
  unit(conditions: readonly ir.Check[], actions: ir.Actions, next: Step, good?: Chain): Step;
  unit(conditions: readonly ir.Check[], actions: ir.Actions, next: Chain, good?: Chain): Chain;
  unit(
    conditions: readonly ir.Check[],
    { pre, metadata, post }: ir.Actions,
    next: Chain,
    good: Chain = null,
  ): Chain {
    return checks(conditions, this.#counts(pre, this.writes(metadata, this.#counts(post, next))), good);
  }

  #counts(list: readonly ir.CounterAction[], next: Chain): Chain {
    return list.reduceRight((to, { counter, kind }) => {
      const { max, errorExceeded } = this.#p.counters[counter]!;
      const value = errorExceeded ? CODE.STOP_CNTR1 - counter : CODE.OKAY;
      return step({ kind: kind === "inc" ? at.COUNT_UP : at.RESET, to: counter, count: max, value }, to);
    }, next);
  }

  writes(list: readonly ir.Metadata[], next: Step): Step;
  writes(list: readonly ir.Metadata[], next: Chain): Chain;
  writes(list: readonly ir.Metadata[], next: Chain): Chain {
    return list.reduceRight((to, m) => {
      const first = this.#write(m, to);
      return m.when === null ? first : when(m.when, first, to);
    }, next);
  }

  #write({ value: v, target: t }: ir.Metadata, next: Chain): Step {
    if (t.kind === "key") return number(v, 32, step({ kind: at.STORE_KEY, to: t.key }, next));
    if (t.index === null) return written(v, t, next);
    const { elementSize: scale, numElements: count, overwritable } = this.#p.counters[t.index]!;
    const flag = overwritable && count > 0 ? 1 : 0;
    const element = { kind: at.ARRAY_ELEMENT, off: t.index, scale, count, flag, other: next };
    // a number that does not fit is -25 even where the element to write is not there
    if (v.kind === "offset" || v.kind === "length") return number(v, t.bits, step(element, store(t, next)));
    return step(element, written(v, t, next));
  }
}

/** Whatever the header's length is. */
function header(n: ir.ParseNode, next: Step): Step {
  const { hdrLen } = n;
  switch (hdrLen.kind) {
    case "min":
      return next;
    case "rest":
      return step({ kind: at.REST }, next);
    case "amount": {
      const { load: from, multiplier: scale, add: value } = hdrLen.amount;
      const check = { kind: at.HEADER, len: n.minLen, flag: hdrLen.clamp ? 1 : 0 };
      if (from === null) return constant(value, step({ ...check, scale: 1 }, next));
      return load(from, step({ ...check, scale, value }, next));
    }
    case "flags": {
      const check = step({ kind: at.HEADER, len: n.minLen, scale: 1, flag: hdrLen.clamp ? 1 : 0 }, next);
      const flags = n.body as ir.Flags;
      return load(flags.load, step({ kind: at.FLAGS_LENGTH, flags: flagSizes(flags) }, check));
    }
  }
}

function flagSizes(f: ir.Flags): Flags {
  return {
    load: load(f.load, GIVE),
    start: f.start,
    fields: f.fields.map(({ flag, mask, len }) => ({
      flag: flag | 0,
      mask: mask | 0,
      len,
      handled: false,
      steps: null,
    })),
  };
}

function elements(e: ir.Elements): Elements {
  return {
    count: amount(e.count, GIVE),
    start: e.start,
    elLen: e.elLen,
    type: e.type === null ? constant(0, GIVE) : load(e.type, GIVE),
    table: table({ ...e, select: NO_LOAD }, "elements"),
    maxEls: e.maxEls,
  };
}

/** What an entry writes to memory. */
function written(v: ir.MdValue, t: MemoryTarget, next: Chain): Step {
  const put = placed(t);
  if (v.kind === "nibbles") return step({ ...put, kind: at.NIBBLES, off: v.start, count: v.count }, next);
  const plain = copied(v, t);
  if (plain !== null) {
    const reverse = plain.little === t.little ? 0 : 1;
    return step({ ...put, kind: at.COPY, off: plain.off, little: reverse }, next);
  }
  return number(v, t.bits, store(t, next));
}

/** Where a step writes. */
function placed({ off: to, len, little, frame, index }: MemoryTarget): Partial<Step> {
  return { to, len, little: little ? 1 : 0, frame: frame ? -1 : 0, element: index === null ? 0 : -1 };
}

/** The number of the step before, stored. */
function store(t: MemoryTarget, next: Chain): Step {
  const { len, bits, shift } = t;
  const kind = bits === 8 * len ? STORE[len] : undefined;
  if (kind !== undefined) return step({ ...placed(t), kind }, next);
  return step({ ...placed(t), kind: at.STORE_BITS, mask: ones(bits) << shift, shift }, next);
}

/** The bytes that are copied unchanged, though perhaps in the other order; null: none. */
function copied(v: ir.MdValue, t: MemoryTarget): { readonly off: number; readonly little: boolean } | null {
  if (v.kind === "copy") return { off: v.off, little: false };
  if (v.kind !== "load" || v.load.source.kind !== "field") return null;
  const { source, mask, shift } = v.load;
  const whole = mask === ir.fieldMax(source.len) && shift === 0;
  return whole && source.len === t.len && t.bits === 8 * t.len ? source : null;
}

/** Kinds of step by a comparison's name. */
const COMPARE: Readonly<Record<ir.CompareOp, number>> = {
  equal: at.EQUAL,
  not_equal: at.NOT_EQUAL,
  greater_than: at.GREATER_THAN,
  greater_or_equal: at.GREATER_OR_EQUAL,
  less_than: at.LESS_THAN,
  less_or_equal: at.LESS_OR_EQUAL,
};

/** Kinds of step by the bytes that are written. */
const STORE: Readonly<Record<number, number>> = { 1: at.STORE8, 2: at.STORE16, 4: at.STORE32 };

/** The number that an entry writes; an offset or length must have no more than `bits` bits. */
function number(v: ir.MdValue, bits: number, next: Step): Step {
  const mask = ones(bits);
  switch (v.kind) {
    case "load":
      return load(v.load, next);
    case "constant":
      return constant(v.value, next);
    case "offset": {
      const kind = v.bits ? (v.end ? at.END_BITS : at.START_BITS) : v.end ? at.END : at.START;
      return join(step({ kind, value: v.add, mask }, next), next);
    }
    case "length":
      return step({ kind: at.LENGTH, mask }, next);
    case "num_encaps":
      return step({ kind: at.ENCAPS }, next);
    case "num_nodes":
      return step({ kind: at.NODES }, next);
    case "return_code":
      return step({ kind: at.CODE }, next);
    default:
      // copies and nibbles write no number
      return next;
  }
}

/** Conditions in order, each with the code of its end; `good`: where the codes go that end a node well. */
function checks(list: readonly ir.Check[], next: Chain, good: Chain): Chain {
  return list.reduceRight((to, { expr, fail }) => {
    const well = fail === CODE.STOP_NODE_OKAY || fail === CODE.STOP_SUB_NODE_OKAY;
    return when(expr, to, well && good !== null ? good : step({ kind: at.STOP, value: fail }, null));
  }, next);
}

/** On to `yes` where a condition holds, else to `no`. */
function when(e: ir.Expr, yes: Chain, no: Chain): Step {
  if (e.kind === "compare") {
    const test = step({ kind: COMPARE[e.op], value: e.value | 0 }, yes);
    return load(e.load, step({ ...test, other: failed(load(e.load, test), no) }, yes));
  }
  // from the last to the first: whether those behind it are looked at
  return e.ents.reduceRight(
    (to, part) => (e.kind === "and" ? when(part, to, no) : when(part, yes, to)),
    e.kind === "and" ? yes : no,
  )!;
}

/** Where a test (of one step, or of a load and a comparison) that fails leads: the same test again fails again. */
function failed(test: Step, no: Chain): Chain {
  let to = no;
  while (to !== null && same(test, to)) {
    if (test.kind === at.FIELD_EQUAL || test.kind === at.FIELD_NOT_EQUAL) to = to.other;
    else if (same(test.next!, to.next!)) to = to.next!.other;
    else break;
  }
  return to;
}

function same(a: Step, b: Step): boolean {
  const load = a.off === b.off && a.len === b.len && a.little === b.little;
  return load && a.kind === b.kind && a.mask === b.mask && a.shift === b.shift && a.value === b.value;
}

function amount({ load: from, multiplier: scale, add }: ir.Amount, next: Step): Step {
  if (from === null) return constant(add, next);
  return load(from, scale === 1 && add === 0 ? next : step({ kind: at.AMOUNT, scale, value: add }, next));
}

function constant(value: number, next: Step): Step {
  return join(step({ kind: at.CONSTANT, value: value | 0 }, next), next);
}

function load({ source, mask: bits, shift }: ir.Load, next: Step): Step {
  const mask = bits | 0;
  if (source.kind === "key") return step({ kind: at.KEY, off: source.key, mask, shift }, next);
  if (source.kind === "counter") return step({ kind: at.COUNTER, off: source.counter, mask, shift }, next);
  if (source.kind === "remaining") return step({ kind: at.REMAINING, mask, shift }, next);
  const { off, len } = source;
  const little = source.little ? 1 : 0;
  if (little === 1 && len > 1) return step({ kind: at.BYTES, off, len, little, mask, shift }, next);
  // as the upper bytes of four
  const up = 32 - 8 * len;
  return join(step({ kind: at.FIELD, off, mask: mask << up, shift: shift + up }, next), next);
}

/** A number and what is done with it, in one step where there is one for both. */
function join(number: Step, use: Step): Step {
  const kind = PAIRS.get(number.kind)?.[use.kind];
  if (kind === undefined) return number;
  const { off, mask, shift, value } = number;
  // a load's place or a number's value: neither kind of use has both
  const made = number.kind === at.FIELD ? {} : { value };
  return step({ ...use, kind, off, mask, shift, ...made }, use.next);
}

const PAIRS: ReadonlyMap<number, Readonly<Record<number, number>>> = /* @__PURE__ */ (() =>
  new Map<number, Readonly<Record<number, number>>>([
    [
      at.FIELD,
      {
        [at.HEADER]: at.FIELD_HEADER,
        [at.GIVE]: at.FIELD_GIVE,
        [at.EQUAL]: at.FIELD_EQUAL,
        [at.NOT_EQUAL]: at.FIELD_NOT_EQUAL,
        [at.LOOKUP]: at.FIELD_LOOKUP,
      },
    ],
    [at.CONSTANT, { [at.GIVE]: at.CONSTANT_GIVE, [at.STORE8]: at.CONSTANT_STORE8 }],
    [at.START, { [at.STORE16]: at.START_STORE16 }],
  ]))();

function ones(bits: number): number {
  return bits === 32 ? -1 : (1 << bits) - 1;
}

/** The end of a chain that may be empty otherwise. */
const NOTHING: Step = /* @__PURE__ */ (() => step({ kind: at.STOP }, null))();
const NO_EDGES: readonly ir.Edge[] = [];

/** A look-up. */
function table({ select, table: edges, wildcard, default: miss }: ir.Next, of: Table["of"]): Table {
  // without a load every look-up is a miss
  return { of, rows: select === null ? NO_EDGES : edges, wildcard, default: miss };
}

const NO_LOAD: ir.Load = { source: { kind: "remaining" }, mask: 0, shift: 0 };

function step(s: Partial<Step> & { readonly kind: number }, next: Chain): Step {
  return {
    kind: s.kind,
    next,
    other: s.other ?? null,
    off: s.off ?? 0,
    mask: s.mask ?? 0,
    shift: s.shift ?? 0,
    value: s.value ?? 0,
    scale: s.scale ?? 0,
    to: s.to ?? 0,
    frame: s.frame ?? 0,
    element: s.element ?? 0,
    len: s.len ?? 0,
    little: s.little ?? 0,
    count: s.count ?? 0,
    flag: s.flag ?? 0,
    table: s.table ?? null,
    tlvs: s.tlvs ?? null,
    flags: s.flags ?? null,
    elements: s.elements ?? null,
  };
}

const GIVE: Step = /* @__PURE__ */ (() => step({ kind: at.GIVE }, null))();
