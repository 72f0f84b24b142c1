/** A parser to a TCAM engine's program that fits it, or what does not fit and at which node. */
import { type Diagnostic, ok, type Result } from "../../diagnostics.ts";
import type { Parser } from "../../ir/types.ts";
import { Refusal } from "./builder.ts";
import { encodeTcam } from "./encode.ts";
import { fuse, type Merging } from "./fuse.ts";
import {
  reachableLimits,
  reportTcam,
  TCAM_IDEAL,
  type TcamLimits,
  type TcamReport,
  type TcamResource,
} from "./limits.ts";
import { lowerTcam } from "./lower.ts";
import type { TcamProgram } from "./table.ts";

/** What came of a compilation. */
export interface CompiledTcam {
  readonly program: TcamProgram;
  /** The program as the engine takes it. */
  readonly text: Uint8Array;
  readonly report: TcamReport;
  /** How far states were merged: all that steps allow, or less to save entries. */
  readonly merging: Merging;
  /** By the names of an image's note. */
  readonly resources: Readonly<Record<string, number>>;
}

/** A parser held against an engine. */
export interface TcamFit {
  readonly report: TcamReport | null;
  readonly merging: Merging;
  /** Empty: it fits. Each has the resource as its code's second half and the node as its path. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Nodes that a program can tell apart. */
const MAX_NODES = 32767;

/** Limits that one entry or key may not fall below. */
const LEAST: Partial<TcamLimits> = { window: 4, keyBits: 32, ops: 1, bytesPerStep: 4 };

/** How to compile. */
export interface TcamOptions {
  /** Debug mode: a step more for each node, which tells the engine of its header; the rest it sees itself. */
  readonly trace?: boolean;
}

/** Compile a parser for an engine. */
export function compileTcam(
  parser: Parser,
  limits: TcamLimits = TCAM_IDEAL,
  options: TcamOptions = {},
): Result<CompiledTcam> {
  const found = attempt(parser, limits, options.trace);
  if (found.diagnostics.length > 0) return { ok: false, diagnostics: found.diagnostics };
  const { program, report, merging } = found as Attempt;
  const { entries, states, keyBits, metadataBytes } = report!.total;
  const resources = {
    table_entries: entries,
    states,
    key_bits: keyBits,
    metadata_bytes: metadataBytes,
  };
  return ok({ program: program!, text: encodeTcam(program!), report: report!, merging, resources });
}

/** Say what a parser takes of an engine, and what does not fit. */
export function fitTcam(parser: Parser, limits: TcamLimits = TCAM_IDEAL): TcamFit {
  const { report, merging, diagnostics } = attempt(parser, limits);
  return { report, merging, diagnostics };
}

interface Attempt extends TcamFit {
  readonly program: TcamProgram | null;
}

function attempt(parser: Parser, device: TcamLimits, trace = false): Attempt {
  const limits = reachableLimits(device);
  const none = { program: null, report: null, merging: "all" as const };
  if (parser.nodes.length > MAX_NODES)
    return {
      ...none,
      diagnostics: [
        {
          code: "tcam.states",
          message: `${parser.nodes.length} nodes; a program has at most ${MAX_NODES} states`,
        },
      ],
    };
  for (const [name, least] of Object.entries(LEAST))
    if (limits[name as TcamResource] < least)
      return {
        ...none,
        diagnostics: [
          {
            code: `tcam.${name}`,
            message: `the device's ${LABELS[name as TcamResource]}: ${limits[name as TcamResource]}; a step needs ${least}`,
          },
        ],
      };
  try {
    const draft = lowerTcam(parser, limits, trace);
    let first: Attempt | null = null;
    for (const merging of ["all", "chains"] as const) {
      const program = fuse(draft, limits, merging);
      const report = reportTcam(
        program,
        parser.nodes.map((n) => n.name),
      );
      const diagnostics = judge(report, limits);
      const found = { program, report, merging, diagnostics };
      if (diagnostics.length === 0) return found;
      first ??= found;
    }
    return first!;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message, node } = error;
    const path = node < 0 ? undefined : `node ${parser.nodes[node]!.name}`;
    return { ...none, diagnostics: [{ code, message, ...(path === undefined ? {} : { path }) }] };
  }
}

const LABELS: Readonly<Record<TcamResource, string>> = {
  entries: "entries",
  states: "states",
  window: "window bytes",
  keyBits: "key bits",
  ops: "steps of an entry",
  bytesPerStep: "metadata bytes of an entry",
  registers: "registers",
  metadataBytes: "metadata bytes",
  steps: "states of a packet",
};

/** Each resource that is exceeded, at the node where it is. */
function judge(report: TcamReport, limits: TcamLimits): Diagnostic[] {
  const out: Diagnostic[] = [];
  for (const resource of Object.keys(LABELS) as TcamResource[]) {
    const need = report.total[resource];
    if (need <= limits[resource]) continue;
    const at = blame(report, resource, limits[resource]);
    out.push({
      code: `tcam.${resource}`,
      message: `${LABELS[resource]}: ${need} are needed, the device has ${limits[resource]}${at === null ? "" : `; ${at.why}`}`,
      ...(at === null ? {} : { path: `node ${at.node}` }),
    });
  }
  return out;
}

function blame(
  report: TcamReport,
  resource: TcamResource,
  limit: number,
): { node: string; why: string } | null {
  if (resource === "registers" || resource === "metadataBytes") return null;
  if (resource === "entries" || resource === "states") {
    let sum = 0;
    for (const n of report.nodes) {
      sum += n[resource];
      if (sum > limit)
        return { node: n.node, why: `${sum} up to node ${n.node}, which takes ${n[resource]}` };
    }
    return null;
  }
  const worst = [...report.nodes].sort((a, b) => b[resource] - a[resource])[0]!;
  return { node: worst.node, why: `node ${worst.node} takes ${worst[resource]}` };
}
