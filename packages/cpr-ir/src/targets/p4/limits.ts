/** What P4_16 for v1model cannot say, or says only at a price nobody would pay: refused by name. */
import type { Diagnostic } from "../../diagnostics.ts";
import type { MdTarget, Parser, Tlvs } from "../../ir/types.ts";

/** Most elements of an array: every one is a condition and an assignment of its own. */
export const MAX_P4_ELEMENTS = 64;
/** Most frames: every one is a struct and a copy. */
export const MAX_P4_FRAMES = 32;
/** Most states. */
export const MAX_P4_STATES = 16_384;

/** All that stands in the way; empty: nothing. */
export function p4Limits(parser: Parser): Diagnostic[] {
  const out: Diagnostic[] = [];
  const refuse = (code: string, message: string, suggestion: string): void => {
    if (!out.some((d) => d.code === code && d.message === message)) out.push({ code, message, suggestion });
  };
  const budget = { lists: MAX_P4_STATES };
  for (const handler of parser.handlers)
    refuse(
      "p4.handler",
      `handler ${handler}: what the C function does is unknown`,
      "metadata and conditions",
    );
  if (parser.frames > MAX_P4_FRAMES)
    refuse("p4.frames", `${parser.frames} frames, at most ${MAX_P4_FRAMES}`, "a smaller max-frames");
  for (const node of parser.nodes) {
    if (node.overlay && node.body !== null)
      refuse(
        "p4.overlay-body",
        `node ${node.name}: an overlay with a ${node.body.kind} body; a P4 parser cannot go back to the header's start`,
        "the body in the node that follows",
      );
    if (node.body?.kind === "tlvs") nesting(parser, node.body, refuse, budget);
  }
  for (const target of targets(parser)) {
    if (target.kind === "key" || target.index === null) continue;
    const counter = parser.counters[target.index]!;
    if (counter.numElements > MAX_P4_ELEMENTS)
      refuse(
        "p4.elements",
        `counter ${counter.name}: an array of ${counter.numElements} elements, at most ${MAX_P4_ELEMENTS}; P4 has no index into metadata`,
        "a smaller num-elements",
      );
  }
  return out;
}

/** Lists of TLVs that may still be met: a list has states of its own at every place it is nested in. */
interface Budget {
  lists: number;
}

type Refuse = (code: string, message: string, suggestion: string) => void;

function nesting(parser: Parser, tlvs: Tlvs, refuse: Refuse, budget: Budget): void {
  if (--budget.lists < 0) {
    refuse("p4.states", `TLVs nested in more than ${MAX_P4_STATES} ways`, "fewer nested lists");
    return;
  }
  const seen = new Set<number>();
  const visit = (index: number): void => {
    if (index < 0 || seen.has(index)) return;
    seen.add(index);
    const node = parser.tlvNodes[index]!;
    if (node.nested !== null) nesting(parser, node.nested, refuse, budget);
    if (node.overlay === null) return;
    if (node.nested !== null)
      refuse(
        "p4.nested-overlay",
        `TLV ${node.name}: an overlay behind nested TLVs; a P4 parser cannot go back to the TLV's start`,
        "the nested TLVs in the overlay's nodes",
      );
    for (const e of node.overlay.table) visit(e.node);
    visit(node.overlay.wildcard);
  };
  for (const e of tlvs.table) visit(e.node);
  visit(tlvs.wildcard);
}

function targets(parser: Parser): MdTarget[] {
  return [
    ...parser.nodes.flatMap((n) => [...n.actions.metadata, ...n.postMetadata]),
    ...[...parser.tlvNodes, ...parser.subNodes].flatMap((n) => n.actions.metadata),
  ].map((m) => m.target);
}
