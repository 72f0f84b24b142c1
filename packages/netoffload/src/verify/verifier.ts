/**
 * Drives captured frames through a model device and compares three sides. Frames are staged in the host memory
 * and worked on in batches: transmit first, then (partial checksums filled in) receive.
 */
import { PacketChecker } from "@netoffload/csum";
import type { Npu } from "@netoffload/nic-model";
import type { Memory } from "@netoffload/skbuff";
import { judge, type OracleAnswer } from "../../test/ref/oracle.ts";
import type { ExecDevice } from "../exec-device.ts";
import { newOffloadReport, type OffloadName, type OffloadReport } from "../report.ts";
import type { Mismatch, MismatchKind } from "./mismatch.ts";
import type { Pipeline } from "./pipeline.ts";
import { Receive } from "./receive.ts";
import { l2LengthOf } from "./target.ts";
import { Transmit } from "./transmit.ts";

/** Frames of one batch; the device's ring has room for more. */
export const BATCH = 256;
const STAGE_BYTES = 4 << 20;

/** One staged frame. */
export interface Staged {
  /** 1-based number in its file. */
  packet: number;
  wireLength: number;
  linkType: number;
  /** Captured bytes, a view of the host memory. */
  frame: Uint8Array;
  /** The slow oracle's answer. */
  answer: OracleAnswer;
}

/** Options of a {@link Verifier}. */
export interface VerifierOptions {
  /** Told of each mismatch. */
  readonly onMismatch?: (mismatch: Mismatch) => void;
  /** Only these offloads. */
  readonly offloads?: readonly OffloadName[];
  /** A device behind a pipe in place of the pipeline's own; it has no hash, so its state is LEGACY. */
  readonly exec?: ExecDevice;
}

/** Bytes as hex, long ones cut. */
export function shown(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.subarray(0, 2048)).toString("hex");
  return bytes.length > 2048 ? `${hex}...(${bytes.length} bytes)` : hex;
}

const NOTHING: OracleAnswer = { checksums: [], stop: "no_l4" };

/** One run over any number of captures. */
export class Verifier {
  readonly pipeline: Pipeline;
  readonly memory: Memory;
  readonly checker: PacketChecker;
  /** Counts by offload. */
  readonly reports: Partial<Record<OffloadName, OffloadReport>> = {};
  /** Name of the capture, for mismatches. */
  file = "";
  packets = 0;
  bytes = 0;
  mismatches = 0;
  readonly #onMismatch: (mismatch: Mismatch) => void;
  readonly #transmit: Transmit | null;
  readonly #receive: Receive | null;
  readonly #exec: ExecDevice | null;
  readonly #stage: number;
  readonly #batch: Staged[] = [];
  #count = 0;
  #used = 0;

  constructor(pipeline: Pipeline, options: VerifierOptions = {}) {
    this.pipeline = pipeline;
    this.memory = pipeline.memory;
    this.checker = new PacketChecker({ memory: pipeline.memory });
    this.#onMismatch = options.onMismatch ?? (() => undefined);
    this.#stage = pipeline.memory.alloc(STAGE_BYTES + 64);
    this.#exec = options.exec ?? null;
    const wanted = options.offloads ?? ["tx_csum", "rx_csum"];
    for (const offload of wanted)
      this.reports[offload] = newOffloadReport(
        this.#exec === null ? pipeline.state(offload) : { state: "LEGACY" },
        pipeline.kernelHash(offload),
        this.#exec === null ? pipeline.deviceHash(offload) : null,
      );
    this.#transmit = wanted.includes("tx_csum") ? new Transmit(this, this.reports.tx_csum!) : null;
    this.#receive = wanted.includes("rx_csum") ? new Receive(this, this.reports.rx_csum!) : null;
  }

  /** Must {@link flush} be called before such a frame is taken? */
  isFull(bytes: number, linkType: number): boolean {
    if (this.#count === 0) return false;
    return (
      this.#count === BATCH || this.#used + bytes + 96 > STAGE_BYTES || this.#batch[0]!.linkType !== linkType
    );
  }

  /**
   * Take one frame, unless {@link isFull}; its bytes are copied.
   * @param wireLength - bytes it had on the wire; fewer than were captured cannot be
   * @param packet - 1-based number in its file
   */
  push(frame: Uint8Array, linkType: number, wireLength: number, packet: number): void {
    this.packets++;
    this.bytes += frame.length;
    // like alignments copy fast everywhere
    const at = ((this.#stage + this.#used + 15) & ~15) + (frame.byteOffset & 15);
    const length = Math.min(frame.length, STAGE_BYTES - 96);
    this.memory.bytes.set(length === frame.length ? frame : frame.subarray(0, length), at);
    this.#used = at + length - this.#stage;
    let staged = this.#batch[this.#count];
    if (staged === undefined)
      this.#batch.push((staged = { packet, wireLength, linkType, frame, answer: NOTHING }));
    this.#count++;
    staged.packet = packet;
    staged.wireLength = Math.max(wireLength, frame.length);
    staged.linkType = linkType;
    staged.frame = this.memory.bytes.subarray(at, at + length);
    staged.answer = judge(staged.frame, linkType, staged.wireLength);
  }

  /** Drive what is staged. Call it once more at the end. */
  async flush(): Promise<void> {
    const n = this.#count;
    if (n === 0) return;
    const l2 = l2LengthOf(this.#batch[0]!.linkType);
    this.pipeline.driver.l2Length = l2;
    if (this.#exec !== null) {
      await this.#transmit?.runExec(this.#batch, n, this.#exec);
      await this.#receive?.runExec(this.#batch, n, l2, this.#exec);
    } else this.#drive(n, l2);
    this.#count = 0;
    this.#used = 0;
  }

  #drive(n: number, l2: number): void {
    const { npu } = this.pipeline.device;
    const before = instructions(npu);
    this.#transmit?.run(this.#batch, n);
    const between = instructions(npu);
    this.#receive?.run(this.#batch, n, l2);
    if (this.reports.tx_csum) this.reports.tx_csum.device_instructions += between - before;
    if (this.reports.rx_csum) this.reports.rx_csum.device_instructions += instructions(npu) - between;
  }

  /** Count and tell a mismatch. */
  mismatch(
    report: OffloadReport,
    offload: OffloadName,
    kind: MismatchKind,
    staged: Staged,
    sides: { readonly device: string; readonly kernel: string; readonly detail?: string },
  ): void {
    report.mismatches++;
    this.mismatches++;
    this.#onMismatch({
      mismatch: offload,
      kind,
      file: this.file,
      packet: staged.packet,
      captured: shown(staged.frame),
      ...sides,
    });
  }
}

const instructions = (npu: Npu | null): number => npu?.instructions ?? 0;
