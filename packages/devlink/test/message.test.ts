import { writeImage } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import {
  AttrWriter,
  checkReload,
  DEVLINK_ATTR,
  DEVLINK_CMD,
  DevlinkInstance,
  decodeRequest,
  encodeGet,
  encodeInfo,
  encodeReloadReply,
  encodeReloadRequest,
  grant,
  NLA_F_NESTED,
  type NlAttr,
  type ReloadRequest,
  readAttrs,
} from "../src/index.ts";
import { context, program, TwoSlotDriver } from "./device.ts";

const A = DEVLINK_ATTR;
const bytes = (...parts: (number | string | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((p) => (typeof p === "string" ? [...p].map((c) => c.charCodeAt(0)) : p)));

/** A message laid out by hand: command, version, reserved, then attributes. */
function message(command: number, build: (w: AttrWriter) => void): Uint8Array {
  const writer = new AttrWriter();
  build(writer);
  return bytes(command, 1, 0, 0, [...writer.bytes()]);
}

const withHandle = (w: AttrWriter): AttrWriter => w.string(A.BUS_NAME, "sim").string(A.DEV_NAME, "nic0");
const reload = (build: (w: AttrWriter) => void): Uint8Array =>
  message(DEVLINK_CMD.RELOAD, (w) => build(withHandle(w)));

/** Attributes as type and either nested ones or hex. */
type Tree = [type: number, content: Tree[] | string];
function tree(run: Uint8Array): Tree[] {
  const attrs = readAttrs(run);
  if (!attrs.ok) throw new Error(attrs.fault.message);
  return attrs.value.map(({ type, nested, payload }: NlAttr) => [
    type,
    nested ? tree(payload) : Buffer.from(payload).toString("hex"),
  ]);
}
const text = (s: string): string => Buffer.from(`${s}\0`).toString("hex");

describe("attributes", () => {
  test("lengths count the header and not the padding", () => {
    const writer = new AttrWriter().string(1, "sim").u8(136, 1).u32(160, 0x01020304).bitfield32(155, 2, 6);
    expect(writer.bytes()).toEqual(
      bytes(
        [8, 0, 1, 0],
        "sim\0",
        [5, 0, 136, 0, 1, 0, 0, 0],
        [8, 0, 160, 0, 4, 3, 2, 1],
        [12, 0, 155, 0, 2, 0, 0, 0, 6, 0, 0, 0],
      ),
    );
  });

  test("nests are marked and counted", () => {
    const writer = new AttrWriter().nest(156, (inner) => inner.nest(157, () => {}).u8(1, 255));
    expect(writer.bytes()).toEqual(bytes([16, 0, 156, 0x80], [4, 0, 157, 0x80], [5, 0, 1, 0, 255, 0, 0, 0]));
    const [outer] = (readAttrs(writer.bytes()) as { value: NlAttr[] }).value;
    expect(outer).toMatchObject({ type: 156, nested: true });
  });

  test("read back as views of the message; the last one's padding may be missing", () => {
    const run = bytes([5, 0, 7, 0, 9, 0, 0, 0], [6, 0, 8, 0, 1, 2]);
    const attrs = readAttrs(run);
    if (!attrs.ok) throw new Error(attrs.fault.message);
    expect(attrs.value.map(({ type, payload }) => [type, ...payload])).toEqual([
      [7, 9],
      [8, 1, 2],
    ]);
    expect(attrs.value[0]!.payload.buffer).toBe(run.buffer);
  });

  const broken: [string, Uint8Array, number, string][] = [
    ["3 bytes", bytes([5, 0, 1]), 0, "3 bytes left, an attribute needs 4"],
    ["length 3", bytes([3, 0, 1, 0]), 0, "attribute 1 claims 3 bytes, 4 to 4 are possible"],
    ["length 0", bytes([0, 0, 1, 0]), 0, "attribute 1 claims 0 bytes, 4 to 4 are possible"],
    ["too long", bytes([9, 0, 1, 0, 0, 0, 0, 0]), 0, "attribute 1 claims 9 bytes, 4 to 8 are possible"],
    [
      "the second",
      bytes([4, 0, 1, 0], [200, 0, 2, 0x80]),
      4,
      "attribute 2 claims 200 bytes, 4 to 4 are possible",
    ],
  ];
  test.each(broken)("%s", (_name, run, offset, message) => {
    expect(readAttrs(run)).toEqual({ ok: false, fault: { offset, message } });
  });

  test("one that does not fit is the caller's mistake", () => {
    expect(new AttrWriter().put(5, new Uint8Array(65531)).bytes().length).toBe(65536);
    expect(() => new AttrWriter().put(5, new Uint8Array(65532))).toThrow(
      "attribute 5: 65532 bytes, 65531 fit",
    );
    expect(() =>
      new AttrWriter().nest(9, (w) => w.put(1, new Uint8Array(40000)).put(2, new Uint8Array(40000))),
    ).toThrow(RangeError);
  });
});

describe("requests", () => {
  test.each([
    [DEVLINK_CMD.GET, "get"],
    [DEVLINK_CMD.INFO_GET, "info"],
  ])("command %i", (number, command) => {
    expect(decodeRequest(message(number, withHandle))).toEqual(grant({ command, handle: "sim/nic0" }));
  });

  const rows: [string, (w: AttrWriter) => void, ReloadRequest][] = [
    ["nothing more", () => {}, {}],
    ["action 1", (w) => w.u8(A.RELOAD_ACTION, 1), { action: "driver_reinit" }],
    ["action 2", (w) => w.u8(A.RELOAD_ACTION, 2), { action: "fw_activate" }],
    [
      "action 3 with a file",
      (w) => w.u8(A.RELOAD_ACTION, 3).string(A.FLASH_UPDATE_FILE_NAME, "offsim/x.img"),
      { action: "parser_fetch", file: "offsim/x.img" },
    ],
    ["no_reset", (w) => w.bitfield32(A.RELOAD_LIMITS, 2, 2), { limits: ["no_reset"] }],
    ["a limit that is not selected", (w) => w.bitfield32(A.RELOAD_LIMITS, 2, 4), { limits: [] }],
    ["two limits", (w) => w.bitfield32(A.RELOAD_LIMITS, 6, 6), { limits: ["no_reset", "unspecified"] }],
    [
      "namespaces",
      (w) => w.u32(A.NETNS_FD, 3).u32(A.NETNS_PID, 1),
      { netns: [String(A.NETNS_PID), String(A.NETNS_FD)] },
    ],
    [
      "an attribute given twice: the last counts",
      (w) => w.u8(A.RELOAD_ACTION, 1).u8(A.RELOAD_ACTION, 2),
      { action: "fw_activate" },
    ],
    ["unknown attributes are passed over", (w) => w.u8(9999, 1), {}],
  ];
  test.each(rows)("reload: %s", (_name, build, request) => {
    expect(decodeRequest(reload(build))).toEqual(
      grant({ command: "reload", handle: "sim/nic0", reload: request }),
    );
  });

  const wrong: [string, Uint8Array, object][] = [
    ["nothing", bytes(), { errno: "EINVAL", extack: "message of 0 bytes, the header needs 4" }],
    ["half a header", bytes([37, 1]), { errno: "EINVAL", extack: "message of 2 bytes, the header needs 4" }],
    [
      "a command of others",
      message(4, withHandle),
      { errno: "EOPNOTSUPP", extack: "command 4 is not supported" },
    ],
    ["no handle", message(DEVLINK_CMD.GET, () => {}), { errno: "EINVAL", extack: "" }],
    ["no device name", message(DEVLINK_CMD.INFO_GET, (w) => w.string(1, "sim")), { errno: "EINVAL" }],
    ["a name without NUL", message(1, (w) => w.string(1, "sim").put(2, bytes("nic0"))), { errno: "EINVAL" }],
    [
      "a damaged attribute, by its offset in the message",
      bytes([37, 1, 0, 0], [8, 0, 1, 0], "sim\0", [77, 0, 2, 0]),
      { errno: "EINVAL", extack: "byte 12: attribute 2 claims 77 bytes, 4 to 4 are possible" },
    ],
    [
      "action 0",
      reload((w) => w.u8(A.RELOAD_ACTION, 0)),
      { errno: "ERANGE", extack: "integer out of range", check: 1 },
    ],
    ["action 4", reload((w) => w.u8(A.RELOAD_ACTION, 4)), { errno: "ERANGE", check: 1 }],
    ["an action of 4 bytes", reload((w) => w.u32(A.RELOAD_ACTION, 1)), { errno: "ERANGE", check: 1 }],
    [
      "the action is judged before limits",
      reload((w) => w.u8(A.RELOAD_ACTION, 9).u8(A.RELOAD_LIMITS, 1)),
      { check: 1 },
    ],
    ["limits of one byte", reload((w) => w.u8(A.RELOAD_LIMITS, 2)), { errno: "EINVAL", check: 2 }],
    [
      "a limit bit outside the mask",
      reload((w) => w.bitfield32(A.RELOAD_LIMITS, 1, 2)),
      { errno: "EINVAL", check: 2 },
    ],
    [
      "a selector outside the mask",
      reload((w) => w.bitfield32(A.RELOAD_LIMITS, 2, 10)),
      { errno: "EINVAL", check: 2 },
    ],
    [
      "attributes are judged before the handle",
      message(DEVLINK_CMD.RELOAD, (w) => w.u8(A.RELOAD_ACTION, 9)),
      { errno: "ERANGE", check: 1 },
    ],
    ["reload without a handle", message(DEVLINK_CMD.RELOAD, () => {}), { errno: "EINVAL", extack: "" }],
  ];
  test.each(wrong)("%s", (_name, request, refusal) => {
    expect(decodeRequest(request)).toMatchObject({ ok: false, ...refusal });
  });

  test("limits that came over netlink meet the checks 6 and 7", () => {
    const check = (value: number, selector: number) => {
      const decoded = decodeRequest(reload((w) => w.bitfield32(A.RELOAD_LIMITS, value, selector)));
      if (!decoded.ok || decoded.value.command !== "reload") throw new Error("not decoded");
      return checkReload(decoded.value.reload, new TwoSlotDriver());
    };
    expect(check(2, 4)).toMatchObject({ check: 6, extack: "Invalid limit selected" });
    expect(check(6, 6)).toMatchObject({ check: 7 });
    expect(check(4, 4)).toMatchObject({ check: 8 });
    expect(check(2, 2)).toMatchObject({ check: 9 });
  });

  test("cut anywhere: refused, or the attributes that are whole", () => {
    const whole = reload((w) => w.u8(A.RELOAD_ACTION, 3).string(A.FLASH_UPDATE_FILE_NAME, "x").u8(9999, 1));
    for (let n = 0; n < whole.length; n++) {
      const answer = decodeRequest(whole.slice(0, n));
      if (!answer.ok) expect(["EINVAL", "EOPNOTSUPP"]).toContain(answer.errno);
      else expect(answer.value.handle).toBe("sim/nic0");
    }
  });

  const roundTrip: ReloadRequest[] = [
    {},
    { action: "driver_reinit" },
    { action: "fw_activate", limits: ["no_reset"] },
    { limits: [] },
    { action: "parser_fetch", file: "offsim/größer.img" },
    { action: "parser_fetch", file: "" },
  ];
  test.each(roundTrip)("encoded and decoded: %j", (request) => {
    expect(decodeRequest(encodeReloadRequest("sim/nic0", request))).toEqual(
      grant({ command: "reload", handle: "sim/nic0", reload: request }),
    );
  });

  test("words: parser-fetch is parser_fetch, what nobody knows is refused by the other end", () => {
    expect(encodeReloadRequest("sim/nic0", { action: "parser-fetch" })).toEqual(
      encodeReloadRequest("sim/nic0", { action: "parser_fetch" }),
    );
    for (const action of ["warp", "toString", "driver-reinit"])
      expect(decodeRequest(encodeReloadRequest("sim/nic0", { action }))).toMatchObject({ errno: "ERANGE" });
  });
});

const handle: Tree[] = [
  [1, text("sim")],
  [2, text("nic0")],
];

describe("replies", () => {
  const image = writeImage({ programs: [program("rx_csum")] });
  const head = (reply: Uint8Array): number[] => [...reply.subarray(0, 4)];
  const body = (reply: Uint8Array): Tree[] => tree(reply.subarray(4));

  test("GET: handle, reload-failed, statistics here and elsewhere", async () => {
    const instance = new DevlinkInstance("sim/nic0", new TwoSlotDriver());
    await instance.reload({ action: "parser_fetch", file: "f", limits: ["no_reset"] }, context({ f: image }));
    const reply = encodeGet(instance);
    expect(head(reply)).toEqual([DEVLINK_CMD.NEW, 1, 0, 0]);
    const entry = (limit: string, value: string): Tree => [
      158,
      [
        [159, limit],
        [160, value],
      ],
    ];
    const action = (number: string, ...entries: Tree[]): Tree => [
      162,
      [
        [153, number],
        [163, entries],
      ],
    ];
    const none = entry("00", "00000000");
    const noReset = entry("01", "00000000");
    expect(body(reply)).toEqual([
      ...handle,
      [136, "00"],
      [
        156,
        [
          [
            157,
            [action("01", none), action("02", none, noReset), action("03", none, entry("01", "01000000"))],
          ],
          [161, [action("01", none), action("02", none, noReset)]],
        ],
      ],
    ]);
  });

  test("GET: a failed reload", async () => {
    const driver = new TwoSlotDriver();
    driver.faults.up = true;
    const instance = new DevlinkInstance("sim/nic0", driver);
    await instance.reload({}, context({}));
    expect(body(encodeGet(instance))).toContainEqual([136, "01"]);
  });

  test("INFO_GET: driver, serials, versions; empty ones are left out", async () => {
    const driver = new TwoSlotDriver();
    driver.info = {
      serialNumber: "s1",
      boardSerialNumber: "b1",
      fixed: [["board.id", "x"]],
      running: [
        ["fw", "1"],
        ["fw.app", ""],
      ],
      stored: [["fw", "2"]],
    };
    const instance = new DevlinkInstance("sim/nic0", driver);
    const version = (group: number, name: string, value: string): Tree => [
      group,
      [
        [103, text(name)],
        [104, text(value)],
      ],
    ];
    const reply = encodeInfo(instance);
    expect(head(reply)).toEqual([DEVLINK_CMD.INFO_GET, 1, 0, 0]);
    expect(body(reply)).toEqual([
      ...handle,
      [98, text("offsim")],
      [99, text("s1")],
      [146, text("b1")],
      version(100, "board.id", "x"),
      version(101, "fw", "1"),
      version(102, "fw", "2"),
    ]);
    await instance.reload({ action: "parser_fetch", file: "f" }, context({ f: image }));
    expect(body(encodeInfo(instance))).toContainEqual(
      version(101, "fw.rx_csum.id", instance.bundle!.programs[0]!.sha256),
    );
  });

  test("RELOAD: a mask of what was performed, or only the acknowledgement", () => {
    expect(encodeReloadReply("sim/nic0", {})).toBeNull();
    const reply = encodeReloadReply("sim/nic0", { actionsPerformed: ["driver_reinit", "parser_fetch"] })!;
    expect(head(reply)).toEqual([DEVLINK_CMD.RELOAD, 1, 0, 0]);
    expect(body(reply)).toEqual([...handle, [154, "0a0000000a000000"]]);
  });

  test("a nest is marked as one", () => {
    const instance = new DevlinkInstance("sim/nic0", new TwoSlotDriver());
    const reply = encodeGet(instance);
    const view = new DataView(reply.buffer);
    const types: number[] = [];
    for (let at = 4; at < reply.length; at += (view.getUint16(at, true) + 3) & ~3)
      types.push(view.getUint16(at + 2, true));
    expect(types).toEqual([1, 2, 136, 156 | NLA_F_NESTED]);
  });
});
