/** In the fixture's process: bursts of frames in at one end of a veth pair, what GRO made of them out at the other. */
import { writeFileSync } from "node:fs";
import { LinuxError } from "../errors.ts";
import { RecordWriter, records } from "../fixture/records.ts";
import { mountOwnSysfs } from "../namespace.ts";
import { Ethtool } from "../netlink/ethtool.ts";
import { Route } from "../netlink/route.ts";
import { PacketSocket } from "../packet-socket.ts";
import type { Handler } from "./handlers.ts";

const VNET_HDR = 10;
const MAX_FRAME = 1 << 20;
const MTU = 65535;
/** Nanoseconds until NAPI polls again; a burst must be in the ring by then. */
const FLUSH_NS = 1_500_000;
/** Frames that one NAPI poll takes; a longer burst would be flushed in between. */
export const MAX_BURST = 60;
const QUIET_MS = 8;
const READY_MS = 5000;
const MOST_RUNS = 40;
/** Sent before a burst, so that NAPI is waiting for its timer when the burst arrives. EtherType: local experiment. */
const PRIMER: Uint8Array = primer();

function primer(): Uint8Array {
  const frame = new Uint8Array(60);
  frame.set([0x02, 0x4e, 0x4f, 0xff, 0xff, 0xfe, 0x02, 0x4e, 0x4f, 0, 0, 1, 0x88, 0xb5]);
  return frame;
}

/** Kernel quirk: a veth whose sending end offers TSO hands packets over without NAPI, hence without GRO. */
const NO_TSO: Readonly<Record<string, boolean>> = {
  "tx-tcp-segmentation": false,
  "tx-tcp-ecn-segmentation": false,
  "tx-tcp-mangleid-segmentation": false,
  "tx-tcp6-segmentation": false,
};

const isPrimer = (frame: Uint8Array): boolean =>
  frame.length === PRIMER.length && Buffer.compare(frame, PRIMER) === 0;

interface Pair {
  readonly sender: PacketSocket;
  readonly receiver: PacketSocket;
}

function makePair(features: Readonly<Record<string, boolean>>): Pair {
  const route = new Route();
  const [a, b] = route.addVeth("burst0", "burst1");
  for (const ifindex of [a, b]) route.setLink(ifindex, { mtu: MTU });
  const ethtool = new Ethtool();
  ethtool.setFeatures(a, NO_TSO);
  ethtool.setFeatures(b, { "rx-gro": true, ...features });
  ethtool.close();
  mountOwnSysfs();
  writeFileSync("/sys/class/net/burst1/gro_flush_timeout", String(FLUSH_NS));
  writeFileSync("/sys/class/net/burst1/napi_defer_hard_irqs", "1");
  for (const ifindex of [a, b]) route.setLink(ifindex, { up: true });
  route.close();
  const sender = new PacketSocket({ ifindex: a, sendOnly: true, qdiscBypass: true });
  const receiver = new PacketSocket({ ifindex: b, vnetHdrSize: VNET_HDR });
  awaitCarrier(sender, receiver);
  return { sender, receiver };
}

/** A link that was just set up drops what is sent until the kernel's link watch has seen it. */
function awaitCarrier(sender: PacketSocket, receiver: PacketSocket): void {
  const buffer = new Uint8Array(2048);
  for (const started = Date.now(); Date.now() - started < READY_MS; ) {
    sender.send(PRIMER);
    if (!receiver.wait(5)) continue;
    while (receiver.wait(QUIET_MS)) receiver.receive(buffer);
    return;
  }
  throw new LinuxError("ETIMEDOUT", `veth: nothing arrived within ${READY_MS} ms`);
}

/**
 * Answers with, per burst: i32 the number of runs it took (negative: they never agreed), then what was delivered as
 * records of virtio_net_hdr (10 bytes) and frame. A question's record holds the burst's frames as records.
 */
export function coalesceFixture(spec: Readonly<Record<string, unknown>>): Handler {
  const pair = makePair((spec.features ?? {}) as Readonly<Record<string, boolean>>);
  const out = new RecordWriter();
  const received = new Uint8Array(VNET_HDR + MAX_FRAME);

  const deliver = (frames: readonly Uint8Array[]): Uint8Array => {
    pair.sender.send(PRIMER);
    for (const frame of frames) pair.sender.send(frame);
    const delivered = new RecordWriter();
    while (pair.receiver.wait(QUIET_MS))
      for (;;) {
        const length = pair.receiver.receive(received);
        if (length < 0) break;
        const packet = received.subarray(0, length);
        if (!isPrimer(packet.subarray(VNET_HDR))) delivered.push(packet);
      }
    return delivered.finish();
  };

  return (_request, bytes) => {
    out.clear();
    for (const question of records(bytes)) {
      const frames = [...records(question)];
      // a poll or a jiffy that falls into the burst splits it: what two runs agree on is believed
      const seen: Uint8Array[] = [];
      let agreed: Uint8Array | undefined;
      while (agreed === undefined && seen.length < MOST_RUNS) {
        const answer = deliver(frames);
        agreed = seen.find((earlier) => Buffer.compare(earlier, answer) === 0);
        seen.push(answer);
      }
      out.pushNumbered(agreed === undefined ? -seen.length : seen.length, agreed ?? seen.at(-1)!);
    }
    return { json: {}, bytes: out.finish() };
  };
}
