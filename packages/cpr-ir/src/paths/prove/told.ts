/** Logs as text. */
import type { Facts } from "./facts.ts";
import type { LogEntry } from "./unit.ts";

/** A log under all that became known on the way: the same text, the same effects. */
export function told(log: readonly LogEntry[], facts: Facts): string {
  return log
    .map((e) =>
      typeof e === "string"
        ? e
        : [...e]
            .map(([place, bit]) => `${place}=${facts.resolve(bit)}`)
            .sort()
            .join(" "),
    )
    .join("\n");
}
