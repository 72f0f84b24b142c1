/** `netoffload live attach`: parsers at their places in a namespace, for as long as the command lasts. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { orThrow, readImage, writeImage } from "@netoffload/cpr-ir";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { facility, has } from "../../../internal/test/facility.ts";
import { start } from "../cli/process.ts";
import { run } from "../cli/run.ts";
import { live } from "./facility.ts";

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const NOBODY = 65534;
const NETNS = `attach-${process.pid}`;
const scratch = mkdtempSync(join(tmpdir(), "netoffload-attach-"));
const program = (name: string): string => join(root, "packages/cpr-ir/programs", `${name}.json`);
const flow = join(scratch, "flow");
const xdp = join(scratch, "xdp");
const ip = (...words: string[]): string => execFileSync("ip", words, { encoding: "utf8" });
const xdpOfLo = (): unknown =>
  (JSON.parse(ip("-n", NETNS, "-j", "link", "show", "lo")) as { xdp?: unknown }[])[0]!.xdp;

/** A command that goes on in a process of its own, once it has attached. */
async function attached(...words: string[]): Promise<ReturnType<typeof start>> {
  const running = start(["live", "attach", ...words, "--netns", NETNS, "--json"]);
  await new Promise<void>((resolve) => {
    running.child.stdout!.once("data", () => resolve());
    void running.ended.then(() => resolve());
  });
  return running;
}

describe.runIf(live && facility("ip netns", has("ip", ["-V"]), "install iproute2"))("live attach", () => {
  beforeAll(async () => {
    ip("netns", "add", NETNS);
    expect(
      (await run("cpr", "compile", program("flow-dissector"), "--target", "ebpf", "-o", flow)).code,
    ).toBe(0);
    expect((await run("cpr", "compile", program("ports"), "--target", "xdp", "-o", xdp)).code).toBe(0);
  });
  afterAll(() => {
    ip("netns", "del", NETNS);
    rmSync(scratch, { recursive: true });
  });

  it("a flow dissector has its place until the command ends, killed or not", async () => {
    for (const signal of ["SIGINT", "SIGKILL"] as const) {
      const first = await attached(flow);
      const second = await run("live", "attach", flow, "--netns", NETNS, "--hold", "0");
      expect([second.code, second.err]).toEqual([2, expect.stringContaining("attached there already")]);
      first.child.kill(signal);
      const { code, out } = await first.ended;
      const [told, summary] = out
        .trim()
        .split("\n")
        .map((l) => JSON.parse(l) as Record<string, unknown>);
      expect(told).toMatchObject({
        attached: "flow_dissector",
        netns: NETNS,
        hash: expect.stringMatching(/^sha256:/),
      });
      if (signal === "SIGINT") {
        expect(summary).toMatchObject({ summary: true, detached: 1, interrupted: true });
        expect(code).toBe(130);
      }
      const after = await run("live", "attach", flow, "--netns", NETNS, "--hold", "0", "--json");
      expect([after.code, after.json.at(-1)]).toEqual([
        0,
        expect.objectContaining({ summary: true, detached: 1 }),
      ]);
    }
  });

  it("an XDP program is on its link until the command ends", async () => {
    expect(xdpOfLo()).toBeUndefined();
    const running = await attached(xdp, "--dev", "lo", "--hold", "60");
    expect(xdpOfLo()).toMatchObject({ prog: { name: expect.any(String) } });
    running.child.kill("SIGTERM");
    await running.ended;
    expect(xdpOfLo()).toBeUndefined();
    const brief = await run(
      "live",
      "attach",
      xdp,
      "--netns",
      `/run/netns/${NETNS}`,
      "--dev",
      "lo",
      "--hold",
      "0",
    );
    expect(brief.out).toMatch(/xdp of \/run\/netns\/attach-\d+ lo {2}sha256:[0-9a-f]{64}\ndetached after/);
    expect(brief.code).toBe(0);
  });

  it("says what is missing, by name", async () => {
    const said = async (...words: string[]): Promise<[number, string]> => {
      const { code, err } = await run("live", "attach", ...words);
      return [code, err];
    };
    expect(await said(flow, "--netns", "none-such")).toEqual([
      2,
      expect.stringContaining("there is no network namespace /run/netns/none-such"),
    ]);
    expect(await said(flow, "--netns", program("ports"))).toEqual([2, expect.stringContaining("EINVAL")]);
    expect(await said(flow)).toEqual([2, expect.stringContaining("--netns NAME")]);
    expect(await said(xdp, "--netns", NETNS)).toEqual([2, expect.stringContaining("--dev NAME")]);
    expect(await said(xdp, "--netns", NETNS, "--dev", "eth7")).toEqual([
      2,
      expect.stringContaining(`namespace ${NETNS} has no such link; it has: lo`),
    ]);
    const image = join(scratch, "npu");
    await run("program", "build", "tx_csum", "--target", "npu", "-o", image);
    expect(await said(image, "--netns", NETNS)).toEqual([2, expect.stringContaining("no flow dissector")]);
    expect(await said(program("ports"), "--netns", NETNS)).toEqual([
      2,
      expect.stringContaining("ports.json"),
    ]);
  });

  it("tells what the verifier refuses, exit code 1", async () => {
    const image = orThrow(readImage(readFileSync(flow)));
    // the first instruction reads a register that nobody has written
    const programs = image.programs.map((p) => {
      const text = p.text.slice();
      text.set([0xbf, 0x96, 0, 0, 0, 0, 0, 0]);
      return { ...p, text };
    });
    const bad = join(scratch, "bad");
    writeFileSync(bad, writeImage({ programs }));
    const { code, json } = await run("live", "attach", bad, "--netns", NETNS, "--hold", "0", "--json");
    expect(code).toBe(1);
    expect(json[0]).toMatchObject({
      error: { message: expect.stringContaining("R9 !read_ok") },
      log: expect.any(String),
    });
  });

  it("without root: exit code 3, and how to get it", () => {
    const script = `
      const { main } = await import("${root}packages/netoffload/src/cli/main.ts");
      process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY});
      process.exitCode = await main(["live", "attach", "${flow}", "--netns", "${NETNS}", "--hold", "0"]);`;
    execFileSync("chmod", ["-R", "a+rX", scratch]);
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--import", "tsx", "--conditions=@netoffload/source", "--input-type=module", "-e", script],
      { encoding: "utf8", cwd: root },
    );
    expect(stderr).toContain("run as root on Linux; see: netoffload live status");
    expect(status).toBe(3);
  });
});
