/** Parsers in the live kernel against the interpreter. */
import {
  type CompiledParser,
  Interpreter,
  isOkay,
  type Parser,
  TARGET,
  type Trace,
} from "@netoffload/cpr-ir";
import {
  FlowDissectorParser,
  type KernelParserSource,
  MAX_FRAME,
  MIN_FRAME,
  XdpParser,
} from "../../src/live/kernel-parser.ts";

/** A packet with what the parser is given besides. */
export interface Case {
  readonly packet: Uint8Array;
  readonly keys: Uint32Array;
  readonly start?: number;
}

/** A compiled parser as an image's program. */
export function sourceOf(compiled: CompiledParser, target: "ebpf" | "xdp"): KernelParserSource {
  return { ...compiled, name: "parser", target: TARGET[target] };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
/** In front of packets that are too short for a run: the parse starts behind. */
const FRONT = new Uint8Array(MIN_FRAME).fill(0x5a);

/** An XDP program beside the interpreter: code, last node, encapsulations, nodes, metadata byte for byte. */
export class CompareXdp {
  readonly #xdp: XdpParser;
  readonly #run: Interpreter;
  compared = 0;
  /** Packets cut to what a run takes. */
  cut = 0;

  constructor(compiled: CompiledParser, of: Parser, judge: Parser = of) {
    this.#xdp = new XdpParser(sourceOf(compiled, "xdp"), of);
    this.#run = new Interpreter(judge);
  }

  add({ packet, keys, start = 0 }: Case): void {
    const short = packet.length < MIN_FRAME;
    let frame = short ? Uint8Array.from([...FRONT, ...packet]) : packet;
    const from = short ? start + MIN_FRAME : start;
    if (frame.length > MAX_FRAME) {
      frame = frame.subarray(0, MAX_FRAME);
      this.cut++;
    }
    const [xdp, run] = [this.#xdp, this.#run];
    run.metadata.fill(0xa5);
    run.keys.set(keys);
    run.run(frame, frame.length, from);
    xdp.run(frame, keys, from, 0xa5);
    this.compared++;
    if (
      xdp.code !== run.code ||
      xdp.lastNode !== run.lastNode ||
      xdp.encaps !== run.encaps ||
      xdp.nodes !== run.nodes ||
      Buffer.compare(xdp.metadata, run.metadata) !== 0
    )
      throw new Error(
        `${hex(frame)} keys ${keys} start ${from}:\n` +
          `xdp ${xdp.code} ${xdp.lastNode} ${xdp.encaps} ${xdp.nodes} ${hex(xdp.metadata)}\n` +
          `interpreter ${run.code} ${run.lastNode} ${run.encaps} ${run.nodes} ${hex(run.metadata)}`,
      );
  }

  close(): void {
    this.#xdp.close();
  }
}

/** A trace as text. */
class Told implements Trace {
  readonly events: string[] = [];
  node(index: number, off: number, length: number): void {
    this.events.push(`node ${index} at ${off}, ${length} bytes`);
  }
  write(at: number, length: number): void {
    this.events.push(`write ${at}, ${length} bytes`);
  }
  key(key: number, value: number): void {
    this.events.push(`key ${key} = ${value >>> 0}`);
  }
  /** @param lost - events that there was no room for, after those found */
  compare({ events: found }: Told, lost: number, packet: Uint8Array): void {
    const expected = this.events;
    if (expected.join("\n") !== [...found, ...expected.slice(found.length, found.length + lost)].join("\n"))
      throw new Error(
        `${hex(packet)}:\ninterpreter\n${expected.join("\n")}\nkernel, ${lost} lost\n${found.join("\n")}`,
      );
  }
}

/** The trace of debug programs beside the interpreter's: nodes, offsets, lengths, writes of metadata and keys, in order. */
export class CompareTrace {
  readonly #xdp: XdpParser;
  readonly #run: Interpreter;
  /** Events that both told. */
  events = 0;

  constructor(compiled: CompiledParser, of: Parser, records: number) {
    this.#xdp = new XdpParser(sourceOf(compiled, "xdp"), of, records);
    this.#run = new Interpreter(of);
  }

  add({ packet, keys, start = 0 }: Case): void {
    if (packet.length < MIN_FRAME || packet.length > MAX_FRAME) return;
    const expected = new Told();
    const found = new Told();
    this.#run.trace = expected;
    this.#run.clear();
    this.#run.keys.set(keys);
    this.#run.run(packet, packet.length, start);
    this.#xdp.run(packet, keys, start);
    expected.compare(found, this.#xdp.tell(found), packet);
    this.events += found.events.length;
  }

  close(): void {
    this.#xdp.close();
  }
}

const BPF_OK = 0;
const BPF_DROP = 2;
const ETHERNET = 14;
/** Bytes of struct bpf_flow_keys. */
const KEYS = 56;

/**
 * A flow dissector beside the interpreter: return value and all 56 bytes of the keys, as the kernel gives and clamps
 * them around the program.
 */
export class CompareFlow {
  readonly #flow: FlowDissectorParser;
  readonly #run: Interpreter;
  readonly #expected: Uint8Array = new Uint8Array(KEYS);
  readonly #view: DataView = new DataView(this.#expected.buffer);
  readonly #traced: boolean;
  compared = 0;
  /** Events of the trace that both told. */
  events = 0;

  /** @param judge - whose metameta area is the struct. @param records - of the trace, of debug programs */
  constructor(compiled: CompiledParser, judge: Parser, records = 0) {
    const debug = records === 0 ? null : { parser: judge, records };
    this.#flow = new FlowDissectorParser(sourceOf(compiled, "ebpf"), debug);
    this.#run = new Interpreter(judge);
    this.#traced = records > 0;
  }

  /** Frames with an Ethernet header only. */
  add(packet: Uint8Array, flags: number): void {
    if (packet.length < MIN_FRAME) return;
    const frame = packet.length > MAX_FRAME ? packet.subarray(0, MAX_FRAME) : packet;
    const told = new Told();
    this.#run.trace = this.#traced ? told : null;
    const expected = this.#judge(frame, flags);
    const retval = this.#flow.run(frame, flags);
    this.compared++;
    if (this.#traced) {
      const found = new Told();
      told.compare(found, this.#flow.tell(found), frame);
      this.events += found.events.length;
    }
    if (retval !== expected || Buffer.compare(this.#flow.keys, this.#expected) !== 0)
      throw new Error(
        `${hex(frame)} flags ${flags}:\nkernel      ${retval} ${hex(this.#flow.keys)}\n` +
          `interpreter ${expected} ${hex(this.#expected)} ${this.#run.code} at ${this.#run.parser.nodes[this.#run.lastNode]!.name}`,
      );
  }

  /** @returns the program's value; keys are left in place */
  #judge(frame: Uint8Array, flags: number): number {
    const [run, view] = [this.#run, this.#view];
    run.clear();
    const given = new DataView(run.metadata.buffer, run.metadata.byteOffset);
    given.setUint16(0, ETHERNET, true);
    given.setUint16(2, ETHERNET, true);
    given.setUint16(10, (frame[12]! << 8) | frame[13]!);
    given.setUint32(48, flags, true);
    run.keys[0] = flags;
    run.keys[1] = given.getUint16(10);
    const code = run.run(frame, frame.length, ETHERNET);
    this.#expected.set(run.metadata.subarray(0, KEYS));
    const clamp = (at: number, least: number): number => {
      const n = Math.min(Math.max(view.getUint16(at, true), least), frame.length);
      view.setUint16(at, n, true);
      return n;
    };
    clamp(2, clamp(0, ETHERNET));
    return isOkay(code) ? BPF_OK : BPF_DROP;
  }

  close(): void {
    this.#flow.close();
  }
}
