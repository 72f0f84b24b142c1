/**
 * `netoffload dissect --udp-encap`: keys read by hand by section 11 of the flow dissector's specification, the same on
 * every target.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatCpr } from "@netoffload/cpr-ir";
import { bytesToHex } from "@netoffload/internal";
import { describe, expect, test } from "vitest";
import { be16, bytes, eth, ipv4, ipv6, noise, V4_SRC, V6_SRC } from "../../../csum/test/check/build.ts";
import { withUdpEncaps } from "../../src/dissect-encap.ts";
import { scratch } from "./process.ts";
import { run } from "./run.ts";

const folder = scratch("dissect-encap");
const ENCAPS =
  "4789=vxlan,4790=vxlan-gpe,6081=geneve,6080=gue,6635=mpls,5555=fou:gre,5556=fou:6,5557=fou:4,5558=none,5559=fou:99";

/** A UDP header to a port, and what follows; ports are d903 and the port. */
const udp = (port: number, payload: Uint8Array): Uint8Array =>
  bytes(be16(0xd903), be16(port), be16(8 + payload.length), be16(0), payload);
const TCP = bytes(be16(0x1234), be16(0x50), noise(8), 0x50, 0x10, noise(6));
const VXLAN = bytes(8, 0, 0, 0, 0, 0, 7, 0);
const INNER = eth(0x0800, ipv4(6, TCP));
const over4 = (port: number, payload: Uint8Array, o: object = {}): Uint8Array =>
  eth(0x0800, ipv4(17, udp(port, payload), o));
const over6 = (port: number, payload: Uint8Array): Uint8Array => eth(0x86dd, ipv6(17, udp(port, payload)));
const SRC4 = bytesToHex(bytes(V4_SRC));
const SRC6 = bytesToHex(bytes(V6_SRC));
/** Ethernet, IPv4, UDP. */
const [L3, UDP, BEHIND] = [14, 34, 42];

/** What a good end at the UDP header itself gives. */
const plain = (port: number, thoff = UDP, more: object = {}): object => ({
  ret: 1,
  thoff,
  ip_proto: 17,
  flags: 0,
  ports: bytesToHex(bytes(be16(0xd903), be16(port))),
  ...more,
});
const inner = (thoff: number, more: object = {}): object => ({
  ret: 1,
  thoff,
  n_proto: 0x0800,
  ip_proto: 6,
  // UDP itself is no encapsulation to the proposal
  flags: 0,
  src: SRC4,
  ports: "12340050",
  ...more,
});
const none = { ip_proto: 0, ports: "00000000" };

const ROWS: readonly [string, Uint8Array, object, { flags?: number }?][] = [
  ["VXLAN: the TCP header inside", over4(4789, bytes(VXLAN, INNER)), inner(BEHIND + 8 + 14 + 20)],
  ["VXLAN over IPv6", over6(4789, bytes(VXLAN, INNER)), inner(BEHIND + 20 + 8 + 14 + 20)],
  [
    "VXLAN without I is bad, at the UDP header",
    over4(4789, bytes(0, 0, 0, 0, 0, 0, 7, 0, INNER)),
    plain(4789, UDP, { ret: 0 }),
  ],
  ["VXLAN that is cut off is bad", over4(4789, noise(7)), plain(4789, UDP, { ret: 0 })],
  [
    "VXLAN with half an Ethernet header is bad behind VXLAN",
    over4(4789, bytes(VXLAN, noise(13))),
    { ret: 0, thoff: BEHIND + 8, n_proto: 0x6558, ...none },
  ],
  [
    "VXLAN with an unknown EtherType inside is bad behind the inner Ethernet header",
    over4(4789, bytes(VXLAN, eth(0x1234, noise(20)))),
    { ret: 0, thoff: BEHIND + 8 + 14, n_proto: 0x1234, ...none },
  ],
  [
    "VXLAN in VXLAN: the outermost only",
    over4(4789, bytes(VXLAN, over4(4789, bytes(VXLAN, INNER)))),
    plain(4789, BEHIND + 8 + UDP),
  ],
  ["another port is plain UDP", over4(4788, bytes(VXLAN, INNER)), plain(4788)],
  ["a port that is told to hold nothing", over4(5558, bytes(VXLAN, INNER)), plain(5558)],
  [
    "half a UDP header is bad, its ports are stored",
    eth(0x0800, ipv4(17, udp(9, noise(0)).subarray(0, 7))),
    plain(9, UDP, { ret: 0 }),
  ],
  [
    "three bytes of one: no ports",
    eth(0x0800, ipv4(17, noise(3))),
    { ret: 0, thoff: UDP, ip_proto: 17, ports: "00000000" },
  ],
  [
    "behind a tag UDP is plain",
    eth(0x8100, bytes(be16(5), over4(4789, bytes(VXLAN, INNER)).subarray(12))),
    plain(4789, UDP + 4),
  ],
  [
    "behind an extension header too",
    eth(0x86dd, ipv6(0, bytes(17, 0, noise(6), udp(4789, bytes(VXLAN, INNER))))),
    plain(4789, L3 + 40 + 8),
  ],
  [
    "a first fragment: the walk goes on where it is asked to, ports are stored nowhere",
    over4(4789, bytes(VXLAN, INNER), { frag: 0x2000 }),
    inner(BEHIND + 8 + 14 + 20, { flags: 3, ports: "00000000" }),
    { flags: 1 },
  ],
  [
    "Geneve with options over IPv6",
    over6(6081, bytes(1, 0, be16(0x6558), noise(4), noise(4), INNER)),
    inner(BEHIND + 20 + 12 + 14 + 20),
  ],
  [
    "Geneve with IPv6 at once",
    over4(6081, bytes(0, 0, be16(0x86dd), noise(4), ipv6(6, TCP))),
    inner(BEHIND + 8 + 40, { n_proto: 0x86dd, src: SRC6 }),
  ],
  ["Geneve of another version is plain UDP", over4(6081, bytes(0x40, noise(50))), plain(6081)],
  [
    "Geneve with a protocol that nobody knows is bad behind it",
    over4(6081, bytes(0, 0, be16(0x1234), noise(4), INNER)),
    { ret: 0, thoff: BEHIND + 8, n_proto: 0x1234, ...none },
  ],
  ["VXLAN-GPE with IPv4", over4(4790, bytes(0x0c, 0, 0, 1, noise(4), ipv4(6, TCP))), inner(BEHIND + 8 + 20)],
  [
    "VXLAN-GPE with IPv6",
    over4(4790, bytes(0x0c, 0, 0, 2, noise(4), ipv6(6, TCP))),
    inner(BEHIND + 8 + 40, { n_proto: 0x86dd, src: SRC6 }),
  ],
  [
    "VXLAN-GPE with Ethernet",
    over4(4790, bytes(0x0c, 0, 0, 3, noise(4), INNER)),
    inner(BEHIND + 8 + 14 + 20),
  ],
  [
    "VXLAN-GPE with NSH, whose type is unknown",
    over4(4790, bytes(0x0c, 0, 0, 4, noise(30))),
    { ret: 0, thoff: BEHIND + 8, n_proto: 0x894f, ...none },
  ],
  [
    "VXLAN-GPE with MPLS",
    over4(4790, bytes(0x0c, 0, 0, 5, noise(30))),
    { ret: 1, thoff: BEHIND + 8 + 4, n_proto: 0x8847, ...none },
  ],
  ["VXLAN-GPE with something else", over4(4790, bytes(0x0c, 0, 0, 6, noise(30))), plain(4790)],
  ["VXLAN-GPE with nothing said", over4(4790, bytes(0x08, 0, 0, 1, noise(4), ipv4(6, TCP))), plain(4790)],
  ["VXLAN-GPE, OAM", over4(4790, bytes(0x0d, 0, 0, 1, noise(4), ipv4(6, TCP))), plain(4790)],
  ["VXLAN-GPE of version 1", over4(4790, bytes(0x1c, 0, 0, 1, noise(4), ipv4(6, TCP))), plain(4790)],
  [
    "VXLAN-GPE without I is bad",
    over4(4790, bytes(0x04, 0, 0, 1, noise(4), ipv4(6, TCP))),
    plain(4790, UDP, { ret: 0 }),
  ],
  ["GUE with TCP", over4(6080, bytes(0, 6, 0, 0, TCP)), inner(BEHIND + 4)],
  [
    "GUE with a word of its own and IPv4, an encapsulation",
    over4(6080, bytes(1, 4, 0, 0, noise(4), ipv4(6, TCP))),
    inner(BEHIND + 8 + 20, { flags: 64 }),
  ],
  [
    "asked to stop there",
    over4(6080, bytes(0, 4, 0, 0, ipv4(6, TCP))),
    { ret: 1, thoff: BEHIND + 4, ip_proto: 4, flags: 64, ports: "00000000" },
    { flags: 4 },
  ],
  ["GUE, control", over4(6080, bytes(0x20, 4, 0, 0, ipv4(6, TCP))), plain(6080)],
  ["GUE that is cut off is bad", over4(6080, bytes(0, 4, 0)), plain(6080, UDP, { ret: 0 })],
  ["GUE of version 1 with IPv4", over4(6080, ipv4(6, TCP)), inner(BEHIND + 20, { flags: 64 })],
  [
    "GUE of version 1 with IPv6 over IPv6",
    over6(6080, ipv6(6, TCP)),
    inner(BEHIND + 20 + 40, { flags: 64, n_proto: 0x86dd, src: SRC6 }),
  ],
  ["GUE of version 1 with neither", over4(6080, bytes(0x50, noise(30))), plain(6080)],
  ["GUE of version 2", over4(6080, bytes(0x80, noise(30))), plain(6080)],
  [
    "GUE with an extension header over IPv6: walked over",
    over6(6080, bytes(0, 60, 0, 0, bytes(6, 0, noise(6)), TCP)),
    inner(BEHIND + 20 + 4 + 8, { n_proto: 0x86dd, src: SRC6 }),
  ],
  [
    "and over IPv4: not",
    over4(6080, bytes(0, 60, 0, 0, bytes(6, 0, noise(6)), TCP)),
    { ret: 1, thoff: BEHIND + 4, ip_proto: 60, ports: "00000000" },
  ],
  [
    "GRE at once",
    over4(5555, bytes(0x20, 0, be16(0x0800), 0, 0, 0, 9, ipv4(6, TCP))),
    inner(BEHIND + 8 + 20, { flags: 64 }),
  ],
  [
    "TCP at once, cut off: no ports",
    over4(5556, noise(3)),
    { ret: 1, thoff: BEHIND, ip_proto: 6, ports: "00000000" },
  ],
  ["IPv4 at once", over4(5557, ipv4(6, TCP)), inner(BEHIND + 20, { flags: 64 })],
  [
    "a protocol without a header of its own",
    over4(5559, TCP),
    { ret: 1, thoff: BEHIND, ip_proto: 99, ports: "00000000" },
  ],
  ["MPLS", over4(6635, noise(30)), { ret: 1, thoff: BEHIND + 4, n_proto: 0x8847, ...none }],
];

/** Answers to all rows. */
async function answers(...words: string[]): Promise<Record<string, unknown>[]> {
  const file = join(folder, `rows-${words.join("")}.jsonl`);
  const lines = ROWS.map(([id, frame, , more]) => JSON.stringify({ id, frame: bytesToHex(frame), ...more }));
  writeFileSync(file, lines.join("\n"));
  const { code, json } = await run("dissect", file, ...words);
  expect(code).toBe(0);
  return json;
}

const TARGETS = ["interp", "wasm", "tcam", ...(process.getuid?.() === 0 ? ["ebpf"] : [])];

describe.each(TARGETS)("on %s", (target) => {
  test("what lies behind UDP", async () => {
    const json = await answers("--udp-encap", ENCAPS, "--target", target);
    const without = await answers("--target", "interp");
    expect(json.length).toBe(ROWS.length);
    for (const [i, [name, , expected]] of ROWS.entries()) {
      expect(json[i], name).toMatchObject({ id: name, flow_keys: expected });
      // neither filters nor drivers set the flag
      const { poff, headlen } = without[i]!;
      expect(json[i], name).toMatchObject({ poff, headlen });
    }
  });
});

test("every path of the extended graph, the same on every target", async () => {
  const encaps = new Map([
    [4789, "vxlan"],
    [6081, "geneve"],
    [6080, "gue"],
  ] as const);
  const file = join(folder, "graph.json");
  writeFileSync(file, formatCpr(withUdpEncaps(encaps)));
  expect(await run("cpr", "check", file)).toMatchObject({
    code: 0,
    out: expect.not.stringContaining("warning"),
  });
  const cases = join(folder, "cases.jsonl");
  const made = await run("cpr", "test", file, "--paths-only", "-o", cases);
  expect(made.err).toMatch(/^\d{4,} path packets/m);
  // the generator reaches these nodes over IPv4 alone; the rows above have IPv6
  const missed = made.err.match(/(?<=no packet takes: ).*/g) ?? [];
  expect(missed.filter((m) => !/^again_ipv6 | key 0x86dd$|^gre_again key 0x6558$/.test(m))).toEqual([]);
  const interp = await run("cpr", "run", file, "--frames", cases);
  for (const target of ["wasm", "tcam"])
    expect((await run("cpr", "run", file, "--frames", cases, "--target", target)).out).toBe(interp.out);
});

test("only for the shipped graph; what is accepted is said", async () => {
  const program = await run("dissect", "--udp-encap", "4789=vxlan", "--program", "any.json", "none");
  expect([program.code, program.err]).toEqual([2, expect.stringContaining("for the shipped graph")]);
  const kind = await run("dissect", "--udp-encap", "4789=gtp", "none");
  expect([kind.code, kind.err]).toEqual([2, expect.stringContaining("PORT=KIND")]);
});
