/** In the fixture's process: frames in by a tap, what the kernel's flow dissector found read through socket filters. */
import { writeFileSync } from "node:fs";
import { returnNibble, SKF_AD_PAY_OFFSET, SKF_AD_RXHASH } from "../classic-bpf.ts";
import { LinuxError } from "../errors.ts";
import { RecordWriter, records } from "../fixture/records.ts";
import { mountOwnSysfs } from "../namespace.ts";
import { Route } from "../netlink/route.ts";
import { PacketSocket } from "../packet-socket.ts";
import { Tap } from "../tap.ts";
import type { Handler } from "./handlers.ts";

const MTU = 65521;
const POFF_NIBBLES = 4;
const HASH_NIBBLES = 8;
/** Frames written before the sockets are read. */
const CHUNK = 256;
const WAIT_MS = 1000;

/** A filter's answer is the length a frame is cut to, so a frame must be as long as the longest answer. */
export const LEAST_FRAME = 17;

/**
 * A filter can say one number per packet, by how many bytes it takes; a socket for every four bits says all of a
 * word. The hash is there because receive packet steering asks for it before sockets see the packet.
 */
export function dissectFixture(): Handler {
  const tap = new Tap({ name: "dissect0" });
  const route = new Route();
  const ifindex = route.ifindex(tap.name);
  mountOwnSysfs();
  writeFileSync("/sys/class/net/dissect0/queues/rx-0/rps_cpus", "1");
  route.setLink(ifindex, { mtu: MTU, up: true });
  route.close();
  const sockets = [
    ...Array.from({ length: POFF_NIBBLES }, (_, i) => nibbleSocket(ifindex, SKF_AD_PAY_OFFSET, i)),
    ...Array.from({ length: HASH_NIBBLES }, (_, i) => nibbleSocket(ifindex, SKF_AD_RXHASH, i)),
  ];
  const out = new RecordWriter();
  const buffer = new Uint8Array(LEAST_FRAME);

  const nibble = (socket: PacketSocket): number => {
    for (;;) {
      const length = socket.receive(buffer);
      if (length > 0) return length - 1;
      if (!socket.wait(WAIT_MS))
        throw new LinuxError("ETIMEDOUT", `a frame did not come back within ${WAIT_MS} ms`);
    }
  };

  const runChunk = (frames: readonly Uint8Array[]): void => {
    const status = frames.map((frame) => (frame.length < LEAST_FRAME ? -22 : tap.write(frame)));
    for (const written of status) {
      const words = [0, 0];
      if (written > 0)
        for (const [i, socket] of sockets.entries()) {
          const value = nibble(socket);
          if (i < POFF_NIBBLES) words[0]! += value * 16 ** i;
          else words[1]! += value * 16 ** (i - POFF_NIBBLES);
        }
      out.pushNumbered(Math.min(written, 0), new Uint8Array(new Uint32Array(words).buffer));
    }
  };

  return (_request, bytes) => {
    out.clear();
    const all = [...records(bytes)];
    for (let at = 0; at < all.length; at += CHUNK) runChunk(all.slice(at, at + CHUNK));
    return { json: {}, bytes: out.finish() };
  };
}

function nibbleSocket(ifindex: number, word: number, i: number): PacketSocket {
  const socket = new PacketSocket({ ifindex });
  socket.attachFilter(returnNibble(word, i));
  return socket;
}
