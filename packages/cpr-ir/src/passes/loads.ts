/** Loads, amounts, conditions and metadata of one unit, resolved. */
import { CODE } from "../ir/codes.ts";
import type {
  AmountText,
  ChecksText,
  CounterActionText,
  ExprText,
  LoadText,
  MetadataListText,
  MetadataText,
} from "../ir/document.ts";
import {
  type Actions,
  ALL_ONES,
  type Amount,
  type Check,
  type CompareOp,
  type CounterAction,
  type Expr,
  fieldMax,
  type Load,
  type MdTarget,
  type MdValue,
  type Metadata,
  type Source,
} from "../ir/types.ts";
import { COMPARISONS, joins, num, type Scope, type Unit } from "./scope.ts";

const ZERO: Load = { source: { kind: "field", off: 0, len: 1, little: false }, mask: 0, shift: 0 };

/** A load; its mask is cut to the bits that survive the shift, so that one selection has one spelling. */
export function resolveLoad(scope: Scope, text: LoadText, unit: Unit): Load {
  const found = resolveSource(scope, text, unit);
  if (found === null) return ZERO;
  const [source, max] = found;
  const mask = num(text.mask, max);
  if (mask > max)
    scope.error(
      "cpr.mask",
      `the mask has bits outside the ${source.kind}'s ${max.toString(16)}`,
      text,
      "mask",
    );
  const shift = num(text["right-shift"], 0);
  return { source, mask: ((mask >>> shift) << shift) >>> 0, shift };
}

function resolveSource(scope: Scope, text: LoadText, unit: Unit): [Source, number] | null {
  const given = [
    text["field-off"] !== undefined || text["field-len"] !== undefined,
    text["select-key"] !== undefined,
    text["select-counter"] !== undefined,
    text.remaining === true,
  ].filter((g) => g).length;
  if (given !== 1) {
    scope.error(
      "cpr.source",
      "exactly one source is needed: field-off with field-len, select-key, select-counter or remaining",
      text,
    );
    return null;
  }
  if (text.remaining === true) {
    if (unit.what === "exit node") scope.error("cpr.exit", "an exit node has no header to count from", text);
    return [{ kind: "remaining" }, ALL_ONES];
  }
  if (text["select-key"] !== undefined) {
    checkKey(scope, num(text["select-key"], 0), text, "select-key");
    return [{ kind: "key", key: num(text["select-key"], 0) }, ALL_ONES];
  }
  if (text["select-counter"] !== undefined)
    return [
      { kind: "counter", counter: scope.counter(text["select-counter"], text, "select-counter") },
      0xffff,
    ];
  const len = num(text["field-len"], 0);
  if (text["field-off"] === undefined || len === 0) {
    scope.error("cpr.source", "field-off and field-len (1 to 4) are both needed", text);
    return null;
  }
  const off = num(text["field-off"], 0);
  inside(scope, off, len, unit, text, "field-off");
  return [{ kind: "field", off, len, little: text.endian === "little" && len > 1 }, fieldMax(len)];
}

/** A load must lie in the bytes that were checked before it. */
function inside(scope: Scope, off: number, len: number, unit: Unit, item: object, property: string): void {
  if (off + len <= unit.bytes) return;
  scope.error(
    "cpr.beyond",
    unit.what === "exit node"
      ? "an exit node has no header to load from"
      : `bytes ${off} to ${off + len - 1} lie beyond the ${unit.bytes} bytes of the ${unit.what} that are known to be there`,
    item,
    property,
    unit.what === "exit node" ? undefined : `a minimum length of ${off + len}`,
  );
}

function checkKey(scope: Scope, key: number, item: object, property: string): void {
  if (key >= scope.geometry.keys)
    scope.error(
      "cpr.key",
      `key register ${key}: the parser has ${scope.geometry.keys} (num-keys)`,
      item,
      property,
    );
}

/** Largest value of a load. */
export function loadMax(load: Load): number {
  return load.mask >>> load.shift;
}

/** An amount: a constant, or a load multiplied and added to; below 2^31. */
export function resolveAmount(scope: Scope, text: AmountText | number, unit: Unit): Amount {
  if (typeof text === "number") return { load: null, multiplier: 1, add: text };
  if (text.constant !== undefined) {
    const others = Object.keys(text).filter(
      (k) => k !== "constant" && k !== "comment" && k !== "clamp" && k !== "flag-fields-length",
    );
    if (others.length > 0)
      scope.error("cpr.amount", `constant stands alone, not with ${others.join(", ")}`, text);
    return { load: null, multiplier: 1, add: num(text.constant, 0) };
  }
  const load = resolveLoad(scope, text, unit);
  const multiplier = num(text.multiplier, 1);
  const add = num(text.add, 0);
  if (loadMax(load) * multiplier + add > 0x7fffffff)
    scope.error("cpr.amount", "the value can exceed 2^31 - 1", text, "multiplier", "a mask");
  return { load, multiplier, add };
}

/** Conditions in order. */
export function resolveChecks(
  scope: Scope,
  text: ChecksText | undefined,
  unit: Unit,
  inner: boolean,
): Check[] {
  if (text === undefined) return [];
  let ents = text.ents ?? [];
  if (text.list !== undefined) {
    if (text.ents !== undefined) scope.error("cpr.both", "ents and list exclude each other", text, "list");
    ents = scope.find(scope.checkLists, text.list, text, "list")?.ents ?? [];
  }
  scope.spend(ents.length);
  return ents.map((check) => ({
    expr: join(scope, check.type ?? "and", check.ents, check, unit),
    fail: scope.stop(check["default-fail"], CODE.STOP_FAIL, inner, check, "default-fail"),
  }));
}

function join(scope: Scope, kind: "and" | "or", ents: readonly ExprText[], item: object, unit: Unit): Expr {
  scope.spend(ents.length);
  if (ents.length === 0) scope.error("cpr.empty", "a condition without parts", item, "ents");
  if (ents.length === 1) return resolveExpr(scope, ents[0]!, unit);
  return { kind, ents: ents.map((e) => resolveExpr(scope, e, unit)) };
}

/** A condition. */
export function resolveExpr(scope: Scope, text: ExprText, unit: Unit): Expr {
  if (joins(text)) {
    if (text.value !== undefined) scope.error("cpr.expr", "and, or compare no value", text, "value");
    return join(scope, text.type as "and" | "or", text.ents ?? [], text, unit);
  }
  if (text.ents !== undefined) scope.error("cpr.expr", "only and, or have parts", text, "ents");
  if (text.value === undefined) scope.error("cpr.expr", "a comparison needs a value", text);
  const op = (COMPARISONS.has(text.type ?? "") ? text.type : "equal") as CompareOp;
  return { kind: "compare", op, load: resolveLoad(scope, text, unit), value: num(text.value, 0) };
}

/** Counter steps and metadata of a unit. */
export function resolveActions(
  scope: Scope,
  text: { metadata?: MetadataListText; "counter-actions"?: CounterActionText[] },
  unit: Unit,
): Actions {
  const steps = (moment: string): CounterAction[] =>
    (text["counter-actions"] ?? [])
      .filter((a) => a.type.startsWith(moment))
      .map((a) => ({
        counter: scope.counter(a.name, a, "name"),
        kind: a.type.endsWith("_inc") ? "inc" : "reset",
      }));
  const pre = steps("pre_");
  const metadata = resolveMetadataList(scope, text.metadata, unit);
  return { pre, metadata, post: steps("post_") };
}

/** Entries of a list, named ones included. */
export function resolveMetadataList(
  scope: Scope,
  text: MetadataListText | undefined,
  unit: Unit,
): Metadata[] {
  if (text === undefined) return [];
  const ents = [...(text.ents ?? [])];
  if (text.list !== undefined) {
    if (text.ents !== undefined) scope.error("cpr.both", "ents and list exclude each other", text, "list");
    const named = scope.find(scope.metadataLists, text.list, text, "list");
    ents.push(...(named?.ents ?? []));
    for (const name of named?.list ?? []) {
      const object = scope.find(scope.metadataObjects, name, named!, "list");
      if (object !== null) ents.push(object);
    }
  }
  scope.spend(ents.length);
  return ents.map((e) => resolveMetadata(scope, e, unit));
}

/** Properties that each type of entry uses, beside those of the target. */
const USES: Readonly<Record<string, readonly string[]>> = {
  extract: ["hdr-src-off", "src-length", "src-endian", "mask", "right-shift"],
  nibb_extract: ["hdr-src-off", "nibb-length"],
  constant: ["value"],
  offset: ["hdr-src-off", "from-end"],
  bit_offset: ["hdr-src-off", "from-end"],
  hdr_length: [],
  num_encaps: [],
  num_nodes: [],
  return_code: [],
  counter: ["counter"],
  key: ["key", "mask", "right-shift"],
};
const VALUE_PROPERTIES: ReadonlySet<string> = /* @__PURE__ */ (() => new Set(Object.values(USES).flat()))();
const EXIT_TYPES = new Set(["constant", "num_encaps", "num_nodes", "return_code", "counter", "key"]);

function resolveMetadata(scope: Scope, text: MetadataText, unit: Unit): Metadata {
  const type = text.type ?? (text.value !== undefined ? "constant" : "extract");
  for (const property of Object.keys(text))
    if (VALUE_PROPERTIES.has(property) && !USES[type]!.includes(property))
      scope.error("cpr.metadata", `${property} has no meaning for type ${type}`, text, property);
  if (unit.what === "exit node" && !EXIT_TYPES.has(type))
    scope.error("cpr.exit", `type ${type} in an exit node, which has no header`, text, "type");
  const target = resolveTarget(scope, text, type);
  const value = resolveValue(scope, text, type, target, unit);
  const when = text.when === undefined ? null : resolveExpr(scope, text.when, unit);
  return { value, target, when };
}

function resolveTarget(scope: Scope, text: MetadataText, type: string): MdTarget {
  if (text["to-key"] !== undefined) {
    for (const property of ["md-off", "is-frame", "index", "dst-shift", "dst-bits", "endian"] as const)
      if (text[property] !== undefined)
        scope.error("cpr.metadata", `${property} has no meaning with to-key`, text, property);
    checkKey(scope, num(text["to-key"], 0), text, "to-key");
    return { kind: "key", key: num(text["to-key"], 0) };
  }
  if (text["md-off"] === undefined) scope.error("cpr.missing", "md-off or to-key is needed", text);
  const len = targetLength(scope, text, type);
  const shift = num(text["dst-shift"], 0);
  const whole = Math.max(8 * len - shift, 0);
  const bits = num(text["dst-bits"], whole);
  if (len <= 4 && (bits > whole || whole === 0))
    scope.error("cpr.metadata", `bits ${shift} to ${shift + bits - 1} of ${8 * len}`, text, "dst-bits");
  const frame = text["is-frame"] === true;
  const off = num(text["md-off"], 0);
  const index = text.index === undefined ? null : scope.counter(text.index, text, "index");
  const array = index === null ? null : scope.counters[index]!;
  const last = off + len + (array === null ? 0 : array.elementSize * Math.max(array.numElements - 1, 0));
  const room = frame ? scope.geometry.frame : scope.geometry.metameta;
  if (last > room)
    scope.error(
      "cpr.room",
      `bytes up to ${last - 1} of ${frame ? "a frame" : "the metameta area"} of ${room} bytes`,
      text,
      "md-off",
    );
  const little = text.endian === "little" && len > 1;
  return { kind: "memory", frame, off, len, little, shift, bits: len > 4 ? 0 : bits, index };
}

function targetLength(scope: Scope, text: MetadataText, type: string): number {
  if (type !== "nibb_extract") {
    const len = num(text.length, type === "return_code" ? 4 : 2);
    if (len > 4 && type !== "extract")
      scope.error("cpr.metadata", `type ${type} writes 1 to 4 bytes`, text, "length");
    return len;
  }
  const len = nibbleBytes(num(text["hdr-src-off"], 0), num(text["nibb-length"], 2));
  if (text.length !== undefined && num(text.length, 0) !== len)
    scope.error("cpr.metadata", `these nibbles fill ${len} bytes`, text, "length");
  return len;
}

/** Bytes that nibbles fill: an odd first one stands alone in the first byte, a lone last one in the last. */
export function nibbleBytes(start: number, count: number): number {
  return (start & 1) === 1 ? 1 + (count >> 1) : (count + 1) >> 1;
}

function resolveValue(scope: Scope, text: MetadataText, type: string, target: MdTarget, unit: Unit): MdValue {
  const bits = target.kind === "key" ? 32 : target.bits;
  const largest = bits >= 32 ? ALL_ONES : 2 ** bits - 1;
  const fits = (max: number, property: string): void => {
    if (max > largest)
      scope.error("cpr.metadata", `values up to ${max} do not fit ${bits} bits`, text, property);
  };
  const src = num(text["hdr-src-off"], 0);
  switch (type) {
    case "extract":
      return resolveExtract(scope, text, target, unit, fits);
    case "nibb_extract": {
      const count = num(text["nibb-length"], 2);
      if (target.kind === "key" || text["dst-bits"] !== undefined || text["dst-shift"] !== undefined)
        scope.error("cpr.metadata", "nibbles go to whole bytes of memory", text);
      inside(scope, src >> 1, ((src + count + 1) >> 1) - (src >> 1), unit, text, "hdr-src-off");
      return { kind: "nibbles", start: src, count };
    }
    case "constant":
      if (text.value === undefined) scope.error("cpr.missing", "value is needed", text);
      fits(num(text.value, 0), "value");
      return { kind: "constant", value: num(text.value, 0) };
    case "offset":
    case "bit_offset":
      return { kind: "offset", end: text["from-end"] === true, bits: type === "bit_offset", add: src };
    case "hdr_length":
      return { kind: "length" };
    case "num_nodes":
      fits(scope.geometry.maxNodes, "length");
      return { kind: type };
    case "num_encaps":
      fits(scope.geometry.maxEncaps + 1, "length");
      return { kind: type };
    case "return_code":
      return { kind: type };
    case "counter": {
      if (text.counter === undefined) scope.error("cpr.missing", "counter is needed", text);
      const counter = text.counter === undefined ? 0 : scope.counter(text.counter, text, "counter");
      fits(scope.counters[counter]?.max ?? 0, "counter");
      return { kind: "load", load: { source: { kind: "counter", counter }, mask: 0xffff, shift: 0 } };
    }
    default: {
      if (text.key === undefined) scope.error("cpr.missing", "key is needed", text);
      const key = num(text.key, 0);
      checkKey(scope, key, text, "key");
      const shift = num(text["right-shift"], 0);
      const load: Load = {
        source: { kind: "key", key },
        mask: ((num(text.mask, ALL_ONES) >>> shift) << shift) >>> 0,
        shift,
      };
      fits(loadMax(load), "mask");
      return { kind: "load", load };
    }
  }
}

/** Bytes as they are, or a number where mask, shift, another length or bits of the target say so. */
function resolveExtract(
  scope: Scope,
  text: MetadataText,
  target: MdTarget,
  unit: Unit,
  fits: (max: number, property: string) => void,
): MdValue {
  if (text["hdr-src-off"] === undefined) scope.error("cpr.missing", "hdr-src-off is needed", text);
  const off = num(text["hdr-src-off"], 0);
  const dst = target.kind === "key" ? num(text.length, 2) : target.len;
  const len = num(text["src-length"], Math.min(dst, 4));
  const number =
    target.kind === "key" ||
    len !== Math.min(dst, 4) ||
    target.bits !== (dst > 4 ? 0 : 8 * dst) ||
    (text["src-endian"] === "little" && len > 1) ||
    num(text["right-shift"], 0) !== 0 ||
    num(text.mask, fieldMax(len)) !== fieldMax(len);
  if (!number) {
    inside(scope, off, dst, unit, text, "hdr-src-off");
    return { kind: "copy", off };
  }
  if (dst > 4) scope.error("cpr.metadata", "a number has 1 to 4 bytes", text, "length");
  inside(scope, off, len, unit, text, "hdr-src-off");
  const max = fieldMax(len);
  const mask = num(text.mask, max);
  if (mask > max) scope.error("cpr.mask", `the mask has bits outside a field of ${len} bytes`, text, "mask");
  const shift = num(text["right-shift"], 0);
  const source: Source = { kind: "field", off, len, little: text["src-endian"] === "little" && len > 1 };
  const load: Load = { source, mask: ((mask >>> shift) << shift) >>> 0, shift };
  fits(loadMax(load), "mask");
  return { kind: "load", load };
}
