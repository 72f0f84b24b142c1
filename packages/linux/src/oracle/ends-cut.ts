/**
 * An XDP program that takes bytes off both ends of every frame. What a virtio_net_hdr says of the checksum is checked
 * against the longer frame and kept as positions in the buffer, so that afterwards the checksum may start before the
 * frame's first byte, or lie beyond its last: states no virtio_net_hdr can express.
 */
import {
  alu,
  assemble,
  call,
  exit,
  HELPER,
  load,
  move,
  negate,
  set,
  skipIf,
  skipIfNumber,
} from "../bpf/assemble.ts";
import { attachXdp, type BpfLink } from "../bpf/attach.ts";
import { BPF_PROG_TYPE } from "../bpf/constants.ts";
import { BpfProgram } from "../bpf/program.ts";

/** Bytes in front of the frame: an Ethernet header of ours, and how many bytes are cut from the end (u32 at 16). */
export const FRONT = 32;
const CUT_OFF = 16;
const XDP_FLAGS_SKB_MODE = 2;
const XDP_DROP = 1;
const XDP_PASS = 2;
/** Destination and source are any; EtherType: local experiment. */
const ETHERNET: Uint8Array = Uint8Array.of(2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5);

const [R0, R1, R2, R3, R4, R6, R7] = [0, 1, 2, 3, 4, 6, 7] as const;

const TEXT: Uint8Array = assemble(
  move(R6, R1),
  load(4, R2, R1, 0), // data
  load(4, R3, R1, 4), // data_end
  move(R4, R2),
  alu("add", R4, FRONT),
  skipIf(R4, ">", R3, 11),
  load(4, R7, R2, CUT_OFF),
  set(R2, FRONT),
  call(HELPER.xdp_adjust_head),
  skipIfNumber(R0, "!=", 0, 7),
  move(R1, R6),
  move(R2, R7),
  negate(R2),
  call(HELPER.xdp_adjust_tail),
  skipIfNumber(R0, "!=", 0, 2),
  set(R0, XDP_PASS),
  exit(),
  set(R0, XDP_DROP),
  exit(),
);

/** Attach it to a link; it lasts as long as the link's descriptor. */
export function cutEnds(ifindex: number): BpfLink {
  const program = new BpfProgram({ type: BPF_PROG_TYPE.XDP, name: "cut_ends", text: TEXT });
  const link = attachXdp(program, ifindex, XDP_FLAGS_SKB_MODE);
  program.close();
  return link;
}

/** Write what comes in front of a frame. @param cut - bytes taken from the end */
export function writeFront(bytes: Uint8Array, cut: number): void {
  bytes.fill(0, 0, FRONT);
  bytes.set(ETHERNET);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(CUT_OFF, cut, true);
}
