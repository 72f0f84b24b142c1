/** What is wrong with a description: modules, images, graphs. Collected, never thrown. */

/** One fault. */
export interface Diagnostic {
  /** Short name to branch on. */
  readonly code: string;
  readonly message: string;
  /** Byte offset in the input (descriptions in text: offset in UTF-16 units). */
  readonly offset?: number;
  /** Where in a description: JSON path, e.g. `parse-nodes[3].next-proto.field-len`. */
  readonly path?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
  /** What would be right. */
  readonly suggestion?: string;
  /** `warning`: told, not fatal. Absent: an error. */
  readonly severity?: "error" | "warning";
  /** Function it lies in: its index in the module's function space, imports first. */
  readonly function?: number;
  /** Container check of devlink.md that failed. */
  readonly check?: number;
  /** Errno a kernel would answer with. */
  readonly errno?: string;
}

/** A value or everything that was found wrong. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** A value. */
export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

/** One fault. */
export function fail(
  code: string,
  message: string,
  more: Partial<Diagnostic> = {},
): { readonly ok: false; readonly diagnostics: readonly Diagnostic[] } {
  return { ok: false, diagnostics: [{ code, message, ...more }] };
}

/** For scripts: the value, or an Error that lists all faults. */
export function orThrow<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(result.diagnostics.map((d) => `${d.code}: ${d.message}${where(d)}`).join("\n"));
}

function where(d: Diagnostic): string {
  if (d.line !== undefined)
    return ` (line ${d.line}, column ${d.column}${d.path === undefined ? "" : `, ${d.path}`})`;
  return d.offset === undefined ? "" : ` (byte ${d.offset})`;
}
