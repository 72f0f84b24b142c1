// The built executable as a bench row: wall time of a command, its start-up measured beside it.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../bin/netoffload.js", import.meta.url));

/** What a command took and said. */
export interface Timed {
  readonly seconds: number;
  /** Seconds of processors, all threads together: what other work on the machine disturbs least. */
  readonly cpu: number;
  readonly out: string;
  readonly status: number | null;
}

/** Run a program under the shell's `time`; its output is kept or goes nowhere. */
export function timed(program: string, args: readonly string[], keep: boolean): Timed {
  const nowhere = fs.openSync("/dev/null", "w");
  const start = process.hrtime.bigint();
  const ran = spawnSync("bash", ["-c", 'TIMEFORMAT="%U %S"; time "$0" "$@"', program, ...args], {
    stdio: ["ignore", keep ? "pipe" : nowhere, "pipe"],
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  fs.closeSync(nowhere);
  const cpu = /([\d.]+) ([\d.]+)\s*$/.exec(ran.stderr ?? "");
  return {
    seconds,
    cpu: Number(cpu?.[1]) + Number(cpu?.[2]),
    out: ran.stdout ?? "",
    status: ran.error ? null : ran.status,
  };
}

/** Run `netoffload WORDS...` as built. */
export function netoffload(...words: string[]): Timed {
  return timed(process.execPath, [bin, ...words], true);
}

/** Plain JavaScript's loop over 1,460 bytes, processor nanoseconds a call: how fast the machine is just now. */
export function plainLoop(): number {
  const a = Uint8Array.from({ length: 1460 }, (_, i) => i * 7);
  let sink = 0;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    const start = process.cpuUsage();
    for (let k = 0; k < 20_000; k++) {
      let s = 0;
      const n = a.length & ~1;
      for (let i = 0; i < n; i += 2) s += (a[i]! << 8) | a[i + 1]!;
      if (a.length & 1) s += a[n]! << 8;
      while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
      sink ^= s;
    }
    best = Math.min(best, process.cpuUsage(start).user / 20);
  }
  if (sink === 1) console.log("");
  return best;
}

/** The same on the machine that the goals were set on, quiet. */
export const PLAIN_LOOP_NS = 605;

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1]!;

let failed = 0;

/** Print a row and hold it to its goal; 15 % are forgiven, since other work disturbs a measurement. */
export function report(what: string, value: number, goal: number, detail: string): void {
  const verdict = value >= goal ? "reached" : value >= goal * 0.85 ? "within 15 %" : "MISSED";
  if (verdict === "MISSED") failed++;
  console.log(
    `${what.padEnd(58)} ${value.toFixed(2).padStart(8)}   goal ${goal.toFixed(2)}  ${verdict}  ${detail}`,
  );
}

/** Set the exit code: 1 when a goal was missed. */
export function finish(): void {
  if (failed > 0) process.exitCode = 1;
}
