// Every real capture beside the project: our verdicts and tshark's, layer by layer.
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { facility, has } from "../../../internal/test/facility.ts";
import { type CheckedLayer, VERDICTS } from "../../src/index.ts";
import {
  compareCapture,
  compareFrames,
  type JudgedFrame,
  judgeCapture,
  judgeDifferences,
} from "./compare.ts";
import { tsharkChecksums } from "./pdml.ts";
import { RULES } from "./rules.ts";

const folder = fileURLToPath(new URL("../../../../../shared/captures", import.meta.url));
const present = existsSync(folder);
if (!present)
  console.warn("SKIPPED: ../shared/captures is not here (the folder of real captures beside the project)");
const tshark = facility("tshark", has("tshark"), "apt install tshark");
const files = present
  ? (readdirSync(folder, { recursive: true }) as string[]).filter((f) => /\.pcap(ng)?$/.test(f)).sort()
  : [];

const nothing = { unexplained: [], greedy: [] };

describe.skipIf(!present || !tshark)("captures", () => {
  test("there are some", () => expect(files.length).toBeGreaterThan(80));

  test.each(files)("%s", async (name) => {
    const comparison = await compareCapture(path.join(folder, name));
    expect(judgeDifferences(comparison)).toMatchObject(nothing);
  });
});

/** The same frames with one verdict turned round. */
function corrupted(frames: readonly JudgedFrame[], target: CheckedLayer): JudgedFrame[] {
  const turned = target.verdict === "ok" ? "bad" : "ok";
  return frames.map((frame) => ({
    ...frame,
    layers: frame.layers.map((layer) => (layer === target ? { ...layer, verdict: turned } : layer)),
  }));
}

describe.skipIf(!present || !tshark)("the comparison can fail", () => {
  test.each(["mptcp-v1.pcap", "icmpv6.pcap", "gre-heapoverflow-1.pcap", "vxlan.pcap", "xdp2/ipv4frags.pcap"])(
    "%s: every verdict turned round is found",
    async (name) => {
      const file = path.join(folder, name);
      const frames = judgeCapture(file);
      const theirs = await tsharkChecksums(file);
      const layers = frames.flatMap((frame) => frame.layers);
      expect(layers.length).toBeGreaterThan(0);
      for (const layer of layers) {
        const { unexplained } = judgeDifferences(compareFrames(corrupted(frames, layer), theirs));
        expect(unexplained).toHaveLength(1);
        expect(unexplained[0]).toContain(` field ${layer.field}: `);
      }
    },
  );

  test("a layer left out, a frame left out", async () => {
    const file = path.join(folder, "vxlan.pcap");
    const frames = judgeCapture(file);
    const theirs = await tsharkChecksums(file);
    const without = frames.map((frame) => ({ ...frame, layers: frame.layers.slice(0, -1) }));
    expect(judgeDifferences(compareFrames(without, theirs)).unexplained.length).toBeGreaterThan(0);
    expect(judgeDifferences(compareFrames(frames.slice(1), theirs)).unexplained.length).toBeGreaterThan(0);
  });

  test("a rule that explains too much", async () => {
    const file = path.join(folder, "mptcp-v1.pcap");
    const frames = judgeCapture(file);
    const everything = { ...RULES[0]!, verdicts: [["bad", "good"]] as const, holds: () => true };
    const turned = frames.map((frame) => ({
      ...frame,
      layers: frame.layers.map((layer) => ({ ...layer, verdict: VERDICTS[1]! })),
    }));
    const { unexplained, greedy } = judgeDifferences(compareFrames(turned, await tsharkChecksums(file)), [
      everything,
    ]);
    expect(unexplained).toEqual([]);
    expect(greedy).toHaveLength(1);
  });
});
