import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { facility } from "../../internal/test/facility.ts";
import {
  Arena,
  BPF_MAP_TYPE,
  BPF_PROG_TYPE,
  BpfMap,
  BpfProgram,
  BpfVerifierError,
  libc,
  loadOffload,
  StructBytes,
} from "../src/index.ts";

/** One instruction. */
function insn(op: number, dst: number, src: number, off: number, imm: number): number[] {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  bytes[0] = op;
  bytes[1] = (src << 4) | dst;
  view.setInt16(2, off, true);
  view.setInt32(4, imm, true);
  return [...bytes];
}
const text = (...insns: number[][]): Uint8Array => Uint8Array.from(insns.flat());
const EXIT = insn(0x95, 0, 0, 0, 0);
const returns = (n: number): number[] => insn(0xb4, 0, 0, 0, n);

/** Adds 1 to the word at 0x1000 and puts the limit, less 8, behind it. */
const COUNTER = {
  name: "counter",
  text: text(
    insn(0x18, 1, 0, 0, 0),
    insn(0, 0, 0, 0, 0),
    insn(0xb4, 6, 0, 0, 0x1000),
    insn(0xbf, 6, 6, 1, 1),
    insn(0x61, 7, 6, 0, 0),
    insn(0x04, 7, 0, 0, 1),
    insn(0x63, 6, 7, 0, 0),
    insn(0xb4, 7, 0, 0, -8),
    insn(0x63, 6, 7, 4, 0),
    returns(0),
    EXIT,
  ),
  relocations: [
    { slot: 0, symbol: "arena" },
    { slot: 7, symbol: "limit" },
  ],
  functions: [{ name: "counter", start: 0, params: 0 }],
} as const;

const isRoot = process.platform === "linux" && process.getuid?.() === 0;

describe.runIf(facility("bpf(2)", isRoot, "run as root on Linux"))("bpf", () => {
  it("maps keep values, and say which key is not there", () => {
    const map = new BpfMap({
      type: BPF_MAP_TYPE.HASH,
      name: "a map/with odd characters",
      keySize: 4,
      valueSize: 8,
      maxEntries: 4,
    });
    const key = Uint8Array.of(1, 2, 3, 4);
    expect(map.lookup(key)).toBeNull();
    map.update(key, Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1));
    expect([...map.lookup(key)!]).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    expect(map.delete(key)).toBe(true);
    expect(map.delete(key)).toBe(false);
    expect(() => map.update(key, new Uint8Array(7))).toThrow(/value of 7 bytes, not 8/);
    map.close();
    map.close();
    expect(() => map.lookup(key)).toThrow(/EBADF/);
  });

  it("a program and this process share an arena at the same addresses", () => {
    const { arena, program, close } = loadOffload(COUNTER, 1 << 20, 4096);
    expect(arena.bytes.length).toBe((1 << 20) + 4096);
    arena.view.setUint32(0x1000, 41, true);
    expect(program.run()).toBe(0);
    expect(program.run()).toBe(0);
    expect(arena.view.getUint32(0x1000, true)).toBe(43);
    expect(arena.view.getUint32(0x1004, true)).toBe((1 << 20) - 8);
    const info = program.info();
    expect(info.name).toBe("counter");
    expect(info.verifiedInstructions).toBe(10);
    expect(program.log).toContain("processed 10 insns");
    close();
    expect(() => program.run()).toThrow();
  });

  it("two arenas do not meet", () => {
    const [a, b] = [new Arena(65536), new Arena(65536)];
    a.bytes.fill(1);
    expect(b.bytes.every((x) => x === 0)).toBe(true);
    a.close();
    b.close();
    expect(() => new Arena(1000)).toThrow(/multiple of 4096/);
  });

  it("a refusal carries the verifier's log, its reason and the instruction", () => {
    const load = (t: Uint8Array): unknown => {
      try {
        new BpfProgram({ type: BPF_PROG_TYPE.SYSCALL, name: "bad", text: t, flags: 16 }).close();
      } catch (e) {
        return e;
      }
      return null;
    };
    const uninitialised = load(text(returns(1), insn(0xbf, 0, 3, 0, 0), EXIT)) as BpfVerifierError;
    expect(uninitialised).toBeInstanceOf(BpfVerifierError);
    expect(uninitialised).toMatchObject({ code: "EACCES", errno: 13, instruction: 1 });
    expect(uninitialised.message).toBe("bpf: the verifier refuses bad at instruction 1: R3 !read_ok");
    expect(uninitialised.log).toContain("processed");
    const endless = load(text(returns(1), insn(0x05, 0, 0, -1, 0), EXIT)) as BpfVerifierError;
    expect(endless).toBeInstanceOf(BpfVerifierError);
    expect(endless.log).not.toBe("");
  });

  it("a flow dissector runs on bytes", () => {
    // BPF_OK is 0
    const program = new BpfProgram({
      type: BPF_PROG_TYPE.FLOW_DISSECTOR,
      name: "none",
      text: text(returns(0), EXIT),
    });
    const { retval, out } = program.testRun(new Uint8Array(64));
    expect(retval).toBe(0);
    expect(out.length).toBe(56);
    program.close();
  });

  it("1,000 programs and arenas leave no descriptor, mapping, map or program behind", async () => {
    const before = await settled();
    for (let i = 0; i < 1000; i++) {
      const loaded = loadOffload(COUNTER, 1 << 20, 4096);
      if (i % 100 === 0) loaded.program.run();
      loaded.close();
      // a refused program must leave nothing either
      if (i % 10 === 0)
        expect(() => loadOffload({ ...COUNTER, text: text(EXIT), relocations: [] }, 1 << 20, 4096)).toThrow(
          BpfVerifierError,
        );
    }
    const after = await settled(before);
    console.log(`before ${JSON.stringify(before)}, after 1,000 loads ${JSON.stringify(after)}`);
    expect(after.descriptors).toBe(before.descriptors);
    expect(after.mappings).toBeLessThanOrEqual(before.mappings + 2);
    // other processes may load programs meanwhile, but not 100
    expect(after.maps).toBeLessThan(before.maps + 100);
    expect(after.programs).toBeLessThan(before.programs + 100);
  }, 120_000);
});

interface Held {
  readonly descriptors: number;
  readonly mappings: number;
  readonly maps: number;
  readonly programs: number;
}

function held(): Held {
  return {
    descriptors: readdirSync("/proc/self/fd").length,
    mappings: readFileSync("/proc/self/maps", "utf8")
      .split("\n")
      .filter((l) => l.includes("bpf")).length,
    maps: count(12),
    programs: count(11),
  };
}

/** The kernel frees maps and programs a little later: wait until no more go. */
async function settled(goal?: Held): Promise<Held> {
  let now = held();
  for (
    let n = 0;
    n < 100 && goal !== undefined && (now.maps > goal.maps || now.programs > goal.programs);
    n++
  ) {
    await new Promise((done) => setTimeout(done, 50));
    now = held();
  }
  return now;
}

/** Objects in the whole system: BPF_PROG_GET_NEXT_ID 11, BPF_MAP_GET_NEXT_ID 12. */
function count(command: number): number {
  const attr = new StructBytes(12);
  let n = 0;
  while (libc().bpf(command, attr) === 0) {
    n++;
    attr.u32(0, attr.getU32(4));
  }
  return n;
}
