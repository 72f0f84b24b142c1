/** In the fixture's process: bursts of frames in at one end of a veth pair, what GRO made of them out at the other. */
import { writeFileSync } from "node:fs";
import { LinuxError } from "../errors.ts";
import { RecordWriter, records } from "../fixture/records.ts";
import { libc } from "../libc.ts";
import { mountOwnSysfs } from "../namespace.ts";
import { Ethtool } from "../netlink/ethtool.ts";
import { Route } from "../netlink/route.ts";
import { PacketSocket } from "../packet-socket.ts";
import { StructBytes } from "../struct-bytes.ts";
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
/** Bursts that are under way at the same time. */
const LANES = 32;
const POLLFD_BYTES = 8;
const POLLIN = 1;
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

/** @param have - pairs that there are already; @param n - how many more are made */
function makePairs(have: number, n: number, features: Readonly<Record<string, boolean>>): Pair[] {
  const route = new Route();
  const ethtool = new Ethtool();
  const pairs = Array.from({ length: n }, (_, i): Pair => {
    const [from, to] = [`burst${have + i}`, `caught${have + i}`];
    const [a, b] = route.addVeth(from, to);
    for (const ifindex of [a, b]) route.setLink(ifindex, { mtu: MTU });
    ethtool.setFeatures(a, NO_TSO);
    ethtool.setFeatures(b, { "rx-gro": true, ...features });
    writeFileSync(`/sys/class/net/${to}/gro_flush_timeout`, String(FLUSH_NS));
    writeFileSync(`/sys/class/net/${to}/napi_defer_hard_irqs`, "1");
    for (const ifindex of [a, b]) route.setLink(ifindex, { up: true });
    const sender = new PacketSocket({ ifindex: a, sendOnly: true, qdiscBypass: true });
    return { sender, receiver: new PacketSocket({ ifindex: b, vnetHdrSize: VNET_HDR }) };
  });
  ethtool.close();
  route.close();
  for (const { sender, receiver } of pairs) awaitCarrier(sender, receiver);
  return pairs;
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

/** A pair with the burst that it is asked about. */
class Lane {
  readonly #pair: Pair;
  readonly #received: Uint8Array;
  #frames: readonly Uint8Array[] = [];
  #seen: Uint8Array[] = [];
  #delivered: RecordWriter = new RecordWriter();
  /** Position of the burst among the questions; -1: none. */
  question = -1;

  constructor(pair: Pair, received: Uint8Array) {
    this.#pair = pair;
    this.#received = received;
  }

  get fd(): number {
    return this.#pair.receiver.fd;
  }

  take(question: number, frames: readonly Uint8Array[]): void {
    this.question = question;
    this.#frames = frames;
    this.#seen = [];
  }

  send(): void {
    this.#delivered = new RecordWriter();
    this.#pair.sender.send(PRIMER);
    for (const frame of this.#frames) this.#pair.sender.send(frame);
  }

  /** Take what has been delivered so far. */
  receive(): void {
    for (;;) {
      const length = this.#pair.receiver.receive(this.#received);
      if (length < 0) return;
      const packet = this.#received.subarray(0, length);
      if (!isPrimer(packet.subarray(VNET_HDR))) this.#delivered.push(packet);
    }
  }

  /**
   * A run is over. A poll or a jiffy that falls into the burst splits it: what two runs agree on is believed.
   * @returns the burst's answer, or null: it is to be sent once more
   */
  judge(): { readonly runs: number; readonly packets: Uint8Array } | null {
    const answer = this.#delivered.finish();
    const agreed = this.#seen.some((earlier) => Buffer.compare(earlier, answer) === 0);
    this.#seen.push(answer);
    const runs = this.#seen.length;
    if (agreed) return { runs, packets: answer };
    return runs < MOST_RUNS ? null : { runs: -runs, packets: answer };
  }
}

/** Receive on all lanes until nothing more has come for a while. */
function receiveAll(lanes: readonly Lane[]): void {
  const pollfds = new StructBytes(POLLFD_BYTES * lanes.length);
  for (const [i, { fd }] of lanes.entries())
    pollfds.u32(POLLFD_BYTES * i, fd).u16(POLLFD_BYTES * i + 4, POLLIN);
  while (libc().poll(pollfds.bytes, lanes.length, QUIET_MS) > 0)
    for (const [i, lane] of lanes.entries()) if (pollfds.getU16(POLLFD_BYTES * i + 6) !== 0) lane.receive();
}

/**
 * Answers with, per burst: i32 the number of runs it took (negative: they never agreed), then what was delivered as
 * records of virtio_net_hdr (10 bytes) and frame. A question's record holds the burst's frames as records. Each burst
 * has to wait for its NAPI's timer: several wait at the same time, each behind a pair of its own.
 */
export function coalesceFixture(spec: Readonly<Record<string, unknown>>): Handler {
  const received = new Uint8Array(VNET_HDR + MAX_FRAME);
  const features = (spec.features ?? {}) as Readonly<Record<string, boolean>>;
  const lanes: Lane[] = [];
  const out = new RecordWriter();
  const provide = (wanted: number): void => {
    const more = Math.min(wanted, LANES) - lanes.length;
    if (more > 0)
      for (const pair of makePairs(lanes.length, more, features)) lanes.push(new Lane(pair, received));
  };
  mountOwnSysfs();
  provide(1);

  return (_request, bytes) => {
    const questions = [...records(bytes)].map((question) => [...records(question)]);
    provide(questions.length);
    const answers: NonNullable<ReturnType<Lane["judge"]>>[] = new Array(questions.length);
    let next = 0;
    for (;;) {
      for (const lane of lanes)
        if (lane.question < 0 && next < questions.length) lane.take(next, questions[next++]!);
      const busy = lanes.filter((lane) => lane.question >= 0);
      if (busy.length === 0) break;
      for (const lane of busy) lane.send();
      receiveAll(busy);
      for (const lane of busy) {
        const answer = lane.judge();
        if (answer === null) continue;
        answers[lane.question] = answer;
        lane.question = -1;
      }
    }
    out.clear();
    for (const { runs, packets } of answers) out.pushNumbered(runs, packets);
    return { json: {}, bytes: out.finish() };
  };
}
