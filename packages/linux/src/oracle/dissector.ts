/** The kernel's flow dissector as an oracle. */
import { errnoName } from "../errno.ts";
import { Fixture } from "../fixture/fixture.ts";
import { RecordWriter, records } from "../fixture/records.ts";

/** What the kernel found in a frame. */
export type KernelDissection =
  | {
      readonly outcome: "dissected";
      /** Where the payload begins, bytes from the Ethernet header; skb_get_poff. */
      readonly poff: number;
      /**
       * The flow hash, under a key that is random per boot: equal for equal flows of one run, and for nothing else.
       * 0: the packet has no flow.
       */
      readonly hash: number;
    }
  | { readonly outcome: "refused"; readonly errno: string };

/** The answers to one batch. */
export interface KernelDissectBatch {
  /** `uname -r` of the kernel that answered. */
  readonly kernel: string;
  readonly results: readonly KernelDissection[];
}

/** skb_get_poff and skb_get_hash of the running kernel, read through classic BPF filters on a tap. */
export class KernelDissector {
  readonly #fixture: Fixture;
  readonly #writer: RecordWriter = new RecordWriter();

  private constructor(fixture: Fixture) {
    this.#fixture = fixture;
  }

  /** Make the fixture; throws {@link LinuxError} (EPERM without root, ENOENT without /dev/net/tun). */
  static async open(): Promise<KernelDissector> {
    return new KernelDissector(await Fixture.start({ kind: "dissect" }));
  }

  /** `uname -r`. */
  get kernel(): string {
    return this.#fixture.kernel;
  }

  /** Add a frame of at least 17 bytes to the next batch; it is copied. A shorter one is refused with EINVAL. */
  add(frame: Uint8Array): void {
    this.#writer.push(frame);
  }

  /** Let the kernel look at what was added. */
  async run(): Promise<KernelDissectBatch> {
    const request = this.#fixture.request({}, this.#writer.finish());
    this.#writer.clear();
    const { bytes } = await request;
    const results: KernelDissection[] = [];
    for (const record of records(bytes)) {
      const view = new DataView(record.buffer, record.byteOffset, record.length);
      const status = view.getInt32(0, true);
      if (status < 0) results.push({ outcome: "refused", errno: errnoName(-status) });
      else
        results.push({
          outcome: "dissected",
          poff: view.getUint32(4, true),
          hash: view.getUint32(8, true),
        });
    }
    return { kernel: this.#fixture.kernel, results };
  }

  /** End the fixture's process. */
  close(): Promise<void> {
    return this.#fixture.close();
  }
}
