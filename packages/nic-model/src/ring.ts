/** A ring of equal entries with a producer and a consumer; one entry stays free. */
import { NicError } from "./errors.ts";

/** Entries are bytes of `view` at {@link Ring.produce} and {@link Ring.consume}. */
export class Ring {
  readonly view: DataView;
  readonly entries: number;
  readonly #size: number;
  #head = 0;
  #tail = 0;

  /** @param entries - a power of two. @param size - bytes of each */
  constructor(entries: number, size: number) {
    if (entries < 2 || (entries & (entries - 1)) !== 0)
      throw new NicError("EINVAL", `Ring: ${entries} entries, a power of two from 2 on is needed`, {
        entries,
      });
    this.entries = entries;
    this.#size = size;
    this.view = new DataView(new ArrayBuffer(entries * size));
  }

  /** Entries that wait. */
  get pending(): number {
    return (this.#tail - this.#head) & (this.entries - 1);
  }

  /** Entries that can be produced. */
  get free(): number {
    return this.entries - 1 - this.pending;
  }

  /** Offset of the next entry to write, -1 when full; call {@link Ring.commit} once it is written. */
  produce(): number {
    return this.free === 0 ? -1 : this.#tail * this.#size;
  }

  /** Hand the written entry over. */
  commit(): void {
    this.#tail = (this.#tail + 1) & (this.entries - 1);
  }

  /** Offset of the oldest waiting entry, -1 when empty; call {@link Ring.release} once it is read. */
  consume(): number {
    return this.pending === 0 ? -1 : this.#head * this.#size;
  }

  /** Give the read entry back. */
  release(): void {
    this.#head = (this.#head + 1) & (this.entries - 1);
  }
}
