/**
 * The device's parser: a TCAM engine with two bundle slots. What a program takes is counted when it is loaded and
 * held against the device's engine; a packet that needs more states than that has is given back unparsed.
 */
import { measureTcam, type TcamLimits, tcamResources } from "@netoffload/cpr-ir";
import { type Completion, PARSED } from "./descriptor.ts";
import { TcamEngine } from "./tcam.ts";

/** Two slots of parser programs. */
export class ParserEngine {
  readonly #limits: TcamLimits;
  readonly #slots: [TcamEngine | null, TcamEngine | null] = [null, null];

  constructor(limits: TcamLimits) {
    this.#limits = limits;
  }

  /** Empty a slot. */
  clear(slot: 0 | 1): void {
    this.#slots[slot] = null;
  }

  /** Is a program loaded? */
  has(slot: 0 | 1): boolean {
    return this.#slots[slot] !== null;
  }

  /** Load a program. @returns null, or why it is refused; then the slot is as it was */
  load(slot: 0 | 1, text: Uint8Array): string | null {
    const engine = TcamEngine.load(text, this.#limits.steps);
    if (!engine.ok) return engine.diagnostics[0]!.message;
    const have = tcamResources(this.#limits);
    for (const [name, need] of Object.entries(tcamResources(measureTcam(engine.value.program))))
      if (need > have[name]!) return `${need} ${name}, device has ${have[name]}`;
    this.#slots[slot] = engine.value;
    return null;
  }

  /** Parse a received frame and put what was found into its completion. */
  parse(slot: 0 | 1, frame: Uint8Array, l2Length: number, c: Completion): void {
    const engine = this.#slots[slot];
    if (engine === null) return;
    engine.clear();
    engine.run(frame, frame.length, startOfFrame(engine.keys, frame, l2Length));
    c.parsed = engine.trap === "none" ? PARSED.yes : PARSED.gaveUp;
    c.parseCode = engine.code;
    c.parseNode = engine.lastNode;
    c.parseEncaps = engine.encaps;
    c.metadata = engine.metadata;
  }
}

/**
 * Where a parse of a received frame starts. A parser with two key registers or more takes its first protocol from
 * the caller: the registers are flags (0) and the frame's EtherType, and it starts behind the link layer; any
 * other starts at the first byte.
 * @param keys - zeroed; the EtherType is put in
 * @param l2Length - bytes of the link layer
 */
export function startOfFrame(keys: Uint32Array, frame: Uint8Array, l2Length: number): number {
  if (keys.length < 2) return 0;
  if (l2Length >= 2 && frame.length >= l2Length) keys[1] = (frame[l2Length - 2]! << 8) | frame[l2Length - 1]!;
  return Math.min(l2Length, frame.length);
}
