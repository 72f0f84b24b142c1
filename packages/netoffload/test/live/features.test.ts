// The model of feature sets against the running kernel: random wishes on links of every kind there is, and what ethtool
// says of them.
import { execFileSync, spawnSync } from "node:child_process";
import {
  bridgeFeatures,
  FEATURES,
  type Features,
  featureNames,
  featureSet,
  NetdevFeatures,
} from "@netoffload/skbuff";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { has } from "../../../internal/test/facility.ts";
import {
  Ethtool,
  type LinkFeatures,
  Route,
  Tap,
  TUN_F_CSUM,
  TUN_F_TSO_ECN,
  TUN_F_TSO4,
  TUN_F_TSO6,
} from "../../../linux/src/index.ts";
import { live, ownNamespace } from "../../../linux/test/own-namespace.ts";
import { changeReport, featureLines, featureRequest, lineText } from "../../src/cli/ethtool-features.ts";
import { Random } from "../../src/live/random.ts";

const asSet = (names: Iterable<string>): Features => {
  // one feature has no name
  const set = featureSet([...names].map((name) => (name === "" ? "GSO_UDP" : name)));
  if (typeof set === "string") throw new Error(`the kernel has a feature '${set}' that has no name here`);
  return set;
};
const USER: Features = asSet([
  "tx-checksum-ip-generic",
  "tx-tcp-segmentation",
  "tx-tcp-ecn-segmentation",
  "tx-tcp6-segmentation",
  "tx-udp-segmentation",
  "tx-udp_tnl-segmentation",
  "tx-udp_tnl-csum-segmentation",
]);

describe.runIf(live)("feature sets of live links", () => {
  ownNamespace();
  let ethtool: Ethtool;
  let route: Route;
  const taps: Tap[] = [];
  beforeAll(() => {
    ethtool = new Ethtool();
    route = new Route();
    const ip = (words: string): string => execFileSync("ip", words.split(" "), { encoding: "utf8" });
    ip("link add va type veth peer name vb");
    ip("link add vc type veth peer name vd");
    ip("link add vx type vxlan id 5 dstport 4789 local 10.9.0.1 remote 10.9.0.2");
    ip("link add name bri type bridge");
    ip("link add name ports type bridge");
    ip("link set vb master ports");
    ip("link set vd master ports");
    ip("link add ifb9 type ifb");
    const csum = TUN_F_CSUM;
    for (const [i, offloads] of [
      0,
      csum,
      csum | TUN_F_TSO4 | TUN_F_TSO_ECN,
      csum | TUN_F_TSO4 | TUN_F_TSO6,
    ].entries())
      taps.push(new Tap({ name: `t${i}`, vnetHdrSize: 12, offloads }));
  });
  afterAll(() => {
    for (const tap of taps) tap.close();
    ethtool.close();
    route.close();
  });

  const read = (name: string): LinkFeatures => ethtool.featureSets(route.ifindex(name));
  /** Our model of a link as it is; `driver` is its ndo_fix_features. */
  function adopt(name: string, driver?: (f: Features) => Features): NetdevFeatures {
    const { active, wanted, hw } = read(name);
    return NetdevFeatures.adopt(
      { features: asSet(active), wantedFeatures: asSet(wanted), hwFeatures: asSet(hw) },
      driver === undefined ? {} : { fixFeatures: driver },
    );
  }

  /** What a reader of a tap takes: of these features, what TUNSETOFFLOAD said. */
  const tun =
    (taken: string[]) =>
    (f: Features): Features =>
      (f & asSet(taken)) | (f & ~USER);
  const CSUM = "tx-checksum-ip-generic";
  const LINKS: [name: string, driver?: (f: Features) => Features][] = [
    ["lo"],
    ["va"],
    ["vx"],
    ["ifb9"],
    ["bri", (f) => bridgeFeatures(f, [])],
    [
      "ports",
      (f) =>
        bridgeFeatures(
          f,
          ["vb", "vd"].map((port) => asSet(read(port).active)),
        ),
    ],
    ["t0", tun([])],
    ["t1", tun([CSUM])],
    ["t2", tun([CSUM, "tx-tcp-segmentation", "tx-tcp-ecn-segmentation"])],
    ["t3", tun([CSUM, "tx-tcp-segmentation", "tx-tcp6-segmentation"])],
  ];
  /** What may be asked for, bit and name. */
  const CHANGEABLE = FEATURES.filter((f) => f.ethtool !== "" && f.name !== "VLAN_CHALLENGED").map(
    (f) => [1n << BigInt(f.bit), f.ethtool] as const,
  );

  test.each(LINKS)("%s: 160 random wishes, each as the kernel answers it", (name, driver) => {
    const r = new Random(name.length * 1000 + name.charCodeAt(1));
    const ifindex = route.ifindex(name);
    const model = adopt(name, driver);
    let kept = 0;
    for (let i = 0; i < 160; i++) {
      // mostly what can be changed, now and then anything
      const pool =
        r.below(8) === 0 ? CHANGEABLE : CHANGEABLE.filter(([bit]) => (bit & model.hwFeatures) !== 0n);
      if (pool.length === 0) continue;
      if (name === "ports" && r.below(3) === 0) toggleAPort(r.below(2) === 0 ? "vb" : "vd", r, model);
      let mask = 0n;
      for (let n = 1 + r.below(5); n > 0; n--) mask |= r.pick(pool)[0];
      const value = pool.reduce((set, [bit]) => (r.below(2) === 0 ? set | bit : set), 0n) & mask;
      const wish = Object.fromEntries(
        CHANGEABLE.filter(([bit]) => (bit & mask) !== 0n).map(([bit, word]) => [word, (value & bit) !== 0n]),
      );
      ethtool.setFeatures(ifindex, wish);
      model.set(mask, value);
      const now = read(name);
      expect(featureNames(model.features), JSON.stringify(wish)).toEqual(featureNames(asSet(now.active)));
      expect(featureNames(model.wantedFeatures)).toEqual(featureNames(asSet(now.wanted)));
      kept++;
    }
    if (name !== "lo") expect(kept).toBe(160);
  });

  /** A port's features change; the bridge's follow. */
  function toggleAPort(port: string, r: Random, bridge: NetdevFeatures): void {
    const hw = [...read(port).hw];
    ethtool.setFeatures(route.ifindex(port), { [hw[r.below(hw.length)]!]: r.below(2) === 0 });
    bridge.update();
  }
  describe.runIf(has("ethtool"))("what ethtool says", () => {
    const SETTINGS = [
      "sg off",
      "sg on",
      "tx off",
      "tso on",
      "tx on",
      "lro on",
      "tso off",
      "tso off",
      "tx-tcp-segmentation on tx on",
      "sg off tx off gro on",
      "sg on tx on",
      "lro on gso off",
      "highdma off",
      "rx-gro-list on tx-nocache-copy on",
      "rx off txvlan off ntuple on",
      "generic-segmentation-offload on",
      "vlan-challenged on",
      "nosuch on",
      "tx-checksum-ip-generic off tx-checksum-ip-generic on",
    ];
    test.each(["va", "vx", "lo", "t2", "ports"])("-k and -K on %s: the same lines", (name) => {
      const driver = LINKS.find(([link]) => link === name)![1];
      const ours = (): string[] => featureLines(adopt(name)).map(lineText);
      const theirs = (): string[] => {
        const lines = execFileSync("ethtool", ["-k", name], { encoding: "utf8" }).trimEnd().split("\n");
        // headings of offloads that newer kernels do not have
        return lines.slice(1).filter((l) => !/^udp-fragmentation-offload/.test(l));
      };
      expect(ours()).toEqual(theirs());
      for (const setting of SETTINGS) {
        const words = setting.split(" ");
        const model = adopt(name, driver);
        const request = featureRequest(words);
        const said = spawnSync("ethtool", ["-K", name, ...words], { encoding: "utf8" });
        if (!request.ok) {
          expect(said.stderr).toMatch(new RegExp(`^${request.message}`));
          continue;
        }
        const change = model.set(request.mask, request.value);
        if (change === null) {
          expect(said.stderr).toMatch(/^netlink error: attempt to change non-ethtool features\n/);
          continue;
        }
        const { out, err, failed } = changeReport(request.mask, model.features, change);
        const printed = [said.stdout, said.stderr].map((s) => s.split("\n").filter((l) => l !== ""));
        expect([...printed, said.status !== 0], setting).toEqual([out, err, failed]);
        expect(ours()).toEqual(theirs());
      }
    });
  });
});
