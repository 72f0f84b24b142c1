/** A list of TLVs: a cycle of states. */
import { CODE } from "../../ir/codes.ts";
import type { Expr, TlvNode, Tlvs } from "../../ir/types.ts";
import { emitActions } from "./metadata.ts";
import { advance, type Ends } from "./node.ts";
import { type Branch, Flow, type Program } from "./program.ts";
import { amountText, condition, failing, literal, loadValue, type Unit } from "./values.ts";

/** Locals of one level of nesting. */
interface Level {
  readonly depth: number;
  readonly stem: string;
  readonly at: string;
  readonly end: string;
  readonly length: string;
  /** State that goes on behind the TLV. */
  readonly next: string;
  readonly ends: Ends;
  /** States that are made, by what they try. */
  readonly tries: Map<string, string>;
}

/**
 * The states of a list; the flow ends in them.
 * @param depth - how many TLVs are around it
 */
export function emitTlvs(flow: Flow, t: Tlvs, unit: Unit, ends: Ends, depth: number): void {
  const { program } = flow;
  const stem = `${flow.stem}_${depth === 0 ? "tlv" : `tlv${depth}`}`;
  const local = (name: string): string => program.local(depth === 0 ? `tlv_${name}` : `tlv${depth}_${name}`);
  const level: Level = {
    depth,
    stem,
    at: local("at"),
    end: local("end"),
    length: local("len"),
    next: program.name(`${stem}_next`),
    ends,
    tries: new Map(),
  };
  const counts = { loops: local("loops"), used: local("used"), padded: local("padded"), row: local("row") };
  const limit = (code: number): string => {
    const found = t.dispLimit === CODE.STOP_FAIL ? code : t.dispLimit;
    return found === CODE.OKAY ? ends.done : ends.end(found);
  };
  flow.add(
    `${level.at} = ${unit.at} + ${amountText(program, t.start, unit)};`,
    `${level.end} = ${unit.at} + ${unit.length};`,
    ...Object.values(counts).map((c) => `${c} = 0;`),
  );
  const loop = program.name(`${stem}_loop`);
  flow.label(loop);
  const inner = new Flow(program, stem, loop);
  inner.branch(
    [
      [`${level.at} >= ${level.end}`, ends.done],
      [`${counts.loops} >= ${t.maxTlvs}`, limit(CODE.STOP_LOOP_CNT)],
    ],
    "first",
  );
  inner.add(`${counts.loops} = ${counts.loops} + 1;`, ...advance(level.at));
  const padding = program.name(`${stem}_padding`);
  first(inner, t, level, padding);
  const item = program.layouts.header(`tlv ${stem}`, `${stem.replace(/^parse_/, "")}_item`, t.minLen);
  const here: Unit = { at: level.at, length: level.length, header: item };
  readLength(inner, t, level, here, padding);
  const branches: Branch[] = [[`${counts.used} >= ${t.maxNonPadding}`, limit(CODE.STOP_OPTION_LIMIT)]];
  inner.add(`${counts.padded} = 0;`, `${counts.row} = 0;`);
  inner.branch(branches, "type");
  inner.add(`${counts.used} = ${counts.used} + 1;`);
  inner.select(
    [loadValue(program, t.type, here).text],
    [
      ...t.table.map((e) => `${literal(e.key)}: ${attempt(program, level, e.node, t.wildcard, t.default)};`),
      `default: ${attempt(program, level, -1, t.wildcard, t.default)};`,
    ],
  );
  inner.begin(padding);
  inner.add(`${counts.padded} = ${counts.padded} + ${level.length};`, `${counts.row} = ${counts.row} + 1;`);
  const tooMuch = limit(CODE.STOP_TLV_PADDING);
  inner.branch(
    [
      [`${counts.padded} > ${t.maxPaddingLength}`, tooMuch],
      [`${counts.row} > ${t.maxConsecutivePadding}`, tooMuch],
    ],
    "padded",
  );
  inner.label(level.next);
  inner.add(`${level.at} = ${level.at} + ${level.length};`);
  inner.jump(loop);
}

/** One byte: the end of the list, or a padding. */
function first(flow: Flow, t: Tlvs, level: Level, padding: string): void {
  const { program, stem } = flow;
  const tlv = program.name(`${stem}_length`);
  const rows: string[] = [];
  if (t.eol >= 0) rows.push(`${literal(t.eol)}: ${level.ends.done};`);
  if (t.pad1 >= 0) rows.push(`${literal(t.pad1)}: ${padding};`);
  if (rows.length === 0) {
    flow.label(tlv);
    return;
  }
  flow.add(`${level.length} = 1;`);
  flow.select(["pkt.lookahead<bit<8>>()"], [...rows, `default: ${tlv};`]);
  flow.begin(tlv);
}

/** Length and type, and what makes it no TLV. */
function readLength(flow: Flow, t: Tlvs, level: Level, here: Unit, padding: string): void {
  const { program } = flow;
  const bad = level.ends.end(CODE.STOP_TLV_LENGTH);
  const left = `${level.end} - ${level.at}`;
  flow.branch([[`${left} < ${t.minLen}`, bad]], "read");
  const item = here.header!;
  if (item.used) flow.add(`hdr.${item.member} = pkt.lookahead<${item.type}>();`);
  flow.add(`${level.length} = ${amountText(program, t.length, here)};`);
  const branches: Branch[] = [
    [`${level.length} < ${t.minLen}`, bad],
    [`${level.length} > ${left}`, bad],
  ];
  const isPadn: Expr = { kind: "compare", op: "equal", load: t.type, value: t.padn };
  if (t.padn >= 0) branches.push([condition(program, isPadn, here), padding]);
  flow.branch(branches, "used");
}

/** Where a look-up leads: the node where the TLV fits, else the wildcard, else the code of the unknown. */
function attempt(program: Program, level: Level, found: number, wildcard: number, unknown: number): string {
  const index = found < 0 ? wildcard : found;
  if (index < 0) return unknown === CODE.OKAY ? level.next : level.ends.end(unknown);
  const id = `${found} ${wildcard} ${unknown}`;
  const known = level.tries.get(id);
  if (known !== undefined) return known;
  const node = program.parser.tlvNodes[index]!;
  const name = program.name(`${level.stem}_${node.name.replaceAll(/\W/g, "_")}`);
  level.tries.set(id, name);
  const instead =
    found < 0 ? attempt(program, level, -1, -1, unknown) : attempt(program, level, -1, wildcard, unknown);
  const flow = new Flow(program, name);
  const fits: Branch[] = node.minLen > 0 ? [[`${level.length} < ${node.minLen}`, instead]] : [];
  if (node.maxLen >= 0) fits.push([`${level.length} > ${node.maxLen}`, instead]);
  flow.branch(fits, "fits");
  emitTlv(flow, level, node, index);
  return name;
}

function emitTlv(flow: Flow, level: Level, node: TlvNode, index: number): void {
  const { program } = flow;
  const header = program.layouts.header(`tlv node ${index}`, node.name, node.minLen);
  const unit: Unit = { at: level.at, length: level.length, header };
  if (header.used) flow.add(`hdr.${header.member} = pkt.lookahead<${header.type}>();`);
  const failed = (code: number): string | null => (code === CODE.OKAY ? null : level.ends.end(code));
  flow.branch(failing(program, node.checks, unit, failed), "checked");
  emitActions(flow, node.actions, unit);
  if (node.nested !== null) {
    const after = program.name(`${flow.stem}_after`);
    emitTlvs(
      flow,
      node.nested,
      unit,
      {
        done: after,
        end: (code) => (code === CODE.STOP_SUB_NODE_OKAY ? after : level.ends.end(code)),
      },
      level.depth + 1,
    );
    flow.begin(after);
  }
  if (node.overlay === null) {
    flow.jump(level.next);
    return;
  }
  const { select, table, wildcard, default: miss } = node.overlay;
  const other = attempt(program, level, -1, wildcard, miss);
  if (select === null) flow.jump(other);
  else
    flow.select(
      [loadValue(program, select, unit).text],
      [
        ...table.map((e) => `${literal(e.key)}: ${attempt(program, level, e.node, wildcard, miss)};`),
        `default: ${other};`,
      ],
    );
}
