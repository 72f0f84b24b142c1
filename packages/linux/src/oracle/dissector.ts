/** The kernel's flow dissector as an oracle. */
import type { ParserCode } from "../bpf/parser.ts";
import { errnoName } from "../errno.ts";
import { Fixture } from "../fixture/fixture.ts";
import { RecordWriter, records } from "../fixture/records.ts";
import type { DissectQuestion } from "./dissect-fixture.ts";

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

/** All that the kernel's flow dissector found in a frame. */
export type KernelFlowKeys =
  | {
      readonly outcome: "dissected";
      /**
       * struct flow_keys, 80 bytes; {@link FLOW_KEYS} says where its parts lie. The smaller of the two addresses comes
       * first, as does the smaller of the two ports: that is how they are hashed. A view of the answer's bytes.
       */
      readonly keys: Uint8Array;
      /** As of {@link KernelDissection}. */
      readonly hash: number;
    }
  | { readonly outcome: "refused"; readonly errno: string };

/** What a flow dissector program made of a frame. */
export type KernelProgramKeys =
  | {
      readonly outcome: "run";
      /** BPF_OK 0, BPF_DROP 2, BPF_FLOW_DISSECTOR_CONTINUE 129. */
      readonly retval: number;
      /** struct bpf_flow_keys, 56 bytes, clamped as the kernel does around the program. */
      readonly keys: Uint8Array;
    }
  | { readonly outcome: "refused"; readonly errno: string };

/** How the oracle is made. */
export interface KernelDissectorOptions {
  /** A flow dissector program, for {@link KernelDissector.testRun}. */
  readonly program?: Pick<ParserCode, "name" | "text" | "relocations">;
  /** The program is the flow dissector of the oracle's namespace, in the place of the kernel's C; default false. */
  readonly attach?: boolean;
}

/**
 * The flow dissector of the running kernel: skb_get_poff and skb_get_hash, read through classic BPF filters on a tap;
 * struct flow_keys as the flow hash sees it; and programs that take its place.
 */
export class KernelDissector {
  readonly #fixture: Fixture;
  readonly #writer: RecordWriter = new RecordWriter();

  private constructor(fixture: Fixture) {
    this.#fixture = fixture;
  }

  /**
   * Make the fixture; throws {@link LinuxError} (EPERM without root, ENOENT without /dev/net/tun, what the verifier
   * says of a program).
   */
  static async open(options: KernelDissectorOptions = {}): Promise<KernelDissector> {
    const { program, attach = false } = options;
    const text = program === undefined ? "" : Buffer.from(program.text).toString("base64");
    const spec = program === undefined ? {} : { program: { ...program, text } };
    return new KernelDissector(await Fixture.start({ kind: "dissect", attach, ...spec }));
  }

  /** `uname -r`. */
  get kernel(): string {
    return this.#fixture.kernel;
  }

  /** Add a frame to the next batch; it is copied. */
  add(frame: Uint8Array): void {
    this.#writer.push(frame);
  }

  /** poff and hash of what was added. A frame of less than 17 bytes is refused with EINVAL. */
  async run(): Promise<KernelDissectBatch> {
    const results: KernelDissection[] = [];
    for (const { status, view } of await this.#ask("sockets")) {
      if (status < 0) results.push({ outcome: "refused", errno: errnoName(-status) });
      else
        results.push({
          outcome: "dissected",
          poff: view.getUint32(4, true),
          hash: view.getUint32(8, true),
        });
    }
    return { kernel: this.kernel, results };
  }

  /**
   * struct flow_keys of what was added, FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL being set. Refused: EINVAL for a frame
   * without a whole IPv4 or IPv6 header behind such a type, E2BIG above {@link MOST_PROBED} bytes, EAGAIN when the
   * kernel was disturbed time and again; on other machines than those of 64 bits and by other compilers all may be
   * refused with ENODATA.
   */
  async flowKeys(): Promise<{ readonly kernel: string; readonly results: readonly KernelFlowKeys[] }> {
    const results = (await this.#ask("keys")).map(({ status, view, record }): KernelFlowKeys => {
      if (status < 0) return { outcome: "refused", errno: errnoName(-status) };
      return { outcome: "dissected", hash: view.getUint32(4, true), keys: record.subarray(8) };
    });
    return { kernel: this.kernel, results };
  }

  /**
   * Run the program of the options on what was added, attached or not.
   * @param flags - FLOW_DISSECTOR_F_* that it is given. Frames of less than 14 bytes are refused with EINVAL
   */
  async testRun(
    flags = 0,
  ): Promise<{ readonly kernel: string; readonly results: readonly KernelProgramKeys[] }> {
    const results = (await this.#ask("program", flags)).map(({ status, view, record }): KernelProgramKeys => {
      if (status < 0) return { outcome: "refused", errno: errnoName(-status) };
      return { outcome: "run", retval: view.getUint32(4, true), keys: record.subarray(8) };
    });
    return { kernel: this.kernel, results };
  }

  /** End the fixture's process. */
  close(): Promise<void> {
    return this.#fixture.close();
  }

  async #ask(
    question: DissectQuestion,
    flags = 0,
  ): Promise<{ status: number; view: DataView; record: Uint8Array }[]> {
    const request = this.#fixture.request({ question, flags }, this.#writer.finish());
    this.#writer.clear();
    const { bytes } = await request;
    return [...records(bytes)].map((record) => {
      const view = new DataView(record.buffer, record.byteOffset, record.length);
      return { status: view.getInt32(0, true), view, record };
    });
  }
}
