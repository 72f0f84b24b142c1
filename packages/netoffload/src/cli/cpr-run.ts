/** Parsers on their targets: `netoffload cpr run`. */
import { codeName, Interpreter, type Parser, WasmParser } from "@netoffload/cpr-ir";
import { isFault } from "../dissect.ts";
import type { Context } from "./command.ts";
import { eachFrame, type FrameSink, type LineFault } from "./cpr-frames.ts";
import { xdpRunner } from "./cpr-kernel.ts";
import { runTcam, tcamEngine } from "./cpr-tcam.ts";
import { usageError } from "./exit.ts";

/** What ran a frame, whatever the target. */
export interface Ran {
  readonly code: number;
  readonly lastNode: number;
  readonly encaps: number;
  readonly metadata: Uint8Array;
}

/** One answer of `cpr run`. */
export function answer(id: unknown, parser: Parser, run: Ran): Record<string, unknown> {
  return {
    id,
    ret: run.code,
    code: codeName(run.code),
    encaps: run.encaps,
    last_node: parser.nodes[run.lastNode]!.name,
    metadata: Buffer.from(run.metadata).toString("hex"),
  };
}

/** Runs a frame with key registers, from an offset; or says why the target does not take it. */
export type RunFrame = (frame: Uint8Array, keys: Uint32Array, start: number) => Ran | LineFault;

/** Targets by their words, and what runs the parser. */
export const RUN_TARGETS = "interp|wasm|ebpf|xdp|tcam";

/** Bytes of the longest frame that the wasm target is given room for. */
const MAX_WASM_FRAME = 1 << 20;

/** A parser on a target. */
export function runner(parser: Parser, target: string): RunFrame {
  if (target === "interp") {
    const run = new Interpreter(parser);
    return (frame, keys, start) => {
      run.clear();
      run.keys.set(keys);
      run.run(frame, frame.length, start);
      return run;
    };
  }
  if (target === "tcam") {
    const engine = tcamEngine(parser);
    return (frame, keys, start) => runTcam(engine, frame, keys, start);
  }
  // of the kernel's programs, a flow dissector tells neither the node nor what its keys cannot hold
  if (target === "xdp" || target === "ebpf") return xdpRunner(parser);
  if (target === "p4") throw usageError("--target p4: a text for other toolchains, which nothing here runs");
  if (target !== "wasm") throw usageError(`--target ${target}: ${RUN_TARGETS.replaceAll("|", ", ")}`);
  const compiled = WasmParser.create(parser, 1, MAX_WASM_FRAME);
  if (!compiled.ok) throw usageError(compiled.diagnostics.map((d) => d.message).join("; "));
  const wasm = compiled.value;
  return (frame, keys, start) => {
    wasm.reset();
    if (!wasm.add(frame, keys, start))
      return { code: "frame", message: `a frame of ${frame.length} bytes; at most ${MAX_WASM_FRAME}` };
    wasm.fill(0);
    wasm.run();
    return { ...wasm.outcome(0), metadata: wasm.metadata(0) };
  };
}

/** Of what is run, and of which packets. */
export interface RunInput {
  readonly target: string;
  /** JSON lines, a capture, or `-`. */
  readonly frames: string;
  /** Link type of a capture's packets. */
  readonly link: number;
}

/** Parse all frames of an input. @returns the exit code */
export function runFrames(context: Context, parser: Parser, input: RunInput): Promise<number> {
  const ran = runner(parser, input.target);
  const usual = parser.numKeys > 1 ? 14 : 0;
  const one: FrameSink = (id, frame, line) => {
    const keys = new Uint32Array(parser.numKeys);
    const given = line?.keys;
    const start = line?.start ?? (given === undefined ? usual : 0);
    if (!isNumber(start, frame.length))
      return { code: "start", message: "start: an offset in the frame is needed" };
    if (given === undefined) {
      // the flow dissector starts behind the Ethernet header, at the frame's EtherType
      if (usual > 0) keys[1] = frame.length < 14 ? 0 : (frame[12]! << 8) | frame[13]!;
    } else if (!isKeys(given, keys.length))
      return { code: "keys", message: `keys: a list of up to ${keys.length} numbers is needed` };
    else keys.set(given);
    const outcome = ran(frame, keys, Math.min(start, frame.length));
    if (isFault(outcome)) return outcome;
    context.out.json(answer(id, parser, outcome));
    return undefined;
  };
  return eachFrame(context, input.frames, one, input.link);
}

function isNumber(value: unknown, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= Math.max(most, 14);
}

function isKeys(value: unknown, most: number): value is number[] {
  return Array.isArray(value) && value.length <= most && value.every((v) => isNumber(v, 0xffffffff));
}
