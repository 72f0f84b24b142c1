/** A trace as text, to be compared. */
import type { Trace } from "../../src/index.ts";

/** Lines in their order: `node index off length`, `write at length`, `key register value`. */
export class Told implements Trace {
  lines: string[] = [];

  clear(): void {
    this.lines = [];
  }

  node(index: number, off: number, length: number): void {
    this.lines.push(`node ${index} ${off} ${length}`);
  }

  write(at: number, length: number): void {
    this.lines.push(`write ${at} ${length}`);
  }

  key(key: number, value: number): void {
    this.lines.push(`key ${key} ${value}`);
  }
}

/** The first line that differs, or null. */
export function firstDifference(a: Told, b: Told): string | null {
  for (let i = 0; i < Math.max(a.lines.length, b.lines.length); i++)
    if (a.lines[i] !== b.lines[i]) return `line ${i}: ${a.lines[i] ?? "nothing"}, ${b.lines[i] ?? "nothing"}`;
  return null;
}
