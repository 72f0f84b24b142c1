/**
 * A device of the user's own behind a pipe: a simulator, an RTL test bench, a proxy to a card. It is started
 * once; each step is one JSON line to its stdin, answered by one JSON line on its stdout, in any order.
 *
 * ```text
 * → {"id":1,"dir":"tx","frame":"..","descriptor":{"csum_start":34,"csum_offset":16}}
 * ← {"id":1,"frames":[".."]}
 * → {"id":2,"dir":"rx","frame":".."}
 * ← {"id":2,"completions":[{"frame":"..","csum":"..","ip_summed":2}]}
 * ```
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { bytesToHex, hexToBytes } from "@netoffload/internal";

/** One rx completion as the device reports it; absent fields were not reported. */
export interface ExecCompletion {
  readonly frame: Uint8Array;
  /** COMPLETE: the ones'-complement sum (little-endian words, as the kernel keeps it); null when not given. */
  readonly csum: number | null;
  readonly csumLevel: number;
  /** NONE 0, UNNECESSARY 1, COMPLETE 2, PARTIAL 3. */
  readonly ipSummed: number;
}

/** What went wrong with one answer; each is counted as a mismatch of this name. */
export type ExecFault = "no_answer_in_time" | "device_ended" | "bad_answer";

/** An answer or the fault that stands in its place. */
export type ExecAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: ExecFault; readonly detail: string };

type Resolve = (answer: ExecAnswer<Record<string, unknown>>) => void;

/** The running command. Close it when done. */
export class ExecDevice {
  readonly #child: ChildProcess;
  readonly #waiting: Map<number, Resolve> = new Map();
  readonly #timeoutMs: number;
  #next = 1;
  /** When the device was last asked or answered, milliseconds. */
  #active = 0;
  #timer: NodeJS.Timeout | null = null;
  #ended: string | null = null;

  /**
   * @param command - run by the shell
   * @param timeoutMs - silence after which what is still asked counts as not answered; any answer ends a silence, so
   *   that a slow device may take its time over the steps that are under way at once
   */
  constructor(command: string, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#child = spawn(command, { shell: true, stdio: ["pipe", "pipe", "inherit"] });
    this.#child.on("error", (error) => this.#end(error.message));
    this.#child.on("exit", (code, signal) => this.#end(`exit ${signal ?? code}`));
    this.#child.stdin?.on("error", () => undefined);
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#line(line));
  }

  /**
   * Hand a frame to the device for transmission.
   * @param csumStart - first byte summed, from the frame's first byte
   * @param csumOffset - the field, from csumStart
   */
  async transmit(
    frame: Uint8Array,
    csumStart: number,
    csumOffset: number,
  ): Promise<ExecAnswer<Uint8Array[]>> {
    const answer = await this.#ask({
      dir: "tx",
      frame: bytesToHex(frame),
      descriptor: { csum_mode: "generic", csum_start: csumStart, csum_offset: csumOffset },
    });
    if (!answer.ok) return answer;
    const frames = answer.value.frames;
    const bytes = Array.isArray(frames)
      ? frames.map((f) => (typeof f === "string" ? hexToBytes(f) : null))
      : [null];
    if (bytes.some((b) => b === null)) return bad("frames must be an array of hex strings");
    return { ok: true, value: bytes as Uint8Array[] };
  }

  /** Let a frame arrive from the wire. */
  async receive(frame: Uint8Array): Promise<ExecAnswer<ExecCompletion[]>> {
    const answer = await this.#ask({ dir: "rx", frame: bytesToHex(frame) });
    if (!answer.ok) return answer;
    const list = answer.value.completions;
    if (!Array.isArray(list)) return bad("completions must be an array");
    const completions = list.map(completion);
    const wrong = completions.indexOf(null);
    if (wrong >= 0) return bad(`completions[${wrong}] needs frame (hex) and, with ip_summed 2, csum (hex)`);
    return { ok: true, value: completions as ExecCompletion[] };
  }

  /** End the command: its stdin is closed, and it is killed if it does not leave within a second. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#ended !== null) return;
    const gone = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 1000);
    await gone;
    clearTimeout(timer);
  }

  #ask(step: Record<string, unknown>): Promise<ExecAnswer<Record<string, unknown>>> {
    if (this.#ended !== null)
      return Promise.resolve({ ok: false, fault: "device_ended", detail: this.#ended });
    const id = this.#next++;
    this.#active = performance.now();
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#timer ??= setTimeout(() => this.#silence(), this.#timeoutMs);
      this.#child.stdin?.write(`${JSON.stringify({ id, ...step })}\n`);
    });
  }

  /** The timer ran out: has the device been silent for so long? */
  #silence(): void {
    this.#timer = null;
    if (this.#waiting.size === 0) return;
    const rest = this.#timeoutMs - (performance.now() - this.#active);
    if (rest > 0) {
      this.#timer = setTimeout(() => this.#silence(), rest);
      return;
    }
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [id, resolve] of waiting)
      resolve({
        ok: false,
        fault: "no_answer_in_time",
        detail: `step ${id}: nothing within ${this.#timeoutMs} ms`,
      });
  }

  #line(line: string): void {
    this.#active = performance.now();
    let answer: Record<string, unknown>;
    try {
      answer = JSON.parse(line) as Record<string, unknown>;
    } catch {
      // without an id nobody can be told; the step it was meant for runs into its timeout
      return;
    }
    const id = typeof answer?.id === "number" ? answer.id : Number.NaN;
    const resolve = this.#waiting.get(id);
    if (resolve === undefined) return;
    this.#waiting.delete(id);
    resolve({ ok: true, value: answer });
  }

  #end(why: string): void {
    this.#ended ??= why;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const resolve of this.#waiting.values()) resolve({ ok: false, fault: "device_ended", detail: why });
    this.#waiting.clear();
  }
}

function bad<T>(detail: string): ExecAnswer<T> {
  return { ok: false, fault: "bad_answer", detail };
}

function completion(value: unknown): ExecCompletion | null {
  if (typeof value !== "object" || value === null) return null;
  const fields = value as Record<string, unknown>;
  const frame = typeof fields.frame === "string" ? hexToBytes(fields.frame) : null;
  const ipSummed = typeof fields.ip_summed === "number" ? fields.ip_summed : 0;
  const csum = number32(fields.csum);
  if (frame === null || (ipSummed === 2 && csum === null)) return null;
  const csumLevel = typeof fields.csum_level === "number" ? fields.csum_level : 0;
  return { frame, csum, csumLevel, ipSummed };
}

/** A 32-bit number given as a number or as a hex string. */
function number32(value: unknown): number | null {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffffffff) return value;
  if (typeof value === "string" && /^(0x)?[0-9a-f]{1,8}$/i.test(value))
    return Number.parseInt(value.replace(/^0x/i, ""), 16);
  return null;
}
