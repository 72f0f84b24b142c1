/** A user's profile, read from JSON. */
import { CSUM_FAULTS, type Profile } from "./profile.ts";
import { ideal, PROFILES } from "./shipped.ts";

/** Result of reading a profile. */
export type ProfileResult =
  | { readonly ok: true; readonly value: Profile }
  | { readonly ok: false; readonly faults: readonly { readonly path: string; readonly message: string }[] };

/**
 * Read a user's profile: fields given override those of `basedOn` (default `ideal`). Every unknown or ill-typed
 * field is a fault with its path; never throws.
 */
export function readProfile(value: unknown): ProfileResult {
  const faults: { path: string; message: string }[] = [];
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { ok: false, faults: [{ path: "", message: "an object is needed" }] };
  const given = value as Record<string, unknown>;
  const baseName = given.basedOn ?? "ideal";
  const base = typeof baseName === "string" && Object.hasOwn(PROFILES, baseName) ? PROFILES[baseName]! : null;
  if (base === null)
    faults.push({ path: "basedOn", message: `one of ${Object.keys(PROFILES).join(", ")} is accepted` });
  if (typeof given.name !== "string" || !/^[a-z0-9][a-z0-9._-]{0,62}$/.test(given.name))
    faults.push({
      path: "name",
      message: "a name of lower-case letters, digits, '.', '_' and '-' is needed",
    });
  const { basedOn: _based, ...rest } = given;
  const merged = merge(base ?? ideal, rest, "", faults);
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value: merged as Profile };
}

const COUNTS = Array.from({ length: 16 }, (_, i) => `count:${i + 1}`);
const CHOICES: Readonly<Record<string, readonly unknown[]>> = {
  "tx.csum.mode": ["none", "generic", "typed-seeded", "typed-unseeded"],
  "tx.csum.ipv6ExtHdrs": ["none", "skip", ...COUNTS],
  "tx.csum.tcpZero": ["ffff", "zero"],
  "tx.csum.udpZero": ["ffff", "zero"],
  "rx.csum.report": [
    "complete",
    "unnecessary",
    "none",
    "complete-else-unnecessary",
    "unnecessary-else-complete",
  ],
  "rx.csum.ipv6ExtHdrs": ["none", "skip"],
  "rx.csum.udpZero": ["ok", "none", "error"],
  "rx.csum.completeFrom": ["data", "ip", "ipPayload"],
};
const MEMBERS: Readonly<Record<string, readonly unknown[]>> = {
  faults: CSUM_FAULTS,
  "tx.csum.l3": ["ipv4", "ipv6"],
  "tx.csum.encapL3": ["ipv4", "ipv6"],
  "tx.csum.encap": ["udp", "vxlan", "geneve", "gre", "ipip"],
  "tx.csum.l4": ["tcp", "udp", "sctp"],
  "rx.csum.l3": ["ipv4", "ipv6"],
  "rx.csum.encap": ["vxlan", "geneve", "gre", "ipip"],
  "rx.csum.l4": ["tcp", "udp"],
  "program.targets": [3, 4],
};

function merge(
  base: unknown,
  given: unknown,
  path: string,
  faults: { path: string; message: string }[],
): unknown {
  const engine = path === "program" || path === "parser" ? path : null;
  if (engine !== null && given === null) return null;
  const model = engine !== null && base === null ? ideal[engine] : base;
  if (typeof model !== "object" || model === null || Array.isArray(model))
    return leaf(model, given, path, faults);
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    faults.push({ path, message: "an object is needed" });
    return model;
  }
  const out: Record<string, unknown> = { ...model };
  for (const [key, v] of Object.entries(given)) {
    const at = path === "" ? key : `${path}.${key}`;
    if (!Object.hasOwn(model, key))
      faults.push({ path: at, message: `unknown field; known here: ${Object.keys(model).join(", ")}` });
    else out[key] = merge((model as Record<string, unknown>)[key], v, at, faults);
  }
  return out;
}

function leaf(
  model: unknown,
  given: unknown,
  path: string,
  faults: { path: string; message: string }[],
): unknown {
  const fail = (message: string): unknown => {
    faults.push({ path, message });
    return model;
  };
  if (Array.isArray(model)) {
    if (path.includes(".encapPorts."))
      return Array.isArray(given) && given.every((g) => Number.isInteger(g) && g > 0 && g <= 65535)
        ? given
        : fail("a list of UDP ports is needed");
    const allowed = MEMBERS[path]!;
    return Array.isArray(given) && given.every((g) => allowed.includes(g))
      ? given
      : fail(`a list of ${allowed.join(", ")} is needed`);
  }
  const choices = CHOICES[path];
  if (choices !== undefined)
    return choices.includes(given) ? given : fail(`one of ${choices.join(", ")} is accepted`);
  if (typeof model === "number")
    return Number.isInteger(given) && (given as number) >= 0 && (given as number) <= 0xffffffff
      ? given
      : fail("a whole number from 0 to 4294967295 is needed");
  return typeof given === typeof model ? given : fail(`a ${typeof model} is needed`);
}
