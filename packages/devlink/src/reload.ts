/**
 * `devlink dev reload`: the real actions' checks in the kernel's order, and the paper's `parser_fetch`.
 * @see net/devlink/dev.c devlink_nl_reload_doit(); the parser_fetch action is not in the kernel
 */
import { type Answer, grant, refuse } from "./errno.ts";
import { type FirmwareConfig, type FirmwareSource, requestFirmware } from "./firmware.ts";
import { checkImage, type ImagePolicy } from "./image-check.ts";
import type { Bundle, BundleProgram, DevlinkOps, ReloadAction } from "./ops.ts";

/** A reload request as the command line or a netlink message states it; unchecked. */
export interface ReloadRequest {
  /** Absent means driver_reinit. Accepts `parser-fetch` for `parser_fetch`. */
  readonly action?: string;
  /** Absent: no limits attribute. The list as given; one at most is meaningful. */
  readonly limits?: readonly string[];
  /** Network namespace attributes that were given. */
  readonly netns?: readonly string[];
  /** Firmware name, parser_fetch only. */
  readonly file?: string;
  /** parser_fetch: drop rules that cannot be carried over. */
  readonly force?: boolean;
  /** parser_fetch: stop after the checks. */
  readonly dryRun?: boolean;
}

/** What a reload did. */
export interface ReloadReply {
  /** Present only when the request named an action or a limit, as in the kernel. */
  readonly actionsPerformed?: readonly ReloadAction[];
  /** parser_fetch: the programs now (or, dry run: would be) loaded, and how the file was found. */
  readonly fetched?: {
    readonly path: string;
    readonly programs: readonly { readonly name: string; readonly sha256: string }[];
    readonly generation: number | null;
  };
}

/** A progress message of a parser_fetch, in the form of FLASH_UPDATE_STATUS. */
export interface StatusMessage {
  readonly message: "Loading" | "Verifying" | "Programming" | "Activating" | "Done";
  readonly component: "parser";
  /** Bytes. */
  readonly done: number;
  /** Bytes. */
  readonly total: number;
  /** Seconds. */
  readonly timeout: number;
}

/** Surroundings of a reload. */
export interface ReloadContext {
  readonly firmware: FirmwareSource;
  readonly firmwareConfig: FirmwareConfig;
  readonly policy: ImagePolicy;
  readonly onStatus?: (message: StatusMessage) => void;
  /** Called before the flip and after it, so that no offload stands while programs change. */
  readonly suspendOffloads?: () => void;
  readonly reevaluateOffloads?: () => void;
}

/** Stable numbers of the actions in netlink and in bit masks. */
export const RELOAD_ACTION_NUMBER: Readonly<Record<ReloadAction, number>> = {
  driver_reinit: 1,
  fw_activate: 2,
  parser_fetch: 3,
};

/** The action a word names, null when there is none; `parser-fetch` is taken for `parser_fetch`. */
export function reloadAction(word: string): ReloadAction | null {
  const name = word === "parser-fetch" ? "parser_fetch" : word;
  return Object.hasOwn(RELOAD_ACTION_NUMBER, name) ? (name as ReloadAction) : null;
}

/** A request whose words are all known. */
export interface CheckedRequest {
  readonly action: ReloadAction;
  readonly noReset: boolean;
  readonly explicit: boolean;
}

/** The order of the kernel's checks 1 to 13; the first failure wins. */
export function checkReload(request: ReloadRequest, ops: DevlinkOps): Answer<CheckedRequest> {
  const action = reloadAction(request.action ?? "driver_reinit");
  if (action === null) return refuse("ERANGE", "integer out of range", 1);
  const limits = request.limits;
  if (limits?.some((name) => name !== "no_reset" && name !== "unspecified")) return refuse("EINVAL", "", 2);
  if (!ops.reloadActions.includes(action))
    return refuse("EOPNOTSUPP", "Requested reload action is not supported by the driver", 5);
  const asked = new Set(limits);
  if (limits !== undefined && asked.size === 0) return refuse("EINVAL", "Invalid limit selected", 6);
  if (asked.size > 1) return refuse("EOPNOTSUPP", "Multiselection of limit is not supported", 7);
  const noReset = asked.has("no_reset");
  if (limits !== undefined && !(noReset && ops.reloadLimits.includes("no_reset")))
    return refuse("EOPNOTSUPP", "Requested limit is not supported by the driver", 8);
  if (action === "driver_reinit" && noReset)
    return refuse("EINVAL", "Requested limit is invalid for this action", 9);
  const netns = request.netns ?? [];
  if (netns.length > 1) return refuse("EINVAL", "multiple netns identifying attributes specified", 10);
  if (netns.length === 1 && action !== "driver_reinit")
    return refuse("EOPNOTSUPP", "devlink: Changing namespace is only supported for reinit action", 13);
  if (netns.length === 1) return refuse("EINVAL", "Unknown network namespace", 11);
  return grant({ action, noReset, explicit: request.action !== undefined || limits !== undefined });
}

/** State a reload may change; owned by the instance. */
export interface ReloadState {
  reloadFailed: boolean;
  /** Reloads that worked, by action and limit. */
  readonly stats: Map<ReloadAction, { unspecified: number; no_reset: number }>;
  /** The bundle that runs, null before the first fetch. */
  bundle: Bundle | null;
  generation: number;
}

/** Run one reload; the caller holds the device's lock. */
export async function reload(
  request: ReloadRequest,
  ops: DevlinkOps,
  state: ReloadState,
  context: ReloadContext,
): Promise<Answer<ReloadReply>> {
  const checked = checkReload(request, ops);
  if (!checked.ok) return checked;
  const { action, noReset, explicit } = checked.value;
  if (action === "parser_fetch") return parserFetch(request, ops, state, context, noReset);
  const down = ops.reloadDown(action, noReset);
  if (!down.ok) return { ...down, check: 14 };
  context.suspendOffloads?.();
  const up = ops.reloadUp(action, noReset);
  if (!up.ok) {
    state.reloadFailed = true;
    context.reevaluateOffloads?.();
    return { ...up, check: 15 };
  }
  state.reloadFailed = false;
  count(state, up.value, noReset);
  context.reevaluateOffloads?.();
  return grant(explicit ? { actionsPerformed: inNumberOrder(up.value) } : {});
}

/** Steps 1 to 8 of the swap: nothing of the active bundle is touched before every check has passed. */
async function parserFetch(
  request: ReloadRequest,
  ops: DevlinkOps,
  state: ReloadState,
  context: ReloadContext,
  noReset: boolean,
): Promise<Answer<ReloadReply>> {
  if (ops.programmable === null)
    return refuse("EOPNOTSUPP", "Requested reload action is not supported by the driver", 5);
  const say = (message: StatusMessage["message"], done = 0, total = 0, timeout = 0): void =>
    context.onStatus?.({ message, component: "parser", done, total, timeout });
  say("Loading");
  const found = await requestFirmware(context.firmware, request.file ?? "", context.firmwareConfig);
  if (!found.ok) return found;
  const { bytes, path } = found.value;
  say("Verifying", 0, bytes.length);
  const checked = checkImage(bytes, request.file ?? "", ops, context.policy);
  if (!checked.ok) return checked;
  const bundle = checked.value;
  const programs = bundle.programs.map(({ name, sha256 }) => ({ name, sha256 }));
  if (request.dryRun) return grant({ fetched: { path, programs, generation: null } });
  say("Programming", 0, bytes.length);
  const loaded = ops.parserLoad(bundle);
  if (!loaded.ok) {
    ops.parserDiscard();
    return loaded;
  }
  say("Programming", bytes.length, bytes.length);
  say("Activating", 0, 0, 1);
  const generation = activate(bundle, ops, state, context);
  if (!generation.ok) return generation;
  count(state, ["parser_fetch"], noReset);
  say("Done");
  return grant({
    actionsPerformed: ["parser_fetch"],
    fetched: { path, programs, generation: generation.value },
  });
}

function activate(
  bundle: Bundle,
  ops: DevlinkOps,
  state: ReloadState,
  context: ReloadContext,
): Answer<number> {
  context.suspendOffloads?.();
  const flipped = ops.parserActivate();
  if (!flipped.ok) {
    ops.parserDiscard();
    context.reevaluateOffloads?.();
    return flipped;
  }
  if (!sameProgramsLoaded(bundle.programs, ops)) {
    if (!ops.parserRollback()) {
      state.reloadFailed = true;
      state.bundle = null;
    }
    context.reevaluateOffloads?.();
    return refuse("EIO", "device does not report the programs that were loaded");
  }
  ops.parserCommit();
  state.bundle = bundle;
  state.generation = flipped.value;
  state.reloadFailed = false;
  context.reevaluateOffloads?.();
  return flipped;
}

function sameProgramsLoaded(programs: readonly BundleProgram[], ops: DevlinkOps): boolean {
  const says = new Map(ops.parserLoaded().map((p) => [p.name, p.sha256]));
  return says.size === programs.length && programs.every((p) => says.get(p.name) === p.sha256);
}

function count(state: ReloadState, actions: readonly ReloadAction[], noReset: boolean): void {
  for (const action of actions) {
    const entry = state.stats.get(action) ?? { unspecified: 0, no_reset: 0 };
    if (noReset) entry.no_reset++;
    else entry.unspecified++;
    state.stats.set(action, entry);
  }
}

function inNumberOrder(actions: readonly ReloadAction[]): ReloadAction[] {
  return [...actions].sort((a, b) => RELOAD_ACTION_NUMBER[a] - RELOAD_ACTION_NUMBER[b]);
}
