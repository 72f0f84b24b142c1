/** In the fixture's process: frames with a virtio_net_hdr in, what the kernel's software makes of them out. */
import { RecordWriter, records } from "../fixture/records.ts";
import {
  TUN_F_CSUM,
  TUN_F_TSO_ECN,
  TUN_F_TSO4,
  TUN_F_TSO6,
  TUN_F_UDP_TUNNEL_GSO,
  TUN_F_UDP_TUNNEL_GSO_CSUM,
  TUN_F_USO4,
  TUN_F_USO6,
  tapOffers,
} from "../tap.ts";
import type { Handler } from "./handlers.ts";
import { TwoTaps } from "./two-taps.ts";

const MAX_FRAME = 65536 + 64;
const ETH_ADDRESSES = 12;
const ALL = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6;
const TUNNELS = TUN_F_UDP_TUNNEL_GSO | TUN_F_UDP_TUNNEL_GSO_CSUM;
/** A frame of which nothing has come by then was dropped; segments are there before write() returns. */
const DROPPED_MS = 2;

/** Header that questions carry: 24 bytes, of which a kernel without UDP tunnels sees the first 10. */
export const SEGMENT_HEADER = 24;

/** Answers with, per frame: i32 a negative errno or the number of segments, then each as a record. */
export function segmentFixture(): Handler {
  const tunnels = tapOffers(ALL | TUNNELS, 24);
  const vnetHdrSize = tunnels ? 24 : 10;
  // the first tap's offloads say which headers it may be given, the second has none
  const taps = new TwoTaps({ vnetHdrSize, firstOffloads: tunnels ? ALL | TUNNELS : ALL });
  const out = new RecordWriter();
  const segments = new RecordWriter();
  const received = new Uint8Array(vnetHdrSize + MAX_FRAME);
  const scratch = new Uint8Array(SEGMENT_HEADER + MAX_FRAME);
  let number = 1;

  const collect = (addresses: Uint8Array): void => {
    for (;;) {
      const length = taps.second.read(received);
      if (length < 0) {
        if (segments.count > 0 || !taps.wait(DROPPED_MS)) return;
        continue;
      }
      const frame = received.subarray(vnetHdrSize, length);
      if (taps.numberOf(frame) !== number) continue;
      frame.set(addresses);
      segments.push(frame);
    }
  };

  return (_request, bytes) => {
    out.clear();
    for (const question of records(bytes)) {
      const frame = question.subarray(SEGMENT_HEADER);
      number = (number + 1) >>> 0;
      segments.clear();
      scratch.set(question.subarray(0, vnetHdrSize));
      scratch.set(frame, vnetHdrSize);
      if (frame.length >= ETH_ADDRESSES) taps.number(scratch.subarray(vnetHdrSize), number);
      const result = taps.first.write(scratch, vnetHdrSize + frame.length);
      if (result >= 0) collect(frame.subarray(0, ETH_ADDRESSES));
      out.pushNumbered(result < 0 ? result : segments.count, segments.finish());
    }
    return { json: { tunnels }, bytes: out.finish() };
  };
}
