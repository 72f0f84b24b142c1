import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { run } from "./run.ts";

const state = mkdtempSync(join(tmpdir(), "ethtool-"));
afterAll(() => rmSync(state, { recursive: true }));

describe("ethtool -k", () => {
  test("ethtool's lines of a device", async () => {
    await run("dev", "add", "nic0", "--profile", "v4v6-basic", "--state", state);
    const { out, code } = await run("ethtool", "-k", "nic0", "--state", state);
    expect(code).toBe(0);
    expect(out.split("\n").slice(0, 9)).toEqual([
      "Features for sim/nic0:",
      "rx-checksumming: on",
      "tx-checksumming: on",
      "\ttx-checksum-ipv4: on",
      "\ttx-checksum-ip-generic: off [fixed]",
      "\ttx-checksum-ipv6: on",
      "\ttx-checksum-fcoe-crc: off [fixed]",
      "\ttx-checksum-sctp: off [fixed]",
      "scatter-gather: on",
    ]);
    // each of ethtool's 60 names once, besides the headings
    const names = out
      .split("\n")
      .slice(1, -1)
      .map((l) => l.trim().split(":")[0]!);
    expect(new Set(names).size).toBe(names.length);
    for (const name of ["highdma", "tx-gso-list", "hsr-dup-offload", "rx-udp-gro-forwarding"])
      expect(names).toContain(name);
  });

  test("JSON; no such device", async () => {
    const { out } = await run("ethtool", "-k", "sim/nic0", "--state", state, "--json");
    expect(JSON.parse(out)).toMatchObject([
      { ifname: "sim/nic0", "tx-checksum-ipv4": { active: true, fixed: false, requested: true } },
    ]);
    const missing = await run("ethtool", "-k", "nic9", "--state", state);
    expect([missing.code, missing.err]).toEqual([1, "netlink error: No such device\n"]);
    expect((await run("ethtool", "nic0", "--state", state)).code).toBe(2);
  });

  test("--mapping: three checksum flags to one, the segmentation flags to one", async () => {
    const { json } = await run("ethtool", "-k", "--mapping", "--json");
    const to = (name: string): unknown[] => json.filter((r) => r.new === name).map((r) => r.old);
    expect(to("HW_CSUM")).toEqual(["IP_CSUM", "HW_CSUM", "IPV6_CSUM"]);
    expect(to("GSO")).toContain("TSO6");
    const { out } = await run("ethtool", "-k", "--mapping");
    expect(out).toMatch(/^IPV6_CSUM +tx-checksum-ipv6 +HW_CSUM +.*routing header never$/m);
  });
});
