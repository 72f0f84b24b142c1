/** The kernel's checksums one at a time, without a promise. */
import { RecordWriter, records } from "../fixture/records.ts";
import { SyncFixture } from "../fixture/sync-fixture.ts";
import {
  type KernelChecksumResult,
  type KernelChecksumRoute,
  readResult,
  writeQuestion,
} from "./checksum.ts";
import { readSum, sumProbe } from "./sum-probe.ts";

/** As {@link KernelChecksum}, for a caller that cannot wait: each question is a round trip to the fixture's process. */
export class KernelChecksumSync {
  readonly #fixture: SyncFixture;
  readonly #writer: RecordWriter = new RecordWriter();

  /** Make the fixture; throws {@link LinuxError} (EPERM without root, ENOENT without /dev/net/tun). */
  constructor() {
    this.#fixture = new SyncFixture({ kind: "checksum" });
  }

  /** `uname -r`. */
  get kernel(): string {
    return this.#fixture.kernel;
  }

  /** skb_checksum_help of one frame; arguments as of {@link KernelChecksum.add}. */
  help(
    frame: Uint8Array,
    csumStart: number,
    csumOffset: number,
    route: KernelChecksumRoute = "tap",
  ): KernelChecksumResult {
    this.#writer.clear();
    writeQuestion(this.#writer, frame, csumStart, csumOffset, route);
    const { bytes } = this.#fixture.request({}, this.#writer.finish());
    const [record] = records(bytes);
    return record === undefined ? { outcome: "lost" } : readResult(record);
  }

  /**
   * The kernel's sum over bytes, little-endian words, folded: 0 only of zeros.
   * @returns null: too many bytes for a frame, or the frame did not return
   */
  sum(bytes: Uint8Array): number | null {
    const { frame, csumStart, csumOffset } = sumProbe(bytes);
    const result = this.help(frame, csumStart, csumOffset);
    return result.outcome === "returned" ? readSum(result.frame, bytes) : null;
  }

  /** End the fixture's process. */
  close(): void {
    this.#fixture.close();
  }
}
