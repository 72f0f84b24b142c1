/**
 * P4_16 for v1model: headers, metadata and a parser that says what the graph says.
 *
 * ```text
 * Parser → limits → states, once to see what is read and written, once with headers and cells cut → text
 * ```
 *
 * Loops of the graph and lists inside headers are cycles of states; how far a packet is parsed is a local;
 * bytes that are there are counted with `standard_metadata.packet_length`, so that every exit has its own
 * code and no extract fails. Conditional statements in states need language version 1.2.2.
 */
import { fail, ok, type Result } from "../../diagnostics.ts";
import { CODE, codeName, isOkay } from "../../ir/codes.ts";
import type { CprDocument } from "../../ir/document.ts";
import type { Parser } from "../../ir/types.ts";
import type { Target } from "../target.ts";
import type { MemoryLayout } from "./layout.ts";
import { MAX_P4_STATES, p4Limits } from "./limits.ts";
import { emitMetadata } from "./metadata.ts";
import { emitNode, NOWHERE, zeros } from "./node.ts";
import { Flow, Layouts, Program, word } from "./program.ts";

/** How to compile. */
export interface P4Options {
  /** Names of metadata, as the document's `metadata-layout` gives them. */
  readonly layout?: CprDocument["metadata-layout"];
  /** Bytes before the first header, default 0: 14 where the root follows Ethernet. */
  readonly start?: number;
  /**
   * Debug mode: states tell what they do by `log_msg`: `node {} {} {}` (index, offset, length), `write {} {}`
   * (byte of the metadata memory, bytes), `key {} {}` (register, value).
   */
  readonly trace?: boolean;
}

/**
 * Compile a parser.
 *
 * The text declares `<name>_parser(packet_in, out headers, inout metadata, inout standard_metadata_t)`.
 * `metadata.code` is the code, `keyN` are key registers (what they hold before the parse is its input),
 * `metameta` and `frame0`, `frame1`, ... the metadata memory: `@cpr_offset(n)` says which byte of its area a
 * member starts at, most significant byte first; bytes without a member are never written. Everything but
 * the keys is zeroed at the start. A code of failure ends in `reject` with the error of its name.
 * @returns the text, or what P4 cannot say, by name
 */
export function compileP4(parser: Parser, options: P4Options = {}): Result<string> {
  const diagnostics = p4Limits(parser);
  if (diagnostics.length > 0) return { ok: false, diagnostics };
  const layouts = new Layouts(parser, {
    metameta: names(options.layout, false),
    frame: names(options.layout, true),
  });
  pass(parser, layouts, options);
  const program = pass(parser, layouts, options);
  if (program.states.length > MAX_P4_STATES)
    return fail("p4.states", `${program.states.length} states, at most ${MAX_P4_STATES}`);
  return ok(text(program));
}

/** This target. */
export const p4Target: Target<string> = { name: "p4", compile: compileP4 };

function names(layout: P4Options["layout"], frame: boolean): Map<number, string> {
  const out = new Map<number, string>();
  const taken = new Set<string>();
  for (const entry of layout ?? []) {
    const off = Number(entry["md-off"]);
    const name = word(entry.name);
    if ((entry["is-frame"] === true) !== frame || out.has(off) || taken.has(name)) continue;
    // `at4` is what a cell without a name is called
    if (/^at\d+$/.test(name)) continue;
    taken.add(name);
    out.set(off, name);
  }
  return out;
}

function pass(parser: Parser, layouts: Layouts, { start = 0, trace = false }: P4Options): Program {
  const program = new Program(parser, layouts, trace);
  for (const name of ["off", "len", "pos"]) program.local(name);
  if (parser.frames > 1) program.local("frame");
  begin(program, start);
  const exits = new Set([parser.okayTarget, parser.failTarget, parser.encapTarget]);
  for (const [i] of parser.nodes.entries()) if (!exits.has(i) || reached(parser, i)) emitNode(program, i);
  finish(program, "finish_okay", parser.okayTarget);
  finish(program, "finish_fail", parser.failTarget);
  return program;
}

/** Whether the walk can come to a node. */
function reached(parser: Parser, index: number): boolean {
  if (parser.root === index) return true;
  return parser.nodes.some(
    (n) => n.next !== null && (n.next.wildcard === index || n.next.table.some((e) => e.node === index)),
  );
}

function begin(program: Program, start: number): void {
  const p = program.parser;
  const flow = new Flow(program, "start");
  for (const name of ["off", "pos", ...program.counters]) flow.add(`${name} = 0;`);
  for (const name of ["code", "encaps", "nodes"]) flow.add(`meta.${name} = 0;`);
  flow.add(`meta.last = ${p.root};`);
  const cells = program.layouts.frame.cells().length;
  const outer = program.layouts.metameta.cells().length;
  if (outer > 0) flow.add(`meta.metameta = ${zeros(outer)};`);
  if (cells > 0) for (let i = 0; i < p.frames; i++) flow.add(`meta.frame${i} = ${zeros(cells)};`);
  if (p.frames > 1) {
    flow.add("frame = 0;");
    if (cells > 0) flow.add(`meta.frame = ${zeros(cells)};`);
  }
  if (start > 0) {
    // a packet that ends before its start: the root finds too few bytes
    const root = p.nodes[p.root]!;
    const short = program.name("start_short");
    flow.branch([[`std.packet_length < ${start}`, short]], "there");
    flow.add(`off = ${start};`, `pos = ${start};`, `pkt.advance(${8 * start});`);
    program.state(
      short,
      ["meta.nodes = 1;"],
      p.maxNodes === 0
        ? program.stop(CODE.STOP_MAX_NODES)
        : program.stop(root.minLen > 0 ? root.short : CODE.STOP_LENGTH),
    );
  }
  flow.jump(program.entry(p.root));
}

/** Exit metadata, the frame in progress to its place, and out. */
function finish(program: Program, name: string, target: number): void {
  const p = program.parser;
  const okay = name === "finish_okay";
  const codes = [...program.codes].filter((c) => isOkay(c) === okay).sort((a, b) => b - a);
  if (codes.length === 0) return;
  const flow = new Flow(program, name);
  if (target >= 0) emitMetadata(flow, p.nodes[target]!.actions.metadata, NOWHERE);
  if (p.frames > 1 && program.layouts.frame.cells().length > 0)
    for (let i = 0; i < p.frames; i++)
      flow.add(`if (frame == ${i}) {`, `    meta.frame${i} = meta.frame;`, "}");
  if (!okay) for (const code of codes) flow.add(`verify(meta.code != ${code}, error.${errorName(code)});`);
  flow.jump(okay ? "accept" : "reject");
}

/** `StopLength` of STOP_LENGTH. */
function errorName(code: number): string {
  return codeName(code)
    .toLowerCase()
    .replaceAll(/(?:^|_)([a-z0-9])/g, (_, c: string) => c.toUpperCase());
}

function text(program: Program): string {
  const p = program.parser;
  const name = word(p.name);
  const { metameta, frame } = program.layouts;
  const failures = [...program.codes].filter((c) => !isOkay(c)).sort((a, b) => b - a);
  const headers = [...program.layouts.headers.values()].filter((h) => h.bytes > 0);
  const frames = frame.cells().length > 0;
  const members = [
    "int<8> code;",
    "bit<32> encaps;",
    "bit<32> nodes;",
    "bit<16> last;",
    ...Array.from({ length: p.numKeys }, (_, i) => `bit<32> key${i};`),
    ...(metameta.cells().length > 0 ? [`${name}_metameta_t metameta;`] : []),
    ...(frames && p.frames > 1 ? [`${name}_frame_t frame;`] : []),
    ...(frames ? Array.from({ length: p.frames }, (_, i) => `${name}_frame_t frame${i};`) : []),
  ];
  return [
    `// Parser ${name}. P4_16 (language 1.2.2 or later), v1model. bN: byte N of a header.\n`,
    "#include <core.p4>\n#include <v1model.p4>\n",
    ...(failures.length > 0
      ? [
          block(
            "error",
            failures.map((c, i) => errorName(c) + (i + 1 < failures.length ? "," : "")),
          ),
        ]
      : []),
    ...headers.map((h) =>
      block(
        `header ${h.type}`,
        h.fields().map((f) => `bit<${8 * f.len}> ${f.name};`),
      ),
    ),
    block(
      `struct ${name}_headers_t`,
      headers.map((h) => `${h.type} ${h.member};`),
    ),
    ...(metameta.cells().length > 0 ? [area(`${name}_metameta_t`, metameta)] : []),
    ...(frames ? [area(`${name}_frame_t`, frame)] : []),
    block(`struct ${name}_metadata_t`, members),
    `parser ${name}_parser(packet_in pkt, out ${name}_headers_t hdr, inout ${name}_metadata_t meta,\n` +
      `        inout standard_metadata_t std) {\n` +
      [...program.locals].map(([local, type]) => `    ${type} ${local};\n`).join("") +
      `\n${program.states.join("\n")}}\n`,
  ].join("\n");
}

function block(head: string, lines: readonly string[]): string {
  return `${head} {\n${lines.map((l) => `    ${l}\n`).join("")}}\n`;
}

function area(name: string, memory: MemoryLayout): string {
  return block(
    `struct ${name}`,
    memory.cells().map((c) => `@cpr_offset(${c.off}) bit<${8 * c.len}> ${memory.name(c)};`),
  );
}
