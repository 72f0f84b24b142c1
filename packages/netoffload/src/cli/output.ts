/**
 * What a command writes: buffered stdout that survives pipes, files that appear whole or not at all, progress
 * on a terminal only.
 */
import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from "node:fs";

const FLUSH_BYTES = 1 << 16;

/** Thrown once the reader of our stdout is gone; the command ends silently with 0. */
export class ClosedPipe extends Error {}

/** Write all bytes to a descriptor, waiting where a pipe is full. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at, bytes.length - at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EPIPE") throw new ClosedPipe("stdout is closed");
      if (code !== "EAGAIN") throw error;
      // a non-blocking pipe is full: wait for its reader without spinning
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}

/** Buffered text to a descriptor, or to a function. */
export class TextOut {
  readonly #write: (bytes: Uint8Array) => void;
  #parts: string[] = [];
  #size = 0;

  constructor(to: number | ((bytes: Uint8Array) => void)) {
    this.#write = typeof to === "number" ? (bytes) => writeAll(to, bytes) : to;
  }

  write(text: string): void {
    this.#parts.push(text);
    this.#size += text.length;
    if (this.#size >= FLUSH_BYTES) this.flush();
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  json(value: unknown): void {
    this.write(`${JSON.stringify(value)}\n`);
  }

  flush(): void {
    if (this.#parts.length === 0) return;
    const text = this.#parts.join("");
    this.#parts = [];
    this.#size = 0;
    this.#write(new TextEncoder().encode(text));
  }
}

/** An output file under a temporary name until {@link commit}; {@link discard} leaves nothing behind. */
export class OutputFile {
  readonly path: string;
  readonly #temporary: string;
  readonly fd: number;
  #open = true;

  constructor(path: string) {
    this.path = path;
    this.#temporary = `${path}.tmp-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
    this.fd = openSync(this.#temporary, "wx");
  }

  write(bytes: Uint8Array): void {
    writeAll(this.fd, bytes);
  }

  commit(): void {
    if (!this.#open) return;
    this.#open = false;
    fsyncSync(this.fd);
    closeSync(this.fd);
    renameSync(this.#temporary, this.path);
  }

  discard(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.fd);
    unlinkSync(this.#temporary);
  }
}

/** A line on stderr for anything longer than a second; only on a terminal. */
export class Progress {
  readonly #enabled: boolean;
  readonly #what: string;
  readonly #started: number = performance.now();
  #last = 0;
  #shown = false;

  constructor(what: string, enabled: boolean) {
    this.#what = what;
    this.#enabled = enabled;
  }

  /** Cheap enough to be called every few thousand packets. */
  tick(done: number, unit: string, fraction?: number): void {
    if (!this.#enabled) return;
    const now = performance.now();
    if (now - this.#started < 1000 || now - this.#last < 200) return;
    this.#last = now;
    this.#shown = true;
    const percent = fraction === undefined ? "" : ` ${Math.min(100, Math.floor(fraction * 100))}%`;
    process.stderr.write(`\r\x1b[K${this.#what}${percent}  ${done.toLocaleString("en")} ${unit}`);
  }

  done(): void {
    if (this.#shown) process.stderr.write("\r\x1b[K");
    this.#shown = false;
  }
}
