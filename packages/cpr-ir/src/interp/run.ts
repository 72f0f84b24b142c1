/**
 * The interpreter: the meaning of a parser. Every target is judged by it.
 *
 * A parser is lowered once (`lower.ts`: its nodes as chains of steps, in the order of `cpr.md` section 2);
 * `walk.ts` says what each step does. Nothing outside the packet is read: the resolver has seen to it that every
 * load lies in bytes that were checked. All loops are bounded, by `maxNodes`, by the header's length or by
 * `maxEls`. Nothing is allocated for a packet.
 */
import { isOkay } from "../ir/codes.ts";
import { metadataSize, type Parser } from "../ir/types.ts";
import { lower } from "./lower.ts";
import type { Program } from "./steps.ts";
import { walk } from "./walk.ts";

/** What is told while a packet is parsed. Offsets count from the packet's start, metadata from its memory's. */
export interface Trace {
  /** A node was entered and its header's length is known. */
  node?(index: number, off: number, length: number): void;
  /** `length` bytes of metadata were written. */
  write?(at: number, length: number): void;
  /** A key register was written. */
  key?(key: number, value: number): void;
}

/** Runs one parser on packets. Holds the metadata memory, which the caller zeroes ({@link Interpreter.clear}). */
export class Interpreter {
  readonly parser: Parser;
  /** The metameta area, then the frames. */
  readonly metadata: Uint8Array;
  /** Key registers: set them before a run; entries may write them. */
  readonly keys: Uint32Array;
  /** Results of the last run. */
  code = 0;
  lastNode = 0;
  encaps = 0;
  /** Nodes entered. */
  nodes = 0;

  trace: Trace | null = null;
  // state of the running parse, open to the functions of `walk.ts`: private methods cost a brand check each
  /** @hidden */
  readonly program: Program;
  /** {@link Interpreter.metadata}. @internal */
  readonly view: DataView;
  /** @internal */
  readonly counters: Uint32Array;
  /** @internal */
  packet: Uint8Array = new Uint8Array(0);
  /** @internal */
  end = 0;
  /** Start of the current frame in the metadata memory. @internal */
  frame = 0;
  /** @internal */
  frameNumber = 0;

  constructor(parser: Parser) {
    this.parser = parser;
    this.program = lower(parser);
    this.metadata = new Uint8Array(metadataSize(parser));
    this.view = new DataView(this.metadata.buffer);
    this.keys = new Uint32Array(parser.numKeys);
    this.counters = new Uint32Array(parser.counters.length);
  }

  /** Zero metadata and key registers. */
  clear(): void {
    this.metadata.fill(0);
    this.keys.fill(0);
  }

  /**
   * Parse a packet.
   * @param packet - its bytes
   * @param end - bytes of `packet` that belong to it
   * @param start - where the first header starts
   * @returns the code
   */
  run(packet: Uint8Array, end: number = packet.length, start = 0): number {
    const { parser, program, counters } = this;
    this.packet = packet;
    this.end = end;
    for (let i = 0; i < counters.length; i++) counters[i] = 0;
    this.frame = parser.metametaSize;
    this.frameNumber = 0;
    this.code = 0;
    this.encaps = 0;
    this.nodes = 0;
    this.lastNode = parser.root;
    const code = walk(this, program.nodes[parser.root]!, start, 0);
    this.code = code;
    const exit = isOkay(code) ? program.okay : program.fail;
    if (exit !== null) walk(this, exit, 0, 0);
    return code;
  }
}
