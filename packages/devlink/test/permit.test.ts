import { describe, expect, test } from "vitest";
import {
  type Answer,
  describeState,
  grant,
  type OffloadEntry,
  type OffloadFunction,
  OffloadManager,
  type OffloadOps,
  refuse,
} from "../src/index.ts";

const A = `sha256:${"a".repeat(64)}`;
const B = `sha256:${"b".repeat(64)}`;

/** A device of a few switches: what it holds, and how it misbehaves. */
class Device implements OffloadOps {
  entries: OffloadEntry[] = [];
  query: Answer<readonly OffloadEntry[]> | null = null;
  fixed = false;
  badUnit: string | null = null;
  /** A reload comes between query and set this many times. */
  reloads = 0;
  staysLoaded = false;
  calls: string[] = [];

  hold(fn: OffloadFunction, sha256: string, more: Partial<OffloadEntry> = {}): this {
    this.entries.push({
      function: fn,
      sha256,
      abi: 1,
      generation: 7,
      slot: this.entries.length,
      state: "loaded",
      flags: [],
      resUsed: {},
      resMax: {},
      ...more,
    });
    return this;
  }

  ndoOffloadQuery(fn: OffloadFunction): Answer<readonly OffloadEntry[]> {
    if (this.query !== null) return this.query;
    const found = this.entries.filter((e) => e.function === fn);
    return found.length === 0 ? refuse("ENODATA") : grant(found);
  }

  ndoOffloadSet(fn: OffloadFunction, slot: number | null, generation: number): Answer<null> {
    this.calls.push(`${fn} ${slot} ${generation}`);
    if (this.reloads > 0) {
      this.reloads--;
      this.entries = this.entries.map((e) => ({ ...e, generation: e.generation + 1, state: "loaded" }));
    }
    const current = this.entries[0]?.generation ?? 0;
    if (generation !== current) return refuse("ESTALE");
    this.entries = this.entries.map((e) =>
      e.function !== fn ? e : { ...e, state: e.slot === slot && !this.staysLoaded ? "active" : "loaded" },
    );
    return grant(null);
  }

  knownAnswerTest(): string | null {
    return this.badUnit;
  }

  legacy(): boolean {
    return this.fixed;
  }
}

function managed(device: Device, sha256 = A, abi = 1, needs: Record<string, number> = {}): OffloadManager {
  const manager = new OffloadManager(device);
  manager.setKernelProgram("tx_csum", { sha256, abi, needs });
  return manager;
}

describe("enable", () => {
  test("equal hashes: HARDWARE, with the generation the query saw", () => {
    const device = new Device().hold("tx_csum", A);
    expect(managed(device).enable("tx_csum")).toEqual({ state: "HARDWARE", generation: 7, slot: 0, hash: A });
    expect(device.entries[0]!.state).toBe("active");
  });

  test("several programs: the equal one is chosen wherever it stands", () => {
    const device = new Device().hold("tx_csum", B).hold("tx_csum", A);
    expect(managed(device).enable("tx_csum")).toMatchObject({ state: "HARDWARE", slot: 1 });
  });

  const reasons: [
    name: string,
    device: Device,
    kernel: [string, number, Record<string, number>?],
    reason: object,
  ][] = [
    [
      "other hash",
      new Device().hold("tx_csum", B),
      [A, 1],
      { kind: "HASH_MISMATCH", kernel: A, device: [B] },
    ],
    ["other ABI", new Device().hold("tx_csum", A, { abi: 2 }), [A, 1], { kind: "ABI", kernel: 1, device: 2 }],
    ["no sha256 at all", new Device().hold("tx_csum", ""), [A, 1], { kind: "ABI", kernel: 1, device: 1 }],
    [
      "too little room",
      new Device().hold("tx_csum", A, { resMax: { states: 4 }, resUsed: { states: 1 } }),
      [A, 1, { states: 4 }],
      { kind: "RESOURCE", name: "states", need: 4, have: 3 },
    ],
    ["nothing loaded", new Device(), [A, 1], { kind: "NO_PROGRAM", where: "device" }],
    [
      "busy",
      Object.assign(new Device(), { query: refuse("EBUSY") }),
      [A, 1],
      { kind: "DEVICE", detail: "query answers EBUSY" },
    ],
    [
      "a unit that sums wrongly",
      Object.assign(new Device().hold("tx_csum", A), { badUnit: "csum_partial" }),
      [A, 1],
      { kind: "DEVICE", detail: "unit csum_partial fails its known-answer test" },
    ],
    [
      "set has no effect",
      Object.assign(new Device().hold("tx_csum", A), { staysLoaded: true }),
      [A, 1],
      { kind: "DEVICE", detail: "program is loaded" },
    ],
  ];
  test.each(reasons)("%s", (_name, device, [sha, abi, needs], reason) => {
    const state = managed(device, sha, abi, needs).enable("tx_csum");
    expect(state).toEqual({ state: "SOFTWARE", reason });
    expect(describeState(state)).toContain("SOFTWARE");
    expect(device.entries.every((e) => e.state !== "active")).toBe(true);
  });

  test("a fixed-function device: LEGACY; without such an engine: DEVICE", () => {
    const device = Object.assign(new Device(), { query: refuse("EOPNOTSUPP"), fixed: true });
    expect(managed(device).enable("tx_csum")).toEqual({ state: "LEGACY" });
    device.fixed = false;
    expect(managed(device).enable("tx_csum")).toMatchObject({
      state: "SOFTWARE",
      reason: { kind: "DEVICE" },
    });
  });

  test("no kernel program, or switched off", () => {
    const device = new Device().hold("tx_csum", A);
    const manager = new OffloadManager(device);
    expect(manager.enable("tx_csum")).toMatchObject({ reason: { kind: "NO_PROGRAM", where: "kernel" } });
    manager.setKernelProgram("tx_csum", { sha256: A, abi: 1 });
    expect(manager.setAdmin("tx_csum", false)).toMatchObject({ reason: { kind: "ADMIN" } });
    expect(manager.setAdmin("tx_csum", true)).toMatchObject({ state: "HARDWARE" });
  });

  test("a reload between query and set is noticed, at most three times", () => {
    const twice = Object.assign(new Device().hold("tx_csum", A), { reloads: 2 });
    expect(managed(twice).enable("tx_csum")).toMatchObject({ state: "HARDWARE", generation: 9 });
    const forever = Object.assign(new Device().hold("tx_csum", A), { reloads: 99 });
    expect(managed(forever).enable("tx_csum")).toMatchObject({ reason: { kind: "DEVICE" } });
  });
});

describe("changes", () => {
  test("another kernel program: off before the new one is compared", () => {
    const device = new Device().hold("tx_csum", A);
    const manager = managed(device);
    manager.enable("tx_csum");
    device.calls.length = 0;
    manager.setKernelProgram("tx_csum", { sha256: B, abi: 1 });
    expect(device.calls).toEqual(["tx_csum null 7"]);
    expect(manager.state("tx_csum")).toMatchObject({ reason: { kind: "HASH_MISMATCH" } });
  });

  test("a dependency must be in hardware by the same generation", () => {
    const device = new Device().hold("parser", A).hold("gro", B);
    const manager = new OffloadManager(device);
    manager.setKernelProgram("parser", { sha256: A, abi: 1 });
    manager.setKernelProgram("gro", { sha256: B, abi: 1 });
    expect(manager.enable("gro")).toMatchObject({ reason: { kind: "DEPENDENCY", on: "parser" } });
    manager.enable("parser");
    manager.reevaluate();
    expect(manager.state("gro")).toMatchObject({ state: "HARDWARE" });
    manager.suspend();
    expect(device.entries.every((e) => e.state === "loaded")).toBe(true);
  });
});
