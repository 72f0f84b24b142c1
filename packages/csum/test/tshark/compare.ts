// Our verdicts beside tshark's, layer by layer.
import { readFileSync } from "node:fs";
import { readCaptureSync } from "@netoffload/pcap";
import { type CheckedLayer, PacketChecker } from "../../src/index.ts";
import { type TsharkChecksum, tsharkChecksums } from "./pdml.ts";
import { RULES, type Rule } from "./rules.ts";

/** What both kinds of verdict come down to. */
export type Verdict = "good" | "bad" | "not verifiable";

/** A frame that was judged. */
export interface JudgedFrame {
  /** From 1, as tshark counts. */
  readonly number: number;
  readonly data: Uint8Array;
  readonly layers: readonly CheckedLayer[];
}

/** One checksum on which the two do not agree. */
export interface Difference {
  readonly frame: JudgedFrame;
  /** Our name of the layer. */
  readonly layer: string;
  /** Offset of the field. */
  readonly field: number;
  readonly ours: Verdict;
  readonly theirs: Verdict;
  /** Verdict and status in each one's own words. */
  readonly text: string;
}

/** What a comparison found. */
export interface Comparison {
  readonly frames: number;
  /** Frames tshark read. */
  readonly theirFrames: number;
  /** Layers that one of the two judged or mentioned. */
  readonly compared: number;
  readonly differences: readonly Difference[];
}

/** `partial` is a wrong checksum, with a reason; what was not sent cannot be verified. */
const OURS: Readonly<Record<CheckedLayer["verdict"], Verdict>> = {
  ok: "good",
  bad: "bad",
  partial: "bad",
  absent: "not verifiable",
  unverifiable: "not verifiable",
};

/** `illegal` is UDP's 0 over IPv6. */
const THEIRS = {
  good: "good",
  bad: "bad",
  unverified: "not verifiable",
  not_present: "not verifiable",
  illegal: "bad",
} as const satisfies Record<NonNullable<TsharkChecksum["status"]>, Verdict>;

/** Layers that have other names there. */
const NAMES: Readonly<Record<string, string>> = { ipv4: "ip", udplite: "udp", icmp_ext: "icmp.ext" };

/** Judge every packet of a capture, fragments put together. */
export function judgeCapture(file: string): JudgedFrame[] {
  const checker = new PacketChecker({ fragmentBytes: 8 << 20 });
  let number = 0;
  return Array.from(readCaptureSync(readFileSync(file)), (packet) => {
    checker.check(packet.data, packet.linkType, packet.len, packet.seconds);
    return { number: ++number, data: packet.data, layers: checker.layers() };
  });
}

function compareFrame(frame: JudgedFrame, theirs: readonly TsharkChecksum[], out: Difference[]): number {
  const rest = [...theirs];
  let compared = 0;
  const note = (layer: string, field: number, a: Verdict, b: Verdict, text: string): void => {
    compared++;
    if (a !== b) out.push({ frame, layer, field, ours: a, theirs: b, text });
  };
  for (const layer of frame.layers) {
    const name = NAMES[layer.layer] ?? layer.layer;
    const at = rest.findIndex((other) => other.layer === name && other.field === layer.field);
    const other = at < 0 ? undefined : rest.splice(at, 1)[0];
    const said = layer.reason ? `${layer.verdict}(${layer.reason})` : layer.verdict;
    const status = other ? (other.status ?? "no status") : "not shown";
    const verdict = other?.status ? THEIRS[other.status] : "not verifiable";
    note(layer.layer, layer.field, OURS[layer.verdict], verdict, `${said} / ${status}`);
  }
  for (const other of rest) {
    const verdict = other.status ? THEIRS[other.status] : "not verifiable";
    note(other.layer, other.field, "not verifiable", verdict, `not found / ${other.status}`);
  }
  return compared;
}

/** Compare judged frames with what tshark said of the same. */
export function compareFrames(
  frames: readonly JudgedFrame[],
  theirs: readonly (readonly TsharkChecksum[])[],
): Comparison {
  const differences: Difference[] = [];
  let compared = 0;
  for (const [i, frame] of frames.entries()) compared += compareFrame(frame, theirs[i] ?? [], differences);
  return { frames: frames.length, theirFrames: theirs.length, compared, differences };
}

/** Compare a capture file. */
export async function compareCapture(file: string): Promise<Comparison> {
  return compareFrames(judgeCapture(file), await tsharkChecksums(file));
}

/** What a rule did to a capture. */
export interface Judgement {
  /** Differences no rule explains, one line each. */
  readonly unexplained: readonly string[];
  /** Rules that explain too much: more than 2 % of the capture's packets, and more than one. */
  readonly greedy: readonly string[];
  /** How many packets each rule explained. */
  readonly used: ReadonlyMap<string, number>;
}

/** A rule may explain one packet of any capture, and 2 % of a large one. */
export const allowed = (frames: number): number => Math.max(1, Math.floor(frames * 0.02));

const explains = (rule: Rule, difference: Difference): boolean =>
  rule.verdicts.some(([ours, theirs]) => ours === difference.ours && theirs === difference.theirs) &&
  rule.holds(difference);

/** Hold differences to the table of rules. */
export function judgeDifferences(comparison: Comparison, rules: readonly Rule[] = RULES): Judgement {
  const unexplained: string[] = [];
  const matched = new Map<string, Set<number>>();
  for (const difference of comparison.differences) {
    const rule = rules.find((candidate) => explains(candidate, difference));
    if (!rule) {
      const { frame, layer, field, ours, theirs, text } = difference;
      unexplained.push(`frame ${frame.number} ${layer} field ${field}: ${ours}, tshark ${theirs} (${text})`);
      continue;
    }
    const seen = matched.get(rule.name) ?? new Set();
    matched.set(rule.name, seen.add(difference.frame.number));
  }
  if (comparison.frames !== comparison.theirFrames)
    unexplained.push(`${comparison.frames} frames, tshark ${comparison.theirFrames}`);
  const used = new Map([...matched].map(([name, seen]) => [name, seen.size]));
  const limit = allowed(comparison.frames);
  const greedy = [...used]
    .filter(([, count]) => count > limit)
    .map(([name, count]) => `${name}: ${count} of ${comparison.frames} packets`);
  return { unexplained, greedy, used };
}
