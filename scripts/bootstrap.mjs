// `npm start` and `npm test` on a machine that has only Node and npm: install, build, then run.
// Plain JavaScript because nothing is installed yet when it begins.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const [task, ...args] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const env = {
  ...process.env,
  TURBO_TELEMETRY_DISABLED: "1",
  DO_NOT_TRACK: "1",
  FORCE_COLOR: process.env.FORCE_COLOR ?? "0",
};

/** Run one step with its output shown; stop with its exit code when it fails. */
function step(title, command, commandArgs) {
  process.stderr.write(`\n== ${title}\n`);
  const done = spawnSync(command, commandArgs, { cwd: root, stdio: "inherit", env });
  if (done.error) {
    process.stderr.write(`${title}: cannot run ${command}: ${done.error.message}\n`);
    process.exit(1);
  }
  if (done.status !== 0) process.exit(done.status ?? 1);
}

/** Of vitest's JSON report: each failed test, and each file that could not be loaded, with the start of its message. */
function failures(counts) {
  const lines = [];
  for (const file of counts.testResults) {
    const path = file.name.replace(root, "");
    const failed = file.assertionResults.filter((test) => test.status === "failed");
    if (file.status === "failed" && failed.length === 0) lines.push(`FAILED ${path}: ${start(file.message)}`);
    for (const test of failed) {
      lines.push(`FAILED ${path}: ${test.fullName}: ${start(test.failureMessages.join("\n"))}`);
    }
  }
  return lines
    .slice(0, 20)
    .map((line) => `${line}\n`)
    .join("");
}

function start(message) {
  return stripVTControlCharacters(message ?? "")
    .split(/\n\s+at (?:file:|node:|\S+ \()/)[0]
    .replace(/\s+/g, " ")
    .slice(0, 600);
}

step("install", "npx", ["--yes", manifest.packageManager, "install", "--frozen-lockfile"]);
step("build", "npm", ["run", "--silent", "build"]);
if (task === "start") {
  step("verify the bundled capture", process.execPath, [
    "packages/netoffload/bin/netoffload.js",
    "verify",
    ...args,
  ]);
} else if (task === "test") {
  const vitest = "node_modules/vitest/vitest.mjs";
  const report = `${root}.tmp/tests.json`;
  if (!existsSync(`${root}${vitest}`)) throw new Error(`${vitest} is missing after the install`);
  mkdirSync(`${root}.tmp`, { recursive: true });
  rmSync(report, { force: true });
  const { status } = spawnSync(
    process.execPath,
    [vitest, "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...args],
    { cwd: root, stdio: "inherit", env },
  );
  const counts = JSON.parse(readFileSync(report, "utf8"));
  // a file that could not even be loaded has no test to count
  const failed = counts.numFailedTests || (status === 0 ? 0 : Math.max(counts.numFailedTestSuites, 1));
  const line = `${counts.numPassedTests} passed, ${failed} failed, ${counts.numPendingTests} skipped\n`;
  // the failures come again beside the count, since a kept log may hold only its end
  writeFileSync(`${root}.tmp/tests.txt`, `${failures(counts)}${line}`);
  process.stdout.write(`\n${failures(counts)}${line}`);
  process.exit(status ?? 1);
} else {
  process.stderr.write("usage: node scripts/bootstrap.mjs start|test [arguments]\n");
  process.exit(2);
}
