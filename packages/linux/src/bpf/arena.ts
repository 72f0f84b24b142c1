/** Arenas: memory that a program and this process share, at the same 32-bit addresses. */
import { LinuxError, ok } from "../errors.ts";
import { libc, type Mapping } from "../libc.ts";
import { BPF_F_MMAPABLE, BPF_MAP_TYPE } from "./constants.ts";
import { createMap } from "./map.ts";

const PAGE = 4096;
const GIB4 = 1n << 32n;
/** Where arenas are put: far from what Node maps by itself. */
const FIRST = 0x5000_0000_0000n;
const SLOTS = 0x1000n;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_POPULATE = 0x8000;
const MAP_FIXED_NOREPLACE = 0x10_0000;
const EEXIST = 17;

let next = 0n;

/**
 * An arena, mapped at a multiple of 4 GiB, so that a byte's index here is its address in the program. All pages are
 * there from the start: the program itself can bring none in, it would read 0 and its stores would be dropped.
 */
export class Arena {
  /** Bytes by address. Owned by the arena: not to be touched once it is closed. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly #mapping: Mapping;
  #fd: number;

  /** @param size - bytes, a multiple of 4096 up to 4 GiB. Throws LinuxError */
  constructor(size: number, name = "arena") {
    if (!(size > 0 && size <= 2 ** 32 && size % PAGE === 0))
      throw new LinuxError(
        "EINVAL",
        `arena of ${size} bytes: a multiple of ${PAGE} up to 4 GiB is possible`,
        {
          size,
        },
      );
    for (let tries = 0; ; tries++) {
      const address = FIRST + (next++ % SLOTS) * GIB4;
      const fd = createMap({
        type: BPF_MAP_TYPE.ARENA,
        name,
        keySize: 0,
        valueSize: 0,
        maxEntries: size / PAGE,
        flags: BPF_F_MMAPABLE,
        extra: address,
      });
      const flags = MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE;
      const mapping = libc().mmap(address, size, PROT_READ_WRITE, flags, fd);
      if (typeof mapping !== "number") {
        this.#fd = fd;
        this.#mapping = mapping;
        break;
      }
      libc().close(fd);
      if (mapping !== -EEXIST || tries > 64) ok(mapping, `arena: map ${size} bytes`, { size });
    }
    this.bytes = this.#mapping.bytes;
    this.view = new DataView(this.bytes.buffer);
  }

  /** Descriptor of its map; -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Unmap it and give the descriptor back; programs keep the map until they are closed. May be called again. */
  close(): void {
    if (this.#fd < 0) return;
    libc().munmap(this.#mapping);
    libc().close(this.#fd);
    this.#fd = -1;
  }
}
