/**
 * Parsers in the live kernel, run on bytes: an XDP program with its results in a slot of a map, or a flow dissector
 * with its keys. Nothing is attached.
 */
import {
  CANONICAL_PREFIX,
  type ImageLabel,
  type ImageProgram,
  metadataSize,
  orThrow,
  type Parser,
  readCpr,
  SLOT,
  SLOT_OPTION,
  type SlotLayout,
  slotLayout,
  TARGET,
  TRACE_KIND,
  TRACE_RECORD,
  type Trace,
} from "@netoffload/cpr-ir";
import { BpfVerifierError, LoadedParser, PacketRuns, StructBytes } from "@netoffload/linux";
import { NetoffloadError } from "../errors.ts";

/** What of an image's program is loaded. */
export type KernelParserSource = Pick<
  ImageProgram,
  "name" | "target" | "text" | "relocations" | "labels" | "resources"
>;

/** Load a parser's program. @throws ParserRefusal when the verifier refuses it; LinuxError where there is no bpf(2) */
export function loadParser(source: KernelParserSource): LoadedParser {
  try {
    return new LoadedParser({
      name: source.name,
      kind: source.target === TARGET.xdp ? "xdp" : "flow_dissector",
      text: source.text,
      relocations: source.relocations,
      slotBytes: source.resources.memory ?? 0,
    });
  } catch (error) {
    throw error instanceof BpfVerifierError ? new ParserRefusal(source.labels, error) : error;
  }
}

/** The parser that an image's program was compiled from. */
export function parserOfImage(program: Pick<ImageProgram, "ir">): Parser {
  const text = new TextDecoder().decode(program.ir);
  return orThrow(readCpr(text.slice(CANONICAL_PREFIX.length))).parser;
}

/** The live kernel's verifier refuses a parser: at which node, why, and its log. */
export class ParserRefusal extends NetoffloadError {
  readonly log: string;
  /** Node that the instruction comes from; null: none, or the instruction is not known. */
  readonly node: string | null;

  constructor(labels: readonly ImageLabel[], error: BpfVerifierError) {
    const name = labels.findLast((l) => l.slot <= error.instruction)?.name ?? "";
    const where = name === "" ? "" : ` (node ${name})`;
    super(error.code, `${error.message}${where}`, error.details, { errno: error.errno, cause: error });
    this.log = error.log;
    this.node = name === "" ? null : name;
  }
}

/**
 * Tell an XDP parser that will be attached where frames come from: a parser that is given its first header's type in key
 * register 1 starts behind the Ethernet header.
 */
export function startBehindEthernet({ slots }: LoadedParser, parser: Parser): void {
  if (parser.numKeys < 2) return;
  const view = new DataView(slots.buffer, slots.byteOffset, slots.byteLength);
  const { size } = slotLayout(parser);
  for (let at = 0; at < slots.length; at += size)
    view.setUint32(at + SLOT.OPTIONS, SLOT_OPTION.BEHIND_ETHERNET, true);
}

/** Most bytes of a frame that a run takes: what of a page is left for it. */
export const MAX_FRAME = 3400;
/** Bytes that a run needs at least. */
export const MIN_FRAME = 14;
/** May the kernel run a program on a frame? */
export function isRunnable(frame: Uint8Array): boolean {
  return frame.length >= MIN_FRAME && frame.length <= MAX_FRAME;
}
/** In a slot no program has written since. */
const UNTOUCHED = 0x7fff_ffff;

/** An XDP parser. Its results are those of the last run. */
export class XdpParser {
  code = 0;
  lastNode = 0;
  encaps = 0;
  nodes = 0;
  /** The whole metadata memory: a view that the next run overwrites. */
  metadata: Uint8Array = new Uint8Array(0);
  readonly verifiedInstructions: number;
  readonly #loaded: LoadedParser;
  readonly #runs: PacketRuns;
  readonly #view: DataView;
  readonly #layout: SlotLayout;
  readonly #parser: Parser;
  /** Slot of the last run. */
  #at = 0;

  /** @param parser - that the program was compiled from; @param records - of the trace, in debug mode */
  constructor(source: KernelParserSource, parser: Parser, records = 0) {
    this.#parser = parser;
    this.#loaded = loadParser(source);
    this.#runs = new PacketRuns(this.#loaded.program, MAX_FRAME, 0);
    const { slots } = this.#loaded;
    this.#view = new DataView(slots.buffer, slots.byteOffset, slots.byteLength);
    this.#layout = slotLayout(parser, records);
    this.verifiedInstructions = this.#loaded.program.info().verifiedInstructions;
  }

  /**
   * Parse a frame of 14 to 3,400 bytes.
   * @param fill - byte that the metadata memory is filled with before; default: the program zeroes it
   * @returns the code
   */
  run(frame: Uint8Array, keys: Uint32Array, start = 0, fill = -1): number {
    this.#runs.data.set(frame);
    const { size, metadata } = this.#layout;
    const { slots } = this.#loaded;
    const view = this.#view;
    const bytes = metadataSize(this.#parser);
    for (let at = 0; at < slots.length; at += size) {
      view.setUint32(at + SLOT.START, start, true);
      view.setUint32(at + SLOT.OPTIONS, fill < 0 ? 0 : SLOT_OPTION.KEEP, true);
      view.setUint32(at + SLOT.CODE, UNTOUCHED, true);
      for (let k = 0; k < keys.length; k++) view.setUint32(at + SLOT.KEYS + 4 * k, keys[k]!, true);
      if (fill >= 0) slots.fill(fill, at + metadata, at + metadata + bytes);
    }
    this.#runs.run(frame.length);
    let at = 0;
    while (at < slots.length && view.getUint32(at + SLOT.CODE, true) === UNTOUCHED) at += size;
    if (at === slots.length)
      throw new NetoffloadError("EIO", "the XDP program left no result", { length: frame.length });
    this.code = view.getInt32(at + SLOT.CODE, true);
    this.lastNode = view.getUint32(at + SLOT.LAST, true);
    this.encaps = view.getUint32(at + SLOT.ENCAPS, true);
    this.nodes = view.getUint32(at + SLOT.NODES, true);
    this.metadata = slots.subarray(at + metadata, at + metadata + bytes);
    this.#at = at;
    return this.code;
  }

  /** Tell what the last run, of a debug program, did. @returns records that there was no room for */
  tell(trace: Trace): number {
    return tell(this.#view, this.#at, this.#layout, trace);
  }

  close(): void {
    this.#loaded.close();
  }
}

/** Tell a slot's trace. @returns records that there was no room for */
function tell(view: DataView, slot: number, { trace: first, records }: SlotLayout, trace: Trace): number {
  const count = view.getUint32(slot + SLOT.TRACED, true);
  for (let i = 0; i < Math.min(count, records); i++) {
    const at = slot + first + TRACE_RECORD * i;
    const [kind, a, b, c] = [0, 4, 8, 12].map((n) => view.getUint32(at + n, true)) as [
      number,
      number,
      number,
      number,
    ];
    if (kind === TRACE_KIND.NODE) trace.node?.(a, b, c);
    else if (kind === TRACE_KIND.WRITE) trace.write?.(a, b);
    else trace.key?.(a, b);
  }
  return Math.max(0, count - records);
}

/** Bytes of struct bpf_flow_keys, and of its flags' place. */
const KEYS_BYTES = 56;
const KEYS_FLAGS = 48;

/** A flow dissector, run on Ethernet frames. */
export class FlowDissectorParser {
  readonly verifiedInstructions: number;
  readonly #loaded: LoadedParser;
  readonly #runs: PacketRuns;
  readonly #context: StructBytes = new StructBytes(KEYS_BYTES);
  readonly #layout: SlotLayout | null;

  /** @param debug - of a debug program: the parser that is traced ({@link toFlowKeys}), records of the trace */
  constructor(
    source: KernelParserSource,
    debug: { readonly parser: Parser; readonly records: number } | null = null,
  ) {
    this.#layout = debug === null ? null : slotLayout(debug.parser, debug.records);
    this.#loaded = loadParser(source);
    this.#runs = new PacketRuns(this.#loaded.program, MAX_FRAME, KEYS_BYTES, this.#context);
    this.verifiedInstructions = this.#loaded.program.info().verifiedInstructions;
  }

  /** struct bpf_flow_keys of the last run: a view that the next run overwrites. */
  get keys(): Uint8Array {
    return this.#runs.out;
  }

  /**
   * Dissect a frame of 14 to 3,400 bytes from its Ethernet header's end.
   * @param flags - FLOW_DISSECTOR_F_*
   * @returns 0 BPF_OK, 2 BPF_DROP
   */
  run(frame: Uint8Array, flags = 0): number {
    this.#runs.data.set(frame);
    this.#context.u32(KEYS_FLAGS, flags);
    if (this.#layout !== null)
      for (const at of this.#slots(this.#layout)) this.#view.setUint32(at + SLOT.TRACED, UNTOUCHED, true);
    return this.#runs.run(frame.length);
  }

  /** Tell what the last run, of a debug program, did. @returns records that there was no room for */
  tell(trace: Trace): number {
    if (this.#layout === null) return 0;
    for (const at of this.#slots(this.#layout))
      if (this.#view.getUint32(at + SLOT.TRACED, true) !== UNTOUCHED)
        return tell(this.#view, at, this.#layout, trace);
    return 0;
  }

  *#slots({ size }: SlotLayout): Generator<number> {
    for (let at = 0; at < this.#loaded.slots.length; at += size) yield at;
  }

  get #view(): DataView {
    const { slots } = this.#loaded;
    return new DataView(slots.buffer, slots.byteOffset, slots.byteLength);
  }

  close(): void {
    this.#loaded.close();
  }
}
