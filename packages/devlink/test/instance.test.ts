import { writeImage } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { DevlinkInstance, DevlinkRegistry, isHandle } from "../src/index.ts";
import { context, program, TwoSlotDriver } from "./device.ts";

const image = writeImage({ programs: [program("tx_csum"), program("rx_csum")] });
const load = (instance: DevlinkInstance) =>
  instance.reload({ action: "parser_fetch", file: "f" }, context({ f: image }));

describe("handles", () => {
  test.each(["sim/nic0", "pci/0000:03:00.0", "auxiliary/mlx5_core.sf.4"])("%s", (handle) =>
    expect(isHandle(handle)).toBe(true),
  );
  test.each(["", "nic0", "/nic0", "sim/", "sim/a/b", "sim//b", "sim/a\0b"])("not %j", (handle) =>
    expect(isHandle(handle)).toBe(false),
  );
});

describe("the registry", () => {
  test("adds, finds and removes, compared byte for byte, in order", () => {
    const registry = new DevlinkRegistry();
    for (const handle of ["sim/b", "sim/a"]) expect(registry.add(handle, new TwoSlotDriver()).ok).toBe(true);
    expect(registry.all().map(({ handle }) => handle)).toEqual(["sim/b", "sim/a"]);
    expect(registry.get("sim/a")).toMatchObject({ ok: true, value: { handle: "sim/a" } });
    expect(registry.add("sim/a", new TwoSlotDriver())).toMatchObject({ errno: "EEXIST" });
    expect(registry.add("nic", new TwoSlotDriver())).toMatchObject({ errno: "EINVAL" });
    expect(registry.get("nic")).toEqual({ ok: false, errno: "EINVAL", extack: "" });
    expect(registry.get("sim/A")).toEqual({ ok: false, errno: "ENODEV", extack: "" });
    expect(registry.delete("sim/a").ok).toBe(true);
    expect(registry.delete("sim/a")).toMatchObject({ errno: "ENODEV" });
    expect(registry.get("sim/a")).toMatchObject({ errno: "ENODEV" });
  });
});

describe("an instance", () => {
  test("before anything was fetched", () => {
    const instance = new DevlinkInstance("sim/nic0", new TwoSlotDriver());
    expect(instance).toMatchObject({ bundle: null, generation: 0, reloadFailed: false });
    expect(instance.info()).toEqual({ fixed: [], running: [], stored: [] });
  });

  test("programs appear under running only, with version and hash, and change with the bundle", async () => {
    const driver = new TwoSlotDriver();
    driver.info = {
      serialNumber: "s",
      fixed: [["board.id", "OSIM1"]],
      running: [["fw", "1.4.0"]],
      stored: [["fw", "1.4.1"]],
    };
    const instance = new DevlinkInstance("sim/nic0", driver);
    await load(instance);
    const [tx, rx] = instance.bundle!.programs;
    expect(instance.info()).toEqual({
      ...driver.info,
      running: [
        ["fw", "1.4.0"],
        ["fw.tx_csum", "abi1"],
        ["fw.tx_csum.id", tx!.sha256],
        ["fw.rx_csum", "abi1"],
        ["fw.rx_csum.id", rx!.sha256],
      ],
    });
  });

  test("statistics: the driver's actions and limits, never driver_reinit with no_reset", async () => {
    const driver = new TwoSlotDriver();
    const instance = new DevlinkInstance("sim/nic0", driver);
    await load(instance);
    expect(instance.stats()).toEqual([
      { action: "driver_reinit", limits: { unspecified: 0 } },
      { action: "fw_activate", limits: { unspecified: 0, no_reset: 0 } },
      { action: "parser_fetch", limits: { unspecified: 1, no_reset: 0 } },
    ]);
    driver.reloadActions = ["fw_activate"];
    driver.reloadLimits = [];
    expect(instance.stats()).toEqual([{ action: "fw_activate", limits: { unspecified: 0 } }]);
  });

  test("two instances share nothing", async () => {
    const [a, b] = ["sim/a", "sim/b"].map((handle) => new DevlinkInstance(handle, new TwoSlotDriver()));
    await load(a!);
    expect([a!.generation, b!.generation]).toEqual([1, 0]);
    expect(b!.bundle).toBeNull();
  });
});
