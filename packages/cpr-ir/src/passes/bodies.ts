/** TLVs, flag fields and arrays of a header, resolved. */
import { CODE } from "../ir/codes.ts";
import type {
  AmountText,
  ArrayText,
  EntryText,
  FlagsText,
  LookupText,
  SubNodeText,
  TlvNodeText,
  TlvsText,
} from "../ir/document.ts";
import {
  type Edge,
  type Elements,
  type Flags,
  fieldMax,
  type Load,
  type Next,
  type SubNode,
  type TlvNode,
  type Tlvs,
} from "../ir/types.ts";
import { loadMax, resolveActions, resolveAmount, resolveChecks, resolveLoad } from "./loads.ts";
import { num, type Pool, type Scope, type Unit } from "./scope.ts";

/** Lists in lists, look-ups in look-ups: at most this many levels. */
export const MAX_LEVELS = 8;

/** TLV nodes and handlers of fields and elements, numbered by first meeting. */
export class Bodies {
  readonly tlvNodes: TlvNode[] = [];
  readonly subNodes: SubNode[] = [];
  readonly #scope: Scope;
  readonly #tlvIndex: Map<object, number> = new Map();
  readonly #subIndex: Map<object, number> = new Map();
  /** Levels below a resolved TLV node; -1 while it is being resolved. */
  readonly #levels: number[] = [];
  #deepest = 0;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  tlvs(text: TlvsText, unit: Unit): Tlvs {
    const scope = this.#scope;
    const minLen = num(text["min-hdr-length"], 2);
    const tlv: Unit = { bytes: minLen, what: "TLV" };
    const type = resolveLoad(scope, text["tlv-type"], tlv);
    const byte = (property: "pad1" | "eol" | "padn"): number => num(text[property], -1);
    if (byte("pad1") >= 0 && byte("pad1") === byte("eol"))
      scope.error("cpr.tlvs", "pad1 and eol are the same byte", text, "eol");
    return {
      kind: "tlvs",
      start: resolveAmount(scope, (text["start-offset"] ?? unit.bytes) as number | AmountText, unit),
      type,
      length: resolveAmount(scope, text["tlv-length"], tlv),
      minLen,
      pad1: byte("pad1"),
      eol: byte("eol"),
      padn: byte("padn"),
      ...this.#lookup(text, type, CODE.OKAY, true, (node, item) => this.#tlv(node, item)),
      maxTlvs: num(text["max-tlvs"], 255),
      maxNonPadding: num(text["max-non-padding"], 255),
      maxPaddingLength: num(text["max-padding-length"], 255),
      maxConsecutivePadding: num(text["max-consecutive-padding"], 255),
      dispLimit: scope.stop(text["disp-limit-exceeded"], CODE.STOP_FAIL, true, text, "disp-limit-exceeded"),
    };
  }

  flags(text: FlagsText, unit: Unit): Flags {
    const scope = this.#scope;
    const len = num(text["flags-length"], 1);
    const off = num(text["flags-offset"], 0);
    if (off + len > unit.bytes)
      scope.error(
        "cpr.beyond",
        `the flags lie beyond the ${unit.bytes} bytes of the header`,
        text,
        "flags-offset",
      );
    const mask = num(text["flags-mask"], fieldMax(len));
    if (mask > fieldMax(len))
      scope.error("cpr.mask", "the mask has bits outside the flags", text, "flags-mask");
    const little = text.endian === "little" && len > 1;
    const load: Load = { source: { kind: "field", off, len, little }, mask, shift: 0 };
    let ents = text.ents ?? [];
    if (text.table !== undefined) {
      if (text.ents !== undefined)
        scope.error("cpr.both", "table and ents exclude each other", text, "table");
      ents = scope.find(scope.flagTables, text.table, text, "table")?.ents ?? [];
    }
    scope.spend(ents.length);
    const fields = ents.map((e) => {
      const flag = num(e.flag, 0);
      const mask = num(e.mask, 0) === 0 ? flag : num(e.mask, 0);
      if ((flag & ~mask) !== 0 || (mask & ~load.mask) !== 0)
        scope.error(
          "cpr.flag",
          "bits outside the mask, or outside the flags: it would never be present",
          e,
          "flag",
        );
      const size = num(e["field-len"], 2);
      const node =
        e.node === undefined
          ? -1
          : this.#sub(scope.flagNodes, e.node, e, { bytes: size, what: "flag field" });
      return { flag, mask, len: size, node };
    });
    return { kind: "flags", load, start: num(text["fields-offset"], unit.bytes), fields };
  }

  array(text: ArrayText, unit: Unit): Elements {
    const scope = this.#scope;
    const elLen = num(text["el-length"], 1);
    const element: Unit = { bytes: elLen, what: "array element" };
    const type = text["el-type"] === undefined ? null : resolveLoad(scope, text["el-type"], element);
    const ref = (node: string | SubNodeText, item: object): number =>
      this.#sub(scope.arrayNodes, node, item, element);
    return {
      kind: "array",
      count: resolveAmount(scope, text["num-els"] as number | AmountText, unit),
      start: num(text["start-offset"], unit.bytes),
      elLen,
      type,
      ...this.#lookup(text, type, CODE.STOP_UNKNOWN_PROTO, false, ref),
      maxEls: num(text["max-els"], 255),
    };
  }

  /** Table, wildcard and default of a look-up. */
  #lookup<N>(
    text: {
      table?: string;
      ents?: EntryText<N>[];
      "wildcard-node"?: string | N;
      default?: number | string;
    },
    select: Load | null,
    fallback: number,
    inner: boolean,
    ref: (node: string | N, item: object) => number,
  ): { table: readonly Edge[]; wildcard: number; default: number } {
    const scope = this.#scope;
    let ents: readonly EntryText<N>[] = text.ents ?? [];
    if (text.table !== undefined) {
      if (text.ents !== undefined)
        scope.error("cpr.both", "table and ents exclude each other", text, "table");
      ents = (scope.find(scope.tables, text.table, text, "table")?.ents ??
        []) as readonly EntryText<unknown>[] as readonly EntryText<N>[];
    }
    const table = sortEntries(scope, ents, select).map((e) => ({ key: num(e.key, 0), node: ref(e.node, e) }));
    const wild = text["wildcard-node"];
    const wildcard = wild === undefined ? -1 : ref(wild, text);
    const miss = missCode(scope, text, wildcard, fallback, inner);
    return { table, wildcard, default: wildcard >= 0 ? fallback : miss };
  }

  #tlv(node: string | TlvNodeText, item: object): number {
    const scope = this.#scope;
    const text = typeof node === "string" ? scope.find(scope.tlvNodes, node, item, "node") : node;
    if (text === null) return 0;
    const known = this.#tlvIndex.get(text);
    if (known !== undefined) {
      if (this.#levels[known] === -1)
        scope.error(
          "cpr.recursion",
          "TLV nodes lead back to themselves; only the graph may loop",
          item,
          "node",
        );
      this.#deepest = Math.max(this.#deepest, this.#levels[known]! + 1);
      return known;
    }
    const index = this.tlvNodes.length;
    this.#tlvIndex.set(text, index);
    this.tlvNodes.push(EMPTY_TLV);
    this.#levels[index] = -1;
    const outer = this.#deepest;
    this.#deepest = 0;
    // every level in progress has -1: their number bounds the recursion of this function
    let open = 0;
    for (const l of this.#levels) if (l === -1) open++;
    if (open > MAX_LEVELS)
      scope.error("cpr.levels", `TLVs nested deeper than ${MAX_LEVELS} levels`, item, "node");
    else this.tlvNodes[index] = this.#tlvNode(text);
    this.#levels[index] = this.#deepest;
    if (this.#deepest > MAX_LEVELS && open <= MAX_LEVELS)
      scope.error("cpr.levels", `TLVs nested deeper than ${MAX_LEVELS} levels`, item, "node");
    this.#deepest = Math.max(outer, this.#deepest + 1);
    return index;
  }

  #tlvNode(text: TlvNodeText): TlvNode {
    const scope = this.#scope;
    scope.handler(text);
    const minLen = num(text["min-hdr-length"], 0);
    const maxLen = num(text["max-hdr-length"], -1);
    if (maxLen >= 0 && maxLen < minLen)
      scope.error("cpr.tlvs", "max-hdr-length below min-hdr-length: it never fits", text, "max-hdr-length");
    const unit: Unit = { bytes: minLen, what: "TLV" };
    return {
      name: text.name ?? "",
      minLen,
      maxLen,
      checks: resolveChecks(scope, text["cond-exprs"], unit, true),
      actions: resolveActions(scope, text, unit),
      nested: text["nested-node"] === undefined ? null : this.tlvs(text["nested-node"], unit),
      overlay: text["overlay-node"] === undefined ? null : this.#overlay(text["overlay-node"], unit),
    };
  }

  #overlay(text: LookupText<TlvNodeText>, unit: Unit): Next {
    const load = selectOf(this.#scope, text, unit);
    const found = this.#lookup(text, load, CODE.OKAY, true, (node, item) => this.#tlv(node, item));
    return { select: found.table.length === 0 ? null : load, ...found };
  }

  #sub(pool: Pool<SubNodeText>, node: string | SubNodeText, item: object, unit: Unit): number {
    const scope = this.#scope;
    const text = typeof node === "string" ? scope.find(pool, node, item, "node") : node;
    if (text === null) return 0;
    const known = this.#subIndex.get(text);
    // bounds differ with the user's size: a shared handler is checked against each of them
    const resolved = this.#subNode(text, unit);
    if (known !== undefined) return known;
    const index = this.subNodes.length;
    this.#subIndex.set(text, index);
    this.subNodes.push(resolved);
    return index;
  }

  #subNode(text: SubNodeText, unit: Unit): SubNode {
    const scope = this.#scope;
    scope.handler(text);
    for (const property of ["nested-node", "overlay-node", "min-hdr-length", "max-hdr-length"])
      if (Object.hasOwn(text, property))
        scope.error("cpr.unknown", `property '${property}' belongs to TLVs`, text, property);
    return {
      name: text.name ?? "",
      checks: resolveChecks(scope, text["cond-exprs"], unit, false),
      actions: resolveActions(scope, text, unit),
    };
  }
}

const EMPTY_TLV: TlvNode = {
  name: "",
  minLen: 0,
  maxLen: -1,
  checks: [],
  actions: { pre: [], metadata: [], post: [] },
  nested: null,
  overlay: null,
};

const SOURCES = ["field-off", "field-len", "select-key", "remaining"] as const;

/** The load of a look-up; null where it has no table. */
export function selectOf(
  scope: Scope,
  text: LookupText<never> | LookupText<TlvNodeText>,
  unit: Unit,
): Load | null {
  if (text.table !== undefined || text.ents !== undefined) {
    const ents = text.table === undefined ? text.ents : scope.tables.get(text.table)?.ents;
    if (ents?.length !== 0) return resolveLoad(scope, text, unit);
    // an empty table needs no load, and the canonical form has none: a counter is not used by it
    if (text["select-counter"] !== undefined)
      scope.find(scope.counterTexts, text["select-counter"], text, "select-counter");
    else if (SOURCES.some((s) => text[s] !== undefined)) resolveLoad(scope, text, unit);
    return null;
  }
  if (text["wildcard-node"] === undefined)
    scope.error("cpr.lookup", "a table, entries or a wildcard-node are needed", text);
  return null;
}

/** Entries by key, each key once and possible. */
export function sortEntries<N>(
  scope: Scope,
  ents: readonly EntryText<N>[],
  select: Load | null,
): EntryText<N>[] {
  scope.spend(ents.length);
  const seen = new Set<number>();
  const out: EntryText<N>[] = [];
  for (const entry of ents) {
    const key = num(entry.key, 0);
    const most = select === null ? 0 : loadMax(select);
    if (seen.has(key)) scope.error("cpr.key", `key 0x${key.toString(16)} occurs twice`, entry, "key");
    else if (key > most || (select !== null && (key & ~most) !== 0))
      scope.error(
        "cpr.key",
        `key 0x${key.toString(16)} has bits outside 0x${most.toString(16)}: never found`,
        entry,
        "key",
      );
    else out.push(entry);
    seen.add(key);
  }
  return out.sort((a, b) => num(a.key, 0) - num(b.key, 0));
}

/** Code of a miss. A default beside a wildcard is dead. */
export function missCode(
  scope: Scope,
  text: { default?: number | string; "wildcard-node"?: unknown },
  wildcard: number,
  fallback: number,
  inner: boolean,
): number {
  if (text.default === "wild") {
    if (wildcard < 0) scope.error("cpr.lookup", "default wild needs a wildcard-node", text, "default");
    return fallback;
  }
  return scope.code(text.default, fallback, inner, text, "default");
}
