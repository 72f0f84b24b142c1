/** Two taps on a bridge: what is written to the first, the kernel forwards and sends out by the second. */
import { LinuxError } from "../errors.ts";
import { libc } from "../libc.ts";
import { Route } from "../netlink/route.ts";
import { StructBytes } from "../struct-bytes.ts";
import { Tap } from "../tap.ts";
import { cutEnds, FRONT, writeFront } from "./ends-cut.ts";

const MTU = 65521;
/** Packets that the second tap holds until they are read. */
const QUEUE = 65536;
const POLLIN = 1;
const ETH_HLEN = 14;
/** Destination, which no port has, so that the bridge sends it out by the other one; and how sources begin. */
const ADDRESSES: Uint8Array = Uint8Array.of(0x02, 0x4e, 0x4f, 0xff, 0xff, 0xff, 0x02, 0x4e);
const READY_MS = 5000;

/** How the pair is made. */
export interface TwoTapsOptions {
  readonly vnetHdrSize: 10 | 12 | 24;
  /** TUN_F_* of the first tap, which say what headers with UDP tunnel fields it takes; the second has none. */
  readonly firstOffloads?: number;
  /** A third tap whose frames lose both ends on their way in; see {@link cutEnds}. Default false. */
  readonly cutting?: boolean;
}

/**
 * The pair, and the numbering of frames: a frame's source address becomes its number and is put back in what
 * returns, so that an answer is matched to its question whatever was lost between.
 */
export class TwoTaps {
  readonly first: Tap;
  readonly second: Tap;
  /** Leads to the second as the first does. */
  readonly cutting: Tap | null;
  readonly #pollfd: StructBytes;
  readonly #route: Route;
  readonly #secondIndex: number;

  constructor(options: TwoTapsOptions) {
    const route = new Route();
    this.#route = route;
    const { vnetHdrSize } = options;
    this.first = new Tap({ name: "tap1", vnetHdrSize, offloads: options.firstOffloads ?? 0 });
    this.second = new Tap({ name: "tap2", vnetHdrSize });
    this.cutting = options.cutting === true ? new Tap({ name: "tap3", vnetHdrSize }) : null;
    this.#pollfd = new StructBytes(8).u32(0, this.second.fd).u16(4, POLLIN);
    const bridge = route.addBridge("bridge0");
    this.#secondIndex = route.ifindex(this.second.name);
    for (const { name } of [this.first, this.second, ...(this.cutting === null ? [] : [this.cutting])]) {
      const ifindex = route.ifindex(name);
      route.setLink(ifindex, { mtu: MTU, txqlen: QUEUE });
      route.setLink(ifindex, { master: bridge });
      route.setBridgePortLearning(ifindex, false);
      if (ifindex !== this.#secondIndex) route.setBridgePortFlood(ifindex, false);
      // the link keeps the program for as long as this process lives
      if (name === this.cutting?.name) cutEnds(ifindex);
      route.setLink(ifindex, { up: true });
    }
    route.setLink(bridge, { up: true });
    this.#awaitForwarding(this.first, 0);
    if (this.cutting !== null) this.#awaitForwarding(this.cutting, FRONT);
  }

  /** Write a number (32 bits) over a frame's source address, a fixed address over its destination. */
  number(frame: Uint8Array, number: number): void {
    frame.set(ADDRESSES);
    frame[8] = number >>> 24;
    frame[9] = number >>> 16;
    frame[10] = number >>> 8;
    frame[11] = number;
  }

  /** The number of a frame that returned; -1: it is none of ours. */
  numberOf(frame: Uint8Array): number {
    if (frame.length < ETH_HLEN) return -1;
    for (let i = 0; i < ADDRESSES.length; i++) if (frame[i] !== ADDRESSES[i]) return -1;
    return ((frame[8]! << 24) | (frame[9]! << 16) | (frame[10]! << 8) | frame[11]!) >>> 0;
  }

  /** Wait until the second tap has something to read. @returns false: nothing within `milliseconds` */
  wait(milliseconds: number): boolean {
    return libc().poll(this.#pollfd.bytes, 1, milliseconds) > 0;
  }

  /** Packets that the second tap was to send and did not, since it was made. */
  dropped(): number {
    return this.#route.txDropped(this.#secondIndex);
  }

  /** Ports forward only once the kernel's link watch has seen them. */
  #awaitForwarding(from: Tap, front: number): void {
    const { vnetHdrSize } = from;
    const probe = new Uint8Array(vnetHdrSize + front + 60);
    if (front > 0) writeFront(probe.subarray(vnetHdrSize), 0);
    this.number(probe.subarray(vnetHdrSize + front), 0);
    const buffer = new Uint8Array(2048);
    for (const started = Date.now(); Date.now() - started < READY_MS; ) {
      from.write(probe);
      if (!this.wait(5)) continue;
      while (this.second.read(buffer) > 0);
      return;
    }
    throw new LinuxError("ETIMEDOUT", `${from.name}: the bridge forwarded nothing within ${READY_MS} ms`);
  }
}
