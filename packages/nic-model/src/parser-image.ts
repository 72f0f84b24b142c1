/** A parser in an image: what its table takes of a device, and whether it belongs to its graph. */
import {
  CANONICAL_PREFIX,
  compileTcam,
  decodeTcam,
  loadParser,
  measureTcam,
  type TcamLimits,
  tcamResources,
} from "@netoffload/cpr-ir";
import type { BundleProgram, Resources } from "@netoffload/devlink";
import type { Profile } from "./profiles/profile.ts";
import { PROFILES } from "./profiles/shipped.ts";

/** Counted in the table itself; null: it is none. */
export function measureParser({ text }: Pick<BundleProgram, "text">): Resources | null {
  const decoded = decodeTcam(text);
  return decoded.ok ? tcamResources(measureTcam(decoded.value)) : null;
}

/** Is a table what the compiler makes of the graph, for this device's engine or for one of those that ship? */
export function tableMatchesGraph(
  { ir, text }: Pick<BundleProgram, "ir" | "text">,
  device: Profile,
): boolean {
  const graph = loadParser(new TextDecoder().decode(ir).slice(CANONICAL_PREFIX.length));
  if (!graph.ok) return false;
  const engines = new Map<string, TcamLimits>();
  for (const { parser } of [device, ...Object.values(PROFILES)])
    if (parser !== null) engines.set(JSON.stringify(Object.values(parser)), parser);
  return [...engines.values()].some((limits) => {
    const again = compileTcam(graph.value, limits);
    return again.ok && same(again.value.text, text);
  });
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}
