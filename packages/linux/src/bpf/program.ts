/** Programs: loading with the verifier's log, running on test input, what the kernel knows of them. */
import { LinuxError, ok } from "../errors.ts";
import { libc } from "../libc.ts";
import { StructBytes } from "../struct-bytes.ts";
import { type BpfFunction, loadFunctionTypes, logText } from "./btf.ts";
import { BPF_CMD, BPF_OBJ_NAME_LEN, objectName } from "./constants.ts";

/** What is loaded. */
export interface BpfProgramOptions {
  /** One of BPF_PROG_TYPE. */
  readonly type: number;
  readonly name: string;
  /** Instructions, 8 bytes each, complete: descriptors of maps are in their places. */
  readonly text: Uint8Array;
  readonly flags?: number;
  /** Place it will be attached to, one of BPF_ATTACH_TYPE; default 0. */
  readonly attachType?: number;
  /** Its functions, the first at 0; default: one that is not told to the kernel. */
  readonly functions?: readonly BpfFunction[];
  readonly license?: string;
}

/** Numbers that the kernel gives for a loaded program. */
export interface BpfProgramInfo {
  readonly id: number;
  readonly name: string;
  /** Bytes after the verifier's rewriting, and as machine code. */
  readonly xlatedBytes: number;
  readonly jitedBytes: number;
  /** Instructions the verifier walked through. */
  readonly verifiedInstructions: number;
}

/** The verifier refused a program. */
export class BpfVerifierError extends LinuxError {
  /** What the verifier said, its end where it is longer than the buffer. */
  readonly log: string;
  /** Slot of the instruction it stopped at; -1: none is named. */
  readonly instruction: number;

  constructor(name: string, code: string, errno: number, log: string) {
    const at = instructionOf(log);
    const where = at < 0 ? "" : ` at instruction ${at}`;
    super(code, `bpf: the verifier refuses ${name}${where}: ${summary(log)}`, { instruction: at }, { errno });
    this.log = log;
    this.instruction = at;
  }
}

/** Slot that a log's last instruction has, or that its message names. */
function instructionOf(log: string): number {
  const lines = log.split("\n");
  for (let i = lines.length - 1; i >= 0; i--) {
    const found = /^(\d+): \(|\binsn (\d+)/.exec(lines[i]!);
    if (found !== null) return Number(found[1] ?? found[2]);
  }
  return -1;
}

/** The line that says why: the last before the statistics that is no instruction and no state. */
function summary(log: string): string {
  const lines = log.split("\n").filter((l) => l !== "");
  const reasons = lines.filter(
    (l) =>
      !/^(\d+: |from \d+ to|processed |verification time|stack depth|mark_precise|;|caller|returning|to caller| )/.test(
        l,
      ),
  );
  return reasons[reasons.length - 1] ?? lines[lines.length - 1] ?? "no reason given";
}

const LOG_STATS = 4;
/** Room for the statistics: a line for each function. */
const STATS_BYTES = 1 << 17;
const LOG_ALL = 1;
/** Enough for the end of any refusal; the kernel keeps the end when it is short. */
const LOG_BYTES = 1 << 20;
const EINVAL = 22;
const EACCES = 13;
const EAGAIN = 11;
const ENOSPC = 28;
const LOAD_TRIES = 8;

/** A loaded program. */
export class BpfProgram {
  readonly name: string;
  /** The verifier's statistics. */
  readonly log: string;
  readonly #run: StructBytes = new StructBytes(80);
  #fd: number;

  /** Load it; throws {@link BpfVerifierError}, or LinuxError where the kernel does not come so far. */
  constructor(options: BpfProgramOptions) {
    this.name = options.name;
    const types = options.functions === undefined ? null : loadFunctionTypes(options.functions);
    try {
      const log = new Uint8Array(STATS_BYTES);
      const attr = attributes(options, types);
      let fd = load(logged(attr, LOG_STATS, log));
      // what is verified is given up where its log has no room, which is known at the end only; the log's end is kept
      if (fd === -ENOSPC) fd = load(attr.u32(24, 0).u32(28, 0).u64(32, 0n));
      if (fd < 0) throw refusal(options, attr, fd);
      this.#fd = fd;
      this.log = logText(log);
    } finally {
      if (types !== null) libc().close(types.fd);
    }
    this.#run.u32(0, this.#fd);
  }

  /** Descriptor; -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Run a `syscall` program once, without context. @returns its r0; throws LinuxError */
  run(): number {
    ok(libc().bpf(BPF_CMD.PROG_TEST_RUN, this.#run), `bpf: run ${this.name}`);
    return this.#run.getU32(4);
  }

  /**
   * Run a packet program on bytes.
   * `repeat`: how often; the result is the last one's
   * @returns its return value, the packet or (flow dissector) the keys it left, and nanoseconds of one run
   */
  testRun(
    data: Uint8Array,
    options: { readonly out?: Uint8Array; readonly repeat?: number; readonly context?: Uint8Array } = {},
  ): { readonly retval: number; readonly out: Uint8Array; readonly nanoseconds: number } {
    const out = options.out ?? new Uint8Array(data.length + 256);
    const attr = new StructBytes(80)
      .u32(0, this.#fd)
      .u32(8, data.length)
      .u32(12, out.length)
      .pointer(16, data)
      .pointer(24, out)
      .u32(32, options.repeat ?? 1);
    if (options.context !== undefined) attr.u32(40, options.context.length).pointer(48, options.context);
    ok(libc().bpf(BPF_CMD.PROG_TEST_RUN, attr), `bpf: run ${this.name} on ${data.length} bytes`);
    return {
      retval: attr.getU32(4),
      out: out.subarray(0, attr.getU32(12)),
      nanoseconds: attr.getU32(36),
    };
  }

  /** What the kernel knows of it. */
  info(): BpfProgramInfo {
    const info = new StructBytes(232);
    const attr = new StructBytes(16).u32(0, this.#fd).u32(4, info.bytes.length).pointer(8, info.bytes);
    ok(libc().bpf(BPF_CMD.OBJ_GET_INFO_BY_FD, attr), `bpf: info of ${this.name}`);
    return {
      id: info.getU32(4),
      name: logText(info.bytes.subarray(64, 64 + BPF_OBJ_NAME_LEN)),
      jitedBytes: info.getU32(16),
      xlatedBytes: info.getU32(20),
      verifiedInstructions: info.getU32(216),
    };
  }

  /** Give the descriptor back; what it is attached to keeps it. May be called again. */
  close(): void {
    if (this.#fd >= 0) libc().close(this.#fd);
    this.#fd = -1;
  }
}

/** A signal interrupts the verifier, which then asks to be called again. */
function load(attr: StructBytes): number {
  let fd = -EAGAIN;
  for (let tries = 0; tries < LOAD_TRIES && fd === -EAGAIN; tries++) fd = libc().bpf(BPF_CMD.PROG_LOAD, attr);
  return fd;
}

function attributes(
  options: BpfProgramOptions,
  types: { readonly fd: number; readonly info: Uint8Array } | null,
): StructBytes {
  const attr = new StructBytes(152)
    .u32(0, options.type)
    .u32(4, options.text.length / 8)
    .pointer(8, options.text)
    .pointer(16, new TextEncoder().encode(`${options.license ?? "Dual MIT/GPL"}\0`))
    .u32(44, options.flags ?? 0)
    .text(48, objectName(options.name), BPF_OBJ_NAME_LEN)
    .u32(68, options.attachType ?? 0);
  if (types !== null)
    attr
      .u32(72, types.fd)
      .u32(76, 8)
      .pointer(80, types.info)
      .u32(88, types.info.length / 8);
  return attr;
}

function logged(attr: StructBytes, level: number, log: Uint8Array): StructBytes {
  return attr.u32(24, level).u32(28, log.length).pointer(32, log);
}

/** Load once more, for the log. */
function refusal(options: BpfProgramOptions, attr: StructBytes, result: number): LinuxError {
  const log = new Uint8Array(LOG_BYTES);
  const again = load(logged(attr, LOG_ALL, log));
  if (again >= 0) libc().close(again);
  const text = logText(log);
  let error: LinuxError | undefined;
  try {
    ok(result, `bpf: load ${options.name}`);
  } catch (e) {
    error = e as LinuxError;
  }
  return text === "" && result !== -EINVAL && result !== -EACCES
    ? error!
    : new BpfVerifierError(options.name, error!.code, -result, text);
}
