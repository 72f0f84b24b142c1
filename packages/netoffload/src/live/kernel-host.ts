/** `verify --kernel live`: the running kernel's own C in the place of its programs on this CPU. */
import { type HostPrograms, hostPrograms } from "@netoffload/csum";
import { KernelChecksumSync, LinuxError } from "@netoffload/linux";
import { CHECKSUM_COMPLETE, CHECKSUM_NONE, CHECKSUM_PARTIAL, type Memory, SkBuff } from "@netoffload/skbuff";
import { facilityError } from "../cli/exit.ts";
import type { VerifyReport } from "../report.ts";

const EINVAL = 22;
const EIO = 5;
/** Longest frame that a tap and its MTU take, and what is put around the bytes that are asked about. */
const MAX_FRAME = 65_535;
const PROBE_BYTES = 22;
/** An Ethernet header of ours goes before each packet, so that any link type is a frame: EtherType for experiments. */
const CARRIER: Uint8Array = Uint8Array.of(2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5);

/** The kernel behind a tap, as host programs. */
export class LiveKernelHost {
  readonly #kernel: KernelChecksumSync;
  #asked = 0;
  #notAsked = 0;

  constructor(kernel: KernelChecksumSync) {
    this.#kernel = kernel;
  }

  /** The host programs over one memory. */
  bind(memory: Memory): HostPrograms {
    const programs = hostPrograms(memory);
    const skb = new SkBuff(memory, 0);
    return {
      txCsum: (address) => this.#help(skb.at(address)) ?? this.#standIn(programs.txCsum, address),
      rxCsum: (address) => this.#sum(skb.at(address)) ?? this.#standIn(programs.rxCsum, address),
    };
  }

  /** What the summary says of it; packets longer than a tap takes and SCTP's CRC cannot be put to it. */
  report(): NonNullable<VerifyReport["live_kernel"]> {
    return { release: this.#kernel.kernel, asked: this.#asked, not_asked: this.#notAsked };
  }

  close(): void {
    this.#kernel.close();
  }

  #standIn(program: (skb: number) => number, address: number): number {
    this.#notAsked++;
    return program(address);
  }

  /** skb_checksum_help. @returns 0, a negative errno, or null: it cannot be asked */
  #help(skb: SkBuff): number | null {
    if (skb.ipSummed !== CHECKSUM_PARTIAL || skb.csumNotInet !== 0) return null;
    if (skb.len + CARRIER.length > MAX_FRAME || skb.isGso) return null;
    const start = skb.checksumStartOffset;
    const packet = new Uint8Array(CARRIER.length + skb.len);
    packet.set(CARRIER);
    packet.set(skb.toBytes(), CARRIER.length);
    const field = CARRIER.length + start + skb.csumOffset;
    if (start + CARRIER.length < 20) return null;
    this.#asked++;
    const result = this.#kernel.help(packet, CARRIER.length + start, skb.csumOffset);
    if (result.outcome !== "returned") return result.outcome === "refused" ? -EINVAL : -EIO;
    const check = result.frame.slice(field, field + 2);
    packet.set(check, field);
    if (Buffer.compare(packet, result.frame) !== 0) return -EIO;
    skb.memory.bytes.set(check, skb.data + start + skb.csumOffset);
    skb.ipSummed = CHECKSUM_NONE;
    return 0;
  }

  /** CHECKSUM_COMPLETE's sum. @returns 0, or null: it cannot be asked */
  #sum(skb: SkBuff): number | null {
    if (skb.len + PROBE_BYTES > MAX_FRAME) return null;
    const sum = this.#kernel.sum(skb.toBytes());
    if (sum === null) return null;
    this.#asked++;
    skb.csum = sum;
    skb.ipSummed = CHECKSUM_COMPLETE;
    return 0;
  }
}

/** Open it, or exit code 3 with how to get what is missing. */
export function openLiveKernel(): LiveKernelHost {
  try {
    return new LiveKernelHost(new KernelChecksumSync());
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    throw facilityError(`--kernel live: ${error.message}\nsee: netoffload live status`);
  }
}
