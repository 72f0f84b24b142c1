/**
 * A document to a parser.
 *
 * pre: the document was read (shapes and ranges hold). post: names are indices, lists are copied to their
 * users, defaults are filled in; nodes are numbered breadth first from the root (a table's nodes by key, then
 * its wildcard; okay, fail and encap targets last), counters, TLV nodes and handlers by first use; what is not
 * reachable or not looked at (counters) is gone; every load lies inside the bytes checked before it.
 */
import { CODE } from "../ir/codes.ts";
import type { CprDocument, HdrLengthText, ParseNodeText, ParserText } from "../ir/document.ts";
import type { HdrLength, Next, ParseNode, Parser } from "../ir/types.ts";
import { Faults, type Origins } from "../json/read.ts";
import { clip } from "../json/text.ts";
import { Bodies, missCode, selectOf, sortEntries } from "./bodies.ts";
import { dropIdleCounters } from "./counters.ts";
import { resolveActions, resolveAmount, resolveChecks, resolveMetadataList } from "./loads.ts";
import { num, Scope, TooLarge, type Unit } from "./scope.ts";

/** Metadata memory a parser may ask for, bytes. */
export const MAX_METADATA: number = 1 << 20;

/** Resolve one parser of a document; null when faults were told. */
export function resolveParser(
  doc: CprDocument,
  parser: ParserText,
  origins: Origins,
  faults: Faults,
): Parser | null {
  try {
    const resolved = resolve(doc, parser, origins, faults);
    return faults.failed ? null : dropIdleCounters(resolved);
  } catch (error) {
    if (error instanceof TooLarge) return null;
    throw error;
  }
}

function resolve(doc: CprDocument, parser: ParserText, origins: Origins, faults: Faults): Parser {
  const scope = new Scope(doc, parser, origins, faults);
  const frames = num(parser["max-frames"], 4);
  const { geometry } = scope;
  if (geometry.metameta + frames * geometry.frame > MAX_METADATA)
    scope.error("cpr.room", `more than ${MAX_METADATA} bytes of metadata`, parser, "frame-size");
  const graph = new Graph(scope, parser);
  const root = graph.meet(parser["root-node"], parser, "root-node");
  graph.walk();
  const exit = (property: "okay-target" | "fail-target" | "encap-target"): number =>
    parser[property] === undefined ? -1 : graph.exit(parser[property], parser, property);
  const okayTarget = exit("okay-target");
  const failTarget = exit("fail-target");
  const encapTarget = exit("encap-target");
  if (doc.parsers.length === 1) tellStrays(scope, parser, origins, graph.strays());
  return {
    name: parser.name ?? "parser",
    root,
    okayTarget,
    failTarget,
    encapTarget,
    maxNodes: geometry.maxNodes,
    maxEncaps: geometry.maxEncaps,
    frames,
    metametaSize: geometry.metameta,
    frameSize: geometry.frame,
    numKeys: geometry.keys,
    nodes: graph.nodes,
    tlvNodes: graph.bodies.tlvNodes,
    subNodes: graph.bodies.subNodes,
    counters: scope.counters,
    minimized: doc.minimized ?? false,
    handlers: [...scope.handlers],
  };
}

/**
 * Warn of what no way leads to. Its faults are told too, though they harm nothing: a missing name somewhere else
 * is the usual reason why a node is not reached.
 */
function tellStrays(
  scope: Scope,
  parser: ParserText,
  origins: Origins,
  strays: readonly ParseNodeText[],
): void {
  const { doc, faults } = scope;
  const apart = new Faults();
  const other = new Scope(doc, parser, origins, apart);
  const graph = new Graph(other, parser);
  try {
    for (const text of strays) {
      faults.warn("cpr.unreachable", `parse node '${clip(text.name)}' is not reachable`, scope.told(text));
      graph.meet(text.name, text, "name");
      graph.walk();
    }
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
  }
  const known = new Set(faults.list.map((d) => `${d.code} ${d.offset}`));
  for (const d of apart.list)
    if (d.code !== "cpr.handler" && !known.has(`${d.code} ${d.offset}`))
      faults.warn(d.code, d.message, d.offset, d.suggestion);
  const pools = other.pools();
  for (const [i, pool] of scope.pools().entries()) {
    const unused = new Set(pools[i]!.unused());
    for (const item of pool.unused())
      if (unused.has(item))
        faults.warn("cpr.unused", `nothing uses ${pool.what} '${clip(item.name ?? "")}'`, scope.told(item));
  }
}

class Graph {
  readonly nodes: ParseNode[] = [];
  readonly bodies: Bodies;
  readonly #scope: Scope;
  /** Names of the exit nodes, which may be leaves of the graph too. */
  readonly #exits: readonly (string | undefined)[];
  readonly #index: Map<ParseNodeText, number> = new Map();
  readonly #queue: ParseNodeText[] = [];
  #at = 0;

  constructor(scope: Scope, parser: ParserText) {
    this.#scope = scope;
    this.#exits = [parser["okay-target"], parser["fail-target"], parser["encap-target"]];
    this.bodies = new Bodies(scope);
  }

  /** Index of a node by name; it is resolved when its turn comes. */
  meet(name: string, item: object, property: string): number {
    const text = this.#scope.find(this.#scope.nodes, name, item, property);
    if (text === null) return 0;
    let index = this.#index.get(text);
    if (index === undefined) {
      index = this.#queue.length;
      this.#index.set(text, index);
      this.#queue.push(text);
    }
    return index;
  }

  /** Nodes of the document that the walk did not meet. */
  strays(): ParseNodeText[] {
    return this.#scope.doc["parse-nodes"].filter((text) => !this.#index.has(text));
  }

  walk(): void {
    for (; this.#at < this.#queue.length; this.#at++)
      this.nodes.push(this.#node(this.#queue[this.#at]!, false));
  }

  /** An exit node: no header, no successor. */
  exit(name: string, item: object, property: string): number {
    const scope = this.#scope;
    const text = scope.find(scope.nodes, name, item, property);
    if (text === null) return -1;
    const body = ["tlv-parse-node", "flag-fields-parse-node", "array-parse-node"] as const;
    for (const p of [
      ...body,
      "next-proto",
      "next-node",
      "hdr-length",
      "pre-checks",
      "cond-exprs",
      "counter-actions",
      "post-metadata",
    ] as const)
      if (text[p] !== undefined)
        scope.error("cpr.exit", `an exit node is a leaf without header, not with ${p}`, text, p);
    if (num(text["min-hdr-length"], 0) > 0)
      scope.error("cpr.exit", "an exit node has no header", text, "min-hdr-length", "0");
    const known = this.#index.get(text);
    if (known !== undefined) {
      // a leaf of the graph too: there it has a place in the packet, here it has none
      this.#node(text, true);
      return known;
    }
    this.#index.set(text, this.#queue.length);
    this.#queue.push(text);
    this.nodes.push(this.#node(text, true));
    this.#at++;
    return this.nodes.length - 1;
  }

  #node(text: ParseNodeText, exit: boolean): ParseNode {
    const scope = this.#scope;
    scope.handler(text);
    if (text["min-hdr-length"] === undefined && !exit && !this.#exits.includes(text.name))
      scope.error("cpr.missing", "min-hdr-length is needed", text);
    const minLen = num(text["min-hdr-length"], 0);
    const unit: Unit = { bytes: minLen, what: exit ? "exit node" : "header" };
    const preChecks = resolveChecks(scope, text["pre-checks"], unit, false);
    const actions = resolveActions(scope, text, unit);
    const body = this.#body(text, unit);
    const hdrLen = this.#hdrLength(text, unit, body?.kind === "flags");
    const postMetadata = resolveMetadataList(scope, text["post-metadata"], unit);
    const condExprs = resolveChecks(scope, text["cond-exprs"], unit, false);
    const next = this.#next(text, unit);
    if (next === null && condExprs.length > 0)
      scope.error("cpr.leaf", "cond-exprs of a leaf are never evaluated", text, "cond-exprs", "pre-checks");
    return {
      name: text.name,
      minLen,
      hdrLen,
      short: scope.stop(text.short, CODE.STOP_LENGTH, false, text, "short"),
      preChecks,
      actions,
      body,
      postMetadata,
      condExprs,
      next,
      overlay: next !== null && text.overlay === true,
      encap: next !== null && text.encap === true,
      zeroLengthOk: next !== null && text["zero-length-ok"] === true,
    };
  }

  #body(text: ParseNodeText, unit: Unit): ParseNode["body"] {
    const tlvs = text["tlv-parse-node"];
    const flags = text["flag-fields-parse-node"];
    const array = text["array-parse-node"];
    if ([tlvs, flags, array].filter((b) => b !== undefined).length > 1)
      this.#scope.error("cpr.both", "TLVs, flag fields and arrays exclude each other", text);
    if (tlvs !== undefined) return this.bodies.tlvs(tlvs, unit);
    if (flags !== undefined) return this.bodies.flags(flags, unit);
    return array === undefined ? null : this.bodies.array(array, unit);
  }

  #hdrLength(text: ParseNodeText, unit: Unit, hasFlags: boolean): HdrLength {
    const length = text["hdr-length"];
    if (length === undefined) return { kind: "min" };
    if (length === "rest") return { kind: "rest" };
    const scope = this.#scope;
    const { "flag-fields-length": byFlags, clamp, comment: _, ...amount } = length as HdrLengthText;
    if (byFlags === true) {
      if (!hasFlags) scope.error("cpr.flag", "flag-fields-length without flag-fields-parse-node", length);
      if (Object.keys(amount).length > 0)
        scope.error("cpr.amount", "flag-fields-length stands alone", length, Object.keys(amount)[0]);
      return { kind: "flags", clamp: clamp === true };
    }
    return {
      kind: "amount",
      amount: resolveAmount(scope, length as HdrLengthText, unit),
      clamp: clamp === true,
    };
  }

  #next(text: ParseNodeText, unit: Unit): Next | null {
    const scope = this.#scope;
    const lookup = text["next-proto"];
    const auto = text["next-node"];
    if (auto !== undefined) {
      if (lookup !== undefined)
        scope.error("cpr.both", "next-node and next-proto exclude each other", text, "next-node");
      return {
        select: null,
        table: [],
        wildcard: this.meet(auto, text, "next-node"),
        default: CODE.STOP_UNKNOWN_PROTO,
      };
    }
    if (lookup === undefined) return null;
    const select = selectOf(scope, lookup, unit);
    let ents = lookup.ents ?? [];
    if (lookup.table !== undefined) {
      if (lookup.ents !== undefined)
        scope.error("cpr.both", "table and ents exclude each other", lookup, "table");
      ents = (scope.find(scope.tables, lookup.table, lookup, "table")?.ents ?? []) as typeof ents;
    }
    const table = sortEntries(scope, ents, select).flatMap((e) => {
      const name: unknown = e.node;
      if (typeof name !== "string") {
        scope.error("cpr.entry", "parse nodes are named, not written inside an entry", e, "node");
        return [];
      }
      return [{ key: num(e.key, 0), node: this.meet(name, e, "node") }];
    });
    const wild = lookup["wildcard-node"];
    const wildcard = wild === undefined ? -1 : this.meet(wild, lookup, "wildcard-node");
    const code = missCode(scope, lookup, wildcard, CODE.STOP_UNKNOWN_PROTO, false);
    return {
      select: table.length === 0 ? null : select,
      table,
      wildcard,
      // a miss that is okay ends the parse well
      default: wildcard >= 0 ? CODE.STOP_UNKNOWN_PROTO : code === CODE.OKAY ? CODE.STOP_OKAY : code,
    };
  }
}
