/** The kernel's own checksum help as an oracle. */
import { errnoName } from "../errno.ts";
import { Fixture } from "../fixture/fixture.ts";
import { RecordWriter, records } from "../fixture/records.ts";
import { DROPPED, LOST, QUESTION_HEAD } from "./checksum-fixture.ts";
import { FRONT } from "./ends-cut.ts";

/** What became of a frame. */
export type KernelChecksumResult =
  /** It came out of the second tap. `frame` is a view of the answer's bytes. */
  | { readonly outcome: "returned"; readonly frame: Uint8Array }
  /** It was to be sent and was not, since its checksum could not be computed: the second tap counts such packets. */
  | { readonly outcome: "dropped" }
  /** The kernel refused the write. */
  | { readonly outcome: "refused"; readonly errno: string }
  /** None of these: it vanished on its way. */
  | { readonly outcome: "lost" };

/** The answers to one batch. */
export interface KernelChecksumBatch {
  /** `uname -r` of the kernel that answered. */
  readonly kernel: string;
  /** In the order of the questions. */
  readonly results: readonly KernelChecksumResult[];
  readonly returned: number;
  readonly dropped: number;
  readonly refused: number;
  readonly lost: number;
}

/**
 * How the kernel comes to know what is asked for. `tap`: by a virtio_net_hdr, whose fields the tap checks. `skb`: the
 * fields are what they are when skb_checksum_help looks at them, so that it alone judges them: a csum_start from
 * {@link LEAST_SKB_START} to -1, or from 12 on (the addresses before are the fixture's own on their way), and one or a
 * field that lies beyond the frame. Kernel quirk: on a tagged frame, a csum_start before its byte 18 is forgotten
 * when the tag is taken off.
 */
export type KernelChecksumRoute = "tap" | "skb";
/** Lowest csum_start on route `skb`, bytes from the frame's first. */
export const LEAST_SKB_START: number = 20 - FRONT;
/** What frame, and checksum field behind it, may take together on route `skb`, bytes. */
export const MAX_SKB_REACH: number = 65535 - FRONT;

/**
 * skb_checksum_help of the running kernel: a frame with a virtio_net_hdr goes into a tap, over a bridge, and out of
 * a second tap that offers no offload, so that what comes back is what the kernel computed.
 */
export class KernelChecksum {
  readonly #fixture: Fixture;
  readonly #writer: RecordWriter = new RecordWriter();

  private constructor(fixture: Fixture) {
    this.#fixture = fixture;
  }

  /** Make the fixture; throws {@link LinuxError} (EPERM without root, ENOENT without /dev/net/tun). */
  static async open(): Promise<KernelChecksum> {
    return new KernelChecksum(await Fixture.start({ kind: "checksum" }));
  }

  /** `uname -r`. */
  get kernel(): string {
    return this.#fixture.kernel;
  }

  /**
   * Add a frame to the next batch; it is copied.
   * @param frame - from its Ethernet header; its addresses may be any, they come back as they were
   * @param csumStart - first byte summed, bytes from the frame's start; negative by `tap`: nothing is asked for
   * @param csumOffset - of the field, bytes from csumStart; the field holds the pseudo-header sum
   */
  add(frame: Uint8Array, csumStart: number, csumOffset: number, route: KernelChecksumRoute = "tap"): void {
    writeQuestion(this.#writer, frame, csumStart, csumOffset, route);
  }

  /** Let the kernel judge what was added. */
  async run(): Promise<KernelChecksumBatch> {
    const request = this.#fixture.request({}, this.#writer.finish());
    this.#writer.clear();
    const { bytes } = await request;
    const results: KernelChecksumResult[] = [];
    const count = { returned: 0, dropped: 0, refused: 0, lost: 0 };
    for (const record of records(bytes)) {
      const result = readResult(record);
      results.push(result);
      count[result.outcome]++;
    }
    return { kernel: this.#fixture.kernel, results, ...count };
  }

  /** End the fixture's process. */
  close(): Promise<void> {
    return this.#fixture.close();
  }
}

/** A question as the fixture reads it: bytes to cut from the end (-1: by the first tap), virtio_net_hdr, frame. */
export function writeQuestion(
  writer: RecordWriter,
  frame: Uint8Array,
  csumStart: number,
  csumOffset: number,
  route: KernelChecksumRoute = "tap",
): void {
  const head = new Uint8Array(QUESTION_HEAD);
  const view = new DataView(head.buffer);
  const front = route === "skb" ? FRONT : 0;
  const start = csumStart + front;
  // the tap must find start and field within what it is given
  view.setInt32(0, route === "skb" ? Math.max(0, csumStart + csumOffset + 2 - frame.length) : -1, true);
  if (route === "skb" || csumStart >= 0) {
    head[4] = 1;
    view.setUint16(10, start, true);
    view.setUint16(12, csumOffset, true);
  }
  writer.push(head, frame);
}

/** An answer of the fixture. */
export function readResult(record: Uint8Array): KernelChecksumResult {
  const status = new DataView(record.buffer, record.byteOffset, record.length).getInt32(0, true);
  if (status === 0) return { outcome: "returned", frame: record.subarray(4) };
  if (status === DROPPED) return { outcome: "dropped" };
  return status === LOST ? { outcome: "lost" } : { outcome: "refused", errno: errnoName(-status) };
}
