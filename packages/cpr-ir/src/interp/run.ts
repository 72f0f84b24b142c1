/**
 * The interpreter: the meaning of a parser. Every target is judged by it.
 *
 * A parser is lowered once (`lower.ts`: its nodes as chains of steps, in the order of `cpr.md` section 2) and put
 * into words (`assemble.ts`); `engine/walk.ts` says what each step does, in AssemblyScript like all that runs for
 * every packet (decision 16). Nothing outside the packet is read: the resolver has seen to it that every load lies
 * in bytes that were checked. All loops are bounded, by `maxNodes`, by the header's length or by `maxEls`. Nothing
 * is allocated for a packet.
 */
import * as at from "../../engine/layout.ts";
import { metadataSize, type Parser } from "../ir/types.ts";
import { type Arena, arenaFor, watched } from "./arena.ts";
import { assemble } from "./assemble.ts";
import { lower } from "./lower.ts";

/**
 * What is told while a packet is parsed. Offsets count from the packet's start, metadata from its memory's. Who is told
 * must not run an interpreter meanwhile.
 */
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
  trace: Trace | null = null;
  readonly #arena: Arena;
  /** Address of the state; number of its first word. */
  readonly #state: number;
  readonly #word: number;
  /** For packets that are longer than {@link Arena.packetBytes}. */
  #roomier: Interpreter | null = null;

  /** @param longest - bytes of the longest packet that is expected; longer ones take longer */
  constructor(parser: Parser, longest = 0) {
    this.parser = parser;
    const code = assemble(parser, lower(parser));
    const size = metadataSize(parser);
    const metadata = at.STATE_BYTES;
    const keys = align(metadata + size);
    const counters = keys + 4 * parser.numKeys;
    const program = align(counters + 4 * parser.counters.length);
    const { arena, at: state } = arenaFor(program + code.byteLength, longest);
    this.#arena = arena;
    this.#state = state;
    this.#word = state / 4;
    this.metadata = arena.bytes.subarray(state + metadata, state + metadata + size);
    this.keys = new Uint32Array(arena.bytes.buffer, state + keys, parser.numKeys);
    const { words } = arena;
    words[this.#word + at.STATE_METADATA / 4] = state + metadata;
    words[this.#word + at.STATE_KEYS / 4] = state + keys;
    words[this.#word + at.STATE_COUNTERS / 4] = state + counters;
    words[this.#word + at.STATE_PROGRAM / 4] = state + program;
    words.set(code, (state + program) / 4);
  }

  /** Code of the last run. */
  get code(): number {
    return this.#arena.words[this.#word + at.STATE_CODE / 4]!;
  }

  /** Index of the node that was entered last; the root's if none was. */
  get lastNode(): number {
    return this.#arena.words[this.#word + at.STATE_LAST_NODE / 4]!;
  }

  /** Encapsulations of the last run. */
  get encaps(): number {
    return this.#arena.words[this.#word + at.STATE_ENCAPS / 4]!;
  }

  /** Nodes entered in the last run. */
  get nodes(): number {
    return this.#arena.words[this.#word + at.STATE_NODES / 4]!;
  }

  /** Zero metadata and key registers. */
  clear(): void {
    this.metadata.fill(0);
    this.keys.fill(0);
  }

  /**
   * Parse a packet.
   * @param packet - its bytes; they are copied
   * @param end - bytes of `packet` that belong to it; beyond its length: all
   * @param start - where the first header starts; in front of the packet: nothing does, as behind its end
   * @returns the code
   */
  run(packet: Uint8Array, end: number = packet.length, start = 0): number {
    const { bytes, packet: room, packetBytes, run } = this.#arena;
    const length = Math.max(0, Math.min(end, packet.length));
    // nothing in front of the packet is read
    if (!(start >= 0 && start <= length)) start = length + 1;
    if (length > packetBytes) return this.#long(packet, length, start);
    bytes.set(length === packet.length ? packet : packet.subarray(0, length), room);
    return this.trace === null ? run(this.#state, room, length, start) : this.#watched(length, start);
  }

  #watched(length: number, start: number): number {
    const { words, run, packet } = this.#arena;
    words[this.#word + at.STATE_TRACE / 4] = 1;
    try {
      return watched(this.trace!, () => run(this.#state, packet, length, start));
    } finally {
      words[this.#word + at.STATE_TRACE / 4] = 0;
    }
  }

  /** A packet that is longer than the memory has room for: in a memory that has it. */
  #long(packet: Uint8Array, length: number, start: number): number {
    if (this.#roomier === null || this.#roomier.#arena.packetBytes < length)
      this.#roomier = new Interpreter(this.parser, length);
    const other = this.#roomier;
    other.trace = this.trace;
    other.metadata.set(this.metadata);
    other.keys.set(this.keys);
    try {
      return other.run(packet, length, start);
    } finally {
      this.metadata.set(other.metadata);
      this.keys.set(other.keys);
      const results = other.#arena.words.subarray(other.#word, other.#word + at.STATE_NODES / 4 + 1);
      this.#arena.words.set(results, this.#word);
    }
  }
}

function align(n: number): number {
  return (n + 63) & ~63;
}
