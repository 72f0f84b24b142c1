/** Device profiles: the limits of a device as data. Shipped ones are constants, a user's is read from JSON. */

/** What a device can do; absent means unlimited or not there, as each field says. */
export interface Profile {
  readonly name: string;
  readonly description: string;
  readonly tx: {
    readonly csum: {
      /** How checksums are asked for: none, by start and offset, or by header types with the stack's seed. */
      readonly mode: "none" | "generic" | "typed-seeded";
      readonly l3: readonly ("ipv4" | "ipv6")[];
      readonly l4: readonly ("tcp" | "udp")[];
      readonly ipv4Options: boolean;
      readonly ipv6ExtHdrs: "none" | "skip";
      /** Largest csum_start, bytes from the packet's first. */
      readonly startMax: number;
      /** What a computed 0 becomes for TCP. */
      readonly tcpZero: "ffff" | "zero";
      /** Shortest packet the engine takes, bytes. */
      readonly minLen: number;
      /** In-band VLAN tags the engine steps over. */
      readonly vlanStack: number;
    };
  };
  readonly rx: {
    readonly csum: {
      readonly report: "complete" | "unnecessary" | "none";
      readonly l3: readonly ("ipv4" | "ipv6")[];
      readonly l4: readonly ("tcp" | "udp")[];
    };
  };
  /** Null: fixed function. */
  readonly program: {
    readonly abi: number;
    /** 3: npu. */
    readonly targets: readonly number[];
    readonly instructions: number;
    readonly instructionsPerPacket: number;
    /** Bytes of frames of one call chain. */
    readonly stack: number;
    /** Bytes of static regions. */
    readonly memory: number;
  } | null;
}

/** A programmable device without limits that matter. */
export const ideal: Profile = {
  name: "ideal",
  description: "programmable, generic checksums, COMPLETE on receive",
  tx: {
    csum: {
      mode: "generic",
      l3: ["ipv4", "ipv6"],
      l4: ["tcp", "udp"],
      ipv4Options: true,
      ipv6ExtHdrs: "skip",
      startMax: 65535,
      tcpZero: "ffff",
      minLen: 0,
      vlanStack: 2,
    },
  },
  rx: { csum: { report: "complete", l3: ["ipv4", "ipv6"], l4: ["tcp", "udp"] } },
  program: {
    abi: 1,
    targets: [3],
    instructions: 32768,
    instructionsPerPacket: 1_000_000,
    stack: 4096,
    memory: 65536,
  },
};

/** Modelled on r8169's newer chips: plain TCP and UDP, no extension headers. */
export const v4v6Basic: Profile = {
  name: "v4v6-basic",
  description: "fixed function: TCP and UDP over plain IPv4 and IPv6 (r8169 class)",
  tx: {
    csum: {
      mode: "typed-seeded",
      l3: ["ipv4", "ipv6"],
      l4: ["tcp", "udp"],
      ipv4Options: true,
      ipv6ExtHdrs: "none",
      startMax: 1023,
      tcpZero: "zero",
      minLen: 60,
      vlanStack: 0,
    },
  },
  rx: { csum: { report: "unnecessary", l3: ["ipv4", "ipv6"], l4: ["tcp", "udp"] } },
  program: null,
};

/** All shipped profiles by name. */
export const PROFILES: Readonly<Record<string, Profile>> = { ideal, "v4v6-basic": v4v6Basic };

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

const CHOICES: Readonly<Record<string, readonly unknown[]>> = {
  "tx.csum.mode": ["none", "generic", "typed-seeded"],
  "tx.csum.ipv6ExtHdrs": ["none", "skip"],
  "tx.csum.tcpZero": ["ffff", "zero"],
  "rx.csum.report": ["complete", "unnecessary", "none"],
};
const MEMBERS: Readonly<Record<string, readonly unknown[]>> = {
  "tx.csum.l3": ["ipv4", "ipv6"],
  "tx.csum.l4": ["tcp", "udp"],
  "rx.csum.l3": ["ipv4", "ipv6"],
  "rx.csum.l4": ["tcp", "udp"],
  "program.targets": [3],
};

function merge(
  base: unknown,
  given: unknown,
  path: string,
  faults: { path: string; message: string }[],
): unknown {
  if (path === "program" && given === null) return null;
  const model = path === "program" && base === null ? ideal.program : base;
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
