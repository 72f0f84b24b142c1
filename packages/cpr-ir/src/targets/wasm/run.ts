/** Compiled parsers in this process: packets and metadata in one linear memory. */
import type { Result } from "../../diagnostics.ts";
import type { Trace } from "../../interp/run.ts";
import { metadataSize, type Parser } from "../../ir/types.ts";
import { compileWasm, DESCRIPTOR } from "./compile.ts";
import { TOLD } from "./values.ts";

/** Results of one packet. */
export interface WasmOutcome {
  readonly code: number;
  readonly lastNode: number;
  readonly encaps: number;
  readonly nodes: number;
}

/** How much a parser's memory holds. */
interface Room {
  readonly capacity: number;
  readonly packetBytes: number;
  readonly trace: number;
}

type Record4 = readonly [number, number, number, number];

/** A compiled parser with a memory of its own, laid out as descriptors, keys, metadata, packets. */
export class WasmParser {
  readonly parser: Parser;
  readonly memory: WebAssembly.Memory;
  /** The whole memory; it never grows. */
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** Packets of a batch. */
  readonly capacity: number;
  /** Bytes of metadata memory of one packet. */
  readonly metadataSize: number;
  /** Records of a packet's trace; 0: no debug mode. */
  readonly #records: number;
  readonly #traceAt: number;
  readonly #parse: (descriptor: number, n: number) => void;
  readonly #keysAt: number;
  readonly #metadataAt: number;
  readonly #packetsAt: number;
  #count = 0;
  #free: number;

  private constructor(parser: Parser, module: WebAssembly.Module, room: Room) {
    const { capacity, packetBytes } = room;
    this.parser = parser;
    this.capacity = capacity;
    this.#records = room.trace;
    this.metadataSize = metadataSize(parser);
    this.#keysAt = align(64 + DESCRIPTOR * capacity);
    this.#metadataAt = align(this.#keysAt + 4 * parser.numKeys * capacity);
    this.#traceAt = align(this.#metadataAt + this.metadataSize * capacity);
    this.#packetsAt = align(this.#traceAt + this.#traceBytes * capacity);
    this.#free = this.#packetsAt;
    const pages = Math.ceil((this.#packetsAt + packetBytes) / 65536);
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Int32Array(this.memory.buffer);
    const instance = new WebAssembly.Instance(module, { env: { memory: this.memory } });
    this.#parse = instance.exports.parse as (descriptor: number, n: number) => void;
  }

  /**
   * Compile a parser.
   * @param capacity - packets of a batch
   * @param packetBytes - bytes of packets that a batch holds
   * @param trace - debug mode: records that are kept of each packet ({@link WasmParser.trace})
   */
  static create(
    parser: Parser,
    capacity = 1024,
    packetBytes: number = 4 << 20,
    trace = 0,
  ): Result<WasmParser> {
    const code = compileWasm(parser, { trace: trace > 0 });
    if (!code.ok) return code;
    const module = new WebAssembly.Module(code.value as Uint8Array<ArrayBuffer>);
    return { ok: true, value: new WasmParser(parser, module, { capacity, packetBytes, trace }) };
  }

  /** Forget the batch. */
  reset(): void {
    this.#count = 0;
    this.#free = this.#packetsAt;
  }

  /** Copy a packet into the batch; false when it is full. */
  add(packet: Uint8Array, keys: Uint32Array | null = null, start = 0): boolean {
    if (this.#count === this.capacity || this.#free + packet.length > this.bytes.length) return false;
    const i = this.#count++;
    const at = this.#descriptor(i) >> 2;
    const keysAt = this.#keysAt + 4 * this.parser.numKeys * i;
    for (let k = 0; k < this.parser.numKeys; k++) this.words[(keysAt >> 2) + k] = keys?.[k] ?? 0;
    this.bytes.set(packet, this.#free);
    this.words[at] = this.#free;
    this.words[at + 1] = packet.length;
    this.words[at + 2] = start;
    this.words[at + 3] = this.#metadataAt + this.metadataSize * i;
    this.words[at + 4] = keysAt;
    if (this.#records > 0) this.#begin(i, at + 9);
    this.#free += packet.length;
    return true;
  }

  /** Fill the batch's metadata. */
  fill(value = 0): void {
    this.bytes.fill(value, this.#metadataAt, this.#metadataAt + this.metadataSize * this.#count);
  }

  /** Parse packets of the batch: all, or `n` from `first` on. */
  run(first = 0, n: number = this.#count - first): void {
    this.#parse(this.#descriptor(first), n);
  }

  outcome(i: number): WasmOutcome {
    const at = this.#descriptor(i) >> 2;
    const w = this.words;
    return { code: w[at + 5]!, lastNode: w[at + 6]!, encaps: w[at + 7]!, nodes: w[at + 8]! };
  }

  /** A packet's metadata: a view that the next batch overwrites. */
  metadata(i: number): Uint8Array {
    const at = this.#metadataAt + this.metadataSize * i;
    return this.bytes.subarray(at, at + this.metadataSize);
  }

  /**
   * Tell what was traced of a packet, in its order.
   * @returns records that were made; more than there was room for: the rest is missing
   */
  trace(i: number, to: Trace): number {
    if (this.#records === 0) return 0;
    const w = this.words;
    const first = (this.#traceAt + this.#traceBytes * i) >> 2;
    const made = w[first + 1]!;
    for (let n = 0; n < Math.min(made, this.#records); n++) {
      const [kind, a, b, c] = w.subarray(first + 2 + 4 * n, first + 6 + 4 * n) as unknown as Record4;
      if (kind === TOLD.node) to.node?.(a, b, c);
      else if (kind === TOLD.write) to.write?.(a, b);
      else to.key?.(a, b >>> 0);
    }
    return made;
  }

  get #traceBytes(): number {
    return this.#records === 0 ? 0 : 8 + 16 * this.#records;
  }

  /** An empty trace, and the descriptor's word that leads to it. */
  #begin(i: number, word: number): void {
    const at = this.#traceAt + this.#traceBytes * i;
    this.words[word] = at;
    this.words[at >> 2] = this.#records;
    this.words[(at >> 2) + 1] = 0;
  }

  #descriptor(i: number): number {
    return 64 + DESCRIPTOR * i;
  }
}

function align(n: number): number {
  return (n + 63) & ~63;
}
