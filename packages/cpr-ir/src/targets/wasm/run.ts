/** Compiled parsers in this process: packets and metadata in one linear memory. */
import type { Result } from "../../diagnostics.ts";
import { metadataSize, type Parser } from "../../ir/types.ts";
import { compileWasm, DESCRIPTOR } from "./compile.ts";

/** Results of one packet. */
export interface WasmOutcome {
  readonly code: number;
  readonly lastNode: number;
  readonly encaps: number;
  readonly nodes: number;
}

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
  readonly #parse: (descriptor: number, n: number) => void;
  readonly #keysAt: number;
  readonly #metadataAt: number;
  readonly #packetsAt: number;
  #count = 0;
  #free: number;

  private constructor(parser: Parser, module: WebAssembly.Module, capacity: number, packetBytes: number) {
    this.parser = parser;
    this.capacity = capacity;
    this.metadataSize = metadataSize(parser);
    this.#keysAt = align(64 + DESCRIPTOR * capacity);
    this.#metadataAt = align(this.#keysAt + 4 * parser.numKeys * capacity);
    this.#packetsAt = align(this.#metadataAt + this.metadataSize * capacity);
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
   */
  static create(parser: Parser, capacity = 1024, packetBytes: number = 4 << 20): Result<WasmParser> {
    const code = compileWasm(parser);
    if (!code.ok) return code;
    const module = new WebAssembly.Module(code.value as Uint8Array<ArrayBuffer>);
    return { ok: true, value: new WasmParser(parser, module, capacity, packetBytes) };
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

  #descriptor(i: number): number {
    return 64 + DESCRIPTOR * i;
  }
}

function align(n: number): number {
  return (n + 63) & ~63;
}
