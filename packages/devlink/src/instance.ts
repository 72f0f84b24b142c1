/**
 * One devlink instance (a handle such as `sim/nic0`) and the registry of all of them.
 */
import { type Answer, grant, refuse } from "./errno.ts";
import type { Bundle, DevlinkInfo, DevlinkOps, ReloadAction } from "./ops.ts";
import {
  type ReloadContext,
  type ReloadReply,
  type ReloadRequest,
  type ReloadState,
  reload,
} from "./reload.ts";

/** How often an action worked, by limit. */
export interface ActionStats {
  readonly action: ReloadAction;
  readonly limits: Readonly<Record<string, number>>;
}

/** Reloads that another host caused: every real action and limit is shown, and a device of one host has none. */
export const REMOTE_STATS: readonly ActionStats[] = [
  { action: "driver_reinit", limits: { unspecified: 0 } },
  { action: "fw_activate", limits: { unspecified: 0, no_reset: 0 } },
];

/** What an instance keeps over the end of a process. */
export interface SavedInstance {
  readonly reloadFailed: boolean;
  /** Reloads that worked, by action and limit. */
  readonly stats: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** The bundle that the driver already runs. */
  readonly bundle: Bundle | null;
  readonly generation: number;
}

/** A device under devlink: its driver's operations, reload statistics and lock. */
export class DevlinkInstance {
  /** `BUS/DEV`. */
  readonly handle: string;
  readonly ops: DevlinkOps;
  readonly #state: ReloadState;
  #lock: Promise<unknown> = Promise.resolve();

  /** @param saved - where an earlier process left off; the driver must already run its bundle */
  constructor(handle: string, ops: DevlinkOps, saved?: SavedInstance) {
    this.handle = handle;
    this.ops = ops;
    this.#state = {
      reloadFailed: saved?.reloadFailed ?? false,
      stats: new Map(
        ops.reloadActions.map((action) => {
          const { unspecified = 0, no_reset = 0 } = saved?.stats[action] ?? {};
          return [action, { unspecified, no_reset }];
        }),
      ),
      bundle: saved?.bundle ?? null,
      generation: saved?.generation ?? 0,
    };
  }

  /** True after a reload whose up step failed, until one works. */
  get reloadFailed(): boolean {
    return this.#state.reloadFailed;
  }

  /** The running bundle, null when none was fetched. */
  get bundle(): Bundle | null {
    return this.#state.bundle;
  }

  /** Generation of the running bundle; 0 before the first fetch. */
  get generation(): number {
    return this.#state.generation;
  }

  /**
   * Reload statistics by action and limit: the limits shown are `unspecified` and those the driver registers;
   * the pair driver_reinit, no_reset is never shown.
   */
  stats(): ActionStats[] {
    return this.ops.reloadActions.map((action) => {
      const counted = this.#state.stats.get(action) ?? { unspecified: 0, no_reset: 0 };
      const limits: Record<string, number> = { unspecified: counted.unspecified };
      if (this.ops.reloadLimits.includes("no_reset") && action !== "driver_reinit")
        limits.no_reset = counted.no_reset;
      return { action, limits };
    });
  }

  /** Driver versions plus, per program of the running bundle, `fw.NAME` and `fw.NAME.id` in the running group. */
  info(): DevlinkInfo {
    const info = this.ops.infoGet();
    const running: (readonly [string, string])[] = [...info.running];
    for (const program of this.#state.bundle?.programs ?? []) {
      running.push([`fw.${program.name}`, `abi${program.abi}`]);
      running.push([`fw.${program.name}.id`, program.sha256]);
    }
    return { ...info, running };
  }

  /**
   * Reload under the device's lock: a second caller waits, never interleaves. Never rejects: a driver or firmware
   * source that throws answers EIO.
   */
  reload(request: ReloadRequest, context: ReloadContext): Promise<Answer<ReloadReply>> {
    const run = this.#lock
      .then(() => reload(request, this.ops, this.#state, context))
      .catch((error: unknown) => {
        // whatever was under way, what is offloaded now must be what the device really runs
        context.reevaluateOffloads?.();
        return refuse("EIO", `driver failed: ${error instanceof Error ? error.message : String(error)}`);
      });
    this.#lock = run.catch(() => undefined);
    return run;
  }
}

/** All instances of one network namespace, in the order they were added. */
export class DevlinkRegistry {
  readonly #instances: Map<string, DevlinkInstance> = new Map();

  /** Add a device; EEXIST when the handle is taken, EINVAL when it is not `BUS/DEV`. */
  add(handle: string, ops: DevlinkOps): Answer<DevlinkInstance> {
    if (!isHandle(handle)) return refuse("EINVAL", `'${handle}' is not of the form BUS/DEV`);
    if (this.#instances.has(handle)) return refuse("EEXIST", `${handle} exists`);
    const instance = new DevlinkInstance(handle, ops);
    this.#instances.set(handle, instance);
    return grant(instance);
  }

  /** Look a handle up: EINVAL when it is no handle, ENODEV when there is no such device; no extack, as in the kernel. */
  get(handle: string): Answer<DevlinkInstance> {
    if (!isHandle(handle)) return refuse("EINVAL");
    const found = this.#instances.get(handle);
    return found === undefined ? refuse("ENODEV") : grant(found);
  }

  /** Remove a device; ENODEV when there is none. */
  delete(handle: string): Answer<null> {
    return this.#instances.delete(handle) ? grant(null) : refuse("ENODEV");
  }

  /** All instances. */
  all(): DevlinkInstance[] {
    return [...this.#instances.values()];
  }
}

/** Two non-empty parts around exactly one slash, no NUL. */
export function isHandle(text: string): boolean {
  return /^[^/\0]+\/[^/\0]+$/.test(text);
}
