/**
 * How the devlink tool prints: JSON (`-j`, `-p` pretty with 4 spaces) and text, one object per line.
 */

import { type Refusal, strerror } from "./errno.ts";
import { neededResources } from "./image-check.ts";
import { type ActionStats, type DevlinkInstance, REMOTE_STATS } from "./instance.ts";
import type { ReloadReply } from "./reload.ts";

/** A JSON value with significant key order. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Print options of the tool. */
export interface PrintOptions {
  readonly json?: boolean;
  readonly pretty?: boolean;
  readonly statistics?: boolean;
}

/** `dev show`: handles, `reload_failed true` only when set, statistics with `-s`. */
export function devShow(instances: readonly DevlinkInstance[], options: PrintOptions = {}): Json {
  const out: Record<string, Json> = {};
  for (const instance of instances) {
    const object: Record<string, Json> = {};
    if (instance.reloadFailed) object.reload_failed = true;
    if (options.statistics) object.stats = statsJson(instance);
    out[instance.handle] = object;
  }
  return { dev: out };
}

function statsJson(instance: DevlinkInstance): Json {
  const table = (stats: readonly ActionStats[]): Json =>
    Object.fromEntries(stats.map(({ action, limits }) => [action, limits]));
  return { reload: table(instance.stats()), remote_reload: table(REMOTE_STATS) };
}

/** `dev info`: driver, serials, versions by group; empty groups and empty values are left out. */
export function devInfo(instances: readonly DevlinkInstance[]): Json {
  const out: Record<string, Json> = {};
  for (const instance of instances) {
    const info = instance.info();
    const object: Record<string, Json> = { driver: instance.ops.driverName };
    if (info.serialNumber) object.serial_number = info.serialNumber;
    if (info.boardSerialNumber) object["board.serial_number"] = info.boardSerialNumber;
    const versions: Record<string, Json> = {};
    for (const group of ["fixed", "running", "stored"] as const) {
      const list = info[group].filter(([, value]) => value !== "");
      if (list.length > 0) versions[group] = Object.fromEntries(list);
    }
    if (Object.keys(versions).length > 0) object.versions = versions;
    out[instance.handle] = object;
  }
  return { info: out };
}

/** `dev parser show`: what each device runs and how full it is. */
export function devParserShow(instances: readonly DevlinkInstance[]): Json {
  const out: Record<string, Json> = {};
  for (const instance of instances) {
    const { bundle } = instance;
    if (bundle === null) {
      out[instance.handle] = {};
      continue;
    }
    const used = neededResources(bundle.programs);
    const sizes = instance.ops.programmable?.resources ?? {};
    const resources: Record<string, Json> = {};
    for (const name of Object.keys({ ...used, ...sizes }))
      resources[name] = { used: used[name] ?? 0, size: sizes[name] ?? 0 };
    out[instance.handle] = {
      generation: instance.generation,
      file: bundle.file,
      programs: bundle.programs.map((p) => ({
        function: p.name,
        target: TARGET_NAMES[p.target] ?? String(p.target),
        hash: p.sha256,
        sha1: p.sha1,
      })),
      resources,
      tables: [],
    };
  }
  return { parser: out };
}

const TARGET_NAMES: Readonly<Record<number, string>> = { 1: "wasm", 2: "ebpf", 3: "npu", 4: "tcam" };

/** The reply to a reload; null when the kernel would send only an acknowledgement. */
export function devReload(reply: ReloadReply): Json | null {
  return reply.actionsPerformed === undefined
    ? null
    : { reload: { reload_actions_performed: [...reply.actionsPerformed] } };
}

/** One answer as the tool prints it, JSON or text, ending with a newline when there is anything. */
export function render(value: Json, options: PrintOptions = {}): string {
  if (options.json) return `${JSON.stringify(value, null, options.pretty ? 4 : undefined)}\n`;
  const sections = value as Record<string, Json>;
  const lines: string[] = [];
  for (const [section, body] of Object.entries(sections)) {
    if (section === "reload") textBody(body, 0, lines);
    else
      for (const [handle, object] of Object.entries(body as Record<string, Json>))
        textObject(handle, object, 0, lines);
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

function textObject(name: string, value: Json, depth: number, lines: string[]): void {
  const empty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
  lines.push(`${" ".repeat(depth)}${name}${empty && depth === 0 ? "" : ":"}`);
  textBody(value, depth + 2, lines);
}

function textBody(value: Json, depth: number, lines: string[]): void {
  const pad = " ".repeat(depth);
  for (const [key, inner] of Object.entries(value as Record<string, Json>)) {
    if (Array.isArray(inner) && inner.every((item) => typeof item !== "object")) {
      lines.push(`${pad}${key}:`, `${pad}  ${inner.join(" ")}`);
    } else if (Array.isArray(inner)) {
      lines.push(`${pad}${key}:`);
      for (const item of inner)
        lines.push(
          `${pad}  ${Object.entries(item as Record<string, Json>)
            .map(([k, v]) => `${k} ${String(v)}`)
            .join(" ")}`,
        );
    } else if (typeof inner === "object" && inner !== null) {
      textObject(key, inner, depth, lines);
    } else lines.push(`${pad}${key} ${String(inner)}`);
  }
}

/** What the tool writes to stderr for a refusal: the extack with a full stop, then the errno's text. */
export function renderRefusal(refusal: Refusal): string {
  const text = refusal.extack;
  const error = text === "" ? "" : `Error: ${text}${text.endsWith(".") ? "" : "."}\n`;
  return `${error}kernel answers: ${strerror(refusal.errno)}\n`;
}
