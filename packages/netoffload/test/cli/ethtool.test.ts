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

describe("ethtool -K", () => {
  const K = (...words: string[]): ReturnType<typeof run> => run("ethtool", "-K", ...words, "--state", state);
  const k = async (name: string): Promise<string[]> =>
    (await run("ethtool", "-k", name, "--state", state)).out.split("\n").map((l) => l.trim());

  test("what depends goes and comes back; the wish lasts; the offload is the administrator's", async () => {
    await run("dev", "add", "nic1", "--profile", "ideal", "--state", state);
    const off = await K("nic1", "sg", "off");
    expect([off.code, off.out.split("\n")]).toEqual([
      0,
      ["Actual changes:", "tx-scatter-gather: off", "tx-generic-segmentation: off [not requested]", ""],
    ]);
    expect(await k("nic1")).toContain("generic-segmentation-offload: off [requested on]");
    const on = await K("sim/nic1", "scatter-gather", "on", "--json");
    expect([on.code, on.json[0]]).toMatchObject([
      0,
      {
        ifname: "sim/nic1",
        changes: [
          { name: "tx-scatter-gather", active: true, requested: true },
          { name: "tx-scatter-gather-fraglist", active: false, requested: true },
          { name: "tx-generic-segmentation", active: true, requested: null },
        ],
      },
    ]);
    // the paper's rule in place of those for TSO, TSO6 and UDP segmentation
    expect((await K("nic1", "tx-checksum-ip-generic", "off")).out).toBe(
      "Actual changes:\ntx-checksum-ip-generic: off\ntx-generic-segmentation: off [not requested]\n",
    );
    const shown = await run("dev", "show", "nic1", "--state", state, "--json");
    expect(shown.json[0]).toMatchObject({ offloads: { tx_csum: { state: "SOFTWARE", reason: "ADMIN" } } });
    const { json } = await run("verify", "--device", "nic1", "--state", state, "--json");
    expect(json.at(-1)).toMatchObject({
      offloads: {
        tx_csum: { state: "SOFTWARE", mismatches: 0, offloaded: 0 },
        rx_csum: { state: "SOFTWARE" },
      },
    });
  });

  test("refusals are ethtool's, exit 1; what cannot be understood is 2", async () => {
    const fixed = await K("nic0", "lro", "on");
    expect([fixed.code, fixed.out, fixed.err]).toEqual([
      1,
      "Actual changes:\nrx-lro: off [requested on]\n",
      "Could not change any device features\n",
    ]);
    const rows: [string[], number, RegExp][] = [
      [["nic0", "nosuch", "on"], 1, /^netlink error: bit name not found\n$/],
      [["nic0", "vlan-challenged", "on"], 1, /^netlink error: attempt to change non-ethtool features\n/],
      [["nic9", "sg", "on"], 1, /^netlink error: No such device\n$/],
      [["nic0", "sg"], 2, /'sg' is not followed by 'on' or 'off'/],
      [["nic0", "sg", "maybe"], 2, /'sg' is not followed/],
      [[], 2, /NAME FEATURE on\|off/],
    ];
    for (const [words, code, message] of rows) {
      const said = await K(...words);
      expect([said.code, said.err]).toEqual([code, expect.stringMatching(message)]);
    }
  });
});
