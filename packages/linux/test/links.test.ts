import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  LinuxError,
  Route,
  Tap,
  TUN_F_CSUM,
  TUN_F_TSO4,
  TUN_F_USO4,
  TUN_F_USO6,
  tapOffers,
} from "../src/index.ts";
import { live, ownNamespace } from "./own-namespace.ts";

const ip = (...words: string[]): string => execFileSync("ip", words, { encoding: "utf8" });
const codeOf = (f: () => unknown): string => {
  try {
    f();
    return "";
  } catch (error) {
    return error instanceof LinuxError ? `${error.code}: ${error.message}` : String(error);
  }
};

describe.runIf(live)("links", () => {
  ownNamespace();

  it("a fresh namespace has the loopback alone, and no IPv6 addresses come by themselves", () => {
    const route = new Route();
    expect(route.links().map((l) => l.name)).toEqual(["lo"]);
    expect(readFileSync("/proc/sys/net/ipv6/conf/default/disable_ipv6", "utf8")).toBe("1\n");
    route.close();
  });

  it("veth, bridge and their settings are what iproute2 sees", () => {
    const route = new Route();
    const [a, b] = route.addVeth("va", "vb");
    const bridge = route.addBridge("bridge1");
    route.setLink(a, { mtu: 9000, txqlen: 77, up: true });
    route.setLink(b, { master: bridge, address: Uint8Array.of(2, 0, 0, 0, 0, 9), up: true });
    route.setBridgePortLearning(b, false);
    route.addAddress(a, Uint8Array.of(10, 1, 2, 3), 24);
    const shown = ip("-d", "addr");
    expect(shown).toMatch(/va@vb: <.*UP.*> mtu 9000 .* qlen 77/);
    expect(shown).toContain("inet 10.1.2.3/24");
    expect(shown).toMatch(/vb@va: .* master bridge1/);
    expect(shown).toContain("link/ether 02:00:00:00:00:09");
    expect(shown).toMatch(/ageing_time 0 .* mcast_snooping 0/);
    expect(shown).toMatch(/bridge_slave .* learning off/);
    expect(route.links().find((l) => l.ifindex === a)).toMatchObject({ name: "va", mtu: 9000 });
    route.deleteLink(a);
    route.deleteLink(bridge);
    expect(route.links().map((l) => l.name)).toEqual(["lo"]);
    route.close();
  });

  it("refusals carry the kernel's errno and its own words", () => {
    const route = new Route();
    const [a] = route.addVeth("va", "vb");
    expect(codeOf(() => route.addVeth("va", "vc"))).toMatch(/^EEXIST: add veth va vc/);
    expect(codeOf(() => route.setLink(a, { mtu: 10 }))).toMatch(/^EINVAL: set link \d+: EINVAL \(.+\)/);
    expect(codeOf(() => route.ifindex("nowhere"))).toMatch(/^ENODEV/);
    expect(codeOf(() => route.deleteLink(9999))).toMatch(/^ENODEV/);
    route.deleteLink(a);
    route.close();
  });

  it("a tap lives as long as its descriptor", () => {
    const route = new Route();
    const tap = new Tap({ name: "t%d", vnetHdrSize: 12, offloads: TUN_F_CSUM | TUN_F_TSO4 });
    expect(tap.name).toBe("t0");
    expect(ip("-d", "link")).toMatch(/tun type tap pi off vnet_hdr on persist off/);
    tap.close();
    expect(route.links().map((l) => l.name)).toEqual(["lo"]);
    route.close();
  });

  it("offloads that depend on others are refused alone", () => {
    expect(codeOf(() => new Tap({ name: "t", vnetHdrSize: 10, offloads: 1 << 20 }))).toMatch(/^EINVAL/);
    // USO comes for both families or not at all
    expect(tapOffers(TUN_F_CSUM | TUN_F_USO4, 10)).toBe(false);
    expect(tapOffers(TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6, 10)).toBe(true);
    expect(new Route().links().map((l) => l.name)).toEqual(["lo"]);
  });
});
