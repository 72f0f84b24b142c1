/** The executable as others drive it: closed pipes, Ctrl-C, standard input, help. */
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../src/cli/commands.ts";
import { main } from "../../src/cli/main.ts";
import { TextOut } from "../../src/cli/output.ts";
import { BUNDLED, open, scratch, start } from "./process.ts";
import { run } from "./run.ts";

const dir = scratch("process");

describe("endings", () => {
  it("a reader that leaves ends us silently with 0", async () => {
    const { child, ended } = start(["csum", "check", "--json", BUNDLED]);
    child.stdout!.once("data", () => child.stdout!.destroy());
    const { code, err } = await ended;
    expect([code, err]).toEqual([0, ""]);
  });

  it("Ctrl-C while standard input is waited for: what is done is reported, exit 130", async () => {
    const { child, ended } = open(["csum", "check", "--json", "-"]);
    child.stdin!.write(fs.readFileSync(BUNDLED));
    // its first lines show that it is at work; standard input stays open, so that it would never end by itself
    await new Promise((resolve) => child.stdout!.once("data", resolve));
    child.kill("SIGINT");
    const { code, out, err } = await ended;
    expect([code, err]).toEqual([130, ""]);
    const summary = JSON.parse(out.trimEnd().split("\n").at(-1)!);
    expect(summary).toMatchObject({ summary: true, interrupted: true });
    expect(summary.packets).toBe(out.trimEnd().split("\n").length - 1);
  });

  /** A device that says by a file that it was asked, and echoes. */
  const device = path.join(dir, "device.mjs");
  fs.writeFileSync(
    device,
    `import fs from "node:fs";
     import { createInterface } from "node:readline";
     createInterface({ input: process.stdin }).on("line", (line) => {
       const { id, frame } = JSON.parse(line);
       fs.writeFileSync(process.argv[2] + "." + process.pid, "");
       console.log(JSON.stringify({ id, completions: [{ frame, ip_summed: 0 }] }));
     });`,
  );

  it.each([1, 2])("Ctrl-C of verify, %i jobs: the counts so far, exit 130", async (jobs) => {
    // the bundled capture again and again: a pcapng of many sections
    const big = path.join(dir, "big.pcapng");
    const one = fs.readFileSync(BUNDLED);
    fs.writeFileSync(big, Buffer.concat(Array.from({ length: 60 }, () => one)));
    const mark = path.join(dir, `mark${jobs}`);
    const command = `exec:"${process.execPath}" "${device}" "${mark}"`;
    const words = [
      "verify",
      "--json",
      "--offloads",
      "rx_csum",
      "--jobs",
      String(jobs),
      "--device",
      command,
      big,
    ];
    const { child, ended } = start(words);
    const marks = (): number => fs.readdirSync(dir).filter((f) => f.startsWith(`mark${jobs}.`)).length;
    while (marks() < jobs && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGINT");
    const { code, out } = await ended;
    expect(code).toBe(130);
    const report = JSON.parse(out.trimEnd().split("\n").at(-1)!);
    expect(report).toMatchObject({ summary: true, interrupted: true });
    expect(report.offloads.rx_csum.mismatches).toBe(0);
    expect(report.packets).toBeLessThan(60 * 5000);
  });

  it("a capture on standard input, and JSON lines answered as they come", async () => {
    const capture = await start(["csum", "check", "-"], fs.readFileSync(BUNDLED)).ended;
    expect([capture.code, capture.err]).toEqual([0, ""]);
    expect(capture.out).toMatch(/\n5,\d\d\d packets/);
    const { child, ended } = open(["program", "run", "tx_csum", "--target", "npu"]);
    const answers: string[] = [];
    child.stdout!.on("data", (b: Buffer) => answers.push(b.toString()));
    for (const id of [1, 2]) {
      child.stdin!.write(`{"id":${id},"memory":{},"args":[2097152]}\n`);
      while (!answers.join("").includes(`{"id":${id},`))
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
    child.stdin!.end();
    expect((await ended).code).toBe(0);
  });
});

describe("what should not happen", () => {
  it("an error of our own: one line that says so, 70, no bare stack trace", async () => {
    const told: string[] = [];
    const code = await main(
      ["--version"],
      new TextOut(() => {
        throw new Error("the sink is broken");
      }),
      new TextOut((bytes) => void told.push(new TextDecoder().decode(bytes))),
    );
    expect(code).toBe(70);
    expect(told.join("")).toMatch(/^netoffload: internal error, please report .*the sink is broken.*\n$/);
  });

  it.each([
    [["dev", "list", "--state", BUNDLED], "cannot be read: ENOTDIR"],
    [["dev", "add", "x", "--state", BUNDLED], "cannot be made: "],
    [["verify", "--device", "sim/x", "--state", "/nowhere"], "neither a profile"],
    [["program", "run", "tx_csum", "--input", "/nowhere"], "no such file"],
  ])("%j is the user's to mend: 2", async (words, says) => {
    const ran = await run(...words);
    expect([ran.code, ran.out]).toEqual([2, ""]);
    expect(ran.err).toContain(says);
  });
});

describe("help", () => {
  it.each(COMMANDS.map((c) => [c.name, c] as const))(
    "%s --help tells usage and every option",
    async (name, c) => {
      const ran = await run(...name.split(" "), "--help");
      expect([ran.code, ran.err]).toEqual([0, ""]);
      expect(ran.out).toMatch(/usage: netoffload /);
      for (const option of Object.keys(c.options)) expect(ran.out).toContain(`--${option}`);
    },
  );

  it("names every command, the version, and what is not known", async () => {
    const { code, out } = await run("--help");
    expect(code).toBe(0);
    for (const c of COMMANDS) expect(out).toContain(`  ${c.name} `);
    const manifest = JSON.parse(
      fs.readFileSync(fileURLToPath(new URL("../../package.json", import.meta.url)), "utf8"),
    );
    expect((await run("--version")).out).toBe(`${manifest.version}\n`);
    const wrong = await run("verfiy");
    expect([wrong.code, wrong.out]).toEqual([2, ""]);
    expect(wrong.err).toContain("'verfiy' is no command; one of: verify");
    expect((await run()).code).toBe(2);
  });
});
