/** What commands read: files, standard input, JSON lines. */
import { createReadStream, readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import type { Context } from "./command.ts";
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

/** Standard input in chunks, as they come; ends with the input or with Ctrl-C. */
export function standardInput(context: Context): AsyncGenerator<Uint8Array> {
  return streamed(context, process.stdin);
}

async function* streamed(context: Context, input: Readable): AsyncGenerator<Uint8Array> {
  const leave = (): void => void input.destroy();
  context.signal.addEventListener("abort", leave, { once: true });
  try {
    if (!context.interrupted()) for await (const chunk of input) yield chunk as Uint8Array;
  } catch (error) {
    if (!context.interrupted()) throw error;
  } finally {
    context.signal.removeEventListener("abort", leave);
  }
}

/**
 * The first chunk of what gives its bytes once, and what follows; the chunk is empty at its end.
 * @param path - a fifo, or `-`: standard input
 */
export async function openStream(
  context: Context,
  path: string,
): Promise<{ readonly first: Uint8Array; readonly rest: AsyncGenerator<Uint8Array> }> {
  const rest = path === "-" ? standardInput(context) : streamed(context, createReadStream(path));
  const { value } = await rest.next();
  return { first: value ?? new Uint8Array(0), rest };
}

/**
 * JSON lines of a file or (`-`) standard input, one after the other as they come: what was answered to the lines of
 * a chunk is written before the next is waited for.
 * @param chunks - the input where it was opened already
 */
export async function* readJsonLines(
  context: Context,
  path: string,
  chunks?: AsyncIterable<Uint8Array>,
): AsyncGenerator<JsonLine> {
  const decoder = new TextDecoder();
  const source = chunks ?? (path === "-" ? standardInput(context) : [readInput(path)]);
  let rest = "";
  let number = 1;
  for await (const chunk of source) {
    const text = rest + decoder.decode(chunk, { stream: true });
    const end = text.lastIndexOf("\n") + 1;
    rest = text.slice(end);
    for (const line of end === 0 ? [] : text.slice(0, end - 1).split("\n")) yield* jsonLine(line, number++);
    context.out.flush();
  }
  yield* jsonLine(rest + decoder.decode(), number);
}

/** One line of a JSON-lines stream, or why it is none. */
export type JsonLine =
  | { readonly ok: true; readonly id: unknown; readonly value: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly id: unknown; readonly code: string; readonly message: string };

/** One line; an empty one is none, a bad one keeps its place. */
function* jsonLine(line: string, number: number): Generator<JsonLine> {
  if (line.trim() === "") return;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    yield { ok: false, id: null, code: "json", message: `line ${number}: ${(error as Error).message}` };
    return;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    yield { ok: false, id: null, code: "json", message: `line ${number}: an object is needed` };
    return;
  }
  yield { ok: true, id: (value as { id?: unknown }).id ?? null, value: value as Record<string, unknown> };
}
