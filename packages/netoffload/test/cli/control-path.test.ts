/** The nine steps end to end: programs built, placed, fetched, compared by hash, enabled or not with a reason. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import {
  decodeModule,
  encodeModule,
  formatCpr,
  hashParser,
  OP,
  orThrow,
  readImage,
  SHIPPED_PARSERS,
  shippedParser,
} from "@netoffload/cpr-ir";
import { txCsum } from "@netoffload/csum";
import { describe, expect, it } from "vitest";
import { seedPackets } from "../../../cpr-ir/test/helpers/seeds.ts";
import type { VerifyReport } from "../../src/index.ts";
import { BUNDLED, scratch } from "./process.ts";
import { run } from "./run.ts";

const dir = scratch("control");
const state = ["--state", path.join(dir, "state")];
const root = path.join(dir, "firmware");
fs.mkdirSync(root);
const devlink = (...words: string[]) => run("devlink", ...state, "--firmware-root", root, ...words);
const dev = (...words: string[]) => run("dev", ...words, ...state);

/** tx_csum with one instruction changed: an addition that became a subtraction, or a constant one higher. */
function changedProgram(): string {
  const module = orThrow(decodeModule(txCsum.ir()));
  let left = 1;
  const functions = module.functions.map((f) => ({
    ...f,
    body: f.body.map((i) => (i.op === OP["i32.const"] && i.a === 17 && left-- > 0 ? { ...i, a: 18 } : i)),
  }));
  if (left > 0) functions[0] = { ...functions[0]!, body: firstAddToSub(functions[0]!.body) };
  const file = path.join(dir, "changed.wasm");
  fs.writeFileSync(file, encodeModule({ ...module, functions }));
  return file;
}

function firstAddToSub<T extends { readonly op: number }>(body: readonly T[]): T[] {
  const at = body.findIndex((i) => i.op === OP["i32.add"]);
  return body.map((i, k) => (k === at ? { ...i, op: OP["i32.sub"]! } : i));
}

async function build(name: string, ...items: string[]): Promise<void> {
  const ran = await run("program", "build", ...items, "-o", path.join(root, name));
  expect([ran.code, ran.err]).toEqual([0, ""]);
}

const offloads = async (name: string): Promise<Record<string, Record<string, unknown>>> => {
  const shown = await dev("show", name, "--json");
  return shown.json[0]!.offloads as Record<string, Record<string, unknown>>;
};

describe("control path", () => {
  it("same hash: HARDWARE, and what was loaded is seen in dev info", async () => {
    await build("good.img", "tx_csum", "rx_csum");
    expect((await dev("add", "nic0")).out).toBe("sim/nic0\n");
    expect(await offloads("nic0")).toMatchObject({
      tx_csum: { state: "SOFTWARE", reason: "NO_PROGRAM" },
      rx_csum: { state: "SOFTWARE", reason: "NO_PROGRAM" },
    });
    const reload = await devlink("-j", "dev", "reload", "nic0", "action", "parser_fetch", "good.img");
    expect([reload.code, reload.out, reload.err]).toEqual([
      0,
      '{"reload":{"reload_actions_performed":["parser_fetch"]}}\n',
      "",
    ]);
    const tx = (await offloads("nic0")).tx_csum!;
    expect(tx).toEqual({ state: "HARDWARE", kernel_hash: txCsum.sha256, device_hash: txCsum.sha256 });
    const info = JSON.parse((await devlink("-j", "dev", "info", "sim/nic0")).out);
    expect(info.info["sim/nic0"].versions.running["fw.tx_csum.id"]).toBe(txCsum.sha256);
    const shown = await devlink("-j", "-s", "dev", "show");
    expect(JSON.parse(shown.out).dev["sim/nic0"].stats.reload.parser_fetch).toEqual({
      unspecified: 1,
      no_reset: 0,
    });
    const verified = await run(
      "verify",
      BUNDLED,
      "--device",
      "sim/nic0",
      "--require",
      "HARDWARE",
      "--json",
      ...state,
    );
    expect(verified.code).toBe(0);
  });

  it("one instruction differs: SOFTWARE, HASH_MISMATCH, both hashes shown, the capture still verified", async () => {
    await build("changed.img", `${changedProgram()}`, "rx_csum");
    const image = readImage(fs.readFileSync(path.join(root, "changed.img")));
    const changed = orThrow(image).programs.find((p) => p.name === "tx_csum")!.sha256;
    expect(changed).not.toBe(txCsum.sha256);
    expect((await devlink("dev", "reload", "sim/nic0", "action", "parser-fetch", "changed.img")).code).toBe(
      0,
    );
    expect(await offloads("nic0")).toMatchObject({
      tx_csum: {
        state: "SOFTWARE",
        reason: "HASH_MISMATCH",
        kernel_hash: txCsum.sha256,
        device_hash: changed,
      },
      rx_csum: { state: "HARDWARE" },
    });
    const text = (await dev("show", "nic0")).out;
    expect(text).toContain(`SOFTWARE HASH_MISMATCH (kernel ${txCsum.sha256}, device ${changed})`);
    expect(text).toContain("generation 2");

    const verified = await run("verify", BUNDLED, "--device", "nic0", "--json", ...state);
    const report = verified.json.at(-1) as unknown as VerifyReport;
    expect(verified.code).toBe(0);
    expect(report.offloads.tx_csum).toMatchObject({
      state: "SOFTWARE",
      reason: "HASH_MISMATCH",
      kernel_hash: txCsum.sha256,
      device_hash: changed,
      offloaded: 0,
      mismatches: 0,
    });
    const required = await run("verify", BUNDLED, "--device", "nic0", "--require", "HARDWARE", ...state);
    expect(required.code).toBe(1);
    expect(required.err).toContain("tx_csum is SOFTWARE HASH_MISMATCH");
    // the kernel runs the device's program instead: equal again, and it is the capture that differs
    const both = await run(
      "verify",
      BUNDLED,
      "--device",
      "nic0",
      "--json",
      "--program",
      changedProgram(),
      ...state,
    );
    expect((both.json.at(-1) as unknown as VerifyReport).offloads.tx_csum!.state).toBe("HARDWARE");
  });

  it("a bad image is refused in the kernel's words, and what ran before runs on", async () => {
    const before = fs.readFileSync(path.join(dir, "state", "devices.json"), "utf8");
    const good = fs.readFileSync(path.join(root, "good.img"));
    const broken = Buffer.from(good);
    broken[good.length - 1]! ^= 1;
    const cases: [string, Uint8Array, RegExp][] = [
      [
        "short.img",
        good.subarray(0, 10),
        /Error: program image is truncated\.|Error: parser image is truncated\./,
      ],
      ["text.img", Buffer.alloc(200, 0x41), /not a (program|parser) image/],
      ["cut.img", good.subarray(0, good.length - 100), /./],
      ["bit.img", broken, /./],
      ["empty.img", Buffer.alloc(0), /firmware file is empty/],
    ];
    for (const [name, bytes, says] of cases) {
      fs.writeFileSync(path.join(root, name), bytes);
      const ran = await devlink("dev", "reload", "nic0", "action", "parser_fetch", name);
      expect([name, ran.code, ran.out]).toEqual([name, 1, ""]);
      expect(ran.err).toMatch(says);
      expect(ran.err).toMatch(/kernel answers: /);
    }
    const words: [string[], RegExp][] = [
      [["missing.img"], /failed to locate the requested firmware file/],
      [["../x"], /must not contain '\.\.'/],
      [["/etc/passwd"], /must be relative/],
    ];
    for (const [file, says] of words) {
      const ran = await devlink("dev", "reload", "nic0", "action", "parser_fetch", ...file);
      expect(ran.code).toBe(1);
      expect(ran.err).toMatch(says);
    }
    expect(fs.readFileSync(path.join(dir, "state", "devices.json"), "utf8")).toBe(before);
    expect((await offloads("nic0")).rx_csum!.state).toBe("HARDWARE");
  });

  it("an image for another target is refused: check 9 before all of the programs", async () => {
    await build("host.img", "tx_csum:wasm");
    const ran = await devlink("dev", "reload", "nic0", "action", "parser_fetch", "host.img");
    expect([ran.code, ran.err]).toEqual([
      1,
      "Error: program image is for target wasm, device is npu.\nkernel answers: Exec format error\n",
    ]);
  });

  it("a program missing from the new bundle leaves NO_PROGRAM; dry-run changes nothing", async () => {
    await build("rx.img", "rx_csum");
    const dry = await devlink(
      "dev",
      "reload",
      "nic0",
      "action",
      "parser_fetch",
      "file",
      "good.img",
      "dry-run",
    );
    expect([dry.code, dry.out.includes(txCsum.sha256)]).toEqual([0, true]);
    expect((await offloads("nic0")).tx_csum!.reason).toBe("HASH_MISMATCH");
    await devlink("dev", "nic0", "reload", "action", "parser-fetch", "rx.img");
    expect(await offloads("nic0")).toMatchObject({
      tx_csum: { state: "SOFTWARE", reason: "NO_PROGRAM" },
      rx_csum: { state: "HARDWARE" },
    });
  });

  it("a fixed-function device: LEGACY, and no parser to fetch", async () => {
    await dev("add", "old", "--profile", "v4v6-basic");
    expect(await offloads("old")).toMatchObject({
      tx_csum: { state: "LEGACY" },
      rx_csum: { state: "LEGACY" },
    });
    const ran = await devlink("dev", "reload", "old", "action", "parser_fetch", "good.img");
    expect([ran.code, ran.err]).toEqual([
      1,
      "Error: Requested reload action is not supported by the driver.\nkernel answers: Operation not supported\n",
    ]);
    const verified = await run("verify", BUNDLED, "--device", "sim/old", "--json", ...state);
    const { tx_csum } = (verified.json.at(-1) as unknown as VerifyReport).offloads;
    expect([tx_csum!.state, tx_csum!.device_hash, tx_csum!.mismatches]).toEqual(["LEGACY", null, 0]);
    expect(tx_csum!.offloaded).toBeGreaterThan(1000);
  });

  it("too large for the device: refused, with what is needed and what there is", async () => {
    const profile = JSON.parse(JSON.stringify((await import("@netoffload/nic-model")).ideal));
    profile.name = "small";
    profile.program.instructions = 100;
    fs.writeFileSync(path.join(dir, "small.json"), JSON.stringify(profile));
    await dev("add", "small", "--profile", path.join(dir, "small.json"));
    const ran = await devlink("dev", "reload", "small", "action", "parser_fetch", "good.img");
    expect(ran.code).toBe(1);
    expect(ran.err).toMatch(
      /^Error: program needs \d+ instructions, device has 100\.\nkernel answers: No space left/,
    );
  });

  it.each([
    [["dev", "reload", "nope"], 1, "kernel answers: No such device"],
    [["dev", "info", "pci/0000:03:00.0"], 1, "kernel answers: No such device"],
    [["dev", "reload", "nic0", "limit", "no_reset"], 1, "Requested limit is invalid for this action"],
    [["dev", "reload", "nic0", "action", "wrong"], 2, "action 'wrong' is not known"],
    [["dev", "reload"], 2, "reload of which DEV"],
    [["port", "show"], 2, "object 'port' is not known"],
    [["--wrong"], 2, "option '--wrong' is not known"],
  ])("devlink %j exits %i: %s", async (words, code, says) => {
    const ran = await devlink(...words);
    expect([ran.code, ran.out]).toEqual([code, ""]);
    expect(ran.err).toContain(says);
  });

  it("dev: names, lists, deletes", async () => {
    expect((await dev("add", "nic0")).code).toBe(2);
    expect((await dev("add", "a/b")).code).toBe(2);
    expect((await dev("add", "x", "--profile", "none")).err).toContain("one of: ideal");
    expect((await dev("list")).out.split("\n")[0]).toBe(
      "sim/nic0  profile ideal  image rx.img, generation 3",
    );
    expect((await dev("del", "sim/nic0")).code).toBe(0);
    expect((await dev("show", "nic0")).code).toBe(2);
    expect((await dev("list", "--json")).json.map((d) => d.device)).toEqual(["sim/old", "sim/small"]);
  });
});

describe("a parser on the same way", () => {
  const frames = path.join(dir, "frames.jsonl");
  const seeds = seedPackets().map((p, id) => ({ id, frame: Buffer.from(p).toString("hex") }));
  fs.writeFileSync(frames, seeds.map((s) => `${JSON.stringify(s)}\n`).join(""));
  const parsed = async (name: string) => (await run("dev", "parse", name, "--frames", frames, ...state)).json;
  const flow = hashParser(shippedParser("flow-dissector")).sha256;

  it("built, fetched, enabled by hash, run by the device; dumped as it was hashed", async () => {
    await build("parser.img", "tx_csum", "rx_csum", "flow-dissector");
    expect((await dev("add", "nic5")).code).toBe(0);
    expect(await offloads("nic5")).toMatchObject({ parser: { state: "SOFTWARE", reason: "NO_PROGRAM" } });
    const before = await parsed("nic5");
    expect(new Set(before.map((j) => j.by))).toEqual(new Set(["software"]));
    expect((await devlink("dev", "reload", "nic5", "action", "parser_fetch", "parser.img")).code).toBe(0);
    expect(await offloads("nic5")).toMatchObject({
      tx_csum: { state: "HARDWARE" },
      parser: { state: "HARDWARE", kernel_hash: flow, device_hash: flow },
    });
    // the device finds what software found
    const after = await parsed("nic5");
    expect(after.map((j) => j.by)).toEqual(seeds.map(() => "device"));
    expect(after.map((j) => ({ ...j, by: "software" }))).toEqual(before);

    const dump = await devlink("dev", "parser", "dump", "nic5");
    expect(`sha256:${createHash("sha256").update(dump.out).digest("hex")}`).toBe(flow);
    expect(JSON.parse((await devlink("-j", "dev", "parser", "dump", "nic5")).out).cpr).toBe(1);
    const show = JSON.parse((await devlink("-j", "dev", "parser", "show", "nic5")).out).parser["sim/nic5"];
    expect(show.programs.at(-1)).toMatchObject({ function: "parser", target: "tcam", hash: flow });
    expect(show.resources.table_entries.used).toBeGreaterThan(100);
    expect(show.resources.table_entries.size).toBe(16384);
    const info = JSON.parse((await devlink("-j", "dev", "info", "nic5")).out);
    expect(info.info["sim/nic5"].versions.running["fw.parser.id"]).toBe(flow);
  });

  it("another parser than the kernel's: HASH_MISMATCH; the kernel's own may be chosen", async () => {
    await build("ports.img", "ports");
    expect((await devlink("dev", "reload", "nic5", "action", "parser_fetch", "ports.img")).code).toBe(0);
    expect(await offloads("nic5")).toMatchObject({
      parser: { state: "SOFTWARE", reason: "HASH_MISMATCH" },
      tx_csum: { state: "SOFTWARE", reason: "NO_PROGRAM" },
    });
    const mine = path.join(dir, "mine.json");
    fs.writeFileSync(mine, formatCpr(SHIPPED_PARSERS.ports));
    expect(await dev("add", "nic6", "--parser", mine)).toMatchObject({ code: 0, err: "" });
    expect((await devlink("dev", "reload", "nic6", "action", "parser_fetch", "ports.img")).code).toBe(0);
    expect(await offloads("nic6")).toMatchObject({ parser: { state: "HARDWARE" } });
    expect((await parsed("nic6"))[0]).toMatchObject({
      by: "device",
      metadata: expect.stringMatching(/^[0-9a-f]{24}$/),
    });
    expect((await dev("add", "nic7", "--parser", "nobody")).code).toBe(2);
  });

  it("what does not fit is refused with resource, need and room", async () => {
    await build("big.img", "big");
    expect((await dev("add", "nic8", "--profile", "small-parser")).code).toBe(0);
    const ran = await devlink("dev", "reload", "nic8", "action", "parser_fetch", "big.img");
    expect([ran.code, ran.err]).toEqual([
      1,
      expect.stringMatching(
        /^Error: parser needs \d+ table_entries, device has 256\.\n.*No space left on device\n$/,
      ),
    ]);
    await build("fits.img", "ports", "--device", "small-parser");
    expect((await devlink("dev", "reload", "nic8", "action", "parser_fetch", "fits.img")).code).toBe(0);
    expect((await dev("add", "nic9")).code).toBe(0);
    const empty = await devlink("dev", "parser", "dump", "nic9");
    expect([empty.code, empty.err]).toEqual([1, expect.stringContaining("Error: no parser is loaded.")]);
  });
});
