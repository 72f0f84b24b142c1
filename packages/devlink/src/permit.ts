/**
 * May an offload run in hardware? Only when the device holds the very program the kernel runs, by hash, and
 * has the room for it. The answer is a value with a reason, decided anew after every change.
 * @remarks not in the kernel; the paper's section 4.5, step 9
 */
import type { ErrnoName } from "./errno.ts";
import type { OffloadEntry, OffloadFunction, OffloadOps, Resources } from "./ops.ts";

/** Why a function stays in software. */
export type SoftwareReason =
  | { readonly kind: "HASH_MISMATCH"; readonly kernel: string; readonly device: readonly string[] }
  | { readonly kind: "RESOURCE"; readonly name: string; readonly need: number; readonly have: number }
  | { readonly kind: "DEPENDENCY"; readonly on: OffloadFunction }
  | { readonly kind: "ABI"; readonly kernel: number; readonly device: number }
  | { readonly kind: "DEVICE"; readonly detail: string }
  | { readonly kind: "ADMIN" }
  | { readonly kind: "NO_PROGRAM"; readonly where: "kernel" | "device" };

/** The outcome of an enable. */
export type OffloadState =
  | { readonly state: "HARDWARE"; readonly generation: number; readonly slot: number; readonly hash: string }
  | { readonly state: "LEGACY" }
  | { readonly state: "SOFTWARE"; readonly reason: SoftwareReason };

/** The kernel's side of one function: the hash and ABI of the program the CPU runs, and what it needs of a device. */
export interface KernelProgram {
  /** `sha256:` + 64 hex. */
  readonly sha256: string;
  readonly abi: number;
  /** Needed beyond what loading the image already took; usually empty. */
  readonly needs?: Resources;
}

/** gro and the dissector's hash work on the parser's output; the others ask nothing of it. */
const DEPENDS: Readonly<Partial<Record<OffloadFunction, OffloadFunction>>> = {
  gro: "parser",
  flow_dissector: "parser",
};

/** At most this many query/set rounds when reloads keep coming in between. */
const ESTALE_RETRIES = 3;

/**
 * The offload manager of one netdev: keeps the state of every function and never lets HARDWARE stand while
 * programs differ.
 */
export class OffloadManager {
  readonly #ops: OffloadOps;
  readonly #kernel: Map<OffloadFunction, KernelProgram> = new Map();
  readonly #admin: Set<OffloadFunction> = new Set();
  readonly #states: Map<OffloadFunction, OffloadState> = new Map();

  /** @param ops - the driver; called back on every evaluation, never kept busy */
  constructor(ops: OffloadOps) {
    this.#ops = ops;
  }

  /**
   * Install, replace or (null) remove the kernel's program of one function. Hardware goes off first, so there
   * is no moment with two different programs; then the offload is decided anew if it was enabled before.
   */
  setKernelProgram(fn: OffloadFunction, program: KernelProgram | null): void {
    const known = this.#states.has(fn);
    this.#off(fn);
    if (program === null) this.#kernel.delete(fn);
    else this.#kernel.set(fn, program);
    if (known) this.enable(fn);
  }

  /** The administrator's switch; off wins over everything. */
  setAdmin(fn: OffloadFunction, on: boolean): OffloadState {
    if (on) this.#admin.delete(fn);
    else this.#admin.add(fn);
    return this.enable(fn);
  }

  /** The state now; SOFTWARE/NO_PROGRAM for a function never enabled. */
  state(fn: OffloadFunction): OffloadState {
    return this.#states.get(fn) ?? software({ kind: "NO_PROGRAM", where: "kernel" });
  }

  /** Turn every function's hardware off: before a reload, a reset, a queue change or a namespace move. */
  suspend(): void {
    for (const fn of this.#states.keys()) this.#off(fn);
  }

  /** Decide every known function anew, dependencies first. */
  reevaluate(): void {
    const order = [...this.#states.keys()].sort((a, b) => Number(a in DEPENDS) - Number(b in DEPENDS));
    for (const fn of order) this.enable(fn);
  }

  /** Decide one function: query, compare, check resources, set, verify. */
  enable(fn: OffloadFunction): OffloadState {
    this.#off(fn);
    const state = this.#decide(fn);
    this.#states.set(fn, state);
    return state;
  }

  #off(fn: OffloadFunction): void {
    const state = this.#states.get(fn);
    if (state?.state !== "HARDWARE") return;
    this.#states.set(fn, software({ kind: "DEVICE", detail: "being decided anew" }));
    // ESTALE is fine here: a reload in between has turned it off already
    this.#ops.ndoOffloadSet(fn, null, state.generation);
  }

  #decide(fn: OffloadFunction): OffloadState {
    if (this.#admin.has(fn)) return software({ kind: "ADMIN" });
    const kernel = this.#kernel.get(fn);
    if (kernel === undefined) return software({ kind: "NO_PROGRAM", where: "kernel" });
    for (let round = 0; round < ESTALE_RETRIES; round++) {
      const query = this.#ops.ndoOffloadQuery(fn);
      if (!query.ok) return this.#refused(fn, query.errno);
      const chosen = choose(query.value, kernel);
      if (!("entry" in chosen)) return software(chosen);
      const { entry } = chosen;
      const missing = this.#missingDependency(fn, entry.generation);
      if (missing !== null) return software({ kind: "DEPENDENCY", on: missing });
      const failed = this.#ops.knownAnswerTest(fn, entry.slot);
      if (failed !== null)
        return software({ kind: "DEVICE", detail: `unit ${failed} fails its known-answer test` });
      const set = this.#ops.ndoOffloadSet(fn, entry.slot, entry.generation);
      if (set.ok) return this.#verify(fn, entry);
      if (set.errno !== "ESTALE")
        return software({
          kind: "DEVICE",
          detail: `enabling answers ${set.errno}${set.extack && `: ${set.extack}`}`,
        });
    }
    return software({ kind: "DEVICE", detail: `programs changed ${ESTALE_RETRIES} times while enabling` });
  }

  #refused(fn: OffloadFunction, errno: ErrnoName): OffloadState {
    if (errno === "ENODATA") return software({ kind: "NO_PROGRAM", where: "device" });
    if (errno === "EOPNOTSUPP" && this.#ops.legacy(fn)) return { state: "LEGACY" };
    return software({ kind: "DEVICE", detail: `query answers ${errno}` });
  }

  #missingDependency(fn: OffloadFunction, generation: number): OffloadFunction | null {
    const needed = DEPENDS[fn];
    if (needed === undefined) return null;
    const state = this.state(needed);
    return state.state === "HARDWARE" && state.generation === generation ? null : needed;
  }

  /** The device must say itself that the program is active now. */
  #verify(fn: OffloadFunction, entry: OffloadEntry): OffloadState {
    const again = this.#ops.ndoOffloadQuery(fn);
    const now = again.ok
      ? again.value.find((e) => e.slot === entry.slot && e.sha256 === entry.sha256)
      : undefined;
    if (now?.state === "active" && now.generation === entry.generation)
      return { state: "HARDWARE", generation: entry.generation, slot: entry.slot, hash: entry.sha256 };
    this.#ops.ndoOffloadSet(fn, null, entry.generation);
    return software({
      kind: "DEVICE",
      detail: now === undefined ? "program vanished" : `program is ${now.state}`,
    });
  }
}

function software(reason: SoftwareReason): OffloadState {
  return { state: "SOFTWARE", reason };
}

/** Narrow the device's entries to one that equals the kernel's program; each narrowing has its own reason. */
function choose(
  entries: readonly OffloadEntry[],
  kernel: KernelProgram,
): { entry: OffloadEntry } | SoftwareReason {
  const hashed = entries.filter((e) => e.sha256 !== "");
  if (hashed.length === 0 && entries.length > 0)
    return { kind: "ABI", kernel: kernel.abi, device: entries[0]!.abi };
  const equal = hashed.filter((e) => e.sha256 === kernel.sha256);
  if (equal.length === 0)
    return { kind: "HASH_MISMATCH", kernel: kernel.sha256, device: hashed.map((e) => e.sha256) };
  const sameAbi = equal.filter((e) => e.abi === kernel.abi);
  if (sameAbi.length === 0) return { kind: "ABI", kernel: kernel.abi, device: equal[0]!.abi };
  let shortage: SoftwareReason | null = null;
  for (const entry of sameAbi) {
    const short = firstShortage(kernel.needs ?? {}, entry);
    if (short === null) return { entry };
    shortage ??= short;
  }
  return shortage ?? { kind: "NO_PROGRAM", where: "device" };
}

function firstShortage(needs: Resources, entry: OffloadEntry): SoftwareReason | null {
  for (const [name, need] of Object.entries(needs)) {
    const have = (entry.resMax[name] ?? 0) - (entry.resUsed[name] ?? 0);
    if (need > have) return { kind: "RESOURCE", name, need, have };
  }
  return null;
}

/** One line for a report: `SOFTWARE HASH_MISMATCH (kernel sha256:.., device sha256:..)`. */
export function describeState(state: OffloadState): string {
  if (state.state === "HARDWARE") return `HARDWARE (generation ${state.generation}, ${state.hash})`;
  if (state.state === "LEGACY") return "LEGACY (fixed function; decided per packet)";
  const { reason } = state;
  switch (reason.kind) {
    case "HASH_MISMATCH":
      return `SOFTWARE HASH_MISMATCH (kernel ${reason.kernel}, device ${reason.device.join(", ")})`;
    case "RESOURCE":
      return `SOFTWARE RESOURCE (${reason.name}: needs ${reason.need}, has ${reason.have})`;
    case "DEPENDENCY":
      return `SOFTWARE DEPENDENCY (${reason.on} is not in hardware)`;
    case "ABI":
      return `SOFTWARE ABI (kernel ${reason.kernel}, device ${reason.device})`;
    case "DEVICE":
      return `SOFTWARE DEVICE (${reason.detail})`;
    case "NO_PROGRAM":
      return `SOFTWARE NO_PROGRAM (none in the ${reason.where})`;
    case "ADMIN":
      return "SOFTWARE ADMIN (switched off)";
  }
}
