/** The kernel's GRO as an oracle. */
import { LinuxError } from "../errors.ts";
import { Fixture } from "../fixture/fixture.ts";
import { RecordWriter, records } from "../fixture/records.ts";
import { MAX_BURST } from "./coalesce-fixture.ts";

const VNET_HDR = 10;

/** A packet as GRO handed it to the stack. */
export interface CoalescedPacket {
  /** 10 bytes, little endian. Of a UDP tunnel it names the inner packet: packet sockets have no tunnel fields. */
  readonly virtioNetHdr: Uint8Array;
  readonly frame: Uint8Array;
}

/** What became of a burst. */
export interface CoalescedBurst {
  /** In the order of delivery. */
  readonly packets: readonly CoalescedPacket[];
  /** How often the burst was sent until two runs agreed: 2, or more where a jiffy split it. */
  readonly runs: number;
  /** False: no two runs agreed; `packets` are those of the last one. */
  readonly agreed: boolean;
}

/** The answers to one batch. */
export interface KernelCoalesceBatch {
  /** `uname -r` of the kernel that answered. */
  readonly kernel: string;
  readonly results: readonly CoalescedBurst[];
}

/** How the receiving interface is set up. */
export interface KernelCoalescerOptions {
  /** Features by the kernel's names, `rx-udp-gro-forwarding` or `rx-gro-list` for example. */
  readonly features?: Readonly<Record<string, boolean>>;
}

/**
 * GRO of the running kernel: a burst goes into one end of a veth pair, NAPI with gro_flush_timeout polls the other,
 * and a packet socket with PACKET_VNET_HDR reads what it delivers.
 */
export class KernelCoalescer {
  readonly #fixture: Fixture;
  readonly #writer: RecordWriter = new RecordWriter();

  private constructor(fixture: Fixture) {
    this.#fixture = fixture;
  }

  /** Make the fixture; throws {@link LinuxError} (EPERM without root). */
  static async open(options: KernelCoalescerOptions = {}): Promise<KernelCoalescer> {
    return new KernelCoalescer(await Fixture.start({ kind: "coalesce", features: options.features ?? {} }));
  }

  /** `uname -r`. */
  get kernel(): string {
    return this.#fixture.kernel;
  }

  /**
   * Add a burst to the next batch; the frames are copied.
   * @param frames - from their Ethernet headers, at most 60: what one poll takes
   */
  add(frames: readonly Uint8Array[]): void {
    if (frames.length > MAX_BURST)
      throw new LinuxError("EINVAL", `a burst of ${frames.length} frames: at most ${MAX_BURST}`);
    const burst = new RecordWriter();
    for (const frame of frames) burst.push(frame);
    this.#writer.push(burst.finish());
  }

  /** Let the kernel coalesce what was added. */
  async run(): Promise<KernelCoalesceBatch> {
    const request = this.#fixture.request({}, this.#writer.finish());
    this.#writer.clear();
    const { bytes } = await request;
    const results: CoalescedBurst[] = [];
    for (const record of records(bytes)) {
      const runs = new DataView(record.buffer, record.byteOffset, record.length).getInt32(0, true);
      const packets = [...records(record.subarray(4))].map((packet) => ({
        virtioNetHdr: packet.subarray(0, VNET_HDR),
        frame: packet.subarray(VNET_HDR),
      }));
      results.push({ packets, runs: Math.abs(runs), agreed: runs > 0 });
    }
    return { kernel: this.#fixture.kernel, results };
  }

  /** End the fixture's process. */
  close(): Promise<void> {
    return this.#fixture.close();
  }
}
