import fs from "node:fs";
import { compileNpu, IR_KIND, orThrow, TARGET, writeImage } from "@netoffload/cpr-ir";
import { hostPrograms } from "@netoffload/csum";
import { ideal, Npu } from "@netoffload/nic-model";
import { readCaptureSync } from "@netoffload/pcap";
import { HEAP_BASE, Memory } from "@netoffload/skbuff";
import { describe, expect, test } from "vitest";
import { runEbpf } from "../../../cpr-ir/test/ref/ebpf-interp.ts";
import { slowCrc32c, slowCsum } from "../../../skbuff/test/ref/units.ts";
import { bundledCapture } from "../../src/cli/verify.ts";
import { type Program, shippedPrograms } from "../../src/programs.ts";
import type { OffloadName } from "../../src/report.ts";
import { IMAGE_NAME, makePipeline, memoryFirmware, type Pipeline } from "../../src/verify/pipeline.ts";
import { Verifier } from "../../src/verify/verifier.ts";
import { type Mutant, mutants } from "./mutants.ts";
import {
  busyShape,
  layStates,
  listShape,
  NAMED,
  numbers,
  randomShape,
  STATE_MEMORY,
  type States,
} from "./skb-states.ts";

/** Instructions of one packet after which the watchdog bites: many times what any packet here takes. */
const WATCHDOG = 100_000;
/** Mutants tried of each image, evenly spread over all there are; 0: all of them. */
const SAMPLE = Number(process.env.NETOFFLOAD_MUTANTS ?? 250);
/** Random states on which a survivor must be equal. */
const RANDOM_STATES = 100_000;
const BATCH = 500;
const CHUNK = 16;
const seed = Number(process.env.NETOFFLOAD_SEED ?? 20_261);

const SHIPPED = shippedPrograms();
const TEXT = new Map(
  SHIPPED.map((p) => [p.name, orThrow(compileNpu(p.ir, { functionNumber: p.functionNumber })).text]),
);

/** What one program makes of a batch of states: results, and the memory afterwards. */
interface Expected {
  readonly states: States;
  readonly results: Int32Array;
  readonly memory: Uint8Array;
}

/** Runs code over states: the image of `layStates` in the NPU's memory, every skb once. */
class Bench {
  readonly #npu: Npu = Npu.create({ memoryBytes: STATE_MEMORY, budget: WATCHDOG });
  readonly #fn: number;

  constructor(program: Program, text: Uint8Array) {
    this.#fn = program.functionNumber;
    this.load(text);
  }

  /** @returns false: the device refuses the code */
  load(text: Uint8Array): boolean {
    this.#npu.clear(0);
    return this.#npu.load(0, this.#fn, text).ok;
  }

  /** Run all, a few at a time: what loops or traps is seen before it has done so for every skb. */
  runs({ image, skbs }: States, right: Int32Array): boolean {
    this.#npu.bytes.set(image);
    for (let from = 0; from < skbs.length; from += CHUNK) {
      const some = skbs.subarray(from, from + CHUNK);
      const got = this.#npu.runBatch(0, this.#fn, some, some.length);
      for (let i = 0; i < some.length; i++) {
        if (got[3 * i + 1] !== 0 || got[3 * i] !== right[from + i]) return false;
      }
    }
    return true;
  }

  get memory(): Uint8Array {
    return this.#npu.bytes;
  }

  /** Does the loaded code do what is expected, in every result and every byte? */
  agrees({ states, results, memory }: Expected): boolean {
    return this.runs(states, results) && Buffer.compare(this.#npu.bytes, memory) === 0;
  }
}

const host = Memory.create({ bytes: STATE_MEMORY });
const entries = hostPrograms(host);

/** What the host's program makes of states; the unchanged device program must do the same. */
function expected(program: Program, device: Bench, states: States): Expected {
  host.bytes.set(states.image);
  const entry = program.name === "tx_csum" ? entries.txCsum : entries.rxCsum;
  const results = Int32Array.from(states.skbs, (skb) => entry(skb));
  if (!device.runs(states, results))
    throw new Error(`${program.name}: device and host differ, or the device traps`);
  // below the heap each side has its own: tables of the units, the trap cell
  if (Buffer.compare(host.bytes.subarray(HEAP_BASE), device.memory.subarray(HEAP_BASE)) !== 0)
    throw new Error(`${program.name}: memories of host and device differ`);
  return { states, results, memory: device.memory.slice() };
}

/** Largest block that is left in the memories that are nearly full: no room, room for one or the other. */
const LEAVE = [16, 32, 64, 112, 160, 240, 320, 480, 640, 1000] as const;

const KINDS = [randomShape, busyShape, listShape] as const;

/** The generated skbs: every named one, and random ones, with memory and when there is none or little. */
function generated(): States[] {
  const next = numbers(seed);
  const random = (shape: typeof randomShape, leave?: number): States =>
    layStates(
      // lists take more of the small memory
      Array.from({ length: shape === listShape ? BATCH / 5 : BATCH }, () => shape(next)),
      next(1000),
      leave,
    );
  const named = Object.values(NAMED);
  return [
    layStates(named, 1),
    ...[16, 112, 320, 640].map((leave) => layStates(named, 2, leave)),
    ...Array.from({ length: 60 }, (_, i) => random(KINDS[i % 3]!)),
    ...LEAVE.flatMap((leave) => KINDS.map((kind) => random(kind, leave))),
  ];
}

/** Slots of the instructions that are executed on these states, by the slow oracle. */
function executed(text: Uint8Array, all: readonly States[]): Set<number> {
  const seen = new Set<number>();
  for (const { image, skbs } of all) {
    const memory = image.slice();
    const helpers = {
      1: (ptr: number, len: number, start: number) => slowCsum(memory.subarray(ptr, ptr + len), start),
      4: (ptr: number, len: number, crc: number) => slowCrc32c(memory.subarray(ptr, ptr + len), crc),
    };
    for (const skb of skbs) runEbpf(text, memory, [skb], { helpers, onStep: (slot) => seen.add(slot) });
  }
  return seen;
}

const packets = [...readCaptureSync([fs.readFileSync(bundledCapture())])];
/** A few of every kind of packet: what most mutants fail on at once. */
const few = packets.filter((p, i) => i % 41 === 0 || (p.len > 1514 && i % 5 === 0));

/** `verify` with a device whose image is changed: one pipeline, reloaded for each image. */
class Victim {
  readonly #pipeline: Pipeline;
  readonly #verifiers: Map<string, Verifier> = new Map();
  readonly #clean: Uint8Array;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
    this.#clean = pipeline.device.npu!.bytes.slice();
    for (const { name } of SHIPPED)
      this.#verifiers.set(name, new Verifier(pipeline, { offloads: [name as OffloadName] }));
  }

  static async make(): Promise<Victim> {
    const profile = { ...ideal, program: { ...ideal.program!, instructionsPerPacket: WATCHDOG } };
    const device = { poison: true, memoryBytes: 4 << 20 };
    return new Victim(await makePipeline({ profile, programs: SHIPPED, device }));
  }

  /** Load an image in which one program's code is another; its IR, and so its hash, stay. */
  async reload(name: string, text: Uint8Array): Promise<boolean> {
    this.#pipeline.device.npu!.bytes.set(this.#clean);
    const image = writeImage({
      programs: SHIPPED.map((p) => ({
        ...p,
        target: TARGET.npu,
        irKind: IR_KIND.wasm,
        text: p.name === name ? text : TEXT.get(p.name)!,
        resources: {},
      })),
    });
    const { manager, instance } = this.#pipeline;
    const answer = await instance.reload(
      { action: "parser_fetch", file: IMAGE_NAME },
      {
        firmware: memoryFirmware(IMAGE_NAME, image),
        firmwareConfig: {},
        // the one check that would see it is the site's choice
        policy: { checkCode: false },
        suspendOffloads: () => manager.suspend(),
        reevaluateOffloads: () => manager.reevaluate(),
      },
    );
    return answer.ok;
  }

  state(name: string): string {
    return this.#pipeline.state(name as OffloadName).state;
  }

  /** Mismatches, and packets that the device gave up, so far. */
  #faults(name: string): number {
    const verifier = this.#verifiers.get(name)!;
    const { fallback } = verifier.reports[name as OffloadName]!;
    return verifier.mismatches + Object.values(fallback).reduce((a, b) => a + b, 0);
  }

  /** @returns true: a mismatch, a trap, an error or the watchdog */
  async catches(name: string, frames: typeof packets): Promise<boolean> {
    const verifier = this.#verifiers.get(name)!;
    const before = this.#faults(name);
    for (const [i, p] of frames.entries()) {
      if (verifier.isFull(p.data.length, p.linkType)) {
        await verifier.flush();
        if (this.#faults(name) > before) return true;
      }
      verifier.push(p.data, p.linkType, p.len, i + 1);
    }
    await verifier.flush();
    return this.#faults(name) > before;
  }
}

interface Outcome {
  tried: number;
  refused: number;
  byVerify: number;
  byStates: number;
  readonly survivors: Mutant[];
}

/** Try a sample of the mutants of one image. */
async function attack(program: Program, states: readonly States[], victim: Victim): Promise<Outcome> {
  const { name } = program;
  const text = TEXT.get(name)!;
  const device = new Bench(program, text);
  const cases = states.map((s) => expected(program, device, s));
  const slots = executed(text, states);
  const all = [...mutants(text, (slot) => slots.has(slot))];
  const step = SAMPLE === 0 ? 1 : Math.max(1, all.length / SAMPLE);
  const outcome: Outcome = { tried: 0, refused: 0, byVerify: 0, byStates: 0, survivors: [] };
  for (let at = 0; at < all.length; at += step) {
    const mutant = all[Math.floor(at)]!;
    if (!device.load(mutant.text)) {
      outcome.refused++;
      continue;
    }
    outcome.tried++;
    expect(await victim.reload(name, mutant.text)).toBe(true);
    expect(victim.state(name)).toBe("HARDWARE");
    if (await victim.catches(name, few)) outcome.byVerify++;
    else if (!cases.every((c) => device.agrees(c))) outcome.byStates++;
    else if (await victim.catches(name, packets)) outcome.byVerify++;
    else outcome.survivors.push(mutant);
  }
  return outcome;
}

/** Survivors that differ from the unchanged program on some random state. */
function unexplained(program: Program, survivors: readonly Mutant[]): string[] {
  const original = new Bench(program, TEXT.get(program.name)!);
  const device = new Bench(program, TEXT.get(program.name)!);
  const next = numbers(seed ^ 0x5bd1e995);
  let alive = [...survivors];
  const found: string[] = [];
  for (let n = 0; n < RANDOM_STATES; n += BATCH) {
    const shapes = Array.from({ length: BATCH }, () => randomShape(next));
    // every fourth memory is nearly full
    const states = layStates(shapes, n, (n / BATCH) % 4 === 3 ? LEAVE[next(LEAVE.length)] : undefined);
    const right = expected(program, original, states);
    alive = alive.filter((mutant) => {
      device.load(mutant.text);
      if (device.agrees(right)) return true;
      found.push(`instruction ${mutant.at}: ${mutant.change} (states from ${n})`);
      return false;
    });
  }
  return found;
}

describe("an image in which one instruction is another, its hash forged equal", async () => {
  const victim = await Victim.make();
  const survivors = new Map<Program, readonly Mutant[]>();
  let tried = 0;
  let caught = 0;

  test("the unchanged images fail on nothing", async () => {
    for (const { name } of SHIPPED) {
      expect(await victim.reload(name, TEXT.get(name)!)).toBe(true);
      expect(await victim.catches(name, few)).toBe(false);
    }
  });

  test("three of four are caught outright", async () => {
    const states = generated();
    for (const program of SHIPPED) {
      const outcome = await attack(program, states, victim);
      const { refused, byVerify, byStates } = outcome;
      console.log(
        `${program.name}: seed ${seed}, ${outcome.tried} mutants, ${refused} more refused by the device; ${byVerify} ` +
          `caught by captured packets, ${byStates} by generated skbs, ${outcome.survivors.length} survive`,
      );
      tried += outcome.tried;
      caught += byVerify + byStates;
      survivors.set(program, outcome.survivors);
    }
    expect(tried).toBeGreaterThanOrEqual(200);
    expect(caught / tried).toBeGreaterThanOrEqual(0.75);
  }, 900_000);

  test(`every survivor gives the same result and memory on ${RANDOM_STATES} random states`, () => {
    expect(survivors.size).toBe(SHIPPED.length);
    for (const [program, list] of survivors) expect(unexplained(program, list), program.name).toEqual([]);
  }, 900_000);
});
