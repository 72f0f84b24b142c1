/** What commands read: files, standard input, JSON lines. */
import { readFileSync } from "node:fs";
import { usageError } from "./exit.ts";

/** A whole file (`-`: standard input); a missing one is bad input, not a crash. */
export function readInput(path: string): Uint8Array {
  try {
    return readFileSync(path === "-" ? 0 : path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw usageError(
      `${path}: ${code === "ENOENT" ? "no such file" : code === "EISDIR" ? "is a directory, a file is needed" : `cannot be read (${code})`}`,
    );
  }
}

/** One line of a JSON-lines stream, or why it is none. */
export type JsonLine =
  | { readonly ok: true; readonly id: unknown; readonly value: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly id: unknown; readonly code: string; readonly message: string };

/** Lines of objects; empty lines are skipped, bad ones keep their place. */
export function* jsonLines(text: string): Generator<JsonLine> {
  for (const [n, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      yield { ok: false, id: null, code: "json", message: `line ${n + 1}: ${(error as Error).message}` };
      continue;
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      yield { ok: false, id: null, code: "json", message: `line ${n + 1}: an object is needed` };
      continue;
    }
    yield { ok: true, id: (value as { id?: unknown }).id ?? null, value: value as Record<string, unknown> };
  }
}
