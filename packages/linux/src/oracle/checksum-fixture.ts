/** In the fixture's process: frames with a virtio_net_hdr in, the kernel's own checksums out. */
import { readFileSync } from "node:fs";
import { LinuxError } from "../errors.ts";
import { RecordWriter, records } from "../fixture/records.ts";
import { FRONT, writeFront } from "./ends-cut.ts";
import type { Handler } from "./handlers.ts";
import { TwoTaps } from "./two-taps.ts";

const VNET_HDR = 10;
/** Before a question's frame: how many bytes are cut from the end (i32; negative: by the first tap), the header. */
export const QUESTION_HEAD: number = 4 + VNET_HDR;
const MAX_FRAME = 65536 + 64;
const ETH_ALEN = 6;
/** Frames written before what returned is read: below the queue of the second tap. */
const CHUNK = 512;
/** A frame that has not returned by then is lost; what is forwarded is there before write() returns. */
const LOST_MS = 20;

/** Number of a frame in an answer: not refused, not returned. Below every errno. */
export const LOST = -10000;
/** Number of a frame in an answer: the second tap counts it as not sent. */
export const DROPPED = -10001;

/** Answers with, per frame: i32 0 and the frame, a negative errno, {@link DROPPED} or {@link LOST}. */
export function checksumFixture(): Handler {
  const taps = new TwoTaps({ vnetHdrSize: VNET_HDR, cutting: true });
  const out = new RecordWriter();
  const received = new Uint8Array(VNET_HDR + MAX_FRAME);
  const scratch = new Uint8Array(VNET_HDR + MAX_FRAME);
  let next = 1;
  let dropped = taps.dropped();

  // the kernel warns, once, of a checksum that starts outside its packet
  const fatal = panicOnWarn();

  const send = (question: Uint8Array, number: number): number => {
    const cut = new DataView(question.buffer, question.byteOffset).getInt32(0, true);
    if (cut >= 0 && fatal)
      throw new LinuxError("EPERM", "kernel.panic_on_warn is set: this question would end it");
    const front = cut < 0 ? 0 : FRONT;
    const frame = question.subarray(QUESTION_HEAD);
    scratch.set(question.subarray(4, QUESTION_HEAD));
    if (cut >= 0) writeFront(scratch.subarray(VNET_HDR), cut);
    scratch.set(frame, VNET_HDR + front);
    if (frame.length >= 2 * ETH_ALEN) taps.number(scratch.subarray(VNET_HDR + front), number);
    const length = VNET_HDR + front + frame.length + Math.max(cut, 0);
    return (cut < 0 ? taps.first : taps.cutting!).write(scratch, length);
  };

  /** Nothing says which frames were dropped: where others vanished, those that are missing are sent once more, alone. */
  const isDropped = (question: Uint8Array): boolean => {
    send(question, next++);
    const before = dropped;
    dropped = taps.dropped();
    return dropped > before;
  };

  const runChunk = (questions: readonly Uint8Array[]): void => {
    const first = next;
    next += questions.length;
    const status = new Int32Array(questions.length).fill(LOST);
    const returned: (Uint8Array | undefined)[] = new Array(questions.length);
    let expected = 0;
    for (const [i, question] of questions.entries()) {
      const result = send(question, first + i);
      if (result < 0) status[i] = result;
      else expected++;
    }
    const read = (): void => {
      for (let n = taps.second.read(received); n >= 0; n = taps.second.read(received)) {
        const frame = received.slice(VNET_HDR, n);
        const i = taps.numberOf(frame) - first;
        if (i < 0 || i >= questions.length || status[i] !== LOST) continue;
        frame.set(questions[i]!.subarray(QUESTION_HEAD, QUESTION_HEAD + 2 * ETH_ALEN));
        status[i] = 0;
        returned[i] = frame;
        expected--;
      }
    };
    read();
    if (expected > 0) {
      const before = dropped;
      dropped = taps.dropped();
      if (dropped - before !== expected) while (expected > 0 && taps.wait(LOST_MS)) read();
      const all = dropped - before === expected;
      for (const [i, s] of status.entries())
        if (s === LOST && (all || isDropped(questions[i]!))) status[i] = DROPPED;
    }
    for (let i = 0; i < questions.length; i++) out.pushNumbered(status[i]!, returned[i] ?? EMPTY);
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

function panicOnWarn(): boolean {
  try {
    return readFileSync("/proc/sys/kernel/panic_on_warn", "utf8").trim() !== "0";
  } catch {
    return false;
  }
}

const EMPTY: Uint8Array = new Uint8Array(0);
