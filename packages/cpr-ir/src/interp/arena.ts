/**
 * Memory that interpreters share: one WebAssembly memory holds many programs, since each memory takes gigabytes of
 * addresses. It never grows, so views stay; it is given back when the last interpreter in it is.
 */
import { base64ToBytes } from "@netoffload/internal";
import { INTERPRETER_WASM } from "../generated/interpreter.ts";
import type { Trace } from "./run.ts";

/** Bytes of a memory that many share; of one that a packet needs for itself. */
const SHARED_BYTES = 4 << 20;
/** Room for a packet, in each. */
const PACKET_BYTES = 1 << 18;
const PAGE = 1 << 16;

type Run = (state: number, from: number, length: number, start: number) => number;

export class Arena {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly run: Run;
  /** Address of the packet's room, and its bytes. */
  readonly packet: number;
  readonly packetBytes: number;
  #free: number;

  /** @param bytes - of what is allocated. @param packetBytes - of the longest packet */
  constructor(bytes: number, packetBytes: number) {
    // address 0 is nobody's
    this.packet = 64;
    this.packetBytes = packetBytes;
    this.#free = align(this.packet + packetBytes);
    const pages = Math.ceil((this.#free + bytes) / PAGE);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    const env = { memory, ...TOLD };
    this.run = new WebAssembly.Instance(engine(), { env }).exports.run as Run;
  }

  /** Address of `bytes` bytes of zeros, a line of the cache at least; null: no room. */
  alloc(bytes: number): number | null {
    const at = this.#free;
    if (at + bytes > this.bytes.length) return null;
    this.#free = align(at + bytes);
    return at;
  }
}

/** The memory that the next interpreters share. */
let current: Arena | null = null;

/** A memory with room for `bytes` and for packets of `packetBytes`. */
export function arenaFor(bytes: number, packetBytes: number): { readonly arena: Arena; readonly at: number } {
  const shared = packetBytes <= PACKET_BYTES && bytes <= SHARED_BYTES / 4;
  const found = shared ? (current?.alloc(bytes) ?? null) : null;
  if (found !== null) return { arena: current!, at: found };
  const arena = new Arena(shared ? SHARED_BYTES : bytes + 64, Math.max(PACKET_BYTES, packetBytes));
  if (shared) current = arena;
  return { arena, at: arena.alloc(bytes)! };
}

let compiled: WebAssembly.Module | null = null;

function engine(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(base64ToBytes(INTERPRETER_WASM));
  return compiled;
}

/** Who watches the parse that goes on. */
let watcher: Trace | null = null;

/** Run, and tell `trace` what happens. */
export function watched(trace: Trace, run: () => number): number {
  watcher = trace;
  try {
    return run();
  } finally {
    watcher = null;
  }
}

const TOLD = {
  node: (index: number, off: number, length: number): void => watcher?.node?.(index, off, length),
  write: (to: number, length: number): void => watcher?.write?.(to, length),
  key: (key: number, value: number): void => watcher?.key?.(key, value >>> 0),
};

function align(n: number): number {
  return (n + 63) & ~63;
}
