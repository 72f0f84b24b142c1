/** A packet on which two of the three sides disagree. */
import type { OffloadName } from "../report.ts";

/** What disagreed. */
export type MismatchKind =
  /** Device and kernel gave different bytes or sums. */
  | "device_kernel"
  /** Device and kernel agree, the captured bytes (right by the slow oracle) do not. */
  | "capture"
  /** The COMPLETE value is not the slow oracle's sum. */
  | "oracle_sum"
  /** The stack's verdict, `csum check`'s and the slow oracle's are not the same. */
  | "verdict"
  /** A fixed-function device called a checksum right that is not. */
  | "unnecessary"
  /** The packet never came out. */
  | "lost"
  /** A device behind a pipe: no answer in time, an answer that is none, its end. */
  | "no_answer_in_time"
  | "bad_answer"
  | "device_ended";

/** One mismatch, as its JSON line. */
export interface Mismatch {
  readonly mismatch: OffloadName;
  readonly kind: MismatchKind;
  readonly file: string;
  /** 1-based number of the packet in its file. */
  readonly packet: number;
  /** What each side said, hex or words. */
  readonly device: string;
  readonly kernel: string;
  readonly captured: string;
  readonly detail?: string;
}
