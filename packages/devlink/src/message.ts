/**
 * devlink messages as generic netlink carries them (command, version, attributes): requests from untrusted
 * bytes, replies to bytes. The netlink header around them belongs to whoever owns the socket.
 * @see include/uapi/linux/devlink.h; Documentation/netlink/specs/devlink.yaml
 */
import { type Answer, grant, refuse } from "./errno.ts";
import { type ActionStats, type DevlinkInstance, REMOTE_STATS } from "./instance.ts";
import { AttrWriter, type NlAttr, readAttrs } from "./nlattr.ts";
import type { ReloadAction } from "./ops.ts";
import { RELOAD_ACTION_NUMBER, type ReloadReply, type ReloadRequest, reloadAction } from "./reload.ts";

/** Command numbers. */
export const DEVLINK_CMD = { GET: 1, NEW: 3, RELOAD: 37, INFO_GET: 51 } as const;

/** Attribute numbers used here. */
export const DEVLINK_ATTR = {
  BUS_NAME: 1,
  DEV_NAME: 2,
  INFO_DRIVER_NAME: 98,
  INFO_SERIAL_NUMBER: 99,
  INFO_VERSION_FIXED: 100,
  INFO_VERSION_RUNNING: 101,
  INFO_VERSION_STORED: 102,
  INFO_VERSION_NAME: 103,
  INFO_VERSION_VALUE: 104,
  FLASH_UPDATE_FILE_NAME: 122,
  RELOAD_FAILED: 136,
  NETNS_FD: 138,
  NETNS_PID: 139,
  NETNS_ID: 140,
  INFO_BOARD_SERIAL_NUMBER: 146,
  RELOAD_ACTION: 153,
  RELOAD_ACTIONS_PERFORMED: 154,
  RELOAD_LIMITS: 155,
  DEV_STATS: 156,
  RELOAD_STATS: 157,
  RELOAD_STATS_ENTRY: 158,
  RELOAD_STATS_LIMIT: 159,
  RELOAD_STATS_VALUE: 160,
  REMOTE_RELOAD_STATS: 161,
  RELOAD_ACTION_INFO: 162,
  RELOAD_ACTION_STATS: 163,
} as const;

/** A decoded request. */
export type DevlinkRequest =
  | { readonly command: "get" | "info"; readonly handle: string }
  | { readonly command: "reload"; readonly handle: string; readonly reload: ReloadRequest };

const VERSION = 1;
const GENL_HDRLEN = 4;
const LIMIT_NO_RESET = 1;

/** Decode a request; a malformed one is EINVAL with the offset, an unknown command EOPNOTSUPP. Never throws. */
export function decodeRequest(bytes: Uint8Array): Answer<DevlinkRequest> {
  if (bytes.length < GENL_HDRLEN)
    return refuse("EINVAL", `message of ${bytes.length} bytes, the header needs 4`);
  const attrs = readAttrs(bytes.subarray(GENL_HDRLEN));
  if (!attrs.ok) return refuse("EINVAL", `byte ${attrs.fault.offset + GENL_HDRLEN}: ${attrs.fault.message}`);
  const handle = handleOf(attrs.value);
  switch (bytes[0]) {
    case DEVLINK_CMD.GET:
      return handle === null ? refuse("EINVAL") : grant({ command: "get", handle });
    case DEVLINK_CMD.INFO_GET:
      return handle === null ? refuse("EINVAL") : grant({ command: "info", handle });
    case DEVLINK_CMD.RELOAD: {
      // the policy judges attributes before the handle is looked at
      const reload = reloadOf(attrs.value);
      if (!reload.ok) return reload;
      return handle === null ? refuse("EINVAL") : grant({ command: "reload", handle, reload: reload.value });
    }
    default:
      return refuse("EOPNOTSUPP", `command ${bytes[0]} is not supported`);
  }
}

function handleOf(attrs: readonly NlAttr[]): string | null {
  const bus = stringAttr(attrs, DEVLINK_ATTR.BUS_NAME);
  const dev = stringAttr(attrs, DEVLINK_ATTR.DEV_NAME);
  return bus === null || dev === null ? null : `${bus}/${dev}`;
}

function reloadOf(attrs: readonly NlAttr[]): Answer<ReloadRequest> {
  const action = lastOf(attrs, DEVLINK_ATTR.RELOAD_ACTION);
  const limits = lastOf(attrs, DEVLINK_ATTR.RELOAD_LIMITS);
  const file = stringAttr(attrs, DEVLINK_ATTR.FLASH_UPDATE_FILE_NAME);
  let name: string | undefined;
  if (action !== undefined) {
    const number = action.payload.length === 1 ? action.payload[0]! : -1;
    name = (Object.keys(RELOAD_ACTION_NUMBER) as ReloadAction[]).find(
      (a) => RELOAD_ACTION_NUMBER[a] === number,
    );
    if (name === undefined) return refuse("ERANGE", "integer out of range", 1);
  }
  let words: string[] | undefined;
  if (limits !== undefined) {
    if (limits.payload.length !== 8) return refuse("EINVAL", "", 2);
    const view = new DataView(limits.payload.buffer, limits.payload.byteOffset, 8);
    const bits = view.getUint32(0, true) & view.getUint32(4, true);
    if (((view.getUint32(0, true) | view.getUint32(4, true)) & ~6) !== 0) return refuse("EINVAL", "", 2);
    words = [];
    if ((bits & (1 << LIMIT_NO_RESET)) !== 0) words.push("no_reset");
    // bit 2 is inside the policy's mask but no limit has that number
    if ((bits & 4) !== 0) words.push("unspecified");
  }
  const netns = [DEVLINK_ATTR.NETNS_PID, DEVLINK_ATTR.NETNS_FD, DEVLINK_ATTR.NETNS_ID].filter((t) =>
    attrs.some((a) => a.type === t),
  );
  return grant({
    ...(name === undefined ? {} : { action: name }),
    ...(words === undefined ? {} : { limits: words }),
    ...(netns.length === 0 ? {} : { netns: netns.map(String) }),
    ...(file === null ? {} : { file }),
  });
}

/** Kernel quirk: of an attribute that is given twice the last one counts. */
function lastOf(attrs: readonly NlAttr[], type: number): NlAttr | undefined {
  return attrs.findLast((a) => a.type === type);
}

function stringAttr(attrs: readonly NlAttr[], type: number): string | null {
  const found = lastOf(attrs, type);
  if (found === undefined) return null;
  const end = found.payload.indexOf(0);
  return end < 0 ? null : new TextDecoder().decode(found.payload.subarray(0, end));
}

function begin(command: number): AttrWriter & { command: number } {
  return Object.assign(new AttrWriter(), { command });
}

function message(writer: AttrWriter & { command: number }): Uint8Array {
  const body = writer.bytes();
  const out = new Uint8Array(GENL_HDRLEN + body.length);
  out[0] = writer.command;
  out[1] = VERSION;
  out.set(body, GENL_HDRLEN);
  return out;
}

function putHandle(writer: AttrWriter, handle: string): void {
  const [bus, dev] = handle.split("/");
  writer.string(DEVLINK_ATTR.BUS_NAME, bus ?? "").string(DEVLINK_ATTR.DEV_NAME, dev ?? "");
}

/** A reload request, as a client sends it. */
export function encodeReloadRequest(handle: string, request: ReloadRequest): Uint8Array {
  const writer = begin(DEVLINK_CMD.RELOAD);
  putHandle(writer, handle);
  if (request.action !== undefined) {
    const action = reloadAction(request.action);
    // a word nobody knows becomes a number nobody knows
    writer.u8(DEVLINK_ATTR.RELOAD_ACTION, action === null ? 0 : RELOAD_ACTION_NUMBER[action]);
  }
  if (request.limits !== undefined) {
    const bits = request.limits.includes("no_reset") ? 1 << LIMIT_NO_RESET : 0;
    writer.bitfield32(DEVLINK_ATTR.RELOAD_LIMITS, bits, bits);
  }
  if (request.file !== undefined) writer.string(DEVLINK_ATTR.FLASH_UPDATE_FILE_NAME, request.file);
  return message(writer);
}

/** The reply to GET: handle, reload-failed, statistics. */
export function encodeGet(instance: DevlinkInstance): Uint8Array {
  const writer = begin(DEVLINK_CMD.NEW);
  putHandle(writer, instance.handle);
  writer.u8(DEVLINK_ATTR.RELOAD_FAILED, instance.reloadFailed ? 1 : 0);
  writer.nest(DEVLINK_ATTR.DEV_STATS, (stats) => {
    stats.nest(DEVLINK_ATTR.RELOAD_STATS, (local) => putStats(local, instance.stats()));
    stats.nest(DEVLINK_ATTR.REMOTE_RELOAD_STATS, (remote) => putStats(remote, REMOTE_STATS));
  });
  return message(writer);
}

function putStats(writer: AttrWriter, stats: readonly ActionStats[]): void {
  for (const { action, limits } of stats)
    writer.nest(DEVLINK_ATTR.RELOAD_ACTION_INFO, (info) =>
      info
        .u8(DEVLINK_ATTR.RELOAD_ACTION, RELOAD_ACTION_NUMBER[action])
        .nest(DEVLINK_ATTR.RELOAD_ACTION_STATS, (list) => {
          for (const [limit, value] of Object.entries(limits))
            list.nest(DEVLINK_ATTR.RELOAD_STATS_ENTRY, (entry) =>
              entry
                .u8(DEVLINK_ATTR.RELOAD_STATS_LIMIT, limit === "no_reset" ? LIMIT_NO_RESET : 0)
                .u32(DEVLINK_ATTR.RELOAD_STATS_VALUE, value),
            );
        }),
    );
}

/** The reply to INFO_GET. */
export function encodeInfo(instance: DevlinkInstance): Uint8Array {
  const writer = begin(DEVLINK_CMD.INFO_GET);
  putHandle(writer, instance.handle);
  const info = instance.info();
  writer.string(DEVLINK_ATTR.INFO_DRIVER_NAME, instance.ops.driverName);
  if (info.serialNumber) writer.string(DEVLINK_ATTR.INFO_SERIAL_NUMBER, info.serialNumber);
  if (info.boardSerialNumber) writer.string(DEVLINK_ATTR.INFO_BOARD_SERIAL_NUMBER, info.boardSerialNumber);
  const groups = [
    [DEVLINK_ATTR.INFO_VERSION_FIXED, info.fixed],
    [DEVLINK_ATTR.INFO_VERSION_RUNNING, info.running],
    [DEVLINK_ATTR.INFO_VERSION_STORED, info.stored],
  ] as const;
  for (const [type, list] of groups)
    for (const [name, value] of list)
      if (value !== "")
        writer.nest(type, (v) =>
          v.string(DEVLINK_ATTR.INFO_VERSION_NAME, name).string(DEVLINK_ATTR.INFO_VERSION_VALUE, value),
        );
  return message(writer);
}

/** The reply to RELOAD; null when only the acknowledgement goes back. */
export function encodeReloadReply(handle: string, reply: ReloadReply): Uint8Array | null {
  if (reply.actionsPerformed === undefined) return null;
  const writer = begin(DEVLINK_CMD.RELOAD);
  putHandle(writer, handle);
  const mask = reply.actionsPerformed.reduce((bits, action) => bits | (1 << RELOAD_ACTION_NUMBER[action]), 0);
  writer.bitfield32(DEVLINK_ATTR.RELOAD_ACTIONS_PERFORMED, mask, mask);
  return message(writer);
}
