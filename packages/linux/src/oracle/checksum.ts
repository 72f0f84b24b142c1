/** The kernel's own checksum help as an oracle. */
import { errnoName } from "../errno.ts";
import { Fixture } from "../fixture/fixture.ts";
import { RecordWriter, records } from "../fixture/records.ts";
import { LOST } from "./checksum-fixture.ts";

/** What became of a frame. */
export type KernelChecksumResult =
  /** It came out of the second tap. `frame` is a view of the answer's bytes. */
  | { readonly outcome: "returned"; readonly frame: Uint8Array }
  /** The kernel refused the write. */
  | { readonly outcome: "refused"; readonly errno: string }
  /** Neither: the kernel dropped it on its way. */
  | { readonly outcome: "lost" };

/** The answers to one batch. */
export interface KernelChecksumBatch {
  /** `uname -r` of the kernel that answered. */
  readonly kernel: string;
  /** In the order of the questions. */
  readonly results: readonly KernelChecksumResult[];
  readonly returned: number;
  readonly refused: number;
  readonly lost: number;
}

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
   * @param csumStart - first byte summed, bytes from the frame's start; negative: nothing is asked for
   * @param csumOffset - of the field, bytes from csumStart; the field holds the pseudo-header sum
   */
  add(frame: Uint8Array, csumStart: number, csumOffset: number): void {
    writeQuestion(this.#writer, frame, csumStart, csumOffset);
  }

  /** Let the kernel judge what was added. */
  async run(): Promise<KernelChecksumBatch> {
    const request = this.#fixture.request({}, this.#writer.finish());
    this.#writer.clear();
    const { bytes } = await request;
    const results: KernelChecksumResult[] = [];
    let [returned, refused, lost] = [0, 0, 0];
    for (const record of records(bytes)) {
      const result = readResult(record);
      results.push(result);
      if (result.outcome === "returned") returned++;
      else if (result.outcome === "lost") lost++;
      else refused++;
    }
    return { kernel: this.#fixture.kernel, results, returned, refused, lost };
  }

  /** End the fixture's process. */
  close(): Promise<void> {
    return this.#fixture.close();
  }
}

/** A question as the fixture reads it: virtio_net_hdr and frame. */
export function writeQuestion(
  writer: RecordWriter,
  frame: Uint8Array,
  csumStart: number,
  csumOffset: number,
): void {
  const header = new Uint8Array(10);
  if (csumStart >= 0) header.set([1, 0, 0, 0, 0, 0, csumStart, csumStart >> 8, csumOffset, csumOffset >> 8]);
  writer.push(header, frame);
}

/** An answer of the fixture. */
export function readResult(record: Uint8Array): KernelChecksumResult {
  const status = new DataView(record.buffer, record.byteOffset, record.length).getInt32(0, true);
  if (status === 0) return { outcome: "returned", frame: record.subarray(4) };
  return status === LOST ? { outcome: "lost" } : { outcome: "refused", errno: errnoName(-status) };
}
