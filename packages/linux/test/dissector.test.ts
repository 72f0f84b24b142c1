import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assemble, exit, load, set, store } from "../src/bpf/assemble.ts";
import { FLOW_KEYS, KernelDissector } from "../src/index.ts";
import { tcpFrame } from "./frames.ts";
import { live } from "./own-namespace.ts";

describe.runIf(live)("KernelDissector", () => {
  let kernel: KernelDissector;
  beforeAll(async () => {
    kernel = await KernelDissector.open();
  });
  afterAll(() => kernel.close());

  it("says where the payload begins", async () => {
    const longer = tcpFrame({ seq: 1, payload: 20 });
    longer[46] = 0x80;
    const udp = tcpFrame({ seq: 1, payload: 20 });
    udp[23] = 17;
    const unknown = tcpFrame({ seq: 1, payload: 20 });
    unknown[23] = 253;
    for (const frame of [tcpFrame({ seq: 1, payload: 20 }), longer, udp, unknown]) kernel.add(frame);
    const { results } = await kernel.run();
    expect(results.map((r) => (r.outcome === "dissected" ? r.poff : r.errno))).toEqual([54, 66, 42, 34]);
  });

  it("hashes flows: equal for equal ones, another for every other", async () => {
    for (let i = 0; i < 1000; i++) kernel.add(tcpFrame({ seq: i, payload: i % 50, sport: 1 + (i >> 1) }));
    const { results, kernel: version } = await kernel.run();
    expect(version).toMatch(/^\d+\.\d+/);
    const hashes = results.map((r) => (r.outcome === "dissected" ? r.hash : -1));
    for (let i = 0; i < 1000; i += 2) expect(hashes[i]).toBe(hashes[i + 1]);
    // 500 flows in 32 bits: a collision is one in 30,000 runs, two are none
    expect(new Set(hashes).size).toBeGreaterThanOrEqual(499);
    expect(hashes).not.toContain(0);
  });

  it("refuses frames too short to answer for", async () => {
    kernel.add(new Uint8Array(16));
    kernel.add(tcpFrame({ seq: 1, payload: 0 }));
    const { results } = await kernel.run();
    expect(results[0]).toEqual({ outcome: "refused", errno: "EINVAL" });
    expect(results[1]).toMatchObject({ outcome: "dissected", poff: 54 });
  });

  it("tells all of struct flow_keys", async () => {
    // two tags, IPv6 with a flow label of 0 and a destination header, GRE with a key, IPv4, UDP
    const hex = [
      "02000000000102000000000288a8",
      "60128100",
      "e07b86dd",
      "6000000000303c40".padEnd(16, "0"),
      "20010db8000000000000000000000001",
      "20010db8000000000000000000000002",
      "2f00010400000000",
      "20000800deadbeef",
      "4500001c0000000040110000c0000201c6336407",
      "003503e800080000",
    ];
    kernel.add(Buffer.from(hex.join(""), "hex"));
    const [answer] = (await kernel.flowKeys()).results;
    if (answer?.outcome !== "dissected") throw new Error(JSON.stringify(answer));
    const view = new DataView(answer.keys.buffer, answer.keys.byteOffset, answer.keys.length);
    const be = (off: number): number => view.getUint16(off, false);
    expect(view.getUint16(FLOW_KEYS.thoff, true)).toBe(14 + 8 + 40 + 8 + 8 + 20);
    expect(view.getUint16(FLOW_KEYS.addrType, true)).toBe(2);
    expect(view.getUint32(FLOW_KEYS.flags, true)).toBe(64);
    expect([be(FLOW_KEYS.nProto), answer.keys[FLOW_KEYS.ipProto]]).toEqual([0x0800, 17]);
    // the outer tag: priority 3, id 18
    expect([view.getUint16(FLOW_KEYS.vlan, true), be(FLOW_KEYS.vlan + 2), be(FLOW_KEYS.vlan + 4)]).toEqual([
      0x6012, 0x88a8, 0x8100,
    ]);
    expect(view.getUint32(FLOW_KEYS.keyid, false)).toBe(0xdeadbeef);
    expect([be(FLOW_KEYS.ports), be(FLOW_KEYS.ports + 2)]).toEqual([0x35, 0x3e8]);
    // Kernel quirk: behind the inner addresses lies what the outer ones left
    expect(Buffer.from(answer.keys.subarray(FLOW_KEYS.addrs, FLOW_KEYS.addrs + 32)).toString("hex")).toBe(
      "c0000201c6336407000000000000000120010db8000000000000000000000002",
    );
    expect(answer.hash).not.toBe(0);
  });

  it("says what it cannot be asked", async () => {
    const frame = tcpFrame({ seq: 1, payload: 20 });
    for (const f of [frame.subarray(0, 33), new Uint8Array(13), new Uint8Array(3501), frame]) kernel.add(f);
    const { results } = await kernel.flowKeys();
    expect(results.map((r) => (r.outcome === "refused" ? r.errno : r.outcome))).toEqual([
      "EINVAL",
      "EINVAL",
      "E2BIG",
      "dissected",
    ]);
    await expect(kernel.testRun()).rejects.toThrow(/no program was given/);
  });

  describe("with a program", () => {
    const [R0, R1, R2] = [0, 1, 2];
    const KEYS_OFF = 144;
    const [THOFF, IS_ENCAP, IP_PROTO, SPORT] = [2, 8, 9, 12];
    /** Keys that no frame has, and a return value. */
    const program = (retval: number) => ({
      name: "made_up",
      relocations: [],
      text: assemble(
        load(8, R1, R1, KEYS_OFF),
        set(R2, 40),
        store(2, R1, THOFF, R2),
        set(R2, 1),
        store(1, R1, IS_ENCAP, R2),
        set(R2, 99),
        store(1, R1, IP_PROTO, R2),
        set(R2, 0x1234),
        store(2, R1, SPORT, R2),
        set(R0, retval),
        exit(),
      ),
    });
    const frame = tcpFrame({ seq: 1, payload: 20 });

    it("runs it on frames, with flags; keys come back as the kernel clamps them", async () => {
      const made = await KernelDissector.open({ program: program(2) });
      for (const f of [frame, frame.subarray(0, 30), frame.subarray(0, 13)]) made.add(f);
      const { results } = await made.testRun(5);
      const keys = Buffer.alloc(56);
      keys.writeUInt16LE(14, 0);
      keys.writeUInt16LE(40, THOFF);
      keys.set([1, 99, 0x08, 0x00, 0x34, 0x12], IS_ENCAP);
      keys.writeUInt32LE(5, 48);
      expect(results[0]).toMatchObject({ outcome: "run", retval: 2 });
      expect(results.map((r) => ("keys" in r ? Buffer.from(r.keys) : r.errno))).toEqual([
        keys,
        Buffer.concat([keys.subarray(0, THOFF), Buffer.from([30, 0]), keys.subarray(4)]),
        "EINVAL",
      ]);
      await made.close();
    });

    it("attached, it takes the place of the kernel's C in its namespace, and nowhere else", async () => {
      const made = await KernelDissector.open({ program: program(0), attach: true });
      made.add(frame);
      const [attached] = (await made.flowKeys()).results;
      kernel.add(frame);
      const [builtIn] = (await kernel.flowKeys()).results;
      const seen = [attached, builtIn].map((a) => (a?.outcome === "dissected" ? a.keys : new Uint8Array(80)));
      expect(seen.map((k) => [k[FLOW_KEYS.thoff], k[FLOW_KEYS.flags], k[FLOW_KEYS.ipProto]])).toEqual([
        [40, 64, 99],
        [34, 0, 6],
      ]);
      // filters on a tap see it, too: the payload offset of an unknown protocol is the transport offset
      made.add(frame);
      expect((await made.run()).results).toMatchObject([{ outcome: "dissected", poff: 40 }]);
      await made.close();
    });

    it("one that answers CONTINUE leaves it to the kernel's C", async () => {
      const made = await KernelDissector.open({ program: program(129), attach: true });
      for (const oracle of [made, kernel]) oracle.add(frame);
      const answers = [await made.flowKeys(), await kernel.flowKeys()].map((b) => b.results[0]);
      expect(answers[0]).toMatchObject({ outcome: "dissected" });
      expect(answers[0]).toEqual(answers[1]);
      await made.close();
    });

    it("says what the verifier says", async () => {
      const bad = { name: "bad", relocations: [], text: assemble(load(8, R0, R2, 0), exit()) };
      await expect(KernelDissector.open({ program: bad })).rejects.toThrow(
        /verifier refuses bad.*R2 !read_ok/,
      );
    });
  });
});
