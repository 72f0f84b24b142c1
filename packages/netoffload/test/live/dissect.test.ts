/** The shipped flow dissector, run by the interpreter, finds what the running kernel's own C finds. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileFlowDissector, orThrow, parserOf, SHIPPED_PARSERS, shippedParser } from "@netoffload/cpr-ir";
import { FLOW_KEYS, KernelDissector } from "@netoffload/linux";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allPackets, haveCaptures } from "../../../cpr-ir/test/helpers/captures.ts";
import { mutate, Random } from "../../../cpr-ir/test/helpers/random.ts";
import { seedPackets } from "../../../cpr-ir/test/helpers/seeds.ts";
import { pathFrames } from "../../src/live/dissect-case.ts";
import { DissectCompare, type DissectDifference } from "../../src/live/dissect-compare.ts";
import { run } from "../cli/run.ts";
import { live } from "./facility.ts";

const programs = fileURLToPath(new URL("../../../cpr-ir/programs", import.meta.url));
const BATCH = 1024;
const rounds = Number(process.env.NETOFFLOAD_RUNS ?? 20_000);
const seed = Number(process.env.NETOFFLOAD_SEED ?? Date.now() & 0xffffff);

describe.runIf(live)("live compare dissect", () => {
  const scratch = mkdtempSync(join(tmpdir(), "netoffload-dissect-"));
  afterAll(() => rmSync(scratch, { recursive: true }));

  it("no difference, every node an end, nothing lost", async () => {
    const { code, json } = await run("live", "compare", "dissect", "--seconds", "1", "--json");
    const last = json.at(-1)!;
    console.log(JSON.stringify(last));
    expect(last).toMatchObject({ summary: true, compare: "dissect", differences: 0, lost: 0, accounted: 1 });
    expect(last.kernel).toBe(readFileSync("/proc/sys/kernel/osrelease", "utf8").trim());
    const ends = Object.keys(last.ends as object);
    // at GRE itself only FLOW_DISSECTOR_F_STOP_BEFORE_ENCAP stops
    const nodes = shippedParser("flow-dissector").nodes.map((n) => n.name);
    expect([...ends, "gre"].sort()).toEqual(nodes.sort());
    expect(code).toBe(0);
  });

  it("a changed graph: differences are minimised and saved as lines that replay them", async () => {
    const changed = structuredClone(SHIPPED_PARSERS["flow-dissector"]);
    const text = JSON.stringify(changed).replace('"multiplier":8,"add":8', '"multiplier":8,"add":4');
    const [graph, lines] = [join(scratch, "graph.json"), join(scratch, "lines.jsonl")];
    writeFileSync(graph, text);
    const words = ["live", "compare", "dissect", "--json"];
    const { code, json } = await run(...words, "--program", graph, "--seconds", "1", "-o", lines);
    expect(code).toBe(1);
    expect(json.at(-1)!.differences).toBeGreaterThan(100);
    // extension headers and the ports of what follows are all that it takes
    expect((json[0]!.frame as string).length / 2).toBeLessThanOrEqual(14 + 40 + 3 * 8);
    const again = await run(...words, "--program", graph, "--replay", lines);
    expect([again.code, again.json.at(-1)!.differences]).toEqual([1, expect.any(Number)]);
    expect(again.json.at(-1)!.differences).toBeGreaterThanOrEqual(20);
    const right = await run(...words, "--replay", lines);
    expect([right.code, right.json.at(-1)!.differences]).toEqual([0, 0]);
    const other = await run(...words, "--program", join(programs, "ports.json"));
    expect([other.code, other.err]).toEqual([2, expect.stringContaining("no flow dissector")]);
  });
});

describe.runIf(live)("the flow dissector and the kernel's C", () => {
  const graph = shippedParser("flow-dissector");
  let kernel: KernelDissector;
  beforeAll(async () => {
    kernel = await KernelDissector.open();
  });
  afterAll(() => kernel.close());

  async function agree(what: string, frames: readonly Uint8Array[]): Promise<void> {
    const compare = new DissectCompare(kernel, graph);
    const found: DissectDifference[] = [];
    const started = performance.now();
    for (let at = 0; at < frames.length && found.length < 5; at += BATCH)
      found.push(...(await compare.step(frames.slice(at, at + BATCH))));
    const seconds = (performance.now() - started) / 1000;
    const { totals } = compare;
    const rate = Math.round(totals.frames / seconds);
    console.log(`kernel ${kernel.kernel}, ${what}: ${JSON.stringify(totals)}, ${rate} frames a second`);
    expect(found.map((d) => ({ ...d, frame: Buffer.from(d.frame).toString("hex") }))).toEqual([]);
    expect(totals.lost / (2 * totals.frames)).toBeLessThan(0.01);
    expect(totals.keys).toBeGreaterThan(frames.length * 0.4);
  }

  const paths = pathFrames(graph);

  it("path packets", () => agree("path packets", paths));

  it.runIf(haveCaptures)("every captured packet", () => agree("captures", allPackets()));

  /** Bytes without sense, captured packets changed, path packets changed. */
  function randomFrames(n: number): Uint8Array[] {
    const random = new Random(seed);
    const seeds = seedPackets();
    const frames = Array.from({ length: n }, (_, i) => {
      if (i % 8 === 0) return random.bytes(14 + random.below(120));
      const from = i % 2 === 0 ? seeds : paths;
      return mutate(from[random.below(from.length)]!, random);
    });
    return frames.filter((f) => f.length >= 14);
  }

  it(`random and mutated packets, seed ${seed}`, () => agree("random", randomFrames(rounds)));

  /** One change each: node, what of it, the number as it is and as it becomes. */
  const MUTANTS: readonly (readonly [node: string, find: string, replace: string])[] = [
    ["ipv4", '"multiplier":4', '"multiplier":8'],
    ["ipv4", '"mask":"0x3fff"', '"mask":"0x1fff"'],
    ["ipv4", '"hdr-src-off":12', '"hdr-src-off":11'],
    ["ipv6", '"mask":"0xfffff"', '"mask":"0xffff"'],
    ["ipv6", '"mask":2', '"mask":4'],
    ["ipv6_eh", '"value":"0x33"', '"value":"0x32"'],
    ["ipv6_frag", '"mask":"0xfff8"', '"mask":"0xffff"'],
    ["vlan_8021q", '"right-shift":13', '"right-shift":14'],
    ["vlan_8021q", '"value":"0xf"', '"value":"0xe"'],
    ["vlan_8021ad", '"value":"0x88a8"', '"value":"0x8100"'],
    ["pppoe", '"value":"0x1100"', '"value":"0x1200"'],
    ["tipc", '"min-hdr-length":16', '"min-hdr-length":20'],
    ["fcoe", '"min-hdr-length":38', '"min-hdr-length":14'],
    ["batman", '"value":"0xf"', '"value":"0xe"'],
    ["hsr", '"hdr-src-off":4', '"hdr-src-off":2'],
    ["gre_base", '"mask":"0x4007"', '"mask":"0x0007"'],
    ["gre_v1", '"hdr-src-off":2', '"hdr-src-off":0'],
    ["gre_again", '"value":1', '"value":0'],
    ["ah", '"hdr-src-off":4', '"hdr-src-off":0'],
    ["ports", '"short":"stop_okay"', '"short":"stop_length"'],
  ];

  it("graphs with one number changed are told from the kernel by path packets", async () => {
    for (const [name, find, replace] of MUTANTS) {
      const changed = structuredClone(SHIPPED_PARSERS["flow-dissector"]);
      const at = changed["parse-nodes"].findIndex((n) => n.name === name);
      const text = JSON.stringify(changed["parse-nodes"][at]);
      expect(text, name).toContain(find);
      changed["parse-nodes"][at] = JSON.parse(text.replaceAll(find, replace));
      const compare = new DissectCompare(kernel, orThrow(parserOf(changed)));
      let found = 0;
      for (let from = 0; from < paths.length && found === 0; from += BATCH)
        found = (await compare.step(paths.slice(from, from + BATCH))).length;
      expect(found, `${name}: ${find} -> ${replace}`).toBeGreaterThan(0);
    }
  });

  it("compiled and attached, it gives the kernel the keys that its C gives", async () => {
    const compiled = orThrow(compileFlowDissector(graph));
    const program = { ...compiled, name: "flow_dissector" };
    const attached = await KernelDissector.open({ program, attach: true });
    const frames = [...paths, ...(haveCaptures ? allPackets() : []), ...randomFrames(rounds)].map((f) =>
      f.subarray(0, 3400),
    );
    let compared = 0;
    for (let at = 0; at < frames.length; at += BATCH) {
      const batch = frames.slice(at, at + BATCH);
      for (const oracle of [attached, kernel]) for (const frame of batch) oracle.add(frame);
      const [mine, theirs] = await Promise.all([attached.flowKeys(), kernel.flowKeys()]);
      for (const [i, frame] of batch.entries()) {
        const [a, b] = [mine.results[i]!, theirs.results[i]!];
        if (a.outcome === "refused" || b.outcome === "refused") {
          expect(a).toEqual(b);
          continue;
        }
        compared++;
        const [got, expected] = [a.keys, b.keys].map((keys) => whatProgramsCanTell(keys, b.keys));
        if (Buffer.compare(got!, expected!) !== 0)
          throw new Error(
            [frame, a.keys, b.keys].map((bytes) => Buffer.from(bytes).toString("hex")).join("\n"),
          );
      }
    }
    console.log(
      `kernel ${kernel.kernel}: ${compared} of ${frames.length} frames compared, the program attached`,
    );
    expect(compared).toBeGreaterThan(0.9 * frames.length);
    await attached.close();
  });
});

/**
 * struct bpf_flow_keys has no tags, no GRE key and no TIPC; the kernel hands on what it has.
 * @param judge - what the kernel's C found in the same frame
 */
function whatProgramsCanTell(keys: Uint8Array, judge: Uint8Array): Uint8Array {
  const out = keys.slice();
  out.fill(0, FLOW_KEYS.vlan, FLOW_KEYS.ports);
  const type = judge[FLOW_KEYS.addrType];
  // of IPv4 the kernel copies two addresses, not the whole union
  if (type === ADDR_IPV4) out.fill(0, FLOW_KEYS.addrs + 8);
  // with a TIPC header inside, a program tells of the header before it
  if (type === ADDR_TIPC) {
    out[FLOW_KEYS.addrType] = 0;
    out.fill(0, FLOW_KEYS.addrs);
  }
  return out;
}

const ADDR_IPV4 = 2;
const ADDR_TIPC = 8;
