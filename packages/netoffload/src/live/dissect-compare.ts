/** The shipped flow dissector against the running kernel's own C, frame by frame. */
import type { Parser } from "@netoffload/cpr-ir";
import { FLOW_KEYS, FLOW_KEYS_BYTES, type KernelDissector, MOST_PROBED } from "@netoffload/linux";
import { DissectExpectation, isTagged } from "./dissect-expect.ts";

/** A frame of which graph and kernel find something else. */
export interface DissectDifference {
  readonly what: string;
  readonly frame: Uint8Array;
  readonly ours: Readonly<Record<string, unknown>>;
  readonly kernel: Readonly<Record<string, unknown>>;
}

/** What a run has done so far. */
export interface DissectTotals {
  frames: number;
  /** Frames whose struct flow_keys was compared. */
  keys: number;
  /** Frames whose payload offset, and with it good or bad, was compared. */
  poff: number;
  /** Questions that the kernel cannot be asked: too short, or a network header cut off in a run on bytes. */
  refused: number;
  /** Questions without an answer. */
  lost: number;
  differences: number;
}

/** Bytes that a tap's frame needs to be answered for, and behind a tag: shorter ones the stack drops. */
const LEAST = 17;
const LEAST_TAGGED = 20;
const LEAST_KEYS = 14;
const TIPC = 0x88ca;
const KEEPALIVE = 0x0e080000;

/** Kernel and graph, asked the same. */
export class DissectCompare {
  readonly totals: DissectTotals = { frames: 0, keys: 0, poff: 0, refused: 0, lost: 0, differences: 0 };
  /** How often the graph ended at a node, by its name. */
  readonly ends: Map<string, number> = new Map();
  readonly #kernel: KernelDissector;
  readonly #expected: DissectExpectation;

  /** @param parser - whose metameta area is struct bpf_flow_keys: the shipped flow dissector */
  constructor(kernel: KernelDissector, parser: Parser) {
    this.#kernel = kernel;
    this.#expected = new DissectExpectation(parser);
  }

  /** Compare a batch. @returns the differences, as found */
  async step(frames: readonly Uint8Array[]): Promise<DissectDifference[]> {
    this.totals.frames += frames.length;
    const found = await this.#both(frames, this.totals);
    this.totals.differences += found.length;
    return found;
  }

  /** As {@link step}, without counting. */
  judge(frames: readonly Uint8Array[]): Promise<DissectDifference[]> {
    return this.#both(frames, { ...this.totals });
  }

  async #both(frames: readonly Uint8Array[], totals: DissectTotals): Promise<DissectDifference[]> {
    const cut = frames.map((f) => f.subarray(0, MOST_PROBED));
    return [...(await this.#keys(cut, totals)), ...(await this.#poffs(cut, totals))];
  }

  #count(node: string): void {
    this.ends.set(node, (this.ends.get(node) ?? 0) + 1);
  }

  async #keys(frames: readonly Uint8Array[], totals: DissectTotals): Promise<DissectDifference[]> {
    for (const frame of frames) this.#kernel.add(frame);
    const { results } = await this.#kernel.flowKeys();
    const found: DissectDifference[] = [];
    for (const [i, frame] of frames.entries()) {
      const result = results[i];
      if (result === undefined || (result.outcome === "refused" && result.errno !== "EINVAL")) {
        totals.lost++;
        continue;
      }
      if (result.outcome === "refused") {
        totals.refused++;
        continue;
      }
      totals.keys++;
      this.#expected.run(frame);
      if (totals === this.totals) this.#count(this.#expected.lastNode);
      const mine = this.#expected.keys;
      const theirs = result.keys;
      if (Buffer.compare(mine, theirs) === 0 || isRandomTipc(frame, mine, theirs)) continue;
      found.push({
        what: `${firstMember(mine, theirs)}, the graph ends at ${this.#expected.lastNode}`,
        frame,
        ours: { flow_keys: hex(mine) },
        kernel: { flow_keys: hex(theirs) },
      });
    }
    return found;
  }

  async #poffs(frames: readonly Uint8Array[], totals: DissectTotals): Promise<DissectDifference[]> {
    const asked = frames.filter((f) => f.length >= (isTagged(f) ? LEAST_TAGGED : LEAST));
    totals.refused += frames.length - asked.length;
    for (const frame of asked) this.#kernel.add(frame);
    const { results } = await this.#kernel.run();
    const found: DissectDifference[] = [];
    for (const [i, frame] of asked.entries()) {
      const result = results[i];
      if (result?.outcome !== "dissected") {
        totals.lost++;
        continue;
      }
      totals.poff++;
      // filters are given 16 bits of it
      const poff = this.#expected.poff(frame) & 0xffff;
      if (poff !== result.poff)
        found.push({
          what: `poff, the graph ends at ${this.#expected.lastNode}`,
          frame,
          ours: { poff },
          kernel: { poff: result.poff },
        });
    }
    return found;
  }
}

/** The kernel takes a random number for the key of TIPC's keep-alives. */
function isRandomTipc(frame: Uint8Array, mine: Uint8Array, theirs: Uint8Array): boolean {
  if (((mine[FLOW_KEYS.nProto]! << 8) | mine[FLOW_KEYS.nProto + 1]!) !== TIPC) return false;
  const thoff = mine[FLOW_KEYS.thoff]! | (mine[FLOW_KEYS.thoff + 1]! << 8);
  if (thoff + 4 > frame.length || frame.length < LEAST_KEYS) return false;
  const word = new DataView(frame.buffer, frame.byteOffset).getUint32(thoff, false);
  if ((word & KEEPALIVE) !== KEEPALIVE) return false;
  return [...mine.keys()].every(
    (i) => mine[i] === theirs[i] || (i >= FLOW_KEYS.addrs && i < FLOW_KEYS.addrs + 4),
  );
}

/** Member of struct flow_keys in which the first byte differs. */
function firstMember(mine: Uint8Array, theirs: Uint8Array): string {
  let at = 0;
  while (at < FLOW_KEYS_BYTES && mine[at] === theirs[at]) at++;
  return Object.entries(FLOW_KEYS).findLast(([, off]) => off <= at)?.[0] ?? "padding";
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
