// Every shipped fixed-function device on random packets, tunnels among them: whatever the driver's capabilities let
// pass leaves the device as the oracle's frame; so does what the core of before the paper hands to the same device.
import { CHECKSUM_NONE, Memory } from "@netoffload/skbuff";
import { describe, expect, test } from "vitest";
import { bytes, eth, type Field, ipv4, noise, pseudo4, tcp } from "../../csum/test/check/build.ts";
import {
  NicDevice,
  NicDriver,
  PROFILES,
  type Profile,
  profileNetDevice,
  type TxCsumProfile,
  validateXmitSkb,
  XMIT,
} from "../src/index.ts";
import { type Ask, askedSkb, random, randomAsk } from "./random-ask.ts";

const memory = Memory.create({ bytes: 8 << 20 });
const PACKETS = 2000;
/** Made once: the oracle is slow. */
const r = random(7);
const ASKS: readonly (readonly [Ask, number[]])[] = Array.from({ length: PACKETS }, () => {
  const ask = randomAsk(r);
  const behind = ask.right.length - ask.start - 40;
  return [ask, behind > 1 && r.below(3) === 0 ? [behind] : []] as const;
});
const legacy = Object.values(PROFILES).filter((p) => p.program === null);

const csumOf = (name: string): TxCsumProfile => PROFILES[name]!.tx.csum;

/** `equal`, `tcp_zero` (the one difference that has a name), or what differs. */
function verdict(ask: Ask, wire: Uint8Array): string {
  if (Buffer.compare(wire, ask.right) === 0) return "equal";
  const at = ask.start + ask.offset;
  const other = ask.right.slice();
  other.set([0, 0], at);
  if (ask.offset === 16 && ask.zero && Buffer.compare(wire, other) === 0) return "tcp_zero";
  return `${ask.what}: ${Buffer.from(wire).toString("hex")} for ${Buffer.from(ask.right).toString("hex")}`;
}

interface Tally {
  offloaded: number;
  inTunnels: number;
  tcpZero: number;
  reasons: Record<string, number>;
  differences: string[];
}

/** Send packets. @param core - validate_xmit_skb with the device's features goes before */
function run(profile: Profile, core: boolean, queue = 0, packets = PACKETS): Tally {
  const driver = new NicDriver(new NicDevice(profile, memory), memory, 14);
  driver.txQueue = queue;
  const dev = profileNetDevice(profile, queue);
  const tally: Tally = { offloaded: 0, inTunnels: 0, tcpZero: 0, reasons: {}, differences: [] };
  const count = (reason: string): void => void (tally.reasons[reason] = (tally.reasons[reason] ?? 0) + 1);
  for (const [ask, frags] of ASKS.slice(0, packets)) {
    const skb = askedSkb(memory, ask, frags);
    if (core) {
      // a driver that shows HW_CSUM for less looks itself; the others trust the core
      driver.legacyCheck = profile.tx.csum.claimsHwCsum && profile.tx.csum.mode !== "generic";
      expect(validateXmitSkb(skb, dev)).toMatchObject({ verdict: "send" });
      if (skb.ipSummed === CHECKSUM_NONE) count("core");
    }
    const outcome = driver.xmit(skb.address, 1);
    if (outcome === XMIT.offloaded) tally.offloaded++;
    else if (driver.lastReason !== "") count(driver.lastReason);
    if (outcome === XMIT.offloaded && ask.inner !== null) tally.inTunnels++;
    let wire: Uint8Array = new Uint8Array(0);
    driver.flush((frame) => (wire = frame.slice()));
    skb.kfreeSkb();
    const said = verdict(ask, wire);
    if (said === "tcp_zero") tally.tcpZero++;
    else if (said !== "equal") tally.differences.push(said);
  }
  return tally;
}

describe("the driver decides by capabilities (the paper's core)", () => {
  const met = new Set<string>();
  test.each(legacy)("$name", (profile) => {
    const tally = run(profile, false);
    for (const reason of Object.keys(tally.reasons)) met.add(reason);
    expect(tally.differences).toEqual([]);
    expect(tally.offloaded).toBeGreaterThan(PACKETS / 50);
    expect(tally.inTunnels > 0).toBe(profile.tx.csum.encap.length > 0);
    if (profile.tx.csum.tcpZero === "zero") expect(tally.tcpZero).toBeGreaterThan(0);
    else expect(tally.tcpZero).toBe(0);
  });

  // [what differs from a shipped profile, queue, reason that must be met]
  const csum = csumOf("word-dword");
  const more: [Partial<TxCsumProfile>, number, string][] = [
    [{ encapIpv6: false }, 0, "encap-ipv6"],
    [{ ipv4Options: false }, 0, "ip-options"],
    [{ l2LenMax: 17 }, 0, "l2-len"],
    [{ tunnelLenMax: 30 }, 0, "tunnel-len"],
    [{ queues: 2 }, 2, "queue"],
    [{ udpZero: "zero" }, 0, "l4"],
    [{ mode: "typed-unseeded", lenMax: 0 }, 0, "l4"],
    [{ encap: ["vxlan"], encapPorts: { vxlan: [4790], geneve: [] } }, 0, "tunnel-port"],
  ];
  test.each(more)("word-dword but %j, queue %i: %s", (differs, queue, reason) => {
    const profile: Profile = { ...PROFILES["word-dword"]!, tx: { csum: { ...csum, ...differs } } };
    const tally = run(profile, false, queue);
    expect(tally.differences).toEqual([]);
    expect(tally.reasons[reason]).toBeGreaterThan(0);
    met.add(reason);
  });

  test("every reason was met", () => {
    expect([...met].sort()).toEqual([
      "encap-ipv6",
      "encapsulated",
      "exthdr",
      "family",
      "hao",
      "ip-options",
      "l2-len",
      "l3-len",
      "l4",
      "l4-offset",
      "len",
      "min-len",
      "queue",
      "rthdr",
      "sctp-crc",
      "tunnel",
      "tunnel-len",
      "tunnel-port",
      "vlan",
      "window",
    ]);
  });
});

describe("the core decides by features (before the paper), the same device", () => {
  test.each(legacy)("$name", (profile) => {
    const { differences, offloaded, reasons } = run(profile, true);
    expect(differences).toEqual([]);
    expect(offloaded).toBeGreaterThan(PACKETS / 50);
    expect(reasons.core).toBeGreaterThan(0);
  });
});

describe("devices of any capabilities", () => {
  const some = <T>(list: readonly T[]): T[] => list.filter(() => r.below(2) === 0);
  const anyCsum = (): TxCsumProfile => ({
    ...csumOf("word-dword"),
    mode: r.pick(["typed-seeded", "typed-seeded", "typed-unseeded", "generic"]),
    claimsHwCsum: r.below(2) === 0,
    l3: some(["ipv4", "ipv6"]),
    l4: some(["tcp", "udp", "sctp"]),
    ipv4Options: r.below(2) === 0,
    ipv6ExtHdrs: r.pick(["none", "skip", "count:1", "count:2"]),
    ipv6ExtHdrMax: r.pick([8, 24, 80, 65535]),
    encap: some(["udp", "vxlan", "geneve", "gre", "ipip"]),
    encapL3: some(["ipv4", "ipv6"]),
    encapIpv6: r.below(2) === 0,
    encapPorts: { vxlan: r.pick([[4789], [4790], []]), geneve: r.pick([[6081], []]) },
    tunnelLenMax: r.pick([20, 30, 254]),
    tunnelLenEven: r.below(2) === 0,
    startMax: r.pick([50, 90, 127, 65535]),
    offsetEven: r.below(2) === 0,
    tcpZero: r.pick(["ffff", "zero"]),
    udpZero: r.pick(["ffff", "ffff", "zero"]),
    minLen: r.pick([0, 60, 100]),
    vlanStack: r.below(3),
    l2LenMax: r.pick([14, 18, 126]),
    l2LenEven: r.below(2) === 0,
    l3LenMax: r.pick([40, 60, 508]),
    l3LenMultiple: r.pick([1, 2, 4]),
    lenMax: r.pick([0, 0, 400]),
    headerWindow: r.pick([0, 0, 64, 128]),
    queues: 0,
  });
  const CSUMS = Array.from({ length: 60 }, anyCsum);
  test("60 of them, either core", () => {
    let offloaded = 0;
    for (const csum of CSUMS) {
      const profile: Profile = { ...PROFILES["v4v6-basic"]!, tx: { csum } };
      // a driver that shows HW_CSUM for an engine that is asked by types looks itself; nobody can help one that does not
      for (const core of [false, true]) {
        const tally = run(profile, core, 0, 300);
        expect(tally.differences, JSON.stringify(csum)).toEqual([]);
        if (csum.tcpZero === "ffff") expect(tally.tcpZero).toBe(0);
        offloaded += tally.offloaded;
      }
    }
    expect(offloaded).toBeGreaterThan(2000);
  });
});

test("a tunnel in a tunnel: a device that parses one is not asked for what is inside of both", () => {
  const inside = (f: Field): Uint8Array => ipv4(6, tcp(noise(61), pseudo4, f));
  const gre = [0, 0, 8, 0];
  const frame = (f: Field): Uint8Array => eth(0x0800, ipv4(47, bytes(gre, ipv4(47, bytes(gre, inside(f))))));
  const ask: Ask = {
    what: "GRE in GRE",
    right: frame("right"),
    seeded: frame("seed"),
    start: 14 + 20 + 4 + 20 + 4 + 20,
    offset: 16,
    crc: false,
    network: 14,
    transport: 34,
    inner: { mac: 62, network: 62, type: 0x0800, ipproto: 0 },
    zero: false,
  };
  const reasons: Record<string, string> = {};
  for (const profile of legacy) {
    const driver = new NicDriver(new NicDevice(profile, memory), memory, 14);
    const skb = askedSkb(memory, ask);
    driver.xmit(skb.address, 1);
    driver.flush((wire) => void expect(verdict(ask, wire.slice()), profile.name).toBe("equal"));
    skb.kfreeSkb();
    reasons[profile.name] = driver.lastReason;
  }
  expect(reasons).toMatchObject({ "complete-parse": "tunnel", "exthdr-3": "tunnel", "word-dword": "" });
});
