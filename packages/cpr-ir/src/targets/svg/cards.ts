/** What the picture of a parser says: a card for each node, its keys in rows, and where each row leads. */
import { codeName } from "../../ir/codes.ts";
import { fieldMax, type HdrLength, type Load, type ParseNode, type Parser } from "../../ir/types.ts";

/** Keys of a card that lead to one place. */
export interface Row {
  /** Lines of keys: `0x0800`, `6, 17, 33`, `else`. */
  readonly keys: readonly string[];
  /** Node, -1: an end. */
  readonly to: number;
  /** What stands behind the keys where no edge is drawn: the end's code, or the node that lies behind. */
  readonly says: string;
}

/** How a card is coloured. */
export type CardKind = "header" | "overlay" | "encap" | "leaf" | "exit";

/** A node as it is drawn. */
export interface Card {
  readonly kind: CardKind;
  readonly name: string;
  /** Small lines below the name. */
  readonly notes: readonly string[];
  readonly rows: readonly Row[];
}

/** Characters of a line of keys, of a name, of a note. */
const KEYS_WIDTH = 24;
const NAME_WIDTH = 26;
const NOTE_WIDTH = 34;
/** Tables of so many keys are drawn once; nodes with the same one refer to it. */
const SHARED = 3;

/** Cards of all nodes. */
export function cardsOf(parser: Parser): Card[] {
  const exits = new Map([
    [parser.okayTarget, "at a good end"],
    [parser.failTarget, "at a failure"],
    [parser.encapTarget, "at an encapsulation"],
  ]);
  const owners = new Map<string, number>();
  return parser.nodes.map((node, index): Card => {
    const exit = exits.get(index);
    const name = clip(node.name, NAME_WIDTH);
    if (exit !== undefined) return { kind: "exit", name, notes: [exit], rows: [] };
    const kind = node.next === null ? "leaf" : node.encap ? "encap" : node.overlay ? "overlay" : "header";
    return { kind, name, notes: notesOf(node), rows: rowsOf(parser, index, owners) };
  });
}

function notesOf(node: ParseNode): string[] {
  const flags = [
    node.overlay ? "next at the same place" : "",
    node.encap && node.next !== null ? "encapsulation" : "",
  ];
  const body = node.body;
  const list =
    body === null
      ? ""
      : body.kind === "tlvs"
        ? `TLVs of ${body.table.length} types, at most ${body.maxTlvs}`
        : body.kind === "flags"
          ? `${body.fields.length} optional fields`
          : `elements of ${bytes(body.elLen)}, at most ${body.maxEls}`;
  const conditions = node.preChecks.length + node.condExprs.length;
  return [
    lengthText(node.hdrLen, node.minLen),
    ...flags,
    list,
    conditions === 0 ? "" : `${conditions} condition${conditions === 1 ? "" : "s"}`,
    node.next?.select == null ? "" : `key: ${loadText(node.next.select)}`,
  ]
    .filter((t) => t !== "")
    .map((t) => clip(t, NOTE_WIDTH));
}

function lengthText(length: HdrLength, least: number): string {
  switch (length.kind) {
    case "min":
      return least === 0 ? "no bytes" : bytes(least);
    case "rest":
      return `${bytes(least)} or more: all that is left`;
    case "flags":
      return `${bytes(least)} and more by flags`;
    case "amount": {
      const { load, multiplier, add } = length.amount;
      const most = (load === null ? 0 : load.mask >>> load.shift) * multiplier + add;
      return `${least} to ${most} bytes`;
    }
  }
}

function bytes(n: number): string {
  return `${n} byte${n === 1 ? "" : "s"}`;
}

function loadText(load: Load): string {
  const { source } = load;
  const whole = source.kind === "field" ? fieldMax(source.len) : 0xffffffff;
  const bits = load.mask === whole ? "" : ` & 0x${load.mask.toString(16)}`;
  const by = load.shift === 0 ? "" : ` >> ${load.shift}`;
  switch (source.kind) {
    case "field":
      return `u${8 * source.len}${source.little ? " little" : ""} at ${source.off}${bits}${by}`;
    case "key":
      return `register ${source.key}${source.kind === "key" && load.mask !== 0xffffffff ? bits : ""}${by}`;
    case "counter":
      return `counter ${source.counter}`;
    case "remaining":
      return "bytes left";
  }
}

/** Rows by target; a table that an earlier node has is a reference to that node. */
function rowsOf(parser: Parser, index: number, owners: Map<string, number>): Row[] {
  const { next } = parser.nodes[index]!;
  if (next === null) return [];
  const miss: Row[] =
    next.wildcard >= 0
      ? [row(next.table.length === 0 ? [] : ["else"], parser, next.wildcard)]
      : [{ keys: ["else"], to: -1, says: endText(next.default) }];
  if (next.table.length >= SHARED) {
    const id = JSON.stringify(next.table);
    const owner = owners.get(id);
    if (owner !== undefined) return [row(["all keys as"], parser, owner), ...miss];
    owners.set(id, index);
  }
  const targets = new Map<number, string[]>();
  const wide = next.table.some((e) => e.key > 0xff);
  for (const e of next.table) {
    const key = wide ? `0x${e.key.toString(16).padStart(4, "0")}` : String(e.key);
    targets.set(e.node, [...(targets.get(e.node) ?? []), key]);
  }
  return [...[...targets].map(([to, keys]) => row(wrap(keys), parser, to)), ...miss];
}

function row(keys: readonly string[], parser: Parser, to: number): Row {
  return { keys, to, says: clip(parser.nodes[to]!.name, NAME_WIDTH) };
}

function endText(code: number): string {
  return codeName(code)
    .toLowerCase()
    .replace(/^stop_/, "")
    .replaceAll("_", " ");
}

/** Keys in lines of a width. */
function wrap(keys: readonly string[]): string[] {
  const lines: string[] = [];
  let line = "";
  for (const key of keys) {
    if (line !== "" && line.length + key.length + 2 > KEYS_WIDTH) {
      lines.push(`${line},`);
      line = "";
    }
    line += line === "" ? key : `, ${key}`;
  }
  return [...lines, line];
}

function clip(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
