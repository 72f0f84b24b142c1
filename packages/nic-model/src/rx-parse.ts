/** Headers of received packets: the device's parse where it may be used, the kernel's own everywhere else. */
import { type Interpreter, PARSER_FUNCTION } from "@netoffload/cpr-ir";
import { type Completion, PARSED } from "./descriptor.ts";
import type { NicDevice } from "./device.ts";
import { startOfFrame } from "./parser-engine.ts";

/** What is known of a packet's headers. */
export interface RxParse {
  readonly by: "device" | "software";
  readonly code: number;
  /** Node of the canonical graph. */
  readonly lastNode: number;
  readonly encaps: number;
  /** Whole metadata memory; valid until the next packet. */
  readonly metadata: Uint8Array;
}

/** Parses for one driver. */
export class RxParser {
  /** The kernel's own parser, the program that the device's is compared with; null: it has none. */
  kernel: Interpreter | null = null;
  /** Packets whose headers the device found. */
  byDevice = 0;
  /** Packets that software parsed, and why. */
  readonly fallback: Record<string, number> = {};
  readonly #device: NicDevice;

  constructor(device: NicDevice) {
    this.#device = device;
  }

  /**
   * Headers of a received frame.
   * @param l2Length - bytes of the link layer
   * @param c - the frame's completion
   * @returns null where neither the device nor the kernel can tell
   */
  parse(frame: Uint8Array, l2Length: number, c: Completion): RxParse | null {
    const reason = this.#unparsed(c);
    if (reason === null) {
      this.byDevice++;
      const { parseCode: code, parseNode: lastNode, parseEncaps: encaps, metadata } = c;
      return { by: "device", code, lastNode, encaps, metadata };
    }
    this.fallback[reason] = (this.fallback[reason] ?? 0) + 1;
    const run = this.kernel;
    if (run === null) return null;
    run.clear();
    run.run(frame, frame.length, startOfFrame(run.keys, frame, l2Length));
    const { code, lastNode, encaps, metadata } = run;
    return { by: "software", code, lastNode, encaps, metadata };
  }

  /** Why the device's parse is not taken; null: it is. */
  #unparsed(c: Completion): string | null {
    if (!this.#device.isEnabled(PARSER_FUNCTION)) return "not_enabled";
    if (c.generation !== this.#device.generation) return "stale";
    if (c.parsed === PARSED.gaveUp) return "gave_up";
    return c.parsed === PARSED.yes ? null : "not_parsed";
  }
}
