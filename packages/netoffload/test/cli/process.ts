/** The executable as a process of its own, as a user or another's rig runs it. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll } from "vitest";

const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const bin = fileURLToPath(new URL("../../src/bin.ts", import.meta.url));

/** Arguments of node for a source file of the repository. */
export const NODE: readonly string[] = ["--conditions=@netoffload/source", "--import", tsx];

/** The capture that comes with the package. */
export const BUNDLED: string = fileURLToPath(new URL("../../captures/bundled.pcapng", import.meta.url));

/** A process and what it came to. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
}

/** Start `netoffload WORDS...`; `input` is its standard input. */
export function start(words: readonly string[], input: Uint8Array | string = ""): Running {
  const running = open(words);
  running.child.stdin!.end(input);
  return running;
}

/** Start `netoffload WORDS...` with its standard input left open. */
export function open(words: readonly string[]): Running {
  const child = spawn(process.execPath, [...NODE, bin, ...words], { stdio: ["pipe", "pipe", "pipe"] });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (b: Buffer) => out.push(b));
  child.stderr.on("data", (b: Buffer) => err.push(b));
  child.stdin.on("error", () => undefined);
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.on("close", (code) =>
      resolve({ code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }),
    ),
  );
  return { child, ended };
}

/** A directory that goes away with the test file. */
export function scratch(name: string): string {
  const dir = mkdtempSync(path.join(tmpdir(), `netoffload-${name}-`));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
