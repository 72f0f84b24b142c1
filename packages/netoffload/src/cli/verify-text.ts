/** The readable report of a verify run. */
import { describeState } from "@netoffload/devlink";
import { type OffloadReport, total, type VerifyReport } from "../report.ts";
import type { Pipeline } from "../verify/pipeline.ts";
import type { Context } from "./command.ts";
import type { DeviceChoice } from "./device.ts";

const n = (value: number): string => value.toLocaleString("en");

/** Lines of the report, ending with a newline. */
export function verifyText(
  context: Context,
  job: { readonly files: readonly string[]; readonly device: DeviceChoice },
  report: VerifyReport,
  pipeline: Pipeline | null,
): string {
  const paint = (code: string, text: string): string =>
    context.color ? `\x1b[${code}m${text}\x1b[0m` : text;
  const names = Object.keys(report.offloads);
  const lines: string[] = [
    `${paint("1", "captures")}  ${job.files.map((f) => f.split("/").pop()).join(", ")}: ${n(report.packets)} packets, ${n(report.bytes)} bytes`,
    `${paint("1", "device")}    ${job.device.name}${loaded(pipeline)}`,
    "",
  ];
  for (const name of names) {
    const o = report.offloads[name]!;
    const said =
      pipeline === null || job.device.kind === "exec"
        ? o.state
        : describeState(pipeline.state(name as "tx_csum" | "rx_csum"));
    const [word, ...rest] = said.split(" ");
    lines.push(
      `${name.padEnd(8)}  ${paint(o.state === "HARDWARE" ? "32" : "33", word!)} ${rest.join(" ")}`.trimEnd(),
    );
  }
  lines.push("", ...reportTable(report), "");
  const mismatches = names.reduce((sum, name) => sum + report.offloads[name]!.mismatches, 0);
  const speed = `${report.seconds.toFixed(2)} s, ${n(report.packets_per_second)} packets/s`;
  lines.push(
    mismatches === 0
      ? `${paint("32", "0 mismatches")}: device, kernel and capture agree on every packet that was compared (${speed})`
      : `${paint("31", `${n(mismatches)} mismatches`)} (${speed})`,
  );
  if (report.interrupted) lines.push("interrupted: the counts are of what was done until then");
  return `${lines.join("\n")}\n`;
}

function loaded(pipeline: Pipeline | null): string {
  const bundle = pipeline?.instance.bundle;
  if (!bundle) return "";
  return `, ${bundle.programs.length} programs loaded by 'devlink dev reload ${pipeline!.instance.handle} action parser_fetch', generation ${pipeline!.instance.generation}`;
}

/** Counts of all offloads side by side. */
export function reportTable(report: VerifyReport): string[] {
  const names = Object.keys(report.offloads);
  const rows: [string, (o: OffloadReport) => string][] = [
    ["packets", () => n(report.packets)],
    ["offloaded", (o) => n(o.offloaded)],
    ["fallback", (o) => n(total(o.fallback))],
    ["not applicable", (o) => n(total(o.not_applicable))],
    ["large", (o) => n(o.large)],
    ["compared", (o) => n(o.compared)],
    ["checked against capture", (o) => n(o.checked_against_capture)],
    ["TCP 0x0000 for 0xffff", (o) => n(o.tcp_zero)],
    ["device instructions", (o) => n(o.device_instructions)],
    ["mismatches", (o) => n(o.mismatches)],
  ];
  const out = [`${"".padEnd(26)}${names.map((name) => name.padStart(14)).join("")}`];
  for (const [label, value] of rows) {
    out.push(
      `${label.padEnd(26)}${names.map((name) => value(report.offloads[name]!).padStart(14)).join("")}`,
    );
    if (label === "fallback" || label === "not applicable")
      out.push(...reasons(report, names, label === "fallback" ? "fallback" : "not_applicable"));
  }
  return out;
}

function reasons(
  report: VerifyReport,
  names: readonly string[],
  key: "fallback" | "not_applicable",
): string[] {
  const all = new Set(names.flatMap((name) => Object.keys(report.offloads[name]![key])));
  return [...all].map(
    (reason) =>
      `  ${reason.padEnd(24)}${names.map((name) => n(report.offloads[name]![key][reason] ?? 0).padStart(14)).join("")}`,
  );
}
