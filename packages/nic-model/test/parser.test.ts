/**
 * A parser goes the way of every offload program: into a bundle, by devlink to the device, checked, held against
 * the engine's resources, enabled by its hash, run by the device's parser engine on frames that arrive.
 */
import {
  canonicalCpr,
  compileTcam,
  decodeTcam,
  encodeTcam,
  hashParser,
  type ImageInput,
  Interpreter,
  IR_KIND,
  orThrow,
  PARSER_FUNCTION,
  type Parser,
  shippedParser,
  TARGET,
  TCAM_IDEAL,
  type TcamLimits,
  writeImage,
} from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { allPackets } from "../../cpr-ir/test/helpers/captures.ts";
import { seedPackets } from "../../cpr-ir/test/helpers/seeds.ts";
import { ideal, PARSED, PROFILES, type Profile } from "../src/index.ts";
import { image, PROGRAMS, Rig, type RigOptions } from "./rig.ts";

const flow = shippedParser("flow-dissector");
const big = shippedParser("big");
const ports = shippedParser("ports");

/** A parser as a bundle carries it. */
function input(parser: Parser, more: Partial<ImageInput> = {}, limits: TcamLimits = TCAM_IDEAL): ImageInput {
  const { text, resources } = orThrow(compileTcam(parser, limits));
  const ir = canonicalCpr(parser);
  const kind = { functionNumber: PARSER_FUNCTION, target: TARGET.tcam, irKind: IR_KIND.cpr };
  return { name: "parser", ...kind, ir, text, resources, ...more };
}

const bundle = (...programs: ImageInput[]): Uint8Array => writeImage({ programs });
const offloads: ImageInput[] = PROGRAMS.map((p) => ({ ...p, target: TARGET.npu, irKind: IR_KIND.wasm }));

/** A device whose kernel parses with `kernel`. */
async function rigOf(kernel: Parser, options: RigOptions): Promise<Rig> {
  const rig = await Rig.make(options);
  rig.driver.parser.kernel = new Interpreter(kernel);
  rig.manager.setKernelProgram("parser", { sha256: hashParser(kernel).sha256, abi: 1 });
  rig.manager.enable("parser");
  return rig;
}

/** Let frames arrive; each is parsed by the driver and once more by the interpreter, which must agree. */
function arrive(rig: Rig, parser: Parser, frames: readonly Uint8Array[]): Record<string, number> {
  const by: Record<string, number> = {};
  const judge = new Interpreter(parser);
  rig.device.receive(frames, frames.length, 14, (i, completion) => {
    const frame = frames[i]!;
    const found = rig.driver.parser.parse(frame, 14, completion)!;
    by[found.by] = (by[found.by] ?? 0) + 1;
    judge.clear();
    const told = parser.numKeys > 1;
    if (told && frame.length >= 14) judge.keys[1] = frame[12]! * 256 + frame[13]!;
    judge.run(frame, frame.length, told ? Math.min(14, frame.length) : 0);
    const same =
      found.code === judge.code &&
      found.lastNode === judge.lastNode &&
      found.encaps === judge.encaps &&
      Buffer.compare(found.metadata, judge.metadata) === 0;
    if (!same) expect.fail(`${found.by}: ${Buffer.from(frame).toString("hex")}`);
  });
  return by;
}

describe("a bundle of a parser and the checksum programs", () => {
  test.each([
    ["flow dissector", flow],
    ["big", big],
    ["ports", ports],
  ])("%s: HARDWARE, and the device's parse is the interpreter's on every capture", async (_name, parser) => {
    const rig = await rigOf(parser, { image: bundle(...offloads, input(parser)) });
    expect(rig.manager.state("parser")).toEqual({
      state: "HARDWARE",
      generation: 1,
      slot: 1,
      hash: hashParser(parser).sha256,
    });
    expect(rig.states).toMatchObject({ tx_csum: { state: "HARDWARE" }, rx_csum: { state: "HARDWARE" } });
    const frames = [...allPackets(), ...seedPackets()];
    expect(arrive(rig, parser, frames)).toEqual({ device: frames.length });
    expect(rig.driver.parser.byDevice).toBe(frames.length);
  });

  test("gone with the next bundle it is off, and software parses", async () => {
    const rig = await rigOf(flow, { image: bundle(...offloads, input(flow)) });
    expect((await rig.reload(image())).ok).toBe(true);
    expect(rig.manager.state("parser")).toEqual({
      state: "SOFTWARE",
      reason: { kind: "NO_PROGRAM", where: "device" },
    });
    expect(arrive(rig, flow, seedPackets())).toEqual({ software: seedPackets().length });
    expect(rig.driver.parser.fallback).toEqual({ not_enabled: seedPackets().length });
  });

  test("another graph: HASH_MISMATCH, software parses, and the results are those of the kernel's", async () => {
    const rig = await rigOf(flow, { image: bundle(...offloads, input(big)) });
    expect(rig.manager.state("parser")).toEqual({
      state: "SOFTWARE",
      reason: {
        kind: "HASH_MISMATCH",
        kernel: hashParser(flow).sha256,
        device: [hashParser(big).sha256],
      },
    });
    expect(arrive(rig, flow, seedPackets())).toEqual({ software: seedPackets().length });
  });

  test("a parse of another generation is not taken", async () => {
    const rig = await rigOf(ports, { image: bundle(input(ports)) });
    const [frame] = seedPackets();
    let by = "";
    rig.device.receive([frame!], 1, 14, (_i, c) => {
      by = rig.driver.parser.parse(frame!, 14, { ...c, generation: c.generation - 1 })!.by;
    });
    expect([by, rig.driver.parser.fallback]).toEqual(["software", { stale: 1 }]);
  });

  test("an engine that fails its known-answer test is not used", async () => {
    const rig = await rigOf(ports, { image: bundle(input(ports)), brokenUnit: "tcam" });
    expect(rig.manager.state("parser")).toEqual({
      state: "SOFTWARE",
      reason: { kind: "DEVICE", detail: "unit tcam fails its known-answer test" },
    });
  });

  test("a packet that needs more states than the engine has is given back, and software parses it", async () => {
    const parser = { ...TCAM_IDEAL, steps: 6 };
    const rig = await rigOf(ports, { image: null, profile: { ...ideal, parser } });
    // what the program may need at most is refused at once; the packet's own count is what the engine bounds
    const refused = await rig.reload(bundle(input(ports)));
    expect(refused).toMatchObject({ errno: "ENOSPC", check: 12 });
    const roomy = await rigOf(big, { image: bundle(input(big)) });
    const frames = allPackets().slice(0, 200);
    let gaveUp = 0;
    roomy.device.receive(frames, frames.length, 14, (i, c) => {
      const told = { ...c, parsed: i % 2 === 0 ? PARSED.gaveUp : c.parsed };
      if (roomy.driver.parser.parse(frames[i]!, 14, told)!.by === "software") gaveUp++;
    });
    expect([gaveUp, roomy.driver.parser.fallback]).toEqual([100, { gave_up: 100 }]);
  });
});

describe("devlink refuses", () => {
  const small = PROFILES["small-parser"]!;
  const refusal = async (profile: Profile, bytes: Uint8Array, policy = {}): Promise<object> => {
    const rig = await Rig.make({ profile });
    const before = rig.device.programs;
    const answer = await rig.reload(bytes, policy);
    // what ran before runs on
    expect(rig.device.programs).toBe(before);
    expect(rig.states.tx_csum.state).toBe("HARDWARE");
    return answer;
  };

  test("a table that does not fit, with the resource, what is needed and what there is", async () => {
    const { table_entries: need } = input(big).resources;
    expect(await refusal(small, bundle(input(big)))).toEqual({
      ok: false,
      errno: "ENOSPC",
      extack: `parser needs ${need} table_entries, device has 256`,
      check: 12,
    });
  });

  test("an image that understates what it takes: the table itself is counted", async () => {
    const modest = { table_entries: 1, states: 1, key_bits: 8, metadata_bytes: 1 };
    const { table_entries: need } = input(big).resources;
    expect(await refusal(small, bundle(input(big, { resources: modest })))).toMatchObject({
      extack: `parser needs ${need} table_entries, device has 256`,
      check: 12,
    });
    const { total } = orThrow(compileTcam(ports)).report;
    const narrow = { ...ideal, parser: { ...TCAM_IDEAL, window: total.window - 1 } };
    expect(await refusal(narrow, bundle(input(ports)))).toMatchObject({
      extack: `parser needs ${total.window} window_bytes, device has ${total.window - 1}`,
    });
  });

  test("a table that is not the graph's", async () => {
    const { program } = orThrow(compileTcam(ports));
    const states = program.states.map((s, i) =>
      i === 0 ? { ...s, entries: s.entries.map((e) => ({ ...e, next: -5 })) } : s,
    );
    const text = encodeTcam({ ...program, states });
    expect(decodeTcam(text).ok).toBe(true);
    const bytes = bundle(input(ports, { text }));
    expect(await refusal(ideal, bytes)).toEqual({
      ok: false,
      errno: "EBADMSG",
      extack: "parser code does not correspond to its IR",
      check: 11,
    });
    // a site that trusts its compiler takes it
    const rig = await Rig.make();
    expect((await rig.reload(bytes, { checkCode: false })).ok).toBe(true);
  });

  test("a table that is none, where nobody compared it", async () => {
    const text = Uint8Array.of(1, 2, 3);
    expect(await refusal(ideal, bundle(input(ports, { text })), { checkCode: false })).toMatchObject({
      errno: "EINVAL",
      extack: expect.stringMatching(/^device refuses the program: parser: .*bytes are needed/),
    });
  });

  test("a parser for a device without parser engine", async () => {
    expect(await refusal({ ...ideal, parser: null }, bundle(input(ports)))).toEqual({
      ok: false,
      errno: "ENOEXEC",
      extack: "parser image is for target tcam, device is npu",
      check: 9,
    });
  });
});

test("a parser compiled for a smaller engine loads there, and everywhere that is larger", async () => {
  const small = PROFILES["small-parser"]!;
  const fitting = bundle(input(ports, {}, small.parser!));
  for (const profile of [small, ideal]) {
    const rig = await rigOf(ports, { profile, image: fitting });
    expect(rig.manager.state("parser").state).toBe("HARDWARE");
    expect(arrive(rig, ports, seedPackets())).toEqual({ device: seedPackets().length });
  }
});
