import { spawnSync } from "node:child_process";
import { release } from "node:os";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { run } from "../cli/run.ts";
import { live } from "./facility.ts";

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const NOBODY = 65534;

describe.runIf(live)("live status", () => {
  it("names what the kernel offers", async () => {
    const { code, json } = await run("live", "status", "--json");
    expect(code).toBe(0);
    expect(json).toHaveLength(1);
    expect(json[0]).toMatchObject({ status: true, kernel: release(), usable: true });
    const facilities = json[0]!.facilities as { name: string; present: boolean }[];
    const present = facilities.filter((f) => f.present).map((f) => f.name);
    for (const name of [
      "Linux",
      "koffi",
      "root",
      "network namespace",
      "tap",
      "bridge",
      "veth",
      "keys of the flow dissector",
    ])
      expect(present).toContain(name);
    expect(facilities.map((f) => f.name)).toContain("bpf arena");
  });

  it("says the same in words", async () => {
    const { out } = await run("live", "status");
    expect(out).toContain(`kernel ${release()}\n`);
    expect(out).toMatch(/^ {2}tap +yes$/m);
  });

  it("without root says what is missing and how to get it, exit code 3", () => {
    // the identity is given up before anything is done, after the sources were loaded
    const script = `
      const { main } = await import("${root}packages/netoffload/src/cli/main.ts");
      process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY});
      process.exitCode = await main(["live", "status"]);
      await main(["live", "compare", "csum"]).then((code) => console.log("compare", code));`;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--import", "tsx", "--conditions=@netoffload/source", "--input-type=module", "-e", script],
      { encoding: "utf8", cwd: root },
    );
    expect(stdout).toMatch(/^ {2}root +no; to get it: run as root, sudo for one$/m);
    expect(stdout).toContain("live commands cannot run here");
    expect(stdout).toContain("compare 3");
    expect(stderr).toContain("netoffload live status");
    expect(status).toBe(3);
  });
});
