import { describe, expect, it } from "vitest";
import { Ethtool, LinuxError, PacketSocket, Route, returnConstant } from "../src/index.ts";
import { tcpFrame } from "./frames.ts";
import { live, ownNamespace } from "./own-namespace.ts";

/** A link that was just set up drops what is sent until the kernel's link watch has seen it. */
function awaitCarrier(a: number, b: number): void {
  const sender = new PacketSocket({ ifindex: a, sendOnly: true });
  const receiver = new PacketSocket({ ifindex: b });
  for (let i = 0; i < 1000; i++) {
    sender.send(tcpFrame({ seq: 1, payload: 30 }));
    if (receiver.wait(5)) break;
  }
  sender.close();
  receiver.close();
}

describe.runIf(live)("packet sockets and ethtool on a veth pair", () => {
  ownNamespace();

  const pair = (): { route: Route; a: number; b: number; end: () => void } => {
    const route = new Route();
    const [a, b] = route.addVeth("va", "vb");
    route.setLink(a, { up: true });
    route.setLink(b, { up: true });
    awaitCarrier(a, b);
    return {
      route,
      a,
      b,
      end: () => {
        route.deleteLink(a);
        route.close();
      },
    };
  };

  it("carries a frame with its auxdata, whole or cut by a filter", () => {
    const { a, b, end } = pair();
    const sender = new PacketSocket({ ifindex: a, sendOnly: true });
    const receiver = new PacketSocket({ ifindex: b });
    const frame = tcpFrame({ seq: 1, payload: 30 });
    expect(sender.send(frame)).toBe(frame.length);
    expect(receiver.wait(1000)).toBe(true);
    const buffer = new Uint8Array(200);
    const { length, aux } = receiver.receiveAux(buffer);
    expect(length).toBe(frame.length);
    expect(buffer.subarray(0, length)).toEqual(frame);
    expect(aux).toMatchObject({ len: frame.length, snaplen: frame.length, vlanTci: 0 });
    receiver.attachFilter(returnConstant(20));
    sender.send(frame);
    expect(receiver.wait(1000)).toBe(true);
    expect(receiver.receiveAux(buffer)).toMatchObject({ length: 20, aux: { len: 84, snaplen: 20 } });
    expect(receiver.receive(buffer)).toBe(-11);
    sender.close();
    receiver.close();
    end();
  });

  it("a VLAN tag comes beside the frame", () => {
    const { a, b, end } = pair();
    const sender = new PacketSocket({ ifindex: a, sendOnly: true });
    const receiver = new PacketSocket({ ifindex: b });
    const plain = tcpFrame({ seq: 1, payload: 30 });
    const tagged = new Uint8Array(plain.length + 4);
    tagged.set(plain.subarray(0, 12));
    tagged.set([0x81, 0x00, 0x20, 0x64], 12);
    tagged.set(plain.subarray(12), 16);
    sender.send(tagged);
    expect(receiver.wait(1000)).toBe(true);
    const buffer = new Uint8Array(200);
    const { length, aux } = receiver.receiveAux(buffer);
    expect([length, aux!.vlanTci, aux!.vlanTpid]).toEqual([plain.length, 0x2064, 0x8100]);
    sender.close();
    receiver.close();
    end();
  });

  it("ethtool turns features on and off by their names", () => {
    const { a, end } = pair();
    const ethtool = new Ethtool();
    ethtool.setFeatures(a, { "tx-tcp-segmentation": false, "rx-gro": true });
    expect(ethtool.features(a).has("tx-tcp-segmentation")).toBe(false);
    expect(ethtool.features(a).has("rx-gro")).toBe(true);
    ethtool.setFeatures(a, { "tx-tcp-segmentation": true });
    expect(ethtool.features(a).has("tx-tcp-segmentation")).toBe(true);
    expect(() => ethtool.setFeatures(a, { "no-such-feature": true })).toThrow(LinuxError);
    expect(() => ethtool.features(9999)).toThrow(/ENODEV/);
    ethtool.close();
    end();
  });

  it("says what the kernel refuses", () => {
    expect(() => new PacketSocket({ ifindex: 9999 })).toThrow(/ENODEV/);
  });
});
