/** Programs by name, by hash, or from a file. */
import { canonicalModule, checkProfile, decodeModule, hashProgram } from "@netoffload/cpr-ir";
import { earlierPrograms, type OffloadProgram, rxCsum, txCsum } from "@netoffload/csum";
import { FUNCTION_NUMBER } from "@netoffload/skbuff";
import { usageError } from "./cli/exit.ts";
import { readInput } from "./cli/input.ts";

/** A program ready to be compiled. */
export interface Program {
  readonly name: string;
  readonly functionNumber: number;
  readonly ir: Uint8Array;
  readonly sha256: string;
  readonly sha1: string;
  /** Where it came from. */
  readonly source: string;
}

/** The programs this build ships, current versions. */
export function shippedPrograms(): Program[] {
  return [txCsum, rxCsum].map(builtIn);
}

function builtIn(p: OffloadProgram): Program {
  const ir = p.ir();
  return { name: p.name, functionNumber: p.functionNumber, ir, ...hashProgram(ir), source: "built in" };
}

/** Function number of an entry's name: its own static region where it has one, else 8, the first free. */
export function functionNumberOf(name: string): number {
  return (FUNCTION_NUMBER as Readonly<Record<string, number>>)[name] ?? 8;
}

/**
 * Resolve `NAME`, `NAME@sha256:HEX` or `FILE.wasm`.
 * @param earlier - former versions, found by their hash only
 */
export function findProgram(
  item: string,
  earlier: readonly Program[] = earlierPrograms.map(builtIn),
): Program {
  if (/\.wasm$/.test(item) || item.includes("/")) return fromFile(item);
  const [name, hash] = item.split("@") as [string, string?];
  const shipped = shippedPrograms();
  const found = shipped.filter((p) => p.name === name);
  if (found.length === 0)
    throw usageError(
      `program '${name}' is not known; one of: ${shipped.map((p) => p.name).join(", ")}, or a file that ends in .wasm`,
    );
  const versions = [...found, ...earlier.filter((p) => p.name === name)];
  const chosen = hash === undefined ? found[0] : versions.find((p) => p.sha256 === hash);
  if (chosen === undefined)
    throw usageError(
      `program ${name} has no version ${hash}; there is ${versions.map((p) => p.sha256).join(", ")}`,
    );
  return chosen;
}

function fromFile(path: string): Program {
  const bytes = readInput(path);
  const decoded = decodeModule(bytes);
  if (!decoded.ok) throw usageError(`${path}: ${decoded.diagnostics[0]!.message}`);
  const name = decoded.value.exports[0]?.name ?? "";
  const functionNumber = functionNumberOf(name);
  const violations = checkProfile(decoded.value, { functionNumber });
  if (violations.length > 0) throw usageError(violations.map((v) => `${path}: ${v.message}`).join("\n"));
  const canonical = canonicalModule(bytes);
  if (!canonical.ok) throw usageError(`${path}: ${canonical.diagnostics[0]!.message}`);
  return { name, functionNumber, ir: canonical.value, ...hashProgram(canonical.value), source: path };
}
