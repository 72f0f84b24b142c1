import { writeImage } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import {
  DevlinkInstance,
  devInfo,
  devParserShow,
  devReload,
  devShow,
  ERRNO,
  type ErrnoName,
  errnoName,
  type Json,
  refuse,
  render,
  renderRefusal,
  strerror,
} from "../src/index.ts";
import { context, program, ROOM, TwoSlotDriver } from "./device.ts";

const image = writeImage({ programs: [program("tx_csum"), program("rx_csum")] });

function nic(handle: string, change: (driver: TwoSlotDriver) => void = () => {}): DevlinkInstance {
  const driver = new TwoSlotDriver();
  change(driver);
  return new DevlinkInstance(handle, driver);
}

const load = (instance: DevlinkInstance) =>
  instance.reload({ action: "parser_fetch", file: "offsim/x.img" }, context({ "offsim/x.img": image }));

const json = (value: Json): string => render(value, { json: true });

describe("dev show", () => {
  test("plain", () => {
    const two = [nic("pci/0000:03:00.0"), nic("sim/nic0")];
    expect(json(devShow(two))).toBe('{"dev":{"pci/0000:03:00.0":{},"sim/nic0":{}}}\n');
    expect(render(devShow(two))).toBe("pci/0000:03:00.0\nsim/nic0\n");
    expect(render(devShow([]))).toBe("");
    expect(json(devShow([]))).toBe('{"dev":{}}\n');
  });

  test("reload_failed only when set", async () => {
    const instance = nic("sim/nic0", (driver) => {
      driver.faults.up = true;
    });
    await instance.reload({}, context({}));
    expect(json(devShow([instance]))).toBe('{"dev":{"sim/nic0":{"reload_failed":true}}}\n');
    expect(render(devShow([instance]))).toBe("sim/nic0:\n  reload_failed true\n");
  });

  test("statistics", async () => {
    const instance = nic("sim/nic0", (driver) => {
      driver.reloadActions = ["driver_reinit", "fw_activate"];
    });
    for (let i = 0; i < 2; i++) await instance.reload({}, context({}));
    await instance.reload({ action: "fw_activate" }, context({}));
    const shown = devShow([instance], { statistics: true });
    expect(json(shown)).toBe(
      '{"dev":{"sim/nic0":{"stats":{' +
        '"reload":{"driver_reinit":{"unspecified":2},"fw_activate":{"unspecified":1,"no_reset":0}},' +
        '"remote_reload":{"driver_reinit":{"unspecified":0},"fw_activate":{"unspecified":0,"no_reset":0}}}}}}\n',
    );
    expect(render(shown)).toBe(
      [
        "sim/nic0:",
        "  stats:",
        "    reload:",
        "      driver_reinit:",
        "        unspecified 2",
        "      fw_activate:",
        "        unspecified 1",
        "        no_reset 0",
        "    remote_reload:",
        "      driver_reinit:",
        "        unspecified 0",
        "      fw_activate:",
        "        unspecified 0",
        "        no_reset 0",
        "",
      ].join("\n"),
    );
  });

  test("parser_fetch is counted beside the two", async () => {
    const instance = nic("sim/nic0");
    await load(instance);
    expect(devShow([instance], { statistics: true })).toMatchObject({
      dev: { "sim/nic0": { stats: { reload: { parser_fetch: { unspecified: 1, no_reset: 0 } } } } },
    });
  });
});

describe("dev info", () => {
  const full = (): DevlinkInstance =>
    nic("sim/nic0", (driver) => {
      driver.info = {
        serialNumber: "52-54-00-ff-fe-12-34-56",
        boardSerialNumber: "OS0001",
        fixed: [
          ["board.id", "OSIM1"],
          ["asic.id", "model-a"],
          ["asic.rev", ""],
        ],
        running: [
          ["fw", "1.4.0"],
          ["fw.app", "7"],
        ],
        stored: [["fw", "1.4.1"]],
      };
    });

  test("the example of the specification; an empty version is left out", () => {
    expect(json(devInfo([full()]))).toBe(
      '{"info":{"sim/nic0":{"driver":"offsim","serial_number":"52-54-00-ff-fe-12-34-56",' +
        '"board.serial_number":"OS0001",' +
        '"versions":{"fixed":{"board.id":"OSIM1","asic.id":"model-a"},' +
        '"running":{"fw":"1.4.0","fw.app":"7"},' +
        '"stored":{"fw":"1.4.1"}}}}}\n',
    );
    expect(render(devInfo([full()]))).toBe(
      [
        "sim/nic0:",
        "  driver offsim",
        "  serial_number 52-54-00-ff-fe-12-34-56",
        "  board.serial_number OS0001",
        "  versions:",
        "    fixed:",
        "      board.id OSIM1",
        "      asic.id model-a",
        "    running:",
        "      fw 1.4.0",
        "      fw.app 7",
        "    stored:",
        "      fw 1.4.1",
        "",
      ].join("\n"),
    );
  });

  test("a driver that knows nothing, a group that is empty", () => {
    expect(json(devInfo([nic("sim/nic0")]))).toBe('{"info":{"sim/nic0":{"driver":"offsim"}}}\n');
    const empty = nic("sim/nic0", (driver) => {
      driver.info = { fixed: [["fw", ""]], running: [], stored: [["fw", "1"]] };
    });
    expect(json(devInfo([empty]))).toBe(
      '{"info":{"sim/nic0":{"driver":"offsim","versions":{"stored":{"fw":"1"}}}}}\n',
    );
  });

  test("loaded programs", async () => {
    const instance = nic("sim/nic0");
    await load(instance);
    const [tx, rx] = instance.bundle!.programs;
    expect(devInfo([instance])).toEqual({
      info: {
        "sim/nic0": {
          driver: "offsim",
          versions: {
            running: {
              "fw.tx_csum": "abi1",
              "fw.tx_csum.id": tx!.sha256,
              "fw.rx_csum": "abi1",
              "fw.rx_csum.id": rx!.sha256,
            },
          },
        },
      },
    });
  });

  test("pretty: four spaces a level", () => {
    expect(render(devInfo([nic("sim/nic0")]), { json: true, pretty: true })).toBe(
      '{\n    "info": {\n        "sim/nic0": {\n            "driver": "offsim"\n        }\n    }\n}\n',
    );
  });
});

describe("dev reload", () => {
  const reply = devReload({ actionsPerformed: ["driver_reinit", "fw_activate"] })!;
  test("actions in JSON and on a line", () => {
    expect(json(reply)).toBe('{"reload":{"reload_actions_performed":["driver_reinit","fw_activate"]}}\n');
    expect(render(reply)).toBe("reload_actions_performed:\n  driver_reinit fw_activate\n");
    expect(render(reply, { json: true, pretty: true })).toBe(
      '{\n    "reload": {\n        "reload_actions_performed": [\n            "driver_reinit",\n            "fw_activate"\n        ]\n    }\n}\n',
    );
  });
  test("nothing when nothing was asked for", () => expect(devReload({})).toBeNull());
});

describe("dev parser show", () => {
  test("programs, hashes and how full the device is; a stack is not summed", async () => {
    const instance = nic("sim/nic0");
    expect(json(devParserShow([instance]))).toBe('{"parser":{"sim/nic0":{}}}\n');
    await load(instance);
    const [tx, rx] = instance.bundle!.programs;
    const stack = Math.max(tx!.resources.stack!, rx!.resources.stack!);
    const shown = devParserShow([instance]) as { parser: Record<string, Record<string, Json>> };
    expect(shown.parser["sim/nic0"]).toMatchObject({
      generation: 1,
      file: "offsim/x.img",
      programs: [tx!, rx!].map((p) => ({ function: p.name, target: "npu", hash: p.sha256, sha1: p.sha1 })),
      resources: {
        instructions: { used: (tx!.text.length + rx!.text.length) / 8, size: ROOM.instructions },
        stack: { used: stack, size: ROOM.stack },
      },
      tables: [],
    });
    expect(render(devParserShow([instance]))).toMatch(
      /^sim\/nic0:\n {2}generation 1\n {2}file offsim\/x\.img\n {2}programs:\n {4}function tx_csum target npu hash sha256:/,
    );
  });
});

describe("refusals", () => {
  test("the extack with one full stop, then the errno's text", () => {
    expect(renderRefusal(refuse("EOPNOTSUPP", "Multiselection of limit is not supported"))).toBe(
      "Error: Multiselection of limit is not supported.\nkernel answers: Operation not supported\n",
    );
    expect(renderRefusal(refuse("EINVAL", "Cannot set burst period without a grace period."))).toBe(
      "Error: Cannot set burst period without a grace period.\nkernel answers: Invalid argument\n",
    );
    expect(renderRefusal(refuse("ENODEV"))).toBe("kernel answers: No such device\n");
  });

  test("every errno has a name, a number and a text", () => {
    for (const [name, number] of Object.entries(ERRNO) as [ErrnoName, number][]) {
      expect(errnoName(-number)).toBe(name);
      expect(errnoName(number)).toBe(name);
      expect(strerror(name)).toMatch(/^[A-Z]/);
    }
    expect(errnoName(4711)).toBeNull();
  });
});
