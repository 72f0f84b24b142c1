/** Device profiles: the limits of a device as data. Shipped ones are constants, a user's is read from JSON. */

import { TCAM_IDEAL, type TcamLimits } from "@netoffload/cpr-ir";

/**
 * Faults of real devices that concern checksums. `truncate-start`: csum_start has 8 bits, silently.
 * `ext-hdr-partial`: behind extension headers the packet leaves with the pseudo sum only.
 * `srh-first-segment-address`: the pseudo header is made from the address in the IPv6 header.
 * `udp-zero-not-mangled`: a computed 0 is sent as 0 in UDP too. `else-udp`: whatever is not TCP is UDP.
 * `pad-not-summed`: COMPLETE misses padding and the driver does not know. `csum-level-wrong`: one level too many.
 */
export const CSUM_FAULTS = [
  "truncate-start",
  "ext-hdr-partial",
  "srh-first-segment-address",
  "udp-zero-not-mangled",
  "else-udp",
  "pad-not-summed",
  "csum-level-wrong",
] as const;
/** One of {@link CSUM_FAULTS}. */
export type CsumFault = (typeof CSUM_FAULTS)[number];

/** What a device can do; absent means unlimited or not there, as each field says. */
export interface Profile {
  readonly name: string;
  readonly description: string;
  readonly tx: {
    readonly csum: {
      /**
       * How checksums are asked for: none, by start and offset, by header types with the stack's seed, or by header
       * types with a pseudo header that the device makes from the IP header it parsed.
       */
      readonly mode: "none" | "generic" | "typed-seeded" | "typed-unseeded";
      readonly l3: readonly ("ipv4" | "ipv6")[];
      /** sctp: its CRC. */
      readonly l4: readonly ("tcp" | "udp" | "sctp")[];
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
      /** Longest link-layer header, tags included, bytes. */
      readonly l2LenMax: number;
      /** Only even link-layer headers. */
      readonly l2LenEven: boolean;
      /** Longest network header, extension headers included, bytes. */
      readonly l3LenMax: number;
      /** Of which its length must be a multiple, bytes. */
      readonly l3LenMultiple: number;
      /** Longest packet the engine takes, bytes; 0: any. */
      readonly lenMax: number;
    };
  };
  readonly rx: {
    readonly csum: {
      readonly report: "complete" | "unnecessary" | "none";
      readonly l3: readonly ("ipv4" | "ipv6")[];
      readonly l4: readonly ("tcp" | "udp")[];
      /** COMPLETE covers what lies behind the IP packet. */
      readonly coversPadding: boolean;
      /** Frames up to so many bytes are never COMPLETE to the stack: the driver knows that padding is not covered. */
      readonly shortFrameMax: number;
    };
  };
  /** Faults of real devices that are on. */
  readonly faults: readonly CsumFault[];
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
  /** The TCAM parser engine; null: none. */
  readonly parser: TcamLimits | null;
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
      l2LenMax: 65535,
      l2LenEven: false,
      l3LenMax: 65535,
      l3LenMultiple: 1,
      lenMax: 0,
    },
  },
  rx: {
    csum: {
      report: "complete",
      l3: ["ipv4", "ipv6"],
      l4: ["tcp", "udp"],
      coversPadding: true,
      shortFrameMax: 0,
    },
  },
  faults: [],
  program: {
    abi: 1,
    targets: [3],
    instructions: 32768,
    instructionsPerPacket: 1_000_000,
    stack: 4096,
    memory: 65536,
  },
  parser: TCAM_IDEAL,
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
      l2LenMax: 65535,
      l2LenEven: false,
      l3LenMax: 65535,
      l3LenMultiple: 1,
      lenMax: 0,
    },
  },
  rx: {
    csum: {
      report: "unnecessary",
      l3: ["ipv4", "ipv6"],
      l4: ["tcp", "udp"],
      coversPadding: true,
      shortFrameMax: 0,
    },
  },
  faults: [],
  program: null,
  parser: null,
};

type Csum = Profile["tx"]["csum"];

/** A fixed-function device made from `v4v6-basic`. */
function legacy(
  name: string,
  description: string,
  csum: Partial<Csum>,
  rx: Partial<Profile["rx"]["csum"]> = {},
): Profile {
  return {
    ...v4v6Basic,
    name,
    description,
    tx: { csum: { ...v4v6Basic.tx.csum, startMax: 65535, minLen: 0, ...csum } },
    rx: { csum: { ...v4v6Basic.rx.csum, ...rx } },
  };
}

/** All shipped profiles by name. */
export const PROFILES: Readonly<Record<string, Profile>> = {
  ideal,
  "small-parser": {
    ...ideal,
    name: "small-parser",
    description: "programmable, with the parser of a small switch",
    parser: {
      entries: 256,
      states: 128,
      window: 64,
      keyBits: 64,
      ops: 8,
      bytesPerStep: 16,
      registers: 16,
      metadataBytes: 512,
      steps: 4096,
    },
  },
  "v4v6-basic": v4v6Basic,
  "generic-csum": legacy("generic-csum", "by start and offset, start up to 255 (e1000e class)", {
    mode: "generic",
    startMax: 255,
    tcpZero: "ffff",
  }),
  "ctx-127-511": legacy("ctx-127-511", "by lengths: link layer 127, network header 511 (igb, ixgbe class)", {
    l4: ["tcp", "udp", "sctp"],
    ipv6ExtHdrs: "skip",
    l2LenMax: 127,
    l3LenMax: 511,
    vlanStack: 1,
  }),
  "word-dword": legacy(
    "word-dword",
    "lengths in words: link layer even up to 126, network header 508 (i40e class)",
    {
      l4: ["tcp", "udp", "sctp"],
      ipv6ExtHdrs: "skip",
      l2LenMax: 126,
      l2LenEven: true,
      l3LenMax: 508,
      l3LenMultiple: 4,
      vlanStack: 1,
    },
  ),
  "complete-parse": legacy(
    "complete-parse",
    "parses itself, its own pseudo header; COMPLETE without padding (mlx5 class)",
    { mode: "typed-unseeded", ipv6ExtHdrs: "skip", vlanStack: 1 },
    { report: "complete", coversPadding: false, shortFrameMax: 60 },
  ),
  "v4-only": legacy(
    "v4-only",
    "TCP and UDP over IPv4, no VLAN (old tg3, 8169)",
    { l3: ["ipv4"] },
    { l3: ["ipv4"] },
  ),
  "mtu-limited": legacy(
    "mtu-limited",
    "checksums up to an MTU of 1600, receive IPv4 only (mvneta class)",
    { lenMax: 1614 },
    { l3: ["ipv4"] },
  ),
};

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
  "tx.csum.mode": ["none", "generic", "typed-seeded", "typed-unseeded"],
  "tx.csum.ipv6ExtHdrs": ["none", "skip"],
  "tx.csum.tcpZero": ["ffff", "zero"],
  "rx.csum.report": ["complete", "unnecessary", "none"],
};
const MEMBERS: Readonly<Record<string, readonly unknown[]>> = {
  faults: CSUM_FAULTS,
  "tx.csum.l3": ["ipv4", "ipv6"],
  "tx.csum.l4": ["tcp", "udp", "sctp"],
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
