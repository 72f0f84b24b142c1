/** What a differential run prints, and the lines that replay a difference. */
import { LEAST_SKB_START } from "@netoffload/linux";
import { usageError } from "../cli/exit.ts";
import type { CsumCase } from "./csum-case.ts";
import { DIMENSIONS, type Dimension } from "./csum-cell.ts";
import type { CsumCompare, CsumDifference } from "./csum-compare.ts";

/** A difference as a JSON line: a question of `eval skb_checksum_help`, and both answers. */
export function diffLine(difference: CsumDifference): Record<string, unknown> {
  const { frame, route, csumStart, csumOffset, layout } = difference.case;
  return {
    id: difference.program,
    op: "skb_checksum_help",
    input: {
      frame: Buffer.from(frame).toString("hex"),
      csum_start: csumStart,
      csum_offset: csumOffset,
      ...(route === "skb" ? { route } : {}),
      headroom: layout.headroom,
      frags: layout.frags,
      frag_list: layout.fragList,
      shared_frag: layout.sharedFrag,
      cloned: layout.cloned,
    },
    what: difference.what,
    ours: difference.ours,
    kernel: difference.kernel,
  };
}

/** Cases of such lines; throws what is wrong with which line. */
export function readReplay(text: string, file: string): CsumCase[] {
  const cases: CsumCase[] = [];
  for (const [n, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw usageError(`${file}: line ${n + 1}: ${(error as Error).message}`);
    }
    const { input } = (value ?? {}) as { input?: unknown };
    cases.push(readCase((input ?? {}) as Readonly<Record<string, unknown>>, `${file}: line ${n + 1}`));
  }
  return cases;
}

function readCase(input: Readonly<Record<string, unknown>>, file: string): CsumCase {
  const { route = "tap" } = input;
  if (route !== "tap" && route !== "skb")
    throw usageError(`${file}: input.route ${JSON.stringify(route)}: tap or skb is accepted`);
  const number = (name: string, fallback: number): number => {
    const value = input[name] ?? fallback;
    const least = name === "csum_start" && route === "skb" ? LEAST_SKB_START : 0;
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > 0xffff)
      throw usageError(`${file}: input.${name} ${JSON.stringify(value)}: ${least} to 65535 is accepted`);
    return value as number;
  };
  const lengths = (name: string): number[] => {
    const value = input[name] ?? [];
    if (!Array.isArray(value) || !value.every((n) => Number.isInteger(n) && n >= 0 && n <= 0xffff))
      throw usageError(`${file}: input.${name}: a list of lengths is accepted`);
    return value as number[];
  };
  const { frame } = input;
  if (typeof frame !== "string" || !/^([0-9a-fA-F]{2}){14,65000}$/.test(frame))
    throw usageError(`${file}: input.frame: hex of 14 to 65000 bytes is accepted`);
  return {
    cell: -1,
    frame: new Uint8Array(Buffer.from(frame, "hex")),
    route,
    csumStart: number("csum_start", 0),
    csumOffset: number("csum_offset", 0),
    layout: {
      headroom: number("headroom", 64),
      frags: lengths("frags"),
      fragList: lengths("frag_list"),
      sharedFrag: input.shared_frag === true,
      cloned: input.cloned === true,
    },
  };
}

/** How often each value of each dimension came, and the least of the cells that have it. */
export function csumTable(run: CsumCompare): string[] {
  const lines = ["dimension   value          cells      cases   least in a cell"];
  for (const [dimension, values] of Object.entries(DIMENSIONS))
    for (const value of values) {
      const having = [...run.cells.keys()].filter((i) => run.cells[i]![dimension as Dimension] === value);
      const counts = having.map((i) => run.covered[i]!);
      const total = counts.reduce((sum, n) => sum + n, 0);
      const row = [
        dimension.padEnd(12),
        value.padEnd(14),
        String(having.length).padStart(6),
        String(total).padStart(11),
        String(Math.min(...counts)).padStart(18),
      ];
      lines.push(row.join(""));
    }
  return lines;
}
