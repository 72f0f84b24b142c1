/**
 * The report of a verify run: counts per offload that add up (packets = offloaded + fallback + not applicable),
 * and the merging of the reports of several shards.
 */
import type { OffloadState } from "@netoffload/devlink";

/** Offload names of the command line. */
export type OffloadName = "tx_csum" | "rx_csum";

/** Reasons for which a packet asks nothing of an offload; the list is closed. */
export const NOT_APPLICABLE = [
  "no_l4_checksum",
  "fragment_not_first",
  "fragment_first_incomplete",
  "truncated_by_capture",
  "malformed",
] as const;

/** One of {@link NOT_APPLICABLE}. */
export type NotApplicable = (typeof NOT_APPLICABLE)[number];

/** Counts of one offload; the names are those of the JSON lines. */
export interface OffloadReport {
  state: "HARDWARE" | "LEGACY" | "SOFTWARE";
  /** Why SOFTWARE; absent otherwise. */
  reason?: string;
  hash: string | null;
  kernel_hash: string | null;
  device_hash: string | null;
  offloaded: number;
  fallback: Record<string, number>;
  not_applicable: Record<string, number>;
  /** Frames longer than the MTU, driven as one large frame. */
  large: number;
  /** Packets whose device and kernel results were compared. */
  compared: number;
  /** Of these, compared with the captured bytes too, the capture being right by the slow oracle. */
  checked_against_capture: number;
  /** TCP checksums where 0x0000 stands for 0xffff, the one difference that is no mismatch. */
  tcp_zero: number;
  device_instructions: number;
  mismatches: number;
}

/** A whole run. */
export interface VerifyReport {
  summary: true;
  packets: number;
  bytes: number;
  offloads: Record<string, OffloadReport>;
  seconds: number;
  packets_per_second: number;
  /** `--kernel live`: the release, checksums it computed, packets that could not be put to it. */
  live_kernel?: { readonly release: string; readonly asked: number; readonly not_asked: number };
  interrupted?: true;
  /** Captures that ended before their end: file, byte offset, what is wrong. */
  faults?: { file: string; offset: number; message: string }[];
}

/** An empty report of one offload. */
export function newOffloadReport(
  state: OffloadState,
  kernelHash: string | null,
  deviceHash: string | null,
): OffloadReport {
  return {
    state: state.state,
    ...(state.state === "SOFTWARE" ? { reason: state.reason.kind } : {}),
    hash: state.state === "HARDWARE" ? state.hash : kernelHash,
    kernel_hash: kernelHash,
    device_hash: deviceHash,
    offloaded: 0,
    fallback: {},
    not_applicable: {},
    large: 0,
    compared: 0,
    checked_against_capture: 0,
    tcp_zero: 0,
    device_instructions: 0,
    mismatches: 0,
  };
}

/** Count one packet under a reason. */
export function countReason(reasons: Record<string, number>, reason: string): void {
  reasons[reason] = (reasons[reason] ?? 0) + 1;
}

/** Sum over all reasons. */
export function total(reasons: Readonly<Record<string, number>>): number {
  return Object.values(reasons).reduce((sum, n) => sum + n, 0);
}

const SUMMED = [
  "offloaded",
  "large",
  "compared",
  "checked_against_capture",
  "tcp_zero",
  "device_instructions",
  "mismatches",
] as const;

/**
 * Merge shard reports.
 * @returns the sum, or a message naming the first two reports that do not belong together
 */
export function mergeReports(
  reports: readonly VerifyReport[],
): { ok: true; value: VerifyReport } | { ok: false; message: string } {
  const merged: VerifyReport = {
    summary: true,
    packets: 0,
    bytes: 0,
    offloads: {},
    seconds: 0,
    packets_per_second: 0,
  };
  for (const [i, report] of reports.entries()) {
    merged.packets += report.packets;
    merged.bytes += report.bytes;
    merged.seconds = Math.max(merged.seconds, report.seconds);
    if (report.interrupted) merged.interrupted = true;
    mergeFaults(merged, report);
    const names = Object.keys(report.offloads);
    const before = Object.keys(merged.offloads);
    if (i > 0 && names.join() !== before.join())
      return {
        ok: false,
        message: `report ${i + 1}: offloads ${names.join(", ") || "none"}, the reports before it ${before.join(", ")}`,
      };
    for (const [name, part] of Object.entries(report.offloads)) {
      const whole = merged.offloads[name];
      if (whole === undefined) {
        merged.offloads[name] = structuredClone(part);
        continue;
      }
      for (const key of ["state", "reason", "kernel_hash", "device_hash"] as const)
        if (whole[key] !== part[key])
          return {
            ok: false,
            message: `report ${i + 1}: ${name} has ${key} ${part[key]}, the reports before it ${whole[key]}`,
          };
      for (const key of SUMMED) whole[key] += part[key];
      for (const key of ["fallback", "not_applicable"] as const)
        for (const [reason, n] of Object.entries(part[key]))
          whole[key][reason] = (whole[key][reason] ?? 0) + n;
    }
  }
  merged.packets_per_second = merged.seconds > 0 ? Math.round(merged.packets / merged.seconds) : 0;
  return { ok: true, value: merged };
}

/** Every shard meets the faults of the whole file: each is told once. */
function mergeFaults(merged: VerifyReport, report: VerifyReport): void {
  for (const fault of report.faults ?? []) {
    const known = merged.faults?.some(
      (f) => f.file === fault.file && f.offset === fault.offset && f.message === fault.message,
    );
    if (known !== true) merged.faults = [...(merged.faults ?? []), fault];
  }
}

/** Read a report from untrusted JSON text; null when it is none. */
export function parseReport(text: string): VerifyReport | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(value) || value.summary !== true || !isObject(value.offloads)) return null;
  if (!(["packets", "bytes", "seconds"] as const).every((key) => isCount(value[key]))) return null;
  return Object.values(value.offloads).every(isOffloadReport) && isFaults(value.faults)
    ? (value as unknown as VerifyReport)
    : null;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (value: unknown): boolean => typeof value === "number" && value >= 0;

function isOffloadReport(value: unknown): boolean {
  if (!isObject(value) || !["HARDWARE", "LEGACY", "SOFTWARE"].includes(String(value.state))) return false;
  if (!SUMMED.every((key) => isCount(value[key]))) return false;
  return [value.fallback, value.not_applicable].every(
    (reasons) => isObject(reasons) && Object.values(reasons).every(isCount),
  );
}

function isFaults(value: unknown): boolean {
  if (value === undefined) return true;
  return (
    Array.isArray(value) &&
    value.every((f) => isObject(f) && typeof f.file === "string" && typeof f.message === "string")
  );
}
