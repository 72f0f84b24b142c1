/** In the fixture's process: frames with a virtio_net_hdr in, the kernel's own checksums out. */
import { RecordWriter, records } from "../fixture/records.ts";
import type { Handler } from "./handlers.ts";
import { TwoTaps } from "./two-taps.ts";

const VNET_HDR = 10;
const MAX_FRAME = 65536 + 64;
const ETH_ALEN = 6;
/** Frames written before what returned is read: below the queue of the second tap. */
const CHUNK = 512;
/** A frame that has not returned by then is lost; what is forwarded is there before write() returns. */
const LOST_MS = 20;

/** Number of a frame in an answer: not refused, not returned. Below every errno. */
export const LOST = -10000;

/** Answers with, per frame: i32 0 and the frame, a negative errno, or {@link LOST}. */
export function checksumFixture(): Handler {
  const taps = new TwoTaps({ vnetHdrSize: VNET_HDR });
  const out = new RecordWriter();
  const received = new Uint8Array(VNET_HDR + MAX_FRAME);
  const scratch = new Uint8Array(VNET_HDR + MAX_FRAME);
  let next = 1;

  const runChunk = (frames: readonly Uint8Array[]): void => {
    const first = next;
    next += frames.length;
    const status = new Int32Array(frames.length).fill(LOST);
    const returned: (Uint8Array | undefined)[] = new Array(frames.length);
    let expected = 0;
    for (const [i, frame] of frames.entries()) {
      scratch.set(frame);
      if (frame.length >= VNET_HDR + 2 * ETH_ALEN)
        taps.number(scratch.subarray(VNET_HDR, frame.length), first + i);
      const result = taps.first.write(scratch, frame.length);
      if (result < 0) status[i] = result;
      else expected++;
    }
    while (expected > 0) {
      const length = taps.second.read(received);
      if (length < 0) {
        if (!taps.wait(LOST_MS)) break;
        continue;
      }
      const frame = received.slice(VNET_HDR, length);
      const i = taps.numberOf(frame) - first;
      if (i < 0 || i >= frames.length || status[i] !== LOST) continue;
      frame.set(frames[i]!.subarray(VNET_HDR, VNET_HDR + 2 * ETH_ALEN));
      status[i] = 0;
      returned[i] = frame;
      expected--;
    }
    for (let i = 0; i < frames.length; i++) out.pushNumbered(status[i]!, returned[i] ?? EMPTY);
  };

  return (_request, bytes) => {
    out.clear();
    let chunk: Uint8Array[] = [];
    for (const record of records(bytes)) {
      chunk.push(record);
      if (chunk.length < CHUNK) continue;
      runChunk(chunk);
      chunk = [];
    }
    runChunk(chunk);
    return { json: {}, bytes: out.finish() };
  };
}

const EMPTY: Uint8Array = new Uint8Array(0);
