/** The kernel's software segmentation as an oracle. */
import { errnoName } from "../errno.ts";
import { Fixture } from "../fixture/fixture.ts";
import { RecordWriter, records } from "../fixture/records.ts";
import { SEGMENT_HEADER } from "./segment-fixture.ts";

/** What became of a frame. */
export type KernelSegmentResult =
  /** It left the second tap as these frames, with checksums filled in; views of the answer's bytes. */
  | { readonly outcome: "sent"; readonly segments: readonly Uint8Array[] }
  /** The kernel refused the write: the virtio_net_hdr does not fit the frame. */
  | { readonly outcome: "refused"; readonly errno: string }
  /** Accepted and dropped on its way: segmentation failed. */
  | { readonly outcome: "dropped" };

/** The answers to one batch. */
export interface KernelSegmentBatch {
  /** `uname -r` of the kernel that answered. */
  readonly kernel: string;
  /** UDP tunnel fields of the header were seen (6.17 and later). */
  readonly tunnels: boolean;
  /** In the order of the questions. */
  readonly results: readonly KernelSegmentResult[];
}

/**
 * skb_gso_segment of the running kernel: a frame with a virtio_net_hdr goes into a tap, over a bridge, and out of a
 * second tap that offers no offload.
 */
export class KernelSegmenter {
  readonly #fixture: Fixture;
  readonly #writer: RecordWriter = new RecordWriter();

  private constructor(fixture: Fixture) {
    this.#fixture = fixture;
  }

  /** Make the fixture; throws {@link LinuxError} (EPERM without root, ENOENT without /dev/net/tun). */
  static async open(): Promise<KernelSegmenter> {
    return new KernelSegmenter(await Fixture.start({ kind: "segment" }));
  }

  /** `uname -r`. */
  get kernel(): string {
    return this.#fixture.kernel;
  }

  /**
   * Add a frame to the next batch; it is copied.
   * @param frame - from its Ethernet header; its addresses may be any, they come back as they were
   * @param virtioNetHdr - 10, 12 or 24 bytes, little endian; 24 with the UDP tunnel fields
   */
  add(frame: Uint8Array, virtioNetHdr: Uint8Array): void {
    const header = new Uint8Array(SEGMENT_HEADER);
    header.set(virtioNetHdr.subarray(0, SEGMENT_HEADER));
    this.#writer.push(header, frame);
  }

  /** Let the kernel judge what was added. */
  async run(): Promise<KernelSegmentBatch> {
    const request = this.#fixture.request({}, this.#writer.finish());
    this.#writer.clear();
    const { json, bytes } = await request;
    const results: KernelSegmentResult[] = [];
    for (const record of records(bytes)) {
      const n = new DataView(record.buffer, record.byteOffset, record.length).getInt32(0, true);
      if (n < 0) results.push({ outcome: "refused", errno: errnoName(-n) });
      else if (n === 0) results.push({ outcome: "dropped" });
      else results.push({ outcome: "sent", segments: [...records(record.subarray(4))] });
    }
    const { tunnels } = json as { tunnels: boolean };
    return { kernel: this.#fixture.kernel, tunnels, results };
  }

  /** End the fixture's process. */
  close(): Promise<void> {
    return this.#fixture.close();
  }
}
