/** The differential run: cases of the matrix to the kernel and to the programs, every difference minimised. */
import { type KernelChecksum, type KernelChecksumResult, readSum, sumProbe } from "@netoffload/linux";
import { type CsumCase, drawCase } from "./csum-case.ts";
import { type CsumCell, csumCells } from "./csum-cell.ts";
import { type CsumAnswer, type CsumSubject, MAX_BATCH_BYTES, MAX_CASES, same } from "./csum-subject.ts";
import { Random } from "./random.ts";

const ETH_HLEN = 14;

/** A case on which programs and kernel differ. */
export interface CsumDifference {
  readonly program: "tx_csum" | "rx_csum";
  readonly what: string;
  readonly case: CsumCase;
  readonly ours: Readonly<Record<string, unknown>>;
  readonly kernel: Readonly<Record<string, unknown>>;
}

/** What a run has done so far. */
export interface CsumTotals {
  /** Cases; each is one packet for tx_csum, and one for rx_csum where no limit of tx_csum is asked for. */
  cases: number;
  /** Packets that the kernel was sent, that returned, that it dropped or refused by an errno, that vanished. */
  sent: number;
  returned: number;
  /** Counted by the interface that was to send them: their checksum could not be computed. */
  dropped: number;
  refused: number;
  lost: number;
  differences: number;
}

/** Kernel and programs, asked the same. */
export class CsumCompare {
  readonly totals: CsumTotals = {
    cases: 0,
    sent: 0,
    returned: 0,
    dropped: 0,
    refused: 0,
    lost: 0,
    differences: 0,
  };
  readonly cells: readonly CsumCell[] = csumCells();
  /** Cases per cell, in the order of {@link cells}. */
  readonly covered: Uint32Array = new Uint32Array(this.cells.length);
  readonly #kernel: KernelChecksum;
  readonly #subject: CsumSubject;
  readonly #random: Random;
  #order: number[] = [];

  constructor(kernel: KernelChecksum, subject: CsumSubject, seed: number) {
    this.#kernel = kernel;
    this.#subject = subject;
    this.#random = new Random(seed);
  }

  /** The next batch: every cell comes once, in random order, before any comes again. */
  draw(most: number = MAX_CASES): CsumCase[] {
    const cases: CsumCase[] = [];
    for (let bytes = 0; cases.length < most && bytes < MAX_BATCH_BYTES - 61_000; ) {
      if (this.#order.length === 0) {
        this.#order = [...this.cells.keys()];
        this.#random.shuffle(this.#order);
      }
      const cell = this.#order.pop()!;
      const drawn = drawCase(this.cells[cell]!, cell, this.#random);
      cases.push(drawn);
      bytes += drawn.frame.length;
    }
    return cases;
  }

  /** Compare a batch. @returns the differences, as found */
  async step(cases: readonly CsumCase[]): Promise<CsumDifference[]> {
    const found = (await this.judge(cases)).filter((d) => d !== null);
    this.totals.cases += cases.length;
    for (const { cell } of cases) if (cell >= 0) this.covered[cell]!++;
    this.totals.differences += found.length;
    return found;
  }

  /** Ask both sides; counts packets but not cases. @returns per case a difference or null */
  async judge(cases: readonly CsumCase[]): Promise<(CsumDifference | null)[]> {
    // the receive program knows no csum_start, so that its packets are those of the cells without a limit
    const probed = new Set<CsumCase>();
    for (const c of cases) {
      this.#kernel.add(c.frame, c.csumStart, c.csumOffset, c.route);
      if (c.cell >= 0 && this.cells[c.cell]!.bound !== "inside") continue;
      addProbe(this.#kernel, c.frame.subarray(ETH_HLEN));
      probed.add(c);
    }
    const answering = this.#kernel.run();
    const ours = this.#subject.run(cases);
    const { results, returned, dropped, refused, lost } = await answering;
    this.totals.sent += results.length;
    this.totals.returned += returned;
    this.totals.dropped += dropped;
    this.totals.refused += refused;
    this.totals.lost += lost;
    let at = 0;
    return cases.map((c, i) => {
      const tx = txDifference(c, ours[i]!, results[at++]!);
      if (!probed.has(c)) return tx;
      const rx = rxDifference(c, ours[i]!, results[at++]!);
      return tx ?? rx;
    });
  }
}

/** Ask the kernel for the sum of bytes. */
function addProbe(kernel: KernelChecksum, bytes: Uint8Array): void {
  const { frame, csumStart, csumOffset } = sumProbe(bytes);
  kernel.add(frame, csumStart, csumOffset);
}

function txDifference(c: CsumCase, ours: CsumAnswer, kernel: KernelChecksumResult): CsumDifference | null {
  const make = (what: string): CsumDifference => ({
    program: "tx_csum",
    what,
    case: c,
    ours: { ret: ours.tx, ...(ours.frame === null ? {} : { frame: hex(ours.frame) }) },
    kernel: kernel.outcome === "returned" ? { ret: 0, frame: hex(kernel.frame) } : { ...kernel },
  });
  if (ours.fault?.startsWith("tx_csum") === true) return make(ours.fault);
  if (kernel.outcome === "lost") return null;
  if (kernel.outcome === "dropped") return ours.tx === -22 ? null : make("the kernel cannot compute it");
  if (kernel.outcome === "refused")
    return kernel.errno === "EINVAL" && ours.tx === -22 ? null : make(`the kernel refuses: ${kernel.errno}`);
  if (ours.tx !== 0 || ours.frame === null) return make("the kernel sends it");
  return same(ours.frame, kernel.frame) ? null : make(whereTheyDiffer(ours.frame, kernel.frame));
}

function rxDifference(c: CsumCase, ours: CsumAnswer, kernel: KernelChecksumResult): CsumDifference | null {
  if (kernel.outcome !== "returned") return null;
  const part = c.frame.subarray(ETH_HLEN);
  const sum = readSum(kernel.frame, part);
  const fault = ours.fault?.startsWith("rx_csum") === true ? ours.fault : null;
  if (fault === null && ours.rx === 0 && ours.sum === sum) return null;
  return {
    program: "rx_csum",
    what:
      fault ?? `returned ${ours.rx}, sum 0x${ours.sum.toString(16)}, the kernel's is 0x${sum.toString(16)}`,
    case: c,
    ours: { ret: ours.rx, csum_sum16: ours.sum },
    kernel: { csum_sum16: sum },
  };
}

function whereTheyDiffer(ours: Uint8Array, kernel: Uint8Array): string {
  if (ours.length !== kernel.length) return `${ours.length} bytes, the kernel sends ${kernel.length}`;
  const at = ours.findIndex((b, i) => b !== kernel[i]);
  return `byte ${at} is 0x${ours[at]!.toString(16)}, the kernel's is 0x${kernel[at]!.toString(16)}`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
