// Runs standalone scripts of the packages (benches, fuzzers) one after another, each in a process of its own.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** How to find and run them. */
export interface RunEachOptions {
  /** Folder within a package, with `/`. */
  readonly folder: string;
  /** End of the files' names. */
  readonly suffix: string;
  /** Node options. */
  readonly nodeOptions: readonly string[];
  /** Words that select files: a file runs when its path contains one of them; none selects all. */
  readonly filter: readonly string[];
  /** Milliseconds until a run counts as hanging. */
  readonly timeout?: number;
}

/**
 * Run them all, also after a failure, and print what failed.
 * @returns exit code: 0 all well, 1 one failed, 2 nothing selected
 */
export function runEach(options: RunEachOptions): number {
  const { folder, suffix, filter, timeout } = options;
  const files = readdirSync(join(root, "packages"))
    .sort()
    .flatMap((pkg) => {
      const dir = join(root, "packages", pkg, folder);
      const names = existsSync(dir) ? readdirSync(dir).sort() : [];
      return names.filter((name) => name.endsWith(suffix)).map((name) => `packages/${pkg}/${folder}/${name}`);
    })
    .filter((file) => filter.length === 0 || filter.some((word) => file.includes(word)));
  if (files.length === 0) {
    process.stderr.write(`no packages/*/${folder}/*${suffix} matches ${filter.join(" ") || "at all"}\n`);
    return 2;
  }
  const failed: string[] = [];
  for (const [index, file] of files.entries()) {
    process.stdout.write(`\n== ${index + 1}/${files.length} ${file}\n`);
    const started = Date.now();
    const done = spawnSync(process.execPath, [...options.nodeOptions, "--import", "tsx", join(root, file)], {
      cwd: root,
      stdio: "inherit",
      ...(timeout === undefined ? {} : { timeout, killSignal: "SIGKILL" }),
    });
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    if (done.status === 0) continue;
    const how = done.signal === null ? `exit code ${done.status}` : `ended by ${done.signal}`;
    failed.push(`${file}: ${how} after ${seconds} s`);
  }
  process.stdout.write(`\n${files.length - failed.length} of ${files.length} ended well\n`);
  for (const line of failed) process.stderr.write(`FAILED ${line}\n`);
  return failed.length === 0 ? 0 : 1;
}
