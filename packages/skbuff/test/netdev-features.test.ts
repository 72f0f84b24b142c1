// Feature sets through registration, wishes, drivers and stacked devices: the spec's rules, and what a live veth and
// loopback answered (Linux 6.18.44). Random wishes against the running kernel: netoffload/test/live/features.test.ts.
import { describe, expect, test } from "vitest";
import {
  bridgeFeatures,
  type FeatureName,
  featureNames,
  featureSet,
  NETIF_F,
  NetdevFeatures,
  netdevIncrementFeatures,
} from "../src/index.ts";

const set = (...names: FeatureName[]): bigint => featureSet(names) as bigint;
const CSUM_SG: FeatureName[] = ["SG", "HW_CSUM", "TSO", "TSO6", "TSO_ECN"];

describe("registration", () => {
  test("software's features come to the driver's", () => {
    const hw = set(...CSUM_SG);
    const dev = NetdevFeatures.register({ features: hw | NETIF_F.HIGHDMA, hwFeatures: hw, vlanFeatures: hw });
    expect(featureNames(dev.features)).toEqual(featureNames(hw | set("HIGHDMA", "GSO", "GRO")));
    expect(featureNames(dev.hwFeatures)).toEqual(
      featureNames(hw | set("GSO", "GRO", "GRO_FRAGLIST", "GRO_UDP_FWD", "TSO_MANGLEID", "NOCACHE_COPY")),
    );
    // what came after wanted_features was computed is off until it is asked for
    expect(featureNames(dev.wantedFeatures)).toEqual(featureNames(hw | set("GSO", "GRO")));
    expect(featureNames(dev.vlanFeatures)).toEqual(featureNames(hw | set("TSO_MANGLEID", "HIGHDMA")));
    expect(featureNames(dev.hwEncFeatures)).toEqual(["SG", "GSO_PARTIAL"]);
    expect(featureNames(dev.mplsFeatures)).toEqual(["SG"]);
    expect(featureNames(dev.mangleidFeatures)).toEqual(["TSO_MANGLEID"]);
  });
  test("a loopback has no NOCACHE_COPY; UDP tunnel ports; rules apply at once", () => {
    const dev = NetdevFeatures.register(
      { features: set("TSO"), hwFeatures: set("TSO") },
      { loopback: true, udpTunnelPorts: true },
    );
    expect(featureNames(dev.features)).toEqual(["GRO", "RX_UDP_TUNNEL_PORT"]);
    expect(featureNames(dev.hwFeatures)).not.toContain("NOCACHE_COPY");
    expect(featureNames(dev.wantedFeatures)).toContain("TSO");
  });
});

describe("wishes", () => {
  const make = (): NetdevFeatures =>
    NetdevFeatures.register({ features: set(...CSUM_SG), hwFeatures: set(...CSUM_SG) });
  test("what depends goes and comes back; the wish is remembered", () => {
    const dev = make();
    const before = dev.features;
    const off = dev.set(NETIF_F.SG, 0n)!;
    expect(featureNames(off.changed)).toEqual(["SG", "GSO", "TSO", "TSO_ECN", "TSO6"]);
    expect([off.refused, off.dropped.map((d) => d.rule)]).toEqual([0n, [2, 7]]);
    expect(dev.set(NETIF_F.SG, NETIF_F.SG)!.changed).toBe(off.changed);
    expect(dev.features).toBe(before);
  });
  test("a wish for what depends on something absent waits for it", () => {
    const dev = make();
    dev.set(NETIF_F.HW_CSUM, 0n);
    const wish = dev.set(set("TSO", "TSO_MANGLEID"), set("TSO", "TSO_MANGLEID"))!;
    expect(featureNames(wish.refused)).toEqual(["TSO", "TSO_MANGLEID"]);
    expect(featureNames(dev.set(NETIF_F.HW_CSUM, NETIF_F.HW_CSUM)!.changed)).toEqual([
      "HW_CSUM",
      "TSO",
      "TSO_ECN",
      "TSO_MANGLEID",
      "TSO6",
    ]);
  });
  test("what is fixed is refused, what nobody may change is an error", () => {
    const dev = make();
    expect(dev.set(NETIF_F.LRO, NETIF_F.LRO)).toMatchObject({ refused: NETIF_F.LRO, changed: 0n });
    expect(dev.set(NETIF_F.VLAN_CHALLENGED, 0n)).toBeNull();
  });
});

describe("drivers", () => {
  test("ndo_fix_features comes before the rules", () => {
    const dev = NetdevFeatures.register(
      { features: set(...CSUM_SG), hwFeatures: set(...CSUM_SG) },
      { fixFeatures: (f) => f & ~NETIF_F.HW_CSUM },
    );
    expect(featureNames(dev.features)).toEqual(["SG", "GSO", "GRO"]);
  });
  test("ndo_set_features: an error keeps the old set, 1 means that the driver has set them", () => {
    let result = 0;
    const asked: bigint[] = [];
    const dev = NetdevFeatures.register(
      { features: set("SG"), hwFeatures: set("SG", "RXCSUM") },
      {
        setFeatures: (f) => {
          asked.push(f);
          return result;
        },
      },
    );
    result = -5;
    expect(dev.set(NETIF_F.RXCSUM, NETIF_F.RXCSUM)).toMatchObject({ refused: NETIF_F.RXCSUM, changed: 0n });
    expect(dev.wantedFeatures & NETIF_F.RXCSUM).not.toBe(0n);
    result = 1;
    dev.update();
    expect(dev.features & NETIF_F.RXCSUM).toBe(0n);
    result = 0;
    expect(dev.update()).toBe(true);
    expect(dev.features & NETIF_F.RXCSUM).not.toBe(0n);
    expect([dev.update(), asked.length]).toEqual([false, 3]);
  });
});

describe("devices above and below", () => {
  const lro = (): NetdevFeatures =>
    NetdevFeatures.register({ features: set("SG", "RXCSUM", "LRO"), hwFeatures: set("SG", "RXCSUM", "LRO") });
  test("LRO that is off above goes off below, through every level, and stays off there", () => {
    const [top, middle, bottom] = [lro(), lro(), lro()];
    top.attachLower(middle);
    middle.attachLower(bottom);
    top.set(NETIF_F.LRO, 0n);
    for (const dev of [middle, bottom])
      expect([dev.features & NETIF_F.LRO, dev.wantedFeatures & NETIF_F.LRO]).toEqual([0n, 0n]);
    expect(bottom.set(NETIF_F.LRO, NETIF_F.LRO)).toMatchObject({ refused: NETIF_F.LRO });
    top.set(NETIF_F.LRO, NETIF_F.LRO);
    expect(bottom.features & NETIF_F.LRO).toBe(0n);
    middle.set(NETIF_F.LRO, NETIF_F.LRO);
    expect(bottom.update()).toBe(true);
    expect(bottom.features & NETIF_F.LRO).not.toBe(0n);
  });
  test("other features are each device's own", () => {
    const [top, bottom] = [lro(), lro()];
    top.attachLower(bottom);
    top.set(NETIF_F.RXCSUM, 0n);
    expect(bottom.features & NETIF_F.RXCSUM).not.toBe(0n);
  });
});

describe("a device made of others", () => {
  test("one for all, all for all, HW_CSUM takes the place of the two", () => {
    const mask = set("SG", "HW_CSUM", "TSO", "NOCACHE_COPY");
    expect(featureNames(netdevIncrementFeatures(set("NOCACHE_COPY"), set("SG", "IP_CSUM"), mask))).toEqual([
      "SG",
      "IP_CSUM",
    ]);
    expect(
      featureNames(netdevIncrementFeatures(set("IP_CSUM"), set("HW_CSUM", "NOCACHE_COPY"), mask)),
    ).toEqual(["HW_CSUM"]);
    expect(featureNames(netdevIncrementFeatures(0n, set("TSO6"), mask))).toEqual([]);
  });
  test("a bridge: its ports' features, TCP segmentation always, none without ports", () => {
    const own = set("SG", "HW_CSUM", "TSO", "TSO6", "FRAGLIST", "GSO");
    expect(bridgeFeatures(own, [])).toBe(own);
    expect(featureNames(bridgeFeatures(own, [set("SG", "IPV6_CSUM")]))).toEqual(
      featureNames(set("SG", "HW_CSUM", "TSO", "TSO6", "GSO")),
    );
  });
});
