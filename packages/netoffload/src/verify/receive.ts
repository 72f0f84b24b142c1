/** The receive half of verify: the device's COMPLETE, the kernel's, the slow oracle's sum, and the stack's verdicts. */
import { skbCsumRxLegacyConvertUnnecessary } from "@netoffload/csum";
import { failureOf, type RxOutcome, typeBehind } from "@netoffload/nic-model";
import { CHECKSUM_COMPLETE, CHECKSUM_UNNECESSARY, SkBuff } from "@netoffload/skbuff";
import { judge, type OracleAnswer, sum } from "../../test/ref/oracle.ts";
import type { ExecCompletion, ExecDevice } from "../exec-device.ts";
import { countReason, type OffloadReport } from "../report.ts";
import type { MismatchKind } from "./mismatch.ts";
import { validates } from "./stack.ts";
import { MTU, targetOf } from "./target.ts";
import { BATCH, type Staged, type Verifier } from "./verifier.ts";

const L4 = new Set(["tcp", "udp", "icmpv6", "gre"]);

/** A 32-bit ones'-complement sum, folded; 0 only when nothing but zeros were summed. */
function canonical(csum: number): number {
  const once = (csum & 0xffff) + (csum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

const swap = (n: number): number => ((n & 0xff) << 8) | (n >>> 8);

/** Reused over all batches. */
export class Receive {
  readonly #verifier: Verifier;
  readonly #report: OffloadReport;
  readonly #skb: SkBuff;
  readonly #frames: Uint8Array[] = new Array<Uint8Array>(BATCH).fill(new Uint8Array(0));

  constructor(verifier: Verifier, report: OffloadReport) {
    this.#verifier = verifier;
    this.#report = report;
    this.#skb = new SkBuff(verifier.memory, 0);
  }

  /** Let the first `n` frames of a batch arrive. Their partial checksums are filled in, in place. */
  run(batch: readonly Staged[], n: number, l2: number): void {
    const { driver, device } = this.#verifier.pipeline;
    this.#fill(batch, n);
    device.receive(this.#frames, n, l2, (i, c) => {
      const address = this.#arrived(batch[i]!, l2);
      if (address === 0) return;
      const outcome = driver.completeRx(address, c);
      this.#judged(batch[i]!, address, l2, outcome, failureOf(c));
    });
  }

  /** The same through a device behind a pipe; all frames of the batch are under way at once. */
  async runExec(batch: readonly Staged[], n: number, l2: number, exec: ExecDevice): Promise<void> {
    this.#fill(batch, n);
    await Promise.all(batch.slice(0, n).map((staged) => this.#step(staged, l2, exec)));
  }

  async #step(staged: Staged, l2: number, exec: ExecDevice): Promise<void> {
    const answer = await exec.receive(staged.frame);
    const address = this.#arrived(staged, l2);
    if (address === 0) return;
    if (!answer.ok) this.#lost(staged, address, answer.fault, answer.detail);
    else if (answer.value.length !== 1)
      this.#lost(staged, address, "lost", `${answer.value.length} completions for one frame`);
    else if (Buffer.compare(answer.value[0]!.frame, staged.frame) !== 0)
      this.#lost(staged, address, "device_kernel", "the frame was changed");
    else this.#judged(staged, address, l2, this.#fromExec(address, answer.value[0]!, l2), "");
  }

  /** Fill an skb as a driver would. */
  #fromExec(address: number, c: ExecCompletion, l2: number): RxOutcome {
    const skb = this.#skb.at(address);
    skb.ipSummed = c.ipSummed;
    if (c.ipSummed === CHECKSUM_COMPLETE) {
      skb.csum = canonical(c.csum!);
      return "complete";
    }
    if (c.ipSummed !== CHECKSUM_UNNECESSARY) return "none";
    skb.csumLevel = c.csumLevel;
    skb.protocol = typeBehind(skb, l2);
    skbCsumRxLegacyConvertUnnecessary(skb);
    return "converted";
  }

  #fill(batch: readonly Staged[], n: number): void {
    const { checker } = this.#verifier;
    for (let i = 0; i < n; i++) {
      const staged = batch[i]!;
      const { frame } = staged;
      this.#frames[i] = frame;
      const open = staged.answer.checksums.some((c) => c.verdict === "seed" || c.verdict === "wrong");
      if (open && checker.fixAt(frame.byteOffset, frame.length, staged.wireLength, staged.linkType) > 0)
        staged.answer = judge(frame, staged.linkType, staged.wireLength);
    }
  }

  /** The skb that the driver fills, data at L3; counts what asks nothing. @returns its address, 0: out of memory */
  #arrived(staged: Staged, l2: number): number {
    const { memory } = this.#verifier;
    const { frame } = staged;
    const target = targetOf(staged.answer);
    if (typeof target === "string") countReason(this.#report.not_applicable, target);
    else if (frame.length > MTU + l2) this.#report.large++;
    const address = memory.kernel.allocSkb(frame.length) >>> 0;
    if (address === 0) {
      if (typeof target !== "string") countReason(this.#report.fallback, "no_memory");
      this.#mismatch(staged, "lost", "", "", "ENOMEM");
      return 0;
    }
    const skb = this.#skb.at(address);
    memory.bytes.set(frame, skb.skbPut(frame.length));
    skb.skbPull(Math.min(l2, frame.length));
    return address;
  }

  /** What one completion says, held against the kernel's program and the oracle. */
  #judged(staged: Staged, address: number, l2: number, outcome: RxOutcome, failure: string): void {
    const from = Math.min(l2, staged.frame.length);
    const applicable = typeof targetOf(staged.answer) !== "string";
    if (outcome === "complete") {
      if (applicable) this.#report.offloaded++;
      this.#complete(staged, address, from, applicable);
    } else if (outcome === "converted") {
      if (applicable) this.#report.offloaded++;
      this.#unnecessary(staged, address, from, applicable);
    } else if (applicable) {
      countReason(this.#report.fallback, failure || (outcome === "none" ? "not_verified" : outcome));
      this.#software(staged, address, from);
    }
    this.#skb.at(address).kfreeSkb();
  }

  #lost(staged: Staged, address: number, kind: MismatchKind, detail: string): void {
    if (typeof targetOf(staged.answer) !== "string") countReason(this.#report.fallback, kind);
    this.#mismatch(staged, kind, "", "", detail);
    this.#skb.at(address).kfreeSkb();
  }

  #mismatch(staged: Staged, kind: MismatchKind, device: string, kernel: string, detail?: string): void {
    const sides = detail === undefined ? { device, kernel } : { device, kernel, detail };
    this.#verifier.mismatch(this.#report, "rx_csum", kind, staged, sides);
  }

  /** COMPLETE from the device: the same number by the kernel's program and by the oracle, and what it validates. */
  #complete(staged: Staged, address: number, from: number, applicable: boolean): void {
    const skb = this.#skb.at(address);
    // a converted one is not folded
    const device = canonical(skb.csum);
    const kernel = this.#kernelSum(address);
    if (applicable) this.#report.compared++;
    if (kernel !== device) this.#mismatch(staged, "device_kernel", String(device), String(kernel));
    this.#againstOracle(staged, device, from, applicable);
  }

  /** Without help of the device the kernel sums itself; held against the oracle all the same. */
  #software(staged: Staged, address: number, from: number): void {
    this.#report.compared++;
    this.#againstOracle(staged, this.#kernelSum(address), from, true);
  }

  #kernelSum(address: number): number {
    const errno = this.#verifier.pipeline.kernelSide.rxCsum(address);
    return errno === 0 ? this.#skb.at(address).csum : errno;
  }

  #againstOracle(staged: Staged, csum: number, from: number, applicable: boolean): void {
    const { frame } = staged;
    const oracle = swap(sum(frame, from, frame.length));
    if (applicable) this.#report.checked_against_capture++;
    if (csum !== oracle) {
      this.#mismatch(staged, "oracle_sum", String(csum), String(oracle));
      return;
    }
    const said = this.#verdicts(staged, csum, from);
    if (said !== "") this.#mismatch(staged, "verdict", String(csum), String(oracle), said);
  }

  /** The stack's verdict of every transport checksum by COMPLETE, `csum check`'s and the oracle's. @returns what differs */
  #verdicts(staged: Staged, csum: number, from: number): string {
    const { checker } = this.#verifier;
    const { frame, answer } = staged;
    const found = checker.checkAt(frame.byteOffset, frame.length, staged.wireLength, staged.linkType);
    let k = 0;
    for (let i = 0; i < found; i++) {
      const layer = checker.layer(i);
      if (!L4.has(layer.layer) || layer.quoted) continue;
      const oracle = answer.checksums[k];
      if (layer.verdict === "unverifiable") {
        // a header that contradicts itself: its checksum can still be asked for, but nobody checks it
        if (oracle?.start === layer.start) k++;
        continue;
      }
      k++;
      // csum check looks into more tunnels than the oracle does, and behind lengths that lie
      if (oracle === undefined) return "";
      if (oracle.start !== layer.start || oracle.layer !== layer.layer)
        return `csum check finds ${layer.layer} at ${layer.start}, the oracle ${oracle.layer} at ${oracle.start}`;
      const stack =
        oracle.verdict === "absent" ? "absent" : validates(frame, from, csum, oracle) ? "ok" : "bad";
      const slow = oracle.verdict === "right" ? "ok" : oracle.verdict === "absent" ? "absent" : "bad";
      const check = layer.verdict === "partial" ? "bad" : layer.verdict;
      if (stack !== slow || check !== slow)
        return `${layer.layer} at ${layer.start}: stack ${stack}, csum check ${layer.verdict}, oracle ${oracle.verdict}`;
    }
    return this.#missing(answer, k);
  }

  #missing(answer: OracleAnswer, seen: number): string {
    const oracle = answer.checksums[seen];
    return oracle === undefined
      ? ""
      : `the oracle finds ${oracle.layer} at ${oracle.start}, csum check does not`;
  }

  /**
   * UNNECESSARY of a fixed-function device: the first transport checksum must be right, and COMPLETE, where the driver
   * could make it of that, the packet's sum.
   */
  #unnecessary(staged: Staged, address: number, from: number, applicable: boolean): void {
    const first = staged.answer.checksums[0];
    if (first?.verdict !== "right" && first?.verdict !== "absent") {
      if (applicable) this.#report.compared++;
      const verdict = first === undefined ? "no transport checksum" : first.verdict;
      this.#mismatch(staged, "unnecessary", "CHECKSUM_UNNECESSARY", verdict);
    } else if (this.#skb.at(address).ipSummed === CHECKSUM_COMPLETE)
      this.#complete(staged, address, from, applicable);
    else if (applicable) {
      this.#report.compared++;
      this.#report.checked_against_capture++;
    }
  }
}
