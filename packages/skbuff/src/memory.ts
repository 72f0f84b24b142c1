/** One linear memory for skbs and bytes, with the acceleration units and the skb operations bound to it. */
import { base64ToBytes } from "@netoffload/internal";
import { SkbuffError } from "./errors.ts";
import { ACCEL1_SCALAR_WASM } from "./generated/accel1-scalar.ts";
import { ACCEL1_SIMD_WASM } from "./generated/accel1-simd.ts";
import { SKBUFF_WASM } from "./generated/skbuff.ts";
import { HEAP_BASE, STATIC_BASE } from "./memory-map.ts";

/** The acceleration units of ABI 1; every member is the WebAssembly export itself. Lengths are bytes, u32. */
export interface Accel1 {
  /** Sum of little-endian words from ptr on top of sum; 0, or the end-around folded value in 1..0xffff. */
  csum_partial(ptr: number, len: number, sum: number): number;
  /** Copy, overlap allowed. */
  copy(dst: number, src: number, len: number): void;
  /** Copy and sum in one pass. */
  copy_csum(dst: number, src: number, len: number, sum: number): number;
  /** CRC-32C continued, no inversion. Signed result: use `>>> 0`. */
  crc32c(ptr: number, len: number, crc: number): number;
  /** RSS hash; reads len + 4 bytes of key. Signed result: use `>>> 0`. */
  toeplitz(key: number, ptr: number, len: number): number;
  /** SipHash-2-4; writes 8 bytes, little endian. */
  siphash(key: number, ptr: number, len: number, out: number): void;
}

/** skbuff's own module: heap, skbs, geometry. Addresses are numbers, 0 is NULL; results as its sources say. */
export interface SkbuffKernel {
  heapInit(limit: number): void;
  heapPoison(): void;
  heapCheck(): number;
  heapOwns(address: number): number;
  heapUsed(): number;
  heapBlocks(): number;
  kmalloc(bytes: number): number;
  kfree(address: number): number;
  blockGet(address: number): number;
  blockPut(address: number): number;
  blockRefs(address: number): number;
  allocSkb(size: number): number;
  skbClone(skb: number): number;
  skbCopy(skb: number): number;
  pskbCopy(skb: number): number;
  kfreeSkb(skb: number): void;
  pskbExpandHead(skb: number, nhead: number, ntail: number): number;
  skbAddFrag(skb: number, page: number, offset: number, size: number): number;
  skbAddFragList(skb: number, member: number): void;
  skbPut(skb: number, n: number): number;
  skbPush(skb: number, n: number): number;
  skbPull(skb: number, n: number): number;
  skbTrim(skb: number, n: number): void;
  skbReserve(skb: number, n: number): number;
  pskbMayPull(skb: number, n: number): number;
  pskbPullTail(skb: number, delta: number): number;
  pskbTrim(skb: number, n: number): number;
  skbCopyBits(skb: number, offset: number, to: number, len: number): number;
  skbEnsureWritable(skb: number, n: number): number;
  skbHeaderPointer(skb: number, off: number, n: number, buffer: number): number;
  skbLinearize(skb: number): number;
  skbPartialCsumSet(skb: number, start: number, off: number): number;
}

/** How a memory is made. */
export interface MemoryOptions {
  /** Size in bytes, rounded up to 64 KiB; 2 MiB to 4 GiB less 64 KiB, default 64 MiB. It never grows. */
  readonly bytes?: number;
  /** Fill the part that is never used and the heap with 0xa5, so that unset bytes show. */
  readonly poison?: boolean;
  /** Use the scalar units even where SIMD is there. */
  readonly scalar?: boolean;
}

const PAGE = 65536;
const DEFAULT_BYTES = 64 << 20;
const MIN_BYTES = 2 << 20;
const MAX_BYTES = 2 ** 32 - PAGE;

// compiled once, instantiated for each memory
let simd: WebAssembly.Module | null | undefined;
let scalar: WebAssembly.Module | undefined;
let kernel: WebAssembly.Module | undefined;

/** True where the engine runs 128-bit SIMD. */
export function simdSupported(): boolean {
  if (simd === undefined) {
    const bytes = base64ToBytes(ACCEL1_SIMD_WASM);
    simd = WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null;
  }
  return simd !== null;
}

/** A linear memory. Views, addresses and skbs belong to exactly one. */
export class Memory {
  /** For modules that import `env.memory`. */
  readonly wasm: WebAssembly.Memory;
  /** The whole memory; made once, never detached. */
  readonly bytes: Uint8Array;
  /** The same bytes as a view. */
  readonly view: DataView;
  /** Size in bytes; also the limit given to every target. */
  readonly size: number;
  /** Heap, skbs, geometry. */
  readonly kernel: SkbuffKernel;
  /** Acceleration units. */
  readonly accel1: Accel1;

  private constructor(pages: number, options: MemoryOptions) {
    this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.bytes = new Uint8Array(this.wasm.buffer);
    this.view = new DataView(this.wasm.buffer);
    this.size = pages * PAGE;
    const env = { env: { memory: this.wasm } };
    kernel ??= new WebAssembly.Module(base64ToBytes(SKBUFF_WASM));
    this.kernel = new WebAssembly.Instance(kernel, env).exports as unknown as SkbuffKernel;
    this.accel1 = accel1(env, options.scalar === true);
    if (options.poison) {
      this.bytes.fill(0xa5, 0, STATIC_BASE);
      this.bytes.fill(0xa5, HEAP_BASE);
    }
    this.kernel.heapInit(this.size);
    if (options.poison) this.kernel.heapPoison();
  }

  /** Make a memory; throws SkbuffError: EINVAL for a size out of range, ENOMEM when the engine refuses. */
  static create(options: MemoryOptions = {}): Memory {
    const bytes = options.bytes ?? DEFAULT_BYTES;
    if (!(bytes >= MIN_BYTES && bytes <= MAX_BYTES))
      throw new SkbuffError(
        "EINVAL",
        `Memory.create: ${bytes} bytes, ${MIN_BYTES} to ${MAX_BYTES} are possible`,
        { bytes },
      );
    try {
      return new Memory(Math.ceil(bytes / PAGE), options);
    } catch (cause) {
      if (cause instanceof RangeError)
        throw new SkbuffError("ENOMEM", `Memory.create: no room for ${bytes} bytes`, { bytes }, { cause });
      throw cause;
    }
  }

  /** Allocate bytes, 16-aligned, content undefined. @returns the address, 0: out of memory */
  alloc(bytes: number): number {
    return this.kernel.kmalloc(bytes) >>> 0;
  }

  /**
   * Give bytes of {@link alloc} back; 0 is ignored.
   * Throws SkbuffError double_free for an address that is free already or was never given; nothing changes then.
   */
  free(address: number): void {
    if (this.kernel.kfree(address) === 0)
      throw new SkbuffError("double_free", `Memory.free: nothing is allocated at ${address}`, { address });
  }
}

/** The compiled accel1 module, by SIMD where the engine has it: for memories that others own. Call its `init`. */
export function accel1Module(forceScalar = false): WebAssembly.Module {
  if (!forceScalar && simdSupported()) return simd!;
  scalar ??= new WebAssembly.Module(base64ToBytes(ACCEL1_SCALAR_WASM));
  return scalar;
}

function accel1(env: Record<string, Record<string, unknown>>, forceScalar: boolean): Accel1 {
  const exports = new WebAssembly.Instance(accel1Module(forceScalar), env).exports as unknown as Accel1 & {
    init(): void;
  };
  exports.init();
  return exports;
}

/** The scalar accel1 module's bytes: what `--no-accel` links into a program as plain loops. */
export function accel1ScalarModule(): Uint8Array {
  return base64ToBytes(ACCEL1_SCALAR_WASM);
}
