/** Do two lists of TLVs the same? Their loops must be written alike; each TLV is then done by both. */
import type { Edge, Load, Parser, Tlvs } from "../../ir/types.ts";
import { Choices, Contradiction, Facts } from "./facts.ts";
import { Names } from "./names.ts";
import { told } from "./told.ts";
import { inlined, Units, USES_COUNTERS, USES_KEYS } from "./unit.ts";

/** Ways through one TLV beyond which nothing is said. */
const MAX_WAYS = 4096;

/** True: both do the same with every list. False: not shown. */
export function sameTlvs(a: Parser, x: Tlvs, b: Parser, y: Tlvs): boolean {
  const texts = inlined(a, x) + inlined(b, y);
  if (loopOf(x) !== loopOf(y) || USES_KEYS.test(texts) || USES_COUNTERS.test(texts)) return false;
  const choices = new Choices();
  for (let ways = 0; ways < MAX_WAYS; ways++) {
    choices.restart();
    const facts = new Facts(choices);
    const names = new Names();
    try {
      if (one(a, x, facts, names) !== one(b, y, facts, names) && facts.model() !== null) return false;
    } catch (error) {
      if (!(error instanceof Contradiction)) throw error;
    }
    if (!choices.advance()) return true;
  }
  return false;
}

/** All of a list but what is done with a TLV that is no padding. */
function loopOf(t: Tlvs): string {
  const { table: _table, wildcard: _wildcard, default: _default, ...loop } = t;
  return JSON.stringify(loop);
}

/** One TLV: everything that is done and the code, under what became known. */
function one(p: Parser, t: Tlvs, facts: Facts, names: Names): string {
  const units = new Units(
    p,
    facts,
    names,
    [],
    p.counters.map(() => null),
    0,
  );
  if (t.length.load?.source.kind === "field") {
    const length = units.load(t.length.load);
    facts.atLeast(length, quotient(t.minLen - t.length.add, t.length.multiplier));
  }
  const code = tlv(units, t, t.type, t);
  units.event(`code ${code}`);
  return told(units.log, facts);
}

/** As the interpreter's function of the same name. */
function tlv(
  u: Units,
  list: Tlvs,
  select: Load | null,
  { table, wildcard, default: miss }: { table: readonly Edge[]; wildcard: number; default: number },
): number {
  const key = select === null ? [] : u.load(select);
  let index = table.find((e) => u.facts.equal(key, e.key))?.node ?? -1;
  if (index < 0 || !fits(u, list, index)) index = wildcard;
  if (index < 0 || !fits(u, list, index)) return miss;
  const node = u.parser.tlvNodes[index]!;
  const r = u.unit(node.checks, node.actions);
  if (r !== 0) return r;
  // what is inside may end the list: with the same code where it is written alike
  if (node.nested !== null) u.event(`nested ${inlined(u.parser, node.nested)}`);
  return node.overlay === null ? r : tlv(u, list, node.overlay.select, node.overlay);
}

/** Is the TLV as long as its node wants it? */
function fits(u: Units, list: Tlvs, index: number): boolean {
  const { minLen, maxLen } = u.parser.tlvNodes[index]!;
  const { load, multiplier, add } = list.length;
  const number = load === null || multiplier === 0 ? [] : u.load(load);
  const least = quotient(minLen - add, multiplier);
  if (number.length === 0) return minLen <= add && (maxLen < 0 || add <= maxLen);
  if (u.facts.atMost(number, least - 1)) return false;
  return maxLen < 0 || u.facts.atMost(number, Math.floor((maxLen - add) / multiplier));
}

/** Least number that, multiplied, is not below a value. */
function quotient(value: number, multiplier: number): number {
  return multiplier === 0 ? 0 : Math.max(0, Math.ceil(value / multiplier));
}
