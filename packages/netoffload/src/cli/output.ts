/**
 * What a command writes: buffered stdout that survives pipes, files that appear whole or not at all, progress
 * on a terminal only.
 */
import {
  closeSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { CliError, usageError } from "./exit.ts";

const FLUSH_BYTES = 1 << 16;
const ENCODER = new TextEncoder();

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
    this.#write(ENCODER.encode(text));
  }
}

/**
 * An output file under a temporary name until {@link OutputFile.commit}; {@link OutputFile.discard} leaves nothing
 * behind. `-` is standard output; a device or fifo (`/dev/null`) is written as it is, never replaced.
 */
export class OutputFile {
  readonly path: string;
  /** Null: written directly. */
  readonly #temporary: string | null;
  readonly #fd: number;
  #open = true;

  /** @throws CliError (2) when it cannot be written there */
  constructor(path: string) {
    const target = targetOf(path);
    this.path = target.path;
    this.#temporary = target.direct
      ? null
      : `${target.path}.tmp-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
    try {
      this.#fd = path === "-" ? 1 : openSync(this.#temporary ?? target.path, target.direct ? "w" : "wx");
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }

  write(bytes: Uint8Array): void {
    try {
      writeAll(this.#fd, bytes);
    } catch (error) {
      if (error instanceof ClosedPipe) throw error;
      throw cannotWrite(this.path, error);
    }
  }

  commit(): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.#fd === 1) return;
    if (this.#temporary !== null) fsyncSync(this.#fd);
    closeSync(this.#fd);
    if (this.#temporary !== null) renameSync(this.#temporary, this.path);
  }

  discard(): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.#fd === 1) return;
    closeSync(this.#fd);
    if (this.#temporary !== null) unlinkSync(this.#temporary);
  }
}

/** Write a file whole, or nothing of it. */
export function writeOutput(path: string, bytes: Uint8Array): void {
  const file = new OutputFile(path);
  try {
    file.write(bytes);
    file.commit();
  } finally {
    file.discard();
  }
}

/** Where a name really leads, and whether it must be written directly. */
function targetOf(path: string): { path: string; direct: boolean } {
  if (path === "-") return { path, direct: true };
  try {
    const real = realpathSync(path);
    const stat = statSync(real);
    if (stat.isDirectory()) throw usageError(`${path}: is a directory, a file name is needed`);
    return { path: real, direct: !stat.isFile() };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { path, direct: false };
    throw error instanceof CliError ? error : cannotWrite(path, error);
  }
}

function cannotWrite(path: string, error: unknown): CliError {
  const { code } = error as NodeJS.ErrnoException;
  const why =
    code === "ENOENT" ? "its directory does not exist" : code === "EACCES" ? "no permission" : String(code);
  return usageError(`${path}: cannot be written: ${why}`);
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
