/** The transmit half of verify: device path, kernel path and captured bytes of one batch. */
import { failureOf, XMIT } from "@netoffload/nic-model";
import { CHECKSUM_PARTIAL, SkBuff } from "@netoffload/skbuff";
import type { OracleChecksum } from "../../test/ref/oracle.ts";
import type { ExecDevice } from "../exec-device.ts";
import { countReason, type OffloadReport } from "../report.ts";
import type { MismatchKind } from "./mismatch.ts";
import { MTU, targetOf } from "./target.ts";
import { setTunnelHeaders } from "./tunnel-headers.ts";
import { BATCH, type Staged, shown, type Verifier } from "./verifier.ts";

/** Bytes of the linear part of a large frame; the rest lies in fragments, as a stack's super-packets do. */
const LARGE_LINEAR = 2048;
const FRAG_BYTES = 32768;
const HEADROOM = 64;

/** Reused over all batches. */
export class Transmit {
  readonly #verifier: Verifier;
  readonly #report: OffloadReport;
  readonly #skb: SkBuff;
  /** By cookie: address of the skb, 0: none or done. */
  readonly #skbs: Uint32Array = new Uint32Array(BATCH);
  readonly #targets: (OracleChecksum | null)[] = new Array<OracleChecksum | null>(BATCH).fill(null);
  readonly #outcomes: Uint8Array = new Uint8Array(BATCH);

  constructor(verifier: Verifier, report: OffloadReport) {
    this.#verifier = verifier;
    this.#report = report;
    this.#skb = new SkBuff(verifier.memory, 0);
  }

  /** Drive the first `n` frames of a batch. */
  run(batch: readonly Staged[], n: number): void {
    const { driver } = this.#verifier.pipeline;
    for (let i = 0; i < n; i++) if (this.#ask(batch[i]!, i)) this.#hand(batch[i]!, i);
    driver.flush((frame, c) => {
      const cookie = c.cookie;
      const failure = failureOf(c);
      if (failure !== "") countReason(this.#report.fallback, failure);
      else if (this.#outcomes[cookie] === XMIT.offloaded) this.#report.offloaded++;
      this.#compare(batch[cookie]!, cookie, frame);
    });
    for (let i = 0; i < n; i++) if (this.#skbs[i] !== 0) this.#lost(batch[i]!, i, "no frame came out");
  }

  /** The same through a device behind a pipe; all frames of the batch are under way at once. */
  async runExec(batch: readonly Staged[], n: number, exec: ExecDevice): Promise<void> {
    const steps: Promise<void>[] = [];
    for (let i = 0; i < n; i++) if (this.#ask(batch[i]!, i)) steps.push(this.#step(batch[i]!, i, exec));
    await Promise.all(steps);
  }

  async #step(staged: Staged, cookie: number, exec: ExecDevice): Promise<void> {
    const skb = this.#skb.at(this.#skbs[cookie]!);
    const { start, fieldOffset } = this.#targets[cookie]!;
    const answer = await exec.transmit(skb.toBytes(), start, fieldOffset);
    if (answer.ok && answer.value.length === 1) {
      this.#report.offloaded++;
      this.#compare(staged, cookie, answer.value[0]!);
    } else if (answer.ok) this.#lost(staged, cookie, `${answer.value.length} frames for one`);
    else this.#lost(staged, cookie, answer.detail, answer.fault);
  }

  /** Build the skb that a stack would hand down for this frame. @returns false: it asks nothing, or there is no room */
  #ask(staged: Staged, cookie: number): boolean {
    this.#skbs[cookie] = 0;
    const report = this.#report;
    const target = targetOf(staged.answer);
    if (typeof target === "string") {
      countReason(report.not_applicable, target);
      return false;
    }
    if (target.end > MTU + this.#verifier.pipeline.driver.l2Length) report.large++;
    const skb = this.#build(staged.frame.subarray(0, target.end), target);
    if (skb === 0) {
      countReason(report.fallback, "no_memory");
      this.#verifier.mismatch(report, "tx_csum", "lost", staged, {
        device: "",
        kernel: "",
        detail: "ENOMEM",
      });
      return false;
    }
    this.#targets[cookie] = target;
    this.#skbs[cookie] = skb;
    return true;
  }

  #hand(staged: Staged, cookie: number): void {
    const { driver } = this.#verifier.pipeline;
    const outcome = driver.xmit(this.#skbs[cookie]!, cookie);
    this.#outcomes[cookie] = outcome;
    if (outcome === XMIT.fallback) countReason(this.#report.fallback, driver.lastReason);
    else if (outcome === XMIT.dropped) this.#lost(staged, cookie, driver.lastReason);
  }

  /** @returns the skb's address, 0: out of memory */
  #build(bytes: Uint8Array, target: OracleChecksum): number {
    const { memory } = this.#verifier;
    const linear = Math.min(bytes.length, Math.max(LARGE_LINEAR, target.start + 64));
    const address = memory.kernel.allocSkb(HEADROOM + linear) >>> 0;
    if (address === 0) return 0;
    const skb = this.#skb.at(address);
    skb.skbReserve(HEADROOM);
    const data = skb.skbPut(linear);
    memory.bytes.set(linear === bytes.length ? bytes : bytes.subarray(0, linear), data);
    for (let at = linear; at < bytes.length; at += FRAG_BYTES) {
      const size = Math.min(FRAG_BYTES, bytes.length - at);
      const page = memory.alloc(size);
      if (page === 0) {
        skb.kfreeSkb();
        return 0;
      }
      memory.bytes.set(bytes.subarray(at, at + size), page);
      memory.kernel.skbAddFrag(address, page, 0, size);
    }
    const field = data + target.start + target.fieldOffset;
    memory.bytes[field] = target.seed >>> 8;
    memory.bytes[field + 1] = target.seed & 0xff;
    skb.ipSummed = CHECKSUM_PARTIAL;
    skb.csumStart = HEADROOM + target.start;
    skb.csumOffset = target.fieldOffset;
    setTunnelHeaders(skb, bytes, this.#verifier.pipeline.driver.l2Length, target.start);
    return address;
  }

  /** The three sides of one packet. */
  #compare(staged: Staged, cookie: number, device: Uint8Array): void {
    const address = this.#skbs[cookie]!;
    if (address === 0) return;
    this.#skbs[cookie] = 0;
    const { memory, pipeline } = this.#verifier;
    const report = this.#report;
    const target = this.#targets[cookie]!;
    const skb = this.#skb.at(address);
    const errno = skb.ipSummed === CHECKSUM_PARTIAL ? pipeline.kernelSide.txCsum(address) : 0;
    skb.at(address);
    const kernel = skb.isNonlinear ? skb.toBytes() : memory.bytes.subarray(skb.data, skb.data + skb.len);
    report.compared++;
    if (errno !== 0 || !same(device, kernel)) {
      if (!(errno === 0 && this.#onlyTcpZero(target, device, kernel)))
        this.#verifier.mismatch(report, "tx_csum", "device_kernel", staged, {
          device: shown(device),
          kernel: errno === 0 ? shown(kernel) : `errno ${errno}`,
        });
    } else if (target.verdict === "right") {
      report.checked_against_capture++;
      const captured = staged.frame.subarray(0, target.end);
      if (!same(device, captured) && !this.#onlyTcpZero(target, device, captured))
        this.#verifier.mismatch(report, "tx_csum", "capture", staged, {
          device: shown(device),
          kernel: shown(kernel),
        });
    }
    skb.kfreeSkb();
  }

  /** Both zeros of ones' complement where 0 does not mean "none": counted, no mismatch. */
  #onlyTcpZero(target: OracleChecksum, a: Uint8Array, b: Uint8Array): boolean {
    const field = target.start + target.fieldOffset;
    if (target.layer === "udp" || a.length !== b.length) return false;
    const [x, y] = [a, b].map((bytes) => (bytes[field]! << 8) | bytes[field + 1]!) as [number, number];
    const zeros = (x === 0 && y === 0xffff) || (x === 0xffff && y === 0);
    if (!zeros || !same(a.subarray(0, field), b.subarray(0, field))) return false;
    if (!same(a.subarray(field + 2), b.subarray(field + 2))) return false;
    this.#report.tcp_zero++;
    return true;
  }

  #lost(staged: Staged, cookie: number, detail: string, kind: MismatchKind = "lost"): void {
    const skb = this.#skb.at(this.#skbs[cookie]!);
    skb.kfreeSkb();
    this.#skbs[cookie] = 0;
    countReason(this.#report.fallback, kind);
    this.#verifier.mismatch(this.#report, "tx_csum", kind, staged, { device: "", kernel: "", detail });
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
