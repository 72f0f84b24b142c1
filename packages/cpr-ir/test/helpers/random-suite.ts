/**
 * Random parsers on random packets: whatever runs parsers beside the direct executor of `test/ref/parser.ts`. The first
 * difference is an error that holds the document and the packet.
 */

import { orThrow } from "../../src/diagnostics.ts";
import { Interpreter } from "../../src/interp/run.ts";
import type { CprDocument } from "../../src/ir/document.ts";
import type { Parser } from "../../src/ir/types.ts";
import { parserOf } from "../../src/json/load.ts";
import { formatCpr } from "../../src/json/write.ts";
import { compileP4 } from "../../src/targets/p4/compile.ts";
import { WasmParser } from "../../src/targets/wasm/run.ts";
import { P4Parser } from "../ref/p4/exec.ts";
import { parseP4 } from "../ref/p4/parse.ts";
import { type RefResult, refParse } from "../ref/parser.ts";
import { FOUND_PARSERS } from "./found-parsers.ts";
import { randomDocument } from "./random-document.ts";
import { type RandomCase, randomCase } from "./random-packets.ts";
import { Draw } from "./random-parts.ts";

/** A packet as a side is given it. */
export interface Given extends RandomCase {
  readonly start: number;
}

/** What runs one parser. */
export interface Side {
  /** What the metadata memory holds before: 0xa5 shows zeros that are written. */
  readonly fill: number;
  /** The packet in the form that the side takes. */
  readonly frame?: (packet: Uint8Array) => { readonly packet: Uint8Array; readonly start: number };
  /** Key registers are left out where they are not seen from outside. */
  readonly run: (given: Given) => Omit<RefResult, "keys"> & { readonly keys?: ArrayLike<number> };
  readonly close?: () => void;
}

/** Makes a side; null: it does not take this parser. */
export type MakeSide = (parser: Parser) => Side | null;

/** How many were run. */
export interface Ran {
  parsers: number;
  packets: number;
  /** Parsers that each side took. */
  readonly taken: Record<string, number>;
}

/** Parsers of a run: `CPR_PARSERS` for more, `SEED` for others. */
export const RANDOM_PARSERS: number = Number(process.env.CPR_PARSERS ?? 300);
export const RANDOM_SEED: number = Number(process.env.SEED ?? Date.now() & 0xffffff);
const PACKETS = Number(process.env.CPR_PACKETS ?? 40);

/** The documents of a run that resolve, each with its own seed. */
export function* randomParsers(
  count: number = RANDOM_PARSERS,
  seed: number = RANDOM_SEED,
): Generator<{ seed: number; document: CprDocument; parser: Parser }> {
  for (let i = 0; i < count; i++) {
    // far apart: the generator's first numbers of neighbours are alike
    const own = Math.imul(seed + i, 0x9e3779b1) >>> 0;
    const document = randomDocument(own);
    const resolved = parserOf(document);
    if (resolved.ok) yield { seed: own, document, parser: resolved.value };
  }
}

/** Packets of a parser, the same for every side. */
export function randomCases(parser: Parser, seed: number, count: number = PACKETS): RandomCase[] {
  const r = new Draw(seed);
  return Array.from({ length: count }, () => randomCase(parser, r));
}

/** Run the sides beside the executor; the first difference throws. */
export function compareRandom(sides: Readonly<Record<string, MakeSide>>, count?: number, seed?: number): Ran {
  const ran: Ran = { parsers: 0, packets: 0, taken: {} };
  for (const { seed: own, document, parser } of randomParsers(count, seed)) {
    const cases = randomCases(parser, own);
    ran.parsers++;
    ran.packets += cases.length;
    for (const [name, make] of Object.entries(sides)) {
      const side = make(parser);
      if (side === null) continue;
      ran.taken[name] = (ran.taken[name] ?? 0) + 1;
      try {
        for (const c of cases) {
          const found = differ(parser, side, c);
          if (found !== null)
            throw new Error(`${name}, parser of seed ${own}: ${found}\n${formatCpr(document)}`);
        }
      } finally {
        side.close?.();
      }
    }
  }
  return ran;
}

/** Run the sides on what was found before. */
export function compareFound(sides: Readonly<Record<string, MakeSide>>): void {
  for (const [reason, { document, packet, keys = [] }] of Object.entries(FOUND_PARSERS)) {
    const parser = orThrow(parserOf(document));
    for (const [name, make] of Object.entries(sides)) {
      const side = make(parser);
      const c = { packet: Uint8Array.from(Buffer.from(packet, "hex")), keys: Uint32Array.from(keys) };
      const found = side === null ? null : differ(parser, side, c);
      side?.close?.();
      if (found !== null) throw new Error(`${reason}: ${name}, ${found}`);
    }
  }
}

/** What a side says otherwise than the executor, or null. */
export function differ(parser: Parser, side: Side, { packet: own, keys }: RandomCase): string | null {
  const { packet, start } = side.frame?.(own) ?? { packet: own, start: 0 };
  const is = side.run({ packet, keys, start });
  const should = refParse(parser, packet, { keys, start, fill: side.fill });
  if (
    is.code === should.code &&
    is.last === should.last &&
    is.encaps === should.encaps &&
    is.nodes === should.nodes &&
    (is.keys === undefined || should.keys.every((k, i) => k === is.keys![i])) &&
    Buffer.compare(is.metadata, should.metadata) === 0
  )
    return null;
  const told = (r: Omit<RefResult, "keys"> & { readonly keys?: ArrayLike<number> }): string =>
    `code ${r.code} last ${r.last} encaps ${r.encaps} nodes ${r.nodes} keys ${Array.from(r.keys ?? [])} ` +
    Buffer.from(r.metadata).toString("hex");
  return `packet ${Buffer.from(packet).toString("hex")} keys ${[...keys]} start ${start}\nis     ${told(is)}\nshould ${told(should)}`;
}

/** The interpreter. */
export const interpreterSide: MakeSide = (parser) => {
  const run = new Interpreter(parser);
  return {
    fill: 0xa5,
    run: ({ packet, keys, start }) => {
      run.metadata.fill(0xa5);
      run.keys.set(keys);
      run.run(packet, packet.length, start);
      const { code, lastNode: last, encaps, nodes, metadata } = run;
      return { code, last, encaps, nodes, metadata, keys: run.keys };
    },
  };
};

/** The wasm target. */
export const wasmSide: MakeSide = (parser) => {
  const made = WasmParser.create(parser, 1, 1 << 16);
  if (!made.ok) return null;
  const run = made.value;
  return {
    fill: 0xa5,
    run: ({ packet, keys, start }) => {
      run.reset();
      run.add(packet, keys, start);
      run.fill(0xa5);
      run.run();
      const { code, lastNode: last, encaps, nodes } = run.outcome(0);
      return { code, last, encaps, nodes, metadata: run.metadata(0) };
    },
  };
};

/** The emitted text, read back and run. */
export const p4Side: MakeSide = (parser) => {
  const text = compileP4(parser);
  if (!text.ok) return null;
  const run = new P4Parser(parseP4(text.value));
  const metadata = new Uint8Array(parser.metametaSize + parser.frames * parser.frameSize);
  return {
    fill: 0,
    run: ({ packet, keys }) => {
      run.run(packet, Object.fromEntries([...keys].map((k, i) => [`key${i}`, k])));
      metadata.fill(0);
      run.bytes("metameta", metadata.subarray(0, parser.metametaSize));
      for (let i = 0; i < parser.frames; i++) {
        const from = parser.metametaSize + i * parser.frameSize;
        run.bytes(`frame${i}`, metadata.subarray(from, from + parser.frameSize));
      }
      const [code, last, encaps, nodes] = ["code", "last", "encaps", "nodes"].map((n) => run.number(n));
      return {
        code: code!,
        last: last!,
        encaps: encaps!,
        nodes: nodes!,
        metadata,
        keys: [...keys].map((_, i) => run.number(`key${i}`)),
      };
    },
  };
};
