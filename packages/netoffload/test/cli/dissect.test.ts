/** `netoffload dissect`: keys read by hand from frames, the same on every target; `cpr run` on `cpr test`'s cases. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatCpr, SHIPPED_PARSERS } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { seedPackets } from "../../../cpr-ir/test/helpers/seeds.ts";
import { scratch } from "./process.ts";
import { run } from "./run.ts";

const folder = scratch("dissect");
const lines = (name: string, values: readonly object[]): string => {
  const path = join(folder, name);
  writeFileSync(path, values.map((v) => `${JSON.stringify(v)}\n`).join(""));
  return path;
};
const ETHER = "020000000001020000000002";
const IP4 = (proto: string, fragment = "0000"): string =>
  `450000540001${fragment}40${proto}0000c0a80001c0a80002`;
const TCP = "d903005000000001000000028018ffff000000000101080a0000000100000002";
const UDP = "d9030035001000001122334455667788";

/** A frame and some of its keys, by the kernel's rules. */
const FRAMES: readonly [string, object, object][] = [
  [
    "TCP over IPv4",
    { frame: `${ETHER}0800${IP4("06")}${TCP}` },
    {
      flow_keys: {
        ret: 1,
        thoff: 34,
        n_proto: 0x0800,
        ip_proto: 6,
        addr_type: 2,
        flags: 0,
        src: "c0a80001",
        dst: "c0a80002",
        ports: "d9030050",
        flow_label: 0,
        gre_keyid: "00000000",
      },
      bpf: {
        retval: 0,
        // nhoff 14, thoff 34, addr_proto, fragment flags, encap, ip_proto, n_proto, ports, addresses, flags, label
        flow_keys: `0e002200${"0008"}00000006${"0800"}d9030050c0a80001c0a80002${"00".repeat(24)}0000000000000000`,
      },
      // data offset 8 words
      poff: 34 + 32,
      headlen: 34 + 32,
    },
  ],
  [
    "a first fragment: filters add the header, the walk stops; drivers ask to go on",
    { frame: `${ETHER}0800${IP4("11", "2000")}${UDP}` },
    {
      flow_keys: { ret: 1, thoff: 34, flags: 3, ports: "00000000", src: "c0a80001" },
      poff: 42,
      headlen: 42,
    },
  ],
  [
    "a later fragment has no transport header",
    { frame: `${ETHER}0800${IP4("11", "0001")}${UDP}` },
    { flow_keys: { ret: 1, thoff: 34, flags: 1, ports: "00000000" }, poff: 34, headlen: 34 },
  ],
  [
    "GRE with a key and IPv4 inside: an encapsulation",
    { frame: `${ETHER}0800${IP4("2f")}2000080000000007${IP4("11")}${UDP}` },
    {
      flow_keys: {
        ret: 1,
        thoff: 14 + 20 + 8 + 20,
        flags: 64,
        ip_proto: 17,
        gre_keyid: "00000007",
        ports: "d9030035",
      },
      poff: 14 + 20 + 8 + 20 + 8,
    },
  ],
  [
    "and asked to stop there",
    { frame: `${ETHER}0800${IP4("2f")}2000080000000007${IP4("11")}${UDP}`, flags: 4 },
    { flow_keys: { ret: 1, thoff: 42, ip_proto: 47, ports: "00000000" } },
  ],
  [
    "an unknown EtherType is bad",
    { frame: `${ETHER}1234${IP4("06")}` },
    {
      flow_keys: { ret: 0, n_proto: 0x1234, addr_type: 0, src: "" },
      bpf: { retval: 2 },
      poff: 0,
      headlen: 14,
    },
  ],
  [
    "as the line says: IPv4 at 4",
    { frame: `00000000${IP4("11")}${UDP}`, proto: 0x0800, nhoff: 4 },
    { flow_keys: { ret: 1, thoff: 24, ports: "d9030035" }, poff: 32 },
  ],
  ["shorter than an Ethernet header", { frame: "0200" }, { flow_keys: { ret: 0 }, poff: 0, headlen: 2 }],
];

describe.each(["interp", "wasm", "tcam"])("on %s", (target) => {
  test.each(FRAMES)("%s", async (_name, line, expected) => {
    const { code, json } = await run("dissect", lines("one.jsonl", [{ id: 5, ...line }]), "--target", target);
    expect(code).toBe(0);
    expect(json).toMatchObject([{ id: 5, ...expected }]);
  });
});

describe.runIf(process.getuid?.() === 0)("as the running kernel's BPF flow dissector", () => {
  test.each(FRAMES)("%s", async (_name, line, expected) => {
    const { code, json } = await run("dissect", lines("k.jsonl", [{ id: 5, ...line }]), "--target", "ebpf");
    expect(code).toBe(0);
    // struct bpf_flow_keys has no member for it
    const keyid = { flow_keys: { ...(expected as { flow_keys: object }).flow_keys, gre_keyid: "00000000" } };
    expect(json).toMatchObject([{ id: 5, ...expected, ...keyid }]);
  });

  test("all paths of the graph: what the struct holds is what the graph gives", async () => {
    const graph = join(folder, "paths.json");
    writeFileSync(graph, formatCpr(SHIPPED_PARSERS["flow-dissector"]));
    // a page of the kernel's holds no longer ones
    const made = (await run("cpr", "test", graph, "--paths-only")).json.filter(
      ({ frame }) => (frame as string).length <= 2 * 3000,
    );
    expect(made.length).toBeGreaterThan(1000);
    const cases = lines(
      "paths.jsonl",
      made.map(({ id, frame, keys }) => {
        const [flags, proto] = keys as number[];
        return { id, frame, flags, proto: proto! & 0xffff, nhoff: 0 };
      }),
    );
    const here = (await run("dissect", cases, "--target", "interp")).json;
    const { code, json } = await run("dissect", cases, "--target", "ebpf");
    expect([code, json.length]).toEqual([0, made.length]);
    const part = (j: Record<string, unknown>): object => ({
      id: j.id,
      bpf: j.bpf,
      headlen: j.headlen,
      poff: j.poff,
    });
    expect(json.map(part)).toEqual(here.map(part));
  });

  test("another parser, by the flow-keys of its document", async () => {
    const mapped = join(folder, "mapped.json");
    writeFileSync(mapped, formatCpr(SHIPPED_PARSERS["five-tuple"]));
    const frame = `${ETHER}0800${IP4("11")}${UDP}`;
    const { code, json } = await run(
      ...["dissect", "--program", mapped, "--target", "ebpf"],
      lines("mapped.jsonl", [{ id: 1, frame }]),
    );
    expect(code).toBe(0);
    expect(json[0]).toMatchObject({
      flow_keys: { ret: 1, src: "c0a80001", dst: "c0a80002", ports: "d9030035" },
      bpf: { retval: 0 },
    });
  });

  test("a frame that the kernel does not run is answered in its place", async () => {
    const long = lines("long.jsonl", [
      { id: 1, frame: "00".repeat(3401) },
      { id: 2, frame: "00".repeat(3400) },
    ]);
    const { code, json } = await run("dissect", long, "--target", "ebpf");
    expect(code).toBe(2);
    expect(json).toMatchObject([
      { id: 1, error: { code: "frame", message: "a frame of 3401 bytes; the kernel runs 14 to 3400" } },
      { id: 2, bpf: { retval: 2 } },
    ]);
  });
});

test("a bad line keeps its place, what is wrong is named, and the exit code is 2", async () => {
  const frame = `${ETHER}0800`;
  const bad = [
    { frame, proto: 70000 },
    { frame, nhoff: -1 },
    { frame, flags: "x" },
    { frame: "0" },
    { frame },
  ];
  const { code, json } = await run(
    "dissect",
    lines(
      "bad.jsonl",
      bad.map((b, id) => ({ id, ...b })),
    ),
  );
  expect(code).toBe(2);
  expect(json.map((j) => [j.id, (j.error as { code: string } | undefined)?.code])).toEqual([
    [0, "proto"],
    [1, "nhoff"],
    [2, "flags"],
    [3, "frame"],
    [4, undefined],
  ]);
  const ports = join(folder, "ports.json");
  writeFileSync(ports, formatCpr(SHIPPED_PARSERS.ports));
  const none = await run("dissect", "--program", ports, lines("x.jsonl", []));
  expect([none.code, none.err]).toEqual([2, expect.stringContaining("no flow dissector")]);
});

test.each(Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[])(
  "cpr run gives what cpr test expects of %s, on every target",
  async (name) => {
    const file = join(folder, `${name}.json`);
    writeFileSync(file, formatCpr(SHIPPED_PARSERS[name]));
    const cases = join(folder, `${name}.jsonl`);
    const made = await run("cpr", "test", file, "--paths-only", "-o", cases);
    expect(made.code).toBe(0);
    const expected = (await run("cpr", "test", file, "--paths-only")).json.map(({ id, expected: e }) => ({
      id,
      ...(e as object),
    }));
    expect(expected.length).toBeGreaterThan(10);
    for (const target of ["interp", "wasm", "tcam"])
      expect((await run("cpr", "run", file, "--frames", cases, "--target", target)).json).toEqual(expected);
  },
);

test("a line's own keys and start", async () => {
  const file = join(folder, "flow-dissector.json");
  writeFileSync(file, formatCpr(SHIPPED_PARSERS["flow-dissector"]));
  const frame = Buffer.from(seedPackets()[0]!).toString("hex");
  const { json } = await run(
    ...["cpr", "run", file, "--frames"],
    lines("keys.jsonl", [
      { id: 0, frame },
      { id: 1, frame, keys: [0, Number.parseInt(frame.slice(24, 28), 16)], start: 14 },
      { id: 2, frame, keys: [0, 0x1234], start: 14 },
      { id: 3, frame, keys: [1, 2, 3, 4, 5] },
      { id: 4, frame, start: 1e9 },
    ]),
  );
  expect({ ...json[1], id: 0 }).toEqual(json[0]);
  expect(json[2]).toMatchObject({ code: "STOP_UNKNOWN_PROTO", last_node: "start" });
  expect(json.slice(3).map((j) => (j.error as { code: string }).code)).toEqual(["keys", "start"]);
});
