import { writeImage } from "@netoffload/cpr-ir";
import { beforeEach, describe, expect, test } from "vitest";
import {
  checkReload,
  DevlinkInstance,
  grant,
  type KernelProgram,
  type OffloadEntry,
  type OffloadFunction,
  OffloadManager,
  type OffloadOps,
  type ReloadReply,
  type ReloadRequest,
  refuse,
} from "../src/index.ts";
import { context, program, TwoSlotDriver } from "./device.ts";

const both = writeImage({ programs: [program("tx_csum"), program("rx_csum")] });
const onlyRx = writeImage({ programs: [program("rx_csum")] });
const forged = writeImage({ programs: [program("rx_csum", { sha256: `sha256:${"1".repeat(64)}` })] });
const files = { "both.img": both, "rx.img": onlyRx, "forged.img": forged, "empty.img": new Uint8Array() };

const performed = ["driver_reinit", "fw_activate"] as const;

let driver: TwoSlotDriver;
let instance: DevlinkInstance;
beforeEach(() => {
  driver = new TwoSlotDriver();
  instance = new DevlinkInstance("sim/nic0", driver);
});

const reload = (request: ReloadRequest, ctx = context(files, driver)) => instance.reload(request, ctx);
const fetchImage = (file: string, more: ReloadRequest = {}) =>
  reload({ action: "parser_fetch", file, ...more });

describe("the checks of a request, in order", () => {
  const few = (): TwoSlotDriver => {
    const few = new TwoSlotDriver();
    few.reloadActions = ["driver_reinit"];
    few.reloadLimits = [];
    return few;
  };
  // each request also has the faults of later checks, where it can have them
  const rows: [number, ReloadRequest, string, string, TwoSlotDriver?][] = [
    [1, { action: "warp", limits: ["half"], netns: ["a", "b"] }, "ERANGE", "integer out of range"],
    [1, { action: "toString" }, "ERANGE", "integer out of range"],
    [1, { action: "driver-reinit" }, "ERANGE", "integer out of range"],
    [1, { action: "" }, "ERANGE", "integer out of range"],
    [2, { action: "fw_activate", limits: ["half"] }, "EINVAL", "", few()],
    [
      5,
      { action: "fw_activate", limits: [], netns: ["a", "b"] },
      "EOPNOTSUPP",
      "Requested reload action is not supported by the driver",
      few(),
    ],
    [
      5,
      { action: "parser-fetch", file: "both.img" },
      "EOPNOTSUPP",
      "Requested reload action is not supported by the driver",
      few(),
    ],
    [6, { limits: [], netns: ["a", "b"] }, "EINVAL", "Invalid limit selected"],
    [
      7,
      { limits: ["no_reset", "unspecified"], netns: ["a", "b"] },
      "EOPNOTSUPP",
      "Multiselection of limit is not supported",
    ],
    [8, { limits: ["no_reset"] }, "EOPNOTSUPP", "Requested limit is not supported by the driver", few()],
    [8, { limits: ["unspecified"] }, "EOPNOTSUPP", "Requested limit is not supported by the driver"],
    [9, { limits: ["no_reset"], netns: ["a", "b"] }, "EINVAL", "Requested limit is invalid for this action"],
    [
      9,
      { action: "driver_reinit", limits: ["no_reset"] },
      "EINVAL",
      "Requested limit is invalid for this action",
    ],
    [
      10,
      { action: "parser_fetch", netns: ["pid", "fd"] },
      "EINVAL",
      "multiple netns identifying attributes specified",
    ],
    [11, { netns: ["pid"] }, "EINVAL", "Unknown network namespace"],
    [
      13,
      { action: "parser_fetch", netns: ["pid"] },
      "EOPNOTSUPP",
      "devlink: Changing namespace is only supported for reinit action",
    ],
  ];
  test.each(rows)("%i: %j", (check, request, errno, extack, ops = new TwoSlotDriver()) => {
    expect(checkReload(request, ops)).toEqual({ ok: false, errno, extack, check });
  });

  test("a request that passes", () => {
    expect(checkReload({}, driver)).toEqual(
      grant({ action: "driver_reinit", noReset: false, explicit: false }),
    );
    expect(checkReload({ action: "parser-fetch", limits: ["no_reset"] }, driver)).toEqual(
      grant({ action: "parser_fetch", noReset: true, explicit: true }),
    );
  });

  test("none of them touches the device", async () => {
    for (const [, request, errno, , ops = driver] of rows) {
      const answer = await new DevlinkInstance("sim/x", ops).reload(request, context(files, ops));
      expect(answer).toMatchObject({ ok: false, errno });
      expect(ops.calls).toEqual([]);
    }
  });
});

describe("driver_reinit and fw_activate", () => {
  test("down, up, counted; the reply only when something was asked for", async () => {
    expect(await reload({})).toEqual(grant({}));
    expect(await reload({ action: "driver_reinit" })).toEqual(grant({ actionsPerformed: ["driver_reinit"] }));
    expect(driver.calls.slice(0, 4)).toEqual([
      "down driver_reinit",
      "suspend",
      "up driver_reinit",
      "reevaluate",
    ]);
    expect(instance.stats()[0]).toEqual({ action: "driver_reinit", limits: { unspecified: 2 } });
  });

  test("every action that was performed counts, printed in the order of their numbers", async () => {
    driver.performed = [...performed].reverse();
    expect(await reload({ action: "fw_activate" })).toEqual(grant({ actionsPerformed: performed }));
    expect(instance.stats().map(({ limits }) => limits.unspecified)).toEqual([1, 1, 0]);
    driver.performed = null;
    await reload({ action: "fw_activate", limits: ["no_reset"] });
    expect(driver.calls).toContain("down fw_activate no_reset");
    expect(instance.stats()[1]!.limits).toEqual({ unspecified: 1, no_reset: 1 });
  });

  test("14: down refuses: as before, reload_failed untouched", async () => {
    driver.faults.down = true;
    expect(await reload({})).toEqual({ ok: false, errno: "EBUSY", extack: "rings do not drain", check: 14 });
    expect(driver.calls).toEqual(["down driver_reinit"]);
    expect(instance.reloadFailed).toBe(false);
  });

  test("15: up refuses: reload_failed until a reload works", async () => {
    driver.faults.up = true;
    expect(await reload({})).toMatchObject({ errno: "EIO", extack: "firmware does not answer", check: 15 });
    expect(instance.reloadFailed).toBe(true);
    driver.faults = { down: true };
    await reload({});
    expect(instance.reloadFailed).toBe(true);
    driver.faults = {};
    expect((await reload({})).ok).toBe(true);
    expect(instance.reloadFailed).toBe(false);
    expect(instance.stats()[0]!.limits.unspecified).toBe(1);
  });

  test("parser_fetch is a way out of a failed reload too", async () => {
    driver.faults.up = true;
    await reload({});
    driver.faults = {};
    expect((await fetchImage("both.img")).ok).toBe(true);
    expect(instance.reloadFailed).toBe(false);
  });
});

describe("parser_fetch", () => {
  test("look-up, checks, staging, flip, post-check, old slot freed; offloads off before and decided after", async () => {
    const ctx = context(files, driver);
    const answer = await reload({ action: "parser-fetch", file: "both.img" }, ctx);
    const sha256 = (name: "tx_csum" | "rx_csum") =>
      instance.bundle!.programs.find((p) => p.name === name)!.sha256;
    expect(answer).toEqual(
      grant({
        actionsPerformed: ["parser_fetch"],
        fetched: {
          path: "/lib/firmware/both.img",
          programs: [
            { name: "tx_csum", sha256: sha256("tx_csum") },
            { name: "rx_csum", sha256: sha256("rx_csum") },
          ],
          generation: 1,
        },
      } satisfies ReloadReply),
    );
    expect(driver.calls).toEqual(["load", "suspend", "activate", "commit", "reevaluate"]);
    expect(instance.generation).toBe(1);
    const { length } = both;
    const at = (message: string, done: number, total: number, timeout = 0) => ({
      message,
      component: "parser",
      done,
      total,
      timeout,
    });
    expect(ctx.status).toEqual([
      at("Loading", 0, 0),
      at("Verifying", 0, length),
      at("Programming", 0, length),
      at("Programming", length, length),
      at("Activating", 0, 0, 1),
      at("Done", 0, 0),
    ]);
  });

  test("each reload is a generation; a bundle is replaced whole", async () => {
    await fetchImage("both.img");
    await fetchImage("rx.img", { limits: ["no_reset"] });
    expect(instance.generation).toBe(2);
    expect(instance.bundle!.programs.map(({ name }) => name)).toEqual(["rx_csum"]);
    expect(instance.stats()[2]).toEqual({
      action: "parser_fetch",
      limits: { unspecified: 1, no_reset: 1 },
    });
  });

  test("dry run: every check, nothing touched", async () => {
    await fetchImage("both.img");
    driver.calls.length = 0;
    const answer = await fetchImage("rx.img", { dryRun: true });
    expect(answer).toMatchObject({ ok: true, value: { fetched: { generation: null } } });
    expect(answer).not.toHaveProperty("value.actionsPerformed");
    expect(await fetchImage("forged.img", { dryRun: true })).toMatchObject({ check: 8 });
    expect(driver.calls).toEqual([]);
    expect(instance.generation).toBe(1);
    expect(instance.stats()[2]!.limits.unspecified).toBe(1);
  });

  const harmless: [string, (d: TwoSlotDriver) => void, string, object, string[]][] = [
    ["no name", () => {}, "", { errno: "EINVAL", extack: "firmware name is empty" }, []],
    [
      "no file",
      () => {},
      "none.img",
      { errno: "ENOENT", extack: "failed to locate the requested firmware file" },
      [],
    ],
    ["an empty file", () => {}, "empty.img", { errno: "EINVAL", extack: "firmware file is empty" }, []],
    [
      "a forged hash",
      () => {},
      "forged.img",
      { errno: "EBADMSG", extack: "program image hash does not match its IR", check: 8 },
      [],
    ],
    [
      "no room",
      (d) => {
        d.programmable = { ...d.programmable!, resources: {} };
      },
      "rx.img",
      { errno: "ENOSPC", check: 12 },
      [],
    ],
    [
      "not programmable",
      (d) => {
        d.programmable = null;
      },
      "rx.img",
      { errno: "EOPNOTSUPP", extack: "Requested reload action is not supported by the driver", check: 5 },
      [],
    ],
    [
      "staging fails",
      (d) => {
        d.faults.load = true;
      },
      "rx.img",
      { errno: "ENOMEM", extack: "staging slot is too small" },
      ["load", "discard"],
    ],
    [
      "the flip fails",
      (d) => {
        d.faults.activate = true;
      },
      "rx.img",
      { errno: "EIO", extack: "pointer did not flip" },
      ["load", "suspend", "activate", "discard", "reevaluate"],
    ],
    [
      "the device reports other programs",
      (d) => {
        d.faults.lies = true;
      },
      "rx.img",
      { errno: "EIO", extack: "device does not report the programs that were loaded" },
      ["load", "suspend", "activate", "rollback", "reevaluate"],
    ],
    [
      "the driver throws",
      (d) => {
        d.faults.throws = "load";
      },
      "rx.img",
      { errno: "EIO", extack: "driver failed: load fell over" },
      ["load", "reevaluate"],
    ],
  ];
  test.each(harmless)("%s: the old bundle runs on", async (_name, spoil, file, refusal, calls) => {
    await fetchImage("both.img");
    const before = {
      bundle: instance.bundle,
      active: driver.active,
      stats: instance.stats(),
      info: instance.info(),
    };
    driver.calls.length = 0;
    spoil(driver);
    expect(await fetchImage(file)).toMatchObject({ ok: false, ...refusal });
    expect(driver.calls).toEqual(calls);
    expect(instance.bundle).toBe(before.bundle);
    expect(driver.active).toBe(before.active);
    expect(instance.generation).toBe(1);
    expect(instance.reloadFailed).toBe(false);
    expect(instance.stats()).toEqual(before.stats);
    expect(instance.info()).toEqual(before.info);
  });

  test("a roll-back that fails: reload_failed, no bundle; the next reload brings it back", async () => {
    await fetchImage("both.img");
    driver.faults = { lies: true, rollback: true };
    expect(await fetchImage("rx.img")).toMatchObject({ ok: false, errno: "EIO" });
    expect(instance.reloadFailed).toBe(true);
    expect(instance.bundle).toBeNull();
    driver.faults = {};
    expect((await fetchImage("rx.img")).ok).toBe(true);
    expect(instance.reloadFailed).toBe(false);
  });

  test("two at once: the second waits, they never interleave", async () => {
    const slow = context(files, driver);
    const first = reload({ action: "parser_fetch", file: "both.img" }, slow);
    const second = fetchImage("rx.img");
    const third = fetchImage("forged.img");
    const answers = await Promise.all([first, second, third]);
    expect(answers.map(({ ok }) => ok)).toEqual([true, true, false]);
    const once = ["load", "suspend", "activate", "commit", "reevaluate"];
    expect(driver.calls).toEqual([...once, ...once]);
    expect(instance.generation).toBe(2);
  });

  test("every cut of a good image and every byte changed: refused, the old bundle runs on", async () => {
    await fetchImage("both.img");
    const { bundle } = instance;
    driver.calls.length = 0;
    for (let at = 0; at < onlyRx.length; at += 5) {
      const changed = onlyRx.slice();
      changed[at]! ^= 0x10;
      const ctx = context({ cut: onlyRx.slice(0, at), changed }, driver);
      for (const file of ["cut", "changed"])
        expect((await reload({ action: "parser_fetch", file }, ctx)).ok, `${file} ${at}`).toBe(false);
    }
    expect(driver.calls).toEqual([]);
    expect(instance.bundle).toBe(bundle);
  });
});

/** The query and set of the paper over what the driver's active slot holds. */
class Offloads implements OffloadOps {
  readonly driver: TwoSlotDriver;
  on = new Map<string, number>();

  constructor(driver: TwoSlotDriver) {
    this.driver = driver;
  }

  ndoOffloadQuery(fn: OffloadFunction) {
    const held = (this.driver.active?.programs ?? []).flatMap((p, slot): OffloadEntry[] =>
      p.name !== fn
        ? []
        : [
            {
              function: fn,
              sha256: p.sha256,
              abi: p.abi,
              generation: this.driver.generation,
              slot,
              state: this.on.get(fn) === this.driver.generation ? "active" : "loaded",
              flags: [],
              resUsed: {},
              resMax: {},
            },
          ],
    );
    return held.length === 0 ? refuse("ENODATA") : grant(held);
  }

  ndoOffloadSet(fn: OffloadFunction, slot: number | null, generation: number) {
    if (generation !== this.driver.generation) return refuse("ESTALE");
    if (slot === null) this.on.delete(fn);
    else this.on.set(fn, generation);
    return grant(null);
  }

  knownAnswerTest = (): null => null;
  legacy = (): boolean => false;
}

describe("offloads over a reload", () => {
  const kernelOf = (name: "tx_csum" | "rx_csum"): KernelProgram => {
    const { sha256, abi } = instance.bundle!.programs.find((p) => p.name === name)!;
    return { sha256, abi };
  };

  test("same hash: hardware again in the new generation; missing: NO_PROGRAM; another: both hashes named", async () => {
    const offloads = new Offloads(driver);
    const manager = new OffloadManager(offloads);
    const during: string[] = [];
    const ctx = {
      ...context(files),
      suspendOffloads: () => {
        manager.suspend();
        during.push(manager.state("rx_csum").state);
      },
      reevaluateOffloads: () => manager.reevaluate(),
    };
    await instance.reload({ action: "parser_fetch", file: "both.img" }, ctx);
    for (const fn of ["tx_csum", "rx_csum"] as const) {
      manager.setKernelProgram(fn, kernelOf(fn));
      expect(manager.enable(fn)).toMatchObject({ state: "HARDWARE", generation: 1 });
    }

    await instance.reload({ action: "parser_fetch", file: "rx.img" }, ctx);
    expect(during).toEqual(["SOFTWARE", "SOFTWARE"]);
    expect(manager.state("rx_csum")).toMatchObject({ state: "HARDWARE", generation: 2 });
    expect(manager.state("tx_csum")).toEqual({
      state: "SOFTWARE",
      reason: { kind: "NO_PROGRAM", where: "device" },
    });
    expect([...offloads.on]).toEqual([["rx_csum", 2]]);

    const kernel = `sha256:${"a".repeat(64)}`;
    const device = kernelOf("rx_csum").sha256;
    manager.setKernelProgram("rx_csum", { sha256: kernel, abi: 1 });
    expect(manager.state("rx_csum")).toEqual({
      state: "SOFTWARE",
      reason: { kind: "HASH_MISMATCH", kernel, device: [device] },
    });
    expect([...offloads.on]).toEqual([]);
  });

  test("a reload that fails after the suspension leaves what was in hardware in hardware", async () => {
    const manager = new OffloadManager(new Offloads(driver));
    const ctx = {
      ...context(files),
      suspendOffloads: () => manager.suspend(),
      reevaluateOffloads: () => manager.reevaluate(),
    };
    await instance.reload({ action: "parser_fetch", file: "both.img" }, ctx);
    manager.setKernelProgram("rx_csum", kernelOf("rx_csum"));
    const before = manager.enable("rx_csum");
    driver.faults.activate = true;
    await instance.reload({ action: "parser_fetch", file: "rx.img" }, ctx);
    expect(manager.state("rx_csum")).toEqual(before);
    expect(before.state).toBe("HARDWARE");
    driver.faults = { throws: "activate" };
    await instance.reload({ action: "parser_fetch", file: "rx.img" }, ctx);
    expect(manager.state("rx_csum")).toEqual(before);
  });
});
