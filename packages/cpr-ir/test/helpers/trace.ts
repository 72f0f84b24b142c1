/** A trace as text, to be compared. */
import type { Trace } from "../../src/index.ts";

/** Lines in their order: `node index off length`, `write at length`, `key register value`. */
export class Told implements Trace {
  lines: string[] = [];
  /** Writes one behind the other are one: an entry that a target writes in parts. */
  joined = false;
  #last = { at: -1, length: 0 };

  clear(): void {
    this.lines = [];
    this.#last = { at: -1, length: 0 };
  }

  node(index: number, off: number, length: number): void {
    this.#last.at = -1;
    this.lines.push(`node ${index} ${off} ${length}`);
  }

  write(at: number, length: number): void {
    const last = this.#last;
    if (this.joined && last.at >= 0 && last.at + last.length === at) {
      this.lines.pop();
      last.length += length;
    } else this.#last = { at, length };
    this.lines.push(`write ${this.#last.at} ${this.#last.length}`);
  }

  key(key: number, value: number): void {
    this.#last.at = -1;
    this.lines.push(`key ${key} ${value}`);
  }
}

/** The first line that differs, or null. */
export function firstDifference(a: Told, b: Told): string | null {
  for (let i = 0; i < Math.max(a.lines.length, b.lines.length); i++)
    if (a.lines[i] !== b.lines[i]) return `line ${i}: ${a.lines[i] ?? "nothing"}, ${b.lines[i] ?? "nothing"}`;
  return null;
}
