/** Maps: key and value of fixed sizes, in the kernel. */
import { ok } from "../errors.ts";
import { libc } from "../libc.ts";
import { StructBytes } from "../struct-bytes.ts";
import { BPF_CMD, BPF_OBJ_NAME_LEN, objectName } from "./constants.ts";

/** How a map is made. */
export interface BpfMapOptions {
  /** One of BPF_MAP_TYPE. */
  readonly type: number;
  readonly name: string;
  /** Bytes; 0 where the type has none. */
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number;
  /** Meaning depends on the type. */
  readonly extra?: bigint;
}

/** Create a map. @returns its descriptor, close-on-exec; throws LinuxError */
export function createMap(options: BpfMapOptions): number {
  const attr = new StructBytes(72)
    .u32(0, options.type)
    .u32(4, options.keySize)
    .u32(8, options.valueSize)
    .u32(12, options.maxEntries)
    .u32(16, options.flags ?? 0)
    .text(28, objectName(options.name), BPF_OBJ_NAME_LEN)
    .u64(64, options.extra ?? 0n);
  return ok(libc().bpf(BPF_CMD.MAP_CREATE, attr), `bpf: create map ${options.name}`, { type: options.type });
}

/** A map that is read and written by system calls. */
export class BpfMap {
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  #fd: number;

  /** Create it; throws LinuxError. */
  constructor(options: BpfMapOptions) {
    this.#fd = createMap(options);
    this.name = options.name;
    this.keySize = options.keySize;
    this.valueSize = options.valueSize;
  }

  /** Descriptor; -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /** @returns a copy of the value, null when the key is not there */
  lookup(key: Uint8Array): Uint8Array | null {
    const value = new Uint8Array(this.valueSize);
    const done = libc().bpf(BPF_CMD.MAP_LOOKUP_ELEM, this.#element(key).pointer(16, value));
    if (done === -ENOENT) return null;
    ok(done, `bpf: look up in map ${this.name}`);
    return value;
  }

  /** Set a value, whether the key was there or not. */
  update(key: Uint8Array, value: Uint8Array): void {
    this.#sized("value", value, this.valueSize);
    ok(
      libc().bpf(BPF_CMD.MAP_UPDATE_ELEM, this.#element(key).pointer(16, value)),
      `bpf: update map ${this.name}`,
    );
  }

  /** @returns whether the key was there */
  delete(key: Uint8Array): boolean {
    const done = libc().bpf(BPF_CMD.MAP_DELETE_ELEM, this.#element(key));
    return done !== -ENOENT && ok(done, `bpf: delete from map ${this.name}`) === 0;
  }

  /** Give the descriptor back; programs that use the map keep it. May be called again. */
  close(): void {
    if (this.#fd >= 0) libc().close(this.#fd);
    this.#fd = -1;
  }

  #element(key: Uint8Array): StructBytes {
    this.#sized("key", key, this.keySize);
    return new StructBytes(32).u32(0, this.#fd).pointer(8, key);
  }

  #sized(what: string, bytes: Uint8Array, size: number): void {
    // the kernel reads and writes as many bytes as the map says, whatever the buffer has
    if (bytes.length !== size)
      ok(-EINVAL, `bpf: map ${this.name}: ${what} of ${bytes.length} bytes, not ${size}`);
  }
}

const ENOENT = 2;
const EINVAL = 22;
